#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Data that are where the raid stripe tree says, and noise where the profile alone says: all files as a kernel read them before the tree was made, with
# devices missing and copies bad as far as the profile goes; items that are missing or wrong are errors that name them.  No image is changed.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
need_root
need_crypt

edit() { "$IMAGE_TESTS/stripe-tree-edit.py" "$@" >"$tmp/items"; }

# fill N MKFS-OPTION...: $tmp/plain.1 to N, and what a kernel reads of them in $tmp/record
fill() {
	local n=$1
	shift
	devices_make plain "$n" "${size:-200M}" "$@"
	devices_mount plain "$tmp/mnt" rw,compress=no
	head -c 6000000 /dev/urandom >"$tmp/mnt/large"
	seq 200000 >"$tmp/mnt/text"
	mkdir "$tmp/mnt/small"
	for i in 1 3 6 12 24; do head -c $((i * 700)) /dev/urandom >"$tmp/mnt/small/$i"; done
	btrfs property set "$tmp/mnt/small" compression zstd
	seq 100000 >"$tmp/mnt/small/packed"
	sync -f "$tmp/mnt"
	head -c 9999 /dev/urandom | dd of="$tmp/mnt/large" bs=9999 seek=99 conv=notrunc status=none
	cp --reflink=always "$tmp/mnt/large" "$tmp/mnt/clone"
	sync -f "$tmp/mnt"
	devices_umount
	devices_mount plain "$tmp/mnt" ro
	record "$tmp/mnt" "$tmp/record"
	devices_umount
}

# copy NAME: the filled devices again, to edit; remembers what they are
copy() {
	local file
	rm -f "$tmp/$1".[0-9]*
	for file in "$tmp"/plain.[0-9]*; do cp --sparse=always "$file" "$tmp/$1.${file##*.}"; done
}
# Without the number of blocks, which of a file just written is not yet known.
stamps() { stat -c '%y %z' "$@"; }
remember() { stamps "$tmp/$1".[0-9]* >"$tmp/images"; name=$1; }
unchanged() { stamps "$tmp/$name".[0-9]* | cmp -s - "$tmp/images" || fail "reading changed an image"; }

expect_export() {
	rm -rf "$tmp/out.d"
	expect_status "$1" crypt export --archive dir "${others[@]}" "$image" / -o "$tmp/out.d"
}

# What resolve says of some items is where the editor put it.
expect_places() {
	local logical length devid physical
	awk 'NR % 40 == 1' "$tmp/items" | while read -r logical length devid physical; do
		crypt resolve --logical "$logical" "${others[@]}" "$image" >"$tmp/out" 2>"$tmp/err" || { cat "$tmp/err"; fail "resolve of $logical"; }
		expect_text "$tmp/out" "^copy [0-9] devid $devid physical $physical\$"
	done
}

# one TOLERATED N MKFS-OPTION...
one() {
	local tolerated=$1 n=$2 gone
	shift 2
	fill "$n" "$@"
	copy r
	edit "$tmp"/r.[0-9]*
	remember r
	devices_except r
	expect_files "$tmp/record"
	[ ! -s "$tmp/err" ] || { cat "$tmp/err"; fail "warnings"; }
	expect_export 0
	record "$tmp/out.d" "$tmp/exported"
	diff "$tmp/record" "$tmp/exported" || fail "export"
	crypt dump-tree -t raid-stripe "${others[@]}" "$image" >"$tmp/tree"
	awk '{ print "(" $1 " RAID_STRIPE " $2 ")" }' "$tmp/items" | while read -r key; do grep -qF "key $key " "$tmp/tree" || fail "no item $key"; done
	expect_places
	crypt dump-super "$image" >"$tmp/out"
	expect_text "$tmp/out" '^\s*RAID_STRIPE_TREE'
	for gone in $(seq "$tolerated"); do
		devices_except r "$gone"
		expect_files "$tmp/record"
		devices_except r "$n"
		expect_files "$tmp/record"
	done
	unchanged
	say "$*: $(wc -l <"$tmp/items") items"
}

one 1 2 -d raid1 -m raid1
# Items of older kernels.
copy r
edit --head "$tmp"/r.[0-9]*
devices_except r
expect_files "$tmp/record"
crypt dump-tree -t raid-stripe "${others[@]}" "$image" >"$tmp/tree"
expect_text "$tmp/tree" 'encoding 3'

# One copy of one item has other data: the other one is read, and the place of the bad one told.
copy r
edit --break bytes "$tmp"/r.[0-9]*
remember r
devices_except r
expect_export 0
record "$tmp/out.d" "$tmp/exported"
diff "$tmp/record" "$tmp/exported" || fail "export"
read -r devid physical < <(sed -n 's/^bad devid \([0-9]*\) physical \([0-9]*\)$/\1 \2/p' "$tmp/items")
expect_text "$tmp/err" "does not match its checksum, mirror [12] does \(devid $devid, physical $physical\)"
unchanged

# broken WHAT TEXT STATUS: what one item is wrong in
broken() {
	copy r
	edit --break "$1" "$tmp"/r.[0-9]*
	remember r
	logical=$(sed -n 's/^broken //p' "$tmp/items")
	devices_except r
	expect_export "$3"
	[ -z "$2" ] || expect_text "$tmp/err" "${2//LOGICAL/$logical}"
	record "$tmp/out.d" "$tmp/exported"
	grep -c . <(diff "$tmp/record" "$tmp/exported") >"$tmp/n" || true
	unchanged
}
broken missing 'raid stripe tree: it has no item of logical address LOGICAL' 6
[ "$(cat "$tmp/n")" -gt 0 ] || fail "a file without its item is complete"
broken length 'raid stripe tree: item of LOGICAL: its length is 0' 6
broken overlap 'raid stripe tree: item of [0-9]+: [0-9]+ bytes overlap the item of LOGICAL' 6
broken short 'raid stripe tree: item of LOGICAL: stripe extent at [0-9a-fx]+: 24 bytes|raid stripe tree: item of LOGICAL' 6
# The other copy is right.
broken devid '' 0
broken end '' 0
[ "$(cat "$tmp/n")" = 0 ] || fail "a second copy is not used"

one 0 3 -d raid0 -m raid1
broken devid 'raid stripe tree: item of LOGICAL: it has no stripe on devid [0-9]' 6
broken end 'outside the device' 6
one 1 4 -d raid10 -m raid10
one 2 3 -d raid1c3 -m raid1c3
size=400M one 0 1 -d dup -m dup
# Nobody converts it.
expect_status 9 crypt convert --encrypt -q --key-file "$tmp/record" "$tmp/r.1" /
expect_text "$tmp/err" 'raid-stripe-tree, which this version cannot convert'
