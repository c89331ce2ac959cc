#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Damaged records that nobody knows of yet, conversions made to look finished, older images put back, images cut short, and bytes changed at random.
# Whatever the result, content is never wrong.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
sealed_base
KEY=("${VK[@]}")
FILES=(pair-a pair-b big small packed nosum frozen noted two)
TAIL=$((0xdcb))

newest_record() { attack state | sed -nE 's/.* record=([0-9]+) .*/\1/p' | sort -n | tail -1; }
damage_newest() {
	local slot length
	slot=$(attack state | sed -nE "/ record=$(newest_record) /s/slot=([0-9]+) .*/\1/p")
	length=$(attack state | sed -nE "/ record=$(newest_record) /s/.*length=([0-9]+) .*/\1/p")
	head -c 16 /dev/urandom >"$tmp/noise"
	attack raw-put $((slot + length * $1 / 100)) "$tmp/noise"
}
# Resumed: right content, or 6 or 12 and nothing changed.  What it was is in $tmp/results.
right_or_refused() {
	local before status=0 name
	before=$(fingerprint "$image")
	"do_$RESUME" >"$tmp/out" 2>"$tmp/err" || status=$?
	echo "$status" >>"$tmp/results"
	case $status in
	0)
		check_clean "$image"
		if [ "$TO" = sealed ]; then
			cats_right "${FILES[@]}"
			expect_unchanged 0 "$image" do_verify
		else
			expect_files_plain
		fi ;;
	6 | 12) [ "$before" = "$(fingerprint "$image")" ] || fail "the image was changed, exit status $status" ;;
	*) cat "$tmp/err"; fail "exit status $status" ;;
	esac
}

for operation in encrypt decrypt; do
	if [ $operation = encrypt ]; then
		from=$tmp/plain.img RESUME=resume TO=sealed
	else
		from=$tmp/base.img RESUME=decrypt_resume TO=plain
	fi
	say "$operation: the power goes after a record is durable, and the record is damaged: as if it had never been"
	rm -f "$tmp/results"
	n=0
	for flush in $(seq 4 "$(every 2)" 40); do
		fresh "$from"
		expect_status 0 "$tmp/attack" "$image" convert $operation flush:"$flush" "$tmp/vk" target
		"$tmp/attack" "$image" state >/dev/null 2>&1 || continue		# not begun, or finished
		[ "$(state phase)" -lt 5 ] && [ "$(newest_record)" -gt "$(state sequence)" ] || continue
		n=$((n + 1))
		damage_newest $((7 + flush * 2))
		right_or_refused
	done
	# After a flush that a change of phase makes it is in place already: 12.
	[ "$(grep -cx 0 "$tmp/results")" -ge 2 ] || fail "of $n states: $(sort "$tmp/results" | uniq -c)"
	if grep -qx 6 "$tmp/results"; then fail "exit status 6"; fi
	say "$operation: $n states; or later, when it is in place: right, or refused"
	rm -f "$tmp/results"
	for die in 1 2 3 4 5 6; do
		fresh "$from"
		expect_status 0 "$tmp/attack" "$image" convert $operation die:$die "$tmp/vk" target
		damage_newest 50
		right_or_refused
	done
	say "$operation: $(sort "$tmp/results" | uniq -c | awk '{ printf "%s%d times %s", sep, $1, $2; sep = ", " }')"

	say "$operation: made to look finished: 12 where no superblock says otherwise, 7 where one has the bit or the tail yet, and it is gone on with"
	fresh "$from"
	expect_status 8 "$tmp/attack" "$image" convert $operation stop:3 "$tmp/vk" target
	incompat=$(attack super-get 0 | od -An -v -tx1 -j $((0xbc)) -N 8 | tr -d ' \n')
	cleared=${incompat:0:14}00
	cp --sparse=always "$image" "$tmp/unfinished.img"
	for kept in "0 1" 0 1 none; do
		fresh "$tmp/unfinished.img"
		attack super-poke all $((0xbc)) "$cleared"
		for copy in 0 1; do
			case " $kept " in *" $copy "*) ;; *) attack super-poke $copy $TAIL "$(printf '00%.0s' $(seq $((4096 - TAIL))))" ;; esac
		done
		[ "$kept" = none ] && want=12 || want=7
		for one in do_verify do_decrypt; do refused $want 'conversion' $one; done
		expect_unchanged $want "$image" crypt convert --status "$image"
		if [ "$kept" = none ]; then
			refused $want 'conversion' do_cat
		else
			cats_right pair-a small
			right_or_refused
			[ "$(tail -1 "$tmp/results")" = 0 ] || fail "not resumed from copy $kept"
		fi
	done

	say "$operation: a tail that says that all is done, keys wiped: nothing is cleared"
	for keys in right elsewhere; do
		fresh "$tmp/unfinished.img"
		attack super-poke all $((TAIL + 13)) 0205			# to plain text, FINISHED
		if [ $keys = elsewhere ]; then
			attack super-poke all $((TAIL + 48)) e703		# domain 999
			attack super-poke all $((TAIL + 120)) "$(le 8 $((1 << 22)))"
		fi
		before=$(fingerprint "$image")
		for one in do_decrypt_resume do_abort; do expect_status 12 $one; done
		for one in "convert --decrypt --resume -q" "convert --abort -q"; do
			# shellcheck disable=SC2086
			crypt $one "${WRONG[@]}" "$image" >"$tmp/out" 2>"$tmp/err" && fail "done with a wrong key"
		done
		[ "$before" = "$(fingerprint "$image")" ] || fail "the image was changed"
	done
done

say "an older image put back: authentic, and noticed by the fingerprint alone"
seal_of() { sed -nE 's/^seal fingerprint: ([0-9a-f]{32})$/\1/p' "$1"; }
fresh
expect_status 0 do_verify
first=$(seal_of "$tmp/out")
expect_status 0 do_decrypt
seal "$image" target ""
second=$(seal_of "$tmp/sealing")
[ -n "$first" ] && [ -n "$second" ] && [ "$first" != "$second" ] || fail "fingerprints: $first, $second"
OPTIONS=(--expect-seal "$second")
expect_unchanged 0 "$image" do_verify
fresh
refused 6 'seal fingerprint is not the expected one' do_verify
refused 6 'seal fingerprint is not the expected one; nothing was changed' do_decrypt
expect_unchanged 6 "$image" do_verify
expect_text "$tmp/err" 'hint: everything is authentic, but it is another sealing'
cp --sparse=always "$image" "$tmp/first.img"
attack poke $(inode_item noted) 52 "$(le 4 $((0104777)))"
OPTIONS=(--accept-changes --expect-seal "$second")
expect_unchanged 6 "$image" do_verify
expect_text "$tmp/err" 'hint: all but what was accepted is authentic, but it is another sealing'
cp --sparse=always "$tmp/first.img" "$image"
OPTIONS=(--accept-changes --accept-unsealed --expect-seal "$second")
refused 6 'seal fingerprint is not the expected one; nothing was changed' do_decrypt
OPTIONS=(--expect-seal "$first")
expect_unchanged 0 "$image" do_verify
expect_status 0 do_decrypt
expect_files_plain
fresh
OPTIONS=()
expect_unchanged 0 "$image" do_verify
cats_right pair-a

say "an image cut short: an error, whatever is asked of it"
for size in 0 69632 8M 67112960 159M ${TORTURE:+65536 1M 64M 80M}; do
	for from in base unfinished; do
		fresh "$tmp/$from.img"
		truncate -s $size "$image"
		before=$(fingerprint "$image")
		for command in "cat target pair-a" "verify target" "verify-key target" "convert: --decrypt -q target" "convert: --resume -q" \
			"convert: --abort -q" "convert: --status" list show: dump-tree:; do
			read -ra words <<<"${command//:/}"
			options=()
			[[ $command =~ ^(list|show|dump) ]] || options=("${KEY[@]}")
			status=0
			if [ "${words[0]}" = convert ]; then
				last=()
				[ "${words[-1]}" = target ] && last=(target) && unset 'words[-1]'
				crypt "${words[@]}" "${options[@]}" "$image" "${last[@]}" >"$tmp/out" 2>"$tmp/err" || status=$?
			else
				crypt "${words[0]}" "${options[@]}" "$image" "${words[@]:1}" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
			fi
			case $status in 1 | 4 | 6 | 7 | 9) ;; *) cat "$tmp/err"; fail "$command of $size: exit status $status" ;; esac
			[ -s "$tmp/err" ] || fail "no error text"
		done
		[ "$before" = "$(fingerprint "$image")" ] || fail "the image was changed"
	done
done

say "bytes of crypt items, members' leaves and superblocks changed at random: never wrong content"
n=${TORTURE:+2000}
RANDOM=4711
fresh
"$tmp/attack" "$image" keys 1 $CRYPT_ID | awk '{ print 1, "'$CRYPT_ID'", $0 }' >"$tmp/keys"
for name in pair-a big small two packed dir; do
	number=$(inode $name)
	"$tmp/attack" "$image" keys $TARGET "$number" | sed "s/^/$TARGET $number /"
done >>"$tmp/keys"
mapfile -t keys <"$tmp/keys"
for ((i = 0; i < ${n:-30}; i++)); do
	fresh
	where=()
	for ((j = 0; j <= RANDOM % 3; j++)); do
		read -ra key <<<"${keys[RANDOM % ${#keys[@]}]}"
		at=$((RANDOM % key[4]))
		where+=("${key[*]:0:4} $at")
		attack xor "${key[@]:0:4}" $at $((1 << RANDOM % 8))
	done
	for name in pair-a big small two packed; do
		status=0
		do_cat $name >"$tmp/out" 2>"$tmp/err" || status=$?
		case $status in
		0) cmp "$tmp/out" "$tmp/files/$name" || fail "wrong content of $name after ${where[*]}" ;;
		1 | 2 | 4 | 6 | 9 | 12 | 13) ;;
		*) cat "$tmp/err"; fail "exit status $status of cat $name after ${where[*]}" ;;
		esac
	done
	status=0
	before=$(fingerprint "$image")
	do_decrypt >"$tmp/out" 2>"$tmp/err" || status=$?
	case $status in
	0) expect_files_plain ;;
	1 | 2 | 4 | 6 | 9 | 12 | 13) [ "$before" = "$(fingerprint "$image")" ] || fail "the image was changed after ${where[*]}, exit status $status" ;;
	*) cat "$tmp/err"; fail "exit status $status of convert --decrypt after ${where[*]}" ;;
	esac
done
