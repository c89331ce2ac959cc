/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of items that have little to say. */
#include "cmd/dump/items.h"

#include <inttypes.h>

#include "format/small-item.h"

bool dump_orphan(struct dump *dump, struct cursor *item, struct error *err)
{
	if (item->left != 0)
		return error_set(err, ERROR_CORRUPT, "orphan item at %#" PRIx64 ": %zu bytes, not 0", item->offset, item->left);
	dump_words(dump, "orphan item");
	dump_json_u64(dump, "orphan", dump->key->offset);
	return true;
}

bool dump_dir_log(struct dump *dump, struct cursor *item, struct error *err)
{
	uint64_t end;

	if (!dir_log_read(item, &end, err))
		return false;
	dump_json_u64(dump, "begin", dump->key->offset);
	LINE(dump_words(dump, "dir log"), VALUE("end", end));
	return true;
}

bool dump_string(struct dump *dump, struct cursor *item, struct error *err)
{
	(void)err;
	LINE(dump_name(dump, dump->object ? "data" : "item data", item->at, item->left));
	return true;
}

/* Kinds that only old filesystems have. */
bool dump_obsolete(struct dump *dump, struct cursor *item, struct error *err)
{
	(void)err;
	dump_words(dump, dump->key->type == KEY_CSUM_ITEM ? "csum item" : "extent ref v0 (deprecated)");
	dump_json_hex(dump, "bytes", item->at, item->left);
	return true;
}

static bool dump_unknown(struct dump *dump, const char *words, const char *unknown, const struct cursor *item)
{
	const struct key *key = dump->key;
	char text[OBJECT_TEXT_SIZE];

	dump_words(dump, words);
	if (!dump->object) {
		if (key->type == KEY_PERSISTENT_ITEM)	/* numbers of their own, which no tree has */
			dump_u64(dump, "objectid", key->objectid);
		else
			dump_text(dump, "objectid", object_text(key->objectid, text));
		LINE(VALUE_OF(*key, offset));
		VALUES(dump_words(dump, unknown), VALUE_OF(*key, objectid));
	}
	dump_json_hex(dump, "bytes", item->at, item->left);
	return true;
}

bool dump_unknown_persistent(struct dump *dump, struct cursor *item, struct error *err)
{
	(void)err;
	return dump_unknown(dump, "persistent item", "unknown persistent item", item);
}

bool dump_unknown_temporary(struct dump *dump, struct cursor *item, struct error *err)
{
	(void)err;
	return dump_unknown(dump, "temporary item", "unknown temporary item", item);
}
