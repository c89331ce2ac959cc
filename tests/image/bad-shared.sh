#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A damaged extent that several files share. The message names the first few files, and says how many more there are.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
image=$tmp/disk.img
head -c 32 /dev/urandom >"$tmp/vk"
KEY=(--volume-key-file "$tmp/vk")
damage() { python3 "$IMAGE_TESTS/damage.py" "$image" "$@"; }

image_make "$image" 200M -m dup -d single
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs -q subvolume create "$tmp/mnt/home"
for name in alone two many; do head -c 20000 /dev/urandom >"$tmp/mnt/home/$name"; done
sync -f "$tmp/mnt"
cp "$tmp/mnt/home"/{alone,two,many} "$tmp"
cp --reflink=always "$tmp/mnt/home/two" "$tmp/mnt/home/twin"
for i in 1 2 3 4 5; do cp --reflink=always "$tmp/mnt/home/many" "$tmp/mnt/home/many-$i"; done
sync -f "$tmp/mnt"
id=$(btrfs inspect-internal rootid "$tmp/mnt/home")
declare -A at=()
for name in alone two many; do at[$name]=$(stat -c %i "$tmp/mnt/home/$name"); done
image_umount
for name in alone two many; do read -r _ "at[$name]" _ < <(damage extents "$id" "${at[$name]}"); done
cp --sparse=always "$image" "$tmp/plain.img"
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$image" home
cp --sparse=always "$image" "$tmp/sealed.img"

# names FILE SUFFIX: verify, unsealing and skipping say so
names() {
	local said="home/$1: bytes 4096 to 8191 "
	cp --sparse=always "$tmp/sealed.img" "$image"
	damage data "$((at[$1] + 4096))"
	expect_unchanged 6 "$image" crypt verify "${KEY[@]}" "$image" home
	expect_text "$tmp/out" "^${said}fail authentication \(data at [0-9]+\)$2\$"
	expect_unchanged 6 "$image" crypt convert --decrypt -q "${KEY[@]}" "$image" home
	expect_text "$tmp/err" "convert: ${said}fail authentication on every mirror$2\$"
	expect_status 6 crypt convert --decrypt --skip-damaged -q "${KEY[@]}" "$image" home
	expect_text "$tmp/err" "${said}are damaged: left as they were found$2\$"
	expect_status 6 crypt cat -q --tolerant "$image" home "$1"
	cmp -l "$tmp/out" "$tmp/$1" >"$tmp/differs" || true
	awk '$1 <= 4096 || $1 > 8192 { exit 1 }' "$tmp/differs" || fail "$1: other bytes are wrong"
	[ "$(wc -l <"$tmp/differs")" -gt 4000 ] && [ "$(stat -c %s "$tmp/out")" = 20000 ] || fail "$1: not the bytes that were left"
	# and what stops a sealing
	cp --sparse=always "$tmp/plain.img" "$image"
	damage data "$((at[$1] + 4096))"
	expect_status 6 crypt convert --encrypt -q "${KEY[@]}" "$image" home
	expect_text "$tmp/err" "subvolume $id: $1: no copy of the data at 0x[0-9a-f]+ matches its checksum$2\$"
}
names alone ""
names two "; the same data are in home/twin"
names many "; the same data are in home/many-1, home/many-2, home/many-3 and 2 more files"
