#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Reading while a decryption that was begun with changes accepted is unfinished: nothing in it passes for what was sealed. Names, with the key, while
# any conversion is unfinished: proven outside it, refused inside.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
. "$IMAGE_TESTS/bad-lib.sh"
bad_base

VK2=(--volume-key-file "$tmp/vk2")
BOTH=(--accept-changes --accept-unsealed)
cp --sparse=always "$tmp/plain.img" "$image"
seal "$image" other 2
seal "$image" target ""
image_mount "$image" "$tmp/mnt" rw
btrfs property set -ts "$tmp/mnt/target" ro false
cp "$tmp/files/pair-b" "$tmp/mnt/target/added"
echo "written later" >"$tmp/files/added-small"
cp "$tmp/files/added-small" "$tmp/mnt/target"
cp "$tmp/files/pair-b" "$tmp/files/added"
sync -f "$tmp/mnt"
image_umount
cp --sparse=always "$image" "$tmp/start.img"
refused 6 'added: .*it was not sealed under this name here|added: .*it is not the file that was sealed' crypt cat "${VK[@]}" "$image" target added

# names: ls and stat with a key, inside and outside
names() {
	local text='names cannot be proven while a conversion is unfinished; leave out the key, or finish the conversion first'
	refused 7 "$text" crypt ls -l "${VK[@]}" "$image" target
	refused 7 "$text" crypt stat "${VK[@]}" "$image" target pair-a
	refused 2 'wrong key or passphrase' crypt ls -l "${VK2[@]}" "$image" target
	refused 2 'wrong key or passphrase' crypt stat "${VK2[@]}" "$image" target pair-a
	expect_unchanged 0 "$image" crypt ls -l "$image" target
	expect_unchanged 0 "$image" crypt ls -l "${VK2[@]}" "$image" other
	expect_text "$tmp/out" ' pair-a$'
	expect_unchanged 0 "$image" crypt stat "${VK2[@]}" "$image" other pair-a
	refused 2 'wrong key or passphrase' crypt ls -l "${VK[@]}" "$image" other
	refused 9 'is not sealed' crypt ls -l "${VK2[@]}" "$image" plain
	refused 9 'is not sealed' crypt stat "${VK2[@]}" "$image" plain pair-b
}

WHY='its unsealing was begun with changes accepted and is unfinished: nothing tells whether this is as it was sealed'
inside() {
	local name
	for name in added added-small pair-a small; do
		refused 6 "warning: $name: not printed: $WHY" crypt cat "${VK[@]}" "$image" target $name
		[ ! -s "$tmp/out" ] || fail "cat printed $name"
		expect_unchanged 6 "$image" crypt cat "${BOTH[@]}" "${VK[@]}" "$image" target $name
		expect_text "$tmp/err" "warning: $name: bytes 0 to [0-9]* are not authenticated: $WHY"
		cmp "$tmp/out" "$tmp/files/$name" || fail "$name: wrong content"
	done
	for name in added added-small; do
		expect_unchanged 6 "$image" crypt cat --accept-changes "${VK[@]}" "$image" target $name
		expect_text "$tmp/err" 'are not sealed: they were written later'
		only_zeros || fail "--accept-changes printed $name"
	done
	rm -rf "$tmp/exported"
	refused 6 "warning: .*: not exported: $WHY" crypt export -o "$tmp/exported/" "${VK[@]}" "$image" target
	[ -z "$(find "$tmp/exported" ! -type d)" ] || fail "exported: $(find "$tmp/exported" ! -type d)"
	rm -rf "$tmp/exported" "$tmp/report"
	expect_unchanged 6 "$image" crypt export "${BOTH[@]}" --report "$tmp/report" -o "$tmp/exported/" "${VK[@]}" "$image" target
	for name in "${FILES[@]}" added added-small; do
		cmp "$tmp/exported/$name" "$tmp/files/$name" || fail "export: $name"
		grep -qF "{\"finding\":\"not-authenticated\",\"path\":\"$name\"" "$tmp/report" || fail "the report does not name $name"
	done
	[ "$(readlink "$tmp/exported/link")" = "where the link leads" ] || fail "export: the link"
}

count=0 seen=()
for n in $(seq 1 3 100); do
	cp --sparse=always "$tmp/start.img" "$image"
	status=0
	"$tmp/attack" "$image" convert decrypt+accept "stop:$n" "$tmp/vk" target >"$tmp/out" 2>"$tmp/err" || status=$?
	[ $status != 0 ] || break
	[ $status = 8 ] || { cat "$tmp/err"; fail "status $status"; }
	inside
	names
	reads=$(crypt cat "${VK2[@]}" "$image" other pair-a | cmp - "$tmp/files/pair-a") || fail "outside: $reads"
	seen[$(state phase)]=1
	count=$((count + 1))
	cp --sparse=always "$image" "$tmp/unfinished.img"
done
say "$count states, phases ${!seen[*]}"
[ "${#seen[@]}" -ge 2 ] || fail "too few phases were seen"

say "the rest of the decryption: all of it is plain text"
cp --sparse=always "$tmp/unfinished.img" "$image"
expect_status 0 do_decrypt_resume
expect_files_plain
for name in added added-small; do crypt cat "$image" target $name | cmp - "$tmp/files/$name" || fail "$name"; done

say "an encryption: names likewise, and what is in it is what will be sealed"
cp --sparse=always "$tmp/plain.img" "$image"
seal "$image" other 2
until_stop encrypt stop:3
names
expect_unchanged 0 "$image" crypt cat "${VK[@]}" "$image" target pair-a
cmp "$tmp/out" "$tmp/files/pair-a" || fail "pair-a: wrong content"
