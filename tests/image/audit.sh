#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# audit: plain text of a sealed subvolume is found wherever it is left, named as what it is, and not found once it is gone.  What a deleted file and a copy
# elsewhere leave; then, in an image that has nothing, pieces put into an old tree block, gaps, unused space and superblock stripes, at odd addresses.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt

image=$tmp/disk.img mnt=$tmp/mnt
head -c 32 /dev/urandom >"$tmp/vk"
KEY=(--key-file "$tmp/vk") CHEAP=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
audit() { crypt audit "${KEY[@]}" "$@" "$image" vault; }
# one_line REGEX: exactly one line of what was printed is like this
one_line() { [ "$(grep -cE "^$1\$" "$tmp/out")" = 1 ] || { cat "$tmp/out"; fail "not one line '$1'"; }; }

image_make "$image" 300M -m single
image_mount "$image" "$mnt" rw,noatime,nodiscard
btrfs -q subvolume create "$mnt/vault"
btrfs -q subvolume create "$mnt/other"
touch "$mnt/vault/packed"
btrfs property set "$mnt/vault/packed" compression zstd
python3 -S -I - "$mnt" <<'END'
import os, sys
os.chdir(sys.argv[1])
def text(name, n):
    return b"".join(b"%s line %06d\n" % (name, i) for i in range(n))[:n]
for name, content in (("a", text(b"kept", 65536)), ("b", text(b"kept", 65536)), ("../other/copy", text(b"kept", 65536)), ("inline", text(b"inline", 1500)),
                      ("packed", text(b"packed", 131072)), ("uniform", b"z" * 8192), ("short", b"hi"), ("pattern", b"ab" * 2048 + b"cd" * 2048)):
    with open("vault/" + name, "wb") as f:
        f.write(content)
os.symlink(text(b"target", 200), "vault/link")
END
sync -f "$mnt"
rm "$mnt/vault/b"
btrfs -q subvolume snapshot -r "$mnt/other" "$mnt/snapshot"
image_umount
cp --sparse=always "$image" "$tmp/plain.img"
crypt convert --encrypt -q "${KEY[@]}" "${CHEAP[@]}" "$image" vault >"$tmp/sealing"

say "a deleted file, and a copy that another subvolume and its snapshot have"
expect_unchanged 6 "$image" audit
one_line 'searching 300\.00MiB on 1 device for [0-9.]+KiB of plain text, in 1 pass'
one_line 'vault/a: bytes 0 to 65535: free data space, devid 1, physical [0-9]+'
one_line 'vault/a: bytes 0 to 65535: file other/copy, from byte 0 \(and of 1 more\), devid 1, physical [0-9]+'
one_line 'plain text was found: [0-9.]+KiB searched for, 8\.0.KiB of it left out as too short or too uniform, found in 2 places, 128\.00KiB'
[ "$(wc -l <"$tmp/out")" = 4 ] || { cat "$tmp/out"; fail "more lines than these"; }
expect_text "$tmp/err" 'plain text was found in 2 places$'
expect_text "$tmp/err" 'hint: other/copy keeps some of it: seal or delete it; `btrfs-crypt key` and `btrfs-crypt convert --rekey` overwrite what is free with --wipe-free'

say "nothing is left of it"
image_mount "$image" "$mnt" rw,noatime,nodiscard
rm "$mnt/other/copy"
btrfs -q subvolume delete "$mnt/snapshot"
deleted_are_gone "$mnt"
image_umount
expect_status 6 audit
[ "$(grep -cE '^vault/a: bytes 0 to 65535: free data space, devid 1, physical [0-9]+$' "$tmp/out")" = 2 ] || { cat "$tmp/out"; fail "not both copies"; }
if grep -q 'file other' "$tmp/out"; then cat "$tmp/out"; fail "a file that is gone"; fi
expect_status 0 crypt convert --rekey -q --wipe-free "${KEY[@]}" "${CHEAP[@]}" "$image" vault
expect_unchanged 0 "$image" audit
one_line 'no plain text was found: [0-9.]+KiB searched for, 8\.0.KiB of it left out as too short or too uniform, found in 0 places'

say "pieces in places that nothing reads"
truncate -s 301M "$image"
python3 -S - "$tmp/plain.img" "$image" >"$tmp/planted" <<END
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, "$IMAGE_TESTS")
from damage import Image, crc32c
import struct
plain, image = Image(sys.argv[1], None), Image(sys.argv[2], None)
before = open(sys.argv[1], "rb").read()
def text(name, n):
    return b"".join(b"%s line %06d\n" % (name, i) for i in range(n))[:n]
def put(name, at, content):
    image.file.seek(at)
    image.file.write(content)
    print(name, at)
# a leaf as it was, at the end of the metadata chunk, which is free
metadata = [chunk for chunk, data in zip(image.chunks, image.has_data) if not data][-1]
node = before.index(text(b"inline", 1500)) // plain.nodesize * plain.nodesize
old = metadata[2][0] + metadata[1] - plain.nodesize
put("old", old + before.index(text(b"inline", 1500)) - node, b"")
image.file.seek(old)
image.file.write(before[node:node + plain.nodesize])
# in the middle of a leaf that is in use: that of the checksums, between the headers of its few items and what they are of
found = [line for line in image.tree("csum") if line.startswith("leaf ")][-1].split()
leaf = image.places(int(found[1]))[0]
image.file.seek(leaf)
block = bytearray(image.file.read(image.nodesize))
gap = 4100
assert not any(block[gap:gap + 300]), "not a gap"
block[gap:gap + 300] = text(b"inline", 1500)[1000:1300]
block[:32] = struct.pack("<I", crc32c(block[32:])).ljust(32, b"\\0")
image.file.seek(leaf)
image.file.write(block)
print("gap", leaf + gap)
end = 300 << 20
put("target", (64 << 10) + 5003, text(b"target", 200))		# behind the first superblock
put("part", (64 << 20) + 9000, text(b"kept", 65536)[20000:21500])	# in the stripe of the second
put("unused", end - (3 << 20) + 77, text(b"packed", 131072)[8192:8192 + 5000])
packed = before.index(struct.pack("<I", 0xfd2fb528))		# a frame of zstd, at the beginning of an extent
put("frame", end - (2 << 20) + 4095, before[packed:packed + 1500])
put("pattern", end - (1 << 20), b"ab" * 2048)
put("behind", end + 33, text(b"kept", 65536)[40000:42000])
END
at() { sed -n "s/^$1 //p" "$tmp/planted"; }
expect_unchanged 6 "$image" audit
one_line "vault/inline: bytes 0 to 1499: old tree block of tree [0-9]+, generation [0-9]+, devid 1, physical $(at old)"
one_line "vault/inline: bytes 1000 to 1299: gap in a tree block in use of tree 7, generation [0-9]+, devid 1, physical $(at gap)"
one_line "vault/link: bytes 0 to 199: stripe of a superblock copy, devid 1, physical $(at target)"
one_line "vault/a: bytes 20000 to 21499: stripe of a superblock copy, devid 1, physical $(at part)"
one_line "vault/packed: bytes 8192 to 13191: space that no chunk uses, devid 1, physical $(at unused)"
one_line "vault/packed: compressed bytes 0 to 1499: space that no chunk uses, devid 1, physical $(at frame)"
one_line "vault/pattern: bytes 0 to 4095: space that no chunk uses, devid 1, physical $(at pattern)"
one_line "vault/a: bytes 40000 to 41999: behind the end of the filesystem, devid 1, physical $(at behind)"

expect_status 6 audit --format json
python3 -S -I - "$tmp/out" <<'END'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert lines[0]["record"] == "plan" and lines[0]["searches"] == "1", lines[0]
assert lines[-1]["record"] == "summary" and not lines[-1]["passed"], lines[-1]
places = sorted(line["place"] for line in lines[1:-1])
assert places == sorted(["old-tree-block"] * places.count("old-tree-block") + ["tree-gap", "superblock", "superblock", "no-chunk", "no-chunk", "no-chunk", "behind-end"]), places
assert lines[-1]["findings"] == str(len(places))
END
