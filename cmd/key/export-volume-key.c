/* SPDX-License-Identifier: GPL-2.0-or-later */
/* key export-volume-key: the volume key itself, in a file. */
#include <stdio.h>

#include "cmd/key/domain-key.h"
#include "cmd/key/new-file.h"
#include "cmd/key/target.h"
#include "cmd/key/verbs.h"
#include "cmd/print.h"
#include "cmd/row.h"

static bool run(const char *const *operand, struct error *err)
{
	cleanup_key_target struct key_target target = { 0 };
	cleanup_secret struct secret *volume_key = NULL;
	char path[DOMAIN_KEY_WHAT_SIZE], question[320];
	bool opened;

	snprintf(question, sizeof(question), "Whoever has %.200s can always read what is sealed, whatever is done with key slots.", operand[2]);

	if (!key_target_open(operand, &target, err) || !new_file_is_new(operand[2], err) || !key_confirm(question, err))
		return false;

	const struct domain_key_ask ask = {
		.need = DOMAIN_KEY_NEEDED, .from = DOMAIN_KEY_NO_KEYRING, .image = operand[0], .what = domain_key_what(target.subvolume, path),
	};

	if (!domain_key_open(target.domain, &ask, &opened, &volume_key, err) || !new_file_write(operand[2], secret_view(volume_key), secret_len(volume_key), err))
		return false;

	const struct row row = row_begin("export-volume-key");

	row_escaped(&row, "path", "the volume key of ", path);
	row_text(&row, "volume_key_file", " is in ", operand[2]);
	row_end(&row);
	return stdout_flush(err);
}

const struct key_verb key_verb_export_volume_key = {
	.name = "export-volume-key", .summary = "write the volume key, 32 bytes, to FILE", .options = "q", .n_operands = 3, .run = run,
};
