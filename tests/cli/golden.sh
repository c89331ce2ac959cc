#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The bundled images are what their texts say, and today's program reads the one that was sealed in the past.
. "$(dirname "$0")/../expect.sh"
for name in good-2016 good-log good-plain good-zoned good-sealed; do
	zstd -dq "$TOP/images/$name.img.zst" -o "$name.img"
	have=$(sha256sum < $name.img | cut -d ' ' -f 1)
	grep -q "^sha256 *$have " "$TOP/images/$name.txt" || bad "images/$name.txt: the image has sha256 $have"
done
key=$TOP/images/good-sealed.passphrase
expect 0 verify-key good-sealed.img vault --passphrase-file "$key" <<< "key matches: $(sed -n 's/^Encryption: //p' "$TOP/images/good-sealed.txt") (slot 0)"
btrfs-crypt verify good-sealed.img vault --passphrase-file "$key" > out 2> err || { bad "verify: status $?"; cat out err; }
grep -q "^$(grep '^seal fingerprint' "$TOP/images/good-sealed.txt")\$" out || bad "another seal fingerprint"
n=0
while read -r path; do
	btrfs-crypt cat good-plain.img vault "$path" > plain 2> err || { bad "cat good-plain $path"; cat err; }
	btrfs-crypt cat good-sealed.img vault "$path" --passphrase-file "$key" > opened 2> err || { bad "cat good-sealed $path"; cat err; }
	cmp -s plain opened || bad "$path differs"
	n=$((n + 1))
done < <(btrfs-crypt ls -l good-plain.img vault | sed -nE 's/^-.* ([a-z0-9.-]+)$/\1/p')
[ "$n" -ge 15 ] || bad "only $n files compared"
sha256sum < good-sealed.img | grep -q "$have" || bad "reading changed the image"

# What a kernel read of it before it was what no kernel here reads.
n=0
while read -r want path; do
	btrfs-crypt cat good-zoned.img / "$path" > plain 2> err || { bad "cat good-zoned $path"; cat err; }
	grep -q 'warning:' err && { bad "warnings of good-zoned $path"; cat err; }
	[ "$(sha256sum < plain)" = "$want  -" ] || bad "good-zoned $path differs"
	n=$((n + 1))
done < <(sed '1,/^What the kernel read/d' "$TOP/images/good-zoned.txt")
[ "$n" = 5 ] || bad "$n files of good-zoned compared, not 5"

# So is that of 2016. The key is in the text, and was made by another implementation.
printf "$(sed -nE 's/^key *([0-9a-f]{32}),.*/\1/p' "$TOP/images/good-2016.txt" | sed 's/../\\x&/g')" > key-2016
btrfs-crypt export good-2016.img vault vault-snapshot --recursive --volume-key-file key-2016 -o 2016.tar --manifest manifest -q 2> err || { bad "export good-2016"; cat err; }
grep -v '^#' manifest | sort > have
sed '1,/^What the kernel read/d' "$TOP/images/good-2016.txt" | sort | diff - have || bad "good-2016 differs"
[ "$(wc -l < have)" = 34 ] || bad "$(wc -l < have) files of good-2016 compared"

# Whoever has only the specification reads it too.
if /usr/bin/python3 -c 'import cryptography' 2> /dev/null; then
	/usr/bin/python3 "$TOP/tests/second-reader.py" good-sealed.img "$key" good-plain.img > out 2>&1 || { bad "the second reader"; cat out; }
	grep -q '^units: 16 ' out || { bad "the second reader found other units"; cat out; }

	# A recovery key in writing too, which no other slot opens.
	cp good-sealed.img recovery.img
	btrfs-crypt key recovery recovery.img vault --passphrase-file "$key" --batch-mode > out 2> err || { bad "key recovery"; cat err; }
	grep -oE '([0-9A-Z]{5}-){7}[0-9A-Z]{5}' out > recovery
	tr A-Z- 'a-z ' < recovery > spaced
	quiet btrfs-crypt key remove recovery.img vault --passphrase-file "$key" -S 0
	/usr/bin/python3 "$TOP/tests/second-reader.py" recovery.img spaced good-plain.img > out 2>&1 || { bad "the second reader, with a recovery key"; cat out; }
	grep -q "^units: 16 .*; seal $(sed -n 's/^seal fingerprint: *//p' "$TOP/images/good-sealed.txt")\$" out || { bad "the second reader found another seal"; cat out; }
	# Header backups: one from before the slot was removed, and one without slots.
	quiet btrfs-crypt key backup good-sealed.img vault backup
	quiet btrfs-crypt key backup recovery.img vault no-slots --no-slots
	quiet btrfs-crypt key export-volume-key recovery.img vault volume-key --passphrase-file recovery --batch-mode
	while read -r secret file; do
		/usr/bin/python3 "$TOP/tests/second-reader.py" recovery.img "$secret" good-plain.img "$file" > out 2>&1 || { bad "the second reader, with $file"; cat out; }
		grep -q "^units: 16 .*; seal $(sed -n 's/^seal fingerprint: *//p' "$TOP/images/good-sealed.txt")\$" out || { bad "the second reader found another seal"; cat out; }
	done <<< "$key backup
volume-key no-slots"
	/usr/bin/python3 "$TOP/tests/second-reader.py" recovery.img "$key" good-plain.img > out 2>&1 && bad "the second reader opens a slot that was removed"
	sed 's/^\(.\)\(.\)/\2\1/; t; s/^/x/' recovery > swapped
	cmp -s recovery swapped || { /usr/bin/python3 "$TOP/tests/second-reader.py" recovery.img swapped good-plain.img > out 2>&1 && bad "the second reader takes a mistyped recovery key"; }
fi
finish
