#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The writer of the format of 2016 (legacy/) is right: its ciphers agree with openssl and published vectors, its images are sound for btrfs check, no stock kernel
# mounts them, and taken back they are what the kernel wrote.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/legacy-lib.sh"
need_root
tool legacy

# same NAME HAVE WANT
same() { [ "$2" = "$3" ] || fail "$1: $2, not $3"; }
hex() { od -An -v -tx1 "$@" | tr -d ' \n'; }
bytes() { printf "$(sed 's/../\\x&/g' <<<"$1")"; }

say ciphers
IV=f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff
page=$(head -c 4096 /dev/urandom | hex)
for mode in ctr cbc; do
	for text in "$page" "${page:0:96}"; do
		same $mode "$("$tmp/legacy" cipher $mode $LEGACY_KEY $IV "$text")" \
			"$(bytes "$text" | openssl enc -aes-128-$mode -nopad -K $LEGACY_KEY -iv $IV | hex)"
	done
done
same "ctr, inline" "$("$tmp/legacy" cipher ctr $LEGACY_KEY $IV "${page:0:34}")" "$(bytes "${page:0:34}" | openssl enc -aes-128-ctr -K $LEGACY_KEY -iv $IV | hex)"
# RFC 3962, appendix B: of "I would like the General Gau's Chicken, please, and wonton soup."
chicken=4920776f756c64206c696b65207468652047656e6572616c20476175277320436869636b656e2c20706c656173652c20616e6420776f6e746f6e20736f75702e
n=0
while read -r len want; do
	same "cts of $len bytes" "$("$tmp/legacy" cipher cts 636869636b656e207465726979616b69 00000000000000000000000000000000 ${chicken:0:len * 2})" "${want// /}"
	n=$((n + 1))
done <<'END'
17 c6353568f2bf8cb4d8a580362da7ff7f 97
31 fc00783e0efdb2c1d445d4c8eff7ed22 97687268d6ecccc0c07b25e25ecfe5
32 39312523a78662d5be7fcbcc98ebf5a8 97687268d6ecccc0c07b25e25ecfe584
47 97687268d6ecccc0c07b25e25ecfe584 b3fffd940c16a18c1b5549d2f838029e 39312523a78662d5be7fcbcc98ebf5
48 97687268d6ecccc0c07b25e25ecfe584 9dad8bbb96c4cdc03bc103e1a194bbd8 39312523a78662d5be7fcbcc98ebf5a8
64 97687268d6ecccc0c07b25e25ecfe584 39312523a78662d5be7fcbcc98ebf5a8 4807efe836ee89a526730dbc2f7bc840 9dad8bbb96c4cdc03bc103e1a194bbd8
END
[ $n = 6 ] || fail "$n vectors"
IV0=1234567890abcdef1234567890abcdef
same "the IV of an inode" "$("$tmp/legacy" iv $LEGACY_KEY "${page:0:32}")" "$(bytes "${page:0:32}" | openssl enc -d -aes-128-cbc -nopad -K $LEGACY_KEY -iv $IV0 | hex)"
# That of iSCSI (RFC 3720) over 32 bytes of zeros is 0x8a9136aa: from all ones, and inverted; from 0 and zeros it is 0.
same "a hash" "$("$tmp/legacy" hash 00000000000000000000000000000000)" 0
same "a hash" "$("$tmp/legacy" hash ffffffff$(printf '00%.0s' {1..28}))" $((0x8a9136aa ^ 0xffffffff))

# image_is_right FILE: with its .kernel beside it, and FILE.before, as it was before the format was written
image_is_right() {
	[ "$2" = mounts ] || expect_no_mount "$1"
	check_clean "$1"
	legacy_undo "$1"
	cmp "$1" "$1.before" || fail "taken back, $1 has other bytes"
}

for node_size in 4096 16384; do
	say "nodes of $node_size"
	image=$tmp/$node_size.img
	legacy_fill "$image" $node_size clones gone lost shapes
	cp --sparse=always "$image" "$image.before"
	legacy_write "$image"
	image_is_right "$image" refused
done
