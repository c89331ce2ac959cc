#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Subvolumes, sealed and not, that cannot be reached from the directory above them, which is not sealed: a reference, an entry or a root item is gone
# or changed. Nobody who should meet one leaves it out without saying so.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
need_root
need_crypt
tool attack
make_keys
KEY=("${VK[@]}")
image=$tmp/disk.img
ROOT_ITEM=132 ROOT_BACKREF=144 ROOT_REF=156

image_make "$tmp/base.img" 120M -m single -d single
image_mount "$tmp/base.img" "$tmp/mnt" rw,noatime
for name in sv plain last; do
	btrfs -q subvolume create "$tmp/mnt/$name"
	echo "$name words" >"$tmp/mnt/$name/words"
done
subvolumes "$tmp/mnt" >"$tmp/list"
id_of() { awk -v path="$1" '$1 == "ID" && $NF == path { print $2 }' "$tmp/list"; }
LAST=$(id_of last)
image_umount
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$tmp/base.img" sv last

# misplaced REGEX [SUBVOL [STATUS-OF-CAT]]: a subvolume below one that is not sealed cannot be reached from there, and everyone who should says so
misplaced() {
	local path=${2:-sv} cat=${3:-6} text="${2:-sv}: subvolume [0-9]+ belongs here, but $1"
	rm -rf "$tmp/exported" "$tmp/report"
	expect_unchanged 6 "$image" crypt export -R "${KEY[@]}" -o "$tmp/exported/" --report "$tmp/report" "$image" /
	expect_text "$tmp/err" "warning: ${text%%:*}: (damaged|not exported): ${text#*: }"
	expect_text "$tmp/err" '(failed: 1, damaged: 0|failed: 0, damaged: 1),'
	expect_text "$tmp/report" "\"finding\":\"(damaged|failed)\",\"path\":\"$path\",\"text\":\"${text#*: }"
	[ -e "$tmp/exported/last" ] || fail "the others were left out"
	for command in "ls -R" "timeline -R"; do
		# shellcheck disable=SC2086
		expect_unchanged 6 "$image" crypt $command "$image" /
		expect_text "$tmp/err" "warning: $text"
		expect_text "$tmp/err" ': 1 part is damaged, the .* is not complete'
	done
	for command in list "show --format json" ls; do
		# shellcheck disable=SC2086
		expect_unchanged 0 "$image" crypt $command "$image" /
		grep -qE "warning\"?[:,].*$text" "$tmp/err" || { cat "$tmp/err"; fail "$command says nothing"; }
	done
	expect_unchanged "$cat" "$image" crypt ls "$image" / "$path"
	[ "$cat" = 0 ] || expect_text "$tmp/err" "$text"
	[ "$path" = plain ] || expect_unchanged "$cat" "$image" crypt cat "${KEY[@]}" "$image" / "$path/words"
	[ "$cat" = 0 ] || expect_text "$tmp/err" "$text"
	expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" last
	[ "$path" = plain ] || expect_text "$tmp/err" "warning: $text"
	[ "$path" = plain ] || expect_unchanged 6 "$image" crypt verify --strict-names "${KEY[@]}" "$image" last
	[ "$path" = plain ] || expect_text "$tmp/out" "^$text"
}
TOP=256		# the root directory of the top level
index_of() {	# index_of SUBVOL: in the top level
	local at id
	id=$(id_of "$1")
	"$tmp/attack" "$image" keys 5 $TOP | awk '$1 == 96 { print $2 }' | while read -r at; do
		if [ "$(attack peek 5 $TOP 96 "$at" 0 8)" = "$(le 8 "$id")" ]; then echo "$at"; fi
	done
}
say "below one that is not sealed: a wrong byte of the ROOT_REF, or none"
for path in sv plain; do
	fresh
	attack xor 1 5 $ROOT_REF "$(id_of $path)" 0 1
	misplaced 'its ROOT_REF and ROOT_BACKREF do not agree' $path
	fresh
	attack drop 1 5 $ROOT_REF "$(id_of $path)"
	misplaced 'the ROOT_REF that belongs to its ROOT_BACKREF is missing' $path
done
say "neither ROOT_REF nor ROOT_BACKREF"
attack drop 1 "$(id_of plain)" $ROOT_BACKREF 5
text='subvolume [0-9]+ should be in a directory, but its ROOT_BACKREF is missing, or leads nowhere'
rm -rf "$tmp/exported"
expect_unchanged 6 "$image" crypt export -R "${KEY[@]}" -o "$tmp/exported/" "$image" /
expect_text "$tmp/err" "plain: damaged: $text"
expect_text "$tmp/err" 'failed: 0, damaged: 1,'
for command in "ls -R" "timeline -R"; do
	# shellcheck disable=SC2086
	expect_unchanged 6 "$image" crypt $command "$image" /
	expect_text "$tmp/err" "$text"
done
expect_unchanged 0 "$image" crypt list "$image"
expect_text "$tmp/err" "$text"
refused 6 "$text" crypt cat "$image" / plain/words
attack drop 5 $TOP 84 "$(SV=5 entry $TOP plain)"
attack drop 5 $TOP 96 "$(index_of plain)"
rm -rf "$tmp/exported"
expect_unchanged 6 "$image" crypt export -R "${KEY[@]}" -o "$tmp/exported/" "$image" /
expect_text "$tmp/err" "warning: subvolume-[0-9]+: not exported: $text"
expect_text "$tmp/err" 'failed: 1, damaged: 0,'
say "no DIR_INDEX, or one with another name; no DIR_ITEM"
fresh
attack drop 5 $TOP 96 "$(index_of sv)"
misplaced 'the directory has no DIR_INDEX of it' sv 0
fresh
attack drop 5 $TOP 84 "$(SV=5 entry $TOP sv)"
misplaced 'the directory has no DIR_ITEM of it'
attack drop 5 $TOP 96 "$(index_of sv)"
misplaced 'the directory has no DIR_INDEX of it'
say "an entry that leads to a subvolume which was never there; in a snapshot that is the empty place of a nested one"
fresh
attack poke 5 $TOP 96 "$(index_of plain)" 0 "$(le 8 999)"
expect_unchanged 6 "$image" crypt ls -R "$image" /
expect_text "$tmp/err" 'plain: a nested subvolume belongs here, but the root tree has no ROOT_REF that leads to it'
rm -rf "$tmp/exported"
expect_unchanged 6 "$image" crypt export "${KEY[@]}" -R -o "$tmp/exported/" "$image" /
expect_text "$tmp/err" 'plain: damaged: a nested subvolume belongs here, but the root tree has no ROOT_REF that leads to it'

say "no root item, but a ROOT_REF, a ROOT_BACKREF, or both that lead to it"
rootless() {	# rootless SUBVOL STATUS-OF-VERIFY
	local text id
	id=$(id_of "$1")
	text="its root item is missing, but the root tree still refers to it"
	expect_unchanged 6 "$image" crypt list "$image"
	expect_text "$tmp/err" "warning: subvolume $id cannot be read: $text"
	expect_text "$tmp/err" '1 subvolume is damaged, the list is not complete'
	expect_unchanged 6 "$image" crypt list --format json "$image"
	expect_text "$tmp/err" "\"warning\":\"subvolume $id cannot be read: $text\""
	expect_unchanged 6 "$image" crypt list --tolerant "$image"
	expect_text "$tmp/err" "invalid: subvolume $id: $text"
	expect_unchanged 6 "$image" crypt show "$image" "id:$id"
	expect_text "$tmp/err" "subvolume $id: $text"
	rm -rf "$tmp/exported"
	expect_unchanged 6 "$image" crypt export -R -o "$tmp/exported/" "$image" /
	expect_text "$tmp/err" "warning: subvolume $id cannot be read: $text"
	expect_text "$tmp/err" "warning: $1: (not exported|damaged): "
	expect_unchanged 6 "$image" crypt ls -R "$image" /
	expect_text "$tmp/err" "warning: $1: "
	expect_unchanged "$2" "$image" crypt verify "${KEY[@]}" "$image" sv
	said "subvolume $id(, which is not verified)?: $text"
}
fresh
attack drop 1 "$(id_of plain)" $ROOT_ITEM 0
rootless plain 0
attack drop 1 5 $ROOT_REF "$(id_of plain)"
rootless plain 0
refused 6 "its root item is missing" crypt convert --encrypt -q --volume-key-file "$tmp/vk2" "$image" /
fresh
attack drop 1 "$LAST" $ROOT_ITEM 0
attack drop 1 "$LAST" $ROOT_BACKREF 5
rootless last 6
refused 6 "sealed subvolume $LAST: its root item is missing" crypt convert --decrypt -q "${KEY[@]}" "$image" sv
