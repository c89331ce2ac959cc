#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints everything that people can see of a tree, one sorted line per name, so that two trees can be compared with diff.

manifest.py [--no-content] [--no-ctime] [--atime] [--flat] DIR...: (several: each after a line with its name) path, type, mode, owner, size, blocks, mtime, ctime, inode number, links, device numbers, inode flags,
symlink target, xattrs, sha256 of the content with the map of its holes.
"""
import argparse
import array
import errno
import fcntl
import hashlib
import os
import stat
import sys

FS_IOC_GETFLAGS = 0x80086601
STUB = 2         # what the kernel shows in a snapshot where a nested subvolume was; its times are those of the mount
TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFCHR: "char", stat.S_IFBLK: "block",
         stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}


def shown(name):
    return "".join(chr(c) if 0x20 < c < 0x7f and c != 0x5c else "\\x%02x" % c for c in name)


def content(path, size, flat):
    """sha256 over the data ranges and where they lie: a file of one hole costs nothing.  Flat: of the bytes alone."""
    digest = hashlib.sha256()
    fd = os.open(path, os.O_RDONLY | os.O_NOATIME)
    try:
        flags = array.array("L", [0])
        fcntl.ioctl(fd, FS_IOC_GETFLAGS, flags)
        at = 0
        while flat and (part := os.read(fd, 1 << 20)):
            digest.update(part)
        while at < size and not flat:
            try:
                start = os.lseek(fd, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    break
                raise
            end = os.lseek(fd, start, os.SEEK_HOLE)
            digest.update(b"%d-%d:" % (start, end))
            at = start
            while at < end:
                part = os.pread(fd, min(1 << 20, end - at), at)
                if not part:
                    raise OSError(errno.EIO, "short read", path)
                digest.update(part)
                at += len(part)
        return "flags=%x sha256=%s" % (flags[0], digest.hexdigest())
    finally:
        os.close(fd)


def line(path, name, options):
    st = os.lstat(path)
    kind = TYPES[stat.S_IFMT(st.st_mode)]
    if st.st_ino == STUB:
        return shown(name) + " stub", False
    words = [shown(name), kind, "%04o" % stat.S_IMODE(st.st_mode), "%d:%d" % (st.st_uid, st.st_gid), "ino=%d" % st.st_ino,
             "links=%d" % st.st_nlink, "mtime=%d" % st.st_mtime_ns]
    if options.atime:
        words.append("atime=%d" % st.st_atime_ns)
    if not options.no_ctime:
        words.append("ctime=%d" % st.st_ctime_ns)
    if kind in ("char", "block"):
        words.append("rdev=%d:%d" % (os.major(st.st_rdev), os.minor(st.st_rdev)))
    else:
        words.append("size=%d blocks=%d" % (st.st_size, st.st_blocks))
    for attribute in sorted(os.listxattr(path, follow_symlinks=False)):
        words.append("%s=%s" % (shown(os.fsencode(attribute)), shown(os.getxattr(path, attribute, follow_symlinks=False))))
    if not options.no_content:
        if kind == "link":
            words.append("to=" + shown(os.readlink(path)))
        if kind == "file":
            words.append(content(path, st.st_size, options.flat))
    return " ".join(words), kind == "dir"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-content", action="store_true", help="neither open files nor read symlinks")
    parser.add_argument("--no-ctime", action="store_true")
    parser.add_argument("--flat", action="store_true", help="no map of the holes")
    parser.add_argument("--atime", action="store_true")
    parser.add_argument("directory", nargs="+")
    options = parser.parse_args()
    for directory in options.directory:
        if len(options.directory) > 1:
            print("==", directory)
        show(os.fsencode(directory), options)


def show(top, options):
    todo, lines = [b""], []
    while todo:
        name = todo.pop()
        text, is_directory = line(os.path.join(top, name) if name else top, name or b".", options)
        lines.append(text)
        if is_directory:
            todo += [os.path.join(name, entry) for entry in os.listdir(os.path.join(top, name))]
    sys.stdout.write("\n".join(sorted(lines)) + "\n")


main()
