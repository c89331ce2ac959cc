#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A damaged primary superblock beside a valid copy: --status says so, --resume puts it back without a key; a damaged copy is only warned about.
. "$(dirname "$0")/../expect.sh"
bundled_image whole.img

FILTER='s/^! .*warning.*superblock at (0x[0-9a-f]+): .*; copy (0 of the superblock is used|1 of the superblock is used, but a kernel uses only copy 0)(".*)?$/! warning: \1, \2/'

# damage OFFSET: another byte there
damage() {
	cp whole.img disk.img
	printf '\125' | dd of=disk.img bs=1 seek="$1" conv=notrunc status=none
}
primary=$((65536 + 299)) copy=$(((64 << 20) + 299))

damage $primary
expect 7 convert --status disk.img <<'END'
`btrfs-crypt convert --resume disk.img` writes copy 0 of the superblock again from another copy
! warning: 0x10000, 1 of the superblock is used, but a kernel uses only copy 0
END
btrfs-crypt list disk.img > out 2> err || bad "list beside a damaged primary: status $?"
grep -q 'vault' out && grep -q 'warning: ' err || bad "list does not warn"
expect 7 convert --status --format json disk.img <<'END'
{"record":"status","unfinished":true,"damaged_primary":true}
! warning: 0x10000, 1 of the superblock is used, but a kernel uses only copy 0
END
# the copy may be older, and does not know of a log tree
echo -n secret > passphrase
unchanged disk.img
for command in --dry-run "--pbkdf-force-iterations 1000 --pbkdf pbkdf2"; do
	expect 7 convert --encrypt $command --passphrase-file passphrase disk.img vault <<'END'
! warning: 0x10000, 1 of the superblock is used, but a kernel uses only copy 0
! btrfs-crypt convert: copy 1 of the superblock may be older than copy 0 of the superblock was, and is not converted
! btrfs-crypt convert: hint: `btrfs-crypt convert --resume --passphrase-file passphrase disk.img` writes copy 0 of the superblock again from copy 1 of the superblock
END
done
unchanged disk.img
rm disk.img.sum
quiet btrfs-crypt convert --resume disk.img
grep -q 'note: rewriting copy 0 of the superblock from copy 1 of the superblock$' log || { bad "it is not said what is written"; cat log; }
cmp disk.img whole.img || bad "the primary is not as it was"

damage $copy
expect 0 convert --status disk.img <<'END'
no unfinished conversion
! warning: 0x4000000, 0 of the superblock is used
END
btrfs-crypt dump-super disk.img > out 2> err || [ $? -eq 6 ] || bad "dump-super: status $?"
btrfs-crypt convert --resume disk.img > out 2> err < /dev/null && bad "there is something to resume"

damage $primary
printf '\125' | dd of=disk.img bs=1 seek=$copy conv=notrunc status=none
for command in "convert --status disk.img" "convert --resume disk.img" "list disk.img"; do
	unchanged disk.img
	btrfs-crypt $command > out 2> err < /dev/null
	status=$?
	[ $status = 4 ] || [ $status = 6 ] || { bad "$command without a superblock: status $status"; cat err; }
	unchanged disk.img
done
finish
