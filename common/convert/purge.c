/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/convert/purge.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/conversion.h"
#include "common/convert/found-record.h"
#include "common/convert/preflight.h"
#include "common/convert/purge-inside.h"
#include "common/convert/root-leaks.h"
#include "common/convert/wipe.h"
#include "common/util/take.h"
#include "common/volume/still-ours.h"
#include "common/volume/tolerance.h"

void purging_close(struct purging *p)
{
	operation_close(&p->op);
	allocator_close(p->allocator);
	key_schedule_free(p->schedule);
	scan_free(p->scan);
	subvolume_list_free(&p->list);
	*p = (struct purging){ 0 };
}

bool purging_prepare(struct purging *p, struct error *err)
{
	if (!key_schedule_new_keyless(&p->schedule, err))
		return false;
	p->op = (struct operation){ .volume = p->volume, .header = &p->header, .schedule = p->schedule, .verity = VERITY_KEEP };
	return true;
}

bool purging_edit(const struct purging *p, struct transaction *tx, struct error *err)
{
	const struct key first = crypt_key(p->header.domain, CRYPT_HEADER, 0), last = crypt_second_header_key(p->header.domain);
	struct root_leaks leaks = { 0 };
	bool ok = tree_cut(tx, ROOT_TREE_ID, &first, &last, err) && root_leaks_find(p->volume, &leaks, err);

	for (size_t i = 0; ok && i < leaks.n; i++)
		ok = transaction_free_block(tx, leaks.at[i].logical, leaks.at[i].level, err);
	free(leaks.at);
	return ok && transaction_settle(tx, err);
}

bool purging_finish(struct purging *p, struct error *err)
{
	if (p->at.phase < CRYPT_PHASE_FINISH) {
		p->at.phase = CRYPT_PHASE_FINISH;
		if (!operation_write_state(&p->op, &p->at, err))
			return false;
	}
	if (!wipe_all(&p->op, p->ui, p->at.direction, &p->plan->unwiped_free_bytes, err))
		return false;
	if (crypt_is_forward(CRYPT_OP_PURGE, p->at.direction) && purging_verity_is_unused(p))
		p->op.verity = VERITY_DROP;
	return operation_clear(&p->op, &p->at, p->op.verity != VERITY_DROP, err);
}

/* --- the domain ---------------------------------------------------------------------------------------------------------- */

static bool find_domain(struct volume *volume, const uint8_t uuid[CRYPT_UUID_SIZE], struct domain **domain, struct error *err)
{
	uint16_t *numbers = NULL;
	struct error unread = { 0 };
	size_t n = 0;

	if (!domain_numbers(volume, &numbers, &n, err))
		return false;
	for (size_t i = 0; i < n && !*domain; i++) {
		struct domain *read = NULL;
		struct error why = { 0 };

		if (!domain_read(volume, numbers[i], &read, &why)) {
			unread = unread.kind == ERROR_NONE || error_is_machine(&why) ? why : unread;
		} else if (memcmp(read->header.domain_uuid, uuid, CRYPT_UUID_SIZE) == 0) {
			*domain = read;
		} else {
			domain_free(read);
		}
	}
	free(numbers);
	if (*domain)
		return true;
	if (unread.kind == ERROR_NONE)
		return error_set(err, ERROR_NOT_FOUND, "there is no sealing with this uuid") ||
		       error_hint(err, "`btrfs-crypt list` names those without subvolumes");
	*err = unread;
	return false;
}

static bool count_items(const struct purging *p, struct error *err)
{
	const struct key first = crypt_key(p->header.domain, CRYPT_HEADER, 0), last = crypt_second_header_key(p->header.domain);
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct tree root;

	if (!tree_open(p->volume, ROOT_TREE_ID, &root, err) || !tree_seek(&root, &first, &iter, err))
		return false;
	while (iter.valid && key_compare(&iter.key, &last) <= 0) {
		p->plan->n_purged_items++;
		p->plan->purged_bytes += iter.item.left;
		if (!tree_next(&iter, err))
			return false;
	}
	return true;
}

static bool confirm(const struct convert_ui *ui, struct error *err)
{
	if (ui->confirm)
		return ui->confirm(ui->context, "The key of this sealing goes for good: what was sealed with it and is still elsewhere, in an older copy of "
				   "the image, can then be opened only with that copy, a header backup or the volume key.") ||
		       error_set(err, ERROR_REFUSED, "not confirmed; nothing was changed");
	if (!ui->nobody_to_ask)
		return true;
	error_set(err, ERROR_REFUSED, "nobody can be asked whether the key of this sealing may go for good; nothing was changed");
	return error_hint(err, "--batch-mode says yes");
}

/* --- the records --------------------------------------------------------------------------------------------------------- */

/* What will change, and how large the records are. Nothing is written. */
static bool try_edit(const struct purging *p, struct found_blocks *found, uint64_t *work, struct error *err)
{
	struct transaction *tx;
	bool ok;

	if (!transaction_begin(p->volume, p->allocator, &tx, err))
		return false;
	found->n = 0;
	ok = purging_edit(p, tx, err) && found_blocks_of(tx, found, err);
	*work = ok ? journal_record_size(&p->op.journal, found->n, transaction_n_new(tx), 0, 0) : 0;
	transaction_drop(tx);
	return ok;
}

static bool commit_edit(struct purging *p, struct error *err)
{
	struct transaction *tx;

	if (!transaction_begin(p->volume, p->allocator, &tx, err))
		return false;
	if (!purging_edit(p, tx, err)) {
		transaction_drop(tx);
		return false;
	}
	return operation_commit_first(&p->op, tx, &p->at, err);
}

/* The journal is found for what the records take; the places that it has then may change what is edited. */
static bool begin(struct purging *p, struct found_blocks *found, struct error *err)
{
	struct operation_places places = { 0 };
	uint64_t work;

	p->op.journal.volume = p->volume;
	if (!preflight_trees(p->volume, err) || !allocator_open(p->volume, &p->allocator, err) || !try_edit(p, found, &work, err) ||
	    !preflight_places(p->allocator, p->volume->super.node_size, work, &places, err))
		return false;
	allocator_close(TAKE(p->allocator));
	places.keys = (struct crypt_range){ 0 };
	operation_begin(&p->op, CRYPT_OP_PURGE, &places);
	p->op.state.n_unit_items = to_le64(0);
	p->op.state.flags = to_le32(operation_wanted_flags(p->ui) & ~CRYPT_STATE_READ_BACK);
	p->at = (struct journal_point){ .direction = CRYPT_TO_SEALED, .phase = CRYPT_PHASE_STRUCTURE, .cursor = 1 };
	if (!operation_open_journal(&p->op, err) || !operation_reserve(&p->op, &p->allocator, err) || !try_edit(p, found, &work, err))
		return false;
	p->plan->journal_bytes = CRYPT_JOURNAL_SLOTS * places.slot[0].length;
	if (work > journal_capacity(&p->op.journal))
		return error_set(err, ERROR_NO_SPACE, "a journal record of %" PRIu64 " bytes is needed, but there is room for only %zu", work,
				 journal_capacity(&p->op.journal)) || error_hint(err, "%s", MAKE_ROOM);
	return true;
}

static bool purge(struct purging *p, const uint8_t uuid[CRYPT_UUID_SIZE], bool dry_run, struct found_blocks *found, struct error *err)
{
	cleanup_domain struct domain *domain = NULL;

	if (!preflight_features(p->volume, err) || !preflight_no_parity(p->volume, "removing a sealing", err) || !wipe_check_free(p->volume, p->ui, err) || !domain_check_may_seal(p->volume, err) ||
	    !find_domain(p->volume, uuid, &domain, err))
		return false;
	p->header = domain->header;
	if (!crypto_random(p->header.op_id, sizeof(p->header.op_id), err) || !purging_prepare(p, err) || !purging_scan(p, err) ||
	    !purging_check_unneeded(p, domain, err) || !count_items(p, err) || !begin(p, found, err))
		return false;
	return dry_run || (confirm(p->ui, err) && (volume_still_ours(p->volume, err) || convert_busy(err)) && found_record_write(&p->op, p->allocator, found, p->at, err) && commit_edit(p, err) &&
			   purging_finish(p, err));
}

bool convert_purge(struct volume *volume, const uint8_t uuid[CRYPT_UUID_SIZE], bool dry_run, const struct convert_ui *ui,
		   struct convert_plan *plan, struct error *err)
{
	struct purging p = { .volume = volume, .ui = ui, .plan = plan };
	struct found_blocks found = { 0 };
	bool ok;

	plan->purged = true;
	memcpy(plan->purged_uuid, uuid, CRYPT_UUID_SIZE);
	ok = purge(&p, uuid, dry_run, &found, err);
	found_blocks_free(&found);
	purging_close(&p);
	return ok;
}
