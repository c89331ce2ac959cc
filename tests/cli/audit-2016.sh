#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# audit of the format of 2016: what it reads without a key is what the files have, and is written to new files only.
. "$(dirname "$0")/../expect.sh"
zstd -dqf "$TOP/images/good-2016.img.zst" -o disk.img
unchanged disk.img

expect 6 audit disk.img vault --output recovered <<'END'
vault/ledger.txt: 20 pages of 20 with this key stream; padding shows it from byte 3064; readable without a key: 19608, only compared with another page: 61280
  from byte 3064:  593494\x0a001057  account 71130  p
  bytes at 0 xor those at 4096: 0000000007060000000000000000000003080101080000000000000002030506
vault/size-4097: 2 pages of 2 with this key stream; padding shows it from byte 1; readable without a key: 4095, only compared with another page: 2
  from byte 1: 00001  account 07919  paid   31.
vault/changed: 22 pages of 22 with this key stream; padding shows it from byte 262; readable without a key: 80514, only compared with another page: 5764
  from byte 262:  519717\x0a007005  account 77581  p
  bytes at 0 xor those at 4096: 3a000707000716004102000c1a1b1a54130400000e14005011080d4412040305
vault/hole: 4 pages of 4 with this key stream; readable without a key: 0, only compared with another page: 16384
  bytes at 98304 xor those at 102400: 313339352e34352020666f72206f72646572203731323739330a303030303436
readable without a key: 104217 of 195928 encrypted bytes, in 3 of 12 files; only compared with another page: 83430
! btrfs-crypt audit: 104217 bytes can be read without a key
END
rm -rf recovered
btrfs-crypt audit disk.img vault --output recovered --format json > lines 2> err
[ $? = 6 ] || bad "audit: status"
[ "$(stat -c %a recovered recovered/* | sort -u | xargs)" = "600 700" ] || bad "others may read what was recovered"
python3 -S -I - "$TOP/images/good-2016.passphrase" <<'END' || bad "what was recovered is not what the files have"
import json, os, subprocess, sys
n, total, names = 0, 0, set()
key = ["--passphrase-file", sys.argv[1], "--kdf", "scrypt-2017"]
def cat(path):
    return subprocess.run(["btrfs-crypt", "cat", "disk.img", "vault", path, *key], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
for line in map(json.loads, open("lines")):
    if line["record"] == "summary":
        assert total == int(line["readable_bytes"]) > 100000 and not line["passed"], (total, line)
    if line["record"] != "key-stream":
        continue
    plain, first = None, int(line.get("known_from", 4096))
    if line["readable_bytes"] != "0" or "pair_sample" in line:
        plain = cat(line["path"].split("/", 1)[1])
    if "pair_sample" in line:
        a, b = (plain[int(line[at]):][:32] for at in ("pair_first", "pair_second"))
        assert bytes(x ^ y for x, y in zip(a, b)).hex() == line["pair_sample"], line
        n += 1
    if line["readable_bytes"] == "0":
        continue
    name = line["subvolume"] + "-" + line["inode"]
    names.add(name)
    with open("recovered/" + name, "rb") as file:
        have = file.read()
    want = bytes(byte if at % 4096 >= first else 0 for at, byte in enumerate(plain))
    assert have == want, line["path"]
    sample = int(line["sample_offset"])
    assert plain[sample:].startswith(line["sample"].encode()), line
    total += int(line["readable_bytes"])
assert n >= 3 and len(names) >= 3 and names == set(os.listdir("recovered")), (n, names)
END
btrfs-crypt audit disk.img vault --output recovered > out 2> err
[ $? = 9 ] && grep -qx 'btrfs-crypt audit: recovered/257-259 exists, and is not overwritten' err || bad "what was there: $(cat err)"
expect 1 audit disk.img public/ --output recovered --format xml <<'END'
! btrfs-crypt audit: --format takes text or json
! btrfs-crypt audit: hint: see btrfs-crypt audit --help
END

# Two files with one IV: the longest padding of the two counts for both.
cp disk.img same.img
python3 -S - "$TOP/tests/image" <<'END' || bad "cannot edit"
import json, struct, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from damage import crc32c
iv = {line["path"]: bytes.fromhex(line["iv"]) for line in map(json.loads, open("lines")) if line["record"] == "key-stream"}
image = bytearray(open("same.img", "rb").read())
old, new, at, n = iv["vault/size-4097"], iv["vault/ledger.txt"], 0, 0
while (at := image.find(old, at)) >= 0:
    image[at:at + 16] = new
    block = at // 4096 * 4096
    image[block:block + 32] = struct.pack("<I", crc32c(image[block + 32:block + 4096])).ljust(32, b"\0")
    n += 1
open("same.img", "wb").write(image)
assert n > 0
END
btrfs-crypt audit same.img vault > out 2> err
[ $? = 6 ] || bad "same.img: $(cat err)"
for line in 'vault/size-4097: 2 pages of 22 with this key stream, which inode 259 has too; padding shows it from byte 1; readable without a key: 4095, only compared with another page: 2' \
	'vault/ledger.txt: 20 pages of 22 with this key stream, which inode 267 has too; padding shows it from byte 1; readable without a key: 80868, only compared with another page: 20'; do
	grep -qxE "$line" out || { bad "no line $line"; cat out; }
done
unchanged disk.img
finish
