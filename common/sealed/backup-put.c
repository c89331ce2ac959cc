/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/sealed/backup-put.h"

#include <stdlib.h>

#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-slots.h"
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
	const struct header_backup *backup;
	struct crypt_header *header;
	struct found *found;	/* in order of their keys */
	size_t n, room, next;
	bool is_there[CRYPT_SLOTS_MAX];	/* in the tree, as the header of the backup vouches for it */
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

/* --- key slots: each one from the backup, or as it is in the tree, if either is the one that the header of the backup vouches for ------------ */

/* Removes what the header does not vouch for. */
static bool sort_slots(struct putting *p, struct error *err)
{
	for (size_t i = 0; i < p->n; i++) {
		const uint64_t number = p->found[i].offset & CRYPT_INDEX_LAST;
		const bool is_right = number < CRYPT_SLOTS_MAX && crypt_header_has_slot(&p->backup->header, (unsigned)number) &&
				      memcmp(p->found[i].hash, p->backup->header.slot_hash[number], CRYPT_SLOT_HASH_SIZE) == 0;

		if (is_right)
			p->is_there[number] = true;
		else if (!remove_item(p, p->found[i].offset, err))
			return false;
	}
	p->n = 0;
	return true;
}

static bool put_slot(void *context, const struct crypt_backup_item *item, struct error *err)
{
	struct putting *const p = context;
	const uint64_t number = item->place.index;
	uint8_t hash[CRYPT_SLOT_HASH_SIZE];

	if (item->place.kind != CRYPT_SLOT || p->is_there[number])
		return true;
	if (!crypt_slot_hash(item->payload.at, item->payload.left, hash, err))
		return false;
	if (memcmp(hash, p->backup->header.slot_hash[number], sizeof(hash)) != 0)
		return true;
	p->is_there[number] = true;

	const struct key key = crypt_key(item->place.domain, CRYPT_SLOT, number);

	return domain_put(p->tx, p->volume, &key, item->payload.at, item->payload.left, err);
}

static bool put_slots(struct putting *p, struct error *err)
{
	if (!domain_slot_items(p->volume, p->header->domain, note_found, p, err) || !sort_slots(p, err) ||
	    !header_backup_items(p->backup, put_slot, p, err))
		return false;
	for (unsigned i = 0; i < CRYPT_SLOTS_MAX; i++) {
		if (p->is_there[i])
			memcpy(p->header->slot_hash[i], p->backup->header.slot_hash[i], CRYPT_SLOT_HASH_SIZE);
		else
			memset(p->header->slot_hash[i], 0, CRYPT_SLOT_HASH_SIZE);
	}
	return true;
}

/* --- everything else -------------------------------------------------------------------------------------------------- */

static bool has_hash(const struct found *found, const struct crypt_backup_item *item, bool *has, struct error *err)
{
	uint8_t hash[CRYPT_BACKUP_HASH_SIZE];

	if (!crypto_sha256(item->payload.at, item->payload.left, hash, err))
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
	struct putting *const p = context;
	bool is_there, is_right = false;

	if (item->place.kind == CRYPT_HEADER || item->place.kind == CRYPT_SLOT)
		return true;
	if (!skip_to(p, item->offset, err))
		return false;
	is_there = p->next < p->n && p->found[p->next].offset == item->offset;
	if (is_there && !has_hash(&p->found[p->next++], item, &is_right, err))
		return false;
	if (is_right)
		return true;

	const struct key key = crypt_key(item->place.domain, item->place.kind, item->place.index);

	return domain_put(p->tx, p->volume, &key, item->payload.at, item->payload.left, err);
}

static bool put_all(struct putting *p, const struct key_schedule *schedule, struct error *err)
{
	struct crypt_header *const header = p->header;
	uint8_t mac[CRYPT_MAC_SIZE];

	if (!put_slots(p, err) || !domain_vouched_items(p->volume, header->domain, note_found, p, err) ||
	    !header_backup_items(p->backup, put_item, p, err) || !skip_to(p, UINT64_MAX, err) || !domain_put_headers(p->tx, p->volume, header, err) ||
	    !header_backup_items_mac(p->backup, schedule, header->items_mac, err) ||
	    !domain_items_mac(p->volume, header->domain, schedule, mac, err))
		return false;
	return secret_same(mac, header->items_mac, sizeof(mac)) ||
	       error_set(err, ERROR_KEY_HEADER, "the subvolumes of sealing %u are not those of the header backup", header->domain);
}

bool header_backup_put(struct transaction *tx, struct volume *volume, const struct key_schedule *schedule, const struct header_backup *backup,
		       struct crypt_header *header, struct error *err)
{
	struct putting putting = { .tx = tx, .volume = volume, .backup = backup, .header = header };
	const bool ok = put_all(&putting, schedule, err);

	free(putting.found);
	return ok;
}
