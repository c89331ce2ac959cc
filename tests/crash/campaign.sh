#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Power cuts while sealing, unsealing and undoing either: 160 states, or CRASH_STATES of them.  From each: status, wrong key,
# resume, abort.  Two fifths as many runs are on a device that loses or changes writes, or fails.  Of the disks on the way btrfs check and the kernel see one per kind of superblock state, and some results.
. "$(dirname "$0")/../image/lib.sh"
. "$(dirname "$0")/images.sh"
need_root
need_crypt

campaign=${BUILD:-$PROJECT/build}/tests/crash/campaign eat_metadata=${BUILD:-$PROJECT/build}/tests/image/eat-metadata
[ -x "$campaign" ] && [ -x "$eat_metadata" ] || fail "$campaign does not exist: run make tools"
mkdir "$tmp/out"
head -c 32 /dev/urandom >"$tmp/vk"

crash_image "$tmp/mixed.img" 68M --mixed -n 4096
CRASH_FILES=900 crash_image "$tmp/dup.img" 114M -m dup -d single -n 4096 --csum xxhash
# without room for the crypt items: a metadata chunk is added
crash_image "$tmp/starved.img" 114M -m single -d single -n 4096
"$eat_metadata" "$tmp/starved.img" $((1 << 18)) >"$tmp/eat"
# with the journal on two mirrors
MOUNT_OPTIONS=space_cache=v1 crash_image "$tmp/large-nodes.img" 160M -m dup -d single -n 65536 --csum sha256 -R ^free-space-tree
# whose snapshots are not sealed with it: what it shares is copied
CRASH_SNAPSHOTS=2 crash_image "$tmp/copied.img" 114M -m dup -d single -n 4096
images=("$tmp/dup.img" "$tmp/mixed.img" "$tmp/starved.img" "$tmp/large-nodes.img")

# A sealed image that a kernel has gone on using: extents and leaves have moved, a snapshot was made.
crash_image "$tmp/used.img" 400M -m dup -d single -n 4096
crypt convert --encrypt -q --volume-key-file "$tmp/vk" --shared=include --recursive "$tmp/used.img" "${CRASH_SET[@]}" >"$tmp/sealing"
image_mount "$tmp/used.img" "$tmp/mnt"
btrfs -q subvolume snapshot "$tmp/mnt/target" "$tmp/mnt/later"
btrfs balance start --full-balance "$tmp/mnt" >"$tmp/balance"
image_umount
say "images are ready"

"$campaign" --states "${CRASH_STATES:-160}" --jobs "$(nproc)" --seed "${CRASH_RANDOM:-1}" --export "$tmp/out" \
	--copying "$tmp/copied.img" --used "$tmp/used.img" --key "$tmp/vk" "${images[@]}" || fail "what came of a power cut was wrong"
say "judged; $(ls "$tmp/out" | wc -l) disks for btrfs check and the kernel"

for image in "${images[@]}" "$tmp/copied.img"; do
	image_state "$image" "$(basename "$image" .img)"
done
n=0
for disk in "$tmp"/out/*.img; do
	name=$(basename "$disk" .img)
	of=${name%%-[rcps]*}
	case $name in
	*-refused-*)
		if btrfs check "$disk" >"$tmp/check.out" 2>&1; then cat "$tmp/check.out"; fail "btrfs check takes $name"; fi
		expect_no_mount "$disk" ;;
	*-clean-*)
		check_clean "$disk"
		image_mount "$disk" "$tmp/mnt" ro
		image_umount ;;
	used-*)
		check_clean "$disk" ;;
	*-plain-*)
		check_clean "$disk"
		image_state "$disk" result
		expect_same_state "$of" result ;;
	*-sealed-*)
		check_clean "$disk"
		image_mount "$disk" "$tmp/mnt" ro
		manifest "$tmp/mnt/other" >"$tmp/other"
		image_umount
		image_mount "${disk%/out/*}/$of.img" "$tmp/mnt" ro
		manifest "$tmp/mnt/other" | diff - "$tmp/other" >"$tmp/diff" || { head -5 "$tmp/diff"; fail "$name: other files differ"; }
		image_umount ;;
	*) fail "what is $name?" ;;
	esac
	n=$((n + 1))
	rm "$disk"
done
say "$n disks are what btrfs check and the kernel take them for"
