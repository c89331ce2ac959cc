#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Wrong keys, keys for things that are not sealed, slots and headers put in the place of others, slots that would cost too much.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
sealed_base
fresh

say "a wrong key: 2, whatever the command, and nothing changed"
for wrong in "--passphrase-file $tmp/wrong-passphrase" "--volume-key-file $tmp/wrong-vk" "--key-file $tmp/wrong-vk" \
	"--passphrase-file $tmp/passphrase2" "--volume-key-file $tmp/vk2" "--passphrase-file $tmp/passphrase --key-slot 1"; do
	read -ra key <<<"$wrong"
	for command in "cat:pair-a" "ls -l" "verify" "verify-key" "convert --decrypt -q"; do
		# shellcheck disable=SC2046,SC2086
		refused 2 'wrong key or passphrase|[Kk]ey slot 1 is not in use' crypt ${command%%:*} "${key[@]}" "$image" target $(cut -s -d: -f2 <<<"$command")
		[ ! -s "$tmp/out" ] || fail "$command printed something"
	done
done
head -c 31 "$tmp/vk" >"$tmp/short"
refused 2 '32 bytes' crypt cat --volume-key-file "$tmp/short" "$image" target pair-a
refused 2 '.' crypt cat "$image" target pair-a </dev/null

say "a wrong key while a conversion is unfinished: the same, in both directions"
for operation in encrypt decrypt; do
	if [ "$operation" = encrypt ]; then
		fresh "$tmp/plain.img"
	else
		fresh
	fi
	expect_status 8 "$tmp/attack" "$image" convert "$operation" stop:1 "$tmp/vk" target
	for wrong in --passphrase-file\ "$tmp/wrong-passphrase" --volume-key-file\ "$tmp/wrong-vk"; do
		read -ra key <<<"$wrong"
		for command in "convert --resume -q" "convert --decrypt --resume -q" "convert --abort -q" "convert --status"; do
			# shellcheck disable=SC2086
			refused 2 'wrong key or passphrase' crypt $command "${key[@]}" "$image"
		done
		refused 2 'wrong key or passphrase' crypt verify-key "${key[@]}" "$image" target
	done
	expect_status 0 crypt convert --abort -q "${VK[@]}" "$image"
done

say "a key for what is not sealed: 9"
fresh
for command in "cat:pair-b" "ls -l" "verify" "verify-key" "convert --decrypt -q"; do
	for target in plain /; do
		[ "$command" = cat:pair-b ] && [ "$target" = / ] && continue
		# shellcheck disable=SC2046,SC2086
		refused 9 'not sealed' crypt ${command%%:*} "${KEY[@]}" "$image" "$target" \
			$(cut -s -d: -f2 <<<"$command")
	done
done
say "the tag of a sealed subvolume taken away or changed: nothing is decided on it"
root_at=375		# the reserved bytes of a root item
for tag in "$(printf '00%.0s' $(seq 24))" "$(attack peek 1 $OTHER 132 0 $root_at 24)"; do
	fresh
	attack poke 1 $TARGET 132 0 $root_at "$tag"
	survived
	[ "$(attack peek 1 $TARGET 132 0 $root_at 24)" = "$(printf '00%.0s' $(seq 24))" ] || fail "the tag is not as it was before sealing"
done
say "a tag put on a plain subvolume: no key decrypts it into something"
fresh
attack poke 1 $PLAIN 132 0 $root_at "$(attack peek 1 $TARGET 132 0 $root_at 24)"
refused 6 'nothing in it was sealed there|it is not the file that was sealed' crypt cat "${KEY[@]}" "$image" plain pair-b
for command in verify 'convert --decrypt -q'; do
	# shellcheck disable=SC2086
	refused 6 'nothing in it was sealed there' crypt $command "${KEY[@]}" "$image" plain
done

slot() { attack peek $(item $SLOT "${2:-0}" "${1:-1}") 0 220; }
header() { attack peek $(item $HEADER 0 "${1:-1}") 0 792; }
# vouch NUMBER [HASH]: the header says that this is the hash of that slot, or the hash of the slot as it is; its MAC does not say so
vouch() {
	local hash=${2:-$(slot 1 "$1" | xxd -r -p | sha256sum | cut -c 1-32)}
	attack poke $(item $HEADER 0) $((248 + 16 * $1)) "$hash"
	attack poke $(second_header) $((248 + 16 * $1)) "$hash"
}
NOT_THIS='is damaged: it is not the one that the header vouches for'

# others_open REGEX: whoever has the volume key reads what was read before, with a warning; verify does not say that all is well
others_open() {
	local key=("${KEY[@]}")
	KEY=("${VK[@]}")
	expect_unchanged 0 "$image" do_cat
	cmp "$tmp/out" "$tmp/files/pair-a" || fail "cat pair-a: wrong content"
	expect_text "$tmp/err" "warning: $1"
	expect_unchanged 0 "$image" do_verify_key
	expect_text "$tmp/err" "warning: $1"
	expect_unchanged 6 "$image" do_verify
	expect_text "$tmp/out" "^sealing 1: $1"
	expect_text "$tmp/out" ' 1 failure$'
	expect_unchanged 0 "$image" crypt key list "$image" target
	expect_text "$tmp/out" "^  $1"
	KEY=("${key[@]}")
}

say "the slot of another domain: 13 with its own passphrase, 2 with the right one, even if it is made to look like this one's"
fresh
theirs=$(slot 2)
attack poke $(item $SLOT 0) 0 "$theirs"
for one in do_cat do_verify do_verify_key do_decrypt; do refused 2 'wrong key or passphrase' $one; done
others_open "key slot 0 $NOT_THIS"
KEY=(--passphrase-file "$tmp/passphrase2")
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 'header of sealing 1 does not belong to the volume key in key slot 0' $one; done
# the domain uuid is bytes 20 to 35 of a slot
attack poke $(item $SLOT 0) 20 "$(header | cut -c $((2 * 56 + 1))-$((2 * 72)))"
for one in do_cat do_verify do_verify_key do_decrypt; do refused 2 'wrong key or passphrase' $one; done
KEY=(--passphrase-file "$tmp/passphrase")
for one in do_cat do_verify do_verify_key do_decrypt; do refused 2 'wrong key or passphrase' $one; done

say "a slot of the attacker's own, for a passphrase that he knows: 13"
fresh
uuid=$(header | cut -c $((2 * 56 + 1))-$((2 * 72)))
attack poke $(item $SLOT 0) 0 "$(attack forge-slot 0 "$tmp/wrong-passphrase" "$uuid")"
KEY=("${WRONG[@]}")
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 'header of sealing 1 does not belong to the volume key in key slot 0' $one; done
KEY=(--passphrase-file "$tmp/passphrase")
for one in do_cat do_verify do_verify_key do_decrypt; do refused 2 'wrong key or passphrase' $one; done
others_open "key slot 0 $NOT_THIS"
say "the hash in the header changed with it: 13, whatever the key"
vouch 0
KEY=("${VK[@]}")
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 'header of sealing 1 fails authentication' $one; done
KEY=("${WRONG[@]}")
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 'header of sealing 1 does not belong to the volume key in key slot 0' $one; done
KEY=(--passphrase-file "$tmp/passphrase")

say "one more slot beside the right one: only who has its passphrase is refused"
fresh
attack put $(item $SLOT 1) "$(attack forge-slot 1 "$tmp/wrong-passphrase" "$uuid")"
others_open "key slot 1 is one too many: the header does not vouch for it"
expect_unchanged 0 "$image" do_verify_key
expect_text "$tmp/out" '\(slot 0\)$'
KEY=("${WRONG[@]}")
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 'header of sealing 1 does not belong to the volume key in key slot 1' $one; done
KEY=(--passphrase-file "$tmp/passphrase")
say "and its hash put into the header: 13"
vouch 1
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 'header of sealing 1 fails authentication' $one; done
say "the slot taken away: the volume key opens, and unseals"
fresh
attack drop $(item $SLOT 0)
for one in do_cat do_verify do_verify_key do_decrypt; do refused 2 'wrong key or passphrase' $one; done
others_open 'key slot 0 is missing: the header vouches for one'
KEY=("${VK[@]}")
expect_status 0 do_decrypt
expect_text "$tmp/err" 'warning: key slot 0 is missing: the header vouches for one'
KEY=(--passphrase-file "$tmp/passphrase")
expect_files_plain

say "each byte of a slot: its passphrase opens nothing, the volume key opens"
for at in 0 4 8 16 20 36 38 39 40 44 52 68 76 140 172 219; do
	fresh
	attack xor $(item $SLOT 0) "$at" 3
	refused 2 'wrong key or passphrase' do_cat
	[ ! -s "$tmp/out" ] || fail "byte $at of a slot: cat printed something"
	expect_text "$tmp/err" 'warning: key slot 0 is damaged: '
	KEY=("${VK[@]}")
	expect_unchanged 0 "$image" do_cat
	cmp "$tmp/out" "$tmp/files/pair-a" || fail "cat pair-a: wrong content"
	expect_text "$tmp/err" 'warning: key slot 0 is damaged: '
	KEY=(--passphrase-file "$tmp/passphrase")
done

say "the header of another domain: 13"
fresh
attack poke $(item $HEADER 0) 0 "$(header 2)"
attack poke $(second_header) 0 "$(header 2)"
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 'header of sealing 1 belongs to sealing 2' $one; done
say "with the number changed to fit: 13"
attack poke $(item $HEADER 0) 28 "$(le 2 1)"
attack poke $(second_header) 28 "$(le 2 1)"
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 'do not belong together' $one; done
say "and its slot as well: the other domain's key opens nothing of this one"
attack poke $(item $SLOT 0) 0 "$(slot 2)"
KEY=(--passphrase-file "$tmp/passphrase2")
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 'header of sealing 1 fails authentication' $one; done
KEY=(--passphrase-file "$tmp/passphrase")
for one in do_cat do_verify do_verify_key do_decrypt; do refused 2 'wrong key or passphrase' $one; done
say "the header of another sealing of the same subvolume: 13"
fresh "$tmp/plain.img"
head -c 32 /dev/urandom >"$tmp/vk-later"
cp "$tmp/passphrase" "$tmp/passphrase-later"
seal "$image" target -later
later=$(header)
fresh
attack poke $(item $HEADER 0) 0 "$later"
attack poke $(second_header) 0 "$later"
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 'do not belong together' $one; done

say "slots that would cost too much: 9 at once, in 400 MB of address space"
# costly KDF P1 P2 P3 TEXT
costly() {
	fresh
	attack poke $(item $SLOT 0) 39 "$(le 1 "$1")$(le 4 "$2")$(le 4 "$3")$(le 4 "$4")"
	local one
	limited refused 2 'wrong key or passphrase' do_cat	# the header does not vouch for it
	vouch 0
	for one in do_cat do_verify do_verify_key do_decrypt; do
		refused 9 "key slot 0: .*$5" limited $one
	done
}
limited() { (ulimit -v 400000 -t 2; "$@"); }
costly 1 $((1 << 31)) 3 1 'KiB of memory'
costly 1 $(((1 << 20) + 1)) 1 1 'KiB of memory'
costly 1 $((1 << 20)) 17 1 'passes'
costly 1 65536 65 1 'passes'
costly 1 $(((1 << 32) - 1)) $(((1 << 32) - 1)) 1 'KiB of memory'
costly 1 65536 0 1 'passes'
costly 1 0 3 1 'KiB of memory'
costly 1 65536 3 2 'lanes'
costly 2 100000001 0 0 'iterations'
costly 2 $(((1 << 32) - 1)) 0 0 'iterations'
costly 2 0 0 0 'iterations'
say "a costly slot does not keep another one from being tried"
fresh
attack put $(item $SLOT 1) "$(slot | cut -c 1-72)0100$(slot | cut -c 77-)"
attack poke $(item $SLOT 0) 39 "$(le 1 1)$(le 4 $((1 << 31)))$(le 4 3)$(le 4 1)"
vouch 0
vouch 1
refused 9 'KiB of memory' limited do_cat
