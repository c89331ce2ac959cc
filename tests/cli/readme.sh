#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The session of the README, run as it stands: every command succeeds, and prints what is shown, keys and generations aside.  Only passphrases are cheap.
. "$(dirname "$0")/../expect.sh"
ln -s "$TOP/images" images
PATH=$PATH:/usr/sbin:/sbin
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
normal() { sed -E 's/btrfs:[0-9a-f]{8}/btrfs:TAG/g; s/[0-9a-f]{32}/SEAL/g; s/ gen [0-9]+ / gen N /g'; }

awk '/^```console$/ { on = 1; next } /^```$/ { on = 0 } on' "$TOP/README.md" > session
grep -c '^\$ ' session > n
[ "$(cat n)" -ge 10 ] || bad "only $(cat n) commands in the README"

command=
check() {
	[ -n "$command" ] || return
	# btrfs check looks whether the image is mounted, and others' loop devices stop it where it runs without root.
	case $command in "btrfs check "*) command -v btrfs > /dev/null || return; command=${command/check/check --force} ;; esac
	command=${command/convert --encrypt/convert --encrypt $cheap}
	command=${command/key add/key add $cheap}
	bash -c "$command" > out 2> err < /dev/null || { bad "$command: status $?"; cat err; }
	[ ! -s err ] || grep -o '^btrfs-crypt [a-z]*' <<< "$command" >> speaking
	[ ! -s shown ] || diff -u --label README --label printed <(normal < shown) <(normal < out) || bad "$command"
}
while IFS= read -r line; do
	case $line in
	"\$ "*)
		check
		command=${line#\$ }
		: > shown
		;;
	*) echo "$line" >> shown ;;
	esac
done < session
check
# What the README says of their standard error.
grep -oE '^`[a-z]+` ends with a summary' "$TOP/README.md" | cut -d'`' -f2 > summaries
[ -s summaries ] || bad "the README names no command that ends with a summary"
while read -r name; do grep -qx "btrfs-crypt $name" speaking || bad "the README says that $name ends with a summary, but it printed none"; done < summaries
finish
