#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# convert --purge: a sealing whose subvolumes a kernel has deleted is removed without its key, and nothing else is; while anything needs it, it stays.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
need_root
need_crypt
tool fill attack
command -v strace >/dev/null || skip "needs strace"
make_keys
image=$tmp/disk.img

# crypt_items [DOMAIN]
crypt_items() {
	btrfs inspect-internal dump-tree -t root "$image" | sed -nE 's/^\titem .*PERSISTENT_ITEM ([0-9]+)\).*/\1/p' |
		awk -v domain="${1:-}" 'domain == "" || int($1 / 2 ^ 48) == domain { n++ } END { print n + 0 }'
}
verity_bit() { btrfs inspect-internal dump-super "$image" | sed -nE 's/^compat_ro_flags\s+0x([0-9a-f]+).*/\1/p' | { read -r hex; echo $((16#$hex >> 2 & 1)); }; }
uuid_of() { crypt dump-tree --crypt --format json "$image" | python3 -c 'import json, sys
for line in sys.stdin:
    item = json.loads(line)["item"]
    if item.get("kind") == "header" and item["domain"] == int(sys.argv[1]) and item.get("index") == "0": print(item["domain_uuid"])' "$1"; }
plain_state() {
	image_mount "$image" "$tmp/mnt" ro
	manifest "$tmp/mnt/plain" >"$tmp/$1.manifest"
	subvolumes "$tmp/mnt" >"$tmp/$1.subvolumes"
	image_umount
}
purge() { crypt convert --purge -q --domain "$@" "$image"; }
# delete SUBVOL...: as a kernel does
delete() {
	local one
	image_mount "$image" "$tmp/mnt" rw,noatime
	for one; do
		btrfs property set -f -ts "$tmp/mnt/$one" ro false
		btrfs -q subvolume delete "$tmp/mnt/$one"
	done
	deleted_are_gone "$tmp/mnt"
	image_umount
}
# needed UUID REGEX: it stays
needed() {
	local dry
	for dry in "" --dry-run; do
		# shellcheck disable=SC2086
		expect_unchanged 9 "$image" purge "$1" $dry
		expect_text "$tmp/err" "$2"
		expect_text "$tmp/err" 'only a sealing of which no subvolume is left can be removed'
	done
}

image_make "$image" 200M -n 4096
image_mount "$image" "$tmp/mnt" rw,noatime
for name in target other plain; do btrfs -q subvolume create "$tmp/mnt/$name"; done
"$tmp/fill" "$tmp/mnt/target" 1 sizes:300000 inline symlinks prealloc extents:60
"$tmp/fill" "$tmp/mnt/other" 2 sizes:100000 inline
"$tmp/fill" "$tmp/mnt/plain" 3 sizes:300000 inline
image_umount
seal "$image" target ""
seal "$image" other 2
target=$(uuid_of 1) other=$(uuid_of 2)

say "while it has a subvolume, a snapshot, or data"
needed "$target" 'subvolume target \(id 256\) is sealed in this sealing'
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs -q subvolume snapshot "$tmp/mnt/target" "$tmp/mnt/snap"
image_umount
delete target
needed "$target" 'subvolume snap \(id [0-9]+\) is a snapshot of one that was sealed in this sealing'
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs -q subvolume snapshot "$tmp/mnt/snap" "$tmp/mnt/snap-of-snap"
image_umount
delete snap
needed "$target" 'subvolume snap-of-snap \(id [0-9]+\) (is a snapshot of one that was sealed in|has the tag of) this sealing'
cp --sparse=always "$image" "$tmp/snap.img"
# Without its tag it is known by the marks of its data, and without these by the data.
id=$(crypt list "$image" 2>/dev/null | sed -nE 's/^ID ([0-9]+) .* path snap-of-snap.*/\1/p')
offset=$(attack keys 1 "$id" | awk '$1 == 132 { print $2 }')
attack poke 1 "$id" 132 "$offset" 375 "$(printf '%048d' 0)"
needed "$target" 'subvolume snap-of-snap \(id [0-9]+\) has sealed data, and no other sealing has that subvolume'
for ((inode = 257; inode < 400; inode++)); do
	attack keys "$id" $inode | awk '$1 == 108 && $3 == 53 { print $2 }' | while read -r at; do
		[ "$(attack peek "$id" $inode 108 "$at" 18 2)" != eac5 ] || attack poke "$id" $inode 108 "$at" 18 0000
	done
done
needed "$target" 'subvolume snap-of-snap \(id [0-9]+\) has data that were sealed in this sealing'

say "without them"
fresh "$tmp/snap.img"
delete snap-of-snap
for command in list show; do
	expect_unchanged 0 "$image" crypt $command "$image"
	[ "$(grep -c 'no subvolume of sealing' "$tmp/err")" = 1 ] || fail "$command does not name the sealing without subvolumes"
	expect_text "$tmp/err" "no subvolume of sealing $target is left; .btrfs-crypt convert --purge --domain $target .*disk.img. removes"
done
salt=$(crypt dump-tree --crypt --format json "$image" | python3 -c 'import json, sys
for line in sys.stdin:
    item = json.loads(line)["item"]
    if item.get("kind") == "slot" and item["domain"] == 1: print(item["salt"])')
[ -n "$salt" ] || fail "no key slot is shown"
expect_unchanged 9 "$image" crypt convert --purge --domain "$target" "$image"
expect_text "$tmp/err" 'nobody can be asked'
expect_text "$tmp/err" '--batch-mode says yes'
expect_unchanged 4 "$image" purge 00000000-0000-4000-8000-000000000000
expect_unchanged 9 "$image" purge "$other"
n=$(crypt_items) n_target=$(crypt_items 1)
expect_unchanged 0 "$image" purge "$target" --dry-run --format json
expect_text "$tmp/out" "^\{\"record\":\"summary\",\"result\":\"would be removed\",\"domain_uuid\":\"$target\",\"items\":\"$n_target\","
cp --sparse=always "$image" "$tmp/gone.img"
plain_state before
expect_status 0 purge "$target"
expect_text "$tmp/out" "^removed: sealing $target, $n_target items, "
[ "$(crypt_items)" = $((n - n_target)) ] || fail "$(crypt_items) crypt items are left, not $((n - n_target))"
[ "$(verity_bit)" = 1 ] || fail "the bit of fs-verity is cleared, although something is sealed"
python3 -c 'import sys; sys.exit(bytes.fromhex(sys.argv[2]) in open(sys.argv[1], "rb").read())' "$image" "$salt" || fail "a key slot is left on the disk"
check_clean "$image"
plain_state after
expect_same_state before after
expect_unchanged 0 "$image" crypt verify --passphrase-file "$tmp/passphrase2" "$image" other
expect_unchanged 4 "$image" purge "$target"

say "the last one"
delete other
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs -q subvolume create "$tmp/mnt/void"
image_umount
seal "$image" void ""		# it has no file whose flags would tell
void=$(uuid_of 1)
expect_status 0 purge "$other"
[ "$(verity_bit)" = 1 ] || fail "the bit of fs-verity is cleared, although an empty subvolume is sealed"
delete void
expect_status 0 purge "$void"
[ "$(crypt_items)" = 0 ] || fail "crypt items are left"
[ "$(verity_bit)" = 0 ] || fail "the bit of fs-verity stays, although nothing has a use for it"
check_clean "$image"
image_mount "$image" "$tmp/mnt" rw,noatime
"$tmp/fill" "$tmp/mnt/plain" 4 bulk:3000000
btrfs scrub start -B "$tmp/mnt" >"$tmp/scrub"
expect_text "$tmp/scrub" 'no errors found'
image_umount
check_clean "$image"

say "killed"
unfinished=0
for ((flush = 1;; flush++)); do
	fresh "$tmp/gone.img"
	killed=0
	{ strace -f -qq -o "$tmp/trace" -e trace=fdatasync,fsync -e inject=fdatasync,fsync:signal=KILL:when=$flush \
		"$BTRFS_CRYPT" convert --purge -q --domain "$target" "$image" >"$tmp/out" 2>"$tmp/err" </dev/null || killed=$?; } 2>"$tmp/log"
	[ $killed != 0 ] || break
	[ $killed = 137 ] || fail "status $killed"
	status=0
	crypt convert --status "$image" >"$tmp/out" 2>"$tmp/err" || status=$?
	[ $status = 7 ] || continue
	unfinished=$((unfinished + 1))
	# Until copy 0 is marked, nothing is changed in place.
	grep -q 'only copy .* of the superblock' "$tmp/err" || expect_no_mount "$image"
	expect_text "$tmp/out" '^operation:  purge$'
	expect_text "$tmp/out" "^to finish:  btrfs-crypt convert --resume .*disk.img$"
	for command in "list" "ls other" "cat plain sizes/65537"; do
		read -r name args <<<"$command"
		# shellcheck disable=SC2086
		expect_unchanged 0 "$image" crypt "$name" "$image" $args
		expect_text "$tmp/err" 'an unfinished conversion is present: removing a sealing'
	done
	expect_unchanged 9 "$image" crypt convert --decrypt --resume "$image"
	expect_unchanged 7 "$image" purge "$target"
	cp --sparse=always "$image" "$tmp/killed.img"
	expect_status 0 crypt convert --resume "$image"
	expect_text "$tmp/out" "^removed: sealing $target$"
	[ "$(crypt_items)" = $((n - n_target)) ] || fail "$(crypt_items) crypt items are left"
	check_clean "$image"
	fresh "$tmp/killed.img"
	status=0
	crypt convert --abort "$image" >"$tmp/out" 2>"$tmp/err" || status=$?
	if [ $status = 9 ]; then
		expect_text "$tmp/err" 'there is nothing to undo: everything is removed, only the cleanup is left'
	else
		[ $status = 0 ] || fail "--abort: status $status"
		expect_text "$tmp/out" "^removal undone: sealing $target$"
		[ "$(crypt_items)" = "$n" ] || fail "$(crypt_items) crypt items after undoing, not $n"
		check_clean "$image"
		expect_status 0 purge "$target"
	fi
done
[ $unfinished -gt 2 ] || fail "only $unfinished of $flush times it was unfinished"
say "$flush times, $unfinished of them unfinished"
