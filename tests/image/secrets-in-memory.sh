#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Once the volume key is open, neither the secret that opened it nor anything derived on the way is in memory. The test searches all memory of a
# process that was stopped while it worked on data. Freed memory contains nothing that was sealed.
. "$(dirname "$0")/lib.sh"
need_root
need_crypt
WATCHED=${BUILD:-$PROJECT/build}/tests/image/watched
[ -x "$WATCHED" ] || skip "needs make tools"
MARK=Plain-text-marker-0123456789abcdef
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000 -q"
MIB=1048576

printf 'correct horse battery staple' >"$tmp/key"
(cat "$tmp/key"; echo) >"$tmp/passphrase"

image_make "$tmp/plain.img" 512M
image_mount "$tmp/plain.img" "$tmp/mnt"
(
	cd "$tmp/mnt"
	btrfs -q subvolume create sv
	btrfs -q subvolume create sv/nested
	head -c 136M /dev/urandom >sv/big
	for ((i = 0; i < 300; i++)); do echo "$MARK line $i of it, and more"; done >"$tmp/text"
	cp "$tmp/text" sv/plain
	for one in zlib lzo zstd; do
		touch "sv/$one" "sv/in-$one"
		btrfs property set "sv/$one" compression "$one"
		btrfs property set "sv/in-$one" compression "$one"
		for ((i = 0; i < 20; i++)); do cat "$tmp/text"; done >"sv/$one"
		echo "$MARK $MARK $MARK $MARK $MARK $MARK" >"sv/in-$one"
	done
	echo "$MARK" >sv/inline
	ln -s "link-$MARK" sv/link
	cp "$tmp/text" sv/nested/plain
)
image_umount

hold() { python3 "$IMAGE_TESTS/hold.py" "$@"; }

# held NAME IMAGE-AFTERWARDS ARGUMENTS-OF-HOLD...: stopped there, the secrets are gone
held() {
	local name=$1 sealed=$2
	shift 2
	hold "$tmp/$name" "$@" >"$tmp/out" 2>&1 || { tail -5 "$tmp/out"; fail "$name: it was not stopped where it should be"; }
	python3 "$IMAGE_TESTS/find-secrets.py" "$sealed" "$tmp/key" "$tmp/$name" || fail "$name: secrets are in memory"
	rm "$tmp/$name"
}

# --- secrets -------------------------------------------------------------------------------------------------------

seal() {	# seal NAME HOW-IT-IS-GIVEN...
	local name=$1 i=$tmp/image.img at=()
	shift
	while [ "$1" != -- ]; do at+=("$1"); shift; done
	shift
	cp --sparse=always "$tmp/plain.img" "$i"
	held "$name" "$i" wchar $((70 * MIB)) "${at[@]}" "$BTRFS_CRYPT" convert --encrypt $cheap "$@" "$i" sv sv/nested
}

seal seal-passphrase-file -- --passphrase-file "$tmp/passphrase"
seal seal-key-file -- --key-file "$tmp/key"
seal seal-stdin --stdin "$tmp/passphrase" -- --passphrase-file -
seal seal-key-stdin --stdin "$tmp/key" -- --key-file -
seal seal-terminal --type "$(cat "$tmp/key")" --
cp --sparse=always "$tmp/image.img" "$tmp/sealed.img"
say "sealed, without a trace of the secrets"

cp --sparse=always "$tmp/sealed.img" "$tmp/image.img"
held unseal "$tmp/sealed.img" wchar $((70 * MIB)) "$BTRFS_CRYPT" convert --decrypt -q --passphrase-file "$tmp/passphrase" "$tmp/image.img" sv
held verify "$tmp/sealed.img" rchar $((70 * MIB)) "$BTRFS_CRYPT" verify --passphrase-file "$tmp/passphrase" "$tmp/sealed.img" sv
held cat "$tmp/sealed.img" rchar $((70 * MIB)) "$BTRFS_CRYPT" cat --key-file "$tmp/key" "$tmp/sealed.img" sv big
held export "$tmp/sealed.img" rchar $((70 * MIB)) "$BTRFS_CRYPT" export --key-file "$tmp/key" --recursive -o "$tmp/x.tar" "$tmp/sealed.img" sv
rm "$tmp/x.tar"
for how in "--decrypt --resume" --abort; do
	# Stopped by a signal while it works on data, then gone on with.
	cp --sparse=always "$tmp/sealed.img" "$tmp/image.img"
	expect_status 8 hold -TERM wchar $((30 * MIB)) "$BTRFS_CRYPT" convert --decrypt -q --key-file "$tmp/key" "$tmp/image.img" sv
	held continue "$tmp/sealed.img" wchar $((50 * MIB)) "$BTRFS_CRYPT" convert $how --key-file "$tmp/key" "$tmp/image.img"
done
say "unsealed and read, likewise"

# --- plain text ------------------------------------------------------------------------------------------------------

# watched COMMAND...: gives no memory back that holds what was sealed
watched() { WATCH_FREED=$MARK expect_status 0 "$WATCHED" "$@"; }

cp --sparse=always "$tmp/plain.img" "$tmp/image.img"
watched convert --encrypt $cheap --key-file "$tmp/key" "$tmp/image.img" sv sv/nested
for one in plain zlib lzo zstd in-zlib in-lzo in-zstd inline; do
	watched cat -q --key-file "$tmp/key" "$tmp/sealed.img" sv "$one"
	grep -q "$MARK" "$tmp/out" || fail "cat of $one printed something else"
done
watched verify --key-file "$tmp/key" "$tmp/sealed.img" sv
watched ls -l --key-file "$tmp/key" "$tmp/sealed.img" sv
expect_text "$tmp/out" "link-$MARK"
watched stat --key-file "$tmp/key" "$tmp/sealed.img" sv link
expect_text "$tmp/out" "link-$MARK"
watched convert --decrypt -q --key-file "$tmp/key" "$tmp/image.img" sv
say "no plain text in memory that was given back"
