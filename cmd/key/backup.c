/* SPDX-License-Identifier: GPL-2.0-or-later */
/* key backup: header, key slots and what else the header vouches for, in a file. */
#include <stdlib.h>

#include "cmd/key-options.h"
#include "cmd/key/domain-key.h"
#include "cmd/key/new-file.h"
#include "cmd/key/target.h"
#include "cmd/key/verbs.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "cmd/unfinished.h"
#include "common/sealed/domain-slots.h"
#include "common/sealed/header-backup.h"

/* Only what can be read again is worth keeping. */
static bool check(struct volume *volume, const uint8_t *bytes, size_t len, struct error *err)
{
	cleanup_header_backup struct header_backup *backup = NULL;
	cleanup_domain struct domain *domain = NULL;
	uint8_t *const copy = malloc(len);

	if (!copy)
		return error_memory(err);
	memcpy(copy, bytes, len);
	return header_backup_read(copy, len, &backup, err) && domain_read_backup(volume, backup, &domain, err);
}

static bool save(struct volume *volume, const struct domain *domain, const char *file, struct error *err)
{
	uint8_t *bytes = NULL;
	size_t len;
	const bool ok = header_backup_encode(volume, &domain->header, key_options.no_slots, &bytes, &len, err) && check(volume, bytes, len, err) &&
			new_file_write(file, bytes, len, err);

	free(bytes);
	return ok;
}

/* Those that the header does not vouch for are left out. */
static size_t n_saved(const struct domain *domain)
{
	struct disk_crypt_slot slots[CRYPT_SLOTS_MAX];

	return domain_right_slots(domain, slots);
}

static bool tell(const struct domain *domain, const char *path, const char *file, struct error *err)
{
	const struct row row = row_begin("backup");

	row_name(&row, "path", "header of ", path, strlen(path));
	row_text(&row, "backup_file", " saved in ", file);
	row_u64(&row, "epoch", ": epoch ", domain->header.epoch);
	row_number(&row, "slots", ", key slots ", key_options.no_slots ? 0 : (int64_t)n_saved(domain));
	row_number(&row, "subvolumes", ", subvolumes ", (int64_t)domain->n_members);
	row_end(&row);
	return stdout_flush(err);
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_key_target struct key_target target = { 0 };
	char path[DOMAIN_KEY_WHAT_SIZE];
	bool opened;

	if (!key_target_open(operand, &target, err))
		return false;
	if (volume_is_unfinished(target.volume)) {
		error_set(err, ERROR_UNFINISHED, "a conversion is unfinished");
		return unfinished_error(target.volume, operand[0], err);
	}

	struct domain *const domain = target.domain;
	const struct domain_key_ask ask = {
		.need = DOMAIN_KEY_IF_GIVEN, .from = DOMAIN_KEY_NO_KEYRING, .image = operand[0], .what = domain_key_what(target.subvolume, path),
	};

	if (!domain_key_open(domain, &ask, &opened, NULL, err))
		return false;
	if (!opened && domain->one_header_bad && domain->copy_valid[0] && domain->copy_valid[1]) {
		error_set(err, ERROR_KEY_HEADER, "the two copies of the header of sealing %u differ, and only a key tells which one is authentic", domain->number);
		return error_hint(err, "give the key, too: then that one is saved");
	}
	if (!opened && domain->one_header_bad)
		printf_warning("one of the two copies of the header of sealing %u is missing or damaged: the other one is saved", domain->number);
	domain_slots_warn(domain);
	if (!save(target.volume, domain, operand[2], err))
		return false;
	if (!opened)
		print_note(NULL, "nothing of it is authenticated: with a key, it is checked first");
	return tell(domain, path, operand[2], err);
}

const struct key_verb key_verb_backup = {
	.name = "backup", .summary = "save header and key slots in FILE; needs no key", .options = "s", .n_operands = 3, .run = run,
};
