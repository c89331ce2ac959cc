#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every command on something that is not a btrfs image, or only a part of one: a status and a sentence, never a crash, and nothing is written.
. "$(dirname "$0")/../expect.sh"
bundled_image
printf 'secret' > key
truncate -s 0 empty
head -c 1M /dev/urandom > noise
truncate -s 100M zeros
mkdir directory
head -c 65536 disk.img > cut-before-super
head -c 69632 disk.img > cut-after-super
head -c 20M disk.img > cut-late

# words COMMAND IMAGE: a full command line
words() {
	case $1 in
	convert) echo "convert --encrypt $2 vault --key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000" ;;
	verify-key | verify | audit) echo "$1 $2 vault --key-file key" ;;
	key) echo "key list $2 vault" ;;
	cat | stat | resolve) echo "$1 $2 vault secret.txt" ;;
	export) echo "export $2 vault -o /dev/null" ;;
	show | ls | timeline) echo "$1 $2 vault" ;;
	*) echo "$1 $2" ;;
	esac
}

# on IMAGE STATUSES: every command gives one of these, and says so once
on() {
	local image=$1 statuses=$2 command status
	for command in $(btrfs-crypt --list-commands | cut -f 1); do
		[ "$command" != benchmark ] || continue		# it looks at no image
		btrfs-crypt $(words "$command" "$image") > out 2> err < /dev/null
		status=$?
		[[ " $statuses " == *" $status "* ]] || { bad "$command on $image: status $status, not $statuses"; cat err; }
		[ "$status" = 0 ] || grep -q "^btrfs-crypt $command: .*${image##*/}" err ||
			{ bad "$command on $image: no sentence that names it"; cat err; }
		btrfs-crypt $(words "$command" "$image") --format json > out 2> err < /dev/null
		status=$?
		[ "$status" = 0 ] || grep -q "^{\"error\":\"[a-z-]*\",\"status\":$status,\"command\":\"$command\",\"text\":" err ||
			{ bad "$command on $image: no JSON error"; cat err; }
	done
}

for image in empty noise zeros cut-before-super cut-after-super cut-late; do unchanged $image; done
for image in missing empty noise zeros cut-before-super; do on $image 4; done
# Reading may get as far as the bytes that are there.
on cut-after-super "0 4 6"
on cut-late "0 6 9"
on directory "4 9 11"
for image in empty noise zeros cut-before-super cut-after-super cut-late; do unchanged $image; done
[ ! -e missing ] || bad "missing was made"

# What it is instead has a name, and there is a way to what is in it.  Sparse VMDK: what looks like a superblock is a grain of it.
named() {	# named FILE WHAT [HINT]
	local command
	unchanged "$1"
	for command in "list $1" "dump-super $1" "convert --status $1" "convert --encrypt --dry-run $1 vault"; do
		{
			printf '! btrfs-crypt %s: %s: not a btrfs filesystem, but %s\n' "${command%% *}" "$1" "$2"
			[ -z "${3:-}" ] || printf '! btrfs-crypt %s: hint: %s\n' "${command%% *}" "$3"
		} > said
		expect 4 $command < said
	done
	unchanged "$1"
}
# begins FILE BYTES: a file of 200 KiB that begins with them, in the form of printf
begins() { printf "$2" > "$1"; truncate -s 200K "$1"; }
begins disk.qcow2 'QFI\373\0\0\0\3'
cp disk.img "my disk.vmdk"
truncate -s 66M "my disk.vmdk"
printf 'KDMV\1\0\0\0' | dd of="my disk.vmdk" conv=notrunc status=none
begins text.vmdk '# Disk DescriptorFile\nversion=1\n'
begins disk.vhd 'conectix'
begins disk.vhdx 'vhdxfile'
begins disk.vdi '<<< Oracle VM VirtualBox Disk Image >>>\n'
printf '\177\020\332\276' | dd of=disk.vdi bs=1 seek=64 conv=notrunc status=none
# Virtual disks of which there is nothing but the beginning. Where one with more of it is read: tests/cli/containers.sh.
for image in disk.qcow2 "my disk.vmdk" text.vmdk disk.vhd disk.vhdx disk.vdi; do
	unchanged "$image"
	for command in list dump-super "convert --status" "convert --encrypt --dry-run"; do
		btrfs-crypt $command "$image" $([[ $command != *dry-run ]] || echo vault) > out 2> err
		[[ $? = [69] ]] && grep -q "^btrfs-crypt ${command%% *}: $image: ." err || { bad "$command $image"; cat err; }
	done
	unchanged "$image"
done
btrfs-crypt list --image-offset 0 "my disk.vmdk" > out 2> err
[ $? = 6 ] || bad "asked for by its offset, it is what is there"
begins disk.E01 'EVF\t\r\n\377\0'
named disk.E01 'an E01 (EWF) image' '`ewfmount disk.E01 DIRECTORY` shows the image as DIRECTORY/ewf1'
begins stream 'btrfs-stream\0\1\0\0\0'
named stream 'a stream of `btrfs send`' '`btrfs receive -f stream DIRECTORY` makes subvolumes of it, in a mounted btrfs'
btrfs-image disk.img disk.dump
named disk.dump 'a dump of `btrfs-image`' '`btrfs-image -r disk.dump disk.dump.raw` makes an image of the metadata in it'
truncate -s 20M made.ext4 disk.swap
mkfs.ext4 -q made.ext4
# Without what mkfs has only reserved: where that is data, and where a hole, changes by itself.
cat made.ext4 > disk.ext4
mkswap -q disk.swap > log
named disk.ext4 ext4 '`mount -o ro,noload disk.ext4 DIRECTORY` reads it'
named disk.swap 'swap space'
# The first sector of a physical volume: its label
python3 - <<'END'
import binascii, struct
body = struct.pack("<I8s", 32, b"LVM2 001") + b"a" * 32 + struct.pack("<QQQQQQQ", 20 << 20, 1 << 20, 0, 0, 0, 0, 0)
body = body.ljust(512 - 20, b"\0")
crc = 0xf597a6cf
table = [0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344,
         0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c]
for byte in body:
    crc ^= byte
    crc = crc >> 4 ^ table[crc & 15]
    crc = crc >> 4 ^ table[crc & 15]
with open("disk.lvm", "wb") as f:
    f.seek(512)
    f.write(b"LABELONE" + struct.pack("<QI", 1, crc) + body)
    f.truncate(20 << 20)
END
named disk.lvm 'a physical volume of LVM' '`losetup --find disk.lvm` and `vgchange -a y` make devices of the logical volumes, and `lvs` lists them'
gzip -k disk.qcow2 disk.ext4
FILTER='s/^! ([^:]*): .*\.gz: /! \1: /' expect 4 list disk.qcow2.gz <<'END'
! btrfs-crypt list: not a btrfs filesystem, but a qcow2 disk image
! btrfs-crypt list: hint: unpack it first; `qemu-img convert -O raw UNPACKED UNPACKED.raw` makes an image that can be read
END
FILTER='s/^! ([^:]*): .*\.gz: /! \1: /' expect 4 list disk.ext4.gz <<'END'
! btrfs-crypt list: not a btrfs filesystem, but ext4
! btrfs-crypt list: hint: unpack it first; `mount -o ro,noload UNPACKED DIRECTORY` reads it
END
split -n 3 -d -a 3 disk.img parts.
for part in 0 1 2; do
	btrfs-crypt list parts.00$part > out 2> err
	grep -qxF 'btrfs-crypt list: hint: it is one part of several: `cat parts.[0-9][0-9][0-9] > WHOLE` joins them' err || bad "part $part: $(cat err)"
done
mv parts.002 last
mkdir alone
mv parts.001 alone
btrfs-crypt list alone/parts.001 2>&1 | grep hint && bad "it is alone"

for command in "list" "stat" "convert --status"; do
	transcript 1 btrfs-crypt $command "" $([ "$command" != stat ] || echo vault secret.txt) <<END
! btrfs-crypt ${command%% *}: the name of the image, or of a device, is empty
! btrfs-crypt ${command%% *}: hint: see btrfs-crypt ${command%% *} --help
END
done
expect 4 list missing <<'END'
! btrfs-crypt list: missing: cannot open: No such file or directory
END
expect 4 list missing --format json <<'END'
! {"error":"not-found","status":4,"command":"list","text":"missing: cannot open: No such file or directory"}
END
finish
