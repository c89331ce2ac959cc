/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/key/editing.h"

#include <stdio.h>
#include <string.h>

#include "cmd/convert-ui.h"
#include "cmd/key-options.h"
#include "cmd/key/new-key.h"
#include "cmd/key/verbs.h"
#include "cmd/pbkdf-options.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "common/convert/key-change.h"
#include "common/sealed/domain-slots.h"

void editing_close(struct editing *e)
{
	secret_free(e->volume_key);
	key_source_free(&e->key);
	key_target_close(&e->target);
}

/* --- opening ------------------------------------------------------------------------------------------------------- */

/* *i: where it is among e->slots, or would be if nothing were wrong with it. */
static bool editing_find(const struct editing *e, unsigned number, size_t *i, struct error *err)
{
	for (*i = 0; *i < e->n && le16(e->slots[*i].header.number) < number; (*i)++)
		;
	return domain_slot_is(e->target.domain, number) != DOMAIN_SLOT_FREE || error_set(err, ERROR_NOT_FOUND, "key slot %u is not in use", number);
}

const struct crypt_slot *editing_slot(const struct editing *e, unsigned number)
{
	const struct domain *const domain = e->target.domain;

	for (size_t i = 0; i < domain->n_slots; i++)
		if (domain->slots[i].number == number)
			return &domain->slots[i];
	return NULL;
}

bool editing_is_fault(const struct editing *e, unsigned number)
{
	return e->faults >> number & 1;
}

static void note_fault(void *context, unsigned number, const char *text)
{
	struct editing *const e = context;

	(void)text;
	if (number < CRYPT_SLOTS_MAX)
		e->faults |= 1u << number;
}

void editing_take_slots(struct editing *e)
{
	e->n = domain_right_slots(e->target.domain, e->slots);
	e->faults = 0;
	domain_slot_faults(e->target.domain, note_fault, e);
}

bool editing_open(const char *const *operand, struct editing *e, struct error *err)
{
	size_t at;

	e->image = operand[0];
	if (!key_target_open_to_change(operand, &e->target, err))
		return false;
	domain_key_what(e->target.subvolume, e->path);
	editing_take_slots(e);
	return key_options.slot == KEY_SLOT_ANY || editing_find(e, (unsigned)key_options.slot, &at, err);
}

bool editing_open_key(struct editing *e, unsigned ask, struct error *err)
{
	const struct domain_key_ask asking = {
		.need = DOMAIN_KEY_NEEDED, .any_slot = ask & EDITING_ANY_SLOT, .image = e->image, .what = e->path,
		.secret = ask & EDITING_KEEP_KEY ? &e->key : NULL,
	};
	bool opened;

	if (!domain_key_open(e->target.domain, &asking, &opened, &e->volume_key, err))
		return false;
	editing_take_slots(e);
	return true;
}

bool editing_choose(const struct editing *e, unsigned *number, size_t *i, struct error *err)
{
	const int chosen = key_options.slot != KEY_SLOT_ANY ? key_options.slot : e->target.domain->slot_used;

	if (chosen < 0) {
		error_set(err, ERROR_USAGE, "a volume key opens no key slot: --key-slot says which one is meant");
		return key_options_given() ? false : error_hint(err, "the volume key comes from a keyring; --no-keyring leaves it out");
	}
	*number = (unsigned)chosen;
	return editing_find(e, *number, i, err);
}

/* --new-key-slot may name a slot with which something is wrong: it is replaced. */
bool editing_free_number(const struct editing *e, unsigned *number, struct error *err)
{
	const struct domain *const domain = e->target.domain;

	if (key_options.new_slot != KEY_SLOT_ANY) {
		*number = (unsigned)key_options.new_slot;
		return domain_slot_is(domain, *number) != DOMAIN_SLOT_RIGHT || error_set(err, ERROR_REFUSED, "key slot %u is in use", *number);
	}
	for (*number = 0; *number < CRYPT_SLOTS_MAX; ++*number)
		if (domain_slot_is(domain, *number) == DOMAIN_SLOT_FREE)
			return true;
	return error_set(err, ERROR_REFUSED, "all %u key slots are in use", CRYPT_SLOTS_MAX);
}

void editing_put(struct editing *e, const struct disk_crypt_slot *slot)
{
	const unsigned number = le16(slot->header.number);
	struct error ignored = { 0 };
	size_t i;

	(void)!editing_find(e, number, &i, &ignored);
	if (i == e->n || le16(e->slots[i].header.number) != number) {
		memmove(&e->slots[i + 1], &e->slots[i], (e->n - i) * sizeof(*slot));
		e->n++;
	}
	e->slots[i] = *slot;
	e->faults &= ~(1u << number);
}

/* --- asking ---------------------------------------------------------------------------------------------------------- */

bool editing_make_slot(struct editing *e, unsigned number, const char *label, struct disk_crypt_slot *slot, struct error *err)
{
	cleanup_key_source struct key_source new = { 0 };
	struct kdf_cost cost;
	unsigned milliseconds;
	char prompt[400];

	snprintf(prompt, sizeof(prompt), "New passphrase for %.160s of %.200s: ", e->path, e->image);
	if (!pbkdf_options_read(&cost, &milliseconds, err) || !new_key_read(prompt, &new, err) ||
	    !kdf_calibrate(&cost, milliseconds, err))
		return false;
	return key_slot_create(new.secret, &cost, e->target.domain->header.domain_uuid, (uint16_t)number, new.is_key_file ? SLOT_KEY_FILE : SLOT_PASSPHRASE,
			       label, e->volume_key, slot, err);
}

/* --- doing it -------------------------------------------------------------------------------------------------------- */

bool editing_commit(struct editing *e, bool wipe, struct error *err)
{
	const struct key_change wanted = { .slots = e->slots, .n_slots = e->n, .kept = e->faults, .wipe = wipe };
	struct convert_talk talk;
	struct convert_ui ui;
	bool ok;

	secret_free(e->volume_key);
	e->volume_key = NULL;
	if (!convert_ui_init(key_options.batch, &talk, &ui, err))
		return false;
	ui.wipe_free = key_options.wipe_free;
	convert_catch_signals(false);
	ok = key_change(e->target.volume, e->target.domain, &wanted, &ui, err);
	progress_clear(&talk.progress);
	return ok || key_target_leave(&e->target, e->image, err);
}

bool editing_tell(const struct editing *e, const char *verb, const char *done, unsigned number, const char *type, struct error *err)
{
	const struct row row = row_begin(verb);

	row_escaped(&row, "path", NULL, e->path);
	row_number(&row, "slot", "key slot ", number);
	row_format(&row, " of %s %s (", e->path, done);
	if (type)
		row_text(&row, "type", "", type);
	row_words(&row, type ? ")" : "damaged)");
	row_end(&row);
	return stdout_flush(err);
}

bool editing_tell_slot(const struct editing *e, const char *verb, const char *done, const struct disk_crypt_slot *slot, struct error *err)
{
	return editing_tell(e, verb, done, le16(slot->header.number), crypt_slot_type_name(slot->header.type), err);
}
