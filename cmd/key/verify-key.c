/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify-key: does this passphrase, key file or volume key open the subvolume?  Changes nothing. */
#include "cmd/command.h"
#include "cmd/header-option.h"
#include "cmd/image-options.h"
#include "cmd/key-options.h"
#include "cmd/key/domain-key.h"
#include "cmd/key/target.h"
#include "cmd/print.h"
#include "cmd/row.h"

static struct {
	char *keyring;
} opt;

static const struct poptOption options[] = {
	INCLUDE_AS(options_key, "Key:"),
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

static bool run(const char *const *operand, struct error *err)
{
	cleanup_key_target struct key_target target = { 0 };
	char path[DOMAIN_KEY_WHAT_SIZE];
	bool opened;
	struct domain_key_ask ask = {
		.need = DOMAIN_KEY_NEEDED, .from = opt.keyring ? DOMAIN_KEY_ONE_KEYRING : DOMAIN_KEY_NO_KEYRING, .image = operand[0],
		/* The same whatever did not match, so that nobody learns anything from it. */
		.rejected = "wrong key or passphrase",
	};

	if ((opt.keyring && !keyring_parse(opt.keyring, &ask.keyring, err)) || !key_target_open(operand, &target, err))
		return false;
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
