#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What sealing refuses, with which exit status, and that a refusal does not change the image.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt

new_keys
KEY=(--volume-key-file "$tmp/vk")
image=$tmp/disk.img
tool fill
image_make "$image" 300M
image_mount "$image" "$tmp/mnt" rw
for one in target other shared; do
	btrfs -q subvolume create "$tmp/mnt/$one"
	"$tmp/fill" "$tmp/mnt/$one" $SEED sizes:100000 inline
done
sync -f "$tmp/mnt"
btrfs -q subvolume snapshot -r "$tmp/mnt/shared" "$tmp/mnt/snapshot-of-it"
btrfs -q subvolume create "$tmp/mnt/cloned"
cp --reflink=always "$tmp/mnt/other/sizes/65537" "$tmp/mnt/cloned/clone"

say "mounted: 5, by file and by device, and nothing is changed; a plan comes with a warning"
manifest "$tmp/mnt" >"$tmp/mounted"
expect_status 5 crypt convert --encrypt -q "${KEY[@]}" "$image" target
expect_status 5 crypt convert --encrypt -q "${KEY[@]}" "${mounts[-1]##* }" target
for busy in "$image" "${mounts[-1]##* }"; do
	expect_status 0 crypt convert --encrypt --dry-run -q "$busy" target
	expect_text "$tmp/out" '^would be sealed: 1 subvolume'
	expect_text "$tmp/err" 'warning: .*(loop|mounted).*: while it is, the conversion itself is refused$'
done
manifest "$tmp/mnt" | diff - "$tmp/mounted" || fail "a mounted image was changed"
image_umount
say "attached but not mounted is fine to look at; locked by another is 5"
exec {locked}<"$image"
flock "$locked"
expect_unchanged 5 "$image" crypt convert --encrypt -q "${KEY[@]}" "$image" target {locked}<&-
exec {locked}<&-
check_clean "$image"

say "usage: 1"
encrypt() { expect_unchanged "$1" "$image" crypt convert --encrypt -q "${@:2}"; }
encrypt 1 "${KEY[@]}" "$image"
encrypt 1 --key-file "$tmp/vk" --passphrase-file "$tmp/passphrase" "$image" target
encrypt 1 --cipher rot13 "${KEY[@]}" "$image" target
encrypt 1 --no-such-option "${KEY[@]}" "$image" target
expect_unchanged 1 "$image" crypt convert -q "${KEY[@]}" "$image" target
expect_unchanged 1 "$image" crypt convert --encrypt --decrypt -q "${KEY[@]}" "$image" target
expect_unchanged 1 "$image" crypt no-such-command "$image"

say "no key and nobody to ask: 1 or 2"
status=0
crypt convert --encrypt -q "$image" target </dev/null >"$tmp/out" 2>"$tmp/err" || status=$?
[ "$status" = 1 ] || [ "$status" = 2 ] || fail "exit status $status without a key"

say "not found: 4"
encrypt 4 "${KEY[@]}" "$image" no-such-subvolume
encrypt 4 "${KEY[@]}" "$image" id:999
encrypt 4 "${KEY[@]}" "$image" target/sizes
expect_status 4 crypt convert --encrypt -q "${KEY[@]}" "$tmp/no-such-image" target
truncate -s 100M "$tmp/zeros"
expect_unchanged 4 "$tmp/zeros" crypt convert --encrypt -q "${KEY[@]}" "$tmp/zeros" target
rm "$tmp/zeros"

say "not sealed: 9"
for command in verify-key verify "convert --decrypt -q"; do
	# shellcheck disable=SC2086
	expect_unchanged 9 "$image" crypt $command "${KEY[@]}" "$image" other
done
expect_unchanged 9 "$image" crypt convert --resume -q "${KEY[@]}" "$image"
expect_unchanged 9 "$image" crypt convert --abort -q "${KEY[@]}" "$image"

say "shared with others: 9, and who they are"
encrypt 9 "${KEY[@]}" "$image" shared
cat "$tmp/out" "$tmp/err" >"$tmp/said"
expect_text "$tmp/said" 'snapshot-of-it'
encrypt 9 "${KEY[@]}" "$image" cloned
cat "$tmp/out" "$tmp/err" >"$tmp/said"
expect_text "$tmp/said" '\bother\b'
if grep -q snapshot-of-it "$tmp/said"; then fail "names a subvolume that shares nothing"; fi

say "superblocks that say no: 9"
refused_super() {	# FIELD WHAT BITS
	cp --sparse=always "$image" "$tmp/edited.img"
	"$IMAGE_TESTS/super-edit.py" "$tmp/edited.img" "$@"
	expect_unchanged 9 "$tmp/edited.img" crypt convert --encrypt -q "${KEY[@]}" "$tmp/edited.img" target
}
refused_super incompat set $((1 << 40))
refused_super incompat set $((1 << 15))		# another encryption's bit
refused_super incompat set $((1 << 12))		# zoned
refused_super compat_ro set $((1 << 40))
refused_super compat_ro clear $((1 << 1))	# free space tree, not valid
refused_super flags set $((1 << 2))		# error
refused_super flags set $((1 << 32))		# seeding
refused_super flags set $((1 << 33))		# metadump
refused_super flags set $((1 << 34))
refused_super flags set $((1 << 35))		# changing fsid
refused_super flags set $((1 << 36))
cp --sparse=always "$image" "$tmp/edited.img"
"$IMAGE_TESTS/super-edit.py" "$tmp/edited.img" compat set $((1 << 40))
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$tmp/edited.img" target
check_clean "$tmp/edited.img"

say "a log tree: 9"
image_mount "$image" "$tmp/mnt" rw,commit=300
echo new >"$tmp/mnt/other/synced"
sync "$tmp/mnt/other/synced"
cp --sparse=always "$image" "$tmp/edited.img"
image_umount
btrfs inspect-internal dump-super "$tmp/edited.img" | grep -E '^log_root\s+[1-9]' >/dev/null || fail "the image has no log tree"
expect_unchanged 9 "$tmp/edited.img" crypt convert --encrypt -q "${KEY[@]}" "$tmp/edited.img" target

say "a deleted subvolume that is not cleaned: 9"
image_mount "$image" "$tmp/mnt" rw,commit=300
btrfs -q subvolume create "$tmp/mnt/doomed"
"$tmp/fill" "$tmp/mnt/doomed" 7 many:3000
sync -f "$tmp/mnt"
btrfs -q subvolume delete -c "$tmp/mnt/doomed"
cp --sparse=always "$image" "$tmp/edited.img"
deleted_are_gone "$tmp/mnt"
image_umount
btrfs inspect-internal dump-tree -t root "$tmp/edited.img" >"$tmp/roots"
if grep -q ORPHAN "$tmp/roots"; then
	expect_unchanged 9 "$tmp/edited.img" crypt convert --encrypt -q "${KEY[@]}" "$tmp/edited.img" target
	expect_text "$tmp/err" 'subvolume sync'
else
	fail "the deleted subvolume was cleaned too soon"
fi
rm "$tmp/edited.img"

say "--shared=include takes the sharers in"
image_state "$image" before
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" --shared=include "$image" shared
expect_listed "$image" aes-256-gcm 2
check_clean "$image"
expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" snapshot-of-it

say "sealed already: 9; wrong key: 2; another subvolume in a domain of its own"
encrypt 9 "${KEY[@]}" "$image" shared
encrypt 9 "${KEY[@]}" "$image" target shared
expect_unchanged 2 "$image" crypt convert --decrypt -q --volume-key-file "$tmp/wrong-vk" "$image" shared
expect_unchanged 2 "$image" crypt verify --volume-key-file "$tmp/wrong-vk" "$image" shared
expect_unchanged 2 "$image" crypt cat --volume-key-file "$tmp/wrong-vk" "$image" shared sizes/1
expect_status 0 crypt convert --encrypt -q --volume-key-file "$tmp/wrong-vk" "$image" target
expect_unchanged 2 "$image" crypt convert --decrypt -q "${KEY[@]}" "$image" target
expect_listed "$image" aes-256-gcm 3
check_clean "$image"
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" snapshot-of-it
expect_unchanged 0 "$image" crypt verify --volume-key-file "$tmp/wrong-vk" "$image" target
expect_status 0 crypt convert --decrypt -q --volume-key-file "$tmp/wrong-vk" "$image" target
check_clean "$image"
image_state "$image" after
expect_same_state before after

say "no space: 10"
image_make "$image" 110M --mixed
image_mount "$image" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/target"
"$tmp/fill" "$tmp/mnt/target" $SEED sizes:100000 inline
btrfs -q subvolume create "$tmp/mnt/ballast"
sync -f "$tmp/mnt"
for size in 1M 64K 4K; do
	n=0
	while { head -c "$size" /dev/urandom >"$tmp/mnt/ballast/$size-$n"; } 2>/dev/null; do n=$((n + 1)); done
	sync -f "$tmp/mnt" || true
done
image_umount
check_clean "$image"
expect_unchanged 10 "$image" crypt convert --encrypt -q "${KEY[@]}" "$image" target
expect_text "$tmp/err" '[0-9]+'

say "too small a device: 9"
image_make "$image" 60M --mixed
image_mount "$image" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/target"
image_umount
expect_unchanged 9 "$image" crypt convert --encrypt -q "${KEY[@]}" "$image" target
