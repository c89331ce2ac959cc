#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which filesystems the matrix makes: rows in which every two values of different factors meet at least once.

matrix-plan.py SEED short|long       one row per line, as words NAME=VALUE

A full product would be billions of images.  The same seed gives the same rows.  The long plan has every mix of a data and a metadata profile at every
number of devices as well, the short one each profile at each number.  A pair that no filesystem can have (see REFUSED) is left out; the last line,
a comment, says how many there are of each.
"""
import itertools
import random
import sys

LEAST_DEVICES = {"single": 1, "dup": 1, "raid0": 1, "raid1": 2, "raid10": 2, "raid5": 2, "raid6": 3, "raid1c3": 3, "raid1c4": 4}
PROFILES = list(LEAST_DEVICES)

FACTORS = {
    "devices": [1, 2, 3, 4, 5, 6],
    "data": PROFILES,
    "meta": PROFILES,
    "system": PROFILES,
    "made": ["mkfs", "grown"],                  # grown: on one device, the others added, then balanced into the profiles
    "mixed": [0, 1],
    "nodesize": [4096, 8192, 16384, 32768, 65536],
    "csum": ["crc32c", "xxhash", "sha256", "blake2"],
    "compress": ["no", "zlib", "lzo", "zstd:1", "zstd:15"],
    "force": [0, 1],                            # compress what does not get smaller, too
    "write": ["datacow", "nodatasum", "nodatacow"],
    "inline": [0, 2048, 4095],                  # the largest file that is kept in a leaf
    "extref": [0, 1],
    "skinny": [0, 1],
    "noholes": [0, 1],
    "space": ["tree", "v1", "none"],
    "groups": [0, 1],                           # block groups in a tree of their own
    "quota": ["none", "mkfs", "full", "simple"],
    "subvolume": ["plain", "received", "default"],
    "verity": [0, 1],
}

# A row that answers yes to one of these cannot be made; asked as soon as all the factors it names are chosen.
REFUSED = [
    (("devices", "data"), lambda r: LEAST_DEVICES[r["data"]] > r["devices"]),
    (("devices", "meta"), lambda r: LEAST_DEVICES[r["meta"]] > r["devices"]),
    (("devices", "system"), lambda r: LEAST_DEVICES[r["system"]] > r["devices"]),
    (("mixed", "data", "meta"), lambda r: r["mixed"] and r["data"] != r["meta"]),
    (("mixed", "nodesize"), lambda r: r["mixed"] and r["nodesize"] != 4096),
    (("write", "compress"), lambda r: r["write"] != "datacow" and r["compress"] != "no"),
    (("force", "compress"), lambda r: r["force"] and r["compress"] == "no"),
    # The kernel wants both for a block group tree.  The tests' editor makes it, as this mkfs cannot: before anything else is done.
    (("groups", "noholes"), lambda r: r["groups"] and not r["noholes"]),
    (("groups", "space"), lambda r: r["groups"] and r["space"] != "tree"),
    (("groups", "made"), lambda r: r["groups"] and r["made"] != "grown"),
    # The editor that adds verity items, which this kernel may not make, wants one device, and a leaf with room.
    (("verity", "nodesize"), lambda r: r["verity"] and r["nodesize"] < 16384),
    (("verity", "devices"), lambda r: r["verity"] and r["devices"] > 1),
    (("verity", "data"), lambda r: r["verity"] and r["data"] not in ("single", "dup")),
    (("verity", "meta"), lambda r: r["verity"] and r["meta"] not in ("single", "dup")),
    (("verity", "system"), lambda r: r["verity"] and r["system"] not in ("single", "dup")),
]
NAMES = list(FACTORS)
RELATED = {name for names, _ in REFUSED for name in names}
CANDIDATES = 8         # of which the one with most new pairs becomes a row


def allowed(row, name):
    """Nothing that was chosen, the factor NAME last, refuses the row."""
    return not any(name in names and all(n in row for n in names) and no(row) for names, no in REFUSED)


def completed(fixed, left, rng):
    """A row with these values, the others such that it has many pairs of those LEFT, else random; None: there is none."""
    row = {}
    order = list(fixed) + rng.sample([name for name in NAMES if name not in fixed], len(NAMES) - len(fixed))

    def gain(name, value):
        return -sum(pair(name, value, other, row[other]) in left for other in row), rng.random()

    def hopeful():
        """Every factor has a value left: else the search would try all of those between first."""
        return all(name in row or any(allowed(row | {name: value}, name) for value in FACTORS[name]) for name in RELATED)

    def choose(at):
        if at == len(order):
            return True
        name = order[at]
        values = [fixed[name]] if name in fixed else sorted(FACTORS[name], key=lambda value: gain(name, value))
        for value in values:
            row[name] = value
            if allowed(row, name) and hopeful() and choose(at + 1):
                return True
            del row[name]
        return False

    return row if choose(0) else None


def pair(a, x, b, y):
    return (a, x, b, y) if NAMES.index(a) < NAMES.index(b) else (b, y, a, x)


def pairs_of(row):
    return {(a, row[a], b, row[b]) for a, b in itertools.combinations(NAMES, 2)}


def plan(seed, long):
    rng = random.Random(seed)
    wanted, impossible = [], 0
    for a, b in sorted(itertools.combinations(NAMES, 2), key=lambda two: -len(FACTORS[two[0]]) * len(FACTORS[two[1]])):
        # Profiles know nothing of each other: a chunk has one.
        if not long and ("system" in (a, b) and "devices" not in (a, b) or (a, b) == ("data", "meta")):
            continue
        for x, y in itertools.product(FACTORS[a], FACTORS[b]):
            if completed({a: x, b: y}, (), rng):
                wanted.append({a: x, b: y})
            else:
                impossible += 1
    left = {pair(*(word for item in each.items() for word in item)) for each in wanted}
    total, rows = len(left), []
    if long:
        wanted = [{"devices": n, "data": d, "meta": m} for n, d, m in itertools.product(FACTORS["devices"], PROFILES, PROFILES)
                  if max(LEAST_DEVICES[d], LEAST_DEVICES[m]) <= n] + wanted
    for each in wanted:
        if len(each) == 2 and pair(*(word for item in each.items() for word in item)) not in left:
            continue
        row = max((completed(each, left, rng) for _ in range(CANDIDATES)), key=lambda one: len(pairs_of(one) & left))
        left -= pairs_of(row)
        rows.append({name: row[name] for name in NAMES})
    assert not left
    return rows, total, impossible


def main():
    rows, total, impossible = plan(sys.argv[1], sys.argv[2] == "long")
    for number, row in enumerate(rows, 1):
        print("number=%d" % number, *("%s=%s" % item for item in row.items()))
    print("# %d rows have all of %d pairs; %d more are impossible" % (len(rows), total, impossible))


main()
