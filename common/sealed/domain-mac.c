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

static void add_hash(struct mac *mac, uint64_t key_offset, const uint8_t *hash)
{
	const struct le64 offset = to_le64(key_offset);

	mac_update(mac, &offset, sizeof(offset));
	mac_update(mac, hash, 32);
}

static bool add_item(void *context, uint64_t key_offset, const struct cursor *payload, struct error *err)
{
	uint8_t hash[32];

	if (!crypto_sha256(payload->at, payload->left, hash, err))
		return false;
	add_hash(context, key_offset, hash);
	return true;
}

static bool visit_between(const struct tree *tree, const struct key *first, const struct key *last, domain_item_visit *visit, void *context,
			  struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };

	if (!tree_seek(tree, first, &iter, err))
		return false;
	while (iter.valid && key_compare(&iter.key, last) <= 0) {
		if (!visit(context, iter.key.offset, &iter.item, err) || !tree_next(&iter, err))
			return false;
	}
	return true;
}

bool domain_vouched_items(struct volume *volume, uint16_t domain, domain_item_visit *visit, void *context, struct error *err)
{
	const struct key first = crypt_key(domain, CRYPT_SLOT, 0), last = crypt_key(domain, CRYPT_INODE_FLAGS, CRYPT_INDEX_LAST);
	const struct key first_bad = crypt_key(domain, CRYPT_BAD_BLOCKS, 0), last_bad = crypt_key(domain, CRYPT_BAD_BLOCKS, CRYPT_INDEX_LAST);
	struct tree tree;

	static_assert(CRYPT_MEMBER == CRYPT_SLOT + 1 && CRYPT_INODE_FLAGS == CRYPT_MEMBER + 1, "one range of keys");
	return tree_open(volume, ROOT_TREE_ID, &tree, err) && visit_between(&tree, &first, &last, visit, context, err) &&
	       visit_between(&tree, &first_bad, &last_bad, visit, context, err);
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

struct adding {
	struct mac *mac;
	uint32_t slots;
};

static bool add_of_backup(void *context, const struct crypt_backup_item *item, struct error *err)
{
	const struct adding *const adding = context;

	if (item->place.kind == CRYPT_HEADER || (item->place.kind == CRYPT_SLOT && !(item->place.index < 32 && adding->slots >> item->place.index & 1)))
		return true;
	if (!item->is_hash)
		return add_item(adding->mac, item->offset, &item->payload, err);
	add_hash(adding->mac, item->offset, item->payload.at);
	return true;
}

bool header_backup_items_mac(const struct header_backup *backup, const struct key_schedule *schedule, uint32_t slots, uint8_t out[CRYPT_MAC_SIZE],
			     struct error *err)
{
	cleanup_mac struct mac *mac = NULL;

	if (!header_mac_new(schedule, &mac, err))
		return false;
	start(mac);
	return header_backup_items(backup, add_of_backup, &(struct adding){ mac, slots }, err) && mac_finish(mac, out, err);
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
