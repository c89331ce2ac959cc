/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tree blocks in text as btrfs-progs prints them, or as JSON: an object for each header, pointer and item. */
#include "cmd/dump/block.h"

#include <inttypes.h>
#include <stdio.h>
#include <uuid/uuid.h>

#include "cmd/dump/items.h"
#include "cmd/dump/legacy.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "common/util/hex.h"
#include "format/node-salvage.h"

#define BACKREF_REVISION_SHIFT 56

static const struct bit_name header_flags[] = { { 1, "WRITTEN" }, { 2, "RELOC" } };

static struct row begin_line(const struct dump_printer *printer, uint64_t logical)
{
	const struct row row = row_begin(NULL);

	if (printer->has_tree)
		row_u64(&row, "tree", NULL, printer->tree);
	row_u64(&row, "block", NULL, logical);
	return row;
}

static void put_key(const struct row *row, const char *before, const struct key *key)
{
	char text[KEY_TEXT_SIZE];

	row_text(row, "key", before, key_text(key, text));
	row_u64(row, "objectid", NULL, key->objectid);
	row_number(row, "type", NULL, key->type);
	row_u64(row, "offset", NULL, key->offset);
}

static void print_title(struct dump_printer *printer)
{
	char text[KEY_TEXT_SIZE];

	if (printer->titled || format_is_json() || !printer->title)
		return;
	printer->titled = true;
	printf("%s", printer->title);
	if (printer->root_key)	/* btrfs-progs ends the line in the same way */
		printf(" key %s%s", key_text(printer->root_key, text), printer->short_title ? "" : " ");
	putchar('\n');
}

/* --- headers ------------------------------------------------------------------------------------------------ */

/* For an inner node btrfs-progs counts pointers.  In a damaged leaf the last item can be anywhere. */
static int64_t free_room(const struct node *node)
{
	const uint32_t room = node->size - (uint32_t)sizeof(struct disk_header);

	if (!node_is_leaf(node))
		return (int64_t)(room / sizeof(struct disk_key_ptr)) - node->n_items;

	const uint32_t end = node->n_items ? node_salvage_item(node, node->n_items - 1).offset : room;

	return (int64_t)end - (int64_t)(node->n_items * sizeof(struct disk_item));
}

static void print_header(const struct dump_printer *printer, const struct node *node)
{
	const struct disk_header *disk = (const struct disk_header *)node->bytes;
	const char *kind = node_is_leaf(node) ? "leaf" : "node";
	const uint64_t flags = node->flags & ((1ull << BACKREF_REVISION_SHIFT) - 1);
	char owner[OBJECT_TEXT_SIZE], text[64], uuid[UUID_STR_LEN];

	printf("%s %" PRIu64, kind, node->logical);
	if (!node_is_leaf(node))
		printf(" level %u", node->level);
	printf(" items %" PRIu32 " free space %" PRId64 " generation %" PRIu64 " owner %s\n", node->n_items, free_room(node),
	       node->generation, object_text(node->owner, owner));
	printf("%s %" PRIu64 " flags 0x%" PRIx64 "(%s) backref revision %u", kind, node->logical, flags,
	       known_bits_text(flags, header_flags, 2, "", text, sizeof(text)), (unsigned)(node->flags >> BACKREF_REVISION_SHIFT));
	if (printer->header_csums) {
		char csum[2 * CSUM_SIZE + 1];

		hex_text(disk->csum, csum_type_size(printer->super->csum_type), csum);
		printf(" csum 0x%s", csum);
	}
	uuid_unparse_lower(disk->fsid, uuid);
	printf("\nfs uuid %s\n", uuid);
	uuid_unparse_lower(disk->chunk_tree_uuid, uuid);
	printf("chunk uuid %s\n", uuid);
}

static void print_json_header(const struct dump_printer *printer, const struct node *node, const struct dump_problems *problems)
{
	const struct disk_header *disk = (const struct disk_header *)node->bytes;
	struct json_object *line = begin_line(printer, node->logical).json;
	struct dump dump = { .object = json_line() };
	char text[OBJECT_TEXT_SIZE];

	json_hex(dump.object, "csum", disk->csum, csum_type_size(printer->super->csum_type));
	dump_uuid(&dump, "fsid", disk->fsid);
	dump_u64(&dump, "bytenr", le64(disk->bytenr));
	dump_bits(&dump, "flags", node->flags & ((1ull << BACKREF_REVISION_SHIFT) - 1),
		  bits_text(node->flags & ((1ull << BACKREF_REVISION_SHIFT) - 1), header_flags, 2, text, sizeof(text)));
	dump_number(&dump, "backref_revision", (uint32_t)(node->flags >> BACKREF_REVISION_SHIFT));
	dump_uuid(&dump, "chunk_tree_uuid", disk->chunk_tree_uuid);
	dump_u64(&dump, "generation", node->generation);
	dump_u64(&dump, "owner", node->owner);
	dump_text(&dump, "owner_name", object_text(node->owner, text));
	dump_number(&dump, "nritems", le32(disk->nritems));
	dump_number(&dump, "level", node->level);
	json_number(dump.object, "free_space", free_room(node));
	json_member(line, "header", dump.object);
	if (problems->n > 0) {
		struct json_object *invalid = json_array();

		for (unsigned i = 0; i < problems->n; i++)
			json_append_text(invalid, problems->text[i]);
		json_member(line, "invalid", invalid);
	}
	json_print(line, stdout);
}

static void print_problems(const struct dump_problems *problems)
{
	for (unsigned i = 0; i < problems->n; i++)
		printf("invalid: %s\n", problems->text[i]);
}

/* --- what is in them -------------------------------------------------------------------------------------------- */

static void print_pointers(const struct dump_printer *printer, const struct node *node)
{
	for (uint32_t slot = 0; slot < node->n_items; slot++) {
		const struct key key = node_key(node, slot);
		const struct row row = begin_line(printer, node->logical);

		row_number(&row, "level", NULL, node->level);
		row_number(&row, "slot", NULL, slot);
		put_key(&row, "\tkey ", &key);
		row_u64(&row, "child", " block ", node_child(node, slot));
		row_u64(&row, "generation", " gen ", node_child_generation(node, slot));
		row_end(&row);
	}
}

static void print_item(struct dump_printer *printer, const struct node *node, uint32_t slot, const struct salvaged_item *found)
{
	const struct key key = node_key(node, slot);
	const struct row row = begin_line(printer, node->logical);
	struct dump dump = {
		.key = &key, .super = printer->super, .object = row.json ? json_line() : NULL, .indent = 2,
		.names = printer->names, .csums = printer->data_csums, .tags = printer->tags, .legacy = printer->legacy,
	};

	row_number(&row, "slot", "\titem ", slot);
	put_key(&row, " key ", &key);
	row_number(&row, "itemoff", " itemoff ", found->offset);
	row_number(&row, "itemsize", " itemsize ", found->size);
	row_words(&row, "\n");
	if (!found->inside)
		dump_text(&dump, "invalid:", "the item is not inside the block");
	printer->damaged |= !found->inside || !dump_one_item(&dump, found->item);
	dump_end_line(&dump);
	if (row.json) {
		json_member(row.json, "item", dump.object);
		json_print(row.json, stdout);
	}
}

static bool is_wanted(const struct dump_printer *printer, const struct key *key, const struct salvaged_item *item)
{
	if ((printer->first && key_compare(key, printer->first) < 0) || (printer->last && key_compare(key, printer->last) > 0))
		return false;
	if (printer->type >= 0 && key->type != printer->type)
		return false;
	return !printer->crypt_only || (item->inside && item_is_about_encryption(key, item->item, printer->super->sector_size, printer->legacy));
}

/* Before the first block of a selection, and of a whole dump. */
static void announce(struct dump_printer *printer, const struct node *node, const struct dump_problems *problems)
{
	print_title(printer);
	if (format_is_json()) {
		if (!printer->crypt_only || problems->n > 0)
			print_json_header(printer, node, problems);
		return;
	}
	if (printer->crypt_only)
		printf("leaf %" PRIu64 " generation %" PRIu64 "\n", node->logical, node->generation);
	else
		print_header(printer, node);
	print_problems(problems);
}

bool dump_block_show(void *context, const struct node *node, const struct dump_problems *problems, struct error *err)
{
	struct dump_printer *printer = context;
	const bool is_selection = printer->crypt_only || printer->first || printer->last;
	bool announced = false;

	(void)err;
	printer->damaged |= problems->n > 0;
	if (!is_selection || problems->n > 0) {
		announce(printer, node, problems);
		announced = true;
	}
	if (!node_is_leaf(node)) {
		if (!is_selection)
			print_pointers(printer, node);
		return true;
	}
	if (printer->legacy)
		dump_legacy_choose(printer->legacy, printer->has_tree ? printer->tree : node->owner);
	for (uint32_t slot = 0; slot < node->n_items; slot++) {
		const struct salvaged_item item = node_salvage_item(node, slot);
		const struct key key = node_key(node, slot);

		if (!is_wanted(printer, &key, &item))
			continue;
		if (!announced)
			announce(printer, node, problems);
		announced = true;
		print_item(printer, node, slot, &item);
	}
	return true;
}

void dump_block_report(void *context, const struct report *report)
{
	struct dump_printer *printer = context;

	printer->damaged = true;
	print_title(printer);

	const struct row row = begin_line(printer, report->logical);

	row_u64(&row, NULL, "block ", report->logical);
	row_text(&row, NULL, " not shown\ninvalid: ", report->text);
	if (row.json) {
		struct json_object *invalid = json_array();

		json_append_text(invalid, report->text);
		json_member(row.json, "invalid", invalid);
	}
	row_end(&row);
}
