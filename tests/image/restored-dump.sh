#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An image that btrfs-image restored has metadata and no data. Names and inodes are as they were. Data, including those in trees and the targets of
# links, are reported as absent, and nothing is called damaged.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
tool fill
command -v btrfs-image >/dev/null || skip "needs btrfs-image"

image_make "$tmp/from.img" 200M -m dup
image_mount "$tmp/from.img" "$tmp/mnt" rw,noatime
"$tmp/fill" "$tmp/mnt" 1 sizes:100000 inline symlinks names xattrs nocow:1 holes:300000
image_umount
btrfs-image "$tmp/from.img" "$tmp/dump"
image=$tmp/restored.img
btrfs-image -r "$tmp/dump" "$image"
WARNING='warning(":"|: )the image was restored from a btrfs-image dump: its metadata are here, its data are not'

for command in "ls -lR" "ls -lR --format json" "list" "df"; do
	operand=/
	case $command in list | df) operand= ;; esac
	# shellcheck disable=SC2086
	expect_status 0 crypt $command "$tmp/from.img" $operand
	sed -E 's/ -> .*//; s/,"target(_hex)?":"[^"]*"//g' "$tmp/out" >"$tmp/want"
	# shellcheck disable=SC2086
	expect_unchanged 0 "$image" crypt $command "$image" $operand
	[ "$command" = df ] || cmp "$tmp/want" "$tmp/out" || fail "$command differs from that of the filesystem it was made of"
	expect_text "$tmp/err" "$WARNING"
done
for path in sizes/4097 nocow/plain sizes/512; do
	expect_unchanged 9 "$image" crypt cat "$image" / $path
	expect_text "$tmp/err" "cat: note: $path: not [a-z]+: the image was restored from a btrfs-image dump, which has no data\$"
done
expect_unchanged 9 "$image" crypt export "$image" / -o "$tmp/out.tar" --report "$tmp/report"
expect_text "$tmp/err" 'note: nocow/plain: not exported: the image was restored from a btrfs-image dump|note: sizes/[0-9]+: not exported: the image was'
expect_text "$tmp/err" 'failed: 0, damaged: 0, incomplete: 0 files'
expect_text "$tmp/err" '[0-9]+ entries were left out: the image was restored from a btrfs-image dump, which has no data$'
[ "$(grep -c '"finding":"refused"' "$tmp/report")" -gt 10 ] || fail "the report has no list"
tar -tf "$tmp/out.tar" | grep -x 'holes/only' >/dev/null || fail "a file of one hole needs no data"
! tar -tf "$tmp/out.tar" | grep -x 'sizes/512' >/dev/null || fail "an inline file was exported"
expect_unchanged 0 "$image" crypt convert --status "$image"
expect_text "$tmp/out" '^no unfinished conversion$'
head -c 32 /dev/urandom >"$tmp/vk"
expect_unchanged 9 "$image" crypt convert --encrypt -q --volume-key-file "$tmp/vk" "$image" /
expect_text "$tmp/err" 'a btrfs-image dump: its metadata are rewritten and its data are missing'
