#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# key add, change, remove, label, recovery: who opens what is sealed afterwards, what is refused, and what is printed.
. "$(dirname "$0")/../expect.sh"
with_own_keyring
PATH=$PATH:/usr/sbin:/sbin
bundled_image
for name in a b c wrong; do printf 'secret %s' $name > $name; done
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
wrong_key='! btrfs-crypt key: wrong key or passphrase'

# refused STATUS WORD... < TEXT: `btrfs-crypt key WORD...` says so, and changes nothing
refused() {
	local status=$1
	shift
	rm -f disk.img.sum
	unchanged disk.img
	expect "$status" key "$@"
	unchanged disk.img
}

# slots: number, type and label of each slot, as `key list` shows them
slots() {
	btrfs-crypt key list disk.img vault 2> err | awk '/^  [0-9]+: / { slot = $1 $2 } /^\tLabel:/ { sub(/^\tLabel: *\t*/, ""); print slot, $0 }'
}

# holds KEY-OPTION KEY < SLOTS: the slots are these; the seal is the same, by this key, and every block of the image is right
holds() {
	cat > want
	slots > have
	diff -u want have || bad "the slots after the last change"
	btrfs-crypt verify disk.img vault "$@" > out 2>&1 && grep -qxF "$seal" out || { bad "verify $*"; cat out; }
	btrfs check --force disk.img > out 2>&1 || { bad "btrfs check"; cat out; }
}

# opens SLOT KEY, no KEY: this key opens this slot, or none
opens() { expect 0 verify-key disk.img vault --key-file "$2" <<< "key matches: $tag (slot $1)"; }
no() { btrfs-crypt verify-key disk.img vault --key-file "$1" > out 2>&1; [ $? -eq 2 ] || { bad "$1 still opens it"; cat out; }; }

# salt SLOT: as it is on the disk
salt() { btrfs-crypt dump-tree --crypt disk.img 2> err | sed -nE "/kind slot index $1\$/,/salt/s/^\s*salt ([0-9a-f]{32})\$/\1/p"; }

for verb in "add --new-key-file b" "change --new-key-file b" "remove" "label --label x" "recovery --batch-mode"; do
	refused 9 ${verb%% *} disk.img vault --key-file a ${verb#"${verb%% *}"} <<< "! btrfs-crypt key: vault is not sealed"
done
quiet btrfs-crypt convert --encrypt disk.img vault --key-file a $cheap
seal=$(grep '^seal fingerprint: ' log)
tag=$(sed -n 's/^Encryption: //p' log)
btrfs-crypt cat disk.img vault secret.txt --key-file a > secret
quiet btrfs-crypt key export-volume-key disk.img vault volume-key --key-file a --batch-mode

# --- add ---------------------------------------------------------------------------------------------------------------
expect 0 key add disk.img vault --key-file a --new-key-file b $cheap <<< "key slot 1 of vault added (key-file)"
opens 0 a
opens 1 b
expect 0 key add disk.img vault --key-file b --new-passphrase-file c $cheap --new-key-slot 31 --label "Carol's" --format json \
	<<< '{"record":"add","path":"vault","slot":31,"type":"passphrase"}'
holds --passphrase-file c <<'END'
0:key-file -
1:key-file -
31:passphrase Carol's
END
refused 9 add disk.img vault --key-file a --new-key-file c --new-key-slot 31 <<< "! btrfs-crypt key: key slot 31 is in use"
refused 1 add disk.img vault --key-file a --new-key-file c --new-key-slot 32 <<'END'
! btrfs-crypt key: --new-key-slot: "32" is not a number from 0 to 31
! btrfs-crypt key: hint: see btrfs-crypt key --help
END
refused 2 add disk.img vault --key-file wrong --new-key-file c $cheap <<< "$wrong_key"
refused 2 add disk.img vault --key-file a <<'END'
! btrfs-crypt key: a key is needed, but standard input is not a terminal to ask on
! btrfs-crypt key: hint: give --new-key-file, --new-passphrase-file or --new-passphrase-fd
END
refused 2 add disk.img vault --new-key-file b <<'END'
! btrfs-crypt key: a key is needed, but standard input is not a terminal to ask on
! btrfs-crypt key: hint: give --key-file, --passphrase-file or --passphrase-fd
END
# The hints name the options of the new key.
truncate -s 8388609 huge
printf 'a\0b' > zero
refused 2 add disk.img vault --key-file a --new-key-file huge <<'END'
! btrfs-crypt key: huge has more than the 8388608 bytes that a key may have
! btrfs-crypt key: hint: --new-keyfile-size says how many bytes are the key
END
refused 2 add disk.img vault --key-file a --new-passphrase-fd 8 8< zero <<'END'
! btrfs-crypt key: the passphrase in descriptor 8 has a NUL byte
! btrfs-crypt key: hint: --new-key-file takes exact bytes
END
refused 1 add disk.img vault --key-file a --dry-run <<'END'
! btrfs-crypt key: --dry-run: unknown option
! btrfs-crypt key: hint: see btrfs-crypt key --help
END
refused 1 remove disk.img vault --key-file a --label x <<'END'
! btrfs-crypt key: key remove has no --label
! btrfs-crypt key: hint: see btrfs-crypt key --help
END

# --- change ------------------------------------------------------------------------------------------------------------
expect 0 key change disk.img vault --passphrase-file c --new-key-file a $cheap -S 31 <<< "key slot 31 of vault changed (key-file)"
expect 0 key change disk.img vault --key-file b --new-key-file c $cheap --format json <<< '{"record":"change","path":"vault","slot":1,"type":"key-file"}'
opens 1 c
no b
holds --key-file c <<'END'
0:key-file -
1:key-file -
31:key-file Carol's
END
refused 2 change disk.img vault --key-file a --new-key-file b $cheap -S 1 <<< "$wrong_key
! btrfs-crypt key: hint: only slot 1 was tried; without --key-slot all are"
expect 0 key change disk.img vault --key-file a --new-key-file b $cheap -S 1 --force <<< "key slot 1 of vault changed (key-file)"
opens 1 b
no c
refused 2 change disk.img vault --key-file wrong --new-key-file c $cheap <<< "$wrong_key"
refused 2 change disk.img vault --key-file wrong --new-key-file c $cheap -S 1 --force <<< "$wrong_key"

# --- a key that belongs to no slot ----------------------------------------------------------------------------------------
needs="! btrfs-crypt key: a volume key opens no key slot: --key-slot says which one is meant
! btrfs-crypt key: hint: see btrfs-crypt key --help"
refused 1 change disk.img vault --volume-key-file volume-key --new-key-file c <<< "$needs"
refused 1 remove disk.img vault --volume-key-file volume-key <<< "$needs"
refused 2 label disk.img vault --volume-key-file volume-key --label x -S 1 \
	<<< "! btrfs-crypt key: the label of a key slot is changed with the passphrase or key file of that slot"
refused 4 remove disk.img vault --volume-key-file volume-key -S 7 <<< "! btrfs-crypt key: key slot 7 is not in use"
# One from a keyring is the same: with -S it is enough for that slot, whoever has its passphrase.
quiet btrfs-crypt key in disk.img vault --key-file a
needs_here="${needs%%$'\n'*}
! btrfs-crypt key: hint: the volume key comes from a keyring; --no-keyring leaves it out"
refused 1 change disk.img vault --new-key-file c <<< "$needs_here"
refused 1 remove disk.img vault <<< "$needs_here"
refused 2 label disk.img vault --label x -S 1 <<< "! btrfs-crypt key: a key is needed, but standard input is not a terminal to ask on
! btrfs-crypt key: hint: give --key-file, --passphrase-file or --passphrase-fd; a key in a keyring is not taken for this"
quiet btrfs-crypt key backup disk.img vault saved
refused 2 restore disk.img vault saved <<< "! btrfs-crypt key: a key is needed, but standard input is not a terminal to ask on
! btrfs-crypt key: hint: give --key-file, --passphrase-file or --passphrase-fd; a key in a keyring is not taken for this"
expect 0 key change disk.img vault --new-key-file c $cheap -S 1 <<< "key slot 1 of vault changed (key-file)"
opens 1 c
quiet btrfs-crypt key out disk.img vault --forget
expect 0 key change disk.img vault --volume-key-file volume-key --new-key-file b $cheap -S 1 <<< "key slot 1 of vault changed (key-file)"
opens 1 b

# --- label ---------------------------------------------------------------------------------------------------------------
before=$(salt 1)
created() { btrfs-crypt key list disk.img vault --format json 2> err | sed -nE 's/.*"slot":1,[^}]*"created":([0-9]+),.*/\1/p'; }
then=$(created)
while [ "$(date +%s)" -le "$then" ]; do sleep 0.1; done	# it is in seconds
expect 0 key label disk.img vault --key-file b --label "Bob & ünïcode" <<< "key slot 1 of vault labelled (key-file)"
[ -n "$then" ] && [ "$(created)" = "$then" ] || bad "slot 1 was created $then, and after a new label $(created)"
[ -n "$before" ] && [ -n "$(salt 1)" ] && [ "$before" != "$(salt 1)" ] || bad "the salt of slot 1: $before, then $(salt 1)"
opens 1 b
holds --key-file b <<'END'
0:key-file -
1:key-file Bob & ünïcode
31:key-file Carol's
END
refused 2 label disk.img vault --key-file b --label x -S 0 <<< "$wrong_key
! btrfs-crypt key: hint: only slot 0 was tried; without --key-slot all are"
refused 1 label disk.img vault --key-file b <<'END'
! btrfs-crypt key: key label needs --label
! btrfs-crypt key: hint: see btrfs-crypt key --help
END
refused 1 label disk.img vault --key-file b --label "$(printf '%065d' 0)" <<'END'
! btrfs-crypt key: --label has 65 bytes, more than 64
! btrfs-crypt key: hint: see btrfs-crypt key --help
END
expect 0 key label disk.img vault --key-file b --label "" --format json <<< '{"record":"label","path":"vault","slot":1,"type":"key-file"}'
expect 0 key change disk.img vault --key-file a --new-key-file c $cheap -S 31 --label "" <<< "key slot 31 of vault changed (key-file)"
holds --key-file c <<'END'
0:key-file -
1:key-file -
31:key-file -
END

# --- remove --------------------------------------------------------------------------------------------------------------
refused 2 remove disk.img vault --key-file wrong -S 1 <<< "$wrong_key"
refused 4 remove disk.img vault --key-file a -S 5 <<< "! btrfs-crypt key: key slot 5 is not in use"
refused 4 change disk.img vault --key-file a -S 5 --new-key-file b <<< "! btrfs-crypt key: key slot 5 is not in use"
refused 4 add disk.img vault --key-file a -S 5 --new-key-file b <<'END'
! btrfs-crypt key: key slot 5 is not in use
! btrfs-crypt key: hint: --key-slot chooses what opens it; --new-key-slot says into which slot the new key goes
END
expect 0 key remove disk.img vault --key-file a -S 31 <<< "key slot 31 of vault removed (key-file)"
no c
# The same key once more: who removes it is told that it still opens.
quiet btrfs-crypt key add disk.img vault --key-file b --new-key-file a $cheap --new-key-slot 9
expect 0 key remove disk.img vault --key-file b -S 0 <<< "key slot 0 of vault removed (key-file)"
quiet btrfs-crypt key add disk.img vault --key-file b --new-key-file a $cheap
expect 0 key remove disk.img vault --key-file a -S 9 <<'END'
key slot 9 of vault removed (key-file)
! btrfs-crypt key: note: the same key file still opens key slot 0
END
printf 'twice\n\n' > twice
for slot in 4 5 6; do
	expect 0 key add disk.img vault --key-file b --new-passphrase-file twice $cheap --new-key-slot $slot <<END
key slot $slot of vault added (passphrase)
! btrfs-crypt key: warning: the passphrase ends with a newline: only one at the end is removed, and there was another one, which is part of it
END
done
expect 0 key remove disk.img vault --passphrase-file twice --format json <<'END'
{"record":"remove","path":"vault","slot":4,"type":"passphrase"}
! {"note":"the same passphrase still opens key slot 5"}
! {"note":"the same passphrase still opens key slot 6"}
END
expect 0 key remove disk.img vault --passphrase-file twice <<'END'
key slot 5 of vault removed (passphrase)
! btrfs-crypt key: note: the same passphrase still opens key slot 6
END
expect 0 key remove disk.img vault --passphrase-file twice <<< "key slot 6 of vault removed (passphrase)"
expect 0 key remove disk.img vault --key-file a --format json <<< '{"record":"remove","path":"vault","slot":0,"type":"key-file"}'
no a
holds --key-file b <<< "1:key-file -"
refused 9 remove disk.img vault --key-file b <<'END'
! btrfs-crypt key: it is the last key slot: without it only the volume key opens what is sealed
! btrfs-crypt key: hint: --force removes it; `key export-volume-key` saves the volume key before
END
refused 9 remove disk.img vault --key-file b --force <<'END'
! btrfs-crypt key: It is the last key slot: without it only the volume key opens what is sealed.  There is no terminal to ask on
! btrfs-crypt key: hint: --batch-mode goes on without asking
END
expect 0 key remove disk.img vault --key-file b --force --batch-mode <<< "key slot 1 of vault removed (key-file)"
no b
holds --volume-key-file volume-key < /dev/null
expect 0 verify-key disk.img vault --volume-key-file volume-key <<< "key matches: $tag (volume key)"
expect 2 cat disk.img vault secret.txt --key-file b <<'END'
! btrfs-crypt cat: wrong key or passphrase
! btrfs-crypt cat: hint: it has no key slot; only the volume key opens it
END
expect 0 key add disk.img vault --volume-key-file volume-key --new-key-file a $cheap <<< "key slot 0 of vault added (key-file)"
opens 0 a

# --- recovery ------------------------------------------------------------------------------------------------------------
refused 9 recovery disk.img vault --key-file a <<'END'
! btrfs-crypt key: the recovery key has to be typed back, and there is no terminal to ask on
! btrfs-crypt key: hint: --batch-mode prints it once without asking
END
refused 2 recovery disk.img vault --key-file wrong --batch-mode <<< "$wrong_key"
GROUPED='([0-9A-HJKMNP-TV-Z]{5}-){7}[0-9A-HJKMNP-TV-Z]{5}'
btrfs-crypt key recovery disk.img vault --key-file a --batch-mode > shown 2> err || { bad "recovery"; cat err; }
key=$(grep -oE "$GROUPED" shown)
sed -E "s/$GROUPED/KEY/" shown > have
diff -u - have <<'END' || bad "what recovery prints"
recovery key of vault:

	KEY

Whoever has it can read what is sealed; it is not shown again.
key slot 1 of vault added (recovery)
END
FILTER="s/$GROUPED/KEY/" expect 0 key recovery disk.img vault --key-file a --batch-mode --format json --new-key-slot 9 --label "in the safe" <<'END'
{"record":"recovery-key","path":"vault","recovery_key":"KEY"}
{"record":"recovery","path":"vault","slot":9,"type":"recovery"}
END
other=$(grep -oE "$GROUPED" out)
[ -n "$other" ] && [ "$key" != "$other" ] || bad "the recovery keys are $key and $other"
printf '%s\n' "$key" > recovery
holds --passphrase-file recovery <<'END'
0:key-file -
1:recovery -
9:recovery in the safe
END
bare=${key//-/}
for written in "$bare" "${bare,,}" "${key//-/ }" "  ${key,,}" "$(sed 's/./& /g' <<< "$bare")" "$(tr 01 OI <<< "$bare")" "$(tr 01 ol <<< "$bare")"; do
	printf '%s\n' "$written" > recovery
	expect 0 verify-key disk.img vault --passphrase-file recovery <<< "key matches: $tag (slot 1)"
done
expect 0 cat disk.img vault secret.txt --passphrase-file recovery < secret
# No file of that content: a key file has exactly its bytes.
printf '%s' "$key" > recovery
no recovery
# mistype GROUP: another character in it
mistype() { local at=$(($1 * 6 - 4)); local old=${key:at:1}; key=${key:0:at}$([ "$old" = 7 ] && echo 8 || echo 7)${key:at+1}; }
mistype 3
printf '%s\n' "$key" > recovery
expect 2 verify-key disk.img vault --passphrase-file recovery <<< "! btrfs-crypt verify-key: the recovery key is mistyped in group 3 of 8"
mistype 8
printf '%s\n' "$key" > recovery
refused 2 add disk.img vault --passphrase-file recovery --new-key-file b <<< "! btrfs-crypt key: the recovery key is mistyped in groups 3, 8 of 8"
printf '%s\n' "$other" > recovery
before=$(salt 9)
expect 0 key label disk.img vault --passphrase-file recovery --label paper <<< "key slot 9 of vault labelled (recovery)"
[ "$before" != "$(salt 9)" ] || bad "the salt of slot 9 is the old one"
expect 0 key change disk.img vault --passphrase-file recovery --new-key-file b $cheap <<< "key slot 9 of vault changed (key-file)"
expect 0 key remove disk.img vault --key-file b -S 1 <<< "key slot 1 of vault removed (recovery)"
holds --key-file b <<'END'
0:key-file -
9:key-file paper
END

# --- as many as there can be ---------------------------------------------------------------------------------------------
n=2
while btrfs-crypt key recovery disk.img vault --key-file a --batch-mode > out 2> err; do n=$((n + 1)); done
[ $n = 32 ] || { bad "$n slots"; cat err; }
refused 9 add disk.img vault --key-file a --new-key-file c <<< "! btrfs-crypt key: all 32 key slots are in use"
refused 9 recovery disk.img vault --key-file a --batch-mode <<< "! btrfs-crypt key: all 32 key slots are in use"
expect 0 key change disk.img vault --key-file b --new-key-file c $cheap <<< "key slot 9 of vault changed (key-file)"
opens 9 c
no b
slots > all
holds --key-file c < all
[ "$(sed -E 's/:.*//' all | tr '\n' ' ')" = "$(seq -s ' ' 0 31) " ] || { bad "not every slot is in use"; cat all; }
expect 0 convert --status disk.img <<< "no unfinished conversion"
quiet btrfs-crypt convert --decrypt disk.img vault --key-file a
expect 0 cat disk.img vault secret.txt < secret
# Nothing is changed by what an older root or another superblock says; a hint names the image, not the verb.
for option in --backup-root=1 --super=1 --tolerant --with-log; do
	for verb in "add --new-key-file key" "remove --force"; do
		cp disk.img as-before.img
		btrfs-crypt key ${verb%% *} disk.img vault --key-file key ${verb#* } $option > out 2> err < /dev/null
		[ $? -eq 1 ] && grep -q -- "^btrfs-crypt key: ${option%=*}: only for what reads$" err && cmp -s disk.img as-before.img ||
			{ bad "key $verb $option"; cat err; }
	done
done

finish
