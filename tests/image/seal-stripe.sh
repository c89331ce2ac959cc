#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The 64 KiB around the superblock copies at 64 MiB and 256 GiB, which the extent tree calls free, are never
# allocated, journaled on or wiped: images with little else free, and noise in the rest of these stripes that
# must still be there afterwards.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt
new_keys
KEY=(--volume-key-file "$tmp/vk")
image=$tmp/disk.img
tool fill

# one_place COPY FREE-CLASS...: superblock copy 1 or 2; where data may be put, and metadata too if there is no other place
one_place() {
	local at=$((64 << (20 + 12 * ($1 - 1)))) copy=$1 noise
	shift
	# who takes the stripe for free space sees there the largest free range of all
	layout ranges "$image" "$@" stripe super | sort -n | awk -v at="$at" '
		$1 != end { start = $1 } { end = $1 + $2 } start <= at && at < end { here = end - start } end - start > most { most = end - start }
		END { printf "%d KiB around the stripe, most elsewhere or here %d KiB\n", here / 1024, most / 1024; exit here < most }' >"$tmp/out" ||
		fail "no test: $(cat "$tmp/out")"
	say "$(cat "$tmp/out")"
	dd if=/dev/urandom of="$image" bs=4096 seek=$((at / 4096 + 1)) count=15 conv=notrunc status=none
	intact() { btrfs inspect-internal dump-super -s "$copy" "$image" >"$tmp/super" && expect_text "$tmp/super" '^csum.*match\]'; }
	stripe() { dd if="$image" bs=4096 skip=$((at / 4096 + 1)) count=15 status=none | sha256sum; }
	noise=$(stripe)
	check_clean "$image"
	expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$image" target
	check_clean "$image"
	[ "$(stripe)" = "$noise" ] || fail "sealing wrote to the stripe of superblock $copy"
	intact
	find_no_plain "$image" $SEED
	expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" target
	expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" target
	check_clean "$image"
	[ "$(stripe)" = "$noise" ] || fail "decrypting wrote to the stripe of superblock $copy"
	intact
	image_state "$image" after
	expect_same_state before after
}

# free_around START END: removes the files of "ballast" that lie there, after some elsewhere: in their place the
# kernel can write what this changes
free_around() {
	local tree inode ballast
	layout inodes "$image" $((16 << 20)) $((18 << 20)) >"$tmp/inodes.first"
	layout inodes "$image" "$1" "$2" >"$tmp/inodes"
	image_mount "$image" "$tmp/mnt" rw
	ballast=$(btrfs inspect-internal rootid "$tmp/mnt/ballast")
	while read -r tree inode; do
		[ "$inode" = 0 ] && sync -f "$tmp/mnt"
		[ "$tree" = "$ballast" ] || continue
		find "$tmp/mnt/ballast" -xdev -inum "$inode" -delete
	done < <(cat "$tmp/inodes.first"; echo 0 0; cat "$tmp/inodes")
	image_umount
	check_clean "$image"
	image_state "$image" before
}

say "64 MiB, mixed block groups: nothing is free but what begins with the stripe"
image_make "$image" 130M --mixed
image_mount "$image" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/target"
btrfs -q subvolume create "$tmp/mnt/ballast"
"$tmp/fill" "$tmp/mnt/target" $SEED bulk:12000000 inline
sync -f "$tmp/mnt"
for size in 512K 16K 4K; do
	n=0
	while { head -c "$size" /dev/urandom >"$tmp/mnt/ballast/$size-$n"; } 2>/dev/null; do n=$((n + 1)); done
	rm -f "$tmp/mnt/ballast/$size-$n"
	sync -f "$tmp/mnt"
done
image_umount
free_around $((64 << 20)) $((78 << 20))
one_place 1 meta-free

say "256 GiB, a sparse image"
image_make "$image" 258G -m single
image_mount "$image" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/target"
btrfs -q subvolume create "$tmp/mnt/ballast"
"$tmp/fill" "$tmp/mnt/target" $SEED bulk:12000000 inline
sync -f "$tmp/mnt"
n=0
while fallocate -l 512M "$tmp/mnt/ballast/$n" 2>/dev/null; do n=$((n + 1)); done
rm -f "$tmp/mnt/ballast/$n"
sync -f "$tmp/mnt"
image_umount
say "filled"
free_around $(((256 << 30) - (300 << 20))) $(((256 << 30) + (300 << 20)))
one_place 2 data-free
