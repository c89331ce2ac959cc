#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# df says to the byte what btrfs filesystem df and btrfs filesystem usage say of a mount: block group tree, mixed groups, parity, several profiles at
# once, and with devices missing, of a degraded mount.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/devices-lib.sh"
need_root
need_crypt
tool fill
programs=${BUILD:-$PROJECT/build}/tests/image
[ -x "$programs/edit-tree" ] || fail "$programs/edit-tree does not exist: run make tools"

cat >"$tmp/compare.py" <<'PYTHON'
import json, re, sys
df, usage, ours = (open(name, encoding="utf-8").read() for name in sys.argv[1:4])
rows = [json.loads(line) for line in ours.splitlines()]
profiles = [r for r in rows if r["record"] == "profile"]
devices = [r for r in rows if r["record"] == "device"]
want = sorted(re.findall(r"^([\w+]+), (\w+): total=(\d+), used=(\d+)$", re.sub("(?m)^GlobalReserve.*$", "", df), re.M))
have = sorted((r["type"], r["profile"], r["total"], r["used"]) for r in profiles)
assert have == want, (have, want)
want = sorted(re.findall(r"^([\w+]+),(\w+): Size:(\d+), Used:(\d+)", usage, re.M))
assert have == want, (have, want)
overall = {name: int(n) for name, n in re.findall(r"^ +(Device \w+|Used):\s+(\d+)", usage, re.M)}
def total(name, of=lambda r: True):
    return sum(int(r[name]) for r in devices if of(r))
mine = {
    "Device size": total("size"), "Device allocated": total("allocated"), "Device unallocated": total("unallocated"),
    "Device missing": total("size", lambda r: r["missing"]), "Device slack": 0,
    "Used": sum(int(r["used"]) * int(r["allocated"]) // int(r["total"]) for r in profiles),
}
assert mine == overall, (mine, overall)
assert sum(int(r["allocated"]) for r in profiles) == total("allocated")
want = sorted(re.findall(r"^ +(\S+)\s+(\d+)$", usage[usage.index("Unallocated:"):], re.M))
# Those that are missing it lists or not.
assert sorted(n for name, n in want if name != "missing") == sorted(r["unallocated"] for r in devices if not r["missing"]), (want, devices)
print(len(profiles), "profiles,", len(devices), "devices")
PYTHON

# compare NAME OPTIONS [MISSING...]
compare() {
	local name=$1 options=$2
	shift 2
	local i
	for i in "$@"; do mv "$tmp/$name.$i" "$tmp/away.$i"; done
	devices_mount "$name" "$tmp/mnt" "$options"
	btrfs filesystem df -b "$tmp/mnt" >"$tmp/df" 2>/dev/null
	btrfs filesystem usage -b "$tmp/mnt" >"$tmp/usage" 2>/dev/null
	devices_umount
	devices_except "$name"
	expect_unchanged 0 "$image" "$BTRFS_CRYPT" df --format json "${others[@]}" "$image"
	[ "$(grep -c 'is missing' "$tmp/err")" = $# ] || fail "$name without $*: the missing devices are not named"
	python3 "$tmp/compare.py" "$tmp/df" "$tmp/usage" "$tmp/out" >"$tmp/compared" 2>&1 ||
		{ tail -1 "$tmp/compared"; fail "$name without ${*:-nothing}: df differs from the mount"; }
	say "$name, missing ${*:-none}: $(cat "$tmp/compared")"
	for i in "$@"; do mv "$tmp/away.$i" "$tmp/$name.$i"; done
}

# make NAME N-DEVICES MKFS-OPTION...
make() {
	local name=$1
	devices_make "$name" "$2" 400M "${@:3}"
	devices_mount "$name" "$tmp/mnt" rw
	"$tmp/fill" "$tmp/mnt" 1 inline names sizes:500000 extents:1000
	devices_umount
}

make groups 1
"$programs/edit-tree" "$tmp/groups.1" group-tree >/dev/null
crypt dump-super "$tmp/groups.1" | grep BLOCK_GROUP_TREE >/dev/null || fail "no block group tree"
compare groups ro
make mixed 2 -M -d raid1 -m raid1
compare mixed ro
compare mixed ro,degraded 2
make five 3 -d raid5 -m raid5
compare five ro
compare five ro,degraded 1
make six 4 -d raid6 -m raid1c3
# A part of the data in another profile
devices_mount six "$tmp/mnt" rw
btrfs -q balance start -f -dconvert=raid10,limit=1,soft "$tmp/mnt" || true
head -c 5M /dev/urandom >"$tmp/mnt/more"
devices_umount
compare six ro
compare six ro,degraded 4
compare six ro,degraded 1 3
