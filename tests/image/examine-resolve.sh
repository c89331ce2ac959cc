#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# resolve names the same files at an address as the kernel (logical-resolve), and the same paths of an inode as a mount shows; the bytes of a file are
# where it says they are; with snapshots that share leaves, reflinks, back references of every kind, and two copies of everything.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
tool fill

image=$tmp/image
image_make "$image" 600M -d dup -n 4096
image_mount "$image" "$tmp/mnt" rw,compress=zstd
mnt=$tmp/mnt
btrfs -q subvolume create "$mnt/one"
"$tmp/fill" "$mnt/one" 1 sizes:300000 inline compressed holes prealloc reflinks bookends extents:100 links names
for n in 1 2 3; do btrfs -q subvolume snapshot "$mnt/one" "$mnt/snap$n"; done
btrfs -q subvolume snapshot -r "$mnt/snap2" "$mnt/one/read only"
# Leaves part in different ways: in the origin, in a snapshot, in both.
sync
touch "$mnt/one/sizes"/* "$mnt/snap1/extents"/*
cp --reflink=always "$mnt/snap1/sizes/65537" "$mnt/snap1/again"
mkdir "$mnt/plain" "$mnt/one/deep"
cp --reflink=always "$mnt/one/sizes/65537" "$mnt/plain/far"
python3 -c 'import os, sys
for n in range(1, 1501):
	os.link(sys.argv[1] + "/sizes/65537", sys.argv[1] + "/deep/a rather long name for a link, number %d" % n)' "$mnt/one"
sync
printf x | dd of="$mnt/snap3/sizes/65537" bs=1 seek=30000 conv=notrunc status=none
sync
btrfs -q balance start -m "$mnt" || true	# shared leaves get references by their parents
touch "$mnt/snap2/sizes"/*
sync
image_umount

# Every extent, and places inside and behind it
btrfs inspect-internal dump-tree -t extent "$image" >"$tmp/extents"
sed -nE 's/^\titem [0-9]+ key \(([0-9]+) EXTENT_ITEM ([0-9]+)\).*/\1 \2/p' "$tmp/extents" | awk 'NR % 3 == 0 { print $1; if ($2 > 4096) print $1 + $2 - 4096 + 5; if ($2 > 20000) print $1 + 12345 }' >"$tmp/addresses"
grep -q 'shared data backref' "$tmp/extents" && grep -q 'shared block backref' "$tmp/extents" && grep -q '	item.*SHARED_DATA_REF\|shared data' "$tmp/extents" ||
	fail "the image has not all kinds of back references"
sed -nE 's/^\titem [0-9]+ key \(([0-9]+) (METADATA_ITEM|EXTENT_ITEM) .*/\1/p' "$tmp/extents" | awk 'NR % 7 == 0' >"$tmp/blocks"

image_mount "$image" "$mnt" ro
python3 "$IMAGE_TESTS/resolve.py" record "$mnt" "$tmp/addresses" >"$tmp/record"
inode=$(stat -c %i "$mnt/one/sizes/65537")
(cd "$mnt" && find one -xdev -inum "$inode" | sort) >"$tmp/links"	# inode-resolve has room for 4096 bytes only
image_umount

before=$(fingerprint "$image")
python3 "$IMAGE_TESTS/resolve.py" compare "$BTRFS_CRYPT" "$image" "$tmp/record" >"$tmp/compared" || { head -40 "$tmp/compared"; fail "resolve differs from the kernel"; }
say "$(tail -1 "$tmp/compared")"
expect_text "$tmp/compared" '^[0-9]{3,} addresses, [0-9]{4,} files, [0-9]{3,} pieces'

expect_status 0 crypt resolve --inode "$inode" "$image" one
sort "$tmp/out" | diff "$tmp/links" - >"$tmp/diff" || { head "$tmp/diff"; fail "other names than the kernel shows"; }
[ "$(wc -l <"$tmp/links")" -gt 1500 ] || fail "not 1500 links"
# The tree of a leaf is the one whose dump shows it.
btrfs inspect-internal dump-tree "$image" | grep -E '^(leaf|node) ' >"$tmp/nodes"
root=$(crypt list "$image" | sed -n 's/^ID \([0-9]*\) .* path snap3$/\1/p')
btrfs inspect-internal dump-tree -t "$root" "$image" | sed -nE 's/^leaf ([0-9]+) .*/\1/p' >"$tmp/leaves"
n=0
while read -r leaf; do
	expect_status 0 crypt resolve --logical "$leaf" "$image"
	grep -qE "^tree $root path snap3\$" "$tmp/out" || { cat "$tmp/out"; fail "leaf $leaf is not in tree $root"; }
	n=$((n + 1))
done < <(awk 'NR % 5 == 0' "$tmp/leaves")
[ "$n" -gt 5 ] || fail "only $n leaves"
expect_status 4 crypt resolve --logical 4096 "$image"
expect_text "$tmp/err" 'nothing is allocated at logical address 4096$'
expect_status 4 crypt resolve --inode 99999 "$image" one
expect_status 4 crypt resolve "$image" one sizes/65537@65537
expect_text "$tmp/err" 'at or past the end, 65537$'
expect_status 1 crypt resolve "$image" one
expect_status 1 crypt resolve --logical 4096 "$image" one
expect_status 1 crypt resolve "$image" one sizes
[ "$before" = "$(fingerprint "$image")" ] || fail "reading changed the image"
