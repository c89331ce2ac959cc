#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Opening an image and dump-super name what btrfstune was doing when it was interrupted. A new passphrase with a carriage return causes a warning.
. "$(dirname "$0")/../expect.sh"
bundled_image whole.img

# interrupted BIT NAME WORDS: the flag of btrfs-progs, and what it is
interrupted() {
	cp whole.img disk.img
	python3 "$TOP/tests/image/super-edit.py" disk.img flags set $((1 << $1))
	unchanged disk.img
	btrfs-crypt list disk.img > out 2> err || bad "bit $1: list: status $?"
	grep -qxF "btrfs-crypt list: warning: btrfstune was interrupted at $3, and must finish it: not all may be read until then" err || { bad "bit $1: list"; cat err; }
	btrfs-crypt dump-super --super 0 disk.img > out 2> err || bad "bit $1: dump-super: status $?"
	grep -q "$2" out || { bad "bit $1: dump-super: no $2"; grep -A 2 flags out; }
	btrfs-crypt convert --encrypt --dry-run disk.img vault > out 2> err
	[ $? = 9 ] || bad "bit $1: convert"
	grep -qxF "btrfs-crypt convert: btrfstune was interrupted at $3" err || { bad "bit $1: convert"; cat err; }
	grep -qxF "btrfs-crypt convert: hint: the same command finishes it" err || bad "bit $1: no hint"
	unchanged disk.img
	rm disk.img disk.img.sum
}
interrupted 35 CHANGING_FSID "a change of the filesystem's uuid (\`btrfstune -u\`, or -U)"
interrupted 36 CHANGING_FSID_V2 "a change of the filesystem's uuid (\`btrfstune -m\`, or -M) or of its checksums (\`btrfstune --csum\`)"
interrupted 37 'unknown flag: 0x2000000000' "a change of the checksums (\`btrfstune --csum\`)"
interrupted 38 CHANGING_BG_TREE "a move of block groups to or from their own tree (\`btrfstune --convert-to-block-group-tree\`)"
interrupted 39 CHANGING_DATA_CSUM "a change of the checksums (\`btrfstune --csum\`)"
interrupted 40 CHANGING_META_CSUM "a change of the checksums (\`btrfstune --csum\`)"

printf 'secret\r\n' > windows
printf 'secret\n' > unix
WARNING='btrfs-crypt convert: warning: the passphrase ends with a carriage return, as lines of Windows do: that byte is part of it'
for file in windows unix; do
	for how in "--passphrase-file $file" --passphrase-fd=0 "--key-file $file"; do
		cp whole.img disk.img
		btrfs-crypt convert --encrypt -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $how disk.img vault > out 2> err < $file || { bad "$file: status $?"; cat err; }
		want=0
		[ $file != windows ] || [ "${how%% *}" = --key-file ] || want=1
		[ "$(grep -cxF "$WARNING" err)" = $want ] || { bad "$how: not $want warnings"; cat err; }
	done
done
finish
