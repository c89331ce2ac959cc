/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adds up the items of an inode. */
#include "common/sealed/inode-version.h"

#include <sys/stat.h>
#include "common/tree/tree-gap.h"

static enum inode_part part_of(uint8_t type)
{
	switch (type) {
	case KEY_INODE_REF:
	case KEY_INODE_EXTREF:
		return INODE_PART_NAMES;
	case KEY_DIR_ITEM:
	case KEY_DIR_INDEX:
		return INODE_PART_LISTING;
	default:
		return INODE_PART_REST;
	}
}

void inode_version_add(struct inode_version *version, const struct canonical *canonical, const struct key *key, struct cursor item,
		       const uint8_t mac[CRYPT_MAC_SIZE])
{
	const enum inode_part part = part_of(key->type);
	struct disk_inode_item disk;

	if (key->type == KEY_INODE_ITEM && cursor_read(&item, &disk, sizeof(disk)))
		version->is_directory = S_ISDIR(le32(disk.mode));
	if (canonical->has_inline && !version->has_hint) {
		version->has_hint = true;
		version->hint = canonical->inline_place;
	}
	digest_add(part == INODE_PART_NAMES ? &version->names : part == INODE_PART_LISTING ? &version->listing : &version->rest, mac);
}

void inode_version_join(struct inode_version *version, const struct inode_version *next)
{
	version->is_directory |= next->is_directory;
	if (!version->has_hint) {
		version->has_hint = next->has_hint;
		version->hint = next->hint;
	}
	digest_add_sum(&version->names, &next->names);
	digest_add_sum(&version->listing, &next->listing);
	digest_add_sum(&version->rest, &next->rest);
}

/* Moves *key to the next wanted type of item of the inode. False: there is none. */
static bool skip_to(unsigned parts, struct key *key)
{
	for (unsigned type = key->type + 1u; type <= UINT8_MAX; type++) {
		if (parts & part_of((uint8_t)type)) {
			*key = (struct key){ key->objectid, (uint8_t)type, 0 };
			return true;
		}
	}
	return false;
}

static bool note_gap(void *context, const struct error *what, struct error *err)
{
	(void)err;
	*(struct error *)context = *what;
	return true;
}

static bool seek(const struct inode_versions *from, const struct key *first, struct tree_iter *iter, struct error *err)
{
	return from->gap ? tree_seek_over(from->subvolume, first, iter, note_gap, from->gap, err) : tree_seek(from->subvolume, first, iter, err);
}

bool inode_version_read(const struct inode_versions *from, uint64_t inode, unsigned parts, struct inode_version *version, struct error *err)
{
	const struct tree *const subvolume = from->subvolume;
	struct key next = { inode, 0, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	bool ok = seek(from, &next, &iter, err);

	*version = (struct inode_version){ .inode = inode };
	while (ok && iter.valid && iter.key.objectid == inode) {
		uint8_t mac[CRYPT_MAC_SIZE];
		bool out;

		if (!(parts & part_of(iter.key.type))) {
			next = iter.key;
			if (!skip_to(parts, &next))
				break;
			tree_iter_close(&iter);
			iter = (struct tree_iter){ 0 };
			ok = seek(from, &next, &iter, err);
			continue;
		}
		if (!orphan_leaves_out(from->orphans, subvolume, &iter.key, &out, err))
			return false;
		if (!out && !canonical_item_mac(from->canonical, subvolume, 0, &iter.key, iter.item, mac, err))
			return false;
		if (!out)
			inode_version_add(version, from->canonical, &iter.key, iter.item, mac);
		ok = from->gap ? tree_next_over(&iter, note_gap, from->gap, err) : tree_next(&iter, err);
	}
	return ok;
}

bool inode_version_entry(struct canonical *canonical, const struct inode_version *version, enum inode_entry_kind kind,
			 struct crypt_index_entry *entry, struct error *err)
{
	const struct le64 inode = to_le64(version->inode);
	const uint8_t kind_byte = kind;
	struct digest_sum sum = { 0 };
	uint8_t mac[CRYPT_MAC_SIZE];

	if (kind == INODE_ENTRY_FILE || kind == INODE_ENTRY_NAMES)
		digest_add_sum(&sum, &version->names);
	if (kind == INODE_ENTRY_FILE || kind == INODE_ENTRY_LISTING)
		digest_add_sum(&sum, &version->listing);
	if (kind == INODE_ENTRY_FILE || kind == INODE_ENTRY_DIRECTORY)
		digest_add_sum(&sum, &version->rest);
	mac_start(canonical->mac);
	mac_update(canonical->mac, "N", 1);
	mac_update(canonical->mac, &kind_byte, sizeof(kind_byte));
	mac_update(canonical->mac, &inode, sizeof(inode));
	digest_mac_update(canonical->mac, &sum);
	if (!mac_finish(canonical->mac, mac, err))
		return false;
	*entry = (struct crypt_index_entry){ .inode = version->inode, .hint = version->has_hint ? version->hint : 0 };
	memcpy(entry->mac, mac, sizeof(entry->mac));
	return true;
}

unsigned inode_entry_kinds(const struct inode_version *version, enum inode_entry_kind kinds[INODE_ENTRIES_MAX])
{
	if (!version->is_directory) {
		kinds[0] = INODE_ENTRY_FILE;
		return 1;
	}
	kinds[0] = INODE_ENTRY_NAMES;
	kinds[1] = INODE_ENTRY_DIRECTORY;
	kinds[2] = INODE_ENTRY_LISTING;
	return 3;
}
