#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sealing with full metadata block groups: a chunk is added if the device has room, and nothing is changed if it has none. The full cycle with stock
# kernels on each form of filesystem.
# chunk-alloc.sh [PART-OF-A-ROW]...: only these rows
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt

# name | size | mount options | mkfs options
rows="
dup-16k-all        | 400M |                | -m dup -d single
single-4k-sha256   | 200M |                | --csum sha256 -n 4096 -m single -d single
mixed              | 200M |                | --mixed -m single -d single
mixed-dup          | 500M |                | --mixed -m dup -d dup
v1-cache-4k        | 200M | space_cache=v1 | -n 4096 -m single -d single -R ^free-space-tree
old-64k            | 800M | nospace_cache  | -n 64K -m dup -d single -O ^no-holes,^skinny-metadata -R ^free-space-tree
"

eat_metadata=${BUILD:-$PROJECT/build}/tests/image/eat-metadata
[ -x "$eat_metadata" ] || fail "$eat_metadata does not exist: run make tools"

# starve IMAGE: almost no tree block is left
starve() {
	"$eat_metadata" "$1" $((1 << 18)) >"$tmp/eat" 2>&1 || { cat "$tmp/eat"; fail "eat-metadata"; }
}

# make_small IMAGE: less than make_content, where the whole cycle is not gone through
make_small() {
	tool fill
	image_mount "$1" "$tmp/mnt" "rw,noatime${MOUNT_OPTIONS:+,$MOUNT_OPTIONS}"
	btrfs -q subvolume create "$tmp/mnt/target"
	btrfs -q subvolume create "$tmp/mnt/other"
	"$tmp/fill" "$tmp/mnt/target" "$SEED" inline symlinks sizes:70000 extents:24 compressed
	"$tmp/fill" "$tmp/mnt/other" "$OTHER_SEED" inline sizes:70000
	sync -f "$tmp/mnt"
	btrfs -q subvolume snapshot -r "$tmp/mnt/target" "$tmp/mnt/target-snap"
	image_umount
}

n_chunks() { btrfs inspect-internal dump-tree -t chunk "$1" | grep -cE 'type (DATA\|)?METADATA'; }

# expect_one_more IMAGE: metadata chunks than $n_before, and clean
expect_one_more() {
	[ "$(n_chunks "$1")" = $((n_before + 1)) ] || fail "there were $n_before metadata chunks, now $(n_chunks "$1")"
	check_clean "$1"
}

# use_image IMAGE: what a kernel does with chunks
use_image() {
	image_mount "$1" "$tmp/mnt" "rw,noatime${MOUNT_OPTIONS:+,$MOUNT_OPTIONS}"
	"$tmp/fill" "$tmp/mnt/other" 99 bulk:2000000
	btrfs scrub start -B "$tmp/mnt" >"$tmp/scrub"
	expect_text "$tmp/scrub" 'no errors found'
	btrfs balance start --full-balance "$tmp/mnt" >"$tmp/balance"
	expect_text "$tmp/balance" 'Done, had to relocate [1-9]'
	image_umount
	check_clean "$1"
}

# target_state NAME
target_state() {
	image_mount "$image" "$tmp/mnt" ro
	manifest "$tmp/mnt/target" >"$tmp/$1.manifest"
	image_umount
}

new_keys
key=(--volume-key-file "$tmp/vk")
while IFS='|' read -r name size mount options; do
	name=${name// }
	[ -n "$name" ] || continue
	if [ $# -gt 0 ]; then
		for part; do [[ $name == *"$part"* ]] && break; done
		[[ $name == *"$part"* ]] || continue
	fi
	image=$tmp/disk.img size=${size// } MOUNT_OPTIONS=${mount// }
	# shellcheck disable=SC2086
	image_make "$image" "$size" $options
	case $name in *-all) make_content "$image" 300000 ;; *) make_small "$image"; SET=(target target-snap) ;; esac

	cp --sparse=always "$image" "$tmp/copy.img"
	fill_device "$tmp/copy.img"
	starve "$tmp/copy.img"
	expect_unchanged 10 "$tmp/copy.img" crypt convert --encrypt -q "${key[@]}" --recursive "$tmp/copy.img" "${SET[@]}"
	expect_text "$tmp/err" 'metadata: [0-9]+ bytes needed, [0-9]+ available \(.*\), new chunks could hold [0-9]+ of the [0-9]+'
	expect_unchanged 10 "$tmp/copy.img" crypt convert --encrypt --dry-run --recursive "$tmp/copy.img" "${SET[@]}"
	rm "$tmp/copy.img"
	say "$name: refused on a full device"

	starve "$image"
	check_clean "$image"
	expect_unchanged 0 "$image" crypt convert --encrypt --dry-run --recursive "$image" "${SET[@]}"
	expect_text "$tmp/out" '^metadata needed: .*bytes\)?, available: .*bytes\)?$'
	expect_text "$tmp/out" '^new metadata chunk: 1, [0-9.]+MiB \([0-9]+ bytes\)$'
	expect_unchanged 0 "$image" crypt convert --encrypt --dry-run --format json --recursive "$image" "${SET[@]}"
	expect_text "$tmp/out" '"new_metadata_chunks":"1","new_metadata_bytes":"[0-9]+"'

	if [[ $name = *-all ]]; then
		full_cycle "$image" aes-256-gcm "${key[@]}"
		continue
	fi
	n_before=$(n_chunks "$image")
	target_state before
	crypt convert --encrypt -q "${key[@]}" --recursive "$image" "${SET[@]}" >"$tmp/sealing"
	expect_text "$tmp/sealing" '^new metadata chunk: 1, [0-9.]+MiB \([0-9]+ bytes\)$'
	expect_one_more "$image"
	cp --sparse=always "$image" "$tmp/copy.img"
	use_image "$tmp/copy.img"
	expect_unchanged 0 "$tmp/copy.img" crypt verify "${key[@]}" "$tmp/copy.img" target
	rm "$tmp/copy.img"
	# the chunk stays, and a kernel can live with it, as it could before
	crypt convert --decrypt -q "${key[@]}" "$image" target >"$tmp/opening"
	expect_one_more "$image"
	target_state after
	diff "$tmp/before.manifest" "$tmp/after.manifest" >"$tmp/state.diff" || { head -20 "$tmp/state.diff"; fail "target is not as before"; }
	[ -z "${TORTURE:-}" ] || use_image "$image"
	say "$name: sealed, used, opened"
done <<<"$rows"
