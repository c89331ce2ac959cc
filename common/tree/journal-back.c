/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds writes that never reached the device: compares what was written and flushed with what is there. */
#include "common/tree/journal.h"
#include "common/volume/mirror.h"

static bool read_back_changed(void *context, const struct journal_changed *changed, struct error *err)
{
	const struct journal *journal = context;

	return volume_read_back(journal->volume, changed->logical, changed->bytes, journal->volume->super.node_size, err);
}

/* Nothing else could tell a write that was lost from one that was not: these have no tags, and what they were made of will be gone. */
static bool read_back_carried(void *context, const struct journal_carried *carried, struct error *err)
{
	const struct journal *journal = context;

	return volume_read_back(journal->volume, carried->address, carried->bytes, (size_t)carried->n_blocks * CRYPT_BLOCK, err);
}

bool journal_read_back(struct journal *journal, struct error *err)
{
	const struct journal_record last = { .bytes = journal_buffer(journal, journal->sequence), .len = journal->unread };
	const struct journal_visitor visitor = { .on_changed = read_back_changed, .on_carried = read_back_carried };

	if (journal->unread == 0)
		return true;
	journal->unread = 0;
	return journal_record_visit(journal, &last, &visitor, journal, err);
}

bool journal_read_back_record(struct journal *journal, const struct transaction *tx, size_t len, struct error *err)
{
	struct volume *volume = journal->volume;
	const uint64_t sequence = journal->sequence + 1;

	if (!volume_read_back(volume, journal->slot[sequence % CRYPT_JOURNAL_SLOTS].logical, journal_buffer(journal, sequence), len, err))
		return false;
	for (size_t i = 0; i < transaction_n_new(tx); i++) {
		const struct block *block = transaction_new(tx, i);

		if (!volume_read_back(volume, block->logical, block->bytes, volume->super.node_size, err))
			return false;
	}
	return true;
}
