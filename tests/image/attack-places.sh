#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Subvolumes in the place of a sealed one, or with its number: innocent new ones, to which a kernel gave the number of a deleted one, and others put
# there on purpose. Also sealed subvolumes that a wrong byte in the root tree hides although the directory above still leads to them.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
need_root
need_crypt
tool attack
make_keys
KEY=("${VK[@]}")
image=$tmp/disk.img
ROOT_ITEM=132 ROOT_BACKREF=144 ROOT_REF=156 R_FLAGS=208		# of a root item; its reference count: 216

say "filled"
image_make "$tmp/base.img" 80M -m single -d single
image_mount "$tmp/base.img" "$tmp/mnt" rw,noatime
(
	cd "$tmp/mnt"
	btrfs -q subvolume create sv
	mkdir sv/a
	echo "newer words" >sv/words
	head -c 70000 /dev/urandom >sv/extent
	btrfs -q subvolume create sv/a/nested
	echo "in the nested one" >sv/a/nested/words
	head -c 70000 /dev/urandom >sv/a/nested/extent
	btrfs -q subvolume create plain
	echo "plain words" >plain/words
	sync -f .
	btrfs -q subvolume snapshot sv old		# sealed together with it
	echo "older words" >old/words
	btrfs -q subvolume create last
	echo "the last one" >last/words
	head -c 2500000 /dev/urandom >last/extent	# two units
	btrfs property set -ts last ro true
	sync -f .
)
cp "$tmp/mnt/sv/a/nested/extent" "$tmp/extent"
subvolumes "$tmp/mnt" >"$tmp/list"
id_of() { awk -v path="$1" '$1 == "ID" && $NF == path { print $2 }' "$tmp/list"; }
LAST_EXTENT=$(stat -c %i "$tmp/mnt/last/extent") LAST_WORDS=$(stat -c %i "$tmp/mnt/last/words")
SV=$(id_of sv) NESTED=$(id_of sv/a/nested) OLD=$(id_of old) LAST=$(id_of last)
image_umount
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" --recursive "$tmp/base.img" sv old last

# by_kernel COMMAND...: in the top level
by_kernel() {
	image_mount "$image" "$tmp/mnt" rw,noatime,commit=1
	(cd "$tmp/mnt" && "$@")
	sync -f "$tmp/mnt"
	image_umount
}
# last_again COMMAND...: `last` is deleted; after the next mount its number is given again, by the command
last_again() {
	image_mount "$image" "$tmp/mnt" rw,noatime,commit=1
	btrfs -q subvolume delete "$tmp/mnt/last"
	deleted_are_gone "$tmp/mnt"
	image_umount
	by_kernel "$@"
	subvolumes_of_image="$(crypt list --uuid "$image" 2>/dev/null)"
	grep -q "^ID $LAST " <<<"$subvolumes_of_image" || fail "the kernel did not give the number $LAST again"
}
number() { echo "subvolume $1: it has the number of a sealed subvolume that is gone, but another uuid: it is not that one\$"; }
place() { echo "subvolume $1: another subvolume was sealed under its path\$"; }

# told SUBVOL WORDS REGEX FINDING KEY-OPTION...: every command that reads the subvolume warns of it, and prints what is in it
told() {
	local subvolume=$1 words=$2 text=$3 finding=$4
	shift 4
	expect_unchanged 0 "$image" crypt cat --report "$tmp/report" "$@" "$image" "$subvolume" words
	[ "$(cat "$tmp/out")" = "$words" ] || fail "cat: wrong words"
	expect_text "$tmp/err" "warning: $text"
	expect_text "$tmp/report" "\"finding\":\"$finding\",\"subvolume\":"
	rm -rf "$tmp/report" "$tmp/exported"
	expect_unchanged 0 "$image" crypt export -o "$tmp/exported/" --report "$tmp/report" "$@" "$image" "$subvolume"
	[ "$(cat "$tmp/exported/words")" = "$words" ] || fail "export: wrong words"
	expect_text "$tmp/err" "warning: $text"
	expect_text "$tmp/report" "\"finding\":\"$finding\",\"subvolume\":"
	rm -rf "$tmp/report" "$tmp/exported"
	for command in ls "ls -R" stat "ls --format json" "stat --format json"; do
		# shellcheck disable=SC2086
		expect_unchanged 0 "$image" crypt $command "$@" "$image" "$subvolume" $([ "${command%% *}" = ls ] || echo words)
		grep -qE "warning\"?[:,].*${text%\$}" "$tmp/err" || { cat "$tmp/err"; fail "$command says nothing"; }
	done
	for command in list show "list --format json" "show --format json"; do
		# shellcheck disable=SC2086
		expect_unchanged 0 "$image" crypt $command "$image" "$subvolume"
		grep -qE "warning\"?[:,].*${text%\$}" "$tmp/err" || { cat "$tmp/err"; fail "$command says nothing"; }
	done
}

say "a new subvolume with the number of one that was deleted: an ordinary one, and all others are as before"
fresh
last_again bash -c 'btrfs -q subvolume create new && echo "new words" >new/words'
told new "new words" "$(number new)" number-reused
expect_unchanged 0 "$image" crypt show --format json "$image" new
expect_text "$tmp/out" '"encrypted":false,"number_reused":true'
refused 9 'a key was given, but subvolume new \(id [0-9]+\) is not sealed' crypt cat "${KEY[@]}" "$image" new words
refused 9 'not sealed' crypt verify "${KEY[@]}" "$image" new
refused 9 'not sealed' crypt convert --decrypt -q "${KEY[@]}" "$image" new
for subvolume in sv sv/a/nested old; do
	expect_unchanged 0 "$image" crypt verify --strict-names "${KEY[@]}" "$image" "$subvolume"
	expect_text "$tmp/err" "sealed subvolume $LAST \\(last\\) no longer exists"
	expect_text "$tmp/err" "$(number new)"
done
expect_unchanged 0 "$image" crypt cat "${KEY[@]}" "$image" sv a/nested/words
cp --sparse=always "$image" "$tmp/new.img"
say "sealed itself, and unsealed again"
expect_status 0 crypt convert --encrypt -q --volume-key-file "$tmp/vk2" "$image" new
expect_text "$tmp/err" "$(number new)"
expect_unchanged 0 "$image" crypt verify --strict-names --volume-key-file "$tmp/vk2" "$image" new
if grep -E 'number of|was sealed under its path' "$tmp/err"; then fail "a warning without a reason"; fi
expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" sv
expect_status 0 crypt convert --decrypt -q --volume-key-file "$tmp/vk2" "$image" new
say "unsealing the others leaves it alone"
fresh "$tmp/new.img"
before=$(attack peek 1 "$LAST" $ROOT_ITEM 0 0 439)
expect_unchanged 0 "$image" crypt convert --decrypt --dry-run "${KEY[@]}" "$image" sv
gone() {
	expect_text "$tmp/err" "sealed subvolume $LAST \\(last\\) no longer exists"
	expect_text "$tmp/err" "$(number new)"
	if grep 'was sealed under its path' "$tmp/err"; then fail "a warning without a reason"; fi
}
gone
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" sv
gone
check_clean "$image"
[ "$before" = "$("$tmp/attack" "$image" peek 1 "$LAST" $ROOT_ITEM 0 0 439)" ] || fail "the root item of the new one was changed"
[ "$(crypt cat "$image" new words)$(crypt cat "$image" sv words)" = "new wordsnewer words" ] || fail "the words are not as they were"

say "the same with its name: it is in the other's place, too"
fresh
last_again bash -c 'btrfs -q subvolume create last && echo "new words" >last/words'
told last "new words" "$(number last)" number-reused
told last "new words" "$(place last)" in-place-of
expect_unchanged 0 "$image" crypt list --format json "$image"
expect_text "$tmp/out" "\"path\":\"last\".*\"in_place_of\":\"$LAST\",\"number_reused\":true"
expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" sv
expect_text "$tmp/err" "$(place last)"
expect_unchanged 6 "$image" crypt verify --strict-names "${KEY[@]}" "$image" sv
expect_text "$tmp/out" "^last: $(place last)"
expect_unchanged 6 "$image" crypt verify --strict-names --format json "${KEY[@]}" "$image" sv
expect_text "$tmp/out" "\"record\":\"in-place-of\",\"subvolume\":\"$LAST\",\"path\":\"last\",\"in_place_of\":\"$LAST\""
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" sv
expect_text "$tmp/err" "$(number last)"
expect_text "$tmp/err" "$(place last)"

say "a snapshot of another sealed one with that number: it belongs to that, and nothing of the deleted one's is given to it"
fresh
last_again btrfs -q subvolume snapshot sv new
told new "newer words" "$(number new)" number-reused "${KEY[@]}"
expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" new
expect_text "$tmp/err" "sealed subvolume $LAST \\(last\\) no longer exists"
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" new
check_clean "$image"
at=$("$tmp/attack" "$image" keys 1 "$LAST" | awk '$1 == 132 { print $2 }')
[ "$(attack peek 1 "$LAST" $ROOT_ITEM "$at" $R_FLAGS 8)" = 0000000000000000 ] || fail "the snapshot became read-only, as the deleted one was"
[ "$(crypt cat "$image" new words)" = "newer words" ] || fail "the snapshot is not plain text"

say "an ordinary subvolume put where a sealed one was that is elsewhere now"
fresh
by_kernel bash -c 'mv sv away && mv plain sv'
told sv "plain words" "$(place sv)" in-place-of
told away "newer words" 'subvolume away was sealed as sv:' moved "${KEY[@]}"
refused 9 'is not sealed' crypt cat "${KEY[@]}" "$image" sv words
expect_unchanged 6 "$image" crypt verify --strict-names "${KEY[@]}" "$image" old
expect_text "$tmp/out" "^sv: $(place sv)"

say "an older version, sealed as well, put where a newer one was"
fresh
by_kernel bash -c 'mv sv away && mv old sv'
told sv "older words" 'subvolume sv was sealed as old:' moved "${KEY[@]}"
expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" sv
expect_text "$tmp/err" 'warning: subvolume sv was sealed as old:'
expect_unchanged 6 "$image" crypt verify --strict-names "${KEY[@]}" "$image" sv
say "and a snapshot of it that a kernel made since"
fresh
by_kernel bash -c 'mv sv away && btrfs -q subvolume snapshot -r old sv'
told sv "older words" "$(place sv)" in-place-of "${KEY[@]}"
expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" sv
expect_text "$tmp/err" "warning: $(place sv)"
expect_unchanged 6 "$image" crypt verify --strict-names "${KEY[@]}" "$image" sv
expect_text "$tmp/out" "^sv: $(place sv)"
say "by the directory above them"
fresh
expect_status 0 crypt convert --decrypt -q "${KEY[@]}" "$image" sv
by_kernel bash -c 'mkdir one two && mv sv one/sv && mv old two/sv'
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" --recursive "$image" one/sv two/sv
by_kernel bash -c 'mv one x && mv two one && mv x two'
told one/sv "older words" 'subvolume one/sv was sealed as two/sv:' moved "${KEY[@]}"
expect_unchanged 6 "$image" crypt verify --strict-names "${KEY[@]}" "$image" one/sv

# hidden REGEX STATUS-OF-CAT: the nested subvolume cannot be reached, and everyone who should says so
hidden() {
	local text="sv/a/nested: subvolume $NESTED was sealed here, and the directory still says that it is here, but $1" key
	for key in "${KEY[*]}" ""; do
		# shellcheck disable=SC2086
		expect_unchanged 6 "$image" crypt ls -R $key "$image" sv
		expect_text "$tmp/err" "$text"
		# shellcheck disable=SC2086
		expect_unchanged 0 "$image" crypt ls $key "$image" sv a
		expect_text "$tmp/err" "warning: $text"
		rm -rf "$tmp/exported" "$tmp/report"
		# shellcheck disable=SC2086
		expect_unchanged 6 "$image" crypt export -R $key -o "$tmp/exported/" --report "$tmp/report" "$image" sv
		expect_text "$tmp/report" "\"finding\":\"damaged\",\"path\":\"a/nested\",\"text\":\"${text#*: }"
		rm -rf "$tmp/exported"
		# shellcheck disable=SC2086
		expect_unchanged 6 "$image" crypt export $key -o "$tmp/exported/" "$image" sv:a
		expect_text "$tmp/err" "nested: damaged: ${text#*: }"
	done
	rm -rf "$tmp/exported" "$tmp/report"
	expect_unchanged 6 "$image" crypt export --accept-changes -R "${KEY[@]}" -o "$tmp/exported/" --report "$tmp/report" "$image" sv
	expect_text "$tmp/report" "\"finding\":\"not-authenticated\",\"path\":\"a/nested\",\"text\":\"${text#*: }"
	for command in list "show" ; do
		expect_unchanged 0 "$image" crypt $command "$image" sv
		expect_text "$tmp/err" "$text"
	done
	expect_unchanged 6 "$image" crypt verify "${KEY[@]}" "$image" sv
	expect_text "$tmp/out" "^$text"
	expect_unchanged 6 "$image" crypt verify --accept-changes "${KEY[@]}" "$image" sv
	said "$text"
	refused 6 "$text" crypt convert --decrypt -q "${KEY[@]}" "$image" sv
	expect_unchanged "$2" "$image" crypt cat "${KEY[@]}" "$image" sv a/nested/words
	[ "$2" = 0 ] || expect_text "$tmp/err" "$text"
	[ "$2" = 0 ] || expect_unchanged "$2" "$image" crypt cat "$image" sv a/nested/words
	expect_unchanged 0 "$image" crypt cat "${KEY[@]}" "$image" sv words
}
say "one wrong byte of the ROOT_REF: the directory, the name"
for at in 0 18 23; do
	fresh
	attack xor 1 "$SV" $ROOT_REF "$NESTED" "$at" 1
	hidden 'its ROOT_REF and ROOT_BACKREF do not agree' 6
done
expect_status 0 crypt convert --decrypt -q --accept-changes "${KEY[@]}" "$image" sv
expect_text "$tmp/err" 'sv/a/nested: subvolume [0-9]+ was sealed here'
crypt cat "$image" "id:$NESTED" extent | cmp - "$tmp/extent" || fail "what cannot be reached was not unsealed"
say "of the ROOT_BACKREF"
for at in 18 23; do
	fresh
	attack xor 1 "$NESTED" $ROOT_BACKREF "$SV" "$at" 1
	hidden 'its ROOT_REF and ROOT_BACKREF do not agree' 0
done
say "of both, so that they agree; none at all"
fresh
attack xor 1 "$SV" $ROOT_REF "$NESTED" 18 1
attack xor 1 "$NESTED" $ROOT_BACKREF "$SV" 18 1
hidden 'its ROOT_REF and ROOT_BACKREF say that it is elsewhere' 6
fresh
attack drop 1 "$SV" $ROOT_REF "$NESTED"
hidden 'the ROOT_REF that belongs to its ROOT_BACKREF is missing' 6
attack drop 1 "$NESTED" $ROOT_BACKREF "$SV"
hidden 'its ROOT_BACKREF is missing, or leads nowhere' 6
say "no root item at all"
fresh
for key in "$NESTED $ROOT_ITEM 0" "$NESTED $ROOT_BACKREF $SV" "$SV $ROOT_REF $NESTED"; do
	# shellcheck disable=SC2086
	attack drop 1 $key
done
hidden 'its root item is missing' 6
say "one that says that it was deleted"
fresh
attack xor 1 "$NESTED" $ROOT_ITEM 0 216 1
text="sv/a/nested: subvolume $NESTED was sealed here, and the directory still says that it is here, but its root item says that it was deleted"
expect_unchanged 6 "$image" crypt ls -R "${KEY[@]}" "$image" sv
expect_text "$tmp/err" "$text"
rm -rf "$tmp/exported"
expect_unchanged 6 "$image" crypt export -R "${KEY[@]}" -o "$tmp/exported/" "$image" sv
expect_text "$tmp/err" "a/nested: damaged: ${text#*: }"
expect_unchanged 6 "$image" crypt verify "${KEY[@]}" "$image" sv
expect_text "$tmp/out" "^$text"

say "what was sealed, made to look like another one: with another uuid, no tag, no marks, it is an ordinary subvolume to who has no key; but the keys stay"
hide_last() {	# hide_last [IMAGE]
	local at
	fresh "${1:-$tmp/base.img}"
	at=$("$tmp/attack" "$image" keys 1 "$LAST" | awk '$1 == 132 { print $2 }')
	attack xor 1 "$LAST" $ROOT_ITEM "$at" 247 1	# uuid
	attack poke 1 "$LAST" $ROOT_ITEM "$at" 375 "$(printf '00%.0s' $(seq 24))"
	attack poke 1 "$LAST" $ROOT_ITEM "$at" $R_FLAGS 0000000000000000
}
hide_data() { attack poke "$LAST" "$LAST_EXTENT" 108 0 18 0000; }
stays() {	# stays REGEX
	expect_unchanged 0 "$image" crypt list "$image"
	expect_text "$tmp/err" "$(number last)"
	for more in "" --accept-changes; do
		# shellcheck disable=SC2086
		refused 6 "subvolume last \\(id $LAST\\): $1, but belongs to no sealing; nothing was changed" \
			crypt convert --decrypt -q $more "${KEY[@]}" "$image" sv
	done
}
sealed_before() {	# sealed_before REGEX: nobody is asked for a key
	local more
	for more in "" --dry-run "--volume-key-file $tmp/vk2" "--passphrase-file $tmp/missing" "--recursive"; do
		# shellcheck disable=SC2086
		refused 9 "subvolume last \\(id $LAST\\) is sealed already: $1" crypt convert --encrypt -q $more "$image" last </dev/null
	done
}
hide_last
stays 'it has extents with the mark of sealing'
hide_data
stays 'it has data that were sealed here'
sealed_before 'it has data of sealing 1'
attack drop "$LAST" "$LAST_EXTENT" 108 0
stays 'it has files that were sealed here'
sealed_before 'it has the place or the number of a missing subvolume, and its small files have the lengths of files in sealing 1'
expect_text "$tmp/err" 'hint: if it is a new subvolume, make a snapshot of it with another name'
say "with each of the first 16 blocks damaged, of data that are where they were, and of data that a kernel moved"
address() { attack peek "$LAST" "$LAST_EXTENT" 108 0 21 8 | fold -w 2 | tac | tr -d '\n' | sed 's/^/0x/'; }
spoil_data() {	# spoil_data [BLOCKS]
	local at blocks=${1:-16}
	at=$(($(address)))
	attack raw-get $at $((blocks * 4096)) | python3 -c 'import sys
data = bytearray(sys.stdin.buffer.read())
data[::4096] = bytes(byte ^ 1 for byte in data[::4096])
sys.stdout.buffer.write(data)' >"$tmp/data"
	attack data-put $at "$tmp/data"
}
only_data() {		# no small file gives it away
	hide_last "$@"
	hide_data
	attack drop "$LAST" "$LAST_WORDS" 108 0
}
only_data
before=$(address)
spoil_data
stays 'it has data that were sealed here'
sealed_before 'it has data of sealing 1'
say "with each block damaged: it lies where it was"
only_data
spoil_data 600
sealed_before 'it has the place or the number of a missing subvolume, and its data have the offsets and lengths of data in sealing 1'
expect_text "$tmp/err" 'hint: if it is a new subvolume, make a snapshot of it with another name'
fresh
by_kernel btrfs -q balance start --full-balance .
cp --sparse=always "$image" "$tmp/moved.img"
only_data "$tmp/moved.img"
[ "$before" != "$(address)" ] || fail "the balance did not move the data"
stays 'it has data that were sealed here'
sealed_before 'it has data of sealing 1'
spoil_data
stays 'it has data that were sealed here'

say "a new subvolume that only looks like one that was deleted can be sealed once it has another number and another name"
fresh
last_again bash -c 'btrfs -q subvolume create last && echo "the news one" >last/words'
sealed_before 'it has the place'
by_kernel bash -c 'btrfs -q subvolume snapshot last copy && btrfs -q subvolume delete last && btrfs subvolume sync . >/dev/null'
expect_status 0 crypt convert --encrypt -q --volume-key-file "$tmp/vk2" "$image" copy
[ "$(crypt cat --volume-key-file "$tmp/vk2" "$image" copy words)" = "the news one" ] || fail "copy: wrong words"

say "deleted by a kernel: a change of the one that it was in, as any other"
fresh
by_kernel bash -c 'btrfs property set -ts sv ro false && btrfs -q subvolume delete sv/a/nested && btrfs subvolume sync . >/dev/null'
expect_unchanged 6 "$image" crypt verify "${KEY[@]}" "$image" sv
if grep 'still says' "$tmp/out" "$tmp/err"; then fail "what is gone by right is said to be hidden"; fi
expect_unchanged 0 "$image" crypt ls -R "$image" sv
say "moved by a kernel inside, and with the one that it is in: nothing is hidden"
fresh
by_kernel bash -c 'btrfs property set -ts sv ro false && btrfs property set -ts sv/a/nested ro false && mv sv/a/nested sv/nested && mv sv away'
expect_unchanged 0 "$image" crypt ls -R "$image" away
if grep 'still says' "$tmp/out" "$tmp/err"; then fail "what was moved is said to be hidden"; fi
fresh
by_kernel mv sv away
expect_unchanged 0 "$image" crypt verify "${KEY[@]}" "$image" away

say "paths that are longer than what is kept of them: compared as far as that, and it is said that nothing proves the rest"
long=$(printf 'd%.0s' $(seq 200))
rest=$long/$long/$long/$long/$long/$long
image_make "$image" 80M -m single -d single
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs -q subvolume create "$tmp/mnt/sv"
for side in left right; do
	mkdir -p "$tmp/mnt/sv/$side"
	(
		cd "$tmp/mnt/sv/$side"
		for _ in 1 2 3 4 5 6; do mkdir "$long"; cd "$long"; done
		for name in deep twin; do
			btrfs -q subvolume create $name
			echo "$side $name" >$name/words
			btrfs inspect-internal rootid $name >"$tmp/$side-$name"
			stat -c %i . >"$tmp/$side-directory"
		done
	)
done
image_umount
SV=256
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" --recursive "$image" sv
cp --sparse=always "$image" "$tmp/cut.img"
text='warning: subvolume sv/left/d+/.*/deep: its path is longer than the recorded part: its place is only proven that far$'
rm -rf "$tmp/report" "$tmp/exported"
expect_unchanged 0 "$image" crypt cat --report "$tmp/report" "${KEY[@]}" "$image" sv "left/$rest/deep/words"
[ "$(cat "$tmp/out")" = "left deep" ] || fail "the wrong words"
expect_text "$tmp/err" "$text"
expect_text "$tmp/report" '"finding":"path-cut"'
rm -f "$tmp/report"
expect_unchanged 0 "$image" crypt verify --strict-names "${KEY[@]}" "$image" sv
expect_text "$tmp/err" "$text"
expect_unchanged 0 "$image" crypt export -R "${KEY[@]}" -o "$tmp/cut/" "$image" sv
[ "$(cat "$tmp/cut/right/$rest/twin/words")" = "right twin" ] || fail "export: the wrong words"
# exchange SIDE NAME SIDE NAME: two of them, in the directories, of which none has both, and in the root tree
exchange() {
	local one other one_directory other_directory side name
	one=$(cat "$tmp/$1-$2") other=$(cat "$tmp/$3-$4") one_directory=$(cat "$tmp/$1-directory") other_directory=$(cat "$tmp/$3-directory")
	for side in "$one_directory $one $other" "$other_directory $other $one"; do
		read -r directory from to <<<"$side"
		"$tmp/attack" "$image" keys "$SV" "$directory" | awk '$1 == 84 || $1 == 96 { print $1, $2 }' | while read -r type at; do
			name=$(attack peek "$SV" "$directory" "$type" "$at" 0 8)
			if [ "$name" = "$(le 8 "$from")" ]; then attack poke "$SV" "$directory" "$type" "$at" 0 "$(le 8 "$to")"; fi
		done
	done
	for key in "$SV $ROOT_REF $one" "$one $ROOT_BACKREF $SV"; do
		# shellcheck disable=SC2086
		attack poke 1 $key 0 "$(le 8 "$other_directory")"
	done
	for key in "$SV $ROOT_REF $other" "$other $ROOT_BACKREF $SV"; do
		# shellcheck disable=SC2086
		attack poke 1 $key 0 "$(le 8 "$one_directory")"
	done
}
say "exchanged with one that differs in the first 1024 bytes: that is found out, also where nothing else of the way is asked"
exchange left deep right deep
refused 6 'left/d+.*: the subvolume was not here when it was sealed' crypt cat "${KEY[@]}" "$image" sv "left/$rest/deep/words"
only_zeros || fail "cat printed something"
rm -rf "$tmp/cut"
expect_unchanged 6 "$image" crypt export -R "${KEY[@]}" -o "$tmp/cut/" "$image" sv
expect_text "$tmp/err" 'deep: not exported: it was not sealed under this name here, and is left out with all that is in it'
[ ! -e "$tmp/cut/left/$rest/deep" ] && [ "$(cat "$tmp/cut/left/$rest/twin/words")" = "left twin" ] || fail "export: the wrong ones were left out"
rm -rf "$tmp/cut"
expect_unchanged 6 "$image" crypt export -R --accept-changes "${KEY[@]}" -o "$tmp/cut/" "$image" sv
[ "$(cat "$tmp/cut/left/$rest/deep/words")" = "right deep" ] || fail "export: what was accepted is missing"
expect_unchanged 6 "$image" crypt verify "${KEY[@]}" "$image" sv

say "empty places of nested subvolumes in a snapshot: their names are proven by the directory, and one that was renamed is left out"
fresh
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs -q subvolume snapshot "$tmp/mnt/sv" "$tmp/mnt/snap"
image_umount
expect_unchanged 0 "$image" crypt export "${KEY[@]}" -o "$tmp/snap/" "$image" snap
[ -d "$tmp/snap/a/nested" ] || fail "an empty place is missing"
expect_unchanged 0 "$image" crypt export "${KEY[@]}" -o "$tmp/empty/" "$image" snap:a/nested
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs -q subvolume snapshot "$tmp/mnt/plain" "$tmp/mnt/snap/a/new"
btrfs -q subvolume snapshot "$tmp/mnt/snap" "$tmp/mnt/snap2"
image_umount
rm -rf "$tmp/snap" "$tmp/empty" "$tmp/report"
expect_unchanged 6 "$image" crypt export "${KEY[@]}" -o "$tmp/snap/" --report "$tmp/report" "$image" snap2
[ ! -e "$tmp/snap/a/new" ] || fail "a name that is not proven was exported"
expect_text "$tmp/report" '"finding":"failed","path":"a/new","text":"it was not sealed under this name here'
refused 6 'a/new: it was not sealed under this name here' crypt export "${KEY[@]}" -o "$tmp/empty/" "$image" snap2:a/new
rm -rf "$tmp/empty"
expect_unchanged 6 "$image" crypt export --accept-changes "${KEY[@]}" -o "$tmp/empty/" "$image" snap2
[ -d "$tmp/empty/a/new" ] || fail "what was accepted is missing"
expect_unchanged 6 "$image" crypt export -R "${KEY[@]}" -o "$tmp/nested/" "$image" snap
[ ! -e "$tmp/nested/a/new" ] || fail "a nested subvolume under a name that is not proven was exported"
