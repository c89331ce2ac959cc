#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A signal before anything was written: whatever was asked for, it stops with status 8 and not a byte is changed.
. "$(dirname "$0")/../expect.sh"
PATH=$PATH:/usr/sbin:/sbin
command -v mkfs.btrfs > /dev/null || { echo "needs mkfs.btrfs"; exit 77; }
mkdir tree
head -c 160M /dev/urandom > tree/random
truncate -s 400M disk.img
quiet mkfs.btrfs --rootdir tree disk.img
printf 'secret' > key
# The key takes long enough for the signal to come before the first write.
how="--key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 2000000"

# signal SIGNAL WHEN TEXT WORD...: sends it once the command WHEN is true; it stops with status 8 and TEXT
signal() {
	local name=$1 when=$2 text=$3 pid status
	shift 3
	: > err
	env --default-signal=HUP btrfs-crypt convert "$@" --progress=json --progress-frequency 0 > out 2> err < /dev/null &
	pid=$!
	for _ in $(seq 3000); do
		$when $pid && break
		kill -0 $pid 2> /dev/null || break
		sleep 0.01
	done
	kill "-$name" $pid 2> /dev/null
	wait $pid
	status=$?
	[ $status = 8 ] && grep -qF "btrfs-crypt convert: $text" err || { bad "$* with SIG$name: status $status"; tail -n 3 err; }
}
catches_it() {	# SIGTERM is caught: from there on it is the conversion that stops
	local caught
	# Until the shell's child has become the program, it is the shell that catches: its trap would remove the directory.
	[ "$(cat "/proc/$1/comm" 2> /dev/null)" = btrfs-crypt ] || return 1
	caught=$(sed -n 's/^SigCgt:\t//p' "/proc/$1/status" 2> /dev/null)
	[ -n "$caught" ] && [ $((0x$caught >> 14 & 1)) = 1 ]
}
writes_data() { grep -q '"progress":"data","done":"[1-9]' err; }

# stays SIGNAL WORD...: stopped before the first write
stays() {
	rm -f disk.img.sum
	unchanged disk.img
	signal "$1" catches_it "stopped before anything was changed" "${@:2}"
	unchanged disk.img
}

stays INT --encrypt disk.img / $how
stays TERM --encrypt disk.img / --key-file key --iter-time 3000
expect 0 convert --status disk.img <<< "no unfinished conversion"

signal INT writes_data "stopped at a safe point" --encrypt disk.img / $how
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
