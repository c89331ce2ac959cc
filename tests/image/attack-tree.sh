#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The tree of a sealed subvolume edited with valid checksums, offline, or by a stock kernel after RDONLY was cleared. This is noticed before the first
# byte comes out, and accepted only if the user asked for that.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
sealed_base
fresh

# whole_differs: by the digest, whoever reads or converts everything
whole_differs() {
	local before
	before=$(fingerprint "$image")
	expect_status 6 do_verify
	said "${1:-target: its tree has changed since it was sealed}"
	expect_status 6 do_decrypt
	expect_text "$tmp/err" "${1:-target: its tree has changed since it was sealed}"
	[ "$before" = "$(fingerprint "$image")" ] || fail "the image was changed"
}
# differs FILE...: exit 6 for these and for the whole, before a byte of them comes out; another file is what it was
differs() {
	local name
	for name in "$@"; do
		refused 6 "(^|[ /])$name: .*(it is not the file that was sealed|it was not sealed under this name)" do_cat "$name"
		only_zeros || fail "cat printed something"
		refused 6 'it is not the file that was sealed|it was not sealed under this name' crypt stat "${KEY[@]}" "$image" target "$name"
		! grep -F "$name: $name" "$tmp/err" || fail "stat names the file twice"
	done
	cats_right frozen
	whole_differs
}
# directory_differs REGEX COMMAND...: exit 6 for this way to read a directory, and for the whole; the files are what they were
directory_differs() {
	local text=$1
	shift
	refused 6 "$text" "$@"
	cats_right pair-a frozen
	whole_differs
}
# named FILE: what is accepted is named, byte by byte, and the exit status says that it is no proof
named() {
	local size
	OPTIONS=(--accept-changes --accept-unsealed)
	expect_unchanged 6 "$image" do_cat "$1"
	size=$(stat -c %s "$tmp/out")
	expect_text "$tmp/err" "(^|[ /])$1: bytes 0 to $((size - 1)) are not authenticated: "
	rm -f "$tmp/report"
	expect_unchanged 6 "$image" crypt cat "${OPTIONS[@]}" "${KEY[@]}" --report "$tmp/report" "$image" target "$1"
	expect_text "$tmp/report" "^\{\"finding\":\"not-authenticated\",\"path\":\"$1\",\"first\":\"0\",\"last\":\"$((size - 1))\","
	OPTIONS=()
}
# listed FILE: ls and stat show it as accepted, in text and JSON, and no other as that; the exit status says so as well
listed() {
	expect_unchanged 6 "$image" crypt stat --accept-changes "${KEY[@]}" "$image" target "$1" frozen
	expect_text "$tmp/err" "stat: 1 thing is not authenticated, which was accepted"
	[ "$(grep -c '^  seal: *not authenticated: not as it was sealed, which was accepted$' "$tmp/out")" = 1 ] || fail "stat does not say it of $1 alone"
	expect_unchanged 6 "$image" crypt stat --accept-changes --format json "${KEY[@]}" "$image" target "$1" frozen
	[ "$(grep -o '"path":"[^"]*".*"authenticated":false' "$tmp/out" | cut -d '"' -f 4)" = "$1" ] || fail "stat in JSON does not say it of $1 alone"
	expect_unchanged 6 "$image" crypt ls --accept-changes --format json "${KEY[@]}" "$image" target
	expect_text "$tmp/err" "not authenticated: $1: "
	[ "$(grep '"authenticated":false' "$tmp/out" | sed 's/.*"name":"\([^"]*\)".*/\1/')" = "$1" ] || fail "ls in JSON does not say it of $1 alone"
	expect_unchanged 6 "$image" crypt ls -l --accept-changes "${KEY[@]}" "$image" target
	expect_text "$tmp/err" "ls: 1 thing is not authenticated, which was accepted"
}
# accepted FILE...: these are printed as they were, and after decrypting with --accept-changes and --accept-unsealed they are there
accepted() {
	local name
	OPTIONS=(--accept-changes --accept-unsealed)
	for name in "$@"; do
		expect_unchanged 0 "$image" do_cat "$name"
		cmp "$tmp/out" "$tmp/files/$name" || fail "cat $name: wrong content"
	done
	expect_status 0 do_decrypt
	expect_text "$tmp/err" 'target: its tree has changed since it was sealed'
	OPTIONS=()
	check_clean "$image"
	for name in "$@"; do
		crypt cat "$image" target "$name" | cmp - "$tmp/files/$name" || fail "$name is not as it was"
	done
}

# Offsets in disk_inode_item and disk_file_extent
I_SIZE=16 I_NBYTES=24 I_UID=44 I_MODE=52 I_FLAGS=64 I_MTIME=136 E_MARK=18 E_ADDRESS=21 E_OFFSET=37
extent() { attack peek $(file_item "$1" "${2:-0}") 0 53; }

say "two extents of one file swapped"
one=$(extent two 0) other=$(extent two 65536)
[ "${one:2*E_ADDRESS:16}" != "${other:2*E_ADDRESS:16}" ] || fail "the file has one extent only"
attack poke $(file_item two 0) 0 "$other"
attack poke $(file_item two 65536) 0 "$one"
differs two
named two
say "extents of two files swapped"
fresh
one=$(extent pair-a) other=$(extent pair-b)
attack poke $(file_item pair-a) 0 "$other"
attack poke $(file_item pair-b) 0 "$one"
differs pair-a pair-b
named pair-a
cmp "$tmp/out" "$tmp/files/pair-b" || fail "not what the item says"
say "the extent of one file shown by another as well"
fresh
attack poke $(file_item pair-a) 0 "$other"
differs pair-a
cats_right pair-b
say "another part of the same extent shown"
fresh
attack poke $(file_item big) $E_OFFSET "$(le 8 4096)$(le 8 $((2502656 - 4096)))"
differs big
say "the payloads of two inline files swapped"
fresh
small=$(attack peek $(file_item small) 21 700) inner=$(attack peek $(file_item dir/inner) 21 700)
attack poke $(file_item small) 21 "$inner"
attack poke $(file_item dir/inner) 21 "$small"
differs small dir/inner
OPTIONS=(--accept-changes)
refused 6 'small: bytes 0 to 699 are lost: its 700 bytes in the tree fail authentication' do_cat small
OPTIONS=()

say "a file truncated: a smaller size"
fresh
attack poke $(inode_item pair-a) $I_SIZE "$(le 8 60000)"
differs pair-a
named pair-a
cmp "$tmp/out" <(head -c 60000 "$tmp/files/pair-a") || fail "not the first 60000 bytes"
say "a file truncated: its second extent gone"
fresh
attack poke $(inode_item two) $I_SIZE "$(le 8 65536)"
attack poke $(inode_item two) $I_NBYTES "$(le 8 65536)"
attack drop $(file_item two 65536)
differs two
say "mode, owner, times, flags of a file"
for change in "$I_MODE $(le 4 $((0104777)))" "$I_UID $(le 4 1000)" "$I_MTIME $(le 8 1)" "$I_FLAGS $(le 8 0)"; do
	fresh
	# shellcheck disable=SC2086
	attack poke $(inode_item noted) $change
	differs noted
	named noted
	cmp "$tmp/out" "$tmp/files/noted" || fail "its bytes are not what they were"
	listed noted
	accepted pair-a big
done
say "the mode of a directory"
fresh
attack poke $(inode_item dir) $I_MODE "$(le 4 $((040777)))"
directory_differs 'dir: its mode, owner, times or attributes are not as they were when it was sealed' crypt stat "${KEY[@]}" "$image" target dir
expect_unchanged 0 "$image" crypt ls "${KEY[@]}" "$image" target dir	# the names in it are
expect_unchanged 6 "$image" crypt ls -l "${KEY[@]}" "$image" target
expect_text "$tmp/err" 'dir: its mode, owner'
expect_unchanged 6 "$image" crypt stat --accept-changes "${KEY[@]}" "$image" target dir
expect_text "$tmp/err" 'not authenticated: dir: its mode, owner'
listed dir
accepted pair-a

say "a mark cleared"
fresh
attack poke $(file_item pair-a) $E_MARK 0000
differs pair-a
named pair-a
cmp "$tmp/out" "$tmp/files/pair-a" || fail "its bytes are not what they were"
accepted big
say "a mark set on plain data"
fresh
plain_at() { "$tmp/attack" "$image" peek $PLAIN 257 108 0 "$@"; }
there=$(plain_at $E_ADDRESS 8)
attack poke $(file_item pair-a) $E_ADDRESS "$there"
# Where an extent lies is nobody's promise; what lies there has the tags of the file's units, or is lost.
readers_refuse 6 target pair-a 'pair-a: bytes 0 to 65535 are lost'
OPTIONS=(--accept-changes --accept-unsealed)
refused 6 'pair-a: bytes 0 to 65535 are lost' do_cat
refused 6 'target/pair-a: bytes 0 to 65535 fail authentication on every mirror' do_decrypt
say "the same without the mark: unsealed"
attack poke $(file_item pair-a) $E_MARK 0000
OPTIONS=(--accept-changes)
refused 6 'pair-a: bytes 0 to 65535 are lost: .* are not sealed' do_cat
OPTIONS=()
differs pair-a

say "an xattr edited"
fresh
xattr=$("$tmp/attack" "$image" keys $TARGET "$(inode noted)" | awk '$1 == 24 { print $2; exit }')
attack poke $TARGET "$(inode noted)" 24 "$xattr" $((30 + 9)) "$(printf 'as it is!' | od -An -tx1 | tr -d ' \n')"
differs noted
named noted
accepted pair-a
say "an xattr removed"
fresh
attack drop $TARGET "$(inode noted)" 24 "$xattr"
differs noted
accepted pair-a
say "the target of a link changed"
fresh
attack xor $(file_item link) 25 1
directory_differs 'link: it is not the file that was sealed' crypt stat "${KEY[@]}" "$image" target link
expect_unchanged 6 "$image" crypt ls -l "${KEY[@]}" "$image" target
expect_text "$tmp/err" 'link: it is not the file that was sealed'
say "a file renamed: as the kernel would do it"
fresh
# rename(2) keeps the hash of no name: what lists a directory is the index, and the reference back
index=$("$tmp/attack" "$image" peek $TARGET "$(inode pair-b)" 12 256 0 8)
index=$(number_of "$index")
attack poke $TARGET 256 96 "$index" 30 "$(printf 'pair-c' | od -An -tx1 | tr -d ' \n')"
attack poke $TARGET "$(inode pair-b)" 12 256 10 "$(printf 'pair-c' | od -An -tx1 | tr -d ' \n')"
differs pair-b	# by its DIR_ITEM, which was left as it was
refused 6 'the names in it are not as they were when it was sealed' crypt ls "${KEY[@]}" "$image" target
say "only in the index of the directory"
fresh
attack poke $TARGET 256 96 "$index" 30 "$(printf 'pair-c' | od -An -tx1 | tr -d ' \n')"
directory_differs 'the names in it are not as they were when it was sealed' crypt ls "${KEY[@]}" "$image" target
cats_right pair-b	# its own name, and all that is in it, are as they were
say "only in the reference back"
fresh
attack poke $TARGET "$(inode pair-b)" 12 256 10 "$(printf 'pair-c' | od -An -tx1 | tr -d ' \n')"
differs pair-b
expect_unchanged 0 "$image" crypt ls "${KEY[@]}" "$image" target
say "a directory entry removed"
fresh
attack drop $TARGET 256 96 "$index"
directory_differs 'the names in it are not as they were when it was sealed' crypt ls "${KEY[@]}" "$image" target
say "a file removed altogether"
fresh
for key in $("$tmp/attack" "$image" keys $TARGET "$(inode noted)" | awk '{ print $1 ":" $2 }'); do
	attack drop $TARGET "$(inode noted)" "${key%:*}" "${key#*:}"
done
refused 6 'inode [0-9]+ is missing in subvolume id:[0-9]+' do_cat noted
cats_right pair-a
whole_differs

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
differs planted
cats_right pair-a
refused 6 'the names in it are not as they were when it was sealed' crypt ls "${KEY[@]}" "$image" target
OPTIONS=(--accept-changes)
refused 6 'planted: bytes 0 to 65535 are lost: .* are not sealed' do_cat planted
refused 6 'target/planted: bytes 0 to 65535 are not sealed' do_decrypt
OPTIONS=(--accept-unsealed)
refused 6 'planted: it is not the file that was sealed' do_cat planted
refused 6 'target: its tree has changed since it was sealed' do_decrypt
named planted
cmp "$tmp/out" "$tmp/files/pair-a" || fail "the planted file is not as it was written"
expect_text "$tmp/err" 'planted: bytes 0 to 65535 may be wrong: not sealed: written later'
accepted pair-a big small
crypt cat "$image" target planted | cmp - "$tmp/files/pair-a" || fail "the planted file is gone"
say "a planted file with a mark: there is no way to accept it"
by_kernel cp "$tmp/files/pair-a" planted
planted=$("$tmp/attack" "$image" keys $TARGET 256 | awk '$1 == 96 { print $2 }' | tail -1)
planted=$(number_of "$("$tmp/attack" "$image" peek $TARGET 256 96 "$planted" 0 8)")
attack poke $TARGET "$planted" 108 0 $E_MARK eac5
differs planted
OPTIONS=(--accept-changes --accept-unsealed)
refused 6 'planted: bytes 0 to 65535 are lost: .* are marked as sealed, but no tag matches' do_cat planted
refused 6 'planted: bytes 0 to 65535 are marked as sealed, but no tag matches' do_decrypt
OPTIONS=()
say "a small file planted, whose bytes are in the tree"
by_kernel cp "$tmp/files/small" planted
differs planted
OPTIONS=(--accept-changes)
refused 6 'planted: bytes 0 to 699 are lost: its 700 bytes in the tree are not sealed' do_cat planted
refused 6 'target/planted: bytes 0 to 699 are not sealed' do_decrypt
OPTIONS=()
accepted pair-a small
crypt cat "$image" target planted | cmp - "$tmp/files/small" || fail "the planted file is gone"
say "a directory renamed, its mode changed, an xattr set, a link removed"
by_kernel mv dir other-dir
directory_differs 'other-dir: no directory of this name was sealed here' crypt ls "${KEY[@]}" "$image" target other-dir
refused 6 'other-dir: no directory of this name was sealed here' do_cat other-dir/inner
accepted pair-a small
by_kernel chmod 700 dir
directory_differs 'dir: its mode, owner, times' crypt stat "${KEY[@]}" "$image" target dir
accepted pair-a
by_kernel setfattr -n user.new -v x dir
directory_differs 'dir: its mode, owner, times' crypt stat "${KEY[@]}" "$image" target dir
accepted pair-a
by_kernel rm link
directory_differs 'the names in it are not as they were when it was sealed' crypt ls "${KEY[@]}" "$image" target
accepted pair-a small
say "reading through the mount is not a change"
by_kernel find . -ls >/dev/null
by_kernel ls -lR . >/dev/null
expect_unchanged 0 "$image" do_verify
survived
