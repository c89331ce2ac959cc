#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Damages an image as rot does, or with matching checksums as somebody without the key can.  crc32c images on one device; finds things by what
btrfs-progs print.

damage.py IMAGE data LOGICAL... [--mirror N] [--csum]   flips a bit of each sector; --csum: and gives it a matching checksum
damage.py IMAGE csum LOGICAL                         flips a bit of the stored checksum of the sector
damage.py IMAGE lose-csums LOGICAL                   flips a bit of the address that the csum item of the sector says, so that it is of none
damage.py IMAGE block TREE NUMBER [--mirror N]       flips a bit of a leaf of a tree, whose checksum does not match any more; prints its address
damage.py IMAGE item TREE KEY OFFSET [--mirror N]    flips a bit of an item's payload; the leaf gets a matching checksum
damage.py IMAGE extents TREE INODE                   prints file offset, address, length on disk of each extent of a file
damage.py IMAGE copies                               DUP: flips bits of one copy of every block of metadata and every sector of data, sometimes of one,
                                                     sometimes of the other
damage.py IMAGE device                               flips bits of every 4 KiB of a device but its superblocks; holes of the file stay holes

Without --mirror, every mirror.  KEY as dump-tree prints it: "257 INODE_ITEM 0".
"""
import argparse
import os
import re
import struct
import subprocess
import sys

SECTOR = 4096
SUPERBLOCKS = (64 << 10, 64 << 20)
INVERTED = bytes(255 - i for i in range(256))
HEADER = 101		# of a leaf: item offsets count from behind it


def make_table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
        table.append(crc)
    return table


TABLE = make_table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def flip(data, at):
    data[at] ^= 0x10


class Image:
    def __init__(self, path, mirror):
        self.path, self.mirror, self.chunks, self.has_data = path, mirror, [], []
        self.nodesize = int(re.search(r"^nodesize\s+(\d+)", self.run("dump-super", path), re.M).group(1))
        start = 0
        for line in self.tree("chunk"):
            found = re.match(r"\titem \d+ key \(FIRST_CHUNK_TREE CHUNK_ITEM (\d+)\)", line)
            if found:
                start = int(found.group(1))
            found = re.match(r"\t\tlength (\d+) owner .* type (\S+)", line)
            if found:
                self.chunks.append((start, int(found.group(1)), []))
                self.has_data.append("DATA" in found.group(2).split("|"))
            found = re.match(r"\t\t\tstripe \d+ devid \d+ offset (\d+)", line)
            if found:
                self.chunks[-1][2].append(int(found.group(1)))
        self.file = open(path, "r+b")

    @staticmethod
    def run(command, *args):
        return subprocess.run(["btrfs", "inspect-internal", command, *args], check=True, stdout=subprocess.PIPE,
                              encoding="utf-8", errors="surrogateescape").stdout

    def tree(self, name):
        return self.run("dump-tree", "-t", name, self.path).split("\n")

    def places(self, logical):
        """Physical address on each mirror that is meant."""
        for start, length, stripes in self.chunks:
            if start <= logical < start + length:
                places = [stripe + logical - start for stripe in stripes]
                return places if self.mirror is None else [places[self.mirror - 1]]
        sys.exit("damage: no chunk has %d" % logical)

    def read(self, logical, length):
        self.file.seek(self.places(logical)[0])
        return bytearray(self.file.read(length))

    def write(self, logical, data):
        for place in self.places(logical):
            self.file.seek(place)
            self.file.write(data)

    def leaves(self, tree):
        """(address, [(key, itemoff, itemsize)]) of each leaf"""
        leaves = []
        for line in self.tree(tree):
            found = re.match(r"leaf (\d+) items", line)
            if found:
                leaves.append((int(found.group(1)), []))
            found = re.match(r"\titem \d+ key \(([^)]*)\) itemoff (\d+) itemsize (\d+)", line)
            if found:
                leaves[-1][1].append((found.group(1), int(found.group(2)), int(found.group(3))))
        return leaves

    def edit_item(self, tree, wanted, edit):
        """edit(bytes of the item, key) for the item for which wanted(key, size)"""
        for logical, items in self.leaves(tree):
            for key, offset, size in items:
                if wanted(key, size):
                    block = self.read(logical, self.nodesize)
                    item = block[HEADER + offset:HEADER + offset + size]
                    edit(item, key)
                    block[HEADER + offset:HEADER + offset + size] = item
                    block[:32] = struct.pack("<I", crc32c(block[32:])).ljust(32, b"\0")
                    return self.write(logical, block)
        sys.exit("damage: no such item in tree %s" % tree)

    def edit_csum(self, logical, edit):
        def covers(key, size):
            words = key.split()
            return words[1] == "EXTENT_CSUM" and int(words[2]) <= logical < int(words[2]) + size // 4 * SECTOR

        def edit_item(item, key):
            at = (logical - int(key.split()[2])) // SECTOR * 4
            item[at:at + 4] = edit(item[at:at + 4])

        self.edit_item("7", covers, edit_item)

    def lose_csums(self, logical):
        for address, items in self.leaves("7"):
            for slot, (key, _, size) in enumerate(items):
                words = key.split()
                if words[1] == "EXTENT_CSUM" and int(words[2]) <= logical < int(words[2]) + size // 4 * SECTOR:
                    block = self.read(address, self.nodesize)
                    block[HEADER + slot * 25 + 9 + 5] ^= 0x10     # 2^44
                    block[:32] = struct.pack("<I", crc32c(block[32:])).ljust(32, b"\0")
                    return self.write(address, block)
        sys.exit("damage: no csum item has %d" % logical)


def extents(image, tree, inode):
    offset = None
    for line in image.tree(tree):
        if line.startswith("\titem "):
            found = re.search(r"key \(%s EXTENT_DATA (\d+)\)" % inode, line)
            offset = found and found.group(1)
        found = re.match(r"\t\t(?:extent|prealloc) data disk byte (\d+) nr (\d+)", line)
        if offset is not None and found:
            print(offset, found.group(1), found.group(2))


def spoil_copies(image):
    for (_, length, stripes), has_data in zip(image.chunks, image.has_data):
        if len(stripes) != 2:
            sys.exit("damage: a chunk has %d stripes" % len(stripes))
        unit = SECTOR if has_data else image.nodesize
        for at in range(0, length, unit):
            place = stripes[(at // unit * 2654435761 >> 13) % 2] + at
            image.file.seek(place + 200)
            bits = image.file.read(8)
            if bits != bytes(8):        # else it is hardly in use
                image.file.seek(place + 200)
                image.file.write(bits.translate(INVERTED))


def spoil_device(path):
    with open(path, "r+b") as file:
        end = os.path.getsize(path)
        at = 0
        while True:
            try:
                start = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                return
            at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            for piece in range(start // SECTOR * SECTOR, min(at, end), 1 << 20):
                data = bytearray(os.pread(file.fileno(), min(1 << 20, at - piece), piece))
                for n in range(0, len(data), SECTOR):
                    if piece + n not in SUPERBLOCKS:
                        data[n + 200:n + 208] = data[n + 200:n + 208].translate(INVERTED)
                os.pwrite(file.fileno(), data, piece)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("image")
    parser.add_argument("command", choices=("data", "csum", "lose-csums", "block", "item", "extents", "copies", "device"))
    parser.add_argument("words", nargs="*")
    parser.add_argument("--mirror", type=int)
    parser.add_argument("--csum", action="store_true")
    args = parser.parse_args()
    if args.command == "device":
        return spoil_device(args.image)
    image, words = Image(args.image, args.mirror), args.words
    if args.command == "data":
        for logical in map(int, words):
            data = image.read(logical, SECTOR)
            flip(data, 1234)
            image.write(logical, data)
            if args.csum:
                image.edit_csum(logical, lambda _, data=data: struct.pack("<I", crc32c(data)))
    elif args.command == "csum":
        image.edit_csum(int(words[0]), lambda csum: bytes([csum[0] ^ 1]) + csum[1:])
    elif args.command == "lose-csums":
        image.lose_csums(int(words[0]))
    elif args.command == "block":
        logical = image.leaves(words[0])[int(words[1])][0]
        block = image.read(logical, image.nodesize)
        flip(block, image.nodesize // 2)
        image.write(logical, block)
        print(logical)
    elif args.command == "item":
        image.edit_item(words[0], lambda key, _: key == words[1], lambda item, _: flip(item, int(words[2])))
    elif args.command == "copies":
        spoil_copies(image)
    else:
        extents(image, *words)


if __name__ == "__main__":
    main()
