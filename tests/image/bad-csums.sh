#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Checksums that go missing while a conversion is unfinished. Resume and abort report it before anything is changed, unless the journal still has
# them. With --skip-damaged they continue without them, nothing is lost, and the end of the run says so.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
. "$IMAGE_TESTS/bad-lib.sh"
bad_base
CSUMS="7 18446744073709551606 128"
fresh
second=$(attack units 1 | sed -nE "s/.* inode=$(inode two) offset=65536 .* address=([0-9]+) .*/\1/p")
attack keys 7 18446744073709551606 >"$tmp/items"
expect_text "$tmp/items" "^128 $second "
TEXT='target/two: bytes 65536 to 131071 have no checksum in the csum tree, but should have one \(data at [0-9]+\)'

# The csum item of the second half of `two` is gone, on every mirror, from a leaf whose checksum is right.
lose_csums() {
	# shellcheck disable=SC2086
	attack drop $CSUMS "$second"
}

for operation in encrypt decrypt; do
	declare -A met=()
	for n in $(seq 5 "$((3 * $(every 2)))" 200); do
		begins_with $operation
		"$tmp/attack" "$image" convert $operation "flush:$n" "$tmp/vk" target
		crypt convert --status "$image" >"$tmp/out" && { [ "$n" -lt 10 ] && continue || break; }
		phase=$(state phase)
		# once everything is plain text, no checksum is asked for any more
		[ $operation = encrypt ] || [ "$phase" = 2 ] || [ "$phase" = 3 ] || continue
		cp --sparse=always "$image" "$tmp/whole.img"
		lose_csums
		cp --sparse=always "$image" "$tmp/without.img"
		for way in $RESUME abort; do
			[ "$way" = abort ] && end=$BACK || end=$TO
			fresh "$tmp/without.img"
			before=$(written "$image")
			have=0
			do_"$way" >"$tmp/out" 2>"$tmp/err" || have=$?
			case $have in
			0)
				ended "$end"	# `btrfs check` compares all of them
				met[again]=1
				;;
			6)
				if ! grep -q 'the conversion has finished' "$tmp/err"; then
					expect_text "$tmp/err" "convert: $TEXT"
					expect_text "$tmp/err" 'hint: nothing was changed; --skip-damaged goes on without them'
					[ "$before" = "$(written "$image")" ] || fail "$operation $n $way: the image was written to"
					OPTIONS=(--skip-damaged)
					expect_status 6 do_"$way"
					OPTIONS=()
					met[told]=1
				elif [ "$phase" -lt 4 ]; then
					fail "$operation $n $way: it did not stop"
				else
					met[finished]=1
				fi
				expect_text "$tmp/err" "note: $TEXT"
				expect_text "$tmp/err" "convert: the conversion has finished, but not everything is intact: $TEXT"
				expect_status 0 crypt convert --status "$image"
				for name in "${FILES[@]}"; do
					if [ $end = sealed ]; then do_cat "$name" >"$tmp/out"; else crypt cat "$image" target "$name" >"$tmp/out" 2>"$tmp/err" || true; fi
					cmp "$tmp/out" "$tmp/files/$name" || fail "$operation $n $way: $name is not as it was"
				done
				fresh "$tmp/whole.img"
				expect_status 0 do_"$way"
				ended "$end"
				;;
			9)	expect_text "$tmp/err" "there is nothing to undo" ;;
			*)
				cat "$tmp/err"
				fail "$operation $n, phase $phase, $way: $have"
				;;
			esac
		done
	done
	for what in again told; do [ -n "${met[$what]:-}" ] || fail "$operation: never $what"; done
	say "$operation: ${!met[*]}, until flush $n"
	unset met
done
