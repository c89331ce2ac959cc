#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sealed subvolumes as an examiner meets them: with the key, every file reads as the kernel showed it before sealing; without it, nothing does. list,
# show and the dumps say what is sealed, mark by mark. No byte of the image changes.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
tool fill

KINDS="sizes:1000000 inline compressed holes prealloc nocow reflinks bookends extents:40 symlinks names times modes links special flags"
image=$tmp/a.img
image_make "$image" 400M
image_mount "$image" "$tmp/mnt" rw
btrfs -q subvolume create "$tmp/mnt/one"
"$tmp/fill" "$tmp/mnt/one" 1 $KINDS
truncate -s 20000005 "$tmp/mnt/one/holes/only"
btrfs -q subvolume create "$tmp/mnt/one/nested"
"$tmp/fill" "$tmp/mnt/one/nested" 2 sizes:20000 inline symlinks
btrfs -q subvolume create "$tmp/mnt/open"
"$tmp/fill" "$tmp/mnt/open" 3 sizes:20000 inline symlinks
sync
btrfs -q subvolume snapshot "$tmp/mnt/one" "$tmp/mnt/snap"
image_umount
image_mount "$image" "$tmp/mnt" ro
python3 "$IMAGE_TESTS/read-compare.py" record "$tmp/mnt" >"$tmp/record"
image_umount
crypt dump-tree "$image" >"$tmp/plain.dump"

printf 'correct horse' >"$tmp/pass"
printf 'wrong horse' >"$tmp/wrong"
expect_status 0 crypt convert --encrypt --shared=include --recursive -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --progress=none \
	--passphrase-file "$tmp/pass" "$image" one
before=$(fingerprint "$image")

say "every file, with the key"
python3 "$IMAGE_TESTS/read-compare.py" compare "$BTRFS_CRYPT" "$image" "$tmp/record" --passphrase-file "$tmp/pass" >"$tmp/compared" ||
	{ head -40 "$tmp/compared"; fail "what was read differs"; }
say "$(tail -1 "$tmp/compared")"

say "keys that are wrong, missing, or for something else"
expect_status 2 crypt cat "$image" one sizes/4096
[ ! -s "$tmp/out" ] || fail "something came out without a key"
expect_status 2 crypt cat --passphrase-file "$tmp/wrong" "$image" one sizes/4096
[ ! -s "$tmp/out" ] || fail "something came out with a wrong key"
expect_status 9 crypt cat --passphrase-file "$tmp/pass" "$image" open sizes/4096
expect_text "$tmp/err" 'not sealed'

say "list and show"
tag='aes-256-gcm@btrfs:[0-9a-f]{8}'
expect_status 0 crypt list "$image"
expect_text "$tmp/out" "path one	readonly	Encryption: $tag \\(Required key not available\\) \\(not authenticated\\)\$"
expect_text "$tmp/out" "path one/nested	readonly	Encryption: $tag \\(Required key not available\\) \\(not authenticated\\)\$"
expect_text "$tmp/out" "path snap	readonly	Encryption: $tag \\(Required key not available\\) \\(not authenticated\\)\$"
expect_text "$tmp/out" 'path open$'
expect_status 0 crypt list --format json "$image"
expect_text "$tmp/out" "\"path\":\"one\".*\"encryption\":\"$tag\""
expect_status 0 crypt show "$image" one
expect_text "$tmp/out" "Encryption: .*$tag \(Required key not available\) \(not authenticated\)\$"
expect_text "$tmp/err" 'warning: btrfs send .* ciphertext'
expect_status 0 crypt show "$image" open
[ ! -s "$tmp/err" ] || fail "a warning about a plain subvolume"
expect_status 0 crypt ls -l "$image" one symlinks
[ "$(grep -c -e '-> (sealed)$' "$tmp/out")" = "$(wc -l <"$tmp/out")" ] || fail "a target shows without a key"
expect_status 2 crypt ls -l --passphrase-file "$tmp/wrong" "$image" one symlinks
expect_status 9 crypt ls -l --passphrase-file "$tmp/pass" "$image" open symlinks
expect_status 0 crypt ls -l "$image" open symlinks
grep -q sealed "$tmp/out" && fail "a plain link is called sealed"

say "dump-tree --crypt: every mark, flag, unit and tag"
crypt dump-tree --crypt "$image" >"$tmp/few"
crypt dump-tree --crypt --tags "$image" >"$tmp/dump"
grep -vE '^		tag [0-9]+ [0-9a-f]{32}$|^		tag [0-9a-f]{32}$' "$tmp/dump" | cmp - "$tmp/few" || fail "--tags does more than show tags, or they show without it"
for want in 'crypt item domain 1 kind header index 0' 'crypt item domain 1 kind header copy second' 'kind slot index 0' 'kind member index 2' \
	'kind inode-flags index 0' 'kind units index 0' 'kind inline-units index 0' 'kind seal index 0' 'wrapped: 48 bytes' 'state sealed epoch'; do
	expect_text "$tmp/dump" "$want"
done
grep -q 'type 2 (prealloc)' "$tmp/dump" && fail "a prealloc extent is marked"
# A leaf that snapshots share is printed for each of them, marks and extents alike.
sealed_trees='^file tree key \((256|257|259) '
marks=$(grep -c 'other_encoding 0xc5ea(SEALED)' "$tmp/dump")
extents=$(awk -v trees="$sealed_trees" '/ tree( key|$)/ { on = $0 ~ trees } on && /^\t\textent data disk byte [1-9]/ { n++ } END { print n }' "$tmp/plain.dump")
[ "$marks" = "$extents" ] || fail "$marks marks, $extents extents"
files=$(awk -v trees="$sealed_trees" '/ tree( key|$)/ { on = $0 ~ trees } on && /mode 10[0-7][0-7][0-7][0-7] links/ { n++ } END { print n }' "$tmp/plain.dump")
flagged=$(awk -v trees="$sealed_trees" '/ tree( key|$)/ { on = $0 ~ trees } on && /flags 0x[0-9a-f]*\(.*IMMUTABLE.*VERITY\)/ { n++ } END { print n }' "$tmp/dump")
[ "$files" = "$flagged" ] || fail "$flagged flagged inodes, $files files"
crypt dump-tree --crypt --tags --format json "$image" | python3 -c 'import json, sys
units = tags = 0
header = None
for line in sys.stdin:
	item = json.loads(line)["item"]
	if item.get("kind") == "header":
		header = item
	if item.get("kind") == "units":
		for unit in item["entries"]:
			units += 1
			tags += unit["blocks"]
			assert len(unit["tags"]) == 32 * unit["blocks"] and len(unit["nonce"]) == 32 and unit["state"] == "sealed", unit
assert header["n_units"] == str(units) and units > 100, (header, units)
print(tags)' >"$tmp/tags"
crypt dump-tree --crypt --format json "$image" | grep '"tags\?":' && fail "tags in JSON that nobody asked for"
[ "$(cat "$tmp/tags")" = "$(grep -cE '^		tag [0-9]+ [0-9a-f]{32}$' "$tmp/dump")" ] || fail "JSON has another number of tags"
for key in PERSISTENT_ITEM persistent-item -200,PERSISTENT_ITEM; do
	crypt dump-tree -t root --key "$key" --tags "$image" | grep -v '^leaf\|uuid \|^root tree' >"$tmp/by.key"
	[ "$(grep -c '^	item' "$tmp/by.key")" = "$(grep -cE '^	item [0-9]+ key \(18446744073709551416 PERSISTENT_ITEM ' "$tmp/dump")" ] || fail "--key $key"
done
[ "$(crypt dump-tree --key EXTENT_DATA "$image" | grep -c '^	item')" = "$(crypt dump-tree "$image" | grep -cE '^	item [0-9]+ key \([0-9]+ EXTENT_DATA ')" ] || fail "--key EXTENT_DATA"
[ "$before" = "$(fingerprint "$image")" ] || fail "reading changed the image"
