#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A nested subvolume that stayed plain when the one above was sealed: it is exported as it is. One that was put in its place is not.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
need_root
need_crypt
tool attack
image=$tmp/disk.img
head -c 32 /dev/urandom >"$tmp/vk"
KEY=(--volume-key-file "$tmp/vk")

image_make "$tmp/base.img" 120M -m single -d single
image_mount "$tmp/base.img" "$tmp/mnt"
btrfs -q subvolume create "$tmp/mnt/sv"
mkdir "$tmp/mnt/sv/dir"
head -c 70000 /dev/urandom >"$tmp/mnt/sv/dir/file"
ln "$tmp/mnt/sv/dir/file" "$tmp/mnt/sv/hard"
for name in sv/dir/open sv/other elsewhere; do
	btrfs -q subvolume create "$tmp/mnt/$name"
	echo "in $name" >"$tmp/mnt/$name/words"
	head -c 50000 /dev/urandom >"$tmp/mnt/$name/random"
done
dir=$(stat -c %i "$tmp/mnt/sv/dir") file=$(stat -c %i "$tmp/mnt/sv/hard")
subvolumes "$tmp/mnt" >"$tmp/list"
id_of() { awk -v path="$1" '$1 == "ID" && $NF == path { print $2 }' "$tmp/list"; }
SV=$(id_of sv) ELSEWHERE=$(id_of elsewhere)
image_umount
expect_status 0 crypt export "$tmp/base.img" sv -o "$tmp/plain.tar"
expect_status 0 crypt export "$tmp/base.img" sv --recursive -o "$tmp/plain-all.tar"

# once STATUS DROPPED OPERAND...: sv without the item DROPPED: each name is exported once, in an archive and in a directory
once() {
	local out
	fresh
	# shellcheck disable=SC2086
	attack drop "$SV" $2
	rm -rf "$tmp/once.tar" "$tmp/once"
	for out in "$tmp/once.tar" "$tmp/once/"; do
		expect_unchanged "$1" "$image" crypt export "${READ_KEY[@]}" "$image" "${@:3}" -o "$out"
		expect_text "$tmp/err" '0 refused; failed: [01],'	# the nested one that is not sealed is left out of a changed directory
	done
	diff <(tar tf "$tmp/once.tar" | sed 's:/$::' | grep -vx sv/other | sort) "$tmp/once.names" || fail "drop $2: export ${*:3}"
	diff -r -x other "$tmp/whole" "$tmp/once/sv" || fail "drop $2: export ${*:3}: not all of it"
}
tar tf "$tmp/plain.tar" | sed 's:^\(\./\)*:sv/:; s:/$::' | grep -vx sv/other | sort >"$tmp/once.names"
# unlisted STATUS: a name that the directory's list has lost is exported because it is named, though another name of its inode is met
unlisted() {
	say "$2: what is named and not listed"
	once "$1" "256 96 3" sv sv:hard
	once "$1" "256 96 3" sv:hard sv sv:dir
	once "$1" "256 96 2" sv sv:dir/file sv:dir	# the outer one first
	say "$2: what is named has no inode"
	fresh
	attack drop "$SV" "$file" 1 0
	for words in sv:hard "sv:hard sv" "sv sv:hard" "sv:dir sv:hard sv"; do
		rm -f "$tmp/none.tar"
		# shellcheck disable=SC2086
		expect_unchanged 6 "$image" crypt export "${READ_KEY[@]}" "$image" $words -o "$tmp/none.tar"
		expect_text "$tmp/err" "hard: inode $file is missing"
	done
}
expect_status 0 crypt export "$tmp/base.img" sv -o "$tmp/whole/"
READ_KEY=()
unlisted 0 plain
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$tmp/base.img" sv
expect_text "$tmp/out" '2 nested subvolumes'
READ_KEY=("${KEY[@]}")
unlisted 6 sealed
fresh

say "as it is"
expect_unchanged 0 "$image" crypt export "${KEY[@]}" "$image" sv -o "$tmp/sealed.tar"
cmp "$tmp/plain.tar" "$tmp/sealed.tar" || fail "the archive differs from that of the plain image"
expect_unchanged 0 "$image" crypt export "${KEY[@]}" "$image" sv --recursive -o "$tmp/sealed-all.tar"
cmp "$tmp/plain-all.tar" "$tmp/sealed-all.tar" || fail "the archive with nested subvolumes differs from that of the plain image"
expect_unchanged 0 "$image" crypt verify "${KEY[@]}" --strict-names "$image" sv

say "named twice, and inside one another: once"
plain_names=$(tar tf "$tmp/plain.tar" | sed 's:^\(\./\)*:sv/:' | sort)
tar tf "$tmp/plain-all.tar" | sed 's:^\(\./\)*:sv/:' | sort >"$tmp/all.names"
# The export takes the dir first or last, by path or by number; sv/other is entered because it is named.
for words in "sv sv" "sv id:$SV sv:dir" "sv:dir sv" "-R sv sv/other sv/dir/open" "-R sv:dir sv sv/other:words" "sv/other sv sv/dir/open"; do
	rm -rf "$tmp/once.tar" "$tmp/once"
	# shellcheck disable=SC2086
	expect_unchanged 0 "$image" crypt export "${KEY[@]}" "$image" $words -o "$tmp/once.tar"
	case $words in
	*other*) diff <(tar tf "$tmp/once.tar" | sort) "$tmp/all.names" ;;
	*) diff <(tar tf "$tmp/once.tar" | sort) <(echo "$plain_names") ;;
	esac || fail "export $words"
	# shellcheck disable=SC2086
	expect_status 0 crypt export "${KEY[@]}" "$image" $words -o "$tmp/once/"
	expect_text "$tmp/err" '0 refused; failed: 0, damaged: 0'
done
# Where the way to the one inside is left out, it is exported by itself.
attack poke "$SV" "$dir" 96 3 0 "$(le 8 "$ELSEWHERE")"
rm -rf "$tmp/once"
expect_status 6 crypt export -R "${KEY[@]}" "$image" sv "id:$(id_of sv/dir/open)" -o "$tmp/once/"
[ "$(cat "$tmp/once/sv/dir/open/words")" = "in sv/dir/open" ] || fail "what is not met inside is not exported"
fresh

say "a path that leads through a changed directory into a subvolume that is not sealed: refused, whatever else is exported with it"
hang_elsewhere() {
	attack poke "$SV" "$dir" 84 "$(entry "$dir" open)" 0 "$(le 8 "$ELSEWHERE")"
	ref=$(attack peek 1 "$SV" 156 "$(id_of sv/dir/open)" 0 22)
	attack put 1 "$SV" 156 "$ELSEWHERE" "$ref"
	attack put 1 "$ELSEWHERE" 144 "$SV" "$ref"
}
hang_elsewhere
[ "$(crypt cat "$image" sv dir/open/words)" = "in elsewhere" ] || fail "the other one is not in its place"
for how in "" --tolerant; do
	for words in "-R sv:dir/open" "sv:dir/open/words sv:hard" "sv:hard sv:dir/open" "-R /:sv/dir/open"; do
		rm -rf "$tmp/other"
		# shellcheck disable=SC2086
		expect_unchanged 6 "$image" crypt export $how "${KEY[@]}" "$image" $words -o "$tmp/other/"
		expect_text "$tmp/err" 'dir/open: the subvolume was not here when it was sealed'
		[ -z "$(find "$tmp/other" -name words 2>/dev/null)" ] || fail "export $words: it was exported"
	done
	for words in "cat sv dir/open/words" "ls sv dir/open" "stat sv dir/open/words" "export sv:dir/open"; do
		rm -rf "$tmp/other"
		# shellcheck disable=SC2086
		set -- $words
		command=$1
		shift
		[ "$command" != export ] || set -- "$@" -o "$tmp/other/"
		# shellcheck disable=SC2086
		expect_status "$([ "$command" = export ] && echo 6 || echo 9)" crypt "$command" $how "${KEY[@]}" "$image" "$@"
	done
done
rm -rf "$tmp/other"
expect_unchanged 6 "$image" crypt export -R --accept-changes "${KEY[@]}" "$image" sv:dir/open -o "$tmp/other/"
[ "$(cat "$tmp/other/words")" = "in elsewhere" ] || fail "what was accepted is missing"
expect_text "$tmp/err" 'not authenticated: it was not sealed under this name here'
fresh
rm -rf "$tmp/other"
expect_unchanged 0 "$image" crypt export "${KEY[@]}" "$image" sv:dir/open sv:hard -o "$tmp/other/"
[ "$(cat "$tmp/other/sv/dir/open/words")" = "in sv/dir/open" ] || fail "what stayed plain is missing"
rm -rf "$tmp/other"

say "another in its place"
# The entry of "open" leads to a subvolume that was elsewhere: the list of the directory is not what was sealed.
attack poke "$SV" "$dir" 84 "$(entry "$dir" open)" 0 "$(le 8 "$ELSEWHERE")"
expect_unchanged 6 "$image" crypt export "${KEY[@]}" "$image" sv --recursive -o "$tmp/other/"
expect_text "$tmp/err" 'dir/open: not exported: it was not sealed under this name here'
[ ! -e "$tmp/other/dir/open/words" ] && [ -e "$tmp/other/other/words" ] || fail "what was put there was exported, or what was there was not"
cmp -s "$tmp/other/dir/file" <(crypt cat "${KEY[@]}" "$image" sv dir/file) || fail "the file beside it is missing"
