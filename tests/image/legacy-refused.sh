#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# convert --decrypt of the format of 2016 refuses what it could not decrypt right, names it, and changes nothing: clones under the IV of another file, files without
# an IV, a key that is wrong or that nothing vouches for, data that are damaged, other layouts, and what is no such subvolume.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/legacy-lib.sh"
need_root
need_crypt
tool legacy

refused() {		# refused STATUS TEXT IMAGE SUBVOLUME [OPTION...]
	local status=$1 text=$2 image=$3
	shift 3
	expect_unchanged "$status" "$image" crypt convert --decrypt "$image" "$@" --no-keyring
	expect_text "$tmp/err" "$text"
}
all=(--shared=include --recursive)
head -c 16 /dev/zero >"$tmp/wrong"
head -c 32 /dev/zero >"$tmp/long"

say "clones, and files that have lost their IV"
image=$tmp/odd.img
legacy_image "$image" 4096 clones lost
key=(--volume-key-file "$image.key")
refused 9 'note: shared with e2 .id 2[0-9]*.: tree blocks: 0, extents: 1$' "$image" e1 "${key[@]}" --recursive
refused 9 'shared=copy goes with --encrypt; what is in the format of 2016' "$image" e1 "${key[@]}" --shared=copy --recursive
refused 9 'files cannot be decrypted in place, see above$' "$image" e1 "${key[@]}" "${all[@]}"
for pair in "clones/whole clones/source" "clones/short clones/short-source"; do
	grep -qE "(${pair% *} and e1(-snap)?/${pair#* }|${pair#* } and e1(-snap)?/${pair% *}) use the same data .at [0-9]+., but would not decrypt them alike\$" "$tmp/err" ||
		{ cat "$tmp/err"; fail "$pair is not named"; }
done
expect_text "$tmp/err" 'note: e1/lost/missing: inode [0-9]*: it has no xattr btrfs.cryptoiv, so its data cannot be decrypted$'
expect_text "$tmp/err" 'note: e1/lost/short: inode [0-9]*: its xattr btrfs.cryptoiv has 15 bytes, not 16, '
expect_text "$tmp/err" 'note: e1-snap/lost/missing-inline: '
[ "$(sed -nE 's/.*convert: ([0-9]+) files cannot.*/\1/p' "$tmp/err")" = "$(grep -c ' note: e[12].*\(lost\|clones\|another\)' "$tmp/err")" ] || fail "another number of files than are named"

say "a clone whose source is gone: its last page speaks against its IV"
image=$tmp/gone.img
legacy_image "$image" 4096 gone
key=(--volume-key-file "$image.key")
refused 9 '^btrfs-crypt convert: 1 file cannot be decrypted in place, see above$' "$image" e1 "${key[@]}" "${all[@]}"
expect_text "$tmp/err" 'note: e1.*/gone/whole: its last page does not end in zeros: its data were perhaps cloned from a file that is gone, '
expect_text "$tmp/err" 'hint: nothing was changed; .* --force-key decrypts all the same, '
refused 2 'Key was rejected by service$' "$image" e1 "${all[@]}" --volume-key-file "$tmp/wrong" --force-key
"$BTRFS_CRYPT" cat "$image" e1 gone/whole "${key[@]}" >"$tmp/doubtful" 2>"$tmp/err" || expect_text "$tmp/err" 'gone/whole: 10000 bytes of it may be wrong'
expect_status 0 crypt convert --decrypt "$image" e1 "${key[@]}" "${all[@]}" --force-key
expect_text "$tmp/err" 'note: e1.*/gone/whole: its last page does not end in zeros'
expect_status 0 crypt cat "$image" e1 gone/whole
cmp "$tmp/out" "$tmp/doubtful" || fail "forced, it is not what its own IV makes of it"

say "keys"
image=$tmp/odd.img
refused 2 'Key was rejected by service$' "$image" e1 "${all[@]}" --volume-key-file "$tmp/wrong"
refused 2 'Key was rejected by service$' "$image" e1 "${all[@]}" --volume-key-file "$tmp/wrong" --force-key
refused 2 'the key of the format of 2016 has 16 bytes, not 32|volume key' "$image" e1 "${all[@]}" --volume-key-file "$tmp/long"
refused 2 'Required key not available$|no key was given$' "$image" e1 "${all[@]}"
image=$tmp/no-hash.img
legacy_image "$image" 16384 --key 49870cfd7958b677ae16902476572dd9 --key-hash 0
printf 'secret' >"$tmp/passphrase"
refused 2 'Key was rejected by service$' "$image" e2 --volume-key-file "$tmp/wrong" --force-key
expect_status 0 crypt convert --decrypt "$image" e2 --passphrase-file "$tmp/passphrase" --kdf scrypt-2017 --dry-run
# Nothing but whole pages, and no hash: nothing can tell.
image=$tmp/unknown.img
image_make "$image" 128M
image_mount "$image" "$tmp/mnt"
btrfs -q subvolume create "$tmp/mnt/e"
for ((n = 0; n < 4096; n++)); do printf 'page %011d' $n; done >"$tmp/plain"
cp "$tmp/plain" "$tmp/mnt/e/whole"
(cd "$tmp/mnt" && "$tmp/legacy" mark "ctr(aes)@$LEGACY_TAG" e e/whole)
legacy_manifest "$tmp/mnt" "$image"
image_umount
legacy_write "$image" --key-hash 0
sed -i '/^--plain$/,+1d' "$image.options"
refused 9 'the key cannot be verified: no hash is recorded, and no file has a padded last page$' "$image" e --volume-key-file "$image.key"
expect_text "$tmp/err" 'hint: --force-key decrypts with it all the same; if it is wrong, all data are lost$'
expect_status 0 crypt convert --decrypt "$image" e --volume-key-file "$image.key" --force-key
expect_status 0 crypt cat "$image" e whole
cmp "$tmp/out" "$tmp/plain" || fail "forced, it reads wrong"

say "damaged data"
image=$tmp/damaged.img
legacy_image "$image" 4096
read -r physical < <("$BTRFS_CRYPT" resolve "$image" e2 sizes/4097 | sed -nE 's/.*copy 0 .*physical ([0-9]+).*/\1/p;q')
printf 'rotten' | dd of="$image" bs=1 seek="$physical" conv=notrunc status=none
refused 6 'e2/sizes/4097: inode [0-9]* bytes 0 to 4095: data at [0-9]*: crc32c is ' "$image" e2 --volume-key-file "$image.key"
expect_text "$tmp/err" 'hint: nothing was changed; `btrfs-crypt export` saves everything that can be read$'

say "other layouts, and what is not encrypted"
refused 9 'next is not sealed$' "$image" next --volume-key-file "$image.key"
for layout in early 2017; do
	legacy_image "$tmp/$layout.img" 16384 layout=$layout
	refused 9 'is encrypted in the layout of (early 2016|2017), which is not supported$' "$tmp/$layout.img" e1 --volume-key-file "$tmp/$layout.img.key"
done
refused 1 '--expect-seal does not go with --decrypt of the format of 2016$' "$image" e2 --expect-seal 00000000000000000000000000000000
