#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One wrong item, in a leaf whose checksum is right, costs one file. All others are printed and exported as they were, verify names the file and the
# field and continues, and unsealing names every such file before it writes anything.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/attack-lib.sh"
sealed_base
KEY=("${VK[@]}")
FILES=(pair-a pair-b big small packed nosum frozen noted two dir/inner)
content() { [ "$1" = dir/inner ] && echo "$tmp/files/small" || echo "$tmp/files/$1"; }

# others_come_out FILE...: all but these are printed and exported as they were, without a word of damage in what is printed
others_come_out() {
	local name
	rm -rf "$tmp/exported"
	expect_unchanged 6 "$image" crypt export "${KEY[@]}" "$image" target -o "$tmp/exported/"
	cp "$tmp/err" "$tmp/export-err"
	for name in "${FILES[@]}"; do
		[[ " $* " != *" $name "* ]] || continue
		expect_status 0 do_cat "$name"
		cmp -s "$tmp/out" "$(content "$name")" || fail "$row: cat $name is not as it was"
		cmp -s "$tmp/exported/$name" "$(content "$name")" || { head -5 "$tmp/export-err"; fail "$row: $name was not exported as it was"; }
	done
}

# bad_item FILE TEXT: FILE is lost, and TEXT is said of it
bad_item() {
	local file=$1 text=$2
	others_come_out "$file"
	expect_text "$tmp/export-err" "warning: $file: .*$text"
	[ ! -s "$tmp/exported/$file" ] || [ "$(tr -d '\0' <"$tmp/exported/$file" | wc -c)" = 0 ] || fail "$row: $file was exported"
	if [ "$file" != link ]; then
		expect_unchanged 6 "$image" do_cat "$file"
		expect_text "$tmp/err" "$text"
		only_zeros || fail "$row: cat printed something"
	fi
	expect_unchanged 6 "$image" do_verify
	expect_text "$tmp/out" "^target/$file: .*$text"
	expect_text "$tmp/out" '^failed: aes-256-gcm@btrfs:[0-9a-f]{8}: .* [23] failures$'	# it, and the digest of the whole
	expect_unchanged 6 "$image" do_decrypt
	expect_text "$tmp/err" "convert: target/$file: .*$text"
	OPTIONS=(--accept-changes --accept-unsealed)
	expect_unchanged 6 "$image" do_decrypt
	OPTIONS=()
	expect_text "$tmp/err" "hint: nothing was changed; what this item leads to would be lost with the keys"
}

extent() {	# extent NAME AT HEX FILE TEXT: these bytes in the item of the file
	row=$1
	say "extent item: $row"
	fresh
	attack poke "$(file_item "$4")" "$2" "$3"
	bad_item "$4" "$5"
}
attack() {	# keys are given in one word
	local command=$1 key=$2
	shift 2
	# shellcheck disable=SC2086
	"$tmp/attack" "$image" "$command" $key "$@" || fail "attack $command $key $*"
}

extent "disk_bytenr outside of every chunk" 21 "$(le 8 $((1 << 50)))" pair-a 'extent item at 0: disk_bytenr: logical address 1125899906842624 is in no chunk'
extent "disk_bytenr with bit 63" 28 80 pair-a 'disk_bytenr: logical address 92233720368[0-9]* is in no chunk'
extent "disk_bytenr not aligned" 21 01 pair-a 'file extent at 0x[0-9a-f]+: disk_bytenr is [0-9]+, not a multiple of 4096'
extent "disk_num_bytes not aligned" 29 01 pair-a 'disk_num_bytes is [0-9]+, not a multiple of 4096'
extent "disk_num_bytes 0" 29 "$(le 8 0)" pair-a 'disk_num_bytes is 0, the extent has a disk address'
extent "num_bytes past the extent" 50 80 pair-a 'num_bytes is [0-9]+, past the extent'
extent "num_bytes 0" 45 "$(le 8 0)" pair-a 'num_bytes is 0, not at least 4096'
extent "offset past the extent" 40 10 pair-a 'offset is [0-9]+ and num_bytes is 65536, past the extent'
extent "offset not aligned" 37 07 pair-a 'offset is 7, not a multiple'
extent "type" 20 09 pair-a 'type is 9, not 0 to 2'
extent "type inline" 20 00 pair-a 'ram_bytes is 65536, the payload has 32'
extent "compression" 16 08 pair-a 'compression is 8, not 0 to 3'
extent "compressed: ram_bytes" 15 40 packed 'ram_bytes is [0-9]+, at most 131072 when compressed'
extent "inline: ram_bytes" 9 40 small 'ram_bytes is [0-9]+, the payload has 700'
extent "inline: compression" 16 09 small 'compression is 9, not 0 to 3'
extent "symbolic link: ram_bytes" 9 40 link 'ram_bytes is [0-9]+, the payload has 20'

b=$(crypt dump-tree -t "$TARGET" "$tmp/base.img" | awk -v key="($(inode pair-b) EXTENT_DATA 0)" 'index($0, key) { getline; getline; print $5 }')
own_block=$(btrfs inspect-internal dump-tree -t "$TARGET" "$tmp/base.img" | sed -nE 's/^leaf ([0-9]+) items .*/\1/p' | head -1)
extent "disk_num_bytes of 256 TiB" 34 0001 pair-a 'it is not the file that was sealed|disk_num_bytes is 281474976776192, at most 1099511627775'
extent "disk_bytenr in another file" 21 "$(le 8 $((b + 4096)))" pair-a "bytes 0 to 65535 (are lost|fail)|it is not the file that was sealed|data extent at $((b + 4096)) begins before the one at $b ends"
extent "disk_num_bytes into another file" 29 "$(le 8 131072)" pair-a "bytes 0 to 65535 (are lost|fail)|it is not the file that was sealed|data extent at $b begins before the one at [0-9]* ends"
extent "disk_bytenr of a block of this tree" 21 "$(le 8 "$own_block")" pair-a "bytes 0 to 65535 (are lost|fail)|it is not the file that was sealed|data extent at $own_block and tree block at $own_block overlap"

inode_field() {	# inode_field NAME AT HEX FILE TEXT
	row=$1
	say "inode item: $row"
	fresh
	attack poke "$(inode_item "$4")" "$2" "$3"
	bad_item "$4" "$5"
}
inode_field "mode" 52 "$(le 4 0x81a40000)" pair-b 'inode item at 0x[0-9a-f]+: mode is 020151000000, not a type of file'
inode_field "nanoseconds" 144 "$(le 4 1000000000)" pair-b 'inode item at 0x[0-9a-f]+: otime.nsec is 1000000000, at most 999999999|inode item at .*nsec is 1000000000'
inode_field "of a small file" 52 "$(le 4 0x81a40000)" small 'inode item at 0x[0-9a-f]+: mode is 020151000000, not a type of file'

say "two files: unsealing names both, and what verify counts is not less"
fresh
attack poke "$(file_item pair-a)" 20 09
attack poke "$(file_item nosum)" 16 08
expect_unchanged 6 "$image" do_decrypt
expect_text "$tmp/err" 'note: target/pair-a: .*type is 9'
expect_text "$tmp/err" 'note: target/nosum: .*compression is 8'
expect_unchanged 6 "$image" do_verify
expect_text "$tmp/out" '^target/pair-a: .*type is 9'
expect_text "$tmp/out" '^target/nosum: .*compression is 8'
others_come_out pair-a nosum

say "a leaf that cannot be read: what it has is lost, and what it has not is verified"
fresh
block=$(python3 "$IMAGE_TESTS/damage.py" "$image" block "$TARGET" 1)
expect_unchanged 6 "$image" do_verify
expect_text "$tmp/out" "^target: .*tree block at $(printf '%#x' "$block"): the crc32c checksum does not match"
expect_text "$tmp/out" '^failed: aes-256-gcm@btrfs:[0-9a-f]{8}: [1-9][0-9]* files, .* failures$'
expect_unchanged 6 "$image" do_decrypt
expect_text "$tmp/err" "convert: target: .*tree block at $(printf '%#x' "$block"): the crc32c checksum does not match"
cats_right pair-a pair-b

say "not sealed: one file is lost to export"
KEY=()
for change in "$(file_item pair-a) 28 80" "$(file_item pair-a) 20 09" "$(file_item pair-a) 50 80" "$(inode_item pair-a) 52 $(le 4 0x81a40000)"; do
	row=$change
	fresh "$tmp/plain.img"
	# shellcheck disable=SC2086
	"$tmp/attack" "$image" poke $change
	others_come_out pair-a
	expect_text "$tmp/export-err" 'warning: pair-a: '
done
