#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dump-tree and dump-super beside what dump-parity.sh compares: JSON of the superblocks, what an image that is not sealed has about encryption,
# refusals, a damaged superblock.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
tool fill

image=$tmp/default.img
image_make "$image" 400M
image_mount "$image" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/one"
"$tmp/fill" "$tmp/mnt/one" 1 sizes:30000 inline flags
image_umount

crypt dump-super --format json "$image" | python3 -c 'import json, sys
copies = [json.loads(line) for line in sys.stdin]
assert len(copies) == 2 and all(copy["valid"] and copy["csum_matches"] for copy in copies)
assert [copy["bytenr"] for copy in copies] == ["65536", "67108864"]'
expect_status 0 crypt dump-tree -t data-reloc "$image"
expect_text "$tmp/out" 'item 0 key .256 INODE_ITEM 0'

say "only what concerns sealing, of an image that is not sealed: nothing, also where chattr made files immutable"
crypt dump-tree "$image" >"$tmp/out"
expect_text "$tmp/out" 'sequence .* flags 0x[0-9a-f]*\(.*IMMUTABLE'
expect_status 0 crypt dump-tree --crypt "$image"
[ ! -s "$tmp/out" ] || { head "$tmp/out"; fail "too much is shown"; }

say "what is refused"
expect_status 4 crypt dump-tree -t 9999 "$image"
expect_status 1 crypt dump-tree -t nothing "$image"
expect_text "$tmp/err" 'nothing'
head -c 200000 /dev/urandom >"$tmp/noise"
expect_status 4 crypt dump-super "$tmp/noise"

say "a superblock that is damaged is printed all the same"
printf '\377' | dd of="$image" bs=1 seek=$((65536 + 0x90)) conv=notrunc status=none	# sectorsize
expect_status 0 crypt dump-super "$image"
expect_text "$tmp/out" '^csum	.*DON.T MATCH'
expect_text "$tmp/out" '^sectorsize	'
expect_text "$tmp/out" '^error	'
