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
printf 'a new one for the next slot' >"$tmp/new"
(cat "$tmp/key"; echo) >"$tmp/passphrase"

image_make "$tmp/plain.img" 160M
image_mount "$tmp/plain.img" "$tmp/mnt"
(
	cd "$tmp/mnt"
	btrfs -q subvolume create sv
	btrfs -q subvolume create sv/nested
	head -c 12M /dev/urandom >sv/big
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

WHEN=$(dirname "$WATCHED")/signal-when

# held NAME CONDITION COMMAND...: its memory then, as $tmp/NAME.dump
held() {
	local name=$1 condition=$2
	shift 2
	"$WHEN" DUMP:"$tmp/$name.dump" "$condition" "$@" >"$tmp/out" 2>"$tmp/err" || { tail -5 "$tmp/out" "$tmp/err"; fail "$name: status $?"; }
}
# gone SEALED-IMAGE: the secrets are in none of the dumps
gone() {
	python3 "$IMAGE_TESTS/find-secrets.py" "$1" "$tmp/key" "$tmp/new" "$tmp"/*.dump || fail "secrets are in memory"
	rm "$tmp"/*.dump
}

# --- secrets -------------------------------------------------------------------------------------------------------

# seal NAME HOW-IT-IS-GIVEN...: stopped while it writes data
seal() {
	local name=$1
	shift
	cp --sparse=always "$tmp/plain.img" "$tmp/image.img"
	held "$name" wrote:$((5 * MIB)) "$BTRFS_CRYPT" convert --encrypt $cheap "$@" "$tmp/image.img" sv sv/nested
	gone "$tmp/image.img"
}

seal passphrase-file --passphrase-file "$tmp/passphrase"
seal key-file --key-file "$tmp/key"
seal stdin --passphrase-file - < <(cat "$tmp/passphrase")
seal key-stdin --key-file - < <(cat "$tmp/key")
cp --sparse=always "$tmp/plain.img" "$tmp/image.img"
asks="New passphrase for 2 subvolumes of $tmp/image.img: "
"$PROJECT/tests/on-terminal.py" "$asks" "$(cat "$tmp/key")" "The same again: " "$(cat "$tmp/key")" -- \
	"$WHEN" DUMP:"$tmp/terminal.dump" wrote:$((5 * MIB)) "$BTRFS_CRYPT" convert --encrypt $cheap "$tmp/image.img" sv sv/nested >"$tmp/out" ||
	{ cat "$tmp/out"; fail "on a terminal"; }
gone "$tmp/image.img"
cp --sparse=always "$tmp/image.img" "$tmp/sealed.img"
say "sealed, without a trace of the secrets"

held unseal wrote:$((5 * MIB)) "$BTRFS_CRYPT" convert --decrypt -q --passphrase-file "$tmp/passphrase" "$tmp/image.img" sv
held verify read:$((5 * MIB)) "$BTRFS_CRYPT" verify --passphrase-file "$tmp/passphrase" "$tmp/sealed.img" sv
held cat read:$((5 * MIB)) "$BTRFS_CRYPT" cat --key-file "$tmp/key" "$tmp/sealed.img" sv big
held export read:$((5 * MIB)) "$BTRFS_CRYPT" export --key-file "$tmp/key" --recursive -o "$tmp/x.tar" "$tmp/sealed.img" sv
rm "$tmp/x.tar"
for how in "--decrypt --resume" --abort; do
	# Stopped by a signal while it works on data, then gone on with.
	cp --sparse=always "$tmp/sealed.img" "$tmp/image.img"
	expect_status 8 "$WHEN" TERM wrote:$((3 * MIB)) "$BTRFS_CRYPT" convert --decrypt -q --key-file "$tmp/key" "$tmp/image.img" sv
	held "continue$how" wrote:65536 "$BTRFS_CRYPT" convert $how --key-file "$tmp/key" "$tmp/image.img"
done
gone "$tmp/sealed.img"
say "unsealed and read, likewise"

# Secrets of the old key, and of the new one that is made.
cp --sparse=always "$tmp/sealed.img" "$tmp/image.img"
expect_status 8 "$WHEN" TERM wrote:$((3 * MIB)) "$BTRFS_CRYPT" convert --rekey $cheap --key-file "$tmp/key" "$tmp/image.img" sv
held rekey-continue wrote:65536 "$BTRFS_CRYPT" convert --resume --key-file "$tmp/key" "$tmp/image.img"
cp "$tmp/rekey-continue.dump" "$tmp/dump"
gone "$tmp/image.img:2"
mv "$tmp/dump" "$tmp/rekey-continue.dump"
cp --sparse=always "$tmp/sealed.img" "$tmp/image.img"
held rekey wrote:$((5 * MIB)) "$BTRFS_CRYPT" convert --rekey $cheap --key-file "$tmp/key" "$tmp/image.img" sv
gone "$tmp/sealed.img"
say "rekeyed, likewise"

# When the first of the new slots is written, and when the keyring has the key.
for how in "add --new-key-file $tmp/new" "change --new-key-file $tmp/new" "recovery -q" "label --label x"; do
	[[ $how == *new* ]] && how="$how --pbkdf pbkdf2 --pbkdf-force-iterations 1000"
	cp --sparse=always "$tmp/sealed.img" "$tmp/image.img"
	held "key-${how%% *}" wrote:4096 "$BTRFS_CRYPT" key ${how%% *} "$tmp/image.img" sv --key-file "$tmp/key" ${how#* }
done
held key-in prints:'has logged in' "$BTRFS_CRYPT" key in "$tmp/sealed.img" sv --key-file "$tmp/key" --keyring user
"$BTRFS_CRYPT" key out --forget "$tmp/sealed.img" sv >"$tmp/out"
gone "$tmp/sealed.img"
say "key slots changed, likewise"

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
watched convert --rekey $cheap --key-file "$tmp/key" "$tmp/image.img" sv
watched convert --decrypt -q --key-file "$tmp/key" "$tmp/image.img" sv
say "no plain text in memory that was given back"
