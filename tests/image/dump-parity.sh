#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dump-tree and dump-super print, byte for byte, what btrfs inspect-internal of btrfs-progs 6.2 prints of the same images, with every
# kind of item that mkfs, the kernel and the tests' own editors can make.  Every difference that is kept on purpose is one of these:
#
#   1. The first line of btrfs-progs is its version: dropped here.  We print none: what a dump says depends on the image alone.
#   2. Names and values are escaped, for they may hold terminal controls and line ends; --raw-names prints them as btrfs-progs does, up to
#      the first NUL.  Compared: --raw-names byte for byte, and the escaped text with it.
#   3. Kinds of items that btrfs-progs 6.2 prints nothing of have lines here (verity, device replacement, stripes of the raid stripe
#      tree, fscrypt contexts), crypt items are decoded where it prints "unknown persistent item", and kinds that it has no name for have one ("only_known" drops and renames them).
#   4. Inode flag VERITY (and ENCRYPT) has a name here; btrfs-progs 6.2 prints only the number, which is the same.
#   5. --hide-names hides the names of subvolumes in root refs too, which btrfs-progs 6.2 prints.
#   6. dump-super: feature bits that 6.2 leaves out (VERITY) or has no name for are named; a label may have letters beyond ASCII, which are dots there.
#   7. A tree that is not there (-t 9999) is exit status 4 here, and nothing with status 0 there.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
command -v btrfs >/dev/null && btrfs version | grep -q 'v6\.2' || skip "btrfs-progs is not 6.2"
edit=${BUILD:-$PROJECT/build}/tests/image
[ -x "$edit/edit-tree" ] || fail "$edit/edit-tree does not exist: run make tools"
tool fill

KINDS="sizes:100000 inline compressed holes prealloc nocow reflinks bookends extents:40 symlinks names times modes xattrs links special flags directories"

only_known() {	# reasons 3 and 4
	awk '/^\titem / { on = !/ (VERITY_(DESC|MERKLE)_ITEM|DEV_REPLACE|RAID_STRIPE|FSCRYPT_(INODE_)?CTX) / } !/^\t/ { on = 1 } on || /^\titem /' |
		sed -E '/^\t\tsequence /{s/\|VERITY\)/)/; s/\(VERITY\)/(none)/}'
}

same() {	# same NAME IMAGE OPTION...: of both programs
	local name=$1 image=$2 options
	shift 2
	options=$*
	btrfs inspect-internal dump-tree "$@" "$image" 2>"$tmp/old.err" | sed 1d >"$tmp/old" || fail "btrfs dump-tree $options"
	crypt dump-tree --raw-names "$@" "$image" >"$tmp/whole" || fail "$name: dump-tree $options: status $?"
	only_known <"$tmp/whole" >"$tmp/new"
	diff -a "$tmp/old" "$tmp/new" >"$tmp/diff" || { head -40 "$tmp/diff" | cat -v; fail "$name: dump-tree $options differs"; }
	[ -s "$tmp/new" ] || fail "$name: dump-tree $options prints nothing"
}

escaped() {	# reason 2
	crypt dump-tree "$2" >"$tmp/escaped" || fail "$1: status $?"
	crypt dump-tree --raw-names "$2" >"$tmp/whole"
	python3 - "$tmp/escaped" "$tmp/whole" <<-'END' || fail "$1: the escaped text says something else"
		import re, sys
		escaped, raw = (open(name, 'rb').read() for name in sys.argv[1:])
		byte = lambda found: bytes([int(found[1], 16)]) if found[1] else b'\\'
		lines = [re.sub(rb'\\(?:x([0-9a-f]{2})|\\)', byte, line) for line in escaped.split(b'\n')]
		shown = [line.split(b'\0')[0] if re.match(rb'\t\t(data|name:) ', line) else line for line in lines]
		assert b'\n'.join(shown) == raw and shown != escaped.split(b'\n')
		assert all(0x20 <= c or c in b'\t\n' for c in escaped)
	END
}

selections() {
	local tree root chunk_root
	same "$name" "$image" --dfs
	for tree in root chunk BTRFS_EXTENT_TREE_OBJECTID DEVICE fs_tree 256 Checksum UUID data_reloc; do same "$name" "$image" -t "$tree"; done
	read -r root chunk_root < <(btrfs inspect-internal dump-super "$image" | awk '/^(chunk_)?root\t/ { printf "%s ", $2 } END { print "" }')
	same "$name" "$image" -b "$root"
	same "$name" "$image" --csum-headers -b "$chunk_root" -b "$root" --follow
	same "$name" "$image" --csum-items -t csum
	for tree in -e -d -u -r -R; do same "$name" "$image" "$tree"; done

	btrfs inspect-internal dump-tree --hide-names "$image" | sed '1d; s/^\(\t\troot \(back\)\?ref key dirid [0-9]* sequence [0-9]* name\) .*/\1 HIDDEN/' >"$tmp/old"
	crypt dump-tree --hide-names "$image" | only_known >"$tmp/new"
	diff -a "$tmp/old" "$tmp/new" >"$tmp/diff" || { head -40 "$tmp/diff"; fail "$name: --hide-names differs"; }
}

# Whole dumps, and what JSON has
compare() {	# compare NAME IMAGE
	local name=$1 image=$2 before
	sync "$image"		# how many blocks it takes on disk may change with that
	before=$(written "$image")
	same "$name" "$image"
	cp "$tmp/new" "$tmp/$name.tree"
	[ "$name" != default ] || selections
	btrfs inspect-internal dump-super -fa "$image" >"$tmp/old"
	crypt dump-super "$image" | sed '/^\t\t\t  VERITY |$/d' >"$tmp/new"	# reason 6
	diff -a "$tmp/old" "$tmp/new" >"$tmp/diff" || { head -40 "$tmp/diff"; fail "$name: dump-super differs"; }

	# As many items of each kind, none without its fields.
	crypt dump-tree --format json "$image" | python3 -c 'import collections, json, sys
empty = {"FREE_SPACE_EXTENT"}
count = collections.Counter()
for line in sys.stdin:
    line = json.loads(line)
    if "item" in line:
        kind = line["key"].split()[1]
        assert line["item"] or kind in empty, line
        assert "bytes" not in line["item"] or kind.startswith("VERITY") or kind == "FREE_SPACE_BITMAP", line
        assert "not_decoded" not in line["item"], line
        count[kind] += 1
for kind in sorted(count):
    print(count[kind], kind)' >"$tmp/json.kinds"
	awk '/^\titem [0-9]+ key \(/ { n[$5]++ } END { for (kind in n) print n[kind], kind }' "$tmp/$name.tree" | sort -k 2 >"$tmp/kinds"
	diff "$tmp/kinds" "$tmp/json.kinds" || fail "$name: JSON has another number of items"
	cat "$tmp/kinds" >>"$tmp/all.kinds"
	[ "$before" = "$(written "$image")" ] || fail "$name: a dump changed the image"
	say "$name: $(wc -l <"$tmp/$name.tree") lines, $(wc -l <"$tmp/kinds") kinds of items are the same"
}

with_kind() { grep -q " key ([^ ]* $2 " "$tmp/$1.tree" || fail "$1: no item of kind $2: the comparison shows nothing of it"; }

fill_one() {
	btrfs -q subvolume create "$tmp/mnt/one"
	"$tmp/fill" "$tmp/mnt/one" 1 $KINDS
	btrfs -q subvolume create "$tmp/mnt/one/nested"
	sync -f "$tmp/mnt"
	btrfs -q subvolume snapshot -r "$tmp/mnt/one" "$tmp/mnt/snap"
	"$tmp/fill" "$tmp/mnt/one/nested" 2 sizes:20000 inline
	truncate -s 70000 "$tmp/mnt/one/sizes/"6*
	sync -f "$tmp/mnt"
}

# --- everything: quotas, a received subvolume, a paused balance, and then a log tree and orphans ----------------------------
image=$tmp/default.img
image_make "$image" 400M
image_mount "$image" "$tmp/mnt"
btrfs -q quota enable "$tmp/mnt"
fill_one
btrfs qgroup create 1/7 "$tmp/mnt"
btrfs -q qgroup assign 0/256 1/7 "$tmp/mnt" >/dev/null
btrfs qgroup limit 1G 1/7 "$tmp/mnt"
btrfs qgroup limit -e 77M 0/256 "$tmp/mnt"
mkdir "$tmp/mnt/received"
btrfs -q send "$tmp/mnt/snap" 2>/dev/null | btrfs -q receive "$tmp/mnt/received"
for try in 1 2 3 4 5; do	# it may be over before it can be paused
	btrfs balance start -ddevid=1,vrange=0..99999999999,limit=1..50 -musage=0..100 -s -f --bg "$tmp/mnt" >/dev/null 2>&1
	btrfs balance pause "$tmp/mnt" >/dev/null 2>&1 && break
done
say "balance paused at try $try"
image_umount
compare default "$image"
escaped default "$image"
for kind in INODE_ITEM INODE_REF INODE_EXTREF XATTR_ITEM DIR_ITEM DIR_INDEX EXTENT_DATA EXTENT_CSUM ROOT_ITEM ROOT_REF ROOT_BACKREF EXTENT_ITEM \
	METADATA_ITEM BLOCK_GROUP_ITEM FREE_SPACE_INFO FREE_SPACE_EXTENT DEV_EXTENT DEV_ITEM CHUNK_ITEM QGROUP_STATUS QGROUP_INFO QGROUP_LIMIT \
	QGROUP_RELATION TEMPORARY_ITEM PERSISTENT_ITEM UUID_KEY_SUBVOL UUID_KEY_RECEIVED_SUBVOL; do with_kind default "$kind"; done

say "a log tree, a deleted file that is open, a deleted subvolume in use"
image_mount "$image" "$tmp/mnt" rw,commit=300,skip_balance
btrfs -q subvolume create "$tmp/mnt/doomed"
echo doomed >"$tmp/mnt/doomed/file"
echo gone >"$tmp/mnt/one/gone"
sync -f "$tmp/mnt"
exec {gone}<"$tmp/mnt/one/gone" {doomed}<"$tmp/mnt/doomed/file"
rm "$tmp/mnt/one/gone"
btrfs -q subvolume delete -c "$tmp/mnt/doomed" >/dev/null
sync -f "$tmp/mnt"
echo logged >"$tmp/mnt/one/logged"
mkdir "$tmp/mnt/one/logged-directory"
touch "$tmp/mnt/one/logged-directory/entry"
head -c 200000 /dev/urandom >>"$tmp/mnt/one/logged"
sync "$tmp/mnt/one/logged" "$tmp/mnt/one/logged-directory"
cp --sparse=always "$image" "$tmp/log.img"
exec {gone}<&- {doomed}<&-
image_umount
compare log "$tmp/log.img"
with_kind log ORPHAN_ITEM
with_kind log DIR_LOG_INDEX
grep -q '^log root tree$' "$tmp/log.tree" || fail "there is no log tree"
grep -q '^log tree key (TREE_LOG ROOT_ITEM 256)' "$tmp/log.tree" || fail "there is no log of subvolume 256"
same log "$tmp/log.img" -t TREE_LOG

# --- forms of filesystems ---------------------------------------------------------------------------------------------------
# More references than fit an extent item are items of their own (SHARED_BLOCK_REF takes a huge tree: tests/unit/test-dump-item.c has it).
# By root and number where the snapshot is changed; by address of the block that it keeps where the source is.
many_references() {
	local i where
	btrfs -q subvolume create "$tmp/mnt/source"
	head -c 20000 /dev/urandom >"$tmp/mnt/source/file"
	for i in $(seq 60); do cp --reflink=always "$tmp/mnt/source/file" "$tmp/mnt/source/clone-$i"; done
	sync -f "$tmp/mnt"
	for where in snapshot source; do
		for i in $(seq 20); do
			btrfs -q subvolume snapshot "$tmp/mnt/source" "$tmp/mnt/$where-$i"
			if [ "$where" = source ]; then touch "$tmp/mnt/source/clone-30"; else touch "$tmp/mnt/snapshot-$i/new"; fi
			sync -f "$tmp/mnt"
		done
	done
}

one() {		# one NAME SIZE MOUNT-OPTIONS MKFS-OPTION...
	local name=$1 size=$2 options=$3
	shift 3
	image=$tmp/$name.img
	image_make "$image" "$size" "$@"
	image_mount "$image" "$tmp/mnt" "$options"
	fill_one
	[ "$name" != old ] || many_references
	image_umount
	[ "$name" != bitmaps ] || "$edit/edit-tree" "$image" bitmaps >/dev/null
	[ "$name" != groups ] || "$edit/edit-tree" "$image" group-tree >/dev/null
	compare "$name" "$image"
}
# Only block groups of 100 MiB and more have a v1 cache.
one old 2G space_cache=v1 --csum xxhash -n 4096 -O ^no-holes,^skinny-metadata -R ^free-space-tree -m single
with_kind old UNTYPED
for kind in TREE_BLOCK_REF EXTENT_DATA_REF SHARED_DATA_REF; do with_kind old "$kind"; done
one wide 256M rw --csum blake2 -n 65536
one mixed 256M rw -M --csum sha256 -L 'a label'
one bitmaps 256M rw -m dup
with_kind bitmaps FREE_SPACE_BITMAP
one groups 256M rw
same groups "$image" -t 11
[ "$(crypt dump-tree -t block-group "$image" | grep -c BLOCK_GROUP_ITEM)" -gt 2 ] || fail "there is no block group tree"

say "fs-verity items"
image_mount "$image" "$tmp/mnt" ro
find "$tmp/mnt/one" -xdev -type f -size +4k -printf '%i\n' | sort -n > "$tmp/inodes"
image_umount
# The editor needs room in the leaf of the file's inode: how full the kernel left which leaf differs.
while read -r inode; do
	"$edit/edit-verity" "$image" 256 "$inode" > "$tmp/verity.log" 2>&1 && break
	grep -q 'bytes free$' "$tmp/verity.log" || break
done < "$tmp/inodes"
[ ! -s "$tmp/verity.log" ] || fail "edit-verity: $(cat "$tmp/verity.log")"
compare verity "$image"
with_kind verity VERITY_MERKLE_ITEM

say "a device that has replaced another"
image_make "$image" 256M
truncate -s 300M "$tmp/new.img"
image_mount "$image" "$tmp/mnt"
loop=$(losetup --find --show "$tmp/new.img")
mounts=("$tmp/none $loop" "${mounts[@]}")
cp /bin/bash "$tmp/mnt"
btrfs replace start -B 1 "$loop" "$tmp/mnt" >/dev/null 2>&1 || fail "btrfs replace"
image_umount
image_umount
compare replaced "$tmp/new.img"
with_kind replaced DEV_REPLACE
expect_status 0 crypt dump-tree -t dev "$tmp/new.img"
expect_text "$tmp/out" 'replace_state 2 .finished.'

say "$(awk '{ n[$2] += $1 } END { for (kind in n) { kinds++; items += n[kind] } print items " items of " kinds " kinds are the same" }' "$tmp/all.kinds")"
