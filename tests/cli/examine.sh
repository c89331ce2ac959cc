#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# stat, resolve, df, tree-stats, timeline, ls and list of the bundled images: every line. For images that are cut off or damaged: one of our exit
# statuses.
. "$(dirname "$0")/../expect.sh"
bundled_image
zstd -dqf "$TOP/images/good-sealed.img.zst" -o sealed.img
tag=$(sed -n 's/^Encryption: //p' "$TOP/images/good-sealed.txt")

expect 0 stat -e disk.img vault link hole character secret.txt <<'EOF'
link
  inode:       277 of subvolume 257
  generation:  7, last changed in 7
  type:        symlink
  mode:        0777 lrwxrwxrwx
  owner:       uid 0 gid 0
  links:       1
  size:        10
  nbytes:      10 (8 blocks)
  flags:       0x0 none
  attributes:  ----------------------
  accessed:    2026-11-23 07:54:26.877916789 +0000
  modified:    2026-11-23 07:54:26.877916789 +0000
  changed:     2026-11-23 07:54:26.877916789 +0000
  created:     2026-11-23 07:54:26.877916789 +0000
  target:      secret.txt
  extent:      offset 0 length 10 inline
hole
  inode:       282 of subvolume 257
  generation:  7, last changed in 8
  type:        file
  mode:        0644 -rw-r--r--
  owner:       uid 0 gid 0
  links:       1
  size:        300000
  nbytes:      12288 (24 blocks)
  flags:       0x0 none
  attributes:  ----------------------
  accessed:    2026-11-23 07:54:26.901916790 +0000
  modified:    2026-11-23 07:54:26.933916791 +0000
  changed:     2026-11-23 07:54:26.933916791 +0000
  created:     2026-11-23 07:54:26.901916790 +0000
  extents:     1
  extent:      offset 98304 length 12288 regular disk 5783552 length 12288 from 0
character
  inode:       289 of subvolume 257
  generation:  11, last changed in 11
  type:        character-device
  mode:        0644 crw-r--r--
  owner:       uid 0 gid 0
  links:       1
  size:        0
  nbytes:      0 (0 blocks)
  device:      1:3
  flags:       0x0 none
  attributes:  ----------------------
  accessed:    2026-11-23 07:54:27.273916803 +0000
  modified:    2026-11-23 07:54:27.273916803 +0000
  changed:     2026-11-23 07:54:27.273916803 +0000
  created:     2026-11-23 07:54:27.273916803 +0000
secret.txt
  inode:       257 of subvolume 257
  generation:  7, last changed in 11
  type:        file
  mode:        0644 -rw-r--r--
  owner:       uid 0 gid 0
  links:       2
  size:        27
  nbytes:      27 (8 blocks)
  flags:       0x0 none
  attributes:  ----------------------
  accessed:    2026-11-23 07:54:26.685916782 +0000
  modified:    2026-11-23 07:54:26.689544746 +0000
  changed:     2026-11-23 07:54:27.673916818 +0000
  created:     2026-11-23 07:54:26.685916782 +0000
  extents:     1 (1 inline)
  xattr:       user.empty (0 bytes)
  xattr:       user.colour (4 bytes)
  extent:      offset 0 length 27 inline
EOF
expect 0 stat -e sealed.img vault link ledger.zstd <<EOF
link
  inode:       277 of subvolume 257
  generation:  7, last changed in 7
  type:        symlink
  mode:        0777 lrwxrwxrwx
  owner:       uid 0 gid 0
  links:       1
  size:        10
  nbytes:      10 (8 blocks)
  flags:       0x0 none
  attributes:  ----------------------
  accessed:    2026-11-23 07:54:26.877916789 +0000
  modified:    2026-11-23 07:54:26.877916789 +0000
  changed:     2026-11-23 07:54:26.877916789 +0000
  created:     2026-11-23 07:54:26.877916789 +0000
  target:      (sealed)
  encryption:  $tag (Required key not available)
  seal:        not authenticated: no key was given
  extent:      offset 0 length 10 inline sealed in 257 (sealing 1)
ledger.zstd
  inode:       275 of subvolume 257
  generation:  7, last changed in 7
  type:        file
  mode:        0644 -rw-r--r--
  owner:       uid 0 gid 0
  links:       1
  size:        80883
  nbytes:      81920 (160 blocks)
  flags:       0x100000840 IMMUTABLE|COMPRESS|VERITY
  attributes:  ----i---c-----------V-
  accessed:    2026-11-23 07:54:26.851814924 +0000
  modified:    2026-11-23 07:54:26.858033059 +0000
  changed:     2026-11-23 07:54:26.858033059 +0000
  created:     2026-11-23 07:54:26.851814924 +0000
  encryption:  $tag (Required key not available)
  seal:        not authenticated: no key was given
  extents:     1 (1 zstd, 1 sealed)
  xattr:       btrfs.compression (4 bytes)
  extent:      offset 0 length 81920 regular disk 5402624 length 20480 from 0 compression zstd sealed in 257 (sealing 1)
EOF
transcript 0 sh -c "btrfs-crypt stat -e --format json sealed.img vault secret.txt nested/file | grep '\"record\":\"extent\"'" <<'EOF'
{"record":"extent","path":"secret.txt","subvolume":"257","inode":"257","type":"inline","offset":"0","length":"27","ram_bytes":"27","generation":"8","compression":"none","encryption":0,"sealed":true,"sealing":1,"sealed_in":"257"}
{"record":"extent","path":"nested/file","subvolume":"258","inode":"257","type":"inline","offset":"0","length":"24","ram_bytes":"24","generation":"11","compression":"none","encryption":0,"sealed":true,"sealing":1,"sealed_in":"258"}
EOF
expect 0 stat --format json disk.img vault secret.txt <<'EOF'
{"record":"inode","path":"secret.txt","subvolume":"257","inode":"257","generation":"7","transid":"11","sequence":"4","type":"file","mode":"-rw-r--r--","mode_octal":"0644","uid":0,"gid":0,"links":2,"size":"27","nbytes":"27","blocks":"8","flags":"0x0","flags_names":"none","attributes":"----------------------","atime":"1795420466.685916782","mtime":"1795420466.689544746","ctime":"1795420467.673916818","otime":"1795420466.685916782","extents":{"items":"1","inline":"1","prealloc":"0","holes":"0","sealed":"0","otherwise_encrypted":"0","compression":{"none":"1","zlib":"0","lzo":"0","zstd":"0"}}}
{"record":"xattr","path":"secret.txt","subvolume":"257","inode":"257","name":"user.empty","size":0}
{"record":"xattr","path":"secret.txt","subvolume":"257","inode":"257","name":"user.colour","size":4}
EOF
expect 0 resolve disk.img vault hole <<'EOF'
offset 98304 length 12288 regular logical 5783552 copy 0 devid 1 physical 5783552
EOF
expect 0 resolve disk.img vault hole@100000 <<'EOF'
offset 100000 length 10592 regular logical 5785248 copy 0 devid 1 physical 5785248
EOF
expect 0 resolve disk.img vault hole@5000 <<'EOF'
offset 5000 length 93304 hole
EOF
expect 0 resolve disk.img vault secret.txt@3 <<'EOF'
offset 3 length 24 inline logical 6143210 copy 0 devid 1 physical 6143210
EOF
expect 0 resolve disk.img vault ledger.zlib <<'EOF'
offset 0 length 81920 regular logical 5312512 disk length 28672 compression zlib copy 0 devid 1 physical 5312512
EOF
expect 0 resolve -i 257 disk.img vault <<'EOF'
vault/secret.txt
vault/directory/hard-link
EOF
expect 0 resolve --logical 5783552 disk.img <<'EOF'
data extent 5783552 length 12288 refs 1 generation 8
copy 0 devid 1 physical 5783552
inode 282 offset 98304 root 257 path vault/hole
EOF
expect 0 resolve --logical 5783552 --format json disk.img <<'EOF'
{"record":"extent","type":"data","logical":"5783552","length":"12288","refs":"1","generation":"8"}
{"record":"place","logical":"5783552","copy":0,"devid":"1","physical":"5783552"}
{"record":"file","inode":"282","offset":"98304","subvolume":"257","subvolume_path":"vault","path":"hole"}
EOF
expect 0 df -b disk.img <<'EOF'
System, single: total=4194304, used=4096
Data+Metadata, single: total=7077888, used=782336
GlobalReserve: not on disk; a kernel sets it aside of Metadata when it mounts
Device 1, disk.img: size=71303168, allocated=11272192, unallocated=60030976
EOF
expect 0 df --format json disk.img <<'EOF'
{"record":"profile","type":"System","profile":"single","block_groups":"1","total":"4194304","used":"4096","allocated":"4194304"}
{"record":"profile","type":"Data+Metadata","profile":"single","block_groups":"1","total":"7077888","used":"782336","allocated":"7077888"}
{"record":"device","devid":"1","device":"disk.img","missing":false,"seed":false,"size":"71303168","allocated":"11272192","unallocated":"60030976"}
EOF
expect 0 tree-stats -b -t 257 disk.img <<'EOF'
Calculating size of tree 257
	Total size: 32768
		Inline data: 6830
	Total seeks: 6
		Forward seeks: 3
		Backward seeks: 3
		Avg seek len: 324949
	Total clusters: 1
		Avg cluster size: 8192
		Min cluster size: 8192
		Max cluster size: 8192
	Total disk spread: 954368
	Levels: 2
	Total nodes: 8
		On level 0:        7
		On level 1:        1  (avg fanout 7)
EOF
expect 0 timeline disk.img shared <<'EOF'
0|/shared|256|d/drwxr-xr-x|0|0|38|1795420467|1795420467|1795420467|1795420467
0|/shared/ledger.txt|257|r/rrw-r--r--|0|0|107832|1795420467|1795420467|1795420467|1795420467
0|/shared/small.txt|258|r/rrw-r--r--|0|0|23|1795420467|1795420467|1795420467|1795420467
EOF
expect 0 timeline --changed-since shared disk.img shared-snapshot <<'EOF'
EOF
# The times of a sealed subvolume are not authenticated: a note for each, also for what it is compared with and for nested ones.
quiet btrfs-crypt timeline -R disk.img vault
btrfs-crypt timeline -R sealed.img / > out 2> err || bad "timeline of sealed subvolumes: $(cat err)"
btrfs-crypt list sealed.img | sed -nE 's/.* path (.*)\tEncryption: .*/\1/p' |
	sed 's/\t.*//; s/^/btrfs-crypt timeline: note: subvolume /; s/$/ is sealed, and was not opened: names, sizes, times and modes in it are not authenticated/' |
	sort > want.notes
[ -s want.notes ] && sort err | cmp -s - want.notes || { bad "the notes of timeline"; cat err want.notes; }
expect 9 timeline --changed-since vault disk.img shared-snapshot <<'EOF'
! btrfs-crypt timeline: subvolumes vault (id 257) and shared-snapshot (id 261) have no common origin: the same inode numbers mean different files
! btrfs-crypt timeline: hint: btrfs-crypt list -u -q -R shows what is a snapshot of what
EOF
expect 0 ls -R -i -l --sort=size disk.img shared <<'EOF'
.:
       257 -rw-r--r--   1     0     0     107832 2026-11-23 07:54:27 ledger.txt
       258 -rw-r--r--   1     0     0         23 2026-11-23 07:54:27 small.txt
EOF
expect 0 list -t -c sealed.img <<EOF
ID	gen	cgen	top level	path	
--	---	----	---------	----	
256	8	7	5		public
257	11	7	5		vault	readonly	Encryption: $tag (Required key not available) (not authenticated)
258	11	11	257		vault/nested	readonly	Encryption: $tag (Required key not available) (not authenticated)
259	11	11	5		empty
260	12	11	5		shared
261	12	12	5		shared-snapshot	readonly
EOF
expect 0 list -r -q sealed.img <<EOF
ID 257 gen 11 top level 5 parent_uuid -                                    path vault	readonly	Encryption: $tag (Required key not available) (not authenticated)
ID 258 gen 11 top level 257 parent_uuid -                                    path vault/nested	readonly	Encryption: $tag (Required key not available) (not authenticated)
ID 261 gen 12 top level 5 parent_uuid c892ad3a-68fb-8348-848b-8099e9f8cd83 path shared-snapshot	readonly
EOF
expect 4 resolve --logical 1 disk.img <<'EOF'
! btrfs-crypt resolve: nothing is allocated at logical address 1
EOF
expect 4 resolve -i 9999 disk.img vault <<'EOF'
! btrfs-crypt resolve: subvolume vault (id 257) has no inode 9999
EOF
expect 4 stat disk.img vault secret.txt nothing <<'EOF'
secret.txt
  inode:       257 of subvolume 257
  generation:  7, last changed in 11
  type:        file
  mode:        0644 -rw-r--r--
  owner:       uid 0 gid 0
  links:       2
  size:        27
  nbytes:      27 (8 blocks)
  flags:       0x0 none
  attributes:  ----------------------
  accessed:    2026-11-23 07:54:26.685916782 +0000
  modified:    2026-11-23 07:54:26.689544746 +0000
  changed:     2026-11-23 07:54:27.673916818 +0000
  created:     2026-11-23 07:54:26.685916782 +0000
  extents:     1 (1 inline)
  xattr:       user.empty (0 bytes)
  xattr:       user.colour (4 bytes)
! btrfs-crypt stat: "nothing" not found
EOF
transcript 4 bash -o pipefail -c 'btrfs-crypt stat disk.img vault nothing secret.txt directory/none size-1 | grep -v "^ "' <<'EOF'
secret.txt
size-1
! btrfs-crypt stat: warning: "directory/none" not found
! btrfs-crypt stat: "nothing" not found
EOF
expect 4 tree-stats -t 4000 disk.img <<'EOF'
! btrfs-crypt tree-stats: tree 4000 not found
EOF
expect 4 timeline -c none disk.img vault <<'EOF'
! btrfs-crypt timeline: subvolume "none" not found
! btrfs-crypt timeline: hint: btrfs-crypt list shows the subvolumes
EOF
unchanged disk.img

n_failed=0
# Cut off at the end, and with blocks of another kind in it: an answer or an error that is documented, never a signal.
try_all() {
	local command status
	while read -r command; do
		# shellcheck disable=SC2086
		btrfs-crypt $command > out 2> err < /dev/null
		status=$?
		[ "$status" -le 13 ] || bad "$1: $command: status $status"
		[ "$status" = 0 ] || n_failed=$((n_failed + 1))
		[ "$status" = 0 ] || grep -q '^btrfs-crypt [a-z-]*: ' err || bad "$1: $command: status $status without a word"
	done << 'LINES'
stat -e bad.img vault secret.txt ledger.zstd /
resolve bad.img vault hole
resolve -i 257 bad.img vault
resolve --logical 5783552 bad.img
df bad.img
tree-stats bad.img
tree-stats -t 257 bad.img
timeline -R bad.img /
timeline -c shared bad.img shared-snapshot
ls -R -l --sort=time bad.img /
list -u bad.img
LINES
}
for size in 5000000 6000000 6300000; do
	head -c $size disk.img > bad.img
	try_all "cut off at $size"
done
# Every tree block of the upper part, one after the other.
for block in $(seq 1490 25 1745); do
	cp disk.img bad.img
	printf 'not a tree block' | dd of=bad.img bs=1 seek=$((block * 4096 + 48)) conv=notrunc status=none
	try_all "block $block"
done
[ "$n_failed" -ge 30 ] || bad "only $n_failed commands noticed anything"
finish
