#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Thousands of items in the root tree of real images, inserted and removed block by block in place. btrfs check and the kernel judge.
. "$(dirname "$0")/lib.sh"
need_root

edit_tree=${BUILD:-$PROJECT/build}/tests/image/edit-tree
[ -x "$edit_tree" ] || fail "$edit_tree does not exist: run make tools"
n_items=2000

# edit COMMAND...: the image afterwards is clean
edit() {
	"$edit_tree" "$image" "$@" >"$tmp/edit.out" 2>&1 || { cat "$tmp/edit.out"; fail "edit-tree $*"; }
	check_clean "$image"
}

check_items() { "$edit_tree" "$image" check "$@" >"$tmp/edit.out" 2>&1 || { cat "$tmp/edit.out"; fail "edit-tree check $*"; }; }

# Small files and holes between them: extent and free space trees of several levels.
fragment() {
	image_mount "$image" "$tmp/mnt"
	# 600 of each, from 001 on
	head -c $((600 * 3000)) /dev/urandom | split -b 3000 --numeric-suffixes=1 -a 3 - "$tmp/mnt/small-"
	head -c $((600 * 8192)) /dev/urandom | split -b 8192 --numeric-suffixes=1 -a 3 - "$tmp/mnt/block-"
	sync -f "$tmp/mnt"
	rm -f "$tmp"/mnt/*[13579]
	btrfs subvolume create "$tmp/mnt/sub" >/dev/null
	cp "$tmp"/mnt/block-*0 "$tmp/mnt/sub"
	image_umount
}

# What people do with such a filesystem
use() {
	local snapshot=$1
	image_mount "$image" "$tmp/mnt"
	btrfs subvolume snapshot "$tmp/mnt/sub" "$tmp/mnt/$snapshot" >/dev/null
	cp "$tmp"/mnt/block-*2 "$tmp/mnt/$snapshot"
	rm -f "$tmp"/mnt/*-1*
	btrfs balance start --full-balance "$tmp/mnt" >/dev/null 2>"$tmp/balance.err" || { cat "$tmp/balance.err"; fail "balance"; }
	btrfs scrub start -B "$tmp/mnt" >"$tmp/scrub.out" 2>&1 || { cat "$tmp/scrub.out"; fail "scrub"; }
	expect_text "$tmp/scrub.out" 'no errors found'
	image_umount
	check_clean "$image"
}

# cycle NAME PREPARE SIZE [MKFS-OPTION...]
cycle() {
	local name=$1 prepare=$2 size=$3
	shift 3
	image=$tmp/disk.img
	image_make "$image" "$size" "$@"
	[ "$prepare" = plain ] || { edit "$prepare"; }
	fragment
	edit insert 1000 "$n_items" 200
	check_items 1000 "$n_items" 1
	use first
	check_items 1000 "$n_items" 1
	edit remove 1001 $((n_items - 1)) 2
	check_items 1000 $((n_items - 1)) 2
	# The cut leaves blocks behind that only the sweep frees, so the image is clean after both.
	"$edit_tree" "$image" cut 1100 $((900 + n_items)) >/dev/null || fail "cut"
	edit sweep
	use second
	"$edit_tree" "$image" cut 0 0xffffffffffff >/dev/null || fail "cut"
	edit sweep
	check_items 0 0 1
	use third
	say "$name: done"
}

case ${1:-all} in
all)
	cycle "nodes of 16K" plain 1500M
	cycle "nodes of 4K" plain 1G -n 4096
	cycle "nodes of 64K" plain 4G -n 65536 -m single
	cycle "mixed block groups" plain 1G --mixed
	cycle "bitmaps" bitmaps 1500M
	cycle "bitmaps, nodes of 4K" bitmaps 1G -n 4096
	cycle "v1 space cache" plain 1500M -R ^free-space-tree
	cycle "not skinny" plain 1G -n 4096 -O ^skinny-metadata
	cycle "block group tree" group-tree 1500M
	if [ -n "${TORTURE:-}" ]; then
		n_items=40000
		cycle "many items" plain 30G
		cycle "many items, bitmaps" bitmaps 30G
	fi
	;;
*)
	cycle "$@"
	;;
esac
