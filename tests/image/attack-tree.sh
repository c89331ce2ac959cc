#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The tree of a sealed subvolume edited with valid checksums, offline or by a stock kernel after RDONLY was cleared: noticed before the first
# byte comes out, and gone on with only where that was asked for.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
sealed_base
fresh

# differs [FILE]: exit 6 by digest everywhere; with --accept-changes cat goes on, and says so
differs() {
	readers_refuse 6 'target: its tree is not as it was sealed' "${1:-pair-a}"
}
# accepted FILE...: with --accept-changes and --accept-unsealed these are printed right, the changes listed, and decrypting goes on
accepted() {
	local name
	OPTIONS=(--accept-changes --accept-unsealed)
	for name in "$@"; do
		expect_unchanged 0 "$image" do_cat "$name"
		expect_text "$tmp/err" 'target: its tree is not as it was sealed'
		cmp "$tmp/out" "$tmp/files/$name" || fail "cat $name: wrong content"
	done
	expect_status 0 do_decrypt
	expect_text "$tmp/err" 'target: its tree is not as it was sealed'
	OPTIONS=()
	check_clean "$image"
	for name in "$@"; do
		crypt cat "$image" target "$name" | cmp - "$tmp/files/$name" || fail "$name is not as it was"
	done
}
# as differs(), then as accepted(); btrfs check may not like what the attacker left: accepted_unclean
attacked() {
	differs
	accepted "$@"
}

# Offsets in disk_inode_item and disk_file_extent
I_SIZE=16 I_NBYTES=24 I_UID=44 I_MODE=52 I_FLAGS=64 I_MTIME=136 E_MARK=18 E_ADDRESS=21 E_OFFSET=37
extent() { attack peek $(file_item "$1" "${2:-0}") 0 53; }

say "two extents of one file swapped"
one=$(extent two 0) other=$(extent two 65536)
[ "${one:2*E_ADDRESS:16}" != "${other:2*E_ADDRESS:16}" ] || fail "the file has one extent only"
attack poke $(file_item two 0) 0 "$other"
attack poke $(file_item two 65536) 0 "$one"
differs
differs two
say "extents of two files swapped"
fresh
one=$(extent pair-a) other=$(extent pair-b)
attack poke $(file_item pair-a) 0 "$other"
attack poke $(file_item pair-b) 0 "$one"
differs
say "the extent of one file shown by another as well"
fresh
attack poke $(file_item pair-a) 0 "$other"
differs
say "another part of the same extent shown"
fresh
attack poke $(file_item big) $E_OFFSET "$(le 8 4096)$(le 8 $((2502656 - 4096)))"
differs
say "the payloads of two inline files swapped"
fresh
small=$(attack peek $(file_item small) 21 700) inner=$(attack peek $(file_item dir/inner) 21 700)
attack poke $(file_item small) 21 "$inner"
attack poke $(file_item dir/inner) 21 "$small"
differs small
OPTIONS=(--accept-changes)
refused 6 'small: its 700 bytes in the tree are in no inline unit' do_cat small
OPTIONS=()

say "a file truncated: a smaller size"
fresh
attack poke $(inode_item pair-a) $I_SIZE "$(le 8 60000)"
differs
OPTIONS=(--accept-changes)
expect_unchanged 0 "$image" do_cat pair-a
cmp "$tmp/out" <(head -c 60000 "$tmp/files/pair-a") || fail "not the first 60000 bytes"
OPTIONS=()
say "a file truncated: its second extent gone"
fresh
attack poke $(inode_item two) $I_SIZE "$(le 8 65536)"
attack poke $(inode_item two) $I_NBYTES "$(le 8 65536)"
attack drop $(file_item two 65536)
differs
say "mode, owner, times, flags of a file"
for change in "$I_MODE $(le 4 $((0104777)))" "$I_UID $(le 4 1000)" "$I_MTIME $(le 8 1)" "$I_FLAGS $(le 8 0)"; do
	fresh
	# shellcheck disable=SC2086
	attack poke $(inode_item noted) $change
	attacked pair-a big noted
done
say "the mode of a directory"
fresh
attack poke $(inode_item dir) $I_MODE "$(le 4 $((040777)))"
attacked pair-a

say "a mark cleared"
fresh
attack poke $(file_item pair-a) $E_MARK 0000
attacked pair-a big
say "a mark set on plain data"
fresh
plain_at() { "$tmp/attack" "$image" peek $PLAIN 257 108 0 "$@"; }
there=$(plain_at $E_ADDRESS 8)
attack poke $(file_item pair-a) $E_ADDRESS "$there"
readers_refuse 6 'target'
OPTIONS=(--accept-changes --accept-unsealed)
refused 6 'pair-a: bytes 0 to 65535 are lost: .* are marked as sealed, but no unit verifies' do_cat
refused 6 'target/pair-a: bytes 0 to 65535 are marked as sealed, but no unit verifies' do_decrypt
say "the same without the mark: unsealed"
attack poke $(file_item pair-a) $E_MARK 0000
OPTIONS=(--accept-changes)
refused 6 'pair-a: bytes 0 to 65535 are lost: .* are not sealed' do_cat
OPTIONS=()
readers_refuse 6 'target'

say "an xattr edited"
fresh
xattr=$("$tmp/attack" "$image" keys $TARGET "$(inode noted)" | awk '$1 == 24 { print $2; exit }')
attack poke $TARGET "$(inode noted)" 24 "$xattr" $((30 + 9)) "$(printf 'as it is!' | od -An -tx1 | tr -d ' \n')"
attacked noted
say "an xattr removed"
fresh
attack drop $TARGET "$(inode noted)" 24 "$xattr"
attacked noted
say "the target of a link changed"
fresh
attack xor $(file_item link) 25 1
differs
say "a file renamed: as the kernel would do it"
fresh
# rename(2) keeps the hash of no name: what lists a directory is the index, and the reference back
index=$("$tmp/attack" "$image" peek $TARGET "$(inode pair-b)" 12 256 0 8)
index=$(number_of "$index")
attack poke $TARGET 256 96 "$index" 30 "$(printf 'pair-c' | od -An -tx1 | tr -d ' \n')"
attack poke $TARGET "$(inode pair-b)" 12 256 10 "$(printf 'pair-c' | od -An -tx1 | tr -d ' \n')"
differs
say "a directory entry removed"
fresh
attack drop $TARGET 256 96 "$index"
differs
say "a file removed altogether"
fresh
for key in $("$tmp/attack" "$image" keys $TARGET "$(inode noted)" | awk '{ print $1 ":" $2 }'); do
	attack drop $TARGET "$(inode noted)" "${key%:*}" "${key#*:}"
done
differs

# --- what a stock kernel does for somebody who clears RDONLY --------------------------------------------------------------

# by_kernel COMMAND...: in the mounted subvolume
by_kernel() {
	fresh
	image_mount "$image" "$tmp/mnt" rw
	btrfs property set -ts "$tmp/mnt/target" ro false
	(cd "$tmp/mnt/target" && "$@")
	sync -f "$tmp/mnt"
	image_umount
}

say "RDONLY cleared and nothing else: not a change"
fresh
by_kernel true
cats_right pair-a
expect_unchanged 0 "$image" do_verify
say "a file planted"
by_kernel cp "$tmp/files/pair-a" planted
readers_refuse 6 'target: its tree is not as it was sealed'
OPTIONS=(--accept-changes)
refused 6 'planted: bytes 0 to 65535 are lost: .* are not sealed' do_cat planted
refused 6 'target/planted: bytes 0 to 65535 are not sealed' do_decrypt
OPTIONS=(--accept-unsealed)
refused 6 'target: its tree is not as it was sealed' do_cat planted
refused 6 'target: its tree is not as it was sealed' do_decrypt
OPTIONS=(--accept-changes --accept-unsealed)
expect_unchanged 0 "$image" do_cat planted
cmp "$tmp/out" "$tmp/files/pair-a" || fail "the planted file is not as it was written"
OPTIONS=()
accepted pair-a big small
crypt cat "$image" target planted | cmp - "$tmp/files/pair-a" || fail "the planted file is gone"
say "a planted file with a mark: there is no way to accept it"
by_kernel cp "$tmp/files/pair-a" planted
planted=$("$tmp/attack" "$image" keys $TARGET 256 | awk '$1 == 96 { print $2 }' | tail -1)
planted=$(number_of "$("$tmp/attack" "$image" peek $TARGET 256 96 "$planted" 0 8)")
attack poke $TARGET "$planted" 108 0 $E_MARK eac5
readers_refuse 6 'target: its tree is not as it was sealed'
OPTIONS=(--accept-changes --accept-unsealed)
refused 6 'planted: bytes 0 to 65535 are lost: .* are marked as sealed, but no unit verifies' do_cat planted
refused 6 'planted: bytes 0 to 65535 are marked as sealed, but no unit verifies' do_decrypt
OPTIONS=()
say "a small file planted, whose bytes are in the tree"
by_kernel cp "$tmp/files/small" planted
readers_refuse 6 'target: its tree is not as it was sealed'
OPTIONS=(--accept-changes)
refused 6 'planted: its 700 bytes in the tree are in no inline unit' do_cat planted
refused 6 'target/planted: bytes 0 to 699 are in no inline unit' do_decrypt
OPTIONS=()
accepted pair-a small
crypt cat "$image" target planted | cmp - "$tmp/files/small" || fail "the planted file is gone"
say "a directory renamed, its mode changed, an xattr set, a link removed"
by_kernel mv dir other-dir
attacked pair-a small
by_kernel chmod 700 dir
attacked pair-a
by_kernel setfattr -n user.new -v x dir
attacked pair-a
by_kernel rm link
attacked pair-a small
say "reading through the mount is not a change"
by_kernel find . -ls >/dev/null
by_kernel ls -lR . >/dev/null
expect_unchanged 0 "$image" do_verify
survived
