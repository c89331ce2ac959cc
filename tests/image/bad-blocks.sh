#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Blocks that go bad, or were never written, while a conversion is unfinished. Blocks that can be completed are completed, in both directions.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
. "$IMAGE_TESTS/bad-lib.sh"
bad_base

for operation in encrypt decrypt; do
	say "$operation stopped in DATA: converted blocks found as plain text, as ciphertext, and torn are what they should be, both ways"
	unfinished $operation stop:5
	[ "$(state phase)" = 2 ] || fail "not where it was thought to be"
	done_unit
	for how in old torn; do
		again
		put_old 0 "$how" 0
		put_old 2 "$how" 1
		put_old 3 "$how" 3
		expect_status 0 "do_$BACK_WORD"
		ended "$BACK"
	done
done

say "sealing ended but for the seal: the file of an extent that went bad is named"
fresh "$tmp/plain.img"
until_phase encrypt 3
one_block_file
attack raw-put "$address" "$tmp/noise-block"
expect_status 6 do_resume
expect_text "$tmp/err" 'target/tiny: bytes 0 to 4095 fail authentication on every mirror'

leaf=$(btrfs inspect-internal dump-tree -t $TARGET "$tmp/plain.img" | sed -nE 's/^leaf ([0-9]+) .*/\1/p' | tail -n 1)
[ -n "$leaf" ] || fail "no leaf"
MAP=$tmp/plain.img
for operation in encrypt decrypt; do
	say "$operation stopped in DATA: a tree block of a subvolume that is damaged on one mirror is no matter, on all it is never left out"
	unfinished $operation stop:5
	rot_one "$leaf"
	expect_status 0 "do_$RESUME"
	ended "$TO"
	for way in "$RESUME" abort; do
		again
		rot "$leaf"
		cp --sparse=always "$image" "$tmp/rotten.img"
		for skip in "" --skip-damaged; do
			OPTIONS=($skip)
			expect_unchanged 6 "$image" "do_$way"
			expect_text "$tmp/err" "subvolume 256: .*tree block at $(printf %#x "$leaf"): the crc32c checksum does not match"
		done
		OPTIONS=()
	done

	say "$operation, as if the power went: the newest record is damaged on one mirror"
	if [ $operation = encrypt ]; then fresh "$tmp/plain.img"; else fresh; fi
	"$tmp/attack" "$image" convert $operation die:4 "$tmp/vk" target
	newest=$(attack state | sed -nE 's/.* record=([0-9]+) .*/\1/p' | sort -n | tail -n 1)
	cp --sparse=always "$image" "$tmp/unfinished.img"
	for way in "$RESUME" abort; do
		again
		rot_one "$(attack state | sed -nE "/ record=$newest /s/.*slot=([0-9]+).*/\1/p")"
		expect_status 0 "do_$way"
		if [ "$way" = abort ]; then ended "$BACK"; else ended "$TO"; fi
	done
done

for operation in encrypt decrypt; do
	say "$operation, the power went in FINISH: damaged data are nothing that it touches"
	if [ $operation = encrypt ]; then RESUME=resume; else RESUME=decrypt_resume; fi
	for n in $(seq 100); do
		if [ $operation = encrypt ]; then fresh "$tmp/plain.img"; else fresh; fi
		"$tmp/attack" "$image" convert $operation "flush:$n" "$tmp/vk" target
		[ "$(attack super-get 0 | od -An -tu1 -j $((0xbc + 7)) -N 1)" -ge 128 ] || continue
		[ "$(state phase)" != 5 ] || break
	done
	[ "$(state phase)" = 5 ] || fail "no state in FINISH"
	cp --sparse=always "$image" "$tmp/unfinished.img"
	at=$(MAP='' image=$tmp/base.img unit_of big 3)
	rot "$at"
	expect_status 0 "do_$RESUME"
	if [ $operation = encrypt ]; then
		all_but big
		expect_status 6 do_verify
		expect_text "$tmp/out" '^target/big: bytes 12288 to 16383 fail authentication on every mirror'
	else
		only_bad big 12288 16383
		continue	# which blocks were those of its subvolumes is not known any more; they were compared before
	fi
	again
	rot_one "$leaf"
	expect_status 0 "do_$RESUME"
	ended sealed
	again
	rot "$leaf"
	expect_status 6 "do_$RESUME"
	expect_text "$tmp/err" "$(printf %#x "$leaf")"
done
