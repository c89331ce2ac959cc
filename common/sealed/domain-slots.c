/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/sealed/domain-slots.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/util/escape.h"
#include "common/volume/warn.h"

/* --- one slot --------------------------------------------------------------------------------------------------------- */

bool crypt_slot_hash(const void *slot, size_t len, uint8_t hash[CRYPT_SLOT_HASH_SIZE], struct error *err)
{
	uint8_t whole[32];

	if (!crypto_sha256(slot, len, whole, err))
		return false;
	memcpy(hash, whole, CRYPT_SLOT_HASH_SIZE);
	return true;
}

bool crypt_header_has_this(const struct crypt_header *header, const struct disk_crypt_slot *slot, bool *is, struct error *err)
{
	const unsigned number = le16(slot->header.number);
	uint8_t hash[CRYPT_SLOT_HASH_SIZE];

	*is = false;
	if (!crypt_header_has_slot(header, number))
		return true;
	if (!crypt_slot_hash(slot, sizeof(*slot), hash, err))
		return false;
	*is = memcmp(hash, header->slot_hash[number], sizeof(hash)) == 0;
	return true;
}

static const struct crypt_slot *slot_of(const struct domain *d, unsigned number)
{
	for (size_t i = 0; i < d->n_slots; i++)
		if (d->slots[i].number == number)
			return &d->slots[i];
	return NULL;
}

enum domain_slot domain_slot_is(const struct domain *d, unsigned number)
{
	const struct domain_slot_item *const item = &d->slot_item[number];

	if (d->unfinished)
		return slot_of(d, number) ? DOMAIN_SLOT_RIGHT : DOMAIN_SLOT_FREE;
	if (!item->is_there)
		return crypt_header_has_slot(&d->header, number) ? DOMAIN_SLOT_GONE : DOMAIN_SLOT_FREE;
	if (!crypt_header_has_slot(&d->header, number))
		return DOMAIN_SLOT_STRAY;
	return memcmp(item->hash, d->header.slot_hash[number], sizeof(item->hash)) == 0 && !item->wrong[0] ? DOMAIN_SLOT_RIGHT : DOMAIN_SLOT_DAMAGED;
}

bool domain_slot_fault(const struct domain *d, unsigned number, char text[DOMAIN_SLOT_TEXT_SIZE])
{
	const char *const wrong = d->slot_item[number].wrong;

	switch (domain_slot_is(d, number)) {
	case DOMAIN_SLOT_FREE:
	case DOMAIN_SLOT_RIGHT:
		return false;
	case DOMAIN_SLOT_DAMAGED:
		snprintf(text, DOMAIN_SLOT_TEXT_SIZE, "key slot %u is damaged: %s", number, wrong[0] ? wrong : "it is not the one that the header vouches for");
		break;
	case DOMAIN_SLOT_GONE:
		snprintf(text, DOMAIN_SLOT_TEXT_SIZE, d->backup ? "key slot %u is not in the header backup" : "key slot %u is missing: the header vouches for one",
			 number);
		break;
	case DOMAIN_SLOT_STRAY:
		snprintf(text, DOMAIN_SLOT_TEXT_SIZE, "key slot %u is one too many: the header does not vouch for it", number);
		break;
	}
	return true;
}

bool domain_slot_check_opened(const struct domain *d, unsigned number, struct error *err)
{
	return domain_slot_is(d, number) == DOMAIN_SLOT_RIGHT ||
	       error_set(err, ERROR_KEY_HEADER, "the header of sealing %u does not vouch for key slot %u, which this key opens", d->number, number);
}

const char *domain_slot_name(const struct crypt_slot *slot, char name[DOMAIN_SLOT_NAME_SIZE])
{
	const char *const text = (const char *)slot->disk.header.label;
	char label[4 * CRYPT_LABEL_MAX + 1];

	escape_text(text, strnlen(text, CRYPT_LABEL_MAX), label, sizeof(label));
	if (label[0])
		snprintf(name, DOMAIN_SLOT_NAME_SIZE, "key slot %u (%s, `%s`)", slot->number, crypt_slot_type_name(slot->type), label);
	else
		snprintf(name, DOMAIN_SLOT_NAME_SIZE, "key slot %u (%s)", slot->number, crypt_slot_type_name(slot->type));
	return name;
}

/* --- all of them ------------------------------------------------------------------------------------------------------ */

void domain_slot_faults(const struct domain *d, void (*visit)(void *context, unsigned number, const char *text), void *context)
{
	char text[DOMAIN_SLOT_TEXT_SIZE];

	for (unsigned number = 0; number < CRYPT_SLOTS_MAX; number++)
		if ((!d->backup || domain_slot_is(d, number) != DOMAIN_SLOT_GONE) && domain_slot_fault(d, number, text))
			visit(context, number, text);
	if (!d->has_far_slot)
		return;
	snprintf(text, sizeof(text), "key slot %" PRIu64 " is one too many: their numbers are 0 to %u", d->far_slot, CRYPT_SLOTS_MAX - 1);
	visit(context, CRYPT_SLOTS_MAX, text);
}

static void warn(void *context, unsigned number, const char *text)
{
	const struct domain *const d = context;

	(void)number;
	volume_warn(d->volume, "%s", text);
}

void domain_slots_warn(struct domain *d)
{
	if (!d->slots_told)
		domain_slot_faults(d, warn, d);
	d->slots_told = true;
}

size_t domain_right_slots(const struct domain *d, struct disk_crypt_slot *slots)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_slots; i++)
		if (domain_slot_is(d, d->slots[i].number) == DOMAIN_SLOT_RIGHT)
			slots[n++] = d->slots[i].disk;
	return n;
}

bool domain_slots_check_copies(const struct domain *copies, const struct domain *tree, struct error *err)
{
	for (size_t i = 0; copies->unfinished && i < copies->n_slots; i++) {
		const struct crypt_slot *const slot = &copies->slots[i];
		bool is_it;

		if (domain_slot_is(tree, slot->number) == DOMAIN_SLOT_RIGHT)
			continue;
		if (!crypt_header_has_this(&tree->header, &slot->disk, &is_it, err))
			return false;
		if (is_it)
			return error_set(err, ERROR_KEY_HEADER, "key slot %u is damaged, and the end would remove its only copy", slot->number);
	}
	return true;
}

/* --- reading ---------------------------------------------------------------------------------------------------------- */

bool domain_take_slot(struct domain *d, uint64_t number, struct cursor *item, struct error *err)
{
	const struct cursor payload = *item;
	struct domain_slot_item *have;
	struct error why = { 0 };
	struct crypt_slot slot;

	if (number >= CRYPT_SLOTS_MAX) {
		d->far_slot = d->has_far_slot ? d->far_slot : number;
		d->has_far_slot = true;
		return true;
	}
	if (!d->slots)
		d->slots = calloc(CRYPT_SLOTS_MAX, sizeof(*d->slots));
	if (!d->slots)
		return error_memory(err);
	have = &d->slot_item[number];
	have->is_there = true;
	if (!crypt_slot_hash(payload.at, payload.left, have->hash, err))
		return false;
	if (!crypt_slot_read(item, &slot, &why))
		snprintf(have->wrong, sizeof(have->wrong), "%.*s", (int)sizeof(have->wrong) - 1, why.text);
	else if (slot.number != number)
		snprintf(have->wrong, sizeof(have->wrong), "its record belongs to slot %u", slot.number);
	else
		d->slots[d->n_slots++] = slot;
	return true;
}
