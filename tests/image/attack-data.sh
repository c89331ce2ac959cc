#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Ciphertext moved, replaced and taken from another time, units taken away, with valid checksums.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
sealed_base
fresh
"$tmp/attack" "$image" units 1 >"$tmp/units"
"$tmp/attack" "$image" inlines 1 >"$tmp/inlines"

field() { sed -nE "s/.* $1=([0-9]+).*/\1/p" <<<" $2"; }
# place FILE: where its first extent is
place() {
	local line
	line=$(grep -m 1 " inode=$(inode "$1") offset=0 " "$tmp/units") || fail "no unit of $1"
	field address "$line"
}
get() { attack raw-get "$(($1))" "$2" >"$3"; }
A=$(place pair-a) B=$(place pair-b)

say "blocks of two units swapped: 6, and which files"
get A+3*4096 4096 "$tmp/a" && get B+3*4096 4096 "$tmp/b"
attack data-put $((A + 3 * 4096)) "$tmp/b"
attack data-put $((B + 3 * 4096)) "$tmp/a"
check_clean "$image"
for name in pair-a pair-b; do
	refused 6 "$name: bytes 12288 to 16383 are lost: they fail authentication on every mirror" do_cat $name
	only_lost $name
done
cats_right big small
expect_unchanged 6 "$image" do_verify
said 'pair-a: bytes 12288 to 16383 fail authentication'
said 'pair-b: bytes 12288 to 16383 fail authentication'
refused 6 'bytes 12288 to 16383 fail authentication' do_decrypt

say "blocks of one unit swapped: 6"
fresh
get A 4096 "$tmp/a" && get A+4096 4096 "$tmp/b"
attack data-put "$A" "$tmp/b"
attack data-put $((A + 4096)) "$tmp/a"
refused 6 'pair-a: bytes 0 to ([0-9]+ are lost: bytes 0 to 4095|4095 are lost: they) fail authentication' do_cat
refused 6 'pair-a: bytes 0 to 4095 fail authentication' do_decrypt

say "whole extents swapped: found by their tags, and seen to be the wrong way round"
fresh
get A 65536 "$tmp/a" && get B 65536 "$tmp/b"
attack data-put "$A" "$tmp/b"
attack data-put "$B" "$tmp/a"
readers_refuse 6 'target: its tree has changed since it was sealed' pair-a 'pair-a: bytes 0 to 65535 are lost'
OPTIONS=(--accept-changes)
refused 6 'pair-a: bytes 0 to 65535 are lost' do_cat pair-a	# its items are those of its own units: nothing else is accepted in their place
only_zeros || fail "the other one's bytes came out"
OPTIONS=()

say "two units of one extent swapped: 6"
fresh
big=$(place big)
blocks=$(field blocks "$(grep -m 1 " inode=$(inode big) offset=0 " "$tmp/units")")
second=$((big + blocks * 4096))
get big 131072 "$tmp/a" && get second 131072 "$tmp/b"
attack data-put "$big" "$tmp/b"
attack data-put "$second" "$tmp/a"
refused 6 'big: bytes 0 to' do_cat big
refused 6 'big: bytes 0 to' do_decrypt

say "every block of an extent replaced: marked, and no unit verifies"
fresh
head -c 65536 /dev/urandom >"$tmp/noise"
attack data-put "$A" "$tmp/noise"
refused 6 'pair-a: bytes 0 to' do_cat
cats_right pair-b big
expect_unchanged 6 "$image" do_verify
said 'pair-a'
OPTIONS=(--accept-changes --accept-unsealed)
refused 6 'pair-a: bytes 0 to' do_cat
refused 6 'pair-a: bytes 0 to' do_decrypt
OPTIONS=()

say "the plain text itself put in the place of ciphertext: 6"
fresh
attack data-put "$A" "$tmp/files/pair-a"
refused 6 'pair-a: bytes 0 to' do_cat
refused 6 'pair-a: bytes 0 to' do_decrypt

say "data without checksums: 6 as well"
fresh
place=$(place nosum)
get place+8192 4096 "$tmp/a"
flip "$tmp/a" 100
attack raw-put $((place + 8192)) "$tmp/a"
refused 6 'nosum: bytes 8192 to 12287 are lost: they fail authentication' do_cat nosum
refused 6 'nosum: bytes 8192 to 12287 fail authentication' do_decrypt
say "compressed data: nothing of that extent comes out"
fresh
place=$(place packed)
get place 4096 "$tmp/a"
flip "$tmp/a" 100
attack data-put "$place" "$tmp/a"
refused 6 'packed: bytes 0 to' do_cat packed
only_lost packed

say "one of two mirrors: the other one is used, with a warning"
fresh
read -r -d '' first other < <(btrfs-map-logical -l "$A" "$image" | sed -n 's/^mirror [0-9]* logical [0-9]* physical \([0-9]*\) .*/\1/p') || true
[ -n "$other" ] || fail "not on two mirrors"
dd if="$tmp/noise" of="$image" bs=4096 count=2 seek=$((first / 4096)) conv=notrunc status=none
expect_unchanged 0 "$image" do_cat
cmp "$tmp/out" "$tmp/files/pair-a" || fail "wrong content"
expect_text "$tmp/err" 'mirror 1 fails authentication, mirror 2 is right'
expect_status 6 do_verify		# which looks at every mirror
said 'pair-a: bytes 0 to 8191 fail authentication on mirror 1 of 2'
expect_status 0 do_decrypt
expect_files_plain

# --- other times ------------------------------------------------------------------------------------------------------------

say "ciphertext of another sealing with the same volume key: 6"
fresh "$tmp/plain.img"
seal "$image" target ""
get A 65536 "$tmp/a"
fresh
get A 65536 "$tmp/b"
if cmp -s "$tmp/a" "$tmp/b"; then fail "two sealings have the same ciphertext"; fi
head -c 4096 "$tmp/a" >"$tmp/block"
attack data-put "$A" "$tmp/block"
refused 6 'pair-a: bytes 0 to ([0-9]+ are lost: bytes 0 to 4095|4095 are lost: they) fail authentication' do_cat
refused 6 'pair-a: bytes 0 to 4095 fail authentication' do_decrypt
attack data-put "$A" "$tmp/a"
refused 6 'pair-a: bytes 0 to' do_cat

say "one conversion finished twice from the same unfinished image: the same keys, other nonces"
fresh "$tmp/plain.img"
expect_status 8 "$tmp/attack" "$image" convert encrypt stop:1 "$tmp/vk" target
cp --sparse=always "$image" "$tmp/unfinished.img"
KEY=("${VK[@]}")
expect_status 0 do_resume
"$tmp/attack" "$image" units 1 >"$tmp/units"
A=$(place pair-a)
get A 65536 "$tmp/a"
line=$(grep -m 1 " inode=$(inode pair-a) offset=0 " "$tmp/units")
line=${line#item=}
units_item=$(item $UNITS "${line%% *}")
length=$("$tmp/attack" "$image" keys 1 $CRYPT_ID | awk -v key="${units_item##* }" '$2 == key { print $3 }')
# shellcheck disable=SC2086
theirs=$(attack peek $units_item 0 "$length")
fresh "$tmp/unfinished.img"
expect_status 0 do_resume
get A 65536 "$tmp/b"
if cmp -s "$tmp/a" "$tmp/b"; then fail "a nonce was used twice"; fi
cp --sparse=always "$image" "$tmp/second.img"
attack data-put "$A" "$tmp/a"
refused 6 'pair-a: bytes 0 to' do_cat
refused 6 'pair-a: bytes 0 to' do_decrypt
say "with the units that go with it, nonces and tags: the seal does not match"
# shellcheck disable=SC2086
attack poke $units_item 0 "$theirs"
readers_refuse 6 'sealing 1: the seal does not match its tags, index and subvolumes'

# --- units taken away -----------------------------------------------------------------------------------------------------------

KEY=(--passphrase-file "$tmp/passphrase")
fresh
"$tmp/attack" "$image" units 1 >"$tmp/units"
n_items=$(tail -1 "$tmp/units" | sed -E 's/item=([0-9]+).*/\1/')
say "an item of units taken away: the first, one between, the last"
for index in 0 1 "$n_items"; do
	fresh
	attack drop $(item $UNITS "$index")
	whole_refused 6 'unit'
done

# without KIND INDEX AT SIZE N: the item without the entry of SIZE bytes at AT, its count one less
without() {
	local key length bytes
	key=$(item "$1" "$2")
	length=$("$tmp/attack" "$image" keys 1 $CRYPT_ID | awk -v key="${key##* }" '$2 == key { print $3 }')
	# shellcheck disable=SC2086
	bytes=$(attack peek $key 0 "$length")
	# shellcheck disable=SC2086
	attack put $key "${bytes:0:4}$(le 2 $(($(number_of "${bytes:4:4}") - 1)))${bytes:8:2*$3-8}${bytes:2*($3+$4)}"
}
say "one unit taken out of its item, the count made right"
for name in pair-a nosum; do
	fresh
	line=$(grep -m 1 " inode=$(inode $name) offset=0 " "$tmp/units")
	line2=${line#item=}
	without $UNITS "${line2%% *}" "$(field at "$line")" $((88 + 16 * $(field blocks "$line")))
	readers_refuse 6 'sealing 1: it has [0-9]+ runs of tags .* its header says' $name
	OPTIONS=(--accept-changes --accept-unsealed)
	refused 6 "$name: bytes 0 to 65535 are lost: .* are marked as sealed, but no tag matches" do_cat $name
	refused 6 'sealing 1: it has' do_decrypt
	OPTIONS=()
done
say "one inline unit taken out"
fresh
line=$(grep -m 1 " inode=$(inode small) " "$tmp/inlines")
line2=${line#item=}
without $INLINE "${line2%% *}" "$(field at "$line")" 64
readers_refuse 6 'sealing 1: it has [0-9]+ runs of tags .* its header says' small
say "an item of inline units taken away"
fresh
attack drop $(item $INLINE 0)
readers_refuse 6 'inline|not sealed|single tags' small
cats_right pair-a
