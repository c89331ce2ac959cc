#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A sparse image on a full filesystem: nothing begins unless there is room for all that is written into its holes, also where files were only
# preallocated. With exactly that room, a conversion comes to its end. A host that becomes full nevertheless leaves what can be gone on with.
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
fallocate -l 20M "$tmp/mnt/target/preallocated"
image_umount
mkdir "$tmp/host"
mount -t tmpfs -o size=400M tmpfs "$tmp/host"
mounts+=("$tmp/host -")
image=$tmp/host/disk.img
KEY=(-q --volume-key-file "$tmp/vk")

# host ROOM: the image, plain, and so many KiB more
host() {
	rm -f "$image"
	mount -o remount,size=400M "$tmp/host"
	cp --sparse=always "$tmp/plain.img" "$image"
	mount -o remount,size=$(($(du -k "$image" | cut -f 1) + $1))K "$tmp/host"
}
# too_full ROOM WORD...: refused, and nothing changes
too_full() {
	local room=$1
	shift
	expect_unchanged 10 "$image" crypt convert "${KEY[@]}" "$@"
	expect_text "$tmp/err" "disk.img: [0-9]+ bytes are written where the file has holes, its filesystem has room for $((room << 10))\$"
	expect_text "$tmp/err" 'hint: make room on the filesystem that holds the image; nothing was changed$'
	needed=$(grep -oE '[0-9]+ bytes are written' "$tmp/err" | cut -d ' ' -f 1)
	expect_status 0 crypt convert --status "$image"
}
for room in 0 64 1024; do
	say "$room KiB of room"
	host $room
	too_full $room --encrypt --dry-run "$image" target
	too_full $room --encrypt "$image" target
done
[ "$needed" -gt $((20 << 20)) ] || fail "the preallocated file does not count: $needed"
[ "$needed" -lt $((120 << 20)) ] || fail "more than the journal and the preallocated file: $needed"

say "one page too little, and just enough: $needed bytes"
kib=$(((needed + 4095) / 4096 * 4))
host $((kib - 4))
too_full $((kib - 4)) --encrypt "$image" target
host $kib
expect_status 0 crypt convert --encrypt --dry-run --wipe-free "${KEY[@]}" "$image" target
if grep -q 'free data space' "$tmp/out"; then fail "what is wiped is not left"; fi
expect_status 0 crypt convert --encrypt --dry-run "${KEY[@]}" "$image" target
planned=$(sed -nE 's/^free data space: .*\(([0-9]+) bytes\), which may keep old plain text; .*/\1/p' "$tmp/out")
expect_status 0 crypt convert --encrypt "${KEY[@]}" "$image" target
[ "$planned" = "$(sed -nE 's/^free data space not wiped: .*\(([0-9]+) bytes\).*/\1/p' "$tmp/out")" ] || { cat "$tmp/out"; fail "the plan says $planned"; }
check_clean "$image"
crypt cat --volume-key-file "$tmp/vk" "$image" target big | cmp - "$tmp/big"
used=$(du -k "$image" | cut -f 1)
[ "$used" -lt $((110 << 10)) ] || fail "the room for the journal was not given back: $used KiB"
mount -o remount,size=${used}K "$tmp/host"
too_full 0 --decrypt --dry-run "$image" target
too_full 0 --decrypt "$image" target
mount -o remount,size=400M "$tmp/host"
expect_status 0 crypt convert --decrypt "${KEY[@]}" "$image" target
crypt cat "$image" target big | cmp - "$tmp/big"
