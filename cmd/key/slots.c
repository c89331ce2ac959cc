/* SPDX-License-Identifier: GPL-2.0-or-later */
/* key add, change, remove, label, recovery: changes of key slots. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/json.h"
#include "cmd/key-options.h"
#include "cmd/key/editing.h"
#include "cmd/key/verbs.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "common/crypto/recovery-key.h"
#include "common/sealed/domain-slots.h"

static bool run_add(const char *const *operand, struct error *err)
{
	cleanup_editing struct editing e = { 0 };
	struct disk_crypt_slot slot;
	unsigned number;

	if (!editing_open(operand, &e, err)) {
		if (key_options.slot != KEY_SLOT_ANY && err->kind == ERROR_NOT_FOUND)
			error_hint(err, "--key-slot chooses what opens it; --new-key-slot says into which slot the new key goes");
		return false;
	}
	if (!editing_free_number(&e, &number, err) || !editing_open_key(&e, EDITING_CHOSEN_SLOT, err) ||
	    !editing_free_number(&e, &number, err) ||
	    !editing_make_slot(&e, number, key_options.label, &slot, err))
		return false;
	editing_put(&e, &slot);
	return editing_commit(&e, false, err) && editing_tell_slot(&e, "add", "added", &slot, err);
}

static bool run_change(const char *const *operand, struct error *err)
{
	cleanup_editing struct editing e = { 0 };
	char label[CRYPT_LABEL_MAX + 1] = { 0 };
	struct disk_crypt_slot slot;
	unsigned number;
	size_t i;

	if (!editing_open(operand, &e, err) || !editing_open_key(&e, key_options.force ? EDITING_ANY_SLOT : EDITING_CHOSEN_SLOT, err) ||
	    !editing_choose(&e, &number, &i, err))
		return false;
	if (key_options.label)
		memcpy(label, key_options.label, strlen(key_options.label));
	else if (!editing_is_fault(&e, number))
		memcpy(label, e.slots[i].header.label, CRYPT_LABEL_MAX);
	if (!editing_make_slot(&e, number, label[0] ? label : NULL, &slot, err))
		return false;
	editing_put(&e, &slot);
	return editing_commit(&e, true, err) && editing_tell_slot(&e, "change", "changed", &slot, err);
}

/* Removing a damaged slot removes nothing that opens. */
static bool check_last(const struct editing *e, struct error *err)
{
	if (e->n != 1 || key_options.force || (key_options.slot != KEY_SLOT_ANY && editing_is_fault(e, (unsigned)key_options.slot)))
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
	snprintf(question, sizeof(question), "%s will be removed: its secret will open nothing any more.", domain_slot_name(editing_slot(e, number), name));
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
	if (!opens(e, editing_slot(e, number), &yes, err))
		return false;
	for (size_t i = 0; yes && i < domain->n_slots; i++) {
		const struct crypt_slot *const slot = &domain->slots[i];
		bool also;

		if (slot->number == number || editing_is_fault(e, slot->number))
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

	if (!editing_open(operand, &e, err) || !check_last(&e, err) || !editing_open_key(&e, EDITING_ANY_SLOT | EDITING_KEEP_KEY, err) ||
	    !check_last(&e, err) || !editing_choose(&e, &number, &i, err))
		return false;
	if (editing_is_fault(&e, number)) {
		key_source_free(&e.key);
		e.faults &= ~(1u << number);
		return editing_commit(&e, true, err) && editing_tell(&e, "remove", "removed", number, NULL, err);
	}
	if (!confirm_removal(&e, number, err) || !find_same(&e, number, &same, err))
		return false;

	const char *const what = e.key.is_key_file ? "key file" : "passphrase";

	key_source_free(&e.key);
	slot = e.slots[i];
	memmove(&e.slots[i], &e.slots[i + 1], (e.n - i - 1) * sizeof(slot));
	e.n--;
	if (!editing_commit(&e, true, err) || !editing_tell_slot(&e, "remove", "removed", &slot, err))
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
	if (!editing_open(operand, &e, err))
		return false;

	struct domain *const domain = e.target.domain;
	const struct domain_key_ask ask = { .need = DOMAIN_KEY_NEEDED, .from = DOMAIN_KEY_NO_KEYRING, .image = e.image, .what = e.path, .secret = &e.key };

	if (!domain_key_open(domain, &ask, &opened, &e.volume_key, err))
		return false;
	if (domain->slot_used < 0)
		return error_set(err, ERROR_KEY, "the label of a key slot is changed with the passphrase or key file of that slot");
	editing_take_slots(&e);
	before = *editing_slot(&e, (unsigned)domain->slot_used);

	if (!key_slot_relabel(&before, domain_slot_secret(&before, &e.key), key_options.label[0] ? key_options.label : NULL, e.volume_key, &slot, err))
		return false;
	key_source_free(&e.key);
	editing_put(&e, &slot);
	return editing_commit(&e, true, err) && editing_tell_slot(&e, "label", "labelled", &slot, err);
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
	if (!editing_open(operand, &e, err) || !editing_free_number(&e, &number, err) || !editing_open_key(&e, EDITING_CHOSEN_SLOT, err) ||
	    !editing_free_number(&e, &number, err) ||
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
	editing_put(&e, &slot);
	return editing_commit(&e, false, err) && editing_tell_slot(&e, "recovery", "added", &slot, err);
}

const struct key_verb key_verb_add = {
	.name = "add", .summary = "add another passphrase or key file", .options = "npNlqo", .n_operands = 2, .run = run_add,
};
const struct key_verb key_verb_change = {
	.name = "change", .summary = "replace the passphrase or key file of a key slot", .options = "nplFwqo", .n_operands = 2, .run = run_change,
};
const struct key_verb key_verb_remove = {
	.name = "remove", .summary = "remove a key slot", .options = "Fwqo", .n_operands = 2, .run = run_remove,
};
const struct key_verb key_verb_label = {
	.name = "label", .summary = "set the label of a key slot", .options = "lwqo", .n_operands = 2, .run = run_label,
};
const struct key_verb key_verb_recovery = {
	.name = "recovery", .summary = "add a recovery key, which is shown once", .options = "Nlqo", .n_operands = 2, .run = run_recovery,
};
