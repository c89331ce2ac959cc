/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far the records have been carried out in place. */
#include "common/convert/disk-epoch.h"

#include <stdlib.h>

#include "common/convert/replay.h"
#include "common/sealed/domain-mac.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"

bool disk_epoch_look(const struct operation *op, uint64_t logical, struct replay *replay, struct error *err)
{
	const struct volume *volume = op->volume;
	const uint32_t node_size = volume->super.node_size;
	const struct key keys[] = { crypt_key(op->header->domain, CRYPT_HEADER, 0), crypt_second_header_key(op->header->domain) };
	uint8_t *bytes = malloc(node_size);
	unsigned n_mirrors;
	bool ok = bytes ? volume_n_mirrors(volume, logical, &n_mirrors, err) : error_memory(err);

	for (unsigned mirror = 0; ok && mirror < n_mirrors; mirror++) {
		struct error ignored;
		struct node node;

		if (!volume_read(op->volume, logical, bytes, node_size, mirror, &ignored) ||
		    !csum_block_matches(volume->super.csum_type, bytes, node_size) ||
		    !node_read(bytes, node_size, logical, &node, &ignored) || !node_is_leaf(&node))
			continue;
		for (unsigned i = 0; ok && i < 2; i++) {
			const uint32_t slot = node_search(&node, &keys[i]);
			struct crypt_header header;
			struct cursor item;
			struct key found;
			bool authentic;

			if (slot >= node.n_items)
				continue;
			found = node_key(&node, slot);
			item = leaf_item(&node, slot);
			if (key_compare(&found, &keys[i]) != 0 || !crypt_header_read(&item, &header, &ignored))
				continue;
			authentic = !op->schedule;
			ok = !op->schedule || crypt_header_check(op->schedule, &header, &authentic, err);
			if (!ok || !authentic || header.epoch <= replay->disk_epoch ||
			    memcmp(header.domain_uuid, op->header->domain_uuid, CRYPT_UUID_SIZE) != 0)
				continue;
			replay->disk_epoch = header.epoch;
			replay->disk_state = header.state;
		}
	}
	wiped_free(bytes, node_size);
	return ok;
}

struct looking {
	const struct operation *op;
	struct replay in_changed, in_new;
};

static bool look_at_changed(void *context, const struct journal_changed *changed, struct error *err)
{
	struct looking *looking = context;

	return disk_epoch_look(looking->op, changed->logical, &looking->in_changed, err);
}

static bool look_at_new(void *context, const struct journal_new *new_block, struct error *err)
{
	struct looking *looking = context;

	return disk_epoch_look(looking->op, new_block->logical, &looking->in_new, err);
}

bool disk_epoch_proves(void *context, const struct journal_record *record, bool *was, struct error *err)
{
	static const struct journal_visitor visitor = { .on_changed = look_at_changed, .on_new = look_at_new };
	const struct operation *op = context;
	struct looking looking = { .op = op };

	*was = record->header.sequence <= le64(op->state.sequence);
	if (*was)
		return true;
	if (!journal_record_visit(&op->journal, record, &visitor, &looking, err))
		return false;
	/* New blocks are written with the record: one of them may be there, and others, or the record's end, not. */
	*was = looking.in_changed.disk_epoch >= record->header.epoch || looking.in_new.disk_epoch > record->header.epoch;
	return true;
}
