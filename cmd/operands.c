/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What SUBVOL and PATH operands name. */
#include "cmd/operands.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <linux/magic.h>

#include "cmd/command.h"
#include "cmd/image.h"
#include "cmd/image-options.h"
#include "cmd/key-options.h"
#include "cmd/print.h"
#include "common/sealed/domain.h"
#include "common/util/escape.h"
#include "common/util/near.h"

bool subvolumes_read(struct volume *volume, struct subvolume_list *list, struct error *err)
{
	if (!(image_is_tolerant() ? subvolume_list_read : subvolume_list_read_over)(volume, list, err))
		return false;
	for (size_t i = 0; i < list->n_lost; i++) {
		const struct subvolume_lost *lost = &list->lost[i];

		printf_warning(lost->is_path ? "the path of subvolume %" PRIu64 " is not known: %s" : "subvolume %" PRIu64 " cannot be read: %s",
			       lost->id, lost->what);
	}
	return true;
}

/* What follows the last slash. People leave out the rest. */
static void offer_subvolume(struct near *near, const struct subvolume *at)
{
	const uint8_t *const slash = memrchr(at->path, '/', at->path_len);

	near_offer(near, at->path, at->path_len, at->path, at->path_len);
	if (slash)
		near_offer(near, slash + 1, (size_t)(at->path + at->path_len - slash - 1), at->path, at->path_len);
}

static bool hint_near_subvolume(const struct subvolume_list *list, const char *operand, struct error *err)
{
	struct near near = NEAR(operand + strspn(operand, "/"));
	char name[ESCAPED_SIZE(40)];

	for (size_t i = 0; i < list->n; i++) {
		if (list->at[i].path_len > 0)
			offer_subvolume(&near, &list->at[i]);
	}
	if (!near_found(&near))
		return false;
	escape_text(near.name, near.best_len, name, sizeof(name));
	error_hint(err, "did you mean \"%s\"? btrfs-crypt list shows the subvolumes", name);
	return true;
}

/* People write the ID that list prints, or a further device as btrfs-progs and some commands take it. */
static void hint_subvolume(const struct subvolume_list *list, const char *operand, struct error *err)
{
	char name[ESCAPED_SIZE(160)];
	struct stat status;
	uint64_t id;

	if (isdigit((unsigned char)operand[0]) && option_number("", operand, 1, UINT64_MAX, &id, &(struct error){ 0 }) && subvolume_by_id(list, id)) {
		error_hint(err, "it is the ID of a subvolume: id:%" PRIu64, id);
	} else if (!hint_near_subvolume(list, operand, err) && command_has_option("device") && strlen(operand) <= 160 &&
		   stat(operand, &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode))) {
		escape_text(operand, strlen(operand), name, sizeof(name));
		error_hint(err, "if it is a further device of the filesystem: --device=%s", name);
	}
}

bool subvolume_operand(const struct subvolume_list *list, const char *operand, const struct subvolume **found, struct error *err)
{
	struct file_id ignored_file;
	struct error ignored;

	if (subvolume_find(list, operand, found, err))
		return domain_check_backup(list, *found, err);
	if (err->kind != ERROR_NOT_FOUND || subvolume_prefix(operand) > 0)
		return false;
	if (!list->volume || !path_find(list->volume, FS_TREE_ID, operand, &ignored_file, &ignored))
		hint_subvolume(list, operand, err);
	return false;
}

bool place_operand(const struct subvolume_list *list, const char *operand, const struct subvolume **found, const char **path, struct error *err)
{
	const size_t prefix = subvolume_prefix(operand);
	char *name = strdup(operand);
	bool is_found = false;

	if (!name)
		return error_memory(err);
	*path = "";
	for (;;) {
		char *const colon = strrchr(name + prefix, ':');

		*err = (struct error){ 0 };
		is_found = colon ? subvolume_find(list, name, found, err) : subvolume_operand(list, name, found, err);
		if (is_found || !colon)
			break;
		*path = operand + (colon - name) + 1;
		*colon = '\0';
	}
	free(name);
	return is_found && domain_check_backup(list, *found, err);
}

bool place_operands(const struct subvolume_list *list, const char *const *operand, const struct subvolume **found, const char **path,
		    struct error *err)
{
	static char *joined;	/* borrowed by the caller */

	if (!place_operand(list, operand[0], found, path, err))
		return false;
	if (!operand[1])
		return true;
	free(joined);
	joined = NULL;
	if (**path && asprintf(&joined, "%s/%s", *path, operand[1]) < 0)
		return error_memory(err);
	*path = joined ? joined : operand[1];
	return true;
}

bool check_has_path(const char *const *operand, struct error *err)
{
	const char *image_shown, *path_shown;
	char *image, *path;

	if (operand[2] || strchr(operand[1], ':'))
		return true;
	error_set(err, ERROR_USAGE, "operand missing: PATH");
	image = shell_word(operand[0]);
	path = shell_word(operand[1]);
	image_shown = image && strlen(image) < 40 ? image : "IMAGE";
	path_shown = path && strlen(path) < 40 ? path : "SUBVOL";
	error_hint(err, "if it is a subvolume: btrfs-crypt %s %s %s PATH; if it is a path of the top level: btrfs-crypt %s %s / %s", command_name,
		   image_shown, path_shown, command_name, image_shown, path == path_shown ? path : "PATH");
	free(image);
	free(path);
	return false;
}

/* --- paths -------------------------------------------------------------------------------------------------------- */

struct following {
	struct file_id at;
	const char *rest;	/* of the path, after what was found */
	struct near near;
};

static bool follow_step(void *context, const struct path_step *step, struct error *err)
{
	struct following *following = context;

	(void)err;
	following->at = step->found;
	following->rest = step->name + step->len;
	return true;
}

static bool offer_entry(void *context, const struct dir_entry *entry, struct error *err)
{
	struct following *following = context;

	(void)err;
	near_offer(&following->near, entry->name.at, entry->name.left, entry->name.at, entry->name.left);
	return following->near.n_offered < NEAR_OFFERS_MAX;
}

void hint_near_path(struct volume *volume, uint64_t subvolume, const char *path, struct error *err)
{
	struct following following = { .at = { subvolume, FIRST_FREE_ID }, .rest = path };
	char front[ESCAPED_SIZE(24)], name[ESCAPED_SIZE(24)], word[NEAR_WORD_MAX + 1];
	struct error ignored = { 0 };
	struct file_id found;
	struct tree tree;

	if (err->kind != ERROR_NOT_FOUND || err->hint[0] || path_follow(volume, subvolume, path, follow_step, &following, &found, &ignored) ||
	    ignored.kind != ERROR_NOT_FOUND || following.at.inode == EMPTY_SUBVOLUME_INODE)
		return;
	following.rest += strspn(following.rest, "/");
	if (strcspn(following.rest, "/") >= sizeof(word))
		return;
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(following.rest, "/"), following.rest);
	following.near = (struct near)NEAR(word);
	ignored = (struct error){ 0 };
	/* A part of the directory is better than nothing, so what cannot be read does not matter here. */
	if (!tree_open(volume, following.at.subvolume, &tree, &ignored) ||
	    (!dir_read_over(&tree, following.at.inode, offer_entry, NULL, &following, &ignored) && !near_found(&following.near)))
		return;
	/* What was typed is there: another thing is wrong with it. */
	if (!near_found(&following.near) || (following.near.best_len == strlen(word) && memcmp(following.near.name, word, strlen(word)) == 0))
		return;
	if (escape_text(path, (size_t)(following.rest - path), front, sizeof(front)) >= sizeof(front))
		front[0] = '\0';
	escape_text(following.near.name, following.near.best_len, name, sizeof(name));
	error_hint(err, "did you mean \"%s%s\"?", front, name);
}

/* --- commands in hints -------------------------------------------------------------------------------------------- */

/* False if it does not fit. */
static bool complete_commands(const char *hint, const char *key, const char *image, char *out, size_t size)
{
	static const char begin[] = "`convert ";
	const char *at, *end;
	size_t used = 0;

	while ((at = strstr(hint, begin)) && (end = strchr(at + 1, '`'))) {
		const int len = (int)(end - at - 1);

		used += (size_t)snprintf(out + used, size - used, "%.*s`btrfs-crypt %.*s %s%s", (int)(at - hint), hint, len, at + 1,
					 memmem(at + 1, (size_t)len, "--status", 8) ? "" : key, image);
		if (used >= size)
			return false;
		hint = end;
	}
	return used + (size_t)snprintf(out + used, size - used, "%s", hint) < size;
}

void hint_commands(const char *image, struct error *err)
{
	/* What another command was given may be the key of something else. */
	char *const words = strcmp(command_name, "convert") == 0 ? key_options_words() : NULL;
	char *const word = image_word(image);
	const char *const key = words ? words : "", *const name = word ? word : "IMAGE";
	char hint[sizeof(err->hint)];

	if (complete_commands(err->hint, key, name, hint, sizeof(hint)) || complete_commands(err->hint, "", name, hint, sizeof(hint)) ||
	    complete_commands(err->hint, "", "IMAGE", hint, sizeof(hint)))
		strcpy(err->hint, hint);
	free(words);
	free(word);
}

/* --- what is not an image ----------------------------------------------------------------------------------------- */

/* What is mounted on the directory, from the kernel's table. False if nothing is. */
static bool find_source(const struct stat *directory, char *source, size_t size)
{
	unsigned major, minor;
	char *line = NULL, *dash;
	size_t room = 0;
	FILE *table = fopen("/proc/self/mountinfo", "re");
	bool found = false;
	struct stat st;
	char point[4096];

	while (table && !found && getline(&line, &room, table) > 0) {
		if (sscanf(line, "%*u %*u %u:%u %*s %4095s", &major, &minor, point) != 3 || stat(point, &st) != 0 || st.st_dev != directory->st_dev)
			continue;
		dash = strstr(line, " - ");
		found = dash && sscanf(dash, " - %*s %4095s", point) == 1;
		if (found)
			snprintf(source, size, "%s", point);
	}
	free(line);
	if (table)
		fclose(table);
	return found;
}

void hint_directory(const char *image, struct error *err)
{
	char source[4096], name[ESCAPED_SIZE(24)];
	struct statfs fs;
	struct stat st;

	if (err->hint[0] || stat(image, &st) != 0 || !S_ISDIR(st.st_mode))
		return;
	if (statfs(image, &fs) != 0 || fs.f_type != BTRFS_SUPER_MAGIC) {
		error_hint(err, "it is a directory: IMAGE is a file or block device that has a btrfs filesystem");
		return;
	}
	if (!find_source(&st, source, sizeof(source)) || escape_text(source, strlen(source), name, sizeof(name)) >= sizeof(name))
		strcpy(name, "the device or image file of it");
	error_hint(err, "it is mounted btrfs, which ls, cat and stat of the system read; btrfs-crypt reads it where it is not mounted: name %s", name);
}

bool not_sealed(const char *subvolume, struct error *err)
{
	char name[256];

	escape_text(subvolume, strlen(subvolume), name, sizeof(name));
	return error_set(err, ERROR_REFUSED, "%s is not sealed", name);
}

bool sealed_already(const char *subvolume, struct error *err)
{
	char name[256];

	escape_text(subvolume, strlen(subvolume), name, sizeof(name));
	error_set(err, ERROR_REFUSED, "%s is sealed already", name);
	return error_named(err, ERROR_NAME_ALREADY_SEALED);
}
