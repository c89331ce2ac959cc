#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel and the inspecting commands say of each name of a whole filesystem, one sorted line each: what no archive holds as well.

inode-manifest.py dir MOUNTPOINT                        of a mounted top level
inode-manifest.py image PROGRAM [OPTION...] IMAGE       of timeline and ls, with everything below the top level

A line: name, type, mode, owner, size, links, inode number, access, change, modification and creation time, device, target.  Of the empty place of a
nested subvolume in a snapshot, whose inode exists nowhere: only its name.
"""
import ctypes
import json
import os
import stat
import subprocess
import sys

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFCHR: "character-device",
         stat.S_IFBLK: "block-device", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
EMPTY_SUBVOLUME = 2
TIMES = ("atime", "ctime", "mtime", "otime")
AT_FDCWD, AT_SYMLINK_NOFOLLOW, STATX_BTIME = -100, 0x100, 0x800
libc = ctypes.CDLL(None, use_errno=True)


def shown(name):
    return "".join(chr(c) if 0x20 < c < 0x7f and c != 0x5c else "\\x%02x" % c for c in name) or "."


def line(name, facts):
    return shown(name) + "".join(" %s=%s" % item for item in sorted(facts.items()))


def creation_time(path):
    """Python does not tell it."""
    buffer = ctypes.create_string_buffer(256)
    if libc.statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BTIME, buffer):
        raise OSError(ctypes.get_errno(), "statx", path)
    return int.from_bytes(buffer.raw[80:88], sys.byteorder, signed=True) * 10**9 + int.from_bytes(buffer.raw[88:92], sys.byteorder)


def of_directory(top):
    lines, todo = [], [b""]
    while todo:
        name = todo.pop()
        path = os.path.join(top, name) if name else top
        st = os.lstat(path)
        if st.st_ino == EMPTY_SUBVOLUME:
            lines.append(line(name, {"type": "empty-subvolume"}))
            continue
        facts = {"type": TYPES[stat.S_IFMT(st.st_mode)], "mode": stat.filemode(st.st_mode), "owner": "%d:%d" % (st.st_uid, st.st_gid),
                 "size": st.st_size, "links": st.st_nlink, "inode": st.st_ino, "atime": st.st_atime_ns, "ctime": st.st_ctime_ns,
                 "mtime": st.st_mtime_ns, "otime": creation_time(path)}
        if stat.S_ISDIR(st.st_mode):
            todo += [os.path.join(name, entry) for entry in os.listdir(path)]
        elif stat.S_ISLNK(st.st_mode):
            facts["target"] = shown(os.readlink(path))
        elif stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
            facts["device"] = "%d:%d" % (os.major(st.st_rdev), os.minor(st.st_rdev))
        lines.append(line(name, facts))
    return lines


# --- what the program says -----------------------------------------------------------------------------------------------

def rows(program, command, options):
    run = subprocess.run([program, *command, "--format", "json", *options, "/"], stdout=subprocess.PIPE, check=False)
    if run.returncode:
        sys.exit("%s: status %d" % (command, run.returncode))
    return [json.loads(row) for row in run.stdout.splitlines()]


def text_bytes(row, member):
    return bytes.fromhex(row[member + "_hex"]) if member + "_hex" in row else row[member].encode()


def nanoseconds(text):
    return int(text.replace(".", ""))       # nine decimals


def facts_of(row):
    if row["type"] == "empty-subvolume":
        return {"type": "empty-subvolume"}
    facts = {"type": row["type"], "mode": row["mode"], "owner": "%d:%d" % (row["uid"], row["gid"]), "size": int(row["size"]),
             "links": row["links"], "inode": int(row["inode"])}
    if "device" in row:
        facts["device"] = row["device"]
    if "target" in row:
        facts["target"] = shown(text_bytes(row, "target"))
    return facts


def add(names, name, facts):
    """What two commands say of a name must not contradict itself."""
    have = names.setdefault(name, {})
    for word, value in facts.items():
        if have.setdefault(word, value) != value:
            sys.exit("%r: %s is %r and %r" % (name, word, have[word], value))


def of_image(program, options):
    names = {}
    for row in rows(program, ["timeline", "-R"], options):
        name = os.path.join(text_bytes(row, "subvolume_path").strip(b"/"), text_bytes(row, "path").lstrip(b"/")).rstrip(b"/")
        add(names, name, facts_of(row) | {word: nanoseconds(row[word]) for word in TIMES})
    for row in rows(program, ["ls", "-R"], options):
        facts = facts_of(row)
        if "mtime" in row:
            facts["mtime"] = nanoseconds(row["mtime"])
        add(names, os.path.join(text_bytes(row, "directory"), text_bytes(row, "name")), facts)
    return [line(name, facts) for name, facts in names.items()]


def main():
    what, *words = sys.argv[1:]
    lines = of_directory(os.fsencode(words[0])) if what == "dir" else of_image(words[0], words[1:])
    sys.stdout.write("\n".join(sorted(lines)) + "\n")


main()
