/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt cat: the bytes of one file, decrypted where its subvolume is sealed and a key is given. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/source.h"
#include "common/fs/path.h"
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

static bool write_out(void *context, const void *bytes, size_t len, struct error *err)
{
	const bool *to_terminal = context;

	if (*to_terminal && !is_for_terminals(bytes, len)) {
		error_set(err, ERROR_REFUSED, "binary data does not go to a terminal");
		return error_hint(err, "redirect the output to a file, or pipe it through od -c");
	}
	if (fwrite(bytes, 1, len, stdout) != len)
		return error_system(err, "standard output");
	return true;
}

static bool is_directory(struct error *err)
{
	error_set(err, ERROR_USAGE, "is a directory");
	return error_hint(err, "btrfs-crypt ls lists it");
}

static bool print_file(struct volume *volume, const struct subvolume_list *list, const struct file_id *file, struct error *err)
{
	const struct subvolume *subvolume = subvolume_by_id(list, file->subvolume);
	cleanup_source struct source source = { 0 };
	bool to_terminal = isatty(STDOUT_FILENO);
	struct inode inode;
	struct tree tree;

	if (!subvolume)
		return error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 " has no root item", file->subvolume);
	if (file->inode == EMPTY_SUBVOLUME_INODE)
		return is_directory(err);
	if (!tree_open(volume, subvolume->id, &tree, err) || !inode_get(&tree, file->inode, &inode, err))
		return false;
	if (S_ISLNK(inode.mode)) {
		error_set(err, ERROR_USAGE, "is a symbolic link, which is not followed");
		return error_hint(err, "btrfs-crypt ls -l shows where it leads");
	}
	if (S_ISDIR(inode.mode))
		return is_directory(err);
	if (!S_ISREG(inode.mode))
		return error_set(err, ERROR_USAGE, "is no regular file");
	return source_choose(list, subvolume, &source, err) &&
	       file_read(source.extents, &tree, file->inode, write_out, &to_terminal, err);
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_volume struct volume *volume = NULL;
	const struct subvolume *subvolume;
	struct file_id file;
	char name[256];

	if (!image_open(operand[0], false, false, &volume, err) ||
	    !subvolume_list_read(volume, &list, err) ||
	    !subvolume_find(&list, operand[1], &subvolume, err) ||
	    !path_find(volume, subvolume->id, operand[2], &file, err))
		return false;
	if (print_file(volume, &list, &file, err))
		return true;
	escape_text(operand[2], strlen(operand[2]), name, sizeof(name));
	return error_prefix(err, "%s", name);
}

const struct command cmd_cat = {
	.name = "cat",
	.operands = "IMAGE SUBVOL PATH",
	.summary = "print the bytes of a file, decrypted where a key is given",
	.options = options,
	.run = run,
};
