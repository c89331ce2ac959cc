#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# No mirror has a tree block of a subvolume any more when its conversion is continued, at whatever point. The block is written again from the journal,
# or it is named and nothing is changed; once the block is back, the conversion continues. The block is never skipped.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
. "$IMAGE_TESTS/bad-lib.sh"
bad_base

# The leaf with the items of a file
leaf_of() {
	"$BTRFS_CRYPT" dump-tree -t $TARGET "$image" 2>"$tmp/err" |
		awk -v key="($(inode "$1") EXTENT_DATA 0)" '/^leaf / { leaf = $2 } index($0, key) && !done { print leaf; done = 1 }'
}

end_of() { if [ "$1" = abort ]; then ended "$BACK"; else ended "$TO"; fi; }

for operation in encrypt decrypt; do
	declare -A met=()
	for n in $(seq 3 "$((2 * $(every 4)))" 200); do
		begins_with $operation
		"$tmp/attack" "$image" convert $operation "flush:$n" "$tmp/vk" target
		crypt convert --status "$image" >"$tmp/out" && { [ "$n" -lt 10 ] && continue || break; }
		phase=$(state phase)
		leaf=$(leaf_of big)
		[ -n "$leaf" ] || fail "no leaf"
		rot "$leaf"
		cp --sparse=always "$image" "$tmp/rotten.img"
		for way in "$RESUME" abort; do
			fresh "$tmp/rotten.img"
			before=$(written "$image")
			have=0
			do_"$way" >"$tmp/out" 2>"$tmp/err" || have=$?
			if [ $have = 0 ]; then
				end_of "$way"
				met[again]=1
			elif [ $have = 9 ]; then	# there is nothing to undo
				expect_text "$tmp/err" "there is nothing to undo"
			elif [ $have = 6 ]; then
				expect_text "$tmp/err" "convert: .*subvolume $TARGET: .*tree block at $(printf '%#x' "$leaf"): the crc32c checksum does not match"
				if grep -q 'the conversion has finished, but' "$tmp/err"; then
					[ "$operation.$way" = decrypt.decrypt_resume ] || fail "$operation $n $way finished without a leaf"
					expect_status 0 crypt convert --status "$image"
					met[finished]=1
				else
					[ "$before" = "$(written "$image")" ] || fail "$operation $n $way: the image was written to"
					rot "$leaf"
					expect_status 0 do_"$way"
					end_of "$way"
					met[refused]=1
				fi
			else
				cat "$tmp/err"
				fail "$operation $n, phase $phase, $way: $have"
			fi
		done
	done
	for what in again refused $([ $operation = encrypt ] || echo finished); do [ -n "${met[$what]:-}" ] || fail "$operation: never $what"; done
	say "$operation: ${!met[*]}, until flush $n"
	unset met
done
