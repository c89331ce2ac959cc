#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The writer of the format of 2016 (legacy/) is right: its ciphers agree with openssl and published vectors, its images are sound for btrfs check, no stock kernel
# mounts them, every byte that it changed is explained by legacy-explain.py, and taken back they are what the kernel wrote.
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
# As format/README.md has them
expect_text "$PROJECT/format/README.md" "00 01 \.\. 0f it is 0x$(printf %08x "$("$tmp/legacy" hash $LEGACY_KEY)")\."
expect_text "$PROJECT/format/README.md" "f0 f1 \.\. ff is the IV $("$tmp/legacy" iv $LEGACY_KEY $IV)\."

# written FILE MODE [OPTION...]: the format is written into it, its differences are explained, and it is taken back; prints what was explained
written() {
	local file=$1 mode=$2
	shift 2
	legacy_write "$file" "$@"
	python3 -S -I "$IMAGE_TESTS/legacy-explain.py" "$file.before" "$file" $LEGACY_KEY "$mode" ${IV_OF_ALL:-} >"$tmp/explained" || fail "$mode $*"
	say "$(tail -n 1 "$tmp/explained")"
}
back() {
	legacy_undo "$1"
	[ "$(fingerprint "$1")" = "$kernel" ] || fail "taken back, $1 has other bytes"
}
# explained N WHAT: at least so many
explained() {
	local n
	n=$(sed -nE "s/(^|.* )$2 ([0-9]+)( .*|$)/\2/p" "$tmp/explained")
	[ "${n:-0}" -ge "$1" ] || fail "$2: ${n:-0} are explained, not $1"
}
HASH=$("$tmp/legacy" hash $LEGACY_KEY)

say "nodes of 4096"
image=$tmp/4096.img
legacy_fill "$image" 4096 clones shapes
cp --sparse=always "$image" "$image.before"
kernel=$(fingerprint "$image")
written "$image" ctr
explained 1000 pages
explained 30 inline
explained 100 btrfs.encrypt
explained 100 IVs
explained 2 mirrors
[ "$(grep -c "^root algorithm ctr(aes) length 0 hash $HASH tag -$" "$tmp/explained")" = 4 ] || fail "root items"
expect_no_mount "$image"
check_clean "$image"
# What makes it difficult to take the attributes out
"$tmp/legacy" shapes "$image" >"$tmp/shapes"
expect_text "$tmp/shapes" '^shapes first [1-9][0-9]* only [1-9] same-hash [1-9] under-two [1-9]'
grep -v -e '^file' -e '^subvolume' "$image.report" | sort >"$tmp/have"
diff - "$tmp/have" <<'END' || fail "which files cannot be read"
foreign e1-snap/clones/inline 0 clones/inline-source
foreign e1-snap/clones/part 16384 e1/clones/source
foreign e1-snap/clones/short 0 e1/clones/short-source
foreign e1-snap/clones/whole 0 e1/clones/source
foreign e1-snap/clones/whole 131072 e1/clones/source
foreign e1-snap/clones/whole 262144 e1/clones/source
foreign e1/clones/inline 0 clones/inline-source
foreign e1/clones/part 16384 e1/clones/source
foreign e1/clones/short 0 e1/clones/short-source
foreign e1/clones/whole 0 e1/clones/source
foreign e1/clones/whole 131072 e1/clones/source
foreign e1/clones/whole 262144 e1/clones/source
foreign e2/of-another-subvolume 0 e1/clones/short-source
END
# What stays plain in spite of flag and attributes
sed -n 's/^file 0 [0-9]* //p' "$image.report" | grep ^e1/ | tr '\n' ' ' >"$tmp/have"
[ "$(cat "$tmp/have")" = "e1/names/link e1/names/long-link e1/prealloc/unwritten e1/prealloc/written e1/nocow/plain e1/nocow/inline e1/kept/plain e1/kept/inline " ] ||
	fail "plain are $(cat "$tmp/have")"
expect_text "$image.report" '^file 1 3 e1/prealloc/part-written$'
back "$image"

say "nodes of 16384, the free space cache of version 1"
image=$tmp/16384.img
legacy_fill "$image" 16384 gone lost shapes cache=v1 "text=cts(cbc(aes))@$LEGACY_TAG"
cp --sparse=always "$image" "$image.before"
kernel=$(fingerprint "$image")
written "$image" cts --cipher cts --key-length 16 --key-hash 0
explained 1000 pages
explained 20 inline
explained 12 "under a lost IV"
explained 2 mirrors
[ "$(grep -c "^root algorithm cts(cbc(aes)) length 16 hash 0 tag -$" "$tmp/explained")" = 4 ] || fail "root items"
expect_no_mount "$image"
check_clean "$image"
"$tmp/legacy" shapes "$image" >"$tmp/shapes"
expect_text "$tmp/shapes" '^shapes first [1-9][0-9]* only [1-9] same-hash [1-9] under-two [1-9]'
back "$image"
written "$image" cbc --cipher cbc --key-hash 4711 --algorithm 'other(aes)'
explained 1000 pages
explained 5 inline
[ "$(grep -c "^root algorithm other(aes) length 0 hash 4711 tag -$" "$tmp/explained")" = 4 ] || fail "root items"
back "$image"
IV_OF_ALL=1234567890abcdef1234567890abcdef written "$image" cts --layout early
[ "$(grep -c "^root algorithm aes length .* tag b'btrfs:61e0d004'$" "$tmp/explained")" = 4 ] || fail "root items"
back "$image"
legacy_write "$image" --layout 2017
check_clean "$image"
back "$image"
# Now it can be mounted again, and there is in it what there was.
image_mount "$image" "$tmp/mnt" ro
legacy_manifest "$tmp/mnt" "$tmp/again"
image_umount
diff "$image.kernel" "$tmp/again.kernel" >"$tmp/state.diff" || { head -5 "$tmp/state.diff"; fail "taken back, $image shows something else"; }
