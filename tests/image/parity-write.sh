#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Data and tree blocks written with parity: the judge is a kernel, which finds nothing in a scrub, and reads the same bytes without any device, or two for
# RAID6.  Sectors that only parity had before still come from it.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
need_root
need_crypt
tool rewrite

# compare BAD FILE: against FILE.before, every byte is changed, but BAD sectors are as they were
cat >"$tmp/compare.py" <<'EOF'
import sys
bad, path = int(sys.argv[1]), sys.argv[2]
before, now = open(path + ".before", "rb").read(), open(path, "rb").read()
flip = bytes(i ^ 0x5A for i in range(256))
assert len(before) == len(now), "length"
same = 0
for at in range(0, len(now), 4096):
    one, other = now[at:at + 4096], before[at:at + 4096]
    if one == other:
        same += 1
    else:
        assert one == other.translate(flip), f"other bytes at {at}"
assert same == bad, f"{same} sectors are as before, {bad} expected"
EOF

# check BAD [OPTIONS]: all files of the mounted filesystem
check() {
	devices_mount r "$tmp/mnt" "${2:-ro}"
	cp "$tmp/mnt/large" "$tmp/large"
	devices_umount
	python3 "$tmp/compare.py" "$1" "$tmp/large"
}

scrub() {
	devices_mount r "$tmp/mnt"
	btrfs scrub start -B "$tmp/mnt" >"$tmp/scrub" 2>&1 || true
	btrfs scrub status -R "$tmp/mnt" >"$tmp/status"
	devices_umount
}

expect_clean() {
	expect_text "$tmp/status" "uncorrectable_errors: 0"
	! grep -E '_errors: [1-9]' "$tmp/status" || { cat "$tmp/status"; fail "scrub of $how"; }
}

# without I...: the kernel and our reader read the same, without these devices
without() {
	local i
	for i; do mv "$tmp/r.$i" "$tmp/gone.$i"; done
	check "$n_bad" ro,degraded
	devices_except r
	expect_status 0 crypt cat --quiet "${others[@]}" "$image" / large
	cmp "$tmp/out" "$tmp/large"
	for i; do mv "$tmp/gone.$i" "$tmp/r.$i"; done
}

for how in "3 raid5 raid1 0" "4 raid6 raid6 0" "3 raid5 raid5 50" "4 raid6 raid1c3 33"; do
	read -r n data metadata bad <<<"$how"
	devices_make r "$n" 130M -d "$data" -m "$metadata"
	devices_mount r "$tmp/mnt" rw,compress=no
	head -c 5000000 /dev/urandom >"$tmp/mnt/large"
	cp "$tmp/mnt/large" "$tmp/large.before"
	devices_umount
	expect_status 0 "$tmp/rewrite" "$bad" "$tmp"/r.*
	n_bad=$(sed -n 's/.*, \([0-9]*\) bad.*/\1/p' "$tmp/out")
	[ "$bad" = 0 ] || [ "$n_bad" -gt 10 ] || fail "only $n_bad bad sectors"
	# Before any scrub, which makes parity anew, and before anything is mounted for writing.
	check "$n_bad"
	for ((i = 1; i <= n; i++)); do
		# With a device less, RAID5 has no other way to a bad sector.
		[ "$data$bad" = raid50 ] || [ "$data" = raid6 ] || break
		without "$i"
		[ "$data$bad" != raid60 ] || without "$i" $((i % n + 1))
	done
	[ "$bad" != 0 ] || devices_check r
	# A kernel counts what it repairs by way of a parity stripe only in part: that the bytes are right is seen below.
	scrub
	[ "$bad" = 0 ] || sed -i '/\(csum\|corrected\)_errors/d' "$tmp/status"
	expect_clean
	scrub
	expect_clean
	check "$n_bad"
	say "$how: $n_bad bad sectors"
done
