/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares members with the subvolumes as they are now. */
#include "common/sealed/domain-names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/fs/subvolume-label.h"
#include "common/sealed/domain-keyring.h"
#include "common/util/array.h"
#include "common/volume/tolerance.h"
#include "common/volume/warn.h"

/* --- one --------------------------------------------------------------------------------------------------------- */

char *seal_tag_text(const struct subvolume *subvolume, const char *tag)
{
	char *name = subvolume->id == FS_TREE_ID ? strdup("/") : subvolume_label_escaped(subvolume, subvolume->id);
	char own[ROOT_TAG_TEXT_SIZE], *text = NULL;

	if (!root_tag_text(&subvolume->root, own))
		strcpy(own, "missing");
	if (!name || asprintf(&text, "subvolume %s: the tag in its root item is %s, but it is sealed as %s", name, own, tag) < 0)
		text = NULL;
	free(name);
	return text;
}

/* --- all --------------------------------------------------------------------------------------------------------- */

static void drop(struct seal *seal)
{
	free(seal->moved);
	free(seal->replaced_text);
	for (size_t i = 0; i < PLACE_DOUBTS; i++)
		free(seal->doubt_text[i]);
	*seal = (struct seal){ 0 };
}

static bool take_claim(struct seals *seals, const struct domain *domain, size_t i, enum domain_claim claim, struct error *err)
{
	const struct subvolume *subvolume = &seals->list->at[i];
	struct seal *seal = &seals->at[i];
	struct error why = { 0 };

	if (claim <= seal->claim)
		return true;
	drop(seal);
	seal->claim = claim;
	seal->domain = domain->number;
	seal->has_wrong_tag = claim >= DOMAIN_REPLACED && domain->header.state == CRYPT_STATE_SEALED && !domain_has_tag(domain, &subvolume->root);
	domain_tag_text(domain, seal->tag);
	if (claim == DOMAIN_REPLACED && !domain_check_replaced(domain, seals->list, subvolume, &why)) {
		seal->replaced_text = strdup(why.text);
		if (!seal->replaced_text)
			return error_memory(err);
	}
	return true;
}

static bool take_domain(struct seals *seals, const struct domain *domain, struct error *err)
{
	enum domain_claim *claims;
	bool ok = ARRAY_ROOM(seals->keys, seals->n_keys, seals->keys_room, err) && domain_all_claims(domain, seals->list, &claims, err);

	if (!ok)
		return false;
	seals->keys[seals->n_keys++] = (struct seal_key){ .header = domain->header };
	seals->keys[seals->n_keys - 1].is_empty = seals->list->n_lost == 0;
	for (size_t i = 0; ok && i < seals->list->n; i++) {
		seals->keys[seals->n_keys - 1].is_empty &= claims[i] == DOMAIN_NONE;
		ok = take_claim(seals, domain, i, claims[i], err);
	}
	free(claims);
	return ok;
}

static void take_unread(void *context, const struct crypt_member *member)
{
	const struct seals *seals = context;
	const struct subvolume *subvolume = subvolume_by_id(seals->list, member->id);

	if (subvolume && subvolume_has_uuid(subvolume, member->uuid) && seals->at[subvolume - seals->list->at].claim < DOMAIN_MEMBER) {
		drop(&seals->at[subvolume - seals->list->at]);
		seals->at[subvolume - seals->list->at].claim = DOMAIN_MEMBER;
	}
}

/* Damage is reported; only failures of the machine are errors. */
static bool survive(const struct volume *volume, const struct error *why, struct error *err)
{
	if (error_is_machine(why))
		return *err = *why, false;
	volume_warn(volume, "%s", why->text);
	return true;
}

static bool read_domain(struct seals *seals, uint16_t number, struct error *err)
{
	struct volume *volume = seals->list->volume;
	cleanup_domain struct domain *domain = NULL;
	struct error why = { 0 };

	if (domain_read(volume, number, &domain, &why))
		return take_domain(seals, domain, err);
	error_prefix(&why, "sealing %u cannot be read", number);
	if (!survive(volume, &why, err))
		return false;
	why = (struct error){ 0 };
	return domain_visit_members(volume, number, take_unread, seals, &why) || survive(volume, &why, err);
}

static bool take_doubt(void *context, const struct place_finding *finding, const char *text, struct error *err)
{
	struct seal *seal = context;

	free(seal->doubt_text[finding->doubt]);
	seal->doubt_text[finding->doubt] = strdup(text);
	if (finding->doubt == PLACE_TAKEN)
		seal->in_place_of = finding->place->id;
	if (finding->doubt == PLACE_MOVED) {
		free(seal->moved);
		seal->moved = malloc(finding->place->path_len + 1u);
		if (!seal->moved)
			return error_memory(err);
		memcpy(seal->moved, finding->place->path, finding->place->path_len);
		seal->moved_len = finding->place->path_len;
	}
	return seal->doubt_text[finding->doubt] || error_memory(err);
}

bool seals_read(const struct subvolume_list *list, struct seals *seals, struct error *err)
{
	uint16_t *numbers = NULL;
	struct error why = { 0 };
	size_t n = 0;
	bool ok = true;

	*seals = (struct seals){ .list = list };
	if (!list->volume)
		return true;
	seals->at = calloc(list->n + 1, sizeof(*seals->at));
	if (!seals->at)
		return error_memory(err);
	if (!domain_numbers(list->volume, &numbers, &n, &why))
		ok = survive(list->volume, &why, err);
	for (size_t i = 0; ok && i < n; i++)
		ok = read_domain(seals, numbers[i], err);
	free(numbers);
	ok = ok && member_places_read(list, &seals->places, err);
	for (size_t i = 0; ok && i < list->n; i++)
		ok = member_places_tell(&seals->places, &list->at[i], take_doubt, &seals->at[i], err);
	if (!ok)
		seals_free(seals);
	return ok;
}

void seals_free(struct seals *seals)
{
	for (size_t i = 0; seals->at && i < seals->list->n; i++)
		drop(&seals->at[i]);
	free(seals->at);
	free(seals->keys);
	member_places_free(&seals->places);
	*seals = (struct seals){ 0 };
}

const struct seal *seal_of(const struct seals *seals, const struct subvolume *subvolume)
{
	static const struct seal none;

	return seals->at ? &seals->at[subvolume - seals->list->at] : &none;
}

bool seals_find_keys(struct seals *seals, struct error *err)
{
	for (size_t i = 0; i < seals->n_keys; i++) {
		cleanup_secret struct secret *volume_key = NULL;

		if (!domain_keyring_find(&(const struct domain){ .header = seals->keys[i].header }, NULL, &seals->keys[i].found, &volume_key, err))
			return false;
	}
	seals->keys_are_found = true;
	return true;
}

const struct keyring_found *seal_key_of(const struct seals *seals, const struct seal *seal)
{
	for (size_t i = 0; seals->keys_are_found && seal->claim != DOMAIN_NONE && i < seals->n_keys; i++) {
		if (seals->keys[i].header.domain == seal->domain)
			return &seals->keys[i].found;
	}
	return NULL;
}
