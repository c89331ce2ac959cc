#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A second reader of the sealed format, written from format/README.md alone.

second-reader.py SEALED PASSPHRASE-FILE PLAIN [BACKUP]: opens the sealed image of one device with single or DUP chunks, by the passphrase or
recovery key in the file, checks every MAC of its first domain, decrypts every unit and inline unit, and compares them with the same places of
the image as it was before sealing. BACKUP is a header backup, which takes the place of the image's header, slots, members and inode flags; if it
has no slots, the file has the volume key.
"""
import ctypes
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

    def mirrors(self, logical):
        return next(len(stripes) for start, size, stripes in self.chunks if start <= logical < start + size)

    def leaves(self, logical):
        block = self.read(logical, self.node_size)
        n, level = u('IB', block, 96)
        if level == 0:
            yield logical, block, n
            return
        for i in range(n):
            yield from self.leaves(u('Q', block, 101 + 33 * i + 17)[0])

    def items(self, root):
        """(key, payload), in key order"""
        for _, block, n in self.leaves(root):
            for i in range(n):
                at = 101 + 25 * i
                offset, size = u('II', block, at + 17)
                yield u('QBQ', block, at), block[101 + offset:101 + offset + size]

    def root_item(self, wanted):
        return next((item for key, item in self.items(self.root) if key[0] == wanted and key[1] == 132), None)

    def tree(self, wanted):
        return u('Q', self.root_item(wanted), 176)[0]


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


def argon2id(secret, salt, memory_kib, passes):
    library = ctypes.CDLL('libargon2.so.1')
    out = ctypes.create_string_buffer(32)
    status = library.argon2_hash(ctypes.c_uint32(passes), ctypes.c_uint32(memory_kib), ctypes.c_uint32(1), secret, ctypes.c_size_t(len(secret)),
                                 salt, ctypes.c_size_t(len(salt)), out, ctypes.c_size_t(32), None, ctypes.c_size_t(0), 2, ctypes.c_uint32(0x13))
    check(status == 0, f'argon2_hash: {status}')
    return out.raw


def kdf(header, secret):
    """S of a slot, within the bounds for reading."""
    kind, (p1, p2, p3), salt = header[39], u('III', header, 40), header[52:68]
    if kind == 1:
        check(8 <= p1 <= 1 << 20 and 1 <= p2 <= 64 and p1 * p2 <= 1 << 24 and p3 == 1, 'costs of Argon2id')
        return argon2id(secret, salt, p1, p2)
    if kind == 2:
        check(1 <= p1 <= 10 ** 8 and p2 == p3 == 0, 'costs of PBKDF2')
        return hashlib.pbkdf2_hmac('sha512', secret, salt, p1, 32)
    check(kind == 3 and p1 == p2 == p3 == 0, 'the KDF is unknown')
    return secret if len(secret) == 20 else None


def open_slot(slot, secret):
    """The volume key; None: another secret."""
    header, commit, wrapped = slot[:140], slot[140:172], slot[172:220]
    uuid, salt = header[20:36], header[52:68]
    check(len(slot) == 220 and header[8:16] == b'BTRCSLOT' and u('I', header, 16)[0] == 3 and u('H', header, 36)[0] < 32, 'a slot')
    s = kdf(header, secret)
    if s is None:
        return None
    p = hmac.new(b'btrfs-crypt-slot/1' + uuid + salt, s, hashlib.sha512).digest()
    h = hashlib.sha512(header).digest()
    if expand(p, b'commit' + h, 32) != commit:
        return None
    return AESGCM(expand(p, b'wrap' + h, 32)).decrypt(bytes(12), wrapped, header)


ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'


def times_x(value):
    value <<= 1
    return value ^ 0b100101 if value & 32 else value


def read_recovery(text):
    """The 20 bytes of a recovery key in writing; None: it is none. Any spacing and case; O is 0, I and L are 1."""
    letters = ''.join(text.decode('latin-1').replace('-', ' ').split()).upper().translate(str.maketrans('OIL', '011'))
    if len(letters) != 40 or not set(letters) <= set(ALPHABET):
        return None
    values, bits = [ALPHABET.index(c) for c in letters], 0
    for group in range(8):
        *data, last = values[5 * group:5 * group + 5]
        c = group + 1
        for value in data:
            c, bits = times_x(c ^ value), bits << 5 | value
        if c != last:
            return None
    return bits.to_bytes(20, 'big')


def open_any(slots, written):
    """The volume key, from the first slot that the passphrase opens, or the recovery key if it is one."""
    recovery = read_recovery(written)
    for slot in slots:
        secret = recovery if slot[39] == 3 else written
        key = open_slot(slot, secret) if secret is not None else None
        if key:
            return key
    sys.exit('second reader: the passphrase opens no slot')


# --- the items of a domain ----------------------------------------------------------------------------------------------

SIZES = {3: 24, 5: 64, 7: 32, 8: 16}     # of entries, where all have the same


def read_backup(path):
    """Key offset and payload of each item of a header backup."""
    data = open(path, 'rb').read()
    version, flags, length = u('IIQ', data, 8)
    n, zero = u('II', data, 48)
    check(data[:8] == b'BTRCBACK' and version == 3 and flags == 0 and length == len(data) and zero == 0, 'head of the backup')
    check(hashlib.sha256(data[:-32]).digest() == data[-32:], 'hash of the backup')
    at, items = 56, []
    for _ in range(n):
        offset, length, reserved = u('QII', data, at)
        kind, payload = offset >> 44 & 15, data[at + 16:at + 16 + length]
        check(kind in (0, 1, 2, 3, 8) and reserved == 0, f'item {offset:#x} of the backup')
        items.append((offset, payload))
        at += 16 + length
    check(at == len(data) - 32 and items == sorted(items, key=lambda item: item[0]) and items[0][0] & (1 << 48) - 1 == 0, 'items of the backup')
    return items


class Domain:
    """Items by kind, in key order, their layout checked."""

    def __init__(self, image, backup=None):
        self.items = {kind: [] for kind in range(9)}
        found = [(key[2], item) for key, item in image.items(image.root) if key[:2] == (CRYPT, 249)]
        if backup:
            kept = read_backup(backup)
            check(any(offset >> 48 == kept[0][0] >> 48 for offset, _ in found), 'the backup is of another number')
            found = [(offset, item) for offset, item in found if offset >> 48 == kept[0][0] >> 48 and offset >> 44 & 15 in (4, 5, 6, 7)]
            header = kept[0][1]
            found = sorted(found + kept) + [(kept[0][0] | (1 << 48) - 1, header)]
        check(found, 'nothing is sealed')
        self.number, low = found[0][0] >> 48, (1 << 48) - 1
        check(self.number > 0, 'domain numbers begin at 1')
        for offset, item in found:
            if offset >> 48 != self.number:
                continue
            kind = 0 if offset & low == low else offset >> 44 & 15
            check(item[0] == kind and item[1] == 3 and u('I', item, 4)[0] == 0, f'head of item {offset:#x}')
            n, = u('H', item, 2)
            check(n > 0 and (n == 1 or kind in (3, 4, 5, 7, 8)), f'number of entries of item {offset:#x}')
            check(kind not in SIZES or len(item) == 8 + n * SIZES[kind], f'length of item {offset:#x}')
            check(offset & low == low or kind == 1 or offset & low & ((1 << 44) - 1) == len(self.items[kind]), f'index of item {offset:#x}')
            self.items[kind].append((offset, item))
        check(len(self.items[0]) == 2 and self.items[0][0][1] == self.items[0][1][1], 'the two headers')
        self.header = h = self.items[0][0][1]
        check(len(h) == 792 and h[8:16] == b'BTRCRYPT' and u('I', h, 16)[0] == 3 and h[21] == 2, 'the header: not sealed in version 3')
        check(u('HIH', h, 22) == (500, 4096, self.number), 'the header: unit maximum, block size, number')
        self.cipher, self.uuid, self.kcv = h[20], h[56:72], h[72:104]
        self.seal, self.items_mac, self.mac = h[184:216], h[216:248], h[760:792]
        self.slot_hash = [h[at:at + 16] for at in range(248, 760, 16)]
        lists = {kind: sum(u('H', item, 2)[0] for _, item in self.items[kind]) for kind in (4, 5, 7, 8)}
        have = [len(self.items[k]) for k in (2, 3)] + [x for k in (4, 5, 7, 8) for x in (len(self.items[k]), lists[k])]
        check(list(u('10Q', h, 104)) == have, f'counts of the header: {u("10Q", h, 104)}, there are {have}')
        # Each slot stands for itself. A backup may lack some, or all.
        self.slots = []
        for offset, item in self.items[1]:
            number = offset & (1 << 44) - 1
            if number < 32 and hashlib.sha256(item).digest()[:16] == self.slot_hash[number]:
                check(u('H', item, 36)[0] == number and item[20:36] == self.uuid, f'key slot {number} belongs elsewhere')
                self.slots.append(item)
            else:
                print(f'key slot {number} is damaged, or one too many')
        missing = sum(1 for digest in self.slot_hash if any(digest)) - len(self.slots)
        check(missing >= 0 and (missing == 0 or backup), f'{missing} key slots are missing')

    def entries(self, kind):
        for _, item in self.items[kind]:
            for at in range(8, len(item), SIZES[kind]):
                yield item[at:at + SIZES[kind]]


# --- units ----------------------------------------------------------------------------------------------------------------

class Unit:
    def __init__(self, item, at):
        self.u = item[at:at + 48]
        self.id, self.blocks, self.extent_len, self.offset = u('QIQQ', item, at + 4)
        self.address, self.first = u('Q', item, at + 72)[0], item[at + 80:at + 88]
        self.tags = [item[at + 88 + 16 * i:at + 104 + 16 * i] for i in range(self.blocks)]
        check(u('BH', self.u, 1) == (0, 0) and 1 <= self.blocks <= 500 and len(self.tags[-1]) == 16, f'unit {self.id:#x}')
        self.size = 88 + 16 * self.blocks


def read_units(domain):
    """The units of each extent that was sealed: they cover it, in order, without a hole."""
    groups = []
    for _, item in domain.items[4]:
        at = 8
        for _ in range(u('H', item, 2)[0]):
            unit = Unit(item, at)
            at += unit.size
            if unit.offset == 0:
                groups.append([])
            group = groups[-1]
            end = group[-1].offset + 4096 * group[-1].blocks if group else 0
            check(unit.offset == end and unit.id == (group or [unit])[0].id + end, f'unit {unit.id:#x} does not follow')
            check((group or [unit])[0].address == unit.address, 'units of one extent know different addresses of it')
            group.append(unit)
        check(at == len(item), 'bytes behind the units of an item')
    for group in groups:
        check(group[-1].offset + 4096 * group[-1].blocks == group[0].extent_len, f'extent {group[0].id:#x} is not covered')
    check(all(a[0].id < b[0].id for a, b in zip(groups, groups[1:])), 'the order of units')
    return groups


def open_block(image, keys, unit, i, address):
    """Plain text of block i where the extent is at address, from the first mirror whose tag is right."""
    for mirror in range(image.mirrors(address)):
        try:
            return keys.open(unit.u[0], b'unit', unit.u, i, image.read(address + unit.offset + 4096 * i, 4096, mirror), unit.tags[i])
        except InvalidTag:
            pass
    return None


def join(image, keys, groups, extents):
    """Section 5, its first two steps: address of an extent -> its units."""
    joined, free = {}, list(groups)

    def try_all(candidates, address):
        for group in candidates:
            if any(open_block(image, keys, group[0], i, address) is not None for i in range(min(16, group[0].blocks))):
                joined[address] = group
                free.remove(group)
                return

    for address, length in extents:
        known = [g for g in free if g[0].extent_len == length]
        try_all([g for g in known if g[0].address == address] or [g for g in known if g[0].id == address], address)
    for address, length in extents:
        if address not in joined:
            firsts = {image.read(address, 8, mirror) for mirror in range(image.mirrors(address))}
            try_all([g for g in free if g[0].extent_len == length and g[0].first in firsts], address)
        check(address in joined, f'the extent at {address:#x} has no units')
    return joined


# --- trees ----------------------------------------------------------------------------------------------------------------

def directory_path(image, root, inode):
    names = b''
    while inode != 256:
        key, item = next((k, i) for k, i in image.items(root) if k[0] == inode and k[1] == 12)
        names, inode = item[10:10 + u('H', item, 8)[0]] + b'/' + names, key[2]
    return names


def subvolume_path(image, wanted):
    """From the top level, no slash at either end."""
    path = b''
    while wanted != 5:
        key, item = next((k, i) for k, i in image.items(image.root) if k[0] == wanted and k[1] == 144)
        directory, _, n = u('QQH', item)
        path = directory_path(image, image.tree(key[2]), directory) + item[18:18 + n] + (b'/' + path if path else b'')
        wanted = key[2]
    return path


def check_member(image, plain, domain, member):
    """What stands in the member item and the root item beside the digest; returns id and root."""
    (member_id,), uuid, (old_flags,), reserved = u('Q', member, 8), member[16:32], u('Q', member, 32), member[40:104]
    (path_len,), cut = u('H', member, 144), member[146]
    check(member[152:] == subvolume_path(image, member_id)[:1024] and path_len == len(member) - 152 and not cut, f'path of member {member_id}')
    before, now = plain.root_item(member_id), image.root_item(member_id)
    check(now[247:263] == uuid, f'uuid of member {member_id}')
    check(u('Q', before, 208)[0] == old_flags and before[375:439] == reserved, f'what member {member_id} had before')
    check(u('Q', now, 208)[0] == old_flags | (member_id != 5), f'member {member_id} is not read only')
    name = {1: b'aes-256-gcm', 2: b'chacha-poly1305'}[domain.cipher]
    check(now[375:399] == name.ljust(16, b'\0') + struct.pack('<I', 32) + domain.kcv[:4], f'tag of member {member_id}')
    return member_id, u('Q', now, 176)[0]


def check_flags(image, plain, domain, member_id):
    """Regular files have both bits; those that had one before are listed."""
    bits, listed = 1 << 6 | 1 << 32, {}
    for entry in domain.entries(3):
        member, inode, flags = u('QQQ', entry)
        listed[member, inode] = flags
    for (key, item), (_, old) in zip(image.items(image.tree(member_id)), plain.items(plain.tree(member_id))):
        if key[1] == INODE and u('I', item, 52)[0] & 0o170000 == 0o100000:
            check(u('Q', item, 64)[0] == u('Q', old, 64)[0] | bits, f'flags of inode {key[0]}')
            check(u('Q', old, 64)[0] & bits == listed.get((member_id, key[0]), 0), f'inode {key[0]} is not listed with its flags')


def add(total, value):
    return (total + int.from_bytes(value, 'little')) % (1 << 256)


def main(sealed_path, passphrase_path, plain_path, backup=None):
    image, plain = Image(sealed_path), Image(plain_path)
    domain = Domain(image, backup)
    secret = open(passphrase_path, 'rb').read()
    if not domain.slots:
        volume_key = secret
    else:
        volume_key = open_any(domain.slots, secret[:-1] if secret.endswith(b'\n') else secret)
    keys = Keys(volume_key, domain.uuid)
    check(keys.d(b'key-check') == domain.kcv, 'key check value')
    check(mac(keys.d(b'header'), domain.header[:760]) == domain.mac, 'MAC of the header')
    vouched = b''.join(struct.pack('<Q', offset) + hashlib.sha256(item).digest() for kind in (2, 3, 8) for offset, item in domain.items[kind])
    check(mac(keys.d(b'header'), b'items' + vouched) == domain.items_mac, 'MAC of the items')

    # Units: every block decrypts, and to what was there before.
    members = [check_member(image, plain, domain, member) for _, member in domain.items[2]]
    extents = sorted({u('QQ', item, 21) for _, root in members for key, item in image.items(root)
                      if key[1] == EXTENT_DATA and item[20] != 0 and u('Q', item, 21)[0]})
    groups = read_units(domain)
    joined = join(image, keys, groups, extents)
    k_item, unit_sum, n_units, n_blocks = keys.d(b'seal-item'), 0, 0, 0
    for address, group in joined.items():
        for unit in group:
            for i in range(unit.blocks):
                got = open_block(image, keys, unit, i, address)
                check(got is not None, f'block {i} of unit {unit.id:#x}')
                check(got == plain.read(unit.id + 4096 * i, 4096), f'block {i} of unit {unit.id:#x} is not what it was')
            n_blocks += unit.blocks
    for group in groups:
        for unit in group:
            unit_sum, n_units = add(unit_sum, mac(k_item, b'U', unit.u)), n_units + 1
    inline, inline_sum, n_inline = {}, 0, 0
    for entry in domain.entries(5):
        record, tag = entry[:48], entry[48:]
        inline.setdefault((u('Q', record, 12)[0], record[1], u('Q', record, 20)[0], u('I', record, 28)[0]), []).append((record, tag))
        inline_sum, n_inline = add(inline_sum, mac(k_item, b'I', record)), n_inline + 1

    # Members: each tree's digest, and their inline payloads.
    opened, digests, entries = 0, b'', set()
    for (member_id, root), (_, member) in zip(members, domain.items[2]):
        before = dict(plain.items(plain.tree(member_id)))
        check_flags(image, plain, domain, member_id)
        modes, links = {}, {}
        for key, item in image.items(root):
            if key[1:] == (INODE, 0):
                links[key[0]], modes[key[0]] = u('I', item, 40)[0], u('I', item, 52)[0]
        orphans = {key[2] for key, _ in image.items(root) if key[:2] == (0xFFFFFFFFFFFFFFFB, 48)}
        total, count, versions = 0, 0, {}
        for key, item in image.items(root):
            if key[:2] == (0xFFFFFFFFFFFFFFFB, 48) or key[0] in orphans and (links.get(key[0]) == 0 or key[0] in links and key[1] in (36, 37)):
                continue
            canonical, payload = item, None
            if key[1] == INODE:
                canonical = item[:8] + bytes(8) + item[16:72] + bytes(8 + 32 + 12) + item[124:]
            elif key[1] == EXTENT_DATA and item[20] == 0:
                canonical, payload = item[:21], (2 if modes[key[0]] & 0o170000 == 0o120000 else 1, item[21:], before[key][21:])
            elif key[1] in (36, 37):
                canonical, payload = b'', (3 if key[1] == 36 else 4, item, before[key])
            elif key[1] == EXTENT_DATA and u('Q', item, 21)[0] != 0:
                check(item[20] == 2 or u('H', item, 18)[0] == 0xC5EA, 'a regular extent has no mark')
                canonical = item[:21] + b''.join(struct.pack('<Q', unit.id) + unit.u[32:48] for unit in joined[u('Q', item, 21)[0]]) + item[29:]
            if payload and payload[1]:
                kind, data, old = payload
                for record, tag in inline[(key[0], kind, key[2], len(data))]:
                    try:
                        got = keys.open(record[0], b'inline', record, 0, data, tag)
                    except InvalidTag:
                        continue
                    check(got == old, f'inline payload of inode {key[0]} is not what it was')
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
    for entry in domain.entries(7):
        index_sum, n_index = add(index_sum, mac(k_item, b'X', entry[:24])), n_index + 1
        index.append((u('Q', entry)[0], entry[8:24]))
    check(index == sorted(entries), 'the index')
    bad = [item for _, item in domain.items[8]]
    n_bad = sum(u('H', item, 2)[0] for item in bad)
    again = mac(keys.d(b'seal'), b'seal', domain.uuid, bytes([domain.cipher]), digests, struct.pack('<Q', n_units), unit_sum.to_bytes(32, 'little'),
                struct.pack('<Q', n_inline), inline_sum.to_bytes(32, 'little'), struct.pack('<Q', n_index), index_sum.to_bytes(32, 'little'),
                struct.pack('<Q', n_bad), hashlib.sha256(b''.join(bad)).digest())
    stored = domain.items[6][0][1]
    check(stored[8:168] == b''.join([struct.pack('<Q', n_units), unit_sum.to_bytes(32, 'little'), struct.pack('<Q', n_inline), inline_sum.to_bytes(32, 'little'),
                                     struct.pack('<Q', n_index), index_sum.to_bytes(32, 'little'), struct.pack('<Q', n_bad),
                                     hashlib.sha256(b''.join(bad)).digest()]), 'the sums of the seal')
    check(again == domain.seal == stored[168:200], 'the seal')
    print(f'units: {n_units} of {n_blocks} blocks, inline units: {n_inline}, opened {opened}, index entries: {n_index}; seal {domain.seal[:16].hex()}')


if __name__ == "__main__":
    main(*sys.argv[1:])
