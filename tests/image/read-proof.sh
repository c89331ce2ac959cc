#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What single files, directories and paths of sealed subvolumes prove, and what only the whole proves: hard links in several directories, names by the
# hundred, two of one hash, subvolumes in subvolumes, snapshots before and after; older versions put back, things renamed and planted.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
need_root
need_crypt
tool attack
image=$tmp/disk.img
head -c 32 /dev/urandom >"$tmp/vk"
KEY=(--volume-key-file "$tmp/vk")

# Of one hash (crc32c), each in an entry of the same item
SAME_A=ue2r43xy SAME_B=c54cvxdh
ORPHANS=18446744073709551611

say "filled"
image_make "$tmp/base.img" 300M -m single -d single
image_mount "$tmp/base.img" "$tmp/mnt" rw,noatime
(
	cd "$tmp/mnt"
	btrfs -q subvolume create sv
	mkdir -p sv/a/b/c sv/far sv/many
	head -c 70000 /dev/urandom >sv/a/b/c/file
	echo "first words" >sv/small
	for name in a/link far/link a/b/other; do ln sv/a/b/c/file "sv/$name"; done
	head -c 9000 /dev/urandom >sv/many/first
	for i in $(seq 200); do ln sv/many/first "sv/many/$(printf 'name-%0150d' "$i")"; done
	mkdir sv/turns		# names of two files, taking turns
	head -c 70000 /dev/urandom >sv/turns/a-0
	head -c 50000 /dev/urandom >sv/turns/b-0
	for i in $(seq 60); do ln sv/turns/a-0 "sv/turns/a-$i"; ln sv/turns/b-0 "sv/turns/b-$i"; done
	echo one >"sv/$SAME_A"
	echo two >"sv/$SAME_B"
	btrfs -q subvolume create sv/a/nested
	echo "in the nested one" >sv/a/nested/words
	btrfs -q subvolume create sv/a/twin
	echo "in its twin" >sv/a/twin/words
	btrfs -q subvolume create sv/void		# so that an empty root directory was sealed, too
	sync -f .
	btrfs -q subvolume snapshot sv old		# sealed together with it
	head -c 70000 /dev/urandom >sv/a/b/c/file
	echo "other words" >sv/small
)
cp "$tmp/mnt/sv/a/b/c/file" "$tmp/file"
cp "$tmp/mnt/old/a/b/c/file" "$tmp/old-file"
cp "$tmp/mnt/sv/turns/a-0" "$tmp/a"
cp "$tmp/mnt/sv/turns/b-0" "$tmp/b"
(cd "$tmp/mnt/sv" && find . -xdev -printf '%i %P\n') >"$tmp/inodes"
inode() { awk -v name="$1" '$2 == name { print $1; exit }' "$tmp/inodes"; }
subvolumes "$tmp/mnt" >"$tmp/list"
id_of() { awk -v path="$1" '$1 == "ID" && $NF == path { print $2 }' "$tmp/list"; }
SV=$(id_of sv) OLD=$(id_of old) NESTED=$(id_of sv/a/nested) TWIN=$(id_of sv/a/twin)
image_umount
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" --recursive "$tmp/base.img" sv old
fresh

gives() {	# gives FILE SUBVOL PATH
	expect_unchanged 0 "$image" crypt cat "${KEY[@]}" "$image" "$2" "$3"
	cmp "$tmp/out" "$1" || fail "cat $2 $3: wrong bytes"
}
words() { echo "$1" >"$tmp/words" && gives "$tmp/words" "$2" "$3"; }
not_given() {	# not_given REGEX SUBVOL PATH
	refused 6 "$1" crypt cat "${KEY[@]}" "$image" "$2" "$3"
	only_zeros || fail "cat printed something"
}

say "every name of a file is its own"
for name in a/b/c/file a/link far/link a/b/other; do gives "$tmp/file" sv "$name"; done
gives "$tmp/old-file" old far/link
crypt cat "${KEY[@]}" "$image" sv many/first >"$tmp/first"
for i in 1 77 200; do gives "$tmp/first" sv "many/$(printf 'name-%0150d' "$i")"; done
[ "$("$tmp/attack" "$image" keys "$SV" "$(inode many/first)" | awk '$1 == 13' | wc -l)" -gt 0 ] || fail "no INODE_EXTREF to be tried"
words one sv $SAME_A
words two sv $SAME_B
[ "$("$tmp/attack" "$image" keys "$SV" 256 | awk '$1 == 84 && $3 > 70' | wc -l)" -gt 0 ] || fail "no two names of one hash"
words "in the nested one" sv a/nested/words
words "in its twin" sv/a/twin words
expect_unchanged 0 "$image" crypt ls -l -R "${KEY[@]}" "$image" sv

say "names of two files that take turns, each a copy in a zip archive"
expect_unchanged 0 "$image" crypt ls -l "${KEY[@]}" "$image" sv turns
expect_unchanged 0 "$image" crypt export "${KEY[@]}" -o "$tmp/turns.zip" "$image" sv:turns
mkdir "$tmp/turns"
(cd "$tmp/turns" && python3 -m zipfile -e "$tmp/turns.zip" .)
[ "$(find "$tmp/turns" -type f | wc -l)" = 122 ] || fail "the archive has not all names"
for i in $(seq 0 60); do
	cmp "$tmp/turns/a-$i" "$tmp/a" && cmp "$tmp/turns/b-$i" "$tmp/b" || fail "turns: wrong bytes"
done
attack xor "$SV" "$(inode turns/a-0)" 12 "$(inode turns)" 12 1
expect_unchanged 6 "$image" crypt ls -l "${KEY[@]}" "$image" sv turns
[ "$(grep -c 'it is not the file that was sealed' "$tmp/err")" = 61 ] || fail "not each name of the one that was changed is told"
fresh

say "a name changed in an INODE_EXTREF, in one of several INODE_REFs"
offset=$("$tmp/attack" "$image" keys "$SV" "$(inode many/first)" | awk '$1 == 13 { print $2; exit }')
attack xor "$SV" "$(inode many/first)" 13 "$offset" 30 1
not_given 'it is not the file that was sealed' sv many/first
gives "$tmp/file" sv a/link
fresh
attack poke "$SV" "$(inode a/b/c/file)" 12 "$(inode far)" 10 "$(hex lynk)"
not_given 'it is not the file that was sealed' sv far/link
not_given 'it is not the file that was sealed' sv a/link	# an entry is of all its names

say "an entry that leads to another inode: the other one has not this name"
fresh
attack poke "$SV" 256 84 "$(entry 256 small)" 0 "$(le 8 "$(inode $SAME_A)")"
not_given 'small: it was not sealed under this name here' sv small
words one sv $SAME_A
refused 6 'the names in it are not as they were when it was sealed' crypt ls "${KEY[@]}" "$image" sv

say "two directories exchanged in the one above"
fresh
a=$(inode a) far=$(inode far)
attack poke "$SV" 256 84 "$(entry 256 far)" 0 "$(le 8 "$a")"
not_given 'far: no directory of this name was sealed here' sv far/link
not_given 'far: no directory of this name was sealed here' sv far/b/c/file
refused 6 'far: no directory of this name was sealed here' crypt ls "${KEY[@]}" "$image" sv far
refused 6 'far: no directory of this name was sealed here' crypt stat "${KEY[@]}" "$image" sv far
gives "$tmp/file" sv a/link

say "two nested subvolumes exchanged, by name and ROOT_REF"
fresh
a=$(inode a)
attack poke "$SV" "$a" 84 "$(entry "$a" twin)" 0 "$(le 8 "$NESTED")"
attack poke "$SV" "$a" 84 "$(entry "$a" nested)" 0 "$(le 8 "$TWIN")"
ref=$("$tmp/attack" "$image" keys 1 "$SV" | awk -v id="$NESTED" '$1 == 156 && $2 == id { print $3 }')
[ "$ref" = 24 ] || fail "the ROOT_REF has $ref bytes"
nested=$(attack peek 1 "$SV" 156 "$NESTED" 0 24)
twin=$(attack peek 1 "$SV" 156 "$TWIN" 0 22)
# The names differ in length: that of the twin takes the place of the nested one's, and the other way round.
attack put 1 "$SV" 156 "$NESTED" "$twin"
attack put 1 "$SV" 156 "$TWIN" "$nested"
not_given 'nested: the subvolume was not here when it was sealed' sv a/nested/words
not_given 'twin: the subvolume was not here when it was sealed' sv a/twin/words

say "an older version of a file put back: its entry holds, as that of the snapshot; the whole does not"
fresh
small=$(inode small)
for key in "1 0" "108 0"; do
	# shellcheck disable=SC2086
	bytes=$(attack peek "$OLD" "$small" $key 0 "$([ "$key" = "1 0" ] && echo 160 || echo 33)")
	# shellcheck disable=SC2086
	attack poke "$SV" "$small" $key 0 "$bytes"
done
words "first words" sv small
expect_unchanged 6 "$image" crypt verify "${KEY[@]}" "$image" sv
said 'sv: its tree has changed since it was sealed'
expect_unchanged 6 "$image" crypt export "${KEY[@]}" -o "$tmp/whole/" --report "$tmp/report" "$image" sv
expect_text "$tmp/err" 'the subvolume is not as it was sealed: what is exported is proven file by file'
expect_text "$tmp/report" '"finding":"damaged","path":"/",'
cmp "$tmp/whole/a/b/c/file" "$tmp/file" || fail "what is authentic was not exported"
[ "$(cat "$tmp/whole/small")" = "first words" ] || fail "a file that is proven was not exported"

say "half of an older version: not even that"
fresh
attack poke "$SV" "$small" 108 0 0 "$(attack peek "$OLD" "$small" 108 0 0 33)"
not_given 'small: it is not the file that was sealed' sv small
rm -rf "$tmp/whole" "$tmp/report"
expect_unchanged 6 "$image" crypt export "${KEY[@]}" -o "$tmp/whole/" --report "$tmp/report" "$image" sv
expect_text "$tmp/report" '^\{"finding":"failed","path":"small","text":"it is not the file that was sealed'
[ ! -e "$tmp/whole/small" ] || fail "a file that is not authentic was exported"
cmp "$tmp/whole/a/b/c/file" "$tmp/file" || fail "what is authentic was not exported"
rm -rf "$tmp/whole" "$tmp/report"
expect_unchanged 6 "$image" crypt export "${KEY[@]}" --accept-changes -o "$tmp/whole/" --report "$tmp/report" "$image" sv
expect_text "$tmp/report" '^\{"finding":"not-authenticated","path":"small","first":"0","last":"11",'
expect_text "$tmp/err" 'small: bytes 0 to 11 are not authenticated'
[ "$(cat "$tmp/whole/small")" = "first words" ] || fail "what was accepted was not exported"

say "what a kernel does for somebody who clears RDONLY: renamed, planted, another mode; a part and the whole are exported"
fresh
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs property set -ts "$tmp/mnt/sv" ro false
mv "$tmp/mnt/sv/far" "$tmp/mnt/sv/away"
echo planted >"$tmp/mnt/sv/a/b/planted"
chmod 700 "$tmp/mnt/sv/a/b/c"
image_umount
for what in sv sv:a; do
	rm -rf "$tmp/whole" "$tmp/report"
	expect_unchanged 6 "$image" crypt export "${KEY[@]}" -o "$tmp/whole/" --report "$tmp/report" "$image" "$what"
	top=$tmp/whole
	[ "$what" != sv ] || top=$tmp/whole/a
	cmp "$top/b/c/file" "$tmp/file" || fail "what is authentic was not exported"
	[ ! -e "$top/b/planted" ] || fail "a planted file was exported"
	[ "$(stat -c %a "$top/b/c")" = 755 ] || fail "a mode that is not authentic was exported"
	expect_text "$tmp/report" '"finding":"failed","path":"(a/)?b/planted"'
	expect_text "$tmp/report" '"finding":"damaged","path":"(a/)?b/c","text":"its mode, owner, times or attributes'
	expect_text "$tmp/report" '"finding":"damaged","path":"(a/)?b","text":"names were added or removed'
done
crypt export "${KEY[@]}" -o "$tmp/again/" "$image" sv >"$tmp/out" 2>"$tmp/err" && fail "exit 0"
expect_text "$tmp/err" 'away: not exported: it was not sealed under this name here, and is left out with all that is in it'
[ ! -e "$tmp/again/away" ] && cmp "$tmp/again/a/link" "$tmp/file" || fail "the wrong things were left out"

say "snapshots that a kernel made since, of a member and of such a snapshot, whose middle is gone"
fresh
image_mount "$image" "$tmp/mnt" rw,noatime,commit=1
btrfs -q subvolume snapshot "$tmp/mnt/sv" "$tmp/mnt/later"
btrfs -q subvolume snapshot "$tmp/mnt/later" "$tmp/mnt/last"
btrfs -q subvolume delete "$tmp/mnt/later"
deleted_are_gone "$tmp/mnt"
echo planted >"$tmp/mnt/last/planted"
btrfs balance start --full-balance "$tmp/mnt" >"$tmp/out"
image_umount
for name in a/link a/b/c/file; do gives "$tmp/file" last "$name"; done
words "other words" last small
not_given 'it is not the file that was sealed' last planted
expect_unchanged 0 "$image" crypt ls "${KEY[@]}" "$image" last a/b
refused 6 'the names in it are not as they were when it was sealed' crypt ls "${KEY[@]}" "$image" last

say "moved, and a bad byte in the first block of an extent: that block is lost, and nothing else"
logical=$(number_of "$("$tmp/attack" "$image" peek "$SV" "$(inode a/b/c/file)" 108 0 21 8)")
attack raw-get "$logical" 4096 >"$tmp/block"
flip "$tmp/block" 0
attack data-put "$logical" "$tmp/block"
refused 6 'bytes 0 to 4095 are lost' crypt cat "${KEY[@]}" "$image" sv a/link
cmp <(tail -c +4097 "$tmp/out") <(tail -c +4097 "$tmp/file") || fail "more than a block is lost"
words "other words" sv small
say "moved, and every byte is bad: its entry says whose it is, and another is not taken for it"
logical=$(number_of "$("$tmp/attack" "$image" peek "$SV" "$(inode many/first)" 108 0 21 8)")
head -c 12288 /dev/urandom >"$tmp/noise"
attack data-put "$logical" "$tmp/noise"
refused 6 'bytes 0 to 8999 are lost' crypt cat "${KEY[@]}" "$image" sv many/first
expect_unchanged 0 "$image" crypt stat "${KEY[@]}" "$image" sv many/first
gives "$tmp/old-file" old a/link

say "a snapshot made since, put where a directory was: nothing is given from it, and none of its names are"
fresh
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs property set -ts "$tmp/mnt/sv" ro false
mv "$tmp/mnt/sv/many" "$tmp/mnt/sv/far/many"
btrfs -q subvolume snapshot "$tmp/mnt/sv" "$tmp/mnt/sv/many"
btrfs -q subvolume create "$tmp/mnt/sv/a/plain"
btrfs -q subvolume snapshot "$tmp/mnt/sv" "$tmp/mnt/later"
rmdir "$tmp/mnt/later/a/twin"
btrfs property set -ts "$tmp/mnt/sv/a/twin" ro false
mv "$tmp/mnt/sv/a/twin" "$tmp/mnt/later/a/twin"
image_umount
for name in many/small many/a/link; do
	not_given 'many: the subvolume was not here when it was sealed' sv "$name"
	refused 6 'many: the subvolume was not here when it was sealed' crypt stat "${KEY[@]}" "$image" sv "$name"
	refused 6 'many: the subvolume was not here when it was sealed' crypt export "${KEY[@]}" -o "$tmp/many.tar" "$image" "sv:$name"
	rm -f "$tmp/many.tar"
done
refused 6 'many: the subvolume was not here when it was sealed' crypt ls "${KEY[@]}" "$image" sv many/a
not_given 'a/twin: the subvolume was not here when it was sealed' later a/twin/words
expect_unchanged 6 "$image" crypt cat --accept-changes "${KEY[@]}" "$image" sv many/small
expect_text "$tmp/err" 'many/small: bytes 0 to 11 are not authenticated: it was not sealed under this name here'
words "other words" sv small

say "names planted in a root directory that is made one to be deleted, of which nothing is looked at"
fresh
attack poke "$SV" 256 1 0 40 00000000
attack put "$SV" $ORPHANS 48 256 ""
refused 6 'the names in it are not as they were when it was sealed' crypt ls "${KEY[@]}" "$image" sv
expect_unchanged 6 "$image" crypt verify "${KEY[@]}" "$image" sv
expect_unchanged 6 "$image" crypt export "${KEY[@]}" -o "$tmp/orphan/" "$image" sv

say "an ordinary subvolume's root item over that of a sealed one below: the same id, another uuid"
fresh
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs -q subvolume create "$tmp/mnt/ordinary"
echo planted >"$tmp/mnt/ordinary/words"
ordinary=$(btrfs inspect-internal rootid "$tmp/mnt/ordinary")
image_umount
attack put 1 "$NESTED" 132 0 "$(attack peek 1 "$ordinary" 132 0 0 439)"
text="the root item of the sealed subvolume $NESTED \\(sv/a/nested\\) has another uuid"
for subvolume in sv/a/nested "id:$NESTED"; do
	not_given "$text" "$subvolume" words
	refused 6 "$text" crypt cat "$image" "$subvolume" words
	[ ! -s "$tmp/out" ] || fail "cat printed something"
	refused 6 "$text" crypt convert --encrypt -q "${KEY[@]}" "$image" "$subvolume"
done
not_given "$text" sv a/nested/words
expect_unchanged 6 "$image" crypt verify "${KEY[@]}" "$image" sv
expect_text "$tmp/out" "^sv/a/nested: $text"
if grep -q 'no longer exist' "$tmp/err"; then fail "what is there is said to be gone"; fi
for key in "${KEY[*]}" ""; do
	rm -rf "$tmp/whole"
	# shellcheck disable=SC2086
	expect_unchanged 6 "$image" crypt export -R $key -o "$tmp/whole/" "$image" sv
	said "$text"
	[ ! -e "$tmp/whole/a/nested/words" ] || fail "planted text was exported"
done
expect_unchanged 6 "$image" crypt ls -l -R "$image" sv
expect_text "$tmp/err" "$text"
for command in list show; do
	expect_unchanged 0 "$image" crypt $command "$image" sv/a/nested
	expect_text "$tmp/err" "$text"
done
refused 6 "$text" crypt convert --decrypt -q "${KEY[@]}" "$image" sv
refused 6 "$text" crypt convert --decrypt -q --accept-changes --accept-unsealed "${KEY[@]}" "$image" sv
words "other words" sv small
