/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an unfinished conversion says about itself. Without a key it is not authenticated. */
#include "common/convert/status.h"

#include "common/convert/legacy.h"
#include "common/convert/state.h"
#include "common/volume/still-ours.h"
#include "common/volume/stripe.h"

/* most: a header with a higher sequence is none. */
static void look_at_record(struct volume *volume, uint64_t slot, unsigned mirror, uint64_t most, struct crypt_state_tail *state)
{
	struct disk_journal_header disk;
	struct cursor cursor = { (const uint8_t *)&disk, sizeof(disk), slot };
	struct journal_header header;
	struct error ignored;

	if (!volume_read(volume, slot, &disk, sizeof(disk), mirror, &ignored) || !journal_header_read(&cursor, &header, &ignored) ||
	    memcmp(header.op_id, state->disk.op_id, sizeof(header.op_id)) != 0 || header.place != slot ||
	    header.sequence <= state->sequence || header.sequence > most)
		return;
	state->sequence = header.sequence;
	state->direction = header.direction;
	state->phase = header.phase;
	state->cursor = header.cursor;
}

/* Looks at what is on the devices, or at what parity makes of it. */
static void look_at_slots_of(struct volume *volume, bool computed, uint64_t most, struct crypt_state_tail *state)
{
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++) {
		const struct chunk *chunk;
		struct error ignored;

		if (!volume_chunk(volume, state->slot[i].logical, &chunk, &ignored))
			continue;
		for (unsigned mirror = 0; mirror < chunk_n_mirrors(chunk); mirror++)
			if (stripe_is_computed(chunk, mirror) == computed)
				look_at_record(volume, state->slot[i].logical, mirror, most, state);
	}
}

/*
 * Looks at the header of the newest record, which may be further than the superblock's state says. Where a power cut left parity that does not
 * fit, what is computed from it may be a mixture of two headers, with any sequence.
 */
static void look_at_journal(struct volume *volume, struct crypt_state_tail *state)
{
	if (state->phase >= CRYPT_PHASE_FINISH)
		return;
	look_at_slots_of(volume, false, UINT64_MAX, state);
	look_at_slots_of(volume, true, state->sequence + 1, state);
}

const char *convert_options_to_go_on(enum crypt_operation operation, enum crypt_direction direction)
{
	if (!crypt_is_forward(operation, direction))
		return "--abort";
	return operation == CRYPT_OP_DECRYPT || operation == CRYPT_OP_LEGACY ? "--decrypt --resume" : "--resume";
}

/* The cursor is an address, which says about how much is left below it; n_unit_items is the end of the last extent. */
static unsigned legacy_percent(const struct crypt_state_tail *state)
{
	const uint64_t end = state->n_unit_items ? state->n_unit_items : 1, left = state->cursor < end ? state->cursor : end;

	switch (state->phase) {
	case CRYPT_PHASE_LEAVES:
		return 2;
	case CRYPT_PHASE_DATA:
		return 5 + (unsigned)((double)(end - left) * 90 / (double)end);
	case CRYPT_PHASE_STRUCTURE:
		return 97;
	default:
		return 99;
	}
}

unsigned state_percent(const struct crypt_state_tail *state)
{
	if (state->operation == CRYPT_OP_LEGACY)
		return legacy_percent(state);

	const uint64_t total = state->n_unit_items ? state->n_unit_items : 1;
	uint64_t units = state->cursor >> 16;
	unsigned sealed;

	if (units > total)
		units = total;
	switch (state->phase) {
	case CRYPT_PHASE_STRUCTURE:
		sealed = 0;
		break;
	case CRYPT_PHASE_DATA:
		sealed = 2 + (unsigned)(units * 90 / total);
		break;
	case CRYPT_PHASE_LEAVES:
		sealed = 95;
		break;
	case CRYPT_PHASE_INDEX:
		sealed = 97;
		break;
	default:
		return 99;
	}
	return state->direction == CRYPT_TO_SEALED ? sealed : 98 - sealed;
}

/* According to the header in the trees, which is not authenticated: only a hint how to go on. */
static bool carries(struct volume *volume, const struct crypt_state_tail *state)
{
	cleanup_domain struct domain *domain = NULL;
	struct error ignored;

	return state->operation == CRYPT_OP_ENCRYPT && state->direction == CRYPT_TO_SEALED && state->phase <= CRYPT_PHASE_DATA &&
	       domain_read(volume, state->domain, &domain, &ignored) && domain->header.n_bad_blocks > 0;
}

/* Also only a hint: what a slot says it is for does not limit what opens it. */
static void look_at_slots(struct volume *volume, struct convert_status *status)
{
	cleanup_domain struct domain *domain = NULL;
	struct error ignored;

	if (!domain_read_unfinished(volume, &domain, &ignored) && !domain_read(volume, status->state.domain, &domain, &ignored))
		return;
	status->by_volume_key = domain->n_slots == 0;
	status->by_key_file = domain->n_slots > 0;
	for (size_t i = 0; i < domain->n_slots; i++)
		status->by_key_file &= domain->slots[i].type == SLOT_KEY_FILE;
}

bool convert_status(struct volume *volume, const struct key_source *key, struct convert_status *status, struct error *err)
{
	cleanup_domain struct domain *domain = NULL;
	struct error unread = { 0 };	/* a tail beside a good one */

	*status = (struct convert_status){ .damaged_primary = volume_damaged_primary(volume) };
	if (!state_newest(volume, &status->state, &unread)) {
		if (volume_is_unfinished(volume))
			return state_unreadable(volume, &unread, err);
		status->unfinished = status->damaged_primary;
		return status->damaged_primary || domain_check_finished(volume, NULL, err);
	}
	const bool is_legacy = status->state.operation == CRYPT_OP_LEGACY, is_keyless = status->state.operation == CRYPT_OP_PURGE;

	status->unfinished = true;
	if (key && !is_keyless && !(is_legacy ? convert_legacy_state(volume, key, &status->state, err) : state_open(volume, key, &status->state, &domain, err)))
		return false;
	status->authenticated = key != NULL && !is_keyless;
	status->running = volume_locked_by(volume, &status->process);
	look_at_journal(volume, &status->state);
	status->percent = state_percent(&status->state);
	status->by_volume_key = is_legacy;
	if (is_legacy || is_keyless)
		return true;
	status->carries = carries(volume, &status->state);
	look_at_slots(volume, status);
	return true;
}
