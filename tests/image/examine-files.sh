#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Commands say the same about single files as the kernel: stat with extents, flags, xattrs and all times, timeline, ls.  Nothing is written to the
# image.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
tool fill
examine() { python3 "$IMAGE_TESTS/examine.py" "$@"; }

KINDS="sizes:3000000 inline compressed holes prealloc nocow reflinks bookends extents:100 symlinks names times modes links special flags directories"
image=$tmp/image
image_make "$image" 400M
image_mount "$image" "$tmp/mnt" rw,compress=zstd
btrfs -q subvolume create "$tmp/mnt/one"
"$tmp/fill" "$tmp/mnt/one" 1 $KINDS
btrfs -q subvolume create "$tmp/mnt/one/nested"
for name in short "with space" $'line\nfeed'; do
	setfattr -n "user.$name" -v "value of $name" "$tmp/mnt/one/sizes"
done
setfattr -n user.empty "$tmp/mnt/one/sizes/1"
setfattr -n user.large -v "$(head -c 3000 /dev/zero | tr '\0' x)" "$tmp/mnt/one/sizes/1"
for n in $(seq 60); do setfattr -n "user.many$n" -v "$n" "$tmp/mnt/one/inline"; done
chattr +m "$tmp/mnt/one/sizes/65537"
sync
btrfs -q subvolume snapshot -r "$tmp/mnt/one" "$tmp/mnt/snap"
# What goes on after the snapshot, for the timeline
rm "$tmp/mnt/one/sizes/4096" && rm -r "$tmp/mnt/one/prealloc"
echo new >"$tmp/mnt/one/sizes/new|file \\ "$'\n'
echo more >>"$tmp/mnt/one/sizes/65537"
mv "$tmp/mnt/one/sizes/1" "$tmp/mnt/one/renamed"
ln "$tmp/mnt/one/sizes/65536" "$tmp/mnt/one/another name"
touch -a -d 1931-02-03T04:05:06.7Z "$tmp/mnt/one/sizes/4097"
chmod 4711 "$tmp/mnt/one/sizes/4095"
sync
image_umount
image_mount "$image" "$tmp/mnt" ro
examine record "$tmp/mnt/one" >"$tmp/record"
examine record "$tmp/mnt/snap" >"$tmp/record.snap"
# What ls(1) prints of the same: "its options|our options|path"
listings=("-UR|-R|directories" "-UiR|-iR|directories" "-Ui|-i|sizes" "|--sort=name|sizes" "-r|--sort=name -r|links" "-S|--sort=size|sizes" "-Sr|--sort=size -r|sizes"
	"-t|--sort=time|times" "-tri|--sort=time -r -i|times")
n=0
for listing in "${listings[@]}"; do
	IFS='|' read -r theirs _ path <<<"$listing"
	(cd "$tmp/mnt/snap" && ls -1A $theirs "$path") | sed -E 's/^ *//' >"$tmp/ls.$n"
	n=$((n + 1))
done
(cd "$tmp/mnt/snap" && ls -1AUR --quoting-style=literal .) | sed -z 's/\n/\t/g' >"$tmp/ls.all"
image_umount

before=$(fingerprint "$image")
examine stat "$BTRFS_CRYPT" "$image" one "$tmp/record" >"$tmp/compared" || { head -40 "$tmp/compared"; fail "stat differs from the kernel"; }
say "stat: $(tail -1 "$tmp/compared")"
expect_text "$tmp/compared" '^[0-9]{3,} inodes, [0-9]{3,} extents, [0-9]{2,} xattrs'

examine timeline "$BTRFS_CRYPT" "$image" one "$tmp/record" >"$tmp/compared" || { head -40 "$tmp/compared"; fail "timeline differs from the kernel"; }
say "timeline: $(tail -1 "$tmp/compared")"
examine changes "$BTRFS_CRYPT" "$image" one "$tmp/record" snap "$tmp/record.snap" >"$tmp/compared" ||
	{ head -40 "$tmp/compared"; fail "timeline --changed-since differs from the kernel"; }
say "timeline: $(tail -1 "$tmp/compared")"
expect_text "$tmp/compared" '^[0-9]{2,} changes \(changed created deleted\)'
expect_status 0 crypt timeline -c snap "$image" one
expect_text "$tmp/out" '^0\|/snap/sizes/4096 \(deleted\)\|'
expect_text "$tmp/out" '^0\|/one/sizes/new\\x7cfile \\\\ \\x0a\|'

n=0
for listing in "${listings[@]}"; do
	IFS='|' read -r _ ours path <<<"$listing"
	expect_status 0 crypt ls $ours "$image" snap "$path"
	sed -E 's/^ *//' "$tmp/out" | diff "$tmp/ls.$n" - >"$tmp/diff" || { head "$tmp/diff"; fail "ls $ours $path differs from ls(1)"; }
	n=$((n + 1))
done
[ "$(wc -l <"$tmp/ls.0")" -gt 100 ] || fail "nothing to list"
# All of it, odd names too: undo the escapes.
expect_status 0 crypt ls -R "$image" snap
python3 -c 'import re, sys
sys.stdout.buffer.write(re.sub(rb"\\(\\|x[0-9a-f]{2})", lambda m: b"\\" if m[1] == b"\\" else bytes.fromhex(m[1][1:].decode()), sys.stdin.buffer.read()))' <"$tmp/out" |
	sed -z 's/\n/\t/g' | cmp - "$tmp/ls.all" || fail "ls -R of all differs from ls(1)"
say "ls: ${#listings[@]} listings, $(wc -l <"$tmp/out") lines"
expect_status 1 crypt ls --sort=inode "$image" one
expect_status 1 crypt ls -r "$image" one

expect_status 0 crypt stat -e "$image" snap sizes/1 / symlinks
expect_text "$tmp/out" '^sizes/1$'
expect_text "$tmp/out" '^  size:        1$'
expect_text "$tmp/out" '^  xattr:       user\.large \(3000 bytes\)$'
expect_text "$tmp/out" '^  extents:     1 \(1 inline\)$'
expect_text "$tmp/out" '^  extent:      offset 0 length 1 inline$'
expect_text "$tmp/out" '^/$'
expect_text "$tmp/out" '^symlinks$'
expect_status 0 crypt stat "$image" one sizes
expect_text "$tmp/out" '^  xattr:       user\.line\\x0afeed \(18 bytes\)$'
expect_status 4 crypt stat "$image" snap nested
expect_text "$tmp/err" 'nested: it is the empty place'
expect_status 4 crypt stat "$image" one renamed none
expect_text "$tmp/err" ': "none" not found'
[ "$before" = "$(fingerprint "$image")" ] || fail "reading changed the image"
