#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A signal before anything was written: whatever was asked for, it ends at once with status 8, and not a byte is changed.  Later it stops after the batch,
# and a second signal ends it there.
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
	signal "$1" caught "stopped; nothing was changed" "${@:2}"
	unchanged disk.img
}

stays INT --encrypt disk.img / $how
stays TERM --encrypt disk.img / --key-file key --iter-time 200
expect 0 convert --status disk.img <<< "no unfinished conversion"

# While a key is derived from the passphrase, which here takes a minute.
rm -f disk.img.sum
unchanged disk.img
for name in INT TERM HUP; do
	btrfs-crypt convert --encrypt disk.img / --key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 100000000 --format json > out 2> err < /dev/null &
	pid=$!
	while read -r -a field 2> log < "/proc/$pid/stat" && [ "${field[2]}" != Z ] && [ "${field[13]}" -lt 100 ]; do sleep 0.1; done
	kill -$name $pid
	wait $pid
	[ $? -eq 8 ] && grep -qxF '{"error":"stopped","status":8,"command":"convert","text":"stopped; nothing was changed","resumable":false}' err ||
		{ bad "SIG$name while a key is derived"; cat err; }
done
unchanged disk.img

data='says:"progress":"data","done":"[1-9]'
with_signal INT+TERM "$data" convert --encrypt disk.img / $how --progress=json --progress-frequency 0 > out 2> err
[ $? -eq 143 ] && ! grep -q 'stopped at' err || { bad "a second signal"; tail -n 3 err; }
btrfs-crypt convert --status disk.img > out
[ $? -eq 7 ] || { bad "not unfinished after a second signal"; cat out; }
with_signal TERM "$data" convert --abort disk.img --key-file key --progress=json --progress-frequency 0 --format json > out 2> err
[ $? -eq 8 ] && grep -qxF '{"note":"stopping after this batch..."}' err && grep '"error":"stopped"' err | grep -q '"resumable":true' ||
	{ bad "a signal later, in JSON"; tail -n 3 err; }
quiet btrfs-crypt convert --abort disk.img --key-file key

signal INT "$data" "stopped at a safe point" --encrypt disk.img / $how
grep -qxF 'btrfs-crypt convert: note: stopping after this batch...' err || bad "it does not say that it stops"
stays INT --resume disk.img --key-file key
stays HUP --abort disk.img --key-file key
btrfs-crypt convert --status disk.img > out
[ $? -eq 7 ] && grep -q '^direction:  to sealed$' out || { bad "it is not what it was"; cat out; }
quiet btrfs-crypt convert --resume disk.img --key-file key
btrfs-crypt verify disk.img / --key-file key > out 2>&1 || { bad "it is not sealed"; cat out; }

stays TERM --decrypt disk.img / --key-file key
expect 0 convert --status disk.img <<< "no unfinished conversion"
quiet btrfs-crypt convert --decrypt disk.img / --key-file key
btrfs-crypt cat disk.img / random | cmp -s - tree/random || bad "random is not what it was"
finish
