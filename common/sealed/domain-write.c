/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The items that describe a domain: header, slots, members, inode flags, seal. */
#include "common/sealed/domain-write.h"

#include <stdlib.h>

#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-slots.h"
#include "common/sealed/pack.h"
#include "common/tree/tree.h"

static bool item_len(struct volume *volume, const struct key *key, bool *is_there, size_t *len, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;

	if (!tree_open(volume, ROOT_TREE_ID, &tree, err) || !tree_find(&tree, key, &iter, is_there, err))
		return false;
	*len = *is_there ? iter.item.left : 0;
	return true;
}

static bool edit(struct transaction *tx, const struct key *key, const void *bytes, size_t len, struct error *err)
{
	uint8_t *data;
	uint32_t has;

	if (!tree_edit_item(tx, ROOT_TREE_ID, key, &data, &has, err))
		return false;
	memcpy(data, bytes, len);
	return true;
}

bool domain_insert(struct transaction *tx, uint16_t domain, enum crypt_kind kind, uint64_t index, const void *bytes, size_t len,
		   struct error *err)
{
	const struct key key = crypt_key(domain, kind, index);

	return tree_insert(tx, ROOT_TREE_ID, &key, bytes, (uint32_t)len, err);
}

bool domain_put(struct transaction *tx, struct volume *volume, const struct key *key, const void *bytes, size_t len, struct error *err)
{
	bool is_there;
	size_t has;

	if (!item_len(volume, key, &is_there, &has, err))
		return false;
	if (is_there && has == len)
		return edit(tx, key, bytes, len, err);
	return (!is_there || tree_remove(tx, ROOT_TREE_ID, key, err)) && tree_insert(tx, ROOT_TREE_ID, key, bytes, (uint32_t)len, err);
}

bool domain_put_headers(struct transaction *tx, struct volume *volume, const struct crypt_header *header, struct error *err)
{
	const struct key first = crypt_key(header->domain, CRYPT_HEADER, 0), second = crypt_second_header_key(header->domain);
	struct disk_crypt_header disk;

	crypt_header_write(header, &disk);
	return domain_put(tx, volume, &first, &disk, sizeof(disk), err) && domain_put(tx, volume, &second, &disk, sizeof(disk), err);
}

bool domain_write_header(struct transaction *tx, struct volume *volume, const struct key_schedule *schedule, struct crypt_header *header,
			 struct error *err)
{
	const struct key keys[] = { crypt_key(header->domain, CRYPT_HEADER, 0), crypt_second_header_key(header->domain) };
	struct disk_crypt_header disk;
	unsigned n_copies = 0;

	if (!crypt_header_seal(schedule, header, err))
		return false;
	crypt_header_write(header, &disk);
	for (unsigned i = 0; i < 2; i++) {
		bool is_there;
		size_t len;

		/* Opening the domain has already warned of a copy that is missing or has another size. */
		if (!item_len(volume, &keys[i], &is_there, &len, err) || (len == sizeof(disk) && !edit(tx, &keys[i], &disk, sizeof(disk), err)))
			return false;
		n_copies += len == sizeof(disk);
	}
	return n_copies > 0 || error_set(err, ERROR_KEY_HEADER, "both copies of the header of sealing %u are missing", header->domain);
}

static bool insert_headers(struct transaction *tx, const struct crypt_header *header, struct error *err)
{
	const struct key second = crypt_second_header_key(header->domain);
	struct disk_crypt_header disk;

	crypt_header_write(header, &disk);
	return domain_insert(tx, header->domain, CRYPT_HEADER, 0, &disk, sizeof(disk), err) &&
	       tree_insert(tx, ROOT_TREE_ID, &second, &disk, sizeof(disk), err);
}

static size_t flags_per_item(uint32_t node_size)
{
	return (crypt_item_max(node_size) - sizeof(struct disk_crypt_head)) / sizeof(struct disk_crypt_inode_flags);
}

size_t domain_flags_items(uint32_t node_size, size_t n)
{
	return (n + flags_per_item(node_size) - 1) / flags_per_item(node_size);
}

static bool insert_flags(struct transaction *tx, uint32_t node_size, const struct domain_items *items, uint16_t domain, struct error *err)
{
	const size_t per_item = flags_per_item(node_size);
	uint8_t *bytes = malloc(node_size);
	bool ok = bytes || error_memory(err);

	for (size_t i = 0; ok && i < items->n_flags; i += per_item) {
		const size_t n = items->n_flags - i < per_item ? items->n_flags - i : per_item;
		struct disk_crypt_head head;

		crypt_head_write(&head, CRYPT_INODE_FLAGS, (unsigned)n);
		memcpy(bytes, &head, sizeof(head));
		for (size_t j = 0; j < n; j++) {
			const struct crypt_inode_flags *flags = &items->flags[i + j];
			const struct disk_crypt_inode_flags disk = { to_le64(flags->member), to_le64(flags->inode), to_le64(flags->flags) };

			memcpy(bytes + sizeof(head) + j * sizeof(disk), &disk, sizeof(disk));
		}
		ok = domain_insert(tx, domain, CRYPT_INODE_FLAGS, i / per_item, bytes, sizeof(head) + n * sizeof(struct disk_crypt_inode_flags), err);
	}
	free(bytes);
	return ok;
}

static bool has_slot(const struct domain_items *items, unsigned number)
{
	for (size_t i = 0; i < items->n_slots; i++) {
		if (le16(items->slots[i].header.number) == number)
			return true;
	}
	return false;
}

static bool write_slots(struct transaction *tx, struct volume *volume, const struct domain_items *items, struct crypt_header *header,
			struct error *err)
{
	for (unsigned number = 0; number < CRYPT_SLOTS_MAX; number++) {
		const struct key key = crypt_key(header->domain, CRYPT_SLOT, number);
		bool is_there;
		size_t len;

		if (has_slot(items, number) || items->slots_kept >> number & 1)
			continue;
		memset(header->slot_hash[number], 0, CRYPT_SLOT_HASH_SIZE);
		if (!items->is_new && (!item_len(volume, &key, &is_there, &len, err) || (is_there && !tree_remove(tx, ROOT_TREE_ID, &key, err))))
			return false;
	}
	for (size_t i = 0; i < items->n_slots; i++) {
		const struct disk_crypt_slot *const slot = &items->slots[i];
		const unsigned number = le16(slot->header.number);
		const struct key key = crypt_key(header->domain, CRYPT_SLOT, number);

		if (!crypt_slot_hash(slot, sizeof(*slot), header->slot_hash[number], err) || !domain_put(tx, volume, &key, slot, sizeof(*slot), err))
			return false;
	}
	return true;
}

bool domain_write(struct transaction *tx, struct volume *volume, const struct key_schedule *schedule, const struct domain_items *items,
		  struct crypt_header *header, struct error *err)
{
	uint8_t bytes[CRYPT_MEMBER_MAX];
	struct disk_crypt_seal seal;

	if ((items->is_new && !insert_headers(tx, header, err)) || (items->slots && !write_slots(tx, volume, items, header, err)))
		return false;
	for (size_t i = 0; i < items->n_members; i++) {
		const struct key key = crypt_key(header->domain, CRYPT_MEMBER, i);

		if (!domain_put(tx, volume, &key, bytes, crypt_member_write(&items->members[i], bytes), err))
			return false;
	}
	if (!insert_flags(tx, volume->super.node_size, items, header->domain, err))
		return false;
	if (items->seal) {
		const struct key key = crypt_key(header->domain, CRYPT_SEAL, 0);

		crypt_seal_write(items->seal, &seal);
		if (!domain_put(tx, volume, &key, &seal, sizeof(seal), err))
			return false;
	}
	return domain_items_mac(volume, header->domain, schedule, header->items_mac, err);
}
