#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes a number in every superblock copy of an image, with a valid checksum (crc32c images only).

super-edit.py IMAGE FIELD set|clear BITS   FIELD: flags, compat, compat_ro, incompat, cache_generation
"""
import struct
import sys

FIELDS = {"flags": 0x38, "compat": 0xac, "compat_ro": 0xb4, "incompat": 0xbc, "cache_generation": 0x22b}


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def main():
    image, field, what, bits = sys.argv[1:5]
    with open(image, "r+b") as file:
        for at in (64 << 10, 64 << 20, 256 << 30):
            file.seek(at)
            block = bytearray(file.read(4096))
            if len(block) < 4096 or block[0x40:0x48] != b"_BHRfS_M":
                continue
            value, = struct.unpack_from("<Q", block, FIELDS[field])
            value = value | int(bits, 0) if what == "set" else value & ~int(bits, 0)
            struct.pack_into("<Q", block, FIELDS[field], value)
            block[:32] = struct.pack("<I", crc32c(block[32:])).ljust(32, b"\0")
            file.seek(at)
            file.write(block)


main()
