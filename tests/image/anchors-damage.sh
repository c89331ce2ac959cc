#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One tree in damaged filesystems. If one copy of every block is bad, everything comes from the other copy, or is named if nobody can know which copy
# is good. A block without a second copy is lost, and named. Also one tree in a filesystem that was not unmounted: only the log tree has what was
# fsynced last.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
. "$IMAGE_TESTS/anchors-lib.sh"
need_root
need_crypt
tool fill

damage() { python3 "$IMAGE_TESTS/damage.py" "$@"; }

anchors_make good 2 200M compress=no -d raid1 -m raid1
for i in 1 2; do
	copies good one
	damage "$tmp/one.$i" device
	devices_except one
	rm -f "$tmp/report"
	row "raid1, every block of device $i damaged" $FILES good.want 0 --report "$tmp/report"
	grep '"finding":"other-mirror".* have no checksum, and mirrors 1 and 2 differ .* all of the 32 sectors with checksums near it are right in one' \
		"$tmp/report" >/dev/null || fail "nothing is said of copies without checksums"
	grep -E '"text":".*(tree block|data) at ' "$tmp/report" >>"$tmp/places"
done
for what in 'tree block at ' '"data at ' 'have no checksum'; do expect_text "$tmp/places" "$what"; done
if grep -vE '"logical":"[0-9]+","disk_length":"[1-9][0-9]*"\}$' "$tmp/places"; then fail "findings without their address"; fi

rm "$tmp/report"
anchors_make one 1 260M compress=no -m dup -d dup
damage "$tmp/one.1" copies
devices_except one
row "dup, one copy of every block damaged" $((FILES - 1)) one.want 6 --report "$tmp/report"
expect_text "$tmp/err" 'warning: nocow/plain: bytes 0 to 716799 may be wrong: data at [0-9]+ have no checksum, and mirrors 1 and 2 differ'
expect_text "$tmp/err" ', doubtful: 1 file \(716800 bytes\)$'
expect_text "$tmp/report" '^\{"finding":"doubtful","path":"nocow/plain","first":"0","last":"716799",'
[ "$(grep -c '^other bytes: ' "$tmp/compared")" = "$(grep -c '^other bytes: nocow/plain$' "$tmp/compared")" ] || fail "another file has other bytes"
expect_status 6 crypt cat "$image" / nocow/plain
expect_text "$tmp/err" 'cat: warning: nocow/plain: bytes 0 to 716799 may be wrong: data at [0-9]+ have no checksum'

anchors_make plain 1 240M compress=no
copies plain one
image=$tmp/one.1
inode=$(crypt stat --format json "$image" / sizes/524288 | sed -E 's/.*"inode":"?([0-9]+).*/\1/')
read -r _ logical _ < <(damage "$image" extents 5 "$inode")
damage "$image" data $((logical + 5 * 4096))
devices_except one
row "one block of data damaged" $((FILES - 1)) plain.want 6
expect_text "$tmp/err" 'warning: sizes/524288: bytes 20480 to 24575 are lost: data at [0-9]+: crc32c is '
expect_text "$tmp/err" 'incomplete: 1 file \(4096 bytes lost\)$'
expect_text "$tmp/compared" '^other bytes: sizes/524288$'
crypt export "$image" /:sizes/524288 -o - 2>/dev/null | tar -xO -f - 524288 >"$tmp/have" || true
{ crypt cat "$tmp/plain.1" / sizes/524288 | cmp -l - "$tmp/have" || true; } |
	awk '$1 <= 20480 || $1 > 24576 || $3 != 0 { bad = 1 } END { exit bad || !NR }' || fail "other bytes than those of the block are lost"

# Fsynced and never committed: what the kernel makes of it when it mounts, which writes.
copies plain one
devices_mount one "$tmp/mnt" rw,noatime,commit=300
python3 - "$tmp/mnt" <<'END'
import os, sys
for name, content in (("fsynced", b"first" * 30000), ("inline-fsynced", b"second")):
    fd = os.open(os.path.join(sys.argv[1], name), os.O_CREAT | os.O_WRONLY, 0o640)
    os.write(fd, content)
    os.fsync(fd)
END
cp --sparse=always "$tmp/one.1" "$tmp/live.1"
sync "$tmp/live.1"
devices_umount
copies live one
devices_mount one "$tmp/mnt" rw,noatime
tar_manifest dir "$tmp/mnt" >"$tmp/one.want"
devices_umount
[ "$(grep -c 'fsynced .* sha256=' "$tmp/one.want")" = 2 ] || fail "the kernel does not show both files"
devices_except live
compare_options=(--touched .)		# replaying is a change of the directory
row "log tree, not shown" $FILES plain.want 0
expect_text "$tmp/err" 'warning: .*not unmounted.*--with-log'
row "log tree, 2 fsynced files" $((FILES + 2)) one.want 0 --with-log
say "$rows images"
