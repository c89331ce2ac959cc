#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Commands that read never write a byte, plain or sealed, right or wrong key: not even the time of the last change differs.
. "$(dirname "$0")/../expect.sh"
bundled_image
printf 'secret' > key
printf 'wrong' > wrong

look() {
	btrfs-crypt list disk.img
	btrfs-crypt show disk.img vault
	btrfs-crypt ls -l disk.img vault
	btrfs-crypt cat disk.img vault secret.txt --key-file key
	btrfs-crypt cat disk.img vault secret.txt --key-file wrong
	rm -f manifest
	btrfs-crypt export disk.img vault -o - --manifest manifest --key-file key | cat
	btrfs-crypt export disk.img / -o - --recursive --ciphertext | cat
	btrfs-crypt dump-super disk.img
	btrfs-crypt dump-tree disk.img
	btrfs-crypt verify-key disk.img vault --key-file key
	btrfs-crypt verify-key disk.img vault --key-file wrong
	btrfs-crypt verify disk.img vault --key-file key
	btrfs-crypt verify disk.img vault --key-file wrong
	btrfs-crypt convert --status disk.img
	btrfs-crypt convert --encrypt --dry-run disk.img vault
	btrfs-crypt convert --decrypt --dry-run disk.img vault --key-file key
	btrfs-crypt convert --decrypt disk.img vault --key-file wrong
} > log 2>&1 < /dev/null

check() {
	touch -d '2001-02-03 04:05:06.789' disk.img
	before=$(stat -c '%Y %y %s %a' disk.img)
	sha256sum disk.img > sum
	look
	[ "$(stat -c '%Y %y %s %a' disk.img)" = "$before" ] || bad "$1: the image's time or mode was changed"
	sha256sum --quiet -c sum || bad "$1: the image was changed"
}
check plain
quiet btrfs-crypt convert --encrypt disk.img vault --key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000
check sealed
finish
