#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The newest journal record of a conversion is destroyed on every mirror after it was carried out: nothing is guessed, blocks that tags identify come
# back, and blocks that nothing identifies are left out only if the user gave the same number of blocks.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
. "$IMAGE_TESTS/bad-lib.sh"
bad_base

DATA=2

# records: of the unfinished conversion, oldest first: number, place, length, phase, cursor, ranges
records() { attack state | sed -nE 's/^slot=([0-9]+) .* record=([0-9]+) length=([0-9]+) phase=([0-9]+) cursor=([0-9]+) ranges=([0-9]+)/\2 \1 \3 \4 \5 \6/p' | sort -n; }

# destroy: the newest record; $from and $to: what it converted, as places of units
destroy() {
	local before
	records >"$tmp/records"
	read -r newest slot length phase cursor ranges < <(tail -n 1 "$tmp/records")
	read -r _ _ _ _ before _ < <(tail -n 2 "$tmp/records" | head -n 1)
	[ "$phase" = $DATA ] && [ "$ranges" -gt 0 ] || fail "the newest record is not one of data: $(cat "$tmp/records")"
	head -c "$length" /dev/urandom >"$tmp/noise"
	attack raw-put "$slot" "$tmp/noise"
	if [ "$RESUME" = resume ]; then from=$before to=$cursor; else from=$cursor to=$before; fi
}

# lost_units: those that the destroyed record converted: address, blocks, inode, item, place in it
lost_units() {
	"$tmp/attack" "$image" units 1 | awk -v from="$from" -v to="$to" '{ for (i = 1; i <= NF; i++) { split($i, f, "="); v[f[1]] = f[2] }
		if (v["place"] + 0 >= from + 0 && v["place"] + 0 < to + 0) print v["address"] + v["in"], v["blocks"], v["inode"], v["item"], v["at"] }'
}

# points OPERATION WAY: $tmp/OPERATION.WAY.N, at points in DATA whose newest record is one of data
points() {
	local n
	for n in $(seq 3 40); do
		if [ "$1" = encrypt ]; then fresh "$tmp/plain.img"; else fresh; fi
		"$tmp/attack" "$image" convert "$1" "$2:$n" "$tmp/vk" target >/dev/null 2>&1 || true
		crypt convert --status "$image" >"$tmp/out" && break
		[ "$(records | tail -n 1 | cut -d ' ' -f 4)" = $DATA ] && [ "$(records | tail -n 1 | cut -d ' ' -f 6)" -gt 0 ] || continue
		cp --sparse=always "$image" "$tmp/$1.$2.$n"
	done
}

# before KIND...: leaves with items of these kinds, as the record before the destroyed one has them, are put back in place
before() {
	local n place length
	read -r n place length _ < <(tail -n 2 "$tmp/records" | head -n 1)
	attack raw-get "$place" "$length" >"$tmp/record"
	rm -f "$tmp"/put.*
	python3 - "$tmp/record" "$tmp/put" "$@" <<-'END'
	import struct, sys
	record, out, kinds = open(sys.argv[1], "rb").read(), sys.argv[2], set(map(int, sys.argv[3:]))
	crypt, csum, node = (1 << 64) - 200, (1 << 64) - 10, 4096
	at = 128
	for _ in range(struct.unpack_from("<I", record, 112)[0]):
	    logical, = struct.unpack_from("<Q", record, at)
	    block = record[at + 8:at + 8 + node]
	    at += 8 + node
	    n_items, level = struct.unpack_from("<IB", block, 96)
	    have = set()
	    for i in range(n_items if level == 0 else 0):
	        objectid, kind, offset = struct.unpack_from("<QBQ", block, 101 + 25 * i)
	        if objectid == crypt and kind == 249:
	            have.add(0 if offset & (1 << 48) - 1 == (1 << 48) - 1 else offset >> 44 & 15)
	    if have & kinds:
	        open(f"{out}.{logical}", "wb").write(block)
	END
	for n in "$tmp"/put.*; do attack raw-put "${n##*.}" "$n"; done
}

way_of() { if [ "$1" = encrypt ]; then RESUME=resume TO=sealed BACK=plain; else RESUME=decrypt_resume TO=plain BACK=sealed; fi; }

for operation in encrypt decrypt; do
	way_of $operation
	for stop in die stop; do
		points $operation $stop
		count=0
		for point in $(ls -d "$tmp/$operation.$stop".* | sed -n '1p;$p'); do
			fresh "$point"
			destroy
			cp --sparse=always "$image" "$tmp/lost.img"
			for goal in $RESUME abort; do
				fresh "$tmp/lost.img"
				refused 12 'state knows of|has epoch' do_$goal
				expect_text "$tmp/err" 'hint: .*--skip-damaged'
				OPTIONS=(--skip-damaged=1)
				refused 9 'has 0 such blocks' do_$goal
				OPTIONS=(--skip-damaged)
				expect_status 0 do_$goal
				OPTIONS=()
				if [ $goal = abort ]; then ended $BACK; else ended $TO; fi
			done
			count=$((count + 1))
		done
		say "$operation, $stop: $count records destroyed"
		[ $count -ge 2 ] || fail "too few points"
	done
done

for operation in encrypt decrypt; do
	way_of $operation
	say "$operation: a block that is damaged as well: counted and named, and left out where just so many are"
	count=0
	for point in "$tmp/$operation.die".*; do
		[ $count -lt 1 ] || break
		fresh "$point"
		destroy
		read -r address blocks inode _ < <(lost_units | awk -v big="$(inode big)" '$3 == big' | tail -n 1) || continue
		block=$((blocks / 2))
		rot $((address + block * 4096))
		cp --sparse=always "$image" "$tmp/lost.img"
		for goal in $RESUME abort; do
			if [ $goal = abort ]; then end=$BACK; else end=$TO; fi
			fresh "$tmp/lost.img"
			refused 12 'has epoch|state knows of' do_$goal
			OPTIONS=(--skip-damaged)
			refused 6 'is lost.* 1 blocks' do_$goal
			expect_text "$tmp/err" 'target/big: bytes [0-9]+ to [0-9]+ are lost or in doubt'
			expect_text "$tmp/err" 'hint: .*--skip-damaged=1'
			first=$(sed -nE 's/.*target\/big: bytes ([0-9]+) to ([0-9]+) are lost or in doubt.*/\1/p' "$tmp/err")
			OPTIONS=(--skip-damaged=2)
			refused 9 'has 1 such blocks' do_$goal
			OPTIONS=(--skip-damaged=1)
			expect_status 6 do_$goal
			expect_text "$tmp/err" "target/big: bytes $first to $((first + 4095)) are damaged: left as they were found"
			OPTIONS=()
			if [ $end = sealed ]; then
				all_but big
				expect_status 6 do_decrypt
			fi
			only_bad big "$first" $((first + 4095))
		done
		count=$((count + 1))
	done
	[ $count -gt 0 ] || fail "no record with blocks of big"
done

way_of encrypt
say "encrypt: the header put back, so that only the tags in place tell: not gone on with unasked"
for point in $(ls -d "$tmp"/encrypt.die.* | sed -n '1p;3p'); do
	fresh "$point"
	destroy
	before $HEADER
	cp --sparse=always "$image" "$tmp/lost.img"
	for goal in resume abort; do
		fresh "$tmp/lost.img"
		refused 12 'are sealed, but the conversion has not reached them|state knows of' do_$goal
		expect_text "$tmp/err" 'hint: .*--skip-damaged'
		OPTIONS=(--skip-damaged)
		expect_status 0 do_$goal
		OPTIONS=()
		if [ $goal = abort ]; then ended plain; else ended sealed; fi
	done
done

say "encrypt: the tags destroyed too: what is ciphertext already is lost, and never taken for plain text"
count=0
for point in "$tmp/encrypt.die".*; do
	[ $count = 0 ] || break
	fresh "$point"
	destroy
	lost_units >"$tmp/lost-units"
	awk -v big="$(inode big)" '$3 != big { bad = 1 } END { exit bad || NR != 1 }' "$tmp/lost-units" || continue
	read -r address blocks _ number at <"$tmp/lost-units"
	attack poke $(item $UNITS "$number") $((at + 32)) "$(printf '00%.0s' $(seq 16))"
	cp --sparse=always "$image" "$tmp/lost.img"
	for goal in resume abort; do
		if [ $goal = abort ]; then end=plain; else end=sealed; fi
		fresh "$tmp/lost.img"
		refused 12 'has epoch|state knows of' do_$goal
		OPTIONS=(--skip-damaged)
		refused 6 'is lost' do_$goal
		n=$(sed -nE 's/.*hint: `--skip-damaged=([0-9]+)`.*/\1/p' "$tmp/err")
		[ "$n" -ge "$blocks" ] && [ "$(grep -c 'bytes .* are lost or in doubt' "$tmp/err")" = "$n" ] || fail "not every block is counted and named: $n"
		OPTIONS=("--skip-damaged=$n")
		expect_status 6 do_$goal
		expect_text "$tmp/out" "damaged blocks left as they were: $n"
		OPTIONS=()
		[ $end = plain ] || expect_status 6 do_decrypt
		btrfs check "$image" >"$tmp/check.out" 2>&1 || { cat "$tmp/check.out"; fail "btrfs check"; }
		image_mount "$image" "$tmp/mnt" ro
		cat "$tmp/mnt/target/big" >"$tmp/big" 2>/dev/null && fail "big can be read as a whole"
		for name in "${FILES[@]}"; do
			if cat "$tmp/mnt/target/$name" >"$tmp/read" 2>/dev/null; then cmp "$tmp/read" "$tmp/files/$name" || fail "$name"; fi
		done
		image_umount
	done
	count=$((count + 1))
done
[ $count -gt 0 ] || fail "no record that has blocks of big only"

say "the power goes again at each flush while it is gone on with"
for operation in encrypt decrypt; do
	way_of $operation
	point=$(find "$tmp" -maxdepth 1 -name "$operation.stop.*" | sort | tail -n 2 | head -n 1)
	for goal in $RESUME abort; do
		for n in $(seq 2 "$((6 * $(every 3)))" 90); do
			fresh "$point"
			destroy
			"$tmp/attack" "$image" convert "$(tr _ - <<<"$goal")+skip" "flush:$n" "$tmp/vk" target >"$tmp/out" 2>"$tmp/err" || fail "flush $n: $(cat "$tmp/err")"
			if ! crypt convert --status "$image" >"$tmp/out"; then
				OPTIONS=(--skip-damaged)
				expect_status 0 do_$goal
				OPTIONS=()
				gone_on=1
			else
				gone_on=
			fi
			if [ $goal = abort ]; then ended $BACK; else ended $TO; fi
			[ -n "$gone_on" ] || break
		done
		say "$operation, $goal: $n flushes"
		[ -z "$gone_on" ] && [ "$n" -gt 6 ] || fail "the end was not seen"
	done
done
