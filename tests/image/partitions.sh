#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A filesystem inside a disk image: by its offset, or found in a GPT or an MBR.  Copies of the superblock, and backup roots.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt

image_make "$tmp/fs.img" 120M
image_mount "$tmp/fs.img" "$tmp/mnt" rw,noatime
for i in 1 2 3; do
	echo "$i" >"$tmp/mnt/$i"
	sync -f "$tmp/mnt"
	generation[i]=$(btrfs inspect-internal dump-super "${mounts[-1]##* }" | awk '$1 == "generation" { print $2 }')
done
image_umount
image_make "$tmp/second.img" 110M --mixed
written "$tmp/fs.img" >"$tmp/before"

# disk TABLE FILE...: a disk with each of the files in a partition, at 1 MiB and so on; with sectors of SECTOR bytes
SECTOR=512
disk() {
	SECTOR=$SECTOR \
	python3 - "$tmp/disk.img" "$@" <<'END'
import binascii, os, shutil, struct, sys
out, table, files = sys.argv[1], sys.argv[2], sys.argv[3:]
MIB, at, parts, S = 1 << 20, 1 << 20, [], int(os.environ["SECTOR"])
with open(out, "wb") as disk:
    for name in files:
        size = os.path.getsize(name)
        disk.seek(at)
        with open(name, "rb") as file:
            while part := file.read(MIB):
                if part.count(0) == len(part): disk.seek(len(part), 1)
                else: disk.write(part)
        parts.append((at // S, size // S))
        at += (size + MIB - 1) // MIB * MIB
    disk.truncate(at + MIB)
    total = (at + MIB) // S
    disk.seek(446)
    if table == "mbr":
        for first, n in parts: disk.write(struct.pack("<B3sB3sII", 0, b"\0\2\0", 0x83, b"\xfe\xff\xff", first, n))
        disk.seek(510); disk.write(b"\x55\xaa")
    else:
        disk.write(struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xee, b"\xfe\xff\xff", 1, total - 1))
        disk.seek(510); disk.write(b"\x55\xaa")
        linux = bytes.fromhex("af3dc60f838472478e793d69d8477de4")
        entries = b"".join(struct.pack("<16s16sQQQ72s", linux, os.urandom(16), first, first + n - 1, 0, b"") for first, n in parts)
        entries = entries.ljust(128 * 128, b"\0")
        def header(mine, other, where):
            h = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, mine, other, 34, total - 34, b"\1" * 16, where, 128, 128,
                            binascii.crc32(entries))
            return h[:16] + struct.pack("<I", binascii.crc32(h)) + h[20:]
        disk.seek(S); disk.write(header(1, total - 1, 2)); disk.seek(2 * S); disk.write(entries)
        disk.seek((total - 33) * S); disk.write(entries); disk.seek((total - 1) * S); disk.write(header(total - 1, 1, total - 33))
END
}

truncate -s 9M "$tmp/nothing"
truncate -s 5M "$tmp/ext4.img"
mkfs.ext4 -q "$tmp/ext4.img"
# The header of LUKS 1 is enough to be known by.
{ printf 'LUKS\272\276\0\1'; head -c 1048568 /dev/zero; } >"$tmp/luks.img"
CUT='note: the image is cut off: the disk of its partition table had [0-9]+ bytes, the image has [0-9]+$'
for SECTOR in 512 4096; do
	say "sectors of $SECTOR bytes"
	disk mbr "$tmp/nothing" "$tmp/fs.img"
	for table in mbr gpt cut; do
		[ $table != gpt ] || disk gpt "$tmp/nothing" "$tmp/fs.img"
		[ $table != cut ] || truncate -s $((130 << 20)) "$tmp/disk.img"
		expect_unchanged 0 "$tmp/disk.img" crypt cat "$tmp/disk.img" / 3
		[ "$(cat "$tmp/out")" = 3 ] || fail "other bytes"
		expect_text "$tmp/err" "note: partition 2 is read, at byte $((10 << 20)) of the image"
		said=$(grep -c 'note: the partition table counts in sectors of 4096 bytes$' "$tmp/err" || true)
		[ "$said" = $((SECTOR == 4096)) ] || fail "$said notes of the size of a sector"
		if [ $table = cut ]; then expect_text "$tmp/err" "$CUT"; elif grep -q 'cut off' "$tmp/err"; then fail "nothing is cut off"; fi
	done
	say "two partitions, the second cut off with the end of the table"
	disk gpt "$tmp/fs.img" "$tmp/second.img"
	truncate -s $((150 << 20)) "$tmp/disk.img"
	expect_status 1 crypt list "$tmp/disk.img"
	expect_text "$tmp/err" "btrfs is in partition 1 at $((1 << 20)), partition 2 at $((121 << 20))"
	expect_status 1 crypt convert --status "$tmp/disk.img"
	expect_text "$tmp/err" 'hint: choose one with --image-offset$'
	expect_status 0 crypt cat --image-offset $((1 << 20)) "$tmp/disk.img" / 3
	say "a table that leads where no disk ends"
	for last in ffffffffffffff7f ffffffffffffffff 0000000000000000 ffffffffffff0700; do
		python3 -c 'import sys
with open(sys.argv[1], "r+b") as f: f.seek(int(sys.argv[2]) + 32); f.write(bytes.fromhex(sys.argv[3]))' "$tmp/disk.img" $SECTOR $last
		expect_status 4 crypt list "$tmp/disk.img"
	done
done
SECTOR=512
for table in gpt mbr; do
	say "$table: one partition has btrfs"
	disk "$table" "$tmp/nothing" "$tmp/fs.img"
	offset=$((10 << 20))
	expect_unchanged 0 "$tmp/disk.img" crypt cat "$tmp/disk.img" / 3
	[ "$(cat "$tmp/out")" = 3 ] || fail "other bytes"
	expect_text "$tmp/err" "note: partition 2 is read, at byte $offset of the image"
	expect_unchanged 0 "$tmp/disk.img" crypt cat --quiet --image-offset $offset "$tmp/disk.img" / 3
	[ "$(cat "$tmp/out")" = 3 ] && [ ! -s "$tmp/err" ] || fail "by its offset"
	expect_status 0 crypt dump-super "$tmp/disk.img"
	expect_text "$tmp/out" "^superblock: bytenr=67108864, device=.*disk.img@$offset\$"
	say "$table: a wrong offset: what is in the partitions"
	for wrong in 0 4096 $((1 << 20)) $((offset + 4096)); do
		expect_status 4 crypt cat --image-offset $wrong "$tmp/disk.img" / 3
		expect_text "$tmp/err" "disk.img: at byte $wrong is no btrfs filesystem; partition 2 at $offset is btrfs\$"
		expect_text "$tmp/err" "hint: give --image-offset $offset\$"
	done
	expect_status 4 crypt cat --image-offset $((1 << 40)) "$tmp/disk.img" / 3
	expect_text "$tmp/err" "offset 1099511627776 is beyond the end at $((131 << 20)); partition 2 at $offset is btrfs\$"
	expect_text "$tmp/err" "hint: give --image-offset $offset\$"
	expect_status 1 crypt cat --image-offset x "$tmp/disk.img" / 3

	say "$table: a report names the partition, found or by its offset"
	type=0x83 kind=dos
	[ $table = mbr ] || type=0fc63daf-8483-4772-8e79-3d69d8477de4 kind=gpt
	hash=$(sha256sum <"$tmp/disk.img")
	for by in "" "--image-offset $offset"; do
		rm -f "$tmp/run.report"
		expect_status 0 crypt cat $by --report "$tmp/run.report" "$tmp/disk.img" / 3
		expect_text "$tmp/run.report" "^\\{\"image\":\".*disk.img\",\"size\":\"$(stat -c %s "$tmp/disk.img")\",\"sha256\":\"${hash%% *}\",\"filesystem_offset\":\"$offset\",\"partition\":\\{\"number\":2,\"table\":\"$kind\",\"type\":\"$type\",\"start\":\"$offset\",\"length\":\"$((120 << 20))\"\\}\\}\$"
	done

	say "$table: two have it"
	disk "$table" "$tmp/fs.img" "$tmp/nothing" "$tmp/second.img"
	expect_status 1 crypt list "$tmp/disk.img"
	expect_text "$tmp/err" "disk.img: btrfs is in partition 1 at 1048576, partition 3 at $((130 << 20))\$"
	expect_text "$tmp/err" 'hint: .*--image-offset'
	expect_status 1 crypt cat "$tmp/disk.img" / 3
	expect_text "$tmp/err" 'hint: .*--image-offset'
	expect_status 0 crypt cat --image-offset 1048576 "$tmp/disk.img" / 3
	expect_status 0 crypt list --image-offset $((130 << 20)) "$tmp/disk.img"

	say "$table: none, and one that is cut"
	disk "$table" "$tmp/nothing"
	expect_status 4 crypt list "$tmp/disk.img"
	disk "$table" "$tmp/ext4.img" "$tmp/luks.img" "$tmp/ext4.img"
	are="partition 1 at 1048576 is ext4, partition 2 at 6291456 is LUKS, encrypted, partition 3 at 7340032 is ext4\$"
	ways="hint: partition 1: .mount .*offset=1048576,.*, partition 2: .cryptsetup open .*--offset 6291456 .* then give /dev/mapper/NAME\$"
	expect_status 4 crypt list "$tmp/disk.img"
	expect_text "$tmp/err" "disk.img: a disk without btrfs in its partitions: $are"
	expect_text "$tmp/err" "$ways"
	for wrong in 4096 6291456; do
		expect_status 4 crypt list --image-offset $wrong "$tmp/disk.img"
		expect_text "$tmp/err" "disk.img: at byte $wrong is no btrfs filesystem(, but LUKS, encrypted)?; $are"
		expect_text "$tmp/err" "$ways"
	done
	disk "$table" "$tmp/fs.img"
	expect_unchanged 0 "$tmp/disk.img" crypt convert --status "$tmp/disk.img"
	truncate -s 70M "$tmp/disk.img"
	expect_status 6 crypt list "$tmp/disk.img"
	expect_status 6 crypt list --image-offset 1048576 "$tmp/disk.img"
	expect_text "$tmp/err" 'the device has [0-9]+ bytes, but the filesystem on it has [0-9]+'
done
rm "$tmp/disk.img"

say "copies of the superblock"
image=$tmp/fs.img
for n in 0 1; do
	expect_status 0 crypt cat --super $n "$image" / 3
	expect_status 0 crypt dump-super --super $n "$image"
	[ "$(grep -c ^superblock: "$tmp/out")" = 1 ] || fail "one copy was asked for"
done
expect_status 4 crypt cat --super 2 "$image" / 3
expect_text "$tmp/err" 'too small for copy 2 of the superblock'
expect_status 1 crypt cat --super 3 "$image" / 3
cp --sparse=always "$image" "$tmp/edited.img"
dd if=/dev/zero of="$tmp/edited.img" bs=4096 seek=16 count=1 conv=notrunc status=none
expect_status 0 crypt cat "$tmp/edited.img" / 3
expect_text "$tmp/err" 'warning: no btrfs superblock at 0x10000; copy 1 of the superblock is used, but a kernel uses only copy 0$'
expect_status 4 crypt cat --super 0 "$tmp/edited.img" / 3
# The second copy is of a later commit than the first, which the kernel reads, and so do we.
cp --sparse=always "$image" "$tmp/edited.img"
image_mount "$tmp/edited.img" "$tmp/mnt" rw
echo 4 >"$tmp/mnt/4"
image_umount
dd if="$image" of="$tmp/edited.img" bs=4096 skip=16 seek=16 count=1 conv=notrunc status=none
for choice in "" "--super 0"; do
	# shellcheck disable=SC2086
	expect_status 4 crypt cat $choice "$tmp/edited.img" / 4
	expect_text "$tmp/err" 'warning: copy 1 of the superblock, of generation [0-9]+, is newer than copy 0, .*; copy 0 is used, as a kernel does, and --super 1 reads copy 1'
done
expect_status 0 crypt cat --super 1 "$tmp/edited.img" / 4
expect_text "$tmp/err" 'warning: superblock at 0x10000: generation is [0-9]+; copy 1 of the superblock, of generation [0-9]+, is used, but a kernel uses only copy 0'

say "backup roots"
found=0
for n in 0 1 2 3; do
	slot=$(btrfs inspect-internal dump-super -f "$image" | awk -v slot="backup $n:" '$0 ~ slot { on = 1 } on && /backup_tree_root/ { print $4; exit }')
	crypt ls --backup-root $n "$image" / >"$tmp/out" 2>"$tmp/err" || true	# an old one may be overwritten
	expect_text "$tmp/err" "warning: backup root $n of generation $slot is read; the superblock's is ${generation[3]}"
	[ "$slot" != "${generation[2]}" ] || {
		found=1
		expect_status 0 crypt cat --backup-root $n "$image" / 2
		expect_status 4 crypt cat --backup-root $n "$image" / 3
	}
	[ "$slot" != "${generation[3]}" ] || expect_status 0 crypt cat --backup-root $n "$image" / 3
done
[ "$found" = 1 ] || fail "no backup of generation ${generation[2]}"
expect_status 1 crypt cat --backup-root 4 "$image" / 1
written "$tmp/fs.img" | cmp -s - "$tmp/before" || fail "reading changed the image"
