/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/key/target.h"

#include <stdio.h>
#include <unistd.h>

#include "cmd/image.h"
#include "cmd/key/verbs.h"
#include "cmd/operands.h"
#include "cmd/print.h"

enum formats { OURS_ONLY, OF_2016_TOO };

static bool find_legacy(const char *const *operand, struct key_target *target, enum formats formats, struct error *err)
{
	char name[160];

	if (!legacy_find(target->volume, target->subvolume, &target->legacy, err))
		return false;
	if (target->legacy.layout == LEGACY_NONE)
		return not_sealed(operand[1], err);
	if (formats == OF_2016_TOO || target->legacy.layout != LEGACY_2016)
		return legacy_check_readable(&target->legacy, target->subvolume->id, err);
	return error_set(err, ERROR_REFUSED, "subvolume %s is in the format of 2016, which has no key slots",
			 subvolume_name(&target->list, target->subvolume->id, name));
}

static bool find_subvolume(const char *const *operand, struct key_target *target, enum formats formats, struct error *err)
{
	if (!subvolumes_read(target->volume, &target->list, err) ||
	    !subvolume_operand(&target->list, operand[1], &target->subvolume, err) ||
	    !domain_find(target->volume, &target->list, target->subvolume, &target->domain, err))
		return false;
	return target->domain || find_legacy(operand, target, formats, err);
}

bool key_target_open(const char *const *operand, struct key_target *target, struct error *err)
{
	return image_open(operand[0], TREES_ANYHOW, &target->volume, err) && find_subvolume(operand, target, OURS_ONLY, err);
}

bool key_target_open_any(const char *const *operand, struct key_target *target, struct error *err)
{
	return image_open(operand[0], TREES_ANYHOW, &target->volume, err) && find_subvolume(operand, target, OF_2016_TOO, err);
}

bool key_target_open_to_change(const char *const *operand, struct key_target *target, struct error *err)
{
	return image_open_to_convert(operand[0], (struct image_conversion){ .writable = true }, &target->volume, err) &&
	       find_subvolume(operand, target, OURS_ONLY, err);
}

void key_target_close(struct key_target *target)
{
	domain_free(target->domain);
	subvolume_list_free(&target->list);
	volume_close(target->volume);
	*target = (struct key_target){ 0 };
}

bool key_target_leave(struct key_target *target, const char *image, struct error *err)
{
	/* While it is open for writing, nobody can look at it. */
	key_target_close(target);
	image_hint_unfinished(image, false, err);
	return false;
}

bool key_confirm(const char *question, struct error *err)
{
	char answer[64];

	if (key_options.batch)
		return true;
	if (!isatty(STDIN_FILENO) || format_is_json()) {
		error_set(err, ERROR_REFUSED, "%s  There is no terminal to ask on", question);
		return error_hint(err, "--batch-mode goes on without asking");
	}
	fprintf(stderr, "%s  Go on? [y/N] ", question);
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return true;
	return error_set(err, ERROR_REFUSED, "not confirmed; nothing was changed");
}
