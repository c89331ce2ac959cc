#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares btrfs-crypt resolve with the kernel.

resolve.py record MOUNTPOINT ADDRESSES >FILE       who has each address; a few kilobytes of each file
resolve.py compare PROGRAM IMAGE FILE              resolve --logical names the same; the bytes of the files are where resolve PATH says
"""
import json
import os
import re
import stat
import subprocess
import sys

SAMPLE = 4096


def kernel_files(mount, address, *options):
    run = subprocess.run(["btrfs", "inspect-internal", "logical-resolve", "-P", *options, address, mount], capture_output=True, check=False)
    return sorted([int(g) for g in m.groups()] for m in re.finditer(rb"inode (\d+) offset (\d+) root (\d+)", run.stdout)) if run.returncode == 0 else []


def record(mount, addresses):
    who = {}
    with open(addresses, encoding="ascii") as lines:
        for address in lines.read().split():
            who[address] = [kernel_files(mount, address), kernel_files(mount, address, "-o")]
    samples = []
    for directory, _, names in os.walk(os.path.join(os.fsencode(mount), b"one")):
        for name in names:
            path = os.path.join(directory, name)
            if not stat.S_ISREG(os.lstat(path).st_mode) or b"/deep" in directory or len(samples) > 150:
                continue
            with open(path, "rb") as file:
                content = file.read(4 << 20)
            samples.append([os.path.relpath(path, os.path.join(os.fsencode(mount), b"one")).hex(), content.hex()])
    json.dump({"who": who, "samples": samples}, sys.stdout)


def rows_of(*words):
    run = subprocess.run(words, capture_output=True, check=False)
    if run.returncode or run.stderr:
        sys.exit("%r: status %d: %s" % (words[1:], run.returncode, run.stderr.decode(errors="replace")))
    return [json.loads(line) for line in run.stdout.splitlines()]


def compare_files(program, image, who):
    n_bad = n_files = 0
    for address, both in who.items():
        for want, options in zip(both, ([], ["-o"])):
            have = [(int(r["inode"]), int(r["offset"]), int(r["subvolume"]))
                    for r in rows_of(program, "resolve", "--format", "json", *options, "--logical", address, image) if r["record"] == "file"]
            have = sorted(list(f) for f in set(have))
            n_files += len(want)
            if have != want:
                n_bad += 1
                print("logical %s %s: kernel %s\n  image %s" % (address, options, want, have))
    return n_bad, n_files


def compare_bytes(program, image, samples):
    n_bad = n_pieces = 0
    with open(image, "rb") as disk:
        for name, content in samples:
            path, content = bytes.fromhex(name), bytes.fromhex(content)
            covered = bytearray(len(content))
            for row in rows_of(program, "resolve", "--format", "json", image, "one", path):
                offset, length = int(row["offset"]), int(row["length"])
                if row["type"] not in ("regular", "inline") or row["compression"] != "none":
                    covered[offset:offset + length] = b"\1" * len(covered[offset:offset + length])
                    continue
                disk.seek(int(row["physical"]))
                want = content[offset:offset + length]
                n_pieces += 1
                covered[offset:offset + length] = b"\1" * len(want)
                if disk.read(len(want)) != want:
                    n_bad += 1
                    print("%r: other bytes at %s" % (path, row))
            lost = [i for i in range(0, len(content), SAMPLE) if not covered[i] and any(content[i:i + SAMPLE])]
            if lost:
                n_bad += 1
                print("%r: nothing is told of %s" % (path, lost[:5]))
            for offset in (0, len(content) // 2, len(content) - 1):
                if content:
                    row = rows_of(program, "resolve", "--format", "json", image, "one", path + b"@%d" % offset)[0]
                    if row["type"] in ("regular", "inline") and row["compression"] == "none":
                        disk.seek(int(row["physical"]))
                        if int(row["offset"]) != offset or disk.read(1) != content[offset:offset + 1]:
                            n_bad += 1
                            print("%r@%d: %s" % (path, offset, row))
                    elif row["type"] in ("hole", "prealloc") and content[offset]:
                        n_bad += 1
                        print("%r@%d: %s" % (path, offset, row))
    return n_bad, n_pieces


def compare(program, image, recorded):
    bad_files, n_files = compare_files(program, image, recorded["who"])
    bad_bytes, n_pieces = compare_bytes(program, image, recorded["samples"])
    print("%d addresses, %d files, %d pieces compared, %d differences" % (len(recorded["who"]), n_files, n_pieces, bad_files + bad_bytes))
    return bad_files + bad_bytes == 0


if __name__ == "__main__":
    if sys.argv[1] == "record":
        record(*sys.argv[2:4])
    else:
        with open(sys.argv[4], encoding="ascii") as file:
            sys.exit(0 if compare(sys.argv[2], sys.argv[3], json.load(file)) else 1)
