#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One bit of the copies of header and key slots that an unfinished conversion keeps beside the trees is flipped at every moment of it. Another copy
# is used. If the slots of both are damaged, the volume key still works.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
. "$IMAGE_TESTS/bad-lib.sh"
bad_base
SECOND=32768	# behind the first
ways() { [ "$RESUME" = resume ] && echo resume abort || echo decrypt_resume abort; }

# flip_at OFFSET: a bit there in the copies of the keys
flip_at() {
	attack raw-get "$keys" 65536 >"$tmp/keys"
	flip "$tmp/keys" "$1"
	attack raw-put "$keys" "$tmp/keys"
}

# goes WAY [both]
goes() {
	have=0
	do_"$1" >"$tmp/out" 2>"$tmp/err" || have=$?
	if [ $have = 9 ]; then
		expect_text "$tmp/err" "there is nothing to undo|there is no unfinished conversion"
		return
	fi
	[ $have = 0 ] || { cat "$tmp/err"; fail "$operation $n, phase $phase, $1: $have"; }
	[ -n "${2:-}" ] || expect_text "$tmp/err" "warning: copies of the keys at $keys: .*; another copy of them is used"
	KEY=("${VK[@]}")
	if [ "$1" = abort ]; then ended "$BACK"; else ended "$TO"; fi >"$tmp/log" 2>&1 || fail "$operation $n, $1: $(tail -3 "$tmp/log")"
}

for operation in encrypt decrypt; do
	KEY=("${VK[@]}")
	for n in $(seq 2 "$((4 * $(every 3)))" 200); do
		if [ $operation = encrypt ]; then fresh "$tmp/plain.img" && RESUME=resume TO=sealed BACK=plain; else fresh && RESUME=decrypt_resume TO=plain BACK=sealed; fi
		"$tmp/attack" "$image" convert $operation "flush:$n" "$tmp/vk" target
		crypt convert --status "$image" >"$tmp/out" 2>&1 && { [ "$n" -lt 10 ] && continue || break; }
		phase=$(state phase)
		keys=$(state keys)
		[ "$phase" != 6 ] || break	# they are being wiped
		[ "$n" != 2 ] || { attack raw-get "$keys" 1048 | cmp -n 1048 - <(attack raw-get $((keys + SECOND)) 1048) || fail "the copies differ"; }
		cp --sparse=always "$image" "$tmp/whole.img"
		for way in $(ways); do
			# the header's KCV, or the hash, or (decrypting) the slot
			for at in $([ $operation = encrypt ] && echo 100 || echo 100 900); do
				fresh "$tmp/whole.img"
				flip_at "$at"
				KEY=("${VK[@]}")
				[ $operation = encrypt ] || KEY=(--passphrase-file "$tmp/passphrase")
				goes "$way"
			done
			[ $operation = decrypt ] || continue
			fresh "$tmp/whole.img"
			flip_at 900
			flip_at $((SECOND + 901))
			KEY=("${VK[@]}")
			goes "$way" both
		done
	done
	say "$operation: until flush $n"
done
