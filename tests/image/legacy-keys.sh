#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The three layouts of 2016 and 2017 are told apart and named, with all their fields; a key of that of 2016 is judged by its hash and by data, and is
# given to the kernel's keyring as that of a sealed subvolume.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/legacy-lib.sh"
need_root
need_crypt
tool legacy
if [ -z "${HAS_OWN_KEYRING:-}" ] && keyctl session - true >/dev/null 2>&1; then
	rm -rf "$tmp"
	HAS_OWN_KEYRING=1 exec keyctl session - "$IMAGE_TESTS/${0##*/}"
fi

# verdict STATUS KEY-OPTION...: of verify-key of e2, with what it says
verdict() {
	local status=$1
	shift
	expect_status "$status" crypt verify-key "$image" "${of:-e2}" "$@"
}
key_file() { printf "$(sed 's/../\\x&/g' <<<"$1")"; }

# The key is that of the passphrase "secret".
SCRYPT=49870cfd7958b677ae16902476572dd9
# Of its own, so that keys of others in the keyrings of this user are none of it
TAG=btrfs:$(printf %04x%04x $((RANDOM * 2)) $((RANDOM * 2)))
image=$tmp/a.img
legacy_image "$image" 16384 "text=ctr(aes)@$TAG" bare-root --key $SCRYPT --flag next --bare-root
right=(--volume-key-file "$image.key")
printf secret >"$tmp/passphrase"
key_file ${SCRYPT/4/5} >"$tmp/wrong"
hash=$(printf %08x "$("$tmp/legacy" hash $SCRYPT)")

say "recognized"
expect_status 0 crypt list "$image"
# e1 has no xattr on its root directory, and next has none anywhere.
for name in e1 e1/nested e1-snap e2; do expect_text "$tmp/out" "path $name	(readonly	)?Encryption: ctr.aes.@$TAG( \(.*\))? \(format of 2016\)\$"; done
expect_text "$tmp/out" 'path next	Encryption: ctr.aes.@-( \(.*\))? \(format of 2016\)$'
expect_status 0 crypt list --format json "$image"
expect_text "$tmp/out" "\"path\":\"e2\",.*\"encryption_format\":\"2016\",\"algorithm\":\"ctr.aes.\",\"key_tag\":\"$TAG\",\"key_length\":0,\"key_hash\":\"$hash\""
expect_status 0 crypt show --no-keyring "$image" e1
expect_text "$tmp/out" "Encryption: 		ctr.aes.@$TAG \(format of 2016\)\$"
expect_status 0 crypt dump-tree --crypt "${right[@]}" "$image"
cp "$tmp/out" "$tmp/dump"
expect_text "$tmp/dump" "encrypt_algo ctr.aes. crypto_keylen 0 crypto_keyhash 0x$hash"
expect_text "$tmp/dump" 'flags 0x1000\(ENCRYPT\)'
expect_text "$tmp/dump" "encrypt_algo ctr.aes. encrypt_keytag $TAG"
expect_text "$tmp/dump" 'extent compression 3 \(encrypted\)'
! grep -q '(zstd)' "$tmp/dump" || fail "an encrypted extent is said to be zstd"
# Each IV, as another implementation decrypts it
n=0
while read -r cryptoiv iv; do
	[ "$("$tmp/legacy" iv $SCRYPT "$cryptoiv")" = "$iv" ] || fail "the IV of $cryptoiv is not $iv"
	n=$((n + 1))
done < <(awk '$1 == "cryptoiv" { disk = $2 } $1 == "iv" { print disk, $2 }' "$tmp/dump" | sort -u | head -n 5)
[ $n = 5 ] || fail "$n IVs"
expect_status 0 crypt dump-tree --key 'EXTENT_DATA' "$image"
[ "$(grep -c '(zstd)' "$tmp/out")" -gt 4 ] && [ "$(grep -c '(encrypted)' "$tmp/out")" -gt 40 ] || fail "encrypted and zstd are not told apart"
expect_status 0 crypt dump-tree --crypt --volume-key-file "$tmp/wrong" "$image"
expect_text "$tmp/err" 'warning: the key is not that of subvolume 256$'
! grep -q '	iv ' "$tmp/out" || fail "a wrong key decrypts an IV"

say "the key, by hash and data"
verdict 0 "${right[@]}"
expect_text "$tmp/out" "^key matches: ctr.aes.@$TAG\$"
expect_text "$tmp/out" 'hash: matches \(which one wrong key in 4294967296 does as well\)$'
expect_text "$tmp/out" 'data: 1 last page for the key, 0 against it$'
verdict 0 "${right[@]}" --format json
expect_text "$tmp/out" "^.\"matches\":true,\"encryption\":\"ctr.aes.@$TAG\",\"hash\":\"matches\",\"pages_for\":\"1\",\"pages_against\":\"0\".\$"
verdict 2 --volume-key-file "$tmp/wrong"
expect_text "$tmp/out" 'data: 0 last pages for the key, 1 against it$'
expect_text "$tmp/err" 'verify-key: Key was rejected by service$'
# When it says so, no cipher holds the key any more, and no copy of key or passphrase is left.
WHEN=${BUILD:-$PROJECT/build}/tests/image/signal-when
"$WHEN" DUMP:"$tmp/memory" prints:'key matches' "$BTRFS_CRYPT" verify-key "$image" e2 --passphrase-file "$tmp/passphrase" --kdf scrypt-2017 >"$tmp/out" ||
	fail "verify-key with a passphrase: status $?"
expect_text "$tmp/out" "^key matches: ctr.aes.@$TAG\$"
python3 -S -I -c 'import sys
memory = open(sys.argv[1], "rb").read()
if len(memory) < 100000 or bytes.fromhex(sys.argv[2]) in memory or b"secret\n" in memory: sys.exit(1)' "$tmp/memory" $SCRYPT ||
	fail "the key or the passphrase is in memory"
verdict 1 --passphrase-file "$tmp/passphrase"
expect_text "$tmp/err" 'hint: give the key itself by --volume-key-file, or try --kdf scrypt-2017'
verdict 1 --passphrase-file "$tmp/passphrase" --kdf scrypt
verdict 2 --volume-key-file "$tmp/passphrase"
head -c 32 /dev/zero >"$tmp/long"
verdict 2 --volume-key-file "$tmp/long"
expect_text "$tmp/err" 'does not have exactly 16 bytes'
# Of next only the hash tells.
of=next verdict 0 "${right[@]}"
of=next verdict 2 --volume-key-file "$tmp/wrong"
expect_status 9 crypt key list "$image" e2
expect_text "$tmp/err" 'is in the format of 2016, which has no key slots$'
expect_status 9 crypt convert --encrypt --dry-run "$image" e2
expect_text "$tmp/err" 'is encrypted in the format of 2016: only --decrypt converts it$'

legacy_undo "$image"
legacy_write "$image" --key $SCRYPT --key-hash 0 --flag next
verdict 0 "${right[@]}"
expect_text "$tmp/out" 'hash: none recorded$'
verdict 2 --volume-key-file "$tmp/wrong"
of=next verdict 9 "${right[@]}"
expect_text "$tmp/err" 'the key cannot be verified: no hash is recorded, and no file has a padded last page$'
expect_status 0 crypt export "$image" next "${right[@]}" -o "$tmp/next.tar"
expect_text "$tmp/err" 'next: nothing in it can tell whether the key is right$'

legacy_undo "$image"
legacy_write "$image" --key $SCRYPT --key-hash 12345 --algorithm 'ctr(aes)'
verdict 0 "${right[@]}"
expect_text "$tmp/out" 'hash: differs$'
expect_text "$tmp/err" 'warning: the key has another hash than the root item records, but decrypts the data$'
verdict 2 --volume-key-file "$tmp/wrong"
expect_status 0 crypt cat "$image" e2:sizes/4097 "${right[@]}"
expect_text "$tmp/err" 'e2: the key has another hash than its root item records, but decrypts its data$'

say "an algorithm and a key length that are not known"
legacy_undo "$image"
legacy_write "$image" --key $SCRYPT --algorithm 'xts(aes)'
expect_status 0 crypt list "$image"
expect_text "$tmp/out" "Encryption: xts.aes.@$TAG"
verdict 9 "${right[@]}"
expect_text "$tmp/err" 'is encrypted with "xts.aes."; only ctr.aes., cbc.aes. and cts.cbc.aes.. of the format of 2016 are supported$'
legacy_undo "$image"
legacy_write "$image" --key $SCRYPT --key-length 32
verdict 9 "${right[@]}"
expect_text "$tmp/err" 'is encrypted with a key of 32 bytes; only 16 are supported$'
legacy_undo "$image"
legacy_write "$image" --key $SCRYPT

if [ -n "${HAS_OWN_KEYRING:-}" ]; then
	say "in a keyring"
	expect_status 2 crypt key status "$image" e2
	expect_text "$tmp/out" "^$TAG: absent \(Required key not available\)\$"
	keyctl padd user $TAG @s <"$tmp/wrong" >/dev/null
	verdict 2 --keyring session
	expect_text "$tmp/err" 'Required key not available$'
	expect_status 0 crypt list "$image"
	expect_text "$tmp/out" "path e2	Encryption: ctr.aes.@$TAG \(Required key not available\)"
	keyctl unlink %user:$TAG @s
	expect_status 2 crypt key in "$image" e2 --volume-key-file "$tmp/wrong"
	expect_text "$tmp/err" 'key: Key was rejected by service$'
	expect_status 0 crypt key in "$image" e2 "${right[@]}"
	expect_text "$tmp/out" "^key for 'e2' has logged in with keytag '$TAG'\$"
	serial=$(keyctl search @s user $TAG)
	keyctl pipe "$serial" | cmp - "$image.key" || fail "another key is in the keyring"
	expect_status 0 crypt key status "$image" e2
	expect_text "$tmp/out" "^$TAG: present, serial $serial in the session keyring\$"
	expect_status 0 crypt list "$image"
	expect_text "$tmp/out" "Encryption: ctr.aes.@$TAG \($serial\) \(format of 2016\)\$"
	verdict 0 --keyring session
	expect_status 0 crypt cat "$image" e2:sizes/4097
	expect_status 0 crypt key out "$image" e2
	expect_text "$tmp/out" "^key '$TAG' has been revoked\$"
	expect_status 0 crypt show "$image" e2
	expect_text "$tmp/out" "ctr.aes.@$TAG \(Key has been revoked\) \(format of 2016\)\$"
	expect_status 0 crypt key out --forget "$image" e2
	keyctl padd logon $TAG @s <"$image.key" >/dev/null
	verdict 2 --keyring session
	expect_text "$tmp/err" "hint: a key $TAG of type logon is there, which the kernel gives to no program"
	expect_status 2 crypt key status "$image" e2
	expect_text "$tmp/err" "note: a key $TAG of type logon is there"
fi

say "the other layouts"
# refused WORDS: named, and never a wrong key
refused() {
	expect_status 0 crypt show "$image" e1
	expect_text "$tmp/out" "Encryption: 		.* \(layout of $1\)\$"
	for command in "cat $image e1:sizes/5000" "export $image e1 -o $tmp/none.tar" "verify $image e1" "verify-key $image e1" "key in $image e1"; do
		expect_status 9 crypt $command "${right[@]}"
		expect_text "$tmp/err" "subvolume 256 is encrypted in the layout of $1, which is not supported\$"
	done
	expect_status 0 crypt ls "$image" e1:sizes
	expect_text "$tmp/out" '^5000$'
}
legacy_image "$image" 4096 layout=early
refused "early 2016"
expect_text <(crypt list "$image") 'path e2	Encryption: aes@btrfs:61e0d004 \(layout of early 2016\)$'
expect_text <(crypt dump-tree --crypt -t root "$image") 'encrypt_algo aes encrypt_keytag btrfs:61e0d004$'
legacy_image "$image" 16384 layout=2017
refused 2017
# Where nothing on the root directory says so, only the files do.
legacy_image "$image" 16384 layout=2017 bare-root
expect_status 6 crypt cat "$image" e1:sizes/5000
expect_text "$tmp/err" 'its flags say that it is encrypted, in a layout that is not supported$'
expect_status 0 crypt cat "$image" next:compressed/5000
