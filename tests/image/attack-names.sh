#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A kernel that knows nothing of sealing exchanges, renames and moves sealed subvolumes, and tags say something else. Everything that reads them
# reports it, and nothing is decided by it.
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/attack-lib.sh"
sealed_base

# by_kernel COMMAND...: in the top level
by_kernel() {
	image_mount "$image" "$tmp/mnt" rw
	(cd "$tmp/mnt" && "$@")
	sync -f "$tmp/mnt"
	image_umount
}
quiet() { if grep -E 'sealed as|root item' "$tmp/err" "$tmp/out"; then fail "a warning without a reason"; fi; }

# moved NOW THEN ID FILE KEY-OPTION...: everything that reads the subvolume NOW tells THEN as well
moved() {
	local now=$1 then=$2 id=$3 file=$4 text
	shift 4
	text="warning: subvolume $now was sealed as $then: it was renamed or moved since, or put in the place of another\$"
	expect_unchanged 0 "$image" crypt cat --report "$tmp/report" "$@" "$image" "id:$id" "$file"
	expect_text "$tmp/err" "$text"
	grep -qF "{\"finding\":\"moved\",\"subvolume\":\"$id\",\"path\":\"$now\",\"sealed_as\":\"$then\"}" "$tmp/report" || fail "the report of cat"
	rm -rf "$tmp/report" "$tmp/exported"
	expect_unchanged 0 "$image" crypt export -o "$tmp/exported/" --report "$tmp/report" "$@" "$image" "id:$id:$file"
	expect_text "$tmp/err" "$text"
	grep -qF "{\"finding\":\"moved\",\"subvolume\":\"$id\",\"path\":\"$now\",\"sealed_as\":\"$then\"}" "$tmp/report" || fail "the report of export"
	rm "$tmp/report"
	expect_unchanged 2 "$image" crypt cat "$image" "id:$id" "$file"
	expect_text "$tmp/err" "$text"
	for command in ls "ls -R" show "stat:$file" "ls --format text"; do
		# shellcheck disable=SC2086
		expect_unchanged 0 "$image" crypt ${command%:*} "$image" "id:$id" $(cut -s -d: -f2 <<<"$command")
		expect_text "$tmp/err" "$text"
		[ "$(grep -c 'sealed as' "$tmp/err")" = 1 ] || fail "${command%:*} says it more than once"
	done
	expect_unchanged 0 "$image" crypt ls "$@" "$image" "id:$id"
	expect_text "$tmp/err" "$text"
	expect_unchanged 0 "$image" crypt list "$image"
	expect_text "$tmp/err" "$text"
	for command in list show; do
		expect_unchanged 0 "$image" crypt $command --format json "$image" "id:$id"
		grep -qE "\"path\":\"$now\".*\"sealed_as\":\"$then\"" "$tmp/out" || fail "$command --format json has not both paths"
	done
	expect_unchanged 0 "$image" crypt verify "$@" "$image" "id:$id"
	expect_text "$tmp/err" "$text"
	expect_text "$tmp/out" ', 0 failures$'
	expect_unchanged 6 "$image" crypt verify --strict-names "$@" "$image" "id:$id"
	expect_text "$tmp/out" "^$now: subvolume $now was sealed as $then"
	expect_text "$tmp/out" ', 1 failure$'
	expect_unchanged 6 "$image" crypt verify --strict-names --format json "$@" "$image" "id:$id"
	expect_text "$tmp/out" "\"record\":\"moved\",\"subvolume\":\"$id\",\"path\":\"$now\",\"sealed_as\":\"$then\""
	expect_text "$tmp/out" '"failures":"1"'
}

say "as it was sealed: nothing is said"
fresh
for command in "cat:pair-a" ls "ls -R" "stat:pair-a" verify; do
	# shellcheck disable=SC2046,SC2086
	expect_unchanged 0 "$image" crypt ${command%:*} $([ ${command%% *} = stat ] || echo "${VK[@]}") "$image" target $(cut -s -d: -f2 <<<"$command")
	quiet
done
expect_unchanged 0 "$image" crypt verify --strict-names "${VK[@]}" "$image" target
for command in list show; do
	expect_unchanged 0 "$image" crypt $command "$image" target
	quiet
done

say "exchanged with another that is sealed with another key"
by_kernel bash -c 'mv target x && mv other target && mv x other'
moved other target $TARGET pair-a "${VK[@]}"
moved target other $OTHER pair-a --volume-key-file "$tmp/vk2"
# By name: the other's bytes, and it is said
expect_unchanged 0 "$image" crypt cat --volume-key-file "$tmp/vk2" "$image" target pair-a
expect_text "$tmp/err" 'subvolume target was sealed as other'

say "renamed, to a name that is escaped"
fresh
by_kernel mv target $'new\nname'
expect_unchanged 0 "$image" crypt cat "${VK[@]}" "$image" id:$TARGET pair-a
expect_text "$tmp/err" 'subvolume new\\x0aname was sealed as target:'
expect_unchanged 6 "$image" crypt verify --strict-names "${VK[@]}" "$image" id:$TARGET

say "moved below another subvolume, and a directory above renamed"
fresh
by_kernel bash -c 'btrfs property set -ts target ro false && mv target plain/target && btrfs property set -ts plain/target ro true'
moved plain/target target $TARGET pair-a "${VK[@]}"
# As part of what is exported with it
expect_unchanged 0 "$image" crypt export --recursive -o "$tmp/all.tar" "${VK[@]}" "$image" plain
expect_text "$tmp/err" 'subvolume plain/target was sealed as target:'
expect_unchanged 0 "$image" crypt ls -R "$image" plain
expect_text "$tmp/err" 'subvolume plain/target was sealed as target:'

say "unsealed, and told: the name is whatever it is now"
expect_status 0 crypt convert --decrypt -q "${VK[@]}" "$image" plain/target
check_clean "$image"

say "two of one set exchanged, a long path, the top level"
fresh "$tmp/plain.img"
long=$(printf 'd%.0s' $(seq 200))
image_mount "$image" "$tmp/mnt" rw
(
	cd "$tmp/mnt"
	btrfs -q subvolume create first
	btrfs -q subvolume create second
	echo one >first/f
	head -c 70000 /dev/urandom >first/extent
	echo two >second/f
	for n in 1 2 3 4 5 6; do mkdir "$long$n"; cd "$long$n"; done
	btrfs -q subvolume create deep
	echo deep >deep/f
	sync -f .
)
deep=$(btrfs subvolume list "$tmp/mnt" | sed -n 's/^ID \([0-9]*\) .*\/deep$/\1/p')
first=$(btrfs inspect-internal rootid "$tmp/mnt/first") second=$(btrfs inspect-internal rootid "$tmp/mnt/second")
image_umount
crypt convert --encrypt -q "${VK[@]}" "$image" first second "id:$deep" >/dev/null
expect_unchanged 0 "$image" crypt verify --strict-names "${VK[@]}" "$image" first
quiet
cp --sparse=always "$image" "$tmp/three.img"
by_kernel bash -c 'mv first x && mv second first && mv x second'
[ "$(crypt cat -q "${VK[@]}" "$image" first f 2>"$tmp/err")" = two ] || fail "the wrong file"
expect_text "$tmp/err" 'subvolume first was sealed as second:'
expect_unchanged 6 "$image" crypt verify --strict-names "${VK[@]}" "$image" "id:$deep"
expect_text "$tmp/out" ', 2 failures$'
say "behind the first 1024 bytes of a path nothing is compared; before them it is"
fresh "$tmp/three.img"
by_kernel bash -c "cd ${long}1/${long}2/${long}3/${long}4/${long}5/${long}6 && mv deep other-name"
expect_unchanged 0 "$image" crypt verify --strict-names "${VK[@]}" "$image" "id:$deep"
by_kernel mv "${long}1" short
expect_unchanged 6 "$image" crypt verify --strict-names "${VK[@]}" "$image" "id:$deep"
expect_text "$tmp/out" "sealed as ${long}1/.*[0-9d]\.\.\.: it was renamed"
say "a snapshot made later has no place of its own"
fresh "$tmp/three.img"
by_kernel bash -c 'btrfs -q subvolume snapshot -r first anywhere'
expect_unchanged 0 "$image" crypt cat "${VK[@]}" "$image" anywhere f
quiet
expect_unchanged 0 "$image" crypt verify --strict-names "${VK[@]}" "$image" anywhere
quiet
say "a snapshot of which the source is gone, and that cannot be told for one any more: the keys are not cut"
fresh "$tmp/three.img"
image_mount "$image" "$tmp/mnt" rw,commit=1
btrfs -q subvolume snapshot -r "$tmp/mnt/first" "$tmp/mnt/kept"
kept=$(btrfs inspect-internal rootid "$tmp/mnt/kept")
btrfs -q subvolume delete "$tmp/mnt/first"
deleted_are_gone "$tmp/mnt"
image_umount
cp --sparse=always "$image" "$tmp/kept.img"
at=$(attack keys 1 "$kept" | awk '$1 == 132 { print $2 }')
attack xor 1 "$kept" 132 "$at" $((375 + 20)) 1
refused 6 'kept \(id [0-9]+\): its root item has the tag aes-256-gcm@btrfs:[0-9a-f]{8}, but it belongs to no sealing' \
	crypt convert --decrypt -q "${VK[@]}" "$image" second
refused 6 'kept \(id [0-9]+\): its root item has the tag' crypt convert --decrypt -q --dry-run --accept-changes "${VK[@]}" "$image" second
expect_unchanged 0 "$image" crypt verify "${VK[@]}" "$image" second
expect_text "$tmp/err" "subvolume $kept \\(kept\\): its root item has the tag"
say "nor with the whole tag gone: it has marked extents"
attack poke 1 "$kept" 132 "$at" 375 "$(printf '00%.0s' $(seq 24))"
refused 6 'kept \(id [0-9]+\): it has extents with the mark of sealing' crypt convert --decrypt -q "${VK[@]}" "$image" second
fresh "$tmp/kept.img"
expect_status 0 crypt convert --decrypt -q "${VK[@]}" "$image" second
[ "$(crypt cat -q "$image" kept f)" = one ] || fail "the snapshot is not plain text"
check_clean "$image"

say "the top level"
fresh "$tmp/plain.img"
crypt convert --encrypt -q "${VK[@]}" "$image" / >/dev/null
expect_unchanged 0 "$image" crypt verify --strict-names "${VK[@]}" "$image" /
quiet

# tagged TEXT: target is sealed as before whatever its tag says, and whoever looks at it is warned
tagged() {
	local text="subvolume target: the tag in its root item is $1, but it is sealed as aes-256-gcm@btrfs:[0-9a-f]{8}\$"
	for command in list show; do
		expect_unchanged 0 "$image" crypt $command "$image" target
		expect_text "$tmp/err" "$text"
		expect_text "$tmp/out" 'Encryption: .*aes-256-gcm@btrfs:'
		expect_unchanged 0 "$image" crypt $command --format json "$image" target
		grep -E '"path":"target"' "$tmp/out" | grep -E '"root_item_tag":.*"encryption":"aes-256-gcm@btrfs' >/dev/null || fail "$command --format json"
	done
	expect_unchanged 0 "$image" crypt verify "${VK[@]}" "$image" target
	expect_text "$tmp/err" "$text"
	expect_unchanged 0 "$image" crypt cat "${VK[@]}" "$image" target pair-a
	cmp "$tmp/out" "$tmp/files/pair-a" || fail "not as it was"
	expect_unchanged 2 "$image" crypt cat "$image" target small
	refused 9 'already' crypt convert --encrypt -q "${VK[@]}" "$image" target
}
fresh
tag=$(attack peek 1 $TARGET 132 0 375 24)
hex() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; }
say "a tag of zeros"
attack poke 1 $TARGET 132 0 375 "$(printf '00%.0s' $(seq 24))"
tagged missing
say "the tag of the other set"
attack poke 1 $TARGET 132 0 375 "$(attack peek 1 $OTHER 132 0 375 24)"
tagged 'aes-256-gcm@btrfs:[0-9a-f]{8}'
say "another cipher"
attack poke 1 $TARGET 132 0 375 "$(hex chacha-poly1305)00${tag:32}"
tagged 'chacha-poly1305@btrfs:[0-9a-f]{8}'
say "another hash"
attack poke 1 $TARGET 132 0 375 "${tag:0:40}deadbeef"
tagged 'aes-256-gcm@btrfs:efbeadde'
say "a name that is no cipher"
attack poke 1 $TARGET 132 0 375 "$(hex 'ctr(aes)')$(printf '00%.0s' $(seq 8))${tag:32}"
tagged 'ctr\(aes\)@btrfs:[0-9a-f]{8}'
say "unsealed as if nothing had been"
expect_status 0 crypt convert --decrypt -q "${VK[@]}" "$image" target
expect_files_plain
