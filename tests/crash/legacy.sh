#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Power cuts while the format of 2016 is decrypted, and while that is undone: 160 states, or CRASH_STATES of them, up to three deep.  All of them end with the
# same two disks, which btrfs check and the kernel see.
. "$(dirname "$0")/../image/lib.sh"
. "$IMAGE_TESTS/legacy-lib.sh"
need_root
need_crypt
tool legacy

cuts=${BUILD:-$PROJECT/build}/tests/crash/legacy
[ -x "$cuts" ] || fail "$cuts does not exist: run make tools"
mkdir "$tmp/disks"
legacy_image "$tmp/2016.img" 4096 shapes quota
"$cuts" --states "${CRASH_STATES:-160}" --seed "${CRASH_RANDOM:-1}" --export "$tmp/disks" "$tmp/2016.img" $LEGACY_KEY e1 || fail "what came of a power cut was wrong"
mkdir "$tmp/large"
legacy_image "$tmp/large.img" 16384 shapes cache=v1 cipher=cts dup
"$cuts" --states $((${CRASH_STATES:-160} / 4)) --seed "${CRASH_RANDOM:-1}" --export "$tmp/large" "$tmp/large.img" $LEGACY_KEY e1 || fail "what came of a power cut was wrong"
check_clean "$tmp/large/home.img"
check_clean "$tmp/disks/home.img"
check_clean "$tmp/disks/undone.img"
# Undone, it is what was written: taken back by the writer, it is the kernel's again.
cp "$tmp/2016.img.options" "$tmp/taken-back.img.options"
cp --sparse=always "$tmp/disks/undone.img" "$tmp/taken-back.img"
legacy_undo "$tmp/taken-back.img"
image_mount "$tmp/taken-back.img" "$tmp/mnt" ro
legacy_manifest "$tmp/mnt" "$tmp/again"
image_umount
diff "$tmp/2016.img.kernel" "$tmp/again.kernel" >"$tmp/state.diff" || { head -n 5 "$tmp/state.diff"; fail "undone, the image shows something else"; }

say "unfinished, by the program"
disk=$tmp/disks/in-data.img
key=(--volume-key-file "$tmp/2016.img.key")
head -c 16 /dev/zero >"$tmp/wrong"
expect_no_mount "$disk"
expect_unchanged 7 "$disk" crypt convert --status "$disk"
expect_text "$tmp/out" '^operation:  decrypt-2016$'
expect_text "$tmp/out" '^to finish:  btrfs-crypt convert --decrypt --resume --volume-key-file FILE '
expect_text "$tmp/out" '^to undo:    btrfs-crypt convert --abort --volume-key-file FILE '
expect_unchanged 7 "$disk" crypt convert --status "$disk" "${key[@]}" --format json
expect_text "$tmp/out" '"authenticated":true,"operation":"decrypt-2016"'
expect_unchanged 2 "$disk" crypt convert --status "$disk" --volume-key-file "$tmp/wrong"
expect_unchanged 0 "$disk" crypt list "$disk"
expect_text "$tmp/out" 'path e1-snap.*unfinished conversion: decrypting the format of 2016, [0-9]+% done$'
expect_unchanged 0 "$disk" crypt cat "$disk" / plain
expect_unchanged 7 "$disk" crypt cat "$disk" e1:sizes/5000 "${key[@]}"
expect_unchanged 7 "$disk" crypt export "$disk" e1 "${key[@]}" -o "$tmp/out.tar"
expect_unchanged 7 "$disk" crypt audit "$disk" e1
expect_unchanged 7 "$disk" crypt convert --decrypt "$disk" e2 "${key[@]}"
expect_unchanged 9 "$disk" crypt convert --resume "$disk" "${key[@]}"
expect_text "$tmp/err" 'the unfinished decryption, begun .*, ends in plain text and must be confirmed$'
expect_unchanged 2 "$disk" crypt convert --decrypt --resume "$disk"
expect_unchanged 2 "$disk" crypt convert --decrypt --resume "$disk" --volume-key-file "$tmp/wrong"
cp "$disk" "$tmp/undo.img"
expect_status 0 crypt convert --abort "$tmp/undo.img" "${key[@]}"
expect_text "$tmp/out" '^decryption undone: 3 subvolumes, [0-9]*% of which had been decrypted'
cmp "$tmp/undo.img" "$tmp/disks/undone.img" || fail "undone by the program, it is another disk"
expect_status 0 crypt convert --decrypt --resume "$disk" "${key[@]}"
expect_text "$tmp/out" '^decrypted: 3 subvolumes, '
cmp "$disk" "$tmp/disks/home.img" || fail "finished by the program, it is another disk"
# The very last write, to the primary superblock, was cut short: the command that was printed works, with the key, and writes it again.
expect_unchanged 9 "$disk" crypt convert --decrypt --resume "$disk" "${key[@]}"
expect_text "$tmp/err" 'there is no unfinished conversion$'
printf torn | dd of="$disk" bs=1 seek=67000 conv=notrunc status=none
expect_unchanged 7 "$disk" crypt convert --status "$disk" "${key[@]}"
expect_status 0 crypt convert --decrypt --resume "$disk" "${key[@]}"
cmp "$disk" "$tmp/disks/home.img" || fail "the primary superblock was not written again"
