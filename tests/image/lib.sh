# SPDX-License-Identifier: GPL-2.0-or-later
# What the image tests share: a temporary directory, images, mounts that are always undone, checks that stop the
# test.  Source it first.
#
# A test exits 0 (passed), 77 (skipped) or anything else (failed), and runs alone: BTRFS_CRYPT names the program
# (default build/btrfs-crypt).
# shellcheck shell=bash
set -euo pipefail
shopt -s inherit_errexit

IMAGE_TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PROJECT=$(cd "$IMAGE_TESTS/../.." && pwd)
BTRFS_CRYPT=${BTRFS_CRYPT:-$PROJECT/build/btrfs-crypt}
TEST=$(basename "$0" .sh)
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C
# A cache that others share would be believed for two seconds, and loop devices change hands faster.
export BLKID_FILE=/dev/null

tmp=$(mktemp -d "${TMPDIR:-/tmp}/btrfs-crypt-$TEST.XXXXXX")
mounts=()		# "directory loop-device" (-: none), in the order they were made
lock_fd=		# open while something is mounted

say() { printf '%s: %4ds  %s\n' "$TEST" "$SECONDS" "$*"; }
fail() { printf '%s: FAILED: %s\n' "$TEST" "$*" >&2; exit 1; }

on_exit() {
	local status=$? entry
	trap - EXIT ERR
	set +e
	for ((entry = ${#mounts[@]} - 1; entry >= 0; entry--)); do
		undo_mount "${mounts[entry]}"
	done
	[ -n "$lock_fd" ] && exec {lock_fd}>&-
	rm -rf "$tmp"
	case $status in
	0) say passed ;;
	77) ;;
	*) printf '%s: FAILED with status %s\n' "$TEST" "$status" >&2 ;;
	esac
	exit "$status"
}
trap on_exit EXIT
trap 'printf "%s: %s:%s: %s\n" "$TEST" "${BASH_SOURCE[0]##*/}" "$LINENO" "$BASH_COMMAND" >&2' ERR
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

skip() { printf '%s: SKIP: %s\n' "$TEST" "$*"; exit 77; }

need_root() {
	[ "$(id -u)" = 0 ] && losetup -f >/dev/null 2>&1 && grep -qw btrfs /proc/filesystems || skip "needs root and loop mounts"
	command -v mkfs.btrfs >/dev/null && command -v python3 >/dev/null || skip "needs btrfs-progs and python3"
}

need_crypt() { [ -x "$BTRFS_CRYPT" ] || fail "$BTRFS_CRYPT does not exist: run make, or set BTRFS_CRYPT"; }

# tool NAME...: programs of `make tools`, as $tmp/NAME
tool() {
	local name program
	local -A of=([fill]=filler/fill [attack]=attack/attack [legacy]=legacy/legacy)
	for name; do
		program=${BUILD:-$PROJECT/build}/tests/image/${of[$name]:-$name}
		[ -x "$program" ] || fail "$program does not exist: run make tools"
		ln -sf "$program" "$tmp/$name"
	done
}

# every N: of what is much the same, each N-th is tried; with TORTURE (`make torture`) all of it
every() { if [ -n "${TORTURE:-}" ]; then echo 1; else echo "$1"; fi; }

# --- images and mounts ---------------------------------------------------------------------------------------------

# image_make FILE SIZE [MKFS-OPTION...]
image_make() {
	local file=$1 size=$2
	shift 2
	rm -f "$file"
	truncate -s "$size" "$file"
	mkfs.btrfs -q "$@" "$file" >"$tmp/mkfs.out" 2>&1 || { cat "$tmp/mkfs.out"; fail "mkfs.btrfs $*"; }
}

# The kernel knows filesystems by their fsid, and each test mounts only those that it made itself: several tests may mount at a time.  take_lock -x: now
# nobody else has anything mounted, until take_lock again or the end of the last mount.
take_lock() {
	[ -n "$lock_fd" ] || exec {lock_fd}>"${BTRFS_MOUNT_LOCK:-/tmp/btrfs-mount.lock}"
	flock "${1:--s}" "$lock_fd"
}

# image_mount FILE DIRECTORY [OPTIONS]
image_mount() {
	local file=$1 directory=$2 options=${3:-rw} loop
	[ -n "$lock_fd" ] || take_lock
	mkdir -p "$directory"
	loop=$(losetup --find --show "$file")
	mounts+=("$directory $loop")
	mount -t btrfs -o "$options" "$loop" "$directory"
}

# fill_device IMAGE: every byte belongs to a chunk; some is left for a journal
fill_device() {
	image_mount "$1" "$tmp/mnt" "rw,noatime${MOUNT_OPTIONS:+,$MOUNT_OPTIONS}"
	head -c 16M /dev/zero >"$tmp/mnt/spare"
	head -c 2G /dev/zero >"$tmp/mnt/ballast" 2>/dev/null || true
	sync -f "$tmp/mnt"
	rm "$tmp/mnt/spare"
	image_umount
}

undo_mount() {
	local directory=${1% *} loop=${1##* }
	mountpoint -q "$directory" && { umount "$directory" || { sleep 1; umount "$directory"; }; }
	[ "$loop" != - ] || return 0
	# Before it is detached: then it may be another test's.
	udevadm settle 2>/dev/null || true
	btrfs device scan --forget "$loop" >/dev/null 2>&1 || true
	local file n at="/sys/block/${loop#/dev/}/loop/backing_file"
	file=$(cat "$at")
	losetup -d "$loop"
	# It is detached only when nobody has it open any more.
	for ((n = 0; n < 100; n++)); do
		[ "$(cat "$at" 2>/dev/null)" = "$file" ] || break
		sleep 0.1
	done
}

# image_umount: the one mounted last
image_umount() {
	local last=$((${#mounts[@]} - 1))
	undo_mount "${mounts[last]}"
	unset "mounts[last]"
	if [ "${#mounts[@]}" = 0 ] && [ -n "$lock_fd" ]; then
		exec {lock_fd}>&-
		lock_fd=
	fi
}

# deleted_are_gone DIRECTORY: deleted subvolumes are cleaned up; by itself the kernel begins with that after up to 30 s
deleted_are_gone() {
	btrfs filesystem sync "$1"
	btrfs subvolume sync "$1" >/dev/null
}

# mount_read_only DIRECTORY: nothing in it can be written to until image_umount.  (Not in a mount namespace of its own: that would keep what other
# tests have mounted.)
mount_read_only() {
	mounts+=("$1 -")
	mount --bind "$1" "$1"
	mount -o remount,bind,ro "$1"
}

# The kernel refuses to mount it, in both ways.
expect_no_mount() {
	local options loop
	mkdir -p "$tmp/refused"
	loop=$(losetup --find --show "$1")
	mounts+=("$tmp/refused $loop")
	for options in rw ro; do
		if mount -t btrfs -o "$options" "$loop" "$tmp/refused" 2>/dev/null; then
			fail "the kernel mounts $1 ($options)"
		fi
	done
	image_umount
}

# --- checks --------------------------------------------------------------------------------------------------------

# btrfs check, data checksums too: exit 0 and no line that complains
check_clean() {
	local file=$1
	btrfs check --check-data-csum "$file" >"$tmp/check.out" 2>&1 || { cat "$tmp/check.out"; fail "btrfs check of $file"; }
	if grep -v -e 'no error found' -e 'space cache will be invalidated' -e '^\[[0-9]/[0-9]\] checking' "$tmp/check.out" |
	   grep -iE 'error|warn|corrupt|mismatch|missing|wrong|invalid|incorrect|unknown|bad |failed|unresolved|extra |expect'; then
		fail "btrfs check of $file is not clean"
	fi
}

# expect_status N COMMAND...: its output is in $tmp/out and $tmp/err
expect_status() {
	local want=$1 have=0
	shift
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null || have=$?
	if [ "$have" != "$want" ]; then
		head -c 3000 "$tmp/out" "$tmp/err"
		fail "exit status $have, not $want: $*"
	fi
}

expect_text() {		# expect_text FILE REGEX
	grep -qE -e "$2" "$1" || { head -c 3000 "$1"; fail "no line like '$2'"; }
}

# What tells whether a file was written to, even with the same bytes.  Blocks are given when data go to the disk, whenever that is: first that.
written() {
	sync -d "$@"
	stat -c '%y %z %b' "$@"
}

# Instead of a sum of all bytes: where a small image holds nothing but holes need not be read.
fingerprint() { "${BUILD:-$PROJECT/build}/tests/image/fingerprint" "$1"; }

# A command that must change no byte of the image: expect_unchanged N FILE COMMAND...
expect_unchanged() {
	local want=$1 file=$2 before
	shift 2
	before=$(written "$file")
	expect_status "$want" "$@"
	[ "$before" = "$(written "$file")" ] || fail "the image was written to by: $*"
}

crypt() { "$BTRFS_CRYPT" "$@"; }

# Content and everything else that people see of a mounted tree, and of its subvolumes
manifest() { python3 "$IMAGE_TESTS/manifest.py" "$@"; }
subvolumes() {		# subvolumes MOUNTPOINT: ids, parents, uuids, flags
	local path
	btrfs subvolume list -p -u -q -R "$1" | sed -E 's/ gen [0-9]+ / /'
	btrfs subvolume list "$1" | sed -E 's/.* path //' | while read -r path; do
		echo "$path $(btrfs property get -ts "$1/$path" ro)"
	done
}

# image_state FILE NAME: everything a mount shows, in $tmp/NAME.manifest and NAME.subvolumes
image_state() {
	image_mount "$1" "$tmp/mnt" ro
	manifest "$tmp/mnt" >"$tmp/$2.manifest"
	subvolumes "$tmp/mnt" >"$tmp/$2.subvolumes"
	image_umount
}

expect_same_state() {	# expect_same_state NAME NAME
	local what
	for what in manifest subvolumes; do
		diff "$tmp/$1.$what" "$tmp/$2.$what" >"$tmp/state.diff" ||
			{ cut -c 1-400 "$tmp/state.diff" | head -20; fail "$what: $2 differs from $1"; }
	done
}

layout() { python3 "$IMAGE_TESTS/layout.py" "$@"; }

# find_no_plain IMAGE SEED... [-- PLAIN-IMAGE RANGES]
find_no_plain() {
	local image=$1 args=()
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do args+=(-s "$1"); shift; done
	[ $# -gt 0 ] && args+=(-p "$2" -r "$3")
	tool find-plain
	"$tmp/find-plain" "${args[@]}" "$image" >"$tmp/found" || { head -25 "$tmp/found"; fail "plain text in $image"; }
	say "plain text: $(tail -1 "$tmp/found")"
}
