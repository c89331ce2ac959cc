#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# On a terminal: the passphrase is asked for, twice if it is new, and never shown; questions can be answered with no; binary data are not printed;
# help fits.
. "$(dirname "$0")/../expect.sh"
python3 -c 'import pty' 2> /dev/null || { echo "needs python3"; exit 77; }
bundled_image
head -c 32 /dev/urandom > volume-key
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
FILTER='s/begun [-0-9]+ [0-9:]+ UTC/begun TIME/'
is_stopped() { [ $? -eq 8 ] && tr -d '\r' < shown | grep -qxF "btrfs-crypt convert: stopped; nothing was changed"; }
on_terminal() { "$TOP/tests/on-terminal.py" "$@" > shown; }

unchanged disk.img
# Mistyped, or nothing typed: three tries.
asks_new="New passphrase for vault of disk.img: "
on_terminal "$asks_new" "open sesame" "The same again: " "open says me" "$asks_new" "" "$asks_new" "open sesame" "The same again: " "open says me" -- \
	btrfs-crypt convert --encrypt disk.img vault $cheap
[ $? -eq 2 ] && [ "$(grep -c 'two passphrases differ' shown)" = 2 ] && grep -q '^btrfs-crypt convert: note: the passphrase is empty' shown ||
	{ bad "two different passphrases"; cat shown; }
for action in --encrypt --decrypt; do
	on_terminal -- btrfs-crypt convert $action disk.img wault
	[ $? -eq 4 ] && ! grep -q 'assphrase: ' shown || { bad "$action: a passphrase is asked for although the name is misspelled"; cat shown; }
done
on_terminal "New passphrase for vault of disk.img: " "^C" -- btrfs-crypt convert --encrypt disk.img vault $cheap
is_stopped || { bad "control-C at the prompt"; cat shown; }
on_terminal "New passphrase for vault of disk.img: " "^C" -- sh -c "trap : INT; btrfs-crypt convert --encrypt disk.img vault $cheap; stty -a"
grep -qE '(^| )echo ' shown || { bad "control-C at the prompt left the echo off"; cat shown; }
on_terminal "Go on? [y/N] " "n" -- btrfs-crypt convert --encrypt disk.img vault --volume-key-file volume-key
[ $? -eq 9 ] && grep -q 'not confirmed' shown || { bad "not confirmed"; cat shown; }
unchanged disk.img

# Whatever is asked, and however far it is: no is 9, and control-C ends it. A plan says what will be asked, and asks nothing.
mkdir -p tree/etc tree/usr
: > tree/etc/fstab
truncate -s 112M root.img
quiet mkfs.btrfs --rootdir tree root.img
unchanged root.img
question="subvolume / (id 5) looks like a root filesystem: once sealed, it will not boot"
transcript 0 btrfs-crypt convert --encrypt --dry-run root.img / < <(
	btrfs-crypt convert --encrypt --dry-run root.img / 2> /dev/null
	echo "! btrfs-crypt convert: note: $question"
	echo "! btrfs-crypt convert: note: the top level is sealed: if anything is created or removed in it later, unsealing needs --accept-changes")
on_terminal -- btrfs-crypt convert --encrypt --dry-run root.img / || { bad "a plan on a terminal: status $?"; cat shown; }
on_terminal "$question  Go on? [y/N] " n -- btrfs-crypt convert --encrypt root.img / $cheap
[ $? -eq 9 ] && grep -q 'not confirmed' shown && ! grep -q assphrase shown || { bad "a root filesystem: not confirmed"; cat shown; }
on_terminal "$question  Go on? [y/N] " y "New passphrase for / of root.img: " ^C -- btrfs-crypt convert --encrypt root.img / $cheap
is_stopped && [ "$(grep -c 'Go on' shown)" = 1 ] || { bad "control-C after the question: status $?"; cat shown; }
on_terminal "Go on? [y/N] " ^C -- btrfs-crypt convert --encrypt root.img / $cheap
is_stopped || { bad "control-C at the question: status $?"; cat shown; }
for key in "" "--key-file missing"; do
	transcript 9 btrfs-crypt convert --encrypt root.img / $key < <(
		echo "! btrfs-crypt convert: $question; nobody can be asked, and nothing was changed"
		echo "! btrfs-crypt convert: hint: --batch-mode confirms it")
done
on_terminal "Go on? [y/N] " ^C -- btrfs-crypt convert --encrypt disk.img vault --volume-key-file volume-key
is_stopped || { bad "control-C at the first question"; cat shown; }
on_terminal "New passphrase for vault of disk.img: " x "again: " ^C -- btrfs-crypt convert --encrypt disk.img vault $cheap
is_stopped || { bad "control-C at the second prompt"; cat shown; }
unchanged root.img
cp root.img sealed.img
printf x > x
btrfs-crypt convert --encrypt --batch-mode sealed.img / --key-file x $cheap > out 2> err || { bad "a root filesystem in batch mode: status $?"; cat err; }
grep -qF "note: $question" err || { bad "batch mode is not told"; cat err; }
rm sealed.img

on_terminal "New passphrase for vault of disk.img: " "open sesame" "The same again: " "open sesame" -- btrfs-crypt convert --encrypt disk.img vault $cheap ||
	{ bad "encrypt: status $?"; cat shown; }
grep -q '^Encryption: ' shown || { bad "no summary"; cat shown; }
grep -q sesame shown && bad "the passphrase was shown"
on_terminal "Passphrase for vault of disk.img: " "open sesame" -- btrfs-crypt verify-key disk.img vault || { bad "verify-key: status $?"; cat shown; }
grep -q '^key matches: ' shown || { bad "no match"; cat shown; }
# Three tries.
asks="Passphrase for vault of disk.img: "
on_terminal "$asks" "wrong" "$asks" "" "$asks" "" -- btrfs-crypt verify-key disk.img vault
[ $? -eq 2 ] && [ "$(grep -c 'the passphrase is empty' shown)" = 2 ] || { bad "an empty passphrase"; cat shown; }
for command in "verify-key disk.img vault" "verify disk.img vault" "cat disk.img vault secret.txt" "export disk.img vault -o x.tar" "key in disk.img vault" \
	"convert --decrypt disk.img vault"; do
	on_terminal "$asks" "wrong" "$asks" "wronger" "$asks" "wrongest" -- btrfs-crypt $command
	[ $? -eq 2 ] && [ "$(grep -cE 'wrong key or passphrase|Key was rejected by service' shown)" = 3 ] || { bad "$command: three wrong passphrases"; cat shown; }
done
[ ! -e x.tar ] || bad "export without a key"
on_terminal "$asks" "wrong" "$asks" "open sesame" -- btrfs-crypt cat disk.img vault secret.txt
[ $? -eq 0 ] && grep -q '^the combination is 17-4-36' shown || { bad "cat: status $?"; cat shown; }
on_terminal "$asks" "open sesame" -- btrfs-crypt verify disk.img vault || { bad "verify: status $?"; cat shown; }
printf 'open sesame\n' > passphrase
quiet btrfs-crypt verify-key disk.img vault --passphrase-file passphrase
on_terminal -- btrfs-crypt cat --format json --passphrase-file - disk.img vault secret.txt
[ $? -eq 1 ] && ! grep -q 'assphrase: ' shown || { bad "cat asks a machine"; cat shown; }
for command in "cat disk.img vault secret.txt" "export disk.img vault -o x.tar" "ls disk.img vault"; do
	on_terminal -- btrfs-crypt $command --format json
	grep -q 'assphrase' shown && { bad "$command asks a machine"; cat shown; }
done
rm -f x.tar
on_terminal "$asks" "open sesame" -- btrfs-crypt cat --passphrase-file - disk.img vault secret.txt || bad "cat: status $?"
grep -q '^the combination is 17-4-36$' shown || { bad "no text on the terminal"; cat shown; }
on_terminal "$asks" "open sesame" -- btrfs-crypt cat --passphrase-file - disk.img vault size-4097
[ $? -eq 9 ] && grep -q 'is not written to a terminal' shown || bad "binary went to the terminal"
for command in "ls disk.img vault" "stat disk.img vault secret.txt" "export disk.img vault -o x.tar"; do
	on_terminal "$asks" "open sesame" -- btrfs-crypt $command --passphrase-file - || { bad "$command asks otherwise: status $?"; cat shown; }
done
rm -f x.tar
# An unfinished unsealing: what the command lacks is said before anybody types, and then there are three tries.
with_signal TERM 'says:"progress":"data","done":"[1-9]' convert --decrypt disk.img vault --passphrase-file passphrase --progress=json --progress-frequency 0 > log 2>&1
[ $? -eq 8 ] || { bad "no unfinished unsealing"; cat log; }
asks_on="Passphrase for the unfinished conversion of disk.img: "
rm -f disk.img.sum
unchanged disk.img
for way in --resume "--encrypt --resume"; do
	on_terminal -- btrfs-crypt convert $way disk.img
	[ $? -eq 9 ] && grep -q 'ends in plain text and must be confirmed' shown && grep -q -e '--decrypt --resume disk.img. confirms it' shown && ! grep -q 'assphrase' shown ||
		{ bad "$way of an unsealing: status $?"; cat shown; }
	transcript 9 btrfs-crypt convert $way disk.img < <(
		echo "! btrfs-crypt convert: the unfinished unsealing, begun TIME, ends in plain text and must be confirmed"
		echo '! btrfs-crypt convert: hint: `btrfs-crypt convert --decrypt --resume disk.img` confirms it')
done
for way in "--decrypt --resume" --abort; do
	on_terminal "$asks_on" "wrong" "$asks_on" "wronger" "$asks_on" "wrongest" -- btrfs-crypt convert $way disk.img
	[ $? -eq 2 ] && [ "$(grep -c 'wrong key or passphrase' shown)" = 3 ] || { bad "$way: three wrong passphrases"; cat shown; }
	on_terminal "$asks_on" "wrong" "$asks_on" "^C" -- btrfs-crypt convert $way disk.img
	[ $? -eq 8 ] && grep -q 'stopped; nothing was changed, and the conversion is as unfinished as before' shown ||
		{ bad "$way: control-C at the second try: status $?"; cat shown; }
done
unchanged disk.img
on_terminal "$asks_on" "wrong" "$asks_on" "open sesame" -- btrfs-crypt convert --abort disk.img || { bad "abort: status $?"; cat shown; }
grep -q sesame shown && bad "the passphrase was shown"
on_terminal "$asks" "open sesame" -- btrfs-crypt convert --decrypt disk.img vault || { bad "decrypt: status $?"; cat shown; }

# Help is as wide as the terminal, with the same words in the same order.
words() { tr -s ' \r\n' '\n' < "$1"; }
for columns in 60 80 120; do
	for command in "" $(btrfs-crypt --list-commands | cut -f 1); do
		on_terminal -- sh -c "stty cols $columns && exec btrfs-crypt $command --help"
		btrfs-crypt $command --help > all
		cmp -s <(words shown) <(words all) || bad "$command --help: other words on a terminal of $columns columns"
		awk -v most=$columns '{ sub("\r", "") } length > most { exit 1 }' shown || bad "$command --help: too wide for $columns columns"
	done
done
finish
