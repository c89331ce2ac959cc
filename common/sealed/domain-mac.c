/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Computes the MACs of the header of a domain and of the items that it vouches for. */
#include "common/sealed/domain-mac.h"

#include "common/tree/tree.h"

#define ITEMS_LABEL "items"

static bool header_mac_new(const struct key_schedule *schedule, struct mac **mac, struct error *err)
{
	return mac_new(schedule, "header", "", 0, mac, err);
}

static bool add_item(struct mac *mac, const struct tree_iter *iter, struct error *err)
{
	const struct le64 offset = to_le64(iter->key.offset);
	uint8_t digest[32];

	if (!crypto_sha256(iter->item.at, iter->item.left, digest, err))
		return false;
	mac_update(mac, &offset, sizeof(offset));
	mac_update(mac, digest, sizeof(digest));
	return true;
}

/* Adds all items between the two keys. */
static bool add_items(struct mac *mac, const struct tree *tree, const struct key *first, const struct key *last, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };

	if (!tree_seek(tree, first, &iter, err))
		return false;
	while (iter.valid && key_compare(&iter.key, last) <= 0) {
		if (!add_item(mac, &iter, err) || !tree_next(&iter, err))
			return false;
	}
	return true;
}

bool domain_items_mac(struct volume *volume, uint16_t domain, const struct key_schedule *schedule, uint8_t out[CRYPT_MAC_SIZE],
		      struct error *err)
{
	const struct key first = crypt_key(domain, CRYPT_SLOT, 0), last = crypt_key(domain, CRYPT_INODE_FLAGS, CRYPT_INDEX_LAST);
	const struct key first_bad = crypt_key(domain, CRYPT_BAD_BLOCKS, 0), last_bad = crypt_key(domain, CRYPT_BAD_BLOCKS, CRYPT_INDEX_LAST);
	cleanup_mac struct mac *mac = NULL;
	struct tree tree;

	static_assert(CRYPT_MEMBER == CRYPT_SLOT + 1 && CRYPT_INODE_FLAGS == CRYPT_MEMBER + 1, "one range of keys");
	if (!tree_open(volume, ROOT_TREE_ID, &tree, err) || !header_mac_new(schedule, &mac, err))
		return false;
	mac_start(mac);
	mac_update(mac, ITEMS_LABEL, strlen(ITEMS_LABEL));
	return add_items(mac, &tree, &first, &last, err) && add_items(mac, &tree, &first_bad, &last_bad, err) && mac_finish(mac, out, err);
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
