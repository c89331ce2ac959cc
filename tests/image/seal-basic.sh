#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The full cycle on an image as mkfs.btrfs makes it, with extents up to 128 MiB and a passphrase: seal, use with
# the kernel, verify, decrypt.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt

new_keys
image_make "$tmp/disk.img" 1500M
make_content "$tmp/disk.img" 1000000 big:$((128 << 20))
btrfs inspect-internal dump-tree -t 256 "$tmp/disk.img" >"$tmp/dump"
expect_text "$tmp/dump" 'disk byte [0-9]+ nr 134217728'
full_cycle "$tmp/disk.img" aes-256-gcm --passphrase-file "$tmp/passphrase"
