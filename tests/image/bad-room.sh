#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A conversion notes in the metadata every damaged block that it leaves out. It checks that there is room for that before anything is changed.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
need_root
need_crypt
tool attack
make_keys
KEY=("${VK[@]}")
image=$tmp/disk.img
eat_metadata=${BUILD:-$PROJECT/build}/tests/image/eat-metadata
[ -x "$eat_metadata" ] || fail "$eat_metadata does not exist: run make tools"
size=$((16 << 20))

eat() { "$eat_metadata" "$1" "$2" >"$tmp/eat" 2>&1 || { cat "$tmp/eat"; fail "eat-metadata"; }; }

# needed [OPTION]: bytes of metadata, as the plan has it; $available
needed() {
	crypt convert --encrypt --dry-run "$@" "$image" target >"$tmp/plan"
	sed -nE 's/^metadata needed: ([^ ,]+ \()?([0-9]+) bytes?\)?, .*/\2/p' "$tmp/plan"
}
available() { crypt convert --encrypt --dry-run "$image" target | sed -nE 's/^metadata needed.*available: ([^ ,]+ \()?([0-9]+) bytes?\)?$/\2/p'; }

# rot_all: every block of the file, one byte each
rot_all() {
	local address length
	btrfs inspect-internal dump-tree -t 256 "$image" | sed -nE 's/.*extent data disk byte ([0-9]+) nr ([0-9]+)$/\1 \2/p' >"$tmp/extents"
	[ "$(awk '{ n += $2 } END { print n }' "$tmp/extents")" = $size ] || fail "the file's extents are not $size bytes"
	while read -r address length; do
		attack raw-get "$address" "$length" >"$tmp/bytes"
		python3 -c 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
for at in range(100, len(data), 4096): data[at] ^= 1
open(sys.argv[1], "wb").write(data)' "$tmp/bytes"
		attack raw-put "$address" "$tmp/bytes"
	done <"$tmp/extents"
}

image_make "$image" 300M -m single -d single -n 4096
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs -q subvolume create "$tmp/mnt/target"
head -c $size /dev/urandom >"$tmp/mnt/target/large"
image_umount
fill_device "$image"
cp --sparse=always "$image" "$tmp/start.img"

with=$(needed --on-error=continue) without=$(needed)
say "needed: $without bytes, $with where all of it may be damaged"
[ "$with" -gt $((without + size / 4096 * 16)) ] || fail "damaged blocks have no room in the plan"
eat "$image" $((4 << 20))
reserve=$(((4 << 20) - $(available)))
[ $reserve -gt 0 ] && [ $reserve -lt $((4 << 20)) ] || fail "no reserve"

say "room for the rest alone: nothing is changed"
fresh "$tmp/start.img"
eat "$image" $((reserve + (with + without) / 2))
expect_unchanged 10 "$image" crypt convert --encrypt -q "${VK[@]}" --on-error=continue "$image" target
expect_text "$tmp/err" 'without --on-error=continue less is needed'
expect_unchanged 10 "$image" crypt convert --encrypt -q "${VK[@]}" --skip-damaged "$image" target
expect_text "$tmp/err" 'without --skip-damaged less is needed'
expect_unchanged 10 "$image" crypt convert --encrypt --dry-run --on-error=continue "$image" target
expect_unchanged 0 "$image" crypt convert --encrypt --dry-run "$image" target

say "just room enough, and every block is damaged"
fresh "$tmp/start.img"
eat "$image" $((reserve + with + 4096))
rot_all
expect_status 6 crypt convert --encrypt -q "${VK[@]}" --on-error=continue "$image" target
expect_text "$tmp/out" "blocks that were bad before and stay so: $((size / 4096))"
btrfs check "$image" >"$tmp/check.out" 2>&1 || { cat "$tmp/check.out"; fail "btrfs check"; }

say "unsealing what is damaged all over"
fresh "$tmp/start.img"
crypt convert --encrypt -q "${VK[@]}" "$image" target >"$tmp/out"
rot_all
cp --sparse=always "$image" "$tmp/rotten.img"
eat "$image" $((96 << 10))
OPTIONS=(--skip-damaged)
expect_unchanged 10 "$image" do_decrypt
expect_text "$tmp/err" "metadata: up to [0-9]+ bytes needed to note $((size / 4096)) damaged blocks, [0-9]+ free"
need=$(sed -nE 's/.*up to ([0-9]+) bytes needed.*/\1/p' "$tmp/err")
say "with $need bytes, the kernel's reserve among them, there is room"
fresh "$tmp/rotten.img"
eat "$image" $((need + (128 << 10)))	# the journal may be among the metadata
expect_status 6 do_decrypt
expect_text "$tmp/out" "damaged blocks left as they were: $((size / 4096))"
