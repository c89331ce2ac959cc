#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Exporting images that were made to harm, and damaged ones: no name and no link leads out of the output directory; loops end; lost bytes are named
# one by one and are zeros in the output, and everything else is there; the exit status is 6.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
edit_entry=${BUILD:-$PROJECT/build}/tests/image/edit-entry
[ -x "$edit_entry" ] || fail "$edit_entry is missing, run make tools"
damage() { python3 "$IMAGE_TESTS/damage.py" "$@"; }

image=$tmp/a.img
image_make "$image" 200M -m single -d single -n 4096
image_mount "$image" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/s"
cd "$tmp/mnt/s"
mkdir -p dir/deep
echo outside >escape_to_above
echo absolute >_etc_absolute
echo dot >x
echo dots >yy
ln -s "$tmp/elsewhere" link1
mkdir link2
echo through >link2/through
echo kept >dir/deep/kept
mkdir loop
ln -s "$tmp/elsewhere/file" link3
echo file >file3
head -c 300000 /dev/urandom >noise
seq 1 100000 >text
for i in $(seq 200); do echo "$i" >"dir/many-$i"; done
echo last >zlast
cp noise "$tmp/noise"
sync
inode() { stat -c %i "$1"; }
top=$(inode .) dir=$(inode dir) deep=$(inode dir/deep) noise=$(inode noise)
cd "$tmp"
image_umount
cp "$image" "$tmp/good.img"

say "names and links that lead elsewhere"
mkdir "$tmp/elsewhere"
"$edit_entry" "$image" 256 "$top" escape_to_above name ../../to_above_
"$edit_entry" "$image" 256 "$top" _etc_absolute name /etc_absolute
"$edit_entry" "$image" 256 "$top" x name .
"$edit_entry" "$image" 256 "$top" yy name ..
"$edit_entry" "$image" 256 "$top" link2 name link1	# a directory of a symbolic link's name
"$edit_entry" "$image" 256 "$top" file3 name link3	# and a file
"$edit_entry" "$image" 256 "$top" loop inode "$top"
"$edit_entry" "$image" 256 "$dir" many-7 inode 99999
mkdir "$tmp/in"
expect_unchanged 6 "$image" crypt export "$image" s -o "$tmp/in/side/"
for name in 'the name "../../to_above_" cannot be' 'the name "/etc_absolute" cannot be' 'the name "." cannot be' 'the name ".." cannot be' \
	'loop: damaged: tree 256: directory 256 appears a second time' 'dir/many-7: not exported: entry [0-9]* of directory .* inode 99999 is missing in subvolume id:256' \
	'link1: not exported: ' 'link3: not exported: '; do
	expect_text "$tmp/err" "$name"
done
[ "$(ls -A "$tmp/in")" = side ] && [ -z "$(ls -A "$tmp/elsewhere")" ] || fail "something was written outside of the output directory"
[ "$(cat "$tmp/in/side/"bad-name-* | sort | tr '\n' ' ')" = "absolute dot dots outside " ] || fail "the files with impossible names are not there"
[ "$(cat "$tmp/in/side/dir/deep/kept")" = kept ] && [ "$(cat "$tmp/in/side/zlast")" = last ] || fail "not everything else was exported"
cmp "$tmp/in/side/noise" "$tmp/noise" || fail "a file differs"
expect_status 6 crypt export "$image" s -o "$tmp/s.tar"
tar tf "$tmp/s.tar" 2>/dev/null | grep -E '^/|(^|/)\.\.(/|$)' && fail "the archive has a name that leads elsewhere"

say "damaged data"
cp "$tmp/good.img" "$image"
read -r _ address _ < <(damage "$image" extents 256 "$noise")
damage "$image" data $((address + 8192)) $((address + 12288)) $((address + 131072)) $((address + 290816)) $((address + 294912))
expect_status 6 crypt export "$image" s -o "$tmp/data/" --manifest "$tmp/sums" --report "$tmp/report"
expect_text "$tmp/err" 'noise: bytes 8192 to 16383 are lost: .* crc32c is'
expect_text "$tmp/err" 'noise: bytes 131072 to 135167 are lost'
expect_text "$tmp/err" 'noise: bytes 290816 to 299007 are lost'
expect_text "$tmp/err" 'incomplete: 1 file \(20480 bytes lost\)$'
[ "$(grep -c ' are lost' "$tmp/err")" = 3 ] || fail "other ranges are lost"
cp "$tmp/noise" "$tmp/noise.want"
for at in 2:2 32:1 71:2; do
	dd if=/dev/zero of="$tmp/noise.want" bs=4096 seek="${at%:*}" count="${at#*:}" conv=notrunc status=none
done
cmp "$tmp/noise.want" "$tmp/data/noise" || fail "what is lost is not zeros, or more is lost"
(cd "$tmp/data" && sha256sum --quiet --strict -c "$tmp/sums") || fail "the manifest does not fit"
python3 - "$tmp/report" <<'END'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
lost = [(l["path"], int(l["first"]), int(l["last"])) for l in lines if l.get("finding") == "lost"]
assert lost == [("noise", 8192, 16383), ("noise", 131072, 135167), ("noise", 290816, 299007)], lost
assert lines[-1]["summary"]["incomplete"] == "1" and lines[-1]["summary"]["lost_bytes"] == "20480", lines[-1]
END
expect_status 6 crypt export "$image" s:noise -o "$tmp/noise.tar"
tar -xOf "$tmp/noise.tar" --warning=no-unknown-keyword noise | cmp - "$tmp/noise.want" || fail "the archive has other bytes"

say "a leaf of the tree lost"
cp "$tmp/good.img" "$image"
damage "$image" block 256 5 >"$tmp/lost"
expect_status 6 crypt export "$image" s -o "$tmp/leaf/"
expect_text "$tmp/err" "damaged: .*tree block at $(printf '%#x' "$(cat "$tmp/lost")"): the crc32c checksum does not match"
n=$(find "$tmp/leaf/dir" -name 'many-*' | wc -l)
[ "$n" -gt 100 ] && [ "$n" -le 200 ] || fail "$n of 200 files are left"
[ "$(cat "$tmp/leaf/zlast")" = last ] && cmp "$tmp/leaf/noise" "$tmp/noise" || fail "what can be read was not exported"

say "one copy of two lost"
image_make "$image" 300M -m dup -d dup
image_mount "$image" "$tmp/mnt" rw
cp "$tmp/noise" "$tmp/mnt/noise"
sync
noise=$(stat -c %i "$tmp/mnt/noise")
image_umount
read -r _ address _ < <(damage "$image" extents 5 "$noise")
damage "$image" data "$address" $((address + 20480)) --mirror 1
expect_status 0 crypt export "$image" / -o "$tmp/dup/"
cmp "$tmp/dup/noise" "$tmp/noise" || fail "the other copy was not used"
expect_text "$tmp/err" '^read from another mirror: 2;'
