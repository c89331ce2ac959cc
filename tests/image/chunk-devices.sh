#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sealing with full metadata block groups on several devices: a chunk of the same profile is added on the devices where a kernel would put it. The kernel uses it,
# scrubs and balances it, and what was sealed is opened again.
# chunk-devices.sh [PART-OF-A-ROW]...: only these rows
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
need_root
need_crypt

# name | devices | size of each | stripes of the new chunk | mkfs options
rows="
raid1      | 3 | 160M | 2 | -m raid1 -d single -n 4096
raid10     | 4 | 300M | 4 | -m raid10 -d raid10
raid1c3    | 3 | 330M | 3 | -m raid1c3 -d single -n 4096
"
[ -z "${TORTURE:-}" ] || rows+="
single     | 2 | 160M | 1 | -m single -d single -n 4096
dup        | 2 | 300M | 2 | -m dup -d single -n 4096
raid0      | 3 | 300M | 3 | -m raid0 -d raid0 -n 4096
raid1c4    | 4 | 600M | 4 | -m raid1c4 -d single -n 4096
mixed      | 2 | 160M | 2 | --mixed -m raid1 -d raid1 -n 4096
v1-cache   | 2 | 160M | 2 | -m raid1 -d raid1 -n 4096 -R ^free-space-tree
"

eat_metadata=${BUILD:-$PROJECT/build}/tests/image/eat-metadata
[ -x "$eat_metadata" ] || fail "$eat_metadata does not exist: run make tools"
tool fill

# sums NAME: of the files of both subvolumes
sums() {
	devices_mount d "$tmp/mnt" ro
	record "$tmp/mnt/target" "$tmp/$1.target"
	record "$tmp/mnt/other" "$tmp/$1.other"
	devices_umount
}

new_keys
key=(--volume-key-file "$tmp/vk")
while IFS='|' read -r name n size stripes options; do
	name=${name// }
	[ -n "$name" ] || continue
	if [ $# -gt 0 ]; then
		for part; do [[ $name == *"$part"* ]] && break; done
		[[ $name == *"$part"* ]] || continue
	fi
	# shellcheck disable=SC2086
	devices_make d "${n// }" "${size// }" $options
	devices_mount d "$tmp/mnt"
	btrfs -q subvolume create "$tmp/mnt/target"
	btrfs -q subvolume create "$tmp/mnt/other"
	"$tmp/fill" "$tmp/mnt/target" "$SEED" inline symlinks sizes:70000 extents:24 compressed
	"$tmp/fill" "$tmp/mnt/other" "$OTHER_SEED" inline sizes:70000
	devices_umount
	sums before
	devices_except d
	"$eat_metadata" "$image" $((1 << 18)) "$tmp"/d.[2-9] >"$tmp/eat" 2>&1 || { cat "$tmp/eat"; fail "eat-metadata"; }
	devices_check d

	crypt convert --encrypt -q "${key[@]}" "${others[@]}" "$image" target >"$tmp/sealing"
	expect_text "$tmp/sealing" '^new metadata chunk: 1, [0-9.]+MiB \([0-9]+ bytes\)$'
	"$BTRFS_CRYPT" dump-tree "${others[@]}" -t chunk "$image" >"$tmp/chunks"
	# its stripes are on as many devices, of which each says in its superblock what the chunk tree says
	[ "$(grep -oE 'num_stripes [0-9]+' "$tmp/chunks" | tail -1)" = "num_stripes ${stripes// }" ] ||
		{ tail -20 "$tmp/chunks"; fail "$name: the last chunk has other stripes"; }
	for file in "$tmp"/d.[0-9]*; do
		"$BTRFS_CRYPT" dump-super "$file" >"$tmp/super"
		used=$(awk '$1 == "dev_item.bytes_used" { print $2 }' "$tmp/super" | sort -u)
		grep -qE "devid ${file##*.} total_bytes [0-9]+ bytes_used $used\$" "$tmp/chunks" || fail "$name: $file says $used bytes are used"
	done
	devices_check d

	# a kernel uses it: the sealed files stay as they are
	devices_mount d "$tmp/mnt"
	"$tmp/fill" "$tmp/mnt/other" 99 bulk:2000000
	btrfs scrub start -B "$tmp/mnt" >"$tmp/scrub"
	expect_text "$tmp/scrub" 'no errors found'
	btrfs balance start --full-balance "$tmp/mnt" >"$tmp/balance"
	expect_text "$tmp/balance" 'Done, had to relocate [1-9]'
	rm -r "$tmp/mnt/other/bulk"* 2>/dev/null || true
	devices_umount
	devices_check d

	devices_except d
	crypt convert --decrypt -q "${key[@]}" "${others[@]}" "$image" target >"$tmp/opening"
	devices_check d
	sums after
	cmp "$tmp/before.target" "$tmp/after.target" || fail "$name: target is not as before"
	say "$name: sealed, used, opened"
done <<<"$rows"
