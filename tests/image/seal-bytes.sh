#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sealing and decrypting without a mount in between: every byte of data and every item of the members is as before, and nothing else was ever touched.
# The same with the options of `convert` that only look.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt

new_keys
image_make "$tmp/disk.img" 700M
make_content "$tmp/disk.img" 5000000
KEY=(--volume-key-file "$tmp/vk" --key-file "$tmp/passphrase" --pbkdf-memory 65536 --pbkdf-force-iterations 3)
set_state "$tmp/disk.img" before
member_ids before
note_flags "$tmp/disk.img"
note_sums "$tmp/disk.img" target
layout garbage "$tmp/disk.img"
cp --sparse=always "$tmp/disk.img" "$tmp/plain.img"
items() {	# of the members, whatever the filesystem as a whole uses
	local id
	for id in "${MEMBERS[@]}"; do
		[ "$id" = --member ] || btrfs inspect-internal dump-tree -t "$id" "$1"
	done | grep -v '^bytes used '
}
items "$tmp/plain.img" >"$tmp/items.before"

say "what only looks changes nothing"
expect_unchanged 0 "$tmp/disk.img" crypt convert --encrypt --dry-run --recursive "$tmp/disk.img" "${SET[@]}"
expect_text "$tmp/out" 'target'
expect_unchanged 0 "$tmp/disk.img" crypt convert --status "$tmp/disk.img"
expect_unchanged 0 "$tmp/disk.img" crypt list "$tmp/disk.img"

expect_status 0 crypt convert --encrypt -q "${KEY[@]}" --recursive "$tmp/disk.img" "${SET[@]}"
layout diff "$tmp/plain.img" "$tmp/disk.img" "${MEMBERS[@]}" || fail "bytes changed that must not"
# sealing must reach all of it: each data block of the members differs, prealloc included
layout ranges "$tmp/plain.img" data-member "${MEMBERS[@]}" >"$tmp/ranges"
changed=$(layout diff "$tmp/plain.img" "$tmp/disk.img" "${MEMBERS[@]}" | awk '$1 == "data-member" { print $2 }')
[ "$changed" = "$(awk '{ n += $2 } END { print n / 4096 }' "$tmp/ranges")" ] || fail "only $changed blocks of the members' data changed"
find_no_plain "$tmp/disk.img" $SEED $((SEED + 1)) $((SEED + 2)) -- "$tmp/plain.img" "$tmp/ranges"
check_clean "$tmp/disk.img"
cp --sparse=always "$tmp/disk.img" "$tmp/sealed.img"

say "two secrets open it: the key file and the volume key"
expect_unchanged 0 "$tmp/disk.img" crypt verify-key --key-file "$tmp/passphrase" "$tmp/disk.img" target
expect_text "$tmp/out" '\(slot 0\)'
expect_unchanged 0 "$tmp/disk.img" crypt verify-key --volume-key-file "$tmp/vk" "$tmp/disk.img" target/nested
expect_text "$tmp/out" '\(volume key\)'
expect_unchanged 2 "$tmp/disk.img" crypt verify-key --key-file "$tmp/wrong-passphrase" "$tmp/disk.img" target
expect_text "$tmp/err" 'wrong key or passphrase'
# a passphrase file loses its newline, a key file does not
expect_unchanged 2 "$tmp/disk.img" crypt verify-key --passphrase-file "$tmp/passphrase" "$tmp/disk.img" target
expect_cat "$tmp/disk.img" target --volume-key-file "$tmp/vk"
expect_unchanged 9 "$tmp/disk.img" crypt cat --volume-key-file "$tmp/vk" "$tmp/disk.img" other sizes/1

say "decrypting restores every byte"
expect_unchanged 0 "$tmp/disk.img" crypt convert --decrypt --dry-run --key-file "$tmp/passphrase" "$tmp/disk.img" empty
expect_status 0 crypt convert --decrypt -q --key-file "$tmp/passphrase" "$tmp/disk.img" empty
check_clean "$tmp/disk.img"
layout diff "$tmp/plain.img" "$tmp/disk.img" "${MEMBERS[@]}" || fail "bytes changed that must not"
layout same "$tmp/plain.img" "$tmp/disk.img" data-member "${MEMBERS[@]}" || fail "data are not as before"
items "$tmp/disk.img" >"$tmp/items.after"
diff "$tmp/items.before" "$tmp/items.after" >"$tmp/state.diff" || head -20 "$tmp/state.diff"
[ -s "$tmp/state.diff" ] && fail "items are not as before"
expect_no_trace "$tmp/disk.img"
set_state "$tmp/disk.img" after
expect_same_state before after

say "sealed twice with one content and one volume key, no block is the same"
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" --recursive "$tmp/disk.img" "${SET[@]}"
changed=$(layout diff "$tmp/sealed.img" "$tmp/disk.img" "${MEMBERS[@]}" | awk '$1 == "data-member" { print $2 }')
[ "$changed" = "$(awk '{ n += $2 } END { print n / 4096 }' "$tmp/ranges")" ] || fail "only $changed blocks differ between two sealings"
