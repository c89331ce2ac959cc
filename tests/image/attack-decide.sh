#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Member items, the header and every copy of the superblock say what is sealed, or half converted. One of them that says nothing decides nothing.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
sealed_base
TAIL=$((0xdcb)) TAIL_SIZE=$((4096 - 0xdcb)) INCOMPAT=$((0xbc))
zeros() { printf '00%.0s' $(seq "$1"); }

# silence COPY|all bit|tail|both: takes away what says that a conversion is unfinished
silence() {
	local incompat
	incompat=$(attack super-get 0 | od -An -v -tx1 -j $INCOMPAT -N 8 | tr -d ' \n')
	[ "$2" = tail ] || attack super-poke "$1" $INCOMPAT "${incompat:0:14}00"
	[ "$2" = bit ] || attack super-poke "$1" $TAIL "$(zeros $TAIL_SIZE)"
}

# nobody_begins STATUS REGEX: no conversion is begun, of whichever subvolume; nothing is read as if it were plain
nobody_begins() {
	local subvolume
	for subvolume in target plain; do
		refused "$1" "$2" crypt convert --encrypt -q --volume-key-file "$tmp/vk2" "$image" $subvolume
		refused "$1" "$2" crypt convert --encrypt -q --dry-run "$image" $subvolume
	done
	refused "$1" "$2" crypt convert --decrypt -q "${KEY[@]}" "$image" target
}
no_plain_read() {
	local name
	for name in pair-a big small packed nosum; do
		refused "$1" "$2" crypt cat "$image" target $name
		[ ! -s "$tmp/out" ] || fail "cat printed $name without a key"
	done
}

KEY=("${VK[@]}")
for operation in encrypt decrypt; do
	say "$operation stopped half way"
	if [ $operation = encrypt ]; then fresh "$tmp/plain.img"; else fresh; fi
	expect_status 8 "$tmp/attack" "$image" convert $operation stop:4 "$tmp/vk" target
	cp --sparse=always "$image" "$tmp/unfinished.img"
	attack super-get 1 >"$tmp/foreign.$operation"
	for copy in 0 1; do
		for what in both bit tail; do
			say "$operation: copy $copy of the superblock without its $what"
			fresh "$tmp/unfinished.img"
			silence $copy $what
			nobody_begins 7 'an unfinished conversion is present'
			no_plain_read 7 'unfinished conversion'
			refused 7 'unfinished conversion' crypt cat --super $copy "$image" target small
			expect_unchanged 7 "$image" crypt convert --status "$image"
			for command in list "ls -R" "show" "stat"; do
				case $command in list) where=() ;; stat) where=(target link) ;; *) where=(target) ;; esac
				# shellcheck disable=SC2086
				expect_unchanged 0 "$image" crypt $command "$image" "${where[@]}"
				expect_text "$tmp/err" 'an unfinished conversion is present'
			done
		done
	done
	say "$operation: the bit gone from all copies, a state in all of them"
	fresh "$tmp/unfinished.img"
	silence all bit
	nobody_begins 7 'an unfinished conversion is present'
	no_plain_read 7 'unfinished conversion'
	expect_unchanged 7 "$image" crypt convert --status "$image"
	if [ $operation = encrypt ]; then do_resume; cats_right pair-a small; else do_decrypt_resume; expect_files_plain; fi
	say "$operation: the state gone from all copies: nothing can go on"
	fresh "$tmp/unfinished.img"
	silence all tail
	nobody_begins 7 'an unfinished conversion is present'
	no_plain_read 7 'unfinished conversion'
	refused 12 'the state of the unfinished conversion cannot be read' crypt convert --status "$image"
	say "$operation: nothing in any superblock: the header of the domain says it"
	fresh "$tmp/unfinished.img"
	silence all both
	nobody_begins 12 'header.* says that its conversion has not finished'
	refused 12 'the header of sealing 1 says that its conversion has not finished' crypt convert --status "$image"
	refused 12 'conversion has not finished' do_cat
done

say "a sealed image with the state of another conversion in one copy of the superblock: nothing is begun"
for operation in encrypt decrypt; do		# of a set that is not there; an older one of this set
	for copy in 1 0; do
		fresh
		attack super-get $copy | head -c $TAIL >"$tmp/super"
		tail -c $TAIL_SIZE "$tmp/foreign.$operation" >>"$tmp/super"
		attack super-put $copy "$tmp/super"
		incompat=$(attack super-get $copy | od -An -v -tx1 -j $INCOMPAT -N 8 | tr -d ' \n')
		attack super-poke $copy $INCOMPAT "${incompat:0:14}80"
		nobody_begins 7 'an unfinished conversion is present'
		expect_unchanged 7 "$image" crypt convert --status "$image"
		no_plain_read 7 'unfinished conversion'
	done
done

say "a subvolume of small files only, its tag wiped: a member all the same"
fresh "$tmp/plain.img"
image_mount "$image" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/inlines"
for n in 1 2 3; do head -c 700 /dev/urandom >"$tmp/files/inline$n"; cp "$tmp/files/inline$n" "$tmp/mnt/inlines/"; done
ln -s "somewhere" "$tmp/mnt/inlines/link"
id=$(btrfs inspect-internal rootid "$tmp/mnt/inlines")
sync -f "$tmp/mnt"
image_umount
seal "$image" inlines ""
root_at=$((439 - 64))
attack poke 1 "$id" 132 0 $root_at "$(zeros 24)"
refused 9 'is sealed already' crypt convert --encrypt -q "${KEY[@]}" "$image" inlines
refused 9 'is sealed already' crypt convert --encrypt -q "${KEY[@]}" "$image" target inlines
refused 9 'is sealed already' crypt convert --encrypt -q --recursive "${KEY[@]}" "$image" /
refused 2 'sealed' crypt cat "$image" inlines inline1
[ ! -s "$tmp/out" ] || fail "ciphertext was printed"
expect_status 2 crypt export --archive dir -o "$tmp/out.dir" "$image" inlines
[ -z "$(find "$tmp/out.dir" -type f -o -type l)" ] || fail "something sealed was exported"
expect_status 0 crypt ls -l "$image" inlines
expect_text "$tmp/out" ' link -> \(sealed\)$'
expect_status 0 crypt ls -l -R "$image" /
expect_text "$tmp/out" ' link -> \(sealed\)$'
expect_status 0 crypt stat "$image" inlines link
expect_text "$tmp/out" 'target: +\(sealed\)'
for n in 1 2 3; do crypt cat "${KEY[@]}" "$image" inlines inline$n | cmp - "$tmp/files/inline$n" || fail "inline$n is not as it was"; done
expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" inlines
cp --sparse=always "$image" "$tmp/untagged.img"
say "and with both headers damaged: still nothing is plain"
attack xor $(item $HEADER 0) 20 1
attack xor $(second_header) 20 1
refused 13 'header|crypt' crypt convert --encrypt -q --volume-key-file "$tmp/vk2" "$image" inlines
refused 13 'header|crypt' crypt cat "$image" inlines inline1
expect_status 0 crypt ls -l "$image" inlines
expect_text "$tmp/out" ' link -> \(sealed\)$'
say "unsealed with the tag wiped: as it was"
fresh "$tmp/untagged.img"
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" inlines
check_clean "$image"
for n in 1 2 3; do crypt cat "$image" inlines inline$n | cmp - "$tmp/files/inline$n" || fail "inline$n is not as it was"; done
