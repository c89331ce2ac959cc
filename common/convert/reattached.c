/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The newest record, on each mirror. */
#include "common/convert/reattached.h"

#include "common/volume/devices.h"
#include "common/volume/mirror.h"
#include "format/journal.h"

static bool all_marked(const struct volume *volume)
{
	for (unsigned n = 0; n < volume->n_copies; n++) {
		const struct super_copy *const copy = &volume->copy[n];

		if (copy->number == 0 && copy->exists && copy->valid && !superblock_is_unfinished(&copy->super))
			return false;
	}
	return true;
}

static bool is_record(struct volume *volume, const struct crypt_state_tail *state, uint64_t logical, unsigned mirror)
{
	struct disk_journal_header disk;
	struct cursor cursor = { (const uint8_t *)&disk, sizeof(disk), logical };
	struct journal_header header;
	struct error ignored;

	return volume_read_medium(volume, logical, &disk, sizeof(disk), mirror, &ignored) && journal_header_read(&cursor, &header, &ignored) &&
	       header.sequence >= state->sequence && memcmp(header.op_id, state->disk.op_id, sizeof(header.op_id)) == 0;
}

bool reattached_check(struct volume *volume, const struct crypt_state_tail *state, struct error *err)
{
	const uint64_t slot = state->slot[state->sequence % CRYPT_JOURNAL_SLOTS].logical;
	unsigned n_mirrors;

	if (volume->super.n_devices == 1 || state->phase == CRYPT_PHASE_FINISHED || all_marked(volume))
		return true;
	if (!volume_n_mirrors(volume, slot, &n_mirrors, err)) {
		err->kind = ERROR_STATE;
		return false;
	}
	for (unsigned mirror = 0; mirror < n_mirrors; mirror++) {
		if (volume_has_mirror(volume, slot, sizeof(struct disk_journal_header), mirror) && !is_record(volume, state, slot, mirror))
			return volume_reattached(volume, err);
	}
	return true;
}
