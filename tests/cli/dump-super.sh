#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copies that are not a superblock, or not there, and devices of different filesystems: each is reported, with the device to which an object belongs.
. "$(dirname "$0")/../expect.sh"
bundled_image
zstd -dqf "$TOP/images/good-log.img.zst" -o other.img || exit 1
truncate -s 10M small.img
fsid() { btrfs-crypt dump-super --super 0 "$1" | sed -n 's/^fsid\t*//p'; }

# wipe FILE OFFSET: the magic of that copy
wipe() { dd if=/dev/zero of="$1" bs=1 seek=$(($2 + 64)) count=8 conv=notrunc status=none; }

cp disk.img wiped.img
wipe wiped.img 65536
expect 4 dump-super --super 0 wiped.img <<'END'
! btrfs-crypt dump-super: wiped.img: copy 0 of the superblock, at 65536: no btrfs magic
END
btrfs-crypt dump-super wiped.img > out 2> err || bad "one copy is left: status $?"
[ "$(grep -c '^superblock: ' out)" = 2 ] && sed -n 3p out | grep -q '^error.*no btrfs superblock' || { bad "no block of the copy without magic"; head -5 out; }
sed -n 4p out | grep -q '^$' || bad "fields of what is no superblock"
grep -qx 'btrfs-crypt dump-super: warning: superblock copy at 65536: no btrfs magic' err || { bad "no warning"; cat err; }
btrfs-crypt dump-super --format json wiped.img > out 2> err || bad "JSON: status $?"
cat out > objects; python3 - wiped.img <<'END' || bad "JSON of a copy without magic"
import json, sys
first, second = map(json.loads, open("objects"))
assert first["device"] == second["device"] == sys.argv[1], first
assert (first["copy"], first["valid"], second["copy"], second["valid"]) == (0, False, 1, True), first
assert first["offset"] == "65536" and "no btrfs superblock" in first["error"] and "fsid" not in first and "error" not in second, first
END

# What cannot be shown at all leaves nothing on stdout.
wipe wiped.img 67108864
expect 4 dump-super wiped.img <<'END'
! btrfs-crypt dump-super: wiped.img: not a btrfs filesystem: no superblock has the magic
END
expect 4 dump-super --super 2 disk.img <<'END'
! btrfs-crypt dump-super: disk.img: too small for copy 2 of the superblock
END
expect 4 dump-super --super 1 small.img <<'END'
! btrfs-crypt dump-super: small.img: too small for copy 1 of the superblock
END

# --force shows the fields of whatever is there.
btrfs-crypt dump-super --force wiped.img > out 2> err || bad "--force: status $?"
btrfs-crypt dump-super disk.img | sed "s/disk\.img/wiped.img/; s/^\(magic\t*\).*/\1......../" | diff - <(sed -E '/^error/d; s/^(magic\t*).*/\1......../; s/DON.T MATCH/match/' out) > log ||
	{ bad "--force: not the fields that are there"; cat log; }
[ "$(grep -c 'warning: superblock copy at [0-9]*: no btrfs magic' err)" = 2 ] || { bad "--force: no warning"; cat err; }

btrfs-crypt dump-super --super 0 --device other.img disk.img > out 2> err || bad "two filesystems: status $?"
grep -qx "btrfs-crypt dump-super: warning: other.img: belongs to the filesystem $(fsid other.img), but disk.img to $(fsid disk.img)" err ||
	{ bad "another filesystem is not named"; cat err; }
[ "$(grep '^superblock: ' out | sed 's/.*device=//' | tr '\n' ' ')" = "disk.img other.img " ] || bad "not both were printed"
btrfs-crypt dump-super --super 0 --format json --device other.img disk.img 2> err | grep -o '"device":"[a-z.]*"' | tr '\n' ' ' > out
[ "$(cat out)" = '"device":"disk.img" "device":"other.img" ' ] || { bad "devices in JSON"; cat out; }
finish
