#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# key restore: header, key slots and subvolumes come back from a backup, and what is refused.
. "$(dirname "$0")/../expect.sh"
. "$TOP/tests/sealed-disk.sh"
quiet btrfs-crypt key backup disk.img vault backup
quiet btrfs-crypt key backup disk.img vault backup-short --no-slots
old=$("$tools/attack/attack" disk.img peek $first 0 792)
unchanged disk.img

# restored SLOTS KEY...: the header is back and right, with these slots, and so is everything else
restored() {
	[ "$(btrfs-crypt key list damaged.img vault 2> err | sed -nE 's/^  ([0-9]+): .*/\1/p; s/^Header copy .*(agrees)$/\1/p' | paste -sd ' ')" = "agrees agrees $1" ] ||
		bad "the header after a restore: $(btrfs-crypt key list damaged.img vault 2>&1)"
	expect 0 verify damaged.img vault "${@:2}" <<END
verified: $tag: 30 files, 136 blocks, 0 not sealed, 0 failures
$seal
END
	btrfs check --force damaged.img > log 2>&1 || { bad "btrfs check"; cat log; }
}
cp disk.img damaged.img
rm -f damaged.img.sum
unchanged damaged.img
expect 0 key restore damaged.img vault backup --key-file a <<< "nothing to restore: the header of vault is as in backup: epoch 8, key slots 2, subvolumes 1"
expect 2 key restore damaged.img vault backup --key-file wrong <<< "! btrfs-crypt key: wrong key or passphrase"
expect 13 key restore damaged.img public backup --key-file a \
	<<< "! btrfs-crypt key: backup belongs to another subvolume than public of damaged.img; nothing was changed"
unchanged damaged.img
without first second slots member
expect 0 key restore damaged.img vault backup --key-file b <<'END'
header of vault restored from backup: epoch 9, key slots 2, subvolumes 1
! btrfs-crypt key: note: backup: epoch 8, key slots 0, 1
! btrfs-crypt key: note: damaged.img: no valid header, no key slots
END
restored "0 1" --key-file a
# Only hashes of slots: those that are as they were stay.
without macs slot
unchanged damaged.img
expect 9 key restore damaged.img vault backup-short --volume-key-file volume-key <<'END'
! btrfs-crypt key: note: backup-short: epoch 8, no key slots, only their hashes
! btrfs-crypt key: note: damaged.img: no valid header, key slots 0, 1
! btrfs-crypt key: In damaged.img, key slots 1 are others than in backup-short, and will be lost.  There is no terminal to ask on
! btrfs-crypt key: hint: --batch-mode goes on without asking
END
unchanged damaged.img
expect 0 key restore damaged.img vault backup-short --volume-key-file volume-key --format json --batch-mode <<'END'
{"record":"restore","path":"vault","backup_file":"backup-short","epoch":"9","slots":1,"subvolumes":1,"changed":true}
! {"note":"backup-short: epoch 8, no key slots, only their hashes"}
! {"note":"damaged.img: no valid header, key slots 0, 1"}
END
restored 0 --key-file a
# One copy of the header: `key list` says which, a backup takes the other one, and a restore makes both right. The older copy is one of before.
for damage in "drop $second" "poke $first 0 $old" "xor $second 192 1"; do
	cp disk.img damaged.img
	quiet btrfs-crypt key recovery damaged.img vault --key-file a --batch-mode
	quiet btrfs-crypt key remove damaged.img vault --key-file a -S 2
	# shellcheck disable=SC2086
	hit $damage
	btrfs-crypt key list damaged.img vault 2> err | sed -nE 's/^Header copy ([01]): *\t(tree block [0-9]+, )?/\1 /p' >> copies
	rm -f newest
	[ "${damage%% *}" != xor ] || continue
	case $damage in
	drop*) expect 0 key backup damaged.img vault newest <<END ;;
header of vault saved in newest: epoch 10, key slots 2, subvolumes 1
! btrfs-crypt key: warning: one of the two copies of the header of sealing 1 is missing or damaged: the other one is saved
$unchecked
END
	# A copy that differs may be forged, with a higher epoch and without key slots.
	poke*) expect 13 key backup damaged.img vault newest <<'END'
! btrfs-crypt key: the two copies of the header of sealing 1 differ, and only a key tells which one is authentic
! btrfs-crypt key: hint: give the key, too: then that one is saved
END
		[ ! -e newest ] || bad "a backup that nobody checked"
		btrfs-crypt key backup damaged.img vault newest --key-file a > out 2> err || { bad "key backup of one of two copies"; cat err; }
		grep -qx "header of vault saved in newest: epoch 10, key slots 2, subvolumes 1" out || bad "$(cat out)" ;;
	esac
	btrfs-crypt key restore damaged.img vault backup --key-file a > out 2> err || { bad "restoring one copy"; cat err; }
	grep -qx "header of vault restored from backup: epoch 11, key slots 2, subvolumes 1" out || bad "$(cat out)"
	restored "0 1" --key-file b
done
diff -u - copies <<'END' || bad "what key list says of copies of the header"
0 agrees
1 missing or damaged
0 older
1 agrees
0 differs
1 differs
END
# The same numbers, but another passphrase, in a header that is damaged
cp disk.img damaged.img
quiet btrfs-crypt key change damaged.img vault --key-file b --new-key-file wrong $cheap
hit drop $first
hit drop $second
rm -f damaged.img.sum
unchanged damaged.img
expect 9 key restore damaged.img vault backup --key-file b <<'END'
! btrfs-crypt key: note: backup: epoch 8, key slots 0, 1
! btrfs-crypt key: note: damaged.img: no valid header, key slots 0, 1
! btrfs-crypt key: In damaged.img, key slots 1 are others than in backup, and will be lost.  There is no terminal to ask on
! btrfs-crypt key: hint: --batch-mode goes on without asking
END
unchanged damaged.img
# An older header in place of a newer one: it asks.
cp disk.img damaged.img
quiet btrfs-crypt key remove damaged.img vault --key-file b
rm -f damaged.img.sum
unchanged damaged.img
expect 9 key restore damaged.img vault backup --key-file b <<'END'
! btrfs-crypt key: note: backup: epoch 8, key slots 0, 1
! btrfs-crypt key: note: damaged.img: epoch 9, key slots 0
! btrfs-crypt key: The header of vault is newer than backup; its key slots are replaced by the older ones.  There is no terminal to ask on
! btrfs-crypt key: hint: --batch-mode goes on without asking
END
unchanged damaged.img
expect 0 key restore damaged.img vault backup --key-file b --batch-mode <<'END'
header of vault restored from backup: epoch 10, key slots 2, subvolumes 1
! btrfs-crypt key: note: backup: epoch 8, key slots 0, 1
! btrfs-crypt key: note: damaged.img: epoch 9, key slots 0
END
restored "0 1" --key-file b
# What was unsealed or rekeyed since, and what lacks items that no restore brings back
for what in --decrypt "--rekey --drop-slots --pbkdf pbkdf2 --pbkdf-force-iterations 1000"; do
	cp disk.img damaged.img
	# shellcheck disable=SC2086
	quiet btrfs-crypt convert $what damaged.img vault --key-file a
	rm -f damaged.img.sum
	unchanged damaged.img
	expect 13 key restore damaged.img vault backup --key-file a <<END
! btrfs-crypt key: vault of damaged.img was unsealed or rekeyed since backup was made; nothing was changed
END
	unchanged damaged.img
done
counts="btrfs-crypt key: damaged.img has %s unit, %s inline unit and %s index items of vault, but the header in backup counts 1, 1 and 1; nothing was changed\n"
for kind in 4 5 7; do
	without first second
	# shellcheck disable=SC2046
	hit drop $(place $kind 0)
	unchanged damaged.img
	# shellcheck disable=SC2059
	expect 13 key restore damaged.img vault backup --key-file a <<< "! $(printf "$counts" $((kind != 4)) $((kind != 5)) $((kind != 7)))"
	unchanged damaged.img
done
# What is sealed in the image is another thing than what the backup is of, or in another filesystem
cp disk.img damaged.img
quiet btrfs-crypt convert --decrypt damaged.img vault --key-file a
quiet btrfs-crypt convert --encrypt damaged.img vault --key-file a $cheap
expect 13 key restore damaged.img vault backup --key-file a <<< "! btrfs-crypt key: backup belongs to another sealing than vault of damaged.img; nothing was changed"
hit drop $first
hit drop $second
rm -f damaged.img.sum
unchanged damaged.img
expect 13 key restore damaged.img vault backup --key-file a <<< "! btrfs-crypt key: backup belongs to another sealing than vault of damaged.img; nothing was changed"
unchanged damaged.img

# Hostile files
without first second
unchanged damaged.img
mkfifo fifo
head -c 100 backup > short
truncate -s 513M large
: > empty
python3 - <<'END'
import hashlib
backup = open("backup", "rb").read()
def write(name, *changes):
    data = bytearray(backup[:-32])
    for at, new in changes:
        data[at:at + len(new)] = new
    open(name, "wb").write(data + hashlib.sha256(data).digest())
open("rotten", "wb").write(backup[:400] + bytes([backup[400] ^ 1]) + backup[401:])
open("longer", "wb").write(backup + b"\0")
write("count", (48, b"\xff\xff\xff\xff"))
write("item", (64, b"\xff\xff\xff\x7f"))
slot = 56 + 16 + 792 + 16
costly = [(slot + i * (220 + 16) + 40, b"\xff\xff\xff\xff") for i in (0, 1)]
write("damaged", *costly)
# Somebody made the hashes of the slots in the header right as well.
write("costs", *costly)
file = open("costs", "rb").read()
for i in (0, 1):
    at = slot + i * (220 + 16)
    costly.append((56 + 16 + 248 + 16 * i, hashlib.sha256(file[at:at + 220]).digest()[:16]))
write("costs", *costly)
write("number", (slot + 36, b"\x20"))
write("forged", (56 + 16 + 32, b"\x63"))
write("elsewhere", (24, bytes(16)))
END
while IFS='|' read -r file status text; do
	expect "$status" verify-key damaged.img vault --key-file b --header "$file" <<< "! btrfs-crypt verify-key: $text"
	FILTER="s#^! btrfs-crypt key: $file: header backup: crypt slot#! btrfs-crypt key: header backup: crypt slot#" \
		expect "$status" key restore damaged.img vault "$file" --key-file b <<< "! btrfs-crypt key: $text"
done << 'END'
nowhere|11|nowhere: No such file or directory
.|13|.: a header backup is a regular file
fifo|13|fifo: a header backup is a regular file
/dev/zero|13|/dev/zero: a header backup is a regular file
empty|13|empty: header backup at 0: 0 bytes, its beginning takes 56
a|13|a: header backup at 0: 8 bytes, its beginning takes 56
large|13|large: header backup at 0: 537919488 bytes, not at most 536870912
disk.img|13|disk.img: header backup at 0: the magic is not "BTRCBACK"
short|13|short: header backup at 0: length is 1589, but the file has 100 bytes
longer|13|longer: header backup at 0: length is 1589, but the file has 1590 bytes
rotten|13|rotten: header backup: its hash is wrong; the file is damaged
count|13|count: item of the header backup at 0x615: 0 bytes left, the head of an item takes 16
item|13|item: item of the header backup at 0x38: length is 2147483647, the file has 1485 bytes left for items
costs|9|key slot 1: PBKDF2 has 4294967295 iterations, not 1 to 100000000
forged|13|header backup: the header of sealing 1 fails authentication
END
unchanged damaged.img

# Slots that are not what the header of the file vouches for: another slot opens it, and a restore keeps the one of the image that it vouches for.
fault="is damaged: it is not the one that the header vouches for"
expect 2 verify-key damaged.img vault --key-file b --header damaged <<END
! btrfs-crypt verify-key: warning: key slot 0 $fault
! btrfs-crypt verify-key: warning: key slot 1 $fault
! btrfs-crypt verify-key: wrong key or passphrase
! btrfs-crypt verify-key: hint: key slot 0 $fault; what belongs to it opens nothing until \`key restore\` puts it back from a header backup
END
expect 0 verify-key damaged.img vault --key-file b --header number <<END
key matches: $tag (slot 1)
! btrfs-crypt verify-key: warning: key slot 0 is damaged: crypt slot at 0x370: number is 32, not 0 to 31
END
unchanged damaged.img
expect 0 key restore damaged.img vault number --key-file b <<'END'
header of vault restored from number: epoch 9, key slots 2, subvolumes 1
! btrfs-crypt key: warning: key slot 0 is damaged: crypt slot at 0x370: number is 32, not 0 to 31
! btrfs-crypt key: note: number: epoch 8, key slots 1
! btrfs-crypt key: note: damaged.img: no valid header, key slots 0, 1
END
restored "0 1" --key-file a

without first second
# The fsid is only a hint, as long as the seal in the image says what it is.
expect 0 key restore damaged.img vault elsewhere --key-file b <<'END'
header of vault restored from elsewhere: epoch 9, key slots 2, subvolumes 1
! btrfs-crypt key: note: elsewhere: epoch 8, key slots 0, 1
! btrfs-crypt key: note: damaged.img: no valid header, key slots 0, 1
END
restored "0 1" --key-file a
without first second
# shellcheck disable=SC2046
hit drop $(place 6 0)
rm -f damaged.img.sum
unchanged damaged.img
expect 13 key restore damaged.img vault elsewhere --key-file b \
	<<< "! btrfs-crypt key: elsewhere belongs to another filesystem than vault of damaged.img; nothing was changed"
unchanged damaged.img
# Nor is the filesystem enough: the subvolume was sealed again meanwhile, and nothing but its tag says so.
cp disk.img damaged.img
quiet btrfs-crypt convert --decrypt damaged.img vault --key-file a
quiet btrfs-crypt convert --encrypt damaged.img vault --key-file a $cheap
for item in "$first" "$second" "$(place 1 0)" "$(place 6 0)"; do
	# shellcheck disable=SC2086
	hit drop $item
done
expect 13 key restore damaged.img vault backup --key-file a <<< "! btrfs-crypt key: backup belongs to another sealing than vault of damaged.img; nothing was changed"

finish
