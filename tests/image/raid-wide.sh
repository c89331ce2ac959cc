#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Forty devices, more than most arrays have: all of them, or nearly, in one chunk.  All files as the kernel wrote them, from all devices and, where there
# is a second copy, with a device missing; without a copy, an error that names the device.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
need_root
need_crypt

N=40

# one STRIPES MKFS-OPTION...: leaves the devices in $tmp/w.*, and what the kernel read in $tmp/record
one() {
	local n_stripes=$1
	shift
	devices_make w "$N" 128M "$@"
	devices_mount w "$tmp/mnt"
	# More than a row of every device; an extent that begins inside one.
	head -c 9000000 /dev/urandom >"$tmp/mnt/large"
	seq 300000 >"$tmp/mnt/text"
	head -c 70001 /dev/urandom | dd of="$tmp/mnt/large" bs=70001 seek=50 conv=notrunc status=none
	for i in $(seq 300); do : >"$tmp/mnt/a name that takes some room in a leaf of the tree $i"; done
	sync -f "$tmp/mnt"
	devices_umount
	devices_mount w "$tmp/mnt" ro
	btrfs inspect-internal dump-tree -t chunk "$(findmnt -no SOURCE "$tmp/mnt")" >"$tmp/theirs"
	record "$tmp/mnt" "$tmp/record.all"
	grep -v ' a name ' "$tmp/record.all" >"$tmp/record"
	devices_umount
	written "$tmp"/w.[0-9]* >"$tmp/images"
	devices_except w
	crypt dump-tree -t chunk "${others[@]}" "$image" >"$tmp/chunks" 2>/dev/null
	tail -n +2 "$tmp/theirs" | diff - "$tmp/chunks" >"$tmp/diff" || { head -5 "$tmp/diff"; fail "other chunks than btrfs-progs"; }
	expect_text "$tmp/chunks" "num_stripes $n_stripes "
	expect_text "$tmp/chunks" "stripe $((n_stripes - 1)) devid "
	expect_files "$tmp/record"
	[ ! -s "$tmp/err" ] || { cat "$tmp/err"; fail "warnings"; }
}

unchanged() { written "$tmp"/w.[0-9]* | cmp -s - "$tmp/images" || fail "reading changed an image"; }

one 40 -d raid10 -m raid10
for gone in 1 17 40; do
	devices_except w "$gone"
	expect_files "$tmp/record"
	expect_text "$tmp/err" "devid $gone \(uuid [0-9a-f-]{36}\) is missing"
done
# One of every pair.
# shellcheck disable=SC2046
devices_except w $(seq 1 7 $N)
crypt df "${others[@]}" "$image" >"$tmp/out" 2>"$tmp/err" || true
expect_text "$tmp/err" 'devid 36 .* is missing'
unchanged

# Four are full of metadata.
one 36 -d raid0 -m raid1c4
devices_except w 23
expect_status 6 crypt cat "${others[@]}" "$image" / large
expect_text "$tmp/err" 'devid 23 is missing'
unchanged
