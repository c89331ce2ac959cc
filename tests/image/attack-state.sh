#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks on an unfinished conversion: its state in the superblocks, its journal, what it finds when it continues; older states put back.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
sealed_base
KEY=("${VK[@]}")
FILES=(pair-a pair-b big small packed nosum frozen noted two)

# until WHAT WHERE: goes on to there; no stop is an error
until_stop() { expect_status 8 "$tmp/attack" "$image" convert "$1" "$2" "$tmp/vk" target; }
# Where the tail is in a superblock, and the fields in it
TAIL=$((0xdcb)) TAIL_SIZE=$((4096 - 0xdcb))
declare -A AT=([magic]=0 [version]=9 [operation]=12 [direction]=13 [phase]=14 [cipher]=15 [op_id]=16 [domain_uuid]=32 [domain]=48 [csum_type]=50
	[flags]=52 [epoch]=56 [fsid]=64 [generation]=80 [n_devices]=88 [node_size]=101 [cursor]=104 [sequence]=112 [keys]=122 [keys_len]=129 [slot]=138
	[slot_len]=145 [kcv]=184 [kcv_old]=216 [start_time]=248 [total]=256 [n_unit_items]=264 [begin_digest]=272 [journal_mac]=304 [mac]=368)

# xor_tail COPY FIELD [BYTE]: all copies are equal
xor_tail() {
	local byte
	byte=$(attack super-get 0 | od -An -tu1 -j $((TAIL + AT[$2])) -N 1)
	attack super-poke "$1" $((TAIL + AT[$2])) "$(le 1 $((byte ^ ${3:-1})))"
}
# state FIELD, record N FIELD
record() { attack state | sed -nE "/ record=$1 /s/.*\b$2=([0-9]+).*/\1/p"; }
# damage_record N AT
damage_record() {
	local at=$(($(record "$1" slot) + $2))
	attack raw-get "$at" 1 | od -An -tu1 | { read -r byte; printf "\\x$(printf %02x $((byte ^ 1)))"; } >"$tmp/byte"
	attack raw-put "$at" "$tmp/byte"
}
# Nobody goes on with it, forward or back: stuck STATUS REGEX
stuck() {
	local before one
	before=$(fingerprint "$image")
	for one in do_$RESUME do_abort; do
		expect_status "$1" $one
		expect_text "$tmp/err" "$2"
	done
	[ "$before" = "$(fingerprint "$image")" ] || fail "the image was changed"
}
# Resumed or aborted, it ends as it should, with a warning where one is given
goes_on() {
	cp --sparse=always "$image" "$tmp/again.img"
	goes resume "$@"
	cp --sparse=always "$tmp/again.img" "$image"
	goes abort "$@"
}
goes() {	# goes resume|abort [WARNING]
	local end=$TO
	if [ "$1" = abort ]; then
		end=$BACK
		expect_status 0 do_abort
	else
		expect_status 0 "do_$RESUME"
	fi
	[ -z "${2:-}" ] || expect_text "$tmp/err" "$2"
	ended "$end"
}
# goes_by_turns [WARNING]: one of both, the other the next time; with TORTURE both
goes_by_turns() {
	if [ -n "${TORTURE:-}" ]; then
		goes_on "$@"
	else
		if [ "${turn:-abort}" = abort ]; then turn=resume; else turn=abort; fi
		goes $turn "$@"
	fi
}
ended() {
	if [ "$1" = sealed ]; then
		cats_right "${FILES[@]}"
		expect_unchanged 0 "$image" do_verify
		check_clean "$image"
	else
		expect_files_plain
	fi
}

# unfinished OPERATION WHERE: in $image, and how it goes on
unfinished() {
	if [ "$1" = encrypt ]; then
		fresh "$tmp/plain.img" && RESUME=resume TO=sealed BACK=plain
	else
		fresh && RESUME=decrypt_resume TO=plain BACK=sealed
	fi
	until_stop "$1" "$2"
	cp --sparse=always "$image" "$tmp/unfinished.img"
}
again() { fresh "$tmp/unfinished.img"; }

# The copies of the keys as in $tmp/changed, with a right hash
put_keys() {
	sha256sum "$tmp/changed" | cut -c 1-64 | python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' >>"$tmp/changed"
	attack raw-put "$keys" "$tmp/changed"
}
# flip_keys [AT [no-hash]]: one byte of the copies of the keys
flip_keys() {
	local slots
	slots=$(od -An -tu1 -j 792 -N 1 "$tmp/keys" | tr -d ' ')
	head -c $((796 + slots * 220)) "$tmp/keys" >"$tmp/changed"
	if [ -n "${1:-}" ]; then
		python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2])); b = f.read(1)[0] ^ 1; f.seek(-1, 1); f.write(bytes([b]))' \
			"$tmp/changed" "$1"
	fi
	if [ "${2:-}" = no-hash ]; then
		attack raw-put "$keys" "$tmp/changed"
	else
		put_keys
	fi
}

for operation in encrypt decrypt; do
	unfinished $operation stop:4
	[ "$(state phase)" = 2 ] && [ "$(state sequence)" -gt 3 ] || fail "not where it was thought to be"
	say "$operation: goes on as it is"
	goes_on

	say "$operation: a field of the tail in every copy: 12"
	# One half of them each time: what looks at them is the same.
	n=$([ $operation = encrypt ] && echo 0 || echo 1)
	for field in "${!AT[@]}"; do
		n=$((n + 1))
		[ $((n % $(every 2))) = 0 ] || continue
		again
		xor_tail all "$field"
		stuck 12 'state|journal|conversion'
	done
	say "$operation: a field of the tail in one copy: as if nothing had happened, with a warning"
	for change in "0 cursor" "1 cursor" "0 mac" "1 mac" "0 magic" "1 magic" "0 keys" "0 slot" "0 phase"; do
		again
		# shellcheck disable=SC2086
		xor_tail $change
		goes_by_turns 'superblock'
	done
	for copy in 0 1; do
		say "$operation: copy $copy says that it is newer"
		again
		xor_tail $copy sequence 64
		goes_by_turns 'superblock'
	done
	say "$operation: a wrong key meanwhile: 2"
	again
	xor_tail 0 sequence 64
	KEY=(--volume-key-file "$tmp/wrong-vk")
	stuck 2 'wrong key or passphrase'
	KEY=("${VK[@]}")

	say "$operation: a byte of the older record: 12"
	again
	newest=$(state sequence)
	length=$(record $((newest - 1)) length)
	for at in 0 16 24 32 48 56 88 96 104 112 128 4000 $((length / 2)) $((length - 40)) $((length - 1)); do
		again
		damage_record $((newest - 1)) "$at"
		stuck 12 'journal record'
	done
	say "$operation: a byte of the newest record, which the state knows of: 12"
	length=$(record "$newest" length)
	for at in 0 24 128 $((length / 2)) $((length - 1)); do
		again
		damage_record "$newest" "$at"
		stuck 12 'newest journal record is [0-9]+, but the state knows of [0-9]+'
	done

	say "$operation: older state and journal put back: 12"
	again
	attack super-get 0 >"$tmp/old-super"
	for i in 1 2 3; do
		slot=$(attack state | sed -nE "$((i + 1))s/.*slot=([0-9]+) size=([0-9]+).*/\1 \2/p")
		# shellcheck disable=SC2086
		attack raw-get $slot >"$tmp/old-slot-$i"
		echo "${slot% *}" >"$tmp/old-slot-$i.at"
	done
	until_stop "$(tr _ - <<<"${RESUME/do_/}")" stop:2
	[ "$(state sequence)" -ge $((newest + 2)) ] || fail "it did not go on"
	cp --sparse=always "$image" "$tmp/later.img"
	attack super-put all "$tmp/old-super"
	for i in 1 2 3; do attack raw-put "$(cat "$tmp/old-slot-$i.at")" "$tmp/old-slot-$i"; done
	stuck 12 'epoch'
	say "$operation: the older journal alone: 12; the older state alone is that of a crash"
	fresh "$tmp/later.img"
	for i in 1 2 3; do attack raw-put "$(cat "$tmp/old-slot-$i.at")" "$tmp/old-slot-$i"; done
	stuck 12 'newest journal record is [0-9]+, but the state knows of [0-9]+'
	fresh "$tmp/later.img"
	attack super-put all "$tmp/old-super"
	goes_on

	say "$operation: a file's mode, a name, a size changed meanwhile: 12"
	for change in "$(inode_item noted) 52 b681" "$(inode_item pair-a) 16 00f0" "$(file_item big) 37 $(le 8 4096)$(le 8 $((2502656 - 4096)))"; do
		again
		# shellcheck disable=SC2086
		attack poke $change
		stuck 12 'the subvolumes have changed since the conversion began'
	done
	# Items 1 and 2 of the units have one unit each, and no record that is replayed has their leaves.
	say "$operation: units taken away, said of another place, with another nonce, meanwhile: 12; what are no units: 6 or 12"
	for change in "poke 40 $(printf '5a%.0s' $(seq 16))" "xor 40 5"; do
		again
		# shellcheck disable=SC2086
		attack ${change%% *} $(item $UNITS 1) ${change#* }
		stuck 12 'unit|seal'
	done
	[ $operation = encrypt ] && malformed=12 || malformed=6
	for change in "4 $(le 8 4096)" "12 01"; do
		again
		# shellcheck disable=SC2086
		attack poke $(item $UNITS 1) $((8 + ${change% *})) "${change#* }"
		stuck $malformed 'unit'
	done
	again
	attack drop $(item $UNITS 2)
	stuck $malformed 'unit'
	again
	attack poke $(item $INLINE 0) $((8 + 32)) "$(printf '5a%.0s' $(seq 16))"
	# Where a record has its leaf, that is put right; else it is seen.
	cp --sparse=always "$image" "$tmp/probe.img"
	if do_$RESUME >"$tmp/out" 2>"$tmp/err"; then replayed=1; else replayed=; fi
	cp --sparse=always "$tmp/probe.img" "$image"
	if [ $replayed ]; then goes_on; else stuck 12 'seal|inline'; fi

	if [ $operation = decrypt ]; then
		say "decrypt: an extent that no tag recognises any more is not passed over: 12; one bad block: 6, and undone"
		"$tmp/attack" "$image" units 1 >"$tmp/units"
		line=$(grep " inode=$(inode pair-a) offset=0 " "$tmp/units")
		tags=$(sed -E 's/.* at=([0-9]+) .*/\1/' <<<"$line")
		address=$(sed -E 's/.* address=([0-9]+) .*/\1/' <<<"$line")
		again
		attack poke $(item $UNITS 0) $((tags + 88)) "$(printf '00%.0s' $(seq 256))"
		stuck 12 'the tags recognise extents of'
		again
		head -c 65536 /dev/urandom >"$tmp/noise"
		attack data-put "$address" "$tmp/noise"
		stuck 12 'the tags recognise extents of'
		again
		attack xor $(item $UNITS 0) $((tags + 88 + 16)) 1
		expect_status 6 do_decrypt_resume
		expect_text "$tmp/err" 'pair-a: .* fails authentication on every mirror'
		expect_status 0 do_abort
		cats_right pair-b big small packed
		refused 6 'pair-a: bytes 4096 to ([0-9]+ are lost: bytes 4096 to 8191|8191 are lost: they) fail authentication' do_cat
	fi

	say "$operation: leaves that the records have, both headers and members among them, are put right by them"
	again
	attack xor $(item $HEADER 0) 72 1
	attack xor $(second_header) 72 1
	attack xor $(item $MEMBER 0) 112 1
	goes_on

	say "$operation: the copies of header and slots beside the trees, damaged: the tree has them"
	again
	keys=$(state keys)
	attack raw-get "$keys" 1048 >"$tmp/keys"		# header 792, number of slots 4, slot 220, hash 32
	flip_keys 100 no-hash
	goes_on
	say "$operation: changed, with a right hash: 13"
	again
	for at in 40 104 128 160 300 791; do
		flip_keys "$at"
		stuck 13 "header of sealing 1 fails authentication"
	done
	say "$operation: with a slot of the attacker's own: 13 with his passphrase, 2 with the right one"
	flip_keys
	uuid=$(od -An -v -tx1 -j 56 -N 16 "$tmp/keys" | tr -d ' \n')
	attack forge-slot 0 "$tmp/wrong-passphrase" "$uuid" | python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' >"$tmp/slot"
	{ head -c 792 "$tmp/keys"; printf '\1\0\0\0'; cat "$tmp/slot"; } >"$tmp/changed"
	put_keys
	KEY=("${WRONG[@]}")
	stuck 13 'header of sealing 1 does not belong to the volume key in key slot 0'
	KEY=(--passphrase-file "$tmp/passphrase")
	stuck 2 'wrong key or passphrase'
	KEY=("${VK[@]}")
done
