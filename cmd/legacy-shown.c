/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/legacy-shown.h"

#include <inttypes.h>

#include "cmd/key-options.h"
#include "cmd/key-shown.h"
#include "cmd/print.h"

bool legacy_shown_read(const struct subvolume_list *list, const struct subvolume *subvolume, bool flagged_only, struct legacy_shown *shown,
		       struct error *err)
{
	const struct legacy_named named = { list->volume, subvolume, &shown->legacy };
	cleanup_secret struct secret *key = NULL;

	*shown = (struct legacy_shown){ .has_key = false };
	if (!list->volume || (flagged_only && !(subvolume->root.flags & ROOT_ENCRYPT_2016)))
		return true;
	if (!legacy_find(list->volume, subvolume, &shown->legacy, err))
		return false;
	shown->has_key = shown->legacy.layout == LEGACY_2016 && !key_options_no_keyring();
	return !shown->has_key || legacy_keyring_find(&named, NULL, &shown->key, &key, err);
}

void legacy_shown_put(const struct row *row, const char *before, const struct legacy_shown *shown)
{
	static const char *const words[] = {
		[LEGACY_EARLY_2016] = " (layout of early 2016)", [LEGACY_2017] = " (layout of 2017)", [LEGACY_2016] = " (format of 2016)",
	};
	const struct legacy *const legacy = &shown->legacy;
	char text[LEGACY_TEXT_SIZE];

	row_text(row, "encryption", before, legacy_text(legacy, text));
	row_text(row, "encryption_format", NULL, legacy_layout_name(legacy->layout));
	if (legacy->algorithm[0])
		row_text(row, "algorithm", NULL, legacy->algorithm);
	if (legacy->other[0])
		row_text(row, "xattr_algorithm", NULL, legacy->other);
	if (legacy->tag[0])
		row_text(row, "key_tag", NULL, legacy->tag);
	if (legacy->layout == LEGACY_2016) {
		row_number(row, "key_length", NULL, legacy->key_len);
		row_value(row, "key_hash", NULL, "%08" PRIx32, legacy->key_hash);
	}
	key_shown_put(row, shown->has_key ? &shown->key : NULL);
	row_words(row, words[legacy->layout]);
}

void legacy_shown_warn(const struct legacy_shown *shown)
{
	if (shown->legacy.layout == LEGACY_2016 && shown->legacy.other[0])
		printf_warning("the root item says %s, which counts, and the xattr " LEGACY_XATTR_PROPERTY " says %s", shown->legacy.algorithm,
			       shown->legacy.other);
}
