#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Compressed images and images in archives are read as the image itself is, leave nothing behind, and are not converted.
. "$(dirname "$0")/../expect.sh"
bundled_image
mkdir tmp
export TMPDIR=$PWD/tmp
btrfs-crypt ls -l disk.img vault > listing || bad "ls of the image itself"

# same IMAGE OPTION...: the listing is that of the image; no file stays, and the packed one is as it was
same() {
	sha256sum "$1" > sum
	btrfs-crypt ls -l "$@" vault > out 2> err < /dev/null || bad "$*: status $?: $(cat err)"
	cmp -s out listing || bad "$*: another listing"
	[ ! -s err ] || bad "$*: says $(cat err)"
	[ -z "$(ls -A tmp)" ] || bad "$*: a temporary file is left"
	sha256sum --quiet -c sum || bad "$1 was changed"
}

for tool in zstd gzip xz; do
	"$tool" -q < disk.img > "disk.$tool"
	same "disk.$tool"
done
cp "disk.gzip" disk.img.named-otherwise
same disk.img.named-otherwise
tar -cf one.tar disk.img
same one.tar
same one.tar --member=disk.img
echo text > readme
mkdir images
cp --sparse=always disk.img images/a.img
tar -cSzf two.tar.gz readme images
same two.tar.gz --member=images/a.img
python3 -c 'import zipfile; zipfile.ZipFile("one.zip", "w", zipfile.ZIP_DEFLATED).write("disk.img")' && same one.zip
# Trailing zeros of a member are not in the blocks that the archive has, but are in the image.
{ head -c 1048576 /dev/zero; cat disk.img; } > disk
gzip -1 < disk > disk.gz
same disk.gz --image-offset=1048576
same disk.gz --image-offset=1048576
rm disk
[ "$(btrfs-crypt dump-super disk.zstd | sha256sum)" = "$(btrfs-crypt dump-super disk.img | sed 's/disk\.img/disk.zstd/' | sha256sum)" ] ||
	bad "dump-super differs"

expect 1 ls two.tar.gz vault <<'END'
! btrfs-crypt ls: two.tar.gz: the archive has several members: readme, images/a.img
! btrfs-crypt ls: hint: choose one with --member
END
expect 4 ls two.tar.gz --member=b.img vault <<'END'
! btrfs-crypt ls: two.tar.gz: the archive has no member b.img, but readme, images/a.img
! btrfs-crypt ls: hint: choose one with --member
END
expect 1 ls disk.zstd --member=b.img vault <<'END'
! btrfs-crypt ls: disk.zstd: is not an archive and has no member b.img
! btrfs-crypt ls: hint: see btrfs-crypt ls --help
END
expect 4 ls --member=readme two.tar.gz vault <<'END'
! btrfs-crypt ls: two.tar.gz: not a btrfs filesystem: the device has only 5 bytes
END
head -c 100000 disk.xz > cut.xz
FILTER='s/(unpacked: ).*/\1.../' expect 6 ls cut.xz vault <<'END'
! btrfs-crypt ls: cut.xz: cannot be unpacked: ...
END
FILTER='s/(file in ).*tmp/\1tmp/' TMPDIR=$PWD/tmp/none expect 11 ls disk.xz vault <<END
! btrfs-crypt ls: a temporary file in tmp/none: No such file or directory
END
unchanged disk.gzip
for action in --encrypt --decrypt --resume --status; do
	operand=vault
	case $action in --resume | --status) operand= ;; esac
	printf secret > key
	case $action in --status) key= ;; *) key=--key-file=key ;; esac
	expect 9 convert "$action" $key disk.gzip $operand <<-'END'
		! btrfs-crypt convert: disk.gzip: is packed with gzip, and packed images are only read
		! btrfs-crypt convert: hint: unpack it first
	END
done
unchanged disk.gzip
# libarchive is loaded by what uses it, and by nothing else.
mkdir broken
echo > broken/libarchive.so.13
export LD_LIBRARY_PATH=$PWD/broken
quiet btrfs-crypt ls disk.img vault
message="an archive needs a library: $PWD/broken/libarchive.so.13: file too short"
expect 11 ls disk.gzip vault <<< "! btrfs-crypt ls: $message"
btrfs-crypt export disk.img vault -o vault.tar > out 2> err < /dev/null
[ $? = 11 ] && grep -qxF "btrfs-crypt export: $message" err && [ ! -e vault.tar ] || bad "export without libarchive: $(cat err)"
[ -z "$(ls -A tmp)" ] || bad "a temporary file is left"
finish
