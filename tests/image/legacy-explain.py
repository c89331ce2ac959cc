#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Explains every difference between an image and the same written in the format of 2016, with openssl as the cipher; a difference without explanation ends it.

legacy-explain.py BEFORE AFTER KEY ctr|cbc|cts [IV]     IV: of every file, instead of those that stand in the image
Prints the fields of root items, and how many of each kind were explained.
"""
import collections
import os
import subprocess
import sys

PAGE, HEADER, ITEM, CHUNK = 4096, 101, 25, 1 << 18
IV0 = bytes.fromhex("1234567890abcdef" * 2)
LOST = b"\xa5" * 8, b"\x5a" * 8       # how IVs end that the writer makes up, where the image has none
INODE_ITEM, XATTR_ITEM, EXTENT_DATA, EXTENT_CSUM, ROOT_ITEM = 1, 24, 108, 128, 132
counts = collections.Counter()


def number(data, at, n):
    return int.from_bytes(data[at:at + n], "little")


def xor(a, b):
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")


def aes(key, data, *how):
    return subprocess.run(["openssl", "enc", "-aes-128-ecb", "-nopad", "-K", key, *how], input=data, stdout=subprocess.PIPE, check=True).stdout


def ctr_pages(key, ivs):
    """256 blocks of key stream for each IV."""
    blocks = b"".join(((int.from_bytes(iv, "big") + i) % (1 << 128)).to_bytes(16, "big") for iv in ivs for i in range(PAGE // 16))
    stream = aes(key, blocks)
    return [stream[at:at + PAGE] for at in range(0, len(stream), PAGE)]


def in_order(mode, data):
    """Of CTS, as CBC has the last two blocks; a last one that is not whole is not looked at."""
    whole = len(data) // 16 * 16
    if mode == "cbc" or whole == 16 and len(data) == 16:
        return data[:whole]
    if len(data) % 16:
        return data[:whole - 16]
    return data[:whole - 32] + data[whole - 16:] + data[whole - 32:whole - 16]


class Payloads:
    """Plain text and ciphertext of pages and inline extents, to be explained at once."""

    def __init__(self):
        self.pairs = []

    def add(self, kind, plain, secret):
        self.pairs.append((kind, plain, secret))

    def explain(self, key, mode, ivs):
        if mode == "ctr":
            streams = ctr_pages(key, ivs)
            known = {stream[:16] for stream in streams}, {stream for stream in streams}
        else:
            ordered = [in_order(mode, secret) for _, _, secret in self.pairs]
            clear = aes(key, b"".join(ordered), "-d")
            at = 0
        for i, (kind, plain, secret) in enumerate(self.pairs):
            if mode == "ctr":
                stream = xor(plain, secret)
                right = stream in known[1] if len(stream) == PAGE else any(each.startswith(stream) for each in known[1])
            else:
                blocks = ordered[i]
                opened = clear[at:at + len(blocks)]
                at += len(blocks)
                iv = xor(opened[:16], plain[:16]) if blocks else None
                if iv and iv[8:] in LOST:
                    counts["under a lost IV"] += 1
                    ivs.add(iv)
                right = not blocks or iv in ivs and xor(opened, iv + blocks[:-16]) == plain[:len(blocks)]
            if not right:
                sys.exit("%d bytes (%s) are under no IV of the image" % (len(secret), kind))
            counts[kind] += 1


def items(node):
    for slot in range(number(node, 96, 4)):
        at = HEADER + slot * ITEM
        data, size = HEADER + number(node, at + 17, 4), number(node, at + 21, 4)
        yield node[at:at + 17], node[at + 8], data, size


def names(item):
    """Of attributes: (name, value)."""
    at = 0
    while at < len(item):
        data_len, name_len = number(item, at + 25, 2), number(item, at + 27, 2)
        at += 30 + name_len + data_len
        yield item[at - name_len - data_len:at - data_len], item[at - data_len:at]


def explain_item(kind, old, new, payloads):
    different = [at for at in range(len(old)) if old[at] != new[at]]
    if kind == INODE_ITEM and number(new, 64, 8) == number(old, 64, 8) | 0x1000 and all(64 <= at < 72 for at in different):
        counts["inodes"] += 1
    elif kind == XATTR_ITEM:
        for (_, old_value), (name, value) in zip(names(old), names(new)):
            if old_value != value:
                sys.exit("a value of %s changed" % name)
            counts[name.decode("ascii", "replace")] += 1
    elif kind == EXTENT_DATA and old[16] == old[17] == 0 and new[16] == 3 and old[:16] == new[:16] and old[18:21] == new[18:21]:
        counts["inline items" if old[20] == 0 else "regular items"] += 1
        if old[20] == 0 and new[17] == 1:
            payloads.add("inline", old[21:], new[21:])
        elif old[20] != 1 or new[17] != 0 or old[21:] != new[21:]:
            sys.exit("a file extent has other fields")
    elif kind == ROOT_ITEM and number(new, 208, 8) == number(old, 208, 8) | 1 << 49 and all(208 <= at < 216 or 375 <= at < 407 for at in different):
        counts["roots"] += 1
        print("root algorithm %s length %d hash %d tag %s" % (new[375:391].rstrip(b"\0").decode(), number(new, 391, 4), number(new, 395, 4),
                                                              new[391:407].rstrip(b"\0") if new[399] else "-"))
    elif kind == EXTENT_CSUM:
        counts["checksum items"] += 1
    else:
        sys.exit("an item of type %d changed at %s" % (kind, different))


def explain_node(old, new, payloads):
    if old[32:HEADER] != new[32:HEADER] or number(old, 100, 1):
        sys.exit("the header of a tree block changed, or one that is no leaf")
    covered = HEADER + number(old, 96, 4) * ITEM
    if old[HEADER:covered] != new[HEADER:covered]:
        sys.exit("keys or places of items changed")
    rebuilt = bytearray(old)
    rebuilt[:4] = new[:4]
    for _, kind, at, size in items(old):
        if old[at:at + size] != new[at:at + size]:
            explain_item(kind, old[at:at + size], new[at:at + size], payloads)
            rebuilt[at:at + size] = new[at:at + size]
    if rebuilt != new:
        sys.exit("a tree block changed outside its items")


def with_data(file):
    """Where there is something else than holes."""
    found, at, end = set(), 0, os.fstat(file.fileno()).st_size
    while at < end:
        try:
            at = os.lseek(file.fileno(), at, os.SEEK_DATA) // CHUNK * CHUNK
        except OSError:
            break
        found.add(at)
        at += CHUNK
    return found


def main():
    before_path, after_path, key, mode = sys.argv[1:5]
    payloads, ivs, seen = Payloads(), {bytes.fromhex(iv) for iv in sys.argv[5:]}, collections.defaultdict(list)
    secret_ivs = set()
    with open(before_path, "rb") as before, open(after_path, "rb") as after:
        before.seek(65536)
        superblock = before.read(PAGE)
        fsid, node_size = superblock[32:48], number(superblock, 148, 4)
        for at in sorted(with_data(before) | with_data(after)):
            old, new = os.pread(before.fileno(), CHUNK, at), os.pread(after.fileno(), CHUNK, at)
            for inside in range(0, len(old), node_size) if old != new else []:
                one, other = old[inside:inside + node_size], new[inside:inside + node_size]
                if one == other:
                    continue
                if one[32:48] == fsid:
                    if number(one, 48, 8) not in seen:
                        explain_node(one, other, payloads)
                        for _, kind, start, size in items(other):
                            if kind == XATTR_ITEM:
                                secret_ivs.update(value[:16] for name, value in names(other[start:start + size]) if name == b"btrfs.cryptoiv")
                    seen[number(one, 48, 8)].append(other)
                    continue
                for page in range(0, node_size, PAGE):
                    if one[page:page + PAGE] != other[page:page + PAGE]:
                        payloads.add("pages", one[page:page + PAGE], other[page:page + PAGE])
    if not ivs:
        whole = b"".join(iv for iv in sorted(secret_ivs) if len(iv) == 16)
        clear = aes(key, whole, "-d")
        ivs = {xor(clear[at:at + 16], IV0) for at in range(0, len(clear), 16)}
    if any(each != mirrors[0] for mirrors in seen.values() for each in mirrors):
        sys.exit("the mirrors of a tree block differ")
    counts["mirrors"] = min(len(mirrors) for mirrors in seen.values())
    counts["IVs"] = len(ivs)
    payloads.explain(key, mode, ivs)
    print(" ".join("%s %d" % each for each in sorted(counts.items())))


main()
