#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Test vectors of the sealed format, computed from its specification alone with other implementations than the program's
(python3-cryptography, hashlib, libargon2).  Prints vectors.h."""

import ctypes
import hashlib
import hmac
import struct
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

VK = bytes(range(0x40, 0x60))
DOMAIN_UUID = bytes.fromhex("00112233445566778899aabbccddeeff")
OP_ID = bytes.fromhex("6f70206964206f6620612074657374ff")
AES_256_GCM, CHACHA = 1, 2


def extract(salt, secret):
    return hmac.new(salt, secret, hashlib.sha512).digest()


def expand(prk, info, length):
    return HKDFExpand(algorithm=hashes.SHA512(), length=length, info=info).derive(prk)


PRK = extract(b"btrfs-crypt/1" + DOMAIN_UUID, VK)


def d(label, context=b"", length=32):
    return expand(PRK, bytes([len(label)]) + label.encode() + context, length)


def mac(key, message):
    return hmac.new(key, message, hashlib.sha512).digest()[:32]


def pattern(length, seed):
    """Bytes whose every 64 differ: the C side computes the same."""
    return bytes((i * 7 + (i >> 8) * 13 + seed) & 0xFF for i in range(length))


def aead(cipher, key):
    return AESGCM(key) if cipher == AES_256_GCM else ChaCha20Poly1305(key)


def argon2id(secret, salt, memory_kib, passes):
    library = ctypes.CDLL("libargon2.so.1")
    out = ctypes.create_string_buffer(32)
    status = library.argon2id_hash_raw(
        ctypes.c_uint32(passes), ctypes.c_uint32(memory_kib), ctypes.c_uint32(1),
        secret, ctypes.c_size_t(len(secret)), salt, ctypes.c_size_t(len(salt)), out, ctypes.c_size_t(32))
    if status != 0:
        sys.exit(f"argon2id_hash_raw: {status}")
    return out.raw


def c_array(name, data):
    rows = [data[i:i + 16] for i in range(0, len(data), 16)]
    body = "\n".join("\t" + " ".join(f"0x{b:02x}," for b in row) for row in rows)
    print(f"static const uint8_t {name}[{len(data)}] = {{\n{body}\n}};\n")


def c_string(data):
    return '"' + "".join(f"\\x{b:02x}" for b in data) + '"'


def schedule():
    c_array("vector_volume_key", VK)
    c_array("vector_domain_uuid", DOMAIN_UUID)
    c_array("vector_op_id", OP_ID)
    kcv = d("key-check")
    c_array("vector_kcv", kcv)
    message = pattern(300, 1)
    print("/* MAC under D(label, context, 32) of pattern(300, 1), and of no bytes at all. */")
    print("static const struct {\n\tconst char *label;\n\tconst char *context;\n\tsize_t context_len;")
    print("\tconst char *mac, *mac_of_nothing;\n} vector_mac[] = {")
    for label, context in [("header", b""), ("seal-item", b""), ("seal", b""), ("nonce", b""), ("backup", b""),
                           ("state", OP_ID), ("journal", OP_ID), ("bridge", OP_ID + kcv)]:
        key = d(label, context)
        print(f'\t{{ "{label}", {c_string(context)}, {len(context)},')
        print(f"\t  {c_string(mac(key, message))},\n\t  {c_string(mac(key, b''))} }},")
    print("};\n")
    print("/* pattern(32, 11) under K_bridge, then the tag. */")
    c_array("vector_bridge", AESGCM(d("bridge", OP_ID + kcv)).encrypt(bytes(12), pattern(32, 11), None))


def units():
    for name, cipher, flags, unit_id, blocks, extent_len, offset in [
            ("aes", AES_256_GCM, 0, 0x1234567000, 500, 128 << 20, 2048000),
            ("chacha", CHACHA, 0, 0xD00000, 3, 12288, 0)]:
        nonce = pattern(16, cipher)
        u = struct.pack("<BBHQIQQ16s", cipher, flags, 0, unit_id, blocks, extent_len, offset, nonce)
        assert len(u) == 48
        c_array(f"vector_{name}_u", u)
        cipher_key = aead(cipher, d("unit", u))
        print(f"/* Block index of pattern(4096, index): SHA-256 of the ciphertext, tag. */")
        print("static const struct {\n\tuint32_t index;\n\tconst char *sha256, *tag;")
        print(f"}} vector_{name}_block[] = {{")
        for index in (0, 1, blocks - 1, 0x01020304):
            out = cipher_key.encrypt(bytes(8) + struct.pack(">I", index), pattern(4096, index & 0xFF), None)
            print(f"\t{{ {index:#x}, {c_string(hashlib.sha256(out[:4096]).digest())},\n\t  {c_string(out[4096:])} }},")
        print("};\n")


def inline():
    plain = pattern(37, 9)
    for name, cipher, kind in [("aes", AES_256_GCM, 1), ("chacha", CHACHA, 2)]:
        i = struct.pack("<BBHQQQI16s", cipher, kind, 0, 257, 0x123456, 0, len(plain), pattern(16, 100 + cipher))
        assert len(i) == 48
        c_array(f"vector_{name}_i", i)
        out = aead(cipher, d("inline", i)).encrypt(bytes(12), plain, None)
        print("/* pattern(37, 9), then the tag. */")
        c_array(f"vector_{name}_inline", out)


ARGON2ID, PBKDF2, NONE = 1, 2, 3


def slot(number, slot_type, kdf, p1, p2, p3, secret, label):
    salt = pattern(16, 200 + number)
    header = struct.pack("<BBHI8sI16sHBBIII16sQ64s", 1, 3, 1, 0, b"BTRCSLOT", 3, DOMAIN_UUID, number, slot_type, kdf,
                         p1, p2, p3, salt, 1700000000 + number, label)
    assert len(header) == 140
    if kdf == ARGON2ID:
        s = argon2id(secret, salt, p1, p2)
    elif kdf == PBKDF2:
        s = hashlib.pbkdf2_hmac("sha512", secret, salt, p1, 32)
    else:
        s = secret
    p = extract(b"btrfs-crypt-slot/1" + DOMAIN_UUID + salt, s)
    h = hashlib.sha512(header).digest()
    commit = expand(p, b"commit" + h, 32)
    wrapped = AESGCM(expand(p, b"wrap" + h, 32)).encrypt(bytes(12), VK, header)
    return header + commit + wrapped


def slots():
    secrets = {
        "argon2id": (0, 1, ARGON2ID, 64, 3, 1, b"correct horse battery staple", "first".encode()),
        "pbkdf2": (1, 2, PBKDF2, 1000, 0, 0, pattern(333, 3), "Schl\u00fcsseldatei".encode()),
        "recovery": (31, 3, NONE, 0, 0, 0, pattern(20, 4), b""),
        # a secret that no one would have stretched: must not open although everything else is right
        "short": (2, 3, NONE, 0, 0, 0, b"twelve bytes", b""),
    }
    for name, (number, slot_type, kdf, p1, p2, p3, secret, label) in secrets.items():
        c_array(f"vector_{name}_secret", secret)
        c_array(f"vector_{name}_slot", slot(number, slot_type, kdf, p1, p2, p3, secret, label))


def recovery_text(key):
    """Eight groups of four characters and a check character: the hash of the group in GF(2^5), x^5 + x^2 + 1, from its number on."""
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    number = int.from_bytes(key, "big")
    values = [number >> (155 - 5 * i) & 31 for i in range(32)]
    groups = []
    for group in range(8):
        four = values[4 * group:4 * group + 4]
        check = group + 1
        for value in four:
            check = (check ^ value) * 2
            check = check ^ 0b100101 if check & 32 else check
        groups.append("".join(alphabet[value] for value in four + [check]))
    return "-".join(groups)


def main():
    print("/* SPDX-License-Identifier: GPL-2.0-or-later */")
    print("/* Computed by tests/vectors/generate.py with other implementations than the program's; do not edit. */")
    print("#ifndef TESTS_VECTORS_VECTORS_H\n#define TESTS_VECTORS_VECTORS_H\n")
    print("#include <stddef.h>\n#include <stdint.h>\n")
    print("static inline void vector_pattern(uint8_t *out, size_t len, unsigned seed)\n{")
    print("\tfor (size_t i = 0; i < len; i++)\n\t\tout[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + seed);\n}\n")
    c_array("vector_sha256_of_pattern_300_1", hashlib.sha256(pattern(300, 1)).digest())
    c_array("vector_sha512_of_pattern_300_1", hashlib.sha512(pattern(300, 1)).digest())
    schedule()
    units()
    inline()
    slots()
    c_array("vector_recovery_text", recovery_text(pattern(20, 4)).encode())
    print("#endif /* TESTS_VECTORS_VECTORS_H */")


main()
