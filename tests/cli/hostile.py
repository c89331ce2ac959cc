#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Images made to harm, one lie each, with right checksums: every command that reads must end soon, within 512 MiB, with a status that it has, and one
of them with an error that names the place.  hostile.py PROGRAM GOOD-PLAIN GOOD-LOG IMAGES-MODULE, in an empty directory."""
import importlib.util
import os
import re
import resource
import shutil
import struct
import subprocess
import sys

PROGRAM, PLAIN, LOG, MODULE = sys.argv[1:5]
MEMORY = 512 << 20
SECONDS = 30
VAULT = "257"

spec = importlib.util.spec_from_file_location("damage", MODULE)
damage = importlib.util.module_from_spec(spec)
spec.loader.exec_module(damage)


def commands(subvolume, path):
    strict = [["list"], ["show", subvolume], ["ls", "-l", subvolume], ["ls", "-R", subvolume], ["cat", subvolume, path],
            ["stat", subvolume, path], ["timeline", subvolume], ["resolve", subvolume, path], ["export", "-o", "out.tar", subvolume], ["df"],
            ["tree-stats"], ["dump-super"], ["dump-tree"], ["verify", subvolume]]
    return strict + [words + ["--tolerant"] for words in strict if words != ["dump-super"]]


# The address of the root block of a tree, by its name or number.
def root_of(image, tree):
    return int(re.search(r"^(?:node|leaf) (\d+) ", "\n".join(image.tree(tree)), re.M).group(1))


def edit_block(image, logical, edit):
    block = image.read(logical, image.nodesize)
    edit(block)
    block[:32] = struct.pack("<I", damage.crc32c(block[32:])).ljust(32, b"\0")
    image.write(logical, block)


def edit_super(image, edit):
    for at in (64 << 10, 64 << 20):
        image.file.seek(at)
        block = bytearray(image.file.read(4096))
        edit(block)
        block[:32] = struct.pack("<I", damage.crc32c(block[32:])).ljust(32, b"\0")
        image.file.seek(at)
        image.file.write(block)


def put(at, layout, value):
    return lambda data, *_: struct.pack_into(layout, data, at, value)


def item(tree, key, edit):
    return lambda image: image.edit_item(tree, lambda have, _: re.fullmatch(key, have), edit)


def key_offset(tree, slot_key, value):
    """Another key offset for an item."""
    def change(image):
        for logical, items in image.leaves(tree):
            for slot, (key, _, _) in enumerate(items):
                if key == slot_key:
                    return edit_block(image, logical, put(101 + 25 * slot + 9, "<Q", value))
        sys.exit("no " + slot_key)
    return change


def pointer(tree, slot, target):
    return lambda image: edit_block(image, root_of(image, tree), put(101 + 33 * slot + 17, "<Q", root_of(image, target)))


def header(tree, at, layout, value):
    return lambda image: edit_block(image, image.leaves(tree)[1][0], put(at, layout, value))


def superblock(at, layout, value):
    return lambda image: edit_super(image, put(at, layout, value))


# name, image, change (None: below), the command that must fail, what it must say
CASES = [
    ("a tree that leads to its own root", PLAIN, pointer(VAULT, 1, VAULT), ["ls", "vault"], r"slot 1 of tree block at 0x60e000: tree block at 0x60e000"),
    ("a tree that leads into another", PLAIN, pointer(VAULT, 2, "5"), ["export", "-o", "out.tar", "vault"], r"slot 2 of tree block at 0x60e000"),
    ("a root tree that is its own child", PLAIN, pointer("root", 0, "root"), ["list"], r"slot 0 of tree block at 0x"),
    ("4 billion items in a leaf", PLAIN, header(VAULT, 96, "<I", 2**32 - 1), ["ls", "-R", "vault"], r"tree block at 0x.*nritems is 4294967295"),
    ("an item behind its block", PLAIN, header(VAULT, 101 + 17, "<I", 2**31), ["ls", "-R", "vault"], r"tree block at 0x"),
    ("level 255", PLAIN, header(VAULT, 100, "<B", 255), ["ls", "-R", "vault"], r"tree block at 0x.*level"),
    ("chunks over each other", PLAIN, item("3", "FIRST_CHUNK_TREE CHUNK_ITEM 1048576", put(0, "<Q", 64 << 20)), ["list"], r"chunk"),
    ("a chunk of 65535 stripes", PLAIN, item("3", "FIRST_CHUNK_TREE CHUNK_ITEM 5242880", put(44, "<H", 65535)), ["list"], r"chunk.*stripes"),
    ("a chunk as long as addresses go", PLAIN, item("3", "FIRST_CHUNK_TREE CHUNK_ITEM 5242880", put(0, "<Q", 2**64 - 4096)), ["list"], r"chunk"),
    ("stripes of no length", PLAIN, item("3", "FIRST_CHUNK_TREE CHUNK_ITEM 5242880", put(16, "<Q", 0)), ["list"], r"chunk.*stripe_len"),
    ("a subvolume within itself", PLAIN, key_offset("1", "258 ROOT_BACKREF 257", 258), ["list"], r"258.*loop"),
    ("a subvolume that is the root tree", PLAIN, lambda image: item("1", "257 ROOT_ITEM 0", put(176, "<Q", root_of(image, "root")))(image),
     ["ls", "vault"], r"tree (257|block)"),
    ("a packed file of 4 EiB", PLAIN, None, None, ""),
    ("inode of 16 EiB", PLAIN, item(VAULT, "257 INODE_ITEM 0", put(16, "<Q", 2**64 - 1)), ["cat", "vault", "secret.txt"], r"inode 257: size is 18446744073709551615"),
    ("a directory above itself", PLAIN, None, None, ""),
    ("sys_chunk_array of 4 GiB", PLAIN, superblock(0xa0, "<I", 2**32 - 1), ["list"], r"sys_chunk_array_size"),
    ("nodes of no size", PLAIN, superblock(0x94, "<I", 0), ["list"], r"nodesize|node size|node_size"),
    ("sectors of no size", PLAIN, superblock(0x90, "<I", 0), ["list"], r"sectorsize|sector size|sector_size"),
    ("2^63 devices", PLAIN, superblock(0x88, "<Q", 2**63), ["list"], r""),
    ("a log tree that is the root tree", LOG, None, None, ""),
]


def bomb(image):
    """Every packed extent says that it unpacks to 2^62 bytes."""
    done = 0
    for logical, items in image.leaves(VAULT):
        block = image.read(logical, image.nodesize)
        for key, offset, _ in items:
            if " EXTENT_DATA " in key and block[101 + offset + 16] != 0:
                struct.pack_into("<Q", block, 101 + offset + 8, 2**62)
                done += 1
        edit_block(image, logical, lambda data, block=block: data.__setitem__(slice(None), block))
    assert done >= 6, done


def loop(image):
    """The directory is the one that it is in, as its reference and its entry say."""
    listing = "\n".join(image.tree(VAULT))
    number = re.search(r"key \((\d+) INODE_REF 256\)[^\n]*\n[^\n]*name: directory", listing).group(1)
    key_offset(VAULT, number + " INODE_REF 256", int(number))(image)


def log_is_root(image):
    at = root_of(image, "root")
    edit_super(image, put(0x60, "<Q", at))


SPECIAL = {"a packed file of 4 EiB": (bomb, ["cat", "vault", "ledger.zstd"], r"ram_bytes is 4611686018427387904"),
           "a directory above itself": (loop, ["timeline", "vault"], r""),
           "a log tree that is the root tree": (log_is_root, ["ls", "--with-log", "sub"], r"log tree")}


def limits():
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(words):
    words = [words[0], "hostile.img"] + words[1:] if words[0] not in ("ls", "export", "dump-tree") else \
        [words[0]] + [w for w in words[1:] if w.startswith("-") or w == "out.tar"] + ["hostile.img"] + \
        [w for w in words[1:] if not (w.startswith("-") or w == "out.tar")]
    with open("printed", "wb") as out:
        done = subprocess.run([PROGRAM] + words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, preexec_fn=limits,
                              timeout=SECONDS, check=False)
    return done.returncode, done.stderr.decode(errors="replace")


def main():
    n_bad = n_runs = 0
    for name, source, change, must_fail, text in CASES:
        change, must_fail, text = SPECIAL.get(name, (change, must_fail, text))
        shutil.copy(source, "hostile.img")
        image = damage.Image("hostile.img", None)
        change(image)
        image.file.close()
        is_log = source == LOG
        for words in commands("sub" if is_log else "vault", "long" if is_log else "ledger.zstd") + [must_fail]:
            try:
                status, errors = run(words)
            except subprocess.TimeoutExpired:
                status, errors = -1, "took more than %d s" % SECONDS
            n_runs += 1
            if not 0 <= status <= 13 or status in (3, 5) or (status and not errors):
                n_bad += 1
                print("%s: %s: status %d: %s" % (name, " ".join(words), status, errors[-300:]))
            if os.path.exists("out.tar"):
                os.remove("out.tar")
        if (status == 0 and text) or not re.search(text, errors):
            n_bad += 1
            print("%s: %s: status %d, says: %s" % (name, " ".join(must_fail), status, errors[-400:]))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    print("%d images, %d runs, at most %d MiB, %d bad" % (len(CASES), n_runs, peak, n_bad))
    sys.exit(n_bad != 0 or peak > MEMORY >> 20)


if __name__ == "__main__":
    main()
