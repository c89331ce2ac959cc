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

# change WHAT IMAGE: what the rest will be decrypted, or encrypted again, by, in all leaves, with matching checksums, as somebody without the key can
change() {
	python3 -S - "$IMAGE_TESTS" "$@" <<'END'
import struct, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from damage import crc32c
what, path = sys.argv[2:]
with open(path, "r+b") as file:
    image = bytearray(file.read())
    fsid, changed = image[0x10020:0x10030], 0
    for at in range(0x100000, len(image) - 4095, 4096):
        owner, n, level = struct.unpack_from("<QIB", image, at + 88)
        if image[at + 32:at + 48] != fsid or level or not 256 <= owner < 1 << 48 or struct.unpack_from("<I", image, at)[0] != crc32c(image[at + 32:at + 4096]):
            continue
        before = bytes(image[at:at + 4096])
        for slot in range(n):
            inode, kind, offset, place, length = struct.unpack_from("<QBQII", image, at + 101 + 25 * slot)
            place += at + 101
            name = image.find(b"btrfs.cryptoiv", place, place + length)
            if what == "iv" and kind == 24 and name >= 0:
                image[name + 14] ^= 1
            elif what == "mark" and kind == 108 and struct.unpack_from("<H", image, place + 18)[0] & ~1 == 0x2016:
                image[place + 18:place + 20] = bytes(2)
            elif what == "flag" and kind == 1 and offset == 0 and image[place + 65] & 0x10:
                image[place + 65] ^= 0x10
        if image[at:at + 4096] != before:
            image[at:at + 4] = struct.pack("<I", crc32c(image[at + 32:at + 4096]))
            changed += 1
    file.seek(0)
    file.write(image)
sys.exit(changed == 0)
END
}
for what in iv mark flag; do
	cp "$disk" "$tmp/changed.img"
	change $what "$tmp/changed.img" || fail "no $what was found"
	for way in "--decrypt --resume" --abort; do
		expect_unchanged 12 "$tmp/changed.img" crypt convert $way "$tmp/changed.img" "${key[@]}"
		expect_text "$tmp/err" 'the metadata of the subvolumes are not what they were when the decryption began$'
	done
done
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
