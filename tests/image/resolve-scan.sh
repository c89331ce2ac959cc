#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# resolve without usable back references: for what only a log tree has, it says what a kernel says after replaying the log; without the extent tree, a
# search through all trees finds what the references say, with snapshots, reflinks, compressed extents and tree blocks.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
tool fill

say "a log tree"
image=$tmp/base.img mnt=$tmp/mnt
image_make "$image" 300M
image_mount "$image" "$mnt" rw,noatime
btrfs -q subvolume create "$mnt/one"
python3 "$IMAGE_TESTS/log-ops.py" base "$mnt/one"
btrfs -q subvolume snapshot "$mnt/one" "$mnt/snap"
image_umount
image_mount "$image" "$mnt" rw,commit=300,noatime
python3 "$IMAGE_TESTS/log-ops.py" plain "$mnt/one"
cp --reflink=always "$mnt/one/new" "$mnt/one/clone"
python3 -c 'import os, sys; os.fsync(os.open(sys.argv[1], os.O_RDONLY))' "$mnt/one/clone"
cp --sparse=always "$image" "$tmp/live.img"
image_umount
crypt dump-super "$tmp/live.img" | grep -E '^log_root[[:space:]]+[1-9]' >/dev/null || fail "no log tree"
cp --sparse=always "$tmp/live.img" "$tmp/replayed.img"
image_mount "$tmp/replayed.img" "$mnt" rw,noatime
image_umount
btrfs inspect-internal dump-tree -t extent "$tmp/replayed.img" |
	sed -nE 's/^\titem [0-9]+ key \(([0-9]+) EXTENT_ITEM ([0-9]+)\).*/\1 \2/p' | awk 'NR % 2 { print $1; if ($2 > 4096) print $1 + $2 - 4096 + 5; if ($2 > 20000) print $1 + 12345 }' >"$tmp/addresses"
image_mount "$tmp/replayed.img" "$mnt" ro
python3 "$IMAGE_TESTS/resolve.py" record "$mnt" "$tmp/addresses" >"$tmp/record"
image_umount
python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); r["samples"] = r["samples"][:20]; json.dump(r, open(sys.argv[1], "w"))' "$tmp/record"
for options in --with-log "--with-log --scan"; do
	printf '#!/bin/sh\ncommand=$1\nshift\ncase "$*" in *--logical*) exec "%s" "$command" %s "$@" ;; esac\nexec "%s" "$command" --with-log "$@"\n' \
		"$BTRFS_CRYPT" "$options" "$BTRFS_CRYPT" >"$tmp/program"
	chmod +x "$tmp/program"
	python3 "$IMAGE_TESTS/resolve.py" compare "$tmp/program" "$tmp/live.img" "$tmp/record" >"$tmp/compared" ||
		{ head -40 "$tmp/compared"; fail "resolve $options differs from the kernel"; }
	say "$options: $(tail -1 "$tmp/compared")"
	expect_text "$tmp/compared" '^[0-9]{2,} addresses, [0-9]{2,} files, [0-9]{2,} pieces'
done
logical=$(crypt resolve --with-log "$tmp/live.img" one new | sed -nE '1s/.* logical ([0-9]+) .*/\1/p')
expect_unchanged 0 "$tmp/live.img" crypt resolve --with-log --logical "$logical" "$tmp/live.img"
expect_text "$tmp/out" '^data extent [0-9]+ length [0-9]+ log$'
expect_text "$tmp/out" ' path one/new$'
expect_text "$tmp/out" ' path one/clone$'
expect_status 4 crypt resolve --logical "$logical" "$tmp/live.img"
expect_text "$tmp/err" 'nothing is allocated at'

say "without the extent tree"
image=$tmp/image
image_make "$image" 300M -m dup -n 4096
image_mount "$image" "$mnt" rw,compress=zstd
btrfs -q subvolume create "$mnt/one"
"$tmp/fill" "$mnt/one" 1 sizes:70000 inline compressed prealloc reflinks bookends extents:50 links names
for n in 1 2 3; do btrfs -q subvolume snapshot "$mnt/one" "$mnt/snap$n"; done
sync
touch "$mnt/one/sizes"/* "$mnt/snap1/extents"/*
cp --reflink=always "$mnt/snap1/sizes/65537" "$mnt/snap1/again"
btrfs -q subvolume create "$mnt/other"
touch "$mnt/other"/{1..40}
sync
inode=$(stat -c %i "$mnt/one/sizes/65537")
(cd "$mnt" && find one snap1 snap2 snap3 -inum "$inode" | sort) >"$tmp/links"
image_umount
btrfs inspect-internal dump-tree -t extent "$image" >"$tmp/extents"
sed -nE 's/^\titem [0-9]+ key \(([0-9]+) (METADATA_ITEM|EXTENT_ITEM) .*/\1/p' "$tmp/extents" | awk 'NR % 5 == 0' >"$tmp/blocks"
# The root of each tree, so that every tree is among them.
btrfs inspect-internal dump-tree -r "$image" | sed -nE 's/^(root tree:|.* key \([^)]*\)) ([0-9]+) level [0-9]+.*/\2/p' >"$tmp/roots"
[ "$(wc -l <"$tmp/roots")" -ge 8 ] || fail "too few roots"
cat "$tmp/roots" >>"$tmp/blocks"

# found FILE: what is told of each address, in an order that both ways share
found() {
	while read -r address; do
		echo "$address"
		"$BTRFS_CRYPT" resolve "${@:2}" --logical "$((address + 7))" "$1" 2>"$tmp/said" | sed -E 's/ refs [0-9]+//; s/^(data .*) generation [0-9]+/\1/' | sort || [ "${PIPESTATUS[0]}" = "${want:-0}" ]
	done <"$tmp/blocks"
}
found "$image" >"$tmp/by-references"
found "$image" --scan >"$tmp/by-scan"
diff "$tmp/by-references" "$tmp/by-scan" >"$tmp/diff" || { head -30 "$tmp/diff"; fail "looking through all trees finds something else"; }
grep -c '^inode' "$tmp/by-scan" | awk '$1 < 100 { exit 1 }' || fail "only $(grep -c '^inode' "$tmp/by-scan") files"
grep -c '^tree-block' "$tmp/by-scan" | awk '$1 < 10 { exit 1 }' || fail "too few tree blocks"
grep -q '^tree 2$' "$tmp/by-scan" && grep -q '^tree 1$' "$tmp/by-scan" && grep -q 'path snap2$' "$tmp/by-scan" || fail "trees are missing"

cp --sparse=always "$image" "$tmp/damaged.img"
root=$(btrfs inspect-internal dump-tree -r "$image" | sed -nE 's/.*extent tree.* ([0-9]+) level .*/\1/p')
crypt resolve --logical "$root" "$image" | sed -nE 's/^copy .* physical ([0-9]+)$/\1/p' >"$tmp/places"
[ "$(wc -l <"$tmp/places")" = 2 ] || fail "the root of the extent tree has not two places"
while read -r at; do
	printf 'damaged' | dd of="$tmp/damaged.img" bs=1 seek="$((at + 200))" conv=notrunc status=none
done <"$tmp/places"
# The extent tree itself cannot be looked through any more.
cp "$tmp/blocks" "$tmp/all"
awk '/^[0-9]+$/ { address = $1 } /^tree 2$/ { print address }' "$tmp/by-references" >"$tmp/own"
grep -vxF -f "$tmp/own" "$tmp/all" >"$tmp/blocks" || true
found "$image" >"$tmp/by-references"
want=6 found "$tmp/damaged.img" >"$tmp/by-scan"
diff "$tmp/by-references" "$tmp/by-scan" >"$tmp/diff" || { head -30 "$tmp/diff"; fail "with a damaged extent tree it finds something else"; }
expect_text "$tmp/said" 'warning: .*block .*checksum'
expect_text "$tmp/said" 'warning: .*searching all trees'
expect_unchanged 6 "$tmp/damaged.img" crypt resolve --logical "$(awk 'NR == 3' "$tmp/blocks")" "$tmp/damaged.img"
expect_status 4 crypt resolve --scan --logical 4096 "$image"

say "an inode in all snapshots"
expect_status 0 crypt resolve --inode "$inode" --snapshots "$image" snap2
sort "$tmp/out" | diff "$tmp/links" - >"$tmp/diff" || { head "$tmp/diff"; fail "other names than the kernel shows"; }
[ "$(wc -l <"$tmp/links")" -ge 4 ] || fail "not in all snapshots"
expect_status 1 crypt resolve --scan "$image" one sizes/65537
expect_status 1 crypt resolve --snapshots --logical 4096 "$image"
