/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Computes the MACs of the header of a domain and of the items that it vouches for. */
#include "common/sealed/domain-mac.h"

#include "common/sealed/header-backup.h"
#include "common/tree/tree.h"

#define ITEMS_LABEL "items"

static bool header_mac_new(const struct key_schedule *schedule, struct mac **mac, struct error *err)
{
	return mac_new(schedule, "header", "", 0, mac, err);
}

static void start(struct mac *mac)
{
	mac_start(mac);
	mac_update(mac, ITEMS_LABEL, strlen(ITEMS_LABEL));
}

static bool add_item(void *context, uint64_t key_offset, const struct cursor *payload, struct error *err)
{
	const struct le64 offset = to_le64(key_offset);
	uint8_t hash[32];

	if (!crypto_sha256(payload->at, payload->left, hash, err))
		return false;
	mac_update(context, &offset, sizeof(offset));
	mac_update(context, hash, sizeof(hash));
	return true;
}

/* The items of these kinds, which follow each other. */
static bool visit_kinds(struct volume *volume, uint16_t domain, enum crypt_kind from, enum crypt_kind to, domain_item_visit *visit, void *context,
			struct error *err)
{
	const struct key first = crypt_key(domain, from, 0), last = crypt_key(domain, to, CRYPT_INDEX_LAST);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;

	if (!tree_open(volume, ROOT_TREE_ID, &tree, err) || !tree_seek(&tree, &first, &iter, err))
		return false;
	while (iter.valid && key_compare(&iter.key, &last) <= 0) {
		if (!visit(context, iter.key.offset, &iter.item, err) || !tree_next(&iter, err))
			return false;
	}
	return true;
}

bool domain_vouched_items(struct volume *volume, uint16_t domain, domain_item_visit *visit, void *context, struct error *err)
{
	static_assert(CRYPT_INODE_FLAGS == CRYPT_MEMBER + 1, "one range of keys");
	return visit_kinds(volume, domain, CRYPT_MEMBER, CRYPT_INODE_FLAGS, visit, context, err) &&
	       visit_kinds(volume, domain, CRYPT_BAD_BLOCKS, CRYPT_BAD_BLOCKS, visit, context, err);
}

bool domain_slot_items(struct volume *volume, uint16_t domain, domain_item_visit *visit, void *context, struct error *err)
{
	return visit_kinds(volume, domain, CRYPT_SLOT, CRYPT_SLOT, visit, context, err);
}

bool domain_items_mac(struct volume *volume, uint16_t domain, const struct key_schedule *schedule, uint8_t out[CRYPT_MAC_SIZE],
		      struct error *err)
{
	cleanup_mac struct mac *mac = NULL;

	if (!header_mac_new(schedule, &mac, err))
		return false;
	start(mac);
	return domain_vouched_items(volume, domain, add_item, mac, err) && mac_finish(mac, out, err);
}

static bool add_of_backup(void *context, const struct crypt_backup_item *item, struct error *err)
{
	return item->place.kind == CRYPT_HEADER || item->place.kind == CRYPT_SLOT || add_item(context, item->offset, &item->payload, err);
}

bool header_backup_items_mac(const struct header_backup *backup, const struct key_schedule *schedule, uint8_t out[CRYPT_MAC_SIZE],
			     struct error *err)
{
	cleanup_mac struct mac *mac = NULL;

	if (!header_mac_new(schedule, &mac, err))
		return false;
	start(mac);
	return header_backup_items(backup, add_of_backup, mac, err) && mac_finish(mac, out, err);
}

static bool header_mac(const struct key_schedule *schedule, const struct crypt_header *header, uint8_t out[CRYPT_MAC_SIZE],
		       struct error *err)
{
	cleanup_mac struct mac *mac = NULL;
	struct disk_crypt_header disk;

	if (!header_mac_new(schedule, &mac, err))
		return false;
	crypt_header_write(header, &disk);
	mac_start(mac);
	mac_update(mac, &disk, offsetof(struct disk_crypt_header, mac));
	return mac_finish(mac, out, err);
}

bool crypt_header_seal(const struct key_schedule *schedule, struct crypt_header *header, struct error *err)
{
	return header_mac(schedule, header, header->mac, err);
}

bool crypt_header_check(const struct key_schedule *schedule, const struct crypt_header *header, bool *authentic,
			struct error *err)
{
	uint8_t mac[CRYPT_MAC_SIZE];

	if (!header_mac(schedule, header, mac, err))
		return false;
	*authentic = secret_same(mac, header->mac, sizeof(mac));
	return true;
}
