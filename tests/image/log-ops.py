#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes that end in a log tree, and what became of them.

log-ops.py base DIRECTORY               files to be changed
log-ops.py plain DIRECTORY              one of each kind of change, each fsynced
log-ops.py random DIRECTORY SEED N      N random changes, some of them fsynced
log-ops.py damage IMAGE                 flips a bit of what plain wrote into "new"
log-ops.py compare PROGRAM IMAGE FILE T read-compare.py's comparison; directories that the replay itself touched (mtime after T) may have another time
"""
import ctypes
import importlib.util
import os
import random
import sys

libc = ctypes.CDLL(None, use_errno=True)
KEEP_SIZE, PUNCH = 1, 2


def fallocate(path, mode, offset, length):
    fd = os.open(path, os.O_RDWR)
    libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length))
    os.close(fd)


def exchange(a, b):
    libc.renameat2(-100, os.fsencode(a), -100, os.fsencode(b), 2)


def fsync(path):
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    os.fsync(fd)
    os.close(fd)


def content(seed, n):
    return random.Random(seed).randbytes(n)


def write(path, seed, n, at=0):
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    os.pwrite(fd, content(seed, n), at)
    os.close(fd)


def base(top):
    for d in ("a", "b", "b/deep", "many"):
        os.makedirs(os.path.join(top, d))
    for i in range(40):
        write(f"{top}/{'a' if i % 2 else 'b'}/file{i}", i, 5000 * i + 7)
    for i in range(150):
        write(f"{top}/many/entry-with-a-longer-name-{i}", i, 10)
    os.setxattr(f"{top}/a/file1", "user.old", b"old")
    os.setxattr(f"{top}/a/file1", "user.kept", b"kept")
    for i in range(50):
        os.link(f"{top}/a/file3", f"{top}/b/deep/link{i}")


def plain(top):
    write(f"{top}/new", 100, 300000)
    fsync(f"{top}/new")
    write(f"{top}/inline", 101, 500)
    fsync(f"{top}/inline")
    write(f"{top}/a/file11", 102, 20000, 9000)
    fsync(f"{top}/a/file11")
    os.truncate(f"{top}/a/file21", 33333)
    fsync(f"{top}/a/file21")
    fallocate(f"{top}/a/file31", PUNCH | KEEP_SIZE, 8192, 40960)
    fsync(f"{top}/a/file31")
    fallocate(f"{top}/a/file33", KEEP_SIZE, 300000, 200000)
    write(f"{top}/a/file33", 103, 4096, 340000)
    fsync(f"{top}/a/file33")
    os.rename(f"{top}/a/file5", f"{top}/a/renamed")
    fsync(f"{top}/a/renamed")
    exchange(f"{top}/a/file7", f"{top}/a/file9")
    fsync(f"{top}/a/file7")
    os.link(f"{top}/a/file13", f"{top}/a/hard")
    fsync(f"{top}/a/hard")
    os.setxattr(f"{top}/a/file1", "user.new", b"new value")
    os.removexattr(f"{top}/a/file1", "user.old")
    fsync(f"{top}/a/file1")
    os.remove(f"{top}/many/entry-with-a-longer-name-100")
    write(f"{top}/many/another", 104, 70000)
    os.symlink("nowhere", f"{top}/many/symlink")
    os.chmod(f"{top}/many", 0o700)
    fsync(f"{top}/many")
    os.mkdir(f"{top}/made")
    write(f"{top}/made/within", 105, 12345)
    fsync(f"{top}/made/within")
    write(f"{top}/not-synced", 106, 1000)
    write(f"{top}/in-the-root", 107, 1000)
    fsync(top)      # whose reference is to itself
    os.utime(f"{top}/a/file17", ns=(10**18 + 1, -5 * 10**9 + 3))
    fsync(f"{top}/a/file17")


def damage(image):
    with open(image, "r+b") as file:
        at = file.read().index(content(100, 300000)[8192:12288])
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def random_changes(top, seed, n):
    rng = random.Random(seed)

    def pick(want_dir=False):
        found = [os.path.join(d, x) for d, dirs, files in os.walk(top) for x in (dirs if want_dir else files)]
        return rng.choice(sorted(found)) if found else top

    def fresh():
        return os.path.join(rng.choice([top, pick(True)]), f"r{rng.randrange(10**6)}")

    def change(kind):
        if kind == 0:
            write(fresh(), rng.random(), rng.choice([1, 100, 3000, 5000, 200000]))
        elif kind == 1:
            write(pick(), rng.random(), rng.choice([100, 5000, 70000]), rng.randrange(200000))
        elif kind == 2:
            os.truncate(pick(), rng.choice([0, 1, 4096, rng.randrange(250000)]))
        elif kind == 3:
            fallocate(pick(), PUNCH | KEEP_SIZE, rng.randrange(50) * 1024, rng.randrange(1, 100) * 1024)
        elif kind == 4:
            fallocate(pick(), rng.choice([0, KEEP_SIZE]), rng.randrange(300) * 1024, rng.randrange(1, 100) * 1024)
        elif kind == 5:
            os.rename(pick(), rng.choice([fresh(), pick()]))
        elif kind == 6:
            exchange(pick(), pick())
        elif kind == 7:
            os.link(pick(), fresh())
        elif kind == 8:
            os.remove(pick())
        elif kind == 9:
            os.mkdir(fresh())
        elif kind == 10:
            os.rename(pick(True), fresh())
        elif kind == 11:
            os.setxattr(pick(), f"user.x{rng.randrange(3)}", rng.randbytes(rng.randrange(200)))
        elif kind == 12:
            os.symlink(f"target{rng.randrange(100)}", fresh())
        elif kind == 13:
            os.rmdir(pick(True))
        elif kind == 14:
            os.chmod(pick(), rng.randrange(0o1000))

    for _ in range(n):
        try:
            change(rng.randrange(15))
        except OSError:
            pass
        if rng.random() < 0.35:
            path = pick(rng.random() < 0.3)
            if not os.path.islink(path):
                fsync(path)
    while os.path.islink(last := pick()):
        pass
    write(last, seed, 5000, 777)    # so that there is a log even where the change before was committed at once
    fsync(last)


def compare(program, image, listing, after):
    spec = importlib.util.spec_from_file_location("read_compare", os.path.join(os.path.dirname(__file__), "read-compare.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lines, touched, ours = [], set(), module.rows_of
    with open(listing, encoding="ascii") as recorded:
        for line in recorded:
            seen = module.json.loads(line)
            for entry in seen["entries"]:
                if entry["type"] == "directory" and float(entry["mtime"]) > float(after):
                    touched.add((seen["subvolume"], seen["inside"], entry["name"]))
                    entry["mtime"] = "replay"
            lines.append(module.json.dumps(seen))

    def rows_of(program, image, subvolume, inside, options):
        rows = ours(program, image, subvolume, inside, options)
        for row in rows:
            if isinstance(row, dict) and ((b"" if subvolume == b"/" else subvolume).hex(), inside.hex(), row["name"]) in touched:
                row["mtime"] = "replay"
        return rows

    module.rows_of = rows_of
    sys.exit(0 if module.compare(program, image, lines, []) else 1)


if __name__ == "__main__":
    if sys.argv[1] == "base":
        base(sys.argv[2])
    elif sys.argv[1] == "plain":
        plain(sys.argv[2])
    elif sys.argv[1] == "damage":
        damage(sys.argv[2])
    elif sys.argv[1] == "random":
        random_changes(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        compare(*sys.argv[2:6])
