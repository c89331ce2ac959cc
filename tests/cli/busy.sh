#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A plan can be made for an image that somebody else uses, with a warning; converting it is refused. If an image may not be written, the text says so.
. "$(dirname "$0")/../expect.sh"
bundled_image
printf 'secret' > key
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
locked="another process holds a lock on it (process N, flock)"
FILTER='s/process [0-9]+,/process N,/'
warning="! btrfs-crypt convert: warning: disk.img: $locked: while it is, the conversion itself is refused"

# plan WORD...: the plan with and without a lock differ by the warning, and the image is not changed
plan() {
	btrfs-crypt convert --dry-run "$@" > free 2> err < /dev/null || { bad "$*: status $?"; cat err; }
	[ -s free ] && [ ! -s err ] || { bad "$*: no plan, or a warning for an image that nobody uses"; cat err; }
	{ cat free; echo "$warning"; } > text
	transcript 0 flock disk.img btrfs-crypt convert --dry-run "$@" < text
}
# refused STATUS TEXT COMMAND...
refused() {
	{
		echo "! btrfs-crypt convert: $2"
		[ "$1" != 5 ] || echo "! btrfs-crypt convert: hint: nothing was changed; run this again when nobody else uses the image"
	} > text
	transcript "$1" "${@:3}" < text
}
unchanged disk.img
plan --encrypt disk.img vault
transcript 0 flock disk.img btrfs-crypt convert --dry-run --encrypt --format json disk.img vault < <(
	btrfs-crypt convert --dry-run --encrypt --format json disk.img vault
	echo "! {\"warning\":\"disk.img: $locked: while it is, the conversion itself is refused\"}")
refused 5 "disk.img: $locked" flock disk.img btrfs-crypt convert --encrypt disk.img vault --key-file key $cheap
unchanged disk.img
rm disk.img.sum
quiet btrfs-crypt convert --encrypt disk.img vault --key-file key $cheap
unchanged disk.img
plan --decrypt disk.img vault --key-file key
refused 5 "disk.img: $locked" flock disk.img btrfs-crypt convert --decrypt disk.img vault --key-file key

# Root may write to everything, unless it is told not to.
without=
[ "$(id -u)" -ne 0 ] || without="setpriv --bounding-set -dac_override"
chmod a-w disk.img
refused 11 "disk.img: cannot open for writing: Permission denied" $without btrfs-crypt convert --decrypt disk.img vault --key-file key
plan --decrypt disk.img vault --key-file key
chmod a-r disk.img
[ "$(id -u)" -ne 0 ] || without="setpriv --bounding-set -dac_override,-dac_read_search"
transcript 11 $without btrfs-crypt list disk.img <<< "! btrfs-crypt list: disk.img: cannot open: Permission denied"
chmod u+r disk.img
unchanged disk.img
finish
