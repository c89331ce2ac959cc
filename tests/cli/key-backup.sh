#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# key backup: what is saved, for whom, and what is refused; --header: reading and unsealing by a backup where the header in the image is damaged.
. "$(dirname "$0")/../expect.sh"
PATH=$PATH:/usr/sbin:/sbin
bundled_image
for name in a b wrong; do printf 'secret %s' $name > $name; done
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
unchecked='! btrfs-crypt key: note: nothing of it is authenticated: with a key, it is checked first'

expect 9 key backup disk.img vault backup <<< "! btrfs-crypt key: vault is not sealed"
quiet btrfs-crypt convert --encrypt disk.img vault --key-file a $cheap
quiet btrfs-crypt key add disk.img vault --key-file a --new-key-file b $cheap
quiet btrfs-crypt key export-volume-key disk.img vault volume-key --key-file a --batch-mode
unchanged disk.img

# --- backup ------------------------------------------------------------------------------------------------------------
expect 0 key backup disk.img vault backup <<END
header of vault saved in backup: epoch 8, key slots 2, subvolumes 1
$unchecked
END
[ "$(stat -c '%a %F' backup)" = "600 regular file" ] || bad "the backup is $(stat -c '%a %F' backup)"
expect 0 key backup disk.img vault backup-checked --key-file b --format json \
	<<< '{"record":"backup","path":"vault","backup_file":"backup-checked","epoch":"8","slots":2,"subvolumes":1}'
# Only the time may differ, and with it the hash.
cmp -l backup backup-checked | awk -v hash="$(($(stat -c %s backup) - 32))" '($1 < 41 || $1 > 48) && $1 <= hash { print $1 }' > differ
[ ! -s differ ] || bad "two backups of one header differ at $(cat differ)"
expect 0 key backup disk.img vault backup-short --no-slots --volume-key-file volume-key \
	<<< "header of vault saved in backup-short: epoch 8, key slots 0, subvolumes 1"
[ $((2 * (220 + 16))) = $(($(stat -c %s backup) - $(stat -c %s backup-short))) ] || bad "what --no-slots leaves out"

# What is there stays, whatever it is; nothing is left of what could not be written.
ln -s nowhere link
cp backup before
for file in backup link .; do
	expect 11 key backup disk.img vault $file --key-file a <<< "! btrfs-crypt key: $file: File exists"
done
cmp before backup && [ "$(readlink link)" = nowhere ] && [ ! -e nowhere ] || bad "a file was overwritten"
expect 11 key backup disk.img vault no/backup --key-file a <<< "! btrfs-crypt key: no/backup: No such file or directory"
(
	ulimit -f 1
	trap '' XFSZ
	btrfs-crypt key backup disk.img vault large > out 2> err
	[ $? -eq 11 ] && grep -qx 'btrfs-crypt key: large: File too large' err
) || { bad "a backup that cannot be written"; cat err; }
[ ! -e large ] || bad "half a backup was left"
expect 2 key backup disk.img vault other --key-file wrong <<< "! btrfs-crypt key: wrong key or passphrase"
expect 1 key backup disk.img vault <<'END'
! btrfs-crypt key: key backup takes IMAGE SUBVOL FILE
! btrfs-crypt key: hint: see btrfs-crypt key --help
END
expect 1 key list disk.img vault --no-slots <<'END'
! btrfs-crypt key: key list has no --no-slots
! btrfs-crypt key: hint: see btrfs-crypt key --help
END
[ ! -e other ] || bad "a backup in spite of an error"
unchanged disk.img

# --- header ------------------------------------------------------------------------------------------------------------
tag=$(btrfs-crypt key list disk.img vault 2> err | sed -nE 's/^Encryption: *\t//p')
seal=$(btrfs-crypt verify disk.img vault --key-file a 2> err | grep '^seal fingerprint: ')
# place KIND INDEX: of an item of the first sealing, for `attack`
place() { echo "1 18446744073709551416 249 $((1 << 48 | $1 << 44 | $2))"; }
first=$(place 0 0)
second=$(place 15 $(((1 << 44) - 1)))
hit() { "$tools/attack/attack" damaged.img "$@" || bad "attack $*"; }
# without ITEM...: damaged.img is the image without them, or with wrong bytes in them
without() {
	cp disk.img damaged.img
	rm -f damaged.img.sum
	for item; do
		# shellcheck disable=SC2046,SC2086
		case $item in
		first) hit drop $first ;;
		second) hit drop $second ;;
		slots) hit drop $(place 1 0) && hit drop $(place 1 1) ;;
		slot) hit xor $(place 1 1) 180 1 ;;
		member) hit drop $(place 2 0) ;;
		macs) hit xor $first 765 1 && hit xor $second 40 1 ;;
		esac
	done
}

# reads KEY...: everything is read as it was, with the header backup
reads() {
	unchanged damaged.img
	expect 0 verify-key damaged.img vault --header backup "$@" <<< "key matches: $tag ($by)"
	expect 0 cat damaged.img vault secret.txt --header backup "$@" <<< "the combination is 17-4-36"
	expect 0 verify damaged.img vault --header backup "$@" <<END
verified: $tag: 30 files, 136 blocks, 0 not sealed, 0 failures
$seal
END
	[ -e listed ] || return
	expect 0 ls -l damaged.img vault --header backup "$@" < listed
	expect 0 stat damaged.img vault secret.txt --header backup "$@" < described
	btrfs-crypt export damaged.img vault -o - --archive mtree --header backup "$@" > have 2> err
	cmp -s have exported || { bad "export --header"; cat err; }
	unchanged damaged.img
	rm listed
}
btrfs-crypt ls -l disk.img vault --key-file a > listed
btrfs-crypt stat disk.img vault secret.txt --key-file a > described
btrfs-crypt export disk.img vault -o - --archive mtree --key-file a > exported 2> err
[ "$(wc -l < exported)" -gt 30 ] || bad "nothing was exported"
by="slot 1"
# Whatever is missing, or wrong: both copies of the header, slots, the list of subvolumes
for items in "first second slots member" slot macs; do
	without $items
	btrfs-crypt cat damaged.img vault secret.txt --key-file b > out 2> err
	[ $? -ge 2 ] && [ ! -s out ] || bad "read without a header: $items"
	reads --key-file b
done
by="volume key"
mv backup whole
cp backup-short backup
reads --volume-key-file volume-key
expect 2 cat damaged.img vault secret.txt --header backup --key-file b <<'END'
! btrfs-crypt cat: wrong key or passphrase
! btrfs-crypt cat: hint: it has no key slot; only the volume key opens it
END
mv whole backup

# A newer header in the image counts: a passphrase that was removed stays removed.
cp disk.img damaged.img
quiet btrfs-crypt key remove damaged.img vault --key-file b
expect 2 cat damaged.img vault secret.txt --header backup --key-file b <<'END'
! btrfs-crypt cat: wrong key or passphrase
! btrfs-crypt cat: hint: the header in the image is newer than the backup, so its key slots count
END
expect 0 cat damaged.img vault secret.txt --header backup --key-file a <<'END'
the combination is 17-4-36
! btrfs-crypt cat: warning: the header in the image has epoch 9 and is used: the header backup is older and has epoch 8
END

# Who has a backup is told what it is for
without first second
expect 13 verify-key damaged.img vault --key-file a <<'END'
! btrfs-crypt verify-key: copy 0 of the header of sealing 1 is missing
! btrfs-crypt verify-key: hint: with a header backup, --header FILE does without the header in the image; `btrfs-crypt key restore` puts it back
END
cp disk.img damaged.img

# What is of something else
quiet btrfs-crypt convert --encrypt damaged.img public --key-file a $cheap
expect 13 verify-key damaged.img public --header backup --key-file a <<'END'
! btrfs-crypt verify-key: the header backup belongs to another sealing than subvolume public (id 256)
END
expect 9 cat damaged.img shared ledger.txt --header backup <<'END'
! btrfs-crypt cat: a header backup was given, but subvolume shared (id 260) is not sealed
END
quiet btrfs-crypt convert --decrypt damaged.img vault --key-file a
quiet btrfs-crypt convert --encrypt damaged.img vault --key-file a $cheap
expect 13 verify-key damaged.img vault --header backup --key-file a <<'END'
! btrfs-crypt verify-key: the header backup belongs to another sealing than number 1 of this image
END
for wrong in "--encrypt damaged.img vault" "--status damaged.img" "--resume damaged.img"; do
	# shellcheck disable=SC2086
	expect 1 convert $wrong --header backup <<'END'
! btrfs-crypt convert: --header goes with --decrypt
! btrfs-crypt convert: hint: see btrfs-crypt convert --help
END
done

# --- unsealing by a backup ---------------------------------------------------------------------------------------------
# From the first record on the header is back: whoever goes on, or back, needs no backup.
without first second slots member
unchanged damaged.img
expect 0 convert --decrypt --dry-run damaged.img vault --header backup --key-file b <<'END'
would be unsealed: 1 subvolume, 16 extents, 544.00KiB (557056 bytes) of data, 15 inline items
  257 vault
leaves to change: 7
END
unchanged damaged.img
cp damaged.img begun.img
# killed [WHEN [BACKUP]]: at this flush
killed() {
	cp begun.img damaged.img
	{ strace -f -qq -o trace -e trace=fdatasync,fsync -e "inject=fdatasync,fsync:signal=KILL:when=${1:-12}" btrfs-crypt convert --decrypt damaged.img vault \
		--key-file b --header "${2:-backup}" > out 2> err < /dev/null; } 2> log
	[ $? -eq 137 ] || { bad "it was not killed"; cat err; }
}
killed
quiet btrfs-crypt convert --abort damaged.img --key-file a
grep -qxF "btrfs-crypt convert: note: the header and the key slots stay those of the header backup with which the unsealing began" log ||
	bad "an abort does not say whose key slots are left: $(cat log)"
expect 0 verify damaged.img vault --key-file b <<END
verified: $tag: 30 files, 136 blocks, 0 not sealed, 0 failures
$seal
END
[ "$(btrfs-crypt key list damaged.img vault 2> err | grep -c ', agrees$')" = 2 ] || bad "the header is not back"
# --- a tree block that no copy has: a restore cannot bring it back, and says what reads the rest
for n in 1 2; do
	cp disk.img damaged.img
	block=$(btrfs-crypt key list damaged.img vault 2> err | sed -n "s/^Header copy $((n - 1)): .*tree block \([0-9]*\),.*/\1/p")
	btrfs-crypt resolve --logical "$block" damaged.img 2> err | sed -n 's/^copy .* physical //p' > places
	[ -s places ] || bad "header copy $n has no place"
	while read -r place; do head -c 4096 /dev/zero | dd of=damaged.img bs=4096 seek=$((place / 4096)) conv=notrunc status=none; done < places
	rm -f damaged.img.sum
	unchanged damaged.img
	btrfs-crypt key restore damaged.img vault backup --key-file a > out 2> err
	[ $? = 6 ] && grep -q 'checksum does not match' err || { bad "restoring without the tree block of header copy $n"; cat err; }
	[ $n = 1 ] || grep -qxF 'btrfs-crypt key: hint: a tree block that no copy has is not in the backup: --header, with --tolerant, reads what is left of the subvolume' err ||
		{ bad "no hint"; cat err; }
	btrfs-crypt cat damaged.img vault secret.txt --key-file a > out 2> err
	[ $? = 6 ] && [ ! -s out ] && grep -qxF 'btrfs-crypt cat: hint: --tolerant reads what is left' err || { bad "no hint without header copy $n"; cat err; }
	btrfs-crypt cat damaged.img vault secret.txt --header backup --tolerant --key-file a > out 2> err
	[ $? = 6 ] && [ "$(cat out)" = "the combination is 17-4-36" ] || { bad "what is left without header copy $n"; cat err; }
	unchanged damaged.img
done
# The state in the superblocks is lost, and then the header: only what has become plain says that no header must be put back.
killed
for copy in 0 1; do
	"$tools/attack/attack" begun.img super-get $copy > super && hit super-put $copy super
done
hit drop $first
hit drop $second
rm -f damaged.img.sum
unchanged damaged.img
expect 13 key restore damaged.img vault backup --key-file a <<'END'
! btrfs-crypt key: damaged.img: data of vault (id 257) are not marked as sealed, as an unfinished unsealing leaves them; nothing was changed
! btrfs-crypt key: hint: --header reads what is left of the subvolume
END
unchanged damaged.img
killed
quiet btrfs-crypt convert --decrypt --resume damaged.img --header backup --key-file b
expect 0 cat damaged.img vault secret.txt <<< "the combination is 17-4-36"
btrfs check --force damaged.img > log 2>&1 || { bad "btrfs check"; cat log; }
cp begun.img damaged.img
expect 0 convert --decrypt damaged.img vault --header backup-short --volume-key-file volume-key <<'END'
unsealed: 1 subvolume, 16 extents, 544.00KiB (557056 bytes) of data, 15 inline items
  257 vault
END
expect 0 cat damaged.img vault secret.txt <<< "the combination is 17-4-36"
btrfs check --force damaged.img > log 2>&1 || { bad "btrfs check"; cat log; }

# The image has a header of long before: the power goes when the superblocks say that it is being unsealed, and the first record is not in place.
cp disk.img begun.img
for label in x y z; do quiet btrfs-crypt key label begun.img vault --key-file a --label $label; done
quiet btrfs-crypt key backup begun.img vault later
old=$("$tools/attack/attack" disk.img peek $first 0 792)
"$tools/attack/attack" begun.img poke $first 0 "$old" && "$tools/attack/attack" begun.img poke $second 0 "$old" || bad "an old header"
for goal in "--decrypt --resume" --abort; do
	killed 5 later
	[ "$("$tools/attack/attack" damaged.img peek $first 0 792)" = "$old" ] || bad "the first record is in place"
	# shellcheck disable=SC2086
	quiet btrfs-crypt convert $goal damaged.img --key-file b
done
expect 0 verify damaged.img vault --key-file a <<END
verified: $tag: 30 files, 136 blocks, 0 not sealed, 0 failures
$seal
END

# --- restore -----------------------------------------------------------------------------------------------------------
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
