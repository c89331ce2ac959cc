#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# key backup: what is saved, for whom, and what is refused; --header: reading and unsealing by a backup where the header in the image is damaged.
. "$(dirname "$0")/../expect.sh"
bundled_image
expect 9 key backup disk.img vault backup <<< "! btrfs-crypt key: vault is not sealed"
. "$TOP/tests/sealed-disk.sh"
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

finish
