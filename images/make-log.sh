#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes good-log.img.zst: a small image that was not unmounted, with a log tree.  Needs root and loop mounts.
# images/make-log.sh [OUTPUT-DIRECTORY]
. "$(dirname "$0")/../tests/image/lib.sh"
need_root
out=$(cd "${1:-$(dirname "$0")}" && pwd)
image=$tmp/good-log.img

image_make "$image" 68M --mixed -n 4096 -L good-log -U 3b9c6a52-66d4-4c7e-9c4b-2f1d1010c0de
image_mount "$image" "$tmp/mnt" rw,noatime,compress=zstd
btrfs -q subvolume create "$tmp/mnt/sub"
mkdir -p "$tmp/mnt/sub/directory/below"
for n in $(seq 1 30); do echo "file $n" >"$tmp/mnt/sub/directory/file$n"; done
yes "a line of which there are many" | head -c 90000 >"$tmp/mnt/sub/long" || true
setfattr -n user.removed -v old "$tmp/mnt/sub/long"
ln "$tmp/mnt/sub/long" "$tmp/mnt/sub/directory/hard"
btrfs -q subvolume create "$tmp/mnt/sub/nested"
echo "in the nested subvolume" >"$tmp/mnt/sub/nested/file"
sync
btrfs -q subvolume snapshot -r "$tmp/mnt/sub" "$tmp/mnt/snapshot"
image_umount

image_mount "$image" "$tmp/mnt" rw,noatime,commit=300
cd "$tmp/mnt/sub" || exit
fsynced() { python3 -c 'import os, sys; os.fsync(os.open(sys.argv[1], os.O_RDONLY))' "$1"; }
echo "written after the last commit" >new
fsynced new
head -c 20000 /dev/zero | tr '\0' 'z' | dd of=long bs=4096 seek=3 conv=notrunc status=none
setfattr -n user.added -v new long
setfattr -x user.removed long
fsynced long
mv directory/file1 directory/renamed
ln directory/file2 directory/second-name
rm directory/file3
fsynced directory/renamed
fsynced directory/file2
fsynced directory
cd "$tmp" || exit
cp --sparse=always "$image" "$tmp/live.img"
kernel=$(uname -r | sed 's/[^0-9.].*//')
image_umount

zstd -q -f -19 "$tmp/live.img" -o "$out/good-log.img.zst"
cat >"$out/good-log.txt" <<END
good-log.img.zst: as it was when the power failed.

made by   images/make-log.sh: mkfs.btrfs $(mkfs.btrfs --version | sed 's/.* //'), filled through a mount by Linux $kernel, copied while it was mounted
layout    68 MiB, mixed block groups, nodes of 4 KiB, crc32c
sha256    $(sha256sum <"$tmp/live.img" | cut -d ' ' -f 1)  (uncompressed)
compress  zstd -19, $(stat -c %s "$out/good-log.img.zst") bytes

What it shows: a log tree of the subvolume "sub", in which "new" was made and fsynced after the last commit, "long" overwritten, its xattr user.removed
replaced by user.added, "directory/file1" renamed to "renamed", "directory/file2" given the second name "second-name", "directory/file3" removed.
"snapshot" is of the time before.
END
say "$(stat -c '%n: %s bytes' "$out/good-log.img.zst")"
