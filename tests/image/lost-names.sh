#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One leaf of a subvolume is lost. Every file whose bytes can be read is listed, exported and in the timeline, whichever of its items are in that
# leaf. Every other file is named, and reported as not exported.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
damage() { python3 "$IMAGE_TESTS/damage.py" "$@"; }

image=$tmp/a.img
image_make "$image" 150M -m single -d single
image_mount "$image" "$tmp/mnt" rw
mkdir "$tmp/mnt/dir"
for i in $(seq 400); do echo "content $i" >"$tmp/mnt/dir/name-$i"; done
echo z >"$tmp/mnt/other"
echo log >"$tmp/mnt/log"
chattr +a "$tmp/mnt/log"
chattr +id "$tmp/mnt/other"
image_umount
cp "$image" "$tmp/good.img"
mkdir "$tmp/want"
for i in $(seq 400); do echo "content $i" >"$tmp/want/name-$i"; done

# lose KIND: damages the first leaf that has the root directory's inode (top), names and no inodes (names) or inodes of files (inodes); prints how many
# DIR_INDEX and INODE_ITEM items of files it had
lose() {
	cp "$tmp/good.img" "$image"
	python3 - "$IMAGE_TESTS" "$image" "$1" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import damage
image = damage.Image(sys.argv[2], None)
for at, items in image.leaves("5"):
    keys = [key for key, _, _ in items]
    names = sum(key.startswith("257 DIR_INDEX ") for key in keys)
    inodes = sum(key.endswith(" INODE_ITEM 0") and 257 < int(key.split()[0]) <= 657 for key in keys)
    kind = "top" if keys[0] == "256 INODE_ITEM 0" else "names" if names > 40 and not any(" INODE_" in key for key in keys) else "inodes" if inodes > 20 and not names else None
    if kind == sys.argv[3]:
        break
else:
    sys.exit("no such leaf")
data = image.read(at, image.nodesize)
damage.flip(data, 9000)
image.write(at, data)
print(names, inodes)
END
}
# shown N: how many of the 400 the last command named on standard output, each once
shown() {
	local n
	n=$(grep -oE 'name-[0-9]+' "$tmp/out" | sort -u | wc -l)
	[ "$n" = "$1" ] && [ "$(grep -c name- "$tmp/out")" = "$1" ] || fail "$n of $1 names are shown"
}
# told N: how many it named in warnings
told() {
	local n
	n=$({ grep -oE 'name-[0-9]+' "$tmp/err" || true; } | sort -u | wc -l)
	[ "$n" = "$1" ] && [ "$(grep -c name- "$tmp/err" || true)" = "$1" ] || fail "$n of $1 names are told"
}

say "flags of inodes are not kept, and counted"
for out in flags.tar flags/; do
	expect_unchanged 0 "$image" crypt export "$image" / -o "$tmp/$out"
	expect_text "$tmp/err" '^not kept: flags \(2\)$'
	expect_text "$tmp/err" 'note: (log|other): its flags, as chattr sets them, are not kept'
done

say "a directory on a full disk: the file is named"
mkdir "$tmp/small"
mount -t tmpfs -o size=16k tmpfs "$tmp/small"
status=0
crypt export "$image" / -o "$tmp/small/" >"$tmp/out" 2>"$tmp/err" || status=$?
umount "$tmp/small"
[ $status = 11 ] || fail "status $status on a full disk"
expect_text "$tmp/err" '^exported before the early end: '
expect_text "$tmp/err" 'export: dir/name-[0-9]+: could not be written completely: No space left on device'

say "a leaf of the index: all names are in other items too"
lose names >"$tmp/lost"
read -r n _ <"$tmp/lost"
[ "$n" -gt 40 ] || fail "only $n names are lost"
for words in ls "ls -l" "ls --format json" "ls --sort name"; do
	# shellcheck disable=SC2086
	expect_unchanged 6 "$image" crypt $words "$image" / dir
	shown 400
	told 0
done
for words in "ls -R" "ls -lR" "ls -R --format json" timeline; do
	# shellcheck disable=SC2086
	expect_unchanged 6 "$image" crypt $words "$image" /
	shown 400
	told 0
done
expect_text "$tmp/err" '/?dir: tree 5: .* the crc32c checksum does not match'
expect_unchanged 6 "$image" crypt export "$image" / -o "$tmp/names/"
diff -r "$tmp/want" "$tmp/names/dir" || fail "not all files were exported"
expect_text "$tmp/err" 'failed: 0, damaged: 1, '

say "a leaf of inodes: the names are told"
lose inodes >"$tmp/lost"
read -r _ n <"$tmp/lost"
for words in "ls -l" "ls --format json" "ls --sort size -l"; do
	# shellcheck disable=SC2086
	expect_unchanged 6 "$image" crypt $words "$image" / dir
	shown 400
	told "$n"
	[ "$(grep -cE '^\?|"lost"' "$tmp/out")" = "$n" ] || fail "not $n lost lines: $words"
done
expect_unchanged 6 "$image" crypt ls -lR "$image" /
shown 400
told "$n"
expect_unchanged 6 "$image" crypt timeline "$image" /
shown $((400 - n))
told "$n"
expect_unchanged 6 "$image" crypt export "$image" / -o "$tmp/inodes/" --report "$tmp/report"
[ "$(find "$tmp/inodes/dir" -name 'name-*' | wc -l)" = $((400 - n)) ] || fail "not $((400 - n)) files were exported"
expect_text "$tmp/err" "failed: $n, damaged: [0-9]+, "
expect_text "$tmp/err" "^btrfs-crypt export: $image: damaged: ([0-9]+ files? (is|are) incomplete, )?$n entries are missing"
[ "$(grep -c '"finding":"failed","path":"dir.*name-' "$tmp/report")" = "$n" ] || fail "the report has not $n failed files"

say "the leaf of the root directory: the files in a directory whose name is lost"
lose top >"$tmp/lost"
expect_unchanged 6 "$image" crypt export "$image" / -o "$tmp/top/" --report "$tmp/report.top"
diff -r "$tmp/want" "$tmp/top/lost-directory-257" || fail "not all files were exported"
[ "$(cat "$tmp/top/other")" = z ] || fail "the file whose entry is lost was not exported"
expect_text "$tmp/err" 'the name of directory 257 is lost; it is called lost-directory-257 here'
expect_text "$tmp/err" '^exported: 402 files'
for words in "ls -R" "ls -lR" timeline; do
	# shellcheck disable=SC2086
	expect_unchanged 6 "$image" crypt $words "$image" /
	shown 400
	grep -q '\<other\>' "$tmp/out" || fail "the file whose entry is lost is not shown"
done
grep -q 'lost-directory-257$' "$tmp/out" && fail "times that are lost are in the timeline"
expect_unchanged 6 "$image" crypt ls "$image" /
grep -q '^other$' "$tmp/out" || fail "ls does not show what is left"

say "paths that are longer than this program keeps: a limit, not damage"
cp "$tmp/good.img" "$image"
image_mount "$image" "$tmp/mnt" rw
python3 - "$tmp/mnt" <<'END'
import os, subprocess, sys
os.chdir(sys.argv[1])
for i in range(258):
    os.mkdir("d" * 255)
    os.chdir("d" * 255)
subprocess.run(["btrfs", "-q", "subvolume", "create", "far"], check=True)
END
btrfs -q subvolume create "$tmp/mnt/near"
echo near >"$tmp/mnt/near/file"
image_umount
# limit TEXT COMMAND...: status 9, and nothing is called damaged
limit() {
	expect_unchanged 9 "$image" crypt "${@:2}"
	expect_text "$tmp/err" "$1"
	! grep -E 'damaged: [^0]|(is|are) damaged' "$tmp/err" || fail "a limit is called damage"
}
for more in "" --tolerant; do
	# shellcheck disable=SC2086
	limit 'ls: paths are too long, the listing is not complete$' ls -R $more "$image" /
	shown 400
	# shellcheck disable=SC2086
	limit 'timeline: subvolume 5: paths are too long, the timeline is not complete$' timeline $more "$image" /
	# shellcheck disable=SC2086
	limit 'left out: .*too long' export $more "$image" / -o "$tmp/limit$more.cpio"
	# shellcheck disable=SC2086
	limit 'list: paths are too long, the list is not complete$' list $more "$image"
	expect_text "$tmp/err" 'warning: the path of subvolume [0-9]+ is not known: .*longer than 65536 bytes'
	grep -q ' path near$' "$tmp/out" || fail "the other is not listed"
	# shellcheck disable=SC2086
	expect_unchanged 0 "$image" crypt cat $more "$image" near file
	[ "$(cat "$tmp/out")" = near ] || fail "the other is not read"
done
head -c 32 /dev/urandom >"$tmp/vk"
limit 'longer than 65536 bytes' convert --encrypt --dry-run --volume-key-file "$tmp/vk" "$image" near

say "nothing can be opened: the summary and the report come all the same"
# ended STATUS COMMAND...: with both
ended() {
	rm -f "$tmp/report.end"
	expect_status "$@" --report "$tmp/report.end"
	[ "$3" != export ] || expect_text "$tmp/err" '^exported before the early end: 0 files'
	tail -1 "$tmp/report.end" | python3 -c '
import json, sys
line = json.load(sys.stdin)
assert "summary" in line and line["error"] and line["status"] == int(sys.argv[1]), line' "$1"
}
cp "$tmp/good.img" "$image"
ended 4 crypt export "$image" /:absent -o "$tmp/absent.tar"
ended 4 crypt cat "$image" / absent
python3 - "$IMAGE_TESTS" "$image" <<'END'
import re, sys
sys.path.insert(0, sys.argv[1])
import damage
image = damage.Image(sys.argv[2], None)
image.write(int(re.search(r"^(?:node|leaf) (\d+) ", "\n".join(image.tree("root")), re.M).group(1)), bytes(image.nodesize))
END
ended 6 crypt export "$image" / -o "$tmp/absent.tar"
ended 6 crypt cat "$image" / other
[ ! -e "$tmp/absent.tar" ] || fail "an archive was made"

say "one name for two files, and that of the image"
cp "$tmp/good.img" "$image"
ln -s a.img "$tmp/link.img"
mkdir -p "$tmp/made"
cd "$tmp/made"
for words in "1 -o a --manifest ./a" "1 -o a --report $tmp/made/a" "1 -o b --manifest a --report ../made/a" "9 -o ../a.img" "9 -o $tmp/link.img" \
	"9 -o a --report $image"; do
	status=${words%% *} words=${words#* }
	# shellcheck disable=SC2086
	expect_unchanged "$status" "$image" crypt export "$image" / $words
	[ -z "$(ls -A)" ] || fail "something was made: $words"
done
expect_unchanged 9 "$image" crypt cat --report "$image" "$image" / other
