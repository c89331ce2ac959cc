#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A block went bad while a conversion is unfinished, in each phase and direction. The conversion stops there; with --skip-damaged it continues without
# the block.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
. "$IMAGE_TESTS/bad-lib.sh"
bad_base

# phase_images OPERATION: $tmp/OPERATION.PHASE, at its last safe point in each phase, stopped or as if the power went
phase_images() {
	local n phase
	for n in $(seq 100); do
		if [ "$1" = encrypt ]; then fresh "$tmp/plain.img"; else fresh; fi
		"$tmp/attack" "$image" convert "$1" "die:$n" "$tmp/vk" target
		crypt convert --status "$image" >"$tmp/out" && break
		phase=$(state phase)
		cp --sparse=always "$image" "$tmp/$1.$phase"
	done
}

# case IMAGE WAY FILE BLOCK TO: one block of a file is damaged, and everything else is as it should be afterwards
one() {
	local image_of=$1 way=$2 name=$3 block=$4 to=$5 at
	fresh "$tmp/$image_of"
	at=$(unit_of "$name" "$block")
	rot "$at"
	cp --sparse=always "$image" "$tmp/rotten.img"
	if do_"$way" >"$tmp/out" 2>"$tmp/err"; then
		# Nothing had to be done with it any more; then it is damage like any other.
		quiet_ends=$((quiet_ends + 1))
		return
	elif [ $? != 6 ] && ! grep -q 'skip-damaged' "$tmp/err"; then
		cat "$tmp/err"
		fail "$image_of $way $name: not 6, and no hint"
	fi
	[ "$name" = tiny ] || expect_text "$tmp/err" "$name"
	fresh "$tmp/rotten.img"
	OPTIONS=(--skip-damaged)
	expect_status 6 do_"$way"
	OPTIONS=()
	expect_text "$tmp/err" "target/$name: bytes $((block * 4096)) to $((block * 4096 + 4095)) are damaged: left as they were found"
	expect_text "$tmp/out" 'damaged blocks left as they were: 1'
	if [ "$to" = sealed ]; then
		all_but "$name"
		expect_status 0 crypt convert --status "$image"
		# what is known to be bad is in nobody's way
		expect_status 6 do_decrypt
		expect_text "$tmp/out" 'damaged blocks left as they were: 1'
	fi
	only_bad "$name" $((block * 4096)) $((block * 4096 + 4095))
	skipped=$((skipped + 1))
}

for operation in encrypt decrypt; do
	phase_images $operation
	for image_of in "$tmp/$operation".*; do
		image_of=${image_of##*/}
		for way in $([ $operation = encrypt ] && echo resume || echo decrypt_resume) abort; do
			case $operation.$way in encrypt.resume|decrypt.abort) to=sealed ;; *) to=plain ;; esac
			skipped=0 quiet_ends=0
			for what in "big 3" "tiny 0" "nosum 2" "pair-a 0"; do
				# shellcheck disable=SC2086
				one "$image_of" $way $what $to
			done
			say "$image_of, $way: $skipped skipped, $quiet_ends never touched again"
		done
	done
done
