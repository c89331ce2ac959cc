#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Data that should have checksums and have none are an error to the kernel. Here they are read, and reported as doubtful.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt

image_make "$tmp/a.img" 200M -m single -d single
image_mount "$tmp/a.img" "$tmp/mnt"
for name in marked nocow; do
	touch "$tmp/mnt/$name"
	chattr +C "$tmp/mnt/$name"
	head -c 300000 /dev/urandom >"$tmp/mnt/$name"
done
cp "$tmp/mnt/marked" "$tmp/marked"
marked=$(stat -c %i "$tmp/mnt/marked")
image_umount

expect_status 0 crypt cat "$tmp/a.img" / marked
PYTHONPATH=$IMAGE_TESTS python3 -B - "$tmp/a.img" "$marked" <<'END'
import struct
import sys
from volume import HEADER, ITEM, Volume

INODE_ITEM, FLAGS, NODATASUM, NODATACOW = 1, 64, 1, 2
volume = Volume([sys.argv[1]])
for address, block in list(volume.blocks(volume.tree(5))):
    block = bytearray(block)
    for slot in range(struct.unpack_from("<I", block, 96)[0] if block[100] == 0 else 0):
        number, kind, _, at, _ = struct.unpack_from("<QBQII", block, HEADER + ITEM * slot)
        if (number, kind) == (int(sys.argv[2]), INODE_ITEM):
            flags, = struct.unpack_from("<Q", block, HEADER + at + FLAGS)
            struct.pack_into("<Q", block, HEADER + at + FLAGS, flags & ~(NODATASUM | NODATACOW))
            volume.write_block(address, block)
volume.close()
END

image_mount "$tmp/a.img" "$tmp/mnt" ro
cat "$tmp/mnt/marked" >/dev/null 2>&1 && fail "the kernel reads it"
cp "$tmp/mnt/nocow" "$tmp/nocow"
image_umount

expect_unchanged 6 "$tmp/a.img" crypt cat "$tmp/a.img" / marked
cmp "$tmp/out" "$tmp/marked" || fail "other bytes"
expect_text "$tmp/err" 'warning: marked: bytes 0 to 299999 may be wrong: data at [0-9]+ have no checksum in the csum tree, but should have one$'
expect_status 0 crypt cat "$tmp/a.img" / nocow
cmp "$tmp/out" "$tmp/nocow" || fail "other bytes"
expect_status 6 crypt export "$tmp/a.img" / -o "$tmp/out.tar"
expect_text "$tmp/err" 'doubtful: 1 file \(300000 bytes\)$'
