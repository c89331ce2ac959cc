/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A state in a copy of the superblock, but not in the decisive one, that the key proves to be false. */
#include "common/convert/false-state.h"

#include "common/convert/state.h"
#include "common/volume/tolerance.h"

static bool says_so(const struct super_copy *copy)
{
	return copy->exists && copy->valid && superblock_is_unfinished(&copy->super);
}

/* It was made without the key, or it is not newer than the header, which says that everything is sealed. */
static bool contradicted(const struct domain *domain, const struct super_copy *copy, bool *is_false, struct error *err)
{
	struct crypt_state_tail tail;
	struct error unread = { 0 };
	bool authentic;

	*is_false = false;
	if (!crypt_state_read(copy->super.disk.tail, &tail, &unread) ||
	    memcmp(tail.disk.domain_uuid, domain->header.domain_uuid, CRYPT_UUID_SIZE) != 0)
		return true;
	if (!state_is_authentic(domain->schedule, &tail.disk, &authentic, err))
		return false;
	*is_false = !authentic || tail.epoch <= domain->header.epoch;
	return true;
}

void state_hint(struct volume *volume, struct error *err)
{
	const struct super_copy *const decisive = &volume->copy[volume_decisive_copy(volume)];
	struct error why = { 0 };
	char text[COPY_TEXT_SIZE];

	if ((err->kind != ERROR_STATE && err->kind != ERROR_KEY_HEADER) || err->hint[0] || !decisive->valid || says_so(decisive) ||
	    !domain_check_finished(volume, NULL, &why))
		return;
	error_hint(err, "%s records no conversion; if nobody altered it, nothing else was changed yet: keep a copy of the image, then mount it, "
		   "create and remove a file, and unmount it, which clears the other copies", super_copy_text(volume, decisive, text));
}

bool state_is_false(struct volume *volume, uint16_t number, const struct key_source *key, bool *is_false, struct error *err)
{
	const unsigned decisive = volume_decisive_copy(volume);
	cleanup_domain struct domain *domain = NULL;
	struct error why = { 0 };

	*is_false = false;
	/* This one gets the state before anything is changed in place, and is the last to be cleared. */
	if (!volume->copy[decisive].valid || says_so(&volume->copy[decisive]))
		return true;
	if (!volume_use_copy(volume, decisive, err))
		return false;
	if (!domain_read(volume, number, &domain, &why) || !domain_open(domain, key, &why) ||
	    domain->header.state != CRYPT_STATE_SEALED || !domain_check_finished(volume, domain, &why)) {
		*err = error_is_machine(&why) ? why : *err;
		return !error_is_machine(&why);
	}
	*is_false = true;
	for (unsigned n = 0; *is_false && n < volume->n_copies; n++)
		if (says_so(&volume->copy[n]) && !contradicted(domain, &volume->copy[n], is_false, err))
			return false;
	return true;
}
