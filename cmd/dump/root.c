/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of the root tree: root items with their encryption tag, references between subvolumes, uuids. */
#include "cmd/dump/items.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/fs/subvolume.h"
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

static void dump_times(struct dump *dump, const struct root *root)
{
	static const struct {
		const char *name;
		size_t at;
	} times[] = {
		{ "ctime", offsetof(struct root, ctime) }, { "otime", offsetof(struct root, otime) },
		{ "stime", offsetof(struct root, stime) }, { "rtime", offsetof(struct root, rtime) },
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		dump_time(dump, times[i].name, (const struct inode_time *)((const char *)root + times[i].at));
		dump_end_line(dump);
	}
}

static void dump_tag(struct dump *dump, const struct root *root)
{
	char text[ROOT_TAG_TEXT_SIZE];

	if (!root_tag_text(root, text))
		return;
	dump_text(dump, "Encryption:", text);
	dump_number(dump, "key_len", root->key_len);
	dump_number(dump, "key_hash", root->key_hash);
	dump_end_line(dump);
}

bool dump_root(struct dump *dump, struct cursor *item, struct error *err)
{
	struct disk_root_item disk = { 0 };
	struct root root;

	memcpy(&disk, item->at, item->left < sizeof(disk) ? item->left : sizeof(disk));
	if (!root_read(item, &root, err))
		return false;

	const struct key progress = key_from_disk(&disk.drop_progress);

	if (dump->object) {
		dump_group(dump, "inode");
		dump_inode_fields(dump, &disk.inode);
		dump_group_end(dump);
	}

	dump_u64(dump, "generation", root.generation);
	dump_u64(dump, "root_dirid", root.dirid);
	dump_u64(dump, "bytenr", root.bytenr);
	dump_u64(dump, "byte_limit", le64(disk.byte_limit));
	dump_u64(dump, "bytes_used", root.bytes_used);
	dump_end_line(dump);
	dump_u64(dump, "last_snapshot", root.last_snapshot);
	dump_root_flags(dump, root.flags);
	dump_number(dump, "refs", root.refs);
	dump_end_line(dump);
	dump_key(dump, "drop_progress", &progress);
	dump_number(dump, "drop_level", disk.drop_level);
	dump_end_line(dump);
	dump_number(dump, "level", root.level);
	if (root.is_short) {
		dump_end_line(dump);
		return true;
	}
	dump_u64(dump, "generation_v2", le64(disk.generation_v2));
	dump_end_line(dump);
	if (root.has_v2) {
		dump_uuid(dump, "uuid", root.uuid);
		dump_end_line(dump);
		dump_uuid(dump, "parent_uuid", root.parent_uuid);
		dump_end_line(dump);
		dump_uuid(dump, "received_uuid", root.received_uuid);
		dump_end_line(dump);
		dump_u64(dump, "ctransid", root.ctransid);
		dump_u64(dump, "otransid", root.otransid);
		dump_u64(dump, "stransid", root.stransid);
		dump_u64(dump, "rtransid", root.rtransid);
		dump_end_line(dump);
		dump_times(dump, &root);
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
	dump_words(dump, dump->key->type == KEY_ROOT_REF ? "root ref key" : "root backref key");
	dump_u64(dump, "dirid", ref.dirid);
	dump_u64(dump, "sequence", ref.sequence);
	dump_name(dump, "name", ref.name.at, ref.name.left);
	dump_end_line(dump);
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
			dump_u64(dump, "subvol_id", id);
		}
	}
	dump_list_end(dump);
	return ok;
}
