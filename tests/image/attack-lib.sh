# SPDX-License-Identifier: GPL-2.0-or-later
# What the attack tests share: a small sealed image with two domains, the tool that changes it with valid checksums, and what must come of it.
# Source it after lib.sh.
# shellcheck shell=bash disable=SC2154,SC2034

CRYPT_ID=18446744073709551416
HEADER=0 SLOT=1 MEMBER=2 INODE_FLAGS=3 UNITS=4 INLINE=5 SEAL=6 INDEX=7 BAD=8		# kinds of crypt items
TARGET=256 OTHER=257 PLAIN=258		# subvolumes: domain 1, domain 2, not sealed

# Everything that an attack is aimed at, in `target` and `other`; `plain` stays as it is.
fill_target() {
	local at=$1 name
	cp "$tmp"/files/{pair-a,pair-b,big,small} "$at"
	mkdir "$at/dir"
	cp "$tmp/files/small" "$at/dir/inner"
	ln -s "where the link leads" "$at/link"
	for name in packed nosum frozen noted; do touch "$at/$name"; done
	chattr +C "$at/nosum"
	btrfs property set "$at/packed" compression zstd
	for name in packed nosum frozen noted; do cat "$tmp/files/$name" >"$at/$name"; done
	setfattr -n user.note -v "as it was" "$at/noted"
	# two extents of one file
	head -c 65536 "$tmp/files/two" >"$at/two"
	sync "$at/two"
	tail -c 65536 "$tmp/files/two" >>"$at/two"
	sync "$at/two"
	chattr +i "$at/frozen"
	chmod 640 "$at/noted"
}

# plain_image FILE: mixed block groups and DUP, so that everything has two mirrors
plain_image() {
	local name size
	mkdir -p "$tmp/files"
	for name in pair-a:65536 pair-b:65536 big:2500000 small:700 nosum:65536 frozen:9000 noted:5000 two:131072; do
		size=${name#*:}
		head -c "$size" /dev/urandom >"$tmp/files/${name%:*}"
	done
	seq 1 40000 >"$tmp/files/packed"
	image_make "$1" 160M --mixed -d dup -m dup
	image_mount "$1" "$tmp/mnt" rw,noatime
	for name in target other plain; do btrfs -q subvolume create "$tmp/mnt/$name"; done
	fill_target "$tmp/mnt/target"
	cp "$tmp/files/small" "$tmp/files/pair-a" "$tmp/mnt/other"
	chattr +i "$tmp/mnt/other/small"	# the same items in both domains, so that one's header fits the other's
	cp "$tmp/files/pair-b" "$tmp/mnt/plain"
	sync -f "$tmp/mnt"
	(cd "$tmp/mnt/target" && stat -c '%n %i' -- * dir/*) >"$tmp/inodes"
	image_umount
}

make_keys() {
	head -c 32 /dev/urandom >"$tmp/vk"
	head -c 32 /dev/urandom >"$tmp/vk2"
	head -c 32 /dev/urandom >"$tmp/wrong-vk"
	printf 'correct horse\n' >"$tmp/passphrase"
	printf 'battery staple\n' >"$tmp/passphrase2"
	printf 'incorrect horse\n' >"$tmp/wrong-passphrase"
	VK=(--volume-key-file "$tmp/vk")
	KEY=(--passphrase-file "$tmp/passphrase")
	WRONG=(--passphrase-file "$tmp/wrong-passphrase")
	CHEAP=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
}

seal() {		# seal IMAGE SUBVOL NUMBER-OF-KEYS
	crypt convert --encrypt -q --volume-key-file "$tmp/vk$3" --passphrase-file "$tmp/passphrase$3" "${CHEAP[@]}" "$1" "$2" >"$tmp/sealing"
}

# $tmp/base.img, sealed, and copies of it in $image
sealed_base() {
	need_root
	need_crypt
	tool attack
	image=$tmp/disk.img
	make_keys
	if [ -n "${ATTACK_BASE:-}" ] && [ -e "$ATTACK_BASE/base.img" ]; then	# while working on a test
		cp -r --sparse=always "$ATTACK_BASE"/. "$tmp"
		return
	fi
	plain_image "$tmp/plain.img"
	cp --sparse=always "$tmp/plain.img" "$tmp/base.img"
	seal "$tmp/base.img" target ""
	seal "$tmp/base.img" other 2
	check_clean "$tmp/base.img"
	say "sealed"
	[ -z "${ATTACK_BASE:-}" ] || { mkdir -p "$ATTACK_BASE"; cp -r --sparse=always "$tmp"/{*.img,*vk*,*passphrase*,files,inodes,sealing} "$ATTACK_BASE"; }
}

# Neither written to nor changed.  How many blocks a file has that was just copied changes by itself.
written() { stat -c '%y %z' "$1" && fingerprint "$1"; }

fresh() { cp --reflink=auto --sparse=always "${1:-$tmp/base.img}" "$image"; }

attack() { "$tmp/attack" "$image" "$@" || fail "attack $*"; }
# state NAME: of an unfinished conversion
state() { attack state | sed -nE "1s/.*\b$1=([0-9]+).*/\1/p"; }

entry() {	# entry DIRECTORY NAME: key offset of the DIR_ITEM in subvolume $SV
	local at size
	"$tmp/attack" "$image" keys "$SV" "$1" | awk '$1 == 84 { print $2, $3 }' | while read -r at size; do
		if "$tmp/attack" "$image" peek "$SV" "$1" 84 "$at" 0 "$size" | grep -q "$(hex "$2")\$"; then echo "$at"; fi
	done
}
hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }

# item KIND INDEX [DOMAIN]: the key of a crypt item, as the tool takes it
item() { echo "1 $CRYPT_ID 249 $(((${3:-1} << 48) | ($1 << 44) | $2))"; }
second_header() { echo "1 $CRYPT_ID 249 $(((${1:-1} << 48) | ((1 << 48) - 1)))"; }
inode() { awk -v name="$1" '$1 == name { print $2 }' "$tmp/inodes"; }
file_item() { echo "$TARGET $(inode "$1") 108 ${2:-0}"; }	# EXTENT_DATA
inode_item() { echo "$TARGET $(inode "$1") 1 0"; }

le() {		# le BYTES NUMBER: as hexadecimal bytes
	local i out= n=$2
	for ((i = 0; i < $1; i++)); do
		out+=$(printf %02x $((n & 255)))
		n=$((n >> 8))
	done
	echo "$out"
}
number_of() {	# number_of HEX: little-endian
	local i hex=$1 n=0
	for ((i = ${#hex} - 2; i >= 0; i -= 2)); do n=$((n << 8 | 16#${hex:i:2})); done
	echo "$n"
}

# --- what must come of it ---------------------------------------------------------------------------------------------

# said REGEX: on either output
said() {
	cat "$tmp/err" "$tmp/out" | tr -d '\0' >"$tmp/said"
	expect_text "$tmp/said" "$1"
}

# refused STATUS REGEX COMMAND...: this exit status, this text on standard error, and not one byte changed
refused() {
	local want=$1 text=$2
	shift 2
	expect_unchanged "$want" "$image" "$@"
	expect_text "$tmp/err" "$text"
}

# One command each; options before the image are in KEY.
do_cat() { crypt cat "${OPTIONS[@]}" "${KEY[@]}" "$image" target "${1:-pair-a}"; }
do_verify() { crypt verify "${OPTIONS[@]}" "${KEY[@]}" "$image" target; }
do_decrypt() { crypt convert --decrypt -q "${OPTIONS[@]}" "${KEY[@]}" "$image" target; }
do_verify_key() { crypt verify-key "${OPTIONS[@]}" "${KEY[@]}" "$image" target; }
do_resume() { crypt convert --resume -q "${OPTIONS[@]}" "${KEY[@]}" "$image"; }
do_decrypt_resume() { crypt convert --decrypt --resume -q "${OPTIONS[@]}" "${KEY[@]}" "$image"; }
do_abort() { crypt convert --abort -q "${OPTIONS[@]}" "${KEY[@]}" "$image"; }
OPTIONS=()

# flip FILE OFFSET: another byte there, whatever it was
flip() {
	python3 -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2])); byte = f.read(1)[0]
    f.seek(int(sys.argv[2])); f.write(bytes([byte ^ 1]))' "$1" "$2"
}

# only_lost FILE: what came out is FILE, with zeros where it is said to be lost, and nowhere else
only_lost() {
	python3 - "$tmp/files/$1" "$tmp/err" "$tmp/out" <<-'EOF' || fail "wrong bytes of $1 came out"
	import re, sys
	want, said, have = (open(name, "rb").read() for name in sys.argv[1:])
	want = bytearray(want)
	lost = re.findall(rb"bytes (\d+) to (\d+) are lost", said)
	for first, last in lost:
	    want[int(first):int(last) + 1] = bytes(int(last) + 1 - int(first))
	sys.exit(have != want or not lost)
	EOF
}

# What cannot be authenticated is zeros.
only_zeros() { [ "$(tr -d '\0' <"$tmp/out" | wc -c)" = 0 ]; }

# Nobody who reads or converts is fooled, and not one byte is changed: readers_refuse STATUS REGEX [FILE [REGEX-OF-CAT]].  cat looks at
# its file only.
readers_refuse() {
	local before
	before=$(fingerprint "$image")
	expect_status "$1" do_cat "${3:-pair-a}"
	expect_text "$tmp/err" "${4:-$2|it is not the file that was sealed}"
	only_zeros || fail "cat printed something"
	expect_status "$1" do_verify
	said "$2"
	expect_status "$1" do_decrypt
	expect_text "$tmp/err" "$2"
	[ "$before" = "$(fingerprint "$image")" ] || fail "the image was changed"
}

# whole_refused STATUS REGEX: whoever looks at the whole is not fooled, and not one byte is changed; a file is printed as it was, or not at all
whole_refused() {
	local before
	before=$(fingerprint "$image")
	never_wrong pair-a
	expect_status "$1" do_verify
	said "$2"
	expect_status "$1" do_decrypt
	expect_text "$tmp/err" "$2"
	[ "$before" = "$(fingerprint "$image")" ] || fail "the image was changed"
}

# Files are printed as they were: cats_right FILE...
cats_right() {
	local name
	for name in "$@"; do
		expect_status 0 do_cat "$name"
		cmp "$tmp/out" "$tmp/files/$name" || fail "cat $name: wrong content"
	done
}
# never_wrong FILE: a status other than 0, or the right content
never_wrong() {
	do_cat "$1" >"$tmp/out" 2>"$tmp/err" || return 0
	cmp "$tmp/out" "$tmp/files/$1" || fail "cat $1: wrong content"
}

# Everything goes on as if nothing had happened: survived [REGEX-OF-A-WARNING]
survived() {
	cats_right pair-a big
	[ -z "${1:-}" ] || expect_text "$tmp/err" "$1"
	expect_unchanged 0 "$image" do_verify
	[ -z "${1:-}" ] || expect_text "$tmp/err" "$1"
	expect_status 0 do_decrypt
	[ -z "${1:-}" ] || expect_text "$tmp/err" "$1"
	expect_files_plain
}

# After decrypting: the files are as they were, without a key.
expect_files_plain() {
	local name
	check_clean "$image"
	for name in pair-a pair-b big small packed nosum frozen noted two; do
		crypt cat "$image" target "$name" | cmp - "$tmp/files/$name" || fail "$name is not as it was"
	done
}
