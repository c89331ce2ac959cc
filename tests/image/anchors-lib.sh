# SPDX-License-Identifier: GPL-2.0-or-later
# One tree in many kinds of images, and how many of its files come out of each with exactly the bytes that the kernel shows, beside the number that
# they must be.  Source it after lib.sh and devices-lib.sh.
# shellcheck shell=bash

FILES=1448		# names of regular files in the tree

# anchors_fill DIRECTORY: the tree, into an empty filesystem
anchors_fill() {
	local top=$1 n
	"$tmp/fill" "$top" 1 sizes:600000 inline compressed holes:3000001 prealloc nocow:1 reflinks bookends:3145728 extents:100 symlinks names times modes \
		xattrs special crowd:1000
	btrfs -q subvolume create "$top/nested"
	"$tmp/fill" "$top/nested" 2 inline xattrs
	sync -f "$top"
	btrfs -q subvolume snapshot -r "$top/nested" "$top/nested-before"
	n=$(find "$top" -type f -printf x | wc -c)
	"$tmp/fill" "$top/nested" 3 many:$((FILES - n))
	sync -f "$top"
}

# anchors_record NAME WANT: what the kernel shows of NAME.1 and so on, from the disk, in $tmp/WANT
anchors_record() {
	devices_mount "$1" "$tmp/mnt" ro
	tar_manifest dir "$tmp/mnt" >"$tmp/$2"
	devices_umount
}

# anchors_make NAME N SIZE MOUNT-OPTIONS [MKFS-OPTION...]: filled, and recorded in $tmp/NAME.want
anchors_make() {
	local name=$1 n=$2 size=$3 options=$4
	shift 4
	devices_make "$name" "$n" "$size" "$@"
	devices_mount "$name" "$tmp/mnt" "rw,noatime,$options"
	anchors_fill "$tmp/mnt"
	devices_umount
	anchors_record "$name" "$name.want"
}

tar_manifest() { python3 "$IMAGE_TESTS/tar-manifest.py" "$@"; }
# digest FILE...: of their bytes and of where holes are, which need not be read
digest() {
	local file
	for file; do "${BUILD:-$PROJECT/build}/tests/image/fingerprint" "$file"; done
}
copies() {		# copies FROM TO: of all devices
	local file
	rm -f "$tmp/$2".[0-9]*
	for file in "$tmp/$1".[0-9]*; do cp --sparse=always "$file" "$tmp/$2.${file##*.}"; done
}

# row TITLE BAR WANT STATUS [EXPORT-OPTION...]: what comes from `image` and `others` beside what the kernel showed, recorded in $tmp/WANT.  Of BAR files the
# bytes must be the same, and everything else of all entries: but for what $compare_options leave out.
compare_options=()
compared_options=		# those with which $tmp/compared was made, from the archive and the record in $tmp/last.archive and $tmp/last.want
row() {
	local title=$1 bar=$2 want=$3 status=$4 have=0 exact before files=("$image") i
	shift 4
	for ((i = 1; i < ${#others[@]}; i += 2)); do files+=("${others[i]}"); done
	before=$(digest "${files[@]}")
	{ crypt export --recursive "$@" "${others[@]}" "$image" / -o - 2>"$tmp/err" </dev/null || echo "$?" >"$tmp/status"; } | cat >"$tmp/archive"
	[ ! -e "$tmp/status" ] || { have=$(cat "$tmp/status"); rm "$tmp/status"; }
	[ "$have" = "$status" ] || { head -20 "$tmp/err"; fail "$title: exit status $have, not $status"; }
	# The same bytes as in the row before need not be taken apart again.
	if [ "$compared_options" != "- ${compare_options[*]}" ] || ! cmp -s "$tmp/archive" "$tmp/last.archive" || ! cmp -s "$tmp/$want" "$tmp/last.want"; then
		tar_manifest tar <"$tmp/archive" >"$tmp/have" 2>&1 || { head -5 "$tmp/err"; fail "$title: the archive is none"; }
		tar_manifest compare "${compare_options[@]}" "$tmp/$want" "$tmp/have" >"$tmp/compared"
		mv "$tmp/archive" "$tmp/last.archive"
		cp "$tmp/$want" "$tmp/last.want"
		compared_options="- ${compare_options[*]}"
	fi
	exact=$(sed -n '1s/ of .*//p' "$tmp/compared")
	say "$(printf '%-44s %5d files exact, bar %d' "$title" "$exact" "$bar")"
	[ "$exact" -ge "$bar" ] && grep -q ', 0 other differences$' "$tmp/compared" ||
		{ cut -c 1-300 "$tmp/compared"; head -20 "$tmp/err"; fail "$title: $(head -1 "$tmp/compared")"; }
	[ "$before" = "$(digest "${files[@]}")" ] || fail "$title: the image was changed"
	rows=$((rows + 1))
}
rows=0
