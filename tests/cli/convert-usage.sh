#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# convert: which options go together, and what this version does not support. The image does not even have to exist.
. "$(dirname "$0")/../expect.sh"

# refused STATUS TEXT OPTION...
refused() {
	local status=$1 text=$2
	shift 2
	{
		echo "! btrfs-crypt convert: $text"
		[ "$status" != 1 ] || echo "! btrfs-crypt convert: hint: see btrfs-crypt convert --help"
	} > text
	transcript "$status" btrfs-crypt convert "$@" < text
}
one_of="only one of --encrypt, --decrypt, --rekey, --purge, --abort and --status, or --resume with one of the first three"

refused 1 "operand missing: IMAGE" --encrypt
refused 1 "one of --encrypt, --decrypt, --rekey, --purge, --resume, --abort and --status is needed" disk.img home
refused 1 "$one_of" --encrypt --decrypt disk.img home
refused 1 "$one_of" --resume --abort disk.img
refused 1 "$one_of" --status --encrypt disk.img
refused 1 "$one_of" --abort --decrypt disk.img
refused 1 "$one_of" --encrypt --decrypt --resume disk.img
refused 1 "$one_of" --encrypt --rekey disk.img home
refused 1 "$one_of" --abort --rekey disk.img
refused 1 "operand missing: SUBVOL" --encrypt disk.img
refused 1 "operand missing: SUBVOL" --decrypt disk.img
refused 1 "--decrypt takes one SUBVOL, and unseals all that were sealed with it" --decrypt disk.img a b
refused 1 "--rekey takes one SUBVOL, and rekeys all that were sealed with it" --rekey disk.img a b
refused 1 "operand missing: SUBVOL" --rekey disk.img
for way in "--resume" "--abort" "--status" "--decrypt --resume" "--encrypt --resume"; do
	refused 1 "--resume, --abort and --status take no SUBVOL; they act on the conversion recorded in the image" $way disk.img home
done
refused 1 "--cipher takes aes-256-gcm or chacha20-poly1305" --encrypt --cipher rot13 disk.img home
refused 1 "--shared takes refuse, include or copy" --encrypt --shared maybe disk.img home
refused 1 "--pbkdf takes argon2id or pbkdf2" --encrypt --pbkdf scrypt disk.img home
refused 1 "--pbkdf-memory goes with --pbkdf argon2id" --encrypt --pbkdf pbkdf2 --pbkdf-memory 65536 disk.img home
refused 1 "only one of --iter-time and --pbkdf-force-iterations" --encrypt -i 100 --pbkdf-force-iterations 4 disk.img home
refused 1 "--progress takes auto, none, bar or json" --encrypt --progress loud disk.img home
refused 1 "--on-error takes stop or continue" --encrypt --on-error pray disk.img home
# A number that is none, or is too small or too large: the option, what was given, and what may be; the limits themselves pass.
# number OPTION LEAST MOST OTHER...: OTHER are options to go with it
number() {
	local option=$1 least=$2 most=$3 value
	shift 3
	for value in "$((least - 1))" "$((most + 1))" -1 "" many 5x " 5" 0x10000 1e5 99999999999999999999999; do
		refused 1 "$option: \"$value\" is not a number from $least to $most" --encrypt "$option=$value" "$@" disk.img home
	done
	for value in "$least" "$most"; do
		transcript 4 btrfs-crypt convert --encrypt "$option=$value" "$@" disk.img home <<'END'
! btrfs-crypt convert: disk.img: cannot open: No such file or directory
END
	done
}
number --pbkdf-memory 65536 1048576
number --pbkdf-force-iterations 3 64
number --pbkdf-force-iterations 1000 100000000 --pbkdf pbkdf2
number --iter-time 1 600000
refused 1 '--iter-time: "0" is not a number from 1 to 600000' --encrypt -i 0 disk.img home
refused 1 "--pbkdf-memory 1048576 and --pbkdf-force-iterations 17: their product is more than 16777216" \
	--encrypt --pbkdf-memory 1048576 --pbkdf-force-iterations 17 disk.img home
for value in -1 "" often 1e9 86401 nan inf 0x1 . 1.2.3; do
	refused 1 "--progress-frequency: \"$value\" is not a number from 0 to 86400" --encrypt "--progress-frequency=$value" disk.img home
done
for value in 0 0.25 .5 86400; do
	transcript 4 btrfs-crypt convert --encrypt --progress-frequency $value disk.img home <<< "! btrfs-crypt convert: disk.img: cannot open: No such file or directory"
done
for option in "--cipher aes-256-gcm" "--shared refuse" --recursive "--pbkdf argon2id" "--pbkdf-memory 65536" \
	"--pbkdf-force-iterations 4" "--iter-time 100"; do
	case $option in --shared*|--recursive) with="--encrypt, or with --decrypt of the format of 2016" ;; *) with="--encrypt or --rekey" ;; esac
	case $option in --shared*|--recursive) ;; *) refused 1 "${option%% *} goes with $with" --decrypt $option disk.img home ;; esac
	refused 1 "${option%% *} goes with $with" --resume $option disk.img
done
refused 1 "--shared goes with --encrypt, or with --decrypt of the format of 2016" --rekey --shared refuse disk.img home
for way in --encrypt --rekey --resume; do
	refused 1 "--force-key goes with --decrypt" $way --force-key disk.img $([ $way = --resume ] || echo home)
done
refused 1 "--kdf goes with --decrypt, --resume, --abort and --status" --encrypt --kdf scrypt-2017 disk.img home
for way in --encrypt --decrypt --resume; do
	refused 1 "--drop-slots goes with --rekey" $way --drop-slots disk.img $([ $way = --resume ] || echo home)
done
refused 1 "--accept-changes goes with --decrypt or --rekey" --encrypt --accept-changes disk.img home
for way in --resume "--decrypt --resume" "--encrypt --resume"; do
	refused 1 "--expect-seal does not go with --resume: it is checked when unsealing or rekeying begins" $way --expect-seal 00112233445566778899aabbccddeeff disk.img
	refused 1 "--accept-changes does not go with --resume: changes are accepted when unsealing or rekeying begins" $way --accept-changes disk.img
	refused 1 "--accept-unsealed does not go with --resume: data are accepted when unsealing or rekeying begins" $way --accept-unsealed disk.img
	refused 1 "--dry-run does not go with --resume: a plan is made before a conversion begins" $way --dry-run disk.img
done
refused 1 "--expect-seal goes with --decrypt or --rekey" --encrypt --expect-seal 00112233445566778899aabbccddeeff disk.img home
refused 1 "--expect-seal goes with --decrypt or --rekey" --abort --expect-seal 00112233445566778899aabbccddeeff disk.img
refused 1 "--expect-seal takes 32 hexadecimal digits" --decrypt --expect-seal 0011 disk.img public
refused 1 "--accept-unsealed goes with --decrypt or --rekey" --encrypt --accept-unsealed disk.img home
refused 1 "--dry-run goes with --encrypt, --decrypt, --rekey or --purge" --abort --dry-run disk.img
refused 1 "--on-error goes with --encrypt or --resume" --decrypt --on-error=continue disk.img home
refused 1 "--on-error goes with --encrypt or --resume" --decrypt --resume --on-error=continue disk.img
refused 1 "--on-error goes with --encrypt or --resume" --abort --on-error=stop disk.img
refused 1 "--skip-damaged=N goes with --resume or --abort" --encrypt --skip-damaged=1 disk.img home
refused 1 "--skip-damaged does not go with --status" --status --skip-damaged disk.img
refused 1 "--skip-damaged=N goes with --resume or --abort" --decrypt --skip-damaged=1 disk.img home
refused 1 "--skip-damaged: \"0\" is not a number from 1 to 4294967295" --resume --skip-damaged=0 disk.img
# its number is there behind an = only: what follows is an operand
refused 1 "--resume, --abort and --status take no SUBVOL; they act on the conversion recorded in the image" --resume --skip-damaged disk.img 3
refused 1 "--read-back does not go with --status" --status --read-back disk.img

some=(--domain 5d1c3a52-0b5f-4e0c-9a3f-3f7d3c1c8a11)
refused 1 "--domain goes with --purge" --encrypt "${some[@]}" disk.img home
refused 1 "--purge takes no SUBVOL: none may be left; --domain says which sealing" --purge "${some[@]}" disk.img home
refused 1 "$one_of" --purge --resume "${some[@]}" disk.img
refused 1 "$one_of" --purge --decrypt "${some[@]}" disk.img
for option in "--key-file key" "--volume-key-file key" "--passphrase-file key" "--header backup"; do
	refused 1 "--purge takes no key: nothing is left that one could open" --purge "${some[@]}" $option disk.img
done
for option in --read-back --skip-damaged; do refused 1 "$option does not go with --purge" --purge "${some[@]}" $option disk.img; done
refused 1 "--cipher goes with --encrypt or --rekey" --purge "${some[@]}" --cipher aes-256-gcm disk.img
transcript 1 btrfs-crypt convert --purge disk.img << 'END'
! btrfs-crypt convert: --purge needs --domain UUID
! btrfs-crypt convert: hint: `btrfs-crypt list` prints the uuid of each sealing without subvolumes
END
transcript 1 btrfs-crypt convert --purge --domain 5d1c disk.img << 'END'
! btrfs-crypt convert: malformed uuid "5d1c"
! btrfs-crypt convert: hint: 36 characters as `btrfs-crypt list` prints them
END
transcript 4 btrfs-crypt convert --purge "${some[@]}" disk.img << 'END'
! btrfs-crypt convert: disk.img: cannot open: No such file or directory
END

refused 1 "standard input can be only one secret" --rekey --key-file - --passphrase-fd 0 disk.img home
refused 1 "only one of --key-file, --passphrase-file and --passphrase-fd" --decrypt --key-file a --passphrase-file b disk.img home
refused 1 "--cipher takes aes-256-gcm or chacha20-poly1305" --rekey --cipher rot13 disk.img home
refused 1 "--shared takes refuse, include or copy" --encrypt --shared=move disk.img home
finish
