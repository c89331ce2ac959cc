#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sectors of 8 to 64 KiB, which this machine's kernel may not mount: what mkfs.btrfs --rootdir wrote is read, a bad sector is named with all of its bytes.
. "$(dirname "$0")/lib.sh"
need_crypt
command -v mkfs.btrfs >/dev/null && command -v python3 >/dev/null || skip "needs btrfs-progs and python3"

mkdir -p "$tmp/from/dir"
for size in 0 1 2000 3900 4095 4096 4097 8000 8192 9000 15000 16300 16385 20000 65000 65537 300000; do
	head -c $size /dev/urandom >"$tmp/from/$size"
done
seq 30000 >"$tmp/from/dir/text"
for i in $(seq 300); do echo "$i" >"$tmp/from/dir/one of many small files $i"; done
truncate -s 400000 "$tmp/from/sparse"
echo end >>"$tmp/from/sparse"
ln -s dir/text "$tmp/from/link"
ln -s "$(printf 'x%.0s' {1..3500})" "$tmp/from/long-link"
(cd "$tmp/from" && find . -type f -not -name 'one of*' -printf '%P\0' | sort -z | xargs -0 sha256sum) >"$tmp/record"
head -c 32 /dev/urandom >"$tmp/vk"
. "$IMAGE_TESTS/devices-lib.sh"

largest=0
for how in "8k -n 16k" "16k -n 16k --csum xxhash" "32k -n 64k --csum sha256" "64k -n 64k --csum blake2" "64k -n 64k --mixed"; do
	image=$tmp/s.img others=()
	# shellcheck disable=SC2086
	image_make "$image" 260M -s $how --rootdir "$tmp/from"
	expect_files "$tmp/record"
	[ ! -s "$tmp/err" ] || { cat "$tmp/err"; fail "warnings of sectors of $how"; }
	expect_status 0 crypt ls -l "$image" /
	for link in link long-link; do
		expect_text "$tmp/out" " $link -> $(readlink "$tmp/from/$link")\$"
	done
	expect_status 0 crypt ls "$image" / dir
	[ "$(wc -l <"$tmp/out")" = 301 ] || fail "301 names expected"
	crypt dump-tree -t 5 "$image" >"$tmp/tree"
	inline=$(sed -n 's/.*inline extent data size \([0-9]*\) .*/\1/p' "$tmp/tree" | sort -n | tail -1)
	[ "$largest" -ge "$inline" ] || largest=$inline
	expect_unchanged 9 "$image" crypt convert --encrypt -q --volume-key-file "$tmp/vk" "$image" /
	expect_text "$tmp/err" 'the sector size is [0-9]+, only 4096 can be converted'

	# One byte in the second sector of the largest file.
	size=$((${how%%k*} * 1024))
	python3 - "$image" "$tmp/from/300000" "$size" <<'END'
import sys
image, wanted, size = sys.argv[1], open(sys.argv[2], "rb").read(), int(sys.argv[3])
with open(image, "r+b") as file:
    at = 0
    while True:
        file.seek(at)
        part = file.read(4096)
        if not part: sys.exit("not found")
        if part == wanted[size:size + 4096]: break
        at += 4096
    file.seek(at + 5)
    file.write(bytes([part[5] ^ 1]))
END
	expect_status 6 crypt cat "$image" / 300000
	expect_text "$tmp/err" "bytes $size to $((2 * size - 1)) are lost: data at [0-9]+: "
	cmp -s -n $size "$tmp/out" "$tmp/from/300000" || [ ! -s "$tmp/out" ] || fail "wrong bytes came out"
	say "sectors of $how"
done
[ "$largest" -gt 4096 ] || fail "no inline extent was larger than 4096 bytes"
