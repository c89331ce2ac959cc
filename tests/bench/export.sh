#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Exporting a subvolume of BENCH_ENTRIES (default 75000) entries and about 20 KiB for each as a tar archive, beside btrfs restore and beside tar of a
# kernel mount; all with a warm cache, in turns, medians and ratios, and the most memory each takes.
. "$(dirname "$0")/../image/lib.sh"
need_root
need_crypt

entries=${BENCH_ENTRIES:-75000} rounds=${BENCH_ROUNDS:-3}
image_make "$tmp/image" $((entries / 40 + 700))M
image_mount "$tmp/image" "$tmp/mount"
btrfs subvolume create "$tmp/mount/data" > /dev/null
# Many small files, fewer of medium size, a few large ones, as a home directory has them; a hundred in a directory.
python3 - "$tmp/mount/data" "$entries" <<'END'
import os, sys
top, n = sys.argv[1], int(sys.argv[2])
block = os.urandom(1 << 20)
made = 0
while made < n:
    directory = "%s/%03d/%03d" % (top, made // 10000, made // 100)
    os.makedirs(directory)
    made += 1
    for i in range(99):
        size = 200 + i * 37 if i % 2 else 4096 + i * 150 if i < 97 else 350000 if i < 98 else 1100000
        with open("%s/file-%d" % (directory, i), "wb") as f:
            f.write(block[i:i + size])
        made += 1
END
image_umount
echo "$entries entries, $(du -sm --apparent-size "$tmp/image" | cut -f 1) MiB of image"

seconds() {
	local begin=$EPOCHREALTIME
	/usr/bin/env python3 -c 'import resource, subprocess, sys
status = subprocess.call(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=open(sys.argv[1] + ".log", "w"))
open(sys.argv[1] + ".memory", "a").write("%d\n" % (resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024))
sys.exit(status)' "$tmp/$1" "${@:2}" || { cat "$tmp/$1.log" >&2; return 1; }
	awk "BEGIN { printf \"%.2f\n\", $EPOCHREALTIME - $begin }" >> "$tmp/$1.seconds"
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

run_export() { rm -f "$tmp/export.tar"; seconds export "$BTRFS_CRYPT" export "$tmp/image" data -o "$tmp/export.tar"; }
run_restore() {
	rm -rf "$tmp/restored"
	mkdir "$tmp/restored"
	seconds restore btrfs restore -x -m -S --path-regex '^/(|data(|/.*))$' "$tmp/image" "$tmp/restored"
}
run_kernel() {
	rm -f "$tmp/kernel.tar"
	seconds kernel sh -c 'mount -t btrfs -o ro,loop "$1" "$2" && tar -C "$2/data" --xattrs --acls -cf "$3" . && umount "$2"' sh "$tmp/image" \
		"$tmp/mount" "$tmp/kernel.tar"
}

cat "$tmp/image" > /dev/null
for _ in $(seq "$rounds"); do
	for what in export restore kernel; do
		"run_$what"
	done
done
for what in export restore kernel; do
	awk -v w="$what" -v s="$(median "$tmp/$what.seconds")" -v e="$(median "$tmp/export.seconds")" -v m="$(median "$tmp/$what.memory")" 'BEGIN {
		printf "%-8s %7.2f s  export takes %5.2f of it  %5d MiB of memory\n", w, s, e / s, m }'
done
