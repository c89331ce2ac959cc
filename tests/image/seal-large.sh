#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 10,000 small files in one image, and one file of 384 MiB in another (TORTURE: 100,000 and 4 GiB), stopped by signals on the way and resumed;
# within 256 MiB of memory.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt
new_keys
KEY=(--volume-key-file "$tmp/vk")
image=$tmp/disk.img
tool fill

cat >"$tmp/within.py" <<'END'
import resource, subprocess, sys
status = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
took, peak = used.ru_utime + used.ru_stime, used.ru_maxrss
print("%s: took %.1f s of processor time and %d KiB" % (" ".join(sys.argv[3:5]), took, peak))
if took > float(sys.argv[1]) or peak > 256 << 10:
    sys.exit("too much")
sys.exit(status)
END

# within SECONDS COMMAND...: exit 0 in that processor time and in 256 MiB
within() {
	expect_status 0 python3 "$tmp/within.py" "$@"
	expect_text "$tmp/out" 'took .* KiB$'
	say "$(tail -1 "$tmp/out")"
}

n=${TORTURE:+100000}
n=${n:-10000}
say "$n files"
image_make "$image" 2500M
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs -q subvolume create "$tmp/mnt/target"
"$tmp/fill" "$tmp/mnt/target" $SEED many:$n
image_umount
image_state "$image" before
within 120 "$BTRFS_CRYPT" convert --encrypt -q "${KEY[@]}" "$image" target
check_clean "$image"
find_no_plain "$image" $SEED
within 60 "$BTRFS_CRYPT" verify "${KEY[@]}" "$image" target
image_mount "$image" "$tmp/mnt" rw
expect_status 0 python3 "$IMAGE_TESTS/closed.py" "$tmp/mnt/target/many/7"
btrfs balance start --full-balance "$tmp/mnt" >"$tmp/out"
image_umount
within 120 "$BTRFS_CRYPT" convert --decrypt -q "${KEY[@]}" "$image" target
check_clean "$image"
image_state "$image" after
expect_same_state before after

size=${TORTURE:+4096}
size=${size:-384}
say "one file of $size MiB"
image_make "$image" $((size + 1200))M
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs -q subvolume create "$tmp/mnt/target"
"$tmp/fill" "$tmp/mnt/target" $SEED "big:$((size << 20))" inline
cp "$tmp/mnt/target/inline/1" "$tmp/inline-1"
image_umount
image_state "$image" before
say "filled"

# stopped SIGNAL OPTION...: `convert`, and the signal when the first data are converted; must exit 8
stopped() {
	local signal=$1 status=0
	shift
	"${BUILD:-$PROJECT/build}/tests/image/signal-when" "$signal" 'says:"progress":"data","done":"[1-9]' "$BTRFS_CRYPT" convert --progress=json \
		--progress-frequency 0 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
	[ "$status" = 8 ] || { tail -n 5 "$tmp/err"; fail "SIG$signal gave exit status $status, not 8"; }
	expect_unchanged 7 "$image" crypt convert --status "$image"
	percent=$(grep -oE '[0-9]+ ?%' "$tmp/out" | head -1 | tr -d ' %')
	say "SIG$signal at $percent %"
}
stopped INT --encrypt "${KEY[@]}" "$image" target
[ "$percent" -lt 80 ] || fail "stopped soon after it began, and --status says $percent %"
expect_no_mount "$image"
expect_unchanged 7 "$image" crypt cat "$image" target inline/1
expect_unchanged 0 "$image" crypt cat "${KEY[@]}" "$image" target inline/1
cmp "$tmp/out" "$tmp/inline-1" || fail "inline/1 is not as it was, while unfinished"
expect_unchanged 7 "$image" crypt convert --encrypt -q "${KEY[@]}" "$image" target
expect_unchanged 0 "$image" crypt verify-key "${KEY[@]}" "$image" target
expect_unchanged 2 "$image" crypt convert --resume -q --volume-key-file "$tmp/wrong-vk" "$image"
expect_unchanged 9 "$image" crypt convert --decrypt --resume -q "${KEY[@]}" "$image"
stopped TERM --resume "${KEY[@]}" "$image"
within 300 "$BTRFS_CRYPT" convert --resume -q "${KEY[@]}" "$image"
expect_status 0 crypt convert --status "$image"
check_clean "$image"
find_no_plain "$image" $SEED
within 120 "$BTRFS_CRYPT" verify "${KEY[@]}" "$image" target
stopped INT --decrypt "${KEY[@]}" "$image" target
expect_no_mount "$image"
expect_unchanged 9 "$image" crypt convert --resume -q "${KEY[@]}" "$image"
within 300 "$BTRFS_CRYPT" convert --decrypt --resume -q "${KEY[@]}" "$image"
check_clean "$image"
image_state "$image" after
expect_same_state before after

say "stopped and taken back"
stopped INT --encrypt "${KEY[@]}" "$image" target
within 300 "$BTRFS_CRYPT" convert --abort -q "${KEY[@]}" "$image"
check_clean "$image"
image_state "$image" after
expect_same_state before after
