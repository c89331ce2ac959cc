#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dump-tree on damaged trees stops with the place and the reason. With --tolerant it shows what is there, says what is wrong, and always ends.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
tool fill

good=$tmp/good.img
image=$tmp/disk.img
make_one() {	# make_one MKFS-OPTION...
	image_make "$good" 256M -n 4096 "$@"
	image_mount "$good" "$tmp/mnt"
	btrfs -q subvolume create "$tmp/mnt/one"
	"$tmp/fill" "$tmp/mnt/one" 1 sizes:30000 names xattrs links:20 extents:200
	image_umount
	crypt dump-tree "$good" >"$tmp/good.tree"
	read -r node slots < <(awk '/^file tree key \(256 / { on = 1 } on && /^node / { print $2, $6; exit }' "$tmp/good.tree")
	mapfile -t leaves < <(awk -v node="$node" '$1 == "node" { on = $2 == node } on && /^\tkey / { print $(NF - 2) }' "$tmp/good.tree" | head -n "$slots")
	[ "${#leaves[@]}" -gt 20 ] || fail "the subvolume has only ${#leaves[@]} leaves"
	n_items=$(grep -ac '^	item ' "$tmp/good.tree")
}
edit() { cp --sparse=always "$good" "$image"; python3 "$IMAGE_TESTS/node-edit.py" "$image" "$@"; sync "$image"; }

# damaged NAME INVALID-REGEX FEWEST-ITEMS: strict stops; tolerant shows and says
damaged() {
	local name=$1 text=$2 fewest=$3 n
	expect_unchanged 6 "$image" "$BTRFS_CRYPT" dump-tree "$image"
	[ "$(grep -ac '^	item ' "$tmp/out")" -lt "$n_items" ] || fail "$name: the strict dump did not stop"
	expect_text "$tmp/err" 'btrfs-crypt dump-tree: .*tree block at 0x'
	for order in --bfs --dfs; do
		expect_unchanged 6 "$image" "$BTRFS_CRYPT" dump-tree --tolerant $order "$image"
		expect_text "$tmp/out" "^invalid: $text|^		invalid: $text"
		expect_text "$tmp/err" 'some blocks or items cannot be read'
		n=$(grep -ac '^	item ' "$tmp/out")
		[ "$n" -ge "$fewest" ] && [ "$n" -le "$n_items" ] || fail "$name: $n items are shown of $n_items, fewer than $fewest"
		tail -1 "$tmp/out" | grep -q '^uuid ' || fail "$name: the dump does not go to its end"
	done
	expect_unchanged 6 "$image" "$BTRFS_CRYPT" dump-tree --tolerant --format json "$image"
	python3 -c 'import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
invalid = [line for line in lines if "invalid" in line or "invalid" in line.get("item", {})]
assert invalid and sum("item" in line for line in lines) == int(sys.argv[2]), (len(invalid), sum("item" in line for line in lines))' "$tmp/out" "$n"
	say "$name: $n of $n_items items"
}

say "one mirror of two"
make_one -m dup
cp --sparse=always "$good" "$image"
leaf=$(python3 "$IMAGE_TESTS/damage.py" "$image" block 256 3 --mirror 1)
for option in --bfs --tolerant; do
	expect_status 0 crypt dump-tree $option "$image"
	cmp "$tmp/out" "$tmp/good.tree" || fail "the good mirror was not used ($option)"
	expect_text "$tmp/err" "warning: .*${leaf##* }|warning: .*mirror 2 is right and is used"
done

say "no second mirror"
make_one -m single
leaf=${leaves[5]}
in_leaf=$(awk -v leaf="$leaf" '$1 == "leaf" { on = $2 == leaf } on && /^\titem / { n++ } END { print n }' "$tmp/good.tree")

edit "$leaf" owner 5 --bad-csum
damaged checksum 'the crc32c checksum does not match$' "$n_items"
edit "$leaf" generation 3
damaged generation 'generation is 3, [0-9]+ was expected$' "$n_items"
edit "$leaf" fsid 0
damaged fsid 'its fsid is that of another filesystem$' "$n_items"
edit "$leaf" level 1
damaged level 'level is 1, 0 was expected$' $((n_items - in_leaf))
edit "$leaf" level 200
damaged 'level 200' 'level is 200, 0 was expected$' $((n_items - in_leaf))
edit "$leaf" offset:2 4000
damaged 'item offset' 'the item is not inside the block$' "$n_items"
edit "$leaf" size:0 0xffffffff
damaged 'item size' 'the item is not inside the block$' "$n_items"
edit "$leaf" nritems 0xffffffff
n_items=$((n_items + 200))
damaged nritems 'nritems is 4294967295, at most 159 fit$' $((n_items - 200))
n_items=$((n_items - 200))

edit "$node" child:4 "$node"
damaged 'a loop' 'the tree leads to it a second time|level is 1, 0 was expected' $((n_items - 200))
edit "$node" child:4 "${leaves[7]}"
damaged 'a leaf twice' 'the tree leads to it a second time$' $((n_items - 200))
edit "$node" child:4 0xfffffffffffff000
damaged 'an address that is nowhere' '.*18446744073709547520|.*0xfffffffffffff000' $((n_items - 200))
expect_text <("$BTRFS_CRYPT" dump-tree --tolerant "$image") '^block 18446744073709547520 not shown$'
edit "$node" child:4 4097
damaged 'an address that is odd' '.*4097|.*0x1001' $((n_items - 200))
edit "$node" child-generation:4 1
damaged 'the pointer is older' 'generation is [0-9]+, 1 was expected$' "$n_items"

say "the root tree"
root=$(btrfs inspect-internal dump-super "$good" | awk '$1 == "root" { print $2 }')
edit "$root" generation 2 --bad-csum
damaged 'root of the root tree' 'the crc32c checksum does not match$' "$n_items"
edit "$leaf" owner 5 --bad-csum
expect_status 6 crypt dump-tree --tolerant -b "$leaf" "$image"
[ "$(grep -c '^	item' "$tmp/out")" = "$in_leaf" ] || fail "not all items of the block alone"
expect_status 0 crypt dump-tree --tolerant -t 256 --key 99999 "$image"
[ "$(grep -c '^	item' "$tmp/out")" = 0 ] || fail "items that were not asked for"
expect_status 0 crypt dump-tree -t 5 "$image"
