#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SIGINT, SIGTERM and SIGHUP stop at a safe point with status 8. What each command then says; resume and abort; no command goes in the wrong
# direction.
. "$(dirname "$0")/../expect.sh"
PATH=$PATH:/usr/sbin:/sbin
export TZ=Asia/Kolkata	# all times that are printed are in UTC
command -v mkfs.btrfs > /dev/null || { echo "needs mkfs.btrfs"; exit 77; }
mkdir tree
for n in 1 2 3; do head -c 48M /dev/urandom > tree/random$n; done	# three batches
echo "a small secret" > tree/small
truncate -s 300M disk.img
quiet mkfs.btrfs --rootdir tree disk.img
printf 'secret' > key
printf 'wrong' > wrong
how="--key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000"
FILTER='s/btrfs:[0-9a-f]{8}/btrfs:TAG/; s/[0-9]+-[0-9]+-[0-9]+ [0-9:]+ UTC/TIME/; s/[0-9]+% of .* of data$/N% of SIZE of data/; s/[0-9]+%/N%/; s/"percent":[0-9]+/"percent":N/; s/"started":[0-9]+/"started":TIME/'

# interrupt SIGNAL WORD...: runs `btrfs-crypt WORD...` and sends SIGNAL when the first data are converted
interrupt() {
	local signal=$1 status
	shift
	with_signal "$signal" 'says:"progress":"data","done":"[1-9]' "$@" --progress=json --progress-frequency 0 > out 2> err
	status=$?
	[ $status = 8 ] || { bad "$* with SIG$signal: status $status"; tail -n 3 err; }
	grep -q '^btrfs-crypt convert: .*' err && [ ! -s out ] || bad "$* with SIG$signal: no text, or a summary"
}

# same: every file of the plain image is what it was
same() {
	local file
	for file in random1 random2 random3 small; do
		btrfs-crypt cat disk.img / $file | cmp -s - tree/$file || bad "$file is not what it was"
	done
}

# looks OPERATION DIRECTION RESUME: what every command says meanwhile; nothing is changed
looks() {
	local doing
	case "$1, $2" in
	"encrypt, to sealed") doing=sealing ;;
	"encrypt, back to plain text") doing="undoing a sealing" ;;
	"decrypt, to plain text") doing=unsealing ;;
	esac
	rm -f disk.img.sum
	unchanged disk.img
	{
		cat <<END
unfinished conversion (not authenticated: no key was given)
operation:  $1
direction:  $2
started:    TIME
done:       N% of SIZE of data
subvolumes:
  5 /
to finish:  btrfs-crypt convert $3 --key-file FILE disk.img
END
		# What is being undone already can only be finished.
		[[ $2 = back* ]] || echo "to undo:    btrfs-crypt convert --abort --key-file FILE disk.img"
	} > text
	transcript 7 btrfs-crypt convert --status disk.img < text
	expect 7 convert --status --format json disk.img <<END
{"record":"status","unfinished":true,"damaged_primary":false,"authenticated":false,"operation":"$1","direction":"$2","started":TIME,"percent":N,"running":false,"next":"$3","members":[{"id":"5","path":"/"}]}
END
	btrfs-crypt convert --status disk.img --key-file key > out
	[ $? -eq 7 ] && grep -q '^unfinished conversion$' out || bad "the state is not authenticated with a key"
	# With the key that was given, a command works as it is printed.
	grep -qxF "to finish:  btrfs-crypt convert $3 --key-file key disk.img" out || { bad "the key is not in the command"; cat out; }
	btrfs-crypt convert --status disk.img --key-file - < key > out
	grep -qxF "to finish:  btrfs-crypt convert $3 --key-file - disk.img" out || { bad "a key from standard input"; cat out; }
	btrfs-crypt convert --status disk.img --passphrase-file - < key > out
	grep -qxF "to finish:  btrfs-crypt convert $3 disk.img" out || { bad "a passphrase from standard input"; cat out; }
	btrfs-crypt convert --status disk.img --key-file wrong > out 2> err
	grep -q '^unfinished conversion$' out && bad "the state is authenticated with a wrong key"
	local command status
	btrfs-crypt cat disk.img / small --key-file key 2> err | cmp -s - tree/small || { bad "cat with the key while unfinished"; cat err; }
	for command in "verify disk.img / --key-file key" "convert --encrypt disk.img / $how" \
		"convert --decrypt disk.img / --key-file key"; do
		btrfs-crypt $command > out 2> err
		status=$?
		[ $status = 7 ] && [ ! -s out ] && grep -q "disk.img: an unfinished conversion is present: $doing, started 20" err || { bad "$command: status $status while unfinished"; cat err; }
		local with=
		[[ $command = verify* ]] || with='--key-file key '
		hints "\`btrfs-crypt convert $3 ${with}disk.img\` finishes it, $([[ $2 = back* ]] || echo "\`btrfs-crypt convert --abort ${with}disk.img\` undoes it, ")\`btrfs-crypt convert --status disk.img\` says more"
	done
	btrfs-crypt cat disk.img / small > out 2> err
	[ $? -eq 7 ] && [ ! -s out ] && grep -q 'is being converted' err || { bad "cat without a key while unfinished"; cat err; }
	for command in "show disk.img /" "ls disk.img /" "dump-super disk.img" "dump-tree --crypt disk.img" \
		"verify-key disk.img / --key-file key"; do
		btrfs-crypt $command > out 2> err || { bad "$command: status $? while unfinished"; cat err; }
		[ -s out ] || bad "$command prints nothing while unfinished"
	done
	# Those that show subvolumes and files say what is under way, in words and for machines.
	local undo=
	[[ $2 = back* ]] || undo=', `btrfs-crypt convert --abort disk.img` undoes it'
	for command in "list disk.img" "show disk.img /" "ls disk.img /" "stat disk.img / small" "df disk.img"; do
		btrfs-crypt $command 2>&1 > out | sed -E "$FILTER" > err
		grep -qxF "btrfs-crypt ${command%% *}: warning: an unfinished conversion is present: $doing, N% done, started TIME; \`btrfs-crypt convert $3 disk.img\` finishes it$undo" err ||
			{ bad "$command: what is unfinished"; cat err; }
		case ${command%% *} in
		list|show|stat) grep -qE "unfinished( conversion)?: $doing, [0-9]+% done" out || { bad "$command does not show the conversion"; cat out; } ;;
		esac
		btrfs-crypt $command --format json 2> err | sed -E "$FILTER" > out
		grep -qF '"conversion":{"operation":"'"$1"'","direction":"'"$2"'","started":TIME,"percent":N,"running":false,"next":"'"$3"'"}' out ||
			{ bad "$command --format json: no conversion"; cat out; }
	done
	for command in "verify-key disk.img /" "convert $3 disk.img" "convert --abort disk.img"; do
		btrfs-crypt $command --key-file wrong > out 2> err
		status=$?
		[ $status = 2 ] || { bad "$command with a wrong key: status $status"; cat err; }
	done
	unchanged disk.img
}

# quoted: whatever the image is called, the commands that are printed lead to it and to nothing else
quoted() {
	local name words
	for name in plain-1_2.img 'two words' "it's" 'a;b' '$(touch hurt)' 'back\slash' $'line\nfeed' $'it\'s\t\xff' '*' '-q' 'grün' '~' '#'; do
		ln -s disk.img "./$name"
		btrfs-crypt convert --status "./$name" > out
		sed -nE 's/^to (finish|undo): +btrfs-crypt convert (--key-file FILE |--[a-z]+ )+//p' out > words
		[ "$(wc -l < words)" = 2 ] || { bad "$name: no two commands"; cat out; }
		while IFS= read -r line; do
			eval "words=($line)"
			[ "${#words[@]}" = 1 ] && [ "${words[0]}" = "./$name" ] || bad "$name is printed as $line"
		done < words
		rm "./$name"
	done
	[ ! -e hurt ] || bad "a name was run as a command"
	ln -s disk.img ./-q
	btrfs-crypt convert --status -- -q > out
	grep -q '^to undo:    btrfs-crypt convert --abort --key-file FILE \./-q$' out || { bad "-q is printed as an option"; cat out; }
	rm ./-q
}

# refuses STATUS WORD...: and nothing is changed
refuses() {
	local want=$1 status
	shift
	btrfs-crypt "$@" > out 2> err
	status=$?
	[ $status = "$want" ] || { bad "$*: status $status, not $want"; cat err; }
	unchanged disk.img
}

# poke COPY AT: changes a byte of one copy of the superblock, which has a valid checksum all the same
poke() {
	python3 - $1 $2 <<'END'
import struct, sys
copy, at = int(sys.argv[1], 0), int(sys.argv[2], 0)
with open("disk.img", "r+b") as file:
    file.seek(copy)
    block = bytearray(file.read(4096))
    block[at] ^= 1
    crc = 0xffffffff
    for byte in block[32:]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    block[:4] = struct.pack("<I", crc ^ 0xffffffff)
    file.seek(copy)
    file.write(block)
END
}

# vouched: with a key, the state is authentic, and a changed copy is warned of
vouched() {
	btrfs-crypt convert --status disk.img --key-file key > out 2> err
	[ $? -eq 7 ] && grep -q '^unfinished conversion$' out && grep -q 'warning: .*copy' err || { bad "$1"; cat out err; }
}

same
# hints TEXT: the last interrupt said how to go on
hints() { grep -qF "hint: $1" err || { bad "no hint '$1'"; tail -n 3 err; }; }

# A plan says how much free data space would keep old contents, as the end does.
btrfs-crypt convert --encrypt --dry-run --format json disk.img / > out
grep -q '"journal_bytes":.*"unwiped_free_bytes":"[1-9]' out || { bad "the plan"; cat out; }

interrupt INT convert --encrypt disk.img / $how
hints '`btrfs-crypt convert --resume --key-file key disk.img` goes on, `btrfs-crypt convert --abort --key-file key disk.img` undoes it'
looks encrypt "to sealed" "--resume"
quoted
# One that is locked is running: then nobody is told how to go on.
flock disk.img btrfs-crypt convert --status disk.img > out 2> err
[ $? -eq 7 ] && [ ! -s err ] && grep -qE '^running now, by process [0-9]+$' out && ! grep -qE 'resume|^to ' out ||
	{ bad "status of a conversion under way"; cat out err; }
flock disk.img btrfs-crypt convert --status --format json disk.img > out 2> err
[ $? -eq 7 ] && [ ! -s err ] && grep -qE '"running":true,"process":[0-9]+}$' out && ! grep -q '"next"' out ||
	{ bad "status of a conversion under way, for machines"; cat out err; }
flock disk.img btrfs-crypt list disk.img > out 2> err
grep -qE 'an unfinished conversion is present: .*; running now, by process [0-9]+$' err || { bad "list while it runs"; cat err; }
flock disk.img btrfs-crypt list --format json disk.img > out 2> err
grep -qE '"conversion":\{.*"running":true,"process":[0-9]+\}' out || { bad "list while it runs, for machines"; cat out; }
flock disk.img btrfs-crypt verify disk.img / --key-file key > out 2> err
[ $? -eq 7 ] && grep -qE '^btrfs-crypt verify: hint: it is running now, by process [0-9]+$' err || { bad "verify while it runs"; cat err; }
# What cannot be written: an error that says how to go on, and no signal that kills.
(ulimit -f 1000; btrfs-crypt convert --resume disk.img --key-file key > out 2> err)
status=$?
[ $status = 11 ] && grep -q 'cannot write .*File too large' err || { bad "a limit: status $status"; cat err; }
hints 'the conversion is unfinished: `btrfs-crypt convert --resume --key-file key disk.img` tries to go on, `btrfs-crypt convert --abort --key-file key disk.img` undoes it'
# Nobody reads what it reports: it goes on.
btrfs-crypt convert --resume disk.img --key-file key --progress=json --progress-frequency 0 2>&1 > out | head -n 1 > err
[ "${PIPESTATUS[0]}" = 0 ] || bad "progress to a closed pipe stops the conversion"
quiet btrfs-crypt convert --decrypt disk.img / --key-file key
interrupt INT convert --encrypt disk.img / $how
rm -f disk.img.sum
unchanged disk.img
refuses 9 convert --decrypt --resume disk.img --key-file key
btrfs-crypt convert --abort disk.img --key-file key > out 2> err || { bad "undoing: status $?"; cat err; }
grep -q '^sealing undone: 1 subvolume, ' out && grep -qE '^sealing undone: 1 subvolume, [0-9]+% of which had been sealed: about [0-9.]+[A-Z]i?B?.* of [0-9.]+MiB .[0-9]+ bytes. of data$' out && ! grep -q unsealed out || { bad "what undoing says"; cat out; }
expect 0 convert --status disk.img <<< "no unfinished conversion"
same

interrupt TERM convert --encrypt disk.img / $how
interrupt HUP convert --resume disk.img --key-file key
interrupt INT convert --abort disk.img --key-file key
hints '`btrfs-crypt convert --abort --key-file key disk.img` goes on'
looks encrypt "back to plain text" "--abort"
# It can only be finished, and as everybody says.
for way in --resume "--encrypt --resume" "--decrypt --resume"; do
	refuses 9 convert $way disk.img --key-file key
	grep -q 'is an abort of a sealing: it can only be finished' err || { bad "$way of an abort"; cat err; }
	hints '`btrfs-crypt convert --abort --key-file key disk.img` finishes it'
done
btrfs-crypt convert --abort --format json disk.img --key-file key > out 2> err || { bad "undoing: status $?"; cat err; }
grep -q '"result":"sealing undone"' out && grep -q '"undone_rest":true' out && ! grep -q undone_percent out || { bad "what undoing says, gone on with"; cat out; }
same

quiet btrfs-crypt convert --encrypt disk.img / $how
interrupt TERM convert --decrypt disk.img / --key-file key
looks decrypt "to plain text" "--decrypt --resume"
refuses 9 convert --resume disk.img --key-file key
grep -qE ', begun 20[-0-9]+ [0-9:]{8} UTC, ends in plain text' err || { bad "no time in UTC"; cat err; }
hints '`btrfs-crypt convert --decrypt --resume --key-file key disk.img` confirms it'
# The tail of one copy says something else, or claims to be newer: the other one counts.  Of both: nobody does.
primary=0x10000 mirror=0x4000000 digest=0xedb sequence=0xe3c
for copy in $primary $mirror; do
	for at in $digest $sequence; do
		poke $copy $at
		vouched "a changed copy of the state keeps the other one from being used"
		poke $copy $at
	done
done
poke $primary $digest
poke $mirror $digest
rm -f disk.img.sum
unchanged disk.img
refuses 12 convert --decrypt --resume disk.img --key-file key
poke $mirror $digest
quiet btrfs-crypt convert --abort disk.img --key-file key
quiet btrfs-crypt verify disk.img / --key-file key
quiet btrfs-crypt convert --decrypt disk.img / --key-file key
same
quiet btrfs check --force --check-data-csum disk.img
finish
