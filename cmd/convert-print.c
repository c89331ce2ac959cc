/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `convert` tells people and machines. */
#include "cmd/convert-print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/image.h"
#include "cmd/json.h"
#include "cmd/key-options.h"
#include "cmd/print.h"
#include "cmd/unfinished.h"
#include "cmd/value-text.h"
#include "common/util/hex.h"
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

static struct json_object *members_json(const struct convert_plan_member *at, size_t n)
{
	struct json_object *members = json_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *member = json_line();

		json_u64(member, "id", at[i].id);
		json_escaped_name(member, "path", shown_path(&at[i]));
		json_append(members, member);
	}
	return members;
}

/* Blocks that were left as they were found were neither sealed nor unsealed. */
static uint64_t data_bytes(const struct convert_plan *plan)
{
	const uint64_t skipped = plan->n_skipped * CRYPT_BLOCK;

	return skipped < plan->data_bytes ? plan->data_bytes - skipped : 0;
}

static void print_counts_json(struct json_object *line, const struct convert_plan *plan)
{
	json_member(line, "members", members_json(plan->member, plan->n_members));
	if (plan->n_plain)
		json_member(line, "not_sealed", members_json(plan->plain, plan->n_plain));
	json_u64(line, "extents", plan->n_extents);
	json_u64(line, "data_bytes", data_bytes(plan));
	json_u64(line, "inline_items", plan->n_inline_units);
	json_u64(line, "leaves", plan->n_leaves);
	json_u64(line, "tag_items", plan->n_unit_items);
	json_u64(line, "metadata_needed", plan->metadata_needed);
	json_u64(line, "metadata_available", plan->metadata_available);
	json_u64(line, "new_metadata_chunks", plan->n_new_chunks);
	json_u64(line, "new_metadata_bytes", plan->new_chunk_bytes);
	json_u64(line, "journal_bytes", plan->journal_bytes);
}

static void print_plan_json(FILE *out, const char *what, const struct convert_plan *plan, bool planned_only)
{
	struct json_object *line = json_line();

	json_text(line, "record", "summary");
	json_text(line, "result", what);
	if (plan->n_members)
		print_counts_json(line, plan);
	/* Known once everything is done. */
	if (!planned_only)
		json_u64(line, "unwiped_free_bytes", plan->unwiped_free_bytes);
	if (plan->undone_here)
		json_number(line, "undone_percent", plan->undone_percent);
	else if (plan->undone)
		json_flag(line, "undone_rest", true);
	if (plan->n_carried)
		json_u64(line, "carried_blocks", plan->n_carried);
	if (plan->n_chosen)
		json_u64(line, "chosen_blocks", plan->n_chosen);
	if (plan->n_skipped)
		json_u64(line, "skipped_blocks", plan->n_skipped);
	if (plan->key_tag[0])
		json_text(line, "encryption", plan->key_tag);
	if (!is_zero(plan->seal_fingerprint, sizeof(plan->seal_fingerprint)))
		json_hex(line, "seal_fingerprint", plan->seal_fingerprint, sizeof(plan->seal_fingerprint));
	json_print(line, out);
}

/* Only this much of what was undone had been done. Tree blocks count as well, so that the bytes are about right. */
static void print_undone_text(FILE *out, const char *what, const struct convert_plan *plan)
{
	char done[SIZE_WITH_BYTES], all[SIZE_WITH_BYTES];

	/* An abort that was interrupted: how much had been done at first was not recorded. */
	if (!plan->undone_here)
		fprintf(out, "%s: %zu subvolume%s; the abort had been interrupted, and this run undid the rest\n", what, plan->n_members,
			plural(plan->n_members));
	else
		fprintf(out, "%s: %zu subvolume%s, %u%% of which had been %s: about %s of %s of data\n", what, plan->n_members,
			plural(plan->n_members), plan->undone_percent, plan->undone == UNDONE_SEALING ? "sealed" : plan->undone == UNDONE_REKEYING ? "rekeyed" : "unsealed",
			size_with_bytes((uint64_t)((double)plan->data_bytes * plan->undone_percent / 100), done),
			size_with_bytes(plan->data_bytes, all));
}

static void print_counts_text(FILE *out, const char *what, const struct convert_plan *plan)
{
	char size[SIZE_WITH_BYTES];

	if (plan->undone)
		print_undone_text(out, what, plan);
	else
		fprintf(out, "%s: %zu subvolume%s, %" PRIu64 " extent%s, %s of data, %" PRIu64 " inline item%s\n", what, plan->n_members,
			plural(plan->n_members), plan->n_extents, plural(plan->n_extents), size_with_bytes(data_bytes(plan), size), plan->n_inline_units,
			plural(plan->n_inline_units));
	for (size_t i = 0; i < plan->n_members; i++)
		fprintf(out, "  %" PRIu64 " %s\n", plan->member[i].id, shown_path(&plan->member[i]));
}

#define PLAIN_SHOWN 10

/* Someone who seals a subvolume may think that subvolumes nested in it are sealed as well. */
static void print_plain_text(FILE *out, const struct convert_plan *plan)
{
	if (plan->n_plain == 0)
		return;
	fprintf(out, "not sealed: %zu nested subvolume%s (--recursive seals %s too)\n", plan->n_plain, plural(plan->n_plain),
			plan->n_plain == 1 ? "it" : "them");
	for (size_t i = 0; i < plan->n_plain && i < PLAIN_SHOWN; i++)
		fprintf(out, "  %" PRIu64 " %s\n", plan->plain[i].id, shown_path(&plan->plain[i]));
	if (plan->n_plain > PLAIN_SHOWN)
		fprintf(out, "  and %zu more\n", plan->n_plain - PLAIN_SHOWN);
}

static void print_plan_text(FILE *out, const char *what, const struct convert_plan *plan, bool planned_only)
{
	char size[SIZE_WITH_BYTES], there[SIZE_WITH_BYTES];

	if (plan->n_members)
		print_counts_text(out, what, plan);
	else
		fprintf(out, "%s\n", what);
	print_plain_text(out, plan);
	if (planned_only) {
		fprintf(out, "leaves to change: %" PRIu64 "\n", plan->n_leaves);
		if (plan->metadata_needed)
			fprintf(out, "metadata needed: %s, available: %s\n", size_with_bytes(plan->metadata_needed, size),
				size_with_bytes(plan->metadata_available, there));
		if (plan->journal_bytes)
			fprintf(out, "journal: %s of free space, given back at the end\n", size_with_bytes(plan->journal_bytes, size));
	}
	if (plan->n_new_chunks)
		fprintf(out, "new metadata chunk%s: %" PRIu64 ", %s\n", plural(plan->n_new_chunks), plan->n_new_chunks,
			size_with_bytes(plan->new_chunk_bytes, size));
	if (plan->n_carried)
		fprintf(out, "blocks that were bad before and stay so: %" PRIu64 "\n", plan->n_carried);
	if (plan->n_chosen)
		fprintf(out, "blocks whose copies %s, of which one %s: %" PRIu64 "\n", planned_only ? "differ" : "differed",
			planned_only ? "would be sealed" : "was sealed", plan->n_chosen);
	if (plan->n_skipped)
		fprintf(out, "damaged blocks left as they %s: %" PRIu64 "\n", planned_only ? "are" : "were", plan->n_skipped);
	if (plan->key_tag[0])
		fprintf(out, "Encryption: %s\n", plan->key_tag);
	if (!is_zero(plan->seal_fingerprint, sizeof(plan->seal_fingerprint))) {
		char text[2 * sizeof(plan->seal_fingerprint) + 1];

		hex_text(plan->seal_fingerprint, sizeof(plan->seal_fingerprint), text);
		fprintf(out, "seal fingerprint: %s\n", text);
	}
	/* After unsealing it says nothing that the files do not say. */
	if (plan->unwiped_free_bytes && plan->key_tag[0])
		fprintf(out, "free data space not wiped: %s, which may hold old plain text; --wipe-free overwrites it\n", size_with_bytes(plan->unwiped_free_bytes, size));
}

static void print_plan(FILE *out, const char *what, const struct convert_plan *plan, bool planned_only)
{
	if (format_is_json())
		print_plan_json(out, what, plan, planned_only);
	else
		print_plan_text(out, what, plan, planned_only);
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

void convert_print_status(const char *image, const struct convert_status *status)
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
		row_format(&row, "unfinished conversion%s", status->authenticated ? "" : " (not authenticated: no key was given)");
		unfinished_put_status(status, &row);
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

static void print_bad_block_json(const struct convert_bad_block *block, FILE *out)
{
	struct json_object *line = json_line();

	json_text(line, "record", block->is_lost ? "doubtful" : !block->is_carried ? "skipped" : block->differs ? "chosen" : "carried");
	if (block->path) {
		json_escaped_name(line, "path", block->path);
		json_file_part(line, block->subvolume, block->inode, block->unused, block->first, block->last);
	}
	json_u64(line, "logical", block->logical);
	json_flag(line, "has_checksum", block->has_csum);
	if (block->differs && block->is_carried)
		json_number(line, "mirror", block->mirror + 1);
	json_print(line, out);
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
	print_bad_block_json(block, stdout);
	if (!stdout_flush(&ignored))
		print_bad_block_json(block, stderr);
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
