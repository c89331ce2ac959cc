/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of the root tree: root items with their encryption tag, references between subvolumes, uuids. */
#include "cmd/dump/items.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/fs/subvolume.h"
#include "format/legacy.h"
#include "format/root.h"
#include "format/small-item.h"

static const struct bit_name root_flags[] = {
	{ ROOT_RDONLY, "RDONLY" }, { ROOT_DEAD, "DEAD" }, { ROOT_ENCRYPT_2016, "ENCRYPT_2016" },
};

/* In the text only the bits that btrfs-progs names, and ours. */
static void dump_root_flags(struct dump *dump, uint64_t flags)
{
	const size_t n = sizeof(root_flags) / sizeof(root_flags[0]);
	char text[64];

	dump_bits(dump, "flags", flags, dump->object ? bits_text(flags, root_flags, n, text, sizeof(text)) :
			  known_bits_text(flags & ~ROOT_DEAD, root_flags, n, "none", text, sizeof(text)));
}

/* The same bytes in the format of 2016, under the names of its fields, or in that of early 2016. */
static void dump_legacy_tag(struct dump *dump, const struct root *root)
{
	struct legacy_root legacy;
	char hash[12];

	legacy_root_of(root, &legacy);
	if (legacy.is_early) {
		LINE(dump_text(dump, "encrypt_algo", legacy.algorithm), dump_text(dump, "encrypt_keytag", legacy.tag));
		return;
	}
	snprintf(hash, sizeof(hash), "0x%08" PRIx32, legacy.key_hash);
	LINE(dump_text(dump, "encrypt_algo", legacy.algorithm[0] ? legacy.algorithm : "none"), VALUE("crypto_keylen", legacy.key_len),
	     dump_text(dump, "crypto_keyhash", hash));
}

static void dump_tag(struct dump *dump, const struct root *root)
{
	char text[ROOT_TAG_TEXT_SIZE];

	if (root->flags & ROOT_ENCRYPT_2016) {
		dump_legacy_tag(dump, root);
		return;
	}
	if (!root_tag_text(root, text))
		return;
	LINE(dump_text(dump, "Encryption:", text), VALUE_OF(*root, key_len), VALUE_OF(*root, key_hash));
}

bool dump_root(struct dump *dump, struct cursor *item, struct error *err)
{
	struct disk_root_item disk = { 0 };
	struct root root;

	memcpy(&disk, item->at, item->left < sizeof(disk) ? item->left : sizeof(disk));
	if (!root_read(item, &root, err))
		return false;

	if (dump->object) {
		dump_group(dump, "inode");
		dump_inode_fields(dump, &disk.inode);
		dump_group_end(dump);
	}

	LINE(VALUE_OF(root, generation), VALUE("root_dirid", root.dirid), VALUE_OF(root, bytenr), VALUE_OF(disk, byte_limit),
	     VALUE_OF(root, bytes_used));
	VALUE_OF(root, last_snapshot);
	dump_root_flags(dump, root.flags);
	LINE(VALUE_OF(root, refs));
	LINE(VALUE_OF(disk, drop_progress), VALUE_OF(disk, drop_level));
	VALUE_OF(root, level);
	if (root.is_short) {
		dump_end_line(dump);
		return true;
	}
	LINE(VALUE_OF(disk, generation_v2));
	if (root.has_v2) {
		LINE(UUID_OF(root, uuid));
		LINE(UUID_OF(root, parent_uuid));
		LINE(UUID_OF(root, received_uuid));
		LINE(VALUE_OF(root, ctransid), VALUE_OF(root, otransid), VALUE_OF(root, stransid), VALUE_OF(root, rtransid));
		LINE(dump_time(dump, "ctime", &root.ctime));
		LINE(dump_time(dump, "otime", &root.otime));
		LINE(dump_time(dump, "stime", &root.stime));
		LINE(dump_time(dump, "rtime", &root.rtime));
	}
	dump_tag(dump, &root);
	dump_json_hex(dump, "reserved", root.reserved, sizeof(root.reserved));
	return true;
}

bool dump_root_ref(struct dump *dump, struct cursor *item, struct error *err)
{
	struct root_ref ref;

	if (!root_ref_read(item, &ref, err))
		return false;
	LINE(dump_words(dump, dump->key->type == KEY_ROOT_REF ? "root ref key" : "root backref key"), VALUE_OF(ref, dirid), VALUE_OF(ref, sequence),
	     dump_name(dump, "name", ref.name.at, ref.name.left));
	return true;
}

bool dump_uuid_item(struct dump *dump, struct cursor *item, struct error *err)
{
	bool ok = true;

	dump_list(dump, "subvolumes");
	while (ok && item->left > 0) {
		uint64_t id;

		ok = uuid_item_next(item, &id, err);
		if (ok) {
			dump_element(dump);
			VALUE("subvol_id", id);
		}
	}
	dump_list_end(dump);
	return ok;
}
