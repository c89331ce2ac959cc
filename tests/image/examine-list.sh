#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# list says what btrfs subvolume list says, with the same options, of a mount and of its image; show, too.  Snapshots, received and deleted subvolumes.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt

image=$tmp/image mnt=$tmp/mnt
image_make "$image" 300M
image_mount "$image" "$mnt"
btrfs -q subvolume create "$mnt/one"
btrfs -q subvolume create "$mnt/one/two"
for n in $(seq 3000); do echo "content $n" >"$mnt/one/file $n"; done
mkdir "$mnt/with space"
btrfs -q subvolume snapshot -r "$mnt/one" "$mnt/with space/snap"
btrfs -q subvolume snapshot "$mnt/one/two" "$mnt/back\\slash"
btrfs -q send "$mnt/with space/snap" >"$tmp/stream"
mkdir "$mnt/in"
btrfs -q receive -f "$tmp/stream" "$mnt/in"
btrfs -q subvolume snapshot "$mnt/one" "$mnt/gone"
btrfs -q subvolume set-default "$mnt/one/two"
sync
# A file that is open keeps it from being cleaned up, and the filesystem from being unmounted.
trap 'status=$?; [ -z "${held:-}" ] || exec {held}<&-; set +e; (exit $status); on_exit' EXIT
exec {held}<"$mnt/gone/file 1"
btrfs -q subvolume delete "$mnt/gone"
sync

sets=("" "-p" "-c" "-u -q -R" "-p -c -u -q -R" "-s" "-s -q" "-r" "-t" "-t -p -c -u -q -R" "-t -s" "-r -s -u" "-d" "-t -d -u")
created=$(btrfs subvolume list -c "$mnt" | sed -n 's/.* cgen \([0-9]*\) .*path one\/two$/\1/p')
sets+=("-g" "-a" "-o" "-a -t -p" "-o -s" "-a -d" "-o -d" "-G +$created" "-G -$((created + 3)) -G +$created" "-C $created" "-C -$created -t"
	"-C +$created --sort=-ogen,path" "--sort=path" "--sort=-rootid" "--sort=-gen,+path" "-a --sort=path" "-d --sort=path,ogen")
n=0
for set in "${sets[@]}"; do
	# Ours shows deleted ones unasked, doubles a backslash, and has more to say behind a tab; a table's heading ends with one.
	btrfs subvolume list $set "$mnt" | sed -E 's/\\/\\\\/g' >"$tmp/want.$n"
	expect_status 0 crypt list $set "$mnt"
	cp "$tmp/out" "$tmp/mounted.$n"
	case " $set " in *" -d "*) keep=. ;; *) keep='^(.*[^D]|.*[^E]D)$' ;; esac
	sed -E 's/(\t(readonly|default))+$//' "$tmp/out" | grep -E "$keep" >"$tmp/have" || true
	diff "$tmp/want.$n" "$tmp/have" || fail "list $set differs from btrfs subvolume list"
	n=$((n + 1))
done
say "seen from a subvolume"
n=0
for base in one "with space/snap" one/two in/snap; do
	for set in "" "-a" "-o" "-o -t -p" "-a --sort=path" "--sort=-path"; do
		btrfs subvolume list $set "$mnt/$base" | sed -E 's/\\/\\\\/g' >"$tmp/base.$n"
		expect_status 0 crypt list $set "$mnt/$base"
		sed -E 's/(\t(readonly|default))+$//' "$tmp/out" | grep -E '^(.*[^D]|.*[^E]D)$' >"$tmp/have" || true
		diff "$tmp/base.$n" "$tmp/have" || fail "list $set of $base differs from btrfs subvolume list"
		cp "$tmp/out" "$tmp/base.$n"
		n=$((n + 1))
	done
done
expect_text "$tmp/want.12" 'DELETED$'
expect_text "$tmp/want.4" 'received_uuid [0-9a-f]'
expect_text "$tmp/mounted.0" 'path one/two	default$'
expect_status 0 crypt show "$mnt" 'with space/snap'
cp "$tmp/out" "$tmp/show.mounted"
# Where nothing was sent btrfs-progs 6.2 print the time of creation once more.
btrfs subvolume show "$mnt/with space/snap" | grep -v 'Send time' >"$tmp/show.want"
grep -v 'Send time' "$tmp/out" | diff "$tmp/show.want" - || fail "show differs from btrfs subvolume show"
expect_status 4 crypt show "$mnt" none
# A mount point alone is a subvolume to show, and no image for the others, which say what they would read instead.
crypt show "$mnt/with space/snap" >"$tmp/own" || fail "show of a directory: status $?"
diff "$tmp/show.mounted" "$tmp/own" || fail "show of a directory is not its subvolume"
source=$(findmnt -n -o SOURCE "$mnt" | sed 's/\[.*//')
for command in "ls $mnt /" "cat $mnt / one" "stat $mnt / one" "df $mnt" "dump-tree $mnt" "timeline $mnt /" "convert --encrypt $mnt /"; do
	"$BTRFS_CRYPT" $command >"$tmp/out" 2>"$tmp/err" && fail "$command: succeeds"
	expect_text "$tmp/err" "hint: it is mounted btrfs, which ls, cat and stat of the system read; btrfs-crypt reads it where it is not mounted: name $source\$"
	[ ! -s "$tmp/out" ] || fail "$command prints"
done
! grep -q Quota "$tmp/show.mounted" || fail "a quota group without quotas"
expect_status 4 crypt list "$tmp"
expect_text "$tmp/err" 'not a directory of a btrfs filesystem$'
for option in --device=x --image-offset=0 --member=x --super=1 --backup-root=0 --tolerant --with-log; do
	for command in "list $option $mnt" "show $option $mnt one"; do
		expect_status 1 crypt $command
		expect_text "$tmp/err" ": ${option%%=*}: only for an image$"
	done
done
mounted="is mounted at $mnt: what is read may be inconsistent, and older than what is seen there"
for path in "$image" "$(findmnt -n -o SOURCE "$mnt" | sed 's/\[.*//')"; do
	for command in list dump-super df; do
		expect_status 0 crypt $command "$path"
		expect_text "$tmp/err" "^btrfs-crypt $command: warning: $path: $mounted\$"
		[ "$(grep -c 'mounted at' "$tmp/err")" = 1 ] || fail "$command $path: more than one warning"
	done
done
expect_status 11 setpriv --bounding-set -sys_admin "$BTRFS_CRYPT" list "$mnt"
expect_text "$tmp/err" ': only root may ask the kernel for the subvolumes of what is mounted$'
cp --sparse=always "$image" "$tmp/copy"		# as a power cut would leave it
sync "$tmp/copy"	# its blocks are counted before it is read
exec {held}<&-
held=
image_umount

n=0
for set in "${sets[@]}"; do
	expect_unchanged 0 "$tmp/copy" "$BTRFS_CRYPT" list $set "$tmp/copy"
	diff "$tmp/mounted.$n" "$tmp/out" || fail "list $set: the image says something else than the mount"
	n=$((n + 1))
done
n=0
for base in one "with space/snap" one/two in/snap; do
	for set in "" "-a" "-o" "-o -t -p" "-a --sort=path" "--sort=-path"; do
		expect_status 0 crypt list $set "$tmp/copy" "$base"
		diff "$tmp/base.$n" "$tmp/out" || fail "list $set of $base: the image says something else than the mount"
		n=$((n + 1))
	done
done
expect_status 1 crypt list --sort=size "$tmp/copy"
expect_text "$tmp/err" 'sort: "size" is not a list of rootid, gen, ogen and path$'
expect_status 1 crypt list -G +x "$tmp/copy"
expect_status 4 crypt list "$tmp/copy" none
expect_status 0 crypt show "$tmp/copy" 'with space/snap'
! grep 'mounted at' "$tmp/err" || fail "a warning of an image that is not mounted"
diff "$tmp/show.mounted" "$tmp/out" || fail "show: the image says something else than the mount"
expect_status 0 crypt list -d --format json "$tmp/copy"
expect_text "$tmp/out" '"deleted":true'
[ "$(wc -l <"$tmp/out")" = 1 ] || fail "one is deleted"
cp "$tmp/out" "$tmp/deleted"

# A common origin: snapshots, also of a snapshot, and what was sent and received.
for pair in "one:with space/snap" "with space/snap:in/snap" "in/snap:one" "one/two:back\\slash"; do
	expect_status 0 crypt timeline -c "${pair%%:*}" "$tmp/copy" "${pair#*:}"
done
for pair in "one:one/two" "in/snap:/"; do
	expect_status 9 crypt timeline -c "${pair%%:*}" "$tmp/copy" "${pair#*:}"
	[ ! -s "$tmp/out" ] || fail "timeline compares $pair"
done
cp "$tmp/deleted" "$tmp/out"

# One that is deleted has one name wherever it is told of, and it is not that of the top level.
id=$(sed 's/.*"id":"\([0-9]*\)".*/\1/' "$tmp/out")
gone=subvolume-$id
expect_text "$tmp/out" "\"path\":\"$gone\""
expect_status 0 crypt show "$tmp/copy" "id:$id"
[ "$(head -1 "$tmp/out")" = "$gone" ] || fail "show: its first line is $(head -1 "$tmp/out")"
expect_text "$tmp/out" "Name: *	*$gone\$"
expect_status 0 crypt timeline "$tmp/copy" "id:$id"
expect_text "$tmp/out" "^0\\|/$gone\\|256\\|"
expect_text "$tmp/out" "^0\\|/$gone/file 1\\|"
expect_status 0 crypt timeline --format json "$tmp/copy" "id:$id"
expect_text "$tmp/out" "\"subvolume_path\":\"$gone\",\"subvolume_deleted\":true,\"path\":\"file 1\""
inode=$(sed -n 's/.*"path":"file 1","inode":"\([0-9]*\)".*/\1/p' "$tmp/out")
expect_status 0 crypt resolve -i "$inode" "$tmp/copy" "id:$id"
[ "$(cat "$tmp/out")" = "$gone/file 1" ] || fail "resolve: $(cat "$tmp/out")"
expect_status 0 crypt resolve -i "$inode" --format json "$tmp/copy" "id:$id"
expect_text "$tmp/out" "\"subvolume_path\":\"$gone\",\"subvolume_deleted\":true"
expect_status 0 crypt export "$tmp/copy" "id:$id:file 1" "one:file 1" -o "$tmp/export.tar"
tar -tf "$tmp/export.tar" >"$tmp/members"
grep -qx "$gone/file 1" "$tmp/members" || fail "export: $(tar -tf "$tmp/export.tar")"
say "${#sets[@]} sets of options, and $n of subvolumes"
