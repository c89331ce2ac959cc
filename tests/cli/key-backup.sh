#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# key backup: what is saved, for whom, and what is refused.
. "$(dirname "$0")/../expect.sh"
PATH=$PATH:/usr/sbin:/sbin
bundled_image
for name in a b wrong; do printf 'secret %s' $name > $name; done
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
hint_file='! btrfs-crypt key: hint: --key-file takes every byte, also a newline at the end, which --passphrase-file removes'
unchecked='! btrfs-crypt key: note: nothing of it is authenticated: with a key, it is checked first'

expect 9 key backup disk.img vault backup <<< "! btrfs-crypt key: vault is not sealed"
quiet btrfs-crypt convert --encrypt disk.img vault --key-file a $cheap
quiet btrfs-crypt key add disk.img vault --key-file a --new-key-file b $cheap
quiet btrfs-crypt key export-volume-key disk.img vault volume-key --key-file a --batch-mode
unchanged disk.img

# --- backup ------------------------------------------------------------------------------------------------------------
expect 0 key backup disk.img vault backup <<END
header of vault saved in backup: epoch 8, key slots 2, subvolumes 1
$unchecked
END
[ "$(stat -c '%a %F' backup)" = "600 regular file" ] || bad "the backup is $(stat -c '%a %F' backup)"
expect 0 key backup disk.img vault backup-checked --key-file b --format json \
	<<< '{"record":"backup","path":"vault","backup_file":"backup-checked","epoch":"8","slots":2,"subvolumes":1}'
# Only the time may differ, and with it the hash.
cmp -l backup backup-checked | awk -v hash="$(($(stat -c %s backup) - 32))" '($1 < 41 || $1 > 48) && $1 <= hash { print $1 }' > differ
[ ! -s differ ] || bad "two backups of one header differ at $(cat differ)"
expect 0 key backup disk.img vault backup-short --no-slots --volume-key-file volume-key \
	<<< "header of vault saved in backup-short: epoch 8, key slots 0, subvolumes 1"
[ $((2 * (220 - 32))) = $(($(stat -c %s backup) - $(stat -c %s backup-short))) ] || bad "what --no-slots leaves out"

# What is there stays, whatever it is; nothing is left of what could not be written.
ln -s nowhere link
cp backup before
for file in backup link .; do
	expect 11 key backup disk.img vault $file --key-file a <<< "! btrfs-crypt key: $file: File exists"
done
cmp before backup && [ "$(readlink link)" = nowhere ] && [ ! -e nowhere ] || bad "a file was overwritten"
expect 11 key backup disk.img vault no/backup --key-file a <<< "! btrfs-crypt key: no/backup: No such file or directory"
(
	ulimit -f 1
	trap '' XFSZ
	btrfs-crypt key backup disk.img vault large > out 2> err
	[ $? -eq 11 ] && grep -qx 'btrfs-crypt key: large: File too large' err
) || { bad "a backup that cannot be written"; cat err; }
[ ! -e large ] || bad "half a backup was left"
expect 2 key backup disk.img vault other --key-file wrong <<< "! btrfs-crypt key: wrong key or passphrase
$hint_file"
expect 1 key backup disk.img vault <<'END'
! btrfs-crypt key: key backup takes IMAGE SUBVOL FILE
! btrfs-crypt key: hint: see btrfs-crypt key --help
END
expect 1 key list disk.img vault --no-slots <<'END'
! btrfs-crypt key: key list has no --no-slots
! btrfs-crypt key: hint: see btrfs-crypt key --help
END
[ ! -e other ] || bad "a backup in spite of an error"
unchanged disk.img

finish
