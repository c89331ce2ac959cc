#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is not btrfs itself: the advice that is printed works as it is printed.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
need_root
need_crypt
# detach: what the advice has attached
detach() {
	local loop
	for loop in $(losetup --noheadings --output NAME,BACK-FILE | awk -v dir="$tmp/" 'index($2, dir) == 1 { print $1 }'); do losetup -d "$loop"; done
}
trap 'status=$?; detach; (exit $status); on_exit' EXIT
cd "$tmp"

# disk FILE PARTITION...: a disk image with each in a partition, of whole MiB, from 1 MiB on (MBR)
disk() {
	local file=$1 part mib=1 size=()
	shift
	rm -f "$file"
	for part; do
		dd if="$part" of="$file" bs=1M seek=$mib conv=sparse,notrunc status=none
		size+=($(($(stat -c %s "$part") >> 20)))
		mib=$((mib + size[-1]))
	done
	truncate -s $((mib + 1))M "$file"
	python3 -c 'import struct, sys
with open(sys.argv[1], "r+b") as f:
    f.seek(446)
    at = 1
    for size in map(int, sys.argv[2:]):
        f.write(struct.pack("<B3sB3sII", 0, b"\0\2\0", 0x83, b"\xfe\xff\xff", at * 2048, size * 2048))
        at += size
    f.seek(510); f.write(b"\x55\xaa")' "$file" "${size[@]}"
}

# advice [N]: the command that the hint has in its N-th pair of backquotes
advice() { sed -nE 's/^btrfs-crypt [^:]*: hint: (.*)$/\1/p' err | cut -d '`' -f $((2 * ${1:-1})); }
# follow DIRECTORY [NAME [N]]: runs it, with these for the words in it that stand for others
follow() {
	local command
	command=$(advice "${3:-1}" | sed "s|DIRECTORY|$1|; s|NAME|${2:-}|")
	[ -n "$command" ] || { cat err; fail "no advice"; }
	eval "$command"
}
mkdir mnt

say "ext4, as the whole and in a partition"
mkdir files
echo "in ext4" >files/file
truncate -s 20M ext4.img
mkfs.ext4 -q -d files ext4.img
disk disk.img ext4.img
for image in ext4.img disk.img; do
	expect_unchanged 4 $image crypt list $image
	mounts+=("mnt -")
	follow mnt
	cmp mnt/file files/file
	image_umount
done
expect_text err 'disk.img: a disk without btrfs in its partitions: partition 1 at 1048576 is ext4$'

say "LUKS, likewise"
printf 'secret' >key
truncate -s 20M luks.img
cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file key luks.img
disk disk.img luks.img
# Without the device mapper: is it the right device?
cryptsetup() {
	[ "$1 $2" = "open --readonly" ] && [ $# = 4 ] || fail "cryptsetup $*"
	command cryptsetup isLuks "$3"
	[ "$(command cryptsetup luksUUID "$3")" = "$(command cryptsetup luksUUID luks.img)" ] || fail "$3 is another device"
}
for image in luks.img disk.img; do
	expect_unchanged 4 $image crypt list $image
	expect_text err 'LUKS, encrypted$'
	expect_text err 'then give /dev/mapper/NAME$'
	follow mnt name
	detach
done

say "both on one disk: each has its own"
disk disk.img ext4.img luks.img
expect_unchanged 4 disk.img crypt list disk.img
expect_text err 'partition 1 at 1048576 is ext4, partition 2 at 22020096 is LUKS, encrypted$'
mounts+=("mnt -")
follow mnt
cmp mnt/file files/file
image_umount
follow mnt name 2
detach

say "an unfinished conversion, in a partition and behind an offset: it can be undone"
image_make plain.img 110M
image_mount plain.img mnt
btrfs -q subvolume create mnt/vault
head -c 3M /dev/urandom >mnt/vault/file
sum=$(sha256sum <mnt/vault/file)
image_umount
head -c 32 /dev/urandom >vk
tool attack
expect_status 8 ./attack plain.img convert encrypt stop:3 vk vault
cp --sparse=always plain.img short.img
truncate -s 100M short.img
for option in --resume --abort; do
	expect_unchanged 6 short.img crypt convert $option -q --volume-key-file vk short.img
	expect_text err 'hint: the end of the image is missing: put back what was cut off, so that it has 115343360 bytes again$'
done
disk disk.img plain.img
{ head -c 4096 /dev/zero; cat plain.img; } >shifted.img
for image in disk.img "--image-offset 4096 shifted.img"; do
	# shellcheck disable=SC2086
	expect_status 0 crypt list $image
	command=$(grep -o '`btrfs-crypt convert --abort [^`]*`' err | tr -d '`' | sed "s|^btrfs-crypt|$BTRFS_CRYPT|")
	[ -n "$command" ] || { cat err; fail "how to undo it is not said"; }
	eval "$command --volume-key-file vk" >out 2>err || { cat err; fail "$command"; }
	detach
	# shellcheck disable=SC2086
	[ "$(crypt cat $image vault file 2>err | sha256sum)" = "$sum" ] || fail "$image: not as it was"
done

say "the parts of an image"
split -n 3 plain.img 'part of.'
for part in 'part of.aa' 'part of.ab'; do
	crypt list "$part" >out 2>err && fail "it is only a part"
	command=$(advice | sed 's/WHOLE/whole.img/')
	eval "$command"
	cmp whole.img plain.img
done
