#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One tree in filesystems of several devices: every profile, with all devices and without those that it can do without; and a filesystem that grew from a
# seed.  Each file has the kernel's bytes, and everything else that the kernel shows of it.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
. "$IMAGE_TESTS/anchors-lib.sh"
need_root
need_crypt
tool fill

# one PROFILE N MISSING...: complete, and without the devices MISSING together
one() {
	local profile=$1 n=$2
	shift 2
	anchors_make one "$n" 200M compress=no -d "$profile" -m "$profile"
	devices_except one
	row "$profile complete" $FILES one.want 0
	[ $# -gt 0 ] || return 0
	devices_except one "$@"
	row "$profile without devices $*" $FILES one.want 0
}

one raid0 2
one raid1 2 1
one raid10 4 2
one raid1c3 3 1 3
one raid1c4 4 1 2 4
one raid5 3 2
one raid6 4 1 3

# A seed, and what grew from it.
anchors_make seed 1 200M compress=no
btrfstune -S 1 "$tmp/seed.1" 2>/dev/null
truncate -s 200M "$tmp/new"
loop=$(losetup --find --show "$tmp/new")
mounts+=("$tmp/no-mount $loop")
devices_mount seed "$tmp/mnt" ro
btrfs -q device add -f "$loop" "$tmp/mnt" >/dev/null
mount -o remount,rw,noatime "$tmp/mnt"
head -c 100000 /dev/urandom >"$tmp/mnt/sizes/512"
sync -f "$tmp/mnt"
devices_umount
image_umount
mv "$tmp/new" "$tmp/seed.2"
anchors_record seed seed.want
devices_except seed
row "seed and sprout" $FILES seed.want 0
say "$rows images"
