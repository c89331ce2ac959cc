#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Power cuts while the format of 2016 is decrypted, and while that is undone: 160 states, or CRASH_STATES of them, up to three deep.  All of them end with the
# same two disks, which btrfs check and the kernel see.
. "$(dirname "$0")/../image/lib.sh"
. "$IMAGE_TESTS/legacy-lib.sh"
need_root
tool legacy

cuts=${BUILD:-$PROJECT/build}/tests/crash/legacy
[ -x "$cuts" ] || fail "$cuts does not exist: run make tools"
mkdir "$tmp/out"
legacy_image "$tmp/2016.img" 4096 shapes quota
"$cuts" --states "${CRASH_STATES:-160}" --seed "${CRASH_RANDOM:-1}" --export "$tmp/out" "$tmp/2016.img" $LEGACY_KEY e1 || fail "what came of a power cut was wrong"
check_clean "$tmp/out/home.img"
check_clean "$tmp/out/undone.img"
# Undone, it is what was written: taken back by the writer, it is the kernel's again.
cp "$tmp/2016.img.options" "$tmp/out/undone.img.options"
legacy_undo "$tmp/out/undone.img"
image_mount "$tmp/out/undone.img" "$tmp/mnt" ro
legacy_manifest "$tmp/mnt" "$tmp/again"
image_umount
diff "$tmp/2016.img.kernel" "$tmp/again.kernel" >"$tmp/state.diff" || { head -n 5 "$tmp/state.diff"; fail "undone, the image shows something else"; }
