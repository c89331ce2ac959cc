/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/dump/legacy.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cmd/print.h"
#include "common/fs/path.h"
#include "common/legacy/legacy-inode.h"

struct dump_legacy {
	struct volume *volume;
	const struct secret *key;
	struct tree tree;		/* id 0: none was chosen */
	struct legacy of_tree;
	struct legacy_ciphers *ciphers;	/* NULL: no key, or another one */
	uint64_t inode, flags;		/* the last one that was asked for */
};

bool dump_legacy_new(struct volume *volume, const struct secret *key, struct dump_legacy **legacy, struct error *err)
{
	*legacy = calloc(1, sizeof(**legacy));
	if (!*legacy)
		return error_memory(err);
	**legacy = (struct dump_legacy){ .volume = volume, .key = key };
	return true;
}

void dump_legacy_free(struct dump_legacy *legacy)
{
	if (legacy)
		legacy_ciphers_free(legacy->ciphers);
	free(legacy);
}

static void choose_key(struct dump_legacy *legacy, const struct subvolume *subvolume)
{
	struct legacy_judgement judgement;
	struct error what = { 0 };

	if (!legacy->key || legacy->of_tree.layout != LEGACY_2016)
		return;
	if (!legacy_check_readable(&legacy->of_tree, subvolume->id, &what) ||
	    !legacy_judge(legacy->volume, subvolume, &legacy->of_tree, legacy->key, true, &judgement, &what) ||
	    (legacy_verdict(&judgement) != LEGACY_KEY_WRONG && !legacy_ciphers_new(&legacy->of_tree, legacy->key, &legacy->ciphers, &what)))
		print_warning(NULL, what.text);
	else if (!legacy->ciphers)
		printf_warning("the key is not that of subvolume %" PRIu64, subvolume->id);
}

void dump_legacy_choose(struct dump_legacy *legacy, uint64_t id)
{
	const struct reporter reporter = legacy->volume->reporter;
	struct subvolume subvolume = { .id = id };
	struct error ignored = { 0 };
	bool found;

	if (legacy->tree.id == id)
		return;
	legacy_ciphers_free(legacy->ciphers);
	*legacy = (struct dump_legacy){ .volume = legacy->volume, .key = legacy->key, .tree.id = id };
	if (id != FS_TREE_ID && (id < FIRST_FREE_ID || id > LAST_FREE_ID))
		return;
	/* The dump itself shows damage. */
	legacy->volume->reporter = (struct reporter){ NULL, NULL };
	found = tree_open_root(legacy->volume, id, &legacy->tree, &subvolume.root, &subvolume.root_key, &ignored) &&
		legacy_find(legacy->volume, &subvolume, &legacy->of_tree, &ignored);
	legacy->volume->reporter = reporter;
	legacy->tree.id = id;
	if (found)
		choose_key(legacy, &subvolume);
}

bool dump_legacy_is_encrypted(struct dump_legacy *legacy, uint64_t number, const struct file_extent *e)
{
	struct error ignored = { 0 };
	struct inode inode = { 0 };

	if (!legacy || legacy->of_tree.layout == LEGACY_NONE || e->compression != COMPRESS_ENCRYPTED)
		return false;
	if (legacy->inode != number && inode_get(&legacy->tree, number, &inode, &ignored)) {
		legacy->inode = number;
		legacy->flags = inode.flags;
	}
	return legacy->inode == number && legacy_is_encrypted(&legacy->of_tree, legacy->flags, e);
}

bool dump_legacy_iv(struct dump_legacy *legacy, const uint8_t disk_iv[LEGACY_IV_SIZE], uint8_t iv[LEGACY_IV_SIZE])
{
	struct error ignored = { 0 };

	return legacy && legacy->ciphers && legacy_iv(legacy->ciphers, disk_iv, iv, &ignored);
}
