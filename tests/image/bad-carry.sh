#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Damage before a conversion: data without a copy that matches its checksum are sealed and come back exactly as they were; a sealed subvolume with a
# damaged block is unsealed without it; one bad mirror does not matter; tree blocks are never left out.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
. "$IMAGE_TESTS/bad-lib.sh"
bad_base

# Every checksum of data, and the bytes of block 3 of big
sums() {
	btrfs inspect-internal dump-tree --csum-items -t csum "$image" | grep -E '\[[0-9]+\] 0x' >"$tmp/$1.sums"
	attack raw-get "$at" 4096 >"$tmp/$1.block"
	[ -s "$tmp/$1.sums" ] || fail "no checksums"
}
as_before() {
	sums after
	cmp "$tmp/before.block" "$tmp/after.block" || fail "the bad block is not what it was"
	diff "$tmp/before.sums" "$tmp/after.sums" || fail "a checksum is not what it was"
	only_bad big 12288 16383
}

fresh
at=$(unit_of big 3)
fresh "$tmp/plain.img"
rot "$at"
cp --sparse=always "$image" "$tmp/start.img"
sums before

say "a bad sector: sealing stops in front of it, and names the file"
expect_status 6 crypt convert --encrypt -q "${VK[@]}" "$image" target
expect_text "$tmp/err" 'subvolume 256: big: no copy of the data at .* matches its checksum'
expect_text "$tmp/err" "hint: .btrfs-crypt convert --resume --on-error=continue ${VK[*]} $image. seals them anyway; .*; the conversion is unfinished: .btrfs-crypt convert --abort ${VK[*]} $image. undoes it\$"
cp --sparse=always "$image" "$tmp/stopped.img"
say "undone, it is as before"
expect_status 0 do_abort
as_before

# What was carried over is authentic, and never given as if it were right.  gives_bad [TEXT]
gives_bad() {
	expect_status 6 do_cat big
	expect_text "$tmp/err" "bytes 12288 to 16383 are lost: .*${1:-}"
	cmp -n 12288 "$tmp/out" "$tmp/files/big" || fail "big before the bad block"
	tail -c +16385 "$tmp/files/big" >"$tmp/rest"
	tail -c +16385 "$tmp/out" | cmp - "$tmp/rest" || fail "big behind the bad block"
}
reads_as_bad() {
	local before
	before=$(written "$image")
	gives_bad 'did not match their checksum before they were sealed'
	OPTIONS=(--tolerant)
	expect_status 6 do_cat big
	OPTIONS=()
	expect_text "$tmp/err" 'bytes 12288 to 16383 may be wrong: did not match their checksum before they were sealed'
	dd if="$tmp/out" bs=4096 skip=3 count=1 status=none | cmp - "$tmp/before.block" || fail "not the bytes that were sealed"
	rm -rf "$tmp/exported"
	expect_status 6 crypt export --archive dir -o "$tmp/exported" "${VK[@]}" "$image" target
	expect_text "$tmp/err" 'big: bytes 12288 to 16383 are lost'
	cmp "$tmp/exported/two" "$tmp/files/two" || fail "another file is not exported as it was"
	expect_status 6 do_verify
	expect_text "$tmp/out" '^target/big: bytes 12288 to 16383 .*did not match their checksum before they were sealed'
	expect_text "$tmp/out" ' 1 failure$'
	[ "$before" = "$(written "$image")" ] || fail "the image was written to"
}
carried() {
	expect_text "$tmp/err" 'target/big: bytes 12288 to 16383 did not match their checksum before, and do not now'
	expect_text "$tmp/out" 'blocks that were bad before and stay so: 1'
	btrfs check "$image" >"$tmp/check.out" 2>&1 || { cat "$tmp/check.out"; fail "btrfs check"; }
	expect_status 0 crypt dump-tree --crypt "$image"
	cats_right small tiny pair-a packed nosum
	reads_as_bad
	expect_status 6 do_decrypt
	expect_text "$tmp/out" 'blocks that were bad before and stay so: 1'
	as_before
}
say "carried over by a resume, and by sealing"
fresh "$tmp/stopped.img"
OPTIONS=(--on-error=continue)
expect_status 6 do_resume
OPTIONS=()
carried
fresh "$tmp/start.img"
expect_status 6 crypt convert --encrypt -q "${VK[@]}" --on-error=continue "$image" target
cp --sparse=always "$image" "$tmp/carried.img"
carried

# What a new key does not change: the block that was bad, and the one that is damaged now.
with_new_key() {
	printf 'of a slot\n' >"$tmp/phrase"
	PHRASE=(--passphrase-file "$tmp/phrase" --pbkdf pbkdf2 --pbkdf-force-iterations 1000)
	expect_status 0 crypt key add -q "${VK[@]}" --new-passphrase-file "$tmp/phrase" --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$image" target
	expect_status 6 crypt convert --rekey -q "$@" "${PHRASE[@]}" "$image" target
	KEY=(--passphrase-file "$tmp/phrase") VK=(--passphrase-file "$tmp/phrase")
}
with_old_key() { KEY=(--volume-key-file "$tmp/vk") VK=(--volume-key-file "$tmp/vk"); }
say "carried over, under a new key"
fresh "$tmp/carried.img"
with_new_key
carried
fresh "$tmp/carried.img"
say "damaged and carried over, under a new key"
with_old_key
rot "$(unit_of big 5)"
expect_status 0 crypt key add -q "${VK[@]}" --new-passphrase-file "$tmp/phrase" --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$image" target
expect_unchanged 6 "$image" crypt convert --rekey -q "${PHRASE[@]}" "$image" target
expect_text "$tmp/err" 'big: bytes 20480 to 24575 fail authentication on every mirror'
expect_status 6 crypt convert --rekey -q --skip-damaged "${PHRASE[@]}" "$image" target
expect_text "$tmp/err" 'target/big: bytes 20480 to 24575 are damaged: left as they were found'
expect_text "$tmp/out" 'blocks that were bad before and stay so: 1'
expect_text "$tmp/out" 'damaged blocks left as they were: 1'
KEY=(--passphrase-file "$tmp/phrase")
expect_status 6 do_verify
expect_text "$tmp/out" '^target/big: bytes 12288 to 16383 .*did not match their checksum before they were sealed'
expect_text "$tmp/out" '^target/big: bytes 20480 to 24575 '
expect_status 6 do_decrypt
expect_text "$tmp/out" 'blocks that were bad before and stay so: 1'
expect_text "$tmp/out" 'damaged blocks left as they were: 1'
with_old_key

carries=0
for operation in encrypt+carry decrypt; do
	for n in $(seq 1 "$(every 3)" 100); do
		fresh "$tmp/$([ $operation = decrypt ] && echo carried || echo start).img"
		"$tmp/attack" "$image" convert $operation "die:$n" "$tmp/vk" target
		crypt convert --status "$image" >"$tmp/out" && break
		if [ $operation != decrypt ] && grep -q '^to finish:  .* --resume --on-error=continue ' "$tmp/out"; then
			carries=$((carries + 1))
			expect_status 7 crypt convert --status --format json "$image"
			expect_text "$tmp/out" '"next":"--resume --on-error=continue"'
		fi
		cp --sparse=always "$image" "$tmp/again.img"
		gives_bad
		if [ $operation = decrypt ]; then
			expect_status 6 do_decrypt_resume
			as_before
			fresh "$tmp/again.img"
			expect_status 6 do_abort
			carried
			continue
		fi
		OPTIONS=(--on-error=continue)
		expect_status 6 do_resume
		OPTIONS=()
		carried
		fresh "$tmp/again.img"
		do_abort >"$tmp/out" 2>"$tmp/err" || [ $? = 6 ] || fail "abort: $(cat "$tmp/err")"
		as_before
	done
	say "$operation: until $n: power cuts, gone on with and undone"
done

[ $carries -gt 0 ] || fail "--status never says that --on-error=continue was given"

for what in "big 3" "tiny 0" "nosum 2"; do
	name=${what% *} block=${what#* }
	say "a sealed subvolume with a damaged block of $name"
	fresh
	rot "$(unit_of "$name" "$block")"
	expect_unchanged 6 "$image" do_decrypt
	OPTIONS=(--skip-damaged --dry-run)
	expect_unchanged 6 "$image" do_decrypt
	expect_text "$tmp/out" 'damaged blocks left as they are: 1'
	OPTIONS=(--skip-damaged)
	expect_status 6 do_decrypt
	OPTIONS=()
	expect_text "$tmp/err" "target/$name: bytes $((block * 4096)) to $((block * 4096 + 4095)) are damaged: left as they were found"
	only_bad "$name" $((block * 4096)) $((block * 4096 + 4095))
done

say "power cuts while a damaged block is left out"
fresh
rot "$(unit_of big 3)"
cp --sparse=always "$image" "$tmp/rotten.img"
for n in $(seq 1 "$(every 4)" 100); do
	fresh "$tmp/rotten.img"
	"$tmp/attack" "$image" convert decrypt+skip "flush:$n" "$tmp/vk" target
	[ "$(attack super-get 0 | od -An -tu1 -j $((0xbc + 7)) -N 1)" -ge 128 ] || { [ "$n" -gt 6 ] && break; continue; }
	cp --sparse=always "$image" "$tmp/again.img"
	OPTIONS=(--skip-damaged)
	do_decrypt_resume >"$tmp/out" 2>"$tmp/err" || [ $? = 6 ] || fail "resume: $(cat "$tmp/err")"
	only_bad big 12288 16383
	fresh "$tmp/again.img"
	if do_abort >"$tmp/out" 2>"$tmp/err" || [ $? = 6 ]; then
		expect_status 6 do_decrypt
		only_bad big 12288 16383
	else
		expect_text "$tmp/err" 'there is nothing to undo'
	fi
	OPTIONS=()
done
say "until flush $n: gone on with and undone"

say "one mirror: no matter"
fresh
rot_one "$(unit_of big 3)"
expect_status 0 do_decrypt
expect_files_plain

say "a checksum that happens to match what is damaged does not afterwards"
fresh
at=$(unit_of big 3)
attack data-put "$at" "$tmp/noise-block"
OPTIONS=(--skip-damaged)
expect_status 6 do_decrypt
OPTIONS=()
attack raw-get "$at" 4096 | cmp - "$tmp/noise-block" || fail "the damaged block was changed"
only_bad big 12288 16383
