#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What it costs to read one file, one directory or one inode of a sealed subvolume: as many reads of the image where it has 40,000 files (TORTURE: 200,000)
# as where it has 2,000, but for what the trees are deeper; and one pass over the unit items where a kernel has moved the extents.  Counted, not timed.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt
command -v strace >/dev/null || skip "needs strace"
new_keys
KEY=(--volume-key-file "$tmp/vk")

# 200 files in each directory, of 60 bytes and of one block by turns; the bytes say which file it is.
cat >"$tmp/many.py" <<'END'
import os, sys
at, n = sys.argv[1], int(sys.argv[2])
for i in range(n):
    directory = f"{at}/{i // 200}"
    if i % 200 == 0:
        os.mkdir(directory)
    with open(f"{directory}/{i % 200}", "wb", buffering=0) as f:
        f.write((b"file %8d of %8d " % (i, n)) * (160 if i % 2 else 3))
END

# make FILE NUMBER-OF-FILES SIZE
make() {
	image_make "$1" "$3"
	image_mount "$1" "$tmp/mnt" rw,noatime
	btrfs -q subvolume create "$tmp/mnt/sv"
	python3 "$tmp/many.py" "$tmp/mnt/sv" "$2"
	mkdir "$tmp/mnt/sv/some"
	cp "$tmp/mnt/sv/7"/{1,2,3} "$tmp/mnt/sv/some"
	image_umount
	crypt convert --encrypt -q "${KEY[@]}" "$1" sv >"$tmp/sealing"
	say "sealed: $2 files"
}

# reads COMMAND [OPTION...] -- OPERAND...: how often the image was read, in N; what was printed is in $tmp/out
reads() {
	local image=$1 command=$2
	shift 2
	strace -f -qq -y -o "$tmp/trace" -e trace=pread64,preadv,preadv2,read,readv "$BTRFS_CRYPT" "$command" "${KEY[@]}" "$image" "$@" >"$tmp/out" 2>"$tmp/err" ||
		{ cat "$tmp/err"; fail "$command $*"; }
	N=$(grep -c "<$image>" "$tmp/trace") || true
	[ "$N" -gt 0 ] || fail "no read of $image was counted"
}

# cost IMAGE: of each way to read, a line
cost() {
	local image=$1 n=$2 name
	for name in 0 1; do	# in the tree, and in an extent
		reads "$image" cat sv "7/$name"
		[ "$(head -c 26 "$tmp/out")" = "$(printf 'file %8d of %8d ' $((7 * 200 + name)) "$n")" ] || fail "cat 7/$name: wrong bytes"
		echo "cat-7/$name $N"
		reads "$image" stat sv "7/$name"
		echo "stat-7/$name $N"
	done
	reads "$image" stat sv 7
	echo "stat-directory $N"
	reads "$image" ls sv some
	echo "ls $N"
	reads "$image" ls -l sv some
	echo "ls-l $N"
	rm -f "$tmp/part.tar"
	reads "$image" export -o "$tmp/part.tar" sv:some
	[ "$(tar tf "$tmp/part.tar" | grep -c .)" -ge 3 ] || fail "the archive lacks files"
	echo "export $N"
}

many=${TORTURE:+200000}
many=${many:-40000}
image=$tmp/few.img
make "$tmp/few.img" 2000 300M
make "$tmp/many.img" "$many" 1500M
cost "$tmp/few.img" 2000 >"$tmp/few"
cost "$tmp/many.img" "$many" >"$tmp/many"
paste -d ' ' "$tmp/few" "$tmp/many" >"$tmp/costs"
cat "$tmp/costs"
# One halving more for each doubling, one level more of the trees
while read -r what few _ reads; do
	[ "$reads" -le $((few + 60)) ] || fail "$what: $few reads of 2,000 files, $reads of $many"
done <"$tmp/costs"
say "no more reads of $many files"

say "moved by a balance"
image_mount "$tmp/many.img" "$tmp/mnt" rw
btrfs balance start --full-balance "$tmp/mnt" >"$tmp/out"
image_umount
n_items=$(btrfs inspect-internal dump-tree -t root "$tmp/many.img" | grep -c 'PERSISTENT_ITEM') || true
cost "$tmp/many.img" "$many" >"$tmp/moved"
while read -r what _ _ reads _ moved; do
	[ "$moved" -le $((reads + n_items + 60)) ] || fail "$what: $moved reads of moved extents, $reads before, $n_items items"
done < <(paste -d ' ' "$tmp/costs" "$tmp/moved")
cat "$tmp/moved"
