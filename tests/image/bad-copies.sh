#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Files without checksums whose two copies differ: sealing writes one of them over the other, so it says so beforehand and changes nothing, unless it is
# told which way to go. Where evidence tells which copy is right, that one is sealed; where no file shows the difference, it does not matter.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
. "$IMAGE_TESTS/bad-lib.sh"
need_root
need_crypt
tool attack
image=$tmp/disk.img
make_keys
KEY=("${VK[@]}") FILES=(before nosum twin held after)
mkdir "$tmp/files"

# $tmp/plain.img, the addresses of its files as btrfs has them, and the inodes
image_make "$tmp/plain.img" 160M --mixed -d dup -m dup
image_mount "$tmp/plain.img" "$tmp/mnt" rw,noatime
btrfs -q subvolume create "$tmp/mnt/target"
cd "$tmp/mnt/target"
for name in before nosum held after; do
	head -c 65536 /dev/urandom >"$tmp/files/$name"
	touch $name
	case $name in
	before|after) cat "$tmp/files/$name" >$name ;;
	nosum) chattr +C nosum && cat "$tmp/files/nosum" >nosum ;;
	held) chattr +C held && fallocate -l 131072 held && head -c 8192 "$tmp/files/held" | dd of=held conv=notrunc status=none ;;
	esac
	sync -f .
	echo "$name $(filefrag -v -b4096 $name | awk '$1 == "0:" { sub("[.][.]", "", $4); print $4 * 4096 }')"
done >"$tmp/addresses"
touch twin && chattr +C twin && cp --reflink=always nosum twin
cp held "$tmp/files/held"
cp "$tmp/files/nosum" "$tmp/files/twin"
stat -c '%n %i' -- * >"$tmp/inodes"
cd "$tmp"
image_umount
address() { awk -v name="$1" -v block="$2" '$1 == name { print $2 + block * 4096 }' "$tmp/addresses"; }

btrfs inspect-internal dump-tree -t chunk "$tmp/plain.img" | sed -nE -e 's/.* CHUNK_ITEM ([0-9]+)\).*/chunk \1/p' \
	-e 's/^\s+length ([0-9]+) owner.*/length \1/p' -e 's/.*stripe ([01]) devid 1 offset ([0-9]+)$/\1 \2/p' |
	awk '{ v[$1] = $2 } $1 == 1 { print v["chunk"], v["length"], v[0], v[1] }' >"$tmp/chunks"

# copy N LOGICAL: the physical address of copy 0 or 1
copy() {
	local begin length place
	while read -r begin length place[0] place[1]; do
		[ "$2" -lt "$begin" ] || [ "$2" -ge $((begin + length)) ] || { echo $((place[$1] + $2 - begin)) && return; }
	done <"$tmp/chunks"
	fail "no place of $2"
}
both() { for n in 0 1; do dd if="$image" bs=4096 skip=$(($(copy $n "$1") / 4096)) count=1 status=none; done; }
rot_copy() { flip "$image" $(($(copy "$1" "$2") + 1000)); }

at=$(address nosum 2)
fresh "$tmp/plain.img"
rot_copy 0 "$at"
rot_copy 1 $((at + 8192))		# what is between them is the same
rot_copy 0 "$(address held 20)"		# preallocated: no file shows it
cp --sparse=always "$image" "$tmp/differ.img"
both "$at" >"$tmp/both"
NOTE='have no checksum, and the copies differ'

say "nothing tells which copy is right: nothing is changed, and each file is named"
expect_status 6 crypt cat "$image" target nosum
expect_text "$tmp/err" 'bytes 8192 to 20479 .* mirrors 1 and 2 differ .* nothing tells which is right, mirror 1 is used'
cp "$tmp/out" "$tmp/files/printed"
for dry in "" --dry-run; do
	# shellcheck disable=SC2086
	expect_unchanged 6 "$image" crypt convert --encrypt -q $dry "${VK[@]}" "$image" target
	expect_text "$tmp/err" "note: target/nosum: bytes 8192 to 12287 $NOTE: nothing tells which one is right; the same data are in target/twin"
	expect_text "$tmp/err" "note: target/nosum: bytes 16384 to 20479 $NOTE"
	expect_text "$tmp/err" "note: target/twin: bytes 8192 to 12287 $NOTE: nothing tells which one is right"
	expect_text "$tmp/err" 'convert: 2 blocks without checksums, listed above, differ between the copies, and nothing tells which one is right; nothing was changed'
	expect_text "$tmp/err" 'hint: --on-error=continue seals the copy that .btrfs-crypt cat. prints, and overwrites the others; --skip-damaged leaves them as they are, not sealed$'
	! grep -q held "$tmp/err" || fail "what no file shows is named"
	expect_status 0 crypt convert --status "$image"
done
expect_status 6 crypt convert --encrypt -q --format json "${VK[@]}" "$image" target
expect_text "$tmp/out" '"record":"doubtful","path":"target/nosum".*"offset":"8192","length":"4096".*"has_checksum":false'

say "one copy is sealed, when that is asked for"
expect_unchanged 6 "$image" crypt convert --encrypt -q --dry-run --on-error=continue "${VK[@]}" "$image" target
expect_text "$tmp/err" "note: target/nosum: bytes 8192 to 12287 $NOTE: mirror 1 is sealed"
expect_text "$tmp/out" 'blocks whose copies differ, of which one would be sealed: 2$'
expect_status 6 crypt convert --encrypt -q --on-error=continue "${VK[@]}" "$image" target
expect_text "$tmp/err" "note: target/nosum: bytes 8192 to 12287 $NOTE: mirror 1 is sealed"
expect_text "$tmp/out" 'blocks whose copies differed, of which one was sealed: 2$'
expect_status 0 do_verify
expect_status 0 do_decrypt
{ head -c 4096 "$tmp/both" && head -c 4096 "$tmp/both"; } | cmp - <(both "$at") || fail "not the first copy, twice"
expect_status 0 crypt cat "$image" target nosum
cmp "$tmp/out" "$tmp/files/printed" || fail "not what cat printed"

say "both are left as they are, when that is asked for"
fresh "$tmp/differ.img"
expect_unchanged 6 "$image" crypt convert --encrypt -q --dry-run --skip-damaged "${VK[@]}" "$image" target
expect_text "$tmp/out" 'damaged blocks left as they are: 2$'
expect_status 6 crypt convert --encrypt -q --skip-damaged "${VK[@]}" "$image" target
expect_text "$tmp/err" "note: target/nosum: bytes 8192 to 12287 $NOTE: left as they were found"
expect_text "$tmp/out" 'damaged blocks left as they were: 2$'
both "$at" | cmp - "$tmp/both" || fail "a copy was changed"
both $((at + 4096)) | cmp -s - <(image=$tmp/plain.img both $((at + 4096))) && fail "the next block was not sealed"
both "$(address held 20)" | cmp -s - <(image=$tmp/differ.img both "$(address held 20)") && fail "a block that no file shows was not sealed"
cats_right before held after
expect_status 6 do_cat nosum
expect_status 6 do_decrypt
both "$at" | cmp - "$tmp/both" || fail "a copy was changed by unsealing"

say "what no file shows does not matter"
fresh "$tmp/plain.img"
rot_copy 0 "$(address held 20)"
# behind the end of its file
attack poke "$TARGET" "$(inode nosum)" 1 0 16 "$(le 8 57344)"
attack poke "$TARGET" "$(inode twin)" 1 0 16 "$(le 8 57344)"
rot_copy 1 "$(address nosum 14)"
expect_status 0 crypt convert --encrypt -q "${VK[@]}" "$image" target
expect_status 0 do_verify

say "the checksums near it tell that mirror 1 is bad"
fresh "$tmp/plain.img"
for name in before after; do
	dd if=/dev/zero of="$image" bs=4096 seek=$(($(copy 0 "$(address $name 0)") / 4096)) count=16 conv=notrunc status=none
done
rot_copy 0 "$at"
expect_status 0 crypt convert --encrypt -q "${VK[@]}" "$image" target
expect_text "$tmp/err" "note: target/nosum: bytes 8192 to 12287 $NOTE: the checksums near them show that mirror 2 is right\$"
cats_right "${FILES[@]}"
expect_status 0 do_decrypt
both "$at" | cmp - <(image=$tmp/plain.img both "$at") || fail "not the right copy"

say "sealed, the tag tells which one is right"
fresh "$tmp/plain.img"
expect_status 0 crypt convert --encrypt -q "${VK[@]}" "$image" target
rot_copy 0 "$at"
expect_status 6 do_verify
expect_text "$tmp/out" '^target/nosum: bytes 8192 to 12287 fail authentication on mirror 1 of 2'
expect_status 0 do_decrypt
both "$at" | cmp - <(image=$tmp/plain.img both "$at") || fail "not the right copy"

say "they came to differ while the conversion is unfinished"
fresh "$tmp/plain.img"
until_stop encrypt stop:1
rot_copy 0 "$at"
cp --sparse=always "$image" "$tmp/stopped.img"
expect_status 6 do_resume
expect_text "$tmp/err" 'nosum: the copies of the data at .*, which have no checksum, differ, and nothing tells which one is right'
expect_text "$tmp/err" 'hint: .*convert --resume --on-error=continue.* seals one and overwrites the others; .*convert --resume --skip-damaged.* leaves them as they are, not sealed'
both "$at" | cmp - "$tmp/both" || fail "a copy was changed"
for way in --on-error=continue --skip-damaged; do
	fresh "$tmp/stopped.img"
	OPTIONS=("$way")
	expect_status 6 do_resume
	OPTIONS=()
	expect_text "$tmp/err" "note: target/nosum: bytes 8192 to 12287 $NOTE"
done
both "$at" | cmp - "$tmp/both" || fail "a copy was changed"
fresh "$tmp/stopped.img"
expect_status 0 do_abort
both "$at" | cmp - "$tmp/both" || fail "a copy was changed by undoing"
