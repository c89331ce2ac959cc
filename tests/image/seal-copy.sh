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

# quotas MODE IMAGE: 1 qgroups, 4 simple quotas; false where the kernel has no such quotas
quotas() {
	python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[2], os.O_RDONLY), 0xc0109428, bytearray(struct.pack("QQ", int(sys.argv[1]), 0)))' "$1" "$2" 2>"$tmp/err"
}

# groups NAME: what the mounted filesystem counts
groups() { btrfs qgroup show --raw "$tmp/mnt" 2>"$tmp/$1.err" | sed -E 's/ +/ /g' >"$tmp/$1"; }

quota_image() {		# quota_image IMAGE MODE
	image_make "$1" 120M
	image_mount "$1" "$tmp/mnt" rw
	quotas "$2" "$tmp/mnt" || { image_umount; return 1; }
	btrfs -q subvolume create "$tmp/mnt/vault"
	head -c 700000 /dev/urandom >"$tmp/mnt/vault/file"
	sync -f "$tmp/mnt"
	btrfs -q subvolume snapshot "$tmp/mnt/vault" "$tmp/mnt/snapshot"
	sync -f "$tmp/mnt"
	if [ "$2" = 1 ]; then btrfs quota rescan -w "$tmp/mnt" >"$tmp/rescan"; fi
	groups before
	image_umount
	expect_status 0 crypt convert --encrypt --shared=copy -q "${KEY[@]}" "$1" vault
}

quota_image "$tmp/quota.img" 1
expect_status 0 btrfs check "$tmp/quota.img"
image_mount "$tmp/quota.img" "$tmp/mnt" rw
groups marked
expect_text "$tmp/marked.err" 'inconsistent'
btrfs quota rescan -w "$tmp/mnt" >"$tmp/rescan"
groups after
[ "$(awk '$1 ~ /^0\/25/ && $2 == $3' "$tmp/after" | wc -l)" = 2 ] || { cat "$tmp/after"; fail "a subvolume still shares something"; }
image_umount
expect_status 0 btrfs check "$tmp/quota.img"

if quota_image "$tmp/simple.img" 4; then
	image_mount "$tmp/simple.img" "$tmp/mnt" ro
	groups after
	image_umount
	[ "$(awk '$1 == "0/256" { print $2 }' "$tmp/after")" -ge $((2 * 700000)) ] || { cat "$tmp/after"; fail "the copy is not counted"; }
	expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$tmp/simple.img" vault
	image_mount "$tmp/simple.img" "$tmp/mnt" rw
	btrfs -q subvolume delete -c "$tmp/mnt/vault" "$tmp/mnt/snapshot"
	deleted_are_gone "$tmp/mnt"
	sync -f "$tmp/mnt"
	groups gone
	image_umount
	awk '$1 ~ /^0\/25/ && ($2 != 0 || $3 != 0) { exit 1 }' "$tmp/gone" || { cat "$tmp/gone"; fail "the kernel counts bytes that are gone"; }
fi
say "quotas: qgroups are marked, simple ones exact"

shared_image "$tmp/balance.img" 200M -m dup -d single -n 4096
note_all "$tmp/balance.img" before
image=$tmp/balance.img
expect_unchanged 9 "$image" crypt convert --encrypt --dry-run -q "${KEY[@]}" "$image" origin
expect_text "$tmp/err" 'hint: --shared=include converts them too; --shared=copy copies what is shared and leaves them as they are'
expect_unchanged 0 "$image" crypt convert --encrypt --shared=copy --dry-run -q "${KEY[@]}" "$image" origin
expect_text "$tmp/err" 'shared with early [(]id [0-9]+[)]: [0-9]+ bytes of data'
expect_text "$tmp/err" '--shared=refuse: nothing is sealed'
expect_text "$tmp/err" '--shared=include: seals 5 subvolumes with [0-9]+ bytes of data'
expect_text "$tmp/err" '--shared=copy: seals 1 subvolume with [0-9]+ bytes of data; copies [0-9]+ bytes of data and [0-9]+ tree block'
expect_text "$tmp/out" '^to be copied first: '

say "without room for the copies: 10"
cp --sparse=always "$image" "$tmp/full.img"
fill_device "$tmp/full.img"
image_mount "$tmp/full.img" "$tmp/mnt" rw
head -c 9M /dev/zero >"$tmp/mnt/more"
image_umount
expect_unchanged 10 "$tmp/full.img" crypt convert --encrypt --shared=copy -q "${KEY[@]}" "$tmp/full.img" origin
expect_text "$tmp/err" 'data: copies of [0-9]+ bytes are needed; [0-9]+ of them fit into no free range'
rm "$tmp/full.img"

MEMBERS=(origin) && cycle "$tmp/balance.img"
MEMBERS=(heir late) && cycle "$tmp/balance.img"
mv "$tmp/balance.img" "$tmp/shared.img"
MEMBERS=(early origin) && cycle "$tmp/shared.img"
