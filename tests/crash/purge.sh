#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Power cuts while a sealing without subvolumes is removed, and forged states of that: 60 states for each image, or CRASH_STATES of them.
. "$(dirname "$0")/../image/lib.sh"
. "$(dirname "$0")/images.sh"
need_root
need_crypt

purge=${BUILD:-$PROJECT/build}/tests/crash/purge
[ -x "$purge" ] || fail "$purge does not exist: run make tools"
head -c 32 /dev/urandom >"$tmp/vk"

# purge_image FILE [MKFS-OPTION...]: target and what shares with it sealed, and deleted by the kernel; other sealed as well
purge_image() {
	local one
	crash_image "$@"
	"$BTRFS_CRYPT" convert --encrypt -q --shared=include --recursive --volume-key-file "$tmp/vk" "$1" target >"$tmp/out"
	"$BTRFS_CRYPT" convert --encrypt -q --shared=include --volume-key-file "$tmp/vk" "$1" other >"$tmp/out"
	image_mount "$1" "$tmp/mnt" rw,noatime
	for one in target target/nested target-snap; do btrfs property set -f -ts "$tmp/mnt/$one" ro false; done
	for one in target/nested target target-snap; do
		btrfs -q subvolume delete "$tmp/mnt/$one"
	done
	deleted_are_gone "$tmp/mnt"
	image_umount
}

CRASH_FILES=400 purge_image "$tmp/dup.img" 114M -m dup -d single -n 4096
"$purge" --states "${CRASH_STATES:-60}" --seed "${CRASH_RANDOM:-1}" "$tmp/dup.img" || fail "what came of a power cut was wrong"
