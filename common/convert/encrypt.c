/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Begins an encryption: plan, keys, the first record. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/convert/check-units.h"
#include "common/convert/conversion.h"
#include "common/convert/differing.h"
#include "common/convert/holes.h"
#include "common/convert/new-domain.h"
#include "common/convert/plan-room.h"
#include "common/convert/plan.h"
#include "common/convert/preflight.h"
#include "common/convert/run.h"
#include "common/convert/structure.h"
#include "common/convert/wipe.h"
#include "common/fs/path.h"
#include "common/sealed/domain-mac.h"
#include "common/util/sorted64.h"
#include "common/volume/mirror.h"
#include "common/volume/still-ours.h"

/* What each record has besides: header copies, bad blocks, its own header. */
#define RECORD_BLOCKS_MORE 16u

/* --- warnings ------------------------------------------------------------------------------------- */

/* A directory that only a root filesystem has. */
static bool looks_like_root(struct conversion *c, uint64_t id)
{
	struct error ignored;
	struct file_id found;

	return path_find(c->volume, id, "etc/fstab", &found, &ignored) &&
	       (path_find(c->volume, id, "sbin/init", &found, &ignored) || path_find(c->volume, id, "usr", &found, &ignored));
}

/* What will not work any more once this subvolume is sealed; NULL: nothing. */
static const char *what_breaks(struct conversion *c, uint64_t id)
{
	if (id == c->list.default_id && id != FS_TREE_ID)
		return "is the default subvolume: once sealed, it cannot be used when the filesystem is mounted";
	return looks_like_root(c, id) ? "looks like a root filesystem: once sealed, it will not boot" : NULL;
}

/* Tells people; asks: and they may still say no. */
static bool confirm(struct conversion *c, bool asks, uint64_t id, struct error *err)
{
	const char *const text = what_breaks(c, id);
	char name[160], question[320];

	if (!text)
		return true;
	subvolume_name(&c->list, id, name);
	snprintf(question, sizeof(question), "subvolume %s %s", name, text);
	if (asks && c->ui && c->ui->nobody_to_ask) {
		error_set(err, ERROR_REFUSED, "%s; nobody can be asked, and nothing was changed", question);
		return error_hint(err, "--batch-mode confirms it");
	}
	if (!asks || !c->ui || !c->ui->confirm)
		conversion_note(c, "%s", question);
	else if (!c->ui->confirm(c->ui->context, question))
		return error_set(err, ERROR_REFUSED, "not confirmed; nothing was changed");
	return true;
}

static bool confirm_named(struct conversion *c, const char *const *names, bool recursive, struct encrypt_plan *plan, struct error *err)
{
	if (!subvolume_list_read(c->volume, &c->list, err) || !plan_resolve(c, names, recursive, plan, err))
		return false;
	for (size_t i = 0; i < plan->n_ids; i++) {
		if (!confirm(c, true, plan->ids[i], err))
			return false;
	}
	return true;
}

bool convert_confirm(struct volume *volume, const char *const *names, bool recursive, const struct convert_ui *ui, struct error *err)
{
	struct conversion c = { .volume = volume, .ui = ui };
	struct encrypt_plan plan = { 0 };
	const bool ok = confirm_named(&c, names, recursive, &plan, err);

	encrypt_plan_free(&plan);
	conversion_close(&c);
	return ok;
}

/* named: those that convert_confirm() asked about; a set that grew has more. */
static bool confirm_members(struct conversion *c, const struct encrypt_plan *named, bool asks, struct error *err)
{
	for (size_t i = 0; i < c->n_members; i++) {
		const uint64_t id = c->members[i].id;

		if (!sorted64_find(named->ids, named->n_ids, id) && !confirm(c, asks, id, err))
			return false;
		if (id == FS_TREE_ID)
			conversion_note(c, "the top level is sealed: if anything is created or removed in it later, unsealing needs "
				"--accept-changes");
	}
	return true;
}

static bool confirm_rest(struct conversion *c, const char *const *names, const struct convert_encrypt_options *options, struct error *err)
{
	struct encrypt_plan named = { 0 };
	const bool is_known = !options->dry_run && options->confirmed;
	const bool ok = (!is_known || plan_resolve(c, names, options->recursive, &named, err)) && confirm_members(c, &named, !options->dry_run, err);

	encrypt_plan_free(&named);
	return ok;
}

/* --- keys --------------------------------------------------------------------------------------------- */

/* Was the feature bit set before the first of the domains was sealed? If a domain cannot be read, nobody knows, so the bit stays. */
static bool had_verity(struct volume *volume, bool *had, struct error *err)
{
	uint16_t *numbers;
	size_t n;

	*had = volume->super.compat_ro & COMPAT_RO_VERITY;
	if (!*had)
		return true;
	if (!domain_numbers(volume, &numbers, &n, err))
		return false;
	*had = n == 0;
	for (size_t i = 0; i < n && !*had; i++) {
		cleanup_domain struct domain *domain = NULL;
		struct error ignored;

		*had = !domain_read(volume, numbers[i], &domain, &ignored) || domain->header.had_verity;
	}
	free(numbers);
	return true;
}

static bool make_slot(const struct conversion *c, const struct convert_encrypt_options *options, const struct secret *volume_key,
		      struct disk_crypt_slot *slot, struct error *err)
{
	const enum crypt_slot_type type = options->key->is_key_file ? SLOT_KEY_FILE : SLOT_PASSPHRASE;
	struct kdf_cost cost = options->cost;

	return conversion_may_begin(c, err) && kdf_calibrate(&cost, options->kdf_milliseconds, err) && conversion_may_begin(c, err) &&
	       key_slot_create(options->key->secret, &cost, c->header.domain_uuid, 0, type, NULL, volume_key, slot, err);
}

/* --- the beginning ---------------------------------------------------------------------------------------- */

static bool begin(struct conversion *c, const struct convert_encrypt_options *options, const struct operation_places *places,
		  struct error *err)
{
	cleanup_secret struct secret *volume_key = NULL;
	struct disk_crypt_slot slots[1];
	size_t n_slots = 0;

	c->header.cipher = options->cipher;
	c->header.state = CRYPT_STATE_SEALING;
	c->header.unit_max = CRYPT_UNIT_BLOCKS_MAX;
	c->direction = CRYPT_TO_SEALED;
	if (!had_verity(c->volume, &c->header.had_verity, err) || !new_domain_number(c->volume, &c->header.domain, err) ||
	    !new_domain_keys(&c->header, options->key->volume_key, &c->schedule, &volume_key, err) ||
	    !mac_new(c->schedule, "nonce", NULL, 0, &c->nonce_mac, err))
		return false;
	if (options->key->secret) {
		if (!make_slot(c, options, options->key->volume_key ? options->key->volume_key : volume_key, &slots[0], err))
			return false;
		n_slots = 1;
	}
	secret_free(volume_key);
	volume_key = NULL;
	conversion_forget_secrets(c);
	return structure_count(c, err) && conversion_begin(c, CRYPT_OP_ENCRYPT, places, false, slots, n_slots, err) && structure_build(c, slots, n_slots, err);
}

/* Where the copies of data would go, once the journal has its places. */
static bool place_copies(struct conversion *c, const struct operation_places *places, struct error *err)
{
	struct allocator *allocator = NULL;
	bool ok;

	if (!c->copy)
		return true;
	if (!allocator_open(c->volume, &allocator, err))
		return false;
	ok = allocator_reserve(allocator, places->keys.logical, places->keys.length, err);
	for (unsigned i = 0; ok && i < CRYPT_JOURNAL_SLOTS; i++)
		ok = allocator_reserve(allocator, places->slot[i].logical, places->slot[i].length, err);
	ok = ok && copy_plan_place(c->copy, allocator, err);
	allocator_close(allocator);
	return ok;
}

static bool find_places(struct conversion *c, struct operation_places *places, struct error *err)
{
	const uint64_t work = preflight_work(c->scan) + (c->copy ? c->copy->n_blocks * c->volume->super.node_size : 0);
	const uint64_t n_blocks = c->copy ? copy_plan_room(c->copy, c->volume) + RECORD_BLOCKS_MORE : 0;

	return preflight_places_for(c->allocator, c->volume->super.node_size, work, n_blocks, places, err) && place_copies(c, places, err);
}

static bool encrypt(struct conversion *c, const char *const *names, const struct convert_encrypt_options *options,
		    struct encrypt_plan *plan, struct error *err)
{
	struct operation_places places;

	if (!options->dry_run && !options->key->secret && !options->key->volume_key)
		return error_set(err, ERROR_KEY, "no passphrase, key file or volume key was given");
	if (!subvolume_list_read(c->volume, &c->list, err) || !preflight_features(c->volume, err) ||
	    !domain_check_may_seal(c->volume, err) || !plan_members(c, names, options, plan, err) ||
	    !preflight_trees(c->volume, err) || !csums_complete(c, err) ||
	    !differing_check(c, options->dry_run, err) || !wipe_check_free(c->volume, c->ui, err) || !allocator_open(c->volume, &c->allocator, err) ||
	    !find_places(c, &places, err))
		return false;
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++)
		c->plan->journal_bytes += places.slot[i].length;
	if (!plan_check_space(c, plan, err) || !holes_check(c, &places, err))
		return false;
	if (!confirm_rest(c, names, options, err))
		return false;
	if (options->dry_run)
		return (c->ui && c->ui->wipe_free) ||
		       free_space_bytes(c->volume, GROUP_DATA, GROUP_METADATA, &c->plan->unwiped_free_bytes, err);
	if (!begin(c, options, &places, err) || !conversion_run(c, err))
		return false;
	conversion_report(c);
	return true;
}

bool convert_encrypt(struct volume *volume, const char *const *names, const struct convert_encrypt_options *options,
		     const struct convert_ui *ui, struct convert_plan *plan, struct error *err)
{
	struct conversion c = { .volume = volume, .ui = ui, .plan = plan };
	struct encrypt_plan work = { .becoming = "sealed", .tells_sharing = options->dry_run };
	const bool ok = encrypt(&c, names, options, &work, err);

	encrypt_plan_free(&work);
	conversion_close(&c);
	return ok;
}
