#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which devices of a filesystem may be missing, and damage that it must survive, both from what is printed of its trees.

chunks.py sets all|widest DEVICE...         the sets of devids without which every chunk is still whole, one set a line, the empty one first; widest: only
                                            those that no other one contains, and single devices.  After them "lost", and one smallest set that is too much
chunks.py damage SEED MISSING DEVICE...     random bytes in as many places of every stripe of every chunk as the chunk bears, beside the devices
                                            MISSING (devids with commas, or -); prints how many sectors.  Only what has checksums is hit, and parity.
"""
import itertools
import os
import random
import re
import subprocess
import sys

STRIPE, SECTOR = 65536, 4096
COPIES = {"RAID1": 2, "RAID1C3": 3, "RAID1C4": 4, "DUP": 2}
PARITIES = {"RAID5": 1, "RAID6": 2}


class Chunk:
    def __init__(self, logical, profile, length, sub_stripes, stripes):
        self.logical, self.profile, self.length, self.sub_stripes, self.stripes = logical, profile, length, sub_stripes, stripes

    def groups(self):
        """Columns that stand in for each other, and how many of them may be lost."""
        columns = list(range(len(self.stripes)))
        if self.profile in COPIES:
            return [(columns, len(columns) - 1)]
        if self.profile == "RAID10":
            return [(columns[i:i + self.sub_stripes], self.sub_stripes - 1) for i in range(0, len(columns), self.sub_stripes)]
        return [(columns, PARITIES.get(self.profile, 0))]

    def spare(self, missing):
        """For each group the columns that are left and how many more may be lost; below zero: it is lost."""
        for columns, bears in self.groups():
            left = [c for c in columns if self.stripes[c][0] not in missing]
            yield left, bears - (len(columns) - len(left))

    def n_rows(self):
        n = len(self.stripes)
        wide = {"RAID0": n, "RAID10": n // max(self.sub_stripes, 1), "RAID5": n - 1, "RAID6": n - 2}.get(self.profile, 1)
        return wide, -(-self.length // (wide * STRIPE))

    def logical_of(self, row, column):
        """What the stripe of this column holds; None: parity."""
        wide, _ = self.n_rows()
        if self.profile in PARITIES:
            column = (column - row) % len(self.stripes)
            if column >= wide:
                return None
        elif self.profile == "RAID10":
            column //= self.sub_stripes
        elif self.profile != "RAID0":
            column = 0
        return self.logical + (row * wide + column) * STRIPE


def dump(tree, devices):
    """As btrfs-progs print it, or the program, where they do not know a feature: simple quotas."""
    run = subprocess.run(["btrfs", "inspect-internal", "dump-tree", "-t", tree, *devices], capture_output=True, check=False)
    if run.returncode or b"\titem " not in run.stdout:
        others = [word for path in devices[1:] for word in ("--device", path)]
        run = subprocess.run([os.environ["BTRFS_CRYPT"], "dump-tree", "-t", tree, *others, devices[0]], stdout=subprocess.PIPE, check=True)
    return run.stdout.decode(errors="replace")


def chunks_of(devices):
    text = dump("chunk", devices)
    out = []
    for match in re.finditer(r"key \(FIRST_CHUNK_TREE CHUNK_ITEM (\d+)\).*?\n\t\tlength (\d+) .*? type (\S+).*?sub_stripes (\d+)\n((?:\t\t\t[^\n]*\n)+)", text, re.S):
        stripes = [(int(d), int(o)) for d, o in re.findall(r"stripe \d+ devid (\d+) offset (\d+)", match[5])]
        profile = ([p for p in match[3].split("|") if p not in ("DATA", "METADATA", "SYSTEM")] + ["single"])[0]
        out.append(Chunk(int(match[1]), profile, int(match[2]), int(match[4]), stripes))
    assert out and all(chunk.stripes for chunk in out)
    return out, sorted(int(d) for d in re.findall(r"key \(DEV_ITEMS DEV_ITEM (\d+)\)", text))


def print_sets(which, devices):
    chunks, devids = chunks_of(devices)
    whole = []
    lost = None
    for k in range(len(devids)):
        for missing in map(set, itertools.combinations(devids, k)):
            if all(spare >= 0 for chunk in chunks for _, spare in chunk.spare(missing)):
                whole.append(missing)
            else:
                lost = lost or missing
    for missing in whole:
        if which == "all" or len(missing) < 2 or not any(missing < other for other in whole):
            print(*sorted(missing))
    if lost:
        print("lost", *sorted(lost))


def sectors(devices):
    """Logical addresses of those that a reader can tell to be wrong, and of data that it cannot."""
    checked, data = set(), set()
    for start, end in re.findall(r"range start (\d+) end (\d+)", dump("csum", devices)):
        checked.update(range(int(start), int(end), SECTOR))
    superblock = subprocess.run(["btrfs", "inspect-internal", "dump-super", devices[0]], capture_output=True, check=True).stdout.decode()
    nodesize = int(re.search(r"^nodesize\s+(\d+)", superblock, re.M)[1])
    for at, length, flags in re.findall(r"key \((\d+) (?:METADATA|EXTENT)_ITEM (\d+)\)[^\n]*\n[^\n]*flags (TREE_BLOCK|DATA)", dump("extent", devices)):
        if flags == "DATA":
            data.update(range(int(at), int(at) + int(length), SECTOR))
        else:
            checked.update(range(int(at), int(at) + nodesize, SECTOR))
    return checked, data - checked


def damage(seed, missing, devices):
    rng = random.Random(seed)
    chunks, _ = chunks_of(devices)
    checked, unchecked = sectors(devices)
    busy = {at // STRIPE * STRIPE for at in checked}
    paths = {}
    for path in devices:
        with open(path, "rb") as file:
            file.seek(65536 + 0xc9)
            paths[int.from_bytes(file.read(8), "little")] = path
    files = {devid: open(path, "r+b") for devid, path in paths.items() if devid not in missing}
    n = 0
    for chunk in chunks:
        for row in range(chunk.n_rows()[1]):
            if not any(chunk.logical_of(row, c) in busy for c in range(len(chunk.stripes))):
                continue
            # What lies on a device here belongs to the same block at most.
            for columns, bears in chunk.spare(missing):
                if bears > 0:
                    for column in rng.sample(columns, min(bears, len(columns) - 1)):
                        n += spoil(chunk, row, column, checked, unchecked, files, rng)
    for file in files.values():
        file.close()
    print(n)


def spoil(chunk, row, column, checked, unchecked, files, rng):
    devid, offset = chunk.stripes[column]
    n = 0
    for at in range(0, STRIPE, SECTOR):
        beside = {chunk.logical_of(row, c) for c in range(len(chunk.stripes))} - {None}
        beside = {logical + at for logical in beside}
        own = chunk.logical_of(row, column)
        hit = checked & (beside if own is None else {own + at})
        # Data that has no checksum may be what parity makes of the others.
        if hit and not beside & unchecked and rng.random() < 0.5:
            files[devid].seek(offset + row * STRIPE + at)
            files[devid].write(rng.randbytes(SECTOR))
            n += 1
    return n


if __name__ == "__main__":
    if sys.argv[1] == "sets":
        print_sets(sys.argv[2], sys.argv[3:])
    else:
        damage(sys.argv[2], {int(d) for d in sys.argv[3].split(",") if d.isdigit()}, sys.argv[4:])
