/* SPDX-License-Identifier: GPL-2.0-or-later */
/* key export-volume-key: the volume key itself, in a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/json.h"
#include "cmd/key/domain-key.h"
#include "cmd/key/verbs.h"
#include "cmd/key/target.h"
#include "cmd/print.h"

/* A file of that name may be somebody's only key, so none is overwritten. */
static bool write_file(const char *file, const struct secret *volume_key, struct error *err)
{
	const int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	const uint8_t *at = secret_view(volume_key);
	size_t left = secret_len(volume_key);
	bool ok = true;

	if (fd < 0)
		return error_system(err, "%s", file);
	while (ok && left > 0) {
		const ssize_t n = write(fd, at, left);

		ok = n >= 0 || errno == EINTR;
		at += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
	}
	ok = ok && fsync(fd) == 0;
	ok = (close(fd) == 0 && ok) || error_system(err, "%s", file);
	if (!ok)
		unlink(file);
	return ok;
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_key_target struct key_target target = { 0 };
	cleanup_secret struct secret *volume_key = NULL;
	char path[DOMAIN_KEY_WHAT_SIZE], question[320];
	bool opened;

	snprintf(question, sizeof(question), "Whoever has %.200s can always read what is sealed, whatever is done with key slots.", operand[2]);

	if (!key_target_open(operand, &target, err) || !key_confirm(question, err))
		return false;

	const struct domain_key_ask ask = {
		.need = DOMAIN_KEY_NEEDED, .from = DOMAIN_KEY_NO_KEYRING, .image = operand[0], .what = domain_key_what(target.subvolume, path),
	};

	if (!domain_key_open(target.domain, &ask, &opened, &volume_key, err) || !write_file(operand[2], volume_key, err))
		return false;
	if (format_is_json()) {
		struct json_object *line = json_line();

		json_text(line, "record", "export-volume-key");
		json_escaped_name(line, "path", path);
		json_text(line, "volume_key_file", operand[2]);
		json_print(line, stdout);
	} else {
		printf("the volume key of %s is in %s\n", path, operand[2]);
	}
	return stdout_flush(err);
}

const struct key_verb key_verb_export_volume_key = {
	.name = "export-volume-key", .summary = "write the volume key, 32 bytes, to FILE", .options = "q", .n_operands = 3, .run = run,
};
