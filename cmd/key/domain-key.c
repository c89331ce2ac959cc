/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/key/domain-key.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/key-options.h"
#include "cmd/print.h"
#include "cmd/unfinished.h"
#include "common/fs/subvolume-label.h"
#include "common/sealed/domain-ending.h"
#include "common/sealed/domain-keyring.h"
#include "common/sealed/domain-view.h"
#include "common/util/escape.h"
#include "common/util/take.h"

#define TRIES 3

const char *domain_key_what(const struct subvolume *subvolume, char text[DOMAIN_KEY_WHAT_SIZE])
{
	char own[SUBVOLUME_LABEL_SIZE];
	size_t len;
	const uint8_t *const label = subvolume_label(subvolume, subvolume->id, own, &len);

	escape_text(len ? label : (const uint8_t *)"/", len ? len : 1, text, DOMAIN_KEY_WHAT_SIZE);
	return text;
}

/* Will somebody be asked, if the key is nowhere else? */
static bool will_ask(const struct domain_key_ask *ask)
{
	return ask->need != DOMAIN_KEY_IF_GIVEN && ask->from != DOMAIN_KEY_ONE_KEYRING && !key_options_given() && isatty(STDIN_FILENO) &&
	       !format_is_json();
}

static void note_once(bool *was_told, const char *text)
{
	if (!*was_told)
		print_note(NULL, text);
	*was_told = true;
}

/* The key is of no use any more, or is not where it has to be. */
static bool tell_gone(const struct domain_key_ask *ask, enum keyring_state state, struct error *err)
{
	static bool was_told;

	if (ask->need == DOMAIN_KEY_NEEDED && !will_ask(ask)) {
		error_set(err, ERROR_KEY, "%s", keyring_state_text(state));
		if (ask->from != DOMAIN_KEY_ONE_KEYRING)
			error_hint(err, "give the key by an option, or to the keyring again by `key in`; --no-keyring leaves keyrings out");
		return false;
	}
	note_once(&was_told, keyring_state_text(state));
	return true;
}

static bool read_keyring(const struct domain *domain, const struct domain_key_ask *ask, struct key_source *key, struct error *err)
{
	static bool was_told;
	const bool one = ask->from == DOMAIN_KEY_ONE_KEYRING;
	struct keyring_found found;

	if (ask->from == DOMAIN_KEY_NO_KEYRING || (key_options_no_keyring() && !one))
		return true;
	if (!domain_keyring_find(domain, one ? &ask->keyring : NULL, &found, &key->volume_key, err))
		return false;
	if (found.state == KEYRING_PRESENT)
		return true;
	if (found.session_is_revoked)
		note_once(&was_told, "the session keyring has been revoked: no key in it can be used, but `key in --keyring user` takes another one");
	return (found.state != KEYRING_REVOKED && found.state != KEYRING_EXPIRED && !one) || tell_gone(ask, found.state, err);
}

bool domain_key_read(const struct domain *domain, const struct domain_key_ask *ask, struct key_source *key, struct error *err)
{
	char prompt[400];

	*key = (struct key_source){ .slot = KEY_SLOT_ANY };
	if (key_options_scrypt_2017())
		return error_set(err, ERROR_USAGE, "--kdf is for the format of 2016, and the subvolume is sealed");
	if (!key_options_given() && !read_keyring(domain, ask, key, err))
		return false;
	if (!key_source_is_empty(key))
		return true;
	snprintf(prompt, sizeof(prompt), "Passphrase for %.160s of %.200s: ", ask->what, ask->image);
	if (key_options_read((ask->need == DOMAIN_KEY_NEEDED || will_ask(ask) ? KEY_ASK : KEY_IF_GIVEN) | (ask->any_slot ? KEY_ANY_SLOT : 0), prompt,
			     key, err))
		return true;
	if (ask->from == DOMAIN_KEY_NO_KEYRING && !key_options_given() && !isatty(STDIN_FILENO))
		error_hint(err, "give --key-file, --passphrase-file or --passphrase-fd; a key in a keyring is %s", ask->has_keyring ?
			   "taken only with --keyring" : "not taken for this");
	return false;
}

static bool open_once(struct domain *domain, const struct domain_key_ask *ask, const struct key_source *key, struct secret **from_slot,
		      struct error *err)
{
	if (domain_open_key(domain, key, from_slot, err))
		return true;
	if (err->kind == ERROR_KEY && ask->rejected) {
		const struct error why = *err;

		error_set(err, ERROR_KEY, "%s", ask->rejected);
		memcpy(err->hint, why.hint, sizeof(err->hint));
	}
	domain_hint_ending(domain, key, err);
	key_hint_rejected(err);
	return false;
}

bool domain_key_open(struct domain *domain, const struct domain_key_ask *ask, bool *opened, struct secret **volume_key, struct error *err)
{
	for (unsigned i = 1; ; i++) {
		cleanup_key_source struct key_source key = { 0 };
		cleanup_secret struct secret *from_slot = NULL;

		const bool is_read = domain_key_read(domain, ask, &key, err);

		*opened = false;
		if (!is_read && !key.is_mistyped && strcmp(err->text, SECRET_IS_EMPTY) != 0)
			return false;
		if (is_read && key_source_is_empty(&key))
			return true;
		*opened = is_read && open_once(domain, ask, &key, &from_slot, err);
		if (*opened && volume_key)
			*volume_key = from_slot ? TAKE(from_slot) : TAKE(key.volume_key);
		if (ask->secret && (*opened || err->kind != ERROR_KEY)) {
			*ask->secret = key;
			key = (struct key_source){ 0 };
		}
		if (*opened || err->kind != ERROR_KEY || !will_ask(ask) || i == TRIES)
			return *opened;
		print_note(NULL, err->text);
		if (err->hint[0])
			print_note(NULL, err->hint);
		*err = (struct error){ 0 };
	}
}

bool domain_key_read_tried(struct domain *domain, const struct domain_key_ask *ask, struct key_source *key, struct error *err)
{
	struct domain_key_ask tried = *ask;
	bool opened;

	if (!will_ask(ask) || domain->n_slots == 0)
		return domain_key_read(domain, ask, key, err);
	*key = (struct key_source){ .slot = KEY_SLOT_ANY };
	tried.secret = key;
	if (domain_key_open(domain, &tried, &opened, NULL, err))
		return true;
	if (key_source_is_empty(key))
		return false;
	/* What is damaged here, the caller may have elsewhere. */
	*err = (struct error){ 0 };
	return true;
}

bool domain_key_hint_unfinished(struct volume *volume, const struct key_source *key, struct error *err)
{
	cleanup_domain struct domain *domain = NULL;
	struct error ignored = { 0 };

	if (err->kind == ERROR_KEY && domain_read_unfinished(volume, &domain, &ignored))
		domain_hint_ending(domain, key, err);
	key_hint_rejected(err);
	return false;
}

bool domain_key_open_sealed(struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume, const char *image,
			    struct error *err)
{
	char what[DOMAIN_KEY_WHAT_SIZE];
	const struct domain_key_ask ask = { .need = DOMAIN_KEY_NEEDED, .image = image, .what = domain_key_what(subvolume, what) };
	bool opened;

	if (domain_is_being_converted(domain))
		return error_set(err, ERROR_UNFINISHED, "is being converted") || unfinished_error(list->volume, image, err);
	return domain_key_open(domain, &ask, &opened, NULL, err) && domain_view_check_named(domain, list, subvolume, err);
}
