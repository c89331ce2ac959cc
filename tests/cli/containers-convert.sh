#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Images in qcow2 files and from NBD servers are sealed, have their keys changed, and are unsealed as files are. What the container keeps is refused or named;
# what cannot be written safely is refused before anything changes. The server, or we, may be killed at any time.
. "$(dirname "$0")/../expect.sh"
PATH=$PATH:/usr/sbin:/sbin
command -v qemu-nbd nbdkit qemu-img qemu-io strace btrfs > /dev/null || { echo "needs qemu-nbd, nbdkit, qemu-img, qemu-io, strace and btrfs"; exit 77; }
bundled_image
printf secret > key
printf other > other-key
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
how="-q --key-file key $cheap"
btrfs-crypt export disk.img vault --archive tar -o - 2> /dev/null > files.tar
[ "$(tar -tf files.tar 2> /dev/null | wc -l)" -gt 30 ] || bad "there is nothing to compare"

# whole FILE: the filesystem in a qcow2 is in order
whole() {
	qemu-img check -q "$1" || bad "qemu-img check $1"
	qemu-img convert -O raw "$1" raw
	btrfs check --check-data-csum raw > log 2>&1 || { bad "btrfs check of $1"; tail -n 5 log; }
}
# as_before IMAGE: the subvolume is plain, and has what it had
as_before() { btrfs-crypt export "$1" vault --archive tar -o - 2> /dev/null | cmp -s - files.tar || bad "$1: the files are not what they were"; }
# refused STATUS TEXT WORD...: nothing is changed
refused() {
	local status=$1 text=$2
	shift 2
	btrfs-crypt "$@" > out 2> err < /dev/null
	[ $? = "$status" ] && grep -qE "$text" err || { bad "$*: not $status, $text"; cat err; }
}

# unlocked IMAGE: a server that has lost us, or was killed, has ended by itself, and has it locked no more
unlocked() {
	local try
	for ((try = 0; try < 600; try++)); do qemu-img info "$1" > log 2>&1 && return; sleep 0.1; done
	bad "$1 stays locked"
	cat log
}

# --- internal snapshots: seal, change keys, unseal
qemu-img convert -f raw -O qcow2 disk.img vm.qcow2
qemu-img snapshot -c before vm.qcow2
qemu-img snapshot -c again vm.qcow2
unchanged vm.qcow2
kept='vm.qcow2: 2 internal snapshots would keep the old data, plain text or keys$'
refused 9 "$kept" convert --encrypt $how vm.qcow2 vault
refused 9 "$kept" convert --encrypt --dry-run $how vm.qcow2 vault
unchanged vm.qcow2
btrfs-crypt convert --encrypt --dry-run --allow-old-copies $how vm.qcow2 vault > out 2> err
[ $? = 0 ] && grep -qxF "the virtual disk will keep older copies of what is overwritten: 2 internal snapshots" out || { bad "plan"; cat out err; }
unchanged vm.qcow2
btrfs-crypt convert --encrypt --allow-old-copies $how vm.qcow2 vault --read-back > out 2> err
[ $? = 0 ] && grep -qxF "the virtual disk keeps older copies of what was overwritten: 2 internal snapshots" out || { bad "sealing"; cat out err; }
whole vm.qcow2
quiet btrfs-crypt verify --key-file key vm.qcow2 vault
grep -q "the combination is" raw && bad "plain text on the disk"
rm -f vm.qcow2.sum
unchanged vm.qcow2
refused 9 "$kept" key add -q --key-file key --new-key-file other-key $cheap vm.qcow2 vault
refused 1 'key list has no --allow-old-copies$' key list --allow-old-copies vm.qcow2 vault
unchanged vm.qcow2
quiet btrfs-crypt key add -q --allow-old-copies --key-file key --new-key-file other-key $cheap vm.qcow2 vault
quiet btrfs-crypt key remove -q --allow-old-copies --key-file other-key --key-slot 0 vm.qcow2 vault
quiet btrfs-crypt key backup vm.qcow2 vault header --key-file other-key
btrfs-crypt key list vm.qcow2 vault > out 2>&1 || { bad "key list"; cat out; }
refused 2 . verify-key --key-file key vm.qcow2 vault
# Unsealing leaves nothing that must not be read.
btrfs-crypt convert --decrypt -q --key-file other-key vm.qcow2 vault --format json > out 2> err
[ $? = 0 ] && ! grep -q old_copies out || { bad "unsealing"; cat out err; }
whole vm.qcow2
as_before vm.qcow2
qemu-img convert -l before -O raw vm.qcow2 raw
cmp -s raw disk.img || bad "the snapshot was changed"
btrfs-crypt convert --encrypt --allow-old-copies $how vm.qcow2 vault --format json 2> err | grep -q '"old_copies":"2 internal snapshots"' || { bad "JSON"; cat err; }

# --- what else keeps old data, and what is not converted
qemu-img convert -f raw -c -O qcow2 disk.img packed.qcow2
qemu-img create -q -f qcow2 -b disk.img -F raw backed.qcow2
unchanged disk.img
refused 9 'packed.qcow2: compressed clusters would keep' convert --encrypt $how packed.qcow2 vault
refused 9 'backed.qcow2: what it does not have itself is in the backing file disk.img$' convert --encrypt --allow-old-copies $how backed.qcow2 vault
refused 9 'backed.qcow2: the backing file would keep' convert --encrypt --allow-backing $how backed.qcow2 vault
quiet btrfs-crypt convert --encrypt --allow-backing --allow-old-copies $how backed.qcow2 vault
quiet btrfs-crypt verify --allow-backing --key-file key backed.qcow2 vault
unchanged disk.img
python3 - <<'END'
import struct
f = open("packed.qcow2", "rb").read()
l1, = struct.unpack_from(">Q", f, 40)
n, = struct.unpack_from(">I", f, 36)
l2 = next(e for e in struct.unpack_from(">%dQ" % n, f, l1) if e)
wide = bytearray(f[:l1]) + struct.pack(">%dQ" % 4096, *[l2 & ~(1 << 63)] * 4096)
struct.pack_into(">I", wide, 36, 4096)
open("many.qcow2", "wb").write(wide.ljust(((l2 & 0xfffffffffe00) + 65536), b"\0"))
END
refused 6 'many.qcow2: qcow2: the L1 table names more L2 tables than the file has clusters$' convert --encrypt $how many.qcow2 vault
qemu-img convert -f raw -O vmdk disk.img disk.vmdk
unchanged disk.vmdk
btrfs-crypt convert --encrypt $how disk.vmdk vault > out 2>&1
[ $? = 9 ] && cmp -s out - <<'END' || { bad "VMDK"; cat out; }
btrfs-crypt convert: disk.vmdk: a sparse VMDK disk image is only read, not converted
btrfs-crypt convert: hint: `qemu-img convert -O qcow2 disk.vmdk NEW.qcow2` makes an image that can be converted
END
unchanged disk.vmdk

# --- somebody else has it open
qemu-img convert -f raw -O qcow2 disk.img busy.qcow2
unchanged busy.qcow2
qemu-nbd -t -f qcow2 -k "$own/socket" busy.qcow2 &
user=$!
for try in {1..100}; do [ -S socket ] && break; sleep 0.1; done
refused 5 'busy.qcow2: it is open elsewhere: .*lock' convert --encrypt $how busy.qcow2 vault
grep -q 'hint: stop the virtual machine' err || bad "no hint"
quiet btrfs-crypt list "nbd+unix:///?socket=$own/socket"
kill $user
wait $user
unchanged busy.qcow2

# --- a partition of a virtual disk; the rest of the disk is left alone
{ head -c 1M /dev/urandom; cat disk.img; head -c 1M /dev/urandom; } > parts.img
python3 - <<'END'
import os, struct
n = os.path.getsize("disk.img") // 512
with open("parts.img", "r+b") as f:
    f.seek(446)
    f.write(struct.pack("<B3sB3sII", 0, b"\0\2\0", 0x83, b"\xfe\xff\xff", 2048, n).ljust(64, b"\0") + b"\x55\xaa")
END
qemu-img convert -f raw -O qcow2 parts.img parts.qcow2
unchanged parts.qcow2
quiet btrfs-crypt convert --encrypt --dry-run $how parts.qcow2 vault
unchanged parts.qcow2
outside() {	# outside: what is not in the partition is as it was, and what is in it is in order
	qemu-img convert -O raw parts.qcow2 raw
	cmp -s <(head -c 1M raw) <(head -c 1M parts.img) && cmp -s <(tail -c 1M raw) <(tail -c 1M parts.img) || bad "bytes outside the partition were changed"
	head -c -1M raw | tail -c +$((1048576 + 1)) > part
	btrfs check --check-data-csum part > log 2>&1 || { bad "btrfs check of the partition"; tail -n 5 log; }
}
with_signal KILL 'says:"progress":"data","done":"[1-9]' convert --encrypt $how parts.qcow2 vault --progress=json --progress-frequency 0 > out 2> err
[ $? = 137 ] || { bad "not killed"; cat err; }
unlocked parts.qcow2
btrfs-crypt convert --status --image-offset 1048576 parts.qcow2 > out 2> err
[ $? = 7 ] || { bad "nothing unfinished"; cat out err; }
grep -q -- "--abort .*parts.qcow2 --image-offset=1048576$" out || { bad "how to undo it"; cat out; }
quiet btrfs-crypt convert --abort -q --key-file key --image-offset 1048576 parts.qcow2
outside
quiet btrfs-crypt convert --encrypt $how parts.qcow2 vault
quiet btrfs-crypt verify --key-file key parts.qcow2 vault
outside
# A server that serves one client only
qemu-nbd --format=qcow2 --socket="$own/part.socket" parts.qcow2 &
for try in {1..100}; do [ -S part.socket ] && break; sleep 0.1; done
quiet btrfs-crypt convert --decrypt -q --key-file key "nbd+unix:///?socket=$own/part.socket" vault
wait $!
outside
as_before parts.qcow2

# --- servers
served() {	# served OPTION... -- WORD...: btrfs-crypt WORD..., in which URL is that of a server of this kind
	local server=()
	while [ "$1" != -- ]; do server+=("$1"); shift; done
	shift
	nbdkit -U - "${server[@]}" --run "btrfs-crypt ${*//URL/\'nbd+unix:///?socket=\'\$unixsocket}" > out 2> err
}
served -r file disk.img -- convert --encrypt $how URL vault
[ $? = 9 ] && grep -q 'the server lets it only be read$' err || { bad "read-only"; cat err; }
cat > no-flush <<'END'
case $1 in
get_size) stat -L -c %s "$0.img" ;;
pread) dd if="$0.img" bs=1 skip="$4" count="$3" status=none iflag=skip_bytes,count_bytes bs=65536 ;;
can_write) exit 0 ;;
can_flush) exit 3 ;;
pwrite) echo written > "$0.written"; exit 1 ;;
*) exit 2 ;;
esac
END
chmod +x no-flush
ln -s disk.img no-flush.img
for dry in "" --dry-run; do
	served sh "$own/no-flush" -- convert --encrypt $dry $how URL vault
	[ $? = 9 ] && grep -q 'the server cannot flush' err || { bad "no flush $dry"; cat err; }
done
unchanged disk.img
# Blocks larger than what is written at a time
cp disk.img remote.img
served --filter=blocksize-policy file remote.img blocksize-minimum=65536 blocksize-preferred=65536 blocksize-error-policy=error -- convert --encrypt $how URL vault ||
	{ bad "large blocks"; cat err; }
btrfs check --check-data-csum remote.img > log 2>&1 || bad "btrfs check after large blocks"
quiet btrfs-crypt verify --key-file key remote.img vault
served file remote.img -- convert --decrypt -q --key-file key URL vault || { bad "unsealing at a server"; cat err; }
as_before remote.img

# goes_on IMAGE: whatever a crash left of sealing is finished
goes_on() {
	unlocked "$1"
	btrfs-crypt convert --status "$1" > out 2> err
	case $? in
	0) btrfs-crypt verify --key-file key "$1" vault > log 2>&1 || quiet btrfs-crypt convert --encrypt $how "$1" vault ;;
	7) quiet btrfs-crypt convert --resume -q --key-file key "$1" ;;
	*) bad "--status of $1"; cat err ;;
	esac
	quiet btrfs-crypt verify --key-file key "$1" vault
}

# A server that reports an error, and one that cannot take more
for error in EIO ENOSPC; do
	cp disk.img remote.img
	served --filter=error file remote.img error-pwrite=$error error-pwrite-rate=20% -- convert --encrypt $how URL vault
	[ $? = 11 ] && grep -qE ': cannot write [0-9]+ bytes at 0x[0-9a-f]+: ' err || { bad "$error"; cat err; }
	goes_on remote.img
	btrfs check --check-data-csum remote.img > log 2>&1 || bad "btrfs check after $error"
done

# A flush that fails
cp disk.img remote.img
served eval get_size='stat -c %s remote.img' pread='dd if=remote.img iflag=skip_bytes,count_bytes skip=$4 count=$3 bs=64K status=none' \
	pwrite='dd of=remote.img conv=notrunc oflag=seek_bytes seek=$4 bs=1M iflag=fullblock status=none' can_write='exit 0' can_flush='exit 0' \
	flush='echo EIO >&2; exit 1' -- convert --encrypt $how URL vault
[ $? = 11 ] && grep -q ': cannot flush: Input/output error$' err || { bad "a flush that fails"; cat err; }
goes_on remote.img

# The server is killed with the Nth of its replies.
mkdir bin
cat > bin/qemu-nbd <<END
#!/bin/bash
exec strace -D -qq -o "$own/trace" -e trace=sendmsg -e inject=sendmsg:signal=KILL:when=\$(cat "$own/when") $(command -v qemu-nbd) "\$@"
END
chmod +x bin/qemu-nbd
n_lost=0 n_unfinished=0 n_again=0
for when in 40 200 240 270 290 300 310 320 330 340 350 360; do
	qemu-img convert -f raw -O qcow2 disk.img killed.qcow2
	echo $when > when
	PATH=$own/bin:$PATH btrfs-crypt convert --encrypt $how killed.qcow2 vault > out 2> err
	status=$?
	[ $status = 11 ] || { [ $status = 0 ] && break; bad "killed at $when: status $status"; cat err; }
	grep -qE 'killed.qcow2: cannot (read|write) [0-9]+ bytes at 0x[0-9a-f]+: the connection to the server is lost$|cannot flush: the connection' err || { bad "killed at $when"; cat err; }
	n_lost=$((n_lost + 1))
	unlocked killed.qcow2
	btrfs-crypt convert --status killed.qcow2 > /dev/null 2>&1
	if [ $? = 7 ]; then
		n_unfinished=$((n_unfinished + 1))
		echo $((60 + when / 8)) > when	# and once more while it goes on
		PATH=$own/bin:$PATH btrfs-crypt convert --resume -q --key-file key killed.qcow2 > out 2> err
		status=$?
		[ $status = 11 ] && n_again=$((n_again + 1)) || [ $status = 0 ] || { bad "killed at $when, and again: $status"; cat err; }
	fi
	goes_on killed.qcow2
done
[ $n_lost -ge 8 ] && [ $n_unfinished -ge 4 ] && [ $n_again -ge 2 ] || bad "killed $n_lost times, $n_unfinished of them in the middle, and $n_again when going on"
whole killed.qcow2
# We are killed.
qemu-img convert -f raw -O qcow2 disk.img killed.qcow2
with_signal KILL 'says:"progress":"data","done":"[1-9]' convert --encrypt $how killed.qcow2 vault --progress=json --progress-frequency 0 > out 2> err
[ $? = 137 ] || { bad "not killed"; cat err; }
goes_on killed.qcow2
whole killed.qcow2
quiet btrfs-crypt convert --decrypt -q --key-file key killed.qcow2 vault
as_before killed.qcow2
finish
