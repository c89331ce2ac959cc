#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# If a sealed subvolume is not as it was, verify and convert --decrypt name each file that was changed, added or lost, and say so if they cannot tell;
# --accept-changes lists the same. With an index of many items, and an independent reader that computes it.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
need_root
need_crypt
tool attack
image=$tmp/disk.img
make_keys

say "three subvolumes that share most of what they have, and 2000 files; one that shares nothing"
image_make "$tmp/plain.img" 200M -d single -m dup -n 4096
image_mount "$tmp/plain.img" "$tmp/mnt" rw,noatime
btrfs -q subvolume create "$tmp/mnt/target"
mkdir "$tmp/mnt/target"/{many,few}
for i in $(seq 2000); do echo "file $i" >"$tmp/mnt/target/many/$i"; done
mkfifo "$tmp/mnt/target/few"/{changed,moved,removed}		# what a kernel lets be changed
btrfs -q subvolume snapshot -r "$tmp/mnt/target" "$tmp/mnt/older"
mkfifo "$tmp/mnt/target/few/newer"
echo "which a kernel does not change" >"$tmp/mnt/target/few/regular"
btrfs -q subvolume snapshot -r "$tmp/mnt/target" "$tmp/mnt/same"
btrfs -q subvolume create "$tmp/mnt/other"
mkfifo "$tmp/mnt/other"/{fifo,fifo2}
removed=$(stat -c %i "$tmp/mnt/target/few/removed") newer=$(stat -c %i "$tmp/mnt/target/few/newer")
changed=$(stat -c %i "$tmp/mnt/target/few/changed")
target_id=$(btrfs inspect-internal rootid "$tmp/mnt/target") older_id=$(btrfs inspect-internal rootid "$tmp/mnt/older")
image_umount
cp --sparse=always "$tmp/plain.img" "$tmp/base.img"
expect_status 0 crypt convert --encrypt -q --passphrase-file "$tmp/passphrase" "${CHEAP[@]}" --shared=include "$tmp/base.img" target other
check_clean "$tmp/base.img"
crypt dump-tree --crypt "$tmp/base.img" >"$tmp/dump"
items=$(grep -c 'kind index index' "$tmp/dump")
[ "$items" -ge 16 ] || fail "the index has only $items items"
python3 "$PROJECT/tests/second-reader.py" "$tmp/base.img" "$tmp/passphrase" "$tmp/plain.img" >"$tmp/second" || { cat "$tmp/second"; fail "the second reader"; }
expect_text "$tmp/second" 'index entries: 2[0-9]{3};'

# fails LINE...: these are the failures of verify, whatever the order, beside the lines of whole subvolumes; nothing is changed
fails() {
	expect_unchanged 6 "$image" crypt verify "${KEY[@]}" "$image" target
	grep -vE '^(failed|seal fingerprint): |its tree has changed since it was sealed: ' "$tmp/out" | sort >"$tmp/have"
	printf '%s\n' "$@" | sort | diff - "$tmp/have" >"$tmp/diff" || { cat "$tmp/diff"; fail "other failures"; }
}
# lists LINE...: convert --decrypt refuses and says the same; it goes on with --accept-changes, and says the same
lists() {
	local line
	expect_unchanged 6 "$image" crypt convert --decrypt -q "${KEY[@]}" "$image" target
	for line in "$@"; do grep -qF ": note: $line" "$tmp/err" || { cat "$tmp/err"; fail "--decrypt does not say: $line"; }; done
	expect_status 0 crypt convert --decrypt -q --accept-changes --accept-unsealed "${KEY[@]}" "$image" target
	for line in "$@"; do grep -qF ": note: $line" "$tmp/err" || { cat "$tmp/err"; fail "--accept-changes does not say: $line"; }; done
	check_clean "$image"
}
FILE='was changed since it was sealed: its names, mode, owner, times, attributes or contents'

say "changed, moved, added and removed by a kernel"
fresh
image_mount "$image" "$tmp/mnt" rw,noatime
for one in target older same; do btrfs property set -ts "$tmp/mnt/$one" ro false; done
chmod 600 "$tmp/mnt/target/few/changed"
mv "$tmp/mnt/target/few/moved" "$tmp/mnt/target/many/moved"
for one in target older same; do rm "$tmp/mnt/$one/few/removed" && touch -d @0 "$tmp/mnt/$one/few"; done
mkdir "$tmp/mnt/target/added"
: >"$tmp/mnt/target/added/file"
image_umount
all=("target/few/changed: $FILE" "target/many/moved: $FILE" "target/added: was added since it was sealed" "target/added/file: was added since it was sealed"
	"target/: was changed since it was sealed: its mode, owner, times or attributes; what it lists"
	"target/few: was changed since it was sealed: its mode, owner, times or attributes; what it lists"
	"target/many: was changed since it was sealed: its mode, owner, times or attributes; what it lists"
	"older/few: was changed since it was sealed: its mode, owner, times or attributes; what it lists"
	"same/few: was changed since it was sealed: its mode, owner, times or attributes; what it lists"
	"inode $removed: is missing: it was sealed, but is no longer in any subvolume")
fails "${all[@]}"
lists "${all[@]}"

say "one block that two share: named once, and the other said to have it"
fresh
attack poke "$target_id" "$changed" 1 0 52 b611
fails "target/few/changed: $FILE" "same: shares a change that was made in another subvolume"

say "two subvolumes exchanged, each file in them authentic: that cannot be told"
fresh
older_at=$("$tmp/attack" "$image" keys 1 "$older_id" | awk '$1 == 132 { print $2 }')
one=$(attack peek 1 "$target_id" 132 0 160 24) other=$(attack peek 1 "$older_id" 132 "$older_at" 160 24)	# generation, root_dirid, bytenr
attack poke 1 "$target_id" 132 0 160 "$other"
attack poke 1 "$older_id" 132 "$older_at" 160 "$one"
level=$(attack peek 1 "$target_id" 132 0 238 9) other=$(attack peek 1 "$older_id" 132 "$older_at" 238 9)	# level, generation_v2
attack poke 1 "$target_id" 132 0 238 "$other"
attack poke 1 "$older_id" 132 "$older_at" 238 "$level"
untold="files are missing, or exchanged with another subvolume that was sealed with it; nothing tells which ones"
fails "target: $untold" "older: $untold"
expect_unchanged 6 "$image" crypt convert --decrypt -q "${KEY[@]}" "$image" target
expect_text "$tmp/err" "note: older: $untold"
crypt verify --accept-changes "${KEY[@]}" "$image" target >"$tmp/out" 2>"$tmp/err" || true
expect_text "$tmp/err" "note: target: $untold, so that all of it is accepted as it is"

say "the only version of a file gone, an older one left"
fresh
image_mount "$image" "$tmp/mnt" rw,noatime
for one in target same; do
	btrfs property set -ts "$tmp/mnt/$one" ro false
	rm "$tmp/mnt/$one/few/newer"
done
image_umount
expect_unchanged 6 "$image" crypt verify "${KEY[@]}" "$image" target
expect_text "$tmp/out" "^inode $newer: is missing: it was sealed, but is no longer in any subvolume$"
expect_text "$tmp/out" "^target/few: was changed since it was sealed: .*what it lists$"

say "each subvolume has files of its own with the same numbers: what is new in one is not called changed because another has that number"
fresh
image_mount "$image" "$tmp/mnt" rw,noatime
btrfs property set -ts "$tmp/mnt/other" ro false
mkdir "$tmp/mnt/other/directory"
mkfifo "$tmp/mnt/other/directory/new"
chmod 600 "$tmp/mnt/other/fifo"
for one in fifo directory directory/new; do
	number=$(stat -c %i "$tmp/mnt/other/$one")
	[ -n "$(find "$tmp/mnt/target" -inum "$number")" ] || fail "target has no inode $number"
done
image_umount
# The sealed version of fifo is gone, and the index does not say which subvolume it was in.
all=("other/: was changed since it was sealed: its mode, owner, times or attributes; what it lists"
	"other/directory: was added since it was sealed" "other/directory/new: was added since it was sealed"
	"other/fifo: ${FILE/changed/changed or added}")
fails "${all[@]}"
lists "${all[@]}"
