# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of the format of 2016 share: images in it.  Source it after lib.sh.
# shellcheck shell=bash disable=SC2154

LEGACY_KEY=000102030405060708090a0b0c0d0e0f
LEGACY_KEY_2017=$LEGACY_KEY$(printf '%s' 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f {2,3}{0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f})
LEGACY_TAG=btrfs:61e0d004
# The attributes that stand in for btrfs.encrypt and btrfs.cryptoiv, as manifest.py prints them.
LEGACY_STAND_INS=' trusted\.(%WCV\\xab|ayhX\)=)='

# legacy_fill FILE NODE-SIZE [WORD...]: a filesystem of the kernel's, to be written in the format; FILE.kernel: what its mount shows, and FILE.manifest: without
# the attributes of the format, and of files the sha256 of all bytes.  WORD: those of `legacy fill`, and
#   text=TEXT of btrfs.encrypt, or 2017    cache=v1 instead of the free space tree    single: one copy of tree blocks    dup: two of data, too
#   quota: with accounts of it
legacy_fill() {
	local file=$1 node_size=$2 text="ctr(aes)@$LEGACY_TAG" size=128M words=() mkfs=() options=noatime quota= word
	shift 2
	for word; do
		case $word in
		text=*) text=${word#*=} ;;
		cache=v1) mkfs+=(-R ^free-space-tree) options+=,space_cache=v1 ;;
		single) mkfs+=(-m single) ;;
		dup) mkfs+=(-d dup) size=256M ;;
		quota) quota=yes ;;
		*) words+=("$word") ;;
		esac
	done
	tool legacy
	image_make "$file" $size -n "$node_size" "${mkfs[@]}"
	image_mount "$file" "$tmp/mnt" "$options"
	[ -z "$quota" ] || btrfs quota enable "$tmp/mnt"
	(cd "$tmp/mnt" && "$tmp/legacy" fill "$node_size" "$text" "${words[@]}")
	[ -z "$quota" ] || btrfs -q quota rescan -w "$tmp/mnt"
	legacy_manifest "$tmp/mnt" "$file"
	image_umount
}

# legacy_manifest DIRECTORY NAME: NAME.kernel and NAME.manifest
legacy_manifest() {
	python3 -S -I "$IMAGE_TESTS/manifest.py" --flat "$1" >"$2.kernel"
	sed -E "s/$LEGACY_STAND_INS[^ ]*//g" "$2.kernel" >"$2.manifest"
}

# legacy_write FILE [OPTION...]: writes the format, with the options of `legacy write`.  FILE.report: what was encrypted, and which files cannot be read;
# FILE.options: what `legacy undo` needs; FILE.key: the key, as a file
legacy_write() {
	local file=$1 key=$LEGACY_KEY i exceptions=(--plain kept/plain --plain kept/inline)
	shift
	for ((i = 1; i <= $#; i++)); do
		[ "${!i}" = --key ] && key=${*:i+1:1}
		[ "${!i} ${*:i+1:1}" = "--layout 2017" ] && key=$LEGACY_KEY_2017
	done
	! grep -q '^e1/clones/inline ' "$file.kernel" || exceptions+=(--foreign clones/inline=clones/inline-source)
	! grep -q '^e1/gone/part ' "$file.kernel" || exceptions+=(--gone gone/whole --gone gone/part:131072)
	printf '%s\n' --key "$key" "${exceptions[@]}" "$@" >"$file.options"
	"$tmp/legacy" write --key "$key" "${exceptions[@]}" "$@" "$file" >"$file.report"
	printf "$(sed 's/../\\x&/g' <<<"$key")" >"$file.key"
}

# legacy_image FILE NODE-SIZE [WORD... | --OPTION...]: both
#   WORD: those of legacy_fill    cipher=ctr|cbc|cts: also in the text of btrfs.encrypt    layout=early|2017
#   OPTION: with what follows, those of `legacy write`
legacy_image() {
	local file=$1 node_size=$2 words=() options=()
	shift 2
	while [ $# -gt 0 ]; do
		case $1 in
		cipher=ctr) ;;
		cipher=cbc) options+=(--cipher cbc) words+=("text=cbc(aes)@$LEGACY_TAG") ;;
		cipher=cts) options+=(--cipher cts) words+=("text=cts(cbc(aes))@$LEGACY_TAG") ;;
		layout=early) options+=(--layout early) words+=("text=aes@$LEGACY_TAG" no-iv) ;;
		layout=2017) options+=(--layout 2017) words+=(text=2017 no-iv) ;;
		--*) break ;;
		*) words+=("$1") ;;
		esac
		shift
	done
	legacy_fill "$file" "$node_size" "${words[@]}"
	legacy_write "$file" "${options[@]}" "$@"
}

# legacy_undo FILE: it is the kernel's again
legacy_undo() {
	local options
	mapfile -t options <"$1.options"
	"$tmp/legacy" undo "${options[@]}" "$1" >/dev/null
}
