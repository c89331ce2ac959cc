#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The top-level subvolume as a member: names in it can still be written, its files are closed; the user must accept by name what was created in it
# later.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt

new_keys
KEY=(--volume-key-file "$tmp/vk")
image_make "$tmp/disk.img" 400M
tool fill
image_mount "$tmp/disk.img" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/beside"
"$tmp/fill" "$tmp/mnt" $SEED sizes:600000 inline compressed symlinks names links extents:50
"$tmp/fill" "$tmp/mnt/beside" $OTHER_SEED sizes:600000 inline
image_umount
image_state "$tmp/disk.img" before

expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$tmp/disk.img" /
check_clean "$tmp/disk.img"
find_no_plain "$tmp/disk.img" $SEED
expect_unchanged 0 "$tmp/disk.img" crypt verify "${KEY[@]}" "$tmp/disk.img" id:5
cp --sparse=always "$tmp/disk.img" "$tmp/sealed.img"

say "only mounted and read: nothing to accept"
image_mount "$tmp/disk.img" "$tmp/mnt" rw
manifest --no-content "$tmp/mnt" >/dev/null
for directory in sizes inline compressed names links extents; do
	expect_status 0 python3 "$IMAGE_TESTS/closed.py" "$tmp/mnt/$directory"
done
image_umount
check_clean "$tmp/disk.img"
expect_unchanged 0 "$tmp/disk.img" crypt verify "${KEY[@]}" "$tmp/disk.img" /
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$tmp/disk.img" /
check_clean "$tmp/disk.img"
image_state "$tmp/disk.img" after
expect_same_state before after

say "used: the change must be accepted"
mv "$tmp/sealed.img" "$tmp/disk.img"
image_mount "$tmp/disk.img" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/later"
"$tmp/fill" "$tmp/mnt/beside" $((OTHER_SEED + 1)) bulk:1000000
mkdir "$tmp/mnt/new-directory"
btrfs balance start --full-balance "$tmp/mnt" >"$tmp/out"
image_umount
expect_unchanged 6 "$tmp/disk.img" crypt verify "${KEY[@]}" "$tmp/disk.img" /
expect_text "$tmp/err" 'hint: files were added, removed, renamed or edited since; --accept-changes notes that'
expect_text "$tmp/out" '^/: was changed since it was sealed: '	# its root directory
expect_unchanged 6 "$tmp/disk.img" crypt verify --format json "${KEY[@]}" "$tmp/disk.img" /
expect_text "$tmp/out" '^\{"record":"failure","path":"/",'
! grep -q '"path":""' "$tmp/out" || fail "an empty path"
expect_text "$tmp/err" '"hint":"files .* --accept-changes notes'
expect_unchanged 6 "$tmp/disk.img" crypt convert --decrypt -q "${KEY[@]}" "$tmp/disk.img" /
expect_text "$tmp/err" 'note: /: was changed since it was sealed: '
expect_unchanged 6 "$tmp/disk.img" crypt verify --accept-changes "${KEY[@]}" "$tmp/disk.img" /	# noted, and no proof
expect_text "$tmp/err" 'accepted: everything else is authentic'
expect_text "$tmp/out" ', 0 failures$'
expect_unchanged 6 "$tmp/disk.img" crypt verify --accept-changes --expect-seal 00000000000000000000000000000000 "${KEY[@]}" "$tmp/disk.img" /
! grep -q accept-changes "$tmp/err" || fail "the hint is to an option that was given"
expect_status 0 crypt convert --decrypt -q --accept-changes "${KEY[@]}" "$tmp/disk.img" /
check_clean "$tmp/disk.img"
image_state "$tmp/disk.img" after
grep -vE '^(\.|later|new-directory|beside|beside/bulk.*) ' "$tmp/after.manifest" >"$tmp/kept"
grep -vE '^(\.|beside) ' "$tmp/before.manifest" | diff - "$tmp/kept" || fail "content differs"
