#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A removed key slot is nowhere that metadata are: kernels leave older root tree blocks behind at each commit, and a balance moves whole block groups.
# Where a balance gave room back that no chunk uses now, old slots stay: that is counted and said. Kernel and other keys read what they read before.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
tool fill attack
image=$tmp/disk.img
printf 'key of Alice' >"$tmp/a"
printf 'key of Bob' >"$tmp/b"
cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)

# places HEX...: where these bytes are on the whole device, a line "COUNT CLASS" (see layout.py) for each kind of place
places() { layout find "$image" "$@"; }
# secrets NUMBER: salt and commit of this slot, as they are in its item
secrets() {
	local at=$(((1 << 48) + (1 << 44) + $1))
	"$tmp/attack" "$image" peek 1 18446744073709551416 249 $at 52 16
	"$tmp/attack" "$image" peek 1 18446744073709551416 249 $at 140 32
}
count() { awk -v class="$1" '$2 ~ class { n += $1 } END { print n + 0 }' "$2"; }
commits() {
	local n
	for ((n = 0; n < $1; n++)); do
		echo $n >"$tmp/mnt/beside"
		btrfs subvolume snapshot -r "$tmp/mnt/target" "$tmp/mnt/snapshot-$2-$n" >/dev/null
		sync -f "$tmp/mnt"
	done
}

deleted=$(printf 'deleted before it was wiped' | od -An -v -tx1 | tr -d ' \n')
# Leaves its text in free data space.
delete_file() {
	image_mount "$image" "$tmp/mnt" rw,noatime,nodiscard
	printf 'deleted before it was wiped%.0s' $(seq 100000) >"$tmp/mnt/deleted"
	sync -f "$tmp/mnt"
	rm "$tmp/mnt/deleted"
	image_umount
	places "$deleted" >"$tmp/places"
	[ "$(count . "$tmp/places")" -gt 1000 ] || fail "the deleted file is not there"
}

image_make "$image" 400M
image_mount "$image" "$tmp/mnt" rw,noatime,nodiscard
btrfs -q subvolume create "$tmp/mnt/target"
"$tmp/fill" "$tmp/mnt/target" 101 sizes:100000 inline symlinks xattrs
image_umount
image_mount "$image" "$tmp/mnt" ro
manifest "$tmp/mnt/target" >"$tmp/before"
image_umount
expect_status 0 crypt convert --encrypt -q --key-file "$tmp/a" "${cheap[@]}" "$image" target
seal=$(grep '^seal fingerprint: ' "$tmp/out")
expect_status 0 crypt key add --key-file "$tmp/a" --new-key-file "$tmp/b" "${cheap[@]}" "$image" target
mapfile -t old < <(secrets 0)
mapfile -t kept < <(secrets 1)

say "commits, snapshots and a balance by a kernel"
image_mount "$image" "$tmp/mnt" rw,noatime,nodiscard
commits 3 early
btrfs -q balance start --full-balance "$tmp/mnt"
commits 3 late
image_umount
check_clean "$image"
places "${old[@]}" >"$tmp/places"
say "the slot, before it is removed: $(tr '\n' ',' <"$tmp/places")"
[ "$(count '^tree:ROOT_TREE$' "$tmp/places")" = 4 ] || fail "salt and commit are not in both copies of the root tree"
[ "$(count '^meta-free$' "$tmp/places")" -ge 8 ] || fail "no kernel left root tree blocks behind: this test would show nothing"
unallocated=$(count '^unallocated$' "$tmp/places")

say "the slot is removed"
expect_status 0 crypt key remove -S 0 --key-file "$tmp/b" "$image" target
places "${old[@]}" >"$tmp/places"
say "afterwards: $(tr '\n' ',' <"$tmp/places")"
# Neither in trees nor in free space of metadata or system chunks: at most where no chunk is, or where one of data came to be since.
grep -vE '^[0-9]+ (unallocated|data-free)$' "$tmp/places" && fail "the removed slot is still where metadata are"
[ "$(count '^unallocated$' "$tmp/places")" -le "$unallocated" ] || fail "new copies of the removed slot"
places "${kept[@]}" >"$tmp/places"
[ "$(count . "$tmp/places")" -ge 4 ] && [ "$(count '^tree:ROOT_TREE$' "$tmp/places")" = 4 ] && [ "$(count '^meta-free$' "$tmp/places")" = 0 ] ||
	{ cat "$tmp/places"; fail "the other slot is not in the root tree alone"; }
check_clean "$image"
expect_unchanged 2 "$image" crypt verify-key --key-file "$tmp/a" "$image" target
expect_unchanged 0 "$image" crypt verify --accept-changes --key-file "$tmp/b" "$image" target
grep -qxF "$seal" "$tmp/out" || fail "another seal"

say "with --wipe-free it is nowhere, nor is what was deleted; what is no part of the filesystem stays"
[ "$unallocated" -gt 0 ] || fail "no old slot where no chunk is: this test would show nothing"
delete_file
echo 'somebody else' >>"$image"
blocks=$(stat -c %b "$image")
expect_status 0 crypt key label -S 1 --label Bob --wipe-free --key-file "$tmp/b" "$image" target
places "${old[@]}" "${kept[@]}" "$deleted" >"$tmp/places"
[ ! -s "$tmp/places" ] || { cat "$tmp/places"; fail "there is still something"; }
[ "$(tail -c 14 "$image")" = 'somebody else' ] || fail "what lies behind the filesystem was changed"
[ "$(stat -c %b "$image")" -lt "$blocks" ] || fail "the image file is as large as before"
truncate -s 400M "$image"
check_clean "$image"
expect_unchanged 0 "$image" crypt verify --accept-changes --key-file "$tmp/b" "$image" target

say "what is gone stays gone; kernel and the other key read as before"
image_mount "$image" "$tmp/mnt" rw,noatime,nodiscard
commits 2 last
image_umount
places "${old[@]}" >"$tmp/places"
grep -vE '^[0-9]+ (unallocated|data-free)$' "$tmp/places" && fail "a kernel brought the removed slot back"

say "a header backup is restored: a slot that was added since is gone as well"
expect_status 0 crypt key backup --key-file "$tmp/b" "$image" target "$tmp/header"
expect_status 0 crypt key add --key-file "$tmp/b" --new-key-file "$tmp/a" "${cheap[@]}" "$image" target
mapfile -t old < <(secrets 0)
image_mount "$image" "$tmp/mnt" rw,noatime,nodiscard
commits 2 more
image_umount
places "${old[@]}" >"$tmp/places"
[ "$(count '^tree:ROOT_TREE$' "$tmp/places")" = 4 ] && [ "$(count '^meta-free$' "$tmp/places")" -ge 4 ] || { cat "$tmp/places"; fail "no kernel left the slot behind"; }
expect_status 0 crypt key restore -q --key-file "$tmp/b" "$image" target "$tmp/header"
places "${old[@]}" >"$tmp/places"
grep -vE '^[0-9]+ (unallocated|data-free)$' "$tmp/places" && fail "the slot is still where metadata are"
expect_unchanged 2 "$image" crypt verify-key --key-file "$tmp/a" "$image" target
check_clean "$image"
delete_file
expect_status 0 crypt convert --decrypt --wipe-free -q --key-file "$tmp/b" "$image" target
places "$deleted" >"$tmp/places"
[ ! -s "$tmp/places" ] || { cat "$tmp/places"; fail "the deleted file is still there after --decrypt --wipe-free"; }
check_clean "$image"
image_mount "$image" "$tmp/mnt" ro
manifest "$tmp/mnt/target" | diff "$tmp/before" - >"$tmp/state.diff" || { cut -c 1-300 "$tmp/state.diff" | head; fail "target is not as before"; }
manifest "$tmp/mnt/snapshot-last-1" | diff "$tmp/before" - >"$tmp/state.diff" || { cut -c 1-300 "$tmp/state.diff" | head; fail "a snapshot is not as before"; }
image_umount
