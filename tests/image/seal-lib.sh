# SPDX-License-Identifier: GPL-2.0-or-later
# What the sealing tests share: one set of subvolumes with every kind of content, keys, and the steps of a full
# cycle.  Source it after lib.sh.
# shellcheck shell=bash disable=SC2154

SEED=101 OTHER_SEED=202
SET=(target target-snap empty)		# with --recursive also target/nested
KINDS="inline compressed holes prealloc nocow reflinks bookends extents:120 symlinks names times modes xattrs links special directories flags"

# Files of the set that `cat` is tried on
SAMPLE="sizes/0 sizes/1 sizes/2049 sizes/4096 sizes/65537 sizes/524288 inline/19 compressed/zlib/3000 compressed/zlib/both
	compressed/zlib/1024005 compressed/zstd/100 compressed/zstd/131073 holes/comb holes/punched prealloc/part-written prealloc/over-hole
	nocow/plain nocow/small reflinks/copy reflinks/compressed-copy reflinks/itself bookends/odd bookends/truncated extents/many
	links/far/second modes/7777 flags/immutable times/before-1970"

new_keys() {
	head -c 32 /dev/urandom >"$tmp/vk"
	head -c 32 /dev/urandom >"$tmp/wrong-vk"
	printf 'correct horse battery staple\n' >"$tmp/passphrase"
	printf 'incorrect horse\n' >"$tmp/wrong-passphrase"
}

# make_content IMAGE LARGEST [KIND...]: the set, and beside it "other" with a snapshot, and files of the top level
make_content() {
	local image=$1 largest=$2
	shift 2
	tool fill
	image_mount "$image" "$tmp/mnt" "rw,noatime${MOUNT_OPTIONS:+,$MOUNT_OPTIONS}"
	(
		cd "$tmp/mnt"
		btrfs -q subvolume create target
		btrfs -q subvolume create empty
		btrfs -q subvolume create other
		"$tmp/fill" target "$SEED" "sizes:$largest" $KINDS "$@"
		btrfs -q subvolume create target/nested
		"$tmp/fill" target/nested $((SEED + 1)) sizes:100000 inline symlinks
		sync -f .
		btrfs -q subvolume snapshot -r target target-snap
		# the source goes its own way: bookends, cut files and new leaves against the snapshot
		"$tmp/fill" target $((SEED + 2)) bulk:2000000
		truncate -s 50000 target/sizes/131073
		rm -r target/compressed/lzo
		dd if=target/sizes/8192 of=target/sizes/524288 bs=4096 seek=30 conv=notrunc status=none
		"$tmp/fill" other "$OTHER_SEED" sizes:1000000 $KINDS
		btrfs -q subvolume snapshot other other-snap
		"$tmp/fill" . $((OTHER_SEED + 1)) inline
	)
	image_umount
}

# The image's set as a mount shows it: set_state IMAGE NAME
set_state() {
	image_mount "$1" "$tmp/mnt" ro
	(cd "$tmp/mnt" && manifest "${SET[@]}" other/sizes other-snap inline) >"$tmp/$2.manifest"
	subvolumes "$tmp/mnt" | grep -vE 'path (new|snap)|^(new|snap)' >"$tmp/$2.subvolumes"
	image_umount
}

# The ids of the set, nested subvolumes too, as options of layout.py in MEMBERS: member_ids NAME (of a state)
member_ids() {
	local id path one
	MEMBERS=()
	while read -r id path; do
		for one in "${SET[@]}"; do
			case $path in "$one"|"$one"/*) MEMBERS+=(--member "$id") ;; esac
		done
	done < <(sed -nE 's/^ID ([0-9]+) .* path (.*)/\1 \2/p' "$tmp/$1.subvolumes")
}

# Has the sealed image the tag on each of the set, and nowhere else?
expect_listed() {
	crypt list "$1" >"$tmp/out"
	[ "$(grep -cE "$2@btrfs:[0-9a-f]{8}" "$tmp/out")" = "$3" ] || { cat "$tmp/out"; fail "list does not show $3 sealed subvolumes"; }
}

# note_sums IMAGE SUBVOL: of the sample, in $tmp/sums
note_sums() {
	local path
	image_mount "$1" "$tmp/mnt" ro
	for path in $SAMPLE; do
		echo "$(sha256sum <"$tmp/mnt/$2/$path" | cut -d ' ' -f 1) $path"
	done >"$tmp/sums"
	image_umount
}

# expect_cat IMAGE SUBVOL KEY-OPTION...: prints the sample as it was
expect_cat() {
	local image=$1 subvolume=$2 sum path
	shift 2
	while read -r sum path; do
		[ "$(crypt cat "$@" "$image" "$subvolume" "$path" | sha256sum)" = "$sum  -" ] || fail "cat of $subvolume: $path differs"
	done <"$tmp/sums"
	say "cat: $(wc -l <"$tmp/sums") files are right"
}

# What decrypting leaves behind must be nothing.
expect_no_trace() {
	btrfs inspect-internal dump-tree -t root "$1" >"$tmp/roots"
	if grep -E 'PERSISTENT_ITEM' "$tmp/roots"; then fail "a crypt item is left in $1"; fi
	btrfs inspect-internal dump-super "$1" | grep -E '^(compat_ro_flags|incompat_flags)' >"$tmp/flags.after"
	diff "$tmp/flags.before" "$tmp/flags.after" || fail "superblock flags are not as before"
}

note_flags() { btrfs inspect-internal dump-super "$1" | grep -E '^(compat_ro_flags|incompat_flags)' >"$tmp/flags.before"; }

# use_sealed IMAGE: everything that a stock kernel may do with a sealed image, and what it must not be able to do
use_sealed() {
	local image=$1 mnt=$tmp/mnt one
	image_mount "$image" "$mnt" rw,commit=1	# deleted subvolumes are cleaned after a commit
	expect_status 0 python3 "$IMAGE_TESTS/closed.py" "$mnt/target" "$mnt/target-snap"
	for one in target target/nested target-snap empty; do
		if touch "$mnt/$one/new" 2>/dev/null; then fail "$one is sealed and takes new files"; fi
	done
	btrfs property set -ts "$mnt/target" ro false
	expect_status 0 python3 "$IMAGE_TESTS/closed.py" "$mnt/target"
	say "closed: $(tail -1 "$tmp/out")"
	# everything else goes on
	"$tmp/fill" "$mnt/other" $((OTHER_SEED + 2)) bulk:3000000
	cmp "$mnt/other/sizes/65537" "$mnt/other-snap/sizes/65537"
	btrfs -q subvolume create "$mnt/new-subvolume"
	echo more >>"$mnt/other/inline/1"
	mv "$mnt/other/inline/4" "$mnt/new-subvolume/"
	rm "$mnt/other/links/far/second"
	btrfs -q subvolume snapshot "$mnt/target" "$mnt/snap"
	btrfs -q subvolume snapshot -r "$mnt/target" "$mnt/snap-ro"
	expect_status 0 python3 "$IMAGE_TESTS/closed.py" "$mnt/snap"
	sync -f "$mnt"
	btrfs -q subvolume delete "$mnt/snap" "$mnt/snap-ro"
	deleted_are_gone "$mnt"
	btrfs scrub start -B "$mnt" >"$tmp/scrub"
	expect_text "$tmp/scrub" 'no errors found'
	btrfs balance start --full-balance "$mnt" >"$tmp/balance"
	expect_text "$tmp/balance" 'Done, had to relocate [1-9]'
	btrfs scrub start -B "$mnt" >"$tmp/scrub"
	expect_text "$tmp/scrub" 'no errors found'
	image_umount
	check_clean "$image"
}

# full_cycle IMAGE CIPHER KEY-OPTION...: seals the set, uses the image, opens it again.  The image has been made
# and filled.
full_cycle() {
	local image=$1 cipher=$2 name
	shift 2
	name=$cipher
	[ "$cipher" = chacha20-poly1305 ] && name=chacha-poly1305
	set_state "$image" before
	note_flags "$image"
	member_ids before
	layout garbage "$image" some		# seal-bytes.sh: all of it
	check_clean "$image"
	cp --sparse=always "$image" "$tmp/plain.img"
	layout ranges "$tmp/plain.img" data-member "${MEMBERS[@]}" >"$tmp/ranges"

	crypt convert --encrypt -q --cipher "$cipher" "$@" --recursive "$image" "${SET[@]}" >"$tmp/sealing"
	say "sealed: $(du -m "$tmp/plain.img" | cut -f1) MiB image, $(awk '{ n += $2 } END { print int(n / 1048576) }' "$tmp/ranges") MiB of data"
	check_clean "$image"
	expect_status 0 crypt convert --status "$image"
	expect_listed "$image" "$name" 4
	layout diff "$tmp/plain.img" "$image" "${MEMBERS[@]}" >"$tmp/diff" || { cat "$tmp/diff"; fail "bytes changed that must not"; }
	find_no_plain "$image" $SEED $((SEED + 1)) $((SEED + 2)) -- "$tmp/plain.img" "$tmp/ranges"
	expect_unchanged 0 "$image" crypt verify "$@" "$image" target
	expect_unchanged 0 "$image" crypt verify-key "$@" "$image" target
	expect_text "$tmp/out" "^key matches: $name@btrfs:[0-9a-f]{8} \((slot [0-9]+|volume key)\)$"
	expect_status 0 crypt dump-tree --crypt "$image"

	use_sealed "$image"
	say "used by the kernel"
	expect_unchanged 0 "$image" crypt verify "$@" "$image" target
	find_no_plain "$image" $SEED $((SEED + 1)) $((SEED + 2)) -- "$tmp/plain.img" "$tmp/ranges"

	expect_status 0 crypt convert --decrypt -q "$@" "$image" target
	check_clean "$image"
	set_state "$image" after
	expect_same_state before after
	expect_no_trace "$image"
	say "decrypted: as before"
}
