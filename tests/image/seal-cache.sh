#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Without a free space tree: a valid v1 space cache is invalidated, so that it is built again; if none was ever written, the superblock still says so.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
printf secret >"$tmp/key"
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000 -q"

image_make "$tmp/image" 256M -R ^free-space-tree
image_mount "$tmp/image" "$tmp/mnt"
btrfs -q subvolume create "$tmp/mnt/sv"
seq 20000 >"$tmp/mnt/sv/file"
image_umount

field() { btrfs inspect-internal dump-super -f "$tmp/image" | sed -nE "s/^$1[[:space:]]+([0-9]+)$/\1/p"; }
generation=$(field generation)
[ -n "$generation" ] || fail "no generation"

# with VALUE AFTERWARDS: of cache_generation, sealing and unsealing
with() {
	python3 "$IMAGE_TESTS/super-edit.py" "$tmp/image" cache_generation clear 0xffffffffffffffff
	python3 "$IMAGE_TESTS/super-edit.py" "$tmp/image" cache_generation set "$1"
	[ "$(field cache_generation)" = "$1" ] || fail "cache_generation is not $1"
	expect_status 0 crypt convert --encrypt $cheap --key-file "$tmp/key" "$tmp/image" sv
	[ "$(field cache_generation)" = "$2" ] || fail "sealed, cache_generation is $(field cache_generation) after $1, not $2"
	expect_status 0 crypt convert --decrypt -q --key-file "$tmp/key" "$tmp/image" sv
	[ "$(field cache_generation)" = "$2" ] || fail "unsealed, cache_generation is $(field cache_generation) after $1, not $2"
}

with 0 0
with $((generation - 1)) $((generation - 1))
with "$generation" $((generation - 1))
check_clean "$tmp/image"
