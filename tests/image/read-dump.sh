#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dump-tree and dump-super print what btrfs-progs prints of the same image, line by line; JSON parses; a damaged item is shown and reported.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
tool fill

KINDS="sizes:3000000 inline compressed holes prealloc nocow reflinks bookends extents:100 symlinks names times modes xattrs links special flags directories"

# Raw bytes of names and values are for machines there, and escaped here.
only_lines() { grep -av -e '^line$' -e '^		name:' -e '^		data ' -e '^		index .* name: ' -e '^		root [a-z]*ref key ' || true; }

# one NAME MKFS-OPTION...
one() {
	local image=$tmp/$1.img name=$1 n before
	shift
	image_make "$image" 400M "$@"
	image_mount "$image" "$tmp/mnt" rw
	btrfs -q subvolume create "$tmp/mnt/one"
	"$tmp/fill" "$tmp/mnt/one" 1 $KINDS
	btrfs -q subvolume create "$tmp/mnt/one/nested"
	sync
	btrfs -q subvolume snapshot -r "$tmp/mnt/one" "$tmp/mnt/snap"
	"$tmp/fill" "$tmp/mnt/one/nested" 2 sizes:20000 inline
	truncate -s 70000 "$tmp/mnt/one/sizes/131073"
	image_umount
	before=$(sha256sum <"$image")

	btrfs inspect-internal dump-super -fa "$image" | sed '/^$/d' >"$tmp/super.old"
	crypt dump-super "$image" | sed '/^$/d' >"$tmp/super.new"
	diff "$tmp/super.old" "$tmp/super.new" || fail "$name: dump-super differs"
	crypt dump-super --format json "$image" | python3 -c 'import json, sys
copies = [json.loads(line) for line in sys.stdin]
assert len(copies) == 2 and all(copy["valid"] and copy["csum_matches"] for copy in copies)
assert [copy["bytenr"] for copy in copies] == ["65536", "67108864"]'

	btrfs inspect-internal dump-tree "$image" | sed '1d' | only_lines >"$tmp/tree.old"
	crypt dump-tree "$image" | only_lines >"$tmp/tree.new"
	diff "$tmp/tree.old" "$tmp/tree.new" >"$tmp/tree.diff" || { head -40 "$tmp/tree.diff"; fail "$name: dump-tree differs"; }
	n=$(wc -l <"$tmp/tree.new")
	[ "$n" -gt 20000 ] || fail "$name: only $n lines"

	crypt dump-tree --format json "$image" | python3 -c 'import json, sys
n = sum("item" in json.loads(line) for line in sys.stdin)
assert n > 2000, n
print(n)' >"$tmp/items"
	[ "$(cat "$tmp/items")" = "$(grep -c '^	item ' "$tmp/tree.new")" ] || fail "$name: JSON has another number of items"

	for tree in root extent chunk dev fs csum uuid 256; do
		btrfs inspect-internal dump-tree --dfs -t "${tree/dev/device}" "$image" | sed '1d' | head -n -3 | grep -ac '^	item ' >"$tmp/n.old"
		crypt dump-tree -t "$tree" "$image" | grep -ac '^	item ' >"$tmp/n.new"
		cmp -s "$tmp/n.old" "$tmp/n.new" || fail "$name: tree $tree has another number of items"
	done
	expect_status 0 crypt dump-tree -t data-reloc "$image"
	expect_text "$tmp/out" 'item 0 key .256 INODE_ITEM 0'
	[ "$before" = "$(sha256sum <"$image")" ] || fail "a dump changed the image"
	say "$name: $n lines of dump-tree are the same"
}

one default
one old --csum xxhash -n 4096 -O ^no-holes,^skinny-metadata -R ^free-space-tree -m single
one wide --csum blake2 -n 65536
one mixed -M --csum sha256

image=$tmp/default.img
say "only what concerns encryption, of an image that is not sealed: files with inode flags"
expect_status 0 crypt dump-tree --crypt "$image"
expect_text "$tmp/out" 'flags 0x[0-9a-f]*\(.*IMMUTABLE'
[ "$(grep -c '^	item' "$tmp/out")" = "$(crypt dump-tree "$image" | grep -c 'sequence .* flags .*\(IMMUTABLE\|VERITY\)')" ] || fail "too much is shown"

say "what is refused"
expect_status 4 crypt dump-tree -t 9999 "$image"
expect_status 1 crypt dump-tree -t nothing "$image"
expect_text "$tmp/err" 'nothing'
head -c 200000 /dev/urandom >"$tmp/noise"
expect_status 4 crypt dump-super "$tmp/noise"

say "a superblock that is damaged is printed all the same"
printf '\377' | dd of="$image" bs=1 seek=$((65536 + 0x90)) conv=notrunc status=none	# sectorsize
expect_status 0 crypt dump-super "$image"
expect_text "$tmp/out" '^csum	.*DON.T MATCH'
expect_text "$tmp/out" '^sectorsize	'
expect_text "$tmp/out" '^error	'
