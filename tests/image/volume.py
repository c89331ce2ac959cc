# SPDX-License-Identifier: GPL-2.0-or-later
"""For editors of images that no kernel here can make: superblocks, chunks and tree blocks of a filesystem of one or more devices (crc32c only)."""
import struct

from damage import crc32c

SUPER_AT = (64 << 10, 64 << 20, 256 << 30)
HEADER, ITEM, POINTER = 101, 25, 33
STRIPE_LEN = 65536
DATA, SYSTEM, METADATA, RAID0, RAID1, DUP, RAID10 = (1 << bit for bit in (0, 1, 2, 3, 4, 5, 6))
RAID1C3, RAID1C4 = 1 << 9, 1 << 10
CHUNK_ITEM, ROOT_ITEM, EXTENT_ITEM, METADATA_ITEM, RAID_STRIPE = 228, 132, 168, 169, 230


def with_csum(block):
    return struct.pack("<I", crc32c(block[32:])).ljust(32, b"\0") + bytes(block[32:])


class Chunk:
    def __init__(self, logical, item):
        self.logical = logical
        self.length, _, self.stripe_len, self.type = struct.unpack_from("<4Q", item)
        n, self.sub_stripes = struct.unpack_from("<2H", item, 44)
        self.stripes = [struct.unpack_from("<2Q", item, 48 + 32 * i) for i in range(n)]     # devid, physical

    def n_copies(self):
        if self.type & RAID10:
            return 2
        return 1 if self.type & RAID0 else len(self.stripes)

    def stripe_length(self):
        n = len(self.stripes) // (2 if self.type & RAID10 else 1) if self.type & (RAID0 | RAID10) else 1
        return self.length // n

    def place(self, logical, copy):
        """(stripe, offset in it, bytes up to the end of it)"""
        offset = logical - self.logical
        if not self.type & (RAID0 | RAID10):
            return copy, offset, self.length - offset
        n = len(self.stripes) // (2 if self.type & RAID10 else 1)
        row, stripe = divmod(offset // STRIPE_LEN, n)
        within = offset % STRIPE_LEN
        return stripe * (2 if self.type & RAID10 else 1) + copy, row * STRIPE_LEN + within, STRIPE_LEN - within


class Volume:
    def __init__(self, paths):
        self.files, self.chunks = {}, {}
        for path in paths:
            file = open(path, "r+b")
            file.seek(SUPER_AT[0])
            self.super = file.read(4096)
            assert self.super[0x40:0x48] == b"_BHRfS_M"
            self.files[struct.unpack_from("<Q", self.super, 0xc9)[0]] = file
        self.fsid = self.super[0x20:0x30]
        self.generation, self.root, self.chunk_root = struct.unpack_from("<3Q", self.super, 0x48)
        self.node_size, = struct.unpack_from("<I", self.super, 0x94)
        size, = struct.unpack_from("<I", self.super, 0xa0)
        at = 0x32b
        while at < 0x32b + size:
            logical, = struct.unpack_from("<Q", self.super, at + 9)
            chunk = self.chunks[logical] = Chunk(logical, self.super[at + 17:])
            at += 17 + 48 + 32 * len(chunk.stripes)
        for key, item, _ in self.items(self.chunk_root):
            if key[1] == CHUNK_ITEM:
                self.chunks[key[2]] = Chunk(key[2], item)

    def chunk_of(self, logical):
        return next(chunk for chunk in self.chunks.values() if 0 <= logical - chunk.logical < chunk.length)

    def parts(self, logical, length, copy):
        """(devid, physical, length) in order."""
        chunk = self.chunk_of(logical)
        while length:
            stripe, offset, left = chunk.place(logical, copy)
            devid, physical = chunk.stripes[stripe]
            left = min(left, length)
            yield devid, physical + offset, left
            logical, length = logical + left, length - left

    def read_at(self, devid, physical, length):
        self.files[devid].seek(physical)
        return self.files[devid].read(length)

    def write_at(self, devid, physical, data):
        self.files[devid].seek(physical)
        self.files[devid].write(data)

    def read(self, logical, length):
        return b"".join(self.read_at(*part) for part in self.parts(logical, length, 0))

    def write_block(self, logical, block):
        block = with_csum(block)
        for copy in range(self.chunk_of(logical).n_copies()):
            at = 0
            for devid, physical, length in self.parts(logical, len(block), copy):
                self.write_at(devid, physical, block[at:at + length])
                at += length

    def blocks(self, logical):
        """(address, bytes) of every node of a tree."""
        block = self.read(logical, self.node_size)
        yield logical, block
        n, level = struct.unpack_from("<IB", block, 96)
        for slot in range(n) if level else ():
            yield from self.blocks(struct.unpack_from("<Q", block, HEADER + POINTER * slot + 17)[0])

    def items(self, logical):
        """((objectid, type, offset), payload, address of the leaf) of a tree."""
        for address, block in self.blocks(logical):
            if block[100] == 0:
                for key, item in leaf_items(block):
                    yield key, item, address

    def tree(self, number):
        return [struct.unpack_from("<Q", item, 176)[0] for key, item, _ in self.items(self.root) if key[:2] == (number, ROOT_ITEM)][-1]

    def header(self, like, logical, owner, n_items, level):
        """Of a new node, like one that there is."""
        return like[:48] + struct.pack("<Q", logical) + like[56:80] + struct.pack("<QQIB", self.generation, owner, n_items, level)

    def leaf(self, like, logical, owner, items):
        heads, data = b"", b""
        for key, item in items:
            data = item + data
            heads += struct.pack("<QBQII", *key, self.node_size - HEADER - len(data), len(item))
        gap = self.node_size - HEADER - len(heads) - len(data)
        assert gap >= 0, "the leaf is full"
        return self.header(like, logical, owner, len(items), 0) + heads + bytes(gap) + data

    def node(self, like, logical, owner, level, children):
        pointers = b"".join(struct.pack("<QBQQQ", *key, address, self.generation) for key, address in children)
        return (self.header(like, logical, owner, len(children), level) + pointers).ljust(self.node_size, b"\0")

    def edit_supers(self, edit):
        for file in self.files.values():
            for at in SUPER_AT:
                file.seek(at)
                block = bytearray(file.read(4096))
                if block[0x40:0x48] == b"_BHRfS_M":
                    edit(block)
                    file.seek(at)
                    file.write(with_csum(block))

    def close(self):
        for file in self.files.values():
            file.close()


def leaf_items(block):
    for slot in range(struct.unpack_from("<I", block, 96)[0]):
        *key, at, size = struct.unpack_from("<QBQII", block, HEADER + ITEM * slot)
        yield tuple(key), block[HEADER + at:HEADER + at + size]
