#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One damaged crypt item, in a leaf whose checksum is right. Units and inline units in other items are found, whatever is on the way there. The index
# is not needed if the whole subvolume is as it was sealed. verify continues, unsealing changes nothing.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
sealed_base
KEY=("${VK[@]}")
FILES=(pair-a pair-b big small packed nosum frozen noted two dir/inner)
content() { [ "$1" = dir/inner ] && echo "$tmp/files/small" || echo "$tmp/files/$1"; }

# come_out STATUS FILE...: all but these are printed and exported as they were; nothing else comes out of these
come_out() {
	local name want=$1
	shift
	rm -rf "$tmp/exported"
	expect_unchanged "$want" "$image" crypt export "${KEY[@]}" "$image" target -o "$tmp/exported/"
	cp "$tmp/err" "$tmp/export-err"
	for name in "${FILES[@]}"; do
		if [[ " $* " = *" $name "* ]]; then
			expect_status 6 do_cat "$name"
			[ ! -e "$tmp/exported/$name" ] || [ "$(tr -d '\0' <"$tmp/exported/$name" | wc -c)" = 0 ] || fail "$name was exported"
		else
			expect_status 0 do_cat "$name"
			cmp -s "$tmp/out" "$(content "$name")" || fail "cat $name is not as it was"
			cmp -s "$tmp/exported/$name" "$(content "$name")" || { head -5 "$tmp/export-err"; fail "$name was not exported as it was"; }
		fi
	done
}
verified_but() {	# verified_but REGEX...: verify says all of this, and comes to its end
	local line
	expect_unchanged 6 "$image" do_verify
	for line in "$@" '^failed: '; do expect_text "$tmp/out" "$line"; done
}
# hit ITEM AT BYTE
# shellcheck disable=SC2086
hit() { attack xor $1 "$2" "$3"; }

items=$("$tmp/attack" "$tmp/base.img" keys 1 $CRYPT_ID | awk -v kind=$UNITS '$1 == 249 && int($2 / 2^44) % 16 == kind && int($2 / 2^48) == 1' | wc -l)
[ "$items" = 4 ] || fail "$items items of units"
for how in sealed moved; do
	if [ $how = moved ]; then
		fresh
		image_mount "$image" "$tmp/mnt" rw
		btrfs -q balance start --full-balance "$tmp/mnt"
		image_umount
		cp --sparse=always "$image" "$tmp/moved.img"
	fi
	for number in 1 2 3; do
		say "$how: item $number of units, which has units of one file only"
		[ $how = sealed ] && fresh || fresh "$tmp/moved.img"
		hit "$(item $UNITS $number)" 0 0x40
		come_out 6 big
		verified_but '^sealing 1: crypt units at 0x[0-9a-f]+: kind is 68, not 4$' 'target/big: '
		! grep -E 'target/(pair|small|nosum|two)' "$tmp/out" || fail "another file fails"
		refused 6 'sealing 1: crypt units at 0x[0-9a-f]+: kind is 68, not 4' do_decrypt
	done
done

say "a unit of another extent, and one that would begin far behind all others"
fresh
hit "$(item $UNITS 2)" $((8 + 9)) 0x80	# unit_id of its first unit
come_out 6 big
verified_but '^sealing 1: unit 0x[0-9a-f]+: the extent at .* a unit is missing$' 'target/big: '
at=$("$tmp/attack" "$tmp/base.img" units 1 | sed -nE "s/^item=0 at=([0-9]+) inode=$(inode pair-a) .*/\1/p")
fresh
hit "$(item $UNITS 0)" $((at + 8)) 0x40
come_out 6 pair-a
verified_but '^sealing 1: unit 0x[0-9a-f]+ is not after the extent ' 'target/pair-a: '
! grep -E 'target/(pair-b|small|nosum|two|big)' "$tmp/out" || fail "another file fails"

say "inline units"
fresh
hit "$(item $INLINE 0)" 0 0x40
come_out 6 small dir/inner
verified_but '^sealing 1: crypt inline units at 0x[0-9a-f]+: kind is 69, not 5$' 'target/small: '
! grep -E 'target/(pair|nosum|two|big)' "$tmp/out" || fail "another file fails"
refused 6 'sealing 1: crypt inline units at' do_decrypt

say "the index: everything is proven by the whole"
for at in 0:0x40 8:0x40 20:1 40:0x40; do
	fresh
	hit "$(item $INDEX 0)" "${at%:*}" "${at#*:}"
	come_out 0
	expect_text "$tmp/export-err" 'warning: the index of the sealing is damaged: '
	expect_status 0 crypt ls "${KEY[@]}" "$image" target
	verified_but 'sealing 1: its index, which proves single files, is damaged: '
	expect_text "$tmp/out" ' 1 failure$'
	refused 6 'sealing 1: its index, which proves single files, is damaged' do_decrypt
	OPTIONS=(--accept-changes)
	expect_status 0 do_decrypt
	OPTIONS=()
	expect_files_plain >/dev/null 2>&1
done

say "the index: unsealing that was interrupted goes on, or back"
fresh
hit "$(item $INDEX 0)" 0 0x40
until_stop_accepting() { "$tmp/attack" "$image" convert decrypt+accept "$1" "$tmp/vk" target; }
for goal in decrypt_resume abort; do
	cp --sparse=always "$image" "$tmp/start.img"
	expect_status 8 until_stop_accepting stop:2
	expect_status 0 do_$goal
	if [ $goal = abort ]; then
		verified_but 'sealing 1: its index, which proves single files, is damaged: '
	else
		expect_files_plain >/dev/null 2>&1
	fi
	cp --sparse=always "$tmp/start.img" "$image"
done

say "the index, and a file that was changed: nothing proves it, and nothing proves the others"
fresh
hit "$(item $INDEX 0)" 0 0x40
hit "$(inode_item noted)" 52 1
expect_unchanged 6 "$image" do_cat pair-a
only_zeros || fail "cat printed something"
expect_unchanged 6 "$image" do_verify
refused 6 'sealing 1' do_decrypt
