#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Searching an image with BENCH_MIB (default 1024) MiB of sealed data and as many of other data for plain text: MiB of the image a second of processor time,
# and the most memory it takes.
. "$(dirname "$0")/../image/lib.sh"
need_root
need_crypt

mib=${BENCH_MIB:-1024} rounds=${BENCH_ROUNDS:-3}
head -c 32 /dev/urandom > "$tmp/key"
stream() { openssl enc -aes-128-ctr -K "00112233445566778899aabbccddeef$1" -iv 00 -in /dev/zero 2> /dev/null | head -c "$((mib << 20))" || :; }

image_make "$tmp/image" $((mib * 9 / 4 + 512))M
image_mount "$tmp/image" "$tmp/mount"
btrfs -q subvolume create "$tmp/mount/data"
stream 0 > "$tmp/mount/data/file"
stream 1 > "$tmp/mount/other"
image_umount
"$BTRFS_CRYPT" convert --encrypt -q --volume-key-file "$tmp/key" "$tmp/image" data > "$tmp/log"
for _ in $(seq "$rounds"); do
	python3 - "$BTRFS_CRYPT" audit --volume-key-file "$tmp/key" "$tmp/image" data << 'END' || fail "audit"
import os, resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
mib = os.stat(sys.argv[-2]).st_blocks / 2048
seconds = used.ru_utime + used.ru_stime
print("audit %7.0f MiB  %6.2f s of processor time  %7.1f MiB/s  %5d MiB of memory" % (mib, seconds, mib / seconds, used.ru_maxrss // 1024))
sys.exit(status)
END
done
