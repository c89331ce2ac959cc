#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes good-2016.img.zst: a subvolume encrypted in the format of 2016, written by tests/image/legacy.  Needs root, loop mounts and `make tools`.
# images/make-2016.sh [OUTPUT-DIRECTORY]
. "$(dirname "$0")/../tests/image/lib.sh"
need_root
tool legacy
out=$(cd "${1:-$(dirname "$0")}" && pwd)
image=$tmp/good-2016.img
# As format/README.md says
key=$(openssl kdf -keylen 16 -kdfopt hexpass:"$(printf 'secret\n' | xxd -p)" -kdfopt hexsalt:"$(printf btrfs | xxd -p)$(printf '00%.0s' {1..95})" \
	-kdfopt n:16384 -kdfopt r:8 -kdfopt p:16 -kdfopt maxmem_bytes:67108864 SCRYPT | tr -d :\\n | tr A-F a-f)

ledger() { awk -v first="$1" -v last="$2" 'BEGIN { for (i = first; i <= last; i++)
	printf "%06d  account %05d  paid %4d.%02d  for order %d\n", i, i * 7919 % 99991, i * 31 % 5000, i % 100, i * 104729 % 1000003 }'; }

image_make "$image" 68M --mixed -L good-2016 -U 2016c0de-66d4-4c7e-9c4b-2f1d10c0ffee
image_mount "$image" "$tmp/mnt" rw,noatime
cd "$tmp/mnt" || exit
echo "Only vault is encrypted, and its snapshot." >README
btrfs -q subvolume create public
for file in ledger short; do
	: >"public/$file.zstd"
	btrfs property set "public/$file.zstd" compression zstd
done
ledger 1 1500 >public/ledger.zstd
ledger 1 30 >public/short.zstd

btrfs -q subvolume create vault
cd vault || exit
ledger 9000 9100 >from-before
sync -f .
echo "the combination is 17-4-36" >secret.txt
ledger 1000 2500 >ledger.txt
: >empty
for n in 1 16 17 2048 2049 4096 4097; do ledger 1 100 | head -c "$n" >"size-$n" || true; done
ledger 7000 8600 >changed
sync -f .
ledger 1 50 | head -c 8192 | dd of=changed bs=4096 seek=5 conv=notrunc status=none
ln -s secret.txt link
mkdir -p directory/empty
ln secret.txt directory/hard-link
ledger 1 200 | dd of=hole bs=1000 seek=100 status=none
truncate -s 300000 hole
fallocate -l 64K prealloc
sync -f .
ledger 1 20 | dd of=prealloc bs=4096 seek=4 conv=notrunc status=none
: >nocow
chattr +C nocow
ledger 1 200 >nocow
mkfifo fifo
setfattr -n user.colour -v blue secret.txt
chown 1000:100 ledger.txt
btrfs -q subvolume create nested
echo "in the nested subvolume" >nested/file
cd ..
find vault ! -name from-before -print0 | LC_ALL=C sort -z | xargs -0 "$tmp/legacy" mark 'ctr(aes)@btrfs:61e0d004'
# By hand: the root directory has no IV.
setfattr -x 'trusted.ayhX)=' vault
sync -f .
btrfs -q subvolume snapshot -r vault vault-snapshot
echo "written after the snapshot" >vault/later
"$tmp/legacy" mark 'ctr(aes)@btrfs:61e0d004' vault/later
cd "$tmp" || exit
kernel=$(uname -r | sed 's/[^0-9.].*//')
sums=$(cd "$tmp/mnt" && find vault vault-snapshot -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
btrfs subvolume list "$tmp/mnt" | sed -E 's/ID ([0-9]+) .* path (.*)/  \1  \2/' >"$tmp/list"
image_umount
"$tmp/legacy" write --key $key "$image" >"$tmp/report"
check_clean "$image"
! grep -E '^(unreadable|foreign|gone)' "$tmp/report" || fail "a file cannot be read"

zstd -q -f -19 "$image" -o "$out/good-2016.img.zst"
echo secret >"$out/good-2016.passphrase"
cat >"$out/good-2016.txt" <<END
good-2016.img.zst: encrypted in the format of 2016.

made by   images/make-2016.sh: mkfs.btrfs $(mkfs.btrfs --version | sed 's/.* //'), filled through a mount by Linux $kernel, encrypted by tests/image/legacy
layout    68 MiB, mixed block groups, nodes of 4 KiB, crc32c
key       $key, from the passphrase "$(cat "$out/good-2016.passphrase")" with a newline (good-2016.passphrase) by --kdf scrypt-2017
sha256    $(sha256sum <"$image" | cut -d ' ' -f 1)  (uncompressed)
compress  zstd -19, $(stat -c %s "$out/good-2016.img.zst") bytes

What it shows: "vault", the one nested in it and its snapshot, encrypted under ctr(aes)@btrfs:61e0d004; in it a file from before that, and one each that stays plain because it is
preallocated, without copy on write, or a symbolic link. "public" has zstd, which has the same number as encryption, beside it. No stock kernel mounts it.

subvolumes
$(cat "$tmp/list")

What the kernel read before it was encrypted:
$sums
END
say "$(stat -c '%n: %s bytes' "$out/good-2016.img.zst")"
