# SPDX-License-Identifier: GPL-2.0-or-later
# Small images for power cuts, with a little of every kind of content.  Source it after tests/image/lib.sh.
# shellcheck shell=bash disable=SC2154

CONTENT_SEED=4711
OTHER_CONTENT_SEED=815
# The subvolumes that are sealed: target brings its snapshot (shared extents and leaves) and what is nested in it.
CRASH_SET=(target)

# crash_fill DIRECTORY; CRASH_SNAPSHOTS: so many snapshots at the end, which share whole trees; CRASH_FILES: so many empty files more, so that the
# index takes several items and records
crash_fill() {
	tool fill
	(
		cd "$1"
		btrfs -q subvolume create target
		btrfs -q subvolume create other
		"$tmp/fill" target $CONTENT_SEED inline symlinks sizes:20000 nocow reflinks extents:24 compressed:131073
		mkdir target/many
		seq -f 'target/many/%g' "${CRASH_FILES:-1}" | xargs touch
		sync -f .
		btrfs -q subvolume snapshot -r target target-snap
		"$tmp/fill" target $((CONTENT_SEED + 1)) prealloc:262144 xattrs links special flags directories
		rm -r target/compressed/lzo
		dd if=target/sizes/8192 of=target/nocow/plain bs=4096 seek=30 conv=notrunc status=none
		btrfs -q subvolume create target/nested
		"$tmp/fill" target/nested $((CONTENT_SEED + 2)) sizes:5000 symlinks
		"$tmp/fill" other $OTHER_CONTENT_SEED inline symlinks sizes:70000 extents:8
		btrfs -q subvolume snapshot other other-snap
		"$tmp/fill" other-snap $((OTHER_CONTENT_SEED + 1)) bulk:100000
		for ((i = 0; i < ${CRASH_SNAPSHOTS:-0}; i++)); do
			sync -f .
			btrfs -q subvolume snapshot target later-$i
			touch target/many/after-$i
		done
	)
}

# crash_image FILE SIZE [MKFS-OPTION...]
crash_image() {
	local file=$1
	image_make "$@"
	image_mount "$file" "$tmp/mnt" "rw,noatime${MOUNT_OPTIONS:+,$MOUNT_OPTIONS}"
	crash_fill "$tmp/mnt"
	image_umount
	check_clean "$file"
}

# crash_devices NAME N SIZE [MKFS-OPTION...]: several devices, after sourcing tests/image/devices-lib.sh
crash_devices() {
	devices_make "$@"
	devices_mount "$1" "$tmp/mnt" rw,noatime
	crash_fill "$tmp/mnt"
	devices_umount
	devices_check "$1"
}
