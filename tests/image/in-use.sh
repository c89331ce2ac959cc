#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An image that somebody else uses, under whatever name and from whatever moment on, is not converted, and what the other user writes is not lost.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
img=$tmp/disk.img mnt=$tmp/mnt
printf 'secret' >"$tmp/key"
cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
children=()
loops=()		# not in mounts: they go away with the test whatever happens
undo() {
	local one
	set +e
	trap - ERR
	for one in "${children[@]}"; do kill -KILL "$one" 2>/dev/null; done
	for ((one = ${#mounts[@]} - 1; one >= 0; one--)); do undo_mount "${mounts[one]}"; done
	mounts=()
	for one in "$tmp"/fuse "$tmp"/overlay/merged; do umount "$one"; done 2>/dev/null
	for ((one = ${#loops[@]} - 1; one >= 0; one--)); do losetup -d "${loops[one]}"; done
	(exit "$1")
	on_exit
}
trap 'undo $?' EXIT

image_make "$img" 300M
image_mount "$img" "$mnt"
btrfs -q subvolume create "$mnt/vault"
head -c 40M /dev/urandom >"$mnt/vault/large"
echo first >"$mnt/vault/small"
image_umount
cp --sparse=always "$img" "$tmp/plain.img"

attach() {		# attach NAME [OPTION...] FILE
	local made
	made=$(losetup --find --show "${@:2}")
	loops+=("$made")
	printf -v "$1" %s "$made"
}
detach() {
	losetup -d "${loops[-1]}"
	unset 'loops[-1]'
}

# begin IMAGE OPTION...: a conversion of it, up to where it waits for the passphrase; in $pid
begin() {
	rm -f "$tmp/passphrase"
	mkfifo "$tmp/passphrase"
	"$BTRFS_CRYPT" convert --encrypt -q --passphrase-file "$tmp/passphrase" "${cheap[@]}" "${@:2}" "$1" vault >"$tmp/convert.out" 2>"$tmp/convert.err" </dev/null &
	pid=$!
	children+=($pid)
	for ((i = 0; i < 200; i++)); do
		[ "$(cat /proc/$pid/wchan 2>/dev/null)" != wait_for_partner ] || return 0
		sleep 0.05
	done
	fail "the conversion does not wait: $(cat "$tmp/convert.err")"
}
# held PID: waits until it waits for the end of a lease, or asks for that again and again
held() {
	for ((i = 0; i < 200; i++)); do
		[[ $(cat "/proc/$1/wchan" 2>/dev/null) != *@(break_lease|nanosleep) ]] || return 0
		sleep 0.05
	done
	fail "process $1 does not wait for the end of the lease"
}
# end STATUS: gives it the passphrase
end() {
	local status=0
	echo secret >"$tmp/passphrase"
	wait $pid || status=$?
	[ "$status" = "$1" ] || { cat "$tmp/convert.out" "$tmp/convert.err"; fail "the conversion ends with $status, not $1"; }
}
# refused TEXT CONVERT-WORD...
refused() {
	expect_status 5 crypt convert -q --key-file "$tmp/key" "${@:2}"
	expect_text "$tmp/err" "$1"
}
# what the kernel has written is there, and nothing of ours
kept() {
	check_clean "$img"
	image_mount "$img" "$mnt" ro
	[ "$(cat "$mnt/vault/small")" = "$1" ] || fail "what was written meanwhile is lost"
	[ ! -e "$mnt/vault/gone" ] || fail "what was removed is there"
	image_umount
	expect_status 0 crypt convert --status "$img"
	cp --sparse=always "$tmp/plain.img" "$img"
}

# --- while the passphrase is asked for --------------------------------------------------------------------------------

# Through another loop device: nothing but looking again finds it.
attach first "$img"
begin "$first"
image_mount "$img" "$mnt"
echo second >"$mnt/vault/small"
end 5
expect_text "$tmp/convert.err" 'what it shows is also attached to loop device|a filesystem with its uuid .* is mounted'
image_umount
detach
kept second
say "mounted while it asks"

# It is gone again, and what the conversion read first is what the kernel has replaced: also in the page cache of the loop device.
attach first "$img"
begin "$first"
image_mount "$img" "$mnt"
echo third >"$mnt/vault/small"
image_umount
end 5
expect_text "$tmp/convert.err" 'somebody else has written to it since it was opened'
detach
kept third
say "mounted, written and unmounted while it asks"

# A file itself has a lease: a loop device is not made before the conversion has looked again, and then it is found.  The conversion lets in whoever waits,
# and soon takes the lease again: on a busy machine losetup may not have woken up yet, and waits once more, rightly.  Then once more from the beginning.
for ((attempt = 0; attempt < 10; attempt++)); do
	begin "$img"
	losetup --find --show "$img" >"$tmp/late" &
	late=$!
	children+=($late)
	held $late
	[ ! -s "$tmp/late" ] || fail "a loop device was attached to a file with a lease"
	echo secret >"$tmp/passphrase"
	status=0
	wait $pid || status=$?
	wait $late
	loops+=("$(cat "$tmp/late")")
	[ $status = 0 ] || break
	detach
	cp --sparse=always "$tmp/plain.img" "$img"
done
[ $status = 5 ] || { cat "$tmp/convert.err"; fail "the conversion ends with $status, not 5"; }
expect_text "$tmp/convert.err" "attached to loop device $(cat "$tmp/late")"
detach
kept first
say "attached while it asks"

# Whoever only reads goes on once it has begun, and is no reason not to.
begin "$img"
head -c 70000 "$img" >"$tmp/backup.img" &
late=$!
children+=($late)
"$BTRFS_CRYPT" ls "$img" vault >"$tmp/late" 2>&1 &
children+=($!)
reader=$!
held $late
held $reader
end 0
wait $late || fail "a backup fails"
wait $reader || { cat "$tmp/late"; fail "a reader fails"; }
expect_status 0 crypt convert --decrypt -q --key-file "$tmp/key" "$img" vault
cp --sparse=always "$tmp/plain.img" "$img"
say "read while it asks"

# Another file has the name.
begin "$img"
cp --sparse=always "$tmp/plain.img" "$tmp/other.img"
mv "$tmp/other.img" "$img"
end 5
expect_text "$tmp/convert.err" 'the file was replaced or removed'
kept first

# --- by another name ---------------------------------------------------------------------------------------------------

sleep 1000 <"$img" &
children+=($!)
refused "process $! \(sleep\) has it open" --encrypt "${cheap[@]}" "$img" vault
kill $!
wait $! || true
for name in "$tmp/link" "$tmp/./disk.img" /proc/self/fd/9; do
	[ -e "$tmp/link" ] || ln "$img" "$tmp/link"
	begin "$img"
	exec 9>&-
	[ "$name" != /proc/self/fd/9 ] || name=/proc/$pid/fd/3
	refused "another process holds a lock on it \(process $pid, btrfs-crypt\)" --encrypt "${cheap[@]}" "$name" vault
	end 0
	expect_status 0 crypt convert --decrypt -q --key-file "$tmp/key" "$img" vault
done
rm "$tmp/link"
cp --sparse=always "$tmp/plain.img" "$img"
say "open elsewhere"

mkdir -p "$tmp/fuse"
if [ -c /dev/fuse ]; then
	mkdir "$tmp/below"
	mv "$img" "$tmp/below/"
	bindfs --no-allow-other "$tmp/below" "$tmp/fuse"
	for pair in fuse:below below:fuse; do
		image_mount "$tmp/${pair%:*}/disk.img" "$mnt"
		# Seen from below it is open; from above only the filesystem is known.
		refused '(a filesystem with its uuid .* is mounted|open elsewhere|has it open)' --encrypt "${cheap[@]}" "$tmp/${pair#*:}/disk.img" vault
		[ $pair = below:fuse ] || refused '(process .*bindfs|open elsewhere)' --encrypt "${cheap[@]}" --allow-mounted-copy "$tmp/${pair#*:}/disk.img" vault
		echo by-fuse >"$mnt/vault/small"
		image_umount
	done
	umount "$tmp/fuse"
	mv "$tmp/below/disk.img" "$img"
	kept by-fuse
	say "through FUSE"
else
	say "not tested: this kernel has no FUSE"
fi

if grep -qw overlay /proc/filesystems; then
	mkdir -p "$tmp"/overlay/{lower,upper,work,merged}
	mv "$img" "$tmp/overlay/upper/"
	mount -t overlay -o "lowerdir=$tmp/overlay/lower,upperdir=$tmp/overlay/upper,workdir=$tmp/overlay/work" none "$tmp/overlay/merged"
	image_mount "$tmp/overlay/merged/disk.img" "$mnt"
	refused 'open elsewhere' --encrypt "${cheap[@]}" --allow-mounted-copy "$tmp/overlay/upper/disk.img" vault
	echo by-overlay >"$mnt/vault/small"
	image_umount
	umount "$tmp/overlay/merged"
	mv "$tmp/overlay/upper/disk.img" "$img"
	kept by-overlay
	say "through an overlay"
fi

# --- another copy ------------------------------------------------------------------------------------------------------

cp --sparse=always "$img" "$tmp/copy.img"
image_mount "$tmp/copy.img" "$mnt"
refused 'a filesystem with its uuid .* is mounted, from /dev/loop' --encrypt "${cheap[@]}" "$img" vault
expect_text "$tmp/err" 'hint: .*--allow-mounted-copy'
expect_status 0 crypt convert --encrypt --dry-run "$img" vault
expect_text "$tmp/err" 'warning: .* is mounted.*the conversion itself is refused'
expect_status 0 crypt convert --encrypt -q --key-file "$tmp/key" "${cheap[@]}" --allow-mounted-copy "$img" vault
for one in --encrypt --decrypt; do
	expect_status 1 crypt convert --status --allow-mounted-copy "$img"
done
refused 'is mounted' --decrypt "$img" vault
expect_status 0 crypt convert --decrypt -q --key-file "$tmp/key" --allow-mounted-copy "$img" vault
# Where /sys is missing it is looked for in the table of mounts; where that is missing too, nobody knows.  (A mount namespace of its own keeps what others
# have mounted: with the lock, that is nothing.)
image_make "$tmp/alone.img" 120M
without() {		# without "DIRECTORY..." STATUS CONVERT-WORD...
	local status=0
	take_lock -x
	unshare --mount --propagation private bash -c 'for one in $1; do umount -l "$one"; done; shift && exec "$@"' - "$1" "$BTRFS_CRYPT" convert -q --key-file "$tmp/key" "${@:3}" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
	take_lock
	[ $status = "$2" ] || { cat "$tmp/err"; fail "without $1: status $status, not $2"; }
}
without /sys 5 --encrypt "${cheap[@]}" "$img" vault
expect_text "$tmp/err" "a filesystem with its uuid .* is mounted, at $mnt"
without /sys 0 --encrypt "${cheap[@]}" "$tmp/alone.img" /
without "/sys /proc" 5 --decrypt "$tmp/alone.img" /
expect_text "$tmp/err" 'nothing tells what is mounted'
say "without /sys and /proc"
# The second copy that a kernel mounts gets another uuid, where it can do that, and keeps it when the first is gone.
mkdir "$tmp/second"
if loop=$(losetup --find --show "$tmp/plain.img") && mount "$loop" "$tmp/second" 2>/dev/null; then
	mounts=("$tmp/second $loop" "${mounts[@]}")
	image_umount
	refused 'a filesystem with its uuid .* is mounted' --encrypt "${cheap[@]}" "$img" vault
	image_umount
	say "a copy under another uuid"
else
	losetup -d "$loop"
	image_umount
	say "not tested: this kernel does not mount two copies"
fi
expect_status 0 crypt convert --encrypt -q --key-file "$tmp/key" "${cheap[@]}" "$img" vault
cp --sparse=always "$tmp/plain.img" "$img"

# --- while it runs -----------------------------------------------------------------------------------------------------

# run IMAGE: a conversion of it that is stopped in the data; in $pid
run() {
	: >"$tmp/convert.err"
	"$BTRFS_CRYPT" convert --encrypt -q --key-file "$tmp/key" "${cheap[@]}" --progress=json --progress-frequency=0 "$1" vault 2>"$tmp/convert.err" &
	pid=$!
	children+=($pid)
	for ((i = 0; i < 2000; i++)); do
		if grep -q '"progress":"data"' "$tmp/convert.err"; then
			kill -STOP $pid
			return 0
		fi
		kill -0 $pid 2>/dev/null || break
	done
	fail "the conversion did not get to the data"
}
finish_run() {
	local status=0
	kill -CONT $pid
	wait $pid || status=$?
	[ $status = 0 ] || { cat "$tmp/convert.err"; fail "the conversion ends with $status"; }
}
# locked IMAGE: nobody else may convert it by that name, and whoever asks hears who does
locked() {
	local how
	for how in "--resume" "--abort" "--decrypt --resume"; do
		refused "(another process holds a lock on it \(process $pid, btrfs-crypt\)|the device is mounted or in use)" $how "$1"
	done
	expect_status 7 crypt convert --status "$1"
	expect_text "$tmp/out" "^running now, by process $pid$"
	! grep -E 'resume|abort' "$tmp/out" || fail "how to go on with what is running"
	expect_status 7 crypt convert --status --format json "$1"
	expect_text "$tmp/out" '"running":true,"process":'"$pid}"
}
run "$img"
locked "$img"
attach first "$img"
locked "$first"
attach upper "$first"
locked "$upper"
detach
detach
finish_run
expect_status 0 crypt verify --key-file "$tmp/key" "$img" vault

# The other way round, and through the partition of a disk.
for way in plain partition; do
	cp --sparse=always "$tmp/plain.img" "$img"
	file=$img
	if [ $way = partition ]; then
		file=$tmp/whole.img
		rm -f "$file"
		truncate -s 302M "$file"
		dd if="$img" of="$file" bs=1M seek=1 conv=notrunc,sparse status=none
	fi
	attach first --partscan "$file"
	one=$first
	if [ $way = partition ]; then
		# As a kernel does that knows the table of partitions.
		addpart "$first" 1 2048 $((300 * 2048)) || { say "not tested: a partition of a loop device"; detach; continue; }
		mknod "$tmp/p1" b $(tr : ' ' <"/sys/block/${first#/dev/}/${first#/dev/}p1/dev")
		one=$tmp/p1
	fi
	run "$one"
	locked "$one"
	attach second $([ $way = plain ] || echo --offset 1M) "$file"
	locked "$second"
	detach
	finish_run
	expect_status 0 crypt verify --key-file "$tmp/key" "$one" vault
	detach
done
say "locks"
