#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# convert --decrypt makes of the format of 2016 what the kernel had written: every file, mode, time and attribute, in each cipher, with 4K and 16K nodes, both
# free space caches, quotas, snapshots and nested subvolumes, and whatever is difficult about taking the attributes out.  A stock kernel mounts the result,
# btrfs check finds it clean, and what was not encrypted keeps every byte.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/legacy-lib.sh"
need_root
need_crypt
tool legacy

# is_home FILE: a kernel shows what it had written, without a trace of the format
is_home() {
	local file=$1
	check_clean "$file"
	image_mount "$file" "$tmp/mnt" ro
	legacy_manifest "$tmp/mnt" "$tmp/now"
	image_umount
	diff "$file.manifest" "$tmp/now.kernel" >"$tmp/state.diff" || { head -n 5 "$tmp/state.diff"; fail "decrypted, $file shows something else"; }
	expect_status 0 crypt dump-tree "$file"
	! grep -iE 'btrfs\.(encrypt|cryptoiv)|encrypt|other_encoding' "$tmp/out" || fail "something of the format is left in $file"
	expect_status 0 crypt list "$file"
	! grep Encryption "$tmp/out" || fail "a subvolume of $file is still called encrypted"
}

say "nodes of 4096, ctr(aes), quotas"
image=$tmp/4096.img
legacy_image "$image" 4096 shapes quota
"$tmp/legacy" shapes "$image" >"$tmp/shapes"
expect_text "$tmp/shapes" '^shapes first [1-9][0-9]* only [1-9] same-hash [1-9] under-two [1-9]'
key=(--volume-key-file "$image.key")
expect_unchanged 9 "$image" crypt convert --decrypt "$image" e1 "${key[@]}"
expect_text "$tmp/err" 'note: shared with e1-snap .id 2[0-9]*.: tree blocks: [1-9]'
expect_text "$tmp/err" 'shares blocks with the subvolumes to be decrypted, but was not named$'
expect_unchanged 0 "$image" crypt convert --decrypt "$image" e1 "${key[@]}" --shared=include --recursive --dry-run
expect_text "$tmp/out" '^would be decrypted: 3 subvolumes, [0-9]* extents, [0-9.]*MiB .*, [0-9]* inline items$'
expect_status 0 crypt convert --decrypt "$image" e1 "${key[@]}" --shared=include --recursive --format json
expect_text "$tmp/out" '"result":"decrypted"'
expect_status 0 crypt convert --decrypt "$image" e2 "${key[@]}"
expect_text "$tmp/out" '^decrypted: 1 subvolume, '
is_home "$image"

say "nodes of 16384, cts(cbc(aes)), free space cache of version 1, two copies of data"
image=$tmp/16384.img
legacy_image "$image" 16384 shapes cache=v1 cipher=cts dup --key-length 16
for subvolume in e1 e2; do
	expect_status 0 crypt convert --decrypt "$image" $subvolume --volume-key-file "$image.key" --shared=include --recursive
done
is_home "$image"

say "cbc(aes), and a name in the root item that the attributes do not have"
legacy_image "$image" 16384 cipher=cbc
for subvolume in e1 e2; do
	expect_status 0 crypt convert --decrypt "$image" $subvolume --volume-key-file "$image.key" --shared=include --recursive
done
is_home "$image"

say "one leaf under many snapshots"
image=$tmp/many.img
legacy_fill "$image" 4096 shapes quota
image_mount "$image" "$tmp/mnt"
for ((n = 0; n < 30; n++)); do btrfs -q subvolume snapshot "$tmp/mnt/e1" "$tmp/mnt/s$n"; done
btrfs -q quota rescan -w "$tmp/mnt"
legacy_manifest "$tmp/mnt" "$image"
image_umount
legacy_write "$image"
for subvolume in e1 e2; do
	expect_status 0 crypt convert --decrypt "$image" $subvolume --volume-key-file "$image.key" --shared=include --recursive
done
is_home "$image"

say "a quota group of two subvolumes"
image=$tmp/group.img
legacy_fill "$image" 4096 shapes quota
image_mount "$image" "$tmp/mnt"
btrfs -q qgroup create 1/7 "$tmp/mnt"
for id in $(btrfs subvolume list "$tmp/mnt" | sed -nE 's,^ID ([0-9]+) .* path (e1|e1-snap)$,\1,p'); do btrfs -q qgroup assign --no-rescan "0/$id" 1/7 "$tmp/mnt"; done
btrfs -q quota rescan -w "$tmp/mnt"
image_umount
legacy_write "$image"
for subvolume in e1 e2; do
	expect_status 0 crypt convert --decrypt "$image" $subvolume --volume-key-file "$image.key" --shared=include --recursive
done
# btrfs check of btrfs-progs 6.2 cannot read such groups; the kernel counts again.
image_mount "$image" "$tmp/mnt"
btrfs qgroup show --raw "$tmp/mnt" >"$tmp/numbers"
btrfs -q quota rescan -w "$tmp/mnt"
btrfs qgroup show --raw "$tmp/mnt" | diff "$tmp/numbers" - || fail "the quota numbers are wrong"
grep -q "^1/7 " "$tmp/numbers" || fail "there is no group 1/7"
image_umount
