#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One redundant copy of the superblock says that a conversion is unfinished, in a way that no conversion writes. This locks nobody out, and fools
# nobody.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
sealed_base
KEY=("${VK[@]}")
TAIL=$((0xdcb)) TAIL_SIZE=$((4096 - 0xdcb)) INCOMPAT=$((0xbc)) GENERATION=$((0x48))
# Where the state has its fsid and its generation
STATE_FSID=$((TAIL + 64)) STATE_GENERATION=$((TAIL + 80))
MAGIC=$(printf BTRCSTAT | od -An -v -tx1 | tr -d ' \n')

# bit COPY: sets the feature bit
bit() {
	local incompat
	incompat=$(attack super-get "$1" | od -An -v -tx1 -j $INCOMPAT -N 8 | tr -d ' \n')
	attack super-poke "$1" $INCOMPAT "${incompat:0:14}80"
}
# state COPY: the state of a real conversion
state() {
	attack super-poke "$1" $TAIL "$(tail -c $TAIL_SIZE "$tmp/real-super" | od -An -v -tx1 | tr -d ' \n')"
}
mark() {		# mark COPY HOW
	case $2 in
	bit) bit "$1" ;;
	bit-garbage) bit "$1"; attack super-poke "$1" $TAIL "$(head -c $TAIL_SIZE /dev/urandom | od -An -v -tx1 | tr -d ' \n')" ;;
	magic) attack super-poke "$1" $TAIL "$MAGIC" ;;
	bit-magic) bit "$1"; attack super-poke "$1" $TAIL "$MAGIC" ;;
	other-fsid) bit "$1"; state "$1"; attack super-poke "$1" $STATE_FSID "5a5a5a5a" ;;
	other-generation) bit "$1"; state "$1"; attack super-poke "$1" $STATE_GENERATION "$(le 8 3)" ;;
	newer) bit "$1"; state "$1"; attack super-poke "$1" $GENERATION "$(le 8 9999)" ;;
	esac
}
WARNS='superblock at 0x4000+: says that a conversion is unfinished, but.*; copy 0 of the superblock is used'
copies_equal() {
	local n
	for n in $(seq "$1"); do
		attack super-get 0 | tail -c +57 >"$tmp/super.0"	# behind checksum, fsid, address
		attack super-get "$n" | tail -c +57 | cmp - "$tmp/super.0" || fail "copy $n of the superblock is not as copy 0"
	done
}
# kernel_writes: as the hint says
kernel_writes() { image_mount "$image" "$tmp/mnt" rw; touch "$tmp/mnt/new"; rm "$tmp/mnt/new"; image_umount; }

fresh "$tmp/plain.img"
expect_status 8 "$tmp/attack" "$image" convert encrypt stop:4 "$tmp/vk" target
attack super-get 0 >"$tmp/real-super"

for how in bit bit-garbage magic bit-magic other-fsid other-generation newer; do
	say "copy 1: $how: a sealed image is read and verified, with a warning"
	fresh
	mark 1 $how
	cats_right pair-a big
	expect_text "$tmp/err" "$WARNS"
	expect_unchanged 0 "$image" do_verify
	expect_text "$tmp/err" "$WARNS"
	expect_unchanged 0 "$image" crypt list "$image"
	expect_unchanged 0 "$image" crypt convert --status "$image"
	expect_text "$tmp/err" "$WARNS"
	refused 9 'there is no unfinished conversion' do_resume
	say "copy 1: $how: nothing is sealed beside what nobody can vouch for: 12"
	for subvolume in target plain; do
		refused 12 'copy 1 of the superblock says that a conversion is unfinished' crypt convert --encrypt -q --volume-key-file "$tmp/vk2" "$image" $subvolume
		expect_text "$tmp/err" 'hint: verify .*mount the image, create and remove a file'
		refused 12 'copy 1 of the superblock says' crypt convert --encrypt -q --dry-run "$image" $subvolume
	done
	say "copy 1: $how: unsealed, which writes all copies"
	cp --sparse=always "$image" "$tmp/marked.img"
	survived "$WARNS"
	copies_equal 1
	expect_unchanged 0 "$image" crypt convert --status "$image"
	! grep -q superblock "$tmp/err" || fail "still a warning"
	say "copy 1: $how: a kernel writes all copies, too"
	fresh "$tmp/marked.img"
	kernel_writes
	copies_equal 1
	expect_status 0 crypt convert --encrypt -q --volume-key-file "$tmp/vk2" "$image" plain
	cats_right pair-a big
	check_clean "$image"
	say "copy 1: $how: an image with nothing sealed on it is sealed, and all copies written"
	fresh "$tmp/plain.img"
	mark 1 $how
	seal "$image" target ""
	copies_equal 1
	cats_right pair-a big
	check_clean "$image"
done

say "copy 1, while half sealed with nothing said by copy 0: the header says it, nobody is fooled"
for how in bit magic; do
	fresh "$tmp/plain.img"
	expect_status 8 "$tmp/attack" "$image" convert encrypt stop:4 "$tmp/vk" target
	for copy in 0 1; do
		incompat=$(attack super-get 0 | od -An -v -tx1 -j $INCOMPAT -N 8 | tr -d ' \n')
		attack super-poke $copy $INCOMPAT "${incompat:0:14}00"
		attack super-poke $copy $TAIL "$(printf '00%.0s' $(seq $TAIL_SIZE))"
	done
	mark 1 $how
	for subvolume in target plain; do
		refused 12 'header.* says that its conversion has not finished' crypt convert --encrypt -q --volume-key-file "$tmp/vk2" "$image" $subvolume
	done
	refused 12 'conversion has not finished' do_decrypt
	refused 12 'conversion has not finished' do_cat
	refused 12 'conversion has not finished' crypt convert --status "$image"
done

say "copy 1 has bit and state that fit: an unfinished conversion, until the key proves that it is none"
STATE_MAC=$((TAIL + 368)) STATE_UUID=$((TAIL + 32))
NOT_TRUE='no conversion is unfinished: .* all copies are rewritten from copy 0'
# dropped: only with the right key, by resume or abort
dropped() {
	refused 7 'unfinished conversion' crypt convert --encrypt -q --volume-key-file "$tmp/vk2" "$image" plain
	refused 7 'unfinished conversion' do_decrypt
	expect_unchanged 7 "$image" crypt convert --status "$image"
	KEY=(--volume-key-file "$tmp/wrong-vk")
	refused 2 'wrong key or passphrase' do_resume
	KEY=("${VK[@]}")
	cp --sparse=always "$image" "$tmp/false.img"
	for one in resume decrypt_resume abort; do
		fresh "$tmp/false.img"
		expect_status 0 do_$one
		expect_text "$tmp/err" "$NOT_TRUE"
		copies_equal 1
		attack super-get 0 | cmp - "$tmp/super.before"
		cats_right pair-a big small packed nosum frozen noted two
		expect_unchanged 0 "$image" do_verify
		check_clean "$image"
	done
}
fresh
expect_status 8 "$tmp/attack" "$image" convert decrypt stop:4 "$tmp/vk" target
cp --sparse=always "$image" "$tmp/unsealing.img"
attack super-get 0 >"$tmp/unsealing-super"
say "its MAC is wrong"
fresh
attack super-get 0 >"$tmp/super.before"
attack super-put 1 "$tmp/unsealing-super"
attack super-poke 1 $STATE_MAC "$(printf '5a%.0s' $(seq 32))"
dropped
say "it is older than the header, which says sealed"
fresh "$tmp/unsealing.img"
expect_status 0 do_abort
attack super-get 0 >"$tmp/super.before"
attack super-put 1 "$tmp/unsealing-super"
dropped
say "it is authentic and newer: 12, for a conversion may have begun"
fresh
attack super-put 1 "$tmp/unsealing-super"
for one in decrypt_resume abort; do refused 12 'journal|state' do_$one; done
say "it is of a sealing that is not there: nobody can tell"
fresh
attack super-put 1 "$tmp/unsealing-super"
attack super-poke 1 $STATE_UUID "$(printf '5a%.0s' $(seq 16))"
for one in resume decrypt_resume abort; do
	refused 12 'state|copies of the keys' do_$one
	expect_text "$tmp/err" 'hint: copy 0 of the superblock records no conversion; .* mount it, create and remove a file'
done
kernel_writes
copies_equal 1
cats_right pair-a big
expect_unchanged 0 "$image" do_verify
say "half unsealed, and copy 0 of the superblock says nothing: the header contradicts that, not the state"
fresh
attack super-get 0 >"$tmp/super.before"
fresh "$tmp/unsealing.img"
attack super-put 0 "$tmp/super.before"
cp --sparse=always "$image" "$tmp/silenced.img"
expect_status 0 do_abort
cats_right pair-a big small packed nosum frozen noted two
expect_unchanged 0 "$image" do_verify
fresh "$tmp/silenced.img"
expect_status 0 do_decrypt_resume
expect_files_plain
fresh "$tmp/silenced.img"
attack super-poke 1 $STATE_MAC "$(printf '5a%.0s' $(seq 32))"
for one in resume decrypt_resume abort; do
	refused 12 'fails authentication' do_$one
	! grep -q hint "$tmp/err" || fail "a hint to mount what is half converted"
done

say "half unsealed, and a kernel has written to it, which left copy 1 of the superblock: which copy says what"
fresh "$tmp/unsealing.img"
attack super-put 0 "$tmp/super.before"
kernel_writes
attack super-put 1 "$tmp/unsealing-super"
HALF='header of sealing 1 says that its conversion has not finished, but no superblock does'
for one in do_cat do_verify do_decrypt "crypt convert --status $image" "crypt convert --encrypt -q --volume-key-file $tmp/vk2 $image plain"; do
	# shellcheck disable=SC2086
	refused 12 "$HALF" $one
	expect_text "$tmp/err" 'hint: copy 1 of the superblock .generation [0-9]+. says so, but copy 0 of the superblock .generation [0-9]+., which is used, does not: '
done

say "a disk that was copied while in use: copy 1 of the superblock is newer than the trees, and everybody takes copy 0, as the kernel does"
# expect_newer HOW: the warning
expect_newer() { expect_text "$tmp/err" "warning: copy 1 of the superblock, of generation [0-9]+, is newer than copy 0, of generation [0-9]+; copy 0 is used, as a kernel does, and $1--super 1 reads copy 1\$"; }
fresh
kernel_writes
attack super-get 1 >"$tmp/later-super"
fresh
attack super-put 1 "$tmp/later-super"
for one in "do_cat big" do_verify "crypt list $image" "crypt df $image" "crypt verify-key ${VK[*]} $image target"; do
	# shellcheck disable=SC2086
	expect_unchanged 0 "$image" $one
	expect_newer ''
done
for one in "crypt convert --status $image" "crypt convert --encrypt --dry-run $image plain"; do
	# shellcheck disable=SC2086
	expect_unchanged 0 "$image" $one
	expect_newer '`btrfs-crypt list` with '
done
OPTIONS=(--super 1)
do_verify >"$tmp/out" 2>"$tmp/err" && fail "the trees of copy 1 are in the image"
expect_text "$tmp/err" 'copy 1 of the superblock, of generation [0-9]+, is used'
OPTIONS=()
survived 'is newer than copy 0'
copies_equal 1
say "its copy 1 says that a conversion is unfinished: nothing is read as plain, converted or dropped"
fresh "$tmp/plain.img"
kernel_writes
expect_status 8 "$tmp/attack" "$image" convert encrypt stop:4 "$tmp/vk" target
attack super-get 1 >"$tmp/later-super"
fresh "$tmp/plain.img"
attack super-put 1 "$tmp/later-super"
NEWER='copy 1 of the superblock, of generation [0-9]+, says that a conversion is unfinished, but it is newer than copy 0 of the superblock, of generation [0-9]+, which is used$'
for one in "crypt convert --status $image" do_resume do_decrypt_resume do_abort; do
	# shellcheck disable=SC2086
	refused 12 "$NEWER" $one
done
refused 7 'unfinished conversion' crypt convert --encrypt -q --volume-key-file "$tmp/vk2" "$image" plain
KEY=()
refused 7 "$NEWER" do_cat
[ ! -s "$tmp/out" ] || fail "something was read"
expect_unchanged 0 "$image" crypt list "$image"
expect_text "$tmp/err" 'warning: an unfinished conversion is present'
KEY=("${VK[@]}")

say "copies 1 and 2, of which one is at 256 GiB"
image=$tmp/large.img
image_make "$image" 257G -d single -m single
image_mount "$image" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/target"
btrfs -q subvolume create "$tmp/mnt/plain"
cp "$tmp"/files/{pair-a,big,small} "$tmp/mnt/target"
cp "$tmp/files/small" "$tmp/mnt/plain"
image_umount
cp --sparse=always "$image" "$tmp/large-plain.img"
seal "$image" target ""
cp --sparse=always "$image" "$tmp/large-base.img"
for copy in 1 2; do
	for how in bit magic other-fsid newer; do
		say "of three, copy $copy: $how"
		fresh "$tmp/large-base.img"
		mark $copy $how
		cats_right pair-a big
		expect_text "$tmp/err" "$WARNS"
		expect_status 0 do_verify
		refused 12 "copy $copy of the superblock says" crypt convert --encrypt -q --volume-key-file "$tmp/vk2" "$image" plain
		expect_status 0 do_decrypt
		copies_equal 2
		crypt cat "$image" target big | cmp - "$tmp/files/big"
	done
done
say "two of three say it: an unfinished conversion, as nobody can tell"
fresh "$tmp/large-base.img"
mark 1 bit
mark 2 bit
refused 7 'unfinished conversion' crypt convert --encrypt -q --volume-key-file "$tmp/vk2" "$image" plain
