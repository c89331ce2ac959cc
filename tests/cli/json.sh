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
import json, re, sys, time
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

manual = open(sys.argv[1]).read().replace("\\\n", "")
table = manual[manual.index(".Ss Members"):manual.index(".Sh", manual.index(".Ss Members"))]
names = set(re.findall(r"^\.It (.*)$", table, re.M))
names = {word for row in names for word in re.split(r"[ ,]+", row)} - {"Li", "Ar"}
for line in listed + stat + parts + read("verify"):
    for name in line:
        assert name in names, name + " is not in the table of the manual"
END
unchanged disk.img

# What a conversion tells, with damage met on the way: of data that were bad before, and of data that rot while they are sealed.
# spoil NAME AT: a block of a file of vault, where it is on the disk
spoil() {
	local physical
	physical=$(btrfs-crypt resolve --format json damaged.img vault "$1" | sed -n '1s/.*"physical":"\([0-9]*\)".*/\1/p')
	printf 'not what was here' | dd of=damaged.img bs=1 seek=$((physical + $2)) conv=notrunc status=none
}
json() { btrfs-crypt "$@" --format json --key-file key < /dev/null; }
bundled_image damaged.img
spoil ledger.txt 4096
status=0
json convert --encrypt --pbkdf pbkdf2 --pbkdf-force-iterations 1000 damaged.img vault > stopped.json 2> stopped-err.json || status=$?
[ $status = 6 ] || bad "a bad block does not stop sealing: status $status"
json convert --status damaged.img > status.json 2> status-err.json && bad "nothing is unfinished"
btrfs-crypt stat --format json damaged.img vault secret.txt > stat.json 2> stat-err.json || bad "stat while unfinished"
btrfs-crypt cat damaged.img vault secret.txt --report cat.json > out 2> err
[ $? -eq 7 ] || { bad "cat while unfinished"; cat err; }
touch cat-err.json
json convert --resume --on-error=continue --progress=json damaged.img > carried.json 2> carried-err.json
[ $? -eq 6 ] || bad "a block was carried over: status $?"
json verify damaged.img vault > verify.json 2> verify-err.json && bad "verify"
spoil size-30001 8192
cp damaged.img again.img
json convert --decrypt --skip-damaged --dry-run damaged.img vault > planned.json 2> planned-err.json
btrfs-crypt convert --decrypt --skip-damaged -q --key-file key again.img vault > skipped.text 2> err
[ $? -eq 6 ] || bad "a block was left as it was, in text: status $?"
json convert --decrypt --skip-damaged damaged.img vault > skipped.json 2> skipped-err.json
[ $? -eq 6 ] || bad "a block was left as it was: status $?"
python3 - "$TOP/man/btrfs-crypt.8" <<'END' || bad "JSON of a conversion"
import json, re, sys, time
read = lambda name: [json.loads(line) for line in open(name + ".json")]
manual = open(sys.argv[1]).read().replace("\\\n", "")
table = manual[manual.index(".Ss Members"):manual.index(".Sh", manual.index(".Ss Members"))]
names = {word for row in re.findall(r"^\.It (.*)$", table, re.M) for word in re.split(r"[ ,]+", row)}
def check(line):
    for name, value in line.items():
        assert name in names or name.endswith("_hex") and name[:-4] in names, name + " is not in the table of the manual"
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                check(inner)
for name in ("stopped", "status", "cat", "carried", "verify", "skipped"):
    for line in read(name) + read(name + "-err"):
        check(line)

[status] = read("status")
inode = read("stat")[0]
check(inode["conversion"])
assert inode["authenticated"] is False, inode
for started in status["started"], inode["conversion"]["started"]:
    assert type(started) is int and 0 <= time.time() - started < 86400, started
assert status["record"] == "status" and status["authenticated"] and "percent" in status

[found, image, run, ended] = read("cat")
assert found["finding"] == "warning" and "an unfinished conversion is present" in found["text"], found
assert image["image"] == "damaged.img" and "sha256" not in image, image
assert ended["status"] == 7 and ended["error"] == "unfinished-conversion" and ended["text"], ended

[carried, summary] = read("carried")
summary_sealed = summary
assert summary["record"] == "summary" and summary["result"] == "sealed" and summary["carried_blocks"] == "1", summary
assert carried["record"] == "carried" and carried["path"] == "vault/ledger.txt" and carried["has_checksum"] is True, carried
assert (carried["offset"], carried["length"]) == ("4096", "4096") and carried["inode"].isdigit() and carried["subvolume"] == "257", carried
assert {"progress", "done", "total"} <= set(read("carried-err")[0])
assert not any("note" in line for line in read("carried-err"))

[failure, summary] = read("verify")
assert failure["record"] == "failure" and summary["failures"] == "1" and not summary["passed"]
for name in "path", "offset", "length", "inode", "subvolume", "logical":
    assert failure[name] == carried[name], (name, failure, carried)
assert failure["carried"] is True

records = read("skipped")
assert sorted(line["record"] for line in records) == ["carried", "skipped", "summary"], records
skipped = next(line for line in records if line["record"] == "skipped")
assert skipped["path"] == "vault/size-30001" and (skipped["offset"], skipped["length"]) == ("8192", "4096"), skipped
assert records[-1]["skipped_blocks"] == "1"
# What did not come back is not counted as if it had.
came_back = int(summary_sealed["data_bytes"]) - 4096
assert int(records[-1]["data_bytes"]) == int(read("planned")[-1]["data_bytes"]) == came_back, (records, came_back)
assert f"({came_back} bytes) of data, " in open("skipped.text").read(), open("skipped.text").read()
END
finish
