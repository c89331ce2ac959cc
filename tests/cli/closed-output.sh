#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Standard output closed or full: a conversion prints its result, including the seal fingerprint, on standard error, and the status is that of the
# failure.
. "$(dirname "$0")/../expect.sh"
printf 'secret' > key
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"

# run STATUS WHERE ARGUMENTS...: WHERE is a redirection
run() {
	local want=$1 where=$2 status=0
	shift 2
	eval "btrfs-crypt \"\$@\" 2> err < /dev/null $where" || status=$?
	[ $status -eq "$want" ] || { bad "status $status, not $want: $* $where"; cat err; }
}
said() { grep -qxE -- "$1" err || { bad "no line '$1'"; cat err; }; }

where=(">&-")
[ -e /dev/full ] && where+=("> /dev/full")
for out in "${where[@]}"; do
	bundled_image
	run 11 "$out" convert --encrypt disk.img vault --key-file key $cheap
	said 'btrfs-crypt convert: standard output: (Bad file descriptor|No space left on device)'
	said 'sealed: 1 subvolume, .*'
	seal=$(sed -nE 's/^seal fingerprint: ([0-9a-f]{32})$/\1/p' err)
	[ -n "$seal" ] || bad "no fingerprint"
	expect 0 convert --status disk.img <<< "no unfinished conversion"
	btrfs-crypt verify disk.img vault --key-file key --expect-seal "$seal" > verified || bad "what was sealed is not what was said"
	run 11 "$out" verify disk.img vault --key-file key
	run 11 "$out" verify-key disk.img vault --key-file key
	run 2 "$out" verify-key disk.img vault --passphrase-file /dev/null
	run 11 "$out" convert --decrypt disk.img vault --key-file key
	said 'unsealed: 1 subvolume, .*'
	run 11 "$out" convert --encrypt disk.img vault --key-file key $cheap --format json
	seal=$(sed -nE 's/^\{"record":"summary","result":"sealed",.*"seal_fingerprint":"([0-9a-f]{32})".*\}$/\1/p' err)
	[ -n "$seal" ] || bad "no fingerprint in JSON"
	btrfs-crypt verify disk.img vault --key-file key --expect-seal "$seal" > verified || bad "what was sealed is not what JSON said"
	# What failed before has its own status, and is said alone.
	run 4 "$out" convert --encrypt disk.img nowhere --key-file key
	[ "$(grep -vc hint: err)" = 1 ] || { bad "more than one error"; cat err; }
	# The answer is in the status as well.
	dd if=/dev/zero of=disk.img bs=4096 seek=16 count=1 conv=notrunc status=none
	run 7 "$out" convert --status disk.img
	said 'btrfs-crypt convert: standard output: (Bad file descriptor|No space left on device)'
done
finish
