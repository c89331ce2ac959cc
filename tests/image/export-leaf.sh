#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A tree block of a sealed subvolume is bad on every mirror. Files with nothing in it come out byte for byte, each proven by itself. Files in it are
# named, and the exit status is 6.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt

head -c 32 /dev/urandom >"$tmp/vk"
KEY=(--volume-key-file "$tmp/vk")
image=$tmp/a.img
image_make "$tmp/base.img" 300M -d dup -m dup
image_mount "$tmp/base.img" "$tmp/mnt" rw,noatime
btrfs -q subvolume create "$tmp/mnt/home"
# Inodes after one another: a directory each, and its files, so that leaves in the middle have both.
python3 - "$tmp/mnt/home" <<'END'
import os, sys
for d in range(12):
    place = "%s/dir%d" % (sys.argv[1], d)
    os.mkdir(place)
    for f in range(30):
        with open("%s/file%d" % (place, f), "wb") as file:
            file.write(os.urandom(100 if f % 7 == 0 else 5000 + 3000 * f % 40000))
    os.symlink("file%d" % d, place + "/link")
END
sync -f "$tmp/mnt"
(cd "$tmp/mnt/home" && find . -type f -print0 | xargs -0 sha256sum) | sort >"$tmp/sums"
(cd "$tmp/mnt/home" && find . ! -type d -printf '%i %h/%f\n') >"$tmp/files"
(cd "$tmp/mnt/home" && find . -type d -printf '%i %p\n') >"$tmp/directories"
id=$(btrfs inspect-internal rootid "$tmp/mnt/home")
image_umount
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$tmp/base.img" home

leaves=$(btrfs inspect-internal dump-tree -t "$id" "$tmp/base.img" | grep -cE '^leaf [0-9]+ items ')
[ "$leaves" -ge 6 ] || fail "$leaves leaves only"
tried=0
for leaf in 1 $((leaves / 2)) $((leaves - 2)) $((leaves - 1)); do
	cp --sparse=always "$tmp/base.img" "$image"
	btrfs inspect-internal dump-tree -t "$id" "$image" | awk -v want="$leaf" '/^leaf [0-9]+ items / { n++ }
		n == want + 1 && /^\titem/ { sub(/^.*key \(/, ""); print $1 }' | sort -u >"$tmp/hit"
	# A directory of which something is lost may lose what is in it.
	awk 'FILENAME == ARGV[1] { hit[$1]; next }
		FILENAME == ARGV[2] { if ($1 in hit) lost[$2]; next }
		{ place = $2; sub(/\/[^\/]*$/, "", place) }
		!($1 in hit) && !(place in lost) { print $2 }' "$tmp/hit" "$tmp/directories" "$tmp/files" | sort >"$tmp/outside"
	[ "$(wc -l <"$tmp/outside")" -gt 200 ] || fail "leaf $leaf: $(wc -l <"$tmp/outside") files outside it"
	address=$(python3 "$IMAGE_TESTS/damage.py" "$image" block "$id" "$leaf")
	rm -rf "$tmp/out-dir"
	expect_unchanged 6 "$image" crypt export "$image" home -o "$tmp/out-dir/" "${KEY[@]}"
	expect_text "$tmp/err" "warning: .*tree block at $(printf %#x "$address").*: the subvolume cannot be checked as a whole; each file is checked by itself"
	(cd "$tmp/out-dir" && find . -type f -print0 | xargs -0 sha256sum) | sort >"$tmp/got"
	# All that came out is right, and nothing from outside the leaf is missing.
	comm -13 "$tmp/sums" "$tmp/got" >"$tmp/wrong"
	[ ! -s "$tmp/wrong" ] || { head "$tmp/wrong"; fail "leaf $leaf: files that are not what was sealed"; }
	(cd "$tmp/out-dir" && find . ! -type d) | sort >"$tmp/names"
	comm -23 "$tmp/outside" "$tmp/names" >"$tmp/missing"
	[ ! -s "$tmp/missing" ] || { head -3 "$tmp/missing"; grep -vE "file[0-9]+: not" "$tmp/err" | cut -c 1-300; fail "leaf $leaf: $(wc -l <"$tmp/missing") files outside it did not come out"; }
	# What did not come out is told.
	expect_text "$tmp/err" "not exported"
	tried=$((tried + 1))
done
[ $tried = 4 ] || fail "$tried leaves tried"

say "a directory whose list is in a bad leaf, and the tree of roots says that another subvolume is in it: ls -R proves the name, as export does"
tool attack
attack() { "$tmp/attack" "$image" "$@" || fail "attack $*"; }
rm -f "$image"
image_make "$image" 120M -m single -d single -n 4096
image_mount "$image" "$tmp/mnt" rw,noatime
for name in home other; do btrfs -q subvolume create "$tmp/mnt/$name"; done
mkdir "$tmp/mnt/home/list" "$tmp/mnt/home/beside"
(cd "$tmp/mnt/home/list" && mkdir $(seq -f 'directory-%g' 100))
touch "$tmp/mnt/home/beside/inner" "$tmp/mnt/home/list/directory-1/inner"
echo "in another subvolume" >"$tmp/mnt/other/words"
id=$(btrfs inspect-internal rootid "$tmp/mnt/home") other=$(btrfs inspect-internal rootid "$tmp/mnt/other")
directory=$(stat -c %i "$tmp/mnt/home/list")
image_umount
expect_status 0 crypt convert --encrypt -q "${KEY[@]}" "$image" home
# A leaf with nothing else in it.
leaf=$(btrfs inspect-internal dump-tree -t "$id" "$image" | awk -v want="key ($directory DIR_INDEX " '/^leaf [0-9]+ items / { n++; only[n] = 1 }
	/^\titem/ && !index($0, want) { only[n] = 0 }
	END { for (i = n; i > 0; i--) if (only[i]) { print i - 1; exit } }')
[ -n "$leaf" ] || fail "no leaf has only names"
ref=$(python3 -c 'import struct, sys; print((struct.pack("<QQH", int(sys.argv[1]), 9999, 7) + b"planted").hex())' "$directory")
attack put 1 "$id" 156 "$other" "$ref"
attack put 1 "$other" 144 "$id" "$ref"
python3 "$IMAGE_TESTS/damage.py" "$image" block "$id" "$leaf" >/dev/null
for how in "" "--format json" -l; do
	# shellcheck disable=SC2086
	expect_unchanged 6 "$image" crypt ls -R $how "${KEY[@]}" "$image" home
	expect_text "$tmp/err" 'list/planted: it was not sealed under this name here'
	if grep words "$tmp/out"; then fail "ls -R $how: what was put there is listed"; fi
	[ "$(grep -c inner "$tmp/out")" = 2 ] || fail "ls -R $how: what was sealed is not listed"
done
expect_unchanged 6 "$image" crypt ls -R --format json --accept-changes "${KEY[@]}" "$image" home
expect_text "$tmp/err" 'not authenticated: list/planted: it was not sealed under this name here'
expect_text "$tmp/out" '"directory":"list/planted","name":"words",.*"authenticated":false'
