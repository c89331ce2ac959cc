/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `convert` tells people and machines. */
#include "cmd/convert-print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/image.h"
#include "cmd/key-options.h"
#include "cmd/print.h"
#include "cmd/unfinished.h"
#include "cmd/value-text.h"
#include "common/util/plural.h"
#include "format/crypt.h"

static bool is_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

static const char *shown_path(const struct convert_plan_member *member)
{
	return member->path && member->path[0] ? member->path : "/";
}

/* In text a line for each of the first n_shown. */
static void put_subvolumes(const struct row *row, const char *name, const struct convert_plan_member *at, size_t n, size_t n_shown)
{
	const struct row subvolumes = row_array(row, name);

	for (size_t i = 0; i < n; i++) {
		const struct row one = row_element(&subvolumes);
		const bool is_shown = i < n_shown;

		row_u64(&one, "id", is_shown ? "\n  " : NULL, at[i].id);
		row_escaped(&one, "path", is_shown ? " " : NULL, shown_path(&at[i]));
	}
}

/* Blocks that were left as they were found were neither sealed nor unsealed. */
static uint64_t data_bytes(const struct convert_plan *plan)
{
	const uint64_t skipped = plan->n_skipped * CRYPT_BLOCK;

	return skipped < plan->data_bytes ? plan->data_bytes - skipped : 0;
}

/* Only this much of what was undone had been done. Tree blocks count as well, so that the bytes are about right. */
static void put_undone(const struct row *row, const struct convert_plan *plan)
{
	char done[SIZE_WITH_BYTES], all[SIZE_WITH_BYTES];

	/* An abort that was interrupted: how much had been done at first was not recorded. */
	if (!plan->undone_here)
		row_words(row, "; the abort had been interrupted, and this run undid the rest");
	else
		row_format(row, ", %u%% of which had been %s: about %s of %s of data", plan->undone_percent,
			   plan->undone == UNDONE_SEALING ? "sealed" : plan->undone == UNDONE_REKEYING ? "rekeyed" :
			   plan->undone == UNDONE_DECRYPTION ? "decrypted" : "unsealed",
			   size_with_bytes((uint64_t)((double)plan->data_bytes * plan->undone_percent / 100), done),
			   size_with_bytes(plan->data_bytes, all));
}

#define PLAIN_SHOWN 10

/* Someone who seals a subvolume may think that subvolumes nested in it are sealed as well. */
static void put_plain(const struct row *row, const struct convert_plan *plan)
{
	if (plan->n_plain == 0)
		return;
	row_format(row, "\nnot sealed: %zu nested subvolume%s (--recursive seals %s too)", plan->n_plain, plural(plan->n_plain),
		   plan->n_plain == 1 ? "it" : "them");
	put_subvolumes(row, "not_sealed", plan->plain, plan->n_plain, PLAIN_SHOWN);
	if (plan->n_plain > PLAIN_SHOWN)
		row_format(row, "\n  and %zu more", plan->n_plain - PLAIN_SHOWN);
}

static void put_size(const struct row *row, const char *name, const char *before, uint64_t bytes)
{
	char size[SIZE_WITH_BYTES];

	row_u64(row, name, NULL, bytes);
	row_text(row, NULL, before, size_with_bytes(bytes, size));
}

/* Who has the same data and keeps them as they are. */
static void put_copies(const struct row *row, const struct convert_plan *plan, bool planned_only)
{
	const struct row keepers = row_array(row, "keep_plain");

	if (plan->n_keepers == 0)
		return;
	for (size_t i = 0; i < plan->n_keepers; i++) {
		const struct convert_plan_member shown = { plan->keeper[i].id, plan->keeper[i].path };
		const struct row one = row_element(&keepers);

		row_u64(&one, "id", "\nkeeps plain text: ", shown.id);
		row_escaped(&one, "path", " ", shown_path(&shown));
		put_size(&one, "shared_bytes", ", ", plan->keeper[i].bytes);
		row_words(&one, " of the same data");
	}
	put_size(row, "copied_bytes", planned_only ? "\nto be copied first: " : "\ncopied first: ", plan->copied_bytes);
	row_u64(row, "copied_tree_blocks", " of data, tree blocks: ", plan->n_copied_blocks);
}

static void put_counts(const struct row *row, const struct convert_plan *plan, bool planned_only)
{
	const bool needs_metadata = planned_only && plan->metadata_needed, needs_journal = planned_only && plan->journal_bytes;
	char size[SIZE_WITH_BYTES];

	row_format(row, ": %zu subvolume%s", plan->n_members, plural(plan->n_members));
	if (plan->undone)
		put_undone(row, plan);
	else
		row_format(row, ", %" PRIu64 " extent%s, %s of data, %" PRIu64 " inline item%s", plan->n_extents, plural(plan->n_extents),
			   size_with_bytes(data_bytes(plan), size), plan->n_inline_units, plural(plan->n_inline_units));
	put_subvolumes(row, "members", plan->member, plan->n_members, SIZE_MAX);
	put_plain(row, plan);
	put_copies(row, plan, planned_only);
	row_u64(row, "extents", NULL, plan->n_extents);
	row_u64(row, "data_bytes", NULL, data_bytes(plan));
	row_u64(row, "inline_items", NULL, plan->n_inline_units);
	row_u64(row, "leaves", planned_only ? "\nleaves to change: " : NULL, plan->n_leaves);
	row_u64(row, "tag_items", NULL, plan->n_unit_items);
	put_size(row, "metadata_needed", needs_metadata ? "\nmetadata needed: " : NULL, plan->metadata_needed);
	put_size(row, "metadata_available", needs_metadata ? ", available: " : NULL, plan->metadata_available);
	row_u64(row, "new_metadata_chunks", NULL, plan->n_new_chunks);
	row_u64(row, "new_metadata_bytes", NULL, plan->new_chunk_bytes);
	put_size(row, "journal_bytes", needs_journal ? "\njournal: " : NULL, plan->journal_bytes);
	row_words(row, needs_journal ? " of free space, given back at the end" : "");
	if (planned_only && plan->growth_bytes)
		put_size(row, "image_growth", "\nthe image grows where it has holes, by up to: ", plan->growth_bytes);
	if (plan->n_new_chunks)
		row_format(row, "\nnew %schunk%s: %" PRIu64 ", %s", plan->data_missing ? "" : "metadata ", plural(plan->n_new_chunks), plan->n_new_chunks,
			   size_with_bytes(plan->new_chunk_bytes, size));
}

static void put_damage(const struct row *row, const struct convert_plan *plan, bool planned_only)
{
	if (plan->n_carried)
		row_u64(row, "carried_blocks", "\nblocks that were bad before and stay so: ", plan->n_carried);
	if (plan->n_chosen)
		row_u64(row, "chosen_blocks", planned_only ? "\nblocks whose copies differ, of which one would be sealed: "
							   : "\nblocks whose copies differed, of which one was sealed: ", plan->n_chosen);
	if (plan->n_skipped)
		row_u64(row, "skipped_blocks", planned_only ? "\ndamaged blocks left as they are: " : "\ndamaged blocks left as they were: ",
			plan->n_skipped);
}

static void put_purged(const struct row *row, const struct convert_plan *plan, bool planned_only)
{
	char size[SIZE_WITH_BYTES];

	row_uuid(row, "domain_uuid", ": sealing ", plan->purged_uuid);
	/* Of what was interrupted they are not counted. */
	if (plan->n_purged_items == 0)
		return;
	row_format(row, ", %" PRIu64 " item%s, %s", plan->n_purged_items, plural(plan->n_purged_items), size_with_bytes(plan->purged_bytes, size));
	row_u64(row, "items", NULL, plan->n_purged_items);
	row_u64(row, "item_bytes", NULL, plan->purged_bytes);
	if (planned_only)
		put_size(row, "journal_bytes", "\njournal: ", plan->journal_bytes);
}

static void print_plan(FILE *out, const char *what, const struct convert_plan *plan, bool planned_only)
{
	struct row row = row_begin("summary");
	char size[SIZE_WITH_BYTES];

	row.out = out;
	row_text(&row, "result", "", what);
	if (plan->is_done) {
		row_flag(&row, "nothing_to_do", NULL, true);
		put_subvolumes(&row, "members", plan->member, plan->n_members, SIZE_MAX);
		row_end(&row);
		return;
	}
	if (plan->purged)
		put_purged(&row, plan, planned_only);
	if (plan->n_members)
		put_counts(&row, plan, planned_only);
	if (!planned_only || plan->unwiped_free_bytes)
		row_u64(&row, "unwiped_free_bytes", NULL, plan->unwiped_free_bytes);
	if (plan->undone_here)
		row_number(&row, "undone_percent", NULL, plan->undone_percent);
	else if (plan->undone)
		row_flag(&row, "undone_rest", NULL, true);
	put_damage(&row, plan, planned_only);
	if (plan->key_tag[0])
		row_text(&row, "encryption", "\nEncryption: ", plan->key_tag);
	if (!is_zero(plan->seal_fingerprint, sizeof(plan->seal_fingerprint)))
		row_hex(&row, "seal_fingerprint", "\nseal fingerprint: ", plan->seal_fingerprint, sizeof(plan->seal_fingerprint));
	if (image_old_copies()[0] && (planned_only || plan->key_tag[0]))
		row_text(&row, "old_copies", planned_only ? "\nthe virtual disk will keep older copies of what is overwritten: "
							  : "\nthe virtual disk keeps older copies of what was overwritten: ", image_old_copies());
	/* After unsealing it says nothing that the files do not say. */
	if (plan->unwiped_free_bytes && planned_only)
		row_format(&row, "\nfree data space: %s, which may keep old plain text; --wipe-free overwrites it",
			   size_with_bytes(plan->unwiped_free_bytes, size));
	if (plan->unwiped_free_bytes && plan->key_tag[0])
		row_format(&row, "\nfree data space not wiped: %s, which may hold old plain text; --wipe-free overwrites it",
			   size_with_bytes(plan->unwiped_free_bytes, size));
	row_end(&row);
}

/* Nobody can ask again for the result and the seal fingerprint in it. */
void convert_print_plan(const char *what, const struct convert_plan *plan, bool planned_only)
{
	struct error ignored;	/* the end of main() tells */

	print_plan(stdout, what, plan, planned_only);
	if (!stdout_flush(&ignored))
		print_plan(stderr, what, plan, planned_only);
}

/* How a command that needs the key is told it: as this one was or, if this one was not, what must be filled in. */
static const char *key_words(const struct convert_status *status, const char *given)
{
	if (given && given[0])
		return given;
	if (key_options_given())	/* it cannot be read again */
		return "";
	return status->by_key_file ? "--key-file FILE " : status->by_volume_key ? "--volume-key-file FILE " : "";
}

static void print_commands(const struct convert_status *status, const char *image)
{
	const struct unfinished_words words = unfinished_words(&status->state);
	char *const given = key_options_words();
	const char *const key = key_words(status, given);

	printf("\nto finish:  btrfs-crypt convert %s%s %s%s", words.resume, status->carries ? " --on-error=continue" : "", key, image);
	if (words.can_undo)
		printf("\nto undo:    btrfs-crypt convert --abort %s%s", key, image);
	free(given);
}

void convert_print_status(const char *image, const struct convert_status *status, const struct convert_plan *members)
{
	const struct row row = row_begin("status");
	char *const word = image_word(image);
	const char *const name = word ? word : "IMAGE";

	row_flag(&row, "unfinished", NULL, status->unfinished);
	row_flag(&row, "damaged_primary", NULL, status->damaged_primary);
	if (status->damaged_primary)
		row_format(&row, "`btrfs-crypt convert --resume %s` writes copy 0 of the superblock again from another copy\n", name);
	else if (!status->unfinished)
		row_words(&row, "no unfinished conversion\n");
	if (status->unfinished && status->state.operation != 0) {
		row_flag(&row, "authenticated", NULL, status->authenticated);
		row_format(&row, "unfinished conversion%s", status->authenticated || status->state.operation == CRYPT_OP_PURGE ? "" : " (not authenticated: no key was given)");
		unfinished_put_status(status, &row);
		if (members->n_members > 0) {
			row_words(&row, "\nsubvolumes:");
			put_subvolumes(&row, "members", members->member, members->n_members, SIZE_MAX);
		}
		if (!row.json && !status->running)
			print_commands(status, name);
		row_words(&row, "\n");
	}
	row_print(&row);
	free(word);
}

/* Tells what is wrong with copies that differ. */
static const char *differing_text(const struct convert_bad_block *block)
{
	if (block->is_lost)
		return "have no checksum, and the copies differ: nothing tells which one is right";
	if (!block->is_carried)
		return "have no checksum, and the copies differ: left as they were found";
	return block->mirror == 0 ? "have no checksum, and the copies differ: mirror 1 is sealed"
				  : "have no checksum, and the copies differ: mirror 2 is sealed";
}

static void bad_block_text(const struct convert_bad_block *block, char *text, size_t size)
{
	const char *how = block->differs ? differing_text(block) :
			  block->is_lost ? "are lost or in doubt: they match neither a tag nor an earlier checksum" :
			  block->is_carried ? "did not match their checksum before, and do not now" :
			  block->has_csum ? "are damaged: left as they were found" :
			  "are damaged: left as they were found; they have no checksum, so nothing will show the damage later";

	if (block->path)
		snprintf(text, size, "%.300s: bytes %" PRIu64 " to %" PRIu64 "%s %s%s", block->path, block->first, block->last,
			 block->unused ? " of an extent" : "", how, block->also ? block->also : "");
	else
		snprintf(text, size, "the data at %" PRIu64 " %s", block->logical, how);
}

static void print_bad_block(const struct convert_bad_block *block, FILE *out)
{
	struct row row = row_begin(block->is_lost ? "doubtful" : !block->is_carried ? "skipped" : block->differs ? "chosen" : "carried");

	row.out = out;
	if (block->path) {
		row_escaped(&row, "path", NULL, block->path);
		row_file_part(&row, block->subvolume, block->inode, block->unused, block->first, block->last);
	}
	row_u64(&row, "logical", NULL, block->logical);
	row_flag(&row, "has_checksum", NULL, block->has_csum);
	if (block->differs && block->is_carried)
		row_number(&row, "mirror", NULL, block->mirror + 1);
	row_print(&row);
}

void convert_print_bad_block(const struct convert_bad_block *block)
{
	struct error ignored;
	char text[1024];

	if (!format_is_json()) {
		bad_block_text(block, text, sizeof(text));
		print_note(NULL, text);
		return;
	}
	print_bad_block(block, stdout);
	if (!stdout_flush(&ignored))
		print_bad_block(block, stderr);
}

void convert_print_progress(struct progress *progress, const struct convert_progress *at)
{
	static const char *const names[] = {
		[CRYPT_PHASE_STRUCTURE] = "structure",
		[CRYPT_PHASE_DATA] = "data",
		[CRYPT_PHASE_LEAVES] = "leaves",
		[CRYPT_PHASE_INDEX] = "index",
		[CRYPT_PHASE_FINISH] = "finish",
		[CRYPT_PHASE_FINISHED] = "finish",
	};
	const unsigned phase = at->phase;

	progress_update(progress, phase < sizeof(names) / sizeof(names[0]) && names[phase] ? names[phase] : "prepare", at->done,
			at->total);
}
