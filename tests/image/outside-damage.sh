#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Unsealing needs nothing of the subvolumes that it does not unseal: what is damaged there costs a note, as long as everything that was sealed is known
# to be elsewhere; else it is refused, and the option that goes on is named. Reading another subvolume costs a warning.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/attack-lib.sh"
need_root
need_crypt
tool attack
make_keys
image=$tmp/disk.img
ROOT_ITEM=132 ROOT_BACKREF=144

image_make "$tmp/base.img" 200M -n 4096 -m single -d single
image_mount "$tmp/base.img" "$tmp/mnt" rw,noatime
for name in one two other plain; do
	btrfs -q subvolume create "$tmp/mnt/$name"
	head -c 300000 /dev/urandom >"$tmp/mnt/$name/big"
	echo "small of $name" >"$tmp/mnt/$name/small"
done
for i in $(seq 200); do echo "content $i" >"$tmp/mnt/plain/name-$i"; done
btrfs -q subvolume create "$tmp/mnt/tiny"
echo "small of tiny" >"$tmp/mnt/tiny/small"
cp -r "$tmp/mnt" "$tmp/want"
number() { btrfs inspect-internal rootid "$tmp/mnt/$1"; }
ONE=$(number one) TWO=$(number two) SECOND=$(number other) OUTSIDE=$(number plain)
image_umount
crypt convert --encrypt -q "${VK[@]}" "$tmp/base.img" one two tiny >"$tmp/out"
crypt convert --encrypt -q --volume-key-file "$tmp/vk2" "$tmp/base.img" other >"$tmp/out"

spoil() {	# spoil ADDRESS: of a tree block, whose checksum does not match any more
	attack raw-get "$1" 4096 >"$tmp/node"
	flip "$tmp/node" 2000
	attack raw-put "$1" "$tmp/node"
}
fresh
leaf=$(python3 "$IMAGE_TESTS/damage.py" "$image" block "$OUTSIDE" 2)	# of several
fresh
root=$(number_of "$("$tmp/attack" "$image" peek 1 "$OUTSIDE" $ROOT_ITEM 0 176 8)")
plain_now() {	# plain_now SUBVOL...: readable without a key, as they were
	local name file
	for name; do
		for file in big small; do crypt cat "$image" "$name" "$file" 2>/dev/null | cmp - "$tmp/want/$name/$file" || fail "$name/$file is not as it was"; done
	done
}
note="subvolume plain \\(id $OUTSIDE\\), which is not unsealed: .*tree block at 0x"

say "a leaf, and the only way into the tree, of a subvolume that was never sealed"
for block in "$leaf" "$root"; do
	fresh
	spoil "$block"
	expect_unchanged 0 "$image" crypt verify "${VK[@]}" "$image" one
	expect_text "$tmp/err" "note: subvolume $OUTSIDE \\(plain\\), which is not verified: .*tree block at 0x"
	expect_unchanged 0 "$image" crypt convert --decrypt -q --dry-run "${VK[@]}" "$image" one
	expect_text "$tmp/err" "$note.*nothing that was sealed here can be lost in it"
	expect_status 0 crypt convert --decrypt -q "${VK[@]}" "$image" one
	expect_text "$tmp/err" "$note.*nothing that was sealed here can be lost in it"
	plain_now one two
done

say "and of what is to be unsealed: all of it is needed, and can be exported but for what is damaged"
fresh
spoil "$(number_of "$("$tmp/attack" "$image" peek 1 "$TWO" $ROOT_ITEM "$("$tmp/attack" "$image" keys 1 "$TWO" | awk '$1 == 132 { print $2 }')" 176 8)")"
refused 6 "subvolume $TWO: .*tree block at 0x" crypt convert --decrypt -q "${VK[@]}" "$image" one
expect_text "$tmp/err" 'hint: nothing was changed; .btrfs-crypt export. saves what can be read'
expect_status 0 crypt export -q "${VK[@]}" "$image" one -o "$tmp/one.tar"
tar -xOf "$tmp/one.tar" small 2>/dev/null | cmp - "$tmp/want/one/small" || fail "small is not as it was"

say "while unsealing is unfinished"
for how in "--decrypt --resume" --abort; do
	fresh
	"$tmp/attack" "$image" convert decrypt stop:2 "$tmp/vk" one >"$tmp/out" 2>&1 || true
	expect_status 7 crypt convert --status "$image"
	expect_text "$tmp/out" unfinished
	spoil "$leaf"
	# shellcheck disable=SC2086
	expect_status 0 crypt convert $how -q "${VK[@]}" "$image"
	if [ "$how" = --abort ]; then
		expect_status 0 crypt verify "${VK[@]}" "$image" one
	else
		plain_now one two
	fi
done

say "a root item: of one that was never sealed, or by another sealing; of what is to be unsealed, and of the top level, it is needed"
for one in "$OUTSIDE" "$SECOND"; do
	fresh
	attack xor 1 "$one" $ROOT_ITEM 0 238 200	# level
	text="subvolume $one, which is not %s: root item \\($one ROOT_ITEM 0\\): .* level is 20[01]"
	expect_unchanged 0 "$image" crypt verify "${VK[@]}" "$image" one
	expect_text "$tmp/err" "note: ${text/\%s/verified}"
	cp --sparse=always "$image" "$tmp/root.img"
	expect_status 0 crypt convert --decrypt -q "${VK[@]}" "$image" one
	expect_text "$tmp/err" "note: ${text/\%s/unsealed}.*nothing that was sealed here can be lost in it"
	plain_now one
	for how in "--decrypt --resume" --abort; do
		fresh "$tmp/root.img"
		"$tmp/attack" "$image" convert decrypt stop:2 "$tmp/vk" one >"$tmp/out" 2>&1 || true
		expect_status 7 crypt convert --status "$image"
		# shellcheck disable=SC2086
		expect_status 0 crypt convert $how -q "${VK[@]}" "$image"
		expect_text "$tmp/err" "note: subvolume $one: root item"
		if [ "$how" = --abort ]; then
			expect_status 0 crypt verify "${VK[@]}" "$image" one
		else
			plain_now one
		fi
	done
done
say "who reads another subvolume goes on beside it, and says so"
# reads TEXT: files of one, with its key, in every way
reads() {
	local words
	for words in "cat KEY IMAGE one small" "ls KEY IMAGE one" "ls -lR KEY IMAGE one" "stat KEY IMAGE one small" "export KEY IMAGE one -o $tmp/read/" \
		"verify-key KEY IMAGE one" "show IMAGE one" "timeline IMAGE one" "resolve IMAGE one small"; do
		words=${words/KEY/${VK[*]}}
		rm -rf "$tmp/read"
		# shellcheck disable=SC2086
		expect_unchanged 0 "$image" crypt ${words/IMAGE/"$image"}
		expect_text "$tmp/err" "warning: $1"
	done
	expect_status 0 crypt export "${VK[@]}" "$image" one -o "$tmp/read/"
	diff -r "$tmp/want/one" "$tmp/read" || fail "one is not exported as it was"
}
for one in "$OUTSIDE" "$SECOND" "$TWO"; do	# TWO was sealed with ONE
	fresh
	at=$("$tmp/attack" "$image" keys 1 "$one" | awk '$1 == 132 { print $2 }')
	attack xor 1 "$one" $ROOT_ITEM "$at" 238 200
	text="subvolume $one cannot be read: root item \\($one ROOT_ITEM $at\\): .* level is 20[01]"
	reads "$text"
	expect_unchanged 6 "$image" crypt list "$image"
	[ "$(grep -c ' path ' "$tmp/out")" = 4 ] || fail "list does not show the others"
	expect_text "$tmp/err" '1 subvolume is damaged, the list is not complete'
	expect_status 6 crypt cat "$image" "id:$one" small
	expect_text "$tmp/err" "^btrfs-crypt cat: subvolume $one: root item"
	expect_status 6 crypt resolve --logical 30408704 "$image"	# its data, perhaps
	rm -rf "$tmp/read"
	expect_status 6 crypt export --snapshots "${VK[@]}" "$image" one -o "$tmp/read/"
	expect_text "$tmp/err" "subvolume-$one: not exported: root item"
	cmp "$tmp/read/one/big" "$tmp/want/one/big" || fail "one is not exported"
	refused 6 "root item .* level is 20[01]" crypt convert --encrypt -q "${VK[@]}" "$image" plain
done
fresh
attack xor 1 "$OUTSIDE" $ROOT_BACKREF 5 16 255		# the length of its name
reads "the path of subvolume $OUTSIDE is not known: root backref \\($OUTSIDE ROOT_BACKREF 5\\): .*"
expect_status 6 crypt list "$image"
for words in "id:$OUTSIDE small" "/ plain/small"; do
	# shellcheck disable=SC2086
	expect_status 0 crypt cat "$image" $words
	cmp "$tmp/out" "$tmp/want/plain/small" || fail "small is not as it was"
done
expect_status 6 crypt cat "$image" plain small
refused 6 "root backref" crypt convert --encrypt -q "${VK[@]}" "$image" "id:$OUTSIDE"

say "a root item, where only cleaning up is left: it is not known any more whose it is"
for operation in encrypt decrypt; do
	phases=
	for n in $(seq 10 200); do
		fresh
		[ $operation = decrypt ] || crypt convert --decrypt -q "${VK[@]}" "$image" one 2>"$tmp/err"
		"$tmp/attack" "$image" convert $operation "flush:$n" "$tmp/vk" one >"$tmp/out" 2>&1 || true
		crypt convert --status "$image" >"$tmp/out" && break
		phase=$(state phase)
		case " $phases " in *" $phase "*) continue ;; esac
		[ "$phase" -ge 5 ] || continue
		phases+=" $phase"
		attack xor 1 "$OUTSIDE" $ROOT_ITEM 0 238 200
		if [ $operation = decrypt ]; then
			expect_status 6 crypt convert --decrypt --resume -q "${VK[@]}" "$image"
			expect_text "$tmp/err" "the conversion has finished, but .*subvolume $OUTSIDE: root item"
		else
			expect_status 0 crypt convert --resume -q "${VK[@]}" "$image"
			expect_text "$tmp/err" "note: subvolume $OUTSIDE: root item"
		fi
		expect_status 0 crypt convert --status "$image"
		attack xor 1 "$OUTSIDE" $ROOT_ITEM 0 238 200
		check_clean "$image"
		[ $operation = encrypt ] || plain_now one
		[ $operation = decrypt ] || expect_status 0 crypt verify "${VK[@]}" "$image" one
	done
	[ "$phases" = " 5 6" ] || fail "$operation: phases$phases"
done
for one in "$ONE" "$TWO" 5; do
	fresh
	at=$("$tmp/attack" "$image" keys 1 "$one" | awk '$1 == 132 { print $2 }')
	attack xor 1 "$one" $ROOT_ITEM "$at" 238 200
	for name in one two "id:$ONE" "id:$TWO"; do
		refused 6 'root item .* level is 20[01]' crypt convert --decrypt -q --accept-changes "${VK[@]}" "$image" "$name"
		expect_status 6 crypt verify "${VK[@]}" "$image" "$name"
		said 'root item .* level is 20[01]'
	done
done
say "a member item of another sealing"
fresh
# shellcheck disable=SC2046
attack xor $(item $MEMBER 0 2) 0 1
expect_unchanged 0 "$image" crypt verify "${VK[@]}" "$image" one
expect_text "$tmp/err" 'warning: sealing 2 cannot be read: crypt member at'
expect_status 0 crypt convert --decrypt -q "${VK[@]}" "$image" one
expect_text "$tmp/err" 'warning: sealing 2 cannot be read: crypt member at'
plain_now one two
# shellcheck disable=SC2046
attack xor $(item $MEMBER 0 2) 0 1
expect_status 0 crypt convert --decrypt -q --volume-key-file "$tmp/vk2" "$image" other
plain_now other

say "the tag of another sealing, which can be read or not, explains no data of this one"
for damage in none item; do
	fresh
	at=$("$tmp/attack" "$image" keys 1 "$TWO" | awk '$1 == 132 { print $2 }')
	attack xor 1 "$TWO" $ROOT_ITEM "$at" 247 1	# uuid
	attack poke 1 "$TWO" $ROOT_ITEM "$at" 375 "$(attack peek 1 "$SECOND" $ROOT_ITEM 0 375 24)"
	# shellcheck disable=SC2046
	[ $damage = none ] || attack xor $(item $MEMBER 0 2) 0 1
	for more in "" --accept-changes; do
		# shellcheck disable=SC2086
		refused 6 "subvolume two \\(id $TWO\\): it has data that were sealed here" crypt convert --decrypt -q $more "${VK[@]}" "$image" one
	done
done

say "one that was sealed is gone, with data or with nothing but a small file: what cannot be read may have them"
for gone in two tiny; do
	fresh
	image_mount "$image" "$tmp/mnt" rw,noatime
	btrfs -q subvolume delete "$tmp/mnt/$gone"
	deleted_are_gone "$tmp/mnt"
	image_umount
	cp --sparse=always "$image" "$tmp/gone.img"
	expect_status 0 crypt convert --decrypt -q "${VK[@]}" "$image" one
	fresh "$tmp/gone.img"
	spoil "$leaf"
	refused 6 "subvolume plain \\(id $OUTSIDE\\), which is not to be unsealed: .*tree block at 0x.*; nothing was changed" \
		crypt convert --decrypt -q "${VK[@]}" "$image" one
	expect_text "$tmp/err" 'hint: some of the data sealed here were not found.*--accept-changes'
	expect_status 0 crypt convert --decrypt -q --accept-changes "${VK[@]}" "$image" one
	expect_text "$tmp/err" "$note.*; data that were sealed here and exist only in it are lost"
	plain_now one
done
