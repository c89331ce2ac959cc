#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A change of key slots that is killed before any of its flushes: either nothing was changed, or it is unfinished, and then the old key and the new
# one finish or undo it, and no other.
. "$(dirname "$0")/../expect.sh"
command -v strace > /dev/null || { echo "needs strace"; exit 77; }
bundled_image base.img
for name in old new other wrong; do printf 'secret %s' $name > $name; done
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
FILTER='s/[0-9]+-[0-9]+-[0-9]+ [0-9:]+ UTC/TIME/; s/"started":[0-9]+/"started":TIME/; s/"percent":[0-9]+/"percent":N/; /^! .*only copy . of the superblock, not copy ., says that a conversion is unfinished/d'
quiet btrfs-crypt convert --encrypt base.img vault --key-file old $cheap
seal=$(grep '^seal fingerprint: ' log)
quiet btrfs-crypt key add base.img vault --key-file old --new-key-file other $cheap
quiet btrfs-crypt key backup base.img vault backup

# killed N WORD...: `btrfs-crypt WORD...`, killed at its flush N; false: it has none
killed() {
	local n=$1 status
	shift
	{ strace -f -qq -o trace -e trace=fdatasync,fsync -e inject=fdatasync,fsync:signal=KILL:when="$n" btrfs-crypt "$@" > out 2> err < /dev/null; } 2> log
	status=$?
	[ $status = 0 ] && return 1
	[ $status = 137 ] || { bad "$*: killed at flush $n: status $status"; cat err; }
}

# has KEY NO-KEY: slot 0 is opened by the one and not by the other; slot 1, seal and files are as ever
has() {
	btrfs-crypt verify-key disk.img vault -S 0 --key-file "$1" > out 2>&1 || { bad "$1 does not open slot 0 ($where)"; cat out; }
	btrfs-crypt verify-key disk.img vault --key-file "$2" > out 2>&1 && bad "$2 opens it too ($where)"
	btrfs-crypt verify disk.img vault --key-file other > out 2>&1 && grep -qxF "$seal" out || { bad "verify ($where)"; cat out; }
}

# looks DOING DIRECTION UNDO: what commands say meanwhile, and change nothing
looks() {
	local command status
	{
		printf '%s\n' "unfinished conversion (not authenticated: no key was given)" "operation:  change-keys" "direction:  $2" "started:    TIME"
		echo "subvolumes:"
		echo "  257 vault"
		echo "to finish:  btrfs-crypt convert $4 --key-file FILE disk.img"
		[ -z "$3" ] || echo "to undo:    btrfs-crypt convert --abort --key-file FILE disk.img"
	} > text
	transcript 7 btrfs-crypt convert --status disk.img < text
	expect 7 convert --status --format json disk.img <<END
{"record":"status","unfinished":true,"damaged_primary":false,"authenticated":false,"operation":"change-keys","direction":"$2","started":TIME,"percent":N,"running":false,"next":"$4","members":[{"id":"257","path":"vault"}]}
END
	for command in "key add disk.img vault --key-file old --new-key-file wrong" "key remove disk.img vault --key-file other" \
		"key recovery disk.img vault --key-file other --batch-mode" "key backup disk.img vault another" \
		"key restore disk.img vault backup --key-file other" "convert --encrypt disk.img public --key-file old $cheap" \
		"convert --decrypt disk.img vault --key-file old" "verify disk.img vault --key-file other"; do
		btrfs-crypt $command > out 2> err
		status=$?
		[ $status = 7 ] && grep -q "disk.img: an unfinished conversion is present: $1, started 20" err || { bad "$command: status $status ($where)"; cat err; }
	done
	for command in "convert $4 disk.img" "verify-key disk.img vault"; do
		btrfs-crypt $command --key-file wrong > out 2> err
		status=$?
		[ $status = 2 ] || { bad "$command with a wrong key: status $status ($where)"; cat err; }
	done
	for command in "show disk.img vault" "ls disk.img vault" "list disk.img"; do
		btrfs-crypt $command > out 2> err || { bad "$command: status $? ($where)"; cat err; }
		grep -q "an unfinished conversion is present: $1" err || { bad "$command does not say what is unfinished ($where)"; cat err; }
	done
	btrfs-crypt cat disk.img vault secret.txt --key-file other > out 2> err
	[ $? = 7 ] && [ ! -s out ] && grep -q 'subvolume vault (id 257): its key slots are being changed' err || { bad "cat ($where)"; cat err; }
}

# With both, the list says why there are two of a number.
twice() {
	[ "$(btrfs-crypt key list disk.img vault 2> err | grep -c '^  0: ')" = 2 ] || bad "key list has not the old and the new slot ($where)"
	grep -q 'note: the key slots as they were and as they will be are shown: their change is unfinished' err || { bad "key list ($where)"; cat err; }
}

n=0 unfinished=0 before= cleaning= gone=
while :; do
	n=$((n + 1))
	where="killed at flush $n"
	cp --sparse=always base.img disk.img
	killed $n key change disk.img vault --key-file old --new-key-file new $cheap || break
	btrfs-crypt convert --status disk.img > status 2> err
	case $? in
	0)	# All or nothing, even without any more help.
		if [ $unfinished = 0 ]; then has old new; else has new old; fi
		continue ;;
	7) ;;
	*) bad "convert --status ($where)"; cat err; continue ;;
	esac
	unfinished=$((unfinished + 1))
	rm -f disk.img.sum
	unchanged disk.img
	if grep -q '^to undo: ' status; then
		[ -n "$before" ] || { looks "changing key slots" "to the new key slots" undo --resume; twice; }
		before+="$n "
		unchanged disk.img
		case $((n % 4)) in
		0) quiet btrfs-crypt convert --abort disk.img --key-file old; has old new ;;
		1) quiet btrfs-crypt convert --abort disk.img --key-file new; has old new ;;
		2) quiet btrfs-crypt convert --resume disk.img --key-file old; has new old ;;
		3) expect 0 convert --resume disk.img --key-file new <<< "key slots changed"; has new old ;;
		esac
	else
		[ -n "$cleaning" ] || looks "changing key slots" "to the new key slots" "" --resume
		cleaning+="$n "
		btrfs-crypt convert --abort disk.img --key-file new > out 2> err
		[ $? = 9 ] && grep -q 'only the cleanup is left' err || { bad "undoing what is done ($where)"; cat err; }
		unchanged disk.img
		# Last of all the copies of the slots are wiped and then the superblocks: meanwhile the old key is gone already.
		status=2
		if [ $((n % 2)) = 1 ]; then
			btrfs-crypt convert --resume disk.img --key-file old > out 2> err
			status=$?
			[ $status = 0 ] && [ -z "$gone" ] || { [ $status = 2 ] && gone+="$n "; } || { bad "the old key: status $status ($where)"; cat err; }
		fi
		if [ $status = 2 ]; then
			btrfs-crypt convert --resume disk.img --key-file wrong > out 2> err
			[ $? = 2 ] || { bad "a wrong key ($where)"; cat err; }
			unchanged disk.img
			quiet btrfs-crypt convert --resume disk.img --key-file new
		fi
		has new old
	fi
	expect 0 convert --status disk.img <<< "no unfinished conversion"
done
[ "$(wc -w <<< "$before")" -ge 3 ] && [ "$(wc -w <<< "$cleaning")" -ge 3 ] && [ "$(wc -w <<< "$gone")" = 1 ] || bad "too few stages: before '$before', cleaning '$cleaning', without the old key '$gone'"
has new old
echo "killed at $((n - 1)) flushes; to be undone: $before; to be cleaned up: $cleaning; of these, tried with the old key when it was gone: $gone"
# --- a device that fails -------------------------------------------------------------------------------------------------
# Each write of the superblock that a kernel reads, which is copy 0: whatever it left behind is said.
cp --sparse=always base.img disk.img
strace -f -qq -o trace -e trace=pwrite64 btrfs-crypt key add disk.img vault --key-file old --new-key-file new $cheap > out 2> err < /dev/null
writes=$(grep pwrite64 trace | grep -n ', 65536) ' | cut -d : -f 1)
[ "$(wc -w <<< "$writes")" -ge 3 ] || bad "copy 0 was written at writes $writes"
for n in $writes; do
	cp --sparse=always base.img disk.img
	strace -f -qq -o trace -e trace=pwrite64 -e inject=pwrite64:error=EIO:when="$n" btrfs-crypt key add disk.img vault --key-file old --new-key-file new $cheap \
		> out 2> err < /dev/null
	[ $? -eq 11 ] && grep -q 'disk.img: cannot write 4096 bytes at 0x10000: Input/output error' err || { bad "write $n fails"; cat err; }
	btrfs-crypt convert --status disk.img > out 2>&1
	[ $? -eq 7 ] && grep -q 'hint: the conversion is unfinished: `btrfs-crypt convert --resume disk.img` tries to go on' err || { bad "write $n fails: what is said"; cat out err; }
done
# The last flush: all is done then, and that is said.
cp --sparse=always base.img disk.img
strace -f -qq -o trace -e trace=fdatasync btrfs-crypt key add disk.img vault --key-file old --new-key-file new $cheap > out 2> err < /dev/null
n=$(grep -c fdatasync trace)
cp --sparse=always base.img disk.img
strace -f -qq -o trace -e trace=fdatasync -e inject=fdatasync:error=EIO:when="$n" btrfs-crypt key add disk.img vault --key-file old --new-key-file new $cheap \
	> out 2> err < /dev/null
[ $? -eq 11 ] && [ "$(sed -n '$p' err)" = "btrfs-crypt key: hint: all of it was done, and durably, before this: only that nothing is unfinished may not be on the device" ] ||
	{ bad "flush $n, the last, fails"; cat err; }
btrfs-crypt verify-key disk.img vault --key-file new > out 2>&1 || { bad "the new key after the last flush failed"; cat out; }
# A restore says as well what it left behind.
quiet btrfs-crypt key remove base.img vault --key-file old
restore="key restore disk.img vault backup --key-file old --batch-mode"
cp --sparse=always base.img disk.img
# shellcheck disable=SC2086
strace -f -qq -o trace -e trace=pwrite64 btrfs-crypt $restore > out 2> err < /dev/null
n=$(grep pwrite64 trace | grep -n ', 65536) ' | sed -n '1s/:.*//p')
cp --sparse=always base.img disk.img
# shellcheck disable=SC2086
strace -f -qq -o trace -e trace=pwrite64 -e inject=pwrite64:error=EIO:when="$n" btrfs-crypt $restore > out 2> err < /dev/null
[ $? -eq 11 ] && grep -q 'hint: the conversion is unfinished: .*, `btrfs-crypt convert --abort disk.img` undoes it' err || { bad "a restore whose write $n fails"; cat err; }
finish
