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

slot() { attack peek $(item $SLOT 0 "${1:-1}") 0 220; }
header() { attack peek $(item $HEADER 0 "${1:-1}") 0 288; }

say "the slot of another domain: 13; made to look like this one's: 2"
fresh
theirs=$(slot 2)
attack poke $(item $SLOT 0) 0 "$theirs"
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 'do not belong together' $one; done
# the domain uuid is bytes 20 to 35 of a slot
attack poke $(item $SLOT 0) 20 "$(header | cut -c $((2 * 56 + 1))-$((2 * 72)))"
KEY=(--passphrase-file "$tmp/passphrase2")
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
KEY=("${VK[@]}")
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 'does not vouch for its key slots' $one; done
KEY=(--passphrase-file "$tmp/passphrase")

say "one more slot beside the right one: 13"
fresh
attack put $(item $SLOT 1) "$(attack forge-slot 1 "$tmp/wrong-passphrase" "$uuid")"
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 '2 key slots|says 1 key slots, but there are 2' $one; done
say "and the header's number of slots changed with it: 13"
attack poke $(item $HEADER 0) 104 "$(le 8 2)"
attack poke $(second_header) 104 "$(le 8 2)"
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 'header of sealing 1' $one; done
say "the slot taken away: 13"
fresh
attack drop $(item $SLOT 0)
for one in do_cat do_verify do_verify_key do_decrypt; do refused 13 'says 1 key slots, but there are 0' $one; done

say "each byte of a slot: 2 where it does not open, 13 where it is no slot any more, 9 where it would cost too much"
for at in 0 4 8 16 20 36 38 39 40 44 52 68 76 140 172 219; do
	fresh
	attack xor $(item $SLOT 0) "$at" 3
	status=0
	before=$(fingerprint "$image")
	do_cat >"$tmp/out" 2>"$tmp/err" || status=$?
	case $at in
	36 | 0 | 4 | 8 | 20 | 44 | 48) want=13 ;;		# number, head, magic, domain, parameters that PBKDF2 does not have
	16 | 39) want=9 ;;				# the unreleased version; another function, for which these parameters are none
	*) want=2 ;;
	esac
	[[ " $want " == *" $status "* ]] || { cat "$tmp/err"; fail "byte $at of a slot: exit status $status, not $want"; }
	[ "$before" = "$(fingerprint "$image")" ] || fail "the image was changed"
	# the volume key does not need the slot, but the header vouches for it
	KEY=("${VK[@]}")
	[ "$at" = 16 ] && want=9 || want=13
	refused $want '.' do_cat
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
attack poke $(item $HEADER 0) 104 "$(le 8 2)"
attack poke $(second_header) 104 "$(le 8 2)"
refused 9 'KiB of memory' limited do_cat
