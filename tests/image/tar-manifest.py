#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a tar archive and a mounted tree both say of each name, one sorted line each, and how far the two agree.

tar-manifest.py dir DIRECTORY           of a mounted tree; sockets, which no archive has, are left out
tar-manifest.py tar <ARCHIVE            of an archive, read as a stream
tar-manifest.py compare WANT HAVE [--seconds] [--touched NAME] [--without WORD]...
    prints "N of M files exact, D other differences", then the differences; --seconds: times to the second; --touched: not the times of NAME;
    --without: not this word of the lines

A line: name, type, mode, owner, times, device, size, links and the first name of the same inode, symlink target, xattrs, sha256 of a file.
"""
import argparse
import collections
import hashlib
import os
import stat
import struct
import sys
import tarfile

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFCHR: "char", stat.S_IFBLK: "block",
         stat.S_IFIFO: "fifo"}
ACL_TAGS = {"user": (1, 2), "group": (4, 8), "mask": (16, 16), "other": (32, 32)}
TIMES = ("mtime", "atime", "ctime")


def shown(name):
    return "".join(chr(c) if 0x21 < c < 0x7f and c not in b"\\=" else "\\x%02x" % c for c in name)


def sha256(file):
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()


class Entry:
    """What is known of an inode, under each of its names."""

    def __init__(self, kind, mode, uid, gid, times, **more):
        self.words = {"type": kind, "mode": "%04o" % mode, "owner": "%d:%d" % (uid, gid)} | times | more
        self.names = []
        self.links = None

    def line(self, name):
        words = dict(self.words)
        if words["type"] != "dir":
            words |= {"links": self.links or len(self.names), "same": shown(min(self.names))}
        return shown(name) + " " + " ".join("%s=%s" % word for word in words.items())


def xattr_words(xattrs):
    return {shown(name): shown(value) for name, value in sorted(xattrs.items())}


def of_directory(top):
    inodes, todo = {}, [b""]
    while todo:
        name = todo.pop()
        path = os.path.join(top, name) if name else top
        st = os.lstat(path)
        kind = KINDS.get(stat.S_IFMT(st.st_mode))
        if kind == "dir":
            todo += [os.path.join(name, entry) for entry in os.listdir(path)]
        if kind is None:
            continue
        if (st.st_dev, st.st_ino) not in inodes:
            more = {}
            if kind in ("char", "block"):
                more["device"] = "%d:%d" % (os.major(st.st_rdev), os.minor(st.st_rdev))
            elif kind == "link":
                more["to"] = shown(os.readlink(path))
            more |= xattr_words({os.fsencode(x): os.getxattr(path, x, follow_symlinks=False)
                                 for x in os.listxattr(path, follow_symlinks=False)})
            if kind == "file":
                with open(path, "rb", buffering=0) as file:
                    more |= {"size": st.st_size, "sha256": sha256(file)}
            times = {"mtime": st.st_mtime_ns, "atime": st.st_atime_ns, "ctime": st.st_ctime_ns}
            entry = inodes[st.st_dev, st.st_ino] = Entry(kind, stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, times, **more)
            entry.links = st.st_nlink
        inodes[st.st_dev, st.st_ino].names.append(name or b".")
    return inodes.values()


# --- archives ----------------------------------------------------------------------------------------------------------

def acl_bytes(text):
    """The xattr that "user::rwx,user:1000:rw-,..." is."""
    entries = []
    for part in text.split(","):
        word, name, permissions = part.split(":")[:3]
        number = part.split(":")[3] if part.count(":") > 2 else name
        bits = sum(bit for bit, letter in ((4, "r"), (2, "w"), (1, "x")) if letter in permissions)
        entries.append((ACL_TAGS[word][bool(number)], int(number) if number else 0xffffffff, bits))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, bits, number) for tag, number, bits in sorted(entries))


def mode_with(acl, mode):
    """What a mode becomes when the list is set: the group's bits of one with a mask are the mask."""
    for at in range(4, len(acl), 8):
        tag, bits = struct.unpack_from("<HH", acl, at)
        if tag == ACL_TAGS["mask"][0]:
            mode = mode & ~0o70 | bits << 3
    return mode


def nanoseconds(text):
    whole, _, fraction = text.partition(".")
    value = int((fraction + "000000000")[:9])
    return int(whole) * 10**9 + (-value if whole.startswith("-") else value)


def member_xattrs(pax):
    xattrs = {}
    for key, value in pax.items():
        if key.startswith("SCHILY.xattr."):
            xattrs[os.fsencode(key[13:])] = value.encode("utf-8", "surrogateescape")
    for which in ("access", "default"):
        if "SCHILY.acl." + which in pax:
            xattrs[b"system.posix_acl_" + which.encode()] = acl_bytes(pax["SCHILY.acl." + which])
    return xattrs


def member_entry(archive, member):
    pax, more = member.pax_headers, {}
    kind = ("dir" if member.isdir() else "link" if member.issym() else "char" if member.ischr() else "block" if member.isblk()
            else "fifo" if member.isfifo() else "file")
    if kind in ("char", "block"):
        more["device"] = "%d:%d" % (member.devmajor, member.devminor)
    elif kind == "link":
        more["to"] = shown(os.fsencode(member.linkname))
    xattrs = member_xattrs(pax)
    more |= xattr_words(xattrs)
    if kind == "file":
        more |= {"size": member.size, "sha256": sha256(archive.extractfile(member))}
    # The writer leaves the beginning of 1970 out.
    times = {name: nanoseconds(pax.get(name, str(member.mtime) if name == "mtime" else "0")) for name in TIMES}
    mode = mode_with(xattrs.get(b"system.posix_acl_access", b""), member.mode)
    return Entry(kind, mode, member.uid, member.gid, times, **more)


def of_tar(stream):
    names, entries = {}, []
    with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
        for member in archive:
            name = os.fsencode(member.name)
            if member.islnk():
                entry = names[os.fsencode(member.linkname)]
            else:
                entry = member_entry(archive, member)
                entries.append(entry)
            if name in names:
                sys.exit("%r is there twice" % name)
            names[name] = entry
            entry.names.append(name)
            archive.members = []    # it keeps them all
    return entries


# --- comparing -----------------------------------------------------------------------------------------------------------

def lines_of(path, options):
    lines = collections.OrderedDict()
    with open(path, encoding="ascii") as file:
        for line in file:
            name, *words = line.split(" ")
            words = dict(word.rstrip("\n").split("=", 1) for word in words)
            for word in (options.without + list(TIMES) if name == options.touched else options.without):
                words.pop(word, None)
            for word in TIMES:
                if options.seconds and word in words:
                    words[word] = str(int(words[word]) // 10**9)
            lines[name] = words
    return lines


def compare(options):
    want, have = lines_of(options.want, options), lines_of(options.have, options)
    n_files = n_exact = 0
    different = []
    for name in want.keys() | have.keys():
        a, b = want.get(name, {}), have.get(name, {})
        if "sha256" in a:
            n_files += 1
            n_exact += a["sha256"] == b.get("sha256")
            b = b | {"sha256": a["sha256"]} if b else b
        for word in sorted(a.keys() | b.keys()):
            if a.get(word) != b.get(word):
                different.append("%s: %s is %s, the kernel has %s" % (name, word, b.get(word), a.get(word)))
    print("%d of %d files exact, %d other differences" % (n_exact, n_files, len(different)))
    print("\n".join(different[:40]))
    for name in want:
        if "sha256" in want[name] and want[name]["sha256"] != have.get(name, {}).get("sha256"):
            print("other bytes: " + name)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", action="store_true")
    parser.add_argument("--touched")
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("what", choices=("dir", "tar", "compare"))
    parser.add_argument("want", nargs="?")
    parser.add_argument("have", nargs="?")
    options = parser.parse_intermixed_args()
    if options.what == "compare":
        compare(options)
        return
    entries = of_directory(os.fsencode(options.want)) if options.what == "dir" else of_tar(sys.stdin.buffer)
    sys.stdout.write("\n".join(sorted(entry.line(name) for entry in entries for name in entry.names)) + "\n")


main()
