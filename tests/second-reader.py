#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A second reader of the sealed format, written from format/README.md alone.

second-reader.py SEALED PASSPHRASE-FILE PLAIN: opens the sealed image of one device with single or DUP chunks, checks every MAC of its
first domain, decrypts every unit and inline unit, and compares them with the same places of the image as it was before sealing.
"""
import hashlib
import hmac
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

CRYPT = 0xFFFFFFFFFFFFFF38
ROOT, CHUNK, EXTENT_DATA, INODE = 1, 3, 108, 1


def u(fmt, data, at=0):
    return struct.unpack_from('<' + fmt, data, at)


def check(condition, text):
    if not condition:
        sys.exit('second reader: ' + text)


class Image:
    def __init__(self, path):
        self.data = open(path, 'rb').read()
        sb = self.data[65536:65536 + 4096]
        check(sb[64:72] == b'_BHRfS_M', 'no superblock')
        self.root, self.chunk_root = u('QQ', sb, 80)
        self.node_size = u('I', sb, 148)[0]
        self.chunks = []
        array, at = sb[0x32B:0x32B + u('I', sb, 160)[0]], 0
        while at < len(array):
            at += self.add_chunk(u('QBQ', array, at)[2], array[at + 17:]) + 17
        for key, item in list(self.items(self.chunk_root)):
            if key[1] == 228:
                self.add_chunk(key[2], item)

    def add_chunk(self, logical, item):
        length, n = u('Q', item)[0], u('H', item, 44)[0]
        self.chunks.append((logical, length, [u('QQ', item, 48 + 32 * i)[1] for i in range(n)]))
        return 48 + 32 * n

    def read(self, logical, length, mirror=0):
        for start, size, stripes in self.chunks:
            if start <= logical < start + size:
                at = stripes[mirror % len(stripes)] + logical - start
                return self.data[at:at + length]
        sys.exit(f'second reader: no chunk has {logical:#x}')

    def leaves(self, logical):
        block = self.read(logical, self.node_size)
        n, level = u('IB', block, 96)
        if level == 0:
            yield logical, block, n
            return
        for i in range(n):
            yield from self.leaves(u('Q', block, 101 + 33 * i + 17)[0])

    def located(self, root):
        """(key, payload, logical address of the payload), in key order"""
        for logical, block, n in self.leaves(root):
            for i in range(n):
                at = 101 + 25 * i
                offset, size = u('II', block, at + 17)
                yield u('QBQ', block, at), block[101 + offset:101 + offset + size], logical + 101 + offset

    def items(self, root):
        for key, item, _ in self.located(root):
            yield key, item

    def tree(self, wanted):
        for key, item in self.items(self.root):
            if key[0] == wanted and key[1] == 132:
                return u('Q', item, 176)[0]
        return None


def mac(key, *parts):
    return hmac.new(key, b''.join(parts), hashlib.sha512).digest()[:32]


def expand(prk, info, length):
    out, block, n = b'', b'', 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([n]), hashlib.sha512).digest()
        out, n = out + block, n + 1
    return out[:length]


class Keys:
    def __init__(self, volume_key, uuid):
        self.prk = hmac.new(b'btrfs-crypt/1' + uuid, volume_key, hashlib.sha512).digest()

    def d(self, label, context=b'', length=32):
        return expand(self.prk, bytes([len(label)]) + label + context, length)

    def open(self, cipher, label, context, index, data, tag):
        aead = {1: AESGCM, 2: ChaCha20Poly1305}[cipher](self.d(label, context))
        return aead.decrypt(bytes(8) + struct.pack('>I', index), data + tag, None)


def open_slot(slot, secret):
    header, commit, wrapped = slot[:140], slot[140:172], slot[172:220]
    uuid, kdf, (p1,), salt = header[20:36], header[39], u('I', header, 40), header[52:68]
    check(kdf == 2, 'only PBKDF2 slots are read here')
    s = hashlib.pbkdf2_hmac('sha512', secret, salt, p1, 32)
    p = hmac.new(b'btrfs-crypt-slot/1' + uuid + salt, s, hashlib.sha512).digest()
    h = hashlib.sha512(header).digest()
    check(expand(p, b'commit' + h, 32) == commit, 'the passphrase does not open the slot')
    return AESGCM(expand(p, b'wrap' + h, 32)).decrypt(bytes(12), wrapped, header)


def main(sealed_path, passphrase_path, plain_path):
    image, plain = Image(sealed_path), Image(plain_path)
    crypt = {}
    for key, item in image.items(image.root):
        if key[0] == CRYPT and key[1] == 249 and key[2] >> 48 == 1:
            crypt[key[2]] = item
    low = (1 << 48) - 1
    kinds = {}
    for offset, item in crypt.items():
        kinds.setdefault(0 if offset & low == low else offset >> 44 & 15, []).append((offset, item))
    header = kinds[0][0][1]
    check(kinds[0][1][1] == header, 'the two headers differ')
    cipher = header[20]
    uuid, kcv = header[56:72], header[72:104]
    seal, items_mac, header_mac = header[192:224], header[224:256], header[256:288]
    check(header[1] == 2 and u('I', header, 16)[0] == 2, 'the version is not 2')

    secret = open(passphrase_path, 'rb').read()
    keys = Keys(open_slot(kinds[1][0][1], secret[:-1] if secret.endswith(b'\n') else secret), uuid)
    check(keys.d(b'key-check') == kcv, 'key check value')
    check(mac(keys.d(b'header'), header[:256]) == header_mac, 'MAC of the header')
    vouched = b''.join(struct.pack('<Q', o) + hashlib.sha256(i).digest() for k in (1, 2, 3, 8) for o, i in kinds.get(k, []))
    check(mac(keys.d(b'header'), b'items' + vouched) == items_mac, 'MAC of the items')

    # Units: every block decrypts, and to what was there before.
    k_item, unit_sum, n_units, n_blocks, of_extent = keys.d(b'seal-item'), 0, 0, 0, {}
    for _, item in kinds.get(4, []):
        at = 8
        for _ in range(u('H', item, 2)[0]):
            record, (unit_id, blocks, extent_len, offset) = item[at:at + 48], u('QIQQ', item, at + 4)
            address, tags = u('Q', item, at + 72)[0], item[at + 88:at + 88 + 16 * blocks]
            for i in range(blocks):
                where = address + offset + 4096 * i
                try:
                    got = keys.open(record[0], b'unit', record, i, image.read(where, 4096), tags[16 * i:16 * i + 16])
                except InvalidTag:
                    sys.exit(f'second reader: block {i} of unit {unit_id:#x}')
                check(got == plain.read(where, 4096), f'block at {where:#x} is not what it was')
            unit_sum = (unit_sum + int.from_bytes(mac(k_item, b'U', record), 'little')) % (1 << 256)
            of_extent.setdefault(address, []).append(struct.pack('<Q', unit_id) + record[32:48])
            n_units, n_blocks, at = n_units + 1, n_blocks + blocks, at + 88 + 16 * blocks
    inline, inline_sum, n_inline = {}, 0, 0
    for _, item in kinds.get(5, []):
        for i in range(u('H', item, 2)[0]):
            record, tag = item[8 + 64 * i:56 + 64 * i], item[56 + 64 * i:72 + 64 * i]
            inline.setdefault((u('Q', record, 12)[0], record[1], u('Q', record, 20)[0]), []).append((record, tag))
            inline_sum = (inline_sum + int.from_bytes(mac(k_item, b'I', record), 'little')) % (1 << 256)
            n_inline += 1

    # Members: each tree's digest, and their inline payloads.
    opened, digests, entries = 0, b'', set()
    for _, member in kinds[2]:
        member_id, = u('Q', member, 8)
        root = image.tree(member_id)
        modes, links = {}, {}
        for key, item in image.items(root):
            if key[1:] == (INODE, 0):
                links[key[0]], modes[key[0]] = u('I', item, 40)[0], u('I', item, 52)[0]
        orphans = {key[2] for key, _ in image.items(root) if key[:2] == (0xFFFFFFFFFFFFFFFB, 48)}
        total, count, versions = 0, 0, {}
        for key, item, where in image.located(root):
            if key[:2] == (0xFFFFFFFFFFFFFFFB, 48) or key[0] in orphans and (links.get(key[0]) == 0 or key[0] in links and key[1] in (36, 37)):
                continue
            canonical, payload = item, None
            if key[1] == INODE:
                canonical = item[:8] + bytes(8) + item[16:72] + bytes(8 + 32 + 12) + item[124:]
            elif key[1] == EXTENT_DATA and item[20] == 0:
                canonical, payload = item[:21], (2 if modes[key[0]] & 0o170000 == 0o120000 else 1, item[21:], where + 21)
            elif key[1] in (36, 37):
                canonical, payload = b'', (3 if key[1] == 36 else 4, item, where)
            elif key[1] == EXTENT_DATA and u('Q', item, 21)[0] != 0:
                check(item[20] == 2 or u('H', item, 18)[0] == 0xC5EA, 'a regular extent has no mark')
                canonical = item[:21] + b''.join(of_extent[u('Q', item, 21)[0]]) + item[29:]
            if payload and payload[1]:
                kind, data, at = payload
                for record, tag in inline[(key[0], kind, key[2])]:
                    try:
                        got = keys.open(record[0], b'inline', record, 0, data, tag)
                    except InvalidTag:
                        continue
                    check(got == plain.read(at, len(got)), f'inline payload at {at:#x} is not what it was')
                    canonical += record[32:48]
                    opened += 1
                    break
                else:
                    sys.exit(f'second reader: inline payload of inode {key[0]} has no unit')
            value = mac(k_item, b'T', struct.pack('<QBQ', *key), struct.pack('<I', len(item)), canonical)
            total, count = (total + int.from_bytes(value, 'little')) % (1 << 256), count + 1
            part = 2 if key[1] in (12, 13) else 4 if key[1] in (84, 96) else 3
            version = versions.setdefault(key[0], {2: [0, 0], 3: [0, 0], 4: [0, 0]})[part]
            version[0], version[1] = version[0] + 1, (version[1] + int.from_bytes(value, 'little')) % (1 << 256)
        digest = mac(keys.d(b'seal'), b'tree', struct.pack('<Q', count), total.to_bytes(32, 'little'))
        check(digest == member[112:144] and count == u('Q', member, 104)[0], f'digest of member {member_id}')
        for inode, parts in versions.items():
            whole = [sum(p[0] for p in parts.values()), sum(p[1] for p in parts.values()) % (1 << 256)]
            for kind, (n, value) in (parts if modes.get(inode, 0) & 0o170000 == 0o040000 else {1: whole}).items():
                entries.add((inode, mac(k_item, b'N', struct.pack('<BQQ', kind, inode, n), value.to_bytes(32, 'little'))[:16]))
        digests += member[8:16] + member[16:32] + digest
    index, index_sum, n_index = [], 0, 0
    for _, item in kinds.get(7, []):
        for i in range(u('H', item, 2)[0]):
            entry = item[8 + 32 * i:32 + 32 * i]
            index_sum = (index_sum + int.from_bytes(mac(k_item, b'X', entry), 'little')) % (1 << 256)
            index.append((u('Q', entry)[0], entry[8:24]))
            n_index += 1
    check(index == sorted(entries), 'the index')
    bad = [item for _, item in kinds.get(8, [])]
    n_bad = sum(u('H', item, 2)[0] for item in bad)
    again = mac(keys.d(b'seal'), b'seal', uuid, bytes([cipher]), digests, struct.pack('<Q', n_units), unit_sum.to_bytes(32, 'little'),
                struct.pack('<Q', n_inline), inline_sum.to_bytes(32, 'little'), struct.pack('<Q', n_index), index_sum.to_bytes(32, 'little'),
                struct.pack('<Q', n_bad), hashlib.sha256(b''.join(bad)).digest())
    check(again == seal == kinds[6][0][1][168:200], 'the seal')
    check(u('11Q', header, 104)[5:] == (len(kinds.get(5, [])), n_inline, len(kinds.get(7, [])), n_index, len(bad), n_bad), 'the counts')
    print(f'units: {n_units} of {n_blocks} blocks, inline units: {n_inline}, opened {opened}, index entries: {n_index}; seal {seal[:16].hex()}')


if __name__ == "__main__":
    main(*sys.argv[1:])
