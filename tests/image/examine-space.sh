#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# df says what a mount says of block groups and devices, for several profiles and feature sets; tree-stats says what btrfs-progs say, except for the
# time that reading took.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/devices-lib.sh"
need_root
need_crypt
tool fill

# of_mount DIRECTORY: its profiles, and for each device what is not allocated, in the words of our df
of_mount() {
	btrfs filesystem df -b "$1" | grep -v '^GlobalReserve'
	btrfs filesystem usage -b "$1" | sed -n '/^Unallocated:/,$p' | sed -nE 's/^ +\/dev\/loop[0-9]+[[:space:]]+([0-9]+)$/unallocated=\1/p'
	btrfs filesystem show --raw "$1" | sed -nE 's/^\tdevid +([0-9]+) size ([0-9]+) used ([0-9]+) .*/Device \1 size=\2, allocated=\3/p'
}

# one NAME N-DEVICES MKFS-OPTION...
one() {
	local name=$1 n=$2
	shift 2
	devices_make "$name" "$n" 600M "$@"
	devices_mount "$name" "$tmp/mnt" rw
	"$tmp/fill" "$tmp/mnt" 1 inline names sizes:500000 extents:1000
	for ((i = 0; i < 1500; i++)); do printf '%0100d' "$i" >"$tmp/mnt/names/small $i"; done
	btrfs -q subvolume snapshot "$tmp/mnt" "$tmp/mnt/snapshot"
	touch "$tmp/mnt/names"/*
	devices_umount
	devices_mount "$name" "$tmp/mnt" ro
	of_mount "$tmp/mnt" | sort >"$tmp/want"
	devices_umount
	devices_except "$name"
	expect_status 0 crypt df -b "${others[@]}" "$image"
	{
		grep -vE '^(GlobalReserve|Device)' "$tmp/out"
		sed -nE 's/^Device ([0-9]+), .*: (size=[0-9]+, allocated=[0-9]+), (unallocated=[0-9]+)$/Device \1 \2\n\3/p' "$tmp/out"
	} | sort >"$tmp/have"
	[ "$(grep -c ^Device "$tmp/want")" = "$n" ] || fail "not $n devices"
	diff "$tmp/want" "$tmp/have" || fail "$name: df differs from the mount"
	say "df $name: $(wc -l <"$tmp/have") lines"
}

# Trees whose blocks are all over the place
scatter() {
	devices_mount "$1" "$tmp/mnt" rw
	for ((i = 0; i < 60; i++)); do
		touch "$tmp/mnt/names/small $((i * 24))" "$tmp/mnt/names/small $((1499 - i * 19))"
		printf x >"$tmp/mnt/new $i"
		sync
	done
	devices_umount
}

one plain 1
one single 1 -m single -n 4096
one mixed 1 -M
one scattered 1 -n 4096 -m single
scatter scattered
one raid 4 -d raid5 -m raid1c3
one striped 3 -d raid0 -m raid1
devices_except striped 2
expect_status 0 crypt df "$image" "${others[@]}"
expect_text "$tmp/out" '^Device 2, missing: size=600\.00MiB,'
rm "$tmp"/raid.* "$tmp"/striped.* "$tmp"/single.*

n=0
for name in plain mixed scattered; do
	for options in "" -b; do
		btrfs inspect-internal tree-stats $options "$tmp/$name.1" |
			sed '/Total read time/d' >"$tmp/want"
		expect_unchanged 0 "$tmp/$name.1" "$BTRFS_CRYPT" tree-stats $options "$tmp/$name.1"
		diff "$tmp/want" "$tmp/out" || fail "$name: tree-stats differs"
		n=$((n + $(wc -l <"$tmp/out")))
	done
done
grep -q 'On level 1: .*fanout' "$tmp/want" || fail "no tree has two levels"
[ "$(crypt tree-stats "$tmp/scattered.1" | grep -cE '^[[:space:]]+[0-9]+ - +[0-9]+: +[0-9]+ [#|]')" -gt 6 ] || { crypt tree-stats "$tmp/scattered.1"; fail "the histograms are too small"; }
# All seeks are in the groups of JSON.
crypt tree-stats --format json "$tmp/scattered.1" | python3 -c 'import json, sys
for line in sys.stdin:
    tree = json.loads(line)
    assert sum(int(g["seeks"]) for g in tree["seek_histogram"]) == int(tree["seeks"]), tree' || fail "seeks are missing in the histogram"
say "tree-stats: $n lines"
# A snapshot has what its source has; one tree is one object.
expect_status 0 crypt tree-stats -t 256 --format json "$tmp/plain.1"
[ "$(wc -l <"$tmp/out")" = 1 ] || fail "not one object"
expect_status 0 crypt tree-stats -t EXTENT "$tmp/plain.1"
expect_text "$tmp/out" '^Calculating size of extent tree$'
expect_status 4 crypt tree-stats -t 999 "$tmp/plain.1"
expect_status 1 crypt tree-stats -t leaves "$tmp/plain.1"
