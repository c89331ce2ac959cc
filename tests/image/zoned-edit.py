#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the image of a zoned device of a kernel-made filesystem on one device, whose zones have the size of its system chunk.

zoned-edit.py IMAGE OUT STATE    prints the physical address of the superblock that counts

Two zones come first, and all else behind them: chunks, device extents and the raid stripe tree say so.  STATE is that of the log of superblocks in the two zones:
  new        a few in the first one
  second     the first one is full, the second one in use
  wrapped    the second one is full, the first one in use again
  full       both are full, the second one is newer
  emptied    the first one is empty, as before its first write after a turn
  capacity   as second, but only half of each zone can be written
  one        a zone that can be overwritten: one superblock, at its beginning
  torn       as new, and the last one is damaged
  stale      as new, and where other devices have copies there are some, of other trees
All superblocks but the newest are older and have addresses of trees that are not there.
"""
import os
import struct
import subprocess
import sys

sys.dont_write_bytecode = True		# nothing is left in the source tree
from volume import CHUNK_ITEM, HEADER, ITEM, RAID_STRIPE, SUPER_AT, Volume, with_csum

SIZE = 4096
DEV_ITEM, DEV_EXTENT, DEV_TREE = 216, 204, 4
STRIPE_TREE, STRIPE_TREE_BIT = 12, 1 << 14
ZONED, SYSTEM = 1 << 12, 2


def move_stripes(block, at, shift):
    """Of a chunk item."""
    for i in range(struct.unpack_from("<H", block, at + 44)[0]):
        physical, = struct.unpack_from("<Q", block, at + 48 + 32 * i + 8)
        struct.pack_into("<Q", block, at + 48 + 32 * i + 8, physical + shift)


def move_leaf(block, shift):
    for slot in range(struct.unpack_from("<I", block, 96)[0]):
        head = HEADER + ITEM * slot
        _, kind, offset, at, size = struct.unpack_from("<QBQII", block, head)
        if kind == CHUNK_ITEM:
            move_stripes(block, HEADER + at, shift)
        elif kind == DEV_ITEM:
            struct.pack_into("<Q", block, HEADER + at + 8, struct.unpack_from("<Q", block, HEADER + at + 8)[0] + shift)
        elif kind == DEV_EXTENT:
            struct.pack_into("<Q", block, head + 9, offset + shift)
        elif kind == RAID_STRIPE:
            for place in range(HEADER + at + size % 16 + 8, HEADER + at + size, 16):
                struct.pack_into("<Q", block, place, struct.unpack_from("<Q", block, place)[0] + shift)


def move_node(block, shift):
    """Of the device tree, whose keys are addresses."""
    for slot in range(struct.unpack_from("<I", block, 96)[0]):
        kind, offset = struct.unpack_from("<BQ", block, HEADER + 33 * slot + 8)
        if kind == DEV_EXTENT:
            struct.pack_into("<Q", block, HEADER + 33 * slot + 9, offset + shift)


def move_all(volume, shift):
    roots = [volume.chunk_root, volume.tree(DEV_TREE)]
    if struct.unpack_from("<Q", volume.super, 0xbc)[0] & STRIPE_TREE_BIT:
        roots.append(volume.tree(STRIPE_TREE))
    for root in roots:
        for address, block in list(volume.blocks(root)):
            block = bytearray(block)
            if block[100] == 0:
                move_leaf(block, shift)
            elif root == roots[1]:
                move_node(block, shift)
            volume.write_block(address, block)


def new_super(volume, shift):
    block = bytearray(volume.super)
    for at, more in ((0x70, shift), (0xd1, shift)):     # total_bytes, and that of the device
        struct.pack_into("<Q", block, at, struct.unpack_from("<Q", block, at)[0] + more)
    struct.pack_into("<Q", block, 0xbc, struct.unpack_from("<Q", block, 0xbc)[0] | ZONED)
    end = 0x32b + struct.unpack_from("<I", block, 0xa0)[0]
    at = 0x32b
    while at < end:
        move_stripes(block, at + 17, shift)
        at += 17 + 48 + 32 * struct.unpack_from("<H", block, at + 17 + 44)[0]
    return block


def older(block, generations, bytenr=None, csum=True):
    """One of that many commits ago (several of the first one, as fsync writes them), whose trees are gone."""
    block = bytearray(block)
    generation, root = struct.unpack_from("<2Q", block, 0x48)
    struct.pack_into("<2Q", block, 0x48, max(generation - generations, 1), root + (1 << 40))
    if bytenr:
        struct.pack_into("<Q", block, 0x30, bytenr)
    return with_csum(block) if csum else bytes(block)


def log(state, block, per_zone):
    """What is in each of the two zones, in the order of writing; the newest is `block`."""
    newest, few = with_csum(block), 37
    past = lambda first, n: [older(block, first + n - i) for i in range(n)]
    if state == "one":
        return [newest], []
    if state == "new" or state == "stale":
        return past(0, few) + [newest], []
    if state == "torn":
        return past(0, few) + [newest, older(block, -1, csum=False)], []
    if state == "second" or state == "capacity":
        return past(few, per_zone), past(0, few) + [newest]
    if state == "wrapped":
        return past(0, few) + [newest], past(few, per_zone)
    if state == "full":
        return past(per_zone, per_zone), past(0, per_zone - 1) + [newest]
    assert state == "emptied"
    return [], past(0, per_zone - 1) + [newest]


def main():
    source, target, state = sys.argv[1:4]
    size = os.path.getsize(source)
    subprocess.run(["cp", "--sparse=always", source, target], check=True)
    volume = Volume([target])
    zone = next(chunk.stripe_length() for chunk in volume.chunks.values() if chunk.type & SYSTEM)
    shift = 2 * zone
    block = new_super(volume, shift)
    move_all(volume, shift)
    volume.close()
    # The bytes move last: in place, from the end.
    with open(target, "r+b") as file:
        file.truncate(size + shift)
        for at in range(size - (1 << 20), -1, -(1 << 20)):
            file.seek(at)
            data = bytearray(file.read(1 << 20))
            for copy in SUPER_AT:
                if at <= copy < at + (1 << 20):
                    data[copy - at:copy - at + SIZE] = bytes(SIZE)
            file.seek(at + shift)
            before = file.read(1 << 20)
            if before != data:
                file.seek(at + shift)
                file.write(data)
        file.seek(0)
        file.write(bytes(shift))
        zones = log(state, block, zone // SIZE // (2 if state == "capacity" else 1))
        for i, supers in enumerate(zones):
            file.seek(i * zone)
            file.write(b"".join(supers))
            if with_csum(block) in supers:
                print(i * zone + supers.index(with_csum(block)) * SIZE)
        if state == "stale":
            for copy in SUPER_AT[1:2]:
                file.seek(copy)
                assert not any(file.read(SIZE))
                file.seek(copy)
                file.write(older(block, -5, bytenr=copy))


main()
