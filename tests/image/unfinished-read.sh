#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Reading while a conversion is unfinished, at every second safe point of it (TORTURE: at every one): what is not being converted, without a key; what
# is, with its key. Nothing is written.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
. "$IMAGE_TESTS/bad-lib.sh"
bad_base

FINISH=5
VK2=(--volume-key-file "$tmp/vk2")
cp --sparse=always "$tmp/plain.img" "$image"
seal "$image" other 2
cp --sparse=always "$image" "$tmp/start-encrypt.img"
seal "$image" target ""
cp --sparse=always "$image" "$tmp/start-decrypt.img"

# reads NAME COMMAND...: exit 0, the bytes of the file, and on standard error that a conversion is unfinished
reads() {
	local name=$1
	shift
	expect_status 0 "$@"
	cmp "$tmp/out" "$tmp/files/$name" || fail "$name: wrong content from: $*"
	expect_text "$tmp/err" 'warning: an unfinished conversion is present'
}

outside() {
	reads pair-b crypt cat "$image" plain pair-b
	reads small crypt cat "${VK2[@]}" "$image" other small
	reads pair-a crypt cat "${VK2[@]}" "$image" other pair-a
	expect_status 0 crypt verify "${VK2[@]}" "$image" other
	rm -rf "$tmp/exported"
	expect_status 0 crypt export --archive dir -o "$tmp/exported" "$image" plain
	cmp "$tmp/exported/pair-b" "$tmp/files/pair-b"
	expect_status 0 crypt ls "$image" plain
	grep -q pair-b "$tmp/out" || fail "ls shows no file"
}

beside=		# the operation during which others were exported beside what is being converted
# By command each file in the first state of a phase, later one by turns; export has them all, each time.
inside() {
	local name names=("${FILES[@]}")
	[ -z "${seen[$(state phase)]:-}" ] || names=("${FILES[count % ${#FILES[@]}]}")
	for name in "${names[@]}"; do reads "$name" crypt cat "${VK[@]}" "$image" target "$name"; done
	reads small crypt cat "${VK[@]}" "$image" target dir/inner
	rm -rf "$tmp/exported"
	expect_status 0 crypt export --archive dir -o "$tmp/exported" "${VK[@]}" "$image" target
	[ "$(readlink "$tmp/exported/link")" = "where the link leads" ] || fail "export: the link"
	for name in "${FILES[@]}"; do cmp "$tmp/exported/$name" "$tmp/files/$name"; done
	expect_status 2 crypt cat "${VK2[@]}" "$image" target pair-a
	expect_status 7 crypt cat "$image" target pair-a
	expect_text "$tmp/err" 'is being converted'
	expect_status 7 crypt export --archive dir -o "$tmp/refused" "$image" target
	[ "$beside" = "$operation" ] || for name in "target plain" "plain target:dir" "--recursive /"; do
		rm -rf "$tmp/exported"
		# shellcheck disable=SC2086
		expect_status 7 crypt export --archive dir -o "$tmp/exported" --accept-unsealed "$image" $name
		expect_text "$tmp/err" 'warning: target(/dir)?: not exported: subvolume target \(id [0-9]+\): it is being converted'
		expect_text "$tmp/err" '1 entry was left out: being converted'
		cmp "$tmp/exported/plain/pair-b" "$tmp/files/pair-b" || fail "export $name: what is not being converted"
		[ ! -e "$tmp/exported/target/pair-a" ] || fail "export $name: what is being converted"
	done
	beside=$operation
	expect_status 7 crypt verify "${VK[@]}" "$image" target
}

# The bit in the primary superblock
is_unfinished() { [ "$(attack super-get 0 | od -An -tu1 -j $((0xbc + 7)) -N 1)" -ge 128 ]; }

for operation in encrypt decrypt; do
	seen=() count=0 cut=
	# after each flush: before what it made durable is in place, or superblocks are written
	for n in $(seq 1 "$(every 2)" 200); do
		cp --sparse=always "$tmp/start-$operation.img" "$image"
		"$tmp/attack" "$image" convert $operation "flush:$n" "$tmp/vk" target
		if ! is_unfinished; then
			[ $count -gt 0 ] && break
			continue
		fi
		[ "$(state phase)" -lt $FINISH ] || continue
		before=$(written "$image")
		outside
		if [ $operation = decrypt ] && [ "$(state phase)" = 1 ] && ! crypt stat "$image" target pair-a 2>&1 | grep -q 'conversion:  unfinished'; then
			reads pair-a crypt cat "$image" target pair-a	# the last record has cut the crypt items off
			reads small crypt cat "$image" target dir/inner
			cut=1
		else
			inside
		fi
		[ "$before" = "$(written "$image")" ] || fail "the image was written to"
		seen[$(state phase)]=1
		count=$((count + 1))
	done
	say "$operation: $count states, phases ${!seen[*]}"
	[ "${!seen[*]}" = "$([ $operation = encrypt ] && echo "1 2 3 4" || echo "1 2 3")" ] || fail "not every phase was seen"
	[ -n "$cut" ] || [ $operation = encrypt ] || fail "the end of a decryption was not seen"
done

for operation in encrypt decrypt; do
	say "$operation: a byte of the newest record: without it nobody can tell: 7 outside, 12 inside"
	cp --sparse=always "$tmp/start-$operation.img" "$image"
	"$tmp/attack" "$image" convert $operation die:4 "$tmp/vk" target
	newest=$(attack state | sed -nE 's/.* record=([0-9]+) .*/\1/p' | sort -n | tail -n 1)
	at=$(($(attack state | sed -nE "/ record=$newest /s/.*slot=([0-9]+).*/\1/p") + 200))
	attack raw-get $at 1 | od -An -tu1 | { read -r byte; printf "\\x$(printf %02x $((byte ^ 1)))"; } >"$tmp/byte"
	attack raw-put $at "$tmp/byte"
	expect_unchanged 7 "$image" crypt cat "$image" plain pair-b
	expect_text "$tmp/err" 'its last records|last records of the unfinished conversion cannot be read'
	expect_unchanged 0 "$image" crypt ls "$image" plain
	expect_text "$tmp/err" 'last records of the unfinished conversion cannot be read'
	expect_unchanged 7 "$image" crypt ls "${VK2[@]}" "$image" other
	expect_text "$tmp/err" 'last records of the unfinished conversion cannot be read'
	expect_unchanged 7 "$image" crypt cat "${VK[@]}" "$image" target pair-a
done
