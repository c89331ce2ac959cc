#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Images in virtual disks and from NBD servers are read as files are. What a disk leads to is refused, what is wrong with one is named, and what serves it
# gets nothing of ours and does not stay.
. "$(dirname "$0")/../expect.sh"
command -v qemu-nbd nbdkit qemu-img strace > /dev/null || { echo "needs qemu-nbd, nbdkit, qemu-img and strace"; exit 77; }
bundled_image
printf secret > key
btrfs-crypt list disk.img > list
btrfs-crypt cat disk.img vault ledger.txt > ledger

# reads IMAGE [OPTION...]: every byte that is asked for comes through the container
reads() {
	local image=$1
	shift
	btrfs-crypt list "$@" "$image" 2> err | cmp -s - list || { bad "list $image"; cat err; }
	btrfs-crypt cat "$@" "$image" vault ledger.txt 2> err | cmp -s - ledger || { bad "cat $image"; cat err; }
}

for format in qcow2 vmdk vdi vhdx vpc qed; do
	qemu-img convert -f raw -O $format disk.img disk.$format
	unchanged disk.$format
	reads disk.$format
	unchanged disk.$format
done
qemu-img convert -f raw -c -O qcow2 -o compat=0.10 disk.img old.qcow2
reads old.qcow2
for command in show dump-tree df tree-stats "timeline vault" "ls vault -l" "stat vault secret.txt"; do
	for image in disk.img disk.qcow2; do
		btrfs-crypt ${command/ / $image } $([[ $command = *" "* ]] || echo $image) > $image.said 2>&1 || { bad "$command $image"; cat $image.said; }
	done
	cmp -s <(sed 's/disk\.img/IMAGE/' disk.img.said) <(sed 's/disk\.qcow2/IMAGE/' disk.qcow2.said) || { bad "$command"; diff disk.*.said | head -5; }
done
btrfs-crypt export disk.img vault --archive tar -o - 2> /dev/null > plain
btrfs-crypt export disk.qcow2 vault --archive tar -o - 2> /dev/null | cmp -s - plain && [ -s plain ] || bad "export"

# The hash is that of the evidence: the file.
quiet btrfs-crypt export disk.qcow2 vault --archive tar -o /dev/null --manifest manifest
grep -qxF "# image $(sha256sum < disk.qcow2 | cut -c -64)  disk.qcow2  $(stat -c %s disk.qcow2) bytes" manifest || { bad "manifest"; head -2 manifest; }
# Other programs find what is in it only in a copy.
truncate -s 20M ext4.img
mkfs.ext4 -q ext4.img
qemu-img convert -f raw -O qcow2 ext4.img ext4.qcow2
expect 4 list ext4.qcow2 <<'END'
! btrfs-crypt list: ext4.qcow2: not a btrfs filesystem, but ext4
! btrfs-crypt list: hint: copy it to UNPACKED with `qemu-img convert -O raw` first; `mount -o ro,noload UNPACKED DIRECTORY` reads it
END
# Packed bytes on a disk are no packed image.
gzip -c disk.img > list.gz
qemu-img convert -f raw -O qcow2 list.gz inside.qcow2
expect 4 list inside.qcow2 <<'END'
! btrfs-crypt list: inside.qcow2: not a btrfs filesystem
END

# Holes are left out: nobody could read all of this disk.
zstd -dqf "$TOP/images/good-sealed.img.zst" -o sealed.img
qemu-img convert -f raw -O qcow2 sealed.img sealed.qcow2
btrfs-crypt audit sealed.img vault --passphrase-file "$TOP/images/good-sealed.passphrase" > plain 2>&1
qemu-img resize -q sealed.qcow2 300G
timeout 60 btrfs-crypt audit sealed.qcow2 vault --passphrase-file "$TOP/images/good-sealed.passphrase" > through 2>&1
cmp -s <(sed 's/68\.00MiB/SIZE/' plain) <(sed 's/300\.00GiB/SIZE/' through) || { bad "audit"; diff plain through; }

# --- partitions: a GPT, and a logical partition, whose table is anywhere on the disk
python3 - <<'END'
import binascii, struct
fs = open("disk.img", "rb").read()
def disk(name, size, at, *tables):
    with open(name, "wb") as f:
        f.truncate(size)
        f.seek(at)
        for i in range(0, len(fs), 65536):
            if any(fs[i:i + 65536]):
                f.seek(at + i)
                f.write(fs[i:i + 65536])
        for where, bytes_ in tables:
            f.seek(where)
            f.write(bytes_)
def entry(kind, start, n): return struct.pack("<B3sB3sII", 0, b"\0\2\0", kind, b"\xfe\xff\xff", start, n)
def table(*entries): return b"".join(entries).ljust(64, b"\0") + b"\x55\xaa"
n = len(fs) // 512
chain, inner = 40000, 50000		# behind the first MiB
disk("logical.img", (chain + inner + n + 5000) * 512, (chain + 20000 + 2048) * 512,
     (446, table(entry(0x83, 2048, 2048), entry(5, chain, 20000 + n + 4096))),
     (chain * 512 + 446, table(entry(0x83, 2048, 2048), entry(5, 20000, n + 4096))),
     ((chain + 20000) * 512 + 446, table(entry(0x83, 2048, n))))
total = n + 4096
entries = struct.pack("<16s16sQQQ72s", bytes.fromhex("af3dc60f838472478e793d69d8477de4"), b"u" * 16, 2048, 2048 + n - 1, 0, b"").ljust(128 * 128, b"\0")
def header(mine, other, where):
    h = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, mine, other, 34, total - 34, b"\1" * 16, where, 128, 128, binascii.crc32(entries))
    return h[:16] + struct.pack("<I", binascii.crc32(h)) + h[20:]
disk("gpt.img", total * 512, 1 << 20, (446, table(entry(0xee, 1, total - 1))), (512, header(1, total - 1, 2)), (1024, entries),
     ((total - 33) * 512, entries), ((total - 1) * 512, header(total - 1, 1, total - 33)))
END
for kind in gpt:1048576 logical:$(((40000 + 20000 + 2048) * 512)); do
	name=${kind%:*} offset=${kind#*:}
	qemu-img convert -f raw -O qcow2 $name.img $name.qcow2
	btrfs-crypt list $name.qcow2 2> err | cmp -s - list || { bad "$name"; cat err; }
	grep -q "note: partition .* at byte $offset of the image" err || { bad "$name: no note"; cat err; }
	reads $name.qcow2 --image-offset $offset
done
btrfs-crypt list --image-offset 0 gpt.qcow2 2> err && bad "with --image-offset 0 the file itself is read"

# --- what leads to other files
head -c 100 /dev/urandom > other	# what must not be opened
leads() {	# leads IMAGE TEXT
	expect 9 list "$1" <<END
! btrfs-crypt list: $1: $2
! btrfs-crypt list: hint: if you trust the image, --allow-backing opens what it names
END
}
qemu-img create -q -f qcow2 -b disk.img -F raw backed.qcow2
qemu-img create -q -f qed -b disk.img -F raw backed.qed
qemu-img create -q -f vmdk -b disk.vmdk -F vmdk backed.vmdk
qemu-img convert -f raw -O vmdk -o subformat=monolithicFlat disk.img flat.vmdk
qemu-img convert -f raw -O qcow2 -o data_file=data,data_file_raw=on disk.img external.qcow2
leads backed.qcow2 'what it does not have itself is in the backing file disk.img'
leads backed.qed 'what it does not have itself is in a backing file'
leads backed.vmdk 'what it does not have itself is in another file'
leads flat.vmdk 'it only describes a disk that is in other files'
leads external.qcow2 'its data are in the external data file data'
for image in backed.qcow2 backed.qed backed.vmdk flat.vmdk external.qcow2; do reads $image --allow-backing; done
printf 'KDMV\1\0\0\0' | cat - <(head -c 2000 /dev/zero) > empty.vmdk
leads empty.vmdk 'its data are in other files'
qemu-img create -q -f qcow2 --object secret,id=s,data=x -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 locked.qcow2 1M
btrfs-crypt list locked.qcow2 2> err
[ $? = 9 ] && grep -q 'locked.qcow2: it is encrypted by QEMU$' err || bad "encrypted: $(cat err)"
btrfs-crypt list --allow-backing . > out 2> err
[ $? = 1 ] && grep -q -- '--allow-backing: only for an image$' err || bad "of a directory: $(cat err)"

# --- headers with one wrong field
wrong() {	# wrong AT BYTES STATUS TEXT: the header of a qcow2, with these in place of its own
	{ head -c "$1" disk.qcow2; printf "$2"; tail -c +$(($1 + ${#2} / 4 + 1)) disk.qcow2 | head -c 2000; } > wrong.qcow2
	btrfs-crypt list wrong.qcow2 > out 2> err
	[ $? = "$3" ] && grep -qxF "btrfs-crypt list: wrong.qcow2: $4" err || { bad "header: $4"; cat err; }
}
wrong 4 '\x00\x00\x00\x04' 9 'qcow2 header: version is 4, and only 2 and 3 are supported'
wrong 20 '\x00\x00\x00\x08' 6 'qcow2 header: cluster_bits is 8, not 9 to 21'
wrong 20 '\x00\x00\x00\x16' 6 'qcow2 header: cluster_bits is 22, not 9 to 21'
wrong 36 '\x00\x40\x00\x01' 6 'qcow2 header: l1_size is 4194305, not up to 4194304'
wrong 100 '\x00\x00\x00\x67' 6 'qcow2 header: header_length is 103, not 104 to 65536'
wrong 100 '\x00\x01\x00\x01' 6 'qcow2 header: header_length is 65537, not 104 to 65536'
wrong 8 '\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x04\x00' 6 'qcow2 header: the name of the backing file has 1024 bytes, not 1 to 1023'
wrong 8 '\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00' 6 'qcow2 header: the name of the backing file has 0 bytes, not 1 to 1023'
wrong 8 '\xff\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x09' 6 'qcow2: 9 bytes at 0xff00000000000200 are outside the file'
wrong 112 '\x12\x34\x56\x78\x00\x01\x00\x01' 6 'qcow2 header: extension 0x12345678 has 65537 bytes, a cluster 65536'
for len in 4 71 72 103 104 119; do
	head -c $len disk.qcow2 > cut.qcow2
	btrfs-crypt list cut.qcow2 > out 2> err
	[ $? = 6 ] && grep -q 'cut.qcow2: qcow2: [0-9]* bytes at 0x[0-9a-f]* are outside the file$' err || bad "cut after $len bytes: $(cat err)"
done

# --- the program that serves it
{ PATH=${BTRFS_CRYPT%/*} btrfs-crypt list disk.qcow2; echo $?; } > out 2>&1
cmp -s out - <<'END' || { bad "without qemu-nbd"; cat out; }
btrfs-crypt list: disk.qcow2: to read it takes the program qemu-nbd, which is not installed
btrfs-crypt list: hint: install it: Debian has it in the package qemu-utils
9
END
mkdir bin
cat > bin/qemu-nbd <<END
#!/bin/bash
tr '\0' '\n' < /proc/\$\$/environ | sort > "$own/environment"
ls -l /proc/\$\$/fd > "$own/links"	# not in a pipe, whose ends the shell has for a moment
ps -o sid= -p \$\$ > "$own/session"
echo "\$\$ \$*" > "$own/started"
exec $(command -v qemu-nbd) "\$@"
END
chmod +x bin/qemu-nbd
PATH=$own/bin:$PATH SECRET=do-not-tell btrfs-crypt list disk.qcow2 9< key > out 2>&1 < key
cmp -s out list || bad "by the program that is found first"
read -r pid options < started
[ "$(cut -d = -f 1 environment | tr '\n' ' ')" = "LC_ALL LISTEN_FDS LISTEN_PID PATH " ] || { bad "its environment"; cat environment; }
grep -qx "LISTEN_PID=$pid" environment || bad "LISTEN_PID is another"
sed -nE 's,.* ([0-9]+) -> ,\1 ,p' links | grep -v '^255 ' > descriptors
[ "$(sed -E 's,:\[[0-9]+\],,' descriptors)" = "0 /dev/null
1 /dev/null
2 pipe
3 socket" ] || { bad "its descriptors"; cat descriptors; }
[ "$options" = "--format=qcow2 --discard=ignore --detect-zeroes=off --read-only -- $(realpath disk.qcow2)" ] || bad "its options: $options"
[ "$(cat session)" -eq "$pid" ] || bad "it is in our session"
# ended WHEN [TRIES]: it is gone, or only waits to be asked for its exit status
ended() {
	local try
	for ((try = 1; ; try++)); do
		[[ $(ps -o stat= -p "$pid") = [!Z]* ]] || return 0
		[ $try -lt "${2:-1}" ] || break
		sleep 0.1
	done
	bad "$1: qemu-nbd is still there"
}
ended "after a command"
# Killed while it is read: nobody is left to tell the server to end.
PATH=$own/bin:$PATH with_signal KILL prints:account cat disk.qcow2 vault ledger.txt > out 2> err
[ $? = 137 ] || bad "it was not killed"
read -r pid options < started
ended "after kill -9" 100
# Killed before there is a connection whose end would tell it
printf '#!/bin/bash\necho $$ > "%s/slow"\nexec sleep 300\n' "$own" > bin/qemu-nbd
PATH=$own/bin:$PATH btrfs-crypt list disk.qcow2 > out 2>&1 &
for try in {1..100}; do [ -s slow ] && break; sleep 0.1; done
kill -KILL $!
wait $! 2> /dev/null
read -r pid < slow
ended "killed early" 100
# It fails before it serves anything.
printf '#!/bin/sh\necho "qemu-nbd: out of order" >&2\nexit 1\n' > bin/qemu-nbd
PATH=$own/bin:$PATH btrfs-crypt list disk.qcow2 > out 2> err
[ $? = 6 ] && grep -qx 'btrfs-crypt list: disk.qcow2: qemu-nbd cannot open it: out of order' err || bad "it fails: $(cat err)"

# --- servers
# served OPTION... -- WORD...: btrfs-crypt WORD..., in which URL is that of a server of this kind
served() {
	local server=()
	while [ "$1" != -- ]; do server+=("$1"); shift; done
	shift
	nbdkit -U - "${server[@]}" --run "btrfs-crypt ${*//URL/\'nbd+unix:///?socket=\'\$unixsocket}" > out 2> err
}
served file disk.img -- list URL && cmp -s out list || { bad "a server"; cat err; }
served --filter=blocksize-policy file disk.img blocksize-minimum=65536 blocksize-preferred=65536 blocksize-error-policy=error -- cat URL vault ledger.txt &&
	cmp -s out ledger || { bad "large blocks"; cat err; }
served --filter=noextents file disk.img -- list URL && cmp -s out list || { bad "no extents"; cat err; }
served --no-sr file disk.img -- list URL && cmp -s out list || { bad "no structured replies"; cat err; }
served --filter=partition file gpt.img partition=1 -- list URL && cmp -s out list || { bad "a partition at the server"; cat err; }
served file disk.img -- export URL vault --archive tar -o /dev/null --manifest served-manifest
grep -q "^# image $(sha256sum < disk.img | cut -c -64)  nbd+unix:" served-manifest || { bad "manifest of a server"; cat err; }
served file gpt.img -- list URL && cmp -s out list || { bad "a disk at the server"; cat err; }
served --filter=error file disk.img error-pread=EIO error-pread-rate=100% -- list URL
[ $? = 11 ] && grep -qE 'list: nbd\+unix:///\?socket=.*: cannot read [0-9]+ bytes at [0-9a-fx]+: Input/output error$' err || { bad "errors"; cat err; }
served eval get_size='echo 9223372036854775807' pread='dd if=/dev/zero bs=$3 count=1 status=none' -- list URL
[ $? = 4 ] && grep -q 'not a btrfs filesystem$' err || { bad "a huge disk"; cat err; }
served eval get_size='echo 0' pread='exit 1' -- list URL
[ $? = 4 ] || { bad "an empty disk"; cat err; }
expect 11 list nbd+unix:///?socket=missing <<'END'
! btrfs-crypt list: nbd+unix:///?socket=missing: cannot connect: nbd_connect_uri: connect: No such file or directory
END
python3 - <<'END' &
import socket
s = socket.socket(socket.AF_UNIX)
s.bind("garbage.part")
s.listen(1)
import os
os.rename("garbage.part", "garbage")
c, _ = s.accept()
c.sendall(b"NBDMAGIC" + bytes(range(256)) * 64)
c.close()
END
for try in {1..100}; do [ -S garbage ] && break; sleep 0.1; done
btrfs-crypt list nbd+unix:///?socket=garbage > out 2> err
[ $? = 11 ] && grep -q 'cannot connect: ' err || { bad "a server that talks nonsense"; cat err; }
wait
finish
