#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each member of each JSON line that is printed is in the table of the manual, under its command and record, and nothing is in it that no source has.
. "$(dirname "$0")/../expect.sh"
with_own_keyring
bundled_image
bundled_image spoiled.img
zstd -dqf "$TOP/images/good-sealed.img.zst" -o sealed.img
key=$TOP/images/good-sealed.passphrase
at=$(btrfs-crypt resolve disk.img vault size-30001 | sed -nE 's/.* physical ([0-9]+)$/\1/p' | head -n 1)
printf 'spoiled' | dd of=spoiled.img bs=1 seek=$((at + 5000)) conv=notrunc status=none
printf 'secret' > passphrase
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
cp spoiled.img carried.img

# tell COMMAND WORD...: what it prints, each line behind the name of the command
tell() {
	echo "$*" >> told
	btrfs-crypt "$1" --format json "${@:2}" 2>&1 | grep -a '^{' | sed "s/^/$1 /" >> lines
}
tell list sealed.img
tell list disk.img
tell show sealed.img vault
tell show disk.img shared
tell ls -l disk.img vault
tell ls -l sealed.img vault
tell ls -R disk.img /
tell stat --extents disk.img vault secret.txt link hole ledger.zlib
tell stat --extents sealed.img vault secret.txt size-30001
tell timeline disk.img vault
tell timeline sealed.img vault
tell timeline --changed-since shared-snapshot disk.img shared
tell resolve disk.img vault ledger.txt
tell resolve --logical "$at" disk.img
tell resolve --inode 256 disk.img vault
tell resolve --logical "$(btrfs-crypt dump-super disk.img | sed -n 's/^root\t\t*\([0-9]*\)$/\1/p' | head -n 1)" disk.img
# logical COMMAND...: the address of the first tree block that it prints
logical() { "$@" | sed -nE 's/^(leaf|node) ([0-9]+) .*/\2/p' | head -n 1; }
tell resolve --logical "$(logical btrfs-crypt dump-tree --tree=260 disk.img)" disk.img
tell resolve --logical "$(btrfs-crypt resolve --format json disk.img shared ledger.txt | sed -nE '1s/.*"logical":"([0-9]+)".*/\1/p')" disk.img
zstd -dqf "$TOP/images/good-log.img.zst" -o log.img
tell resolve --logical "$(btrfs-crypt dump-super log.img | sed -nE 's/^log_root\t+([0-9]+)$/\1/p' | head -n 1)" log.img
tell df disk.img
for tree in root chunk extent 257; do tell tree-stats --tree=$tree disk.img; done
tell tree-stats disk.img
tell dump-super --full disk.img
tell verify-key sealed.img vault --passphrase-file "$key"
tell key list sealed.img vault
tell key in sealed.img vault --passphrase-file "$key"
tell key status sealed.img vault
tell list sealed.img
tell show sealed.img vault
tell stat sealed.img vault secret.txt
tell key out sealed.img vault --forget
tell key export-volume-key sealed.img vault volume-key --passphrase-file "$key" --batch-mode
tell key backup sealed.img vault header
tell key restore sealed.img vault header --passphrase-file "$key"
tell verify sealed.img vault --passphrase-file "$key" --expect-seal 00000000000000000000000000000000 --progress=json
tell audit sealed.img vault --passphrase-file "$key" --progress=json
tell benchmark --iter-time 1
tell convert --status disk.img
tell convert --encrypt --dry-run disk.img vault
# Stopped by the bad block, and gone on with.
cp spoiled.img stopped.img
tell convert --encrypt stopped.img vault --key-file passphrase $cheap
for command in "dump-super stopped.img" "dump-super --full stopped.img" "list stopped.img" "show stopped.img vault" "ls -l stopped.img vault" "df stopped.img" \
	"stat stopped.img vault secret.txt" "resolve stopped.img vault ledger.txt" "tree-stats stopped.img" "verify-key stopped.img vault --key-file passphrase" \
	"timeline stopped.img vault" "convert --status stopped.img" "convert --status stopped.img --key-file passphrase" \
	"cat stopped.img vault secret.txt" "convert --abort stopped.img --key-file passphrase --progress=json"; do
	tell $command
done
tell convert --encrypt --on-error=continue carried.img vault --key-file passphrase $cheap --progress=json
tell verify carried.img vault --key-file passphrase
tell convert --decrypt carried.img vault --key-file passphrase
tell cat spoiled.img vault size-30001 --report cat.report
tell export spoiled.img vault -o made.tar --report export.report
tell cat sealed.img vault secret.txt
cp sealed.img slots.img
tell key add slots.img vault --passphrase-file "$key" --new-key-file passphrase $cheap
tell key label slots.img vault --key-file passphrase --label other
tell key recovery slots.img vault --key-file passphrase --batch-mode
tell key change slots.img vault --key-file passphrase --new-key-file volume-key $cheap
tell key remove slots.img vault --key-file volume-key
zstd -dqf "$TOP/images/good-2016.img.zst" -o old.img
tell audit old.img vault
printf '\x49\x87\x0c\xfd\x79\x58\xb6\x77\xae\x16\x90\x24\x76\x57\x2d\xd9' > old.key
for command in "list old.img" "show old.img vault" "stat --extents old.img vault secret.txt size-4097" "resolve old.img vault size-4097" \
	"verify-key old.img vault --volume-key-file old.key" "verify old.img vault --volume-key-file old.key" "key status old.img vault"; do
	tell $command
done
grep -q '^stat .*"record":"extent".*"encrypted":true' lines || bad "no extent of the format of 2016"
sed 's/^/report /' cat.report export.report >> lines

# A root directory is /, whichever command names it.
grep '"path":""' lines && bad "an empty path"
for row in 'timeline .*"path":"/","inode":"256"' 'resolve .*"inode":"256".*"path":"/"'; do
	grep -q "^$row" lines || bad "no line $row"
done
# What is sealed and was not opened is marked so in every row, and nothing else is.
for command in ls timeline stat; do
	grep "^$command " lines | grep -q '"authenticated":false' || bad "$command: no row of a sealed subvolume says so"
done
btrfs-crypt timeline --format json sealed.img vault 2>/dev/null | grep -v '"authenticated":false' | grep -q . && bad "timeline: a row of a sealed subvolume does not say so"
btrfs-crypt timeline --format json disk.img vault | grep -q '"authenticated"' && bad "timeline: a row of a plain subvolume says that it is not authenticated"
python3 "$TOP/tests/cli/json-members.py" "$TOP" lines || bad "manual and program do not agree"
finish
