#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares what btrfs-crypt reads from an image with what the kernel showed of it.

read-compare.py record MOUNTPOINT >FILE        every directory in its order, every entry with what stat and readlink say, every file's sha256
read-compare.py compare PROGRAM IMAGE FILE [KEY-OPTION...]
    ls --format json of each directory and cat of each file; exit 1 at any difference.  With key options: files that want a key get it, and there
    must be such files; of each directory the first of them, and every fourth, is tried without the key as well and must show nothing.
"""
import hashlib
import json
import os
import stat
import subprocess
import sys

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFCHR: "character-device",
         stat.S_IFBLK: "block-device", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
WANTS_KEY = 2
SUBVOLUME_ROOT, EMPTY_SUBVOLUME = 256, 2


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def entry_facts(path, name):
    st = os.lstat(path)
    facts = {"name": name.hex(), "inode": st.st_ino, "type": TYPES[stat.S_IFMT(st.st_mode)]}
    if st.st_ino == EMPTY_SUBVOLUME:
        return facts | {"type": "empty-subvolume"}
    sec, nsec = divmod(abs(st.st_mtime_ns), 10**9)
    mtime = f"{'-' if st.st_mtime_ns < 0 else ''}{sec}.{nsec:09d}"
    facts |= {"mode": stat.filemode(st.st_mode), "uid": st.st_uid, "gid": st.st_gid, "size": st.st_size, "mtime": mtime}
    if not stat.S_ISDIR(st.st_mode):
        facts["links"] = st.st_nlink
    if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
        facts["device"] = f"{os.major(st.st_rdev)}:{os.minor(st.st_rdev)}"
    if stat.S_ISLNK(st.st_mode):
        facts["target"] = os.readlink(path).hex()
    if stat.S_ISREG(st.st_mode):
        facts["sha256"] = sha256(path)
    return facts


def record(directory, subvolume, inside):
    """One line per directory, those of nested subvolumes by their own path."""
    entries = []
    below = []
    with os.scandir(directory) as scan:
        for entry in scan:      # the kernel gives them in the order of the index
            facts = entry_facts(entry.path, entry.name)
            entries.append(facts)
            if facts["type"] == "directory" and facts["inode"] == SUBVOLUME_ROOT:
                below.append((entry.path, os.path.join(subvolume, inside, entry.name), b""))
            elif facts["type"] == "directory":
                below.append((entry.path, subvolume, os.path.join(inside, entry.name)))
    print(json.dumps({"subvolume": subvolume.hex(), "inside": inside.hex(), "entries": entries}))
    for each in below:
        record(*each)


def name_bytes(row, member):
    hexed = row.get(member + "_hex")
    return bytes.fromhex(hexed) if hexed else row[member].encode()


def rows_of(program, image, subvolume, inside, options):
    run = subprocess.run([program, "ls", "--format", "json", image, subvolume, inside], capture_output=True, check=False)
    if options and b'"target_sealed":true' in run.stdout:
        run = subprocess.run([program, "ls", *options, "--format", "json", image, subvolume, inside], capture_output=True, check=False)
    if run.returncode:
        return [run.stderr.decode(errors="replace")]
    rows = []
    for line in run.stdout.splitlines():
        row = json.loads(line)
        facts = {key: row[key] for key in ("type", "mode", "uid", "gid", "mtime", "device") if key in row}
        facts |= {"name": name_bytes(row, "name").hex(), "inode": int(row["inode"])}
        if "size" in row:
            facts["size"] = int(row["size"])
        if "links" in row and row["type"] != "directory":
            facts["links"] = row["links"]
        if "target" in row:
            facts["target"] = name_bytes(row, "target").hex()
        rows.append(facts)
    return rows


def cat(program, options, image, subvolume, path, with_key):
    """The finished process, and whether the file wanted a key."""
    if with_key:
        return subprocess.run([program, "cat", "--quiet", *options, "--", image, subvolume, path], capture_output=True, check=False), True
    run = subprocess.run([program, "cat", "--quiet", "--", image, subvolume, path], capture_output=True, check=False)
    if run.returncode != WANTS_KEY or not options:
        return run, False
    if run.stdout:
        run.returncode = -1
        return run, True
    return cat(program, options, image, subvolume, path, True)


def compare(program, image, listing, options):
    n_rows = n_files = n_bytes = n_bad = n_sealed = 0
    for line in listing:
        seen = json.loads(line)
        subvolume, inside = bytes.fromhex(seen["subvolume"]), bytes.fromhex(seen["inside"])
        want = [{k: v for k, v in entry.items() if k != "sha256"} for entry in seen["entries"]]
        have = rows_of(program, image, subvolume or b"/", inside, options)
        n_rows += len(want)
        if want != have:
            n_bad += 1
            print(f"ls of {subvolume!r} {inside!r} differs:")
            for a, b in zip(want + [None] * len(have), have + [None] * len(want)):
                if a != b:
                    print(f"  kernel {a}\n  image  {b}")
                    break
        n_here = 0              # files that want a key
        for entry in seen["entries"]:
            if "sha256" not in entry:
                continue
            path = os.path.join(inside, bytes.fromhex(entry["name"]))
            run, sealed = cat(program, options, image, subvolume or b"/", path, n_here % 4 > 0)
            n_files += 1
            n_here += sealed
            n_sealed += sealed
            n_bytes += len(run.stdout)
            if run.returncode or run.stderr or hashlib.sha256(run.stdout).hexdigest() != entry["sha256"]:
                n_bad += 1
                print(f"cat {subvolume!r} {path!r}: status {run.returncode}, {len(run.stdout)} of {entry['size']} bytes, "
                      f"{run.stderr.decode(errors='replace').strip()}")
    print(f"{n_rows} entries, {n_files} files ({n_sealed} sealed), {n_bytes} bytes compared, {n_bad} differences")
    return n_bad == 0 and n_files > 0 and (n_sealed > 0) == bool(options)


if __name__ == "__main__":
    if sys.argv[1] == "record":
        record(os.fsencode(sys.argv[2]), b"", b"")
    else:
        with open(sys.argv[4], encoding="ascii") as recorded:
            sys.exit(0 if compare(sys.argv[2], sys.argv[3], recorded, sys.argv[5:]) else 1)
