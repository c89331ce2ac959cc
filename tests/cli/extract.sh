#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What cat and export promise: parts of files, a summary however they end, a report that is whole or not there, statuses.  Needs no root.
. "$(dirname "$0")/../expect.sh"
bundled_image
zstd -dqf "$TOP/images/good-sealed.img.zst" -o sealed.img
key=$TOP/images/good-sealed.passphrase
clean="! read from another mirror: 0; skipped: 0 sealed, 0 refused; failed: 0, damaged: 0, incomplete: 0 files (0 bytes lost)"
unchanged disk.img
unchanged sealed.img

# --- parts: over every edge of holes, preallocated, compressed and shared extents, and of the file ------------------------------------
for file in hole prealloc-part ledger.zstd bookend size-4097; do
	btrfs-crypt cat --quiet disk.img vault "$file" > whole 2> err || bad "$file: status $?"
	for range in 0:1 4095:2 4096:4096 3000:200000 80000:883 86277:1 5000000000:7; do
		first=${range%:*} length=${range#*:}
		btrfs-crypt cat --quiet --offset "$first" --length "$length" disk.img vault "$file" > part 2> err || bad "$file $range: status $?"
		tail -c +$((first + 1)) whole | head -c "$length" | cmp -s - part || bad "$file: other bytes in $range"
		[ ! -s err ] || bad "$file $range: $(cat err)"
	done
	btrfs-crypt cat --quiet --offset 77 sealed.img vault "$file" --passphrase-file "$key" 2> err | cmp -s - <(tail -c +78 whole) || bad "$file: sealed, from 77: $(cat err)"
done
expect 1 cat disk.img vault hole --length 0 <<'END'
! btrfs-crypt cat: --length: "0" is not a number from 1 to 9223372036854775807
! btrfs-crypt cat: hint: see btrfs-crypt cat --help
END

# --- the summary, in text and JSON, on stderr and in the report -----------------------------------------------------------------------
expect 0 cat --offset 19 --length 100 --report text.report disk.img vault secret.txt <<END
17-4-36
END
expect 0 cat --format json disk.img vault empty --report json.report <<'END'
! {"summary":{"files":"1","further_names":"0","directories":"0","symlinks":"0","special":"0","bytes":"0","other_mirror":"0","sealed":"0","ciphertext":"0","nested":"0","refused":"0","being_converted":"0","incomplete":"0","lost_bytes":"0","doubtful":"0","doubtful_bytes":"0","not_authenticated":"0","damaged":"0","failed":"0","not_kept":{}},"status":0}
END
tail -n 1 json.report | cmp -s - err || { bad "the report's summary is another one"; cat json.report err; }
expect 9 cat disk.img vault empty --report json.report <<'END'
! btrfs-crypt cat: json.report exists and is not overwritten
! btrfs-crypt cat: hint: give another name, or move it away first
END
expect 1 export disk.img vault -o - --report - <<'END'
! btrfs-crypt export: --report: needs the name of a file; standard output is for the data
! btrfs-crypt export: hint: see btrfs-crypt export --help
END

# --- sealed, and no key: nothing, or as ciphertext -------------------------------------------------------------------------------------
expect 2 cat sealed.img vault secret.txt --report sealed.report <<'END'
! btrfs-crypt cat: secret.txt: sealed or not authenticated, and no key was given
! btrfs-crypt cat: hint: give the key, or --ciphertext for what is on the disk
END
grep -q '^{"finding":"sealed","path":"secret.txt","subvolume":"257","inode":"257"}$' sealed.report && grep -q '"status":2,"error":"wrong-key","text":"secret.txt: sealed or not authenticated, and no key' sealed.report ||
	{ bad "the report of a sealed file"; cat sealed.report; }
btrfs-crypt cat --ciphertext sealed.img vault size-30001 > raw 2> err || bad "--ciphertext: status $?"
grep -q 'note: size-30001: sealed or not authenticated, printed as it is on the disk' err || bad "ciphertext is not called that"
[ "$(stat -c %s raw)" = 30001 ] && ! cmp -s raw <(btrfs-crypt cat --quiet disk.img vault size-30001) || bad "that is no ciphertext"
quiet btrfs-crypt export --ciphertext sealed.img vault:size-30001 -o raw.tar
btrfs-crypt export --ciphertext sealed.img vault public -o raw.cpio --manifest raw.sums 2> err	# a link cannot be ciphertext
[ $? = 2 ] || bad "export --ciphertext of all: $(cat err)"
for name in size-30001 secret.txt directory/hard-link; do	# one of them under its second name
	grep -qx "# ciphertext, or not authenticated, as it is on the disk: vault/$name" raw.sums || bad "$name is not marked in the manifest"
done
[ "$(grep -ac '^# ciphertext' raw.sums)" = "$(grep -ac '^[^#].* vault/' raw.sums)" ] && ! grep -aq '^# .*: public/' raw.sums || { bad "the marks of the manifest"; cat raw.sums; }
btrfs-crypt export --ciphertext sealed.img vault:link-long -o link.tar 2> err
[ $? = 2 ] && grep -qx 'btrfs-crypt export: hint: give the key' err || { bad "the hint is --ciphertext, which was given"; cat err; }
tar -xOf raw.tar 2> log | cmp -s - raw || bad "export --ciphertext and cat --ciphertext differ"
expect 2 cat --quiet sealed.img vault secret.txt --key-file disk.img.sum --report wrong.report <<'END'
! btrfs-crypt cat: wrong key or passphrase
END

# ends STATUS NAME TEXT COMMAND...: nothing could be read; the report and, in JSON, standard error say how it ended, and nothing is counted in text
nothing='^{"summary":{"files":"0",.*},"status"'
ends() {
	local want=$1 name=$2 text=$3 status
	shift 3
	rm -f ended.report made.tar
	"$@" --report ended.report > out 2> err < /dev/null
	status=$?
	[ $status = "$want" ] && grep -qE "$nothing:$want,\"error\":\"$name\",\"text\":\"$text" ended.report || { bad "$*: status $status and report"; cat ended.report err; }
	[ "$want" = 4 ] || ! grep -qE '^(printed|exported)' err || { bad "$*: counts"; cat err; }
	rm ended.report
	"$@" --report ended.report --format json > out 2> err < /dev/null
	tail -n 1 ended.report | cmp -s - <(grep '^{"summary":' err) || { bad "$*: JSON has no summary, or another"; cat err; }
	tail -n 1 err | grep -q "^{\"error\":\"$name\",\"status\":$want," || { bad "$*: JSON has no error"; cat err; }
}
for command in "cat sealed.img vault secret.txt" "export sealed.img vault -o made.tar"; do
	ends 2 wrong-key '.*' btrfs-crypt $command --key-file disk.img.sum
done
ends 1 usage 'nested: is a directory' btrfs-crypt cat disk.img vault nested
ends 1 usage '--length: ' btrfs-crypt cat disk.img vault secret.txt --length 0
ends 1 usage '--archive takes ' btrfs-crypt export disk.img vault -o made.tar --archive rar
ends 4 not-found 'missing.img: ' btrfs-crypt cat missing.img vault secret.txt
ends 9 refused 'a key was given, but ' btrfs-crypt cat disk.img public ledger.txt --key-file disk.img.sum
ends 9 refused 'a key was given, but ' btrfs-crypt export disk.img public -o made.tar --key-file disk.img.sum

# --- what was invalid when the image was opened is a finding as any other, and the report knows the exit status ---------------------------
cp disk.img tolerated.img
for copy in 65536 67108864; do
	[ "$(stat -c %s tolerated.img)" -le $copy ] || printf x | dd of=tolerated.img bs=1 seek=$((copy + 300)) conv=notrunc status=none
done
expect 6 cat tolerated.img vault secret.txt --tolerant --quiet --report tolerant.report <<'END'
the combination is 17-4-36
! btrfs-crypt cat: invalid: tolerated.img: superblock at 0x10000: the crc32c checksum does not match; it is used anyway
! btrfs-crypt cat: warning: superblock at 0x4000000: the crc32c checksum does not match; copy 0 of the superblock is used
! btrfs-crypt cat: secret.txt: damaged: 1 part of the image is damaged
END
grep -q '^{"finding":"invalid","text":"tolerated.img: superblock ' tolerant.report && tail -n 1 tolerant.report | grep -q '"damaged":"1",.*"status":6,"error":"damaged"' ||
	{ bad "the report of what was tolerated"; cat tolerant.report; }
quiet test ! -e made.tar
btrfs-crypt export --tolerant tolerated.img vault:secret.txt -o made.tar --report tolerant2.report > out 2> err
[ $? -eq 6 ] && grep -q 'damaged: 1 part of the image is damaged$' err && grep -q '"finding":"invalid"' tolerant2.report || { bad "export --tolerant"; cat err tolerant2.report; }

# A damaged file is named once, and so are its bytes.
cp disk.img spoiled.img
at=$(btrfs-crypt resolve disk.img vault size-30001 | sed -nE 's/.* physical ([0-9]+)$/\1/p' | head -n 1)
printf 'spoiled' | dd of=spoiled.img bs=1 seek=$((at + 5000)) conv=notrunc status=none
btrfs-crypt export spoiled.img vault:size-30001 -o spoiled.tar > out 2> err
[ $? -eq 6 ] && grep -qE '^btrfs-crypt export: warning: size-30001: bytes 4096 to 8191 are lost: data at [0-9]+: ' err && [ "$(grep -c size-30001 err)" = 1 ] ||
	{ bad "a damaged file"; cat err; }

# What ran, when and on what; in the manifest a damaged file is marked, and it is read all the same.
btrfs-crypt export spoiled.img vault:size-30001 -o marked/ --report run.report --manifest marked.sums > out 2> err
[ $? -eq 6 ] || bad "export of a damaged file: status $?"
grep -qx '# not as it was, see the warnings: size-30001' marked.sums && (cd marked && sha256sum --quiet -c ../marked.sums) || { bad "the manifest"; cat marked.sums; }
grep -q "^{\"image\":\"spoiled.img\",\"size\":\"$(stat -c %s spoiled.img)\",\"sha256\":\"$(sha256sum < spoiled.img | cut -d ' ' -f 1)\",\"filesystem_offset\":\"0\"}$" run.report || { bad "the image in the report"; cat run.report; }
grep -qE '^\{"run":"export","tool":"btrfs-crypt","version":"[0-9.]+","command_line":\["btrfs-crypt","export","spoiled.img","vault:size-30001","-o","marked/","--report","run.report","--manifest","marked.sums"\],"begin":[0-9]+,"end":[0-9]+,"device":"spoiled.img","filesystem_offset":"0","fsid":"3b9c6a52-66d4-4c7e-9c4b-2f1d10c0ffee","label":"good-plain","superblock_copy":0,"generation":"12"\}$' run.report ||
	{ bad "the run in the report"; cat run.report; }

# Each address is a member of its own: that of the sectors that are lost, or may be wrong, or came from another mirror, and of tree blocks.
printf 'spoiled' | dd of=spoiled.img bs=1 seek=$((at + 9000)) conv=notrunc status=none
logical=$(btrfs-crypt resolve disk.img vault size-30001 | sed -nE 's/.* logical ([0-9]+) .*/\1/p' | head -n 1)
where="\"subvolume\":\"257\",\"inode\":\"270\",\"logical\":\"$((logical + 4096))\",\"disk_length\":\"8192\"}\$"
for kind in lost doubtful; do
	btrfs-crypt cat spoiled.img vault size-30001 --report "$kind.report" $([ $kind = lost ] || echo --tolerant) > out 2> err
	[ $? -eq 6 ] && grep -q "^{\"finding\":\"$kind\",\"path\":\"size-30001\",\"first\":\"4096\",\"last\":\"12287\",\"text\":\".*\",$where" "$kind.report" || { bad "$kind: where"; cat "$kind.report"; }
done
cp sealed.img spoiled-sealed.img
at=$(btrfs-crypt resolve sealed.img vault size-30001 | sed -nE 's/.* physical ([0-9]+)$/\1/p' | head -n 1)
logical=$(btrfs-crypt resolve sealed.img vault size-30001 | sed -nE 's/.* logical ([0-9]+) .*/\1/p' | head -n 1)
printf 'spoiled' | dd of=spoiled-sealed.img bs=1 seek=$((at + 5000)) conv=notrunc status=none
btrfs-crypt export spoiled-sealed.img vault:size-30001 -o sealed.tar --passphrase-file "$key" --report where-sealed.report > out 2> err
[ $? -eq 6 ] && grep -q "^{\"finding\":\"lost\".*\"inode\":\"270\",\"logical\":\"$((logical + 4096))\",\"disk_length\":\"4096\"}\$" where-sealed.report || { bad "sealed: where"; cat where-sealed.report err; }

leaf=$(btrfs-crypt dump-tree --tree=257 disk.img | sed -nE '/^leaf/s/^leaf ([0-9]+).*/\1/p' | head -n 1)
cp disk.img leaf.img
printf x | dd of=leaf.img bs=1 seek=$(($(btrfs-crypt resolve --logical "$leaf" disk.img | sed -nE 's/.* physical ([0-9]+).*/\1/p' | head -n 1) + 500)) conv=notrunc status=none
btrfs-crypt export leaf.img vault -o leaf.tar --report leaf.report > out 2> err
[ $? -eq 6 ] && grep -q "^{\"finding\":\"damaged\",.*,\"logical\":\"$leaf\",\"disk_length\":\"4096\"}\$" leaf.report || { bad "a tree block: where"; cat leaf.report err; }

# The image is in every report, as it is, also where it is packed or nothing was found wrong; and without a hash where the run ended early.
gzip -1 < disk.img > packed.gz
has_image() { grep -q "^{\"image\":\"$1\",\"size\":\"$(stat -c %s "$1")\",\"sha256\":\"$(sha256sum < "$1" | cut -d ' ' -f 1)\"$2}$" "$3" || { bad "$1 in $3"; cat "$3"; }; }
quiet btrfs-crypt cat disk.img vault secret.txt --report cat-image.report
has_image disk.img ',"filesystem_offset":"0"' cat-image.report
quiet btrfs-crypt export packed.gz vault:secret.txt -o packed.tar --report packed.report
inner="\"unpacked_size\":\"$(stat -c %s disk.img)\",\"unpacked_sha256\":\"$(sha256sum < disk.img | cut -d ' ' -f 1)\",\"filesystem_offset\":\"0\""
has_image packed.gz ",$inner" packed.report
# In an archive it has a name, asked for or not; the manifest has both hashes, too.
tar -cf packed.tar disk.img key
tar -czf alone.tgz ./disk.img
for of in "packed.tar --member=disk.img" alone.tgz; do
	rm -f member.tar member.report member.sums
	quiet btrfs-crypt export $of vault:secret.txt -o member.tar --report member.report --manifest member.sums
	has_image "${of% *}" ",\"member\":\"disk.img\",$inner" member.report
	printf '# image %s  %s  %s bytes\n# unpacked image %s  %s, member disk.img  %s bytes\n' "$(sha256sum < "${of% *}" | cut -d ' ' -f 1)" "${of% *}" \
		"$(stat -c %s "${of% *}")" "$(sha256sum < disk.img | cut -d ' ' -f 1)" "${of% *}" "$(stat -c %s disk.img)" > want.sums
	grep '^# .*image' member.sums | cmp -s - want.sums || { bad "the hashes of $of in the manifest"; cat member.sums; }
done
btrfs-crypt cat alone.tgz vault no-such-file --report inner-early.report > out 2> err
[ $? -eq 4 ] && grep -qx "{\"image\":\"alone.tgz\",\"size\":\"$(stat -c %s alone.tgz)\",\"member\":\"disk.img\",\"unpacked_size\":\"$(stat -c %s disk.img)\",\"filesystem_offset\":\"0\"}" inner-early.report || { bad "a member after an early end"; cat inner-early.report; }
btrfs-crypt cat disk.img vault no-such-file --report early.report > out 2> err
[ $? -eq 4 ] && grep -qx "{\"image\":\"disk.img\",\"size\":\"$(stat -c %s disk.img)\",\"filesystem_offset\":\"0\"}" early.report || { bad "the image after an early end"; cat early.report; }

# --- every warning and note that is printed is in the report, with what was chosen; and a hint is in its summary ----------------------------
# told STATUS MEMBERS WORD...: MEMBERS are the last of the line about the run
told() {
	local want=$1 members=$2 status text
	shift 2
	rm -f told.report told.tar
	btrfs-crypt "$@" --report told.report > out 2> err < /dev/null
	status=$?
	[ $status = "$want" ] && grep -q "^{\"run\":.*,$members}\$" told.report || { bad "$*: status $status, or other members than $members"; cat err told.report; }
	grep -E '^btrfs-crypt [a-z]*: (warning|note|hint): ' err > told || bad "$*: nothing was told"
	while IFS=: read -r _ kind text; do
		text=${text# } text=${text//\"/\\\"}
		[ "$kind" != " hint" ] || { tail -n 1 told.report | grep -qF ",\"hint\":\"$text\"}" || { bad "$*: the summary lacks the hint: $text"; cat told.report; }; continue; }
		[ "$(grep -cF "\"text\":\"$text\"" told.report)" = 1 ] || { bad "$*: not once in the report: $text"; cat told.report; }
	done < told
}
zstd -dqf "$TOP/images/good-log.img.zst" -o log.img
told 0 '"superblock_copy":0,"generation":"8","log_tree":"not-shown"' cat log.img sub long
grep -q '^{"finding":"warning","text":"the filesystem was not unmounted' told.report || { bad "the log tree is no warning"; cat told.report; }
btrfs-crypt cat --quiet --with-log log.img sub new --report log.report > out 2> err
grep -q '^{"run":.*,"generation":"8","log_tree":"shown"}$' log.report || { bad "a log tree that is shown"; cat log.report err; }
told 0 '"superblock_copy":0,"generation":"11","backup_root":2' cat --backup-root 2 disk.img vault secret.txt
told 4 '"superblock_copy":0,"generation":"12"' cat disk.img vault secret.tx
told 2 '"superblock_copy":0,"generation":"12"' cat sealed.img vault secret.txt
told 4 "\"device\":\"$TOP\"" cat "$TOP" sub name
cp disk.img second.img
printf x | dd of=second.img bs=1 seek=65900 conv=notrunc status=none
told 0 '"superblock_copy":1,"generation":"12"' cat second.img vault secret.txt
truncate -s -4096 second.img
told 6 '"device":"second.img"' cat second.img vault secret.txt
# The chunk tree is bad on one of two devices; then the other is all there is.
truncate -s 128M one.img two.img
mkfs.btrfs -q -m raid1 -d single one.img two.img > log 2>&1 || { bad "mkfs.btrfs"; cat log; }
at=$(btrfs-crypt dump-super one.img | sed -nE 's/^chunk_root\t+([0-9]+)$/\1/p' | head -n 1)
place=$(btrfs-crypt resolve --logical "$at" one.img --device two.img | sed -nE 's/.* devid 1 physical ([0-9]+).*/\1/p' | head -n 1)
printf x | dd of=one.img bs=1 seek=$((place + 900)) conv=notrunc status=none
told 0 '"superblock_copy":0,"generation":"[0-9]*"' export one.img --device two.img / -o told.tar
grep -q '^{"finding":"other-mirror","text":".*","logical":"'"$at"'","disk_length":"16384"}$' told.report && grep -q '"other_mirror":"1"' told.report || { bad "a tree block from another mirror"; cat told.report; }
told 0 '"superblock_copy":0,"generation":"[0-9]*","missing_devices":\[{"devid":"1","dev_uuid":"[0-9a-f-]*"}\]' export two.img / -o told.tar

# --- what is written cannot be written: the summary comes all the same, the report says why ----------------------------------------------
if [ -e /dev/full ]; then
	transcript 11 bash -c 'btrfs-crypt cat disk.img vault size-30001 --report full.report > /dev/full' <<END
! btrfs-crypt cat: standard output: No space left on device
END
	grep -q '"status":11,"error":"io-error","text":"standard output: No space left on device"}$' full.report || { bad "the report of a full disk"; cat full.report; }
	btrfs-crypt export disk.img vault -o - --report full2.report --manifest full.sums > /dev/full 2> err
	[ $? -eq 11 ] && grep -q '^exported before the early end: ' err || { bad "export to a full disk"; cat err; }
	grep -q '"summary":.*"status":11,"error":"io-error","text":".*No space left on device"}$' full2.report && [ ! -e full.sums ] || bad "report or manifest of a full disk"
	# The report itself has no room.
	btrfs-crypt cat disk.img vault secret.txt --report /dev/full > out 2> err
	[ $? -eq 11 ] && grep -q '/dev/full: No space' err || { bad "a report without room"; cat err; }
fi
# A reader that goes away: nothing is said, as of every other program, and the report is finished; where whoever called ignores the signal, it is an error.
for command in "cat disk.img vault hole-only" "export disk.img vault -o -"; do
	for report in "" "--report gone.report"; do
		rm -f gone.report
		(btrfs-crypt $command $report 2> err; echo $? > status) | head -c 10 > out
		[ "$(cat status)" = 141 ] && ! grep -qv ' note: ' err || { bad "$command $report: a reader that goes away: $(cat status)"; cat err; }
		[ -z "$report" ] || tail -n 1 gone.report | grep -q '"status":11,"error":"io-error","text":".*Broken pipe"}$' || { bad "$command: the report"; cat gone.report; }
	done
	(trap '' PIPE; btrfs-crypt $command 2> err; echo $? > status) | head -c 10 > out
	[ "$(cat status)" = 11 ] && grep -q 'Broken pipe$' err || { bad "$command: a signal that is ignored: $(cat status)"; cat err; }
done
# A report half written has no name: files are limited to 1 KiB.
(ulimit -f 1; trap '' XFSZ; btrfs-crypt export sealed.img vault -o - --report limited.report) 2>&1 > /dev/null | cat > err
grep -q 'warning: limited.report: File too large' err && grep -q '^exported: ' err || { bad "a report without room"; cat err; }
[ -z "$(ls | grep -E 'limited|\.part$')" ] || bad "a part of a report is left"

# --- unpacking shows as it is told to ------------------------------------------------------------------------------------------------------
gzip -1 < disk.img > disk.gz
btrfs-crypt export --progress=json --progress-frequency=0 disk.gz vault:secret.txt -o x.tar 2> err || bad "export of a packed image: status $?"
grep -c '^{"progress":"unpack","done":"[0-9]*","total":"[0-9]*"' err > n
[ "$(cat n)" -ge 2 ] && grep -q '^{"progress":"unpack","done":"\([0-9]*\)","total":"\1"' err || { bad "unpacking is not told"; head -3 err; }
grep -q '^{"progress":"export"' err || bad "the export is not told"
btrfs-crypt verify --progress=json --progress-frequency=0 sealed.img vault --passphrase-file "$key" > out 2> err || bad "verify: status $?"
grep -q '^{"progress":"verify","done":"\([0-9]*\)","total":"\1"' err || { bad "verifying is not told"; cat err; }
btrfs-crypt export --progress=none disk.gz vault:secret.txt -o y.tar 2> err
grep -q progress err && bad "progress, although none was wanted"
unchanged disk.img
unchanged sealed.img
finish
