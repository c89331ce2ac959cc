/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt cat: the bytes of one file, decrypted where its subvolume is sealed and a key is given. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/source.h"
#include "common/util/escape.h"

static const struct poptOption options[] = {
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_source, 0, NULL, NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_image, 0, NULL, NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_format, 0, NULL, NULL },
	POPT_TABLEEND
};

static bool is_for_terminals(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((bytes[i] < 0x20 && !strchr("\t\n\f\r", bytes[i])) || bytes[i] == 0 || bytes[i] == 0x7f)
			return false;
	}
	return true;
}

struct output {
	bool to_terminal;
	bool failed;	/* not for the file's sake */
};

static bool write_out(void *context, const void *bytes, size_t len, struct error *err)
{
	struct output *output = context;

	if (output->to_terminal && !is_for_terminals(bytes, len)) {
		error_set(err, ERROR_REFUSED, "binary data does not go to a terminal");
		return error_hint(err, "redirect the output to a file, or pipe it through od -c");
	}
	if (fwrite(bytes, 1, len, stdout) != len) {
		output->failed = true;
		return error_system(err, "standard output");
	}
	return true;
}

static bool is_directory(struct error *err)
{
	error_set(err, ERROR_USAGE, "is a directory");
	return error_hint(err, "btrfs-crypt ls lists it");
}

static bool open_file(struct volume *volume, const struct file_id *file, struct tree *tree, struct error *err)
{
	struct inode inode;

	if (file->inode == EMPTY_SUBVOLUME_INODE)
		return is_directory(err);
	if (!tree_open(volume, file->subvolume, tree, err) || !inode_get(tree, file->inode, &inode, err))
		return false;
	if (S_ISLNK(inode.mode)) {
		error_set(err, ERROR_USAGE, "is a symbolic link, which is not followed");
		return error_hint(err, "btrfs-crypt ls -l shows where it leads");
	}
	if (S_ISDIR(inode.mode))
		return is_directory(err);
	return S_ISREG(inode.mode) || error_set(err, ERROR_USAGE, "is no regular file");
}

/* Errors about the file begin with its path, others, about the key for example, do not. */
static bool print_file(const struct subvolume_list *list, const struct file_id *file, const char *path, struct error *err)
{
	const struct subvolume *subvolume = subvolume_by_id(list, file->subvolume);
	struct output output = { .to_terminal = isatty(STDOUT_FILENO) };
	cleanup_source struct source source = { 0 };
	struct tree tree;
	char name[256];

	escape_text(path, strlen(path), name, sizeof(name));
	if (!subvolume)
		return error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 " has no root item", file->subvolume);
	if (!open_file(list->volume, file, &tree, err))
		return error_prefix(err, "%s", name);
	if (!source_choose(list, subvolume, &source, err))
		return false;
	if (file_read(source.extents, &tree, file->inode, write_out, &output, err)) {
		if (list->volume->n_doubts == 0)
			return true;
		error_set(err, ERROR_CORRUPT, "bytes that have no checksum are not the same in all copies, and may be wrong");
	}
	return output.failed ? false : error_prefix(err, "%s", name);
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_volume struct volume *volume = NULL;
	const struct subvolume *subvolume;
	struct file_id file;
	char *path = NULL;

	const bool ok = image_open(operand[0], false, false, &volume, err) &&
			subvolume_list_read(volume, &list, err) &&
			subvolume_find(&list, operand[1], &subvolume, err) &&
			path_operand(volume, subvolume->id, operand[2], &path, &file, err) &&
			print_file(&list, &file, path, err);

	free(path);
	return ok;
}

const struct command cmd_cat = {
	.name = "cat",
	.operands = "IMAGE SUBVOL PATH",
	.summary = "print the bytes of a file, decrypted where a key is given",
	.options = options,
	.run = run,
};
