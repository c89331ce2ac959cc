#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dump-tree shows what was asked for: keys, blocks; items of the fscrypt proposal and of simple quotas, which btrfs-progs 6.2 does not know.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
edit=${BUILD:-$PROJECT/build}/tests/image
[ -x "$edit/edit-fscrypt" ] || fail "$edit/edit-fscrypt does not exist: run make tools"
tool fill

image=$tmp/disk.img
image_make "$image" 256M -n 4096
image_mount "$image" "$tmp/mnt"
btrfs -q subvolume create "$tmp/mnt/one"
"$tmp/fill" "$tmp/mnt/one" 1 sizes:100000 names xattrs links extents:200
btrfs -q subvolume create "$tmp/mnt/closed"
mkdir "$tmp/mnt/closed/directory"
head -c 20000 /dev/urandom >"$tmp/mnt/closed/directory/file"
touch "$tmp/mnt/closed/directory/empty"
directory=$(stat -c %i "$tmp/mnt/closed/directory") file=$(stat -c %i "$tmp/mnt/closed/directory/file")
sync -f "$tmp/mnt"
dd if=/dev/zero of="$tmp/mnt/closed/directory/file" bs=4096 seek=2 count=1 conv=notrunc status=none
image_umount

say "ranges of keys"
crypt dump-tree --format json "$image" >"$tmp/whole.json"
# ranges TREE FIRST LAST OPTION...: the items that a filter of the whole dump finds, and leaf headers, no nodes
range() {
	local tree=$1 first=$2 last=$3
	shift 3
	crypt dump-tree --format json -t "$tree" "$@" "$image" >"$tmp/some.json" || fail "dump-tree -t $tree $*"
	python3 - "$tree" "$first" "$last" "$tmp/whole.json" "$tmp/some.json" <<-'END' || fail "dump-tree -t $tree $*: not what is in the range"
		import json, sys
		tree, first, last = sys.argv[1], eval(sys.argv[2]), eval(sys.argv[3])
		lines = lambda name: [json.loads(line) for line in open(name)]
		key = lambda line: (int(line["objectid"]), line["type"], int(line["offset"]))
		want = [line for line in lines(sys.argv[4]) if line["tree"] == tree and "item" in line and first <= key(line) <= last]
		have = lines(sys.argv[5])
		want_blocks = {line["block"] for line in want}
		want.sort(key=key)
		assert [line for line in have if "item" in line] == want and want
		assert {line["block"] for line in have if "header" in line} == want_blocks
		assert all("item" in line or "header" in line for line in have)
		print(len(want), "items of", len(want_blocks), "leaves")
	END
	crypt dump-tree -t "$tree" "$@" "$image" >"$tmp/some" || fail "dump-tree -t $tree $*"
	[ "$(grep -c '^	item' "$tmp/some")" = "$(grep -c '"item":' "$tmp/some.json")" ] || fail "text and JSON differ"
	if grep -q '^node' "$tmp/some"; then fail "a node is shown"; fi
}
# A file of several extents in two leaves, if there is one
many=$(python3 -c 'import collections, json, sys
count = collections.Counter(line["objectid"] for line in map(json.loads, sys.stdin) if line["tree"] == "256" and line.get("type") == 108)
print(count.most_common(1)[0][0])' <"$tmp/whole.json")
range 256 "($many,0,0)" "($many,255,2**64-1)" --key "$many"
range 256 "($many,108,0)" "($many,108,2**64-1)" --key "$many,EXTENT_DATA"
range 256 "($many,1,0)" "($many,1,0)" --key "($many INODE_ITEM 0)"
range 256 '(290,0,0)' '(310,84,0)' --min-key 290 --max-key 310,DIR_ITEM,0
range 256 '(0,0,0)' '(270,255,2**64-1)' --max-key 270
range 256 '(305,0,0)' '(2**64,0,0)' --min-key=305
expect_status 0 crypt dump-tree -t 256 --key 99999 "$image"
[ ! -s "$tmp/out" ] || fail "something is shown of no items"
range 1 '(2**64-9,0,0)' '(2**64-9,255,2**64-1)' --key DATA_RELOC_TREE
expect_status 0 crypt dump-tree --key 300 "$image"
expect_text "$tmp/out" '^file tree key \(256 ROOT_ITEM'
[ "$(grep -c '^	item' "$tmp/out")" -gt 1 ] || fail "nothing of inode 300"
if grep -q '^	item .* key (301 ' "$tmp/out"; then fail "inode 301 is shown"; fi

say "blocks, and what does not go together"
root=$(btrfs inspect-internal dump-super "$image" | awk '$1 == "root" { print $2 }')
crypt dump-tree -b "$root" -b "$root" -b "$(printf 0x%x "$root")" "$image" >"$tmp/block"
[ "$(grep -c 'owner ROOT_TREE$' "$tmp/block")" = 1 ] || fail "a block that is asked for twice is not shown once"
expect_status 0 crypt dump-tree --format json -b "$root" "$image"
if grep -q '"tree"' "$tmp/out"; then fail "a block alone is said to be of a tree"; fi
for at in 1 $((root + 512)); do
	expect_status 1 crypt dump-tree -b "$at" "$image"
	expect_text "$tmp/err" "--block: $at is not the address of a tree block, which is a multiple of 4096\$"
done
for at in 12288 $((root + 4096 * 1000000)); do
	expect_status 1 crypt dump-tree -b "$root" -b "$at" "$image"
	expect_text "$tmp/err" "--block: the filesystem has nothing at $at: it is in no chunk"
	[ ! -s "$tmp/out" ] || fail "something is printed"
done
expect_status 1 crypt dump-tree -b here "$image"
expect_status 1 crypt dump-tree --follow "$image"
expect_status 1 crypt dump-tree -t 5 -r "$image"
expect_status 1 crypt dump-tree --key 5 --min-key 4 "$image"
expect_status 1 crypt dump-tree --key 5,NO_ITEM "$image"
expect_status 1 crypt dump-tree --hide-names --raw-names "$image"
expect_status 4 crypt dump-tree -t tree-log "$image"
expect_status 1 crypt dump-super -s 3 "$image"

say "hidden names"
for form in text json; do
	crypt dump-tree --hide-names --format "$form" -t 256 "$image" >"$tmp/hidden"
	crypt dump-tree --format "$form" -t 256 "$image" >"$tmp/shown"
	[ "$(wc -l <"$tmp/hidden")" = "$(wc -l <"$tmp/shown")" ] || fail "$form: other lines"
	for word in 'not utf-8' 'back..slash' user.empty security.capability; do
		grep -aq "$word" "$tmp/shown" || fail "$form: $word is not even in the whole dump"
		if grep -aq "$word" "$tmp/hidden"; then fail "$form: $word is shown"; fi
	done
	if [ "$form" = json ] && grep -q '"data_hex":"[0-9a-f]' "$tmp/hidden"; then fail "contents of inline files are shown"; fi
done

say "items of the fscrypt proposal"
"$edit/edit-fscrypt" "$image" 257 "$directory" "$file" || fail "edit-fscrypt"
expect_unchanged 0 "$image" crypt dump-tree -t 257 "$image"
identifier=69b2f6edeee720cce0577937eb8a6751
expect_text "$tmp/out" "key \($directory FSCRYPT_INODE_CTX 0\) itemoff [0-9]* itemsize 40"
expect_text "$tmp/out" "^		value: 0201040200000000${identifier}77d5a7f82d59cb4c7c8c5a33fde3c603$"
expect_text "$tmp/out" '^		version 2 contents_mode 1 \(AES-256-XTS\) filenames_mode 4 \(AES-256-CTS\) flags 2 name_padding 16 log2_data_unit_size 0$'
expect_text "$tmp/out" "^		master_key_identifier $identifier$"
expect_text "$tmp/out" "key \($file FSCRYPT_CTX 8192\) itemoff [0-9]* itemsize 34"
expect_text "$tmp/out" '^		version 1 mode 1 \(AES-256-XTS\)$'
expect_text "$tmp/out" '^		nonce d0dd42ea7ba43ee8c55a2f79cbc890bd$'
[ "$(grep -c 'flags 0x1000(ENCRYPT)' "$tmp/out")" = 2 ] || fail "not two inodes with the flag"
[ "$(grep -c '^		extent encryption 1$' "$tmp/out")" = "$(grep -c ' EXTENT_DATA ' "$tmp/out")" ] || fail "extents without the encryption byte"
[ "$(grep -c '^		name_type 0x80(ENCRYPTED)$' "$tmp/out")" = 4 ] || fail "not four encrypted names"
expect_status 0 crypt dump-tree --crypt "$image"
[ "$(grep -cE '^	item .* (FSCRYPT_(INODE_)?CTX|INODE_ITEM|EXTENT_DATA) ' "$tmp/out")" -ge 9 ] || fail "--crypt does not show it"
crypt dump-tree --format json -t 257 "$image" | python3 -c 'import json, sys
items = [json.loads(line) for line in sys.stdin]
items = [line for line in items if "item" in line]
context = [line["item"] for line in items if line["type"] == 41]
extent = [line["item"] for line in items if line["type"] == 42]
assert len(context) == 2 and len(extent) == sum(line["type"] == 108 for line in items) == 3
assert context[0]["contents_mode_name"] == "AES-256-XTS" and context[0]["name_padding"] == 16 and len(context[0]["nonce"]) == 32
assert extent[0]["master_key_identifier"] == "'"$identifier"'" and extent[0]["mode"] == 1
assert all(line["item"]["encryption"] == 1 for line in items if line["type"] == 108)
assert sum("ENCRYPT" in line["item"].get("flags_names", "").split("|") for line in items if line["type"] == 1) == 2'
expect_status 0 crypt dump-super "$image"
expect_text "$tmp/out" ' ENCRYPT '

say "simple quotas"
image_make "$image" 256M
image_mount "$image" "$tmp/mnt"
enable='import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0xc0109428, struct.pack("<QQ", 4, 0))'
if python3 -c "$enable" "$tmp/mnt" 2>/dev/null; then
	btrfs -q subvolume create "$tmp/mnt/one"
	head -c 300000 /dev/urandom >"$tmp/mnt/one/file"
	sync -f "$tmp/mnt"
	image_umount
	expect_unchanged 0 "$image" crypt dump-tree "$image"
	expect_text "$tmp/out" '^		version 1 generation [0-9]+ flags ON\|SIMPLE_MODE scan 0 enable_gen [0-9]+$'
	expect_text "$tmp/out" '^		extent owner root 256$'
	expect_text "$tmp/out" '^		exclusive 3[0-9]{5} exclusive_compressed'
	expect_status 0 crypt dump-super "$image"
	expect_text "$tmp/out" ' SIMPLE_QUOTA '
else
	image_umount
	say "this kernel has no simple quotas"
fi
