#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Units exchanged between two extents of the same length, in part or as a whole: unsealing finds it before it writes anything. If only the hints are
# exchanged (where an extent was seen last, and in which file), everything continues, with a warning. An extent that a kernel moved is not such a
# case.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
sealed_base
KEY=("${VK[@]}")

U=0 UNIT_ID=4 NONCE=32 LOCATOR=48 ADDRESS=72 FIRST=80 TAGS=88 END=$((88 + 16 * 16))	# of a unit of 16 blocks
place_of() { "$tmp/attack" "$tmp/base.img" units 1 | sed -nE "s/^item=([0-9]+) at=([0-9]+) inode=$(inode "$1") offset=0 .* blocks=16 in=0 extent=65536 .*/\1 \2/p"; }
read -r item_a at_a < <(place_of pair-a)
read -r item_b at_b < <(place_of pair-b)
[ -n "$at_a" ] && [ -n "$at_b" ] || fail "no units of 16 blocks"

# swap FROM TO...: these bytes of the two units
swap() {
	local a b at_in_a at_in_b
	fresh
	while [ $# -gt 0 ]; do
		at_in_a=$((at_a + $1)) at_in_b=$((at_b + $1))
		# shellcheck disable=SC2046
		a=$(attack peek $(item $UNITS "$item_a") $at_in_a $(($2 - $1))) && b=$(attack peek $(item $UNITS "$item_b") $at_in_b $(($2 - $1)))
		[ "$a" != "$b" ] || fail "bytes $1 to $2 are the same"
		# shellcheck disable=SC2046
		attack poke $(item $UNITS "$item_a") $at_in_a "$b"
		# shellcheck disable=SC2046
		attack poke $(item $UNITS "$item_b") $at_in_b "$a"
		shift 2
	done
}
stays_sealed() {
	never_wrong pair-a
	never_wrong pair-b
	cats_right small nosum
	expect_unchanged 6 "$image" do_verify
	refused 6 "$1" do_decrypt
	OPTIONS=(--accept-changes --accept-unsealed)
	refused 6 "$1" do_decrypt
	OPTIONS=()
}

say "units exchanged as a whole, so that they are out of order"
swap $U $END
stays_sealed 'is not after the extent'

say "their ids and all that says where they are, so that each is in the other's place"
swap $UNIT_ID $((UNIT_ID + 8)) $LOCATOR $TAGS
stays_sealed 'is not after the extent'

say "nonces, tags and all that says where they are: each in the other's place under its id"
swap $NONCE $END
stays_sealed 'the seal does not match'

say "nonces and tags"
swap $NONCE $LOCATOR $TAGS $END
stays_sealed 'the seal does not match'

say "tags: nothing but they themselves can tell"
swap $TAGS $END
never_wrong pair-a
never_wrong pair-b
cats_right small
expect_unchanged 6 "$image" do_verify
said 'pair-a: bytes 0 to 65535 fail authentication'
refused 6 'pair-a: .*fail authentication|are marked as sealed' do_decrypt

warning='warning: the recorded place of 2 sealed extents are wrong \(last: the data at [0-9]*\)'
for part in "$LOCATOR $TAGS" "$LOCATOR $ADDRESS" "$ADDRESS $FIRST" "$FIRST $TAGS"; do
	say "only what says where they are, bytes $part"
	# shellcheck disable=SC2086
	swap $part
	cats_right pair-a pair-b
	expect_unchanged 0 "$image" do_verify
	expect_text "$tmp/err" "$warning"
	expect_status 0 do_decrypt
	expect_text "$tmp/err" "$warning"
	expect_files_plain
done

say "nothing is wrong, and after a balance neither: no warning"
for how in sealed balanced; do
	fresh
	if [ $how = balanced ]; then
		image_mount "$image" "$tmp/mnt" rw
		btrfs -q balance start --full-balance "$tmp/mnt"
		image_umount
	fi
	for command in do_verify do_decrypt; do
		expect_status 0 $command
		! grep -q 'warning' "$tmp/err" || { cat "$tmp/err"; fail "$how: a warning"; }
	done
	expect_files_plain
done
