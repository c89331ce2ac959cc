/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify-key: does this passphrase, key file or volume key open the subvolume?  Changes nothing. */
#include <inttypes.h>

#include "cmd/command.h"
#include "cmd/header-option.h"
#include "cmd/image-options.h"
#include "cmd/key-options.h"
#include "cmd/key/domain-key.h"
#include "cmd/key/target.h"
#include "cmd/legacy-source.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "common/convert/legacy.h"
#include "common/util/plural.h"

static struct {
	char *keyring;
} opt;

static const struct poptOption options[] = {
	INCLUDE_AS(options_key, "Key:"),
	INCLUDE(options_kdf),
	INCLUDE(options_header),
	{ "keyring", 0, POPT_ARG_STRING, &opt.keyring, 0, "try the key in this keyring, or in that number", "session|user|persistent" },
	INCLUDE_AS(options_image, "Image:"),
	INCLUDE_AS(options_format, "Output:"),
	POPT_TABLEEND
};

static void print_match(const struct domain *domain)
{
	const struct row row = row_begin(NULL);
	char tag[48];

	domain_tag_text(domain, tag);
	row_flag(&row, "matches", NULL, true);
	row_text(&row, "encryption", "key matches: ", tag);
	if (domain->slot_used >= 0)
		row_number(&row, "slot", " (slot ", domain->slot_used);
	row_flag(&row, "volume_key", " (volume key", domain->slot_used < 0);
	row_words(&row, ")");
	row_end(&row);
}

/* --- the format of 2016 --------------------------------------------------------------------------------------------------- */

/* The hash alone proves little. What the pages say is all that there is besides. */
static void print_judgement(const struct key_target *target, const struct legacy_judgement *judgement)
{
	const enum legacy_verdict verdict = legacy_verdict(judgement);
	const struct row row = row_begin(NULL);
	char text[LEGACY_TEXT_SIZE];

	if (verdict != LEGACY_KEY_UNKNOWN)
		row_flag(&row, "matches", NULL, verdict == LEGACY_KEY_RIGHT);
	row_text(&row, "encryption", verdict == LEGACY_KEY_RIGHT ? "key matches: " : verdict == LEGACY_KEY_WRONG ? "wrong key: " : "key unknown: ",
		 legacy_text(&target->legacy, text));
	row_text(&row, "hash", "\n  hash: ", !judgement->has_hash ? "none recorded" : judgement->hash_is_right ? "matches" : "differs");
	row_words(&row, judgement->hash_is_right ? " (which one wrong key in 4294967296 does as well)" : "");
	row_u64(&row, "pages_for", "\n  data: ", judgement->n_for);
	row_format(&row, " last page%s for the key", plural(judgement->n_for));
	row_u64(&row, "pages_against", ", ", judgement->n_against);
	row_words(&row, " against it");
	row_end(&row);
}

static bool verify_converting(const struct key_target *target, struct secret *key, struct error *err)
{
	const struct key_source source = { .volume_key = key, .slot = KEY_SLOT_ANY };
	const struct row row = row_begin(NULL);
	char text[LEGACY_TEXT_SIZE];
	struct crypt_state_tail tail;

	if (!convert_legacy_state(target->volume, &source, &tail, err))
		return false;
	row_flag(&row, "matches", NULL, true);
	row_text(&row, "encryption", "key matches: ", legacy_text(&target->legacy, text));
	row_flag(&row, "converting", " (being decrypted)", true);
	row_end(&row);
	return true;
}

static bool verify_legacy(const struct key_target *target, const struct keyring *only, struct error *err)
{
	const struct legacy_named named = key_target_named(target);
	const struct legacy_ask ask = { .is_needed = true, .no_keyring = !only, .only = only };
	cleanup_secret struct secret *key = NULL;
	struct legacy_judgement judgement;

	if (!legacy_key_get(&named, &ask, &key, err))
		return false;
	/* A part of the data is plain text by now: the state of the decryption tells. */
	if (target->legacy.is_converting)
		return verify_converting(target, key, err);
	if (!legacy_judge(target->volume, target->subvolume, &target->legacy, key, false, &judgement, err))
		return false;
	secret_free(key);
	key = NULL;
	print_judgement(target, &judgement);
	switch (legacy_verdict(&judgement)) {
	case LEGACY_KEY_UNKNOWN:
		return error_set(err, ERROR_REFUSED, "the key cannot be verified: no hash is recorded, and no file has a padded last page");
	case LEGACY_KEY_WRONG:
		return error_set(err, ERROR_KEY, LEGACY_KEY_REJECTED);
	case LEGACY_KEY_RIGHT:
		break;
	}
	if (judgement.has_hash && !judgement.hash_is_right)
		print_warning(NULL, "the key has another hash than the root item records, but decrypts the data");
	if (judgement.n_against > 0)
		printf_warning("%" PRIu64 " file%s not read right with it, as clones of other files do: `verify` names them", judgement.n_against,
			       judgement.n_against == 1 ? " does" : "s do");
	return true;
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_key_target struct key_target target = { 0 };
	char path[DOMAIN_KEY_WHAT_SIZE];
	bool opened;
	struct domain_key_ask ask = {
		.need = DOMAIN_KEY_NEEDED, .from = opt.keyring ? DOMAIN_KEY_ONE_KEYRING : DOMAIN_KEY_NO_KEYRING, .has_keyring = true,
		.image = operand[0],
		/* The same whatever did not match, so that nobody learns anything from it. */
		.rejected = "wrong key or passphrase",
	};

	if ((opt.keyring && !keyring_parse(opt.keyring, &ask.keyring, err)) || !key_target_open_any(operand, &target, err))
		return false;
	if (!target.domain)
		return verify_legacy(&target, opt.keyring ? &ask.keyring : NULL, err);
	ask.what = domain_key_what(target.subvolume, path);
	if (!domain_key_open(target.domain, &ask, &opened, NULL, err))
		return false;
	print_match(target.domain);
	return true;
}

const struct command cmd_verify_key = {
	.name = "verify-key",
	.operands = "IMAGE SUBVOL",
	.summary = "say whether a key opens a sealed subvolume",
	.options = options,
	.run = run,
};
