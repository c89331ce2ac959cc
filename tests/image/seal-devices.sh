#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Filesystems of several devices: sealed, used by a kernel (balanced to other profiles, devices added, replaced, resized and removed), unsealed, and all as it was.
# Whoever goes on may name the devices in another order. What is missing, old, named twice or read-only is refused, and nothing is changed.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
need_root
need_crypt
tool fill signal-when
head -c 32 /dev/urandom >"$tmp/vk"
KEY=(--volume-key-file "$tmp/vk")

fill_devices() {
	devices_mount "$1" "$tmp/mnt" rw,noatime
	btrfs -q subvolume create "$tmp/mnt/target"
	btrfs -q subvolume create "$tmp/mnt/other"
	"$tmp/fill" "$tmp/mnt/target" 77 sizes:3000000 inline compressed holes prealloc nocow reflinks extents:60 symlinks xattrs
	"$tmp/fill" "$tmp/mnt/other" 78 sizes:200000 inline extents:8
	cp "$tmp/mnt/target/sizes/524288" "$tmp/inside"
	cp "$tmp/mnt/other/sizes/131073" "$tmp/outside"
	devices_umount
	state "$1" before
}

# state NAME WHAT: what a kernel shows
state() {
	devices_mount "$1" "$tmp/mnt" ro
	(cd "$tmp/mnt" && manifest target) >"$tmp/$2.target"
	(cd "$tmp/mnt" && manifest other) >"$tmp/$2.other"
	subvolumes "$tmp/mnt" | grep -v later >"$tmp/$2.subvolumes"
	devices_umount
}

other_is_as_before() { (cd "$tmp/mnt" && manifest other) | cmp - "$tmp/before.other" || fail "other files differ"; }
in_order() { devices_except "$1"; }
turned_round() {
	local all i
	devices_except "$1"
	all=("$image")
	for ((i = 1; i < ${#others[@]}; i += 2)); do all=("${others[i]}" "${all[@]}"); done
	image=${all[0]} others=()
	for i in "${all[@]:1}"; do others+=(--device "$i"); done
}

unseal() {
	turned_round "$1"
	expect_status 0 crypt verify "${KEY[@]}" "${others[@]}" "$image" target
	expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "${others[@]}" "$image" target
	devices_check "$1"
	state "$1" after
	for what in target other subvolumes; do
		cmp "$tmp/before.$what" "$tmp/after.$what" || fail "$1: $what is not as it was"
	done
}

# one NAME N MKFS-OPTIONS KERNEL-COMMAND
one() {
	say "--- $1: $3"
	gone=()
	# shellcheck disable=SC2086
	devices_make "$1" "$2" 300M $3
	fill_devices "$1"
	in_order "$1"
	expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "${others[@]}" "$image" target
	devices_check "$1"
	devices_mount "$1" "$tmp/mnt" rw
	other_is_as_before
	btrfs -q subvolume snapshot "$tmp/mnt/target" "$tmp/mnt/later"
	$4 "$1"
	btrfs scrub start -B "$tmp/mnt" >"$tmp/scrub" || { cat "$tmp/scrub"; fail "scrub"; }
	grep -q 'no errors found' "$tmp/scrub" || { cat "$tmp/scrub"; fail "scrub"; }
	other_is_as_before
	devices_umount
	rm -f "${gone[@]}"
	unseal "$1"
	rm "$tmp/$1".[0-9]*
}

# Another file for the filesystem that is mounted: as $loop
attach() {
	truncate -s "${2:-300M}" "$tmp/$1"
	loop=$(losetup --find --show "$tmp/$1")
	mounts=("${mounts[@]:0:${#mounts[@]}-1}" "$tmp/no-mount $loop" "${mounts[-1]}")
	n_attached=$((n_attached + 1))
}
device_of() { losetup --noheadings --output NAME --associated "$tmp/$1"; }

to_single() { btrfs balance start -f -dconvert=single -mconvert=single "$tmp/mnt" >/dev/null; }
to_mirrors() { btrfs balance start -f -dconvert=raid1 -mconvert=raid1 "$tmp/mnt" >/dev/null; }
other_devices() {
	attach "$1.3"
	btrfs -q device add -K "$loop" "$tmp/mnt"
	btrfs -q device remove "$(device_of "$1.2")" "$tmp/mnt"
	attach "$1.4"
	btrfs -q replace start -BK "$(device_of "$1.1")" "$loop" "$tmp/mnt"
	btrfs -q filesystem resize 3:280M "$tmp/mnt"
	gone=("$tmp/$1.1" "$tmp/$1.2")
}

one mirrored 2 "-m raid1 -d raid1 -n 4096" other_devices
one striped 3 "-m raid1c3 -d raid0" to_mirrors
one both 4 "-m raid10 -d raid10" to_single
one apart 2 "-m dup -d single --csum blake2" to_mirrors

say "--- killed in the middle, and gone on with in another order"
devices_make r 3 200M -m raid1c3 -d raid1
fill_devices r
in_order r
for goal in --resume --abort; do
	expect_status 137 "$tmp/signal-when" KILL wrote:30000000 "$BTRFS_CRYPT" convert --encrypt -q "${KEY[@]}" "${others[@]}" "$image" target
	turned_round r
	expect_status 7 crypt convert --status "${others[@]}" "$image"
	expect_text "$tmp/out" '^operation: +encrypt'
	expect_text "$tmp/out" "convert --resume .*r\.3 --device=.*r\.2 --device=.*r\.1"
	expect_status 7 crypt convert --encrypt -q "${KEY[@]}" "${others[@]}" "$image" target
	expect_status 0 crypt cat "${others[@]}" "$image" other sizes/131073
	cmp "$tmp/out" "$tmp/outside" || fail "other bytes outside"
	expect_status 0 crypt cat "${KEY[@]}" "${others[@]}" "$image" target sizes/524288
	cmp "$tmp/out" "$tmp/inside" || fail "other bytes inside"
	devices_except r 2
	for dry in --resume --abort; do
		expect_devices_unchanged 9 r crypt convert "$dry" -q "${KEY[@]}" "${others[@]}" "$image"
		expect_text "$tmp/err" 'the filesystem has 3 devices, 2 given, and all of them are written to'
	done
	turned_round r
	expect_status 0 crypt convert "$goal" -q "${KEY[@]}" "${others[@]}" "$image"
	[ "$goal" = --abort ] || expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "${others[@]}" "$image" target
	in_order r
done
state r after
for what in target other subvolumes; do cmp "$tmp/before.$what" "$tmp/after.$what" || fail "$what is not as it was"; done

say "--- refused, with nothing changed"
refused() {
	local text=$1
	shift
	for dry in "" --dry-run; do
		# shellcheck disable=SC2086
		expect_devices_unchanged 9 r crypt convert --encrypt -q $dry "${KEY[@]}" "$@" target
		expect_text "$tmp/err" "$text"
	done
}
in_order r
ln -s "$tmp/r.1" "$tmp/link"
refused 'link: is the same device as .*r\.1' "${others[@]}" --device "$tmp/link" "$image"
refused 'the filesystem has 3 devices, 2 given' --device "$tmp/r.2" "$image"
cp --sparse=always "$tmp/r.2" "$tmp/copy"
refused 'copy: is devid 2 of the filesystem, and so is .*r\.2' "${others[@]}" --device "$tmp/copy" "$image"
loop=$(losetup --find --show --read-only "$tmp/r.2")
mounts+=("$tmp/no-mount $loop")
expect_devices_unchanged 11 r crypt convert --encrypt -q "${KEY[@]}" "$image" --device "$loop" --device "$tmp/r.3" target
expect_text "$tmp/err" "$loop: cannot open for writing: Read-only file system"
image_umount
devices_mount r "$tmp/mnt" rw
expect_devices_unchanged 5 r crypt convert --encrypt -q "${KEY[@]}" "${others[@]}" "$image" target
devices_umount

# degraded NAME I: a kernel writes to this device alone
degraded() {
	mkdir -p "$tmp/one"
	ln -f "$tmp/$1.$2" "$tmp/one/now"
	image_mount "$tmp/one/now" "$tmp/mnt" rw,degraded
	touch "$tmp/mnt/other/later"
	image_umount
}

say "--- one device has missed a commit"
devices_make s 2 400M -m raid1 -d raid1
fill_devices s
for i in 1 2; do cp --sparse=always "$tmp/s.$i" "$tmp/found.$i"; done
degraded s 1
for first in in_order turned_round; do
	$first s
	expect_devices_unchanged 9 s crypt convert --encrypt -q "${KEY[@]}" "${others[@]}" "$image" target
	expect_text "$tmp/err" 's\.2: devid 2 was missing when the filesystem was last written to'
done

say "--- or was marked when a kernel mounted the other one"
for i in 1 2; do cp --sparse=always "$tmp/found.$i" "$tmp/s.$i"; done
in_order s
expect_status 137 "$tmp/signal-when" KILL wrote:30000000 "$BTRFS_CRYPT" convert --encrypt -q "${KEY[@]}" "${others[@]}" "$image" target
# Nothing but the superblocks of the second device: so far a power cut in the beginning can have come.
for at in 65536 67108864; do
	dd if="$tmp/s.2" of="$tmp/found.2" bs=4096 count=1 skip=$((at / 4096)) seek=$((at / 4096)) conv=notrunc status=none
done
for i in 1 2; do mv "$tmp/found.$i" "$tmp/s.$i"; done
degraded s 1
for first in in_order turned_round; do
	$first s
	for goal in --resume --abort; do
		expect_devices_unchanged 12 s crypt convert "$goal" -q "${KEY[@]}" "${others[@]}" "$image"
		expect_text "$tmp/err" 's\.2: devid 2 records an unfinished conversion, but .*s\.1 is of a later commit'
	done
done
# What the hint says works.
devices_mount s "$tmp/mnt" rw
btrfs scrub start -B "$tmp/mnt" >"$tmp/scrub"
devices_umount
in_order s
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "${others[@]}" "$image" target
devices_check s

devices_mount s "$tmp/mnt" ro
(cd "$tmp/mnt" && manifest other) >"$tmp/later.other"
devices_umount

say "--- a device is lost in the middle"
for i in 1 2; do cp --sparse=always "$tmp/s.$i" "$tmp/found.$i"; done
for goal in --resume --abort; do
	for lost in 1 2; do
		for i in 1 2; do cp --sparse=always "$tmp/found.$i" "$tmp/s.$i"; done
		in_order s
		expect_status 137 "$tmp/signal-when" KILL wrote:30000000 "$BTRFS_CRYPT" convert --decrypt -q "${KEY[@]}" "${others[@]}" "$image" target
		devices_except s "$lost"
		how=("$goal")
		[ "$goal" = --abort ] || how+=(--decrypt)
		expect_status 9 crypt convert "${how[@]}" -q "${KEY[@]}" "$image"
		expect_text "$tmp/err" 'hint: name the others with --device; if one was lost, --degraded goes on without it'
		expect_status 0 crypt convert "${how[@]}" --degraded -q "${KEY[@]}" "$image"
		expect_text "$tmp/err" "warning: devid $lost \\(uuid [0-9a-f-]{36}\\) is missing, and too old now: wipe it"
		in_order s
		for again in --resume --abort; do
			expect_devices_unchanged 12 s crypt convert "$again" -q "${KEY[@]}" "${others[@]}" "$image"
			expect_text "$tmp/err" 'do not say the same about a conversion: one of these devices was missing when it went on'
		done
		mv "$tmp/s.$lost" "$tmp/lost"
		devices_mount s "$tmp/mnt" rw,degraded
		btrfs scrub start -B "$tmp/mnt" >"$tmp/scrub" || { cat "$tmp/scrub"; fail "scrub"; }
		(cd "$tmp/mnt" && manifest other) | cmp - "$tmp/later.other" || fail "other files differ"
		[ "$goal" = --abort ] || (cd "$tmp/mnt" && manifest target) | cmp - "$tmp/before.target" || fail "not as before"
		wipefs --quiet --all "$tmp/lost"
		attach s.3 400M
		btrfs -q replace start -BK "$lost" "$loop" "$tmp/mnt"
		btrfs balance start -f -dconvert=raid1,soft -mconvert=raid1,soft "$tmp/mnt" >/dev/null
		devices_umount
		devices_check s
		if [ "$goal" = --abort ]; then
			in_order s
			expect_status 0 crypt verify "${KEY[@]}" "${others[@]}" "$image" target
		fi
		rm -f "$tmp"/s.3 "$tmp/lost"
	done
done
