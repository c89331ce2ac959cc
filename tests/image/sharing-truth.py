#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What btrfs-progs say a set of subvolumes consists of and who shares with it: compared with show-sharing.

sharing-truth.py SHOW-SHARING IMAGE scan ID...      the scan is exactly what dump-tree prints of the trees
sharing-truth.py SHOW-SHARING IMAGE sharing ID...   every sharer is one, and taking them in until there are no more gives
                                                    exactly those that share by any chain; prints the sharers found first
"""
import re
import subprocess
import sys

SHOW, IMAGE, WHAT = sys.argv[1:4]
IDS = [int(i) for i in sys.argv[4:]]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def tree(number):
    """Blocks {address: level} and extents {address: length} of a subvolume, regular files, marks."""
    blocks, extents, files, marks = {}, {}, set(), {}
    leaf, kind = 0, None
    for line in run("btrfs", "inspect-internal", "dump-tree", "-t", str(number), IMAGE).splitlines():
        if m := re.match(r"leaf (\d+) ", line):
            leaf = int(m[1])
            blocks[leaf] = 0
        elif m := re.match(r"node (\d+) level (\d+) ", line):
            blocks[int(m[1])] = int(m[2])
        elif m := re.match(r"\s+(?:extent|prealloc) data disk byte (\d+) nr (\d+)", line):
            if int(m[1]):
                extents[int(m[1])] = int(m[2])
                marks[int(m[1])] = marks.get(int(m[1]), False) or "prealloc" not in line
        elif m := re.match(r"\titem \d+ key \((\S+) (\S+) (\S+)\)", line):
            key = m.groups()
        elif m := re.match(r"\s+block group \d+ mode (\d+) ", line):
            if int(m[1], 8) & 0o170000 == 0o100000:
                files.add((leaf, key[0]))
    return blocks, extents, files, marks


def subvolumes():
    found = [5]
    for line in run("btrfs", "inspect-internal", "dump-tree", "-t", "root", IMAGE).splitlines():
        if (m := re.match(r"\titem \d+ key \((\d+) ROOT_ITEM ", line)) and int(m[1]) >= 256:
            found.append(int(m[1]))
    return found


def check_scan():
    lines = run(SHOW, "scan", IMAGE, *map(str, reversed(IDS))).splitlines()
    blocks, extents, files, member, marks = {}, {}, set(), {}, {}
    for i in sorted(IDS):
        b, e, f, m = tree(i)
        for address in b:
            member.setdefault(address, i)
        blocks |= b
        extents |= e
        files |= f
        for address, marked in m.items():
            marks[address] = marks.get(address, False) or marked
    want = [f"block {a} level {blocks[a]} member {member[a]}" for a in sorted(blocks)]
    want += [f"extent {a} length {extents[a]}{' unmarked' if marks[a] else ''}" for a in sorted(extents)]
    want.append(f"leaves {list(blocks.values()).count(0)} files {len(files)} bytes {sum(extents.values())}")
    have = [re.sub(r" at \d+ \d+ \d+", "", line) for line in lines]
    if have != want:
        for line in list(set(have) ^ set(want))[:20]:
            print(("only dump-tree: " if line in want else "only scan: ") + line)
        sys.exit("the scan differs from dump-tree")
    print(f"{len(blocks)} blocks, {len(extents)} extents, {len(files)} files")


def sharers(ids):
    found = {}
    for line in run(SHOW, "sharing", IMAGE, *map(str, sorted(ids))).splitlines():
        _, number, _, blocks, _, extents = line.split()
        found[int(number)] = (int(blocks), int(extents))
    return found


def check_sharing():
    trees = {i: tree(i)[:2] for i in subvolumes()}

    def common(ids, other):
        return tuple(len(set(trees[other][k]) & set().union(*(trees[i][k] for i in ids))) for k in (0, 1))

    found = first = sharers(IDS)
    members = set(IDS)
    while found:
        for i, (n_blocks, n_extents) in found.items():
            all_blocks, all_extents = common(members, i)
            if n_blocks + n_extents == 0 or n_blocks > all_blocks or n_extents > all_extents:
                sys.exit(f"sharer {i} of {sorted(members)}: {n_blocks} blocks, {n_extents} extents; "
                         f"dump-tree says {all_blocks}, {all_extents}")
        members |= set(found)
        found = sharers(members)
    want = set(IDS)
    while more := {i for i in trees if i not in want and any(common(want, i))}:
        want |= more
    if members != want:
        sys.exit(f"closed set {sorted(members)}, dump-tree says {sorted(want)}")
    for i, (n_blocks, n_extents) in sorted(first.items()):
        print(f"{i}: {n_blocks} blocks, {n_extents} extents (of {common(set(IDS), i)[0]}, {common(set(IDS), i)[1]})")


check_scan() if WHAT == "scan" else check_sharing()
