#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A filesystem that was not unmounted. Commands say that there is something in its log tree, and with --with-log show it as a kernel does after
# replaying it.
# One change of each kind, then random ones.  Nothing is written to the image.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
edit=${BUILD:-$PROJECT/build}/tests/image
[ -x "$edit/edit-log" ] || fail "$edit/edit-log does not exist: run make tools"

ops() { python3 "$IMAGE_TESTS/log-ops.py" "$@"; }

printf '#!/bin/sh\ncommand=$1\nshift\nexec "%s" "$command" --with-log "$@"\n' "$BTRFS_CRYPT" >"$tmp/with-log"
chmod +x "$tmp/with-log"
n_logs=0

# live_copy IMAGE OPS...: the image as it is after these changes to its subvolume, as if the power had failed
live_copy() {
	local image=$1
	shift
	image_mount "$image" "$tmp/mnt" rw,commit=300,noatime
	ops "${@:1:1}" "$tmp/mnt/sub" "${@:2}"
	cp --sparse=always "$image" "$tmp/live.img"
	sync "$tmp/live.img"	# its blocks are counted before it is read
	image_umount
}

# has_log IMAGE: not where a change was one that the kernel commits at once
has_log() { crypt dump-super "$1" | grep -E '^log_root[[:space:]]+[1-9]' >/dev/null; }

# clock: what a kernel gives as time to what is changed now
clock() { touch "$tmp/clock" && stat -c %.9Y "$tmp/clock"; }

# as_kernel NAME: live.img beside what a kernel makes of a copy of it
as_kernel() {
	local now before
	before=$(written "$tmp/live.img")
	cp --sparse=always "$tmp/live.img" "$tmp/replayed.img"
	now=$(clock)
	until [ "$(clock)" != "$now" ]; do :; done	# all that the replay changes is younger
	image_mount "$tmp/replayed.img" "$tmp/mnt" rw,noatime
	python3 "$IMAGE_TESTS/read-compare.py" record "$tmp/mnt" >"$tmp/record"
	image_umount
	ops compare "$tmp/with-log" "$tmp/live.img" "$tmp/record" "$now" >"$tmp/compared" ||
		{ head -40 "$tmp/compared"; fail "$1: with its log the image differs from what the kernel shows"; }
	[ "$before" = "$(written "$tmp/live.img")" ] || fail "the image was written to"
	n_logs=$((n_logs + 1))
	say "$1: $(tail -1 "$tmp/compared")"
}

make_base() {
	image_make "$tmp/base.img" 300M "$@"
	image_mount "$tmp/base.img" "$tmp/mnt" rw,noatime
	btrfs -q subvolume create "$tmp/mnt/sub"
	ops base "$tmp/mnt/sub"
	image_umount
}

make_base
image_mount "$tmp/base.img" "$tmp/mnt" rw,noatime
btrfs -q subvolume snapshot -r "$tmp/mnt/sub" "$tmp/mnt/snap"
image_umount
# A sync by anybody on this machine commits, and then there is none.
for _ in 1 2 3; do
	cp --sparse=always "$tmp/base.img" "$tmp/plain.img"
	live_copy "$tmp/plain.img" plain
	! has_log "$tmp/live.img" || break
done
has_log "$tmp/live.img" || fail "the image has no log tree"

say "without --with-log a warning, and what was committed"
expect_unchanged 0 "$tmp/live.img" crypt ls "$tmp/live.img" sub
expect_text "$tmp/err" 'warning: .*not unmounted.*--with-log'
grep -q new "$tmp/out" && fail "a file of the log is shown"
for command in "list $tmp/live.img" "show $tmp/live.img sub" "cat $tmp/live.img sub a/file1" "verify $tmp/live.img sub"; do
	[ "${command%% *}" = verify ] && want=9 || want=0
	expect_unchanged "$want" "$tmp/live.img" crypt $command
	expect_text "$tmp/err" 'warning: .*not unmounted.*--with-log'
done
for command in df dump-tree tree-stats; do	# which have no such option
	expect_unchanged 0 "$tmp/live.img" crypt "$command" "$tmp/live.img"
	expect_text "$tmp/err" 'warning: .*not unmounted.*in no other tree$'
done
expect_status 0 crypt ls --with-log "$tmp/live.img" sub
[ ! -s "$tmp/err" ] || { cat "$tmp/err"; fail "a warning although the log is shown"; }
expect_text "$tmp/out" '^new$'
as_kernel "one change of each kind"

say "what is deleted since the snapshot is the same before and after the kernel"
expect_status 0 crypt timeline --with-log -c snap "$tmp/live.img" sub
grep -F ' (deleted)|' "$tmp/out" | cut -d '|' -f 2,3 | sort >"$tmp/with"
expect_status 0 crypt timeline -c snap "$tmp/replayed.img" sub
grep -F ' (deleted)|' "$tmp/out" | cut -d '|' -f 2,3 | sort | diff - "$tmp/with" || fail "the timelines differ"
expect_text "$tmp/with" '^/snap/.* \(deleted\)'

say "with its log, the snapshot is what it was"
expect_status 0 crypt ls --with-log "$tmp/live.img" snap
cp "$tmp/out" "$tmp/with"
expect_status 0 crypt ls "$tmp/base.img" snap
diff "$tmp/out" "$tmp/with" || fail "the snapshot has changed"

say "the checksums of the log count"
expect_status 0 crypt cat --with-log "$tmp/live.img" sub new
ops damage "$tmp/live.img"
expect_status 6 crypt cat --with-log "$tmp/live.img" sub new
expect_text "$tmp/err" '^btrfs-crypt cat: warning: new: .*8192 to 12287.*csum tree has'

say "as kernels before 5.16 wrote it: entries by the hash of their names, too, which a kernel of today ignores"
make_base -n 65536
cp --sparse=always "$tmp/base.img" "$tmp/old.img"
live_copy "$tmp/old.img" plain
"$edit/edit-log" "$tmp/live.img" "$(crypt stat "$tmp/live.img" sub a/file15 2>/dev/null | sed -n 's/^  inode: *\([0-9]*\) .*/\1/p')" >"$tmp/edited"
expect_text "$tmp/edited" '^[1-9][0-9]+ items added$'
btrfs inspect-internal dump-tree "$tmp/live.img" 2>/dev/null | grep -E 'key \([0-9]+ DIR_LOG_ITEM [0-9]+\)' >/dev/null || fail "no DIR_LOG_ITEM in the log"
as_kernel "an old log"

make_base
for seed in $(seq "${LOG_FIRST:-1}" "${LOG_LAST:-4}"); do
	case $seed in
	3) make_base -O ^no-holes -n 4096 ;;
	5) make_base --csum blake2 -n 65536 ;;
	esac
	cp --sparse=always "$tmp/base.img" "$tmp/random.img"
	live_copy "$tmp/random.img" random "$seed" "${LOG_CHANGES:-$((seed % 12 + 2))}"
	if has_log "$tmp/live.img"; then
		as_kernel "random changes $seed"
	fi
done
[ "$n_logs" -ge 3 ] || fail "only $n_logs images had a log tree"
