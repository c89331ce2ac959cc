#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Memory does not run out in the middle of a conversion: all of it is taken before the first write. At any limit, a conversion either ends, or fails
# with 3 without having written a byte. If it may not grow any more from its first write on, it does not notice.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
command -v prlimit >/dev/null || skip "needs prlimit"
WATCHED=${BUILD:-$PROJECT/build}/tests/image/watched
[ -x "$WATCHED" ] || skip "needs make tools"
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000 -q"
key="--key-file $tmp/key"
MIB=1048576
printf secret >"$tmp/key"

# make_image NAME SIZE INLINE-FILES SMALL-FILES MIB-OF-DATA MKFS-OPTION...: with a snapshot whose leaves go their own way
make_image() {
	local name=$1 size=$2 n_inline=$3 n_small=$4 data=$5
	shift 5
	image_make "$tmp/$name.plain" "$size" "$@"
	image_mount "$tmp/$name.plain" "$tmp/mnt"
	btrfs -q subvolume create "$tmp/mnt/sv"
	python3 - "$tmp/mnt/sv" "$n_inline" "$n_small" "$data" <<'END'
import os
import sys

top, n_inline, n_small, data = sys.argv[1], *map(int, sys.argv[2:])
for i in range(n_inline):
    if i % 1000 == 0:
        os.mkdir(f'{top}/{i}')
    with open(f'{top}/{i // 1000 * 1000}/{i}', 'w') as file:
        file.write(f'inline file {i}\n' * (1 + i % 40))
os.mkdir(f'{top}/small')
for i in range(n_small):
    with open(f'{top}/small/{i}', 'wb') as file:
        file.write(f'block of small file {i:9}\n'.encode() * (165 + i % 300))
for i in range(data):
    with open(f'{top}/large', 'ab') as file:
        file.write(os.urandom(1 << 20))
os.symlink('somewhere', f'{top}/link')
END
	sync -f "$tmp/mnt"
	btrfs -q subvolume snapshot "$tmp/mnt/sv" "$tmp/mnt/snap"
	for ((i = 0; i < n_inline; i += 1000)); do echo more >>"$tmp/mnt/snap/$i/$((i + 7))"; done
	image_umount
}

copy() { cp --sparse=always "$tmp/$1" "$tmp/image"; }

# --- no growth after the first write -------------------------------------------------------------------------------

still() {	# still STATUS ARGUMENTS...: as the program does, without growing
	local want=$1
	shift
	WATCH_GROWTH=1 expect_status "$want" "$WATCHED" "$@"
	grep -E '^watched: [0-9]+ MiB at the first write$' "$tmp/err" >"$tmp/took" || fail "nothing was written by: $*"
}

# stopped SIGNAL STATUS BYTES COMMAND...: once so much is written
stopped() {
	local signal=$1 status=$2 bytes=$3
	shift 3
	expect_status "$status" "$(dirname "$WATCHED")/signal-when" "$signal" "wrote:$bytes" "$@"
}

no_growth() {
	local name=$1 seal="convert --encrypt $cheap $key $tmp/image sv snap" unseal="convert --decrypt -q $key $tmp/image sv"
	copy "$name.plain"
	still 0 $seal
	sed "s/^/$name: /" "$tmp/took"
	check_clean "$tmp/image"
	cp --sparse=always "$tmp/image" "$tmp/$name.sealed"
	# A kernel moves the extents: they are looked for by their content.
	image_mount "$tmp/image" "$tmp/mnt"
	btrfs balance start --full-balance "$tmp/mnt" >/dev/null
	image_umount
	still 0 convert --rekey $cheap $key "$tmp/image" sv
	sed "s/^/$name: /" "$tmp/took"
	still 0 $unseal
	sed "s/^/$name: /" "$tmp/took"
	check_clean "$tmp/image"
	for at in $2; do
		copy "$name.plain"
		stopped KILL 137 $((at * MIB)) "$BTRFS_CRYPT" $seal
		cp --sparse=always "$tmp/image" "$tmp/$name.unfinished"
		still 0 convert --resume $key "$tmp/image"
		cp --sparse=always "$tmp/$name.unfinished" "$tmp/image"
		still 0 convert --abort $key "$tmp/image"
		copy "$name.sealed"
		stopped KILL 137 $((at * MIB)) "$BTRFS_CRYPT" $unseal
		cp --sparse=always "$tmp/image" "$tmp/$name.unsealing"
		still 0 convert --decrypt --resume $key "$tmp/image"
		cp --sparse=always "$tmp/$name.unsealing" "$tmp/image"
		still 0 convert --abort $key "$tmp/image"
		check_clean "$tmp/image"
	done
	say "$name: it does not grow after the first write"
}

many=${TORTURE:+4000}
many=${many:-1500}
make_image files 600M $((2 * many)) "$many" 8
no_growth files $((10 + many / 200))
rm "$tmp"/files.*
make_image nodes 512M "$many" "$many" 4 --nodesize 4096
no_growth nodes 8
rm "$tmp"/nodes.*
make_image data 512M 100 100 60
no_growth data 45
rm "$tmp"/data.*

# --- limits ----------------------------------------------------------------------------------------------------------

fresh=			# what the image is an unchanged copy of
# at LIMIT KIB IMAGE ARGUMENTS...: 0 where it ends, 3 where there is not enough
at() {
	local limit=$1 kib=$2 from=$3 status=0 before
	shift 3
	[ "$fresh" = "$from" ] || copy "$from"
	fresh=
	before=$(written "$tmp/image")
	prlimit "--$limit=$((kib * 1024))" "$BTRFS_CRYPT" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
	case $status in
	0) return 0 ;;
	3) grep -q 'out of memory\|cannot be locked' "$tmp/err" || fail "no word about memory: $(cat "$tmp/err")" ;;
	*) fail "status $status at a limit of $kib KiB ($limit): $(cat "$tmp/err")" ;;
	esac
	[ "$before" = "$(written "$tmp/image")" ] || fail "at a limit of $kib KiB ($limit) it failed, and had written"
	fresh=$from
	return 3
}

# least LIMIT: below that not even the libraries can be loaded
least() {
	local kib
	for ((kib = 512; ; kib += 512)); do
		bash -c '"$@"; exit $?' - prlimit "--$1=$((kib * 1024))" "$BTRFS_CRYPT" --version >/dev/null 2>&1 && break
	done
	echo "$kib"
}

# steps LIMIT LEAST IMAGE ARGUMENTS...: in steps of a MiB and more up to where it ends, then closely around that
steps() {
	local limit=$1 low=$2 high=0 middle kib n=0
	shift 2
	for ((kib = low; ; kib += $(every 4) * (1024 + kib / 16))); do
		n=$((n + 1))
		if at "$limit" "$kib" "$@"; then high=$kib; break; fi
		low=$kib
	done
	while [ $((high - low)) -gt $(($(every 4) * 256)) ]; do
		middle=$(((low + high) / 2 / 4 * 4))
		n=$((n + 1))
		if at "$limit" "$middle" "$@"; then high=$middle; else low=$middle; fi
	done
	for ((kib = high - 192; kib <= high + 192; kib += 192)); do
		n=$((n + 1))
		at "$limit" "$kib" "$@" || true		# where the heap lies differs from run to run, and by some KiB what fits
	done
	at "$limit" $((high + high / 8)) "$@" || fail "it ends at $high KiB, but not at an eighth more"
	say "$limit: ${*:2:2} ends from $high KiB on; $n limits tried"
}

make_image steps 256M 1000 250 5
copy steps.plain
seal="convert --encrypt $cheap $key $tmp/image sv snap" unseal="convert --decrypt -q $key $tmp/image sv"
stopped KILL 137 $((5 * MIB)) "$BTRFS_CRYPT" $seal
cp --sparse=always "$tmp/image" "$tmp/steps.unfinished"
copy steps.plain
expect_status 0 crypt $seal
cp --sparse=always "$tmp/image" "$tmp/steps.sealed"
for limit in as data; do
	least=$(least "$limit")
	steps "$limit" "$least" steps.plain $seal
	steps "$limit" "$least" steps.sealed $unseal
	steps "$limit" "$least" steps.unfinished convert --resume $key "$tmp/image"
	steps "$limit" "$least" steps.unfinished convert --abort $key "$tmp/image"
done
