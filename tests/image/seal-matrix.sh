#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The full cycle over a cover of checksum types, node sizes, profiles, space caches and older formats; both ciphers.
# seal-matrix.sh [PART-OF-A-ROW]...: only these rows
. "$(dirname "$0")/lib.sh"
. "$IMAGE_TESTS/seal-lib.sh"
need_root
need_crypt

# name | size | mount options | cipher | mkfs options
rows="
xxhash-4k-single        | 600M |                | chacha20-poly1305 | --csum xxhash -n 4096 -m single -d single
sha256-64k-dup          | 900M |                | aes-256-gcm       | --csum sha256 -n 65536 -m dup -d dup
blake2-mixed-v1         | 256M | space_cache=v1 | chacha20-poly1305 | --csum blake2 --mixed -R ^free-space-tree
crc32c-mixed-dup        | 300M |                | aes-256-gcm       | --mixed -m dup -d dup
crc32c-16k-old          | 700M | nospace_cache  | aes-256-gcm       | -O ^no-holes,^skinny-metadata,^extref -R ^free-space-tree -m dup -d single
crc32c-32k-quota        | 700M |                | chacha20-poly1305 | -n 32768 -R quota -m single -d dup
"

new_keys
while IFS='|' read -r name size mount cipher options; do
	name=${name// } size=${size// } cipher=${cipher// }
	[ -n "$name" ] || continue
	if [ $# -gt 0 ]; then
		for part; do [[ $name == *"$part"* ]] && break; done
		[[ $name == *"$part"* ]] || continue
	fi
	say "--- $name"
	# shellcheck disable=SC2086
	image_make "$tmp/disk.img" "$size" $options
	MOUNT_OPTIONS=${mount// }
	make_content "$tmp/disk.img" 3000000
	# shellcheck disable=SC2086
	full_cycle "$tmp/disk.img" "$cipher" --volume-key-file "$tmp/vk" </dev/null
done <<<"$rows"
