#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Damage on devices of a RAID: the next copy, or what parity says, is taken sector by sector, and the bad copy is named; what is bad everywhere is an
# error with file and bytes.  Which device is which, and which devices are refused.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
need_root
need_crypt

fill_devices() {
	devices_mount "$1" "$tmp/mnt" rw,compress=no
	head -c 4000000 /dev/urandom >"$tmp/mnt/large"
	for i in $(seq 300); do echo "$i" >"$tmp/mnt/some name of a file $i"; done
	sync -f "$tmp/mnt"
	cp "$tmp/mnt/large" "$tmp/large"
	inode=$(stat -c %i "$tmp/mnt/large")
	# Where the kernel says that it is: logical addresses of btrfs.
	logical=$(filefrag -v -b4096 "$tmp/mnt/large" | awk '$1 == "0:" { sub("[.][.]", "", $4); print $4 * 4096 }')
	devices_umount
	record_of_names "$1"
	for file in "$tmp/$1".[0-9]*; do cp --sparse=always "$file" "$tmp/good.${file##*.}"; done
}
record_of_names() { devices_except "$1"; crypt dump-tree -t 5 "${others[@]}" "$image" >"$tmp/tree"; }
heal() {
	local file
	for file in "$tmp"/good.[0-9]*; do cp --sparse=always "$file" "$tmp/r.${file##*.}"; done
}

# spoil I FROM LEN: random bytes on device I
spoil() { head -c "$3" /dev/urandom | dd of="$tmp/r.$1" bs=4096 seek=$(($2 / 4096)) conv=notrunc status=none; }

expect_large() {
	expect_status 0 crypt cat "${others[@]}" "$image" / large
	cmp "$tmp/out" "$tmp/large" || fail "other bytes"
}
expect_tree() {
	crypt dump-tree -t 5 "${others[@]}" "$image" 2>"$tmp/err" | cmp - "$tmp/tree" || { cat "$tmp/err"; fail "other trees"; }
}

# one N LOST MKFS-OPTION...: LOST devices may be bad at the same place
one() {
	local n=$1 lost=$2
	shift 2
	rm -f "$tmp"/good.*
	devices_make r "$n" 160M "$@"
	fill_devices r
	devices_except r
	# All that the first device has beside its superblocks.  Of DUP and of what has one copy, nothing would be left.
	spoil 1 $((1 << 20)) $((63 << 20))
	spoil 1 $((65 << 20)) $((95 << 20))
	expect_large
	expect_text "$tmp/err" 'warning: data at [0-9]+( to [0-9]+)?: mirror 1 does not match its checksum, mirror [0-9]+ does \(devid 1, physical [0-9]+\)'
	expect_tree
	[ "$lost" -ge 2 ] || { heal; return 0; }
	say "$*: a second one, bad as well, then missing"
	spoil 2 $((1 << 20)) $((63 << 20))
	spoil 2 $((65 << 20)) $((95 << 20))
	expect_large
	expect_tree
	devices_except r 2
	expect_large
	expect_text "$tmp/err" 'devid 2 \(uuid .*\) is missing'
	expect_tree
	devices_except r
	spoil 3 $((1 << 20)) $((63 << 20))
	spoil 3 $((65 << 20)) $((95 << 20))
	expect_status 6 crypt cat "${others[@]}" "$image" / large
	heal
}

say "every block of devices bad"
one 2 1 -d raid1 -m raid1
one 4 2 -d raid6 -m raid6
one 3 1 -d raid5 -m raid5

say "one sector bad where it is, and in the parity; another device's too"
# Of RAID5 with three devices, sector 5 of the file: the device where it is, and the other two.
n=0
for i in 1 2 3; do
	devices_except r
	# Its bytes are on one device only: look for them.
	dd if="$tmp/large" bs=4096 skip=5 count=1 status=none of="$tmp/sector"
	found=$(python3 -c '
import sys
wanted, hay = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read()
print(hay.find(wanted))' "$tmp/sector" "$tmp/r.$i")
	[ "$found" -ge 0 ] || continue
	n=$((n + 1))
	spoil "$i" "$found" 4096
	expect_large
	expect_text "$tmp/err" "warning: data at $((logical + 5 * 4096)): mirror 1 does not match its checksum, mirror 2 does \(devid $i, physical $found\)"
	[ "$(grep -c warning "$tmp/err")" = 1 ] || fail "one sector is bad, not $(cat "$tmp/err")"
	for j in 1 2 3; do [ "$j" = "$i" ] || spoil "$j" $((1 << 20)) $((63 << 20)); done
	for j in 1 2 3; do [ "$j" = "$i" ] || spoil "$j" $((65 << 20)) $((95 << 20)); done
	expect_status 6 crypt cat "${others[@]}" "$image" / large
	heal
done
[ "$n" = 1 ] || fail "the sector is on $n devices"

say "copies without checksums"
devices_make n 2 160M -d raid1 -m raid1
devices_mount n "$tmp/mnt"
touch "$tmp/mnt/nocow"
chattr +C "$tmp/mnt/nocow"
head -c 300000 /dev/urandom >"$tmp/mnt/nocow"
sync -f "$tmp/mnt"
cp "$tmp/mnt/nocow" "$tmp/nocow"
devices_umount
devices_except n
expect_status 0 crypt cat --quiet "${others[@]}" "$image" / nocow
[ ! -s "$tmp/err" ] || { cat "$tmp/err"; fail "equal copies"; }
python3 - "$tmp/n.2" "$tmp/nocow" <<'END'
import sys
image, wanted = open(sys.argv[1], "r+b"), open(sys.argv[2], "rb").read()
at = image.read().find(wanted[:4096])
for sector in (3, 5):
    image.seek(at + sector * 4096 + 9)
    image.write(bytes([wanted[sector * 4096 + 9] ^ 1]))
END
expect_status 6 crypt export "${others[@]}" "$image" / -o "$tmp/doubtful.tar"
expect_text "$tmp/err" 'warning: nocow: bytes 12288 to 24575 may be wrong: data at [0-9]+ have no checksum, and mirrors 1 and 2 differ'
expect_text "$tmp/err" 'doubtful: 1 file \(12288 bytes\)$'
expect_status 6 crypt cat "${others[@]}" "$image" / nocow
expect_text "$tmp/err" "warning: nocow: bytes 12288 to 24575 may be wrong: data at [0-9]+ have no checksum, and mirrors 1 and 2 differ \(devid [12], .*; devid [12], .*\)"
devices_except n 2
expect_status 0 crypt cat "${others[@]}" "$image" / nocow
cmp "$tmp/out" "$tmp/nocow" || fail "other bytes"
expect_text "$tmp/err" 'devid 2 .* is missing'
! grep -q differ "$tmp/err" || fail "there is nothing to compare with"

say "which devices belong together"
devices_except r
expect_status 9 crypt list "${others[@]}" --device "$tmp/r.2" "$image"
expect_text "$tmp/err" 'r\.2: is devid 2 of the filesystem, and so is .*r\.2'
devices_make other 2 160M -d raid1 -m raid1
expect_status 9 crypt list --device "$tmp/other.1" "$image"
expect_text "$tmp/err" 'other\.1: belongs to the filesystem [0-9a-f-]{36}, but .*r\.1 to [0-9a-f-]{36}'
expect_status 4 crypt list --device "$tmp/large" "$image"
expect_status 4 crypt list --device "$tmp/none" "$image"
expect_status 0 crypt dump-super "${others[@]}" "$image"
[ "$(grep -c '^superblock: bytenr=65536' "$tmp/out")" = 3 ] || fail "dump-super of three devices"

say "one that was missing when the others were written to"
devices_make s 2 160M -d raid1 -m raid1
devices_mount s "$tmp/mnt"
head -c 300000 /dev/urandom >"$tmp/mnt/old"
touch "$tmp/mnt/nocow"
chattr +C "$tmp/mnt/nocow"
head -c 300000 /dev/urandom >"$tmp/mnt/nocow"
sync -f "$tmp/mnt"
devices_umount
mv "$tmp/s.2" "$tmp/away"
devices_mount s "$tmp/mnt" rw,degraded
head -c 300000 /dev/urandom >"$tmp/mnt/new"
head -c 70000 /dev/urandom | dd of="$tmp/mnt/nocow" bs=10000 seek=3 conv=notrunc iflag=fullblock status=none
sync -f "$tmp/mnt"
record "$tmp/mnt" "$tmp/record"
sync -f "$tmp/mnt"
devices_umount
mv "$tmp/away" "$tmp/s.2"
for first in 1 2; do
	image=$tmp/s.$first others=(--device "$tmp/s.$((3 - first))")
	expect_files "$tmp/record"
	expect_status 0 crypt cat "${others[@]}" "$image" / nocow
	expect_text "$tmp/err" 'inode [0-9]+ bytes 28672 to 102399: .* the device of the other was missing when the filesystem was last written to'
	expect_text "$tmp/err" 's\.2: its generation is [0-9]+, that of .*s\.1 is [0-9]+: it was missing'
done

say "not converted"
head -c 32 /dev/urandom >"$tmp/vk"
for file in r.1 s.1; do
	for dry in "" --dry-run; do
		# shellcheck disable=SC2086
		expect_unchanged 9 "$tmp/$file" crypt convert --encrypt -q $dry --volume-key-file "$tmp/vk" "$tmp/$file" /
		expect_text "$tmp/err" 'the filesystem has [23] devices, 1 given, and all of them are written to'
	done
done
