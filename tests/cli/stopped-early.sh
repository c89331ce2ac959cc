#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A signal before anything was written: whatever was asked for, it stops with status 8 and not a byte is changed.
. "$(dirname "$0")/../expect.sh"
PATH=$PATH:/usr/sbin:/sbin
command -v mkfs.btrfs > /dev/null || { echo "needs mkfs.btrfs"; exit 77; }
mkdir tree
head -c 80M /dev/urandom > tree/random
truncate -s 200M disk.img
quiet mkfs.btrfs --rootdir tree disk.img
printf 'secret' > key
how="--key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000"

# signal SIGNAL CONDITION TEXT WORD...: sends it then; it stops with status 8 and TEXT
signal() {
	local name=$1 condition=$2 text=$3 status
	shift 3
	with_signal "$name" "$condition" convert "$@" --progress=json --progress-frequency 0 > out 2> err
	status=$?
	[ $status = 8 ] && grep -qF "btrfs-crypt convert: $text" err || { bad "$* with SIG$name: status $status"; tail -n 3 err; }
}

# stays SIGNAL WORD...: stopped before the first write
stays() {
	rm -f disk.img.sum
	unchanged disk.img
	signal "$1" caught "stopped before anything was changed" "${@:2}"
	unchanged disk.img
}

stays INT --encrypt disk.img / $how
stays TERM --encrypt disk.img / --key-file key --iter-time 200
expect 0 convert --status disk.img <<< "no unfinished conversion"

signal INT 'says:"progress":"data","done":"[1-9]' "stopped at a safe point" --encrypt disk.img / $how
stays INT --resume disk.img --key-file key
stays HUP --abort disk.img --key-file key
btrfs-crypt convert --status disk.img > out
[ $? -eq 7 ] && grep -q '^direction:  to sealed$' out || { bad "it is not what it was"; cat out; }
quiet btrfs-crypt convert --resume disk.img --key-file key

stays TERM --decrypt disk.img / --key-file key
expect 0 convert --status disk.img <<< "no unfinished conversion"
quiet btrfs-crypt convert --decrypt disk.img / --key-file key
btrfs-crypt cat disk.img / random | cmp -s - tree/random || bad "random is not what it was"
finish
