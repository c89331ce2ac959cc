#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The contents of a loop device may be shown, and mounted, through another one. Such an image is in use, under whichever name it is given.
. "$(dirname "$0")/../expect.sh"
PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" -eq 0 ] && losetup -f > /dev/null 2>&1 || { echo "needs root and loop devices"; exit 77; }
bundled_image
printf 'secret' > key
how="--key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000"
loops=()
trap 'for ((i = ${#loops[@]} - 1; i >= 0; i--)); do losetup -d "${loops[i]}"; done; rm -rf "$own"' EXIT

# attach NAME WORD...: a loop device, whose name NAME gets
attach() {
	local made
	made=$(losetup --show -f "${@:2}") || exit 1
	loops+=("$made")
	printf -v "$1" %s "$made"
}
# detach: the last one
detach() {
	losetup -d "${loops[-1]}"
	unset 'loops[-1]'
}
# busy IMAGE TEXT LOOP
busy() {
	transcript 5 btrfs-crypt convert --encrypt "$1" vault $how <<END
! btrfs-crypt convert: $1: ${2}attached to loop device $3
! btrfs-crypt convert: hint: unmount it and run \`losetup --detach $3\`; nothing was changed; run this again when nobody else uses the image
END
}

unchanged disk.img
attach first disk.img
attach second disk.img
busy "$first" "what it shows is also " "$second"
busy "$second" "what it shows is also " "$first"
attach third "$second"
busy "$second" "" "$third"
busy "$third" "what it shows is also " "$first"
detach
detach
attach upper "$first"
busy "$first" "" "$upper"
unchanged disk.img

# For reading only: said before anything is calculated or asked for.
detach
attach reader --read-only disk.img
transcript 11 btrfs-crypt convert --encrypt "$reader" vault <<< "! btrfs-crypt convert: $reader: cannot open for writing: Read-only file system"
unchanged disk.img
detach
detach
attach first disk.img
attach upper "$first"

# One that is alone, one on top of another, and one beside another with other bytes of the same file: nobody is in the way.
quiet btrfs-crypt convert --encrypt "$upper" vault $how
detach
quiet btrfs-crypt convert --decrypt "$first" vault --key-file key
detach
cat disk.img disk.img > both.img
size=$(stat -c %s disk.img)
attach first --sizelimit "$size" both.img
attach second --offset "$size" both.img
quiet btrfs-crypt convert --encrypt "$first" vault $how
quiet btrfs-crypt convert --encrypt "$second" vault $how
finish
