#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An image whose trees cannot be reached: a hint says which option gets further, and it does.
. "$(dirname "$0")/../expect.sh"
bundled_image whole.img
root=$(btrfs-crypt dump-super --super 0 whole.img | sed -n 's/^root\t\t*\([0-9]*\)$/\1/p')
[ "$(btrfs-crypt resolve --logical "$root" whole.img | grep -c "^copy .* physical $root\$")" = 1 ] || bad "addresses of this image are not places in it"

# spoil ADDRESS: other bytes in a tree block
spoil() { printf 'spoiled' | dd of=disk.img bs=1 seek=$(($1 + 300)) conv=notrunc status=none; }
# backup N: the address of a backup root
backup() { btrfs-crypt dump-super --super 0 whole.img | sed -n 's/^\t\tbackup_tree_root:\t\([0-9]*\)\t.*/\1/p' | sed -n $(($1 + 1))p; }

cp whole.img disk.img
spoil "$root"
unchanged disk.img
for command in "ls disk.img vault" "list disk.img" "stat disk.img vault secret.txt" "timeline disk.img vault" "df disk.img"; do
	btrfs-crypt $command > out 2> err
	[ $? -eq 6 ] || bad "$command: status $?"
	grep -q "^btrfs-crypt ${command%% *}: hint: --backup-root 2 reads an earlier commit, of generation 11; --tolerant reads what is left of this one$" err ||
		{ bad "$command: no hint"; cat err; }
done
quiet btrfs-crypt ls --backup-root 2 disk.img vault
btrfs-crypt ls --tolerant disk.img vault > out 2> err
[ $? -eq 6 ] && [ -s out ] || { bad "--tolerant"; cat err; }
btrfs-crypt ls --format json disk.img vault 2>&1 | grep -q '"hint":"--backup-root 2 ' || bad "no hint in JSON"
unchanged disk.img
rm disk.img.sum

# Whoever chose a root, or is tolerant already, or has another trouble, is not told.
for n in 0 1 2; do spoil "$(backup $n)"; done
for command in "ls disk.img vault" "ls --backup-root 1 disk.img vault"; do
	btrfs-crypt $command 2>&1 > out | grep -qx 'btrfs-crypt ls: hint: --tolerant reads what is left' || bad "$command: no hint, or another"
done
btrfs-crypt ls --tolerant disk.img vault 2>&1 | grep hint && bad "a hint with --tolerant"
btrfs-crypt ls whole.img vault nothing 2>&1 | grep hint && bad "a hint for a name that is not there"

head -c 40M whole.img > disk.img
expect 6 ls disk.img vault <<'END'
! btrfs-crypt ls: disk.img: the device has 41943040 bytes, but the filesystem on it has 71303168
! btrfs-crypt ls: hint: --tolerant reads what is left
END
expect 6 dump-tree disk.img <<'END'
! btrfs-crypt dump-tree: disk.img: the device has 41943040 bytes, but the filesystem on it has 71303168
! btrfs-crypt dump-tree: hint: --tolerant reads what is left
END
finish
