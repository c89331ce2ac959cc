#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Snapshots of snapshots of sealed subvolumes after the one in between was deleted: no chain of uuids leads to a member, and their contents decide.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
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
# Nothing in it that a tag could tell of
btrfs -q subvolume create "$tmp/mnt/hollow"
mkdir "$tmp/mnt/hollow/directory"
touch "$tmp/mnt/hollow/directory/empty"
"$tmp/fill" "$tmp/mnt/target" $SEED sizes:600000 extents:300
"$tmp/fill" "$tmp/mnt/small" $SEED inline symlinks
image_umount
image_state "$image" before
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$image" target small hollow

say "30 snapshots without a chain"
image_mount "$image" "$tmp/mnt" rw
for one in target small hollow; do
	btrfs -q subvolume snapshot "$tmp/mnt/$one" "$tmp/mnt/between"
	# some of them are not read-only, and stay so
	btrfs -q subvolume snapshot "$tmp/mnt/between" "$tmp/mnt/$one-w"
	btrfs property set -ts "$tmp/mnt/$one-w" ro false
	for i in {1..10}; do btrfs -q subvolume snapshot -r "$tmp/mnt/between" "$tmp/mnt/$one-$i"; done
	btrfs -q subvolume delete "$tmp/mnt/between"
done
deleted_are_gone "$tmp/mnt"
btrfs -q balance start --full-balance "$tmp/mnt"
image_umount
check_clean "$image"
expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" target-7
expect_unchanged 0 "$image" crypt cat "${KEY[@]}" "$image" target-10 sizes/65537
expect_unchanged 0 "$image" crypt cat "${KEY[@]}" "$image" small-1 inline/19

expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" hollow-2
[ "$(crypt list "$image" | grep -c 'aes-256-gcm@btrfs')" = 36 ] || fail "not 36 subvolumes with a tag"

say "decrypting interrupted, and gone on with"
tool attack
cp --sparse=always "$image" "$tmp/sealed.img"
for flush in 6 7 8 9 10 12; do
	cp --sparse=always "$tmp/sealed.img" "$tmp/cut.img"
	expect_status 0 "$tmp/attack" "$tmp/cut.img" convert decrypt "flush:$flush" "$tmp/vk" target
	expect_status 7 crypt convert --status "$tmp/cut.img"
	expect_status 0 crypt convert --decrypt --resume -q "${KEY[@]}" "$tmp/cut.img"
	if crypt list "$tmp/cut.img" | grep Encryption; then fail "a tag is left"; fi
	check_clean "$tmp/cut.img"
done
rm "$tmp/cut.img"

say "decrypted by way of one of them"
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" small-3
check_clean "$image"
# Not one byte of a tag, and no crypt item
if crypt list "$image" | grep Encryption; then fail "a tag is left"; fi
btrfs inspect-internal dump-tree -t root "$image" >"$tmp/roots"
if grep -E 'PERSISTENT_ITEM' "$tmp/roots"; then fail "a crypt item is left"; fi
image_mount "$image" "$tmp/mnt" ro
for one in target small hollow; do
	for i in {1..10}; do btrfs property get -ts "$tmp/mnt/$one-$i" ro; done | sort | uniq -c | grep -qE '^ +10 ro=true$' || fail "$one-N are not read-only any more"
	btrfs property get -ts "$tmp/mnt/$one-w" ro | grep -q 'ro=false' || fail "$one-w is read-only now"
	btrfs property get -ts "$tmp/mnt/$one" ro | grep -q 'ro=false' || fail "$one is read-only now"
done
image_umount
image_mount "$image" "$tmp/mnt" ro
for one in target small hollow; do
	grep -E "^$one/" "$tmp/before.manifest" | sed "s/^$one.//" >"$tmp/want"
	[ -s "$tmp/want" ] || fail "nothing was in $one"
	for two in "$one" "$one-w" "$one"-{1..10}; do
		manifest "$tmp/mnt/$two" | grep -v '^\. ' | diff "$tmp/want" - >"$tmp/state.diff" ||
			{ cut -c 1-300 "$tmp/state.diff" | head; fail "$two is not as before"; }
	done
done
image_umount
