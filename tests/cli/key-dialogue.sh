#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# key on a terminal: what each secret is asked for, new ones twice; a recovery key is typed back before it counts; the last slot goes only after a yes.
. "$(dirname "$0")/../expect.sh"
python3 -c 'import pty' 2> /dev/null || { echo "needs python3"; exit 77; }
with_own_keyring
bundled_image
printf 'open sesame' > passphrase
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
on_terminal() { "$TOP/tests/on-terminal.py" "$@" > shown; }
asks="Passphrase for vault of disk.img: "
asks_new="New passphrase for vault of disk.img: "
again="The same again: "
key='(?:[0-9A-HJKMNP-TV-Z]{5}-){7}[0-9A-HJKMNP-TV-Z]{5}'
written='([0-9A-HJKMNP-TV-Z]{5}-){7}[0-9A-HJKMNP-TV-Z]{5}'
slots() { btrfs-crypt key list disk.img vault 2> err | grep -cE '^  [0-9]+: '; }
same() { unchanged disk.img; grep -qE 'sesame|simsim' shown && bad "a passphrase was shown"; }
changed() { rm -f disk.img.sum; unchanged disk.img; grep -qE 'sesame|simsim' shown && bad "a passphrase was shown"; }
quiet btrfs-crypt convert --encrypt disk.img vault --passphrase-file passphrase $cheap
unchanged disk.img

# --- a key that was revoked in the keyring: that is said, once, and then it is asked for -----------------------------------
quiet btrfs-crypt key in disk.img vault --passphrase-file passphrase
quiet btrfs-crypt key out disk.img vault
for command in "verify disk.img vault" "cat disk.img vault secret.txt" "convert --decrypt --dry-run disk.img vault"; do
	on_terminal "$asks" "wrong" "$asks" "open sesame" -- btrfs-crypt $command
	[ $? -eq 0 ] && head -n 1 shown | grep -qx "btrfs-crypt ${command%% *}: note: Key has been revoked" && [ "$(grep -c 'revoked' shown)" = 1 ] || { bad "$command with a revoked key: status $?"; cat shown; }
	on_terminal "$asks" "open sesame" -- btrfs-crypt $command --no-keyring
	[ $? -eq 0 ] && ! grep -q 'revoked' shown || { bad "$command --no-keyring with a revoked key"; cat shown; }
	same
done
quiet btrfs-crypt key out disk.img vault --forget

# --- add, change ---------------------------------------------------------------------------------------------------------
on_terminal "$asks" "open sesame" "$asks_new" "iftah ya simsim" "$again" "iftah ya samsam" "$asks_new" "" "$asks_new" "a" "$again" "b" -- \
	btrfs-crypt key add disk.img vault $cheap
[ $? -eq 2 ] && [ "$(grep -c 'two passphrases differ' shown)" = 2 ] && ! grep -q 'hint:' shown || { bad "two different passphrases"; cat shown; }
same
on_terminal "$asks" "wrong" "$asks" "wronger" "$asks" "wrongest" -- btrfs-crypt key add disk.img vault $cheap
[ $? -eq 2 ] && ! grep -q "New passphrase" shown || { bad "add: three wrong passphrases"; cat shown; }
same
on_terminal "$asks" "open sesame" "$asks_new" "^C" -- btrfs-crypt key add disk.img vault $cheap
[ $? -eq 130 ] || { bad "control-C at the new passphrase"; cat shown; }
same
for options in "--new-key-slot 0" "--new-key-slot 32" "--forget"; do
	on_terminal -- btrfs-crypt key add disk.img vault $options && bad "add $options"
	grep -q 'assphrase for' shown && { bad "add $options: asked, although it cannot be done"; cat shown; }
done
same
on_terminal "$asks" "wrong" "$asks" "open sesame" "$asks_new" "iftah ya simsim" "$again" "iftah ya simsim" -- btrfs-crypt key add disk.img vault $cheap ||
	{ bad "add: status $?"; cat shown; }
grep -q '^key slot 1 of vault added (passphrase)' shown || { bad "what add says"; cat shown; }
changed
on_terminal "$asks" "iftah ya simsim" "$asks_new" "sesame 2" "$again" "sesame 2" -- btrfs-crypt key change disk.img vault $cheap || { bad "change: status $?"; cat shown; }
grep -q 'key slot 1 of vault changed (passphrase)' shown || { bad "what change says"; cat shown; }
changed
on_terminal "$asks" "sesame 2" -- btrfs-crypt verify-key disk.img vault
[ $? -eq 0 ] && grep -q '(slot 1)' shown || { bad "the new passphrase"; cat shown; }
on_terminal "$asks" "wrong" "$asks" "wronger" "$asks" "wrongest" -- btrfs-crypt key label disk.img vault --label "of the cave"
[ $? -eq 2 ] && [ "$(grep -c 'wrong key or passphrase' shown)" = 3 ] || { bad "label: three wrong passphrases"; cat shown; }
same
on_terminal "$asks" "wrong" "$asks" "sesame 2" -- btrfs-crypt key label disk.img vault --label "of the cave" || { bad "label: status $?"; cat shown; }
btrfs-crypt key list disk.img vault 2> err | grep -q "of the cave" || bad "no label"
changed

: > there
on_terminal -- btrfs-crypt key export-volume-key disk.img vault there
[ $? -eq 11 ] && grep -q 'there: File exists' shown || { bad "export of the volume key to a file that exists: status $?"; cat shown; }
# --- recovery ------------------------------------------------------------------------------------------------------------
back="Type the recovery key, to show that it was written down: "
on_terminal "$asks" "open sesame" "$back" "what?" "$back" "00000-00000-00000-00000-00000-00000-00000-00000" "$back" "" -- btrfs-crypt key recovery disk.img vault
[ $? -eq 2 ] && grep -q 'the recovery key was not typed back; nothing was changed' shown && [ "$(grep -cE "^$written|$(printf '\t')$written" shown)" = 1 ] || { bad "recovery, not typed back: status $?"; cat shown; }
same
on_terminal "$asks" "open sesame" "$back" "what?" "$back" "not that" "$back" "no" -- btrfs-crypt key recovery disk.img vault
[ $? -eq 2 ] && [ "$(grep -c 'that is not the recovery key' shown)" = 3 ] && grep -q 'the recovery key was not typed back; nothing was changed' shown ||
	{ bad "recovery, three times something else: status $?"; cat shown; }
same
on_terminal "$asks" "open sesame" "$back" "^C" -- btrfs-crypt key recovery disk.img vault
[ $? -eq 130 ] || { bad "recovery: control-C"; cat shown; }
same
# All but its last group, and then the whole.
on_terminal "$asks" "open sesame" "$back" '@(?:[0-9A-HJKMNP-TV-Z]{5}-){7}' "$back" "@$key" -- btrfs-crypt key recovery disk.img vault --label "in the safe"
[ $? -eq 0 ] && grep -q '^key slot 2 of vault added (recovery)' shown || { bad "recovery: status $?"; cat shown; }
[ "$(grep -cE "$written" shown)" = 1 ] || { bad "the recovery key is not shown just once"; cat shown; }
changed
grep -oE "$written" shown | tr 'A-Z-' 'a-z ' > typed
on_terminal "$asks" "$(cat typed)" -- btrfs-crypt verify-key disk.img vault
[ $? -eq 0 ] && grep -q '(slot 2)' shown || { bad "the recovery key at a prompt"; cat shown; }

# Mistyped: which group, and it is asked for again, three times in all.
sed 's/[^ ]* *$/7777 7/' typed > mistyped
on_terminal "$asks" "$(cat mistyped)" "$asks" "$(cat typed)" -- btrfs-crypt verify-key disk.img vault
[ $? -eq 0 ] && grep -q 'the recovery key is mistyped in group 8 of 8' shown && grep -q '(slot 2)' shown || { bad "a mistyped recovery key, and then the right one"; cat shown; }
on_terminal "$asks" "$(cat mistyped)" "$asks" "wrong" "$asks" "$(cat mistyped)" -- btrfs-crypt key remove disk.img vault
[ $? -eq 2 ] && [ "$(grep -c 'mistyped in group 8' shown)" = 2 ] || { bad "a mistyped recovery key, twice"; cat shown; }
same

# --- remove --------------------------------------------------------------------------------------------------------------
on_terminal "$asks" "$(cat typed)" -- btrfs-crypt key remove disk.img vault || { bad "remove: status $?"; cat shown; }
# Another slot than the one that the key opens: it asks, with a volume key as well.
question="Key slot 1 (passphrase, \`of the cave\`) will be removed: its secret will open nothing any more.  Go on? [y/N] "
on_terminal "$asks" "open sesame" "$question" n -- btrfs-crypt key remove disk.img vault -S 1
[ $? -eq 9 ] && grep -q 'not confirmed; nothing was changed' shown || { bad "remove of another, not confirmed: status $?"; cat shown; }
btrfs-crypt key export-volume-key disk.img vault own-key --passphrase-file passphrase -q > log 2>&1 || bad "$(cat log)"
on_terminal "$question" "" -- btrfs-crypt key remove disk.img vault -S 1 --volume-key-file own-key
[ $? -eq 9 ] && grep -q 'not confirmed; nothing was changed' shown || { bad "remove with the volume key, not confirmed: status $?"; cat shown; }
on_terminal "$asks" "open sesame" "$question" y -- btrfs-crypt key remove disk.img vault -S 1 || { bad "remove of another: status $?"; cat shown; }
[ "$(slots)" = 1 ] || bad "$(slots) slots are left"
changed
on_terminal -- btrfs-crypt key remove disk.img vault
[ $? -eq 9 ] && grep -q 'last key slot' shown || { bad "the last slot, not forced"; cat shown; }
same
question="It is the last key slot: without it only the volume key opens what is sealed.  Go on? [y/N] "
for answer in n "" maybe; do
	on_terminal "$asks" "open sesame" "$question" "$answer" -- btrfs-crypt key remove disk.img vault --force
	[ $? -eq 9 ] && grep -q 'not confirmed; nothing was changed' shown || { bad "the last slot, answered with '$answer'"; cat shown; }
done
on_terminal "$asks" "open sesame" "$question" "^C" -- btrfs-crypt key remove disk.img vault --force
[ $? -eq 130 ] || { bad "the last slot: control-C"; cat shown; }
same
on_terminal "$asks" "open sesame" "$question" y -- btrfs-crypt key remove disk.img vault --force || { bad "the last slot: status $?"; cat shown; }
[ "$(slots)" = 0 ] || bad "$(slots) slots are left, none expected"
# --- rekey: each slot is asked for by number and label --------------------------------------------------------------------
bundled_image
quiet btrfs-crypt convert --encrypt disk.img vault --passphrase-file passphrase $cheap
printf 'iftah ya simsim' > other
quiet btrfs-crypt key add disk.img vault --passphrase-file passphrase --new-passphrase-file other --label "of the cave" $cheap
asks_0="Passphrase for key slot 0 (passphrase) of vault of disk.img (empty: drop it): "
asks_1="Passphrase for key slot 1 (passphrase, \`of the cave\`) of vault of disk.img (empty: drop it): "
drop="Key slot 1 (passphrase, \`of the cave\`) will be dropped: its secret will open nothing any more.  Go on? [y/N] "
changed
on_terminal "$asks_0" "wrong" "$asks_0" "iftah ya simsim" "$asks_0" "wrongest" -- btrfs-crypt convert --rekey disk.img vault $cheap
[ $? -eq 2 ] && [ "$(grep -c 'wrong key or passphrase' shown)" = 3 ] || { bad "rekey: three wrong passphrases"; cat shown; }
same
on_terminal "$asks_0" "open sesame" "$asks_1" "" "$drop" "n" -- btrfs-crypt convert --rekey disk.img vault $cheap
[ $? -eq 9 ] && grep -q 'not confirmed; nothing was changed' shown || { bad "rekey: a slot that is not to be dropped"; cat shown; }
drop_0="Key slot 0 (passphrase) will be dropped: its secret will open nothing any more.  Go on? [y/N] "
on_terminal "$asks_0" "" "$drop_0" "y" "$asks_1" "" "$drop" "y" -- btrfs-crypt convert --rekey disk.img vault $cheap
[ $? -eq 9 ] && grep -q 'no key slot is left: rekeying needs the passphrase or key file of at least one' shown || { bad "rekey: all slots dropped"; cat shown; }
same
on_terminal "$asks_0" "^C" -- btrfs-crypt convert --rekey disk.img vault $cheap
[ $? -eq 8 ] && grep -q 'stopped; nothing was changed' shown || { bad "rekey: control-C"; cat shown; }
same
on_terminal "$asks_0" "wrong" "$asks_0" "open sesame" "$asks_1" "" "$drop" "y" -- btrfs-crypt convert --rekey disk.img vault $cheap
[ $? -eq 0 ] && grep -q 'rekeyed: 1 subvolume' shown || { bad "rekey: status $?"; cat shown; }
changed
btrfs-crypt verify-key disk.img vault --passphrase-file other > out 2> err && bad "a slot that was dropped opens"
quiet btrfs-crypt verify disk.img vault --passphrase-file passphrase
# A key file cannot be typed: that is said before anything is asked.
quiet btrfs-crypt key add disk.img vault --passphrase-file passphrase --new-key-file own-key --label "of the cave" $cheap
on_terminal "$asks_0" "^C" -- btrfs-crypt convert --rekey disk.img vault $cheap
[ $? -eq 8 ] && grep -qF 'note: key slot 1 (key-file, `of the cave`): its key file is given by --key-file, and then each other passphrase by --passphrase-file' shown ||
	{ bad "rekey: a slot with a key file"; cat shown; }
finish
