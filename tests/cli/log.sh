#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An image with a log tree: --with-log shows what is in it; otherwise commands say that it exists.
. "$(dirname "$0")/../expect.sh"
zstd -dqf "$TOP/images/good-log.img.zst" -o disk.img || exit 1
unchanged disk.img
expect 0 ls disk.img sub <<'END'
directory
long
nested
! btrfs-crypt ls: warning: the filesystem was not unmounted: what was fsynced last is in its log tree only, and shown only with --with-log
END
expect 0 ls --with-log disk.img sub <<'END'
directory
long
nested
new
END
expect 0 cat --quiet --with-log disk.img sub new <<'END'
written after the last commit
END
expect 4 cat --quiet disk.img sub new <<'END'
! btrfs-crypt cat: warning: the filesystem was not unmounted: what was fsynced last is in its log tree only, and shown only with --with-log
! btrfs-crypt cat: "new" not found
END
for command in df dump-tree tree-stats; do	# which have no such option
	btrfs-crypt $command disk.img > out 2> err || bad "$command: status $?"
	grep -qx "btrfs-crypt $command: warning: the filesystem was not unmounted: what was fsynced last is in its log tree only, and in no other tree" err ||
		{ bad "$command: the log tree"; cat err; }
done
btrfs-crypt ls --with-log disk.img sub directory > out
printf '%s\n' file2 file30 hard renamed second-name > want
for name in file1 file3; do ! grep -qx "$name" out || bad "$name is still there"; done
while read -r name; do grep -qx "$name" out || bad "no $name"; done < want
btrfs-crypt cat --quiet --with-log disk.img sub directory/second-name | grep -qx 'file 2' || bad "second-name"
{ yes "a line of which there are many" | head -c 90000; } 2> /dev/null > long
head -c 20000 /dev/zero | tr '\0' z | dd of=long bs=4096 seek=3 conv=notrunc status=none
btrfs-crypt cat --quiet --with-log disk.img sub long | cmp - long || bad "long"
btrfs-crypt stat --with-log disk.img sub long > out
grep -q 'user.added (3 bytes)' out && ! grep -q user.removed out || bad "xattrs of long"
btrfs-crypt stat disk.img sub long > out 2> err
grep -q user.removed out && ! grep -q user.added out || bad "xattrs of long without the log"
expect 0 ls --with-log disk.img snapshot <<'END'
directory
long
nested
END
# What the log takes the last name from is deleted, as it is after a kernel has replayed it.
btrfs-crypt timeline --with-log -c snapshot disk.img sub > out || bad "timeline: status $?"
grep -q '^0|/snapshot/directory/file3 (deleted)|' out || bad "file3 is not deleted"
! grep 'no name' out || bad "a file without a name"
btrfs-crypt timeline --with-log -c snapshot --format json disk.img sub | grep '"path":"directory/file3"' > out
grep -q '"change":"deleted".*"links":1,' out && [ "$(wc -l < out)" = 1 ] || { bad "file3 in JSON"; cat out; }
printf secret > key
expect 9 convert --encrypt --key-file=key disk.img sub <<'END'
! btrfs-crypt convert: the filesystem has a log tree to replay
! btrfs-crypt convert: hint: mount it with a kernel once and unmount it
END
unchanged disk.img
finish
