/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One step of a conversion (record, header, position), and stopping between two steps. */
#include "common/convert/commit.h"

#include <inttypes.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/conversion.h"
#include "common/convert/state.h"
#include "common/sealed/domain-mac.h"
#include "common/util/take.h"
#include "common/volume/mirror.h"
#include "common/volume/still-ours.h"

/* The most tree blocks that the two header copies take in a record. */
#define HEADER_BLOCKS 2u

/* Opening the domain has already warned of a copy that is missing or has another size. */
static bool has_header(struct conversion *c, const struct key *key, bool *has, struct error *err)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree tree;
	bool found;

	if (!tree_open(c->volume, ROOT_TREE_ID, &tree, err) || !tree_find(&tree, key, &iter, &found, err))
		return false;
	*has = found && iter.item.left == sizeof(struct disk_crypt_header);
	return true;
}

/* Writes c->header to both copies of the header item. */
static bool write_header(struct conversion *c, struct transaction *tx, struct error *err)
{
	const struct key keys[] = { crypt_key(c->header.domain, CRYPT_HEADER, 0), crypt_second_header_key(c->header.domain) };
	struct disk_crypt_header disk;
	unsigned n_copies = 0;

	if (!crypt_header_seal(c->schedule, &c->header, err))
		return false;
	crypt_header_write(&c->header, &disk);
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *data;
		uint32_t len;
		bool has;

		if (!has_header(c, &keys[i], &has, err))
			return false;
		if (!has)
			continue;
		if (!tree_edit_item(tx, ROOT_TREE_ID, &keys[i], &data, &len, err))
			return false;
		memcpy(data, &disk, sizeof(disk));
		n_copies++;
	}
	return n_copies > 0 || error_set(err, ERROR_KEY_HEADER, "both copies of the header of sealing %u are missing", c->header.domain);
}

static bool commit(struct conversion *c, struct transaction *tx, struct journal_point *point, const struct journal_data *data,
		   struct error *err)
{
	/* The header goes with the crypt items, and with it the second record of the epoch. */
	const bool has_header = !conversion_is_cut(c->direction, point->phase, point->cursor);

	c->header.epoch++;
	if (has_header && (!bad_blocks_store(c, tx, err) || !write_header(c, tx, err))) {
		transaction_drop(tx);
		return false;
	}
	point->direction = c->direction;
	point->epoch = c->header.epoch;
	if (!journal_commit(&c->journal, tx, point, data, err))
		return false;
	c->phase = point->phase;
	c->cursor = point->cursor;
	return true;
}

bool conversion_commit(struct conversion *c, struct transaction *tx, enum crypt_phase phase, uint64_t cursor, struct error *err)
{
	struct journal_point point = { .phase = phase, .cursor = cursor };

	return commit(c, tx, &point, NULL, err);
}

bool conversion_commit_data(struct conversion *c, struct transaction *tx, uint64_t cursor, const struct journal_data *data, struct error *err)
{
	struct journal_point point = { .phase = c->phase, .cursor = cursor };

	return commit(c, tx, &point, data, err);
}

bool conversion_commit_step(struct conversion *c, struct transaction **tx, enum crypt_phase phase, uint64_t cursor, struct error *err)
{
	return conversion_commit(c, TAKE(*tx), phase, cursor, err) && conversion_may_go_on(c, err) &&
	       transaction_begin(c->volume, c->allocator, tx, err);
}

bool conversion_flush(struct conversion *c, struct error *err)
{
	return volume_flush(c->volume, err) && journal_read_back(&c->journal, err);
}

bool convert_busy(struct error *err)
{
	char first[sizeof(err->hint)];

	if (err->kind != ERROR_BUSY)
		return false;
	strcpy(first, err->hint);
	return error_hint(err, "%s%snothing was changed; run this again when nobody else uses the image", first, first[0] ? "; " : "");
}

static bool first_durable(void *context, struct error *err)
{
	struct conversion *c = context;

	if (!volume_still_ours(c->volume, err))
		return convert_busy(err);
	if (!state_write(c, err))
		return false;
	if (state_claim(c, err))
		return true;
	if (err->kind == ERROR_BUSY)
		error_hint(err, "only the superblocks were changed; once nobody else uses the image, `btrfs-crypt convert --status` "
			"says whether they still record a conversion, and --abort undoes it");
	return false;
}

bool conversion_commit_first(struct conversion *c, struct transaction *tx, enum crypt_phase phase, uint64_t cursor, struct error *err)
{
	struct journal_point point = { .phase = phase, .cursor = cursor, .durable = first_durable, .context = c };

	c->phase = phase;
	c->cursor = cursor;
	return commit(c, tx, &point, NULL, err);
}

bool conversion_has_room(const struct conversion *c, const struct transaction *tx, size_t n_blocks, size_t n_ranges, size_t n_tags)
{
	const size_t n = transaction_n_blocks(tx) + n_blocks + HEADER_BLOCKS + bad_blocks_room(c);

	return journal_record_size(&c->journal, n, 0, n_ranges, n_tags) <= journal_capacity(&c->journal);
}

bool conversion_may_go_on(struct conversion *c, struct error *err)
{
	if (!c->ui || !c->ui->stop || !c->ui->stop(c->ui->context))
		return true;
	if (!state_write(c, err))
		return false;
	return error_set(err, ERROR_STOPPED, "stopped at a safe point");	/* whoever knows the name of the image says how to go on */
}
