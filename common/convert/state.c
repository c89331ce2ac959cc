/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of an unfinished conversion in the superblock copies: finding and checking it. */
#include "common/convert/state.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/volume/mirror.h"
#include "common/volume/still-ours.h"
#include "common/volume/warn.h"

bool state_mac(const struct key_schedule *schedule, const struct disk_crypt_state *state, uint8_t out[CRYPT_MAC_SIZE], struct error *err)
{
	cleanup_mac struct mac *mac = NULL;

	if (!mac_new(schedule, "state", state->op_id, sizeof(state->op_id), &mac, err))
		return false;
	mac_start(mac);
	mac_update(mac, state, offsetof(struct disk_crypt_state, mac));
	return mac_finish(mac, out, err);
}

bool state_is_authentic(const struct key_schedule *schedule, const struct disk_crypt_state *state, bool *authentic, struct error *err)
{
	uint8_t mac[CRYPT_MAC_SIZE];

	if (!state_mac(schedule, state, mac, err))
		return false;
	*authentic = secret_same(mac, state->mac, sizeof(mac));
	return true;
}

/* Does one of the copies that were tried have the same tail as this copy, byte for byte? tried: by index of the copies; NULL: none */
static bool is_tried(const struct volume *volume, unsigned copy, const bool *tried)
{
	for (unsigned i = 0; tried && i < volume->n_copies; i++) {
		if (tried[i] && memcmp(volume->copy[i].super.disk.tail, volume->copy[copy].super.disk.tail, SUPER_TAIL_SIZE) == 0)
			return true;
	}
	return false;
}

static const struct super_copy *newest_but(const struct volume *volume, const bool *tried, struct crypt_state_tail *tail, struct error *err)
{
	const struct super_copy *newest = NULL;

	for (unsigned i = 0; i < volume->n_copies; i++) {
		const struct super_copy *copy = &volume->copy[i];
		struct crypt_state_tail read;

		if (!copy->exists || !copy->valid || !superblock_is_unfinished(&copy->super) ||
		    copy->super.generation != volume->super.generation || is_tried(volume, i, tried))
			continue;
		if (!crypt_state_read(copy->super.disk.tail, &read, err))
			continue;
		if (!newest || crypt_state_is_later(&read, tail)) {
			newest = copy;
			*tail = read;
		}
	}
	return newest;
}

const struct super_copy *state_newest(const struct volume *volume, struct crypt_state_tail *tail, struct error *err)
{
	return newest_but(volume, NULL, tail, err);
}

/* The copy that alone says that a conversion is unfinished, and is newer than that in use; NULL: none. */
static const struct super_copy *newer_state(const struct volume *volume)
{
	if (superblock_is_unfinished(&volume->super))
		return NULL;
	for (unsigned i = 0; i < volume->n_copies; i++) {
		const struct super_copy *copy = &volume->copy[i];

		if (copy->exists && copy->valid && copy->super.generation > volume->super.generation && superblock_is_unfinished(&copy->super))
			return copy;
	}
	return NULL;
}

bool state_unreadable(const struct volume *volume, const struct error *why, struct error *err)
{
	const struct super_copy *const newer = newer_state(volume);
	char text[COPY_TEXT_SIZE], used[COPY_TEXT_SIZE];

	if (why->kind == ERROR_REFUSED)
		*err = *why;
	else if (newer)
		error_set(err, ERROR_STATE, "%s, of generation %" PRIu64 ", says that a conversion is unfinished, but it is newer than %s, of "
			  "generation %" PRIu64 ", which is used", super_copy_text(volume, newer, text), newer->super.generation,
			  super_copy_text(volume, &volume->copy[volume->super_used], used), volume->super.generation);
	else
		error_set(err, ERROR_STATE, "the state of the unfinished conversion cannot be read");
	return false;
}

bool state_all_are(const struct volume *volume, enum crypt_operation operation)
{
	for (unsigned i = 0; i < volume->n_copies; i++) {
		const struct super_copy *copy = &volume->copy[i];
		struct crypt_state_tail read;
		struct error ignored;

		if (copy->exists && copy->valid && superblock_is_unfinished(&copy->super) &&
		    crypt_state_read(copy->super.disk.tail, &read, &ignored) && read.operation != operation)
			return false;
	}
	return true;
}

bool state_is_unanimous(const struct volume *volume, const struct crypt_state_tail *tail)
{
	for (unsigned i = 0; i < volume->n_copies; i++) {
		const struct super_copy *copy = &volume->copy[i];

		if (copy->exists && copy->valid && superblock_is_unfinished(&copy->super) &&
		    memcmp(copy->super.disk.tail, &tail->disk, sizeof(tail->disk)) != 0)
			return false;
	}
	return true;
}

/*
 * Opens the domain of the current tail: from the copies beside the trees or, if those are wiped or damaged, or if the tail points
 * elsewhere, from the root tree, or from what is left of them. A domain that opens is right: its key check value and the MACs of header and
 * state agree.
 */
static bool open_domain(struct volume *volume, const struct crypt_state_tail *tail, const struct key_source *key,
			struct domain **domain, struct error *err)
{
	struct error why = { 0 }, opening = { 0 };

	if (domain_read_unfinished(volume, domain, err))
		return domain_open(*domain, key, err);
	if (err->kind != ERROR_KEY_HEADER && err->kind != ERROR_STATE && err->kind != ERROR_IO)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		if (!(i == 0 ? domain_read(volume, tail->domain, domain, &why) : domain_read_damaged_keys(volume, domain, &why)))
			continue;
		if (domain_open(*domain, key, &why))
			return true;
		/* The tree has all the slots, so its error says whether the key is wrong. */
		if (i == 0)
			opening = why;
		domain_free(*domain);
		*domain = NULL;
	}
	*err = opening.kind != ERROR_NONE ? opening : *err;
	return false;
}

struct opening {
	const struct key_source *key;
	struct domain **domain;
};

static bool open_copy(void *context, struct volume *volume, const struct crypt_state_tail *tail, const struct key_schedule **schedule,
		      struct error *err)
{
	const struct opening *const opening = context;

	domain_free(*opening->domain);
	*opening->domain = NULL;
	if (tail->operation == CRYPT_OP_PURGE)	/* no key has to do with it */
		return error_set(err, ERROR_STATE, "the state of the unfinished conversion fails authentication");
	if (!open_domain(volume, tail, opening->key, opening->domain, err))
		return false;
	*schedule = (*opening->domain)->schedule;
	return true;
}

static bool try_copy(struct volume *volume, unsigned copy, const struct crypt_state_tail *tail, const struct state_opener *opener,
		     struct error *err)
{
	const struct key_schedule *schedule;
	bool authentic = false;

	return volume_use_copy(volume, copy, err) && opener->open(opener->context, volume, tail, &schedule, err) &&
	       state_is_authentic(schedule, &tail->disk, &authentic, err) &&
	       (authentic || error_set(err, ERROR_STATE, "the state of the unfinished conversion fails authentication"));
}

bool state_find(struct volume *volume, const struct state_opener *opener, struct crypt_state_tail *tail, struct error *err)
{
	bool *const tried = calloc(volume->n_copies, sizeof(*tried));
	struct error first = { 0 }, error = { 0 };
	const struct super_copy *copy;
	char text[COPY_TEXT_SIZE];
	bool found = false;

	if (!tried)
		return error_memory(err);
	while (!found && (copy = newest_but(volume, tried, tail, &error))) {
		const unsigned n = (unsigned)(copy - volume->copy);

		error = (struct error){ 0 };
		found = try_copy(volume, n, tail, opener, &error);
		if (found && !state_is_unanimous(volume, tail))
			volume_warn(volume, "one copy of the superblock has a damaged or older state of the unfinished conversion; that in %s is used",
				    super_copy_text(volume, copy, text));
		if (!found && first.kind == ERROR_NONE)
			first = error;
		tried[n] = true;
	}
	free(tried);
	if (!found)
		*err = first;
	return found || (first.kind == ERROR_NONE && state_unreadable(volume, &error, err));
}

bool state_open(struct volume *volume, const struct key_source *key, struct crypt_state_tail *tail, struct domain **domain,
		struct error *err)
{
	struct opening opening = { key, domain };

	*domain = NULL;
	if (state_find(volume, &(struct state_opener){ open_copy, &opening }, tail, err))
		return true;
	domain_free(*domain);
	*domain = NULL;
	return false;
}
