#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One bad byte costs one block: extents that a stock kernel moved are recognised although their first bytes are damaged, or the hints of all units are
# gone, or both. The tree counts as it was sealed, the message names the file, and every other file can be read.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
need_root
need_crypt
command -v strace >/dev/null || skip "needs strace"
tool attack
make_keys
image=$tmp/disk.img
SV=256
E_ADDRESS=21 ROOT=48 ADDRESS=72

mkdir "$tmp/files"
# Position tagged, no block like another
content() {	# content NAME SIZE
	python3 -c 'import sys
name, size = sys.argv[1], int(sys.argv[2])
sys.stdout.write("".join("%-20s%011d\n" % (name, i * 32) for i in range(size // 32 + 1))[:size])' "$1" "$2" >"$tmp/files/$1"
}
ALL=(large)
content large 9437184
for i in {1..12}; do
	content "same-$i" 65536
	content "one-$i" 4096
	ALL+=("same-$i" "one-$i")
done
image_make "$image" 400M
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs -q subvolume create "$tmp/mnt/sv"
btrfs -q subvolume create "$tmp/mnt/second"
for one in "${ALL[@]}"; do cp "$tmp/files/$one" "$tmp/mnt/sv"; done
cp "$tmp/files/same-1" "$tmp/files/one-1" "$tmp/mnt/second"
sync -f "$tmp/mnt"
(cd "$tmp/mnt/sv" && stat -c '%n %i' -- *) >"$tmp/inodes"
image_umount
expect_status 0 crypt convert --encrypt -q "${VK[@]}" "$image" sv second
image_mount "$image" "$tmp/mnt" rw,commit=1
btrfs -q subvolume snapshot "$tmp/mnt/sv" "$tmp/mnt/snap"
btrfs balance start --full-balance "$tmp/mnt" >"$tmp/out"
image_umount
cp --sparse=always "$image" "$tmp/base.img"
"$tmp/attack" "$image" units 1 >"$tmp/units"
address() { number_of "$(attack peek $SV "$(inode "$1")" 108 0 $E_ADDRESS 8)"; }
for one in large same-1 one-1; do
	! grep -q " unit=$(address "$one") " "$tmp/units" || fail "the balance left $one where it was"
done
say "sealed and moved"

# damage raw|data FILE AT LENGTH: bytes of its extent are others; data: and their checksums are right
damage() {
	local at=$(($(address "$2") + $3 / 4096 * 4096)) len=$((($3 % 4096 + $4 + 4095) / 4096 * 4096))
	"$tmp/attack" "$image" raw-get "$at" "$len" >"$tmp/block"
	python3 - "$tmp/block" $(($3 % 4096)) "$4" <<-'EOP'
	import sys
	name, at, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
	data = bytearray(open(name, 'rb').read())
	for i in range(at, at + n):
	    data[i] ^= 0x55
	open(name, 'wb').write(data)
	EOP
	attack "$1-put" "$at" "$tmp/block"
}
# no_hints FROM: of all units, the hints from there on
no_hints() { attack no-hints 1 "$1"; }

# lost FILE FIRST LAST: exactly this is named and nothing else is lost
lost() {
	local one sub
	for sub in sv snap second; do
		expect_unchanged 6 "$image" crypt verify "${VK[@]}" "$image" "$sub"
		grep -c 'bytes' "$tmp/out" | grep -qx 1 || { cat "$tmp/out"; fail "verify names more, or less"; }
		# of the subvolume, and not of its snapshot again: it is one extent
		expect_text "$tmp/out" "^sv/$1: bytes $2 to $3 (fail authentication|do not match)"
		expect_text "$tmp/out" ' 1 failures?$'
		cat "$tmp/out" "$tmp/err" >"$tmp/said"
		if grep -E 'has changed since it was sealed|accept-changes|beyond recognition' "$tmp/said"; then fail "verify misleads"; fi
	done
	for sub in sv snap; do
		for one in large same-1 same-12 one-1 one-12; do	# verify has read them all
			[ "$one" != "$1" ] || continue
			expect_status 0 crypt cat -q "${VK[@]}" "$image" "$sub" "$one"
			cmp "$tmp/out" "$tmp/files/$one" || fail "cat $sub $one: wrong content"
		done
		for OPTIONS in "" --accept-changes; do
			# shellcheck disable=SC2086
			expect_unchanged 6 "$image" crypt cat $OPTIONS "${VK[@]}" "$image" "$sub" "$1"
			only_lost "$1"
			expect_text "$tmp/err" "$1: bytes $2 to $3 are lost"
			if grep -E 'has changed since it was sealed|no unit|hint' "$tmp/err"; then fail "cat misleads"; fi
		done
	done
	OPTIONS=()
	expect_status 0 crypt cat -q "${VK[@]}" "$image" second one-1
	cmp "$tmp/out" "$tmp/files/one-1" || fail "cat second one-1: wrong content"
	expect_unchanged 6 "$image" crypt convert --decrypt -q "${VK[@]}" "$image" sv
	expect_text "$tmp/err" "sv/$1: bytes .* fail authentication on every mirror"
	if grep -E 'has changed since it was sealed|accept-changes' "$tmp/err"; then fail "decrypting misleads"; fi
}
# Decrypted, and as before
whole() {
	expect_unchanged 0 "$image" crypt verify "${VK[@]}" "$image" sv
	expect_status 0 crypt convert --decrypt -q "${VK[@]}" "$image" sv
	for one in "${ALL[@]}"; do
		crypt cat -q "$image" sv "$one" | cmp - "$tmp/files/$one" || fail "$one is not as it was"
		crypt cat -q "$image" snap "$one" | cmp - "$tmp/files/$one" || fail "$one of snap is not as it was"
	done
	check_clean "$image"
}

for how in raw data; do
	say "byte 0 of a moved extent ($how)"
	fresh
	damage $how same-3 0 1
	lost same-3 0 4095
	say "its first block"
	damage $how same-3 0 4096
	lost same-3 0 4095
done
say "the first 5 MiB of one"
fresh
damage raw large 0 $((5 << 20))
lost large 0 $(((5 << 20) - 1))
# Its units are searched for once, and not again for each of 1280 blocks.
strace -f -qq -o "$tmp/trace" -e trace=pread64 "$BTRFS_CRYPT" cat -q "${VK[@]}" "$image" sv large >"$tmp/out" 2>"$tmp/err" || true
[ "$(wc -l <"$tmp/trace")" -lt 20000 ] || fail "cat of a damaged file read the image $(wc -l <"$tmp/trace") times"
say "no hints of address and content"
fresh
no_hints $ADDRESS
cp --sparse=always "$image" "$tmp/no-hints.img"
damage data same-7 0 1
lost same-7 0 4095
fresh "$tmp/no-hints.img"
whole
say "no hints at all"
fresh
no_hints $ROOT
cp --sparse=always "$image" "$tmp/no-hints.img"
damage data same-7 0 1
lost same-7 0 4095
fresh "$tmp/no-hints.img"
damage raw large 0 $((5 << 20))
lost large 0 $(((5 << 20) - 1))
fresh "$tmp/no-hints.img"
whole
say "extents of one block"
fresh
damage data one-5 0 1
lost one-5 0 4095
say "without hints of address and content"
no_hints $ADDRESS
lost one-5 0 4095
say "every block of an extent"
fresh
damage raw same-9 0 65536
lost same-9 0 65535

say "decrypting without hints, the power gone at one time or another"
for flush in $(seq 6 "$((2 * $(every 2)))" 16); do
	fresh "$tmp/no-hints.img"
	expect_status 0 "$tmp/attack" "$image" convert decrypt "flush:$flush" "$tmp/vk" sv
	expect_status 7 crypt convert --status "$image"
	expect_status 0 crypt convert --decrypt --resume -q "${VK[@]}" "$image"
	for one in large same-12 one-12; do
		crypt cat -q "$image" sv "$one" | cmp - "$tmp/files/$one" || fail "$one is not as it was"
	done
	check_clean "$image"
done
