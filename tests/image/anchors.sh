#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One tree in filesystems of one device: every checksum, node size, compression and form of metadata.  Each file has the kernel's bytes, and everything else
# that the kernel shows of it.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
. "$IMAGE_TESTS/anchors-lib.sh"
need_root
need_crypt
tool fill

# one TITLE MOUNT-OPTIONS [MKFS-OPTION...]
one() {
	local title=$1
	anchors_make one 1 240M "${@:2}"
	devices_except one
	row "$title" $FILES one.want 0
}

one "plain, crc32c, nodes of 16K" compress=no
copies one plain
cp "$tmp/one.want" "$tmp/plain.want"
for csum in xxhash sha256 blake2; do one "checksum $csum" compress=no --csum $csum; done
for size in 4096 8192 32768 65536; do one "nodes of $size" compress=no -n $size; done
one "mixed groups" compress=no --mixed
one "dup" compress=no -m dup -d dup
for algorithm in zstd lzo zlib; do one "compress-force=$algorithm" compress-force=$algorithm; done
one "holes as items" compress=no -O ^no-holes
one "extents of metadata as of old" compress=no -O ^skinny-metadata
one "quotas" compress=no -R quota

# What mkfs.btrfs does not make here: from the first one.
copies plain one
"$BUILD/tests/image/edit-tree" "$tmp/one.1" group-tree >/dev/null
anchors_record one one.want
expect_status 0 crypt dump-super "$tmp/one.1"
expect_text "$tmp/out" 'BLOCK_GROUP_TREE'
row "block group tree" $FILES one.want 0

copies plain one
btrfstune -m "$tmp/one.1" 2>/dev/null
anchors_record one one.want
row "metadata_uuid" $FILES one.want 0

copies plain one
dd if=/dev/zero of="$tmp/one.1" bs=4096 seek=16 count=1 conv=notrunc status=none
row "primary superblock zeroed" $FILES plain.want 0
expect_text "$tmp/err" 'no btrfs superblock at 0x10000; copy 1 of the superblock is used, but a kernel uses only copy 0$'

# A partition at 1 MiB.
truncate -s 242M "$tmp/disk"
python3 -c 'import struct, sys
with open(sys.argv[1], "r+b") as disk:
    disk.seek(446)
    disk.write(struct.pack("<B3sB3sII", 0, b"\0\2\0", 0x83, b"\xfe\xff\xff", 2048, 240 << 11))
    disk.seek(510)
    disk.write(b"\x55\xaa")' "$tmp/disk"
dd if="$tmp/plain.1" of="$tmp/disk" bs=1M seek=1 conv=notrunc,sparse status=none
image=$tmp/disk
row "partition at 1 MiB" $FILES plain.want 0
expect_text "$tmp/err" 'partition 1 is read, at byte 1048576'
rm "$tmp/disk"

# Larger sectors, which the kernel may refuse: mkfs.btrfs takes a copy of what the kernel shows of the first one, without subvolumes.
image_make "$tmp/flat" 400M
devices_mount plain "$tmp/mnt" ro
image_mount "$tmp/flat" "$tmp/from" rw,noatime
cp -a "$tmp/mnt/." "$tmp/from"
image_umount
devices_umount
image_mount "$tmp/flat" "$tmp/from" ro
tar_manifest dir "$tmp/from" >"$tmp/flat.want"
for how in 8k 16k 32k 64k; do
	image_make "$tmp/sectors-$how" 400M -s $how -n 64k --rootdir "$tmp/from"
done
image_umount
rm "$tmp/flat"
others=() compare_options=(--seconds --without device --touched .)	# mkfs.btrfs takes no more than that
for how in 8k 16k 32k 64k; do
	image=$tmp/sectors-$how
	row "sectors of $how" $FILES flat.want 0
done
say "$rows images"
