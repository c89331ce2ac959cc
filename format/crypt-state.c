/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of an unfinished conversion, in the tail of a superblock. */
#include "format/crypt-check.h"

#define STATE_FLAGS_KNOWN (CRYPT_STATE_ACCEPTED | CRYPT_STATE_READ_BACK | CRYPT_STATE_WIPE_METADATA | CRYPT_STATE_WIPE_FREE | \
			   CRYPT_STATE_RESTORE | CRYPT_STATE_COPY | CRYPT_STATE_COPIED)

/* A range of whole blocks, or none (both 0). */
static bool range_read(const struct disk_crypt_range *disk, const char *name, struct place place,
		       struct crypt_range *range, struct error *err)
{
	const uint64_t logical = le64(disk->logical), length = le64(disk->length);

	if (logical % CRYPT_BLOCK != 0 || length % CRYPT_BLOCK != 0 || length > UINT64_MAX - logical ||
	    (length == 0 && logical != 0))
		return wrong(place, "%s is %#" PRIx64 " bytes at %#" PRIx64 ", not whole blocks of %u", name, length,
			     logical, CRYPT_BLOCK);
	*range = (struct crypt_range){ logical, length };
	return true;
}

static bool size_is_valid(uint32_t size)
{
	return size >= NODE_SIZE_MIN && size <= NODE_SIZE_MAX && (size & (size - 1)) == 0;
}

static bool state_check(const struct disk_crypt_state *disk, struct place place, struct error *err)
{
	if (memcmp(disk->magic, CRYPT_STATE_MAGIC, sizeof(disk->magic)) != 0)
		return wrong(place, "the magic is not \"%s\"", CRYPT_STATE_MAGIC);
	if (is_unreleased(le32(disk->version), place, err))
		return false;
	if (le32(disk->version) != CRYPT_VERSION)
		return wrong(place, "version is %" PRIu32 ", not %u", le32(disk->version), CRYPT_VERSION);
	if (disk->operation < CRYPT_OP_ENCRYPT || disk->operation > CRYPT_OP_PURGE)
		return wrong(place, "operation is %u, not 1 to %u", disk->operation, CRYPT_OP_PURGE);
	if (disk->direction < CRYPT_TO_SEALED || disk->direction > CRYPT_TO_PLAIN)
		return wrong(place, "direction is %u, not 1 or 2", disk->direction);
	if (disk->phase < CRYPT_PHASE_STRUCTURE || disk->phase > CRYPT_PHASE_FINISHED)
		return wrong(place, "phase is %u, not 1 to %u", disk->phase, CRYPT_PHASE_FINISHED);
	if (disk->operation == CRYPT_OP_LEGACY && disk->cipher != 0)
		return wrong(place, "cipher is %u, not 0 as in operation 5", disk->cipher);
	if (disk->operation != CRYPT_OP_LEGACY && !cipher_known(disk->cipher))
		return wrong(place, "cipher is %u, not 1 or 2", disk->cipher);
	if ((le32(disk->flags) & ~STATE_FLAGS_KNOWN) != 0)
		return wrong(place, "flags are %#" PRIx32 ", not 0 to %#x", le32(disk->flags), STATE_FLAGS_KNOWN);
	if (!size_is_valid(le32(disk->sector_size)))
		return wrong(place, "sector_size is %" PRIu32 ", not a power of two from %u to %u",
			     le32(disk->sector_size), NODE_SIZE_MIN, NODE_SIZE_MAX);
	if (!size_is_valid(le32(disk->node_size)))
		return wrong(place, "node_size is %" PRIu32 ", not a power of two from %u to %u",
			     le32(disk->node_size), NODE_SIZE_MIN, NODE_SIZE_MAX);
	if (disk->operation != CRYPT_OP_LEGACY && !all_zero(disk->whole_digest, sizeof(disk->whole_digest)))
		return wrong(place, "%zu reserved bytes are not 0", sizeof(disk->whole_digest));
	return true;
}

bool crypt_state_read(const uint8_t *bytes, struct crypt_state_tail *state, struct error *err)
{
	const struct place place = { ERROR_STATE, "conversion state in the superblock", SUPER_TAIL_OFFSET };
	struct crypt_range keys, slot[CRYPT_JOURNAL_SLOTS];
	struct disk_crypt_state disk;

	memcpy(&disk, bytes, sizeof(disk));
	if (!state_check(&disk, place, err))
		return false;
	if (!all_zero(bytes + sizeof(disk), SUPER_TAIL_SIZE - sizeof(disk)))
		return wrong(place, "%zu bytes after it are not 0", SUPER_TAIL_SIZE - sizeof(disk));
	if (!range_read(&disk.keys, "the place of the keys", place, &keys, err))
		return false;
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++) {
		if (!range_read(&disk.slot[i], "a journal slot", place, &slot[i], err))
			return false;
	}

	*state = (struct crypt_state_tail){
		.disk = disk,
		.operation = disk.operation,
		.direction = disk.direction,
		.phase = disk.phase,
		.cipher = disk.cipher,
		.domain = le16(disk.domain),
		.epoch = le64(disk.epoch),
		.generation = le64(disk.generation),
		.cursor = le64(disk.cursor),
		.sequence = le64(disk.sequence),
		.start_time = le64(disk.start_time),
		.total = le64(disk.total),
		.n_unit_items = le64(disk.n_unit_items),
		.keys = keys,
	};
	memcpy(state->slot, slot, sizeof(slot));
	return true;
}

/* Towards plain text the phases run backwards, down to the one where only cleaning up is left. */
static unsigned way_gone(const struct crypt_state_tail *state)
{
	return state->direction == CRYPT_TO_PLAIN && state->phase < CRYPT_PHASE_FINISH ? CRYPT_PHASE_FINISH - state->phase : state->phase;
}

bool crypt_state_is_later(const struct crypt_state_tail *a, const struct crypt_state_tail *b)
{
	if (a->sequence != b->sequence)
		return a->sequence > b->sequence;
	if (a->epoch != b->epoch)
		return a->epoch > b->epoch;
	return way_gone(a) > way_gone(b);
}
