/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State and records of the removal of a sealing, changed, with right hashes: what anybody can do who can write to the image. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/convert/state.h"
#include "common/volume/block.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "format/journal.h"
#include "tests/crash/purge-run.h"

static unsigned n_failures;
static char where[100];

static void failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void failed(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "FAILED: %s: ", where);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	n_failures++;
}

enum { FOUND, CHANGED };	/* the records, as numbers of them less 1 */

struct forging {
	struct volume *volume;
	struct crypt_state_tail tail;
	struct disk_journal_header *record[2];
	uint32_t size;			/* of a tree block */
	bool not_authentic, reorders;
};

static uint8_t *image_of(const struct forging *f, unsigned record, size_t i, struct le64 **logical)
{
	uint8_t *const at = (uint8_t *)(f->record[record] + 1) + i * (sizeof(struct disk_journal_changed) + f->size);

	*logical = &((struct disk_journal_changed *)at)->logical;
	return at + sizeof(struct disk_journal_changed);
}

/* The first leaf of this tree that the records change, with an item of this type: its payload, as the record has it. */
static uint8_t *item_of(const struct forging *f, unsigned record, uint64_t owner, uint8_t type, uint8_t **block)
{
	for (size_t i = 0; i < le32(f->record[record]->n_changed); i++) {
		struct le64 *address;
		struct error err = { 0 };
		struct node node;

		*block = image_of(f, record, i, &address);
		if (!node_read(*block, f->size, le64(*address), &node, &err))
			harness_fail("%s", err.text);
		for (uint32_t slot = 0; node.owner == owner && node_is_leaf(&node) && slot < node.n_items; slot++) {
			if (node_key(&node, slot).type == type)
				return *block + (leaf_item(&node, slot).at - *block);
		}
	}
	harness_fail("the records have no item of type %u in tree %" PRIu64, type, owner);
}

static void seal(const struct forging *f, uint8_t *block) { csum_block_update(f->volume->super.csum_type, block, f->size); }

static void xor_item(struct forging *f, unsigned record, uint64_t owner, uint8_t type, size_t at)
{
	uint8_t *block;

	item_of(f, record, owner, type, &block)[at] ^= 1;
	seal(f, block);
}

#define ROOT_FLAGS_AT offsetof(struct disk_root_item, flags)

static void change_root_item(struct forging *f) { xor_item(f, CHANGED, ROOT_TREE_ID, KEY_ROOT_ITEM, ROOT_FLAGS_AT); }
static void find_root_item(struct forging *f) { xor_item(f, FOUND, ROOT_TREE_ID, KEY_ROOT_ITEM, ROOT_FLAGS_AT); }
static void both_root_item(struct forging *f) { change_root_item(f), find_root_item(f); }
static void change_free_space(struct forging *f) { xor_item(f, CHANGED, FREE_SPACE_TREE_ID, KEY_FREE_SPACE_INFO, 0); }
static void change_extents(struct forging *f) { xor_item(f, CHANGED, EXTENT_TREE_ID, KEY_BLOCK_GROUP_ITEM, 0); }

static void tag_in(const struct forging *f, uint8_t *block, uint64_t logical, const struct key *key)
{
	struct disk_crypt_tag tag = { .key_len = to_le32(CRYPT_KEY_SIZE) };
	const char *const name = crypt_cipher_name(f->tail.disk.cipher);
	struct error err = { 0 };
	struct node node;

	if (!node_read(block, f->size, logical, &node, &err))
		harness_fail("%s", err.text);
	memcpy(tag.algorithm, name, strnlen(name, sizeof(tag.algorithm)));
	memcpy(&tag.key_hash, f->tail.disk.kcv, sizeof(tag.key_hash));
	memcpy(block + (leaf_item(&node, node_search(&node, key)).at - block) + offsetof(struct disk_root_item, reserved), &tag, sizeof(tag));
	seal(f, block);
}

/* The top level has the tag of the sealing, on the disk and in both records: so it is not without subvolumes. */
static void tag_a_subvolume(struct forging *f)
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	const struct key key = { FS_TREE_ID, KEY_ROOT_ITEM, 0 };
	struct error err = { 0 };
	struct le64 *address;
	struct tree tree;
	bool found;

	if (!tree_open(f->volume, ROOT_TREE_ID, &tree, &err) || !tree_find(&tree, &key, &iter, &found, &err) || !found)
		harness_fail("no root item: %s", err.text);

	const uint64_t logical = iter.path[0]->logical;

	for (unsigned record = FOUND; record <= CHANGED; record++) {
		for (size_t i = 0; i < le32(f->record[record]->n_changed); i++) {
			uint8_t *const block = image_of(f, record, i, &address);

			if (le64(*address) == logical)
				tag_in(f, block, logical, &key);
		}
	}
	tag_in(f, iter.path[0]->bytes, logical, &key);
	if (!volume_write(f->volume, logical, iter.path[0]->bytes, f->size, &err))
		harness_fail("%s", err.text);
}

/* The first block that is changed becomes one of a subvolume, in both records. */
static void change_a_file_tree(struct forging *f)
{
	struct block *block;
	struct tree tree;
	struct le64 *logical;
	struct error err = { 0 };

	if (!tree_open(f->volume, FS_TREE_ID, &tree, &err) || !block_get(f->volume, tree.logical, NULL, &block, &err))
		harness_fail("%s", err.text);
	for (unsigned record = FOUND; record <= CHANGED; record++) {
		uint8_t *const bytes = image_of(f, record, 0, &logical);

		*logical = to_le64(tree.logical);
		memcpy(bytes, block->bytes, f->size);
		if (record == CHANGED)
			memset(bytes + f->size - 16, 0, 16);
		seal(f, bytes);
	}
	block_put(block);
	f->reorders = true;
}

static void other_bytes_used(struct forging *f) { f->record[CHANGED]->bytes_used = to_le64(le64(f->record[CHANGED]->bytes_used) + f->size); }
static void other_level(struct forging *f) { f->record[CHANGED]->root_level ^= 1; }
static void other_domain(struct forging *f) { f->tail.disk.domain = to_le16(2); }
static void other_uuid(struct forging *f) { f->tail.disk.domain_uuid[0] ^= 1; }
static void other_filesystem(struct forging *f) { f->tail.disk.fsid[0] ^= 1; }
static void other_places(struct forging *f) { f->tail.disk.slot[0].logical = to_le64(f->volume->super.root & ~UINT64_C(0xffff)); }
static void is_finishing(struct forging *f) { f->tail.disk.phase = CRYPT_PHASE_FINISH; }
static void is_finished(struct forging *f) { f->tail.disk.phase = CRYPT_PHASE_FINISHED; }
static void is_in_data(struct forging *f) { f->tail.disk.phase = CRYPT_PHASE_DATA; }
static void of_nobody(struct forging *f) { f->not_authentic = true; }
/* The place of key copies is overwritten with zeros in the end. */
static void keys_on_trees(struct forging *f) { f->tail.disk.keys = (struct disk_crypt_range){ to_le64(f->volume->super.root & ~UINT64_C(0xfff)), to_le64(4096) }; }
static void keys_on_free_space(struct forging *f) { f->tail.disk.keys = (struct disk_crypt_range){ f->tail.disk.slot[0].logical, to_le64(4096) }; }

static const struct forged {
	const char *name;
	void (*forge)(struct forging *f);
	const char *text;
} forged[] = {
	{ "another flag of a subvolume", change_root_item, "the journal does not do what removing sealing 1 does" },
	{ "another flag of a subvolume, as found", find_root_item, "the journal does not do what removing sealing 1 does" },
	{ "another flag of a subvolume, in both", both_root_item, "is neither what the journal says was found there" },
	{ "another free space", change_free_space, "the journal does not do what removing sealing 1 does" },
	{ "other used bytes of a group", change_extents, "the journal does not do what removing sealing 1 does" },
	{ "a subvolume with the tag", tag_a_subvolume, "has the tag of this sealing in its root item" },
	{ "a block of a subvolume", change_a_file_tree, "" },
	{ "other used bytes", other_bytes_used, "the journal does not do what removing sealing 1 does" },
	{ "another level", other_level, "the journal does not do what removing sealing 1 does" },
	{ "another sealing", other_domain, "sealing 2 is not the one that the unfinished operation removes" },
	{ "another uuid", other_uuid, "sealing 1 is not the one that the unfinished operation removes" },
	{ "another filesystem", other_filesystem, "belongs to another filesystem" },
	{ "other places", other_places, "" },
	{ "already cleaning up", is_finishing, "sealing 1 should be removed by now, but is not" },
	{ "already cleared", is_finished, "sealing 1 should be removed by now, but is not" },
	{ "a phase it has not", is_in_data, "has phase 2" },
	{ "wrong hash", of_nobody, "fails authentication" },
	{ "key copies on a tree", keys_on_trees, "4096 bytes for key slots" },
	{ "key copies on free space", keys_on_free_space, "4096 bytes for key slots" },
};

static void hash(const void *bytes, size_t len, uint8_t out[CRYPT_MAC_SIZE])
{
	struct error err = { 0 };

	if (!crypto_sha256(bytes, len, out, &err))
		harness_fail("%s", err.text);
}

/* By address, as a record has them. */
static void reorder(const struct forging *f, unsigned record)
{
	const size_t n = le32(f->record[record]->n_changed), size = sizeof(struct disk_journal_changed) + f->size;
	uint8_t *const one = malloc(size);
	struct le64 *a, *b;

	for (size_t i = 0; one && i + 1 < n; i++) {
		(void)image_of(f, record, i, &a);
		(void)image_of(f, record, i + 1, &b);
		if (le64(*a) <= le64(*b))
			continue;
		memcpy(one, a, size);
		memcpy(a, b, size);
		memcpy(b, one, size);
	}
	free(one);
}

static void forge(struct disk *disk, const struct forged *row)
{
	struct disk_superblock super;
	struct error err = { 0 };
	struct forging f = { .volume = purge_run_open(disk) };
	uint8_t previous[CRYPT_MAC_SIZE] = { 0 };

	if (!state_newest(f.volume, &f.tail, &err) || f.tail.operation != CRYPT_OP_PURGE || f.tail.sequence != 2)
		harness_fail("not where it was thought to be: %s", err.text);
	f.size = f.volume->super.node_size;
	for (unsigned i = FOUND; i <= CHANGED; i++) {
		f.record[i] = calloc(1, f.tail.slot[0].length);
		if (!f.record[i] || !volume_read(f.volume, f.tail.slot[i + 1].logical, f.record[i], f.tail.slot[0].length, 0, &err) ||
		    le64(f.record[i]->sequence) != i + 1)
			harness_fail("record %u cannot be read: %s", i + 1, err.text);
	}

	const struct crypt_range places[] = { f.tail.slot[1], f.tail.slot[2] };

	row->forge(&f);
	for (unsigned i = FOUND; i <= CHANGED; i++) {
		const size_t len = le64(f.record[i]->length) - CRYPT_MAC_SIZE;

		if (f.reorders)
			reorder(&f, i);
		memcpy(f.record[i]->previous, previous, sizeof(previous));
		hash(f.record[i], len, previous);
		memcpy((uint8_t *)f.record[i] + len, previous, sizeof(previous));
		if (!volume_write(f.volume, places[i].logical, f.record[i], len + CRYPT_MAC_SIZE, &err))
			harness_fail("%s", err.text);
		free(f.record[i]);
	}
	memcpy(f.tail.disk.journal_mac, previous, sizeof(previous));
	hash(&f.tail.disk, offsetof(struct disk_crypt_state, mac), f.tail.disk.mac);
	f.tail.disk.mac[0] ^= f.not_authentic;
	super = f.volume->super.disk;
	memcpy(super.tail, &f.tail.disk, sizeof(f.tail.disk));
	if (!volume_write_supers(f.volume, &super, &err))
		harness_fail("%s", err.text);
	volume_close(f.volume);
}

static void nothing(struct forging *f) { (void)f; }

/* With the hashes made anew, and nothing else, it goes on: so it is what was changed that is refused. */
static void judge_not_forged(const struct disk *unfinished)
{
	static const struct forged row = { "nothing", nothing, "" };
	struct error err = { 0 };
	struct disk tried;

	snprintf(where, sizeof(where), "forged: nothing");
	disk_clone(unfinished, &tried);
	forge(&tried, &row);
	if (!purge_run_continue(&tried, CONVERT_RESUME, &err))
		failed("status %d: %s", err.kind, err.text);
	disk_free(&tried);
}

unsigned purge_judge_forged(const struct disk *unfinished)
{
	judge_not_forged(unfinished);
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		for (unsigned goal = 0; goal < 2; goal++) {
			struct disk changed, tried;
			struct error err = { 0 };

			snprintf(where, sizeof(where), "forged: %s, %s", forged[i].name, goal ? "abort" : "resume");
			disk_clone(unfinished, &changed);
			forge(&changed, &forged[i]);
			disk_clone(&changed, &tried);
			if (purge_run_continue(&tried, goal ? CONVERT_ABORT : CONVERT_RESUME, &err))
				failed("goes on");
			else if (err.kind != ERROR_STATE || !strstr(err.text, forged[i].text))
				failed("status %d: %s", err.kind, err.text);
			else if (tried.n_writes > 0)
				failed("is refused, and writes");
			disk_free(&tried);
			disk_free(&changed);
		}
	}
	return n_failures;
}
