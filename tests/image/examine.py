#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares what the inspecting commands say of inodes with what the kernel says of a mount.

examine.py record DIRECTORY >FILE                           every name below it, that of other subvolumes left out: stat, flags, lsattr, creation time,
                                                            xattrs, link target, extents as FIEMAP maps them
examine.py stat PROGRAM IMAGE SUBVOLUME FILE                stat --extents of every path equals it
examine.py timeline PROGRAM IMAGE SUBVOLUME FILE            so do both forms of timeline
examine.py changes PROGRAM IMAGE SUBVOLUME FILE SNAPSHOT FILE    timeline --changed-since tells what differs between the two records
"""
import fcntl
import json
import os
import re
import stat
import struct
import subprocess
import sys

FS_IOC_FIEMAP = 0xC020660B
FLAG_LAST, FLAG_ENCODED, FLAG_INLINE, FLAG_UNWRITTEN = 0x1, 0x8, 0x200, 0x800
SUBVOLUME_ROOT, EMPTY_SUBVOLUME = 256, 2


def fiemap(fd):
    """(offset, length, address, kind): what follows each other in the file and on disk is one."""
    rows, at = [], 0
    while True:
        ask = struct.pack("=QQLLLL", at, (1 << 63) - 1 - at, 1, 0, 64, 0) + bytes(64 * 56)   # 1: after a sync
        back = fcntl.ioctl(fd, FS_IOC_FIEMAP, ask, True) if len(ask) <= 1024 else None
        if back is None:
            buffer = bytearray(ask)
            fcntl.ioctl(fd, FS_IOC_FIEMAP, buffer, True)
            back = bytes(buffer)
        mapped = struct.unpack_from("=L", back, 20)[0]
        last = mapped == 0
        for i in range(mapped):
            offset, address, length, _, _, flags, _, _, _ = struct.unpack_from("=QQQQQLLLL", back, 32 + 56 * i)
            kind = "inline" if flags & FLAG_INLINE else "prealloc" if flags & FLAG_UNWRITTEN else "encoded" if flags & FLAG_ENCODED else "plain"
            rows.append([offset, length, 0 if kind == "inline" else address, kind])
            at = offset + length
            last = last or bool(flags & FLAG_LAST)
        if last:
            return joined(rows)


def joined(rows):
    """The kernel joins neighbours, but not always the same ones."""
    out = []
    for offset, length, address, kind in rows:
        if kind == "inline":
            length = 0          # that of a compressed one is told in several ways
        elif out and kind == "encoded" and out[-1][3] == kind and out[-1][0] + out[-1][1] == offset and out[-1][2] == address:
            out[-1][1] += length
            continue
        elif out and kind != "encoded" and out[-1][3] == kind and out[-1][0] + out[-1][1] == offset and out[-1][2] + out[-1][1] == address:
            out[-1][1] += length
            continue
        out.append([offset, length, address, kind])
    return out


def facts(path, name):
    st = os.lstat(path)
    kind = stat.S_IFMT(st.st_mode)
    row = {"path": name.hex(), "inode": st.st_ino, "mode": "%04o" % stat.S_IMODE(st.st_mode), "filemode": stat.filemode(st.st_mode),
           "uid": st.st_uid, "gid": st.st_gid, "links": st.st_nlink, "size": st.st_size, "blocks": st.st_blocks,
           "atime": st.st_atime_ns, "mtime": st.st_mtime_ns, "ctime": st.st_ctime_ns,
           "xattrs": sorted([os.fsencode(x).hex(), len(os.getxattr(path, x, follow_symlinks=False))]
                            for x in os.listxattr(path, follow_symlinks=False))}
    if kind in (stat.S_IFCHR, stat.S_IFBLK):
        row["device"] = "%d:%d" % (os.major(st.st_rdev), os.minor(st.st_rdev))
    if kind == stat.S_IFLNK:
        row["target"] = os.readlink(path).hex()
    if kind in (stat.S_IFREG, stat.S_IFDIR):
        row["attributes"] = subprocess.run(["lsattr", "-d", path], capture_output=True, check=True).stdout.split(b" ")[0].decode()
    if kind == stat.S_IFREG:
        fd = os.open(path, os.O_RDONLY | os.O_NOATIME)
        row["extents"] = fiemap(fd)
        os.close(fd)
    return row


def creation_times(paths):
    """Python does not tell them."""
    out = []
    for i in range(0, len(paths), 200):
        run = subprocess.run(["stat", "--printf", "%w\\n", "--", *paths[i:i + 200]], capture_output=True, check=True, env={"TZ": "UTC", "PATH": os.environ["PATH"]})
        out += run.stdout.decode().splitlines()
    return out


def record(top):
    rows, paths = [], []

    def below(directory, inside):
        paths.append(directory)
        rows.append(facts(directory, inside))
        for name in sorted(os.listdir(directory)):
            path, inner = os.path.join(directory, name), os.path.join(inside, name)
            st = os.lstat(path)
            if stat.S_ISDIR(st.st_mode) and st.st_ino not in (SUBVOLUME_ROOT, EMPTY_SUBVOLUME):
                below(path, inner)
            elif not stat.S_ISDIR(st.st_mode):
                paths.append(path)
                rows.append(facts(path, inner))

    below(os.fsencode(top), b"")
    for row, otime in zip(rows, creation_times(paths)):
        row["otime"] = otime.removesuffix(" +0000")
    json.dump(rows, sys.stdout)


def name_bytes(row, member):
    hexed = row.get(member + "_hex")
    return bytes.fromhex(hexed) if hexed else row[member].encode()


def path_of(row):
    """The root directory is / there, and empty in a manifest."""
    path = name_bytes(row, "path")
    return b"" if path == b"/" else path


def nanoseconds(text):
    return int(text.replace(".", ""))    # nine decimals


def date_of(text):
    """SECONDS.NANOSECONDS as stat(1) prints it."""
    sec, nsec = divmod(nanoseconds(text), 10**9)
    run = subprocess.run(["date", "-u", "-d", "@%d" % sec, "+%Y-%m-%d %H:%M:%S"], capture_output=True, check=True)
    return run.stdout.decode().strip() + ".%09d" % nsec


def run_json(*words):
    run = subprocess.run(words, capture_output=True, check=False)
    if run.returncode or run.stderr:
        sys.exit("%r: status %d: %s" % (words[:4], run.returncode, run.stderr.decode(errors="replace")))
    return [json.loads(line) for line in run.stdout.splitlines()]


def mapped(extent):
    """An extent record as FIEMAP has it; None: a hole."""
    if extent["type"] == "hole":
        return None
    offset, length = int(extent["offset"]), int(extent["length"])
    if extent["type"] == "inline":
        return [offset, length, 0, "inline"]
    if extent["type"] == "prealloc":
        return [offset, length, int(extent["logical"]) + int(extent["extent_offset"]), "prealloc"]
    if extent["compression"] != "none":
        return [offset, length, int(extent["logical"]), "encoded"]
    return [offset, length, int(extent["logical"]) + int(extent["extent_offset"]), "plain"]


def compare_stat(program, image, subvolume, wanted):
    n_bad = 0
    rows = []
    for i in range(0, len(wanted), 100):
        for row in run_json(program, "stat", "--extents", "--format", "json", image, subvolume, *[bytes.fromhex(w["path"]) or "/" for w in wanted[i:i + 100]]):
            if row["record"] == "inode":
                rows.append(row | {"xattrs": [], "map": []})
            elif row["record"] == "xattr":
                rows[-1]["xattrs"].append([name_bytes(row, "name").hex(), row["size"]])
            else:
                rows[-1]["map"].append(mapped(row))
    for want, row in zip(wanted, rows, strict=True):
        have = {"path": name_bytes(row, "path").strip(b"/").hex(), "inode": int(row["inode"]), "mode": row["mode_octal"], "filemode": row["mode"],
                "uid": row["uid"], "gid": row["gid"], "links": row["links"], "size": int(row["size"]), "blocks": int(row["blocks"]),
                "atime": nanoseconds(row["atime"]), "mtime": nanoseconds(row["mtime"]), "ctime": nanoseconds(row["ctime"]),
                "otime": date_of(row["otime"]), "xattrs": sorted(row["xattrs"])}
        for member in ("device", "attributes"):
            if member in want:
                have[member] = row.get(member)
        if "target" in row:
            have["target"] = name_bytes(row, "target").hex()
        if "extents" in want:
            have["extents"] = joined([m for m in row["map"] if m])
        if have != want:
            n_bad += 1
            print("stat of %r differs:" % bytes.fromhex(want["path"]))
            for member in sorted(want | have):
                if want.get(member) != have.get(member):
                    print("  %s: kernel %s\n  image  %s" % (member, want.get(member), have.get(member)))
    print("%d inodes, %d extents, %d xattrs compared, %d differences" %
          (len(wanted), sum(len(w.get("extents", [])) for w in wanted), sum(len(w["xattrs"]) for w in wanted), n_bad))
    return n_bad == 0


def line_of(want, subvolume, dates):
    """A row of the record as a line of the bodyfile; times as numbers."""
    kind = want["filemode"][0].replace("-", "r")
    name = b"/" + os.fsencode(subvolume) + (b"/" if want["path"] else b"") + bytes.fromhex(want["path"])
    return [name, str(want["inode"]), "%s/%s%s" % (kind, kind, want["filemode"][1:]), str(want["uid"]), str(want["gid"]), str(want["size"]),
            *[str(want[t] // 10**9) for t in ("atime", "mtime", "ctime")], dates[want["otime"]]]


def unescaped(text):
    return re.sub(rb"\\(\\|x[0-9a-f]{2})", lambda m: b"\\" if m[1] == b"\\" else bytes.fromhex(m[1][1:].decode()), text)


def seconds_of(wanted):
    """Creation times as seconds."""
    texts = sorted({w["otime"] for w in wanted})
    run = subprocess.run(["date", "-u", "-f", "-", "+%s"], input="\n".join(texts).encode(), capture_output=True, check=True)
    return dict(zip(texts, run.stdout.decode().split(), strict=True))


def fields_of(row):
    return {"inode": int(row["inode"]), "filemode": row["mode"], "uid": row["uid"], "gid": row["gid"], "links": row["links"], "size": int(row["size"]),
            "atime": nanoseconds(row["atime"]), "mtime": nanoseconds(row["mtime"]), "ctime": nanoseconds(row["ctime"])}


def wanted_fields(want):
    return {member: want[member] for member in ("inode", "filemode", "uid", "gid", "links", "size", "atime", "mtime", "ctime")}


def compare_timeline(program, image, subvolume, wanted):
    have = {path_of(r).hex(): fields_of(r) | {"otime": r["otime"]} for r in run_json(program, "timeline", "--format", "json", image, subvolume)}
    dates = seconds_of(wanted)
    want = {}
    for w in wanted:
        nsec = w["otime"].split(".")[1]
        want[w["path"]] = wanted_fields(w) | {"otime": dates[w["otime"]] + "." + nsec}
    n_bad = sum(have.get(path) != want.get(path) for path in have | want)
    for path in have | want:
        if have.get(path) != want.get(path):
            print("%r: kernel %s\n  image  %s" % (bytes.fromhex(path), want.get(path), have.get(path)))
    run = subprocess.run([program, "timeline", image, subvolume], capture_output=True, check=True)
    lines = []
    for line in run.stdout.splitlines():
        md5, name, *rest = line.split(b"|")
        lines.append([unescaped(name), *[r.decode() for r in rest]])
        n_bad += md5 != b"0" or len(rest) != 9
    expected = sorted(line_of(w, subvolume, dates) for w in wanted)
    for a, b in zip(expected, sorted(lines), strict=True):
        if a != b:
            n_bad += 1
            print("kernel %s\n  image  %s" % (a, b))
    print("%d lines, %d differences" % (len(lines), n_bad))
    return n_bad == 0


def compare_changes(program, image, subvolume, after, snapshot, before):
    identity = lambda w: (w["inode"], w["otime"])
    was = {identity(w): w for w in before}
    now = {identity(w): w for w in after}
    want = set()
    for w in after:
        old = was.get(identity(w))
        if not old:
            want.add(("created", w["path"]))
        elif wanted_fields(w) != wanted_fields(old):
            want.add(("changed", w["path"]))
    want |= {("deleted", w["path"]) for w in before if identity(w) not in now}
    rows = run_json(program, "timeline", "--changed-since", snapshot, "--format", "json", image, subvolume)
    have = {(r["change"], path_of(r).hex()) for r in rows}
    for row in rows:
        if row["change"] == "changed":
            old, new = was[[k for k in was if k[0] == int(row["inode"])][0]], now[[k for k in now if k[0] == int(row["inode"])][0]]
            differ = {m for m in ("atime", "mtime", "ctime", "size", "links", "uid", "gid") if old[m] != new[m]}
            if not differ <= set(row["differ"].split()) or fields_of(row["before"] | {"inode": row["inode"]}) != wanted_fields(old):
                have.add(("wrong", str(row)))
    print("%d changes (%s), %d differences: %s" % (len(want), " ".join(sorted({k for k, _ in want})), len(want ^ have),
                                                 [(k, bytes.fromhex(p) if k != "wrong" else p) for k, p in sorted(want ^ have)][:5]))
    return want == have and len(rows) == len(want)


def load(name):
    with open(name, encoding="ascii") as recorded:
        return json.load(recorded)


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "record":
        record(words[0])
    elif what == "changes":
        sys.exit(0 if compare_changes(*words[:3], load(words[3]), words[4], load(words[5])) else 1)
    else:
        sys.exit(0 if {"stat": compare_stat, "timeline": compare_timeline}[what](*words[:3], load(words[3])) else 1)
