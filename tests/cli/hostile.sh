#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Images that lie: loops, chunks over each other, huge counts and sizes, subvolumes within themselves.
. "$(dirname "$0")/../expect.sh"
command -v btrfs > /dev/null && command -v python3 > /dev/null || { echo "needs btrfs-progs and python3"; exit 77; }
bundled_image plain.img
zstd -dqf "$TOP/images/good-log.img.zst" -o log.img || exit 1
python3 "$TOP/tests/cli/hostile.py" "$BTRFS_CRYPT" plain.img log.img "$TOP/tests/image/damage.py" || bad "hostile images"
finish
