#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes good-sealed.img.zst, the sealed twin of good-plain: its subvolume "vault" and the one nested in it, encrypted with the passphrase
# in good-sealed.passphrase.  Needs no root.  Keys and nonces are drawn, so that each run makes another image.
# images/make-sealed.sh [OUTPUT-DIRECTORY]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "${1:-$here}" && pwd)
program=${BTRFS_CRYPT:-$here/../build/btrfs-crypt}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
image=$work/good-sealed.img

zstd -dq "$here/good-plain.img.zst" -o "$image"
echo "a good long passphrase" > "$out/good-sealed.passphrase"
# The lowest cost that there is: the tests open it often.
"$program" convert --encrypt -q --recursive --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
	--passphrase-file "$out/good-sealed.passphrase" "$image" vault > "$work/summary"
zstd -19 -qf "$image" -o "$out/good-sealed.img.zst"
cat > "$out/good-sealed.txt" <<TEXT
good-sealed.img.zst: the sealed twin of good-plain.img.zst.

made by   images/make-sealed.sh with $("$program" --version | head -n 1)
key       passphrase "$(cat "$out/good-sealed.passphrase")" (good-sealed.passphrase, with a newline), slot 0, PBKDF2 with 1000 iterations: cheap on purpose
sha256    $(sha256sum < "$image" | cut -d ' ' -f 1)  (uncompressed)
compress  zstd -19, $(stat -c %s "$out/good-sealed.img.zst") bytes

What it shows: "vault" and "vault/nested" sealed as format/README.md says, the other subvolumes plain beside them. A reader of the format opens
it and finds in each file what good-plain has.

$(cat "$work/summary")
TEXT
