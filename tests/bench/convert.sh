#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Encrypting and decrypting one file of BENCH_MIB (default 1024) MiB in place, beside a plain rewrite of as many bytes and cryptsetup's
# own in-place encryption of a file of that size; in turns, medians and ratios.
. "$(dirname "$0")/../image/lib.sh"
need_root
need_crypt
command -v cryptsetup > /dev/null || skip "cryptsetup is not installed"

mib=${BENCH_MIB:-1024} rounds=${BENCH_ROUNDS:-3}
bytes=$((mib << 20))
head -c 32 /dev/urandom > "$tmp/key"

stream() { openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 00 -in /dev/zero 2> /dev/null | head -c "$bytes" || :; }

image_make "$tmp/image" $((bytes + bytes / 4 + (512 << 20)))
image_mount "$tmp/image" "$tmp/mount"
btrfs subvolume create "$tmp/mount/data" > /dev/null
stream > "$tmp/mount/data/file"
image_umount
stream > "$tmp/plain"
stream > "$tmp/luks"

seconds() {
	local begin=$EPOCHREALTIME
	"$@" > "$tmp/log" 2>&1 || { cat "$tmp/log" >&2; return 1; }
	awk "BEGIN { printf \"%.2f\n\", $EPOCHREALTIME - $begin }"
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

rewrite() { dd if="$tmp/plain" of="$tmp/plain" bs=1M conv=notrunc,fdatasync; }
encrypt() { "$BTRFS_CRYPT" convert --encrypt -q --volume-key-file "$tmp/key" "$tmp/image" data; }
decrypt() { "$BTRFS_CRYPT" convert --decrypt -q --volume-key-file "$tmp/key" "$tmp/image" data; }
luks() {
	rm -f "$tmp/header"
	truncate -s 16M "$tmp/header"
	printf pass | cryptsetup reencrypt --encrypt --header "$tmp/header" --resilience checksum --pbkdf pbkdf2 \
		--pbkdf-force-iterations 1000 --key-file - -q "$tmp/luks"
}

for _ in $(seq "$rounds"); do
	for what in rewrite encrypt luks decrypt; do
		seconds "$what" >> "$tmp/$what.seconds"
	done
done
base=$(median "$tmp/rewrite.seconds") other=$(median "$tmp/luks.seconds")
for what in rewrite luks encrypt decrypt; do
	awk -v w="$what" -v s="$(median "$tmp/$what.seconds")" -v b="$base" -v l="$other" -v m="$mib" 'BEGIN {
		printf "%-8s %7.2f s  %7.1f MiB/s  %5.2f x plain rewrite  %5.2f x cryptsetup reencrypt\n", w, s, m / s, s / b, s / l }'
done
