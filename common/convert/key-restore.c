/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/key-restore.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/key-change-inside.h"
#include "common/sealed/backup-put.h"
#include "common/sealed/domain-slots.h"
#include "common/sealed/domain-write.h"
#include "common/util/array.h"
#include "common/volume/block.h"

struct addresses {
	uint64_t *at;
	size_t n, room;
};

/* The items of the backup, and the header, which gets the hashes of the slots that there are. */
static bool put_all(struct changing *c, struct transaction *tx, struct error *err)
{
	if (header_backup_put(tx, c->volume, c->domain->schedule, c->domain->backup, &c->header, err))
		return true;
	return err->kind != ERROR_CORRUPT ? false :
	       error_hint(err, "a tree block that no copy has is not in the backup: --header, with --tolerant, reads what is left of the subvolume");
}

/* Which tree blocks will change? Nothing is written. */
static bool try_putting(struct changing *c, struct addresses *changed, struct error *err)
{
	struct transaction *tx;
	bool ok;

	if (!transaction_begin(c->volume, c->allocator, &tx, err))
		return false;
	ok = put_all(c, tx, err) && domain_write_header(tx, c->volume, c->domain->schedule, &c->header, err) && transaction_settle(tx, err);
	for (size_t i = 0; ok && i < transaction_n_changed(tx); i++) {
		ok = ARRAY_ROOM(changed->at, changed->n, changed->room, err);
		if (ok)
			changed->at[changed->n++] = transaction_changed(tx, i)->logical;
	}
	transaction_drop(tx);
	return ok;
}

/* Record 1: these blocks, as they are. It is not carried out. */
static bool keep_found(struct changing *c, const struct addresses *changed, struct error *err)
{
	struct journal_point at = c->at;
	struct transaction *tx;
	bool ok = transaction_begin(c->volume, c->allocator, &tx, err);

	if (!ok)
		return false;
	for (size_t i = 0; ok && i < changed->n; i++) {
		struct block *block;

		ok = block_get(c->volume, changed->at[i], NULL, &block, err);
		if (ok) {
			ok = transaction_edit(tx, block, err);
			block_put(block);
		}
	}
	if (!ok) {
		transaction_drop(tx);
		return false;
	}
	at.only_record = true;
	return operation_commit(&c->op, tx, &at, true, NULL, err);
}

/* Record 2, which is carried out. */
static bool commit_put(struct changing *c, struct error *err)
{
	struct transaction *tx;

	if (!transaction_begin(c->volume, c->allocator, &tx, err))
		return false;
	if (!put_all(c, tx, err)) {
		transaction_drop(tx);
		return false;
	}
	return operation_commit_first(&c->op, tx, &c->at, err);
}

static bool is_same_slot(const struct disk_crypt_slot *a, const struct disk_crypt_slot *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Those of the backup, and then those of the image that are others. A backup without slots leaves those of the image. */
static bool write_copies(struct changing *c, const struct domain_remains *remains, struct error *err)
{
	struct disk_crypt_slot *const all = calloc(DOMAIN_KEYS_SLOTS_MAX, sizeof(*all));
	bool ok = all || error_memory(err);
	const size_t n_own = ok ? domain_right_slots(c->domain, all) : 0;
	size_t n = n_own;

	for (size_t i = 0; ok && i < remains->n_slots; i++) {
		bool is_there = false;

		for (size_t j = 0; j < n_own && !is_there; j++)
			is_there = is_same_slot(&all[j], &remains->slots[i].disk);
		if (!is_there)
			all[n++] = remains->slots[i].disk;
	}
	ok = ok && operation_write_keys(&c->op, all, n, err);
	free(all);
	return ok;
}

static bool restore(struct changing *c, const struct domain_remains *remains, struct addresses *changed, struct error *err)
{
	const uint64_t size = c->domain->backup->file.items.left;

	if (remains->has_header && remains->header.epoch > c->header.epoch)
		c->header.epoch = remains->header.epoch;
	if (!changing_begin(c, CRYPT_STATE_WIPE_METADATA | CRYPT_STATE_RESTORE, 4 * size, err) || !try_putting(c, changed, err) || !write_copies(c, remains, err))
		return false;
	/* Record 1 has the highest epoch that was seen, so that the new header has the next one. */
	c->header.epoch--;
	return keep_found(c, changed, err) && commit_put(c, err) && changing_finish(c, err);
}

bool key_restore(struct volume *volume, struct domain *domain, const struct domain_remains *remains, const struct convert_ui *ui, struct error *err)
{
	struct changing c = { .volume = volume, .domain = domain, .header = domain->header, .ui = ui };
	struct addresses changed = { 0 };
	const bool ok = restore(&c, remains, &changed, err);

	if (ok)
		domain->header = c.header;
	free(changed.at);
	changing_close(&c);
	return ok;
}

/* --- undoing --------------------------------------------------------------------------------------------------------- */

struct turning {
	struct changing *c;
	const struct journal_record *found;	/* record 1 */
	struct transaction *tx;
	uint64_t logical;
	bool is_named;
};

static bool put_back(void *context, const struct journal_changed *changed, struct error *err)
{
	const struct turning *const turning = context;
	struct volume *const volume = turning->c->volume;
	struct block *block;
	bool ok;

	if (!block_get(volume, changed->logical, NULL, &block, err))
		return false;
	ok = transaction_edit(turning->tx, block, err);
	if (ok) {
		memcpy(block->bytes, changed->bytes, volume->super.node_size);
		ok = block_refresh(block, err);
	}
	block_put(block);
	return ok;
}

static bool look_for_name(void *context, const struct journal_changed *changed, struct error *err)
{
	struct turning *const turning = context;

	(void)err;
	turning->is_named |= changed->logical == turning->logical;
	return true;
}

/* Does record 1 have this block, which record 2 changed? */
static bool check_named(void *context, const struct journal_changed *changed, struct error *err)
{
	static const struct journal_visitor names = { .on_changed = look_for_name };
	struct turning *const turning = context;

	turning->logical = changed->logical;
	turning->is_named = false;
	return journal_record_visit(&turning->c->op.journal, turning->found, &names, turning, err) &&
	       (turning->is_named || error_set(err, ERROR_STATE, "tree block %" PRIu64 " was changed, but no journal record has what was found there",
					       changed->logical));
}

bool key_restore_turn(struct changing *c, const struct replay *replay, struct error *err)
{
	static const struct journal_visitor check = { .on_changed = check_named }, back = { .on_changed = put_back };
	struct superblock *const super = &c->volume->super;
	struct turning turning = { .c = c, .found = &replay->record[0] };

	if (replay->n != 2)
		return error_set(err, ERROR_STATE, "no journal record has what was found before the header was restored");
	if (!journal_record_visit(&c->op.journal, &replay->record[1], &check, &turning, err) ||
	    !transaction_begin(c->volume, c->allocator, &turning.tx, err))
		return false;
	if (!journal_record_visit(&c->op.journal, turning.found, &back, &turning, err)) {
		transaction_drop(turning.tx);
		return false;
	}
	superblock_set_root_level(super, turning.found->header.root_level);
	superblock_set_bytes_used(super, turning.found->header.bytes_used);
	c->at.direction = CRYPT_TO_PLAIN;
	return operation_commit(&c->op, turning.tx, &c->at, true, NULL, err) && operation_write_state(&c->op, &c->at, err);
}
