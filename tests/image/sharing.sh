#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Scans of subvolumes and of what shares with them, compared with what dump-tree prints: snapshots, reflinks, sources changed or deleted afterwards,
# balance, nested subvolumes. What an unfinished deletion shares is refused.
. "$(dirname "$0")/lib.sh"
need_root
show=${BUILD:-$PROJECT/build}/tests/image/show-sharing
[ -x "$show" ] || fail "$show does not exist: run make tools"
truth() { "$IMAGE_TESTS/sharing-truth.py" "$show" "$@"; }
id_of() { btrfs subvolume show "$1" | sed -n 's/.*Subvolume ID:[[:space:]]*//p'; }

# files DIR FIRST LAST: inline, one block, several extents, prealloc, a reflink
files() {
	python3 - "$@" <<-'PYTHON'
	import os, sys
	d, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
	for i in range(first, last):
	    with open(f"{d}/{i:05}", "wb") as f:
	        f.write((f"{d} {i} " * 9000)[:(100, 5000, 20000)[i % 3]].encode())
	        if i % 10 == 0:
	            os.posix_fallocate(f.fileno(), 0, 100000)
	PYTHON
}

for node_size in 4096 16384; do
	image=$tmp/$node_size.img
	mnt=$tmp/mnt
	image_make "$image" 512M -n $node_size
	image_mount "$image" "$mnt" rw,commit=1
	for name in a b lone; do btrfs -q subvolume create "$mnt/$name"; done
	btrfs -q subvolume create "$mnt/a/inner"
	btrfs -q subvolume create "$mnt/a/inner/most"
	files "$mnt/a" 0 1500
	files "$mnt/lone" 0 200
	files "$mnt/a/inner" 0 10
	sync
	btrfs -q subvolume snapshot "$mnt/a" "$mnt/a1"
	btrfs -q subvolume snapshot "$mnt/a1" "$mnt/a2"
	# The owner lets go of leaves that others keep: references by parent
	files "$mnt/a" 500 600
	sync
	btrfs -q subvolume snapshot "$mnt/a2" "$mnt/a3"
	files "$mnt/a2" 800 810
	cp --reflink=always "$mnt/a1/00100" "$mnt/b/from-a1"
	cp --reflink=always "$mnt/b/from-a1" "$mnt/top-level"
	sync
	# Deleted source of snapshots, and relocation: more references by parent
	btrfs -q subvolume snapshot "$mnt/a3" "$mnt/a4"
	btrfs -q subvolume delete "$mnt/a3"
	deleted_are_gone "$mnt"
	btrfs -q balance start -m "$mnt" >/dev/null
	files "$mnt/a4" 1000 1100
	for name in a a1 a2 a4 b lone a/inner a/inner/most; do
		declare "id_${name//\//_}=$(id_of "$mnt/$name")"
	done
	image_umount
	btrfs inspect-internal dump-tree -t extent "$image" >"$tmp/extents"
	[ $node_size != 4096 ] || expect_text "$tmp/extents" 'shared block backref'
	expect_text "$tmp/extents" 'shared data backref'

	say "node size $node_size: scans"
	truth "$image" scan "$id_a"
	truth "$image" scan "$id_lone"
	truth "$image" scan "$id_a" "$id_a1" "$id_a2" "$id_b"
	truth "$image" scan 5 "$id_a4" "$id_a_inner"

	say "node size $node_size: sharers"
	truth "$image" sharing "$id_a" >"$tmp/out"
	cat "$tmp/out"
	expect_text "$tmp/out" "^$id_a1: "
	truth "$image" sharing "$id_a1"
	truth "$image" sharing "$id_a2"
	truth "$image" sharing "$id_a4" "$id_a"
	truth "$image" sharing "$id_b" >"$tmp/out"
	cat "$tmp/out"
	expect_text "$tmp/out" "^5: 0 blocks, 2 extents"
	for id in "$id_lone" "$id_a_inner"; do
		truth "$image" sharing "$id" >"$tmp/out"
		[ -s "$tmp/out" ] && fail "$id shares with $(cat "$tmp/out")"
	done

	say "node size $node_size: nested subvolumes"
	nested() {	# nested "IDS" ID...: at and below the first ones are the others
		local ids
		read -ra ids <<<"$1"
		shift
		"$show" nested "$image" "${ids[@]}" >"$tmp/out"
		diff <(printf '%s\n' "$@" | sort -n) "$tmp/out"
	}
	nested "$id_a" "$id_a" "$id_a_inner" "$id_a_inner_most"
	nested "$id_a_inner_most" "$id_a_inner_most"
	nested "$id_lone $id_a_inner" "$id_lone" "$id_a_inner" "$id_a_inner_most"
	nested 5 5 "$id_a" "$id_a1" "$id_a2" "$id_a4" "$id_b" "$id_lone" "$id_a_inner" "$id_a_inner_most"
	expect_status 4 "$show" nested "$image" 4711
done

say "a sharer that is deleted but not cleaned up"
image_mount "$image" "$mnt" rw
btrfs -q subvolume snapshot "$mnt/lone" "$mnt/lone1"
id=$(id_of "$mnt/lone1")
files "$mnt/lone1" 0 100
btrfs -q filesystem sync "$mnt"
btrfs -q subvolume delete "$mnt/lone1"
image_umount
btrfs inspect-internal dump-tree -t root "$image" >"$tmp/roots"
if grep -q "($id ROOT_ITEM " "$tmp/roots"; then
	expect_status 9 "$show" sharing "$image" "$id_lone"
	expect_text "$tmp/err" "^subvolume $id, which is deleted but not cleaned up, refers to the "
	expect_text "$tmp/err" 'subvolume sync'
else
	say "the kernel was faster than we: not tested"
fi
