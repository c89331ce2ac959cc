#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Subvolumes that did not come from an ordinary mount are sealed and unsealed: converted from ext4, with what the option inode_cache left behind, under
# simple quotas, received from a stream.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt
for program in btrfs-convert mkfs.ext4 fsck.ext4 debugfs; do
	command -v $program >/dev/null || skip "needs $program"
done
tool edit-ino-cache
new_keys
KEY=(--volume-key-file "$tmp/vk")

# check IMAGE: by btrfs check, or by the kernel if these btrfs-progs do not know the image's features
check() {
	btrfs check "$1" >"$tmp/check.out" 2>&1 || true
	if grep -q 'unsupported .*features' "$tmp/check.out"; then
		image_mount "$1" "$tmp/mnt"
		btrfs scrub start -B "$tmp/mnt" >"$tmp/scrub"
		expect_text "$tmp/scrub" 'no errors found'
		image_umount
	else
		check_clean "$1"
	fi
}

# The same as image_state, for what the kernel does not mount: all items of the subvolume, and the bytes of its extents
unmounted_state() {
	local logical len
	btrfs inspect-internal dump-tree -t 256 "$1" | grep '^	' >"$tmp/$2.subvolumes"
	sed -nE 's/.*extent data disk byte ([0-9]+) nr ([1-9][0-9]*)$/\1 \2/p' "$tmp/$2.subvolumes" | while read -r logical len; do
		rm -f "$tmp/extent"
		btrfs-map-logical -l "$logical" -b "$len" -o "$tmp/extent" "$1" >"$tmp/log"
		echo "$len $(sha256sum <"$tmp/extent")"
	done >"$tmp/$2.manifest"
}

# cycle IMAGE VERIFIED SUBVOL [OPTION...]: sealed, verified (REGEX), unsealed, everything as before per $STATE
STATE=image_state
cycle() {
	local image=$1 verified=$2 subvolume=$3
	shift 3
	check "$image"
	$STATE "$image" before
	note_flags "$image"
	expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$@" "$image" "$subvolume"
	check "$image"
	expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" "$subvolume"
	expect_text "$tmp/out" "^verified: .*: $verified, 0 not sealed, 0 failures$"
	expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" "$subvolume"
	check "$image"
	$STATE "$image" after
	expect_same_state before after
	expect_no_trace "$image" 2>"$tmp/err"	# of btrfs-progs that do not know simple quotas
	expect_status 0 crypt dump-tree --crypt "$image"
	[ ! -s "$tmp/out" ] || { head "$tmp/out"; fail "something of the sealing is left"; }
}

say "--- converted from ext4"
image=$tmp/converted.img
mkdir -p "$tmp/files/d"
seq 100000 >"$tmp/files/large"
echo small >"$tmp/files/d/small"
ln -s d/small "$tmp/files/link"
truncate -s 128M "$image"
mkfs.ext4 -q -b 4096 -d "$tmp/files" "$image"
btrfs-convert "$image" >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "btrfs-convert"; }
# The files and the image of the old filesystem share their blocks.
expect_unchanged 9 "$image" crypt convert --encrypt -q "${KEY[@]}" "$image" ext2_saved
expect_text "$tmp/err" '^btrfs-crypt convert: / \(id 5\) shares blocks with the subvolumes to be sealed, but was not named$'
cycle "$image" '3 files in 2 subvolumes of this sealing, [0-9]+ blocks' ext2_saved --shared=include
for file in large d/small; do
	crypt cat "$image" / "$file" | cmp - "$tmp/files/$file" || fail "$file is not as it was"
done
btrfs-convert -r "$image" >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "the way back to ext4 is gone"; }
expect_status 0 fsck.ext4 -fn "$image"
debugfs -R "cat /large" "$image" 2>/dev/null | cmp - "$tmp/files/large" || fail "the file in ext4 is not as it was"

say "--- inode_cache leftovers"
image=$tmp/cache.img
image_make "$image" 128M
image_mount "$image" "$tmp/mnt"
btrfs -q subvolume create "$tmp/mnt/sub"
head -c 65536 /dev/urandom >"$tmp/mnt/sub/becomes-the-cache"
head -c 50000 /dev/urandom >"$tmp/mnt/sub/beside"
inode=$(stat -c %i "$tmp/mnt/sub/becomes-the-cache")
cache=$(sha256sum <"$tmp/mnt/sub/becomes-the-cache")
image_umount
"$tmp/edit-ino-cache" "$image" 256 "$inode" || fail "edit-ino-cache"
# Newer kernels refuse to mount an image with such an extent.
STATE=unmounted_state
cycle "$image" '3 files, 29 blocks' sub
[ "$(grep -c 'item .*(FREE_\(INO\|SPACE\) ' "$tmp/before.subvolumes")" = 3 ] || { cat "$tmp/before.subvolumes"; fail "not the three items of a cache"; }
grep -q "^65536 $cache" "$tmp/before.manifest" || fail "the cache has not the extent of the file"
STATE=image_state

say "--- simple quotas"
image=$tmp/squota.img
image_make "$image" 128M
image_mount "$image" "$tmp/mnt"
# What `btrfs quota enable --simple` of newer btrfs-progs does
if python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0xc0109428, struct.pack("<QQ", 4, 0))' "$tmp/mnt" 2>/dev/null; then
	btrfs -q subvolume create "$tmp/mnt/sub"
	head -c 300000 /dev/urandom >"$tmp/mnt/sub/file"
	echo small >"$tmp/mnt/sub/inline"
	image_umount
	quotas() { crypt dump-tree -t quota "$image" | grep -A 4 'QGROUP_INFO' | sed 's/itemoff [0-9]*//'; }
	quotas >"$tmp/quotas.before"
	expect_text "$tmp/quotas.before" 'exclusive 3[0-9]{5} '
	cycle "$image" '2 files, 74 blocks' sub
	quotas | diff "$tmp/quotas.before" - || fail "the quotas are not as before"
else
	image_umount
	say "this kernel has no simple quotas"
fi

say "--- received"
image=$tmp/received.img
image_make "$image" 128M
image_mount "$image" "$tmp/mnt"
btrfs -q subvolume create "$tmp/mnt/source"
mkdir "$tmp/mnt/backup"
head -c 300000 /dev/urandom >"$tmp/mnt/source/file"
echo small >"$tmp/mnt/source/inline"
btrfs -q subvolume snapshot -r "$tmp/mnt/source" "$tmp/mnt/first"
btrfs -q send "$tmp/mnt/first" | btrfs -q receive "$tmp/mnt/backup"
image_umount
cycle "$image" '2 files, 74 blocks' backup/first
grep -qE 'received_uuid [0-9a-f].*path backup/first$' "$tmp/after.subvolumes" || { cat "$tmp/after.subvolumes"; fail "nothing is known to be received"; }
# The next stream still finds what it builds on.
image_mount "$image" "$tmp/mnt"
echo more >>"$tmp/mnt/source/file"
btrfs -q subvolume snapshot -r "$tmp/mnt/source" "$tmp/mnt/second"
btrfs -q send -p "$tmp/mnt/first" "$tmp/mnt/second" | btrfs -q receive "$tmp/mnt/backup"
cmp "$tmp/mnt/source/file" "$tmp/mnt/backup/second/file" || fail "the second stream arrived wrong"
image_umount
