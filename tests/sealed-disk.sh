# SPDX-License-Identifier: GPL-2.0-or-later
# disk.img: the bundled image, with vault sealed under the key files a and b; damaged.img is made of it. Sourced after expect.sh.
# shellcheck shell=bash disable=SC2034
PATH=$PATH:/usr/sbin:/sbin
bundled_image
for name in a b wrong; do printf 'secret %s' $name > $name; done
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
unchecked='! btrfs-crypt key: note: nothing of it is authenticated: with a key, it is checked first'

quiet btrfs-crypt convert --encrypt disk.img vault --key-file a $cheap
quiet btrfs-crypt key add disk.img vault --key-file a --new-key-file b $cheap
quiet btrfs-crypt key export-volume-key disk.img vault volume-key --key-file a --batch-mode
tag=$(btrfs-crypt key list disk.img vault 2> err | sed -nE 's/^Encryption: *\t//p')
seal=$(btrfs-crypt verify disk.img vault --key-file a 2> err | grep '^seal fingerprint: ')
# place KIND INDEX: of an item of the first sealing, for `attack`
place() { echo "1 18446744073709551416 249 $((1 << 48 | $1 << 44 | $2))"; }
first=$(place 0 0)
second=$(place 15 $(((1 << 44) - 1)))
hit() { "$tools/attack/attack" damaged.img "$@" || bad "attack $*"; }
# without ITEM...: damaged.img is the image without them, or with wrong bytes in them
without() {
	cp disk.img damaged.img
	rm -f damaged.img.sum
	for item; do
		# shellcheck disable=SC2046,SC2086
		case $item in
		first) hit drop $first ;;
		second) hit drop $second ;;
		slots) hit drop $(place 1 0) && hit drop $(place 1 1) ;;
		slot) hit xor $(place 1 1) 180 1 ;;
		member) hit drop $(place 2 0) ;;
		macs) hit xor $first 765 1 && hit xor $second 40 1 ;;
		esac
	done
}
