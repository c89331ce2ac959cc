#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every command that inspects, in every way it reads: the images have mode 0444 on a filesystem that is mounted read only, or are read-only loop
# devices; no system call opens one for writing or writes to it, and its bytes and times are the same afterwards.  A command of the program that has no
# line here is a failure.  Plain, sealed, not cleanly unmounted, and two damaged devices of a RAID1.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/devices-lib.sh"
need_root
need_crypt
for each in strace zstd; do command -v $each >/dev/null || skip "needs $each"; done

# Command, and the rest with IMAGE (the devices), SUB and FILE (a subvolume and a file in it), INODE, OUT (a new name), KEY (options, only for the image that has one).
LINES='
list IMAGE
list --format json IMAGE
list --with-log IMAGE
list --super 1 IMAGE
list --backup-root 0 IMAGE
show IMAGE SUB
ls -l -i -R IMAGE /
ls --format json IMAGE SUB
ls KEY -R IMAGE SUB
cat IMAGE SUB FILE
cat --with-log IMAGE SUB FILE
cat KEY IMAGE SUB FILE
stat -e IMAGE SUB FILE
stat KEY -e --format json IMAGE SUB FILE
timeline -R IMAGE /
timeline --with-log --format json IMAGE SUB
resolve IMAGE SUB FILE
resolve -i INODE IMAGE SUB
resolve -l 13631488 IMAGE
df IMAGE
df -b --format json IMAGE
tree-stats IMAGE
tree-stats --format json -b IMAGE
export -o - IMAGE SUB
export -R -o OUT --manifest OUT.sums --report OUT.report IMAGE /
export -R --ciphertext -o OUT.zip IMAGE /
export --archive dir -o OUT IMAGE SUB
export KEY -o OUT.mtree IMAGE SUB
export --with-log --compress zstd -o OUT.cpio IMAGE SUB
dump-super IMAGE
dump-super --format json IMAGE
dump-tree IMAGE
dump-tree --tolerant --format json IMAGE
dump-tree --crypt --tags IMAGE
dump-tree -t chunk IMAGE
dump-tree -R IMAGE
verify-key KEY IMAGE SUB
key list IMAGE SUB
key status IMAGE SUB
key export-volume-key KEY -q IMAGE SUB OUT
key backup KEY IMAGE SUB OUT.header
verify IMAGE SUB
verify KEY IMAGE SUB
audit IMAGE SUB
audit KEY --format json IMAGE SUB
convert --status IMAGE
convert --encrypt --dry-run IMAGE SUB
convert --decrypt --dry-run KEY IMAGE SUB
convert --purge --domain 00000000-0000-4000-8000-000000000000 --dry-run IMAGE
'
crypt --list-commands | cut -f 1 | grep -vx benchmark | sort >"$tmp/commands"	# which looks at no image
printf '%s' "$LINES" | sed -n 's/ .*//p' | sort -u >"$tmp/lines"
diff "$tmp/commands" "$tmp/lines" || fail "another command than those of this test: give it a line for each way in which it reads"
[ "$(crypt help | grep -cE '^  [a-z]')" = "$(($(wc -l <"$tmp/commands") + 1))" ] || fail "help lists other commands than --list-commands"

mkdir "$tmp/media" "$tmp/out.d"
for each in plain sealed log; do zstd -dqf "$PROJECT/images/good-$each.img.zst" -o "$tmp/media/$each.1"; done
devices_make r 2 160M -d raid1 -m raid1
devices_mount r "$tmp/mnt"
btrfs -q subvolume create "$tmp/mnt/vault"
tool fill
"$tmp/fill" "$tmp/mnt/vault" 1 sizes:300000 inline symlinks names xattrs links special
cp "$tmp/mnt/vault/sizes/65536" "$tmp/mnt/vault/secret.txt"
btrfs -q subvolume snapshot -r "$tmp/mnt/vault" "$tmp/mnt/snapshot"
devices_umount
[ "$(BTRFS_CRYPT=$BTRFS_CRYPT python3 "$IMAGE_TESTS/chunks.py" damage 1 - "$tmp/r.1" "$tmp/r.2")" -gt 50 ] || fail "too little damage"
printf x | dd of="$tmp/r.1" bs=1 seek=65700 conv=notrunc status=none		# the checksum of a primary superblock does not match
mv "$tmp/r.1" "$tmp/media/damaged.1"
mv "$tmp/r.2" "$tmp/media/damaged.2"
chmod 0444 "$tmp/media"/*
mount_read_only "$tmp/media"
touch "$tmp/media/new" 2>/dev/null && fail "the images can be written to"
head -c 32 /dev/urandom >"$tmp/volume.key"

# state: what a write would change
state() { (cd "$tmp/media" && for each in *; do "${BUILD:-$PROJECT/build}/tests/image/fingerprint" "$each"; done && stat -c '%n %a %s %y %z' -- *); }

WRITERS=open,openat,openat2,creat,mmap,write,writev,pwrite64,pwritev,pwritev2,copy_file_range,splice,sendfile,truncate,ftruncate,fallocate,ioctl,chmod,fchmod
WRITERS+=,fchmodat,chown,fchown,lchown,fchownat,utimensat,futimesat,utimes,unlink,unlinkat,rename,renameat,renameat2,setxattr,lsetxattr,fsetxattr

# run_line WORD...
run_line() {
	status=0
	strace -f -qq -y --seccomp-bpf -e "trace=$WRITERS" -e signal=none -o "$tmp/trace" "$BTRFS_CRYPT" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
}

# expect_reads IMAGE-PREFIX: of what was traced, nothing writes to such a path, and it was opened
expect_reads() {
	grep -q "open.*$1.*O_RDONLY" "$tmp/trace" || { head "$tmp/trace" "$tmp/err"; fail "the image was not opened, or the trace shows nothing: $line"; }
	if grep -E "^[0-9]+ +(creat|open[a-z0-9]*\(.*\"[^\"]*$1[^\"]*\".*O_(WRONLY|RDWR|CREAT|TRUNC|APPEND))" "$tmp/trace"; then fail "opened for writing: $line"; fi
	if grep -E "^[0-9]+ +(p?writev?(64)?2?|f?truncate|fallocate|l?f?ch(mod|own)(at)?|[a-z]*utime[a-z]*|unlink(at)?|rename[a-z0-9]*|l?f?setxattr|copy_file_range|splice|sendfile)\([^,]*[<\"][^,]*$1" \
		"$tmp/trace"; then fail "written to: $line"; fi
	if grep -E "mmap\(.*PROT_WRITE.*MAP_SHARED.*$1" "$tmp/trace"; then fail "mapped for writing: $line"; fi
}

# one NAME STATUSES SUBVOLUME FILE FIRST [OTHER]: every line with these devices
one() {
	local name=$1 statuses=$2 subvolume=$3 file=$4 devices=("$5") words word out n=0 prefix
	[ -z "${6:-}" ] || devices+=(--device "$6")
	prefix=$(dirname "$5")/$(basename "$5" .1)
	local inode
	inode=$(crypt stat --format json "${devices[@]}" "$subvolume" "$file" 2>/dev/null | sed -n 's/.*"inode":"\([0-9]*\)".*/\1/p' | head -1)
	while read -r line; do
		[ -n "$line" ] || continue
		out=$tmp/out.d/$((++n)) words=()
		for word in $line; do
			case $word in
			IMAGE) case $line in convert*) words+=("${devices[0]}") ;; *) words+=("${devices[@]}") ;; esac ;;	# it takes one device
			SUB) words+=("$subvolume") ;;
			FILE) words+=("$file") ;;
			INODE) words+=("$inode") ;;
			OUT*) words+=("$out${word#OUT}") ;;
			KEY) [ "$name" != sealed ] || words+=(--passphrase-file "$PROJECT/images/good-sealed.passphrase") ;;
			*) words+=("$word") ;;
			esac
		done
		case $line in 'convert --encrypt'*) words+=(--volume-key-file "$tmp/volume.key") ;; esac
		run_line "${words[@]}"
		case " $statuses " in *" $status "* | *" ${line%% *}:$status "*) ;; *) cat "$tmp/err"; fail "$name: status $status: ${words[*]}" ;; esac
		expect_reads "$prefix"
	done <<<"$LINES"
	rm -rf "$tmp/out.d"/*
	[ "$before" = "$(state)" ] || { diff <(echo "$before") <(state); fail "$name: an image was changed"; }
	say "$name: $n ways to read it"
}

before=$(state)
media=$tmp/media
# COMMAND:STATUS: only of that one. 2: a key is wanted; 6: damage, or that nothing is sealed there; 7: a primary superblock is to be written again; 9: what cannot be converted
one plain "0 2 4 9" vault secret.txt "$media/plain.1"
one sealed "0 2 4 9 audit:6" vault secret.txt "$media/sealed.1"
one log "0 2 4 6 9" sub directory/file2 "$media/log.1"
one damaged "0 2 4 6 9 convert:7" vault secret.txt "$media/damaged.1" "$media/damaged.2"

image_umount
say "read-only loop devices"
loops=()
for each in damaged.1 damaged.2; do
	loops+=("$(losetup --find --show --read-only "$media/$each")")
	mounts+=("$tmp/no-mount ${loops[-1]}")
done
LINES=$(grep -vE -e '--manifest|--format json|convert|--archive' <<<"$LINES")
one loops "0 2 4 6 9" vault secret.txt "${loops[@]}"
image_umount
image_umount
