#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A sparse image on a full filesystem: the hint says where room is needed, and how to continue the conversion.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
head -c 32 /dev/urandom >"$tmp/vk"
image_make "$tmp/plain.img" 300M -d single -m dup
image_mount "$tmp/plain.img" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/target"
python3 -c 'import sys
sys.stdout.buffer.write(b"".join(b"%015d\n" % i for i in range(3 << 20)))' >"$tmp/mnt/target/big"
cp "$tmp/mnt/target/big" "$tmp/big"
image_umount
mkdir "$tmp/host"
mount -t tmpfs -o size=400M tmpfs "$tmp/host"
mounts+=("$tmp/host -")
image=$tmp/host/disk.img
used=$(du -k "$tmp/plain.img" | cut -f 1)
unfinished=0
for room in 0 64 512 768 1024; do
	rm -f "$image"
	mount -o remount,size=400M "$tmp/host"
	cp --sparse=always "$tmp/plain.img" "$image"
	mount -o remount,size=$(($(du -k "$image" | cut -f 1) + room))K "$tmp/host"
	say "$room KiB of room"
	expect_status 11 crypt convert --encrypt -q --volume-key-file "$tmp/vk" "$image" target
	expect_text "$tmp/err" 'No space left on device'
	if "$BTRFS_CRYPT" convert --status "$image" >"$tmp/status"; then
		expect_text "$tmp/err" 'hint: make room on the filesystem that holds the image$'
		crypt cat "$image" target big | cmp - "$tmp/big"
		continue
	fi
	unfinished=$((unfinished + 1))
	say "it stopped halfway"
	expect_text "$tmp/err" 'hint: make room on the filesystem that holds the image, then: the conversion is unfinished: .btrfs-crypt convert --resume .*. tries to go on'
	mount -o remount,size=400M "$tmp/host"
	expect_status 0 crypt convert --resume -q --volume-key-file "$tmp/vk" "$image"
	crypt cat --volume-key-file "$tmp/vk" "$image" target big | cmp - "$tmp/big"
done
[ $unfinished -gt 0 ] || fail "it never stopped halfway"
