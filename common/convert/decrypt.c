/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Begins a decryption: opens the domain, checks it, writes the first record. */
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/commit.h"
#include "common/convert/conversion.h"
#include "common/convert/holes.h"
#include "common/convert/plan-room.h"
#include "common/convert/plan.h"
#include "common/convert/preflight.h"
#include "common/convert/run.h"
#include "common/convert/unseal-check.h"
#include "common/sealed/backup-put.h"
#include "common/sealed/domain-slots.h"

/* From the first record on the image has all that a resume, or an abort, needs: whoever goes on needs no backup. */
static bool restore_header(struct conversion *c, struct transaction *tx, const struct domain *domain, struct error *err)
{
	if (!domain->backup || header_backup_put(tx, c->volume, c->schedule, domain->backup, &c->header, err))
		return true;
	transaction_drop(tx);
	return false;
}

static bool begin(struct conversion *c, const struct domain *domain, bool accepted, const struct operation_places *places,
		  struct error *err)
{
	struct disk_crypt_slot *slots = calloc(domain->n_slots ? domain->n_slots : 1, sizeof(*slots));
	struct transaction *tx;
	size_t n_slots;
	bool ok;

	if (!slots)
		return error_memory(err);
	n_slots = domain_right_slots(domain, slots);
	c->direction = CRYPT_TO_PLAIN;
	c->header.state = CRYPT_STATE_UNSEALING;
	ok = crypto_random(c->header.op_id, sizeof(c->header.op_id), err) &&
	     conversion_begin(c, CRYPT_OP_DECRYPT, places, accepted, slots, n_slots, err);
	if (ok && domain->backup)
		c->op.state.flags = to_le32(le32(c->op.state.flags) | CRYPT_STATE_RESTORE);
	ok = ok && transaction_begin(c->volume, c->allocator, &tx, err) && restore_header(c, tx, domain, err) &&
	     conversion_commit_first(c, tx, CRYPT_PHASE_LEAVES, UINT64_MAX, err);
	free(slots);
	return ok;
}

static bool decrypt(struct conversion *c, const char *name, const struct convert_decrypt_options *options, struct error *err)
{
	cleanup_domain struct domain *domain = NULL;
	struct operation_places places;
	const struct subvolume *subvolume;
	bool changed;

	if (!unseal_find(c, name, &subvolume, &domain, err) || !domain_open(domain, options->key, err))
		return false;
	conversion_forget_secrets(c);
	if (!unseal_check(c, domain, subvolume, &options->unseal, &changed, err) || !bad_blocks_tell(c, err) || !plan_fill(c, err) ||
	    !allocator_open(c->volume, &c->allocator, err) ||
	    !preflight_places(c->allocator, c->volume->super.node_size, preflight_work(c->scan), &places, err) || !plan_check_bad_blocks(c, c->bad.n_found, err) ||
	    !holes_check(c, &places, err))
		return false;
	return options->unseal.dry_run || (begin(c, domain, changed, &places, err) && conversion_run(c, err));
}

bool convert_decrypt(struct volume *volume, const char *name, const struct convert_decrypt_options *options,
		     const struct convert_ui *ui, struct convert_plan *plan, struct error *err)
{
	struct conversion c = { .volume = volume, .ui = ui, .plan = plan };
	const bool ok = decrypt(&c, name, options, err);

	conversion_close(&c);
	return ok;
}
