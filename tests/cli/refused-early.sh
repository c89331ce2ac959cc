#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A refusal that the image alone decides comes before a passphrase is asked for or its file is read.
. "$(dirname "$0")/../expect.sh"
python3 -c 'import pty' 2> /dev/null || { echo "needs python3"; exit 77; }
bundled_image
printf 'secret' > key
quiet btrfs-crypt convert --encrypt disk.img vault --key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000
unchanged disk.img
mkfifo pipe

# refused STATUS TEXT WORD...: nobody writes to the pipe, so that whoever reads it waits for ever, and tests/run ends the test
refused() {
	local status=$1 text=$2 key
	shift 2
	for key in "--key-file pipe" "--passphrase-file pipe" "--passphrase-fd 9" "--volume-key-file pipe" "--key-file missing" ""; do
		transcript "$status" btrfs-crypt "$@" $key <<< "! btrfs-crypt $1: $text"
	done
	"$TOP/tests/on-terminal.py" -- btrfs-crypt "$@" > shown
	[ $? -eq "$status" ] && [ "$(tr -d '\r' < shown)" = "btrfs-crypt $1: $text" ] || { bad "$* on a terminal"; cat shown; }
}
for action in "" --dry-run; do
	refused 9 "public is not sealed" convert --decrypt $action disk.img public
	[ -n "$action" ] || action=--recursive
	refused 9 "vault is sealed already" convert --encrypt $action disk.img vault
	refused 9 "id:257 is sealed already" convert --encrypt $action disk.img public id:257
done
refused 9 "public is not sealed" verify disk.img public
refused 9 "public is not sealed" verify-key disk.img public
transcript 4 btrfs-crypt convert --encrypt disk.img public//nested < <(sed 's/^/! btrfs-crypt convert: /' <<END
subvolume "public//nested" not found
hint: btrfs-crypt list shows the subvolumes
END
)
transcript 4 btrfs-crypt convert --encrypt disk.img vault//nested < <(sed 's/^/! btrfs-crypt convert: /' <<END
subvolume "vault//nested" not found
hint: it is subvolume id:258 in another spelling; btrfs-crypt list shows the subvolumes
END
)
unchanged disk.img
finish
