#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Filesystems of several devices, each profile, with every set of devices missing that the profile tolerates: all files as the kernel wrote them,
# the same trees; one device more missing is an error that names it.  No image is changed.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
need_root
need_crypt

# fill_devices NAME: files of all kinds of extents
fill_devices() {
	devices_mount "$1" "$tmp/mnt" rw,compress=no
	head -c 5000000 /dev/urandom >"$tmp/mnt/large"
	seq 200000 >"$tmp/mnt/text"
	mkdir "$tmp/mnt/small"
	for i in 1 5; do head -c $((i * 700)) /dev/urandom >"$tmp/mnt/small/$i"; done
	mkdir "$tmp/mnt/many"
	for i in $(seq 500); do : >"$tmp/mnt/many/a name that takes some room in a leaf of the tree $i"; done
	sync -f "$tmp/mnt"
	btrfs property set "$tmp/mnt/small" compression zstd
	seq 100000 >"$tmp/mnt/small/packed"
	# A partial overwrite, so that an extent is used from its middle.
	head -c 9999 /dev/urandom | dd of="$tmp/mnt/large" bs=9999 seek=99 conv=notrunc status=none
	sync -f "$tmp/mnt"
	(cd "$tmp/mnt" && find . -type f -not -path './many/*' -printf '%P\0' | sort -z | xargs -0 sha256sum) >"$tmp/record"
	devices_umount
	written "$tmp/$1".[0-9]* >"$tmp/images"
}

# expect_all: files and trees, from what devices_except chose
expect_all() {
	expect_files "$tmp/record"
	crypt dump-tree -t 5 "${others[@]}" "$image" >"$tmp/tree" 2>"$tmp/err" || { cat "$tmp/err"; fail "dump-tree of $image ${others[*]}"; }
	[ -e "$tmp/tree.full" ] || cp "$tmp/tree" "$tmp/tree.full"
	cmp -s "$tmp/tree" "$tmp/tree.full" || fail "other trees from $image ${others[*]}"
}

# sets N K: every K of 1..N, one set a line
sets() {
	python3 -c 'import itertools, sys
for s in itertools.combinations(range(1, int(sys.argv[1]) + 1), int(sys.argv[2])): print(*s)' "$1" "$2"
}

# one N TOLERATED MKFS-OPTION...: TOLERATED is a number, or "pairs" for those of RAID10
one() {
	local n=$1 tolerated=$2 k missing count=0
	shift 2
	rm -f "$tmp/tree.full"
	devices_make r "$n" 160M "$@"
	fill_devices r
	for ((k = 0; k <= n; k++)); do
		[ "$k" -le "$tolerated" ] || break
		while read -r missing; do
			# shellcheck disable=SC2086
			devices_except r $missing
			expect_all
			for i in $missing; do
				expect_text "$tmp/err" "devid $i \(uuid [0-9a-f-]{36}\) is missing"
			done
			count=$((count + 1))
		done < <(sets "$n" "$k")
	done
	# The order of devices does not matter.
	others=() image=$tmp/r.$n
	for ((i = 1; i < n; i++)); do others+=(--device "$tmp/r.$i"); done
	expect_files "$tmp/record"
	# One too many.
	if [ "$((tolerated + 1))" -lt "$n" ]; then
		# shellcheck disable=SC2046
		devices_except r $(seq $((tolerated + 1)))
		expect_status 6 crypt cat "${others[@]}" "$image" / large
		expect_text "$tmp/err" 'devid [0-9]+ is missing'
	fi
	written "$tmp/r".[0-9]* | cmp -s - "$tmp/images" || fail "reading changed an image"
	say "$*: $count sets of devices"
}

one 3 0 -d raid0 -m raid0
one 2 1 -d raid1 -m raid1
one 3 0 -d single -m raid1c3
one 4 3 -d raid1c4 -m raid1c4
one 3 2 -d raid1c3 -m raid1c3 --csum xxhash
one 4 1 -d raid10 -m raid10
one 2 1 -d raid5 -m raid5
one 4 1 -d raid5 -m raid1
one 3 1 -d raid5 -m raid5 -n 65536 --csum sha256
one 3 2 -d raid6 -m raid6
one 4 2 -d raid6 -m raid1c3
