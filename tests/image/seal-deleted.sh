#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Files deleted while open: what a mount will delete is not part of what was sealed, but only in its own subvolume. A snapshot that has the file is as
# authentic as any other, and every command says the same before and after a kernel has cleaned up.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
need_root
need_crypt
tool attack
make_keys
image=$tmp/disk.img
ORPHAN_ID=18446744073709551611 SV=256 SNAP=257
I_MODE=52 I_LINKS=40
edit=${BUILD:-$PROJECT/build}/tests/image
[ -x "$edit/edit-verity" ] || fail "$edit/edit-verity does not exist: run make tools"

# Position tagged, so that no block is like another
content() {	# content NAME SIZE
	python3 -c 'import sys
name, size = sys.argv[1], int(sys.argv[2])
sys.stdout.write("".join("%-20s%011d\n" % (name, i * 32) for i in range(size // 32 + 1))[:size])' "$1" "$2" >"$tmp/files/$1"
}
mkdir "$tmp/files"
content gone 3000000
content gone-small 900
content gone-alone 200000
content gone-link 70000
content later 150000
content kept 80000
content cut 500000
content verity 20000

# While the files are open the kernel keeps them; a copy of the image taken then has their orphan items.
image_make "$tmp/used.img" 400M
image_mount "$tmp/used.img" "$tmp/mnt" rw,noatime
btrfs -q subvolume create "$tmp/mnt/sv"
for one in gone gone-small gone-link kept cut verity; do cp "$tmp/files/$one" "$tmp/mnt/sv"; done
ln "$tmp/mnt/sv/gone-link" "$tmp/mnt/sv/still-there"
ln -s "where it leads" "$tmp/mnt/sv/link"
sync -f "$tmp/mnt"
btrfs -q subvolume snapshot -r "$tmp/mnt/sv" "$tmp/mnt/snap"
cp "$tmp/files/gone-alone" "$tmp/mnt/sv"
sync -f "$tmp/mnt"
python3 - "$tmp/mnt/sv" "$tmp/files/later" "$image" "$tmp/used.img" <<'EOP'
import os, shutil, subprocess, sys
sv, later, copy, used = sys.argv[1:]
held = [os.open(f'{sv}/{name}', os.O_RDWR) for name in ('gone', 'gone-small', 'gone-alone', 'gone-link')]
for name in ('gone', 'gone-small', 'gone-alone', 'gone-link'):
    os.unlink(f'{sv}/{name}')
os.pwrite(held[0], b'written after it was deleted', 100000)
# One file that never had a name, and one that gets its name later
for linked in (False, True):
    fd = os.open(sv, os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(fd, open(later, 'rb').read())
    if linked:
        os.sync()
        # /proc/self/fd is a symbolic link: it is followed only from a directory that is open
        os.link(str(fd), f'{sv}/later', src_dir_fd=os.open('/proc/self/fd', os.O_RDONLY), follow_symlinks=True)
    held.append(fd)
os.truncate(f'{sv}/cut', 123456)
subprocess.run(['sync', '-f', sv], check=True)
subprocess.run(['cp', '--sparse=always', used, copy], check=True)
EOP
gone=$(stat -c %i "$tmp/mnt/snap/gone")
gone_small=$(stat -c %i "$tmp/mnt/snap/gone-small")
verity=$(stat -c %i "$tmp/mnt/sv/verity")
image_umount
orphans() { btrfs inspect-internal dump-tree -t "$SV" "$image" | grep -c 'ORPHAN ORPHAN_ITEM'; }
head -c 123456 "$tmp/files/cut" >"$tmp/files/cut-sv"

# What a file system check says of them is no matter here.
[ "$(orphans)" = 4 ] || fail "$(orphans) orphan items, not 4: three files whose last name is gone, one that never had one"
# A linked inode with an orphan item, as a crash leaves while fs-verity is being turned on
"$edit/edit-verity" "$image" $SV "$verity" || fail "edit-verity"
attack put $SV $ORPHAN_ID 48 "$verity" ''
cp --sparse=always "$image" "$tmp/plain.img"
say "files deleted while open: in sv and not in its snapshot"

expect_status 0 crypt convert --encrypt -q "${VK[@]}" --passphrase-file "$tmp/passphrase" "${CHEAP[@]}" "$image" sv snap
[ "$(orphans)" = 5 ] || fail "the orphan items are not as they were"
cp --sparse=always "$image" "$tmp/base.img"
expect_status 0 python3 "$PROJECT/tests/second-reader.py" "$image" "$tmp/passphrase" "$tmp/plain.img"

# Of either subvolume, and of both
right() {
	local one
	for one in sv snap; do
		expect_unchanged 0 "$image" crypt verify "${VK[@]}" "$image" "$one"
		expect_text "$tmp/out" ' 0 failures'
	done
	for one in sv:kept snap:kept sv:later snap:gone snap:gone-small snap:gone-link snap:cut sv:verity; do
		expect_unchanged 0 "$image" crypt cat "${VK[@]}" "$image" "${one%:*}" "${one#*:}"
		cmp "$tmp/out" "$tmp/files/${one#*:}" || fail "cat $one: wrong content"
	done
	expect_unchanged 0 "$image" crypt cat "${VK[@]}" "$image" sv cut
	cmp "$tmp/out" "$tmp/files/cut-sv" || fail "cat sv cut: wrong content"
	for one in sv snap; do
		rm -rf "$tmp/exported"
		expect_unchanged 0 "$image" crypt export "${VK[@]}" --archive dir -o "$tmp/exported" "$image" "$one"
	done
	cmp "$tmp/exported/gone" "$tmp/files/gone" || fail "export: wrong content"
}
# Decrypting needs nothing accepted.
opens() {
	local one
	expect_status 0 crypt convert --decrypt -q "${VK[@]}" "$image" sv
	for one in sv:kept snap:kept sv:later snap:gone snap:gone-small snap:gone-link snap:cut; do
		crypt cat "$image" "${one%:*}" "${one#*:}" | cmp - "$tmp/files/${one#*:}" || fail "$one is not as it was"
	done
}
right
opens
image_mount "$image" "$tmp/mnt" rw
ls "$tmp/mnt/sv" "$tmp/mnt/snap" >/dev/null
image_umount
[ "$(orphans || true)" = 0 ] || fail "the kernel did not clean up"
check_clean "$image"
say "decrypted before any mount"

say "an inode that is alive in the snapshot, changed there"
for change in "$I_MODE $(le 4 $((0104777)))" "16 $(le 8 1000)" "$I_LINKS $(le 4 0)"; do
	fresh
	# shellcheck disable=SC2086
	attack poke $SNAP "$gone" 1 0 $change
	expect_unchanged 6 "$image" crypt verify "${VK[@]}" "$image" snap
	said 'snap'
	expect_unchanged 6 "$image" crypt convert --decrypt -q "${VK[@]}" "$image" snap
	expect_unchanged 6 "$image" crypt convert --decrypt -q "${VK[@]}" "$image" sv
	expect_unchanged 6 "$image" crypt cat "${VK[@]}" "$image" snap gone
done
say "an extent of it"
fresh
attack poke $SNAP "$gone" 108 0 37 "$(le 8 4096)"
expect_unchanged 6 "$image" crypt verify "${VK[@]}" "$image" snap
say "what the next mount deletes, changed: no matter"
fresh
attack poke $SV "$gone" 1 0 $I_MODE "$(le 4 $((0104777)))"
expect_unchanged 0 "$image" crypt verify "${VK[@]}" "$image" sv
say "a name for it, or no orphan item any more: another tree"
attack poke $SV "$gone" 1 0 $I_LINKS "$(le 4 1)"
expect_unchanged 6 "$image" crypt verify "${VK[@]}" "$image" sv
fresh
attack drop $SV $ORPHAN_ID 48 "$gone"
expect_unchanged 6 "$image" crypt verify "${VK[@]}" "$image" sv
say "an orphan item planted: nothing changes that a mount would not change"
fresh
attack put $SNAP $ORPHAN_ID 48 "$gone" ''
expect_unchanged 0 "$image" crypt verify "${VK[@]}" "$image" snap
attack poke $SNAP "$gone" 1 0 $I_MODE "$(le 4 $((0104777)))"
expect_unchanged 6 "$image" crypt verify "${VK[@]}" "$image" snap
say "items of fs-verity that a mount would delete"
fresh
attack drop $SV "$verity" 37 2048
expect_unchanged 0 "$image" crypt verify "${VK[@]}" "$image" sv
expect_text "$tmp/err" 'note: sv/verity: its fs-verity items are not authenticated: an orphan item lets the next mount delete them$'
[ "$(grep -c 'are not authenticated' "$tmp/err")" = 1 ] || fail "more than that is said"
attack drop $SV $ORPHAN_ID 48 "$verity"
expect_unchanged 6 "$image" crypt verify "${VK[@]}" "$image" sv

# No digest covers what stands for a deleted file, and no unit opens what came there since: every way through a conversion leaves it as it is.
# with_planted COMMAND...: what this puts into the image
with_planted() {
	local flush way
	fresh
	"$@"
	cp --sparse=always "$image" "$tmp/planted.img"
	expect_unchanged 0 "$image" crypt verify "${VK[@]}" "$image" sv
	expect_status 0 crypt convert --decrypt -q --read-back "${VK[@]}" "$image" sv
	for one in sv:kept snap:kept snap:gone-small; do
		crypt cat "$image" "${one%:*}" "${one#*:}" | cmp - "$tmp/files/${one#*:}" || fail "$one is not as it was"
	done
	for flush in 6 8 9; do
		fresh "$tmp/planted.img"
		attack convert decrypt "flush:$flush" "$tmp/vk" sv
		expect_status 7 crypt convert --status "$image"
		cp --sparse=always "$image" "$tmp/stopped.img"
		expect_status 0 crypt convert --decrypt --resume -q "${VK[@]}" "$image"
		fresh "$tmp/stopped.img"
		expect_status 0 crypt convert --abort -q --read-back "${VK[@]}" "$image"
		right
	done
}
planted_file() {
	local item header
	item=$(attack peek $SV "$verity" 1 0 0 160)
	header=$(attack peek $SNAP "$gone_small" 108 0 0 21)
	attack put $SV $ORPHAN_ID 48 9999 ''
	attack put $SV 9999 1 0 "${item:0:2*I_LINKS}$(le 4 0)${item:2*(I_LINKS+4)}"
	attack put $SV 9999 108 0 "${header:0:16}$(le 8 23)${header:32}$(printf 'planted, and not sealed' | od -An -v -tx1 | tr -d ' \n')"
}
say "a deleted file that was planted"
with_planted planted_file
say "an item of fs-verity that was planted in a file that a mount takes them from"
with_planted attack put $SV "$verity" 37 8192 "$(le 8 1234567)"
say "a deleted file that has a unit, damaged"
with_planted attack xor $SV "$gone_small" 108 0 100 1

say "after a mount that cleans up"
fresh
# A kernel without fs-verity takes the orphan item away and leaves these.
for item in "36 0" "36 1" "37 0" "37 2048"; do
	# shellcheck disable=SC2086
	attack drop $SV "$verity" $item
done
image_mount "$image" "$tmp/mnt" rw,noatime
ls "$tmp/mnt/sv" "$tmp/mnt/snap" >/dev/null
btrfs -q subvolume snapshot "$tmp/mnt/sv" "$tmp/mnt/later-snap"
image_umount
[ "$(orphans || true)" = 0 ] || fail "the kernel did not clean up"
right
expect_unchanged 0 "$image" crypt verify "${VK[@]}" "$image" later-snap
expect_unchanged 0 "$image" crypt cat "${VK[@]}" "$image" later-snap later
cmp "$tmp/out" "$tmp/files/later" || fail "cat later-snap later: wrong content"
opens
check_clean "$image"
crypt cat "$image" later-snap kept | cmp - "$tmp/files/kept" || fail "later-snap is not as it was"
