#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A sealed filesystem that an ordinary kernel then spread over several devices: read with its key and verified, with devices missing and bad.  What is not
# there is no failure as long as something else is; what is bad everywhere is named.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
need_root
need_crypt
new_keys
KEY=(--volume-key-file "$tmp/vk")

image_make "$tmp/plain.img" 200M
image_mount "$tmp/plain.img" "$tmp/mnt" rw,compress=no
btrfs -q subvolume create "$tmp/mnt/vol"
head -c 3000000 /dev/urandom >"$tmp/mnt/vol/large"
head -c 9000 /dev/urandom >"$tmp/mnt/vol/small"
echo inline >"$tmp/mnt/vol/inline"
btrfs property set "$tmp/mnt/vol" compression zstd
seq 100000 >"$tmp/mnt/vol/packed"
(cd "$tmp/mnt/vol" && sha256sum -- *) >"$tmp/record"
image_umount
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$tmp/plain.img" vol

# spread N PROFILE: r.1 to r.N
spread() {
	local n=$1 profile=$2 i loops=()
	rm -f "$tmp"/r.*
	cp --sparse=always "$tmp/plain.img" "$tmp/r.1"
	for ((i = 2; i <= n; i++)); do
		truncate -s 200M "$tmp/r.$i"
		loops+=("$(losetup --find --show "$tmp/r.$i")")
		mounts+=("$tmp/no-mount ${loops[-1]}")
	done
	image_mount "$tmp/r.1" "$tmp/mnt" rw
	btrfs -q device add -f "${loops[@]}" "$tmp/mnt" >/dev/null
	btrfs -q balance start -f "-dconvert=$profile" "-mconvert=$profile" "$tmp/mnt" >/dev/null
	for ((i = 1; i <= n; i++)); do image_umount; done
}

expect_files_of_vol() {
	local sum path
	while read -r sum path; do
		expect_status 0 crypt cat --quiet "${KEY[@]}" "${others[@]}" "$image" vol "$path"
		[ "$(sha256sum <"$tmp/out")" = "$sum  -" ] || fail "$path of $image ${others[*]}: other bytes"
	done <"$tmp/record"
}
verify() { expect_status "$1" crypt verify "${KEY[@]}" "${others[@]}" "$image" vol; }

for how in "2 raid1" "3 raid5" "4 raid6"; do
	n=${how% *} profile=${how#* }
	spread "$n" "$profile"
	devices_except r
	expect_files_of_vol
	[ ! -s "$tmp/err" ] || { cat "$tmp/err"; fail "warnings"; }
	verify 0
	sets=("1" "2")
	[ "$profile" != raid6 ] || sets=("1 2" "2 4" "3")
	for missing in "${sets[@]}"; do
		# shellcheck disable=SC2086
		devices_except r $missing
		expect_files_of_vol
		expect_text "$tmp/err" 'devid [0-9]+ \(uuid .*\) is missing'
		verify 0
	done

	# One copy bad: read from the other, found by verify, and named.
	devices_except r
	head -c 8M /dev/urandom | dd of="$tmp/r.2" bs=1M seek=1 conv=notrunc status=none
	dd if=/dev/urandom of="$tmp/r.2" bs=1M seek=65 count=134 conv=notrunc status=none
	dd if=/dev/urandom of="$tmp/r.2" bs=1M seek=9 count=54 conv=notrunc status=none
	expect_files_of_vol
	expect_status 0 crypt cat "${KEY[@]}" "${others[@]}" "$image" vol large
	expect_text "$tmp/err" 'warning: data at [0-9]+: mirror 1 fails authentication, mirror [0-9]+ is right and is used \(devid 2, physical [0-9]+\)'
	verify 6
	cat "$tmp/out" "$tmp/err" >"$tmp/said"
	expect_text "$tmp/said" "vol/large: bytes [0-9]+ to [0-9]+ fail authentication on mirror "
	# And that device missing instead: nothing bad is left.
	devices_except r 2
	expect_files_of_vol
	verify 0
	# The other one missing: it is gone.
	devices_except r 1
	[ "$profile" = raid6 ] || expect_status 6 crypt cat "${KEY[@]}" "${others[@]}" "$image" vol large
	say "$profile"
done
expect_status 9 crypt convert --decrypt -q "${KEY[@]}" "$tmp/r.1" vol
