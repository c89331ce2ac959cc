#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In the format of 2016, with the key, everything reads as the kernel wrote it: whole subvolumes and snapshots, in each cipher, with plain extents and
# files in between. What cannot be read right is named, and nothing else; without the key only what is plain comes out.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/legacy-lib.sh"
need_root
need_crypt
tool legacy

ODD=quotes	# a name with a line end, which manifests escape in different ways
# What clones and lost IVs leave in each of e1 and e1-snap. (Of clones/inline nothing can tell, nor of gone/part, which has no last page.)
WRONG="clones/part clones/short clones/source clones/whole gone/whole lost/missing lost/missing-inline lost/short"

# named FILE: the paths that findings of export or verify name
named() { sed -nE 's,^(btrfs-crypt export: warning: )?((e1|e1-snap|e2)/)?(([a-z]+/)?[a-z-]+): .*,\2\4,p' "$1" | grep -vxE "failed|exported" | sort -u; }

# reads_right IMAGE NAMED: in an export with the key; leaves the archive's sums as $tmp/sums
reads_right() {
	rm -f "$tmp/out.tar" "$tmp/sums"
	expect_status 6 crypt export "$1" e1 e1-snap e2 --recursive --volume-key-file "$1.key" -o "$tmp/out.tar" --manifest "$tmp/sums"
	cp "$tmp/err" "$tmp/findings"
	sed -nE 's,^(foreign|gone|unreadable) ([^ ]*) .*,\2,p' "$1.report" | sort -u >"$tmp/not-right"
	sed -nE "/$ODD/d; s,^((e1|e1-snap|e2)/[^ ]*) file .* sha256=([0-9a-f]{64}).*,\1 \3,p" "$1.manifest" | sort | join -v 1 - "$tmp/not-right" >"$tmp/want"
	sed -nE "/$ODD/d; s,^([0-9a-f]{64})  (.*)\$,\2 \1,p" "$tmp/sums" | sort | join -v 1 - "$tmp/not-right" >"$tmp/have"
	diff -u "$tmp/want" "$tmp/have" >"$tmp/diff" || { head -n 20 "$tmp/diff"; fail "$1 does not read right"; }
	[ "$(wc -l <"$tmp/want")" -gt 100 ] || fail "only $(wc -l <"$tmp/want") files compared"
	named "$tmp/findings" >"$tmp/named"
	{ printf 'e1/%s\ne1-snap/%s\n' $(printf '%s %s ' $(sed 's/[^ ]*/& &/g' <<<"$2")); echo e2/of-another-subvolume; } | sort | diff -u - "$tmp/named" || fail "other files are named in $1"
}

image=$tmp/4k.img
legacy_image "$image" 4096 clones gone lost
key=(--volume-key-file "$image.key")
say "all of it, ctr(aes), nodes of 4096"
before=$(fingerprint "$image")
reads_right "$image" "$WRONG"
expect_text "$tmp/findings" 'e1/clones/short: bytes 0 to 9999 may be wrong: these are not its data: they were cloned from clones/short-source,'
expect_text "$tmp/findings" 'e1/clones/part: bytes 16384 to 49151 may be wrong: it shares these data with clones/source, which has another IV,'
expect_text "$tmp/findings" 'e1/clones/source: bytes 0 to 262143 may be wrong: it shares these data with clones/whole, '
expect_text "$tmp/findings" 'e2/of-another-subvolume: bytes 0 to 9999 may be wrong: .* cloned from clones/short-source of subvolume 256, and'
expect_text "$tmp/findings" 'e1/gone/whole: bytes 0 to 9999 may be wrong: its last page does not end in zeros'
expect_text "$tmp/findings" 'e1/lost/missing: bytes 0 to 9999 are lost: inode [0-9]*: it has no xattr btrfs.cryptoiv, so its data cannot be decrypted'
expect_text "$tmp/findings" 'e1/lost/short: bytes 0 to 9999 are lost: inode [0-9]*: its xattr btrfs.cryptoiv has 15 bytes, not 16,'
expect_text "$tmp/findings" 'incomplete: 6 files .41200 bytes lost., doubtful: 11 files'

say "what anybody can read without the key"
expect_status 6 crypt audit "$image" e1 --output "$tmp/recovered" --format json
python3 -S -I - "$tmp/out" "$tmp/recovered" "$tmp/out.tar" <<'END' || fail "audit"
import json, sys, tarfile
n, lines = 0, {}
with tarfile.open(sys.argv[3]) as archive:
    for line in map(json.loads, open(sys.argv[1])):
        lines[line.get("path")] = line
        if line["record"] != "key-stream" or line["readable_bytes"] == "0" or "\\" in line["path"]:
            continue
        path, first, n_bytes = line["path"], line.get("known_from", "4096"), 0
        have = open(sys.argv[2] + "/%s-%s" % (line["subvolume"], line["inode"]), "rb").read()
        assert len(have) == int(line["size"]), line
        if path.split("/")[1] in ("clones", "gone", "lost"):	# what these are with the key is another matter
            continue
        plain = archive.extractfile(path).read()
        for at in range(0, len(plain), 4096):
            part, known = slice(at + int(first), at + 4096), have[at + int(first):at + 4096]
            assert known == plain[part] or not any(known), (path, at)	# a hole, or an extent that is not encrypted
            n_bytes += len(known) if known == plain[part] and any(known) else 0
        assert n_bytes > 0, line
        n += 1
assert n >= 8, n
assert int(lines["e1/clones/source"]["cloned_pages"]) > 0 and "cloned_pages" not in lines["e1/sizes/5000"], lines["e1/clones/source"]
END

say "each by itself"
expect_status 0 crypt cat "$image" e1:overwritten/middle "${key[@]}" --offset 40000 --length 30000
cp "$tmp/out" "$tmp/part"
expect_status 0 crypt cat "$image" e1:overwritten/middle "${key[@]}"
head -c 70000 "$tmp/out" | tail -c 30000 | cmp - "$tmp/part" || fail "a part of a file differs from the whole"
expect_status 0 crypt cat "$image" $'e1:names/with "quotes" and\nlines' "${key[@]}"
sum=$(sha256sum <"$tmp/out")
grep -q "^e1/names/with.*quotes.*sha256=${sum%% *}" "$image.manifest" || fail "the file with an odd name differs"
expect_status 6 crypt cat "$image" e1:clones/short "${key[@]}"
expect_status 6 crypt cat "$image" e1:lost/missing "${key[@]}"
expect_status 0 crypt ls -l "$image" e1:names
expect_text "$tmp/out" ' link -> deep/deeper/first$'
expect_status 0 crypt stat -e "$image" e1 prealloc/part-written before/compressed/131073 sizes/5000
expect_text "$tmp/out" '^  flags:  *0x1000 ENCRYPT$'
expect_text "$tmp/out" '^  extents:     4 .2 prealloc, 1 encrypted.$'
expect_text "$tmp/out" '^  extent:      offset 0 length 8192 regular .* encrypted$'
[ "$(grep -c " compression zstd\$" "$tmp/out")" = 1 ] || fail "zstd has another name in a file that is not encrypted"
expect_status 0 crypt resolve "$image" e1 sizes/5000
expect_text "$tmp/out" '^offset 0 length 8192 regular encrypted logical [0-9]* copy 0'
expect_status 0 crypt resolve "$image" e1 before/compressed/131073
expect_text "$tmp/out" ' compression zstd '
expect_status 0 crypt timeline "$image" e1
[ "$(grep -c '/sizes/' "$tmp/out")" = "$(grep -c '^e1/sizes/' "$image.manifest")" ] || fail "the timeline has other files"

say "verify"
expect_status 6 crypt verify "$image" e1 "${key[@]}"
named "$tmp/out" >"$tmp/named"
printf '%s\n' $WRONG | diff -u - "$tmp/named" || fail "verify names other files"
expect_text "$tmp/out" '^failed: ctr.aes.@btrfs:61e0d004: [0-9]* files, [0-9]* bytes, 9 failures$'
expect_text "$tmp/err" 'note: the format of 2016 authenticates nothing'
expect_status 0 crypt verify "$image" e1/nested "${key[@]}"
expect_text "$tmp/out" '^read: ctr.aes.@btrfs:61e0d004: 7 files, '
expect_status 0 crypt verify --no-keyring "$image" e2
expect_text "$tmp/err" 'note: no key was given: data were compared with their checksums, but not decrypted'
expect_status 1 crypt verify "$image" e2 --expect-seal 00000000000000000000000000000000

say "without the key, and with a wrong one"
expect_status 2 crypt export --no-keyring "$image" e1 -o "$tmp/plain.tar" --manifest "$tmp/plain"
sed -nE "/$ODD/d; s,^file 0 [0-9]+ e1/,,p; s,^(e1/)(before|sizes/0|names/deep/deeper/empty|holes/only|lost/missing-empty)([^ ]*) file .*,\2\3,p" "$image.report" "$image.manifest" |
	grep -vE '^names/.*link$' | sort >"$tmp/want"
grep -v "^#" "$tmp/plain" | cut -c 67- | sort | diff -u "$tmp/want" - || fail "without the key other files came out"
head -c 16 /dev/zero >"$tmp/wrong"
expect_status 2 crypt export "$image" e1 --volume-key-file "$tmp/wrong" -o "$tmp/wrong.tar"
expect_text "$tmp/err" 'Key was rejected by service$'
[ ! -e "$tmp/wrong.tar" ] || fail "a wrong key left an archive"
expect_status 2 crypt cat --no-keyring "$image" e1:sizes/5000
expect_status 0 crypt cat --no-keyring "$image" e1:kept/plain
expect_status 9 crypt cat "$image" next:sizes/48 "${key[@]}"
expect_status 0 crypt cat "$image" next:compressed/131073
expect_status 0 crypt cat --no-keyring "$image" e1:sizes/5000 --ciphertext
cp "$tmp/out" "$tmp/ciphertext"
expect_status 0 crypt cat "$image" e1:sizes/5000 "${key[@]}" --ciphertext
[ "$(stat -c %s "$tmp/ciphertext")" = 5000 ] || fail "the ciphertext has another length"
[ "$(fingerprint "$image")" = "$before" ] || fail "reading changed the image"

# The same files again: the xattrs still say ctr(aes), which does not count.
say "cbc(aes), as the root item says and the xattr does not"
legacy_undo "$image"
legacy_write "$image" --cipher cbc --key-length 16 --regular-too
# A wrong IV spoils only the beginning of a page, so that its end tells nothing of it. 600 bytes inline are plain, for they are no multiple of 16.
reads_right "$image" "clones/part clones/short clones/short-source clones/source clones/whole lost/missing lost/short"
expect_status 0 crypt show "$image" e1
expect_text "$tmp/err" 'warning: the root item says cbc.aes., which counts, and the xattr btrfs.encrypt says ctr.aes.$'

say "cts(cbc(aes)), nodes of 16384, v1 space cache"
legacy_image "$tmp/16k.img" 16384 cache=v1 clones gone lost cipher=cts
reads_right "$tmp/16k.img" "clones/part clones/short clones/short-source clones/source clones/whole lost/missing lost/missing-inline lost/short"
