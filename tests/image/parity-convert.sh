#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A subvolume on RAID5 and RAID6 is sealed and unsealed, beside files that stay as they are, with sectors of both that only parity has: they are all there
# afterwards, a scrub finds nothing that it cannot repair, and any device, or two with RAID6, may be missing.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
need_root
need_crypt
tool rewrite
head -c 32 /dev/urandom >"$tmp/vk"
KEY=(--volume-key-file "$tmp/vk")

# repairs: a scrub finds nothing worse than what it repairs, and then nothing
repairs() {
	local round
	for round in 1 2; do
		devices_mount r "$tmp/mnt"
		btrfs scrub start -B "$tmp/mnt" >"$tmp/scrub" 2>&1 || true
		btrfs scrub status -R "$tmp/mnt" >"$tmp/status"
		devices_umount
		expect_text "$tmp/status" "uncorrectable_errors: 0"
	done
	! grep -E '_errors: [1-9]' "$tmp/status" || { cat "$tmp/status"; fail "$how: scrub"; }
}

files() {
	devices_mount r "$tmp/mnt" ro
	record "$tmp/mnt/$1" "$2"
	devices_umount
}

for how in "3 raid5 raid1 --wipe-free" "4 raid6 raid6"; do
	read -r n data metadata options <<<"$how"
	devices_make r "$n" 150M -d "$data" -m "$metadata"
	devices_mount r "$tmp/mnt" rw,compress=no
	btrfs -q subvolume create "$tmp/mnt/vol"
	btrfs -q subvolume create "$tmp/mnt/other"
	for i in {1..40}; do
		head -c $((i * 9000)) /dev/urandom >"$tmp/mnt/vol/$i"
		head -c $((i * 5000)) /dev/urandom >"$tmp/mnt/other/$i"
	done
	record "$tmp/mnt/vol" "$tmp/vol"
	record "$tmp/mnt/other" "$tmp/other"
	devices_umount

	# Never two in a row of the chunk.
	expect_status 0 "$tmp/rewrite" -41 "$tmp"/r.*
	devices_except r
	# shellcheck disable=SC2086
	expect_status 0 crypt convert --encrypt -q "${KEY[@]}" $options "${others[@]}" "$image" vol
	expect_status 0 crypt verify "${KEY[@]}" "${others[@]}" "$image" vol
	files other "$tmp/now"
	cmp "$tmp/now" "$tmp/other" || fail "$how: other files, sealed"
	repairs
	for ((i = 1; i <= n; i++)); do
		set -- "$i"
		[ "$data" != raid6 ] || set -- "$i" $((i % n + 1))
		devices_except r "$@"
		expect_status 0 crypt verify "${KEY[@]}" "${others[@]}" "$image" vol
	done

	expect_status 0 "$tmp/rewrite" -41 "$tmp"/r.*
	devices_except r
	expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "${others[@]}" "$image" vol
	files . "$tmp/now"
	sed 's,  ,  vol/,' "$tmp/vol" >"$tmp/wanted"
	sed 's,  ,  other/,' "$tmp/other" >>"$tmp/wanted"
	sort "$tmp/now" >"$tmp/is"
	sort "$tmp/wanted" | cmp - "$tmp/is" || fail "$how: files, unsealed"
	repairs
	devices_check r
	say "$how"
done
