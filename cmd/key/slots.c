/* SPDX-License-Identifier: GPL-2.0-or-later */
/* key add, change, remove, label, recovery: changes of key slots. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/convert-ui.h"
#include "cmd/image.h"
#include "cmd/json.h"
#include "cmd/key-options.h"
#include "cmd/key/domain-key.h"
#include "cmd/key/new-key.h"
#include "cmd/key/target.h"
#include "cmd/key/verbs.h"
#include "cmd/pbkdf-options.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "common/convert/key-change.h"
#include "common/crypto/recovery-key.h"
#include "common/sealed/domain-slots.h"

struct editing {
	const char *image;
	struct key_target target;
	char path[DOMAIN_KEY_WHAT_SIZE];
	struct disk_crypt_slot slots[CRYPT_SLOTS_MAX];	/* as they will be, by ascending number */
	size_t n;
	uint32_t faults;		/* bit n: something is wrong with slot n, and stays as it is */
	struct secret *volume_key;
	struct key_source key;		/* what opened it; for remove and label */
};

static void editing_close(struct editing *e)
{
	secret_free(e->volume_key);
	key_source_free(&e->key);
	key_target_close(&e->target);
}
#define cleanup_editing __attribute__((cleanup(editing_close)))

/* --- opening ------------------------------------------------------------------------------------------------------- */

/* *i: where it is among e->slots, or would be if nothing were wrong with it. */
static bool find_slot(const struct editing *e, unsigned number, size_t *i, struct error *err)
{
	for (*i = 0; *i < e->n && le16(e->slots[*i].header.number) < number; (*i)++)
		;
	return domain_slot_is(e->target.domain, number) != DOMAIN_SLOT_FREE || error_set(err, ERROR_NOT_FOUND, "key slot %u is not in use", number);
}

/* One that can be read. */
static const struct crypt_slot *slot_of(const struct editing *e, unsigned number)
{
	const struct domain *const domain = e->target.domain;

	for (size_t i = 0; i < domain->n_slots; i++)
		if (domain->slots[i].number == number)
			return &domain->slots[i];
	return NULL;
}

static bool is_fault(const struct editing *e, unsigned number)
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

/* What is wrong shows for certain once a key has authenticated the header. */
static void take_slots(struct editing *e)
{
	e->n = domain_right_slots(e->target.domain, e->slots);
	e->faults = 0;
	domain_slot_faults(e->target.domain, note_fault, e);
}

static bool open_target(const char *const *operand, struct editing *e, struct error *err)
{
	size_t at;

	e->image = operand[0];
	if (!key_target_open_to_change(operand, &e->target, err))
		return false;
	domain_key_what(e->target.subvolume, e->path);
	take_slots(e);
	return key_options.slot == KEY_SLOT_ANY || find_slot(e, (unsigned)key_options.slot, &at, err);
}

/* any_slot: --key-slot says which slot is meant, but another one may open it. keep: e->key gets what opened it. */
static bool open_key(struct editing *e, bool any_slot, bool keep, struct error *err)
{
	const struct domain_key_ask ask = {
		.need = DOMAIN_KEY_NEEDED, .any_slot = any_slot, .image = e->image, .what = e->path, .secret = keep ? &e->key : NULL,
	};
	bool opened;

	if (!domain_key_open(e->target.domain, &ask, &opened, &e->volume_key, err))
		return false;
	take_slots(e);
	return true;
}

/* The slot that is meant: --key-slot, or the one that the key opened. */
static bool choose_slot(const struct editing *e, unsigned *number, size_t *i, struct error *err)
{
	const int chosen = key_options.slot != KEY_SLOT_ANY ? key_options.slot : e->target.domain->slot_used;

	if (chosen < 0) {
		error_set(err, ERROR_USAGE, "a volume key opens no key slot: --key-slot says which one is meant");
		return key_options_given() ? false : error_hint(err, "the volume key comes from a keyring; --no-keyring leaves it out");
	}
	*number = (unsigned)chosen;
	return find_slot(e, *number, i, err);
}

/* --new-key-slot may name a slot with which something is wrong: it is replaced. */
static bool free_slot(const struct editing *e, unsigned *number, struct error *err)
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

/* In place of what was there, if anything was. */
static void put_slot(struct editing *e, const struct disk_crypt_slot *slot)
{
	const unsigned number = le16(slot->header.number);
	struct error ignored = { 0 };
	size_t i;

	(void)!find_slot(e, number, &i, &ignored);
	if (i == e->n || le16(e->slots[i].header.number) != number) {
		memmove(&e->slots[i + 1], &e->slots[i], (e->n - i) * sizeof(*slot));
		e->n++;
	}
	e->slots[i] = *slot;
	e->faults &= ~(1u << number);
}

/* --- asking ---------------------------------------------------------------------------------------------------------- */

/* The new secret, wrapped. label NULL: none. */
static bool make_slot(struct editing *e, unsigned number, const char *label, struct disk_crypt_slot *slot, struct error *err)
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

static bool change(struct editing *e, bool wipe, struct error *err)
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
	convert_catch_signals();
	ok = key_change(e->target.volume, e->target.domain, &wanted, &ui, err);
	progress_clear(&talk.progress);
	if (ok)
		return true;
	/* While it is open for writing, nobody can look at it. */
	key_target_close(&e->target);
	image_hint_unfinished(e->image, false, err);
	return false;
}

/* type: of the slot; NULL: it was damaged. */
static bool tell(const struct editing *e, const char *verb, const char *done, unsigned number, const char *type, struct error *err)
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

static bool tell_slot(const struct editing *e, const char *verb, const char *done, const struct disk_crypt_slot *slot, struct error *err)
{
	return tell(e, verb, done, le16(slot->header.number), crypt_slot_type_name(slot->header.type), err);
}

static bool run_add(const char *const *operand, struct error *err)
{
	cleanup_editing struct editing e = { 0 };
	struct disk_crypt_slot slot;
	unsigned number;

	if (!open_target(operand, &e, err)) {
		if (key_options.slot != KEY_SLOT_ANY && err->kind == ERROR_NOT_FOUND)
			error_hint(err, "--key-slot chooses what opens it; --new-key-slot says into which slot the new key goes");
		return false;
	}
	if (!free_slot(&e, &number, err) || !open_key(&e, false, false, err) || !free_slot(&e, &number, err) ||
	    !make_slot(&e, number, key_options.label, &slot, err))
		return false;
	put_slot(&e, &slot);
	return change(&e, false, err) && tell_slot(&e, "add", "added", &slot, err);
}

static bool run_change(const char *const *operand, struct error *err)
{
	cleanup_editing struct editing e = { 0 };
	char label[CRYPT_LABEL_MAX + 1] = { 0 };
	struct disk_crypt_slot slot;
	unsigned number;
	size_t i;

	if (!open_target(operand, &e, err) || !open_key(&e, key_options.force, false, err) || !choose_slot(&e, &number, &i, err))
		return false;
	if (key_options.label)
		memcpy(label, key_options.label, strlen(key_options.label));
	else if (!is_fault(&e, number))
		memcpy(label, e.slots[i].header.label, CRYPT_LABEL_MAX);
	if (!make_slot(&e, number, label[0] ? label : NULL, &slot, err))
		return false;
	put_slot(&e, &slot);
	return change(&e, true, err) && tell_slot(&e, "change", "changed", &slot, err);
}

/* Removing a damaged slot removes nothing that opens. */
static bool check_last(const struct editing *e, struct error *err)
{
	if (e->n != 1 || key_options.force || (key_options.slot != KEY_SLOT_ANY && is_fault(e, (unsigned)key_options.slot)))
		return true;
	error_set(err, ERROR_REFUSED, "it is the last key slot: without it only the volume key opens what is sealed");
	return error_hint(err, "--force removes it; `key export-volume-key` saves the volume key before");
}

/* What is removed with another key than its own is somebody else's, perhaps. The last slot is never removed unasked. */
static bool confirm_removal(const struct editing *e, unsigned number, struct error *err)
{
	char name[DOMAIN_SLOT_NAME_SIZE], question[DOMAIN_SLOT_NAME_SIZE + 80];

	if (e->n == 1)
		return key_confirm("It is the last key slot: without it only the volume key opens what is sealed.", err);
	if ((int)number == e->target.domain->slot_used || !isatty(STDIN_FILENO) || format_is_json())
		return true;
	snprintf(question, sizeof(question), "%s will be removed: its secret will open nothing any more.", domain_slot_name(slot_of(e, number), name));
	question[0] = 'K';
	return key_confirm(question, err);
}

/* Does the key that was given open this slot? One that costs too much is left alone. */
static bool opens(const struct editing *e, const struct crypt_slot *slot, bool *yes, struct error *err)
{
	cleanup_secret struct secret *volume_key = NULL;
	struct error why = { 0 };

	*yes = slot->number == (unsigned)e->target.domain->slot_used;
	if (*yes)
		return true;
	if (!key_slot_open(slot, domain_slot_secret(slot, &e->key), &volume_key, &why) && why.kind != ERROR_REFUSED)
		return *err = why, false;
	*yes = volume_key != NULL;
	return true;
}

/* same: the other slots that the secret opens, if it opens this one. */
static bool find_same(const struct editing *e, unsigned number, uint32_t *same, struct error *err)
{
	const struct domain *const domain = e->target.domain;
	bool yes;

	if (!e->key.secret)
		return true;
	if (!opens(e, slot_of(e, number), &yes, err))
		return false;
	for (size_t i = 0; yes && i < domain->n_slots; i++) {
		const struct crypt_slot *const slot = &domain->slots[i];
		bool also;

		if (slot->number == number || is_fault(e, slot->number))
			continue;
		if (!opens(e, slot, &also, err))
			return false;
		*same |= (uint32_t)also << slot->number;
	}
	return true;
}

static bool run_remove(const char *const *operand, struct error *err)
{
	cleanup_editing struct editing e = { 0 };
	struct disk_crypt_slot slot;
	uint32_t same = 0;
	unsigned number;
	size_t i;

	if (!open_target(operand, &e, err) || !check_last(&e, err) || !open_key(&e, true, true, err) || !check_last(&e, err) || !choose_slot(&e, &number, &i, err))
		return false;
	if (is_fault(&e, number)) {
		key_source_free(&e.key);
		e.faults &= ~(1u << number);
		return change(&e, true, err) && tell(&e, "remove", "removed", number, NULL, err);
	}
	if (!confirm_removal(&e, number, err) || !find_same(&e, number, &same, err))
		return false;

	const char *const what = e.key.is_key_file ? "key file" : "passphrase";

	key_source_free(&e.key);
	slot = e.slots[i];
	memmove(&e.slots[i], &e.slots[i + 1], (e.n - i - 1) * sizeof(slot));
	e.n--;
	if (!change(&e, true, err) || !tell_slot(&e, "remove", "removed", &slot, err))
		return false;
	for (unsigned n = 0; n < CRYPT_SLOTS_MAX; n++)
		if (same >> n & 1)
			printf_note("the same %s still opens key slot %u", what, n);
	return true;
}

/* The same secret, wrapped again under a new salt: the label is covered by what the secret opens. */
static bool run_label(const char *const *operand, struct error *err)
{
	cleanup_editing struct editing e = { 0 };
	struct crypt_slot before = { 0 };
	struct disk_crypt_slot slot;
	bool opened;

	if (!key_options.label)
		return error_set(err, ERROR_USAGE, "key label needs --label");
	if (!open_target(operand, &e, err))
		return false;

	struct domain *const domain = e.target.domain;
	const struct domain_key_ask ask = { .need = DOMAIN_KEY_NEEDED, .from = DOMAIN_KEY_NO_KEYRING, .image = e.image, .what = e.path, .secret = &e.key };

	if (!domain_key_open(domain, &ask, &opened, &e.volume_key, err))
		return false;
	if (domain->slot_used < 0)
		return error_set(err, ERROR_KEY, "the label of a key slot is changed with the passphrase or key file of that slot");
	take_slots(&e);
	before = *slot_of(&e, (unsigned)domain->slot_used);

	if (!key_slot_relabel(&before, domain_slot_secret(&before, &e.key), key_options.label[0] ? key_options.label : NULL, e.volume_key, &slot, err))
		return false;
	key_source_free(&e.key);
	put_slot(&e, &slot);
	return change(&e, true, err) && tell_slot(&e, "label", "labelled", &slot, err);
}

/* --- recovery -------------------------------------------------------------------------------------------------------- */

/* Whoever wrote it down shows that it can be read. */
static bool ask_back(const struct secret *key, struct error *err)
{
	for (unsigned i = 0; i < 3; i++) {
		cleanup_secret struct secret *typed = NULL, *read = NULL;
		struct error why = { 0 };

		if (!secret_ask("Type the recovery key, to show that it was written down: ", false, &typed, err)) {
			if (strcmp(err->text, SECRET_IS_EMPTY) != 0)
				return false;
			*err = (struct error){ 0 };
		}
		if (typed && recovery_key_read(typed, &read, &why) && read && secret_equal(read, key))
			return true;
		print_note(NULL, why.kind != ERROR_NONE ? why.text : "that is not the recovery key");
	}
	return error_set(err, ERROR_KEY, "the recovery key was not typed back; nothing was changed");
}

static void print_recovery(const struct editing *e, const struct secret *text)
{
	if (format_is_json()) {
		struct json_object *line = json_line();

		json_text(line, "record", "recovery-key");
		json_escaped_name(line, "path", e->path);
		json_format(line, "recovery_key", "%.*s", (int)secret_len(text), (const char *)secret_view(text));
		json_print(line, stdout);
	} else {
		printf("recovery key of %s:\n\n\t%.*s\n\nWhoever has it can read what is sealed; it is not shown again.\n", e->path,
		       (int)secret_len(text), (const char *)secret_view(text));
	}
	fflush(stdout);
}

static bool run_recovery(const char *const *operand, struct error *err)
{
	cleanup_editing struct editing e = { 0 };
	cleanup_secret struct secret *key = NULL, *text = NULL;
	const struct kdf_cost cost = { .kdf = KDF_NONE };
	struct disk_crypt_slot slot;
	unsigned number;

	if (!key_options.batch && (!isatty(STDIN_FILENO) || format_is_json())) {
		error_set(err, ERROR_REFUSED, "the recovery key has to be typed back, and there is no terminal to ask on");
		return error_hint(err, "--batch-mode prints it once without asking");
	}
	if (!open_target(operand, &e, err) || !free_slot(&e, &number, err) || !open_key(&e, false, false, err) || !free_slot(&e, &number, err) ||
	    !secret_random(CRYPT_RECOVERY_SIZE, &key, err) || !recovery_key_text(key, &text, err) ||
	    !key_slot_create(key, &cost, e.target.domain->header.domain_uuid, (uint16_t)number, SLOT_RECOVERY, key_options.label, e.volume_key, &slot, err))
		return false;
	print_recovery(&e, text);
	secret_free(text);
	text = NULL;
	if (!key_options.batch && !ask_back(key, err))
		return false;
	secret_free(key);
	key = NULL;
	put_slot(&e, &slot);
	return change(&e, false, err) && tell_slot(&e, "recovery", "added", &slot, err);
}

const struct key_verb key_verb_add = {
	.name = "add", .summary = "add another passphrase or key file", .options = "npNlq", .n_operands = 2, .run = run_add,
};
const struct key_verb key_verb_change = {
	.name = "change", .summary = "replace the passphrase or key file of a key slot", .options = "nplFwq", .n_operands = 2, .run = run_change,
};
const struct key_verb key_verb_remove = {
	.name = "remove", .summary = "remove a key slot", .options = "Fwq", .n_operands = 2, .run = run_remove,
};
const struct key_verb key_verb_label = {
	.name = "label", .summary = "set the label of a key slot", .options = "lwq", .n_operands = 2, .run = run_label,
};
const struct key_verb key_verb_recovery = {
	.name = "recovery", .summary = "add a recovery key, which is shown once", .options = "Nlq", .n_operands = 2, .run = run_recovery,
};
