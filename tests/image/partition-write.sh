#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A filesystem in a partition, or at an offset, is sealed, unsealed, undone and gone on with there, and no byte of the rest of the disk is
# written. As a file, as a block device, and as the device of the partition.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
tool signal-when
loops=() open=
undo() {
	local status=$1 one
	set +e
	[ -z "$open" ] || kill "$open"
	for ((one = ${#mounts[@]} - 1; one >= 0; one--)); do undo_mount "${mounts[one]}"; done
	mounts=()
	for one in "${loops[@]}"; do
		partx -d "$one" 2>/dev/null	# or they stay, and hide what is attached there next
		losetup -d "$one"
	done
	(exit "$status")
	on_exit
}
trap 'undo $?' EXIT
cd "$tmp"
printf secret >key
KEY=(--key-file key)
CHEAP=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
MIB=$((1 << 20)) SIZE=110

image_make fs.img ${SIZE}M -d single -m dup
image_mount fs.img mnt rw,noatime
btrfs -q subvolume create mnt/vault
btrfs -q subvolume create mnt/other
python3 -c 'print("\n".join("kept %020d" % i for i in range(160000)))' >mnt/vault/large
for i in {1..300}; do seq "$i" 50 >mnt/vault/"$i"; done
python3 -c 'print("\n".join("gone %020d" % i for i in range(100000)))' >mnt/other/deleted
sync -f mnt
rm mnt/other/deleted
image_umount
image_state fs.img before

# disk FILE OFFSET TABLE: the filesystem at this offset, everything else says where it is: also the stripe around copy 1 of the superblock
disk() {
	python3 - fs.img "$@" <<'END'
import struct, sys
fs, out, offset, table = open(sys.argv[1], "rb").read(), sys.argv[2], int(sys.argv[3]), sys.argv[4]
size = (offset + len(fs) + (3 << 20)) // 4096 * 4096
with open(out, "wb") as disk:
    for at in range(0, size, 1 << 20):
        disk.write(b"".join(b"%015d\n" % (at + i) for i in range(0, min(1 << 20, size - at), 16)))
    disk.seek(offset)
    disk.write(fs)
    for at in range(offset + (64 << 20) + 4096, offset + (64 << 20) + 65536, 16):
        disk.seek(at)
        disk.write(b"%015d\n" % at)
    if table == "mbr":
        disk.seek(446)
        disk.write(struct.pack("<B3sB3sII", 0, b"\0\2\0", 0x83, b"\xfe\xff\xff", offset // 512, len(fs) // 512).ljust(64, b"\0") + b"\x55\xaa")
END
}
# bytes FILE OFFSET LENGTH
bytes() { dd if="$1" bs=64K iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none; }
# rest FILE OFFSET: what must not change
rest() {
	{ bytes "$1" 0 "$2"; bytes "$1" $(($2 + SIZE * MIB)) 1G; bytes "$1" $(($2 + 64 * MIB + 4096)) 61440; } | sha256sum
}
# judge FILE OFFSET: nothing else was written to, and the filesystem is in order
judge() {
	[ "$(rest "$1" "$2")" = "$untouched" ] || fail "bytes outside the partition were changed"
	bytes "$1" "$2" $((SIZE * MIB)) | dd of=part.img bs=64K iflag=fullblock conv=sparse status=none
	check_clean part.img
}
# as_before FILE OFFSET
as_before() {
	judge "$1" "$2"
	image_state part.img after
	expect_same_state before after
}
# round NAME OFFSET WORD...: WORD... name the image to a command
round() {
	local name=$1 offset=$2 kind sum
	shift 2
	say "$*: a plan, sealing, keys, unsealing"
	untouched=$(rest "$name" "$offset")
	expect_unchanged 0 "$name" crypt convert --encrypt --dry-run -q "${KEY[@]}" "${CHEAP[@]}" "$@" vault
	expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "${CHEAP[@]}" --read-back --wipe-free "$@" vault
	judge "$name" "$offset"
	if grep -qaE '(kept|gone) 0' part.img; then fail "plain text in the partition"; fi
	expect_status 0 crypt verify "${KEY[@]}" "$@" vault
	expect_unchanged 0 "$name" crypt convert --status "$@"
	expect_status 0 crypt key label "${KEY[@]}" "$@" vault -S 0 --label x
	expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$@" vault
	as_before "$name" "$offset"
}

# broken HOW NAME OFFSET WORD...: killed in the middle, the printed command goes on; stopped in the middle, the printed command undoes it
broken() {
	local name=$2 offset=$3 how verb n=0 hows=$1
	shift 3
	untouched=$(rest "$name" "$offset")
	for how in $hows; do
		verb=${how#*:} verb=${verb%:*}
		./signal-when "${how%%:*}" "wrote:${how##*:}" "$BTRFS_CRYPT" convert --encrypt -q "${KEY[@]}" "${CHEAP[@]}" "$@" vault >out 2>err </dev/null || true
		[ "$(rest "$name" "$offset")" = "$untouched" ] || fail "$how: bytes outside the partition were changed"
		expect_unchanged 7 "$name" crypt convert --status "${KEY[@]}" "$@"
		! cmp -s <(bytes "$name" $((offset + 64 * MIB)) 4096) <(bytes fs.img $((64 * MIB)) 4096) || fail "copy 1 of the superblock was not written"
		n=$((n + 1))
		command=$(sed -nE "s/^to (finish|undo): *(btrfs-crypt convert --$verb .*)/\\2/p" out | sed "s|^btrfs-crypt|$BTRFS_CRYPT|")
		[ -n "$command" ] || fail "no command to $verb"
		expect_status 7 crypt key label "${KEY[@]}" "$@" vault -S 0 --label x
		[[ $* != --image-offset* ]] || grep -q -- "--image-offset=$offset" err || { cat err; fail "the hint leaves out the offset"; }
		eval "$command -q" >out 2>err </dev/null || { cat out err; fail "$command"; }
		if [ $verb = resume ]; then
			judge "$name" "$offset"
			expect_status 0 crypt verify "${KEY[@]}" "$@" vault
			expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$@" vault
		fi
		as_before "$name" "$offset"
	done
	say "$*: broken off $n times"
}

disk disk.img $MIB mbr
round disk.img $MIB disk.img
broken "KILL:resume:300000 KILL:abort:5000000 INT:abort:2500000" disk.img $MIB disk.img
# Sectors of 512 bytes are enough, and no table is needed.
disk odd.img 4608 none
round odd.img 4608 --image-offset 4608 odd.img
broken KILL:resume:3000000 odd.img 4608 --image-offset 4608 odd.img
{ bytes odd.img 0 4700; cat fs.img; } >odder.img
expect_unchanged 9 odder.img crypt convert --encrypt -q "${KEY[@]}" "${CHEAP[@]}" --image-offset 4700 odder.img vault
expect_text err 'odder.img: offset 4700 is no multiple of 512: a filesystem there can only be read$'
expect_unchanged 9 odder.img crypt convert --encrypt --dry-run -q "${KEY[@]}" "${CHEAP[@]}" --image-offset 4700 odder.img vault
expect_unchanged 0 odder.img crypt convert --status --image-offset 4700 odder.img
rm odd.img odder.img

say "the disk as a block device, and that of its partition"
disk disk.img $MIB mbr
loop=$(losetup --find --show disk.img)
loops+=("$loop")
round disk.img $MIB "$loop"
# As a kernel does that knows the table of partitions.
if addpart "$loop" 1 2048 $((SIZE * 2048)) && addpart "$loop" 2 $(((SIZE + 1) * 2048)) 2048; then
	for n in 1 2; do mknod p$n b $(tr : ' ' <"/sys/block/${loop#/dev/}/${loop#/dev/}p$n/dev"); done
	round disk.img $MIB p1
	# in_use IMAGE...: refused while it is in use, and nothing is written
	in_use() {
		local image
		for image; do
			expect_status 5 crypt convert --encrypt -q "${KEY[@]}" "${CHEAP[@]}" "$image" vault
			expect_status 0 crypt convert --encrypt --dry-run -q "${KEY[@]}" "${CHEAP[@]}" "$image" vault
			expect_text err 'while it is, the conversion itself is refused$'
		done
	}
	take_lock
	mounts+=("mnt -")
	mount -t btrfs -o ro p1 mnt
	untouched=$(sha256sum <disk.img)
	in_use disk.img "$loop" p1
	image_umount
	# Somebody has another partition for themselves.
	python3 -c 'import os, sys, time
fd = os.open("p2", os.O_RDWR | os.O_EXCL)
print("open", flush=True)
time.sleep(600)' >claimed &
	open=$!
	for ((i = 0; i < 200; i++)); do [ ! -s claimed ] || break; sleep 0.05; done
	in_use disk.img "$loop"
	expect_status 0 crypt convert --encrypt --dry-run -q "${KEY[@]}" "${CHEAP[@]}" p1 vault
	kill $open
	wait $open || true
	open=
	[ "$(sha256sum <disk.img)" = "$untouched" ] || fail "what is in use was written to"
else
	say "not tested: partitions of a loop device"
fi
