/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The seal of a domain: one MAC over every unit, every inline unit, every index entry, the bad blocks and every member's digest. */
#include "common/crypto/hash.h"
#include "common/sealed/crypt-list.h"
#include "common/sealed/domain-view.h"
#include "common/sealed/inode-index.h"

struct summing {
	struct mac *mac;	/* made with K_item */
	struct hash *hash;	/* hash of the bad-block items */
	struct digest_sum units, inlines, index;
	uint64_t n_bad_blocks;
};

static bool sum_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct summing *summing = context;
	uint8_t mac[CRYPT_MAC_SIZE];

	(void)place, (void)go;
	mac_start(summing->mac);
	mac_update(summing->mac, "U", 1);
	mac_update(summing->mac, &unit->u, sizeof(unit->u));
	if (!mac_finish(summing->mac, mac, err))
		return false;
	digest_add(&summing->units, mac);
	return true;
}

static bool sum_inline(void *context, const struct crypt_inline_unit *unit, uint64_t place, struct error *err)
{
	struct summing *summing = context;
	uint8_t mac[CRYPT_MAC_SIZE];

	(void)place;
	mac_start(summing->mac);
	mac_update(summing->mac, "I", 1);
	mac_update(summing->mac, &unit->disk.i, sizeof(unit->disk.i));
	if (!mac_finish(summing->mac, mac, err))
		return false;
	digest_add(&summing->inlines, mac);
	return true;
}

static bool sum_entry(void *context, const struct crypt_index_entry *entry, struct error *err)
{
	struct summing *summing = context;
	const struct le64 inode = to_le64(entry->inode);
	uint8_t mac[CRYPT_MAC_SIZE];

	mac_start(summing->mac);
	mac_update(summing->mac, "X", 1);
	mac_update(summing->mac, &inode, sizeof(inode));
	mac_update(summing->mac, entry->mac, sizeof(entry->mac));
	if (!mac_finish(summing->mac, mac, err))
		return false;
	digest_add(&summing->index, mac);
	return true;
}

static bool count_bad(void *context, const struct crypt_bad_block *bad, struct error *err)
{
	struct summing *summing = context;

	(void)bad, (void)err;
	summing->n_bad_blocks++;
	return true;
}

static bool hash_bad(void *context, struct crypt_list_item *item, bool *go, struct error *err)
{
	struct summing *summing = context;

	(void)go, (void)err;
	hash_update(summing->hash, item->whole.at, item->whole.left);
	item->entries.left = 0;	/* count_bad() goes through them one by one */
	return true;
}

static bool seal_mac(const struct seal_input *input, struct crypt_seal *seal, struct error *err)
{
	const struct crypt_header *const header = input->header;
	cleanup_mac struct mac *mac = NULL;
	const uint8_t cipher = header->cipher;
	const struct le64 n_units = to_le64(seal->n_units), n_inline = to_le64(seal->n_inline_units);
	const struct le64 n_index = to_le64(seal->n_index_entries), n_bad = to_le64(seal->n_bad_blocks);

	if (!mac_new(input->schedule, "seal", NULL, 0, &mac, err))
		return false;
	mac_start(mac);
	mac_update(mac, "seal", 4);
	mac_update(mac, header->domain_uuid, sizeof(header->domain_uuid));
	mac_update(mac, &cipher, sizeof(cipher));
	for (size_t i = 0; i < input->n_members; i++) {
		const struct crypt_member *const member = &input->members[i];
		const struct le64 id = to_le64(member->id);

		mac_update(mac, &id, sizeof(id));
		mac_update(mac, member->uuid, sizeof(member->uuid));
		mac_update(mac, member->digest, sizeof(member->digest));
	}
	mac_update(mac, &n_units, sizeof(n_units));
	mac_update(mac, seal->unit_sum, sizeof(seal->unit_sum));
	mac_update(mac, &n_inline, sizeof(n_inline));
	mac_update(mac, seal->inline_sum, sizeof(seal->inline_sum));
	mac_update(mac, &n_index, sizeof(n_index));
	mac_update(mac, seal->index_sum, sizeof(seal->index_sum));
	mac_update(mac, &n_bad, sizeof(n_bad));
	mac_update(mac, seal->bad_sha256, sizeof(seal->bad_sha256));
	return mac_finish(mac, seal->seal, err);
}

bool seal_read(struct volume *volume, uint16_t domain, struct crypt_seal *seal, bool *found, struct error *err)
{
	const struct key key = crypt_key(domain, CRYPT_SEAL, 0);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;

	return tree_open(volume, ROOT_TREE_ID, &tree, err) && tree_find(&tree, &key, &iter, found, err) &&
	       (!*found || crypt_seal_read(&iter.item, seal, err));
}

bool seal_index_said(const struct seal_input *input, struct crypt_seal *item, const struct crypt_seal **index, struct error *err)
{
	struct error why = { 0 };
	struct crypt_seal of_item;
	bool found;

	*index = NULL;
	if (!seal_read(input->volume, input->header->domain, item, &found, &why)) {
		if (error_is_damage(&why))
			return true;
		*err = why;
		return false;
	}
	if (!found)
		return true;
	of_item = *item;
	if (!seal_mac(input, &of_item, err))
		return false;
	if (secret_same(of_item.seal, input->header->seal, sizeof(of_item.seal)))
		*index = item;
	return true;
}

bool seal_compute(const struct seal_input *input, const struct crypt_seal *index, struct crypt_seal *seal, struct error *err)
{
	const uint16_t domain = input->header->domain;
	struct volume *const volume = input->volume;
	const struct unit_map all = { .volume = volume, .domain = domain };
	struct summing summing = { 0 };
	uint8_t bad_sha256[HASH_SIZE];
	bool ok = mac_new(input->schedule, "seal-item", NULL, 0, &summing.mac, err) && hash_new(&summing.hash, err);

	if (ok) {
		hash_start(summing.hash);
		ok = unit_map_visit_all(&all, sum_unit, &summing, err) &&
		     inline_visit_all(volume, domain, sum_inline, &summing, err) &&
		     (index || inode_index_visit_all(volume, domain, sum_entry, &summing, err)) &&
		     bad_blocks_visit(volume, domain, count_bad, &summing, err) &&
		     crypt_list_walk(volume, domain, CRYPT_BAD_BLOCKS, 0, &(struct crypt_list_visitor){ hash_bad, NULL, &summing }, err) &&
		     hash_finish(summing.hash, bad_sha256, err);
	}
	hash_free(summing.hash);
	mac_free(summing.mac);
	if (!ok)
		return false;
	*seal = (struct crypt_seal){
		.n_units = summing.units.n_items,
		.n_inline_units = summing.inlines.n_items,
		.n_index_entries = summing.index.n_items,
		.n_bad_blocks = summing.n_bad_blocks,
	};
	digest_sum_bytes(&summing.units, seal->unit_sum);
	digest_sum_bytes(&summing.inlines, seal->inline_sum);
	digest_sum_bytes(&summing.index, seal->index_sum);
	if (index) {
		seal->n_index_entries = index->n_index_entries;
		memcpy(seal->index_sum, index->index_sum, sizeof(seal->index_sum));
	}
	memcpy(seal->bad_sha256, bad_sha256, sizeof(seal->bad_sha256));
	return seal_mac(input, seal, err);
}
