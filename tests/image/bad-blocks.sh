#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Blocks that go bad, or were never written, while a conversion is unfinished: what can be completed is, in both directions.
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
