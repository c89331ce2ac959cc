#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Hundreds of one-byte files whose inode numbers are the same in eight members: each is read and decrypted with its own unit.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt

N=200 SUBVOLUMES="one two three four" SNAPSHOTS="snap-one snap-two snap-three snap-four"
head -c 32 /dev/urandom >"$tmp/vk"
image_make "$tmp/disk.img" 128M -m single
image_mount "$tmp/disk.img" "$tmp/mnt"
for one in $SUBVOLUMES; do
	btrfs -q subvolume create "$tmp/mnt/$one"
	python3 -c '
import random, sys
source = random.Random(sys.argv[2])
for i in range(int(sys.argv[3])):
    with open("%s/%d" % (sys.argv[1], i), "wb") as out:
        out.write(bytes([source.randrange(256)]))
' "$tmp/mnt/$one" "$one" $N
done
sync -f "$tmp/mnt"
for one in $SUBVOLUMES; do btrfs -q subvolume snapshot -r "$tmp/mnt/$one" "$tmp/mnt/snap-$one"; done
(cd "$tmp/mnt" && for one in $SNAPSHOTS; do for ((i = 0; i < N; i++)); do od -An -tx1 "$one/$i"; done; done) >"$tmp/bytes"
[ "$(stat -c %i "$tmp/mnt/one/7")" = "$(stat -c %i "$tmp/mnt/four/7")" ] || fail "inode numbers differ"
image_umount
image_state "$tmp/disk.img" before

crypt convert --encrypt -q --volume-key-file "$tmp/vk" --shared=include "$tmp/disk.img" $SUBVOLUMES >"$tmp/sealing"
check_clean "$tmp/disk.img"
for one in $SNAPSHOTS; do
	for ((i = 0; i < N; i++)); do crypt cat --volume-key-file "$tmp/vk" "$tmp/disk.img" "$one" "$i" | od -An -tx1; done
done >"$tmp/read"
diff "$tmp/bytes" "$tmp/read" >"$tmp/diff" || { cat "$tmp/diff"; fail "$(grep -c '^<' "$tmp/diff") files are read with another file's unit"; }
crypt verify --volume-key-file "$tmp/vk" "$tmp/disk.img" one >"$tmp/out"
crypt convert --decrypt -q --volume-key-file "$tmp/vk" "$tmp/disk.img" one
image_state "$tmp/disk.img" after
expect_same_state before after
