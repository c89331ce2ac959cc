#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Says what every byte of a one-device image is for, from what `btrfs inspect-internal dump-tree` prints, and judges changes by it.

layout.py classes IMAGE --member ID...            bytes per class
layout.py ranges IMAGE CLASS... --member ID...    physical "offset length" lines of these classes
layout.py garbage IMAGE [some]                    overwrites free space of data-only block groups with noise, or some of it
layout.py diff BEFORE AFTER --member ID...        changed 4 KiB blocks per class; exit 1 where one changed that must not
layout.py inodes IMAGE START END                   "tree inode" of the data extents in these physical bytes
layout.py find IMAGE HEX...                        "count class" lines: where these bytes are on the whole device
layout.py same BEFORE AFTER CLASS... --member ID... exit 1 where bytes of these classes of BEFORE differ in AFTER

Classes: super, stripe (the rest of the 64 KiB around a superblock copy), first-mib, unallocated, data-member, data-shared (by a member and
another subvolume), data-other, data-free, meta-free, system-free, leaf-member, leaf-shared, tree:NAME, and new-chunk in a diff.
"""
import argparse
import bisect
import collections
import mmap
import os
import re
import subprocess
import sys

SUPER_AT = (64 << 10, 64 << 20, 256 << 30)
BLOCK = 4096
JOURNAL_MOST = 3 * (32 << 20) + (1 << 20)       # three slots, and the place of header and key slots
# What a conversion may change: its data and leaves, the trees that describe them, free space of metadata and mixed groups, superblocks.
MAY_CHANGE = {"super", "data-member", "leaf-member", "meta-free", "tree:ROOT_TREE", "tree:EXTENT_TREE", "tree:CSUM_TREE",
              "tree:FREE_SPACE_TREE", "tree:BLOCK_GROUP_TREE", "new-chunk"}

Chunk = collections.namedtuple("Chunk", "logical length type stripes")


class Layout:
    def __init__(self, image, members):
        self.size = os.path.getsize(image)
        self.members = set(members)
        self.chunks, self.blocks, self.data, self.inodes = [], {}, {}, set()
        self.allocated = []     # (logical, length, is_tree)
        self.nodesize = int(re.search(r"^nodesize\s+(\d+)", self.run("dump-super", image), re.M).group(1))
        self.read(self.run("dump-tree", image))
        self.chunks.sort()
        self.spans = sorted(self.make_spans())
        self.starts = [span[0] for span in self.spans]

    @staticmethod
    def run(command, image):
        return subprocess.run(["btrfs", "inspect-internal", command, image], check=True, stdout=subprocess.PIPE,
                              encoding="utf-8", errors="surrogateescape").stdout

    def read(self, text):
        tree, key, chunk, disk = None, None, None, None
        tree_re = re.compile(r"^.* tree key \((\S+) ROOT_ITEM \S+\)|^(root|chunk) tree$")
        for line in text.split("\n"):
            if line.startswith(("leaf ", "node ")):
                words = line.split()
                if "level" in words or "items" in words:
                    level = int(words[3]) if words[2] == "level" else 0
                    self.blocks.setdefault(int(words[1]), (level, set()))[1].add(tree)
            elif line.startswith("\titem "):
                found = re.match(r"\titem \d+ key \((\S+) (\S+) (\S+)\)", line)
                key = found.groups()
                if tree == "EXTENT_TREE" and key[1] in ("EXTENT_ITEM", "METADATA_ITEM"):
                    length = int(key[2]) if key[1] == "EXTENT_ITEM" else self.nodesize
                    self.allocated.append((int(key[0]), length))
            elif line.startswith("\t\t"):
                if key[1] == "CHUNK_ITEM":
                    found = re.match(r"\t\tlength (\d+) .* type (\S+)", line)
                    if found:
                        chunk = Chunk(int(key[2]), int(found.group(1)), found.group(2), [])
                        self.chunks.append(chunk)
                    found = re.match(r"\t\t\tstripe \d+ devid \d+ offset (\d+)", line)
                    if found:
                        chunk.stripes.append(int(found.group(1)))
                elif key[1] == "EXTENT_DATA":
                    found = re.match(r"\t\t(?:extent|prealloc) data disk byte (\d+) nr (\d+)", line)
                    if found and int(found.group(1)):
                        self.data.setdefault(int(found.group(1)), (int(found.group(2)), set()))[1].add(tree)
                        self.inodes.add((int(found.group(1)), tree, int(key[0])))
            else:
                found = tree_re.match(line)
                if found:
                    tree = found.group(1) or found.group(2).upper() + "_TREE"
                    tree = "5" if tree == "FS_TREE" else tree

    def class_of_owners(self, owners, kind, single):
        inside = {o for o in owners if o in self.members}
        if inside == owners:
            return kind + "-member" if single else "tree:member"
        if inside:
            return kind + "-shared"
        return kind + "-other" if kind == "data" else "tree:" + (",".join(sorted(owners)))

    def logical_spans(self):
        """(logical, length, class), complete over every chunk."""
        used = {}
        for logical, length in self.allocated:
            if logical in self.blocks:
                level, owners = self.blocks[logical]
                used[logical] = (length, self.class_of_owners(owners, "leaf", level == 0))
            elif logical in self.data:
                used[logical] = (length, self.class_of_owners(self.data[logical][1], "data", True))
            else:
                used[logical] = (length, "unreferenced")
        order = sorted(used)
        for chunk in self.chunks:
            kinds = chunk.type.split("|")
            free = "meta-free" if "METADATA" in kinds else "data-free" if "DATA" in kinds else "system-free"
            at, end = chunk.logical, chunk.logical + chunk.length
            for logical in order[bisect.bisect_left(order, at):bisect.bisect_left(order, end)]:
                if logical > at:
                    yield chunk, at, logical - at, free
                yield chunk, logical, used[logical][0], used[logical][1]
                at = logical + used[logical][0]
            if at < end:
                yield chunk, at, end - at, free

    def make_spans(self):
        spans = []
        for chunk, logical, length, name in self.logical_spans():
            for stripe in chunk.stripes:
                spans.append((logical - chunk.logical + stripe, length, name, logical))
        cut = [(0, 1 << 20, "first-mib")]
        cut += [(at, 64 << 10, "stripe") for at in SUPER_AT if at < self.size and at > 1 << 20]
        for at, length, name in cut:
            spans = [part for span in spans for part in outside(span, at, length)]
            spans.append((at, length, name, None))
        for at in SUPER_AT:
            if at < self.size:
                spans = [part for span in spans for part in outside(span, at, BLOCK)]
                spans.append((at, BLOCK, "super", None))
        spans.sort()
        at = 0
        for start, length, _, _ in list(spans):
            if start > at:
                spans.append((at, start - at, "unallocated", None))
            at = max(at, start + length)
        if at < self.size:
            spans.append((at, self.size - at, "unallocated", None))
        return spans

    def find(self, physical):
        return self.spans[bisect.bisect_right(self.starts, physical) - 1]


def outside(span, at, length):
    """What is left of a span without [at, at + length)."""
    start, size, name, logical = span
    end = start + size
    if end <= at or start >= at + length:
        yield span
        return
    if start < at:
        yield start, at - start, name, logical
    if end > at + length:
        moved = None if logical is None else logical + at + length - start
        yield at + length, end - at - length, name, moved


def open_map(path, write=False):
    with open(path, "r+b" if write else "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_WRITE if write else mmap.ACCESS_READ)


def data_ranges(path):
    """Ranges of the file that are not holes."""
    fd = os.open(path, os.O_RDONLY)
    size, at = os.fstat(fd).st_size, 0
    try:
        while at < size:
            try:
                start = os.lseek(fd, at, os.SEEK_DATA)
            except OSError:
                return
            at = os.lseek(fd, start, os.SEEK_HOLE)
            yield start, at
    finally:
        os.close(fd)


def changed_blocks(before, after):
    a, b = open_map(before), open_map(after)
    if len(a) != len(b):
        sys.exit("layout: the sizes differ: %d, %d" % (len(a), len(b)))
    step, places = 64 << 10, set()
    for path in (before, after):
        for start, end in data_ranges(path):
            places.update(range(start // step, (end + step - 1) // step))
    for place in sorted(places):
        at = place * step
        if a[at:at + step] != b[at:at + step]:
            for block in range(at, min(at + step, len(a)), BLOCK):
                if a[block:block + BLOCK] != b[block:block + BLOCK]:
                    yield block, b[block:block + BLOCK].count(0) == BLOCK


def diff(before, after, members):
    was, now = Layout(before, members), Layout(after, members)
    old_chunks = {chunk.logical for chunk in was.chunks}
    new = [(stripe, chunk.length) for chunk in now.chunks if chunk.logical not in old_chunks for stripe in chunk.stripes]
    allowed = set(MAY_CHANGE)
    if new:
        allowed |= {"tree:CHUNK_TREE", "tree:DEV_TREE", "system-free"}
    count, first, journal = collections.Counter(), {}, set()
    for at, wiped in changed_blocks(before, after):
        start, _, name, logical = was.find(at)
        if name == "unallocated" and any(s <= at < s + length for s, length in new):
            name = "new-chunk"
        if name == "data-free":     # the journal was there: nothing of it may be left
            journal.add(logical + at - start)
            name = name if wiped else "data-free, not wiped"
        count[name] += 1
        first.setdefault(name, at)
    areas = []
    for at in sorted(journal):      # [start, end) of each changed run
        if areas and at == areas[-1][1]:
            areas[-1][1] = at + BLOCK
        else:
            areas.append([at, at + BLOCK])
    good = True
    for name in sorted(count):
        fine = name in allowed or (name == "data-free" and sum(end - start for start, end in areas) <= JOURNAL_MOST)
        good = good and fine
        print("%-24s %8d blocks changed%s" % (name, count[name], "" if fine else ", MUST NOT: first at %#x" % first[name]))
    for start, end in areas:
        print("%-24s %8d blocks changed from logical %#x" % ("  of data-free", (end - start) // BLOCK, start))
    return good


def same(before, after, classes, members):
    layout = Layout(before, members)
    a, b = open_map(before), open_map(after)
    bad = 0
    for at, length, name, _ in layout.spans:
        if name in classes and a[at:at + length] != b[at:at + length]:
            print("%s at %#x, %d bytes: differs" % (name, at, length))
            bad += 1
    return bad == 0


def inodes(image, start, end):
    layout = Layout(image, ())
    hit = {logical for at, length, _, logical in layout.spans if logical is not None and at < end and at + length > start}
    for tree, inode in sorted({(tree, inode) for logical, tree, inode in layout.inodes if logical in hit}):
        print(tree, inode)


def garbage(image, some):
    """Some: the first 4 MiB of each free range, and 64 KiB of each 2 MiB after it.  What is a hole costs nothing later."""
    layout = Layout(image, ())
    noise = os.urandom(4 << 20)
    with open(image, "r+b") as target:
        for at, length, name, _ in layout.spans:
            if name != "data-free":
                continue
            done = 0
            while done < length:
                piece = min(len(noise) if done == 0 or not some else 64 << 10, length - done)
                target.seek(at + done)
                target.write(noise[-piece:] if done else noise[:piece])
                done += piece if done == 0 or not some else 2 << 20


def find(image, layout, texts):
    """Of bytes that the whole device is searched for: in how many places of each class they are."""
    disk, found = open_map(image), collections.Counter()
    for start, end in data_ranges(image):
        for text in texts:
            at = disk.find(text, start, end)
            while at >= 0:
                found[layout.find(at)[2]] += 1
                at = disk.find(text, at + 1, end)
    for name, n in sorted(found.items()):
        print(n, name)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=("classes", "ranges", "garbage", "inodes", "diff", "same", "find"))
    parser.add_argument("image")
    parser.add_argument("rest", nargs="*")
    parser.add_argument("--member", action="append", default=[])
    args = parser.parse_args()
    if args.command == "diff":
        sys.exit(not diff(args.image, args.rest[0], args.member))
    if args.command == "inodes":
        return inodes(args.image, int(args.rest[0]), int(args.rest[1]))
    if args.command == "same":
        sys.exit(not same(args.image, args.rest[0], args.rest[1:], args.member))
    if args.command == "garbage":
        return garbage(args.image, args.rest == ["some"])
    layout = Layout(args.image, args.member)
    if args.command == "find":
        return find(args.image, layout, [bytes.fromhex(text) for text in args.rest])
    if args.command == "ranges":
        for at, length, name, _ in layout.spans:
            if name in args.rest:
                print(at, length)
    else:
        total = collections.Counter()
        for _, length, name, _ in layout.spans:
            total[name] += length
        for name in sorted(total):
            print("%-24s %12d" % (name, total[name]))


main()
