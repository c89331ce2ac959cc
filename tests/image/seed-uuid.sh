#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A filesystem whose uuid was changed without writing its trees again, and one that grew from a seed, also in two steps: the fsid in
# tree blocks is not that of the superblock.  A seed alone is a filesystem; without it, what was on it is missing by name.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
need_root
need_crypt
command -v btrfstune >/dev/null || skip "needs btrfstune"

# fill NAME: three files of that name
fill_some() {
	head -c 400000 /dev/urandom >"$tmp/mnt/$1"
	seq 3000 >"$tmp/mnt/$1.text"
	for i in $(seq 150); do echo "$1" >"$tmp/mnt/a file of $1 with a name that fills leaves $i"; done
}
some_files() { (cd "$tmp/mnt" && sha256sum -- $(ls | grep -v ' ')) >"$tmp/record"; }

# tune NAME OPTION...: btrfstune of the first device, while all are attached
tune() {
	local name=$1 file loops=()
	shift
	for file in "$tmp/$name".[0-9]*; do
		loops+=("$(losetup --find --show "$file")")
		mounts+=("$tmp/no-mount ${loops[-1]}")
	done
	btrfs device scan "${loops[@]}" >/dev/null
	btrfstune "$@" "${loops[-1]}" 2>"$tmp/tune.err" || { cat "$tmp/tune.err"; fail "btrfstune $*"; }
	for file in "${loops[@]}"; do image_umount; done
}

say "metadata_uuid"
image=$tmp/m.img others=()
image_make "$image" 150M
image_mount "$image" "$tmp/mnt"
fill_some before
image_umount
btrfstune -m "$image" 2>/dev/null
image_mount "$image" "$tmp/mnt"
fill_some after
some_files
image_umount
btrfs inspect-internal dump-super "$image" | grep METADATA_UUID >/dev/null || fail "the image has no metadata_uuid"
expect_files "$tmp/record"
expect_status 0 crypt ls "$image" /
[ "$(wc -l <"$tmp/out")" = 304 ] || fail "304 names expected"
[ ! -s "$tmp/err" ] || fail "warnings"

say "metadata_uuid of two devices"
devices_make two 2 150M -d raid1 -m raid1
tune two -m
devices_mount two "$tmp/mnt"
fill_some two
some_files
devices_umount
btrfs inspect-internal dump-super "$tmp/two.2" | grep METADATA_UUID >/dev/null || fail "the second device has no metadata_uuid"
devices_except two
expect_files "$tmp/record"

say "a seed, and what grew from it"
image_make "$tmp/s.1" 150M -m dup
image_mount "$tmp/s.1" "$tmp/mnt"
fill_some seed
image_umount
btrfstune -S 1 "$tmp/s.1" 2>/dev/null
image_mount "$tmp/s.1" "$tmp/mnt" ro
some_files
image_umount
image=$tmp/s.1 others=()
expect_files "$tmp/record"
# grow NAME N: mounts the seeds, adds device N, and fills it
grow() {
	local name=$1 n=$2 loop
	truncate -s 200M "$tmp/new"
	loop=$(losetup --find --show "$tmp/new")
	mounts+=("$tmp/no-mount $loop")
	devices_mount "$name" "$tmp/mnt" ro
	btrfs -q device add -f "$loop" "$tmp/mnt"
	mount -o remount,rw "$tmp/mnt"
	fill_some "sprout-$n"
	echo changed >>"$tmp/mnt/seed.text"
	sync -f "$tmp/mnt"
	some_files
	devices_umount
	image_umount
	mv "$tmp/new" "$tmp/$name.$n"
}
grow s 2
for first in 1 2; do
	image=$tmp/s.$first others=(--device "$tmp/s.$((3 - first))")
	expect_files "$tmp/record"
	[ ! -s "$tmp/err" ] || { cat "$tmp/err"; fail "warnings"; }
done
cp "$tmp/record" "$tmp/record-of-two"
expect_status 6 crypt cat "$tmp/s.2" / seed
expect_text "$tmp/err" 'devid 1 \(uuid [0-9a-f-]{36}, a seed of the filesystem [0-9a-f-]{36}\) is missing'
# The seed alone is as it was.
image=$tmp/s.1 others=()
expect_status 0 crypt ls "$image" /
[ "$(wc -l <"$tmp/out")" = 152 ] || fail "152 names expected of the seed"

say "a seed that grew from a seed"
mkdir "$tmp/kept"
cp --sparse=always "$tmp/s.2" "$tmp/kept"
tune s -S 1
grow s 3
devices_except s
expect_files "$tmp/record"
[ ! -s "$tmp/err" ] || { cat "$tmp/err"; fail "warnings"; }
devices_except s 1
expect_status 6 crypt cat "${others[@]}" "$image" / seed
rm "$tmp/s.3"
cp --sparse=always "$tmp/kept/s.2" "$tmp/s.2"
image=$tmp/s.2 others=(--device "$tmp/s.1")
expect_files "$tmp/record-of-two"

say "a seed of another filesystem"
image_make "$tmp/alien" 150M
btrfstune -S 1 "$tmp/alien" 2>/dev/null
expect_status 9 crypt list --device "$tmp/s.1" --device "$tmp/alien" "$tmp/s.2"
# devid 1 of both
expect_text "$tmp/err" 'alien: is a seed of the filesystem [0-9a-f-]{36}, but not of that on .*s\.2'
head -c 32 /dev/urandom >"$tmp/vk"
expect_unchanged 9 "$tmp/s.1" crypt convert --encrypt -q --volume-key-file "$tmp/vk" "$tmp/s.1" /
expect_text "$tmp/err" 'seed device'
