/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the domain that a subvolume belongs to, by its member item or by its tag and ancestors. */
#include "common/sealed/domain.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/sealed/header-backup.h"
#include "common/util/array.h"
#include "common/volume/tolerance.h"

bool domain_numbers(struct volume *volume, uint16_t **numbers, size_t *n, struct error *err)
{
	const struct key last = crypt_second_header_key(UINT16_MAX);
	struct key first = crypt_key(0, CRYPT_HEADER, 0);
	uint16_t *found = NULL;
	size_t n_found = 0, room = 0;
	struct tree tree;
	bool ok = tree_open(volume, ROOT_TREE_ID, &tree, err);

	/* Jumps from domain to domain, because one of them may have a million items. */
	while (ok) {
		cleanup_tree_iter struct tree_iter iter = { 0 };

		ok = tree_seek(&tree, &first, &iter, err);
		if (!ok || !iter.valid || key_compare(&iter.key, &last) > 0)
			break;

		const uint16_t number = (uint16_t)(iter.key.offset >> 48);

		ok = ARRAY_ROOM(found, n_found, room, err);
		if (!ok)
			break;
		found[n_found++] = number;
		if (number == UINT16_MAX)
			break;
		first = crypt_key(number + 1, CRYPT_HEADER, 0);
	}
	if (!ok) {
		free(found);
		return false;
	}
	*numbers = found;
	*n = n_found;
	return true;
}

/* Adds a hint if an older copy of the superblock records an unfinished conversion: the copy in use may be the wrong one. */
static bool hint_older(const struct volume *volume, struct error *err)
{
	char text[COPY_TEXT_SIZE], used[COPY_TEXT_SIZE];

	for (unsigned n = 0; n < volume->n_copies; n++) {
		const struct super_copy *copy = &volume->copy[n];

		if (copy->exists && copy->valid && copy->super.generation < volume->super.generation && superblock_is_unfinished(&copy->super))
			return error_hint(err, "%s (generation %" PRIu64 ") says so, but %s (generation %" PRIu64 "), which is used, does not: it "
				"was altered, or something wrote to the filesystem in between; keep the image and restore a backup",
				super_copy_text(volume, copy, text), copy->super.generation,
				super_copy_text(volume, &volume->copy[volume->super_used], used), volume->super.generation);
	}
	return false;
}

bool domain_is_unfinished_error(const struct domain *domain, struct error *err)
{
	error_set(err, ERROR_STATE, "the header of sealing %u says that its conversion has not finished%s", domain->number,
		  volume_is_unfinished(domain->volume) ? "" : ", but no superblock does");
	return hint_older(domain->volume, err);
}

bool domain_check_finished(struct volume *volume, const struct domain *but, struct error *err)
{
	uint16_t *numbers = NULL;
	size_t n = 0;
	bool ok = domain_numbers(volume, &numbers, &n, err);

	for (size_t i = 0; ok && i < n; i++) {
		cleanup_domain struct domain *domain = NULL;
		struct error why = { 0 };

		if (but && but->number == numbers[i])
			continue;
		if (domain_read(volume, numbers[i], &domain, &why)) {
			if (domain->header.state != CRYPT_STATE_SEALED)
				ok = domain_is_unfinished_error(domain, err);
		} else if (error_is_machine(&why)) {
			*err = why;
			ok = false;
		}
	}
	free(numbers);
	return ok;
}

static const struct super_copy *doubted_copy(const struct volume *volume)
{
	for (unsigned n = 0; n < volume->n_copies; n++)
		if (volume->copy[n].is_doubted)
			return &volume->copy[n];
	return NULL;
}

/* Without the key, the state in a header is only a claim. It is not enough if a superblock contradicts it. */
bool domain_check_may_seal(struct volume *volume, struct error *err)
{
	const struct super_copy *const doubted = doubted_copy(volume);
	uint16_t *numbers = NULL;
	char text[COPY_TEXT_SIZE];
	size_t n = 0;

	if (!domain_check_finished(volume, NULL, err))
		return false;
	if (!doubted)
		return true;
	if (!domain_numbers(volume, &numbers, &n, err))
		return false;
	free(numbers);
	if (n == 0)
		return true;
	error_set(err, ERROR_STATE, "%s says that a conversion is unfinished, copy 0 does not, and something is sealed",
		  super_copy_text(volume, doubted, text));
	return error_hint(err, "verify the sealed subvolumes with their key; if nothing is wrong, mount the image, create and remove a "
		"file outside them, and unmount it: that rewrites all copies of the superblock");
}

struct search {
	const struct subvolume_list *list;
	const struct subvolume *subvolume;
	struct domain *found;		/* the domain with the best claim; the first one of equal claims */
	enum domain_claim claim;
	bool is_of_unread;		/* a member item of a domain that cannot be read names the subvolume */
	bool is_named;			/* same, for the domain that is being considered */
	struct error why;		/* why a domain cannot be read */
};

static void consider(struct search *s, struct domain *domain, enum domain_claim claim)
{
	if (claim <= s->claim) {
		domain_free(domain);
		return;
	}
	domain_free(s->found);
	s->found = domain;
	s->claim = claim;
}

bool domain_visit_members(struct volume *volume, uint16_t number, void (*visit)(void *context, const struct crypt_member *member),
			  void *context, struct error *err)
{
	const struct key first = crypt_key(number, CRYPT_MEMBER, 0), last = crypt_key(number, CRYPT_MEMBER, CRYPT_INDEX_LAST);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;

	if (!tree_open(volume, ROOT_TREE_ID, &tree, err) || !tree_seek(&tree, &first, &iter, err))
		return false;
	while (iter.valid && key_compare(&iter.key, &last) <= 0) {
		struct error unread = { 0 };
		struct crypt_member member;

		if (crypt_member_read(&iter.item, &member, &unread))
			visit(context, &member);
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}

static void look_for_subvolume(void *context, const struct crypt_member *member)
{
	struct search *s = context;

	s->is_named = s->is_named || (member->id == s->subvolume->id && subvolume_has_uuid(s->subvolume, member->uuid));
}

static bool note_unread(struct search *s, struct volume *volume, uint16_t number, const struct error *why, struct error *err)
{
	s->is_named = false;
	if (!domain_visit_members(volume, number, look_for_subvolume, s, err)) {
		if (!error_is_damage(err))
			return false;
		*err = (struct error){ 0 };
	}
	if (s->why.kind == ERROR_NONE || (s->is_named && !s->is_of_unread))
		s->why = *why;
	s->is_of_unread |= s->is_named;
	return true;
}

/* A damaged domain must not keep people from the others, only from its own data. */
static bool consider_number(struct search *s, struct volume *volume, uint16_t number, struct error *err)
{
	struct domain *domain;
	struct error why = { 0 };

	if (domain_read(volume, number, &domain, &why)) {
		consider(s, domain, domain_claims(domain, s->list, s->subvolume));
		return true;
	}
	if (error_is_machine(&why)) {
		*err = why;
		return false;
	}
	return note_unread(s, volume, number, &why, err);
}

/* The member items are in the root tree from the time when the first one exists, and stay there until the end. */
static enum domain_claim claim_of_items(const struct search *s, struct volume *volume, uint16_t number)
{
	cleanup_domain struct domain *items = NULL;
	struct error why = { 0 };

	return domain_read(volume, number, &items, &why) ? domain_claims(items, s->list, s->subvolume) : DOMAIN_NONE;
}

/*
 * The domain that is being converted is only complete outside the root tree. *number: that domain, which the search
 * in the root tree leaves out; UINT32_MAX: none.
 */
static bool consider_unfinished(struct search *s, struct volume *volume, uint32_t *number, struct error *err)
{
	struct crypt_state_tail state;
	struct domain *domain;
	struct error why = { 0 };

	*number = UINT32_MAX;
	if (!volume_is_unfinished(volume))
		return true;
	if (crypt_state_read(volume_unfinished_super(volume)->disk.tail, &state, &why))
		*number = state.domain;
	if (domain_read_unfinished(volume, &domain, &why)) {
		const enum domain_claim claim = claim_of_items(s, volume, domain->number);

		consider(s, domain, claim > DOMAIN_TAG ? claim : domain_claims(domain, s->list, s->subvolume));
		return true;
	}
	if (error_is_machine(&why)) {
		*err = why;
		return false;
	}
	return *number == UINT32_MAX ? (s->why = why, true) : note_unread(s, volume, (uint16_t)*number, &why, err);
}

/* Tags of the format of 2016 are not ours. */
bool root_has_our_tag(const struct root *root)
{
	return !root->is_short && (strcmp(root->algorithm, crypt_cipher_name(CIPHER_AES_256_GCM)) == 0 ||
				   strcmp(root->algorithm, crypt_cipher_name(CIPHER_CHACHA20_POLY1305)) == 0);
}

bool domain_find(struct volume *volume, const struct subvolume_list *list, const struct subvolume *subvolume,
		 struct domain **domain, struct error *err)
{
	struct search s = { .list = list, .subvolume = subvolume };
	uint16_t *numbers = NULL;
	uint32_t unfinished;
	size_t n = 0;
	bool ok = consider_unfinished(&s, volume, &unfinished, err) && domain_numbers(volume, &numbers, &n, err);

	for (size_t i = 0; ok && i < n && s.claim < DOMAIN_MEMBER; i++)
		ok = numbers[i] == unfinished || consider_number(&s, volume, numbers[i], err);
	free(numbers);

	char tag[ROOT_TAG_TEXT_SIZE];

	if (ok && s.is_of_unread && s.claim < DOMAIN_MEMBER) {
		*err = s.why;
		ok = false;
	} else if (ok && !s.found && root_has_our_tag(&subvolume->root) && root_tag_text(&subvolume->root, tag)) {
		if (s.why.kind != ERROR_NONE)
			*err = s.why;
		else
			error_set(err, ERROR_CORRUPT, "its root item has the tag %s, but nothing was sealed under that tag", tag);
		ok = false;
	} else if (ok && s.claim == DOMAIN_REPLACED) {
		ok = domain_check_replaced(s.found, list, subvolume, err);
	}
	if (!ok) {
		domain_free(s.found);
		return false;
	}
	*domain = s.found;
	return true;
}

bool domain_check_backup(const struct subvolume_list *list, const struct subvolume *subvolume, struct error *err)
{
	const struct header_backup *const backup = list->volume ? list->volume->backup : NULL;
	cleanup_domain struct domain *domain = NULL;
	char name[160];

	if (!backup)
		return true;
	if (!domain_find(list->volume, list, subvolume, &domain, err))
		return false;
	subvolume_name(list, subvolume->id, name);
	if (!domain)
		return error_set(err, ERROR_REFUSED, "a header backup was given, but subvolume %s is not sealed", name);
	return memcmp(domain->header.domain_uuid, backup->header.domain_uuid, CRYPT_UUID_SIZE) == 0 ||
	       error_set(err, ERROR_KEY_HEADER, "the header backup belongs to another sealing than subvolume %s", name);
}
