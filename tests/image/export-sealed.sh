#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Exporting sealed subvolumes gives, with the key, everything as the kernel showed it before sealing; without it, or with another key, no byte of
# plain text. Damage is named. --ciphertext gives ciphertext.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
tool fill
damage() { python3 "$IMAGE_TESTS/damage.py" "$@"; }

KINDS="sizes:300000 inline compressed holes prealloc reflinks bookends symlinks names links special"
image=$tmp/a.img
image_make "$image" 300M -m single -d single
image_mount "$image" "$tmp/mnt" rw,compress=zstd
btrfs -q subvolume create "$tmp/mnt/one"
"$tmp/fill" "$tmp/mnt/one" 1 $KINDS
btrfs -q subvolume create "$tmp/mnt/one/nested"
"$tmp/fill" "$tmp/mnt/one/nested" 2 sizes:20000 inline symlinks
head -c 200000 /dev/urandom >"$tmp/mnt/one/noise"
cp "$tmp/mnt/one/noise" "$tmp/noise"
: >"$tmp/mnt/one/empty"
mkdir "$tmp/mnt/plain"
echo "plain words" >"$tmp/mnt/plain/words"
sync
noise=$(stat -c %i "$tmp/mnt/one/noise")
image_umount
expect_status 0 crypt export "$image" one --recursive -o "$tmp/plain.tar"
# Sealing flags inodes; neither format keeps flags, so that the archives are equal.
printf 'correct horse' >"$tmp/pass"
printf 'wrong horse' >"$tmp/wrong"
expect_status 0 crypt convert --encrypt --recursive -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --progress=none \
	--passphrase-file "$tmp/pass" "$image" one
before=$(fingerprint "$image")

say "with the key"
expect_status 0 crypt export "$image" one --recursive -o "$tmp/sealed.tar" --passphrase-file "$tmp/pass"
cmp "$tmp/plain.tar" "$tmp/sealed.tar" || fail "the archive differs from that of the plain image"
expect_status 0 crypt export "$image" / --recursive -o "$tmp/top/" --passphrase-file "$tmp/pass"
cmp "$tmp/top/one/noise" "$tmp/noise" && [ "$(cat "$tmp/top/plain/words")" = "plain words" ] || fail "sealed and plain together differ"

say "without it"
expect_status 2 crypt export "$image" / --recursive -o "$tmp/none/" --report "$tmp/report"
[ "$(cat "$tmp/none/plain/words")" = "plain words" ] && [ -d "$tmp/none/one/holes" ] || fail "what is not sealed is missing"
[ -z "$(find "$tmp/none/one" -type f)" ] || fail "a file of a sealed subvolume came out, empty or not"
[ -z "$(find "$tmp/none/one" -type l)" ] || fail "a sealed symbolic link came out"
expect_text "$tmp/err" 'one/sizes/1: sealed or not authenticated, left out without the key$'
expect_text "$tmp/err" 'hint: give the key, or --ciphertext'
n=$(sed -n 's/.*skipped: \([0-9]*\) sealed.*/\1/p' "$tmp/err")
[ "$n" -gt 100 ] && [ "$(grep -c '"finding":"sealed"' "$tmp/report")" = "$n" ] || fail "$n files are said to be sealed"
expect_status 2 crypt export "$image" one -o "$tmp/x.tar" --passphrase-file "$tmp/wrong"
[ ! -e "$tmp/x.tar" ] || fail "a wrong key left an archive"
expect_status 9 crypt export "$image" /:plain -o "$tmp/x.tar" --passphrase-file "$tmp/pass"

say "as ciphertext"
status=0
crypt export "$image" one -o "$tmp/raw/" --ciphertext >"$tmp/out" 2>"$tmp/err" || status=$?
# Ciphertext may hold NUL, which no target of a symbolic link can: then it is left out.
left=$(sed -n 's/.*skipped: \([0-9]*\) sealed.*/\1/p' "$tmp/err")
[ $((left + $(find "$tmp/raw" -type l | wc -l))) = 9 ] && [ $status = $((left ? 2 : 0)) ] || fail "--ciphertext: status $status, $left symbolic links left out"
[ "$(stat -c %s "$tmp/raw/noise")" = 200000 ] && ! cmp -s "$tmp/raw/noise" "$tmp/noise" || fail "--ciphertext gave plain text, or another length"
read -r _ address length _ < <(damage "$image" extents 256 "$noise")
[ "$length" -ge 131072 ] || fail "the extent has $length bytes only"
# One chunk of one device: its data lie as far from their logical addresses as the first byte does.
physical=$(btrfs-map-logical -l "$address" "$image" | sed -n 's/^mirror 1 .* physical \([0-9]*\) .*/\1/p' | head -1)
cmp -n 131072 "$tmp/raw/noise" <(tail -c +$((physical + 1)) "$image" 2>/dev/null) || fail "--ciphertext is not what is on the disk"
[ "$before" = "$(fingerprint "$image")" ] || fail "exporting changed the image"

say "damaged"
damage "$image" data $((address + 4096)) $((address + 8192)) --csum
damage "$image" data $((address + 65536))
expect_status 6 crypt export "$image" one -o "$tmp/bad/" --passphrase-file "$tmp/pass"
expect_text "$tmp/err" 'noise: bytes 4096 to 12287 are lost: .*fail authentication'
expect_text "$tmp/err" 'noise: bytes 65536 to 69631 are lost'
expect_text "$tmp/err" 'incomplete: 1 file \(12288 bytes lost\)'
dd if=/dev/zero of="$tmp/noise" bs=4096 seek=1 count=2 conv=notrunc status=none
dd if=/dev/zero of="$tmp/noise" bs=4096 seek=16 count=1 conv=notrunc status=none
cmp "$tmp/bad/noise" "$tmp/noise" || fail "what is lost is not zeros, or more is lost"
expect_status 6 crypt export "$image" / --recursive --ciphertext -o "$tmp/x.tar"
