#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# show prints the quota group, its limits and usage as btrfs subvolume show does, for an image and for a mount.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
image=$tmp/image mnt=$tmp/mnt
image_make "$image" 200M
image_mount "$image" "$mnt"
btrfs -q subvolume create "$mnt/limited"
btrfs -q subvolume create "$mnt/free"
head -c 300000 /dev/urandom >"$mnt/limited/file"
btrfs quota enable "$mnt"
btrfs quota rescan -w "$mnt" >"$tmp/rescan"
btrfs qgroup limit 5G "$mnt/limited"
btrfs qgroup limit -e 1500000 "$mnt/limited"
sync
for subvolume in limited free; do
	# Where nothing was sent btrfs-progs 6.2 print the time of creation once more.
	btrfs subvolume show "$mnt/$subvolume" | grep -v 'Send time' >"$tmp/want.$subvolume"
	expect_status 0 crypt show "$mnt" "$subvolume"
	grep -v 'Send time' "$tmp/out" | diff "$tmp/want.$subvolume" - || fail "show of the mounted $subvolume"
done
expect_text "$tmp/want.limited" 'Limit exclusive:.*1\.43MiB$'
image_umount
for subvolume in limited free; do
	expect_unchanged 0 "$image" crypt show "$image" "$subvolume"
	grep -v 'Send time' "$tmp/out" | diff "$tmp/want.$subvolume" - || fail "show of $subvolume in the image"
done
expect_status 0 crypt show --format json "$image" limited
expect_text "$tmp/out" '"quota_group":"0/256","limit_referenced":"5368709120","limit_exclusive":"1500000","usage_referenced":"[0-9]+","usage_exclusive":"[0-9]+"}'
