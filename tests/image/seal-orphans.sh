#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Snapshots of snapshots of sealed subvolumes, where the one between was deleted: no chain of uuids leads to a member, and
# what they hold decides.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt

new_keys
KEY=(--volume-key-file "$tmp/vk")
image=$tmp/disk.img
image_make "$image" 400M
tool fill
image_mount "$image" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/target"
btrfs -q subvolume create "$tmp/mnt/small"
"$tmp/fill" "$tmp/mnt/target" $SEED sizes:600000 extents:300
"$tmp/fill" "$tmp/mnt/small" $SEED inline symlinks
image_umount
image_state "$image" before
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$image" target small

say "20 snapshots without a chain"
image_mount "$image" "$tmp/mnt" rw
for one in target small; do
	btrfs -q subvolume snapshot "$tmp/mnt/$one" "$tmp/mnt/between"
	for i in {1..10}; do btrfs -q subvolume snapshot -r "$tmp/mnt/between" "$tmp/mnt/$one-$i"; done
	btrfs -q subvolume delete "$tmp/mnt/between"
done
btrfs -q subvolume sync "$tmp/mnt"
btrfs -q balance start --full-balance "$tmp/mnt"
image_umount
check_clean "$image"
expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" target-7
expect_unchanged 0 "$image" crypt cat "${KEY[@]}" "$image" target-10 sizes/65537
expect_unchanged 0 "$image" crypt cat "${KEY[@]}" "$image" small-1 inline/19

say "decrypted by way of one of them"
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" small-3
check_clean "$image"
image_mount "$image" "$tmp/mnt" ro
for one in target small; do
	grep -E "^$one/" "$tmp/before.manifest" | sed "s/^$one.//" >"$tmp/want"
	[ -s "$tmp/want" ] || fail "nothing was in $one"
	for two in "$one" "$one"-{1..10}; do
		manifest "$tmp/mnt/$two" | grep -v '^\. ' | diff "$tmp/want" - >"$tmp/state.diff" ||
			{ cut -c 1-300 "$tmp/state.diff" | head; fail "$two is not as before"; }
	done
done
image_umount
