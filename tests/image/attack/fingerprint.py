#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The SHA-256 of a sparse file: of where its data lie, and of them."""
import hashlib
import os
import sys

file = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(file).st_size
sha = hashlib.sha256(str(size).encode())
at = 0
while at < size:
    try:
        at = os.lseek(file, at, os.SEEK_DATA)
    except OSError:
        break
    end = os.lseek(file, at, os.SEEK_HOLE)
    sha.update(b"%d %d" % (at, end))
    while at < end:
        data = os.pread(file, min(end - at, 1 << 20), at)
        sha.update(data)
        at += len(data)
print(sha.hexdigest())
