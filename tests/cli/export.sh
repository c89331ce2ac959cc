#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Exporting the bundled images, plain and sealed: what is printed, the exit status, and that two runs make the same bytes. Needs no root.
. "$(dirname "$0")/../expect.sh"
bundled_image
zstd -dqf "$TOP/images/good-sealed.img.zst" -o sealed.img
key=$TOP/images/good-sealed.passphrase

expect 1 export disk.img vault <<'END'
! btrfs-crypt export: -o OUT is missing
! btrfs-crypt export: hint: see btrfs-crypt export --help
END
expect 1 export disk.img vault -o x --archive rar <<'END'
! btrfs-crypt export: --archive takes tar, zip, cpio, mtree or dir
! btrfs-crypt export: hint: see btrfs-crypt export --help
END
expect 1 export disk.img vault -o x --compress lzma <<'END'
! btrfs-crypt export: --compress takes zstd, gzip or xz
! btrfs-crypt export: hint: see btrfs-crypt export --help
END
expect 1 export disk.img vault -o x.zip --archive tar <<'END'
! btrfs-crypt export: the name x.zip says zip, not tar
! btrfs-crypt export: hint: see btrfs-crypt export --help
END
expect 1 export disk.img vault -o x/ --compress xz <<'END'
! btrfs-crypt export: a directory is not compressed
! btrfs-crypt export: hint: see btrfs-crypt export --help
END
expect 9 export disk.img vault -o disk.img <<'END'
! btrfs-crypt export: --output is the image that is read
END
expect 4 export disk.img vault:none -o x.tar <<'END'
! exported before the early end: 0 files (0 further names), 0 directories, 0 symbolic links, 0 special files, 0 bytes of data
! read from another mirror: 0; skipped: 0 sealed, 0 refused; failed: 0, damaged: 0, incomplete: 0 files (0 bytes lost)
! btrfs-crypt export: "none" not found
END
expect 9 export disk.img vault -o x.tar --passphrase-file "$key" <<'END'
! btrfs-crypt export: a key was given, but no subvolume to be exported is sealed
! btrfs-crypt export: hint: leave out the key: they are exported without one
END
for name in no/x.tar no/x/ no/x.report; do
	transcript 11 btrfs-crypt export -q disk.img vault $([ $name = no/x.report ] && echo -o x.tar --report "$name" || echo "-o $name") <<END
! btrfs-crypt export: $name: No such file or directory
! btrfs-crypt export: hint: the directory that it is to be in does not exist: make it first
END
done
[ ! -e x ] && [ ! -e x.tar ] && [ ! -e x.zip ] || bad "something was made"

expect 0 export disk.img public -o public.tar <<'END'
! exported: 2 files (0 further names), 1 directory, 1 symbolic link, 0 special files, 15779 bytes of data
! read from another mirror: 0; skipped: 0 sealed, 0 refused; failed: 0, damaged: 0, incomplete: 0 files (0 bytes lost)
END
expect 0 export disk.img vault -o vault.tar <<'END'
! btrfs-crypt export: note: size-511: its flags, as chattr sets them, are not kept
! btrfs-crypt export: note: socket: sockets are left out
! btrfs-crypt export: note: nested: a nested subvolume, exported as an empty directory (--recursive takes what is in it)
! exported: 31 files (1 further name), 5 directories, 2 symbolic links, 3 special files, 651080 bytes of data
! read from another mirror: 0; skipped: 0 sealed, 0 refused; failed: 0, damaged: 0, incomplete: 0 files (0 bytes lost)
! not kept: socket (1), flags (1)
END
quiet btrfs-crypt export disk.img vault --recursive -o plain.tar
quiet btrfs-crypt export disk.img vault --recursive -o again.tar
quiet btrfs-crypt export sealed.img vault --recursive -o opened.tar --passphrase-file "$key"
cmp plain.tar again.tar || bad "two runs differ"
cmp plain.tar opened.tar || bad "the sealed image, opened, gives another archive"
btrfs-crypt export sealed.img vault --recursive -o closed.tar > out 2> err < /dev/null
[ $? -eq 2 ] || bad "sealed files without a key are not status 2"
grep -q '^btrfs-crypt export: note: secret.txt: sealed or not authenticated, left out without the key$' err || bad "secret.txt is not said to be left out"
tar tf closed.tar 2> log | grep -qx secret.txt && bad "secret.txt came out"
tar -xOf plain.tar secret.txt 2> log | grep -qx 'the combination is 17-4-36' || bad "secret.txt has another content"

# Where and in which language it runs changes no byte. A time of 1931, which is too early for two of the formats, becomes the nearest they have, and that is said.
for name in there.tar there.zip there.cpio there.mtree; do
	TZ=America/New_York LC_ALL=C btrfs-crypt export disk.img vault -o "$name" > out 2> err || bad "$name: $(cat err)"
	TZ=Asia/Tokyo quiet btrfs-crypt export disk.img vault -o "here.${name#*.}" --report "$name.report"
	cmp "$name" "here.${name#*.}" || bad "$name depends on the time zone or the language"
	early=$(case $name in *.zip | *.cpio) echo 1 ;; *) echo 0 ;; esac)
	[ "$(grep -c '^{"finding":"not-kept","path":"size-17","what":"time-range"' "$name.report")" = "$early" ] && [ "$(grep -c '^not kept: .*time-range (1)' err)" = "$early" ] ||
		{ bad "$name: a time that is too early"; cat err; grep size-17 "$name.report"; }
done
python3 - here.zip here.cpio <<'END' || bad "a time that is too early is another one in zip or cpio"
import re, sys, zipfile
of = {entry.filename: (entry.extra, entry.date_time) for entry in zipfile.ZipFile(sys.argv[1]).infolist()}
assert of["size-17"][0][5:9] == bytes(4) and of["size-17"][1] == (1980, 1, 1, 0, 0, 0), of["size-17"]
assert of["secret.txt"][1] == (2026, 11, 23, 7, 54, 26), of["secret.txt"]
header = re.search(rb"070701([0-9A-Fa-f]{104})size-17\0", open(sys.argv[2], "rb").read())[1]
assert header[40:48] == b"00000000", header
END

# A chain of snapshots: each goes where it is in the image, and what one lacks is said.
expect 0 export disk.img shared-snapshot --snapshots -o chain.tar <<'END'
! exported: 4 files (0 further names), 2 directories, 0 symbolic links, 0 special files, 215710 bytes of data
! read from another mirror: 0; skipped: 0 sealed, 0 refused; failed: 0, damaged: 0, incomplete: 0 files (0 bytes lost)
END
tar tf chain.tar | sort | diff - <(printf '%s\n' shared/ shared/ledger.txt shared/small.txt shared-snapshot/ shared-snapshot/ledger.txt \
	shared-snapshot/small.txt | sort) || bad "the chain of shared-snapshot"
quiet btrfs-crypt export disk.img shared:/ledger.txt --snapshots -o one.tar
tar tf one.tar | diff - <(printf '%s\n' shared/ledger.txt shared-snapshot/ledger.txt) || bad "one file of each snapshot"
quiet btrfs-crypt export disk.img vault --snapshots -o alone.tar
tar tf alone.tar | grep -qvE '^vault/' && bad "vault is in no chain"

# Two entries of one name, the first a link that leads out: what unpacks an archive would write there.
python3 - disk.img "$TOP/tests/image" <<'END' || bad "no second name"
import struct, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[2])
from volume import HEADER, ITEM, Volume
volume = Volume([sys.argv[1]])
names = {}
for address, block in volume.blocks(volume.tree(257)):
    for slot in range(struct.unpack_from("<I", block, 96)[0] if block[100] == 0 else 0):
        objectid, kind, offset, at, size = struct.unpack_from("<QBQII", block, HEADER + ITEM * slot)
        if (objectid, kind) == (256, 96):
            names[block[HEADER + at + 30:HEADER + at + size]] = address, HEADER + at + 30
address, at = names[b"directory"]
block = bytearray(volume.read(address, volume.node_size))
block[at:at + 9] = b"link-long"
volume.write_block(address, bytes(block))
volume.close()
END
for name in twice.tar twice.cpio twice.zip twice/; do
	btrfs-crypt export disk.img vault -o "$name" > out 2> err < /dev/null
	[ $? -eq 6 ] || bad "$name: two entries of one name are not status 6"
	grep -q '^btrfs-crypt export: warning: link-long: not exported: a symbolic link has the same name and was exported$' err ||
		bad "$name: the second link-long is not said to be left out"
done
tar tf twice.tar 2> log | grep -q '^link-long/' && bad "something is below a symbolic link"
[ -L twice/link-long ] || bad "the link is not there"
finish
