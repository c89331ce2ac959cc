/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/legacy-source.h"

#include <stdio.h>
#include <unistd.h>

#include "cmd/key-options.h"
#include "cmd/key/domain-key.h"
#include "cmd/print.h"

bool legacy_key_missing(const struct legacy_named *named, enum keyring_state state, struct error *err)
{
	const char *const tag = named->legacy->tag;

	error_set(err, ERROR_KEY, "%s", state == KEYRING_PRESENT ? "no key was given" : keyring_state_text(state));
	if (tag[0] && keyring_has_logon(tag))
		return error_hint(err, "a key %s of type logon is there, which the kernel gives to no program: give the key by --volume-key-file", tag);
	return error_hint(err, "give the 16 bytes of the key by --volume-key-file, or a passphrase and --kdf scrypt-2017%s%s%s",
			  tag[0] ? ", or add a key of type user named " : "", tag, tag[0] ? " to a keyring" : "");
}

/* By an option, or at the terminal. */
static bool read_given(const struct legacy_named *named, const struct legacy_ask *ask, struct secret **key, struct error *err)
{
	const bool asks = ask->is_needed && !ask->only && key_options_scrypt_2017() && isatty(STDIN_FILENO) && !format_is_json();
	cleanup_key_source struct key_source source = { 0 };
	char prompt[400], what[DOMAIN_KEY_WHAT_SIZE];

	snprintf(prompt, sizeof(prompt), "Passphrase for %.160s of %.200s: ", domain_key_what(named->subvolume, what), named->volume->device->name);
	return key_options_read((asks ? KEY_ASK : KEY_IF_GIVEN) | KEY_ANY_SIZE, prompt, &source, err) &&
	       (key_source_is_empty(&source) || legacy_key_take(&source, key_options_scrypt_2017(), key, err));
}

bool legacy_key_get(const struct legacy_named *named, const struct legacy_ask *ask, struct secret **key, struct error *err)
{
	struct keyring_found found = { .state = KEYRING_PRESENT };

	*key = NULL;
	if (!key_options_given() && !ask->no_keyring && (ask->only || !key_options_no_keyring()) &&
	    !legacy_keyring_find(named, ask->only, &found, key, err))
		return false;
	if (!*key && !read_given(named, ask, key, err))
		return false;
	return *key || !ask->is_needed || legacy_key_missing(named, found.state, err);
}

static bool check_key(const struct legacy_named *named, const struct secret *key, struct error *err)
{
	struct legacy_judgement judgement;
	char what[DOMAIN_KEY_WHAT_SIZE];

	if (!legacy_judge(named->volume, named->subvolume, named->legacy, key, true, &judgement, err))
		return false;
	domain_key_what(named->subvolume, what);
	switch (legacy_verdict(&judgement)) {
	case LEGACY_KEY_WRONG:
		return error_set(err, ERROR_KEY, LEGACY_KEY_REJECTED);
	case LEGACY_KEY_UNKNOWN:
		printf_warning("%s: nothing in it can tell whether the key is right", what);
		break;
	case LEGACY_KEY_RIGHT:
		if (judgement.has_hash && !judgement.hash_is_right)
			printf_warning("%s: the key has another hash than its root item records, but decrypts its data", what);
	}
	return true;
}

bool legacy_source_open(const struct legacy_named *named, const struct secret *key, struct legacy_reader **reader, struct extent_source **source,
			struct error *err)
{
	return legacy_check_readable(named->legacy, named->subvolume->id, err) && (!key || check_key(named, key, err)) &&
	       legacy_reader_open(named->legacy, key, reader, source, err);
}
