#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Subvolumes that are deleted and not cleaned up: with their orphan item, half dropped, and without that item, as some old kernels left them, which no
# kernel cleans up. They are read, and only subvolumes that share blocks with them are not converted.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
need_root
need_crypt
tool attack
make_keys
KEY=("${VK[@]}")
image=$tmp/disk.img
ORPHAN_ID=18446744073709551611
ROOT_DROP=220 ROOT_DROP_LEVEL=237		# in a root item
mkdir "$tmp/files"
head -c 700000 /dev/urandom >"$tmp/files/big"
head -c 700 /dev/urandom >"$tmp/files/small"

# delete_open IMAGE-TO-COPY-TO DIRECTORY...: deleted while it is open, so that the kernel cannot clean it up before the image is copied
delete_open() {
	local to=$1 one fds=()
	shift
	for one; do
		exec {fd}<"$tmp/mnt/$one"
		fds+=("$fd")
		btrfs -q subvolume delete "$tmp/mnt/$one"
	done
	sync -f "$tmp/mnt"
	cp --sparse=always "$tmp/made.img" "$to"
	for fd in "${fds[@]}"; do exec {fd}<&-; done
}
no_orphans() { for one in "$@"; do attack drop 1 $ORPHAN_ID 48 "$one"; done; }
# cured ID...: what `btrfs check --repair` of btrfs-progs 6.18 does, and then a kernel
cured() {
	for one in "$@"; do attack put 1 $ORPHAN_ID 48 "$one" ''; done
	image_mount "$image" "$tmp/mnt" rw
	deleted_are_gone "$tmp/mnt"
	image_umount
	check_clean "$image"
}
sealed() { crypt convert --encrypt -q --volume-key-file "$tmp/vk" "$@"; }
NO_ITEM='no kernel cleans it up, for it has no orphan item$'
CURE='hint: `btrfs check --repair` of btrfs-progs 6.18 or later adds that item; then mount the filesystem, run `btrfs subvolume sync`, and unmount$'

image_make "$tmp/made.img" 160M
image_mount "$tmp/made.img" "$tmp/mnt" rw,noatime
for one in alone shared doomed; do
	btrfs -q subvolume create "$tmp/mnt/$one"
	cp "$tmp/files"/* "$tmp/mnt/$one"
done
(cd "$tmp/mnt/doomed" && seq -f 'one-of-many-files-%g' 1000 | xargs touch)
sync -f "$tmp/mnt"
btrfs -q subvolume snapshot "$tmp/mnt/shared" "$tmp/mnt/snap"
doomed=$(btrfs inspect-internal rootid "$tmp/mnt/doomed")
snap=$(btrfs inspect-internal rootid "$tmp/mnt/snap")
delete_open "$tmp/base.img" doomed snap
image_umount

say "with their orphan items: read, and nothing is converted before a kernel has cleaned up"
fresh
expect_status 0 crypt list -d "$image"
[ "$(grep -c 'path DELETED$' "$tmp/out")" = 2 ] || { cat "$tmp/out"; fail "list -d"; }
expect_status 0 crypt show "$image" "id:$doomed"
expect_text "$tmp/out" '^	State: 			deleted, not cleaned up yet$'
expect_status 0 crypt show "$image" alone
! grep -q deleted "$tmp/out" || fail "show: alone is not deleted"
expect_status 0 crypt show --format json "$image" "id:$doomed"
expect_text "$tmp/out" '"deleted":true'
for one in big small; do crypt cat "$image" "id:$doomed" $one | cmp - "$tmp/files/$one"; done
refused 9 'subvolume [0-9]+ was deleted and is not cleaned up yet$' sealed "$image" alone
expect_text "$tmp/err" 'hint: .*subvolume sync'

say "half dropped"
attack poke 1 "$doomed" 132 0 $ROOT_DROP "$(le 8 500)01$(le 8 0)"
attack poke 1 "$doomed" 132 0 $ROOT_DROP_LEVEL 01
expect_status 0 crypt list --format json -d "$image"
expect_text "$tmp/out" '"drop_progress":"\(500 INODE_ITEM 0\)"'
expect_status 0 crypt cat "$image" alone big
cmp "$tmp/out" "$tmp/files/big"
refused 9 'was deleted and is not cleaned up yet$' sealed "$image" alone

say "without them: no matter for what shares nothing with them"
fresh
no_orphans "$doomed" "$snap"
cp --sparse=always "$image" "$tmp/no-orphans.img"
expect_status 0 sealed --dry-run "$image" alone
expect_status 0 sealed "$image" alone
expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" alone
for one in big small; do crypt cat "$image" "id:$doomed" $one | cmp - "$tmp/files/$one"; done
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" alone
for one in big small; do crypt cat "$image" alone $one | cmp - "$tmp/files/$one"; done
say "half dropped as well"
attack poke 1 "$doomed" 132 0 $ROOT_DROP "$(le 8 500)01$(le 8 0)"
attack poke 1 "$doomed" 132 0 $ROOT_DROP_LEVEL 01
expect_status 0 sealed "$image" alone
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" alone

say "what shares blocks with one, or is one, is refused, and the cure is named"
fresh "$tmp/no-orphans.img"
for option in --shared=refuse --shared=include; do
	refused 9 "subvolume $snap was deleted, but refers to the (tree block|data extent) at [0-9]+; $NO_ITEM" sealed $option "$image" shared
	expect_text "$tmp/err" "$CURE"
done
refused 9 "subvolume $doomed was deleted; $NO_ITEM" sealed "$image" "id:$doomed"
expect_text "$tmp/err" "$CURE"
cured "$doomed" "$snap"
expect_status 0 sealed "$image" shared
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" shared
check_clean "$image"

say "a dead snapshot of what is sealed"
image_mount "$tmp/made.img" "$tmp/mnt" rw
deleted_are_gone "$tmp/mnt"
image_umount
sealed "$tmp/made.img" shared >"$tmp/sealing"
image_mount "$tmp/made.img" "$tmp/mnt" rw,noatime
btrfs -q subvolume snapshot "$tmp/mnt/shared" "$tmp/mnt/snap"
snap=$(btrfs inspect-internal rootid "$tmp/mnt/snap")
delete_open "$tmp/base.img" snap
image_umount
fresh
no_orphans "$snap"
expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" shared
refused 9 "subvolume $snap was deleted, and is sealed with it; $NO_ITEM" crypt convert --decrypt -q "${KEY[@]}" "$image" shared
expect_text "$tmp/err" "$CURE"
cured "$snap"
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" shared
for one in big small; do crypt cat "$image" shared $one | cmp - "$tmp/files/$one"; done
check_clean "$image"
