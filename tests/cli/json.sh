#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In JSON the same thing has the same name in every command, each kind of line says what it is, and each name is in the table of the manual.
. "$(dirname "$0")/../expect.sh"
bundled_image
printf secret > key
printf wrong > wrong
quiet btrfs-crypt convert --encrypt --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file key disk.img vault
unchanged disk.img

btrfs-crypt list --format json disk.img > list.json || bad "list"
for id in $(sed 's/^{"id":"\([0-9]*\)".*/\1/' list.json); do
	btrfs-crypt show --format json disk.img "id:$id" 2> err || bad "show $id"
done > show.json
btrfs-crypt stat -e --format json disk.img vault secret.txt ledger.zlib > stat.json || bad "stat"
btrfs-crypt resolve --format json disk.img vault ledger.zlib > resolve.json || bad "resolve"
btrfs-crypt verify --key-file key --format json disk.img vault > verify.json || bad "verify"
btrfs-crypt dump-tree --format json disk.img > tree.json || bad "dump-tree"
python3 - "$TOP/man/btrfs-crypt.8" <<'END' || bad "JSON does not agree"
import json, re, sys
read = lambda name: [json.loads(line) for line in open(name + ".json")]
listed, shown = read("list"), read("show")
for one, other in zip(listed, shown):
    other.pop("snapshots")
    assert one == other, (one, other)
assert len(listed) == len(shown) > 3
sealed = [line for line in listed if line["encrypted"]]
assert sealed and all(line["encryption_format"] == "sealed" and "@btrfs:" in line["encryption"] for line in sealed)
assert all("encryption" not in line for line in listed if not line["encrypted"])
assert any("parent_uuid" in line for line in listed) and not any("-" in line.values() for line in listed)

stat = read("stat")
assert {line["record"] for line in stat} == {"inode", "xattr", "extent"}
for line in stat:
    assert line["path"] in ("secret.txt", "ledger.zlib") and line["subvolume"] == sealed[0]["id"] and line["inode"].isdigit(), line
assert all(("flags_names" in line) == (line["record"] == "inode") for line in stat)
extents = [line for line in stat if line["path"] == "ledger.zlib" and line["record"] == "extent"]
parts = read("resolve")
assert all(line["record"] == "part" for line in parts)
assert [line["logical"] for line in extents] == [line["logical"] for line in parts], (extents, parts)
assert [line["record"] for line in read("verify")] == ["summary"]
assert any("flags_names" in line.get("item", {}) for line in read("tree"))

manual = open(sys.argv[1]).read()
table = manual[manual.index(".Ss Members"):manual.index(".Sh", manual.index(".Ss Members"))]
names = set(re.findall(r"^\.It (.*)$", table, re.M))
names = {word for row in names for word in re.split(r"[ ,]+", row)} - {"Li", "Ar"}
for line in listed + stat + parts + read("verify"):
    for name in line:
        assert name in names, name + " is not in the table of the manual"
END
unchanged disk.img
finish
