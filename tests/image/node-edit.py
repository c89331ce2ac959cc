#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes a number of a tree block on its mirrors (crc32c images on one device), with a matching checksum: what no kernel writes.

node-edit.py IMAGE LOGICAL FIELD VALUE [--bad-csum]
FIELD: generation, owner, nritems, level, fsid, offset:SLOT, size:SLOT (of an item), child:SLOT, child-generation:SLOT
"""
import argparse
import struct
import sys

sys.dont_write_bytecode = True		# nothing is left in the source tree
from damage import HEADER, Image, crc32c

FIELDS = {"fsid": (32, "<Q"), "generation": (80, "<Q"), "owner": (88, "<Q"), "nritems": (96, "<I"), "level": (100, "B"),
          "offset": (17, "<I"), "size": (21, "<I"), "child": (17, "<Q"), "child-generation": (25, "<Q")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("image")
    parser.add_argument("logical")
    parser.add_argument("field")
    parser.add_argument("value", type=lambda text: int(text, 0))
    parser.add_argument("--bad-csum", action="store_true")
    args = parser.parse_args()
    image = Image(args.image, None)
    name, _, slot = args.field.partition(":")
    at, form = FIELDS[name]
    if slot:
        at += HEADER + int(slot) * (33 if name.startswith("child") else 25)
    with open(args.image, "r+b") as file:
        for place in image.places(int(args.logical)):
            file.seek(place)
            block = bytearray(file.read(image.nodesize))
            struct.pack_into(form, block, at, args.value)
            if not args.bad_csum:
                block[:32] = struct.pack("<I", crc32c(block[32:])).ljust(32, b"\0")
            file.seek(place)
            file.write(block)


main()
