#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --tolerant reports what is invalid and uses it as far as possible, everything else is as it was, and the exit status is 6. Without it, this is an
# error, or what is lost is named. Superblocks, chunk tree, tree of roots, leaves, inner nodes, data, a cut image, entries of directories.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
tool attack
damage() { python3 "$IMAGE_TESTS/damage.py" "$@"; }

image=$tmp/a.img
image_make "$image" 200M -m single -d single -n 4096
image_mount "$image" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/s"
cd "$tmp/mnt/s"
mkdir dir
for i in $(seq 600); do echo "content of $i" >"dir/file-$i"; done
head -c 300000 /dev/urandom >noise
seq 1 50000 >text
cd "$tmp"
sync
cp -a "$tmp/mnt/s" "$tmp/want"
noise=$(stat -c %i "$tmp/mnt/s/noise")
btrfs subvolume snapshot -r "$tmp/mnt/s" "$tmp/mnt/snap" >"$tmp/log"	# another commit
sync
image_umount
cp "$image" "$tmp/good.img"

# edit WORDS... < PYTHON: `image` is the image, `words` the words
edit() {
	{ echo "import struct, sys; sys.path.insert(0, '$IMAGE_TESTS'); import damage; words = sys.argv[1:]; image = damage.Image('$image', None)"; cat; } >"$tmp/edit.py"
	python3 "$tmp/edit.py" "$@"
}
fresh() { cp --sparse=always "${1:-$tmp/good.img}" "$image"; }
# tolerant REGEX COMMAND...: status 6, and a line that says what is invalid
tolerant() {
	local text=$1
	shift
	expect_unchanged 6 "$image" crypt "$1" --tolerant "${@:2}"
	expect_text "$tmp/err" "^btrfs-crypt $1: invalid: $text"
}
# export_all: everything must come out, tolerantly, but for what $1 names
export_all() {
	rm -rf "$tmp/out.d"
	expect_unchanged 6 "$image" crypt export --tolerant "$image" s -o "$tmp/out.d/"
	diff -r --no-dereference "$tmp/want" "$tmp/out.d" >"$tmp/diff" || true
}
commands() {	# commands STATUS: every other one ends with it, or with 0 where it does not look there, and shows something
	local words status
	for words in "list" "show|s" "ls|-lR|s" "stat|s|noise" "timeline|s" "resolve|s|text" "df" "tree-stats" "dump-super" "dump-tree"; do
		IFS='|' read -r -a words <<<"$words"
		local options=(--tolerant)
		[ "${words[0]}" != dump-super ] || options=()
		status=0
		crypt "${words[0]}" "${options[@]}" "$image" "${words[@]:1}" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
		[ "$status" = "$1" ] || [ "$status" = 0 ] || { cat "$tmp/err"; fail "status $status: ${words[*]}"; }
		[ -s "$tmp/out" ] || fail "${words[*]} shows nothing"
	done
}

say "nothing is wrong: nothing is said"
commands 0
[ ! -s "$tmp/err" ] || fail "something is invalid"

say "superblocks with wrong checksums"
python3 - "$image" <<'END'
import sys
f = open(sys.argv[1], "r+b")
for at in (64 << 10, 64 << 20):
    f.seek(at + 0x12b + 40)		# the label
    f.write(b"x")
END
expect_status 6 crypt list "$image"
tolerant '.*: superblock at 0x10000: the crc32c checksum does not match; it is used anyway' list "$image"
[ "$(wc -l <"$tmp/out")" = 2 ] || fail "not both subvolumes"
export_all
[ ! -s "$tmp/diff" ] || { head "$tmp/diff"; fail "not everything came out"; }

say "the root of the chunk tree: damaged, then zeros"
fresh
edit <<'END'
at = image.leaves("chunk")[0][0]
data = image.read(at, image.nodesize)
damage.flip(data, 70)		# of the chunk tree uuid, which nobody reads: only the checksum is wrong
image.write(at, data)
END
expect_status 6 crypt list "$image"
expect_text "$tmp/err" 'chunk tree: '
tolerant '.*' list "$image"
[ "$(wc -l <"$tmp/out")" = 2 ] || fail "not both subvolumes"
export_all
[ ! -s "$tmp/diff" ] || { head "$tmp/diff"; fail "not everything came out"; }
fresh
edit <<'END'
at = image.leaves("chunk")[0][0]
image.write(at, bytes(image.nodesize))
END
expect_status 6 crypt list "$image"
tolerant '.*chunk tree' list "$image"
[ "$(wc -l <"$tmp/out")" = 2 ] || fail "not both subvolumes"

say "the tree of roots: zeros"
fresh
edit <<'END'
import re
at = int(re.search(r"^(?:node|leaf) (\d+) ", "\n".join(image.tree("root")), re.M).group(1))
image.write(at, bytes(image.nodesize))
END
expect_status 6 crypt list "$image"
tolerant 'the root tree: .*; that of generation [0-9]+ at 0x[0-9a-f]+ is used' list "$image"
grep -q 'path s$' "$tmp/out" || fail "the subvolume is not listed"

say "a leaf: a bit of an item's data, and one that is not inside"
fresh
edit <<'END'
# a leaf with small files: names their inline data, and one item header out of the block
for at, items in image.leaves("256"):
    if sum(" EXTENT_DATA 0" in key for key, _, _ in items) > 5:
        break
data = image.read(at, image.nodesize)
slot = [i for i, (key, _, _) in enumerate(items) if key.endswith(" INODE_ITEM 0")][2]
struct.pack_into("<I", data, 101 + 25 * slot + 17, 1 << 30)
image.write(at, data)
open("edited", "w").write("%s %d %d\n" % (items[slot][0].split()[0], at, len(items)))
END
read -r inode at n <edited
expect_status 6 crypt ls -l "$image" s dir
expect_text "$tmp/err" "tree block at $(printf '%#x' "$at"): the crc32c checksum does not match"
tolerant "tree block at $(printf '%#x' "$at"): the crc32c checksum does not match; $((n - 1)) of $n items in it are used anyway" ls -l "$image" s dir
[ "$(grep -c file- "$tmp/out")" = 600 ] && [ "$(grep -c '^?' "$tmp/out")" = 1 ] || fail "ls -l does not show what is there"
expect_text "$tmp/err" "inode $inode is missing in subvolume id:256"
export_all
lost=dir/file-$(sed -n 's/.*: file-//p' "$tmp/diff")
[ "$(cat "$tmp/diff")" = "Only in $tmp/want/dir: ${lost#dir/}" ] || { head "$tmp/diff"; fail "more than one file is lost"; }
expect_text "$tmp/err" "inode $inode is missing in subvolume id:256"
for command in ls stat cat resolve; do
	tolerant '.*' $command "$image" s "$lost"
	expect_text "$tmp/err" "^btrfs-crypt $command: (invalid: )?$lost: inode $inode is missing in subvolume id:256$"
	[ "$(grep -c "$lost" "$tmp/err")" = 1 ] || { cat "$tmp/err"; fail "$command says it more than once"; }
done
tolerant '.*' export "$image" "s:$lost" -o "$tmp/one.tar"
for command in ls stat cat resolve; do
	expect_unchanged 4 "$image" crypt $command --tolerant "$image" s not-there
	expect_text "$tmp/err" "^btrfs-crypt $command: \"not-there\" not found$"
done
expect_status 6 crypt ls -R "$image" s		# strictly: all names of what is not in that leaf
[ "$(grep -c file- "$tmp/out")" -gt 400 ] || fail "ls -R does not go on"

say "a leaf with the names of a directory"
fresh
edit <<'END'
# The items by which paths are found; those by which directories are listed are elsewhere.
found = [at for at, items in image.leaves("256") if all(" DIR_ITEM " in key for key, _, _ in items)]
for at in found:
    image.write(at, bytes(image.nodesize))
open("edited", "w").write("%d\n" % len(found))
END
[ "$(cat edited)" -gt 2 ] || fail "no such leaves"
status=0
for i in $(seq 50 50 600); do crypt cat -q "$image" s "dir/file-$i" >"$tmp/out" 2>"$tmp/err" || status=$?; done
[ $status = 6 ] || fail "status $status: nothing is lost, strictly"
for i in $(seq 50 50 600); do
	crypt cat -q --tolerant "$image" s "dir/file-$i" >"$tmp/out" 2>"$tmp/err" || true
	[ "$(cat "$tmp/out")" = "content of $i" ] || { cat "$tmp/err"; fail "file-$i is not found"; }
done

say "an inner node: a pointer, then its generation and fsid"
for what in pointer generation fsid; do
	fresh
	edit "$what" <<'END'
import re
at = int(re.search(r"^node (\d+) level 1", "\n".join(image.tree("256")), re.M).group(1))
data = image.read(at, image.nodesize)
if words[0] == "pointer":
    struct.pack_into("<Q", data, 101 + 33 * (struct.unpack_from("<I", data, 96)[0] // 2) + 17, 12345)
elif words[0] == "generation":
    struct.pack_into("<Q", data, 80, 3)
else:
    data[32:48] = b"0123456789abcdef"
data[:32] = struct.pack("<I", damage.crc32c(data[32:])).ljust(32, b"\0")
image.write(at, data)
END
	expect_status 6 crypt ls -l "$image" s
	tolerant 'tree block at 0x' ls -R "$image" s
	export_all
	n=$(wc -l <"$tmp/diff")
	case $what in
	pointer) [ "$n" -gt 0 ] && [ "$n" -lt 60 ] || { head "$tmp/diff"; fail "$n files are lost"; } ;;
	*) [ "$n" = 0 ] || { head "$tmp/diff"; fail "$what: something is lost"; } ;;
	esac
	commands 6
done

say "data: given as they are, and named"
fresh
read -r _ address _ < <(damage "$image" extents 256 "$noise")
damage "$image" data $((address + 8192)) $((address + 12288)) $((address + 131072))
expect_status 6 crypt cat "$image" s noise
expect_text "$tmp/err" 'noise: bytes 8192 to 16383 are lost'
expect_unchanged 6 "$image" crypt cat --tolerant --report "$tmp/report" "$image" s noise
[ "$(cmp -l "$tmp/out" "$tmp/want/noise" | wc -l)" = 3 ] || fail "not as it is on disk"
expect_text "$tmp/err" 'noise: bytes 8192 to 16383 may be wrong: .*crc32c'
expect_text "$tmp/err" 'noise: bytes 131072 to 135167 may be wrong'
[ "$(grep -c '"finding":"doubtful"' "$tmp/report")" = 2 ] || fail "the report"
expect_status 0 crypt cat --tolerant --offset 20000 --length 100000 "$image" s noise
cmp <(tail -c +20001 "$tmp/want/noise" | head -c 100000) "$tmp/out" || fail "other bytes"

say "a cut image"
fresh
truncate -s 60M "$image"
expect_status 6 crypt list "$image"
tolerant 'the device has 62914560 bytes, but the filesystem on it has 209715200' list "$image"
[ "$(wc -l <"$tmp/out")" = 2 ] || fail "not both subvolumes"
export_all

say "the chunk tree that a backup root names"
image_make "$image" 600M -m single -d single -n 4096
image_mount "$image" "$tmp/mnt" rw
echo kept >"$tmp/mnt/kept"
btrfs -q subvolume create "$tmp/mnt/v"
mkdir -p "$tmp/mnt/v/top/gone/deep"
echo inside >"$tmp/mnt/v/top/gone/inner"
echo deeper >"$tmp/mnt/v/top/gone/deep/file"
echo alone >"$tmp/mnt/v/top/lone"
ln "$tmp/mnt/v/top/lone" "$tmp/mnt/v/top/gone/hard"
btrfs -q subvolume create "$tmp/mnt/v/top/nested"
echo nested >"$tmp/mnt/v/top/nested/n"
cp -a "$tmp/mnt/v" "$tmp/want.v"
btrfs -q subvolume create "$tmp/mnt/elsewhere"
echo strange >"$tmp/mnt/elsewhere/words"
sync
fallocate -l 200M "$tmp/mnt/more"	# a new chunk
sync
image_umount
cp --sparse=always "$image" "$tmp/names.img"
edit <<'END'
at = image.leaves("chunk")[0][0]
image.write(at, bytes(image.nodesize))
END
expect_status 6 crypt cat "$image" / kept
tolerant '.*chunk tree.*; the chunk tree of generation [0-9]+ at 0x[0-9a-f]+ is used' cat "$image" / kept
[ "$(cat "$tmp/out")" = kept ] || fail "the file is not read"

say "names of which no entry is left: what they led to is at its place all the same"
# lose broken|dropped TREE TYPES NAME...: the items that have the name; broken: their headers lead nowhere, dropped: a right leaf without them
lose() {
	edit "$@" <<'END'
at_name = {"DIR_ITEM": (27, 30), "DIR_INDEX": (27, 30), "ROOT_REF": (16, 18)}
how, tree, types, names = words[0], words[1], words[2].split(","), [name.encode() for name in words[3:]]
for at, items in image.leaves(tree):
    data, kept = image.read(at, image.nodesize), []
    for slot, (key, offset, size) in enumerate(items):
        item, kind = data[damage.HEADER + offset:damage.HEADER + offset + size], key.split()[1]
        if kind in types and item[at_name[kind][1]:][:struct.unpack_from("<H", item, at_name[kind][0])[0]] in names:
            struct.pack_into("<I", data, damage.HEADER + 25 * slot + 17, 1 << 30)
        else:
            kept.append((data[damage.HEADER + 25 * slot:damage.HEADER + 25 * slot + 17], item))
    if how == "dropped" and len(kept) < len(items):
        end = len(data) - damage.HEADER
        struct.pack_into("<I", data, 96, len(kept))
        for slot, (key, item) in enumerate(kept):
            end -= len(item)
            data[damage.HEADER + 25 * slot:damage.HEADER + 25 * slot + 25] = key + struct.pack("<II", end, len(item))
            data[damage.HEADER + end:damage.HEADER + end + len(item)] = item
        data[:32] = struct.pack("<I", damage.crc32c(data[32:])).ljust(32, b"\0")
    if len(kept) < len(items):
        image.write(at, data)
END
}
v=$(crypt list "$tmp/names.img" | sed -nE 's/^ID ([0-9]+) .* path v$/\1/p')
nested=$(crypt list "$tmp/names.img" | sed -nE 's/^ID ([0-9]+) .* path v.top.nested$/\1/p')
elsewhere=$(crypt list "$tmp/names.img" | sed -nE 's/^ID ([0-9]+) .* path elsewhere$/\1/p')
n_dir=$(crypt stat "$tmp/names.img" v top | sed -nE 's/^ *inode: *([0-9]+) .*/\1/p')
crypt ls -R "$tmp/names.img" v | sort >"$tmp/want.ls"
crypt timeline -R "$tmp/names.img" v | sort >"$tmp/want.timeline"
expect_status 0 crypt export --tolerant -R "$tmp/names.img" v -o "$tmp/whole/"
expect_text "$tmp/err" 'failed: 0, damaged: 0,'
for how in broken dropped; do
	fresh "$tmp/names.img"
	lose $how "$v" DIR_ITEM,DIR_INDEX gone lone nested
	expect_unchanged 6 "$image" crypt ls --tolerant "$image" v top
	diff <(sort "$tmp/out") <(printf 'gone\nlone\nnested\n') || fail "$how: ls"
	for name in gone lone nested; do
		expect_text "$tmp/err" "^btrfs-crypt ls: warning: .*the entry \"$name\" of directory $n_dir is lost; the (INODE|ROOT)_REF of (inode|subvolume) [0-9]+ says where it was\$"
	done
	expect_unchanged 6 "$image" crypt ls -R --tolerant "$image" v
	diff <(sort "$tmp/out") "$tmp/want.ls" || fail "$how: ls -R"
	expect_unchanged 6 "$image" crypt timeline -R --tolerant "$image" v
	diff <(sort "$tmp/out") "$tmp/want.timeline" || fail "$how: timeline"
	rm -rf "$tmp/names.d"
	expect_unchanged 6 "$image" crypt export --tolerant -R "$image" v -o "$tmp/names.d/"
	diff -r "$tmp/want.v" "$tmp/names.d" || fail "$how: export"
	[ "$(stat -c %h "$tmp/names.d/top/lone")" = 2 ] || fail "$how: a hard link is lost"
	expect_unchanged 6 "$image" crypt cat --tolerant "$image" v top/gone/inner
	[ "$(cat "$tmp/out")" = inside ] || fail "$how: cat"
	expect_text "$tmp/err" "invalid: tree $v: the entry \"gone\" of directory $n_dir is lost"
done
expect_status 4 crypt cat --tolerant "$image" v top/lone/absent
fresh "$tmp/names.img"
lose dropped root ROOT_REF nested
expect_status 6 crypt ls -R "$image" v	# empty, as a kernel shows it, and it is said why
expect_text "$tmp/err" 'warning: v/top/nested: subvolume [0-9]+ belongs here, but the ROOT_REF that belongs to its ROOT_BACKREF is missing'
! grep -q '^n$' "$tmp/out" || fail "a subvolume is shown that nothing leads to"
expect_unchanged 6 "$image" crypt ls -R --tolerant "$image" v
diff <(sort "$tmp/out") "$tmp/want.ls" || fail "the ROOT_BACKREF is not used"
by_backref="invalid: tree $v: the ROOT_REF of subvolume $nested is lost; its ROOT_BACKREF is used"
expect_text "$tmp/err" "$by_backref"
expect_unchanged 6 "$image" crypt cat --tolerant "$image" v top/nested/n
[ "$(cat "$tmp/out")" = nested ] || fail "cat by the ROOT_BACKREF"
expect_text "$tmp/err" "$by_backref"
expect_unchanged 6 "$image" crypt export --tolerant -R "$image" v -o "$tmp/backref/"
expect_text "$tmp/err" "$by_backref"
[ "$(cat "$tmp/backref/top/nested/n")" = nested ] || fail "export by the ROOT_BACKREF"
fresh "$tmp/names.img"
lose dropped root ROOT_REF elsewhere
for words in "cat / elsewhere/words" "export / -R -o $tmp/backref.tar"; do
	read -r command operands <<<"$words"
	# shellcheck disable=SC2086
	expect_unchanged 6 "$image" crypt "$command" --tolerant "$image" $operands
	expect_text "$tmp/err" "invalid: tree 5: the ROOT_REF of subvolume $elsewhere is lost; its ROOT_BACKREF is used"
done

# rename_ref FROM TO: in the one INODE_REF of a name of this length
rename_ref() {
	edit "$v" "$1" "$2" <<'END'
def wanted(key, size):
    return key.split()[1] == "INODE_REF" and size == 10 + len(words[1])
def rename(item, key):
    if item[10:] != words[1].encode():
        raise SystemExit("another name")
    item[10:] = words[2].encode()
image.edit_item(words[0], wanted, rename)
END
}

say "the same, sealed: each name is proven by what was sealed, and a false one is not"
head -c 32 /dev/urandom >"$tmp/vk"
crypt convert --encrypt -q --volume-key-file "$tmp/vk" "$tmp/names.img" v >"$tmp/log"
for name in inner INNER; do
	fresh "$tmp/names.img"
	lose dropped "$v" DIR_ITEM,DIR_INDEX gone inner
	[ $name = inner ] || rename_ref inner INNER
	rm -rf "$tmp/names.d"
	expect_unchanged 6 "$image" crypt export --tolerant --volume-key-file "$tmp/vk" "$image" v -o "$tmp/names.d/"
	[ "$(cat "$tmp/names.d/top/gone/deep/file")" = deeper ] || fail "what is below a lost name is not exported"
	if [ $name = inner ]; then
		[ "$(cat "$tmp/names.d/top/gone/inner")" = inside ] || fail "what is proven is not exported"
	else
		[ ! -e "$tmp/names.d/top/gone/INNER" ] || fail "a name that was not sealed is exported"
		expect_text "$tmp/err" 'top/gone/INNER: not exported: it is not the file that was sealed'
	fi
done
# A directory that is left out stays so: what is below it is not shown as lost.
fresh "$tmp/names.img"
rename_ref gone GONE
rm -rf "$tmp/names.d"
expect_unchanged 6 "$image" crypt export --tolerant --volume-key-file "$tmp/vk" "$image" v -o "$tmp/names.d/"
expect_text "$tmp/err" 'top/gone: not exported: it was not sealed under this name here, and is left out with all that is in it'
! grep lost-directory "$tmp/err" || fail "what is below it is shown as lost"

say "sealed: what the tree of roots alone says to be in it"
# of directory $1: as "evil", it holds the subvolume that is elsewhere
put_evil() {
	"$tmp/attack" "$image" put 1 "$v" 156 "$elsewhere" "$(python3 -c "import struct; print((struct.pack('<QQH', $1, 99, 4) + b'evil').hex())")"
}
KEY=(--volume-key-file "$tmp/vk")
for directory in 256 "$n_dir"; do
	fresh "$tmp/names.img"
	put_evil "$directory"
	expect_unchanged 6 "$image" crypt ls -R --tolerant "$image" v	# without the key, the tree of roots is believed
	expect_text "$tmp/out" '^evil$'
	path=evil
	[ "$directory" = 256 ] || path=top/evil
	rm -rf "$tmp/evil.d"
	for words in "ls|v|${path%evil}" "ls|-R|v" "ls|-lR|v" "ls|--sort=name|-R|v" "ls|--format=json|-R|v" "export|v|-o|$tmp/evil.d/" \
		     "export|-R|v|-o|$tmp/evil.d/" "export|-R|--archive=mtree|-o|-|v"; do
		IFS='|' read -r -a words <<<"$words"
		expect_unchanged 0 "$image" crypt "${words[0]}" --tolerant "${KEY[@]}" "$image" "${words[@]:1}"
		! grep -q -e evil -e strange "$tmp/out" "$tmp/err" || fail "shown, although nobody sealed it: ${words[*]}"
		rm -rf "$tmp/evil.d"
	done
	for command in cat stat ls; do
		expect_unchanged 9 "$image" crypt "$command" --tolerant "${KEY[@]}" "$image" v "$path/words"
		! grep -q strange "$tmp/out" || fail "$command by a path that nobody sealed"
	done
	# Where names of the directory are really lost, its list proves nothing, and so not this.
	lose dropped "$v" DIR_ITEM,DIR_INDEX lone top
	rm -rf "$tmp/evil.d"
	expect_unchanged 6 "$image" crypt export -R --tolerant "${KEY[@]}" "$image" v -o "$tmp/evil.d/"
	[ "$(cat "$tmp/evil.d/top/lone")" = alone ] || fail "a name that is proven is not exported"
	[ ! -e "$tmp/evil.d/$path" ] || fail "exported beside a lost name, although nobody sealed it"
	expect_text "$tmp/err" "$path: not exported: it was not sealed under this name here"
done
