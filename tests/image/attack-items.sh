#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bytes of crypt items changed, every checksum of btrfs valid: a change of authenticated bytes is refused and nothing is changed; changes of hints, or
# of one of two copies, do no harm.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
sealed_base
fresh
"$tmp/attack" "$image" units 1 >"$tmp/units"
"$tmp/attack" "$image" inlines 1 >"$tmp/inlines"

# unit NAME AT: the key of the item that has a file's first unit, and AT within that unit
unit() {
	local number line
	number=$(inode "$1")
	line=$(grep -m 1 " inode=$number offset=0 " "$tmp/units") || fail "no unit of $1"
	line=${line#item=}
	echo "$(item $UNITS "${line%% *}") $(($(sed -E 's/.* at=([0-9]+) .*/\1/' <<<"$line") + $2))"
}
inline_unit() {
	local number line
	number=$(inode "$1")
	line=$(grep -m 1 " inode=$number " "$tmp/inlines") || fail "no inline unit of $1"
	line=${line#item=}
	echo "$(item $INLINE "${line%% *}") $(($(sed -E 's/.* at=([0-9]+) .*/\1/' <<<"$line") + $2))"
}

# Offsets in a unit: U, the hints, the tags
CIPHER=0 FLAGS=1 UNIT_ID=4 BLOCKS=12 EXTENT_LEN=16 IN_EXTENT=24 NONCE=32 ROOT=48 INODE=56 FILE_OFFSET=64 ADDRESS=72 FIRST=80 TAGS=88

say "each field of a unit that its key is derived from: 6"
for field in CIPHER FLAGS UNIT_ID BLOCKS EXTENT_LEN IN_EXTENT NONCE; do
	fresh
	# the fourth byte of numbers whose lower ones must stay multiples of a block
	case $field in UNIT_ID | EXTENT_LEN | IN_EXTENT) at=$((${!field} + 2)) ;; *) at=${!field} ;; esac
	attack xor $(unit pair-a "$at") 1
	readers_refuse 6 'unit|tag|sealing 1'
done
fresh
attack xor $(unit big $((NONCE + 15))) 0x80
readers_refuse 6 'sealing 1: the seal does not match its tags, index and subvolumes' big
cats_right pair-a

say "a tag: the file that has the block cannot be read, others can"
fresh
attack xor $(unit pair-a $((TAGS + 3 * 16))) 1
refused 6 'pair-a: bytes 12288 to ([0-9]+ are lost: bytes 12288 to 16383|16383 are lost: they) fail authentication' do_cat pair-a
cats_right pair-b big
expect_unchanged 6 "$image" do_verify
said 'pair-a: bytes 12288 to 16383 fail authentication'
refused 6 'pair-a' do_decrypt

say "all tags of a unit: the same"
fresh
attack poke $(unit pair-a $TAGS) "$(head -c 256 /dev/zero | od -An -v -tx1 | tr -d ' \n')"
refused 6 'pair-a' do_cat pair-a
expect_unchanged 6 "$image" do_verify
said 'pair-a'
refused 6 'pair-a' do_decrypt

say "inline units: kind, root, inode, offset, length, nonce: 6"
for at in 1 4 12 20 28 47; do
	fresh
	attack xor $(inline_unit small "$at") 1
	readers_refuse 6 'inline|sealing 1' small
done
say "the tag of an inline unit: 6"
fresh
attack xor $(inline_unit small 48) 1
readers_refuse 6 'target' small

say "member items: 13"
for at in 8 16 32 112 152; do		# id, uuid, flags, digest, path
	fresh
	attack xor $(item $MEMBER 0) "$at" 1
	readers_refuse 13 'header of sealing 1|member'
done

say "inode flags: 13"
for at in 8 16 28; do
	fresh
	attack xor $(item $INODE_FLAGS 0) "$at" 1
	readers_refuse 13 'header of sealing 1|inode'
done

# The header has the same seal: what was sealed can be unsealed all the same, once that is asked for.
seal_item_damaged() {
	local name
	whole_refused 6 "sealing 1: $1; its header has the same seal, and everything matches it"
	cats_right pair-a	# its entry in the index says enough
	expect_status 0 crypt convert --decrypt -q --accept-changes "${VK[@]}" "$image" target
	expect_text "$tmp/err" "sealing 1: $1"
	for name in "${ALL[@]}"; do
		crypt cat -q "$image" target "$name" | cmp - "$tmp/files/$name" || fail "$name is not as it was"
	done
	check_clean "$image"
}

say "the seal item: 6"
for at in 8 16 56 88 96 128 136 199; do
	fresh
	attack xor $(item $SEAL 0) "$at" 1
	seal_item_damaged 'its seal item is damaged'
done
fresh
attack drop $(item $SEAL 0)
seal_item_damaged 'its seal is missing'

say "both copies of the header: 13"
for at in 0 8 16 20 21 30 32 40 56 72 120 152 160 168 176 184 216 250 700 791; do	# every field that is not the same as another here
	fresh
	attack xor $(item $HEADER 0) "$at" 4
	attack xor $(second_header) "$at" 4
	readers_refuse 13 'header|crypt'
	refused 13 'header|crypt' do_verify_key
done

say "a domain number that is not there any more, one copy after the other: 13"
fresh
attack drop $(item $HEADER 0)
attack drop $(second_header)
readers_refuse 13 'header of sealing 1 is missing'

say "one copy of the header: as if nothing had happened, with a warning"
for at in 0 40 200; do
	fresh
	attack xor $(item $HEADER 0) "$at" 1
	survived 'header'
	fresh
	attack xor $(second_header) "$at" 1
	survived 'header'
done
fresh
attack drop $(second_header)
survived 'header'

say "hints: locator, address, first bytes of ciphertext: as if nothing had happened"
for at in $ROOT $INODE $FILE_OFFSET $((ADDRESS + 2)) $FIRST; do
	fresh
	attack xor $(unit pair-a "$at") 0xff
	survived
done
say "all of them at once, of every unit"
fresh
while read -r where at rest; do
	attack poke $(item $UNITS "${where#item=}") $((${at#at=} + ROOT)) "$(printf 'ff%.0s' $(seq 40))"
done <"$tmp/units"
survived

say "nobody without a key is fooled into using memory: counts that cannot be"
for kind in $UNITS $INLINE; do
	fresh
	attack poke $(item "$kind" 0) 2 ffff
	whole_refused 6 'crypt .*item|unit'
done
fresh
attack poke $(item $UNITS 0) 2 0000
whole_refused 6 'crypt .*item|unit'
for at in 104 120 136 152 168; do		# counts of members, items of units, inline units, index, bad blocks
	fresh
	attack poke $(item $HEADER 0) "$at" ffffffffffffff7f
	attack poke $(second_header) "$at" ffffffffffffff7f
	readers_refuse 13 'header'
	for command in "list" "dump-tree --crypt"; do
		# shellcheck disable=SC2086
		(ulimit -v 400000 && crypt $command "$image") >"$tmp/out" 2>"$tmp/err" || [[ $? =~ ^(6|13)$ ]] || { cat "$tmp/err"; fail "$command"; }
	done
done
