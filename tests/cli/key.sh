#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# key: what it shows of slots and header without a key, and volume keys in the kernel's keyrings, by the kernel's own tool.
. "$(dirname "$0")/../expect.sh"
with_own_keyring
bundled_image
printf 'secret' > key
printf 'wrong' > wrong
head -c 32 /dev/urandom > volume-key
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
argon2id="--pbkdf argon2id --pbkdf-memory 65536 --pbkdf-force-iterations 3"
FILTER='s/btrfs:[0-9a-f]{8}/btrfs:TAG/g; s/\b[0-9a-f]{8}-[0-9a-f-]{27}\b/UUID/g; s/[0-9]{4}-[0-9-]+ [0-9:]+ /TIME /; s/block [0-9]+/block N/; s/serial [0-9]+/serial N/;
	s/"(tree_block|created|serial)":"?[0-9]+"?/"\1":N/g; s/in [0-9]+[smh]$/in SOON/'

expect 9 key list disk.img vault <<< "! btrfs-crypt key: vault is not sealed"
quiet btrfs-crypt convert --encrypt disk.img vault --key-file key $cheap
quiet btrfs-crypt convert --encrypt disk.img public --key-file key --volume-key-file volume-key --batch-mode $argon2id
unchanged disk.img

# --- list ------------------------------------------------------------------------------------------------------------
expect 0 key list disk.img public <<'END'
Encryption: 	aes-256-gcm@btrfs:TAG
Sealing: 	2
UUID: 		UUID
State: 		sealed
Epoch: 		7
Header copy 0: 	tree block N, agrees
Header copy 1: 	tree block N, agrees
Key slots: 	1
  0: key-file
	Label: 		-
	Created: 	TIME +0000
	KDF: 		argon2id, memory 65536 KiB, passes 3, lanes 1
Subvolumes: 	1
  ID 256 uuid UUID path public
! btrfs-crypt key: note: nothing here is authenticated: verify-key says whether a key opens it
END
expect 0 key list disk.img vault --format json <<'END'
{"record":"list","encryption":"aes-256-gcm@btrfs:TAG","cipher":"aes-256-gcm","key_tag":"btrfs:TAG","sealing":1,"uuid":"UUID","state":"sealed","epoch":"7","header_copies":[{"copy":0,"tree_block":N,"valid":true,"agrees":true},{"copy":1,"tree_block":N,"valid":true,"agrees":true}],"slots":[{"slot":0,"type":"key-file","created":N,"kdf":"pbkdf2-sha512","iterations":1000}],"subvolumes":[{"id":"257","uuid":"UUID","path":"vault"}]}
! {"note":"nothing here is authenticated: verify-key says whether a key opens it"}
END
# The blocks are those that have the headers.
btrfs-crypt key list disk.img vault 2> err | sed -nE 's/^Header copy [01]: \ttree block ([0-9]+),.*/\1/p' > blocks
[ "$(wc -l < blocks)" = 2 ] || bad "header copies: $(cat blocks)"
while read -r block; do
	btrfs inspect-internal dump-tree -b "$block" disk.img | grep -q 'PERSISTENT_ITEM\|TEMPORARY_ITEM\|UNKNOWN' || bad "tree block $block has no header"
done < blocks

# --- what opening may cost -----------------------------------------------------------------------------------------------
too_much="key slot 0: Argon2id needs 65536 KiB of memory; --pbkdf-max-memory allows 65535 KiB"
for command in "verify-key disk.img public" "verify disk.img public" "cat disk.img public ledger.txt" "ls disk.img public" "stat disk.img public ledger.txt" \
	"export disk.img public -o x.tar" "convert --decrypt disk.img public" "key in disk.img public" "key add disk.img public --new-key-file wrong" \
	"key remove disk.img public --force -q" "key export-volume-key disk.img public x -q" "key recovery disk.img public -q"; do
	btrfs-crypt $command --key-file key --pbkdf-max-memory 65535 > out 2> err < /dev/null
	[ $? -eq 9 ] && grep -qE "^btrfs-crypt ${command%% *}: (subvolume public .*: |ledger.txt: )?$too_much\$" err || { bad "$command --pbkdf-max-memory"; cat err; }
done
expect 0 verify-key disk.img public --key-file key --pbkdf-max-memory 65536 <<< "key matches: aes-256-gcm@btrfs:TAG (slot 0)"
expect 0 verify-key disk.img vault --key-file key --pbkdf-max-memory 8 <<< "key matches: aes-256-gcm@btrfs:TAG (slot 0)"
expect 1 verify-key disk.img public --key-file key --pbkdf-max-memory 7 <<'END'
! btrfs-crypt verify-key: --pbkdf-max-memory: "7" is not a number from 8 to 1048576
! btrfs-crypt verify-key: hint: see btrfs-crypt verify-key --help
END
[ ! -e x.tar ] && [ ! -e x ] || bad "something was written with a key that was not tried"
unchanged disk.img

# --- keyrings ----------------------------------------------------------------------------------------------------------
tag=$(btrfs-crypt key list disk.img vault --format json 2> err | sed -E 's/.*"key_tag":"([^"]*)".*/\1/')
serial() { keyctl search "${1:-@s}" user "$tag" 2> err; }
# shows WORDS JSON: list, show and stat say so of the key
shows() {
	local command
	for command in "list disk.img" "show disk.img vault" "stat disk.img vault secret.txt"; do
		btrfs-crypt $command 2> err | grep -qE "ncryption:[[:space:]]+aes-256-gcm@$tag \\($1\\)( |\$)" || bad "${command%% *} does not say ($1)"
		btrfs-crypt $command --format json 2> err | grep -qE "\"encryption\":\"aes-256-gcm@$tag\".*$2[,}]" || bad "${command%% *} --format json does not say $2"
	done
}
reason() { shows "$2" "\"keyring_state\":\"$1\",\"keyring_reason\":\"$2\""; }
expect 2 key status disk.img vault <<< "btrfs:TAG: absent (Required key not available)"
reason absent "Required key not available"
expect 2 key in disk.img vault --key-file wrong <<'END'
! btrfs-crypt key: Key was rejected by service
END
serial && bad "a wrong key was added"
expect 2 verify-key disk.img vault --keyring session <<< "! btrfs-crypt verify-key: Required key not available"
expect 0 key in disk.img vault --key-file key <<'END'
key for 'vault' has logged in with keytag 'btrfs:TAG'
serial N in the session keyring: every process of this login session can read it
END
keyctl pipe "$(serial)" > from-kernel
shows "$(serial)" "\"keyring_state\":\"present\",\"keyring_serial\":$(serial)"
btrfs-crypt list disk.img | grep "path public" | grep -q "(Required key not available)" || bad "list: the key of vault counts for public, too"
for command in "list disk.img" "show disk.img vault" "stat disk.img vault secret.txt"; do
	btrfs-crypt $command --no-keyring 2>&1 | grep -E "$(serial)|not available" && bad "${command%% *} --no-keyring says something about keyrings"
done
# A kernel without keyrings: a note, once, and nothing else is different.
"$TOP/tests/without-keyrings.py" btrfs-crypt list disk.img > out 2> err
[ $? -eq 0 ] && grep -c 'btrfs-crypt list: note: no keyrings in this kernel' err | grep -qx 1 && [ "$(wc -l < err)" = 1 ] || { bad "list without keyrings"; cat err; }
btrfs-crypt list disk.img --no-keyring | diff - out || bad "list without keyrings"
for command in "key status disk.img vault" "cat disk.img vault secret.txt"; do
	"$TOP/tests/without-keyrings.py" btrfs-crypt $command > out 2>&1 && bad "without keyrings: $command"
done
"$TOP/tests/without-keyrings.py" btrfs-crypt cat disk.img vault secret.txt --key-file key > out 2>&1 || { bad "without keyrings, with a key"; cat out; }
expect 0 key export-volume-key disk.img vault exported --key-file key --batch-mode <<< "the volume key of vault is in exported"
cmp exported from-kernel || bad "the kernel has another key"
[ "$(stat -c '%a %s' exported)" = "600 32" ] || bad "exported: $(stat -c '%a %s' exported)"
expect 11 key export-volume-key disk.img vault exported --key-file key --batch-mode <<< "! btrfs-crypt key: exported: File exists"
expect 9 key export-volume-key disk.img vault other --key-file key <<'END'
! btrfs-crypt key: Whoever has other can always read what is sealed, whatever is done with key slots.  There is no terminal to ask on
! btrfs-crypt key: hint: --batch-mode goes on without asking
END
expect 2 key export-volume-key disk.img vault other --batch-mode <<'END'
! btrfs-crypt key: a key is needed, but standard input is not a terminal to ask on
! btrfs-crypt key: hint: give --key-file, --passphrase-file or --passphrase-fd; a key in a keyring is not taken for this
END
[ ! -e other ] || bad "a volume key was exported without a key"
expect 0 verify-key disk.img vault --keyring session <<< "key matches: aes-256-gcm@btrfs:TAG (volume key)"
expect 2 verify-key disk.img vault --keyring user <<< "! btrfs-crypt verify-key: Required key not available"
expect 2 verify-key disk.img vault <<'END'
! btrfs-crypt verify-key: a key is needed, but standard input is not a terminal to ask on
! btrfs-crypt verify-key: hint: give --key-file, --passphrase-file or --passphrase-fd; a key in a keyring is taken only with --keyring
END
expect 0 cat disk.img vault secret.txt <<< "the combination is 17-4-36"
expect 2 cat disk.img vault secret.txt --no-keyring <<'END'
! btrfs-crypt cat: secret.txt: sealed or not authenticated, and no key was given
! btrfs-crypt cat: hint: give the key, or --ciphertext for what is on the disk
END
btrfs-crypt export -R disk.img / -o all.tar > out 2> err < /dev/null
tar -xOf all.tar vault/secret.txt 2> err | grep -qx 'the combination is 17-4-36' || bad "export of everything, with one key in a keyring"
btrfs-crypt ls disk.img vault 2>&1 | grep -q 'not authenticated' && bad "ls with a key in a keyring"
btrfs-crypt stat disk.img vault secret.txt 2>&1 | grep -q 'not authenticated' && bad "stat with a key in a keyring"
quiet btrfs-crypt verify disk.img vault
expect 2 verify disk.img public <<'END'
! btrfs-crypt verify: a key is needed, but standard input is not a terminal to ask on
! btrfs-crypt verify: hint: give --key-file, --passphrase-file or --passphrase-fd
END
# A key that is given wins.
expect 2 verify disk.img vault --key-file wrong <<'END'
! btrfs-crypt verify: wrong key or passphrase
END

expect 0 key out disk.img vault <<< "key 'btrfs:TAG' has been revoked"
expect 2 key status disk.img vault <<< "btrfs:TAG: revoked (Key has been revoked)"
reason revoked "Key has been revoked"
expect 2 key out disk.img vault <<< "! btrfs-crypt key: Key has been revoked"
gone_hint="give the key by an option, or to the keyring again by \`key in\`; --no-keyring leaves keyrings out"
for command in "verify disk.img vault" "convert --decrypt disk.img vault" "key remove disk.img vault -S 0 --force" "key add disk.img vault --new-key-file wrong"; do
	expect 2 $command <<END
! btrfs-crypt ${command%% *}: Key has been revoked
! btrfs-crypt ${command%% *}: hint: $gone_hint
END
done
expect 0 verify-key disk.img vault --key-file key <<< "key matches: aes-256-gcm@btrfs:TAG (slot 0)"
expect 2 verify disk.img vault --no-keyring <<'END'
! btrfs-crypt verify: a key is needed, but standard input is not a terminal to ask on
! btrfs-crypt verify: hint: give --key-file, --passphrase-file or --passphrase-fd
END
btrfs-crypt ls disk.img vault > out 2> err && grep -q 'ls: note: Key has been revoked' err && grep -q 'not authenticated' err || bad "ls with a revoked key"
expect 2 cat disk.img vault secret.txt <<'END'
! btrfs-crypt cat: note: Key has been revoked
! btrfs-crypt cat: secret.txt: sealed or not authenticated, and no key was given
! btrfs-crypt cat: hint: give the key, or --ciphertext for what is on the disk
END
# It can be given again, also beside one of the user keyring; `key out` leaves none.
quiet btrfs-crypt key in disk.img vault --key-file key
quiet btrfs-crypt key in disk.img vault --key-file key --keyring user
quiet btrfs-crypt verify disk.img vault
expect 0 key out disk.img vault --keyring user <<< "key 'btrfs:TAG' has been revoked"
quiet btrfs-crypt verify disk.img vault
quiet btrfs-crypt key in disk.img vault --key-file key --keyring user
expect 0 key out disk.img vault <<< "key 'btrfs:TAG' has been revoked"
expect 2 key status disk.img vault <<< "btrfs:TAG: revoked (Key has been revoked)"
expect 0 key out disk.img vault --forget <<< "key 'btrfs:TAG' has been forgotten"
expect 2 key status disk.img vault <<< "btrfs:TAG: absent (Required key not available)"
expect 2 key out disk.img vault --forget <<< "! btrfs-crypt key: Required key not available"

quiet btrfs-crypt key in disk.img vault --key-file key --timeout 1
while btrfs-crypt key status disk.img vault > log; do sleep 0.2; done
expect 2 key status disk.img vault <<< "btrfs:TAG: expired (Key has expired)"
reason expired "Key has expired"
expect 2 verify disk.img vault <<END
! btrfs-crypt verify: Key has expired
! btrfs-crypt verify: hint: $gone_hint
END
expect 0 key out disk.img vault --forget <<< "key 'btrfs:TAG' has been forgotten"

# The user keyring, to which this session has no link; a key of somebody else with the same name before it; a time limit.
expect 0 key in disk.img vault --key-file key --keyring user --timeout 7200 <<'END'
key for 'vault' has logged in with keytag 'btrfs:TAG'
serial N in the user keyring: every process of this user can read it
END
serial && bad "the session keyring has it"
keyctl add user "$tag" "$(head -c 24 /dev/urandom | base64 -w 0 | head -c 32)" @s > log
expect 0 cat disk.img vault secret.txt <<< "the combination is 17-4-36"
shows "$(serial @u)" "\"keyring_state\":\"present\",\"keyring_serial\":$(serial @u)"
expect 0 key status disk.img vault <<< "btrfs:TAG: present, serial N in the user keyring, expires in SOON"
expect 9 key in disk.img vault --key-file key <<< "! btrfs-crypt key: the session keyring has another key named btrfs:TAG already"
expect 0 key out disk.img vault --forget --format json <<< '{"record":"out","path":"vault","key_tag":"btrfs:TAG","revoked":true,"forgotten":1}'
serial > log || bad "the key of somebody else is gone"
expect 2 key out disk.img vault --forget <<< "! btrfs-crypt key: Required key not available"
serial > log || bad "the key of somebody else is gone"
keyctl unlink "$(serial)" @s

# Where no keyring can be used
keyctl new_session > log 2>&1
expect 1 key in disk.img vault --key-file key --keyring nowhere <<'END'
! btrfs-crypt key: a keyring is session, user, persistent or a serial number, not nowhere
! btrfs-crypt key: hint: see btrfs-crypt key --help
END
for command in "key status disk.img vault" "key in disk.img vault --key-file key" "key out disk.img vault --forget" "verify-key disk.img vault"; do
	expect 2 $command --keyring 2147483647 <<< "! btrfs-crypt ${command%% *}: the keyring 2147483647 cannot be used: Required key not available"
done
# A session keyring that is revoked stops nobody.
revoked() { keyctl session - sh -c 'keyctl revoke @s; exec "$@"' - btrfs-crypt "$@"; }
FILTER="$FILTER; /Joined session keyring/d"
note='the session keyring has been revoked: no key in it can be used, but `key in --keyring user` takes another one'
transcript 2 revoked verify disk.img vault <<END
! btrfs-crypt verify: note: $note
! btrfs-crypt verify: a key is needed, but standard input is not a terminal to ask on
! btrfs-crypt verify: hint: give --key-file, --passphrase-file or --passphrase-fd
END
transcript 0 revoked verify-key disk.img vault --key-file key <<< "key matches: aes-256-gcm@btrfs:TAG (slot 0)"
transcript 2 revoked key status disk.img vault <<< "btrfs:TAG: absent (Required key not available)"
transcript 2 revoked key in disk.img vault --key-file key <<'END'
! btrfs-crypt key: the session keyring cannot be used: Key has been revoked
! btrfs-crypt key: hint: where a login has no session keyring, --keyring user takes that of the user
END
revoked list disk.img > out 2>&1 || bad "list with a revoked session keyring"
quiet revoked key in disk.img vault --key-file key --keyring user
quiet revoked verify disk.img vault
quiet btrfs-crypt key out disk.img vault --forget
# Somebody who is not root, with an image of his own: he finds what is in the session, and what is in his own keyring, but not the keyring of root.
if command -v setpriv > log; then
	mkdir his && chmod 711 . && cp --sparse=always disk.img his/disk.img && cp key his/key && chown -R 65534:65534 his && chmod 700 his
	cp "$(command -v btrfs-crypt)" his/btrfs-crypt
	as_him() { (cd his && setpriv --reuid=65534 --regid=65534 --clear-groups ./btrfs-crypt "$@"); }
	quiet btrfs-crypt key in disk.img vault --key-file key
	transcript 0 as_him cat disk.img vault secret.txt <<< "the combination is 17-4-36"
	quiet btrfs-crypt key out disk.img vault --forget
	quiet btrfs-crypt key in disk.img vault --key-file key --keyring user
	transcript 2 as_him key status disk.img vault <<< "btrfs:TAG: absent (Required key not available)"
	quiet as_him key in disk.img vault --key-file key --keyring user
	transcript 0 as_him cat disk.img vault secret.txt <<< "the combination is 17-4-36"
	quiet as_him key out disk.img vault --forget
	transcript 2 as_him key status disk.img vault <<< "btrfs:TAG: absent (Required key not available)"
	expect 0 cat disk.img vault secret.txt <<< "the combination is 17-4-36"
	quiet btrfs-crypt key out disk.img vault --forget
fi
expect 1 key frobnicate disk.img vault <<'END'
! btrfs-crypt key: frobnicate: unknown verb
! btrfs-crypt key: hint: VERB is one of list, add, change, remove, label, recovery, backup, restore, in, out, status, export-volume-key
END
expect 1 key list disk.img vault --timeout 5 <<'END'
! btrfs-crypt key: key list has no --timeout
! btrfs-crypt key: hint: see btrfs-crypt key --help
END
unchanged disk.img

# Unsealing with a key from a keyring
quiet btrfs-crypt key in disk.img vault --key-file key
expect 0 key status disk.img vault --format json <<'END'
{"record":"status","path":"vault","key_tag":"btrfs:TAG","state":"present","serial":N,"keyring":"session keyring","expires":"perm"}
END
quiet btrfs-crypt convert --decrypt disk.img vault
expect 0 cat disk.img vault secret.txt <<< "the combination is 17-4-36"
finish
