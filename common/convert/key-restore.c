/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/key-restore.h"

#include <stdlib.h>

#include "common/convert/found-record.h"
#include "common/convert/key-change-inside.h"
#include "common/sealed/backup-put.h"
#include "common/sealed/domain-slots.h"
#include "common/sealed/domain-write.h"

/* The items of the backup, and the header, which gets the hashes of the slots that there are. */
static bool put_all(struct changing *c, struct transaction *tx, struct error *err)
{
	if (header_backup_put(tx, c->volume, c->domain->schedule, c->domain->backup, &c->header, err))
		return true;
	return err->kind != ERROR_CORRUPT ? false :
	       error_hint(err, "a tree block that no copy has is not in the backup: --header, with --tolerant, reads what is left of the subvolume");
}

/* Which tree blocks will change? Nothing is written. */
static bool try_putting(struct changing *c, struct found_blocks *changed, struct error *err)
{
	struct transaction *tx;
	bool ok;

	if (!transaction_begin(c->volume, c->allocator, &tx, err))
		return false;
	ok = put_all(c, tx, err) && domain_write_header(tx, c->volume, c->domain->schedule, &c->header, err) && transaction_settle(tx, err) && found_blocks_of(tx, changed, err);
	transaction_drop(tx);
	return ok;
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

static bool restore(struct changing *c, const struct domain_remains *remains, struct found_blocks *changed, struct error *err)
{
	const uint64_t size = c->domain->backup->file.items.left;

	if (remains->has_header && remains->header.epoch > c->header.epoch)
		c->header.epoch = remains->header.epoch;
	if (!changing_begin(c, CRYPT_STATE_WIPE_METADATA | CRYPT_STATE_RESTORE, 4 * size, err) || !try_putting(c, changed, err) || !write_copies(c, remains, err))
		return false;
	/* Record 1 has the highest epoch that was seen, so that the new header has the next one. */
	c->header.epoch--;
	return found_record_write(&c->op, c->allocator, changed, c->at, err) && commit_put(c, err) && changing_finish(c, err);
}

bool key_restore(struct volume *volume, struct domain *domain, const struct domain_remains *remains, const struct convert_ui *ui, struct error *err)
{
	struct changing c = { .volume = volume, .domain = domain, .header = domain->header, .ui = ui };
	struct found_blocks changed = { 0 };
	const bool ok = restore(&c, remains, &changed, err);

	if (ok)
		domain->header = c.header;
	found_blocks_free(&changed);
	changing_close(&c);
	return ok;
}
