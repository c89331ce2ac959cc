#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is sealed gets a new volume key, in place: after a kernel has made snapshots and moved everything, killed on the way, undone, and gone on
# with. Then everything is as before, and only the old key has gone.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt

CHEAP=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
printf 'first\n' >"$tmp/first"
printf 'second\n' >"$tmp/second"
head -c 40 /dev/urandom >"$tmp/third"
FIRST=(--passphrase-file "$tmp/first")
image=$tmp/disk.img

image_make "$image" 700M
make_content "$image" 2100000
SAMPLE=$(tr ' \t' '\n\n' <<<"$SAMPLE" | grep -v lzo)
note_sums "$image" target
set_state "$image" before
note_flags "$image"
crypt convert --encrypt -q --recursive --shared=include "${CHEAP[@]}" "${FIRST[@]}" "$image" "${SET[@]}" >"$tmp/sealing"
crypt key add -q "${FIRST[@]}" --new-passphrase-file "$tmp/second" --label 'of a colleague' "${CHEAP[@]}" "$image" target >/dev/null
crypt key add -q "${FIRST[@]}" --new-key-file "$tmp/third" --new-key-slot 7 "${CHEAP[@]}" "$image" target >/dev/null
crypt key export-volume-key -q "${FIRST[@]}" "$image" target "$tmp/old-vk"
cp --sparse=always "$image" "$tmp/sealed.img"

say "refusals"
expect_unchanged 2 "$image" crypt convert --rekey -q --passphrase-file /dev/null "$image" target
printf 'wrong\n' >"$tmp/wrong"
expect_unchanged 2 "$image" crypt convert --rekey -q "${FIRST[@]}" --passphrase-file "$tmp/wrong" "$image" target
expect_text "$tmp/err" 'key 2 of 2: wrong key or passphrase'
expect_unchanged 2 "$image" crypt convert --rekey -q --key-file "$tmp/first" "$image" target
expect_text "$tmp/err" 'hint: .*newline'
expect_unchanged 2 "$image" crypt convert --rekey -q "$image" target
expect_unchanged 9 "$image" crypt convert --rekey -q "${FIRST[@]}" --key-file "$tmp/third" "$image" target
expect_text "$tmp/err" 'key slot 1 \(passphrase, `of a colleague`\): no given key opens it$'
expect_text "$tmp/err" '1 key slot would be lost, because no given key opens it; nothing was changed'
expect_text "$tmp/err" 'hint: .*--drop-slots'
expect_unchanged 9 "$image" crypt convert --rekey -q --drop-slots --volume-key-file "$tmp/old-vk" "$image" target
head -c 32 /dev/urandom >"$tmp/wrong-vk"
expect_unchanged 2 "$image" crypt convert --rekey -q --drop-slots --volume-key-file "$tmp/wrong-vk" "${FIRST[@]}" "$image" target
expect_text "$tmp/err" 'key [12] of 2: wrong key or passphrase'
expect_unchanged 0 "$image" crypt convert --rekey -q --dry-run --drop-slots "${FIRST[@]}" "${FIRST[@]}" "$image" target
expect_unchanged 9 "$image" crypt convert --rekey -q "${FIRST[@]}" "$image" other
expect_unchanged 0 "$image" crypt convert --rekey -q --dry-run --drop-slots "${FIRST[@]}" "$image" target
expect_text "$tmp/out" '^would be rekeyed: 4 subvolumes'

say "with the slots that were kept"
expect_status 0 crypt convert --rekey -q "${CHEAP[@]}" --cipher chacha20-poly1305 --key-file "$tmp/third" --passphrase-file "$tmp/second" \
	--drop-slots "$image" target
expect_text "$tmp/err" 'key slot 0 \(passphrase\): no given key opens it; it is dropped'
expect_text "$tmp/out" '^rekeyed: 4 subvolumes'
expect_text "$tmp/out" '^Encryption: chacha-poly1305@btrfs:'
check_clean "$image"
expect_listed "$image" chacha-poly1305 4
crypt key list "$image" target >"$tmp/slots"
expect_text "$tmp/slots" 'of a colleague'
expect_unchanged 2 "$image" crypt verify-key "${FIRST[@]}" "$image" target
expect_unchanged 2 "$image" crypt verify-key --volume-key-file "$tmp/old-vk" "$image" target
expect_unchanged 0 "$image" crypt verify-key -S 7 --key-file "$tmp/third" "$image" target
expect_unchanged 0 "$image" crypt verify --passphrase-file "$tmp/second" "$image" target
expect_cat "$image" target --passphrase-file "$tmp/second"
expect_status 0 crypt convert --decrypt -q --key-file "$tmp/third" "$image" target-snap
check_clean "$image"
set_state "$image" after
expect_same_state before after
expect_no_trace "$image"

say "after snapshots, a balance and changes of a kernel; killed on the way"
mv "$tmp/sealed.img" "$image"
image_mount "$image" "$tmp/mnt" rw,commit=1
btrfs -q subvolume snapshot "$tmp/mnt/target" "$tmp/mnt/snapshot"
btrfs property set -ts "$tmp/mnt/snapshot" ro false
btrfs -q subvolume snapshot -r "$tmp/mnt/target" "$tmp/mnt/read-only"
echo 'written later' >"$tmp/mnt/snapshot/later-inline"
head -c 100000 /dev/urandom >"$tmp/mnt/snapshot/later"
later=$(sha256sum <"$tmp/mnt/snapshot/later")
sync -f "$tmp/mnt"
btrfs balance start --full-balance "$tmp/mnt" >/dev/null
image_umount
crypt list "$image" >"$tmp/list.before"
ALL=("${FIRST[@]}" --passphrase-file "$tmp/second" --key-file "$tmp/third")
expect_unchanged 6 "$image" crypt convert --rekey -q "${CHEAP[@]}" "${ALL[@]}" "$image" target
expect_unchanged 6 "$image" crypt convert --rekey -q "${CHEAP[@]}" --accept-changes "${ALL[@]}" "$image" target
ACCEPT=(--accept-changes --accept-unsealed)
kill_when() { expect_status 137 "${BUILD:-$PROJECT/build}/tests/image/signal-when" KILL "$@"; }
kill_when 'says:"progress":"leaves","done":"0|"progress":"data","done":"[1-9]' "$BTRFS_CRYPT" convert --progress=json --rekey -q "${CHEAP[@]}" \
	"${ACCEPT[@]}" "${ALL[@]}" "$image" target
expect_unchanged 7 "$image" crypt convert --status "$image"
expect_text "$tmp/out" '^operation:  rekey$'
expect_text "$tmp/out" '^direction:  to the new key$'
expect_no_mount "$image"
expect_unchanged 0 "$image" crypt list "$image"
expect_unchanged 0 "$image" crypt show "$image" target
expect_unchanged 0 "$image" crypt ls "$image" target
expect_unchanged 0 "$image" crypt dump-tree --crypt "$image"
expect_text "$tmp/out" 'crypt item .*kind bridge'
expect_unchanged 7 "$image" crypt cat "${FIRST[@]}" "$image" target sizes/1
expect_unchanged 7 "$image" crypt cat "$image" target sizes/1
expect_unchanged 0 "$image" crypt cat "$image" other sizes/1
expect_unchanged 7 "$image" crypt verify "${FIRST[@]}" "$image" target
expect_unchanged 0 "$image" crypt verify-key "${FIRST[@]}" "$image" target
expect_unchanged 2 "$image" crypt verify-key --volume-key-file "$tmp/old-vk" "$image" target
expect_unchanged 0 "$image" crypt key list "$image" target
expect_unchanged 2 "$image" crypt convert --abort --volume-key-file "$tmp/old-vk" "$image"
expect_unchanged 9 "$image" crypt convert --decrypt --resume "${FIRST[@]}" "$image"
cp --sparse=always "$image" "$tmp/unfinished.img"
expect_status 0 crypt convert --abort --passphrase-file "$tmp/second" "$image"
expect_text "$tmp/out" '^rekeying undone: 6 subvolumes'
check_clean "$image"
crypt list "$image" | diff "$tmp/list.before" -
expect_unchanged 0 "$image" crypt verify-key --volume-key-file "$tmp/old-vk" "$image" target
expect_unchanged 6 "$image" crypt verify "${ACCEPT[@]}" "${FIRST[@]}" "$image" target
expect_text "$tmp/err" '6 differences were accepted: everything else is authentic'
mv "$tmp/unfinished.img" "$image"
kill_when 'says:"progress":"index"|"progress":"finish"' "$BTRFS_CRYPT" convert --progress=json --resume -q --key-file "$tmp/third" "$image"
expect_status 0 crypt convert --resume "${FIRST[@]}" "$image"
check_clean "$image"
expect_cat "$image" target "${FIRST[@]}"
expect_cat "$image" snapshot "${FIRST[@]}"
expect_unchanged 6 "$image" crypt verify "${FIRST[@]}" "$image" target
cat "$tmp/out" "$tmp/err" >"$tmp/said"
expect_text "$tmp/said" 'later'
expect_unchanged 6 "$image" crypt verify --accept-unsealed --passphrase-file "$tmp/second" "$image" target
expect_text "$tmp/err" 'everything else is authentic'
expect_status 0 crypt convert --decrypt -q --accept-unsealed "${FIRST[@]}" "$image" target
check_clean "$image"
expect_no_trace "$image"
set_state "$image" after
diff "$tmp/before.manifest" "$tmp/after.manifest" || fail "the files are not as before"
image_mount "$image" "$tmp/mnt" ro
[ "$(sha256sum <"$tmp/mnt/snapshot/later")" = "$later" ] || fail "later was changed"
[ "$(cat "$tmp/mnt/snapshot/later-inline")" = "written later" ] || fail "later-inline was changed"
[ "$(btrfs property get -ts "$tmp/mnt/snapshot" ro) $(btrfs property get -ts "$tmp/mnt/read-only" ro)" = "ro=false ro=true" ] ||
	fail "the snapshots are not as a kernel made them"
image_umount
