/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/convert-keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/print.h"
#include "common/crypto/key-slot.h"
#include "common/sealed/domain-slots.h"

#define TRIES 3

/* Asks until the slot opens. *key stays empty if the slot is to be dropped. */
static bool ask_for_slot(const struct crypt_slot *slot, const char *what, const char *image, struct key_source *key, struct error *err)
{
	char name[DOMAIN_SLOT_NAME_SIZE], prompt[800];

	snprintf(prompt, sizeof(prompt), "Passphrase for %s of %.160s of %.200s (empty: drop it): ", domain_slot_name(slot, name), what, image);
	for (unsigned i = 1;; i++) {
		const struct key_wanted wanted = { .passphrase_fd = -1, .slot = (int)slot->number, .asks = true, .prompt = prompt };
		cleanup_secret struct secret *volume_key = NULL;
		bool is_read = key_source_read(&wanted, key, err);

		if (!is_read && !key->is_mistyped && strcmp(err->text, SECRET_IS_EMPTY) == 0) {
			*err = (struct error){ 0 };
			return true;
		}
		if (is_read && !key_slot_open(slot, domain_slot_secret(slot, key), &volume_key, err))
			return false;
		if (volume_key)
			return true;
		if (is_read)
			error_set(err, ERROR_KEY, "wrong key or passphrase");
		key_source_free(key);
		if (err->kind != ERROR_KEY || i == TRIES)
			return false;
		print_note(NULL, err->text);
		*err = (struct error){ 0 };
	}
}

/* what: the slot, or what is wrong with it. */
static bool confirm_drop(const char *what, const char *then, const struct convert_ui *ui, struct error *err)
{
	char question[DOMAIN_SLOT_TEXT_SIZE + DOMAIN_SLOT_NAME_SIZE];

	snprintf(question, sizeof(question), "%s%s", what, then);
	question[0] = 'K';
	return !ui->confirm || ui->confirm(ui->context, question) || error_set(err, ERROR_REFUSED, "not confirmed; nothing was changed");
}

bool convert_read_keys(const struct domain *domain, const char *image, const char *what, struct convert_talk *talk, const struct convert_ui *ui,
		       bool *drop_slots, struct error *err)
{
	char prompt[400];

	snprintf(prompt, sizeof(prompt), "Passphrase for %.160s of %.200s: ", what, image);
	if (key_options_given())
		return key_options_read_all(prompt, &talk->keys, &talk->n_keys, err);
	if (!isatty(STDIN_FILENO) || format_is_json()) {
		error_set(err, ERROR_KEY, "no passphrase, key file or volume key was given");
		return error_hint(err, "rekeying needs the passphrase or key file of each key slot that is to stay");
	}
	talk->keys = calloc(domain->n_slots ? domain->n_slots : 1, sizeof(*talk->keys));
	if (!talk->keys)
		return error_memory(err);
	for (unsigned number = 0; number < CRYPT_SLOTS_MAX; number++) {
		char fault[DOMAIN_SLOT_TEXT_SIZE];

		if (!domain_slot_fault(domain, number, fault))
			continue;
		if (!confirm_drop(fault, ".  It will be dropped.", ui, err))
			return false;
		*drop_slots = true;
	}
	for (size_t i = 0; i < domain->n_slots; i++) {
		char name[DOMAIN_SLOT_NAME_SIZE];

		if (domain->slots[i].type == SLOT_KEY_FILE && domain_slot_is(domain, domain->slots[i].number) == DOMAIN_SLOT_RIGHT)
			printf_note("%s: its key file is given by --key-file, and then each other passphrase by --passphrase-file",
				    domain_slot_name(&domain->slots[i], name));
	}
	for (size_t i = 0; i < domain->n_slots; i++) {
		struct key_source *key = &talk->keys[talk->n_keys];
		char name[DOMAIN_SLOT_NAME_SIZE];

		if (domain_slot_is(domain, domain->slots[i].number) != DOMAIN_SLOT_RIGHT)
			continue;
		if (!ask_for_slot(&domain->slots[i], what, image, key, err))
			return false;
		if (!key_source_is_empty(key))
			talk->n_keys++;
		else if (!confirm_drop(domain_slot_name(&domain->slots[i], name), " will be dropped: its secret will open nothing any more.", ui, err))
			return false;
		else
			*drop_slots = true;
	}
	return talk->n_keys > 0 || error_set(err, ERROR_REFUSED, "no key slot is left: rekeying needs the passphrase or key file of at least one");
}
