#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Input from people who know other tools, or mistype: it is understood, or a hint says what works.
. "$(dirname "$0")/../expect.sh"
bundled_image
unchanged disk.img

# hinted HINT WORD...: a usage error, or that something is not there, with this hint
hinted() {
	local hint=$1 status
	shift
	btrfs-crypt "$@" > out 2> err < /dev/null
	status=$?
	[[ $status = [14] ]] && [ ! -s out ] || bad "$*: status $status"
	grep -qxE "btrfs-crypt[a-z -]*: hint: .*" err && grep -qF "hint: $hint" err || { bad "$*: not '$hint'"; cat err; }
}

# Verbs are what convert is asked by, with what was given, quoted.
hinted 'it is `btrfs-crypt convert --encrypt IMAGE SUBVOL`' encrypt
hinted 'it is `btrfs-crypt convert --encrypt disk.img vault`' seal disk.img vault
hinted "it is \`btrfs-crypt convert --decrypt 'my disk.img' vault --key-file='a key' -q\`" unseal "my disk.img" vault --key-file="a key" -q
hinted "it is \`btrfs-crypt convert --decrypt \$'\\x1b[2J' SUBVOL\`" decrypt $'\e[2J'
hinted 'it is `btrfs-crypt convert --resume disk.img`' resume disk.img
hinted 'it is `btrfs-crypt convert --encrypt IMAGE SUBVOL`' encrypt "$(printf '%600s' x)"
hint=$(btrfs-crypt encrypt disk.img vault --volume-key-file 'the key' --dry-run 2>&1 | sed -n 's/.*`\(.*\)`/\1/p')
head -c 32 /dev/zero > 'the key'
eval "$hint" > out 2> err || bad "what the hint says does not work: $hint: $(cat err)"
grep -q 'would be sealed' out || { bad "the hint leads elsewhere"; cat out; }

# Commands of cryptsetup and btrfs: ours, with what was given, or what to do instead.
hinted 'it is `btrfs-crypt list disk.img`' subvolume list disk.img
hinted 'it is `btrfs-crypt list -t disk.img`' sub list -t disk.img
hinted 'it is `btrfs-crypt dump-tree -t 5 disk.img`' inspect-internal dump-tree -t 5 disk.img
hinted 'it is `btrfs-crypt df disk.img`' fi usage disk.img
hinted 'it is `btrfs-crypt convert --encrypt disk.img vault`' luksformat disk.img vault
while read -r word instead; do hinted "it is \`btrfs-crypt $instead\`" $word disk.img vault; done <<'END'
luksDump key list disk.img vault
luksUUID key list disk.img vault
luksaddkey key add disk.img vault
addkey key add disk.img vault
luksChangeKey key change disk.img vault
passwd key change disk.img vault
luksRemoveKey key remove disk.img vault
luksKillSlot key remove --key-slot N disk.img vault
luksHeaderBackup key backup disk.img vault FILE
luksHeaderRestore key restore disk.img vault FILE
reencrypt convert --rekey disk.img vault
unlock key in disk.img vault
dump dump-tree disk.img vault
END
hinted 'it is `btrfs-crypt key list disk.img SUBVOL`' luksDump disk.img
hinted 'it is `btrfs-crypt convert --decrypt disk.img vault`' reencrypt --decrypt disk.img vault
hinted 'it is `btrfs-crypt convert --encrypt disk.img vault`' convert encrypt disk.img vault
hinted 'it is `btrfs-crypt convert --status disk.img`' convert status disk.img
hinted 'it is `btrfs-crypt benchmark`' bench
hinted 'it is `btrfs-crypt convert --rekey --help`' help rekey
hinted 'it is `btrfs-crypt key list --help`' luksDump --help
hinted 'key slots are removed one by one, by `key remove --key-slot N`; the last one needs --force' luksErase disk.img
hinted 'nothing is open between commands; `key out` takes a key out of a keyring' luksClose name
while read -r word verb; do
	for operands in "disk.img vault" "disk.img" ""; do hinted "did you mean \`btrfs-crypt key $verb\`?" key $word $operands; done
done <<'END'
luksAddKey add
Add add
luksDump list
lst list
show list
rm remove
delete remove
kill remove
passwd change
login in
logout out
unlock in
END
hinted 'VERB is one of list, add,' key frobnicate
btrfs-crypt frobnicate --format json > out 2> err
[ $? = 1 ] && [ ! -s out ] && grep -q '^{"error":"usage","status":1,"text":"frobnicate: unknown command"' err || bad "an unknown command in JSON: $(cat err)"
# Help of a verb has its operands and options, and no others.
btrfs-crypt key backup --help > out 2> err && grep -qx 'Usage: btrfs-crypt key backup \[OPTION...\] IMAGE SUBVOL FILE' out && grep -q -- --no-slots out &&
	! grep -qE -- '--label|^Verbs|--pbkdf=' out || bad "key backup --help: $(cat out err)"
btrfs-crypt key help > out 2> err && grep -q '^Verbs:' out || bad "key help: $(cat err)"
hinted 'SUBVOL is / for the top level, or what btrfs-crypt list shows' key list disk.img
hinted 'the new key is given by --new-key-file or --new-passphrase-file' key add disk.img vault other
hinted '--key-slot says which key slot is removed' key remove disk.img vault 5
hinted '--label gives the new label' key label disk.img vault name
hinted 'did you mean --key-slot?' key remove disk.img vault --slot 1
hinted 'did you mean --new-key-file?' key add disk.img vault --new-keyfile x
hinted 'did you mean --new-passphrase-file?' key change disk.img vault --new-passphrase-fil x
hinted 'did you mean --batch-mode?' key add -y disk.img vault
hinted 'did you mean --passphrase-file?' key list disk.img vault --password-file x
hinted 'leave it out: a new passphrase is always asked for twice' key add disk.img vault --verify-passphrase
hinted 'nothing has to be opened: cat, export and verify take the key' luksOpen disk.img name
hinted '`btrfs check` checks a filesystem; btrfs-crypt verify authenticates' check disk.img
hinted 'see btrfs-crypt --help' subvolume snapshot disk.img
hinted 'see btrfs-crypt --help' subvolume
hinted 'leave it out: no passphrase is refused for being weak' convert --encrypt --force-password disk.img vault
btrfs-crypt list -t disk.img > out 2> err && btrfs-crypt dump-tree -t 5 disk.img > out 2> err || bad "what a hint says does not work: $(cat err)"

# Commands, options, subvolumes, paths.
hinted 'it is `btrfs-crypt dump-tree --crypt disk.img`' dump-crypt disk.img
hinted 'it is `btrfs-crypt dump-tree -t fs disk.img`' inspect-internal dump-tree -t fs disk.img
hinted 'it is `btrfs-crypt list IMAGE [SUBVOL]`' subvolume list
hinted 'it is `btrfs-crypt resolve --inode=N IMAGE SUBVOL`' inspect-internal inode-resolve
hinted 'see btrfs-crypt --help' inspect-internal
hinted 'did you mean --super?' dump-super --bytenr 65536 disk.img
hinted 'did you mean EXTENT_DATA?' dump-tree --key 257,EXTENT_DAT disk.img
hinted 'see btrfs-crypt tree-stats --help' tree-stats -t 0 disk.img
hinted 'if it is a subvolume: its number is the ID that btrfs-crypt list shows' tree-stats -t vault disk.img
hinted 'it is the ID of a subvolume: id:257' show disk.img 257
hinted 'btrfs-crypt list shows the subvolumes' show disk.img 999
hinted 'if it is a further device of the filesystem: --device=disk.img.sum' list disk.img disk.img.sum
hinted 'did you mean `btrfs-crypt list`?' lits disk.img
hinted 'did you mean `btrfs-crypt convert --encrypt`?' encrpyt disk.img
hinted 'see btrfs-crypt --help' mount disk.img
expect 1 $'l\e[2Jst' << 'END'
! btrfs-crypt: l\x1b[2Jst: unknown command
! btrfs-crypt: hint: see btrfs-crypt --help
END
hinted 'did you mean --image-offset? see btrfs-crypt list --help' list --image-ofset=3 disk.img
hinted 'did you mean --image-offset? see btrfs-crypt list --help' list --offset 3 disk.img
hinted '"disk.img" was taken as ADDRESS, the argument of --logical' resolve --logical disk.img
hinted '"disk.img" was taken as ADDRESS, the argument of -eb' dump-tree -eb disk.img
hinted '"disk.img" was taken as none|name|size|time, the argument of --sort' ls --sort disk.img vault
hinted '4096, 0x1000, 4K and 4KiB are the same' resolve --logical disk.img vault
hinted 'see btrfs-crypt resolve --help' resolve --inode disk.img vault
grep -q -- '--inode: "disk.img" is not a number' err || bad "--inode disk.img: $(cat err)"
hinted 'see btrfs-crypt convert --help' convert --encrypt --key-file disk.img
hinted 'did you mean --ciphertext?' cat --raw disk.img vault secret.txt
hinted 'did you mean --bytes?' df --raw disk.img
hinted 'see btrfs-crypt df --help' df --image disk.img
hinted 'did you mean "vault"?' ls disk.img Vault
hinted 'did you mean "vault/nested"?' show disk.img nested
hinted 'did you mean "vault"?' convert --encrypt disk.img vautl
hinted 'btrfs-crypt list shows the subvolumes' ls disk.img nothing
hinted 'did you mean "secret.txt"?' cat --quiet disk.img vault Secret.txt
hinted 'did you mean "vault/secret.txt"?' stat disk.img / vault/secrettxt
hinted 'did you mean "vault"?' cat --quiet disk.img / vaults/secret.txt
expect 4 ls disk.img vault secret.txt/x <<< '! btrfs-crypt ls: "secret.txt" is not a directory'

# SUBVOL:PATH, and PATH alone.
way() { echo "if it is a subvolume: btrfs-crypt $1 disk.img $2 PATH; if it is a path of the top level: btrfs-crypt $1 disk.img / $2"; }
hinted "$(way cat vault/secret.txt)" cat disk.img vault/secret.txt
hinted "$(way cat vault)" cat disk.img vault
hinted "$(way resolve vault)" resolve disk.img vault
hinted "$(way stat "'a b'")" stat disk.img "a b"
hinted 'SUBVOL is / for the top level' ls disk.img
grep -qx 'btrfs-crypt ls: operand missing: SUBVOL\[:PATH\]' err || bad "what is there is not missing: $(cat err)"
hinted 'see btrfs-crypt convert --help' convert --resume
grep -qx 'btrfs-crypt convert: operand missing: IMAGE' err || bad "what is not taken is not missing: $(cat err)"
for command in "cat --quiet" stat "ls -l" resolve "stat -e"; do
	btrfs-crypt $command disk.img vault secret.txt > apart || bad "$command: status $?"
	btrfs-crypt $command disk.img vault:secret.txt > out && cmp out apart || bad "$command SUBVOL:PATH"
	btrfs-crypt $command disk.img id:257:secret.txt > out && cmp out apart || bad "$command id:N:PATH"
	btrfs-crypt $command disk.img /:vault/secret.txt 2> err | sed 's|^vault/||' | cmp - apart || bad "$command /:PATH"
done
btrfs-crypt stat disk.img vault secret.txt size-30001 > apart
btrfs-crypt stat disk.img vault:secret.txt vault:size-30001 | cmp - apart || bad "stat SUBVOL:PATH..."
for command in cat ls resolve; do	# and a PATH in that one
	btrfs-crypt $command disk.img vault:directory hard-link | cmp - <(btrfs-crypt $command disk.img vault directory/hard-link) || bad "$command SUBVOL:PATH PATH"
done
btrfs-crypt ls disk.img vault: | cmp - <(btrfs-crypt ls disk.img vault) || bad "ls SUBVOL:"

# Options of btrfs-progs, and of ls.
btrfs-crypt ls -la disk.img vault | cmp - <(btrfs-crypt ls -l disk.img vault) || bad "ls -la"
btrfs-crypt dump-super disk.img > all
btrfs-crypt dump-super -f -a disk.img | cmp - all || bad "dump-super -fa"
btrfs-crypt dump-super --super 1 disk.img > one
for n in 1 67108864 64M 0x4000000; do btrfs-crypt dump-super -f -s $n disk.img | cmp - one || bad "dump-super -s $n"; done
hinted 'see btrfs-crypt dump-super --help' dump-super -s 3 disk.img
btrfs-crypt dump-tree -t root disk.img > root
for words in "-t ROOT" "-t root_tree" "--noscan -t 1" "-t BTRFS_ROOT_TREE_OBJECTID"; do btrfs-crypt dump-tree $words disk.img | cmp - root || bad "dump-tree $words"; done
btrfs-crypt tree-stats -t checksum disk.img | grep -q 'Total nodes' || bad "tree-stats -t checksum"
cp disk.img twin.img
for command in dump-tree df tree-stats; do
	for words in "--device twin.img disk.img" "disk.img twin.img"; do
		btrfs-crypt $command $words > out 2> err
		[ $? != 0 ] && grep -q 'twin.img' err || bad "$command $words: $(cat err)"
	done
done
btrfs-crypt dump-super disk.img twin.img > out
[ "$(cat all <(echo) <(sed s/disk.img/twin.img/ all))" = "$(cat out)" ] || bad "dump-super of two"
btrfs-crypt --format json list disk.img > out && cmp out <(btrfs-crypt list --format=json disk.img) || bad "--format before the command"
btrfs-crypt --format=json list --format text disk.img | cmp - <(btrfs-crypt list disk.img) || bad "the --format behind the command"
expect 1 --format json lst << 'END'
! {"error":"usage","status":1,"text":"lst: unknown command","hint":"did you mean `btrfs-crypt list`? see btrfs-crypt --help"}
END
expect 1 --format << 'END'
! btrfs-crypt: --format: missing argument
! btrfs-crypt: hint: see btrfs-crypt --help
END
expect 1 --format xml list disk.img << 'END'
! btrfs-crypt list: --format takes text or json
! btrfs-crypt list: hint: see btrfs-crypt list --help
END

# A directory is no image.
mkdir directory
for command in "ls directory /" "cat directory / x" "stat directory / x" "df directory" "verify-key directory /" "list directory" "show directory"; do
	btrfs-crypt $command > out 2> err
	[ $? != 0 ] && grep -q 'hint: it is a directory: IMAGE is a file or block device' err || bad "$command: $(cat err)"
done

# Numbers.
btrfs-crypt cat --quiet disk.img vault size-30001 --offset 4096 --length 8192 > part
btrfs-crypt cat --quiet disk.img vault size-30001 --offset 0x1000 --length 8KiB | cmp - part || bad "--offset 0x1000 --length 8KiB"
btrfs-crypt list --image-offset 0x0 disk.img | cmp - <(btrfs-crypt list disk.img) || bad "--image-offset 0x0"
at=$(btrfs-crypt resolve disk.img vault size-30001 | sed -n '1s/.* logical \([0-9]*\) .*/\1/p')
btrfs-crypt resolve --logical "$at" disk.img > part
btrfs-crypt resolve --logical "$(printf 0x%x "$at")" disk.img | cmp - part || bad "--logical in hexadecimal"
btrfs-crypt resolve disk.img vault size-30001@4096 | cmp - <(btrfs-crypt resolve disk.img vault size-30001@4K) || bad "PATH@4K"
hinted '4096, 0x1000, 4K and 4KiB are the same' cat --offset 4Q disk.img vault secret.txt

# An address that is none is a mistake of the command line, and damage is damage.
root=$(btrfs-crypt dump-tree -r disk.img | sed -n 's/^root tree: \([0-9]*\) .*/\1/p')
btrfs-crypt dump-tree -b "$root" disk.img | grep -q "owner ROOT_TREE" || bad "dump-tree -b"
btrfs-crypt dump-tree -b "$(printf 0x%x "$root")" disk.img | grep -q "owner ROOT_TREE" || bad "dump-tree -b 0x..."
expect 1 dump-tree -b "$at" disk.img << END
! btrfs-crypt dump-tree: --block: data are at $at, and no tree block
! btrfs-crypt dump-tree: hint: see btrfs-crypt dump-tree --help
END
free=$(btrfs-crypt dump-tree -t free-space disk.img | sed -n 's/.*key (\([0-9]*\) FREE_SPACE_EXTENT \([0-9]*\)).*/\1 \2/p' | sort -n -k 2 | awk 'END { print $1 + $2 - 4096 }')
expect 1 dump-tree -b "$free" disk.img << END
! btrfs-crypt dump-tree: --block: no tree block of the filesystem is at $free: the extent tree has nothing there
! btrfs-crypt dump-tree: hint: see btrfs-crypt dump-tree --help
END
expect 1 dump-tree -b 1E disk.img << END
! btrfs-crypt dump-tree: --block: the filesystem has nothing at 1152921504606846976: it is in no chunk
! btrfs-crypt dump-tree: hint: see btrfs-crypt dump-tree --help
END
unchanged disk.img
vault=$(btrfs-crypt dump-tree -r disk.img | sed -n 's/^file tree key (257 ROOT_ITEM [0-9]*) \([0-9]*\) .*/\1/p')
physical=$(btrfs-crypt resolve --logical "$vault" disk.img | sed -n 's/.*physical \([0-9]*\).*/\1/p' | head -n 1)
cp disk.img twin.img
printf x | dd of=twin.img bs=1 seek=$((physical + 200)) conv=notrunc status=none
for copy in $(btrfs-crypt resolve --logical "$vault" disk.img | sed -n 's/.*physical \([0-9]*\).*/\1/p'); do printf x | dd of=twin.img bs=1 seek=$((copy + 200)) conv=notrunc status=none; done
btrfs-crypt dump-tree -b "$vault" twin.img > out 2> err
[ $? = 6 ] || bad "a damaged tree block is no damage: $(cat err)"
finish
