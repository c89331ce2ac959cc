#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tries what nobody may do with the regular files of a sealed, mounted subvolume: open, link, rename, truncate, remove.

closed.py DIR...: says what succeeded and exits 1 then; prints how many files it tried.
"""
import os
import stat
import sys


def attempts(path, size):
    other = path + b"~"[:255 - len(os.path.basename(path))] if len(os.path.basename(path)) < 255 else path[:-1] + b"~"
    yield "open for reading", lambda: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    yield "open for writing", lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    yield "link", lambda: os.link(path, other)
    yield "rename", lambda: os.rename(path, other)
    yield "truncate to a larger size", lambda: os.truncate(path, size + 1)
    yield "truncate to 0", lambda: os.truncate(path, 0)
    yield "remove", lambda: os.unlink(path)


def closed(top):
    bad, n_files, todo = 0, 0, [os.fsencode(top)]
    while todo:
        for entry in os.scandir(todo.pop()):
            st = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(st.st_mode):
                todo.append(entry.path)
            if not stat.S_ISREG(st.st_mode):
                continue
            n_files += 1
            for what, attempt in attempts(entry.path, st.st_size):
                try:
                    attempt()
                except OSError:
                    continue
                print("%s: %r succeeded" % (what, entry.path))
                bad += 1
    print("tried %d files" % n_files)
    return bad == 0 and n_files > 0


sys.exit(len(sys.argv) < 2 or not all([closed(top) for top in sys.argv[1:]]))
