#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is written into a sealed subvolume later, after its read-only flag was cleared, is plain text. It is reported, and the rest is decrypted only
# if the user asks for that by name.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt

new_keys
KEY=(--volume-key-file "$tmp/vk")
image_make "$tmp/disk.img" 400M
tool fill
image_mount "$tmp/disk.img" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/target"
"$tmp/fill" "$tmp/mnt/target" $SEED sizes:600000 inline compressed reflinks
image_umount
image_state "$tmp/disk.img" before
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$tmp/disk.img" target
fingerprint=$(grep -ohE '\b[0-9a-f]{32}\b' "$tmp/out" "$tmp/err" | head -1)
[ -n "$fingerprint" ] || { cat "$tmp/out" "$tmp/err"; fail "no seal fingerprint was printed"; }
expect_unchanged 0 "$tmp/disk.img" crypt verify "${KEY[@]}" --expect-seal "$fingerprint" "$tmp/disk.img" target
expect_unchanged 6 "$tmp/disk.img" crypt verify "${KEY[@]}" --expect-seal 00112233445566778899aabbccddeeff "$tmp/disk.img" target

say "a property flipped twice and reading names change nothing that counts"
image_mount "$tmp/disk.img" "$tmp/mnt" rw,strictatime
btrfs property set -ts "$tmp/mnt/target" ro false
ls -lR "$tmp/mnt/target" >/dev/null
readlink "$tmp/mnt/target/symlinks/60" >/dev/null || true
image_umount
expect_unchanged 0 "$tmp/disk.img" crypt verify "${KEY[@]}" "$tmp/disk.img" target

say "a new file, plain"
image_mount "$tmp/disk.img" "$tmp/mnt" rw
echo "written later" >"$tmp/mnt/target/later-inline"
head -c 100000 /dev/urandom >"$tmp/mnt/target/later"
later=$(sha256sum <"$tmp/mnt/target/later")
btrfs -q subvolume snapshot "$tmp/mnt/target" "$tmp/mnt/snapshot"
image_umount
check_clean "$tmp/disk.img"
expect_unchanged 6 "$tmp/disk.img" crypt verify "${KEY[@]}" "$tmp/disk.img" target
cat "$tmp/out" "$tmp/err" >"$tmp/said"
expect_text "$tmp/said" 'later'
expect_text "$tmp/err" 'hint: files were .*; --accept-changes --accept-unsealed notes that'
expect_unchanged 6 "$tmp/disk.img" crypt verify --accept-changes "${KEY[@]}" "$tmp/disk.img" target
expect_text "$tmp/err" 'hint: data were written since; --accept-unsealed notes that'
expect_unchanged 6 "$tmp/disk.img" crypt verify --accept-unsealed "${KEY[@]}" "$tmp/disk.img" target
expect_text "$tmp/err" 'hint: files were .*; --accept-changes notes that'
expect_unchanged 6 "$tmp/disk.img" crypt convert --decrypt -q "${KEY[@]}" "$tmp/disk.img" target
expect_unchanged 6 "$tmp/disk.img" crypt convert --decrypt -q --accept-changes "${KEY[@]}" "$tmp/disk.img" target
expect_unchanged 6 "$tmp/disk.img" crypt convert --decrypt -q --accept-unsealed "${KEY[@]}" "$tmp/disk.img" target
expect_status 0 crypt convert --decrypt -q --accept-changes --accept-unsealed "${KEY[@]}" "$tmp/disk.img" target
check_clean "$tmp/disk.img"
image_mount "$tmp/disk.img" "$tmp/mnt" ro
for one in target snapshot; do
	[ "$(sha256sum <"$tmp/mnt/$one/later")" = "$later" ] || fail "$one/later was changed"
	[ "$(cat "$tmp/mnt/$one/later-inline")" = "written later" ] || fail "$one/later-inline was changed"
	manifest "$tmp/mnt/$one" | grep -vE '^(\.|later|later-inline) ' >"$tmp/after"
	grep -E '^target/' "$tmp/before.manifest" | sed 's/^target.//' | diff - "$tmp/after" >"$tmp/state.diff" ||
		{ cut -c 1-300 "$tmp/state.diff" | head; fail "$one is not as before"; }
done
image_umount
