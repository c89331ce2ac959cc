#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Damaged data: a mirror that matches its checksum is used, with a warning. If none does, the file and its bytes are named, and nothing past them
# comes out. A damaged tree block beside a good copy, a missing superblock and a cut image are tolerated or reported.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
tool fill

image=$tmp/a.img
image_make "$image" 300M -d dup -m dup
image_mount "$image" "$tmp/mnt" rw
"$tmp/fill" "$tmp/mnt" 1 sizes:300000 compressed nocow
head -c 100000 /dev/urandom >"$tmp/mnt/noise"
sync
cp "$tmp/mnt/noise" "$tmp/noise"
packed=$(cd "$tmp/mnt" && find compressed -type f -size +100k | sort | head -1)
cp "$tmp/mnt/$packed" "$tmp/packed"
inode=$(stat -c %i "$tmp/mnt/noise")
image_umount
cp "$image" "$tmp/good.img"

# disk_bytenr of the first extent of a file
address_of() { btrfs inspect-internal dump-tree -t 5 "$image" | awk -v key="key ($1 EXTENT_DATA 0)" 'index($0, key) { on = 1 } on && !done && /disk byte/ { print $5; done = 1 }'; }
# mirrors_of LOGICAL: physical addresses
mirrors_of() { btrfs-map-logical -l "$1" "$image" | sed -n 's/^mirror [0-9]* logical [0-9]* physical \([0-9]*\) .*/\1/p' | sort -u; }
# flip PHYSICAL: one byte
flip() {
	local byte
	byte=$(od -An -tu1 -j "$1" -N 1 "$image")
	printf "\\x$(printf %02x $((byte ^ 0x40)))" | dd of="$image" bs=1 seek="$1" conv=notrunc status=none
}

address=$(address_of "$inode")
read -r -d '' first second < <(mirrors_of "$address") || true
[ -n "$second" ] || fail "the data are not on two mirrors"

say "one mirror damaged"
flip $((first + 2 * 4096 + 77))
expect_unchanged 0 "$image" crypt cat "$image" / noise
cmp "$tmp/out" "$tmp/noise" || fail "the good mirror was not used"
expect_text "$tmp/err" "data at $((address + 8192)): mirror 1 does not match its checksum, mirror 2 does"

say "the other one damaged elsewhere"
flip $((second + 5 * 4096))
expect_status 0 crypt cat "$image" / noise
cmp "$tmp/out" "$tmp/noise" || fail "two half good mirrors do not make a good file"

say "both damaged in one sector"
flip $((second + 2 * 4096 + 78))
expect_status 6 crypt cat "$image" / noise
expect_text "$tmp/err" "noise: bytes 8192 to 12287 are lost: data at $((address + 8192)): crc32c is [0-9a-f]{8}, the csum tree has [0-9a-f]{8}, and no mirror"
cp "$tmp/noise" "$tmp/noise.want"
dd if=/dev/zero of="$tmp/noise.want" bs=4096 seek=2 count=1 conv=notrunc status=none
cmp "$tmp/out" "$tmp/noise.want" || fail "what is lost is not zeros, or more is lost"
expect_status 6 crypt cat --format json "$image" / noise
expect_text "$tmp/err" '"status":6'

say "a compressed extent on both mirrors"
cp "$tmp/good.img" "$image"
expect_status 0 crypt ls --format json "$image" / "$packed"
packed_inode=$(sed 's/.*"inode":"\([0-9]*\)".*/\1/' "$tmp/out")
address=$(address_of "$packed_inode")
for physical in $(mirrors_of "$address"); do flip $((physical + 100)); done
expect_status 6 crypt cat "$image" / "$packed"
expect_text "$tmp/err" "bytes 0 to [0-9]* are lost: data at $address"
[ "$(head -c 131072 "$tmp/out" | tr -d '\0' | wc -c)" = 0 ] || fail "bytes of a damaged compressed extent came out"

say "a tree block on one mirror, then on both"
cp "$tmp/good.img" "$image"
root=$(btrfs inspect-internal dump-super "$image" | awk '$1 == "root" { print $2 }')
read -r -d '' first second < <(mirrors_of "$root") || true
flip $((first + 500))
expect_status 0 crypt cat "$image" / noise
cmp "$tmp/out" "$tmp/noise" || fail "the good copy of the root tree was not used"
[ -s "$tmp/err" ] || fail "no warning"
flip $((second + 500))
expect_status 6 crypt cat "$image" / noise
expect_text "$tmp/err" "tree block at $(printf 0x%x "$root"):"

say "the first superblock is gone"
cp "$tmp/good.img" "$image"
dd if=/dev/zero of="$image" bs=4096 seek=16 count=1 conv=notrunc status=none
expect_status 0 crypt cat "$image" / noise
cmp "$tmp/out" "$tmp/noise" || fail "the mirror superblock was not used"

say "cut images and other files"
for size in 0 1000 70000 1M 20M 60M 100M; do
	cp "$tmp/good.img" "$image"
	truncate -s "$size" "$image"
	for command in "cat $image / noise" "list $image" "show $image /" "ls -l $image / sizes"; do
		status=0
		# shellcheck disable=SC2086
		crypt $command >"$tmp/out" 2>"$tmp/err" || status=$?
		case $status in 0 | 4 | 6) ;; *) cat "$tmp/err"; fail "status $status: $command of $size bytes" ;; esac
		[ "$status" = 0 ] || [ -s "$tmp/err" ] || fail "no error text"
	done
done
expect_status 4 crypt list "$tmp/noise"
expect_status 4 crypt list "$tmp/none"
