#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Power cuts on filesystems of several devices, as on one: 60 states, or CRASH_STATES of them. Each device is flushed by itself, so
# that they can be differently far. Half as many cuts again take a device with them, for good: whoever goes on without it comes to the right end, and what it has is not
# taken when it is there again. Of what a cut leaves, the kernel is given every subset of the devices: while anything may have been changed in place it mounts none,
# not even degraded; before and afterwards, whatever it mounts is whole.
. "$(dirname "$0")/../image/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
. "$(dirname "$0")/images.sh"
need_root
need_crypt

campaign=${BUILD:-$PROJECT/build}/tests/crash/campaign
[ -x "$campaign" ] || fail "$campaign does not exist: run make tools"
mkdir "$tmp/out"

crash_devices mirrored 2 160M -m raid1 -d raid1 -n 4096
crash_devices striped 3 160M -m raid1c3 -d raid0 -n 4096
crash_devices both 4 160M -m raid10 -d raid10 -n 16384
crash_devices apart 2 160M -m dup -d single -n 4096 --csum xxhash
crash_devices parity 3 160M -m raid5 -d raid5 -n 4096
crash_devices parities 4 160M -m raid6 -d raid6 -n 16384
names=(mirrored striped both apart parity parities)
images=()
for name in "${names[@]}"; do
	devices_mount "$name" "$tmp/mnt" ro
	manifest "$tmp/mnt/other" >"$tmp/$name.other"
	manifest "$tmp/mnt/target" >"$tmp/$name.target"
	devices_umount
	images+=("$(printf '%s\n' "$tmp/$name".[0-9]* | paste -sd,)")
done
say "images are ready"

"$campaign" --states "${CRASH_STATES:-60}" --jobs "$(nproc)" --seed "${CRASH_RANDOM:-1}" --export "$tmp/out" "${images[@]}" ||
	fail "what came of a power cut was wrong"
# Only where each block is on a second device; what is exported is of the campaign above.
"$campaign" --degraded --states "$(((${CRASH_STATES:-60} + 1) / 2))" --jobs "$(nproc)" --seed "${CRASH_RANDOM:-1}" "${images[0]}" "${images[2]}" ||
	fail "what came of a power cut and a lost device was wrong"
say "judged; $(find "$tmp/out" -name '*.1' | wc -l) filesystems for btrfs check and the kernel"

# The same with sectors of data that only parity has, of what is converted and of what is not: after a cut and going on they are all there.
tool rewrite
bad=()
for name in parity parities; do
	"$tmp/rewrite" -41 "$tmp/$name".[0-9]* >"$tmp/destroyed"
	bad+=("$(printf '%s\n' "$tmp/$name".[0-9]* | paste -sd,)")
done
CRASH_BAD_SECTORS=1 "$campaign" --states "$((${CRASH_STATES:-60} / 4))" --jobs "$(nproc)" --seed "${CRASH_RANDOM:-1}" "${bad[@]}" ||
	fail "what came of a power cut was wrong, where sectors were bad"

# subsets NAME FUNCTION: calls it for every subset of the devices, with the loop devices of that, and how many are missing
subsets() {
	local name=$1 each=$2 files=("$tmp/$1".[0-9]*) bits i loops
	for ((bits = 1; bits < 1 << ${#files[@]}; bits++)); do
		loops=()
		take_lock
		for ((i = 0; i < ${#files[@]}; i++)); do
			((bits >> i & 1)) || continue
			loops+=("$(losetup --find --show --read-only "${files[i]}")")
			mounts+=("$tmp/no-mount ${loops[-1]}")
		done
		$each "$((${#files[@]} - ${#loops[@]}))" "${loops[@]}"
		for i in "${loops[@]}"; do image_umount; done
	done
}

try_mount() {
	local options=ro missing=$1 loop
	shift
	[ "$missing" = 0 ] || options+=,degraded
	for loop; do options+=",device=$loop"; done
	mkdir -p "$tmp/part"
	mount -t btrfs -o "$options" "$1" "$tmp/part" 2>/dev/null || return 1
	mounts+=("$tmp/part -")
}

is_refused() {
	if try_mount "$@"; then fail "$one: mounted without $1 devices"; fi
}

is_whole() {
	try_mount "$@" || { [ "$1" -gt 0 ] || [ "$kind" = mixed ] || fail "$one: not mounted"; return 0; }
	n_mounted=$((n_mounted + 1))
	# A kernel shows what it can of data that have no other copy.
	case $1,$of in [1-9],striped|[1-9],apart) image_umount; return ;; esac
	manifest "$tmp/part/other" >"$tmp/is.other"
	manifest "$tmp/part/target" >"$tmp/is.target" 2>/dev/null || true
	image_umount
	cmp "$tmp/is.other" "$tmp/$of.other" || fail "$one: other files differ, $1 devices missing"
	[ "$kind" != plain ] || cmp "$tmp/is.target" "$tmp/$of.target" || fail "$one: the files differ, $1 devices missing"
}

n=0 n_mounted=0
for first in "$tmp"/out/*.img.1; do
	file=${first%.1}
	one=${file##*/}
	of=${one%%-*}
	kind=${one#*-}
	kind=${kind%%-*}
	for device in "$file".[0-9]*; do mv "$device" "$tmp/now.${device##*.}"; done
	case $kind in
	refused) subsets now is_refused ;;
	clean|mixed|plain|sealed)
		[ "$kind" = mixed ] || devices_check now
		subsets now is_whole ;;
	*) fail "what is $one?" ;;
	esac
	rm "$tmp"/now.*
	n=$((n + 1))
done
say "$n filesystems are what btrfs check and the kernel take them for; $n_mounted times a subset of their devices was mounted"
