/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Begins to decrypt subvolumes in the format of 2016: everything that is refused is refused here. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/legacy-run.h"
#include "common/convert/plan.h"
#include "common/convert/preflight.h"
#include "common/convert/wipe.h"
#include "common/legacy/legacy-key.h"
#include "common/sealed/domain.h"
#include "common/util/take.h"

/* Blocks that the extent and free space trees may need when blocks are freed. */
#define FREE_BLOCKS_LEAST 16u

/* --- which -------------------------------------------------------------------------------------------------------------------- */

static bool check_member(struct legacy_run *run, uint64_t id, struct error *err)
{
	const struct subvolume *const subvolume = subvolume_by_id(&run->list, id);
	struct legacy legacy;
	char name[160];

	if (!subvolume)
		return error_set(err, ERROR_CORRUPT, "tree %" PRIu64 " shares blocks with the subvolumes to be decrypted, but is not a subvolume", id);
	subvolume_name(&run->list, id, name);
	if (subvolume->deleted)
		return refuse_dead(id, "", err);
	if (!legacy_find(run->volume, subvolume, &legacy, err))
		return false;
	if (legacy.layout == LEGACY_NONE)
		return error_set(err, ERROR_REFUSED, "subvolume %s is not encrypted", name);
	if (!legacy_check_readable(&legacy, id, err))
		return false;
	if (subvolume->root.is_short)
		return error_set(err, ERROR_REFUSED, "subvolume %s has a root item of an older format", name);
	for (size_t i = LEGACY_ROOT_ID_AT; i < sizeof(subvolume->root.reserved); i++) {
		if (subvolume->root.reserved[i] != 0)
			return error_set(err, ERROR_REFUSED, "subvolume %s: the reserved bytes of its root item are in use", name);
	}
	if (run->legacy.layout == LEGACY_NONE)
		run->legacy = legacy;
	return (run->legacy.mode == legacy.mode && run->legacy.key_hash == legacy.key_hash) ||
	       error_set(err, ERROR_REFUSED, "subvolume %s has another algorithm or key hash than those it is to be decrypted with", name);
}

/* With --recursive, nested subvolumes that are not encrypted are left alone. */
static void drop_plain(const struct legacy_run *run, struct encrypt_plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_ids; i++) {
		const struct subvolume *const subvolume = subvolume_by_id(&run->list, plan->ids[i]);

		if (!subvolume || subvolume->root.flags & ROOT_ENCRYPT_2016)
			plan->ids[n++] = plan->ids[i];
	}
	plan->n_ids = n;
}

static bool check_members(struct legacy_run *run, const struct encrypt_plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->n_ids; i++) {
		if (!check_member(run, plan->ids[i], err))
			return false;
	}
	return true;
}

/* What planning knows only as a conversion. */
static struct conversion as_conversion(const struct legacy_run *run)
{
	return (struct conversion){ .volume = run->volume, .ui = run->ui, .plan = run->plan, .list = run->list, .scan = run->scan };
}

static bool find_members(struct legacy_run *run, const char *const *names, const struct convert_legacy_options *options,
			 struct encrypt_plan *plan, struct error *err)
{
	struct conversion c;
	bool ok;

	if (!subvolume_list_read(run->volume, &run->list, err))
		return false;
	c = as_conversion(run);
	ok = plan_resolve(&c, names, false, plan, err) && check_members(run, plan, err);
	if (ok && options->recursive) {
		encrypt_plan_free(plan);
		plan->becoming = "decrypted";
		ok = plan_resolve(&c, names, true, plan, err);
		drop_plain(run, plan);
	}
	ok = ok && check_members(run, plan, err) && plan_close_set(&c, options->shared, plan, err);
	run->scan = c.scan;
	return ok && check_members(run, plan, err);
}

/* --- the key ------------------------------------------------------------------------------------------------------------------ */

/* A wrong key must be found out now: nothing would tell afterwards what was data. */
static bool check_key(struct legacy_run *run, const struct convert_legacy_options *options, struct error *err)
{
	bool is_right = false;

	for (size_t i = 0; i < run->scan->n_members; i++) {
		const struct subvolume *const subvolume = subvolume_by_id(&run->list, run->scan->member[i]);
		struct legacy_judgement judgement;
		char name[160];

		if (!legacy_judge(run->volume, subvolume, &run->legacy, options->key, false, &judgement, err))
			return false;
		subvolume_name(&run->list, subvolume->id, name);
		switch (legacy_verdict(&judgement)) {
		case LEGACY_KEY_WRONG:
			error_set(err, ERROR_KEY, "Key was rejected by service");
			return error_hint(err, "data or key hash of subvolume %s speak against it", name);
		case LEGACY_KEY_UNKNOWN:
			break;
		case LEGACY_KEY_RIGHT:
			is_right = true;
			if (judgement.has_hash && !judgement.hash_is_right)
				legacy_note(run, "subvolume %s: the key has another hash than the root item records, but decrypts the data", name);
		}
	}
	if (is_right || options->force_key)
		return true;
	error_set(err, ERROR_REFUSED, "the key cannot be verified: no hash is recorded, and no file has a padded last page");
	return error_hint(err, "--force-key decrypts with it all the same; if it is wrong, all data are lost");
}

/* --- room --------------------------------------------------------------------------------------------------------------------- */

static uint64_t encrypted_bytes(const struct legacy_run *run, uint64_t *end)
{
	uint64_t bytes = 0;

	*end = 0;
	for (size_t i = 0; i < run->scan->n_extents; i++) {
		if (run->extent[i].is != LEGACY_ENCRYPTED)
			continue;
		bytes += run->scan->extent[i].length;
		*end = run->scan->extent[i].logical + run->scan->extent[i].length;
		run->plan->n_extents++;
	}
	return bytes;
}

static bool find_places(struct legacy_run *run, uint64_t bytes, struct operation_places *places, struct error *err)
{
	const uint32_t node_size = run->volume->super.node_size;
	size_t blocks;
	uint64_t least;

	if (!legacy_parents_find(run, &blocks, err) || !allocator_open(run->volume, &run->allocator, err))
		return false;
	/* As legacy_has_room() counts, with some more. */
	least = (uint64_t)(blocks + FREE_BLOCKS_LEAST) * (node_size + 64);
	if (!preflight_places(run->allocator, node_size, bytes + least + run->scan->n_leaves * node_size, places, err))
		return false;
	places->keys = (struct crypt_range){ 0 };
	if (places->slot[0].length < least) {
		error_set(err, ERROR_NO_SPACE, "the journal needs %" PRIu64 " contiguous bytes of free space three times, and the largest have %" PRIu64,
			  least, places->slot[0].length);
		return error_hint(err, "nothing was changed; the image can be made larger");
	}
	if (allocator_n_free_blocks(run->allocator) < FREE_BLOCKS_LEAST)
		return error_set(err, ERROR_NO_SPACE, "%" PRIu64 " tree blocks are free, %u are needed", allocator_n_free_blocks(run->allocator),
				 FREE_BLOCKS_LEAST);
	run->plan->journal_bytes = CRYPT_JOURNAL_SLOTS * places->slot[0].length;
	return true;
}

/* --- the first record --------------------------------------------------------------------------------------------------------- */

static bool begin(struct legacy_run *run, const struct secret *key, const struct operation_places *places, uint64_t end, struct error *err)
{
	struct disk_crypt_state *const state = &run->op.state;
	struct transaction *tx;

	if (!crypto_random(run->header.op_id, sizeof(run->header.op_id), err) ||
	    !key_schedule_new_legacy(key, run->header.op_id, &run->schedule, err) || !key_schedule_kcv(run->schedule, run->header.kcv, err))
		return false;
	if (run->ui && run->ui->forget_secrets)
		run->ui->forget_secrets(run->ui->context);
	run->op = (struct operation){ .volume = run->volume, .header = &run->header, .schedule = run->schedule, .verity = VERITY_KEEP };
	operation_begin(&run->op, CRYPT_OP_LEGACY, places);
	state->flags = to_le32(operation_wanted_flags(run->ui));
	state->total = to_le64(run->plan->data_bytes);
	state->n_unit_items = to_le64(end);
	run->at = (struct journal_point){ .direction = CRYPT_TO_PLAIN, .phase = CRYPT_PHASE_LEAVES, .cursor = UINT64_MAX };
	if (!legacy_digest(run, false, state->begin_digest, err) || !legacy_digest(run, true, state->whole_digest, err) ||
	    !legacy_open_journal(run, err) || !transaction_begin(run->volume, run->allocator, &tx, err))
		return false;
	if (!legacy_roots_edit(run, tx, LEGACY_ROOT_CLAIM, err)) {
		transaction_drop(tx);
		return false;
	}
	if (run->ui && run->ui->stop && run->ui->stop(run->ui->context)) {
		transaction_drop(tx);
		return error_set(err, ERROR_STOPPED, "stopped; nothing was changed");
	}
	return operation_commit_first(&run->op, tx, &run->at, err);
}

static bool decrypt(struct legacy_run *run, const char *const *names, const struct convert_legacy_options *options, struct encrypt_plan *plan,
		    struct error *err)
{
	struct operation_places places;
	uint64_t n_inline, end;
	struct conversion c;

	if (!preflight_features(run->volume, err) || !preflight_no_parity(run->volume, "decrypting the format of 2016", err) || !find_members(run, names, options, plan, err) || !preflight_trees(run->volume, err) ||
	    !domain_check_finished(run->volume, NULL, err) || !wipe_check_free(run->volume, run->ui, err) || !check_key(run, options, err) ||
	    !legacy_ciphers_new(&run->legacy, options->key, &run->ciphers, err) || !legacy_extents_find(run, &n_inline, err))
		return false;
	c = as_conversion(run);
	c.header.n_inline_units = n_inline;
	if (!plan_fill(&c, err))
		return false;
	run->plan->n_extents = 0;
	run->plan->data_bytes = encrypted_bytes(run, &end);
	run->plan->decrypted = true;
	if (!find_places(run, run->plan->data_bytes, &places, err) || !legacy_xattrs_try(run, err) || !legacy_data_check(run, err))
		return false;
	return options->dry_run || (begin(run, options->key, &places, end, err) && legacy_run_all(run, err));
}

bool convert_legacy(struct volume *volume, const char *const *names, const struct convert_legacy_options *options,
		    const struct convert_ui *ui, struct convert_plan *plan, struct error *err)
{
	struct legacy_run run = { .volume = volume, .ui = ui, .plan = plan, .at.direction = CRYPT_TO_PLAIN, .force_key = options->force_key };
	struct encrypt_plan members = { .becoming = "decrypted" };
	const bool ok = decrypt(&run, names, options, &members, err);

	encrypt_plan_free(&members);
	legacy_run_close(&run);
	return ok;
}
