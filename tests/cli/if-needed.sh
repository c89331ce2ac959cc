#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# convert --if-needed: what is as it should be is exit status 0 and not a byte is changed; a key that is another one, and a mixture, are refused.
. "$(dirname "$0")/../expect.sh"
zstd -dqf "$TOP/images/good-plain.img.zst" -o disk.img
printf 'secret' > key
printf 'wrong' > wrong
how="--key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000 -q"

# done STATUS TEXT WORD...: nothing is changed
done_already() {
	local status=$1 text=$2 have
	shift 2
	rm -f disk.img.sum
	unchanged disk.img
	btrfs-crypt convert "$@" > out 2>&1
	have=$?
	[ $have = "$status" ] && grep -qF -- "$text" out || { bad "convert $*: status $have, not $status"; cat out; }
	unchanged disk.img
}

done_already 0 "nothing to do: not sealed" --decrypt disk.img vault --if-needed --key-file key
done_already 9 "vault is not sealed" --decrypt disk.img vault --key-file key
done_already 0 "would be sealed" --encrypt disk.img vault --if-needed --dry-run $how
quiet btrfs-crypt convert --encrypt disk.img vault --if-needed $how
done_already 9 "vault is sealed already" --encrypt disk.img vault $how
done_already 0 "nothing to do: sealed already under this key" --encrypt disk.img vault --if-needed $how
grep -qE '^  [0-9]+ vault$' out || { bad "the subvolume is not named"; cat out; }
done_already 0 '"result":"nothing to do: sealed already under this key","nothing_to_do":true,"members":[{"id":"257","path":"vault"}]' --encrypt disk.img vault --if-needed $how --format json
done_already 2 "wrong key or passphrase" --encrypt disk.img vault --if-needed --key-file wrong -q
done_already 2 "not a terminal" --encrypt disk.img vault --if-needed -q < /dev/null
done_already 9 "vault is sealed already" --encrypt disk.img vault public --if-needed $how
done_already 9 "vault is sealed already" --encrypt disk.img public vault --if-needed $how
done_already 4 'subvolume "nowhere" not found' --encrypt disk.img nowhere --if-needed $how
done_already 1 "--if-needed goes with --encrypt or --decrypt" --rekey disk.img vault --if-needed --key-file key
done_already 1 "--if-needed goes with --encrypt or --decrypt" --resume disk.img --if-needed --key-file key
quiet btrfs-crypt convert --decrypt disk.img vault --if-needed --key-file key
done_already 0 "nothing to do: not sealed" --decrypt disk.img vault --if-needed --key-file key
zstd -dqf "$TOP/images/good-2016.img.zst" -o disk.img
done_already 2 "no key was given" --decrypt disk.img vault --if-needed --no-keyring
finish
