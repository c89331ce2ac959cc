/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Begins a rekeying: opens the domain, checks it as a decryption does, makes the new one beside it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/conversion.h"
#include "common/convert/new-domain.h"
#include "common/convert/old-side.h"
#include "common/convert/holes.h"
#include "common/convert/plan-room.h"
#include "common/convert/plan.h"
#include "common/convert/preflight.h"
#include "common/convert/run.h"
#include "common/convert/structure.h"
#include "common/convert/unseal-check.h"
#include "common/sealed/domain-ending.h"
#include "common/sealed/domain-slots.h"
#include "common/util/array.h"
#include "common/util/plural.h"
#include "common/util/take.h"

struct rekeying {
	struct conversion *c;
	const struct convert_rekey_options *options;
	struct domain *domain;		/* the sealing before */
	const struct secret *by[CRYPT_SLOTS_MAX];	/* for each of its slots: the secret that opens it, borrowed; NULL: none was given */
	/* The new one, until everything is checked: */
	struct crypt_header header;
	struct key_schedule *schedule;
	struct disk_crypt_slot slot[CRYPT_SLOTS_MAX];
	size_t n_slots;
	struct disk_crypt_bridge bridge;
	struct encrypt_plan plan;
};

/* --- keys and slots ----------------------------------------------------------------------------------- */

/*
 * Finds the slots that this key opens, among those that the header vouches for (are_right), or among the others. *volume_key: from one of them, if it
 * is not known yet. refused: a slot that costs more than this machine should spend; what a damaged one asks for is part of the damage.
 */
static bool try_slots(struct rekeying *r, const struct key_source *key, bool are_right, struct secret **volume_key, bool *opens, struct error *refused,
		      struct error *err)
{
	const struct domain *domain = r->domain;

	for (size_t i = 0; i < domain->n_slots; i++) {
		const struct crypt_slot *slot = &domain->slots[i];
		const struct secret *secret = domain_slot_secret(slot, key);
		cleanup_secret struct secret *from = NULL;
		struct error error = { 0 };

		if ((key->slot >= 0 && slot->number != (unsigned)key->slot) ||
		    (domain_slot_is(domain, slot->number) == DOMAIN_SLOT_RIGHT) != are_right)
			continue;
		if (r->by[i]) {		/* by the same secret, given twice? */
			*opens |= secret_equal(r->by[i], secret);
			continue;
		}
		if (!key_slot_open(slot, secret, &from, &error)) {
			if (error.kind != ERROR_REFUSED) {
				*err = error;
				return false;
			}
			if (are_right)
				*refused = error;
		} else if (from) {
			r->by[i] = secret;
			*opens = true;
			if (!*volume_key)
				*volume_key = TAKE(from);
		}
	}
	return true;
}

static bool try_key(struct rekeying *r, const struct key_source *key, struct secret **volume_key, struct error *err)
{
	struct error refused = { 0 };
	bool opens = false;

	if (!try_slots(r, key, true, volume_key, &opens, &refused, err) || (!opens && !try_slots(r, key, false, volume_key, &opens, &refused, err)))
		return false;
	if (opens)
		return true;
	if (refused.kind != ERROR_NONE) {
		*err = refused;
		return false;
	}
	error_set(err, ERROR_KEY, "wrong key or passphrase");
	domain_hint_ending(r->domain, key, err);
	return false;
}

struct dropping {
	const struct rekeying *r;
	size_t n;
};

static void drop_damaged(void *context, unsigned number, const char *text)
{
	struct dropping *const dropping = context;

	dropping->n += number < CRYPT_SLOTS_MAX;
	conversion_note(dropping->r->c, "%s%s", text, dropping->r->options->drop_slots ? "; it is dropped" : "");
}

/* A slot whose secret nobody knows here cannot be kept. */
static bool check_dropped(const struct rekeying *r, struct error *err)
{
	const struct domain *domain = r->domain;
	struct dropping dropping = { .r = r };
	size_t n = 0, n_kept = 0;

	domain_slot_faults(domain, drop_damaged, &dropping);
	n = dropping.n;
	for (size_t i = 0; i < domain->n_slots; i++) {
		char name[DOMAIN_SLOT_NAME_SIZE];

		n_kept += r->by[i] != NULL;
		if (r->by[i] || domain_slot_is(domain, domain->slots[i].number) != DOMAIN_SLOT_RIGHT)
			continue;
		n++;
		conversion_note(r->c, "%s: no given key opens it%s", domain_slot_name(&domain->slots[i], name), r->options->drop_slots ? "; it is dropped" : "");
	}
	if (n_kept == 0 && !r->options->new_volume_key) {
		error_set(err, ERROR_REFUSED, "no key slot would be left: rekeying needs the passphrase or key file of at least one");
		return n > 0 ? false : error_hint(err, "it has no key slot; `btrfs-crypt key add` makes one");
	}
	if (n == 0 || r->options->drop_slots)
		return true;
	error_set(err, ERROR_REFUSED, "%zu key slot%s would be lost, because no given key opens %s; nothing was changed", n, plural(n), n == 1 ? "it" : "them");
	return error_hint(err, "give all passphrases and key files, or drop those slots with --drop-slots");
}

static bool make_slot(struct rekeying *r, size_t i, const struct kdf_cost *cost, const struct secret *volume_key, struct error *err)
{
	static const struct kdf_cost none = { .kdf = KDF_NONE };
	const struct crypt_slot *slot = &r->domain->slots[i];
	char label[CRYPT_LABEL_MAX + 1] = { 0 };

	memcpy(label, slot->disk.header.label, CRYPT_LABEL_MAX);
	return conversion_may_begin(r->c, err) &&
	       key_slot_create(r->by[i], slot->kdf == KDF_NONE ? &none : cost, r->header.domain_uuid, (uint16_t)slot->number, slot->type, label,
			       volume_key, &r->slot[r->n_slots++], err);
}

/* The new key, in slots of its own, and the old one wrapped under it. After this, no secret is needed any more. */
static bool make_new(struct rekeying *r, const struct secret *old_key, struct error *err)
{
	const struct convert_rekey_options *options = r->options;
	cleanup_secret struct secret *drawn = NULL;
	struct kdf_cost cost = options->cost;
	struct conversion *c = r->c;
	bool costs = false;

	for (size_t i = 0; i < r->domain->n_slots; i++)
		costs |= r->by[i] && r->domain->slots[i].kdf != KDF_NONE;
	if (!new_domain_number(c->volume, &r->header.domain, err) ||
	    !new_domain_keys(&r->header, options->new_volume_key, &r->schedule, &drawn, err) ||
	    (costs && !kdf_calibrate(&cost, options->kdf_milliseconds, err)))
		return false;
	for (size_t i = 0; i < r->domain->n_slots; i++) {
		if (r->by[i] && !make_slot(r, i, &cost, drawn ? drawn : options->new_volume_key, err))
			return false;
	}
	return old_side_wrap(&r->domain->header, old_key, r->schedule, r->header.op_id, &r->bridge, err);
}

/* A volume key that was given beside what opens the slots. */
static bool check_volume_keys(const struct rekeying *r, struct error *err)
{
	const struct convert_rekey_options *options = r->options;

	for (size_t i = 0; i < options->n_keys; i++) {
		bool is = true;

		if (options->key[i].volume_key && !domain_is_key(r->domain, options->key[i].volume_key, &is, err))
			return false;
		if (!is) {
			error_set(err, ERROR_KEY, "wrong key or passphrase");
			return error_prefix(err, "key %zu of %zu", i + 1, options->n_keys);
		}
	}
	return true;
}

static bool open_keys(struct rekeying *r, struct error *err)
{
	const struct convert_rekey_options *options = r->options;
	cleanup_secret struct secret *from_slot = NULL;
	const struct secret *old_key = NULL;

	for (size_t i = 0; i < options->n_keys; i++) {
		const struct key_source *key = &options->key[i];

		if (key->volume_key)
			old_key = key->volume_key;
		if (key->secret && !try_key(r, key, &from_slot, err))
			return options->n_keys > 1 ? error_prefix(err, "key %zu of %zu", i + 1, options->n_keys) : false;
	}
	if (from_slot)
		old_key = from_slot;
	if (!old_key)
		return error_set(err, ERROR_KEY, "no passphrase, key file or volume key was given");
	r->domain->slots_told = true;	/* below */
	if (!domain_open(r->domain, &(struct key_source){ .volume_key = (struct secret *)old_key, .slot = KEY_SLOT_ANY }, err)) {
		/* A key from a slot is right. */
		if (from_slot && err->kind == ERROR_KEY)
			error_set(err, ERROR_KEY_HEADER, "the header of sealing %u does not belong to the volume key in its key slots", r->domain->number);
		return false;
	}
	for (size_t i = 0; i < r->domain->n_slots; i++)
		if (r->by[i] && !domain_slot_check_opened(r->domain, r->domain->slots[i].number, err))
			return false;
	if (!check_volume_keys(r, err) || !check_dropped(r, err))
		return false;
	return options->unseal.dry_run || make_new(r, old_key, err);
}

/* --- subvolumes --------------------------------------------------------------------------------------- */

static const struct crypt_member *member_of(const struct crypt_member *members, size_t n, uint64_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (members[i].id == id)
			return &members[i];
	}
	return NULL;
}

/*
 * Every subvolume that is rekeyed becomes a member, snapshots made since as well. What a member was like before it was sealed stays recorded; a
 * snapshot's read-only flag stays as it is found, as when it is unsealed.
 */
static bool take_members(struct conversion *c, struct error *err)
{
	struct crypt_member *old = c->members;
	const size_t n_old = c->n_members, n = c->scan->n_members;
	struct crypt_member *new = calloc(n ? n : 1, sizeof(*new));

	if (!new)
		return error_memory(err);
	for (size_t i = 0; i < n; i++) {
		const struct subvolume *subvolume = subvolume_by_id(&c->list, c->scan->member[i]);
		const struct crypt_member *before = member_of(old, n_old, subvolume->id);
		const struct crypt_member *source = member_of(old, n_old, c->flags_member[i]);

		plan_member(subvolume, &new[i]);
		if (before && subvolume_has_uuid(subvolume, before->uuid))
			new[i].root_flags = before->root_flags;
		if (source)
			memcpy(new[i].reserved, source->reserved, sizeof(new[i].reserved));
		else if (root_has_our_tag(&subvolume->root))
			memset(new[i].reserved, 0, sizeof(new[i].reserved));
	}
	free(old);
	c->members = new;
	c->n_members = n;
	return true;
}

/* The recorded inode flags of each subvolume are those of its source. */
static bool take_flags(struct conversion *c, struct error *err)
{
	struct crypt_inode_flags *new = NULL;
	size_t n = 0, room = 0;
	bool ok = true;

	for (size_t i = 0; ok && i < c->scan->n_members; i++) {
		for (size_t j = 0; ok && j < c->n_flags; j++) {
			if (c->flags[j].member != c->flags_member[i])
				continue;
			ok = ARRAY_ROOM(new, n, room, err);
			if (!ok)
				break;
			new[n] = c->flags[j];
			new[n++].member = c->scan->member[i];
		}
	}
	if (ok && n * sizeof(struct disk_crypt_inode_flags) > DOMAIN_INODE_FLAGS_MAX / 2)
		ok = error_set(err, ERROR_REFUSED, "the snapshots have too many files with flags of their own (%zu)", n);
	if (!ok) {
		free(new);
		return false;
	}
	free(c->flags);
	c->flags = new;
	c->n_flags = n;
	return true;
}

/* --- the beginning ---------------------------------------------------------------------------------------- */

/* From here on c is about the new sealing, and c->old about the one before. */
static bool take_new(struct rekeying *r, struct error *err)
{
	struct conversion *c = r->c;

	if (!take_members(c, err) || !take_flags(c, err))
		return false;
	old_side_take(c);
	c->header = r->header;
	c->header.cipher = r->options->cipher ? r->options->cipher : c->old.header.cipher;
	c->header.state = CRYPT_STATE_SEALING;
	c->header.unit_max = CRYPT_UNIT_BLOCKS_MAX;
	c->header.had_verity = c->old.header.had_verity;
	c->direction = CRYPT_TO_SEALED;
	c->schedule = TAKE(r->schedule);
	c->old.bridge = r->bridge;
	if (!survey_run(c->scan, &r->plan.survey, err))
		return false;
	c->header.n_inline_units = r->plan.survey.n_inline_units;
	return (!c->schedule || mac_new(c->schedule, "nonce", NULL, 0, &c->nonce_mac, err)) && structure_count(c, err);
}

static bool check_room(struct rekeying *r, struct operation_places *places, struct error *err)
{
	struct conversion *c = r->c;

	if (!allocator_open(c->volume, &c->allocator, err) ||
	    !preflight_places(c->allocator, c->volume->super.node_size, preflight_work(c->scan), places, err))
		return false;
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++)
		c->plan->journal_bytes += places->slot[i].length;
	return plan_check_space(c, &r->plan, err) && holes_check(c, places, err);
}

static bool rekey(struct rekeying *r, const char *name, struct error *err)
{
	struct conversion *c = r->c;
	struct operation_places places;
	const struct subvolume *subvolume;
	bool changed;

	if (!unseal_find(c, name, &subvolume, &r->domain, err) || !open_keys(r, err))
		return false;
	conversion_forget_secrets(c);
	/* A rekeying itself tells of each bad block that it comes to. */
	if (!unseal_check(c, r->domain, subvolume, &r->options->unseal, &changed, err) || (r->options->unseal.dry_run && !bad_blocks_tell(c, err)) ||
	    !take_new(r, err) || !plan_fill(c, err) ||
	    !check_room(r, &places, err))
		return false;
	if (r->options->unseal.dry_run)
		return true;
	if (!conversion_begin(c, CRYPT_OP_REKEY, &places, changed, r->slot, r->n_slots, err) || !structure_build(c, r->slot, r->n_slots, err) ||
	    !conversion_run(c, err))
		return false;
	conversion_report(c);
	return true;
}

bool convert_rekey(struct volume *volume, const char *name, const struct convert_rekey_options *options, const struct convert_ui *ui,
		   struct convert_plan *plan, struct error *err)
{
	struct conversion c = { .volume = volume, .ui = ui, .plan = plan };
	struct rekeying r = { .c = &c, .options = options };
	const bool ok = rekey(&r, name, err);

	encrypt_plan_free(&r.plan);
	domain_free(r.domain);
	key_schedule_free(r.schedule);
	conversion_close(&c);
	return ok;
}
