#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Where a secret comes from: what may be combined, what a file must hold.
. "$(dirname "$0")/../expect.sh"
bundled_image
printf 'secret' > key
quiet btrfs-crypt convert --encrypt disk.img public --key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000
unchanged disk.img

# refused STATUS TEXT OPTION...
refused() {
	local status=$1 text=$2
	shift 2
	{
		echo "! btrfs-crypt verify-key: $text"
		case $status:$text in
		1:*'"5x"'* | 1:--keyfile-offset:*) echo "! btrfs-crypt verify-key: hint: 4096, 0x1000, 4K and 4KiB are the same; M, G, T, P and E are understood as well" ;;
		1:*) echo "! btrfs-crypt verify-key: hint: see btrfs-crypt verify-key --help" ;;
		esac
		[ -z "${hint:-}" ] || echo "! btrfs-crypt verify-key: hint: $hint"
	} > text
	transcript "$status" btrfs-crypt verify-key disk.img public "$@" < text
}

refused 1 "only one of --key-file, --passphrase-file and --passphrase-fd" --key-file key --passphrase-file key
refused 1 "only one of --key-file, --passphrase-file and --passphrase-fd" --passphrase-fd 0 --passphrase-file key
refused 1 "standard input can be only one secret" --key-file - --volume-key-file -
refused 1 "--keyfile-size and --keyfile-offset need --key-file" --keyfile-size 5 --passphrase-file key
refused 1 '--keyfile-size: "0" is not a number from 1 to 8388608' --key-file key --keyfile-size 0
refused 1 '--keyfile-size: "8388609" is not a number from 1 to 8388608' --key-file key --keyfile-size 8388609
refused 1 '--keyfile-size: "5x" is not a number from 1 to 8388608' --key-file key --keyfile-size 5x
refused 1 '--key-slot: "32" is not a number from 0 to 31' --key-file key --key-slot 32
refused 1 '--key-slot: "-1" is not a number from 0 to 31' --key-file key -S -1
refused 1 '--passphrase-fd: "-1" is not a number from 0 to 2147483647' --passphrase-fd=-1
refused 1 '--passphrase-fd: "4294967296" is not a number from 0 to 2147483647' --passphrase-fd 4294967296
refused 1 '--passphrase-fd: "" is not a number from 0 to 2147483647' --passphrase-fd ""
refused 1 '--passphrase-fd: "\x1b[2J" is not a number from 0 to 2147483647' --passphrase-fd $'\e[2J'
refused 1 '--keyfile-offset: "-1" is not a number from 0 to 9223372036854775807' --key-file key --keyfile-offset=-1
refused 2 "the volume key file does not have exactly 32 bytes" --volume-key-file key
head -c 33 /dev/zero > long
refused 2 "the volume key file does not have exactly 32 bytes" --volume-key-file long
refused 2 "the key file has 4 bytes there, --keyfile-size asks for 5" --key-file key --keyfile-offset 2 --keyfile-size 5
refused 2 "key has no byte at the offset 100 of the key: it ends there or earlier" --key-file key --keyfile-offset 100
refused 2 "key has no byte at the offset 6 of the key: it ends there or earlier" --key-file key --keyfile-offset 6
expect 2 verify-key disk.img public <<'END'
! btrfs-crypt verify-key: a key is needed, but standard input is not a terminal to ask on
! btrfs-crypt verify-key: hint: give --key-file, --passphrase-file or --passphrase-fd; a key in a keyring is taken only with --keyring
END

FILTER='s/btrfs:[0-9a-f]{8}/btrfs:TAG/'
matches() {
	transcript 0 btrfs-crypt verify-key disk.img public "$@" <<< "key matches: aes-256-gcm@btrfs:TAG (slot 0)"
}
matches --key-file key
matches -d key -S 0
printf 'xxsecretyy' > padded
matches --key-file padded --keyfile-offset 2 --keyfile-size 6
printf 'secret\n' > line
matches --passphrase-file line
matches --key-file line --keyfile-size 6
transcript 0 bash -c 'btrfs-crypt verify-key disk.img public --passphrase-fd 7 7< line' <<< "key matches: aes-256-gcm@btrfs:TAG (slot 0)"
transcript 0 bash -c 'btrfs-crypt verify-key disk.img public --passphrase-file - < line' <<< "key matches: aes-256-gcm@btrfs:TAG (slot 0)"
transcript 0 bash -c 'btrfs-crypt verify-key disk.img public --key-file - < key' <<< "key matches: aes-256-gcm@btrfs:TAG (slot 0)"
# A key that is right but for the end of its line: that is said, by every command, and it is wrong nevertheless.
printf 'secret\r\n' > windows
printf 'secret\n\n' > two
printf 'secre' > short
hint="it is right without the newline at its end; --passphrase-file removes it"
refused 2 "wrong key or passphrase" --key-file line
hint="it is right without the newline at its end"
refused 2 "wrong key or passphrase" --passphrase-file two
hint="it is right without the carriage return and the newline at its end"
refused 2 "wrong key or passphrase" --key-file windows
hint="it is right without the carriage return at its end"
refused 2 "wrong key or passphrase" --passphrase-file windows
hint=
refused 2 "wrong key or passphrase" --passphrase-file short
hint="only slot 1 was tried; without --key-slot all are"
refused 2 "wrong key or passphrase" --key-file key --key-slot 1

# Every command that takes a key says what is often wrong with it.
while read -r command; do
	btrfs-crypt $command --key-file line > out 2> err
	[ $? = 2 ] || bad "$command: status $?"
	grep -qxE "btrfs-crypt ${command%% *}: (link: )?wrong key or passphrase" err || { bad "$command: no error"; cat err; }
	grep -qxF "btrfs-crypt ${command%% *}: hint: it is right without the newline at its end; --passphrase-file removes it" err ||
		{ bad "$command: no hint"; cat err; }
done << 'END'
verify-key disk.img public
verify disk.img public
cat disk.img public ledger.txt
export disk.img public -o never.tar
ls -l disk.img public
stat disk.img public link
convert --decrypt disk.img public
END
# The other way round: slots that were made from files with more at their end.
slot() { quiet btrfs-crypt key add disk.img public --key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$@"; }
printf 'open\n' > newline
printf 'gate\r\n' > both
printf 'door\r\n' > return
slot --new-key-file newline
slot --new-key-file both
slot --new-passphrase-file return
# A key that is no text ends by chance with the byte of a newline.
printf '\001\002\003' > binary
slot --new-key-file binary
rm -f disk.img.sum
unchanged disk.img
for row in "open|it is right with a newline at its end: --key-file takes every byte of a file" \
	"gate|it is right with a carriage return and a newline at its end: --key-file takes every byte of a file" \
	"door|it is right with a carriage return at its end, as --passphrase-file takes it from a line of Windows"; do
	printf '%s' "${row%%|*}" > given
	hint=${row#*|}
	refused 2 "wrong key or passphrase" --passphrase-file given
	refused 2 "wrong key or passphrase" --key-file given
done
printf 'gate\n' > given
hint="it is right with a carriage return and a newline at its end: --key-file takes every byte of a file"
refused 2 "wrong key or passphrase" --key-file given
# Of the slot that is chosen alone.
hint="only slot 0 was tried; without --key-slot all are"
refused 2 "wrong key or passphrase" --key-file given --key-slot 0
printf '\001\002\003\n' > given
hint=
refused 2 "wrong key or passphrase" --key-file given
unchanged disk.img
[ ! -e never.tar ] || bad "a wrong key made an archive"
unchanged disk.img
finish
