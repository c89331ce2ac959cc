#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The full cycle on forms that mkfs.btrfs of Debian 12 does not make: free space bitmaps, a block group tree; and fs-verity items.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt
programs=${BUILD:-$PROJECT/build}/tests/image
[ -x "$programs/edit-tree" ] && [ -x "$programs/edit-verity" ] || fail "$programs: programs are missing, run make tools"
new_keys

for form in bitmaps group-tree; do
	say "--- $form"
	image_make "$tmp/disk.img" 500M -n 16384 -m dup -d single
	"$programs/edit-tree" "$tmp/disk.img" "$form" >"$tmp/edit" || fail "edit-tree $form"
	make_content "$tmp/disk.img" 1000000
	full_cycle "$tmp/disk.img" aes-256-gcm --volume-key-file "$tmp/vk" </dev/null
done

say "--- fs-verity items"
image=$tmp/verity.img
image_make "$image" 128M
image_mount "$image" "$tmp/mnt"
btrfs -q subvolume create "$tmp/mnt/sub"
head -c 100000 /dev/urandom >"$tmp/mnt/sub/measured"
head -c 100 /dev/urandom >"$tmp/mnt/sub/beside"
inode=$(stat -c %i "$tmp/mnt/sub/measured")
image_umount
"$programs/edit-verity" "$image" 256 "$inode" || fail "edit-verity"
check_clean "$image"
cp --sparse=always "$image" "$tmp/before.img"

# The verity items of the file, payload and all: verity_items IMAGE
verity_items() { crypt dump-tree -t 256 "$1" | awk '/^\titem / { on = /VERITY_(DESC|MERKLE)_ITEM/ } on'; }
inode_flags() { crypt dump-tree -t 256 "$1" | grep -A 12 "key ($inode INODE_ITEM 0)" | grep -E 'flags|VERITY'; }
verity_items "$image" >"$tmp/items.before"
inode_flags "$image" >"$tmp/flags.inode"
[ "$(grep -cE 'VERITY_(DESC|MERKLE)_ITEM' "$tmp/items.before")" = 4 ] || { cat "$tmp/items.before"; fail "the image has no four verity items"; }
crypt cat "$image" sub measured >"$tmp/measured"

expect_status 0 crypt convert --encrypt -q --volume-key-file "$tmp/vk" "$image" sub
check_clean "$image"
verity_items "$image" >"$tmp/items.sealed"
! cmp -s "$tmp/items.before" "$tmp/items.sealed" || fail "the verity items are as before"
grep -c 'verity item 0000' "$image" >"$tmp/count" && fail "a Merkle item is in the sealed image"
expect_status 0 crypt verify --volume-key-file "$tmp/vk" "$image" sub
expect_status 0 crypt cat --volume-key-file "$tmp/vk" "$image" sub measured
cmp "$tmp/out" "$tmp/measured" || fail "cat differs"
image_mount "$image" "$tmp/mnt"
btrfs balance start --full-balance "$tmp/mnt" >/dev/null
image_umount
expect_status 0 crypt convert --decrypt -q --volume-key-file "$tmp/vk" "$image" sub
check_clean "$image"
verity_items "$image" >"$tmp/items.after"
inode_flags "$image" >"$tmp/flags.after"
# Item offsets in the leaf may differ after the balance, payloads may not.
diff <(sed 's/.*key/key/; s/itemoff [0-9]*//' "$tmp/items.before") <(sed 's/.*key/key/; s/itemoff [0-9]*//' "$tmp/items.after") ||
	fail "the verity items are not as before"
diff "$tmp/flags.inode" "$tmp/flags.after" || fail "the inode flags are not as before"
btrfs inspect-internal dump-super "$image" | grep -q 'compat_ro_flags.*0x7' || fail "the feature bit was cleared, which was set before"
