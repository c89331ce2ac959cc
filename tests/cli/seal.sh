#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sealing, looking, unsealing: what each step prints, in text and JSON. Afterwards the image is what it was.
. "$(dirname "$0")/../expect.sh"
printf 'secret' > key
printf 'wrong' > wrong
head -c 32 /dev/urandom > volume-key
head -c 32 /dev/urandom > other-volume-key
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
FILTER='s/btrfs:[0-9a-f]{8}/btrfs:TAG/; s/[0-9a-f]{32}/SEAL/; s/[0-9]+ bytes/N bytes/g; s/(_bytes|_available|_needed)":"[0-9]+"/\1":"N"/g'

# The whole state that a reader sees.
state() {
	local file
	btrfs-crypt list --format json "$1"
	btrfs-crypt ls -l "$1" vault
	for file in secret.txt ledger.txt ledger.zlib ledger.lzo ledger.zstd short.zlib hole prealloc-part nocow bookend reflink; do
		btrfs-crypt cat "$1" vault "$file" | sha256sum
	done
}

for cipher in aes-256-gcm chacha20-poly1305; do
	name=${cipher/chacha20/chacha}
	bundled_image
	state disk.img > before 2>&1
	expect 0 convert --status disk.img <<< "no unfinished conversion"
	expect 9 verify-key disk.img vault --key-file key <<< "! btrfs-crypt verify-key: vault is not sealed"
	expect 9 verify disk.img vault --key-file key <<< "! btrfs-crypt verify: vault is not sealed"
	btrfs-crypt convert --encrypt --cipher $cipher disk.img vault --key-file key $cheap > out 2> err < /dev/null ||
		{ bad "encrypt: status $?"; cat err; }
	grep -q "^sealed: 1 subvolume, " out || bad "no summary"
	grep -qE "^Encryption: $name@btrfs:[0-9a-f]{8}\$" out || bad "no key tag"
	seal=$(sed -nE 's/^seal fingerprint: ([0-9a-f]{32})$/\1/p' out)
	[ -n "$seal" ] || bad "no seal fingerprint"

	expect 0 convert --status disk.img <<< "no unfinished conversion"
	expect 0 verify-key disk.img vault --key-file key <<< "key matches: $name@btrfs:TAG (slot 0)"
	expect 0 verify-key disk.img vault --key-file key --format json <<END
{"matches":true,"encryption":"$name@btrfs:TAG","slot":0,"volume_key":false}
END
	expect 9 convert --encrypt disk.img vault --key-file key --format json <<'END'
! {"error":"already-sealed","status":9,"command":"convert","text":"vault is sealed already"}
END
	for command in verify-key verify; do
		expect 2 $command disk.img vault --key-file wrong <<END
! btrfs-crypt $command: wrong key or passphrase
END
	done
	expect 2 verify-key disk.img vault --key-file wrong --format json <<'END'
! {"error":"wrong-key","status":2,"command":"verify-key","text":"wrong key or passphrase"}
END
	for command in "verify disk.img vault" "cat disk.img vault secret.txt" "convert --decrypt disk.img vault"; do
		unchanged disk.img
		btrfs-crypt $command --key-file wrong > out 2> err < /dev/null
		[ $? -eq 2 ] && [ ! -s out ] && [ -s err ] || bad "$command with a wrong key"
		btrfs-crypt $command > out 2> err < /dev/null
		[ $? -eq 2 ] && [ ! -s out ] && grep -q hint: err || bad "$command without a key"
		unchanged disk.img
	done
	# What is wrong with the key is not said of the file.
	expect 2 cat disk.img vault secret.txt --key-file wrong <<'END'
! btrfs-crypt cat: wrong key or passphrase
END
	expect 2 cat --quiet disk.img vault secret.txt <<'END'
! btrfs-crypt cat: secret.txt: sealed or not authenticated, and no key was given
! btrfs-crypt cat: hint: give the key, or --ciphertext for what is on the disk
END
	expect 9 cat disk.img public ledger.txt --key-file key <<'END'
! btrfs-crypt cat: a key was given, but subvolume public (id 256) is not sealed
! btrfs-crypt cat: hint: leave out the key: the subvolume is read without one
END
	expect 1 cat disk.img vault nested --key-file key <<'END'
! btrfs-crypt cat: nested: is a directory
! btrfs-crypt cat: hint: btrfs-crypt ls lists it
END
	if [ -e /dev/full ]; then
		transcript 11 bash -c 'btrfs-crypt cat --quiet disk.img vault size-30001 --key-file key > /dev/full' <<< "! btrfs-crypt cat: standard output: No space left on device"
	fi
	rm -f disk.img.sum
	quiet btrfs-crypt verify disk.img vault --key-file key
	grep -qE "^verified: $name@btrfs:.* 0 failures\$" log || bad "verify: no summary"
	quiet btrfs-crypt verify disk.img vault --key-file key --expect-seal "$seal"
	btrfs-crypt verify disk.img vault --key-file key --expect-seal "$(echo "$seal" | tr 0-9a-f f0-9a-e)" > out 2> err
	[ $? -eq 6 ] && grep -q 'seal fingerprint' err || bad "verify: another seal is not status 6"
	grep -q '^not the expected seal: .*, 0 failures$' out || { bad "verify: it is not said what failed"; cat out; }
	btrfs-crypt verify disk.img vault --key-file key --format json --expect-seal "$seal" | grep -q '"seal_expected":true' || bad "the seal in JSON"
	transcript 0 btrfs-crypt cat --quiet disk.img vault secret.txt --key-file key <<< "the combination is 17-4-36"
	btrfs-crypt list disk.img | grep -qE "path vault[[:space:]].*Encryption: $name@btrfs:[0-9a-f]{8} \(Required key not available\) \(not authenticated\)\$" || bad "list does not show the key tag"
	btrfs-crypt show disk.img vault 2> /dev/null | grep -qE "Encryption:[[:space:]]*$name@btrfs:[0-9a-f]{8} \(Required key not available\) \(not authenticated\)\$" || bad "show does not show the key tag"
	btrfs-crypt convert --decrypt disk.img vault --key-file key --expect-seal "$(echo "$seal" | tr 0-9a-f f0-9a-e)" > out 2> err
	[ $? -eq 6 ] && grep -q 'seal fingerprint is not the expected one' err || bad "unsealed though the seal is another"
	quiet btrfs-crypt convert --decrypt disk.img vault --key-file key --expect-seal "$seal"
	grep -q "^unsealed: 1 subvolume, " log || bad "no summary of unsealing"
	state disk.img > after 2>&1
	diff -u before after || bad "the image is not what it was"
	expect 9 verify-key disk.img vault --key-file key <<< "! btrfs-crypt verify-key: vault is not sealed"
done

unchanged disk.img
expect 1 convert --encrypt disk.img "" --key-file key $cheap <<'END'
! btrfs-crypt convert: SUBVOL is empty
! btrfs-crypt convert: hint: the top level is /
END
expect 1 convert --encrypt disk.img vault --key-file key --key-slot 1 $cheap <<'END'
! btrfs-crypt convert: --key-slot chooses among slots that exist already: not with --encrypt
! btrfs-crypt convert: hint: see btrfs-crypt convert --help
END
unchanged disk.img

# The volume key itself, with a key slot beside it and without.
bundled_image
quiet btrfs-crypt convert --encrypt disk.img vault --volume-key-file volume-key
expect 0 verify-key disk.img vault --volume-key-file volume-key <<< "key matches: aes-256-gcm@btrfs:TAG (volume key)"
expect 0 verify-key disk.img vault --volume-key-file volume-key --format json <<'END'
{"matches":true,"encryption":"aes-256-gcm@btrfs:TAG","volume_key":true}
END
expect 2 verify-key disk.img vault --volume-key-file other-volume-key <<< "! btrfs-crypt verify-key: wrong key or passphrase"
expect 2 verify-key disk.img vault --key-file key <<'END'
! btrfs-crypt verify-key: wrong key or passphrase
! btrfs-crypt verify-key: hint: it has no key slot; only the volume key opens it
END
quiet btrfs-crypt convert --decrypt disk.img vault --volume-key-file volume-key
quiet btrfs-crypt convert --encrypt disk.img vault --volume-key-file volume-key --key-file key $cheap
expect 0 verify-key disk.img vault --key-file key <<< "key matches: aes-256-gcm@btrfs:TAG (slot 0)"
expect 0 verify-key disk.img vault --volume-key-file volume-key <<< "key matches: aes-256-gcm@btrfs:TAG (volume key)"

# Refused before anything is changed.
bundled_image
rm -f disk.img.sum
unchanged disk.img
expect 4 convert --encrypt disk.img nowhere --key-file key <<'END'
! btrfs-crypt convert: subvolume "nowhere" not found
! btrfs-crypt convert: hint: btrfs-crypt list shows the subvolumes
END
btrfs-crypt convert --encrypt disk.img shared --key-file key $cheap > out 2> err < /dev/null
[ $? -eq 9 ] && grep -q 261 out err || { bad "a shared subvolume is not refused with its sharer"; cat err; }
expect 2 convert --encrypt disk.img vault <<'END'
! btrfs-crypt convert: a key is needed, but standard input is not a terminal to ask on
! btrfs-crypt convert: hint: give --key-file, --passphrase-file or --passphrase-fd
END
quiet btrfs-crypt convert --encrypt --dry-run disk.img vault
grep -q '^would be sealed: 1 subvolume, ' log && grep -q '^metadata needed: ' log || { bad "no plan"; cat log; }
grep -A 1 -x 'not sealed: 1 nested subvolume (--recursive seals it too)' log | grep -qx '  258 vault/nested' || { bad "nothing of what is nested"; cat log; }
quiet btrfs-crypt convert --encrypt --dry-run --format json disk.img vault
grep -q '"members":\[{"id":"257","path":"vault"}\],"not_sealed":\[{"id":"258","path":"vault/nested"}\]' log || { bad "nothing of what is nested in JSON"; cat log; }
quiet btrfs-crypt convert --encrypt --dry-run --recursive --format json disk.img vault
grep -q '^{"record":"summary","result":"would be sealed","members":\[{"id":"257","path":"vault"},{"id":"258","path":"vault/nested"}' log || { bad "no JSON plan"; cat log; }
unchanged disk.img

# With --shared=include the sharers are sealed too.
quiet btrfs-crypt convert --encrypt --shared=include disk.img shared --key-file key $cheap
grep -q '^sealed: 2 subvolumes, ' log || { bad "not both"; cat log; }
expect 0 verify-key disk.img shared-snapshot --key-file key <<< "key matches: aes-256-gcm@btrfs:TAG (slot 0)"
quiet btrfs-crypt verify disk.img shared-snapshot --key-file key
grep -qE '^verified: .*: [0-9]+ files in 2 subvolumes of this sealing, ' log || { bad "verify: it is not said what was counted"; cat log; }

# Progress for machines.
bundled_image
quiet btrfs-crypt convert --encrypt --progress=json disk.img vault --key-file key $cheap
grep -qE '^\{"progress":"data","done":"[0-9]+","total":"[0-9]+","speed":"[0-9]+","eta_ms":"[0-9]+","time_ms":"[0-9]+"\}$' log || { bad "no progress"; cat log; }
btrfs-crypt convert --decrypt --progress=none disk.img vault --key-file key > out 2> err || bad "decrypt: status $?"
[ ! -s err ] || { bad "not quiet"; cat err; }
finish
