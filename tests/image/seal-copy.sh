#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --shared=copy: subvolumes that share with others get their own copies, whoever owns the blocks, also in kernels that never heard of it: the
# others keep every byte and every extent, `btrfs check` is clean, a kernel goes on using everything, unsealing brings all back.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt

head -c 32 /dev/urandom >"$tmp/vk"
KEY=(--volume-key-file "$tmp/vk" --progress=none)

# shared_image FILE SIZE [MKFS-OPTION...]: an origin; snapshots before and after it changed; one of a snapshot whose own origin is gone; reflinks
# out of it and into it; an extent that more items refer to than an extent item holds
shared_image() {
	local file=$1 i
	image_make "$@"
	tool fill
	image_mount "$file" "$tmp/mnt" rw,noatime
	(
		cd "$tmp/mnt"
		btrfs -q subvolume create origin
		btrfs -q subvolume create apart
		"$tmp/fill" origin 31 inline symlinks sizes:150000 nocow reflinks bookends extents:60 compressed:131073 prealloc:262144
		mkdir origin/many
		for ((i = 0; i < 300; i++)); do echo "file $i" >origin/many/$i; done
		head -c 8192 origin/sizes/65537 >origin/often
		for ((i = 0; i < 120; i++)); do cp --reflink=always origin/often "origin/often-$i"; done
		sync -f .
		btrfs -q subvolume snapshot origin early
		btrfs -q subvolume snapshot early gone
		touch early/own origin/own gone/own
		for ((i = 0; i < 300; i += 7)); do echo changed >gone/many/$i; done
		sync -f .
		btrfs -q subvolume snapshot gone heir
		echo later >heir/later
		for ((i = 0; i < 300; i += 5)); do echo changed >origin/many/$i; done
		dd if=origin/sizes/65537 of=origin/often bs=4096 count=1 conv=notrunc status=none
		sync -f .
		btrfs -q subvolume snapshot -r origin late
		btrfs -q subvolume delete -c gone
		cp --reflink=always origin/extents/many apart/taken
		cp --reflink=always origin/sizes/65537 apart/taken-too
		"$tmp/fill" apart 32 sizes:20000
		cp --reflink=always apart/sizes/8192 origin/brought
	)
	deleted_are_gone "$tmp/mnt"
	image_umount
	check_clean "$file"
}

# extents_of IMAGE SUBVOL...: where the data of these lie
extents_of() {
	local image=$1
	shift
	image_mount "$image" "$tmp/mnt" ro
	(cd "$tmp/mnt" && find "$@" -type f -print0 | sort -z | xargs -0 filefrag -v | sed -E '/^Filesystem|extents? found$/d; s/ *[^ ]*$//')	# the last column: whether it is shared
	image_umount
}

ALL=(origin early heir late apart)
note_all() {		# note_all IMAGE NAME
	image_mount "$1" "$tmp/mnt" ro
	(cd "$tmp/mnt" && manifest "${ALL[@]}" && subvolumes .) >"$tmp/$2.all"
	image_umount
}
# What is not in MEMBERS is as it was
note_others() {		# note_others IMAGE NAME
	image_mount "$1" "$tmp/mnt" ro
	(cd "$tmp/mnt" && manifest "${OTHERS[@]}") >"$tmp/$2.manifest"
	image_umount
	extents_of "$1" "${OTHERS[@]}" >"$tmp/$2.extents"
}
expect_others() {	# expect_others NAME [without extents]
	diff "$tmp/others.manifest" "$tmp/$1.manifest" >"$tmp/diff" || { head -5 "$tmp/diff"; fail "other subvolumes differ"; }
	[ $# -gt 1 ] || diff "$tmp/others.extents" "$tmp/$1.extents" >"$tmp/diff" || { head -5 "$tmp/diff"; fail "extents of other subvolumes have moved"; }
}

# cycle IMAGE: MEMBERS are sealed, used, unsealed
cycle() {
	local image=$tmp/cycle.img one
	OTHERS=()
	for one in "${ALL[@]}"; do
		case " ${MEMBERS[*]} " in *" $one "*) ;; *) OTHERS+=("$one") ;; esac
	done
	cp --sparse=always "$1" "$image"
	note_others "$image" others
	expect_status 0 crypt convert --encrypt --shared=copy -q "${KEY[@]}" "$image" "${MEMBERS[@]}"
	for one in "${OTHERS[@]}"; do
		expect_text "$tmp/out" "^keeps plain text: [0-9]+ $one, .* of the same data$"
	done
	expect_text "$tmp/out" '^copied first: .* of data, tree blocks: [1-9]'
	check_clean "$image"
	expect_status 0 btrfs check --mode=lowmem "$image"
	note_others "$image" sealed
	expect_others sealed
	expect_status 0 crypt verify "${KEY[@]}" "$image" "${MEMBERS[0]}"
	image_mount "$image" "$tmp/mnt" rw
	for one in "${MEMBERS[@]}"; do
		if touch "$tmp/mnt/$one/new" 2>/dev/null; then fail "$one is sealed and takes new files"; fi
	done
	btrfs -q subvolume snapshot "$tmp/mnt/${OTHERS[0]}" "$tmp/mnt/again"
	echo new >"$tmp/mnt/again/new"
	[ -z "${1##*balance*}" ] && btrfs balance start --full-balance "$tmp/mnt" >"$tmp/balance"
	btrfs -q subvolume delete -c "$tmp/mnt/again"
	deleted_are_gone "$tmp/mnt"
	btrfs scrub start -B "$tmp/mnt" >"$tmp/scrub"
	grep -q 'no errors found' "$tmp/scrub" || { cat "$tmp/scrub"; fail "scrub finds errors"; }
	image_umount
	check_clean "$image"
	expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" "${MEMBERS[0]}"
	check_clean "$image"
	note_all "$image" after
	diff "$tmp/before.all" "$tmp/after.all" >"$tmp/diff" || { head -5 "$tmp/diff"; fail "not as before"; }
	# each of them can be written to and deleted by itself
	image_mount "$image" "$tmp/mnt" rw
	for one in "${ALL[@]}"; do
		[ "$one" = late ] || cp "$tmp/mnt/apart/sizes/8192" "$tmp/mnt/$one/often"
	done
	btrfs -q subvolume delete -c "$tmp/mnt/early" "$tmp/mnt/origin"
	deleted_are_gone "$tmp/mnt"
	image_umount
	check_clean "$image"
	say "copied, sealed, used, unsealed: ${MEMBERS[*]}"
}

shared_image "$tmp/balance.img" 200M -m dup -d single -n 4096
note_all "$tmp/balance.img" before
MEMBERS=(origin) && cycle "$tmp/balance.img"
MEMBERS=(heir late) && cycle "$tmp/balance.img"
mv "$tmp/balance.img" "$tmp/shared.img"
MEMBERS=(early origin) && cycle "$tmp/shared.img"
