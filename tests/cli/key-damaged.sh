#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One key slot is damaged on every mirror, with right checksums: it costs what it opened, and is named wherever keys are used or listed. It is removed,
# replaced or restored with any other key.
. "$(dirname "$0")/../expect.sh"
PATH=$PATH:/usr/sbin:/sbin
bundled_image
for name in a b wrong; do printf 'secret %s' $name > $name; done
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
quiet btrfs-crypt convert --encrypt disk.img vault --key-file a $cheap
quiet btrfs-crypt key add disk.img vault --key-file a --new-key-file b $cheap
quiet btrfs-crypt key recovery disk.img vault --key-file a --batch-mode
quiet btrfs-crypt key export-volume-key disk.img vault volume-key --key-file a --batch-mode
tag=$(btrfs-crypt key list disk.img vault 2> err | sed -nE 's/^Encryption: *\t//p')
seal=$(btrfs-crypt verify disk.img vault --key-file a 2> err | grep '^seal fingerprint: ')
fault="is damaged: it is not the one that the header vouches for"
warning="warning: key slot 1 $fault"
hint_1="hint: what belongs to key slot 1 opens nothing until \`key restore\` puts it back from a header backup"
hint="hint: key slot 1 $fault; what belongs to it opens nothing until \`key restore\` puts it back from a header backup"

# damaged.img: one byte of slot 1, of a and b, is another one
broken() {
	cp disk.img damaged.img
	"$tools/attack/attack" damaged.img xor 1 18446744073709551416 249 $((1 << 48 | 1 << 44 | 1)) 180 1 || bad attack
}
# whole SLOTS KEY...: these are there, and nothing is wrong with them or with anything else
whole() {
	[ "$(btrfs-crypt key list damaged.img vault 2> err | sed -nE 's/^  ([0-9]+): .*/\1/p' | paste -sd ' ')" = "$1" ] || bad "key slots: $(btrfs-crypt key list damaged.img vault 2>&1)"
	expect 0 verify damaged.img vault "${@:2}" <<END
verified: $tag: 30 files, 136 blocks, 0 not sealed, 0 failures
$seal
END
	btrfs check --force damaged.img > log 2>&1 || { bad "btrfs check"; cat log; }
}

# --- reading -----------------------------------------------------------------------------------------------------------
broken
unchanged damaged.img
expect 0 verify-key damaged.img vault --key-file a <<END
key matches: $tag (slot 0)
! btrfs-crypt verify-key: $warning
END
expect 0 verify-key damaged.img vault --volume-key-file volume-key <<END
key matches: $tag (volume key)
! btrfs-crypt verify-key: $warning
END
for slot in "" "--key-slot 1"; do
	# shellcheck disable=SC2086
	expect 2 verify-key damaged.img vault --key-file b $slot <<END
! btrfs-crypt verify-key: $warning
! btrfs-crypt verify-key: wrong key or passphrase
! btrfs-crypt verify-key: $([ -n "$slot" ] && echo "$hint_1" || echo "$hint")
END
done
expect 2 cat damaged.img vault secret.txt --key-file b --key-slot 1 <<END
! btrfs-crypt cat: $warning
! btrfs-crypt cat: key slot 1 $fault
! btrfs-crypt cat: $hint_1
END
expect 0 cat damaged.img vault secret.txt --key-file a <<END
the combination is 17-4-36
! btrfs-crypt cat: $warning
END
expect 6 verify damaged.img vault --key-file a <<END
sealing 1: key slot 1 $fault
failed: $tag: 30 files, 136 blocks, 0 not sealed, 1 failure
$seal
! btrfs-crypt verify: $warning
! btrfs-crypt verify: 1 failure
END
btrfs-crypt key list damaged.img vault 2> err | grep -A1 -E '^  |^Key slots' | grep -vE 'Label:|Created:|KDF:|^--' > out
diff -u - out <<END || bad "what key list says of a damaged slot"
Key slots: 	3
  0: key-file
  key slot 1 $fault
  2: recovery
  ID 257 uuid $(btrfs-crypt key list damaged.img vault 2> err | sed -n 's/^  ID 257 uuid //p')
END
btrfs-crypt key list damaged.img vault --format json 2> err | grep -qF "{\"slot\":1,\"fault\":\"key slot 1 $fault\"}" || bad "key list in JSON"
grep -qF "\"warning\":\"key slot 1 $fault\"" err || bad "key list warns: $(cat err)"
# --- backup and restore --------------------------------------------------------------------------------------------------
# A backup leaves it out, and an older one puts it back. Other slots are none of its business: nobody is asked.
expect 0 key backup damaged.img vault two --key-file a <<END
header of vault saved in two: epoch 9, key slots 2, subvolumes 1
! btrfs-crypt key: $warning
END
unchanged damaged.img
quiet btrfs-crypt key backup disk.img vault three
expect 0 key restore damaged.img vault three --key-file a <<'END'
header of vault restored from three: epoch 10, key slots 3, subvolumes 1
! btrfs-crypt key: note: three: epoch 9, key slots 0, 1, 2
! btrfs-crypt key: note: damaged.img: epoch 9, key slots 0, 2
END
whole "0 1 2" --key-file b
# --- changing ----------------------------------------------------------------------------------------------------------
# Other changes leave it as it is, and it is removed or replaced with any key.
broken
expect 0 key add damaged.img vault --key-file a --new-key-file wrong $cheap <<END
key slot 3 of vault added (key-file)
! btrfs-crypt key: $warning
END
expect 0 key remove damaged.img vault --key-file wrong <<END
key slot 3 of vault removed (key-file)
! btrfs-crypt key: $warning
END
expect 0 verify-key damaged.img vault --key-file a <<END
key matches: $tag (slot 0)
! btrfs-crypt verify-key: $warning
END
expect 2 key change damaged.img vault --key-file a --key-slot 1 --new-key-file wrong $cheap <<END
! btrfs-crypt key: $warning
! btrfs-crypt key: key slot 1 $fault
! btrfs-crypt key: $hint_1
END
cp damaged.img again.img
expect 0 key remove damaged.img vault --key-file a --key-slot 1 <<END
key slot 1 of vault removed (damaged)
! btrfs-crypt key: $warning
END
whole "0 2" --key-file a
cp again.img damaged.img
expect 0 key add damaged.img vault --key-file a --new-key-slot 1 --new-key-file wrong $cheap <<END
key slot 1 of vault added (key-file)
! btrfs-crypt key: $warning
END
whole "0 1 2" --key-file wrong
cp again.img damaged.img
expect 0 key change damaged.img vault --volume-key-file volume-key --key-slot 1 --new-key-file b $cheap <<END
key slot 1 of vault changed (key-file)
! btrfs-crypt key: $warning
END
whole "0 1 2" --key-file b
# The last one that opens is the last one.
cp again.img damaged.img
quiet btrfs-crypt key remove damaged.img vault --volume-key-file volume-key --key-slot 2 --batch-mode
expect 9 key remove damaged.img vault --key-file a <<'END'
! btrfs-crypt key: it is the last key slot: without it only the volume key opens what is sealed
! btrfs-crypt key: hint: --force removes it; `key export-volume-key` saves the volume key before
END
# --- conversions --------------------------------------------------------------------------------------------------------
# Unsealing, whole and interrupted.
cp again.img damaged.img
expect 0 convert --decrypt damaged.img vault --key-file a <<END
unsealed: 1 subvolume, 16 extents, 544.00KiB (557056 bytes) of data, 15 inline items
  257 vault
! btrfs-crypt convert: $warning
END
btrfs check --force damaged.img > log 2>&1 || { bad "btrfs check"; cat log; }
"$tools/attack/attack" again.img convert decrypt stop:3 volume-key vault > out 2>&1
[ $? -eq 8 ] || bad "it was not stopped: $(cat out)"
cp again.img damaged.img
quiet btrfs-crypt convert --abort damaged.img --key-file a
grep -qxF "btrfs-crypt convert: $warning" err || bad "the abort does not warn"
expect 0 verify-key damaged.img vault --key-file a <<END
key matches: $tag (slot 0)
! btrfs-crypt verify-key: $warning
END
quiet btrfs-crypt convert --decrypt --resume again.img --key-file a
expect 0 cat again.img vault secret.txt <<< "the combination is 17-4-36"
# Rekeying drops it, if that is asked for.
broken
expect 9 convert --rekey damaged.img vault --key-file a <<END
! btrfs-crypt convert: note: key slot 1 $fault
! btrfs-crypt convert: note: key slot 2 (recovery): no given key opens it
! btrfs-crypt convert: 2 key slots would be lost, because no given key opens them; nothing was changed
! btrfs-crypt convert: hint: give all passphrases and key files, or drop those slots with --drop-slots
END
# What once opened slot 1 opens another slot now, as somebody who puts an old slot 1 back cannot prevent.
slot=(18446744073709551416 249 $((1 << 48 | 1 << 44 | 1)))
cp disk.img damaged.img
old=$("$tools/attack/attack" damaged.img peek 1 "${slot[@]}" 0 220)
quiet btrfs-crypt key remove damaged.img vault --key-file b
quiet btrfs-crypt key add damaged.img vault --key-file a --new-key-file wrong --new-key-slot 1 $cheap
quiet btrfs-crypt key add damaged.img vault --key-file a --new-key-file b --new-key-slot 5 $cheap
"$tools/attack/attack" damaged.img put 1 "${slot[@]}" "$old" || bad attack
quiet btrfs-crypt convert --rekey damaged.img vault --key-file a --key-file b --drop-slots $cheap
grep -qxF "btrfs-crypt convert: note: key slot 1 $fault; it is dropped" log || bad "the rekeying does not name slot 1: $(cat log)"
seal=$(btrfs-crypt verify damaged.img vault --key-file a 2> err | grep '^seal fingerprint: ')
tag=$(btrfs-crypt key list damaged.img vault 2> err | sed -nE 's/^Encryption: *\t//p')
whole "0 5" --key-file b

finish
