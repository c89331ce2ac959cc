#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Shows that the oracles of the other tests see what they must: fill makes every kind of content, the manifest
# changes with one byte, mode or time,
# the search finds plain text where it is, the layout tells whose each byte is, and a damaged image is not clean.
. "$(dirname "$0")/lib.sh"
need_root
tool fill
tool find-plain

say "every kind of content at each edge of node size and profile"
KINDS="sizes:4194304 inline compressed holes prealloc nocow reflinks bookends extents:100 symlinks names times modes xattrs links special directories"
image_make "$tmp/a.img" 400M -n 4096
image_mount "$tmp/a.img" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/one"
btrfs -q subvolume create "$tmp/mnt/two"
"$tmp/fill" "$tmp/mnt/one" 1 $KINDS flags
"$tmp/fill" "$tmp/mnt/two" 2 sizes:100000 inline symlinks
image_umount
check_clean "$tmp/a.img"
image_state "$tmp/a.img" first
image_state "$tmp/a.img" again
expect_same_state first again

say "the same seed gives the same bytes"
image_make "$tmp/b.img" 400M
image_mount "$tmp/b.img" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/one"
"$tmp/fill" "$tmp/mnt/one" 1 sizes:4194304 inline compressed holes
manifest "$tmp/mnt/one/" >"$tmp/b"
image_umount
sums() { grep -aE '^(one/)?(sizes|inline|compressed|holes)/' "$1" | grep -ao 'sha256=.*' | sort; }
diff <(sums "$tmp/first.manifest") <(sums "$tmp/b") || fail "two runs of fill differ"

say "each kind is there"
btrfs inspect-internal dump-tree -t 256 "$tmp/a.img" >"$tmp/dump"
for want in 'type 0 \(inline\)' 'type 1 \(regular\)' 'type 2 \(prealloc\)' 'compression 1 \(zlib' 'compression 2 \(lzo' 'compression 3 \(zstd' \
	'NODATASUM\|NODATACOW' IMMUTABLE APPEND INODE_EXTREF XATTR_ITEM 'extent data disk byte 0 nr 0|data offset [1-9]'; do
	expect_text "$tmp/dump" "$want"
done
grep -A2 'type 0 (inline)' "$tmp/dump" | grep 'compression [123]' >/dev/null || fail "no inline extent is compressed"

say "the manifest sees one byte, one mode, one nanosecond, one flag, one xattr byte"
sees() {	# sees WHAT COMMAND...
	local what=$1
	shift
	"$@"
	manifest "$tmp/mnt/one" >"$tmp/new"
	cmp -s "$tmp/old" "$tmp/new" && fail "the manifest does not see $what"
	cp "$tmp/new" "$tmp/old"
}
one_byte() { printf x | dd of="$tmp/mnt/one/sizes/65537" bs=1 seek=40000 conv=notrunc status=none; touch -d @5 "$tmp/mnt/one/sizes/65537"; }
image_mount "$tmp/a.img" "$tmp/mnt" rw
touch -d @5 "$tmp/mnt/one/sizes/65537"
manifest --no-ctime "$tmp/mnt/one" >"$tmp/old"
one_byte
manifest --no-ctime "$tmp/mnt/one" >"$tmp/new"
cmp -s "$tmp/old" "$tmp/new" && fail "the manifest does not see one byte"
manifest "$tmp/mnt/one" >"$tmp/old"
sees "a mode" chmod 0645 "$tmp/mnt/one/sizes/1"
sees "a time" touch -d @1.000000001 "$tmp/mnt/one/sizes/2"
sees "a flag" chattr +A "$tmp/mnt/one/sizes/2"
sees "an xattr" setfattr -n user.short -v 2 "$tmp/mnt/one/xattrs/file"
subvolumes "$tmp/mnt" >"$tmp/old"
btrfs property set -ts "$tmp/mnt/one" ro true
subvolumes "$tmp/mnt" >"$tmp/new"
cmp -s "$tmp/old" "$tmp/new" && fail "a read-only flag is not seen"
image_umount

say "the search finds both forms, only of the seeds asked for, and bytes of compressed extents"
"$tmp/find-plain" -s 3 "$tmp/a.img" >"$tmp/found" || fail "found a seed that was never used"
"$tmp/find-plain" -s 1 "$tmp/a.img" >"$tmp/found" && fail "found nothing"
[ "$(tail -1 "$tmp/found" | sed 's/.* found //')" -gt 100000 ] || fail "found too little: $(tail -1 "$tmp/found")"
layout ranges "$tmp/a.img" data-member --member 256 >"$tmp/ranges"
"$tmp/find-plain" -p "$tmp/a.img" -r "$tmp/ranges" "$tmp/a.img" >"$tmp/found" && fail "found nothing by ranges"
awk '{ n += $2 } END { exit n < 12000000 }' "$tmp/ranges" || fail "the member's data are too little"
# a copy without the member's data: what is left are readable tags in leaves and stale blocks
cp --sparse=always "$tmp/a.img" "$tmp/c.img"
while read -r at length; do
	dd if=/dev/zero of="$tmp/c.img" bs=4096 seek=$((at / 4096)) count=$((length / 4096)) conv=notrunc status=none
done <"$tmp/ranges"
"$tmp/find-plain" -s 1 "$tmp/c.img" >"$tmp/found" && fail "no inline data found"
expect_text "$tmp/found" 'readable tag'

say "the layout covers every byte once, and judges changes"
layout classes "$tmp/a.img" --member 256 >"$tmp/classes"
[ "$(awk '{ n += $2 } END { print n }' "$tmp/classes")" = $((400 << 20)) ] || fail "classes do not add up"
grep -q unreferenced "$tmp/classes" && fail "an allocated extent has no owner"
layout garbage "$tmp/a.img"
check_clean "$tmp/a.img"
changed() {	# changed CLASS STATUS: one byte of the class in a copy
	local at length
	layout ranges "$tmp/a.img" "$1" --member 256 >"$tmp/ranges"
	read -r at length <"$tmp/ranges"
	cp --sparse=always "$tmp/a.img" "$tmp/c.img"
	printf '\125\252' | dd of="$tmp/c.img" bs=1 seek=$((at + length / 2)) conv=notrunc status=none
	expect_status "$2" layout diff "$tmp/a.img" "$tmp/c.img" --member 256
	expect_text "$tmp/out" "^$1.*blocks changed"
}
for class in data-member leaf-member meta-free; do changed $class 0; done
for class in data-free data-other first-mib stripe system-free unallocated; do changed $class 1; done

say "a damaged image is not clean"
layout ranges "$tmp/a.img" data-other --member 256 >"$tmp/ranges"
read -r at length <"$tmp/ranges"
printf 'xyz' | dd of="$tmp/a.img" bs=1 seek="$at" conv=notrunc status=none
(check_clean "$tmp/a.img") >/dev/null 2>&1 && fail "check_clean sees nothing"
true
