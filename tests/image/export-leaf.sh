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
