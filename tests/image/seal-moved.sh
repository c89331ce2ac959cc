#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Extents that a stock kernel moved are found again: after a full balance, and after the sealed subvolume was
# deleted and only a snapshot of it is left.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt

new_keys
KEY=(--volume-key-file "$tmp/vk")
SET=(target)
image_make "$tmp/disk.img" 700M
make_content "$tmp/disk.img" 2100000
# target is to be alone: no snapshot of it, nothing nested
image_mount "$tmp/disk.img" "$tmp/mnt" rw,noatime,commit=1
btrfs -q subvolume delete "$tmp/mnt/target-snap" "$tmp/mnt/target/nested"
deleted_are_gone "$tmp/mnt"
image_umount
SAMPLE=$(tr ' \t' '\n\n' <<<"$SAMPLE" | grep -v lzo)
note_sums "$tmp/disk.img" target
set_state "$tmp/disk.img" before
member_ids before
places() { layout ranges "$1" data-member "${MEMBERS[@]}"; }
crypt convert --encrypt -q "${KEY[@]}" "$tmp/disk.img" target >"$tmp/sealing"
places "$tmp/disk.img" >"$tmp/places"
cp --sparse=always "$tmp/disk.img" "$tmp/sealed.img"
say "sealed"

image_mount "$tmp/disk.img" "$tmp/mnt" rw,commit=1
btrfs balance start --full-balance "$tmp/mnt" >"$tmp/out"
image_umount
places "$tmp/disk.img" >"$tmp/places.new"
[ -z "$(comm -12 <(sort "$tmp/places") <(sort "$tmp/places.new"))" ] || fail "the balance left extents where they were"
check_clean "$tmp/disk.img"
expect_unchanged 0 "$tmp/disk.img" crypt verify "${KEY[@]}" "$tmp/disk.img" target
expect_cat "$tmp/disk.img" target "${KEY[@]}"
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$tmp/disk.img" target
check_clean "$tmp/disk.img"
set_state "$tmp/disk.img" after
expect_same_state before after
say "moved and decrypted"

# The same image again; of it only a snapshot is left.
mv "$tmp/sealed.img" "$tmp/disk.img"
image_mount "$tmp/disk.img" "$tmp/mnt" rw,commit=1
btrfs -q subvolume snapshot "$tmp/mnt/target" "$tmp/mnt/left"
btrfs property set -ts "$tmp/mnt/target" ro false
btrfs -q subvolume delete "$tmp/mnt/target"
deleted_are_gone "$tmp/mnt"
btrfs balance start --full-balance "$tmp/mnt" >"$tmp/out"
expect_status 0 python3 "$IMAGE_TESTS/closed.py" "$tmp/mnt/left"
image_umount
check_clean "$tmp/disk.img"
expect_listed "$tmp/disk.img" aes-256-gcm 1
expect_unchanged 0 "$tmp/disk.img" crypt verify "${KEY[@]}" "$tmp/disk.img" left
expect_cat "$tmp/disk.img" left "${KEY[@]}"
expect_unchanged 2 "$tmp/disk.img" crypt verify-key --volume-key-file "$tmp/wrong-vk" "$tmp/disk.img" left
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$tmp/disk.img" left
check_clean "$tmp/disk.img"
image_mount "$tmp/disk.img" "$tmp/mnt" ro
manifest "$tmp/mnt/left" >"$tmp/left"
image_umount
sed -n '/^== target$/,/^== other/p' "$tmp/before.manifest" | grep -v '^== ' >"$tmp/target"
diff "$tmp/target" "$tmp/left" >"$tmp/state.diff" || { cut -c 1-300 "$tmp/state.diff" | head; fail "the snapshot differs from what was sealed"; }
say "only a snapshot left: decrypted"
