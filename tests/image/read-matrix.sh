#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Filesystems of every form that this mkfs.btrfs and this kernel can make, as matrix-plan.py combines the forms: every name, all its metadata, xattrs and
# bytes are what the kernel shows; with all devices, without each set of them that the profiles bear, and with random damage as far as they bear it.
# One device more missing is an error that names it.  No image is changed by reading.
#
# TORTURE: all rows of the plan, not each eighth one.
# MATRIX=long: every mix of profiles at every number of devices, and each set of missing devices (else each largest one, and single ones).
# MATRIX_SEED, MATRIX_ROWS (numbers with commas): other rows, only these.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
need_root
need_crypt
edit=${BUILD:-$PROJECT/build}/tests/image
[ -x "$edit/edit-tree" ] || fail "$edit/edit-tree does not exist: run make tools"
tool fill
KINDS="sizes:300000 inline compressed holes prealloc nocow reflinks bookends extents:100 symlinks names times modes xattrs links special flags"
seed=${MATRIX_SEED:-1} plan=${MATRIX:-short}
chunks() { BTRFS_CRYPT=$BTRFS_CRYPT python3 "$IMAGE_TESTS/chunks.py" "$@"; }

# make_image: empty, of what the row says, in $tmp/m.1 and so on
make_image() {
	local first=$devices profiles=(-d "$data" -m "$meta") features=^extref runtime=^free-space-tree
	[ "$made" = mkfs ] || first=1 profiles=(-d single -m single)
	[ "$mixed" = 0 ] || profiles+=(-M)
	[ "$extref" = 0 ] || features=extref
	[ "$skinny" = 1 ] || features+=,^skinny-metadata
	[ "$noholes" = 1 ] || features+=,^no-holes
	[ "$space" != tree ] || runtime=free-space-tree
	[ "$quota" != mkfs ] || runtime+=,quota
	devices_make m "$first" 5G "${profiles[@]}" -n "$nodesize" --csum "$csum" -O "$features" -R "$runtime"
	[ "$groups" = 0 ] || "$edit/edit-tree" "$tmp/m.1" group-tree >/dev/null || fail "edit-tree"
}

# shape_image: what only a mounted one can be given, in $tmp/mnt
shape_image() {
	local i loop convert=(-f "-sconvert=$system")
	if [ "$made" = grown ]; then
		convert+=("-dconvert=$data" "-mconvert=$meta")
		for ((i = 2; i <= devices; i++)); do
			truncate -s 5G "$tmp/m.$i"
			loop=$(losetup --find --show "$tmp/m.$i")
			# Unmounted before it is detached, as the others.
			mounts=("$tmp/no-mount $loop" "${mounts[@]}")
			n_attached=$((n_attached + 1))
			btrfs -q device add "$loop" "$tmp/mnt" >/dev/null
		done
	fi
	if [ "$made" = grown ] || [ "$system" != "$meta" ]; then
		# What it has not written yet counts as used: the second time there is room.
		btrfs balance start "${convert[@]}" "$tmp/mnt" >"$tmp/balance" 2>&1 || btrfs balance start "${convert[@]}" "$tmp/mnt" >"$tmp/balance" 2>&1 ||
			{ cat "$tmp/balance"; fail "row $number: btrfs balance: $row"; }
	fi
	case $quota in
	full) btrfs -q quota enable "$tmp/mnt" ;;
	simple) python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0xC0109428, struct.pack("=QQ", 4, 0))' "$tmp/mnt" ;;
	esac
}

fill_image() {
	local kinds=$KINDS
	# What has no checksums is not compressed; files of both of these ask for it.
	[ "$write" = datacow ] || kinds=$(printf '%s\n' $kinds | grep -v -e compressed -e reflinks)
	btrfs -q subvolume create "$tmp/mnt/one"
	one_id=$(btrfs inspect-internal rootid "$tmp/mnt/one")
	# shellcheck disable=SC2086
	"$tmp/fill" "$tmp/mnt/one" 1 $kinds
	truncate -s 5000005 "$tmp/mnt/one/holes/only"
	btrfs -q subvolume create "$tmp/mnt/two"
	"$tmp/fill" "$tmp/mnt/two" 2 sizes:131072 inline xattrs
	btrfs -q subvolume create "$tmp/mnt/two/nested"
	"$tmp/fill" "$tmp/mnt/two/nested" 3 xattrs
	btrfs -q subvolume snapshot -r "$tmp/mnt/two" "$tmp/mnt/snap"
	# The original goes on: what the snapshot holds must not change with it.
	printf overwritten | dd of="$tmp/mnt/two/sizes/65537" bs=1 seek=20000 conv=notrunc status=none
	truncate -s 70000 "$tmp/mnt/two/sizes/131073"
	case $subvolume in
	received)
		btrfs -q subvolume snapshot -r "$tmp/mnt/two/nested" "$tmp/mnt/sent"
		mkdir "$tmp/mnt/received"
		btrfs -q send "$tmp/mnt/sent" 2>/dev/null | btrfs -q receive "$tmp/mnt/received" ;;
	default) btrfs subvolume set-default "$tmp/mnt/one" ;;
	esac
}

# mount_options: as the row says
mount_options() {
	local options=rw,noatime,subvolid=5,max_inline=$inline
	case $write in datacow) ;; *) options+=,$write ;; esac
	case $compress-$force in no-*) ;; *-0) options+=,compress=$compress ;; *) options+=,compress-force=$compress ;; esac
	case $space in tree) options+=,space_cache=v2 ;; v1) options+=,space_cache=v1 ;; none) options+=,nospace_cache ;; esac
	echo "$options"
}

# expect_profiles: that the image has what the row says
expect_profiles() {
	local what
	for what in "Data $data" "Metadata $meta" "System $system"; do
		case $mixed-$what in 1-Metadata*) continue ;; 1-Data*) what="Data+Metadata $data" ;; esac
		grep -qix "${what% *}, ${what##* }" "$tmp/profiles" || { cat "$tmp/profiles"; fail "no ${what% *} of profile ${what##* }"; }
	done
}

record_image() {
	devices_mount m "$tmp/mnt" ro,subvolid=5
	btrfs filesystem df "$tmp/mnt" | sed -n 's/:.*//p' >"$tmp/profiles"
	python3 "$IMAGE_TESTS/inode-manifest.py" dir "$tmp/mnt" >"$tmp/want.inodes"
	python3 "$IMAGE_TESTS/tar-manifest.py" dir "$tmp/mnt" | no_stub >"$tmp/want.tar"
	devices_umount
	expect_profiles
}
no_stub() { grep -v '^snap/nested '; }		# the kernel makes it up at each mount

# expect_same WHAT WANT HAVE
expect_same() { diff "$2" "$3" >"$tmp/diff" || { cut -c 1-400 "$tmp/diff" | sed -n 1,20p; fail "row $number: $1 differs: $row"; }; }

# read_image: everything, compared; its sums are what other ways of reading must have
read_image() {
	python3 "$IMAGE_TESTS/inode-manifest.py" image "$BTRFS_CRYPT" "${others[@]}" "$image" >"$tmp/have.inodes" || fail "row $number: ls, timeline: $row"
	expect_same "what ls and timeline say" "$tmp/want.inodes" "$tmp/have.inodes"
	crypt export --recursive "${others[@]}" "$image" / -o - >"$tmp/full.tar" 2>"$tmp/err" || { cat "$tmp/err"; fail "row $number: export: $row"; }
	if grep -E 'warning' "$tmp/err"; then fail "row $number: warnings: $row"; fi
	python3 "$IMAGE_TESTS/tar-manifest.py" tar <"$tmp/full.tar" | no_stub >"$tmp/have.tar"
	expect_same "what is exported" "$tmp/want.tar" "$tmp/have.tar"
	crypt dump-tree "${others[@]}" "$image" >"$tmp/full.tree"
}

# read_again WHAT: the same archive and the same trees, from `image` and `others` as they are now
read_again() {
	crypt export --recursive "${others[@]}" "$image" / -o - 2>"$tmp/err" | cmp - "$tmp/full.tar" ||
		{ head -20 "$tmp/err"; fail "row $number: export $1: $row"; }
	crypt dump-tree "${others[@]}" "$image" 2>"$tmp/tree.err" | cmp - "$tmp/full.tree" || { head "$tmp/tree.err"; fail "row $number: dump-tree $1: $row"; }
}

# choose MISSING...: all devices but these, in any order
choose() {
	local files i
	devices_except m "$@"
	files=("$image")
	for ((i = 1; i < ${#others[@]}; i += 2)); do files+=("${others[i]}"); done
	mapfile -t files < <(printf '%s\n' "${files[@]}" | shuf --random-source=<(yes "$number $*"))
	image=${files[0]} others=()
	for i in "${files[@]:1}"; do others+=(--device "$i"); done
}

# read_lost: something is lost with what is missing: an error that names it, or, where no file needs it, everything as it is
read_lost() {
	local status=0
	crypt export --recursive "${others[@]}" "$image" / -o - >"$tmp/out" 2>"$tmp/err" || status=$?
	case $status in
	0) cmp "$tmp/out" "$tmp/full.tar" || fail "row $number: other bytes without $missing: $row" ;;
	6) n_lost=$((n_lost + 1)) ;;
	*) cat "$tmp/err"; fail "row $number: status $status without $missing: $row" ;;
	esac
	expect_text "$tmp/err" 'devid [0-9]+ .*is missing'
}

# Each set of missing devices, then one that is too many
read_degraded() {
	local missing i which=widest
	[ "$plan" != long ] || which=all
	chunks sets $which "$tmp/m".[0-9]* >"$tmp/sets"
	while read -r missing; do
		case $missing in
		'') continue ;;
		lost*)
			# shellcheck disable=SC2086
			choose ${missing#lost }
			read_lost
			continue ;;
		esac
		# shellcheck disable=SC2086
		choose $missing
		read_again "without devices $missing"
		for i in $missing; do expect_text "$tmp/err" "devid $i \(uuid [0-9a-f-]{36}\) is missing"; done
		n_sets=$((n_sets + 1))
		widest=$missing
	done <"$tmp/sets"
}

# Damage as far as it is borne: with all devices; in other rows, of what is left when one is missing, where that is borne as well.
read_damaged() {
	local missing= n
	[ "${widest%% *}" = "$widest" ] || [ $((number % 2)) = 0 ] || missing=${widest%% *}
	n=$(chunks damage "$seed-$number" "${missing:--}" "$tmp/m".[0-9]*)
	# shellcheck disable=SC2086
	choose $missing
	read_again "of damaged devices without ${missing:-none}"
	if [ "$n" -gt 20 ]; then expect_text "$tmp/err" 'warning: .* does not match its checksum, mirror [0-9]+ does|read from another mirror: [1-9]'; fi
	n_damaged=$((n_damaged + n))
}

# add_verity: to the first file whose leaf has room for it
add_verity() {
	local inode
	while read -r inode; do
		"$edit/edit-verity" "$tmp/m.1" "$one_id" "$inode" >/dev/null 2>"$tmp/err" && return
	done < <(sed -n 's/^one\/[^n].* inode=\([0-9]*\) .* type=file$/\1/p' "$tmp/want.inodes")
	cat "$tmp/err"
	fail "row $number: no leaf has room for verity items: $row"
}

one() {
	local $row file widest= before
	make_image
	devices_mount m "$tmp/mnt" "$(mount_options)"
	shape_image
	fill_image
	devices_umount
	record_image
	[ "$verity" = 0 ] || add_verity
	sync "$tmp/m".[0-9]*
	before=$(written "$tmp/m".[0-9]*)
	choose
	read_image
	read_degraded
	[ "$before" = "$(written "$tmp/m".[0-9]*)" ] || fail "row $number: reading changed an image"
	read_damaged
}

n_rows=0 n_sets=0 n_lost=0 n_damaged=0
python3 "$IMAGE_TESTS/matrix-plan.py" "$seed" "$plan" >"$tmp/plan"
while read -r row; do
	number=${row%% *} number=${number#*=}
	case $row in '#'*) say "plan: ${row#\# }"; continue ;; esac
	case ,${MATRIX_ROWS:-$number}, in *,$number,*) ;; *) continue ;; esac
	[ -n "${TORTURE:-}${MATRIX_ROWS:-}" ] || [ "$plan" = long ] || [ $((number % 8)) = 0 ] || continue
	[ "$plan" != long ] || say "$row"
	one
	n_rows=$((n_rows + 1))
done <"$tmp/plan"
say "$n_rows filesystems, $n_sets sets of missing devices, $n_lost sets with which something is lost, $n_damaged damaged sectors"
