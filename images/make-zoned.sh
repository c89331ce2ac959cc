#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes good-zoned.img.zst: a small image of a zoned device, with a raid stripe tree.  Needs root and loop mounts.
# images/make-zoned.sh [OUTPUT-DIRECTORY]
. "$(dirname "$0")/../tests/image/lib.sh"
need_root
out=$(cd "${1:-$(dirname "$0")}" && pwd)
image=$tmp/plain.img

image_make "$image" 180M -m single -d dup -n 8192 -L good-zoned -U 5a0ed1e5-7a9e-4d0c-8f3b-0d1570c0de12
image_mount "$image" "$tmp/mnt" rw,noatime
seq 6000 >"$tmp/mnt/numbers"
seq 3000 | tr 0-9 a-j >"$tmp/mnt/letters"
sync -f "$tmp/mnt"
seq 700 | dd of="$tmp/mnt/numbers" bs=4096 seek=2 conv=notrunc status=none
echo small >"$tmp/mnt/inline"
mkdir "$tmp/mnt/directory"
cp --reflink=always "$tmp/mnt/letters" "$tmp/mnt/directory/clone"
btrfs property set "$tmp/mnt/directory" compression zstd
yes "a line of which there are many" | head -c 900000 >"$tmp/mnt/directory/packed" || true
image_umount
image_mount "$image" "$tmp/mnt" ro
sums=$(cd "$tmp/mnt" && sha256sum numbers letters inline directory/clone directory/packed)
kernel=$(uname -r | sed 's/[^0-9.].*//')
image_umount
"$IMAGE_TESTS/stripe-tree-edit.py" --head "$image" >/dev/null
place=$("$IMAGE_TESTS/zoned-edit.py" "$image" "$tmp/zoned.img" second)

zstd -q -f -19 "$tmp/zoned.img" -o "$out/good-zoned.img.zst"
cat >"$out/good-zoned.txt" <<END
good-zoned.img.zst: a zoned device whose data are where a raid stripe tree says.

made by   images/make-zoned.sh: mkfs.btrfs $(mkfs.btrfs --version | sed 's/.* //'), filled through a mount by Linux $kernel, edited by tests/image/stripe-tree-edit.py and zoned-edit.py
layout    188 MiB in zones of 4 MiB, data DUP, metadata single, nodes of 8 KiB, crc32c
sha256    $(sha256sum <"$tmp/zoned.img" | cut -d ' ' -f 1)  (uncompressed)
compress  zstd -19, $(stat -c %s "$out/good-zoned.img.zst") bytes

What it shows: the log of superblocks in the first two zones, of which the first is full; the one that counts is at $place, and the trees of all others
are gone.  Items of the raid stripe tree as Linux 6.7 to 6.12 have them, with 8 bytes before the places.  Where the profile alone puts the data is noise.

What the kernel read before the image was edited:
$sums
END
say "$(stat -c '%n: %s bytes' "$out/good-zoned.img.zst")"
