/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plain or decrypted: chosen in one place for every command that reads files. */
#include "cmd/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/key-options.h"
#include "common/fs/domain-names.h"
#include "common/util/escape.h"

static struct {
	int accept_changes, accept_unsealed;
} opt;

struct poptOption options_source[] = {
	{ "accept-changes", 0, POPT_ARG_NONE, &opt.accept_changes, 0,
	  "go on although the subvolume was changed after sealing, and say that it was", NULL },
	{ "accept-unsealed", 0, POPT_ARG_NONE, &opt.accept_unsealed, 0, "also read data that was written after sealing; without a key: that says it was", NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_key, 0, NULL, NULL },
	POPT_TABLEEND
};

bool source_accepts_unsealed(void)
{
	return opt.accept_unsealed;
}

void source_reader_options(struct domain_reader_options *reader)
{
	*reader = (struct domain_reader_options){
		.accept_changes = opt.accept_changes,
		.accept_unsealed = opt.accept_unsealed,
		.note = print_note,
	};
}

static bool open_sealed(const struct subvolume_list *list, const struct subvolume *subvolume, struct source *source,
			struct error *err)
{
	struct domain_reader_options reader;
	cleanup_key_input struct key_input key = { 0 };

	source_reader_options(&reader);
	if (!key_input_read(false, false, "Passphrase: ", &key, err) ||
	    !domain_open(source->domain, key.secret, key.volume_key, key.slot, err))
		return false;
	key_input_free(&key);
	return domain_reader_open(source->domain, list, subvolume, &reader, &source->reader, &source->extents, err);
}

/* Crypt items that cannot be read: what they may be about stays closed. */
static bool survive_without_key(struct error *err)
{
	if (key_input_given() || err->kind == ERROR_MEMORY || err->kind == ERROR_IO)
		return false;
	print_warning(NULL, err->text);
	*err = (struct error){ 0 };
	return true;
}

bool source_choose(const struct subvolume_list *list, const struct subvolume *subvolume, struct source *source, struct error *err)
{
	source->is_sealed = true;
	if (!domain_find(list->volume, list, subvolume, &source->domain, err))
		return survive_without_key(err);
	source->is_sealed = source->domain;
	if (source->domain)
		return !key_input_given() || open_sealed(list, subvolume, source, err);
	if (subvolume->root.flags & ROOT_ENCRYPT_2016)
		return !key_input_given() || error_set(err, ERROR_REFUSED, "subvolume %" PRIu64 " is encrypted in the format of 2016, which is "
						       "not supported", subvolume->id);
	if (key_input_given())
		return error_set(err, ERROR_REFUSED, "a key was given, but subvolume %" PRIu64 " is not sealed", subvolume->id);
	source->extents = &plain_source;
	return true;
}

void source_note_closed(const struct subvolume *subvolume)
{
	char path[256], text[400];

	escape_text(subvolume->path_len ? subvolume->path : (const uint8_t *)"/", subvolume->path_len ? subvolume->path_len : 1, path, sizeof(path));
	snprintf(text, sizeof(text), "subvolume %s is sealed, and was not opened: names, sizes, times and modes in it are not authenticated", path);
	print_note(NULL, text);
}

bool source_warn_moved(const struct domain *domain, const struct subvolume *subvolume, struct error *err)
{
	const struct crypt_member *member = domain && subvolume ? domain_moved(domain, subvolume) : NULL;
	char *text = member ? domain_moved_text(subvolume, member) : NULL;

	if (text)
		print_warning(NULL, text);
	free(text);
	return !member || text || error_memory(err);
}

void source_close(struct source *source)
{
	domain_reader_close(source->reader);
	domain_free(source->domain);
	*source = (struct source){ 0 };
}

bool path_operand(struct volume *volume, uint64_t subvolume, const char *operand, char **path, struct file_id *found, struct error *err)
{
	struct error ignored;

	if (path_find(volume, subvolume, operand, found, err)) {
		*path = strdup(operand);
		return *path || error_memory(err);
	}
	*path = err->kind == ERROR_NOT_FOUND ? escape_undo(operand) : NULL;
	if (*path && path_find(volume, subvolume, *path, found, &ignored)) {
		*err = (struct error){ 0 };
		return true;
	}
	free(*path);
	*path = NULL;
	return false;
}
