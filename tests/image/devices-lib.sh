# SPDX-License-Identifier: GPL-2.0-or-later
# Filesystems of several devices: NAME.1 to NAME.N in $tmp.  Source it after lib.sh.
# shellcheck shell=bash

# devices_make NAME N SIZE [MKFS-OPTION...]
devices_make() {
	local name=$1 n=$2 size=$3 i files=()
	shift 3
	rm -f "$tmp/$name".[0-9]*
	for ((i = 1; i <= n; i++)); do
		truncate -s "$size" "$tmp/$name.$i"
		files+=("$tmp/$name.$i")
	done
	mkfs.btrfs -q "$@" "${files[@]}" >"$tmp/mkfs.out" 2>&1 || { cat "$tmp/mkfs.out"; fail "mkfs.btrfs $*"; }
}

# devices_mount NAME DIRECTORY [OPTIONS]: all of them; devices_umount undoes it
devices_mount() {
	local name=$1 directory=$2 options=${3:-rw} file loop
	[ -n "$lock_fd" ] || take_lock
	mkdir -p "$directory"
	n_attached=0
	for file in "$tmp/$name".[0-9]*; do
		loop=$(losetup --find --show "$file")
		mounts+=("$tmp/no-mount $loop")
		n_attached=$((n_attached + 1))
		options+=",device=$loop"
	done
	unset "mounts[-1]"
	mounts+=("$directory $loop")
	mount -t btrfs -o "$options" "$loop" "$directory"
}

devices_umount() {
	local i n=$n_attached
	for ((i = 0; i < n; i++)); do image_umount; done
}

# devices_check NAME: `btrfs check` with all data
devices_check() {
	local name=$1 file loop
	[ -n "$lock_fd" ] || take_lock
	n_attached=0
	for file in "$tmp/$name".[0-9]*; do
		loop=$(losetup --find --show "$file")
		mounts+=("$tmp/no-mount $loop")
		n_attached=$((n_attached + 1))
	done
	btrfs check --readonly --check-data-csum "$loop" >"$tmp/check.out" 2>&1 || { tail -20 "$tmp/check.out"; fail "btrfs check of $name"; }
	devices_umount
}

# devices_except NAME [I...]: sets `image` to the first device that is not among I, and `others` to --device options for the rest
devices_except() {
	local name=$1 file
	shift
	image='' others=()
	for file in "$tmp/$name".[0-9]*; do
		case " $* " in *" ${file##*.} "*) continue ;; esac
		if [ -z "$image" ]; then image=$file; else others+=(--device "$file"); fi
	done
}

# expect_devices_unchanged STATUS NAME COMMAND...: and not one device is written to
expect_devices_unchanged() {
	local status=$1 name=$2
	shift 2
	written "$tmp/$name".[0-9]* >"$tmp/written"
	expect_status "$status" "$@"
	written "$tmp/$name".[0-9]* | cmp -s - "$tmp/written" || fail "$* changed a device"
}

# record DIRECTORY FILE: "sha256  path" of every file
record() { (cd "$1" && find . -type f -printf '%P\0' | sort -z | xargs -0 sha256sum) >"$2"; }

# expect_files FILE: every one of the record comes from `image` and `others` as it is there, without a failure
expect_files() {
	local sum path n=0
	while read -r sum path; do
		crypt cat --quiet "${others[@]}" "$image" / "$path" >"$tmp/out" 2>"$tmp/err" ||
			{ head -5 "$tmp/err"; fail "$path of $image ${others[*]}"; }
		[ "$(sha256sum <"$tmp/out")" = "$sum  -" ] || { head -5 "$tmp/err"; fail "$path of $image ${others[*]}: other bytes"; }
		n=$((n + 1))
	done <"$1"
	[ "$n" -gt 0 ] || fail "no files"
}
