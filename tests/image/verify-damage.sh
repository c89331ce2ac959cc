#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# verify checks every mirror of everything and names the file and its bytes. cat reads around what one mirror has lost, and reads everything that is
# not damaged. Decrypting damaged data changes nothing.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt

image=$tmp/disk.img
head -c 32 /dev/urandom >"$tmp/vk"
KEY=(--volume-key-file "$tmp/vk")
image_make "$tmp/base.img" 300M -d dup -m dup
image_mount "$tmp/base.img" "$tmp/mnt" rw,noatime
btrfs -q subvolume create "$tmp/mnt/home"
mkdir "$tmp/mnt/home/dir"
(
	cd "$tmp/mnt/home"
	head -c 6000000 /dev/urandom >dir/big
	head -c 3000 /dev/urandom >tiny
	echo "a few words" >inline
	ln -s "$(printf 'x%.0s' {1..100})" link
	touch packed bare
	btrfs property set packed compression zlib
	chattr +C bare
	seq 1 60000 >packed
	head -c 65536 /dev/urandom >bare
	head -c 131072 /dev/urandom >cut
	sync -f .
	head -c 16384 /dev/urandom | dd of=cut bs=4096 seek=10 conv=notrunc status=none
	head -c 65536 /dev/urandom >two
	sync -f .
	head -c 65536 /dev/urandom >>two
)
sync -f "$tmp/mnt"
(cd "$tmp/mnt/home" && sha256sum dir/big tiny inline packed bare cut two) >"$tmp/sums"
declare -A inode
while read -r name number; do inode[$name]=$number; done < <(cd "$tmp/mnt/home" && stat -c '%n %i' dir/big tiny inline packed bare cut two link)
id=$(btrfs inspect-internal rootid "$tmp/mnt/home")
image_umount
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$tmp/base.img" home
check_clean "$tmp/base.img"

fingerprint() { python3 "$IMAGE_TESTS/attack/fingerprint.py" "$1"; }	# reads no holes
fresh() { cp --sparse=always "$tmp/base.img" "$image"; }
damage() { python3 "$IMAGE_TESTS/damage.py" "$image" "$@"; }

# at FILE OFFSET: the address of a sector of a file, by btrfs-progs (extents that are used from their beginning)
at() {
	damage extents "$id" "${inode[$1]}" | awk -v want="$2" '$1 <= want { found = $2 + want - $1 } END { print found }'
}

# fails LINE...: verify prints exactly these regexes, one a line, and fails
fails() {
	local line
	expect_unchanged 6 "$image" crypt verify "${KEY[@]}" "$image" home
	for line in "$@"; do
		grep -qxE -e "$line" "$tmp/out" || { head -c 3000 "$tmp/out"; fail "no line '$line'"; }
	done
	[ "$(sed '/^failed: /,$d' "$tmp/out" | wc -l)" = $# ] || { head -c 3000 "$tmp/out"; fail "not $# findings"; }
	expect_text "$tmp/out" "^failed: aes-256-gcm@btrfs:[0-9a-f]{8}: 7 files, .* $# failures?\$"
}
passes() {
	expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$@" "$image" home
	expect_text "$tmp/out" '^verified: .* 0 failures$'
}

# reads FILE... / all but these: cat gives them as they were
reads() {
	local name
	for name in "$@"; do
		expect_status 0 crypt cat --quiet "${KEY[@]}" "$image" home "$name"
		[ "$(sha256sum <"$tmp/out") $name" = "$(awk -v n="$name" '$2 == n { print $1 }' "$tmp/sums")  - $name" ] || fail "cat of $name differs"
	done
}
reads_all_but() {
	local name
	while read -r _ name; do [ "$name" = "$1" ] || reads "$name"; done <"$tmp/sums"
}
cannot_read() {		# cannot_read FILE TEXT
	expect_unchanged 6 "$image" crypt cat "${KEY[@]}" "$image" home "$1"
	expect_text "$tmp/err" "$2"
}
stays_sealed() {	# stays_sealed TEXT
	expect_unchanged 6 "$image" crypt convert --decrypt -q "${KEY[@]}" "$image" home
	expect_text "$tmp/err" "$1"
}

fresh
passes
expect_text "$tmp/out" '^verified: aes-256-gcm@btrfs:[0-9a-f]{8}: 7 files, [0-9]+ blocks, 0 not sealed, 0 failures$'
reads_all_but nothing

say "one mirror, then the other one elsewhere"
for mirror in 1 2; do
	fresh
	address=$(at dir/big 40960)
	damage data "$address" --mirror $mirror
	fails "home/dir/big: bytes 40960 to 45055 fail authentication on mirror $mirror of 2 \(data at $address\)"
	reads dir/big
	if [ $mirror = 1 ]; then
		expect_text "$tmp/err" "warning: data at $address: mirror 1 fails authentication, mirror 2 is right and is used"
	elif [ -s "$tmp/err" ]; then
		fail "a warning about a mirror that was not needed"
	fi
done
damage data "$(at dir/big 45056)" --mirror 1
fails "home/dir/big: bytes 40960 to 45055 fail authentication on mirror 2 of 2 .*" \
	"home/dir/big: bytes 45056 to 49151 fail authentication on mirror 1 of 2 .*"
reads dir/big

say "both mirrors, over the border of two units: one range; everything else reads"
fresh
damage data "$(at dir/big 2043904)" "$(at dir/big 2048000)" "$(at dir/big 2052096)"
fails "home/dir/big: bytes 2043904 to 2056191 fail authentication on every mirror \(data at $(at dir/big 2043904)\)"
cannot_read dir/big "warning: dir/big: bytes 2043904 to 2056191 are lost: bytes 2043904 to 2047999 fail authentication on every mirror \(data at $(at dir/big 2043904)\)\$"
reads_all_but dir/big
stays_sealed 'home/dir/big: bytes 2043904 to 2047999 fail authentication on every mirror'

say "with matching checksums, so that btrfs finds nothing"
fresh
damage data "$(at dir/big 4096)" --csum
check_clean "$image"
fails "home/dir/big: bytes 4096 to 8191 fail authentication on every mirror .*"
cannot_read dir/big 'warning: dir/big: bytes 4096 to 8191 are lost: they fail authentication on every mirror'

say "a checksum that is wrong for data that are right"
fresh
damage csum "$(at dir/big 8192)"
fails "home/dir/big: bytes 8192 to 12287 do not match their checksums on every mirror .*"
reads_all_but nothing

say "a file that lost its only block is a damaged file, not a changed tree"
fresh
damage data "$(at tiny 0)"
fails "home/tiny: bytes 0 to 4095 fail authentication on every mirror .*"
cannot_read tiny 'warning: tiny: bytes 0 to 2999 are lost: bytes 0 to 4095 fail authentication on every mirror'
reads_all_but tiny
stays_sealed 'home/tiny: bytes 0 to 4095'

say "the beginning of a large file: more blocks than an extent is recognised by"
fresh
first=$(at dir/big 0)
damage data $(seq "$first" 4096 $((first + 81919)))
fails "home/dir/big: bytes 0 to 81919 fail authentication on every mirror .*"
cannot_read dir/big 'bytes 0 to 4095 fail'
reads_all_but dir/big

say "without checksums; compressed; used in part; over two extents"
fresh
damage data "$(at bare 4096)" --mirror 2
fails "home/bare: bytes 4096 to 8191 fail authentication on mirror 2 of 2 .*"
fresh
damage data "$(at packed 131072)"
fails "home/packed: bytes 131072 to 262143 fail authentication on every mirror .*"
cannot_read packed 'warning: packed: bytes 131072 to 262143 are lost: they fail authentication'
fresh
first=$(at cut 0)
damage data $((first + 8 * 4096)) $((first + 11 * 4096)) $((first + 15 * 4096))	# the second was written anew: the file does not use it
fails "home/cut: bytes 32768 to 36863 fail authentication on every mirror \(data at $((first + 32768))\)" \
	"home/cut: bytes 45056 to 49151 of an extent, which the file does not use, fail authentication on every mirror .*" \
	"home/cut: bytes 61440 to 65535 fail authentication on every mirror .*"
fresh
[ "$(at two 65536)" = $(($(at two 0) + 65536)) ] || say "(two: its extents are apart)"
damage data "$(at two 61440)" "$(at two 65536)"
fails "home/two: bytes 61440 to 69631 fail authentication on every mirror .*"

say "what lies in the tree"
fresh
damage item "$id" "${inode[inline]} EXTENT_DATA 0" 25
fails "home: its tree has changed since it was sealed: .*" "home/inline: was changed since it was sealed: .*" "home/inline: bytes 0 to 11 fail authentication"
cannot_read inline 'inline: it is not the file that was sealed'
expect_unchanged 6 "$image" crypt cat "${KEY[@]}" --accept-changes "$image" home inline
expect_text "$tmp/err" 'warning: inline: bytes 0 to 11 are lost: its 12 bytes in the tree fail authentication'
say "which is never accepted: a kernel does not rewrite what is sealed"
expect_unchanged 6 "$image" crypt cat "${KEY[@]}" --accept-changes --accept-unsealed "$image" home inline
expect_unchanged 6 "$image" crypt convert --decrypt -q "${KEY[@]}" --accept-changes --accept-unsealed "$image" home
expect_text "$tmp/err" 'home/inline: bytes 0 to 11 fail authentication'
expect_unchanged 0 "$image" crypt cat "${KEY[@]}" "$image" home tiny		# which is as it was
fresh
damage item "$id" "${inode[link]} EXTENT_DATA 0" 60
fails "home: its tree has changed since it was sealed: .*" "home/link: was changed since it was sealed: .*" "home/link: bytes 0 to 99 fail authentication"
fresh
damage item "$id" "${inode[tiny]} INODE_ITEM 0" 52		# st_mode
fails "home: its tree has changed since it was sealed: .*" "home/tiny: was changed since it was sealed: .*"
expect_unchanged 6 "$image" crypt verify --accept-changes "${KEY[@]}" "$image" home
expect_text "$tmp/err" 'note: home: its tree has changed since it was sealed'
expect_text "$tmp/err" 'differences? (was|were) accepted: everything else is authentic'
expect_text "$tmp/out" '^changed, as accepted: .*, [1-9] accepted, 0 failures$'

say "the mark of an extent"
fresh
damage item "$id" "${inode[tiny]} EXTENT_DATA 0" 18		# other_encoding
expect_unchanged 6 "$image" crypt verify "${KEY[@]}" "$image" home
expect_text "$tmp/out" 'home: its tree has changed since it was sealed'
expect_text "$tmp/out" 'home/tiny: was changed since it was sealed'

say "leaves, on each mirror"
for mirror in 1 2; do
	for tree in "$id:home" "1:root tree" "2:extent tree" "7:checksum tree" "10:free space tree" "3:chunk tree"; do
		fresh
		address=$(damage block "${tree%%:*}" 0 --mirror $mirror)
		fails "${tree#*:}: mirror $mirror of 2: tree block at $(printf %#x "$address"): the crc32c checksum does not match"
	done
done

say "checksums that cannot be looked up"
fresh
damage block 7 0 >/dev/null
fails 'checksum tree: .*; data checksums that depend on it are not compared' 'checksum tree: .*'

say "checksums that are not there: a kernel would refuse to read the files"
fresh
damage lose-csums "$(at dir/big 0)"
fails "home/dir/big: bytes 0 to 6000639 have no checksum in the csum tree, but should have one \(data at $(at dir/big 0)\)"
stays_sealed '^btrfs-crypt convert: home/dir/big: bytes 0 to 6000639 have no checksum in the csum tree, but should have one'
expect_text "$tmp/err" 'btrfs check --init-csum-tree'
reads_all_but nothing

say "JSON"
fresh
damage data "$(at tiny 0)" --mirror 2
expect_unchanged 6 "$image" crypt verify --format json "${KEY[@]}" "$image" home
head -1 "$tmp/out" | python3 -c '
import json, sys
line = json.load(sys.stdin)
assert line["path"] == "home/tiny" and line["bad"].startswith("bytes 0 to 4095 fail authentication on mirror 2 of 2"), line'
tail -1 "$tmp/out" | python3 -c '
import json, sys
line = json.load(sys.stdin)
assert line["passed"] is False and line["failures"] == "1" and line["files"] == "7", line'
