# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of damage during a conversion share.  Source it after attack-lib.sh.
# shellcheck shell=bash disable=SC2154,SC2034

FILES=(pair-a pair-b big small packed nosum frozen noted two tiny)

# $tmp/plain.img and $tmp/base.img, sealed, with a file of one block; keys
bad_base() {
	need_root
	need_crypt
	tool attack
	image=$tmp/disk.img
	make_keys
	KEY=("${VK[@]}")
	if [ -n "${ATTACK_BASE:-}" ] && [ -e "$ATTACK_BASE/base.img" ]; then	# while working on a test
		cp -r --sparse=always "$ATTACK_BASE"/. "$tmp"
		return
	fi
	plain_image "$tmp/plain.img"
	head -c 4096 /dev/urandom >"$tmp/files/tiny"
	image_mount "$tmp/plain.img" "$tmp/mnt" rw,noatime
	cp "$tmp/files/tiny" "$tmp/mnt/target"
	sync -f "$tmp/mnt"
	# behind it, so that no record has the one that was sealed first
	cp "$tmp/files/big" "$tmp/mnt/target/new"
	mv "$tmp/mnt/target/new" "$tmp/mnt/target/big"
	sync -f "$tmp/mnt"
	(cd "$tmp/mnt/target" && stat -c '%n %i' -- * dir/*) >"$tmp/inodes"
	image_umount
	head -c 4096 /dev/urandom >"$tmp/noise-block"
	cp --sparse=always "$tmp/plain.img" "$tmp/base.img"
	seal "$tmp/base.img" target ""
	check_clean "$tmp/base.img"
	say "sealed"
	[ -z "${ATTACK_BASE:-}" ] || { mkdir -p "$ATTACK_BASE"; cp -r --sparse=always "$tmp"/{*.img,*vk*,*passphrase*,files,inodes,sealing,noise-block} "$ATTACK_BASE"; }
}

until_stop() { expect_status 8 "$tmp/attack" "$image" convert "$1" "$2" "$tmp/vk" target; }

# begins_with OPERATION: $image is what it begins with; and how it goes on
begins_with() {
	if [ "$1" = encrypt ]; then
		fresh "$tmp/plain.img" && RESUME=resume TO=sealed BACK=plain BACK_WORD=abort
	else
		fresh && RESUME=decrypt_resume TO=plain BACK=sealed BACK_WORD=abort
	fi
}

# unfinished OPERATION WHERE: in $image, and how it goes on
unfinished() {
	begins_with "$1"
	until_stop "$1" "$2"
	cp --sparse=always "$image" "$tmp/unfinished.img"
}
again() { fresh "$tmp/unfinished.img"; }

# until_phase OPERATION PHASE: stops at the first safe point in that phase
until_phase() {
	local n
	cp --sparse=always "$image" "$tmp/start.img"
	for n in $(seq 100); do
		cp --sparse=always "$tmp/start.img" "$image"
		until_stop "$1" "stop:$n"
		[ "$(state phase)" != "$2" ] || return 0
	done
	fail "no safe point in phase $2"
}

# The place of a unit that was converted first, so that no record has it: $address
done_unit() {
	local order=(-n)
	[ "$RESUME" = resume ] || order=(-rn)
	# the ciphertext is that of the sealed image where it is unsealed, else it is in the unfinished one
	address=$("$tmp/attack" "$image" units 1 | sed -nE 's/.* address=([0-9]+) blocks=([0-9]+) in=0 .*/\1 \2/p' | awk '$2 >= 8' | sort "${order[@]}" |
		head -n 1 | cut -d ' ' -f 1)
	[ -n "$address" ] || fail "no unit"
}

one_block_file() {
	address=$("$tmp/attack" "$image" units 1 | sed -nE "s/.* inode=$(inode tiny) .* address=([0-9]+) .*/\1/p")
	[ -n "$address" ] || fail "tiny has no unit"
}

# put_old BLOCK old|torn PART: block BLOCK of the unit at $address as it was before the conversion, or only one part of 512 bytes of it
put_old() {
	local at=$((address + $1 * 4096)) now=$image
	image=$([ "$RESUME" = resume ] && echo "$tmp/plain.img" || echo "$tmp/base.img")
	attack raw-get "$at" 4096 >"$tmp/block.old"
	image=$now
	attack raw-get "$at" 4096 >"$tmp/block.new"
	cmp -s "$tmp/block.old" "$tmp/block.new" && fail "block $1 is not converted"
	cp "$tmp/block.old" "$tmp/block"
	[ "$2" = old ] || { cp "$tmp/block.new" "$tmp/block" && dd if="$tmp/block.old" of="$tmp/block" bs=512 seek="$3" skip="$3" count=1 conv=notrunc status=none; }
	attack raw-put "$at" "$tmp/block"
}

ended() {
	if [ "$1" = sealed ]; then
		cats_right "${FILES[@]}"
		expect_unchanged 0 "$image" do_verify
		check_clean "$image"
	else
		expect_files_plain
	fi
}

# rot LOGICAL: one bit of every mirror.  rot_one LOGICAL: of the first; MAP is an image that btrfs-progs opens, with the same chunks
rot() {
	attack raw-get "$1" 4096 >"$tmp/block"
	flip "$tmp/block" 1000
	attack raw-put "$1" "$tmp/block"
}
rot_one() {
	local physical
	physical=$(btrfs inspect-internal dump-tree -t chunk "${MAP:-$image}" | sed -nE -e 's/.* CHUNK_ITEM ([0-9]+)\).*/chunk \1/p' \
		-e 's/^\s+length ([0-9]+) owner.*/length \1/p' -e 's/.*stripe 0 devid 1 offset ([0-9]+)$/stripe \1/p' |
		awk -v at="$1" '{ v[$1] = $2 } $1 == "stripe" && at >= v["chunk"] && at < v["chunk"] + v["length"] { printf "%d\n", v["stripe"] + at - v["chunk"] }')
	[ -n "$physical" ] || fail "no place of $1"
	flip "$image" $((physical + 1000))
}

# unit_of FILE BLOCK: the address of that block of the first extent of a file
unit_of() {
	local at
	at=$("$tmp/attack" "$image" units 1 | sed -nE "s/.* inode=$(inode "$1") offset=0 .* address=([0-9]+) .*/\1/p" | head -n 1)
	[ -n "$at" ] || fail "$1 has no unit"
	echo $((at + $2 * 4096))
}

# only_bad FILE FIRST LAST: on a mount without a key, everything but these bytes is as it was, and they are an error; `check` finds nothing wrong with the trees
only_bad() {
	local name
	btrfs check "$image" >"$tmp/check.out" 2>&1 || { cat "$tmp/check.out"; fail "btrfs check"; }
	image_mount "$image" "$tmp/mnt" ro
	for name in "${FILES[@]}"; do
		if [ "$name" != "$1" ]; then
			cmp "$tmp/mnt/target/$name" "$tmp/files/$name" || fail "$name is not as it was"
			continue
		fi
		if [ "$name" = nosum ]; then
			cmp -s "$tmp/mnt/target/$name" "$tmp/files/$name" && fail "nosum is whole?"
			{ cmp -l "$tmp/mnt/target/$name" "$tmp/files/$name" || true; } | awk -v a=$(($2 + 1)) -v b=$(($3 + 1)) '$1 < a || $1 > b { bad = 1 } END { exit bad }' ||
				fail "other bytes of nosum are bad"
			continue
		fi
		dd if="$tmp/mnt/target/$name" bs=4096 skip=$(($2 / 4096)) count=1 status=none >/dev/null 2>&1 && fail "$name: the kernel reads the damaged block"
		cmp -n "$2" "$tmp/mnt/target/$name" "$tmp/files/$name" || fail "$name before the damage"
		tail -c +$(($3 + 2)) "$tmp/files/$name" >"$tmp/rest"
		tail -c +$(($3 + 2)) "$tmp/mnt/target/$name" | cmp - "$tmp/rest" || fail "$name behind the damage"
	done
	image_umount
}

# all_but FILE: with the key, everything else is right, and what is wrong with that one is 6
all_but() {
	local name
	for name in "${FILES[@]}"; do [ "$name" = "$1" ] || cats_right "$name"; done
	expect_status 6 do_cat "$1"
}
