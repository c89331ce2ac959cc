# SPDX-License-Identifier: GPL-2.0-or-later
# What the command line tests share: a transcript is compared line by line.  Source it first; the test ends with `finish`.
# shellcheck shell=bash
set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BTRFS_CRYPT=${BTRFS_CRYPT:-$TOP/build/btrfs-crypt}
export LC_ALL=C.UTF-8 TZ=UTC
umask 022
own=$(mktemp -d) && cd "$own" || exit 1
trap 'rm -rf "$own"' EXIT
[ -x "$BTRFS_CRYPT" ] || { echo "$BTRFS_CRYPT is not built"; exit 1; }
failures=0
PATH=$(dirname "$BTRFS_CRYPT"):$PATH
tools=$(dirname "$BTRFS_CRYPT")/tests/image

bad() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

# transcript STATUS COMMAND... < TEXT: stdout is compared with the lines of TEXT, stderr with those that begin with "! ", the status with STATUS.
# FILTER, a sed script, is applied to what the program printed: for what differs each time.
transcript() {
	local want_status=$1 status
	shift
	cat > want
	"$@" > out 2> err < /dev/null
	status=$?
	{
		cat out
		sed 's/^/! /' err
	} | sed -E "${FILTER:-}" > have
	[ "$status" = "$want_status" ] || bad "$*: status $status, not $want_status"
	diff -u --label expected --label printed want have || bad "$*"
}

# expect STATUS WORD...: the same for `btrfs-crypt WORD...`
expect() {
	local status=$1
	shift
	transcript "$status" btrfs-crypt "$@"
}

# quiet COMMAND...: must succeed; what it prints is only shown where it does not
quiet() { "$@" > log 2>&1 < /dev/null || { bad "$*: status $?"; cat log; }; }

# The bundled image, as disk.img
bundled_image() { zstd -dqf "$TOP/images/good-plain.img.zst" -o "${1:-disk.img}" || exit 1; }

# unchanged FILE: remembers at the first call, compares at the others
unchanged() {
	# A sparse image has little else but holes, which the tool need not read.
	local sum=sha256sum
	[ -x "$tools/fingerprint" ] && sum=$tools/fingerprint
	if [ -e "$1.sum" ]; then
		[ "$("$sum" "$1")" = "$(cat "$1.sum")" ] || bad "$1 was changed"
	else
		"$sum" "$1" > "$1.sum"
	fi
}

# with_signal SIGNAL CONDITION WORD...: what tests/image/signal-when.c does with `btrfs-crypt WORD...`
with_signal() {
	local signal=$1 condition=$2
	shift 2
	[ -x "$tools/signal-when" ] || { echo "$tools/signal-when is not built: make tools"; exit 1; }
	"$tools/signal-when" "$signal" "$condition" btrfs-crypt "$@" < /dev/null
}

# with_own_keyring: the test goes on in a session keyring of its own, so that no other test sees its keys
with_own_keyring() {
	[ -z "${HAS_OWN_KEYRING:-}" ] || return 0
	rm -rf "$own"
	cd "$TOP" && HAS_OWN_KEYRING=1 exec keyctl session - "$TOP/tests/cli/${0##*/}"
}

finish() {
	[ "$failures" -eq 0 ] || echo "$failures failures"
	exit $((failures != 0))
}
