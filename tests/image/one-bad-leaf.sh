#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One leaf of the csum tree or of the extent tree that cannot be read, or an item in it that is wrong: files that do not need it are read; sealed files
# need neither, for their tags vouch for them; verify compares all other checksums; a conversion, which needs both, changes nothing.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
damage() { python3 "$IMAGE_TESTS/damage.py" "$image" "$@"; }

image=$tmp/disk.img
N=300
head -c 32 /dev/urandom >"$tmp/vk"
KEY=(--volume-key-file "$tmp/vk")
image_make "$tmp/base.img" 300M -m dup -d single -n 4096
image_mount "$tmp/base.img" "$tmp/mnt" rw,noatime
for name in home plain; do
	btrfs -q subvolume create "$tmp/mnt/$name"
	for ((i = 0; i < N; i++)); do head -c 20000 /dev/urandom >"$tmp/mnt/$name/f$i"; done
	sync -f "$tmp/mnt"
	cp -r "$tmp/mnt/$name" "$tmp/$name"
done
number=$(stat -c %i "$tmp/mnt/home/f5")
id=$(btrfs inspect-internal rootid "$tmp/mnt/home")
image_umount
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$tmp/base.img" home
fresh() { cp --sparse=always "$tmp/base.img" "$image"; }

# n_right SUBVOL: files that were exported as they were; what was not is zeros, or not there
n_right() {
	local name n=$N
	{ diff -rq "$tmp/$1" "$tmp/exported" || true; } >"$tmp/differ"
	while read -r name; do
		n=$((n - 1))
		[ ! -e "$tmp/exported/$name" ] || [ "$(tr -d '\0' <"$tmp/exported/$name" | wc -c)" = 0 ] || fail "$1/$name is something else"
	done < <(sed -nE 's/^Files .*\/(f[0-9]+) differ$/\1/p; s/^Only in .*: //p' "$tmp/differ")
	echo "$n"
}
exports() {	# exports STATUS SUBVOL AT-LEAST [KEY...]
	local n
	rm -rf "$tmp/exported"
	expect_unchanged "$1" "$image" crypt export "$image" "$2" -o "$tmp/exported/" "${@:4}"
	n=$(n_right "$2")
	[ "$n" -ge "$3" ] || { head -5 "$tmp/err"; fail "$2: $n of $N files"; }
	[ "$1" = 0 ] || [ "$n" -lt "$N" ] || fail "$2: nothing is lost"
}
sealed_is_read() {
	exports 0 home "$N" "${KEY[@]}"
	expect_status 0 crypt cat "${KEY[@]}" "$image" home f5
	cmp "$tmp/out" "$tmp/home/f5" || fail "cat differs"
}
converts_nothing() {	# converts_nothing TEXT
	expect_unchanged 6 "$image" crypt convert --decrypt -q "${KEY[@]}" "$image" home
	expect_text "$tmp/err" "$1"
	expect_unchanged 6 "$image" crypt convert --encrypt -q "${KEY[@]}" "$image" plain
	expect_text "$tmp/err" "$1"
}
verifies() {	# verifies STATUS [LINE...]
	local line
	expect_unchanged "$1" "$image" crypt verify "${KEY[@]}" "$image" home
	for line in "${@:2}"; do expect_text "$tmp/out" "$line"; done
}

leaves=$(btrfs inspect-internal dump-tree -t 7 "$tmp/base.img" | grep -cE '^leaf [0-9]+ items')
[ "$leaves" -ge 4 ] || fail "the csum tree has $leaves leaves only"
for ((leaf = 0; leaf < leaves; leaf++)); do
	say "leaf $leaf of the csum tree, of $leaves"
	fresh
	address=$(printf '%#x' "$(damage block 7 $leaf)")
	sealed_is_read
	rm -rf "$tmp/exported"
	have=0
	crypt export "$image" plain -o "$tmp/exported/" 2>"$tmp/err" || have=$?
	n=$(n_right plain)
	[ "$n" -ge $((N - 250)) ] || fail "$n of $N files are read without a leaf of the csum tree"
	[ $have = 0 ] && [ "$n" = "$N" ] || { [ $have = 6 ] && expect_text "$tmp/err" "f[0-9]+: bytes 0 to 19999 are lost: .*$address"; }
	verifies 6 "^checksum tree: .*$address: the crc32c checksum does not match\$" '^failed: '
	converts_nothing "$address"
done

say "what else is wrong is found all the same: before the leaf, and behind it"
fresh
damage block 7 1 >/dev/null
read -r _ data _ < <(damage extents "$id" "$number")
damage data "$data"
verifies 6 '^checksum tree: .*data checksums that depend on it are not compared' '^home/f5: bytes 0 to 4095 fail authentication'

leaves=$(btrfs inspect-internal dump-tree -t 2 "$tmp/base.img" | grep -cE '^leaf [0-9]+ items')
[ "$leaves" -ge 8 ] || fail "the extent tree has $leaves leaves only"
for leaf in 0 $((leaves / 2)) $((leaves - 1)); do
	say "leaf $leaf of the extent tree, of $leaves"
	fresh
	address=$(printf '%#x' "$(damage block 2 "$leaf")")
	sealed_is_read
	exports 0 plain "$N"
	verifies 6 "^extent tree: .*$address: the crc32c checksum does not match\$" '^failed: .* 1 failure$'
	converts_nothing "$address"
done

say "an item of the extent tree: its count of references"
fresh
key=$(btrfs inspect-internal dump-tree -t 2 "$image" | sed -nE 's/^\titem [0-9]+ key \(([0-9]+ EXTENT_ITEM 20480)\).*/\1/p' | sed -n 100p)
damage item 2 "$key" 2
sealed_is_read
exports 0 plain "$N"
verifies 0

say "both trees as a whole: what is sealed is still read"
for tree in 2 7; do
	fresh
	root=$(btrfs inspect-internal dump-tree -t $tree "$image" | sed -nE 's/^node ([0-9]+) .*/\1/p' | sed -n 1p)
	python3 "$IMAGE_TESTS/node-edit.py" "$image" "$root" generation 9 --bad-csum
	sealed_is_read
	converts_nothing "$(printf '%#x' "$root")"
	if [ $tree = 7 ]; then
		exports 6 plain 0
		expect_status 6 crypt export --tolerant "$image" plain -o "$tmp/tolerant/"
		cmp "$tmp/tolerant/f5" "$tmp/plain/f5" || fail "--tolerant does not give what has no checksum"
	else
		exports 0 plain "$N"
	fi
done
