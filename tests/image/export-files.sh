#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An export equals what the kernel shows, and what cp -a makes of its mount: as an archive that GNU tar unpacks, and as a directory; names, times,
# owners, modes, xattrs, ACLs, capabilities, hard links, holes and the room that they leave, device nodes.  As far as they go, so do zip, cpio and
# mtree, as unzip, cpio and mtree see them.  Nothing is written to the image.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
for each in unzip cpio mtree; do command -v $each >/dev/null || skip "needs $each"; done
tool fill

KINDS="sizes:1000000 inline compressed holes prealloc nocow reflinks bookends extents:100 symlinks names times modes xattrs links special flags directories"
image=$tmp/a.img
image_make "$image" 400M
image_mount "$image" "$tmp/mnt" rw,compress=zstd
btrfs -q subvolume create "$tmp/mnt/one"
"$tmp/fill" "$tmp/mnt/one" 1 $KINDS
truncate -s 20000005 "$tmp/mnt/one/holes/only"
mkdir "$tmp/mnt/one/acl"
touch "$tmp/mnt/one/acl/file"
setfacl -m u:1234:rwx,g:99:r--,d:u:77:r-x "$tmp/mnt/one/acl"
setfacl -m u:1234:rw-,m::r-- "$tmp/mnt/one/acl/file"
setfattr -n user.empty "$tmp/mnt/one/acl"
setfattr -n user.percent%equals= -v x "$tmp/mnt/one/acl/file"
setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 "$tmp/mnt/one/acl/file"
mknod "$tmp/mnt/one/special/vast" c 4000 700000
ln -s target "$tmp/mnt/one/special/link"
ln "$tmp/mnt/one/special/link" "$tmp/mnt/one/special/same-link"
ln "$tmp/mnt/one/special/vast" "$tmp/mnt/one/special/same-device"
btrfs -q subvolume create "$tmp/mnt/one/nested"
"$tmp/fill" "$tmp/mnt/one/nested" 2 sizes:200000 inline symlinks links
sync
btrfs -q subvolume snapshot -r "$tmp/mnt/one" "$tmp/mnt/snap"
image_umount
image_mount "$image" "$tmp/mnt" ro
# Inode numbers, allocation and flags are those of a filesystem, not of what is in it.
shown() { manifest --no-ctime "$@" | sed -E 's/ (ino|blocks|flags)=[0-9a-f]+//g; / dir /s/ size=[0-9]+//'; }
shown "$tmp/mnt/one" >"$tmp/want.all"
shown "$tmp/mnt/snap" | sed 's/^nested stub.*/nested stub/' >"$tmp/want.snap"
image_umount
before=$(fingerprint "$image")

# Another filesystem, of the same kind, for what is unpacked; and first what cp -a makes there of the mount.
image_make "$tmp/to.img" 1G
image_mount "$tmp/to.img" "$tmp/to" rw,noatime
image_mount "$image" "$tmp/mnt" ro
copied() { manifest --no-ctime --atime "$@" | sed -E 's/ ino=[0-9]+//'; }
for each in one snap; do cp -a "$tmp/mnt/$each" "$tmp/to/cp-$each"; done
image_umount
sync -f "$tmp/to"
copied "$tmp/to/cp-one" >"$tmp/want.cp-one"
copied "$tmp/to/cp-snap" >"$tmp/want.cp-snap"
grep -v '^nested/' "$tmp/want.all" >"$tmp/want.one"
grep -v ' socket ' "$tmp/want.one" >"$tmp/want.tar"

# expect_tree DIRECTORY WANT
expect_tree() {
	sync
	shown "$1" >"$tmp/have"
	diff "$2" "$tmp/have" >"$tmp/tree.diff" || { cut -c 1-300 "$tmp/tree.diff" | head -20; fail "$1 differs from what the kernel showed"; }
}

# expect_copy DIRECTORY NAME [FILTER]: what cp -a made, down to the blocks that files take; FILTER, a sed script, takes out of both what is different.
# cp writes zeros where a file has room but nothing was written, for it takes no file with as much room as bytes for sparse; we leave a hole, as the
# kernel calls it.  Of such files the bytes are compared.
expect_copy() {
	local filter="/^(nocow\/)?prealloc[^ ]* file /s/ (blocks|sha256)=[0-9a-f]+//g; ${3:-}" file
	sync -f "$1"
	copied "$1" | sed -E "$filter" >"$tmp/have"
	sed -E "$filter" "$tmp/want.cp-$2" | diff - "$tmp/have" >"$tmp/tree.diff" ||
		{ cut -c 1-300 "$tmp/tree.diff" | sed -n 1,20p; fail "$1 differs from what cp -a makes"; }
	for file in prealloc/unwritten prealloc/part-written prealloc/past-end prealloc/over-hole nocow/prealloc; do
		cmp "$tmp/to/cp-$2/$file" "$1/$file" || fail "$1/$file differs"
	done
}
unpack() {		# unpack DIRECTORY [TAR-OPTION...] < ARCHIVE
	mkdir "$1"
	tar -C "$1" --xattrs '--xattrs-include=*' --acls --numeric-owner --warning=no-unknown-keyword --warning=no-timestamp -xpf - "${@:2}"
}

say "tar"
expect_unchanged 0 "$image" crypt export "$image" one -o "$tmp/one.tar"
expect_text "$tmp/err" 'note: nested: a nested subvolume, exported as an empty directory'
expect_text "$tmp/err" '^exported: [0-9]+ files \([0-9]+ further names?\), [0-9]+ directories'
expect_text "$tmp/err" '^read from another mirror: 0; skipped: 0 sealed, 0 refused; failed: 0, damaged: 0, incomplete: 0 files'
expect_text "$tmp/err" '^not kept: socket \(1\), flags \(4\)$'
unpack "$tmp/to/tar" <"$tmp/one.tar"
expect_tree "$tmp/to/tar" "$tmp/want.tar"
for each in one snap; do
	expect_status 0 crypt export --recursive "$image" $each -o "$tmp/$each-all.tar"
	unpack "$tmp/to/tar-$each" <"$tmp/$each-all.tar"
	rm "$tmp/$each-all.tar"
done
# GNU tar gives everything the time of unpacking as time of access.
expect_copy "$tmp/to/tar-one" one '/ socket /d; /^special dir /s/ size=[0-9]+//; s/ atime=-?[0-9]+//'
# Where a nested subvolume was, a snapshot has nothing but what the kernel makes up at each mount.
expect_copy "$tmp/to/tar-snap" snap '/ socket /d; /^special dir /s/ size=[0-9]+//; /^nested /d; s/ atime=-?[0-9]+//'
for kind in "zstd zst" "gzip gz" "xz xz"; do
	expect_status 0 crypt export "$image" one:symlinks one:names one:acl -o "$tmp/some.tar.${kind#* }"
	"${kind% *}" -dqc "$tmp/some.tar.${kind#* }" >"$tmp/some.tar" || fail "$kind does not read it"
	expect_status 0 crypt export "$image" one:symlinks one:names one:acl -o -
	cmp "$tmp/out" "$tmp/some.tar" || fail "$kind: another archive"
	expect_status 0 crypt export "$image" one:symlinks one:names one:acl --compress "${kind% *}" -o -
	cmp "$tmp/out" "$tmp/some.tar.${kind#* }" || fail "$kind: two runs differ"
done

say "a directory"
expect_status 0 crypt export "$image" one --archive dir -o "$tmp/to/dir"
expect_tree "$tmp/to/dir" "$tmp/want.one"
expect_status 0 crypt export "$image" one --recursive -o "$tmp/to/all/" --manifest "$tmp/sums" --report "$tmp/report"
expect_tree "$tmp/to/all" "$tmp/want.all"
expect_copy "$tmp/to/all" one
(cd "$tmp/to/all" && sha256sum --quiet --strict -c "$tmp/sums") || fail "the manifest does not fit"
[ "$(grep -vc '^#' "$tmp/sums")" = "$(find "$tmp/to/all" -type f -printf x | wc -c)" ] || fail "the manifest has another number of files"
grep -qF "# image $(sha256sum < "$image" | cut -d " " -f 1)  $image  419430400 bytes" "$tmp/sums" || fail "the manifest has not the sum of the image"
tail -1 "$tmp/report" | python3 -c 'import json, sys; s = json.load(sys.stdin)["summary"]; assert s["lost_bytes"] == "0" and int(s["files"]) > 500, s'
expect_status 0 crypt export "$image" snap -o "$tmp/to/snap/"
shown "$tmp/to/snap" | sed -E 's/^nested dir .*/nested stub/' | diff "$tmp/want.snap" - >"$tmp/tree.diff" || { head "$tmp/tree.diff"; fail "the snapshot differs"; }
rm -rf "$tmp/to/"[!c]*

say "parts, and several"
expect_status 0 crypt export "$image" one:sizes/4096 -o "$tmp/file.tar"
[ "$(tar tf "$tmp/file.tar")" = 4096 ] || fail "a file alone has another name"
expect_status 0 crypt export "$image" one:/./sizes/ -o "$tmp/to/sizes/"
[ "$(ls "$tmp/to/sizes" | wc -l)" = "$(grep -c '^sizes/' "$tmp/want.one")" ] || fail "a directory alone has other files"
expect_status 0 crypt export "$image" one:inline id:257 one:sizes/1 -o "$tmp/to/several/"
[ -d "$tmp/to/several/one/inline" ] && [ -e "$tmp/to/several/one/sizes/1" ] && [ -d "$tmp/to/several/one/nested/inline" ] ||
	fail "several places are not where they are in the image"
expect_status 4 crypt export "$image" one:none -o "$tmp/none.tar"
expect_status 4 crypt export "$image" none -o "$tmp/none.tar"

say "a chain of snapshots"
expect_unchanged 0 "$image" crypt export "$image" snap --snapshots -o "$tmp/chain.tar"
tar tf "$tmp/chain.tar" 2>/dev/null | sed 's:/.*::' | sort -u | tr '\n' ' ' | grep -qx 'one snap ' || fail "not the whole chain of snap"
mv "$tmp/chain.tar" "$tmp/chain.snap.tar"
expect_unchanged 0 "$image" crypt export "$image" snap one --snapshots -o "$tmp/chain.tar"
cmp "$tmp/chain.snap.tar" "$tmp/chain.tar" || fail "two of one family are not exported once each"
# What the snapshot has of the nested subvolume is an empty directory.
expect_unchanged 0 "$image" crypt export "$image" one:nested/inline --snapshots -o "$tmp/part.tar"
expect_text "$tmp/err" 'note: snap \(id [0-9]+\): has no nested/inline$'
tar tf "$tmp/part.tar" 2>/dev/null | grep -qv '^one/nested/inline/' && fail "more than the part that is there"
rm "$tmp"/chain*.tar "$tmp/part.tar"

say "zip, cpio, mtree"
expect_status 0 crypt export "$image" one -o "$tmp/one.zip"
expect_text "$tmp/err" '^not kept: .*time-range \(3\).*xattr .*acl .*hard-link .*device .*socket .*fifo'
expect_status 0 crypt export "$image" one -o "$tmp/one.cpio"
expect_text "$tmp/err" '^not kept: .*time-range \(3\)'
expect_status 0 crypt export "$image" one -o "$tmp/one.mtree"
python3 - "$tmp/one.zip" "$tmp/one.cpio" "$tmp/one.mtree" "$tmp/sums" >"$tmp/python.out" 2>&1 <<'END' || { tail -5 "$tmp/python.out"; fail "an archive differs"; }
import hashlib, re, sys, zipfile
sums = {}
for line in open(sys.argv[4], "rb"):
    if line[:1] not in b"#" and b"  nested/" not in line:
        escaped = line.startswith(b"\\")
        digest, name = line.lstrip(b"\\").rstrip(b"\n").split(b"  ", 1)
        if escaped:
            name = re.sub(rb"\\(.)", lambda m: {b"n": b"\n", b"r": b"\r", b"\\": b"\\"}[m[1]], name)
        sums[name] = digest.decode()

archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
n = 0
for info in archive.infolist():
    if info.external_attr >> 16 & 0o170000 == 0o100000:
        name = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
        n += 1
        assert sums[name] == hashlib.sha256(archive.read(info)).hexdigest(), name
assert n == len(sums), (n, len(sums))

data, at, first, n = open(sys.argv[2], "rb").read(), 0, {}, 0
while True:
    assert data[at:at + 6] == b"070701", at
    field = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
    ino, mode, links, size, name_len = field[0], field[1], field[4], field[6], field[11]
    name = data[at + 110:at + 110 + name_len - 1]
    at = (at + 110 + name_len + 3) & ~3
    body = data[at:at + size]
    at = (at + size + 3) & ~3
    if name == b"TRAILER!!!":
        break
    if mode & 0o170000 == 0o100000:
        n += 1
        if links > 1 and ino in first:
            assert size == 0, name
            body = first[ino]
        elif links > 1:
            first[ino] = body
        assert sums[name] == hashlib.sha256(body).hexdigest(), name
    if name == b"special/vast":
        assert field[9:11] == [4000, 700000], field
assert n == len(sums)

n = 0
for line in open(sys.argv[3], "rb"):
    if b"type=file" in line:
        name = re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), line.split()[0])[2:]
        n += 1
        assert b"sha256digest=" + sums[name].encode() in line or b"sha256=" + sums[name].encode() in line, line
assert n == len(sums)
END

say "unzip, cpio and mtree"
# expect_plainer DIRECTORY FILTER: the same, of what these formats can hold
expect_plainer() {
	local each
	for each in "$tmp/to/cp-one" "$1"; do
		manifest --no-ctime --flat "$each" | grep -v '^nested[/ ]' |
			sed -E "s/ ino=[0-9]+//; / dir /s/ size=[0-9]+//; s/(mtime=-?[0-9]+)[0-9]{9} /\1 /; s/ (blocks|flags)=[0-9a-f]+//g; s/ (user|trusted|system|security|btrfs)\.[^ ]*=[^ ]*//g; $2" \
				>"$tmp/plainer.$(basename "$each")"
	done
	diff "$tmp/plainer.cp-one" "$tmp/plainer.$(basename "$1")" >"$tmp/tree.diff" ||
		{ cut -c 1-300 "$tmp/tree.diff" | sed -n 1,20p; fail "$1 differs from what cp -a makes"; }
}
mkdir "$tmp/to/zip" "$tmp/to/cpio"
LC_ALL=C.UTF-8 unzip -qq -X -K -^ -d "$tmp/to/zip" "$tmp/one.zip" || fail "unzip"
# Zip keeps no special files and hard links, and names as UTF-8 only; unzip gives links no times.  The times
# that it can hold end in 2106 and begin in 1980, or 1970.
expect_plainer "$tmp/to/zip" '/^[.] dir/d; / (char|block|fifo|socket) /d; /^names\/[^ ]*\\x(ff|80)/d; /(^times\/| link )/s/ mtime=-?[0-9]+//; s/ links=[0-9]+//'
(cd "$tmp/to/cpio" && cpio -idm --quiet --no-absolute-filenames <"$tmp/one.cpio") || fail "cpio"
# cpio gives directories their times before it fills them, symbolic links none, and makes as many of them as they have names; times are 32 bits.
expect_plainer "$tmp/to/cpio" '/ socket /d; /(^times\/| dir )/s/ mtime=-?[0-9]+//; / link /s/ (mtime|links)=-?[0-9]+//g'
# To this mtree a name is a pattern: that of one asterisk would stand for all others.
grep -vF './names/* ' "$tmp/one.mtree" >"$tmp/some.mtree"
(cd "$tmp/to/cp-one" && mtree -f "$tmp/some.mtree") >"$tmp/mtree.out" 2>&1 || true
printf 'extra: %s\n' nested/sizes nested/inline nested/symlinks nested/links 'names/*' special/socket | sort >"$tmp/want"
sort "$tmp/mtree.out" | diff "$tmp/want" - || fail "mtree finds other differences"
rm -rf "$tmp/to/zip" "$tmp/to/cpio"

say "a filesystem that has only the years 1901 to 2038"
if command -v mke2fs >/dev/null; then
	truncate -s 8M "$tmp/old.img"
	mke2fs -q -t ext4 -I 128 -O ^has_journal "$tmp/old.img" 2>/dev/null
	loop=$(losetup --find --show "$tmp/old.img")
	mounts+=("$tmp/old $loop")
	mkdir "$tmp/old"
	mount -t ext4 "$loop" "$tmp/old"
	expect_status 0 crypt export "$image" one:times -o "$tmp/old/times/"
	expect_text "$tmp/err" '^not kept: .*time-range \(3\)'
	image_umount
fi

say "progress"
expect_status 0 crypt export "$image" one -o /dev/null --progress json --progress-frequency 60 --format json
[ "$(grep -c '"progress":"export"' "$tmp/err")" = 2 ] || fail "progress is not told at the beginning and at the end"
tail -1 "$tmp/err" | python3 -c 'import json, sys; assert int(json.load(sys.stdin)["summary"]["files"]) > 500' || fail "no summary in JSON"

say "what is refused"
echo mine >"$tmp/mine"
expect_status 9 crypt export "$image" one -o "$tmp/mine"
expect_status 9 crypt export "$image" one -o "$image"
expect_status 9 crypt export "$image" one -o "$tmp/x.tar" --report "$tmp/mine"
[ "$(cat "$tmp/mine")" = mine ] || fail "a file was overwritten"
mkdir "$tmp/full" && touch "$tmp/full/x"
expect_status 9 crypt export "$image" one -o "$tmp/full"
expect_status 1 crypt export "$image" one
expect_status 1 crypt export "$image" one -o "$tmp/x.zip" --archive tar
expect_status 1 crypt export "$image" one -o "$tmp/x.zip" --compress xz
expect_status 11 crypt export "$image" one -o /dev/full
for file in "$tmp"/x.* "$tmp"/none.*; do
	[ -e "$file" ] && fail "$file was left"
done

say "sizes that no place has room for"
image_make "$tmp/b.img" 120M -m single
image_mount "$tmp/b.img" "$tmp/mnt" rw
truncate -s 7E "$tmp/mnt/vast"
truncate -s 3T "$tmp/mnt/large"
echo small >"$tmp/mnt/small"
image_umount
expect_status 9 crypt export "$tmp/b.img" / -o "$tmp/b.tar" --manifest "$tmp/b.sums"
expect_text "$tmp/err" 'vast: not exported: its holes of 8070450532247928832 bytes'
expect_text "$tmp/err" 'large: its holes are too long: its SHA-256 is not in the manifest'
[ "$(tar tf "$tmp/b.tar" | tr '\n' ' ')" = "./ large small " ] || fail "the archive has other files"
expect_status 9 crypt export "$tmp/b.img" / -o "$tmp/b.zip"
expect_text "$tmp/err" '^read from another mirror.* 2 refused'
[ "$before" = "$(fingerprint "$image")" ] || fail "exporting changed the image"
image_umount
