/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of trees and keys, from words of the command line. */
#include "cmd/dump/select.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/util/escape.h"
#include "common/util/near.h"
#include "common/util/number.h"

#define ROOT_TREE_DIR_ID 6ull
#define TREE_LOG_FIXUP_ID (-7ull)

static const struct tree_name {
	const char *word, *other;
	uint64_t id;
	const char *title;
} tree_names[] = {
	{ "root", NULL, ROOT_TREE_ID, "root tree" },
	{ "extent", NULL, EXTENT_TREE_ID, "extent tree" },
	{ "chunk", NULL, CHUNK_TREE_ID, "chunk tree" },
	{ "dev", "device", DEV_TREE_ID, "device tree" },
	{ "fs", NULL, FS_TREE_ID, "fs tree" },
	{ "root-tree-dir", NULL, ROOT_TREE_DIR_ID, "directory tree" },
	{ "csum", "checksum", CSUM_TREE_ID, "checksum tree" },
	{ "quota", NULL, QUOTA_TREE_ID, "quota tree" },
	{ "uuid", NULL, UUID_TREE_ID, "uuid tree" },
	{ "free-space", NULL, FREE_SPACE_TREE_ID, "free space tree" },
	{ "block-group", NULL, BLOCK_GROUP_TREE_ID, "block group tree" },
	{ "raid-stripe", NULL, RAID_STRIPE_TREE_ID, "raid stripe tree" },
	{ "tree-log", "log", TREE_LOG_ID, "log tree" },
	{ "tree-log-fixup", NULL, TREE_LOG_FIXUP_ID, "log fixup tree" },
	{ "tree-reloc", "reloc", TREE_RELOC_ID, "reloc tree" },
	{ "data-reloc", NULL, DATA_RELOC_TREE_ID, "data reloc tree" },
};
#define N_TREE_NAMES (sizeof(tree_names) / sizeof(tree_names[0]))

const char *tree_title(uint64_t id)
{
	for (size_t i = 0; i < N_TREE_NAMES; i++)
		if (tree_names[i].id == id)
			return tree_names[i].title;
	return id == ORPHAN_ID ? "orphan tree" : id == EXTENT_CSUM_ID ? "extent checksum tree" : id == -255ull ? "multiple tree" : "file tree";
}

static bool usage(struct error *err, const char *option, const char *word, const char *want)
{
	char name[128];

	escape_text(word, strlen(word), name, sizeof(name));
	return error_set(err, ERROR_USAGE, "%s: \"%s\" is %s", option, name, want);
}

/* The whole word. */
static bool number(const char *word, uint64_t max, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)word[0]))
		return false;
	errno = 0;
	*value = strtoull(word, &end, strncasecmp(word, "0x", 2) == 0 ? 16 : 10);
	return !*end && errno == 0 && *value <= max;
}

/* Do the two words differ at most in case, and in - and _? */
static bool is_same(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		const int x = *a == '_' ? '-' : tolower((unsigned char)*a), y = *b == '_' ? '-' : tolower((unsigned char)*b);

		if (x != y)
			return false;
	}
	return *a == *b;
}

static void cut_end(char *word, const char *end)
{
	const size_t len = strlen(word), n = strlen(end);

	if (len > n && is_same(word + len - n, end))
		word[len - n] = '\0';
}

bool select_tree(const char *word, uint64_t *id, struct error *err)
{
	char name[64];

	if (number(word, UINT64_MAX, id))
		return *id != 0 || usage(err, "--tree", word, "neither the name of a tree nor a number from 1 to 18446744073709551615");
	snprintf(name, sizeof(name), "%s", strncasecmp(word, "btrfs_", 6) == 0 ? word + 6 : word);
	cut_end(name, "-objectid");
	for (unsigned i = 0; i < 2; i++) {
		for (size_t n = 0; n < N_TREE_NAMES; n++) {
			if (is_same(name, tree_names[n].word) || (tree_names[n].other && is_same(name, tree_names[n].other))) {
				*id = tree_names[n].id;
				return true;
			}
		}
		cut_end(name, "-tree");
	}
	usage(err, "--tree", word, "neither the name of a tree nor a number from 1 to 18446744073709551615");
	return isalpha((unsigned char)word[0]) && error_hint(err, "if it is a subvolume: its number is the ID that btrfs-crypt list shows");
}

bool select_block(const char *word, uint64_t *logical, struct error *err)
{
	return bytes_parse(word, logical) || usage(err, "--block", word, "not an address");
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static bool type_of(const char *word, uint64_t *type)
{
	if (number(word, UINT8_MAX, type))
		return true;
	for (unsigned i = 0; i <= UINT8_MAX; i++) {
		const char *name = key_type_name((uint8_t)i);

		if (name && is_same(word, name)) {
			*type = i;
			return true;
		}
	}
	*type = 0;
	return is_same(word, "UNTYPED");
}

static bool hint_type(const char *word, struct error *err)
{
	struct near near = NEAR(word);

	for (unsigned i = 0; i <= UINT8_MAX; i++) {
		const char *name = key_type_name((uint8_t)i);

		if (name)
			near_offer(&near, name, strlen(name), name, strlen(name));
	}
	return near_found(&near) && error_hint(err, "did you mean %s?", near.name);
}

/* An object as it is shown in keys of this type. */
static bool is_object(const char *word, uint64_t id, uint8_t type)
{
	const struct key key = { id, type, 0 };
	char text[KEY_TEXT_SIZE];

	key_text(&key, text);
	text[strcspn(text, " ")] = '\0';
	return is_same(word, text + 1);
}

/* A number, possibly counted from the end. */
static bool signed_number(const char *word, uint64_t *value)
{
	if (word[0] != '-')
		return number(word, UINT64_MAX, value);
	if (!number(word + 1, INT64_MAX, value))
		return false;
	*value = -*value;
	return true;
}

static bool object_of(const char *word, uint64_t *id)
{
	static const uint8_t types[] = { 1, KEY_DEV_ITEM, KEY_PERSISTENT_ITEM, KEY_CHUNK_ITEM };

	if (signed_number(word, id))
		return true;
	for (int i = -16; i <= 16; i++)
		for (size_t t = 0; t < sizeof(types); t++)
			if (is_object(word, *id = (uint64_t)(int64_t)i, types[t]))
				return true;
	return is_object(word, *id = -255ull, 1) || is_object(word, *id = FIRST_CHUNK_TREE_ID, KEY_CHUNK_ITEM);
}

bool select_key(const char *option, const char *word, struct key *first, struct key *last, int *type, struct error *err)
{
	const char *want = "not a key: OBJECTID[,TYPE[,OFFSET]]";
	char text[128], *part[4] = { NULL }, *rest = text;
	uint64_t value[3] = { 0, 0, 0 };
	unsigned n = 0;

	if (snprintf(text, sizeof(text), "%s", word) >= (int)sizeof(text))
		return usage(err, option, word, want);
	for (char *at = strtok_r(text, " ,()", &rest); at && n < 4; at = strtok_r(NULL, " ,()", &rest))
		part[n++] = at;
	if (type && n == 1 && !object_of(part[0], &value[0]) && type_of(part[0], &value[1])) {
		*first = (struct key){ 0, 0, 0 };
		*last = (struct key){ UINT64_MAX, UINT8_MAX, UINT64_MAX };
		*type = (int)value[1];
		return true;
	}
	if (n == 0 || n > 3)
		return usage(err, option, word, want);
	if (!object_of(part[0], &value[0]))
		return usage(err, option, part[0], type ? "neither a number, nor the name of an object or item type" :
			     "neither a number nor the name of an object") || hint_type(part[0], err);
	if (n > 1 && !type_of(part[1], &value[1]))
		return usage(err, option, part[1], "neither the name of an item type nor a number from 0 to 255") || hint_type(part[1], err);
	if (n > 2 && !signed_number(part[2], &value[2]))
		return usage(err, option, part[2], "not a number");
	*first = (struct key){ value[0], (uint8_t)value[1], value[2] };
	*last = (struct key){ value[0], n > 1 ? (uint8_t)value[1] : UINT8_MAX, n > 2 ? value[2] : UINT64_MAX };
	return true;
}
