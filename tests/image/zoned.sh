#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Zoned filesystems: as mkfs makes them on an ordinary device, and images of zoned devices, whose superblock is the newest of a log, in every state that
# this log can be in.  All files as a kernel read them before the image was edited to be one; older superblocks lead nowhere.  No image is changed.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
need_root
need_crypt

say "as mkfs makes it"
image_make "$tmp/made" 2G -O zoned -m single -d single
for command in "list IMAGE" "ls IMAGE /" "df IMAGE" "tree-stats IMAGE" "show IMAGE /" "dump-tree IMAGE" "export IMAGE / -o $tmp/made.tar"; do
	# shellcheck disable=SC2086
	expect_unchanged 0 "$tmp/made" crypt ${command//IMAGE/$tmp/made}
	[ "$command" = "export IMAGE / -o $tmp/made.tar" ] || [ ! -s "$tmp/err" ] || { cat "$tmp/err"; fail "warnings of $command"; }
done
crypt dump-super "$tmp/made" | grep -v '^dev_item.type' >"$tmp/ours"
btrfs inspect-internal dump-super -f -a "$tmp/made" | grep -v '^dev_item.type' >"$tmp/theirs"
diff "$tmp/theirs" "$tmp/ours" >"$tmp/diff" || { cat "$tmp/diff"; fail "dump-super differs"; }
expect_text "$tmp/ours" '\bZONED\b'
btrfs inspect-internal dump-tree "$tmp/made" | tail -n +2 >"$tmp/theirs"
crypt dump-tree "$tmp/made" | diff "$tmp/theirs" - >"$tmp/diff" || { head "$tmp/diff"; fail "dump-tree differs"; }

say "files from a kernel"
image_make "$tmp/plain" 200M -m single -d single
image_mount "$tmp/plain" "$tmp/mnt" rw,compress=no
head -c 3000000 /dev/urandom >"$tmp/mnt/large"
seq 100000 >"$tmp/mnt/text"
for i in 1 5 9; do head -c $((i * 700)) /dev/urandom >"$tmp/mnt/small $i"; done
sync -f "$tmp/mnt"
btrfs -q subvolume create "$tmp/mnt/nested"
echo inside >"$tmp/mnt/nested/file"
image_umount
image_mount "$tmp/plain" "$tmp/mnt" ro
record "$tmp/mnt" "$tmp/record.all"
grep -v nested "$tmp/record.all" >"$tmp/record"
image_umount
crypt dump-tree -t fs "$tmp/plain" | grep -v "^total bytes" >"$tmp/tree"
crypt df -b "$tmp/plain" | grep -v '^Device' >"$tmp/df"
crypt list "$tmp/plain" >"$tmp/list"

# Without the number of blocks, which of a file just written is not yet known.
stamps() { stat -c '%y %z' "$tmp/zoned.1"; }

# edit STATE: $tmp/zoned.1, and `place` of the superblock that counts
edit() {
	place=$("$IMAGE_TESTS/zoned-edit.py" "${source:-$tmp/plain}" "$tmp/zoned.1" "$1")
	stamps >"$tmp/images"
	image=$tmp/zoned.1 others=()
}
unchanged() { stamps | cmp -s - "$tmp/images" || fail "reading changed an image"; }

# expect_all [WARNING]
expect_all() {
	expect_files "$tmp/record"
	if [ $# = 0 ]; then
		[ ! -s "$tmp/err" ] || { cat "$tmp/err"; fail "warnings"; }
	else
		expect_text "$tmp/err" "$1"
	fi
	crypt dump-tree -t fs "$image" 2>/dev/null | grep -v "^total bytes" | diff "$tmp/tree" - >"$tmp/diff" || { head -20 "$tmp/diff"; fail "another tree"; }
	crypt df -b "$image" 2>/dev/null | grep -v '^Device' | diff "$tmp/df" - || fail "another df"
	crypt list "$image" 2>/dev/null | diff "$tmp/list" - || fail "another list"
	crypt dump-super "$image" >"$tmp/out" 2>/dev/null
	expect_text "$tmp/out" "^superblock: bytenr=$place, "
	expect_text "$tmp/out" '\bZONED\b'
	[ "$(grep -c '^superblock' "$tmp/out")" = 1 ] || fail "more copies than there are"
	unchanged
}

for state in one new second wrapped full emptied capacity stale; do
	edit "$state"
	expect_all
	say "$state: superblock at $place"
done
edit torn
expect_all "1 superblocks behind 0x[0-9a-f]+ in their log are damaged; this one, of generation [0-9]+, is used"

say "choosing"
sync "$image"
expect_unchanged 0 "$image" crypt ls --super 0 "$image" /
expect_unchanged 4 "$image" crypt ls --super 1 "$image" /
expect_text "$tmp/err" 'no log zones of copy 1 of the superblock'
for n in 0 1 2 3; do
	status=0
	crypt ls -R --backup-root "$n" "$tmp/plain" / >"$tmp/theirs" 2>/dev/null || status=$?
	expect_unchanged "$status" "$image" crypt ls -R --backup-root "$n" "$image" /
	cmp "$tmp/out" "$tmp/theirs" || fail "backup root $n"
done
(head -c 1048576 /dev/zero; cat "$image") >"$tmp/inside"
expect_unchanged 0 "$tmp/inside" crypt cat --image-offset 1048576 "$tmp/inside" / text
cmp -s "$tmp/out" <(seq 100000) || fail "with --image-offset"
expect_unchanged 9 "$image" crypt convert --encrypt -q --key-file "$tmp/record" "$image" nested
expect_text "$tmp/err" 'the feature zoned, which this version cannot convert'

say "what was fsynced last"
image_mount "$tmp/plain" "$tmp/mnt" rw,commit=300
echo synced >"$tmp/mnt/synced"
sync "$tmp/mnt/synced"
cp --sparse=always "$tmp/plain" "$tmp/dirty"
image_umount
source=$tmp/dirty edit second
expect_status 4 crypt cat "$image" / synced
expect_status 0 crypt cat --with-log "$image" / synced
[ "$(cat "$tmp/out")" = synced ] || fail "the log tree"
unchanged

say "nothing is left of the log but one damaged superblock"
edit one
printf x | dd of="$image" bs=1 seek=200 conv=notrunc status=none
expect_status 4 crypt ls "$image" /
