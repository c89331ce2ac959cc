/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/source-path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/operands.h"
#include "common/sealed/member-places.h"
#include "common/util/escape.h"

struct passing {
	const struct lost_places *places;
	const char *path, *end;	/* as far as the last step */
	uint64_t id;		/* of the nested subvolume whose empty place that is */
	const char *wrong;	/* with it; NULL: nothing */
};

static bool pass_step(void *context, const struct path_step *step, struct error *err)
{
	struct passing *passing = context;

	(void)err;
	passing->end = step->name + step->len;
	passing->id = step->empty_of;
	passing->wrong = step->found.inode == EMPTY_SUBVOLUME_INODE ?
			 lost_places_empty_wrong(passing->places, step->directory.subvolume, step->empty_of) : NULL;
	return true;
}

/* Does a directory above, or the name itself, belong to a subvolume that has no entry there? */
static bool check_not_unlisted(const struct lost_places *places, const struct subvolume *subvolume, const char *path, struct error *err)
{
	char *const above = subvolume ? escape_new(subvolume->path, subvolume->path_len) : NULL;
	char *const below = escape_new((const uint8_t *)path, strlen(path));
	char *whole = NULL;
	bool ok = above && below && asprintf(&whole, "%s%s%s", above, above[0] ? "/" : "", below + strspn(below, "/")) >= 0;

	if (!ok)
		error_memory(err);
	for (size_t i = 0; ok && i < places->n; i++) {
		const struct lost_place *const at = &places->at[i];
		const size_t len = strlen(at->path);

		if (!at->has_no_parent && strncmp(whole, at->path, len) == 0 && (whole[len] == '/' || whole[len] == '\0'))
			ok = error_set(err, ERROR_CORRUPT, "%.200s: %s", at->path, at->text);
	}
	free(whole);
	free(below);
	free(above);
	return ok;
}

/* The path ends, or is lost, in what looks like the empty place of a nested subvolume. Should that subvolume be there? */
static bool check_not_lost(const struct subvolume_list *list, uint64_t subvolume, const char *path, struct error *err)
{
	cleanup_member_places struct member_places places = { 0 };
	struct passing passing = { .places = &places.lost, .path = path };
	const struct lost_place *lost;
	struct error ignored = { 0 };
	struct file_id found;
	char name[200];

	if (!member_places_read(list, &places, err))
		return false;
	if (!path_follow(list->volume, subvolume, path, pass_step, &passing, &found, &ignored) && !error_is_damage(&ignored) &&
	    ignored.kind != ERROR_NOT_FOUND)
		return *err = ignored, false;
	if (!passing.wrong)
		return ignored.kind != ERROR_NOT_FOUND || check_not_unlisted(&places.lost, subvolume_by_id(list, subvolume), path, err);
	lost = lost_places_of(&places.lost, passing.id);
	escape_text(passing.path, (size_t)(passing.end - passing.path), name, sizeof(name));
	return error_set(err, ERROR_CORRUPT, "%.200s: %s", lost ? lost->path : name, passing.wrong);
}

static bool find_operand(struct volume *volume, uint64_t subvolume, const char *operand, char **path, struct file_id *found, struct error *err)
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
	hint_near_path(volume, subvolume, operand, err);
	return false;
}

bool path_operand(const struct subvolume_list *list, uint64_t subvolume, const char *operand, char **path, struct file_id *found, struct error *err)
{
	const bool ok = find_operand(list->volume, subvolume, operand, path, found, err);
	struct error lost = { 0 };

	if ((ok ? found->inode != EMPTY_SUBVOLUME_INODE : err->kind != ERROR_NOT_FOUND) ||
	    check_not_lost(list, subvolume, ok ? *path : operand, &lost))
		return ok;
	free(*path);
	*path = NULL;
	*err = lost;
	return false;
}
