/* SPDX-License-Identifier: GPL-2.0-or-later */
/* key in, key out, key status: the volume key in the kernel's keyrings. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/command.h"
#include "cmd/key/domain-key.h"
#include "cmd/key/target.h"
#include "cmd/key/verbs.h"
#include "cmd/legacy-source.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "common/sealed/domain-keyring.h"
#include "common/util/plural.h"

/* Who can read what is in this keyring, besides root. */
static const char *who(const struct keyring *keyring)
{
	switch (keyring->kind) {
	case KEYRING_SESSION:
		return "every process of this login session can read it";
	case KEYRING_USER:
	case KEYRING_PERSISTENT:
		return "every process of this user can read it";
	default:
		return "every process that has a link to this keyring can read it";
	}
}

/* "btrfs:75197c8e" */
#define KEY_NAME_SIZE 20
static_assert(KEY_NAME_SIZE > LEGACY_NAME_SIZE && KEY_NAME_SIZE >= DOMAIN_KEY_NAME_SIZE, "a name of either format");

/* In the format of 2016 an xattr has the name, which may be missing. */
static bool open_named(const char *const *operand, struct key_target *target, char name[KEY_NAME_SIZE], struct error *err)
{
	if (!key_target_open_any(operand, target, err))
		return false;
	if (target->domain)
		domain_key_name(target->domain, name);
	else
		strcpy(name, target->legacy.tag);
	return name[0] || error_set(err, ERROR_REFUSED, "no xattr " LEGACY_XATTR_PROPERTY " says what its key is called");
}

static bool find_in_keyrings(const struct key_target *target, struct keyring_found *found, struct secret **key, struct error *err)
{
	const struct legacy_named named = key_target_named(target);

	return target->domain ? domain_keyring_find(target->domain, key_options.keyring, found, key, err) :
				legacy_keyring_find(&named, key_options.keyring, found, key, err);
}

static bool forget_in(const struct key_target *target, const struct keyring *keyring, unsigned *n, struct error *err)
{
	const struct legacy_named named = key_target_named(target);

	return target->domain ? domain_keyring_forget(target->domain, keyring, n, err) : legacy_keyring_forget(&named, keyring, n, err);
}

/* Path and key, in JSON. */
static struct row begin_row(const char *record, const struct key_target *target, const char *name)
{
	const struct row row = row_begin(record);
	char path[DOMAIN_KEY_WHAT_SIZE];

	row_escaped(&row, "path", NULL, domain_key_what(target->subvolume, path));
	row_text(&row, "key_tag", NULL, name);
	return row;
}

static void print_login(const struct key_target *target, const char *name, int32_t serial, const struct keyring *keyring)
{
	const struct row row = begin_row("in", target, name);
	char where[32], path[DOMAIN_KEY_WHAT_SIZE];

	row_format(&row, "key for '%s' has logged in with keytag '%s'", domain_key_what(target->subvolume, path), name);
	row_number(&row, "serial", "\nserial ", serial);
	row_text(&row, "keyring", " in the ", keyring_name(keyring, where));
	row_text(&row, NULL, ": ", who(keyring));
	row_end(&row);
}

/* Nothing wrong gets into a keyring. */
static bool open_with_key(const char *image, const struct key_target *target, struct secret **volume_key, struct error *err)
{
	static const struct legacy_ask legacy_ask = { .is_needed = true, .no_keyring = true };
	const struct legacy_named named = key_target_named(target);
	struct legacy_reader *reader = NULL;
	char path[DOMAIN_KEY_WHAT_SIZE];
	const struct domain_key_ask ask = {
		.need = DOMAIN_KEY_NEEDED, .from = DOMAIN_KEY_NO_KEYRING, .image = image, .what = domain_key_what(target->subvolume, path),
		.rejected = LEGACY_KEY_REJECTED,
	};
	struct extent_source *source;
	bool opened;

	if (target->domain)
		return domain_key_open(target->domain, &ask, &opened, volume_key, err);
	opened = legacy_key_get(&named, &legacy_ask, volume_key, err) && legacy_source_open(&named, *volume_key, &reader, &source, err);
	legacy_reader_close(reader);
	return opened;
}

static bool run_in(const char *const *operand, struct error *err)
{
	static const struct keyring session = { .kind = KEYRING_SESSION };
	const struct keyring *const keyring = key_options.keyring ? key_options.keyring : &session;
	cleanup_key_target struct key_target target = { 0 };
	cleanup_secret struct secret *volume_key = NULL;
	char name[KEY_NAME_SIZE];
	int32_t serial;

	if (!open_named(operand, &target, name, err) || !open_with_key(operand[0], &target, &volume_key, err) ||
	    !keyring_add(keyring, name, volume_key, key_options.timeout, &serial, err))
		return false;
	secret_free(volume_key);
	volume_key = NULL;
	print_login(&target, name, serial, keyring);
	return stdout_flush(err);
}

/* --- out ------------------------------------------------------------------------------------------------------------ */

static const struct keyring everywhere[] = { { .kind = KEYRING_SESSION }, { .kind = KEYRING_USER }, { .kind = KEYRING_PERSISTENT } };

static bool forget(const struct key_target *target, unsigned *n, struct error *err)
{
	struct error ignored = { 0 };

	*n = 0;
	if (key_options.keyring)
		return forget_in(target, key_options.keyring, n, err);
	for (size_t i = 0; i < sizeof(everywhere) / sizeof(everywhere[0]); i++) {
		unsigned one;

		/* A session may have no persistent keyring. */
		if (forget_in(target, &everywhere[i], &one, &ignored))
			*n += one;
	}
	return true;
}

/* It may be in several keyrings. *found: what is left of it. */
static bool revoke(const struct key_target *target, unsigned *n, struct keyring_found *found, struct error *err)
{
	for (*n = 0; ; (*n)++) {
		cleanup_secret struct secret *volume_key = NULL;

		if (!find_in_keyrings(target, found, &volume_key, err))
			return false;
		if (found->state != KEYRING_PRESENT)
			return true;
		if (!keyring_revoke(found->serial, err))
			return false;
	}
}

static bool run_out(const char *const *operand, struct error *err)
{
	cleanup_key_target struct key_target target = { 0 };
	char name[KEY_NAME_SIZE];
	struct keyring_found found;
	unsigned n_revoked, n = 0;

	if (!open_named(operand, &target, name, err) || !revoke(&target, &n_revoked, &found, err) ||
	    (key_options.forget && !forget(&target, &n, err)))
		return false;
	if (n_revoked + n == 0)
		return error_set(err, ERROR_KEY, "%s", keyring_state_text(found.state));

	const struct row row = begin_row("out", &target, name);

	row_flag(&row, "revoked", NULL, n_revoked > 0);
	row_number(&row, "forgotten", NULL, n);
	row_format(&row, "key '%s' has been %s", name, key_options.forget ? "forgotten" : "revoked");
	row_end(&row);
	return stdout_flush(err);
}

/* --- status --------------------------------------------------------------------------------------------------------- */

static bool run_status(const char *const *operand, struct error *err)
{
	cleanup_key_target struct key_target target = { 0 };
	cleanup_secret struct secret *volume_key = NULL;
	char name[KEY_NAME_SIZE], expiry[KEYRING_EXPIRY_SIZE] = "", where[32];
	struct keyring_found found;

	if (!open_named(operand, &target, name, err) || !find_in_keyrings(&target, &found, &volume_key, err))
		return false;
	if (found.state == KEYRING_PRESENT)
		keyring_expiry(found.serial, expiry);
	else
		command_status = ERROR_KEY;

	const struct row row = begin_row("status", &target, name);

	row_text(&row, NULL, "", name);
	row_text(&row, "state", ": ", keyring_state_name(found.state));
	if (found.state == KEYRING_PRESENT) {
		row_number(&row, "serial", ", serial ", found.serial);
		row_text(&row, "keyring", " in the ", keyring_name(&found.keyring, where));
	} else {
		row_format(&row, " (%s)", keyring_state_text(found.state));
	}
	if (expiry[0])
		row_text(&row, "expires", strcmp(expiry, "perm") == 0 ? NULL : ", expires in ", expiry);
	row_end(&row);
	if (found.state != KEYRING_PRESENT && !target.domain && keyring_has_logon(name))
		printf_note("a key %s of type logon is there, which the kernel gives to no program", name);
	return stdout_flush(err);
}

const struct key_verb key_verb_in = {
	.name = "in", .summary = "give the volume key to the kernel's keyring; other commands take it from there",
	.options = "dkt", .n_operands = 2, .run = run_in,
};
const struct key_verb key_verb_out = {
	.name = "out", .summary = "revoke that key", .options = "kf", .n_operands = 2, .run = run_out,
};
const struct key_verb key_verb_status = {
	.name = "status", .summary = "say whether a key is in a keyring", .options = "k", .n_operands = 2, .run = run_status,
};
