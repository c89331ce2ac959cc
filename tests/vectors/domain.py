#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The MACs of a header and of the items it vouches for, computed from the specification with Python's own HMAC.
Prints what tests/unit/test-domain.c expects of the same domain."""

import hashlib
import hmac
import struct

VK = bytes(range(0x40, 0x60))
DOMAIN_UUID = bytes.fromhex("00112233445566778899aabbccddeeff")
DOMAIN = 7


def sha512_mac(key, message):
    return hmac.new(key, message, hashlib.sha512).digest()


PRK = sha512_mac(b"btrfs-crypt/1" + DOMAIN_UUID, VK)


def d(label):
    return sha512_mac(PRK, bytes([len(label)]) + label + b"\1")[:32]


def place(kind, index):
    return struct.pack("<Q", DOMAIN << 48 | kind << 44 | index)


K_HDR = d(b"header")
SLOTS = {0: b"the payload of slot 0", 3: b"of slot 3"}
ITEMS = [(place(2, 0), b"of member 0"), (place(3, 0), b"of inode flags item 0"), (place(8, 0), b"of bad blocks item 0")]
slot_hashes = b"".join(hashlib.sha256(SLOTS[n]).digest()[:16] if n in SLOTS else bytes(16) for n in range(32))
items_mac = sha512_mac(K_HDR, b"items" + b"".join(at + hashlib.sha256(item).digest() for at, item in ITEMS))[:32]

header = struct.pack("<BBHI8sIBBHIHBBQ16s16s32s10Q32s32s512s", 0, 3, 1, 0, b"BTRCRYPT", 3, 2, 2, 500, 4096, DOMAIN, 1, 0,
                     0x0102030405060708, bytes(range(16)), DOMAIN_UUID, d(b"key-check"), 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, bytes([0xAA] * 32),
                     items_mac, slot_hashes)
assert len(header) == 792 - 32
print("slot 3 ", slot_hashes[48:64].hex())
print("items  ", items_mac.hex())
print("header ", sha512_mac(K_HDR, header)[:32].hex())
