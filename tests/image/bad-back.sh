#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Reading all data back finds data that the device wrote wrongly. Resume and abort stop there; with --skip-damaged they leave these data out.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
. "$IMAGE_TESTS/bad-lib.sh"
bad_base

STRUCTURE=1 LEAVES=3

# wrong WAY TO: a block of big, which is converted already, is neither what was there nor what was written
wrong() {
	local at
	again
	at=$(unit_of big 3)
	rot "$at"
	cp --sparse=always "$image" "$tmp/rotten.img"
	for _ in 1 2; do
		OPTIONS=(--read-back)
		expect_status 6 do_"$1"
		expect_text "$tmp/err" 'big: no mirror has what was written'
		expect_text "$tmp/err" 'hint: .*--skip-damaged'
	done
	OPTIONS=(--read-back --skip-damaged)
	expect_status 6 do_"$1"
	expect_text "$tmp/err" 'target/big: bytes 12288 to 16383 are damaged: left as they were found'
	expect_text "$tmp/out" 'damaged blocks left as they were: 1'
	OPTIONS=()
	expect_status 0 crypt convert --status "$image"
	if [ "$2" = sealed ]; then
		all_but big
		expect_status 6 do_decrypt
	fi
	only_bad big 12288 16383
}

for operation in encrypt decrypt; do
	if [ $operation = encrypt ]; then fresh "$tmp/plain.img" && RESUME=resume TO=sealed; else fresh && RESUME=decrypt_resume TO=plain; fi
	until_phase $operation "$([ $operation = encrypt ] && echo $LEAVES || echo $STRUCTURE)"
	cp --sparse=always "$image" "$tmp/unfinished.img"
	say "$operation: gone on with"
	wrong $RESUME $TO
done

say "an encryption is undone, and a mirror of what it had not come to is bad"
unfinished encrypt stop:4
at=$("$tmp/attack" "$image" units 1 | sed -nE "s/.* inode=$(inode big) .* address=([0-9]+) .* in=([0-9]+) .* sealed=0\$/\1 \2/p" | tail -n 1)
[ -n "$at" ] || fail "all of big is sealed"
MAP=$tmp/plain.img
rot_one $((${at% *} + ${at#* }))
OPTIONS=(--read-back)
expect_status 0 do_abort
expect_text "$tmp/err" 'mirror 1 is damaged in 1 blocks; they were not converted yet'
OPTIONS=()
for name in "${FILES[@]}"; do crypt cat "$image" target "$name" 2>"$tmp/err" | cmp - "$tmp/files/$name" || fail "$name is not as it was"; done
