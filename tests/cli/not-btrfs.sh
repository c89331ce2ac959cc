#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every command on what is no btrfs image, or only a part of one: a status and a sentence, never a crash, and nothing is written.
. "$(dirname "$0")/../expect.sh"
bundled_image
printf 'secret' > key
truncate -s 0 empty
head -c 1M /dev/urandom > noise
truncate -s 100M zeros
mkdir directory
head -c 65536 disk.img > cut-before-super
head -c 69632 disk.img > cut-after-super
head -c 20M disk.img > cut-late

# words COMMAND IMAGE: a full command line
words() {
	case $1 in
	convert) echo "convert --encrypt $2 vault --key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000" ;;
	verify-key | verify) echo "$1 $2 vault --key-file key" ;;
	cat | stat | resolve) echo "$1 $2 vault secret.txt" ;;
	export) echo "export $2 vault -o /dev/null" ;;
	show | ls | timeline) echo "$1 $2 vault" ;;
	*) echo "$1 $2" ;;
	esac
}

# on IMAGE STATUSES: every command gives one of these, and says so once
on() {
	local image=$1 statuses=$2 command status
	for command in $(btrfs-crypt --list-commands | cut -f 1); do
		btrfs-crypt $(words "$command" "$image") > out 2> err < /dev/null
		status=$?
		[[ " $statuses " == *" $status "* ]] || { bad "$command on $image: status $status, not $statuses"; cat err; }
		[ "$status" = 0 ] || grep -q "^btrfs-crypt $command: .*${image##*/}" err ||
			{ bad "$command on $image: no sentence that names it"; cat err; }
		btrfs-crypt $(words "$command" "$image") --format json > out 2> err < /dev/null
		status=$?
		[ "$status" = 0 ] || grep -q "^{\"error\":\"[a-z-]*\",\"status\":$status,\"command\":\"$command\",\"text\":" err ||
			{ bad "$command on $image: no JSON error"; cat err; }
	done
}

for image in empty noise zeros cut-before-super cut-after-super cut-late; do unchanged $image; done
for image in missing empty noise zeros cut-before-super; do on $image 4; done
# Reading may get as far as the bytes that are there.
on cut-after-super "0 4 6"
on cut-late "0 6 9"
on directory "4 9 11"
for image in empty noise zeros cut-before-super cut-after-super cut-late; do unchanged $image; done
[ ! -e missing ] || bad "missing was made"

for command in "list" "stat" "convert --status"; do
	transcript 1 btrfs-crypt $command "" $([ "$command" != stat ] || echo vault secret.txt) <<END
! btrfs-crypt ${command%% *}: the name of the image, or of a device, is empty
! btrfs-crypt ${command%% *}: hint: see btrfs-crypt ${command%% *} --help
END
done
expect 4 list missing <<'END'
! btrfs-crypt list: missing: cannot open: No such file or directory
END
expect 4 list missing --format json <<'END'
! {"error":"not-found","status":4,"command":"list","text":"missing: cannot open: No such file or directory"}
END
finish
