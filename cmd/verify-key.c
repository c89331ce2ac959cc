/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify-key: does this passphrase, key file or volume key open the subvolume?  Changes nothing. */
#include <stdio.h>

#include "cmd/command.h"
#include "cmd/image.h"
#include "cmd/image-options.h"
#include "cmd/json.h"
#include "cmd/key-options.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "common/sealed/domain.h"

static const struct poptOption options[] = {
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_key, 0, "Key:", NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_image, 0, "Image:", NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_format, 0, "Output:", NULL },
	POPT_TABLEEND
};

static void print_match(const struct domain *domain)
{
	char tag[48];

	domain_tag_text(domain, tag);
	if (format_is_json()) {
		struct json_object *line = json_line();

		json_flag(line, "matches", true);
		json_text(line, "encryption", tag);
		if (domain->slot_used >= 0)
			json_number(line, "slot", domain->slot_used);
		json_flag(line, "volume_key", domain->slot_used < 0);
		json_print(line, stdout);
	} else if (domain->slot_used >= 0) {
		printf("key matches: %s (slot %d)\n", tag, domain->slot_used);
	} else {
		printf("key matches: %s (volume key)\n", tag);
	}
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_key_source struct key_source key = { 0 };
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_volume struct volume *volume = NULL;
	cleanup_domain struct domain *domain = NULL;
	const struct subvolume *subvolume;

	if (!image_open(operand[0], TREES_ANYHOW, &volume, err) ||
	    !subvolumes_read(volume, &list, err) ||
	    !subvolume_operand(&list, operand[1], &subvolume, err) ||
	    !domain_find(volume, &list, subvolume, &domain, err))
		return false;
	if (!domain)
		return not_sealed(operand[1], err);
	if (!key_options_read(KEY_ASK, "Passphrase: ", &key, err))
		return false;
	if (!domain_open(domain, &key, err)) {
		/* The same text whatever did not match, so that nobody learns anything from it. */
		if (err->kind == ERROR_KEY)
			error_set(err, ERROR_KEY, "wrong key or passphrase");
		return false;
	}
	print_match(domain);
	return true;
}

const struct command cmd_verify_key = {
	.name = "verify-key",
	.operands = "IMAGE SUBVOL",
	.summary = "say whether a key opens a sealed subvolume",
	.options = options,
	.run = run,
};
