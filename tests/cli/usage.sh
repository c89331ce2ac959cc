#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Misuse prints one line and where help is, on stderr, with status 1. Requested help is on stdout, with status 0.
. "$(dirname "$0")/../expect.sh"

expect 1 <<'END'
! btrfs-crypt: command missing
! btrfs-crypt: hint: see btrfs-crypt --help
END
expect 1 frobnicate disk.img <<'END'
! btrfs-crypt: frobnicate: unknown command
! btrfs-crypt: hint: see btrfs-crypt --help
END
expect 1 --frobnicate <<'END'
! btrfs-crypt: --frobnicate: unknown option
! btrfs-crypt: hint: see btrfs-crypt --help
END
expect 1 ls --frobnicate disk.img <<'END'
! btrfs-crypt ls: --frobnicate: unknown option
! btrfs-crypt ls: hint: see btrfs-crypt ls --help
END
expect 1 ls --format <<'END'
! btrfs-crypt ls: --format: missing argument
! btrfs-crypt ls: hint: see btrfs-crypt ls --help
END
# The runner of the tests prints its head.
"$TOP/tests/run" --help > out 2> err && grep -q '^run \[--build DIR\]' out && [ ! -s err ] || bad "tests/run --help"
expect 1 ls <<'END'
! btrfs-crypt ls: operand missing: IMAGE SUBVOL[:PATH]
! btrfs-crypt ls: hint: see btrfs-crypt ls --help
END
expect 1 ls disk.img / a b <<'END'
! btrfs-crypt ls: too many operands: IMAGE SUBVOL[:PATH] [PATH]
! btrfs-crypt ls: hint: see btrfs-crypt ls --help
END
expect 1 list --format xml disk.img <<'END'
! btrfs-crypt list: --format takes text or json
! btrfs-crypt list: hint: see btrfs-crypt list --help
END
for misuse in "ls --sort=age disk.img /|--sort takes none, name, size or time" "dump-tree --follow disk.img|--follow goes with --block" \
	"dump-tree --hide-names --raw-names disk.img|--hide-names does not go with --raw-names" \
	"dump-tree --key 1 --min-key 1 disk.img|--key does not go with --min-key and --max-key"; do
	transcript 1 btrfs-crypt ${misuse%|*} <<END
! btrfs-crypt ${misuse%% *}: ${misuse#*|}
! btrfs-crypt ${misuse%% *}: hint: see btrfs-crypt ${misuse%% *} --help
END
done
expect 1 list --format json <<'END'
! {"error":"usage","status":1,"command":"list","text":"operand missing: IMAGE","hint":"see btrfs-crypt list --help"}
END
expect 1 verify-key disk.img --key-slot many / <<'END'
! btrfs-crypt verify-key: --key-slot: "many" is not a number from 0 to 31
! btrfs-crypt verify-key: hint: see btrfs-crypt verify-key --help
END
expect 1 list --format json --key-slot 1 disk.img <<'END'
! {"error":"usage","status":1,"command":"list","text":"--key-slot: unknown option","hint":"see btrfs-crypt list --help"}
END
expect 1 ls --format json --key-slot many disk.img / <<'END'
! {"error":"usage","status":1,"command":"ls","text":"--key-slot: \"many\" is not a number from 0 to 31","hint":"see btrfs-crypt ls --help"}
END
for number in -1 99999999999999999999 256x; do
	transcript 1 btrfs-crypt dump-tree --tree=$number disk.img <<END
! btrfs-crypt dump-tree: --tree: "$number" is neither the name of a tree nor a number from 1 to 18446744073709551615
! btrfs-crypt dump-tree: hint: see btrfs-crypt dump-tree --help
END
done
expect 1 help frobnicate <<'END'
! btrfs-crypt: frobnicate: unknown command
! btrfs-crypt: hint: see btrfs-crypt --help
END
version="btrfs-crypt $(sed -n 's/^#define BTRFS_CRYPT_VERSION "\(.*\)"/\1/p' "$TOP/cmd/command.h")"
for option in --version -V; do
	transcript 0 btrfs-crypt $option <<< "$version"
	for command in $(btrfs-crypt --list-commands | cut -f 1); do
		transcript 0 btrfs-crypt "$command" $option <<< "$version"
	done
done
btrfs-crypt --help > overview
for option in -h "-?" help "help help" "help --help"; do
	transcript 0 btrfs-crypt $option < overview
done

commands=$(btrfs-crypt --list-commands | cut -f 1)
for command in $commands; do
	btrfs-crypt "$command" --help > out 2> err || bad "$command --help: status $?"
	[ -s out ] && [ ! -s err ] || bad "$command --help is not on stdout alone"
	cp out help
	for asked in "$command -h" "$command -?" "help $command"; do
		[[ $asked != @(ls|df)" -h" ]] || continue	# readable sizes there
		transcript 0 btrfs-crypt $asked < help
	done
	[ "$command" != benchmark ] || continue		# it takes none
	btrfs-crypt "$command" > out 2> err
	[ $? -eq 1 ] && [ ! -s out ] || bad "$command without operands is not a usage error"
done
btrfs-crypt --help > out 2> err || bad "--help: status $?"
[ "$(grep -cE '^  [a-z]' out)" = "$(echo "$commands" | wc -l)" ] || bad "--help does not list all commands"

# What was asked for and cannot be written is an error.
if [ -e /dev/full ]; then
	btrfs-crypt --list-commands > /dev/full 2> err
	[ $? -eq 11 ] || bad "a full disk below stdout is not status 11"
	grep -qx 'btrfs-crypt: standard output: No space left on device' err || bad "no text for a full disk"
fi
# So it is where nobody listens.
closed="! btrfs-crypt: standard output: Bad file descriptor"
transcript 11 bash -c 'btrfs-crypt --help >&-' <<< "$closed"
transcript 11 bash -c 'btrfs-crypt --list-commands >&- <&-' <<< "$closed"
transcript 11 bash -c 'btrfs-crypt list --help >&-' <<< "${closed/crypt/crypt list}"
zstd -dqf "$TOP/images/good-plain.img.zst" -o disk.img
unchanged disk.img
for command in "list disk.img" "stat disk.img vault secret.txt" "dump-super disk.img" "dump-tree disk.img"; do
	transcript 11 bash -c "btrfs-crypt $command >&-" <<< "${closed/crypt/crypt ${command%% *}}"
done
transcript 11 bash -c 'btrfs-crypt cat --quiet disk.img vault secret.txt >&-' <<END
! btrfs-crypt cat: standard output: Bad file descriptor
END
quiet bash -c 'btrfs-crypt export --quiet disk.img vault -o vault.tar >&-'	# which prints nothing there
unchanged disk.img
# An image must not become descriptor 2.
echo "not an image" > file
unchanged file
btrfs-crypt list file >&- 2>&- <&-
unchanged file
finish
