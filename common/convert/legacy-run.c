/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decrypting the format of 2016: the order of the phases, in both directions, and what they share. */
#include "common/convert/legacy-run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "common/convert/plan.h"
#include "common/convert/wipe.h"
#include "common/util/take.h"

/* Tree blocks that a commit adds: those that settling may still change. */
#define SETTLING_BLOCKS 8u

void legacy_run_close(struct legacy_run *run)
{
	operation_close(&run->op);
	allocator_close(run->allocator);
	key_schedule_free(run->schedule);
	legacy_ciphers_free(run->ciphers);
	wiped_free(run->extent, run->scan ? run->scan->n_extents * sizeof(*run->extent) : 0);
	scan_free(run->scan);
	subvolume_list_free(&run->list);
	free(run->parent);
	secret_wipe(&run->inode, sizeof(run->inode));
	*run = (struct legacy_run){ 0 };
}

void legacy_progress(const struct legacy_run *run, enum crypt_phase phase, uint64_t done, uint64_t total)
{
	const struct convert_progress progress = { phase, run->at.direction, done, total };

	if (run->ui && run->ui->progress)
		run->ui->progress(run->ui->context, &progress);
}

void legacy_note(const struct legacy_run *run, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	convert_note(run->ui, format, args);
	va_end(args);
}

/* --- records ------------------------------------------------------------------------------------------------------------------ */

bool legacy_open_journal(struct legacy_run *run, struct error *err)
{
	struct journal *const journal = &run->op.journal;

	if (!operation_open_journal(&run->op, err))
		return false;
	if (run->ui && run->ui->record_bytes && run->ui->record_bytes < journal->buffer_size)
		journal->buffer_size = run->ui->record_bytes;
	return true;
}

bool legacy_has_room(const struct legacy_run *run, const struct transaction *tx, size_t n_blocks, size_t n_carried, size_t bytes)
{
	const struct journal *const journal = &run->op.journal;
	const size_t n = transaction_n_blocks(tx) + n_blocks + SETTLING_BLOCKS;
	const size_t work = transaction_n_blocks(tx) * run->volume->super.node_size + bytes;

	return !(run->ui && run->ui->batch_bytes && work > run->ui->batch_bytes) &&
	       journal_record_size(journal, n, 0, 0, 0) + journal_carried_size(n_carried, bytes) <= journal_capacity(journal);
}

bool legacy_commit(struct legacy_run *run, struct transaction *tx, enum crypt_phase phase, uint64_t cursor, const struct journal_data *data,
		   struct error *err)
{
	run->at.phase = phase;
	run->at.cursor = cursor;
	return operation_commit(&run->op, tx, &run->at, true, data, err);
}

static bool may_go_on(struct legacy_run *run, struct error *err)
{
	if (!run->ui || !run->ui->stop || !run->ui->stop(run->ui->context))
		return true;
	return operation_write_state(&run->op, &run->at, err) && error_set(err, ERROR_STOPPED, "stopped at a safe point");
}

bool legacy_commit_step(struct legacy_run *run, struct transaction **tx, enum crypt_phase phase, uint64_t cursor,
			const struct journal_data *data, struct error *err)
{
	return legacy_commit(run, TAKE(*tx), phase, cursor, data, err) && may_go_on(run, err) &&
	       transaction_begin(run->volume, run->allocator, tx, err);
}

/* --- root items --------------------------------------------------------------------------------------------------------------- */

bool legacy_roots_edit(struct legacy_run *run, struct transaction *tx, enum legacy_root_change change, struct error *err)
{
	for (size_t i = 0; i < run->scan->n_members; i++) {
		const struct subvolume *const subvolume = subvolume_by_id(&run->list, run->scan->member[i]);
		struct disk_root_item *root;
		uint8_t *data;
		uint32_t len;

		if (!tree_edit_item(tx, ROOT_TREE_ID, &subvolume->root_key, &data, &len, err))
			return false;
		if (len < sizeof(*root))
			return error_set(err, ERROR_REFUSED, "the root item of subvolume %" PRIu64 " has %" PRIu32 " bytes, an older format",
					 subvolume->id, len);
		root = (struct disk_root_item *)data;	/* consists of bytes only: no alignment */
		memset(root->reserved + LEGACY_ROOT_ID_AT, 0, CRYPT_UUID_SIZE);
		if (change == LEGACY_ROOT_CLAIM)
			memcpy(root->reserved + LEGACY_ROOT_ID_AT, run->header.op_id, CRYPT_UUID_SIZE);
		if (change == LEGACY_ROOT_CLEAN) {
			memset(root->reserved, 0, sizeof(struct disk_crypt_tag));
			root->flags = to_le64(le64(root->flags) & ~ROOT_ENCRYPT_2016);
		}
	}
	return true;
}

static bool commit_roots(struct legacy_run *run, enum legacy_root_change change, enum crypt_phase phase, uint64_t cursor, struct error *err)
{
	struct transaction *tx;

	if (!transaction_begin(run->volume, run->allocator, &tx, err))
		return false;
	if (!legacy_roots_edit(run, tx, change, err)) {
		transaction_drop(tx);
		return false;
	}
	return legacy_commit(run, tx, phase, cursor, NULL, err);
}

/* --- the order ---------------------------------------------------------------------------------------------------------------- */

bool legacy_scan(struct legacy_run *run, const uint64_t *ids, size_t n, struct error *err)
{
	struct scan *scan;

	if (!scan_run(run->volume, ids, n, &scan, err))
		return false;
	scan_free(run->scan);
	run->scan = scan;
	run->inode.number = 0;
	return true;
}

/* Nothing but what is meant to change has changed. */
static bool check_digest(struct legacy_run *run, struct error *err)
{
	bool is;

	if (!operation_flush(&run->op, err) || !legacy_is_as_begun(run, &is, err))
		return false;
	return is ||
	       error_set(err, ERROR_CORRUPT, "the metadata of the subvolumes are not what they were when the decryption began");
}

/* The trees have another shape than the scan says. */
static bool scan_again(struct legacy_run *run, struct error *err)
{
	uint64_t *const ids = calloc(run->scan->n_members, sizeof(*ids));
	bool ok = ids || error_memory(err);

	for (size_t i = 0; ok && i < run->scan->n_members; i++)
		ids[i] = run->scan->member[i];
	ok = ok && legacy_scan(run, ids, run->scan->n_members, err);
	free(ids);
	return ok;
}

/* Before the first record of a phase nothing says that it has begun; that is as well, since the one before has nothing left to do then. */
static void enter(struct legacy_run *run, enum crypt_phase phase)
{
	run->at.phase = phase;
	run->at.cursor = legacy_is_undoing(run) ? 0 : UINT64_MAX;
	run->inode.number = 0;
}

static bool run_to_plain(struct legacy_run *run, struct error *err)
{
	if (run->at.phase == CRYPT_PHASE_LEAVES) {
		if (!legacy_leaves_convert(run, err))
			return false;
		enter(run, CRYPT_PHASE_DATA);
	}
	if (run->at.phase == CRYPT_PHASE_DATA) {
		if (!legacy_data_convert(run, err) || !check_digest(run, err) || !may_go_on(run, err))
			return false;
		enter(run, CRYPT_PHASE_STRUCTURE);
	}
	/* Nothing is encrypted any more. */
	legacy_ciphers_free(TAKE(run->ciphers));
	return legacy_xattrs_remove(run, err) && scan_again(run, err) && check_digest(run, err) &&
	       commit_roots(run, LEGACY_ROOT_CLEAN, CRYPT_PHASE_STRUCTURE, 0, err);
}

static bool run_back(struct legacy_run *run, struct error *err)
{
	if (run->at.phase == CRYPT_PHASE_DATA) {
		if (!legacy_data_convert(run, err))
			return false;
		enter(run, CRYPT_PHASE_LEAVES);
	}
	return legacy_leaves_convert(run, err) && check_digest(run, err) &&
	       commit_roots(run, LEGACY_ROOT_RELEASE, CRYPT_PHASE_LEAVES, UINT64_MAX, err);
}

bool legacy_run_finish(struct legacy_run *run, struct error *err)
{
	uint64_t unwiped;

	if (run->at.phase < CRYPT_PHASE_FINISH) {
		run->at.phase = CRYPT_PHASE_FINISH;
		run->at.cursor = 0;
		if (!operation_write_state(&run->op, &run->at, err))
			return false;
	}
	return wipe_all(&run->op, run->ui, run->at.direction, run->plan ? &run->plan->unwiped_free_bytes : &unwiped, err) &&
	       operation_clear(&run->op, &run->at, true, err);
}

bool legacy_run_all(struct legacy_run *run, struct error *err)
{
	return (legacy_is_undoing(run) ? run_back : run_to_plain)(run, err) && legacy_run_finish(run, err);
}
