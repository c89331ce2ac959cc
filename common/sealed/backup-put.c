/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/sealed/backup-put.h"

#include <stdlib.h>

#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-write.h"
#include "common/tree/tree.h"
#include "common/util/array.h"

struct found {			/* an item in the tree */
	uint64_t offset;
	uint8_t hash[CRYPT_BACKUP_HASH_SIZE];
};

struct putting {
	struct transaction *tx;
	struct volume *volume;
	struct found *found;	/* in order of their keys */
	size_t n, room, next;
	uint32_t slots;		/* bit n: there is slot n */
};

static bool note_found(void *context, uint64_t offset, const struct cursor *payload, struct error *err)
{
	struct putting *const p = context;

	if (!ARRAY_ROOM(p->found, p->n, p->room, err) || !crypto_sha256(payload->at, payload->left, p->found[p->n].hash, err))
		return false;
	p->found[p->n++].offset = offset;
	return true;
}

static bool remove_item(const struct putting *p, uint64_t offset, struct error *err)
{
	const struct key key = { CRYPT_ID, KEY_PERSISTENT_ITEM, offset };

	return tree_remove(p->tx, ROOT_TREE_ID, &key, err);
}

static bool has_hash(const struct found *found, const struct crypt_backup_item *item, bool *has, struct error *err)
{
	uint8_t hash[CRYPT_BACKUP_HASH_SIZE];

	if (item->is_hash)
		memcpy(hash, item->payload.at, sizeof(hash));
	else if (!crypto_sha256(item->payload.at, item->payload.left, hash, err))
		return false;
	*has = memcmp(hash, found->hash, sizeof(hash)) == 0;
	return true;
}

/* Removes what the backup does not have, up to this key. */
static bool skip_to(struct putting *p, uint64_t offset, struct error *err)
{
	for (; p->next < p->n && p->found[p->next].offset < offset; p->next++) {
		if (!remove_item(p, p->found[p->next].offset, err))
			return false;
	}
	return true;
}

static bool put_item(void *context, const struct crypt_backup_item *item, struct error *err)
{
	const bool is_slot = item->place.kind == CRYPT_SLOT;
	struct putting *const p = context;
	bool is_there, is_right = false;

	if (item->place.kind == CRYPT_HEADER)
		return true;
	if (!skip_to(p, item->offset, err))
		return false;
	is_there = p->next < p->n && p->found[p->next].offset == item->offset;
	if (is_there && !has_hash(&p->found[p->next++], item, &is_right, err))
		return false;
	if (is_slot && (is_right || !item->is_hash))
		p->slots |= 1u << item->place.index;
	if (is_right)
		return true;
	if (item->is_hash)
		return !is_there || remove_item(p, item->offset, err);

	const struct key key = crypt_key(item->place.domain, item->place.kind, item->place.index);

	return domain_put(p->tx, p->volume, &key, item->payload.at, item->payload.left, err);
}

static bool put_all(struct putting *p, const struct key_schedule *schedule, const struct header_backup *backup, struct crypt_header *header, struct error *err)
{
	const uint16_t domain = header->domain;
	uint8_t mac[CRYPT_MAC_SIZE];

	if (!domain_vouched_items(p->volume, domain, note_found, p, err) || !header_backup_items(backup, put_item, p, err) ||
	    !skip_to(p, UINT64_MAX, err) || !domain_put_headers(p->tx, p->volume, header, err) ||
	    !header_backup_items_mac(backup, schedule, p->slots, header->items_mac, err) || !domain_items_mac(p->volume, domain, schedule, mac, err))
		return false;
	header->n_slots = (uint64_t)__builtin_popcount(p->slots);
	return secret_same(mac, header->items_mac, sizeof(mac)) ||
	       error_set(err, ERROR_KEY_HEADER, "key slots and subvolumes of sealing %u are not those of the header backup", domain);
}

bool header_backup_put(struct transaction *tx, struct volume *volume, const struct key_schedule *schedule, const struct header_backup *backup,
		       struct crypt_header *header, struct error *err)
{
	struct putting putting = { .tx = tx, .volume = volume };
	const bool ok = put_all(&putting, schedule, backup, header, err);

	free(putting.found);
	return ok;
}
