#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Without a key, nothing in a sealed subvolume counts as plain because it says so: marks and flags cleared, items removed, files planted.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
sealed_base
I_SIZE=16 I_FLAGS=64 E_MARK=18
FILES=(pair-a pair-b big small packed nosum frozen noted two dir/inner)
CLOSED='sealed or not authenticated'

# closed FILE...: no byte of them without the key, whatever asks
closed() {
	local name
	for name in "$@"; do
		case $name in *link) continue ;; esac
		refused 2 "$CLOSED" crypt cat "$image" target "$name"
		[ ! -s "$tmp/out" ] || fail "cat printed $name"
	done
	rm -rf "$tmp/exported"
	expect_unchanged 2 "$image" crypt export --report "$tmp/exported.report" -o "$tmp/exported/" "$image" target
	[ -d "$tmp/exported/dir" ] || fail "no directory was exported"
	[ -z "$(find "$tmp/exported" ! -type d)" ] || fail "exported: $(find "$tmp/exported" ! -type d)"
	for name in "$@"; do
		grep -qF "{\"finding\":\"sealed\",\"path\":\"$name\"" "$tmp/exported.report" || fail "the report does not name $name"
	done
	rm "$tmp/exported.report"
}
# unsealed FILE: with --accept-unsealed it is given as it is on the disk, and that is no success
unsealed() {
	local status=0
	expect_unchanged 6 "$image" crypt cat --accept-unsealed "$image" target "$1"
	expect_text "$tmp/err" "^btrfs-crypt cat: warning: $1: not authenticated"
	cp "$tmp/out" "$tmp/given"
	rm -rf "$tmp/exported" "$tmp/exported.report"
	expect_unchanged 6 "$image" crypt export --accept-unsealed --report "$tmp/exported.report" -o "$tmp/exported/" "$image" target
	cmp "$tmp/exported/$1" "$tmp/given" || fail "export and cat differ"
	grep -qF "{\"finding\":\"not-authenticated\",\"path\":\"$1\"" "$tmp/exported.report" || fail "the report does not name $1"
	rm "$tmp/exported.report"
}
# raw FILE: as it is on the disk, with a finding
raw() {
	expect_unchanged 0 "$image" crypt cat --ciphertext "$image" target "$1"
	expect_text "$tmp/err" "note: $1: $CLOSED, printed as it is on the disk"
}

fresh
closed "${FILES[@]}" link
for name in "${FILES[@]}"; do raw "$name"; done
expect_unchanged 2 "$image" crypt cat --accept-unsealed "$image" target pair-a
[ ! -s "$tmp/out" ] || fail "--accept-unsealed printed what is marked as sealed"

say "no file in any kind of archive"
for kind in tar zip cpio mtree; do
	rm -f "$tmp/archive"
	expect_unchanged 2 "$image" crypt export --archive $kind -o "$tmp/archive" "$image" target
	case $kind in
	tar) tar tf "$tmp/archive" ;;
	zip) python3 -m zipfile -l "$tmp/archive" ;;
	cpio) cpio -t <"$tmp/archive" 2>/dev/null ;;
	mtree) cat "$tmp/archive" ;;
	esac >"$tmp/names"
	grep -q dir "$tmp/names" || fail "$kind: no directory"
	if grep -E 'pair-a|small|link' "$tmp/names"; then fail "$kind: a file came out"; fi
done

say "a mark cleared: ciphertext is not plain"
attack poke $(file_item pair-a) $E_MARK 0000
closed pair-a small
unsealed pair-a
say "the flags of a small file cleared"
fresh
for name in small noted; do attack poke $(inode_item $name) $I_FLAGS "$(le 8 0)"; done
closed small noted
unsealed small
say "an item with data removed: zeros are not its content"
fresh
attack drop $(file_item two 65536)
attack drop $(file_item small)
closed two small
unsealed small
say "a file cut to nothing"
fresh
attack poke $(inode_item pair-b) $I_SIZE "$(le 8 0)"
attack poke $(inode_item small) $I_SIZE "$(le 8 0)"
closed pair-b small
unsealed small
[ ! -s "$tmp/given" ] || fail "an empty file has bytes"

say "files and a link planted by a kernel"
fresh
image_mount "$image" "$tmp/mnt" rw
btrfs property set -ts "$tmp/mnt/target" ro false
(
	cd "$tmp/mnt/target"
	cp "$tmp/files/pair-a" planted
	cp "$tmp/files/small" planted-small
	cp "$tmp/files/packed" planted-packed
	: >planted-empty
	truncate -s 100000 planted-hole
	fallocate -l 65536 planted-prealloc
	ln -s /etc/passwd planted-link
)
sync -f "$tmp/mnt"
image_umount
closed planted planted-small planted-packed planted-empty planted-hole planted-prealloc planted-link
for name in planted planted-small planted-packed planted-empty; do
	unsealed $name
	case $name in planted) want=pair-a ;; *) want=${name#planted-} ;; esac
	[ $want = empty ] || cmp "$tmp/given" "$tmp/files/$want" || fail "$name is not as it was written"
	raw $name
	[ $want = empty ] || cmp "$tmp/out" "$tmp/files/$want" || fail "--ciphertext $name is not as it was written"
done
[ "$(readlink "$tmp/exported/planted-link")" = /etc/passwd ] || fail "--accept-unsealed did not give the link"
rm -rf "$tmp/exported"
crypt export --ciphertext -o "$tmp/exported/" "$image" target >"$tmp/out" 2>"$tmp/err" || true
[ "$(readlink "$tmp/exported/planted-link")" = /etc/passwd ] || fail "--ciphertext did not give the link"

say "a link that was sealed has no target without the key: it is left out, and named"
rm -rf "$tmp/exported"
expect_unchanged 6 "$image" crypt export --accept-unsealed --report "$tmp/links.report" -o "$tmp/exported/" "$image" target
grep -qF '{"finding":"sealed","path":"link"' "$tmp/links.report" || { cat "$tmp/links.report"; fail "the report does not name the link"; }
[ ! -L "$tmp/exported/link" ] || fail "--accept-unsealed gave ciphertext as the target of a link"
[ "$(readlink "$tmp/exported/planted-link")" = /etc/passwd ] || fail "--accept-unsealed did not give the link that is not sealed"
rm -f "$tmp/links.report"

say "what is listed goes on, and says that nobody vouches for it"
note='note: subvolume target is sealed, and was not opened: names, sizes, times and modes in it are not authenticated'
expect_unchanged 0 "$image" crypt ls -l "$image" target
expect_text "$tmp/err" "$note"
expect_text "$tmp/out" ' planted-link -> \(sealed\)$'
expect_unchanged 0 "$image" crypt ls -R "$image" /
expect_text "$tmp/err" "$note"
expect_unchanged 0 "$image" crypt ls --format json "$image" target
if grep -vF '"authenticated":false' "$tmp/out"; then fail "a row says nothing of it"; fi
expect_unchanged 0 "$image" crypt ls --format json "$image" plain
if grep -F '"authenticated"' "$tmp/out"; then fail "a row of what is not sealed says something of it"; fi
for name in planted planted-link dir pair-a; do
	expect_unchanged 0 "$image" crypt stat "$image" target $name
	expect_text "$tmp/out" '^  seal: +not authenticated: no key was given$'
	expect_unchanged 0 "$image" crypt stat --format json "$image" target $name
	expect_text "$tmp/out" '"authenticated":false'
done
expect_unchanged 0 "$image" crypt list "$image"
expect_text "$tmp/out" 'path target	.*Encryption: [^ ]* \(Required key not available\) \(not authenticated\)$'
expect_unchanged 0 "$image" crypt list --format json "$image"
expect_text "$tmp/out" '"path":"target".*"authenticated":false'

say "the tag gone as well: still a member"
attack poke 1 $TARGET 132 0 375 "$(printf '00%.0s' $(seq 24))"
closed planted pair-a small planted-link
say "a tag on what was never sealed"
fresh
attack poke 1 $PLAIN 132 0 375 "$(attack peek 1 $TARGET 132 0 375 24)"
refused 2 "$CLOSED" crypt cat "$image" plain pair-b
say "a mark in a subvolume that is not sealed"
fresh
attack poke $PLAIN 257 108 0 $E_MARK eac5
refused 2 "$CLOSED" crypt cat "$image" plain pair-b
[ ! -s "$tmp/out" ] || fail "cat printed what is marked as sealed"
expect_unchanged 2 "$image" crypt export --accept-unsealed -o "$tmp/marked.tar" "$image" plain
if tar tf "$tmp/marked.tar" | grep pair-b; then fail "what is marked as sealed was exported"; fi
say "a snapshot that was made later"
fresh
image_mount "$image" "$tmp/mnt" rw
btrfs -q subvolume snapshot "$tmp/mnt/target" "$tmp/mnt/later"
btrfs property set -ts "$tmp/mnt/later" ro false
cp "$tmp/files/small" "$tmp/mnt/later/planted"
sync -f "$tmp/mnt"
image_umount
for name in planted small pair-a; do refused 2 "$CLOSED" crypt cat "$image" later $name; done

say "half converted, and no superblock says so: closed as well"
fresh "$tmp/plain.img"
expect_status 8 "$tmp/attack" "$image" convert encrypt stop:4 "$tmp/vk" target
incompat=$(attack super-get 0 | od -An -v -tx1 -j $((0xbc)) -N 8 | tr -d ' \n')
attack super-poke all $((0xbc)) "${incompat:0:14}00"
attack super-poke all $((0xdcb)) "$(printf '00%.0s' $(seq $((4096 - 0xdcb))))"
closed pair-a big small two
