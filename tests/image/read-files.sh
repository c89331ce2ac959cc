#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every file, directory, link and subvolume of an image reads as the kernel showed it, with ls and cat one by one, in the order of the directories:
# snapshots, nested subvolumes, odd names (read-matrix.sh has the forms of filesystems).  Names of subvolumes, what is refused, what a terminal
# gets.  Nothing is written to the image.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
tool fill

KINDS="sizes:3000000 inline compressed holes prealloc nocow reflinks bookends extents:100 symlinks names times modes links special flags directories"

# one NAME MOUNT-OPTIONS MKFS-OPTION...
one() {
	local name=$1 mount=$2 image=$tmp/$1.img before
	shift 2
	image_make "$image" 400M "$@"
	image_mount "$image" "$tmp/mnt" "rw,$mount"
	btrfs -q subvolume create "$tmp/mnt/one"
	"$tmp/fill" "$tmp/mnt/one" 1 $KINDS
	truncate -s 20000005 "$tmp/mnt/one/holes/only"	# 1 TiB of zeros shows no more than this
	printf 'two\twords, √\n' >"$tmp/mnt/one/text"
	printf 'begin\033[31m' >"$tmp/mnt/one/escape"
	printf 'begin\0end' >"$tmp/mnt/one/nul"
	btrfs -q subvolume create "$tmp/mnt/one/nested"
	"$tmp/fill" "$tmp/mnt/one/nested" 2 sizes:200000 inline symlinks
	mkdir -p "$tmp/mnt/plain dir/deep"
	btrfs -q subvolume create "$tmp/mnt/plain dir/deep/new
line"
	"$tmp/fill" "$tmp/mnt/plain dir/deep/new
line" 3 inline
	sync
	btrfs -q subvolume snapshot -r "$tmp/mnt/one" "$tmp/mnt/snap"
	btrfs -q subvolume snapshot "$tmp/mnt/one/nested" "$tmp/mnt/one/later"
	# The originals go on: what the snapshots hold must not change with them.
	"$tmp/fill" "$tmp/mnt/one" 4 bulk:300000
	printf 'overwritten' | dd of="$tmp/mnt/one/sizes/65537" bs=1 seek=20000 conv=notrunc status=none
	truncate -s 70000 "$tmp/mnt/one/sizes/65537"
	image_umount

	image_mount "$image" "$tmp/mnt" ro
	python3 "$IMAGE_TESTS/read-compare.py" record "$tmp/mnt" >"$tmp/record"
	# The one with a newline in its name takes two lines there, and is escaped here.
	btrfs subvolume list "$tmp/mnt" | sed 's/\\/\\\\/g' | sed -z 's/new\nline/new\\x0aline/g' >"$tmp/list"
	image_umount

	before=$(fingerprint "$image")
	crypt list "$image" | cut -f 1 >"$tmp/list.new"
	diff "$tmp/list" "$tmp/list.new" || fail "list differs from btrfs subvolume list"
	[ "$(wc -l <"$tmp/list")" = 5 ] || fail "five subvolumes expected"
	python3 "$IMAGE_TESTS/read-compare.py" compare "$BTRFS_CRYPT" "$image" "$tmp/record" >"$tmp/compared" ||
		{ head -40 "$tmp/compared"; fail "$name: what was read differs"; }
	[ "$before" = "$(fingerprint "$image")" ] || fail "reading changed the image"
	say "$name: $(tail -1 "$tmp/compared")"
}

one default compress=zstd

say "names of subvolumes, and what is no subvolume"
image=$tmp/default.img
expect_status 0 crypt show "$image" one/nested
cp "$tmp/out" "$tmp/by-path"
uuid=$(sed -n 's/.*[^a-z] UUID: *\t*//p; s/^\tUUID: *\t*//p' "$tmp/by-path" | head -1)
expect_text "$tmp/by-path" 'Flags: .*-$'
for name in /one/nested one/nested/ '<FS_TREE>/one/nested' "uuid:$uuid" "id:$(sed -n 's/.*Subvolume ID: *\t*//p' "$tmp/by-path")"; do
	expect_status 0 crypt show "$image" "$name"
	cmp -s "$tmp/out" "$tmp/by-path" || fail "$name is another subvolume"
done
expect_status 0 crypt show "$image" /
expect_text "$tmp/out" 'Subvolume ID: .*5$'
expect_status 0 crypt show "$image" snap
expect_text "$tmp/out" 'Flags: .*readonly$'
expect_status 0 crypt show "$image" one
expect_text "$tmp/out" '^				snap$'
expect_status 0 crypt ls "$image" 'plain dir/deep/new\x0aline'
expect_status 4 crypt show "$image" one/sizes
expect_text "$tmp/err" 'hint: .*(id 256)'
expect_status 4 crypt show "$image" none
expect_status 4 crypt show "$image" id:299
expect_status 1 crypt show "$image" id:5x
expect_status 1 crypt show "$image" uuid:1234

say "what cat and ls refuse"
expect_status 1 crypt cat "$image" one sizes
expect_text "$tmp/err" 'sizes: is a directory'
expect_status 4 crypt cat "$image" one sizes/none
expect_text "$tmp/err" '"sizes/none" not found'
expect_status 4 crypt cat "$image" one sizes/1/x
expect_text "$tmp/err" '"sizes/1" is not a directory'
expect_status 1 crypt cat "$image" one ../one/sizes/1
expect_status 1 crypt cat "$image" one symlinks/8
expect_text "$tmp/err" 'symbolic link'
head -c 32 /dev/zero >"$tmp/key"
expect_status 9 crypt cat --key-file "$tmp/key" "$image" one sizes/1
expect_status 0 crypt ls "$image" snap nested
[ ! -s "$tmp/out" ] || fail "the empty place of a nested subvolume has entries"

say "binary data is not written to a terminal"
# on_terminal FILE: what cat of it shows there, and its status
on_terminal() {
	script -qec "'$BTRFS_CRYPT' cat '$image' one '$1'; echo status=\$?" /dev/null </dev/null | tr -d '\r' >"$tmp/out"
}
on_terminal text
expect_text "$tmp/out" '^two	words, √$'
expect_text "$tmp/out" '^status=0$'
for file in escape nul; do
	on_terminal "$file"
	expect_text "$tmp/out" 'binary data is not written to a terminal'
	expect_text "$tmp/out" '^status=9$'
	grep -q begin "$tmp/out" && fail "$file was printed"
	expect_status 0 crypt cat "$image" one "$file"
	expect_text "$tmp/out" begin
done
