#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Gives a kernel-made filesystem a raid stripe tree, which no kernel here writes, and moves all data to where only its items say.

stripe-tree-edit.py [--head] [--break WHAT] DEVICE...    prints "logical length devid physical" of each item, of its last copy, and of a broken one "broken LOGICAL"

Every copy of each piece of data goes to another place of its device extent; where it was is noise.  --head: items as kernels before 6.13 have them.
WHAT, for one item in the middle: missing, devid (none that the chunk is on), end (behind the end of the device), length (0), overlap (half of the
item before it is of it too), short (half a stripe), bytes (on the first copy, other data)
"""
import argparse
import os
import random
import struct
import sys

sys.dont_write_bytecode = True		# nothing is left in the source tree
from volume import (DATA, DUP, EXTENT_ITEM, METADATA, METADATA_ITEM, RAID0, RAID1, RAID10, RAID1C3, RAID1C4, RAID_STRIPE, ROOT_ITEM,
                    STRIPE_LEN, SUPER_AT, Volume)

TREE = 12
INCOMPAT = 1 << 14
IN_TREE = DUP | RAID0 | RAID1 | RAID1C3 | RAID1C4 | RAID10
ENCODING = {DUP: 1, RAID0: 2, RAID1: 3, RAID1C3: 4, RAID1C4: 5, RAID10: 8}


def pieces(volume):
    """(chunk, logical, length) of all data, cut as writes are: at the edges of stripes, and elsewhere."""
    cut = random.Random(1)
    for key, item, _ in volume.items(volume.tree(2)):
        if key[1] != EXTENT_ITEM or not struct.unpack_from("<Q", item, 16)[0] & 1:
            continue
        logical, end = key[0], key[0] + key[2]
        chunk = volume.chunk_of(logical)
        if chunk.type & (DATA | METADATA) != DATA or not chunk.type & IN_TREE:
            continue
        while logical < end:
            length = min(end - logical, cut.choice((4096, 12288, 65536, 65536, 1 << 20)))
            if chunk.type & (RAID0 | RAID10):
                length = min(length, STRIPE_LEN - (logical - chunk.logical) % STRIPE_LEN)
            yield chunk, logical, length
            logical += length


def new_place(chunk, logical, length, copy):
    """(devid, physical): from the end of the device extent backwards, and not the same on two copies."""
    stripe, offset, _ = chunk.place(logical, copy)
    devid, physical = chunk.stripes[stripe]
    place = physical + chunk.stripe_length() - (copy + 1) * (1 << 20) - offset - length
    assert place > physical + offset + length and not any(place < at + 4096 and at < place + length for at in SUPER_AT)
    return devid, place


def move(volume, chunk, logical, length):
    """Moves the copies; their new places."""
    places = []
    for copy in range(chunk.n_copies()):
        data, = [(devid, at, volume.read_at(devid, at, n)) for devid, at, n in volume.parts(logical, length, copy)]
        volume.write_at(data[0], data[1], os.urandom(length))
        places.append(new_place(chunk, logical, length, copy))
        volume.write_at(*places[-1], data[2])
    return places


def spoil(volume, items, n, what):
    (logical, kind, length), item = items[n]
    if what == "missing":
        del items[n]
    elif what == "devid":
        items[n] = (logical, kind, length), item[:-16] + struct.pack("<Q", 77) + item[-8:]
    elif what == "end":
        items[n] = (logical, kind, length), item[:-8] + struct.pack("<Q", 1 << 40)
    elif what == "length":
        items[n] = (logical, kind, 0), item
    elif what == "overlap":
        before, payload = items[n - 1]
        items[n - 1] = (before[0], kind, logical - before[0] + length // 2 // 4096 * 4096 + 4096), payload
    elif what == "short":
        items[n] = (logical, kind, length), item[:-8]
    elif what == "bytes":
        first = volume.chunk_of(logical)
        first = first.stripes[first.place(logical, 0)[0]][0]
        devid, physical = next(pair for pair in struct.iter_unpack("<QQ", item) if pair[0] == first)
        volume.write_at(devid, physical, os.urandom(length))
        print("bad devid %d physical %d" % (devid, physical))
    print("broken %d" % logical)


def free_blocks(volume):
    """Addresses of tree blocks that nobody has."""
    used = {key[0] for key, _, _ in volume.items(volume.tree(2)) if key[1] in (METADATA_ITEM, EXTENT_ITEM)}
    for chunk in volume.chunks.values():
        if chunk.type & METADATA:
            start, end = (chunk.logical + (1 << 20), chunk.logical + min(chunk.length, 1 << 25))
            for logical in range((start + STRIPE_LEN - 1) // STRIPE_LEN * STRIPE_LEN, end, STRIPE_LEN):
                if not any(at in used for at in range(logical, logical + STRIPE_LEN, 4096)):
                    yield logical


def write_tree(volume, items):
    """The new tree; its (root, level)."""
    like = volume.read(volume.tree(2), volume.node_size)
    free, leaves, at = free_blocks(volume), [], 0
    room = 30       # of some hundred: several leaves
    while at < len(items):
        logical = next(free)
        volume.write_block(logical, volume.leaf(like, logical, TREE, items[at:at + room]))
        leaves.append((items[at][0], logical))
        at += room
    if len(leaves) == 1:
        return leaves[0][1], 0
    logical = next(free)
    volume.write_block(logical, volume.node(like, logical, TREE, 1, leaves))
    return logical, 1


def write_root(volume, root, level):
    like, = [item for key, item, _ in volume.items(volume.root) if key[:2] == (7, ROOT_ITEM)]
    item = bytearray(like)
    struct.pack_into("<Q", item, 160, volume.generation)
    struct.pack_into("<Q", item, 176, root)
    struct.pack_into("<B", item, 238, level)
    struct.pack_into("<Q", item, 239, volume.generation)
    new = ((TREE, ROOT_ITEM, 0), bytes(item))
    address = [address for key, _, address in volume.items(volume.root) if key < new[0]][-1]
    block = volume.read(address, volume.node_size)
    items = sorted([(key, item) for key, item, where in volume.items(volume.root) if where == address] + [new])
    made = bytearray(volume.leaf(block, address, 1, items))
    made[80:88] = block[80:88]
    volume.write_block(address, made)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--head", action="store_true")
    parser.add_argument("--break", dest="what")
    parser.add_argument("device", nargs="+")
    args = parser.parse_args()
    volume = Volume(args.device)
    items = []
    for chunk, logical, length in list(pieces(volume)):
        places = move(volume, chunk, logical, length)
        print(logical, length, *places[-1])
        # The order of the list is nobody's, but of copies on one device.
        item = b"".join(struct.pack("<QQ", *place) for place in (places if chunk.type & DUP or logical & 4096 else places[::-1]))
        if args.head:
            item = struct.pack("<Q", ENCODING[chunk.type & IN_TREE]) + item
        items.append(((logical, RAID_STRIPE, length), item))
    if args.what:
        spoil(volume, items, len(items) // 2, args.what)
    write_root(volume, *write_tree(volume, items))

    def edit(block):
        struct.pack_into("<Q", block, 0xbc, struct.unpack_from("<Q", block, 0xbc)[0] | INCOMPAT)

    volume.edit_supers(edit)
    volume.close()


main()
