#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A printed path can be given back. A path that exists as given comes first. The top level is "/" everywhere.
. "$(dirname "$0")/../expect.sh"
PATH=$PATH:/usr/sbin:/sbin
command -v mkfs.btrfs > /dev/null || { echo "needs mkfs.btrfs"; exit 77; }
names=('plain name' 'back\slash' $'tab\there' $'\xff\xfe' 'tab\x09there' $'dir\x01/in\nside' 'dir\dir/x\x41' $'right\u202eleft')
mkdir -p tree/$'dir\x01' 'tree/dir\dir'
for name in "${names[@]}"; do echo "this is ${name@Q}" > "tree/$name"; done
# What the escaped name of one file is, is the name of another.
echo "a tab" > tree/$'two\t'
echo "no tab" > 'tree/two\x09'
truncate -s 200M disk.img
quiet mkfs.btrfs --rootdir tree disk.img
unchanged disk.img

for name in "${names[@]}"; do
	transcript 0 btrfs-crypt cat --quiet disk.img / "$name" <<< "this is ${name@Q}"
done
expect 0 cat --quiet disk.img / 'two\x09' <<< "no tab"
expect 0 cat --quiet disk.img / 'two\\x09' <<< "no tab"
expect 0 cat --quiet disk.img / $'two\t' <<< "a tab"

# Every file, by its path as ls prints it; ls of it prints the same.
n=0
list() {
	local line
	btrfs-crypt ls -l disk.img / "$1" > "listing$2" || bad "ls $1"
	while IFS= read -r line; do
		local shown=$1${line:58}
		case $line in
		*two*) ;;	# how the one with the tab is printed names the other
		d*) list "$shown/" "$2." ;;
		*)
			quiet btrfs-crypt cat disk.img / "$shown"
			transcript 0 btrfs-crypt ls disk.img / "$shown" <<< "${shown##*/}"
			n=$((n + 1)) ;;
		esac
	done < "listing$2"
}
list "" 1
[ $n -eq 8 ] || bad "$n files, not 8"
for path in 'tab\x9here' 'tab\x0a' 'two\x0' 'tab\tthere' 'plain\x20name' 'dir\x01/in\x0Aside' 'two\' 'dir\x01\x2fin\x0aside'; do
	shown=${path//\\/\\\\}
	FILTER='/hint: did you mean/d' transcript 4 btrfs-crypt cat --quiet disk.img / "$path" <<< "! btrfs-crypt cat: \"${shown%%/*}\" not found"
done
# What may have been meant is shown as it can be given.
btrfs-crypt cat --quiet disk.img / 'tab\x09her' 2> err
meant=$(sed -n 's/.*did you mean "\(.*\)"?/\1/p' err)
[ -n "$meant" ] && btrfs-crypt cat --quiet disk.img / "$meant" > out || bad "what may have been meant is not there: $(cat err)"
# How far a path leads
zstd -dqf "$TOP/images/good-plain.img.zst" -o plain.img
for command in cat ls export; do
	[ "$command" = export ] && operands=vault:nested//none/more || operands="vault nested//none/more"
	btrfs-crypt $command plain.img $operands $([ "$command" != export ] || echo -o /dev/null) > out 2> err
	[ $? -eq 4 ] && grep -q '"nested//none" not found' err || { bad "$command: $operands"; cat err; }
done
rm plain.img
for id in 99999999999999999999 -5 256x ""; do
	transcript 1 btrfs-crypt ls disk.img "id:$id" <<END
! btrfs-crypt ls: malformed subvolume id "id:$id"
! btrfs-crypt ls: hint: a number as btrfs-crypt list prints it, for example id:256
END
done
unchanged disk.img

# The top level
rm disk.img.sum
printf 'secret' > key
paths() {
	btrfs-crypt "$@" --format json > out 2> err || bad "$*: status $?"
	[ "$(grep -oE '"path":"[^"]*"' out)" = '"path":"/"' ] || { bad "$*: another path"; cat out; }
}
paths show disk.img /
paths convert --encrypt --dry-run disk.img /
paths convert --encrypt disk.img / --key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000
paths list disk.img
paths show disk.img /
paths dump-tree --crypt --tree root disk.img
paths convert --decrypt --dry-run disk.img / --key-file key
finish
