#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes good-plain.img.zst: a small image with a handful of every kind of content, filled through a kernel mount.  Needs root and loop mounts.
# images/make-plain.sh [OUTPUT-DIRECTORY]
. "$(dirname "$0")/../tests/image/lib.sh"
need_root
out=$(cd "${1:-$(dirname "$0")}" && pwd)
image=$tmp/good-plain.img

# Readable, compressible and without repetition longer than a line: lines FIRST to LAST of a ledger
ledger() { awk -v first="$1" -v last="$2" 'BEGIN { for (i = first; i <= last; i++)
	printf "%06d  account %05d  paid %4d.%02d  for order %d\n", i, i * 7919 % 99991, i * 31 % 5000, i % 100, i * 104729 % 1000003 }'; }
# Does not compress, and is the same each time
noise() { openssl enc -aes-128-ctr -nosalt -pass "pass:$1" -pbkdf2 -iter 1 -in /dev/zero 2>/dev/null | head -c "$2" || true; }

image_make "$image" 68M --mixed -L good-plain -U 3b9c6a52-66d4-4c7e-9c4b-2f1d10c0ffee
image_mount "$image" "$tmp/mnt" rw,noatime
cd "$tmp/mnt" || exit
echo "This subvolume and what lies beside the others stay as they are." >README
btrfs -q subvolume create public
ledger 1 200 >public/ledger.txt
noise public 5000 >public/noise
ln -s ledger.txt public/link

btrfs -q subvolume create vault
cd vault || exit
echo "the combination is 17-4-36" >secret.txt
ledger 1000 3000 >ledger.txt
: >empty
for n in 1 15 16 17 511 2048 2049 4095 4096 4097 30001; do noise "$n" "$n" >"size-$n"; done
for algorithm in zlib lzo zstd; do
	: >"ledger.$algorithm"
	btrfs property set "ledger.$algorithm" compression "$algorithm"
	ledger 5000 6500 >"ledger.$algorithm"
	: >"short.$algorithm"
	btrfs property set "short.$algorithm" compression "$algorithm"
	ledger 1 40 >"short.$algorithm"
done
ln -s secret.txt link
ln -s "$(ledger 1 30 | tr '\n' '/')" link-long
mkdir -p directory/empty "odd names"
ln secret.txt directory/hard-link
noise hole 9000 | dd of=hole bs=1000 seek=100 status=none
truncate -s 300000 hole
truncate -s 50M hole-only
fallocate -l 64K prealloc
fallocate -l 64K prealloc-part
sync
noise prealloc 10000 | dd of=prealloc-part bs=1 seek=16384 conv=notrunc status=none
: >nocow
chattr +C nocow
noise nocow 50000 >nocow
ledger 7000 8600 >bookend
sync
noise over 8192 | dd of=bookend bs=4096 seek=5 conv=notrunc status=none
cp --reflink=always bookend reflink
sync
noise reflink 4096 | dd of=reflink bs=4096 seek=12 conv=notrunc status=none
mknod character c 1 3
mknod block b 259 300
mkfifo fifo
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
setfattr -n user.colour -v blue secret.txt
setfattr -n user.empty secret.txt
setfattr -n trusted.of-directory -v 1 directory
setfacl -m u:1000:r ledger.txt
echo "newline" >"odd names/new
line"
echo "not utf-8" >"odd names/$(printf '\377\376')"
echo "255 bytes" >"odd names/$(printf '%0255d' 0)"
chown 1000:100 ledger.txt
chmod 04711 size-16
touch -d '1931-02-13 00:28:30.987654321 UTC' size-17
chattr +i size-511
btrfs -q subvolume create nested
echo "in the nested subvolume" >nested/file
cd ..

btrfs -q subvolume create empty
btrfs -q subvolume create shared
ledger 20000 22000 >shared/ledger.txt
echo "a snapshot shares this" >shared/small.txt
sync
btrfs -q subvolume snapshot -r shared shared-snapshot
cd "$tmp" || exit
kernel=$(uname -r | sed 's/[^0-9.].*//')
manifest --no-ctime "$tmp/mnt/vault" >"$tmp/vault"
btrfs subvolume list "$tmp/mnt" | sed -E 's/ID ([0-9]+) .* path (.*)/  \1  \2/' >"$tmp/list"
image_umount
check_clean "$image"

zstd -q -f -19 "$image" -o "$out/good-plain.img.zst"
cat >"$out/good-plain.txt" <<END
good-plain.img.zst: nothing in it is encrypted.

made by   images/make-plain.sh: mkfs.btrfs $(mkfs.btrfs --version | sed 's/.* //'), filled through a mount by Linux $kernel
layout    68 MiB, mixed block groups, nodes of 4 KiB, crc32c, free space tree, no holes; larger than 64 MiB, so that it has two superblocks
sha256    $(sha256sum <"$image" | cut -d ' ' -f 1)  (uncompressed)
compress  zstd -19, $(stat -c %s "$out/good-plain.img.zst") bytes

What it shows: every kind of content that sealing meets, in the subvolume "vault", $(grep -c ' file ' "$tmp/vault") regular files: inline, regular and compressed extents (zlib, lzo,
zstd, inline compressed too), symlinks, a hole, prealloc and partly written prealloc, a file without checksums, a bookend extent, a reflink, hard
links, devices, a fifo, a socket, xattrs, an ACL, odd names, a time before 1970, an immutable file, a nested subvolume. "public" stays
plain beside it, "empty" is empty, "shared" shares everything with its snapshot.

subvolumes
$(cat "$tmp/list")
END
say "$(stat -c '%n: %s bytes' "$out/good-plain.img.zst")"
