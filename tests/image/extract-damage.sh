#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cat of damaged files: every lost range is named and comes out as zeros, everything else is there, and the exit status is 6. Damage outside the
# requested range does not matter. A lost leaf takes its extents with it, and a sealed file on a bad mirror is reported once.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
damage() { python3 "$IMAGE_TESTS/damage.py" "$@"; }

image=$tmp/a.img
image_make "$image" 200M -m single -d single -n 4096
image_mount "$image" "$tmp/mnt" rw
cd "$tmp/mnt"
head -c 300000 /dev/urandom >noise
{ head -c 8192 /dev/urandom; seq 1 100; } >holes
truncate -s 200000 holes
head -c 40000 /dev/urandom | dd of=holes bs=4096 seek=20 conv=notrunc status=none
python3 -c 'import os
with open("pieces", "wb") as file:
	for block in range(0, 1199, 2):
		os.pwrite(file.fileno(), os.urandom(4096), block * 4096)'
cp noise holes pieces "$tmp"
sync
noise=$(stat -c %i noise) holes=$(stat -c %i holes) pieces=$(stat -c %i pieces)
cd "$tmp"
image_umount
cp "$image" "$tmp/good.img"

# zeros FILE FIRST END: the copy that is expected
zeros() { dd if=/dev/zero of="$1" bs=1 seek="$2" count=$(($3 - $2)) conv=notrunc status=none; }
# part STATUS FILE FIRST LENGTH
part() {
	expect_unchanged "$1" "$image" crypt cat --offset "$3" --length "$4" "$image" / "$2"
	cmp <(tail -c +$(($3 + 1)) "$tmp/$2.want" | head -c "$4") "$tmp/out" || fail "$2: other bytes from $3 on, $4 of them"
	[ "$1" = 0 ] || expect_text "$tmp/err" '^printed: '
}

say "ranges of data"
read -r _ address _ < <(damage "$image" extents 5 "$noise")
damage "$image" data $((address + 8192)) $((address + 12288)) $((address + 131072)) $((address + 290816))
cp "$tmp/noise" "$tmp/noise.want"
for range in 8192:16384 131072:135168 290816:294912; do zeros "$tmp/noise.want" "${range%:*}" "${range#*:}"; done
expect_unchanged 6 "$image" crypt cat --report "$tmp/report" "$image" / noise
cmp "$tmp/out" "$tmp/noise.want" || fail "what is lost is not zeros, or more is lost"
for range in '8192 to 16383' '131072 to 135167' '290816 to 294911'; do expect_text "$tmp/err" "^btrfs-crypt cat: warning: noise: bytes $range are lost: .*crc32c"; done
[ "$(grep -c ' are lost' "$tmp/err")" = 3 ] || fail "other ranges are lost"
expect_text "$tmp/err" '; lost: 16384 bytes, doubtful: 0 bytes$'
python3 - "$tmp/report" <<'END'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
lost = [(l["path"], int(l["first"]), int(l["last"])) for l in lines if l.get("finding") == "lost"]
assert lost == [("noise", 8192, 16383), ("noise", 131072, 135167), ("noise", 290816, 294911)], lost
assert lines[-1]["status"] == 6 and lines[-1]["summary"]["lost_bytes"] == "16384", lines[-1]
END
part 0 noise 0 8192
part 0 noise 16384 114688
part 0 noise 135168 100000
part 0 noise 294912 1000000
part 6 noise 16000 1000		# its end
expect_text "$tmp/err" 'noise: bytes 16000 to 16383 are lost'
part 6 noise 8000 200		# its beginning
expect_text "$tmp/err" 'noise: bytes 8192 to 8199 are lost'
part 6 noise 9000 10		# inside
expect_text "$tmp/err" 'noise: bytes 9000 to 9009 are lost'
expect_text "$tmp/err" '; lost: 10 bytes, '

say "a file with holes"
cp "$tmp/good.img" "$image"
read -r _ address _ < <(damage "$image" extents 5 "$holes" | awk '$1 == 81920')
damage "$image" data $((address + 4096))
cp "$tmp/holes" "$tmp/holes.want"
zeros "$tmp/holes.want" $((21 * 4096)) $((22 * 4096))
part 0 holes 4000 80000
part 0 holes 90112 200000
part 6 holes 20000 80000
expect_text "$tmp/err" 'holes: bytes 86016 to 90111 are lost'

say "a leaf with extents of a file"
cp "$tmp/good.img" "$image"
leaf=$(python3 - "$IMAGE_TESTS" "$image" "$pieces" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import damage
image = damage.Image(sys.argv[2], None)
for number, (_, items) in enumerate(image.leaves("5")):
    if all(key.startswith(sys.argv[3] + " EXTENT_DATA ") for key, _, _ in items):
        print(number, int(items[0][0].split()[2]) - 4096, int(items[-1][0].split()[2]) + 8192)
END
)
read -r number first end <<<"$(sed -n 2p <<<"$leaf")"
damage "$image" block 5 "$number" >"$tmp/lost"
cp "$tmp/pieces" "$tmp/pieces.want"
zeros "$tmp/pieces.want" "$first" "$end"
part 0 pieces 0 "$first"
part 0 pieces "$end" 10000000
expect_unchanged 6 "$image" crypt cat "$image" / pieces
cmp "$tmp/out" "$tmp/pieces.want" || fail "other bytes"
expect_text "$tmp/err" "pieces: bytes [0-9]+ to $((end - 1)) are lost: .*tree block at $(printf '%#x' "$(cat "$tmp/lost")"): the crc32c checksum does not match"
part 6 pieces $((first + 5000)) 3000
expect_text "$tmp/err" "pieces: bytes $((first + 5000)) to $((first + 7999)) are lost"

say "sealed, on a bad mirror: told once"
image_make "$image" 300M -m dup -d dup
image_mount "$image" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/s"
cp "$tmp/noise" "$tmp/mnt/s/noise"
sync
noise=$(stat -c %i "$tmp/mnt/s/noise")
image_umount
head -c 32 /dev/urandom >"$tmp/key"
expect_status 0 crypt convert --encrypt -q --volume-key-file "$tmp/key" "$image" s
read -r _ address _ < <(damage "$image" extents 256 "$noise")
damage "$image" data $(seq "$address" 4096 $((address + 200000))) --mirror 1
expect_unchanged 0 "$image" crypt cat --volume-key-file "$tmp/key" "$image" s noise
cmp "$tmp/out" "$tmp/noise" || fail "the other mirror was not used"
[ "$(grep -c warning "$tmp/err")" = 1 ] || { cat "$tmp/err"; fail "not told once"; }
expect_text "$tmp/err" "warning: data at $address: mirror 1 fails authentication, mirror 2 is right and is used"
expect_text "$tmp/err" '; read from another mirror: 1; '
