/* SPDX-License-Identifier: GPL-2.0-or-later */
/* audit: looks for plain text of a sealed subvolume in the whole image, or shows what the format of 2016 gives away. */
#include <inttypes.h>
#include <stdlib.h>

#include "cmd/audit-legacy.h"
#include "cmd/command.h"
#include "cmd/header-option.h"
#include "cmd/image.h"
#include "cmd/image-options.h"
#include "cmd/key-options.h"
#include "cmd/key/domain-key.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "cmd/row.h"
#include "cmd/value-text.h"
#include "common/audit/search.h"
#include "common/crypto/secret.h"
#include "common/sealed/domain-reader.h"
#include "common/sealed/extent-part.h"
#include "common/util/plural.h"

static struct {
	char *output;
} opt;

static const struct poptOption options[] = {
	{ "output", 0, POPT_ARG_STRING, &opt.output, 0, "a directory for what can be read of a subvolume in the format of 2016", "OUT" },
	INCLUDE_AS(options_progress, "Progress:"),
	INCLUDE_AS(options_key, "Key:"),
	INCLUDE(options_header),
	INCLUDE_AS(options_image, "Image:"),
	INCLUDE_AS(options_format, "Output:"),
	POPT_TABLEEND
};

struct audit {
	const struct subvolume_list *list;
	const struct tree *tree;
	struct progress progress;
	struct audit_plan plan;
	bool in_file, in_free;		/* plain text was found there */
	char *holder;			/* the first file that has some; NULL: none */
};

static const struct {
	const char *name, *words;
} kinds[WHERE_KINDS] = {
	[WHERE_FILE] = { "file", "file " },
	[WHERE_UNUSED_PART] = { "unused-part", "part of an extent that no file shows, of " },
	[WHERE_TREE_ITEM] = { "tree-item", "item of a tree block in use" },
	[WHERE_TREE_GAP] = { "tree-gap", "gap in a tree block in use" },
	[WHERE_OLD_BLOCK] = { "old-tree-block", "old tree block" },
	[WHERE_FREE_DATA] = { "free-data", "free data space" },
	[WHERE_FREE_METADATA] = { "free-metadata", "free metadata space" },
	[WHERE_PARITY] = { "parity", "parity" },
	[WHERE_SUPERBLOCK] = { "superblock", "stripe of a superblock copy" },
	[WHERE_RESERVED] = { "reserved", "first MiB of the device" },
	[WHERE_NO_CHUNK] = { "no-chunk", "space that no chunk uses" },
	[WHERE_BEHIND] = { "behind-end", "behind the end of the filesystem" },
};

/* --- lines ------------------------------------------------------------------------------------------------------- */

static void print_plan(void *context, const struct audit_plan *plan)
{
	struct audit *audit = context;
	const struct row row = row_begin("plan");

	audit->plan = *plan;
	row_words(&row, "searching ");
	row_size(&row, "device_bytes", "", plan->device_bytes);
	row_u64(&row, "devices", " on ", plan->n_devices);
	row_format(&row, " device%s", plural(plan->n_devices));
	row_size(&row, "text_bytes", " for ", plan->text_bytes);
	row_words(&row, " of plain text");
	row_u64(&row, "searches", ", in ", plan->n_passes);
	row_format(&row, " pass%s", plan->n_passes == 1 ? "" : "es");
	row_end(&row);
	if (plan->n_missing > 0)
		printf_warning("%zu device%s of the filesystem missing, and not searched", plan->n_missing,
			       plan->n_missing == 1 ? " is" : "s are");
}

static char *holder_label(const struct audit *audit, const struct where *where)
{
	struct error ignored = { 0 };
	struct tree tree = { .id = where->root };
	const bool is_open = where->root != 0 && tree_open(audit->list->volume, where->root, &tree, &ignored);

	return file_label(audit->list, &tree, is_open ? where->inode : 0);
}

static void put_holder(struct audit *audit, const struct row *row, const struct where *where, struct error *err)
{
	char *const label = holder_label(audit, where);
	const struct row holder = row_object(row, "holder");

	if (!label) {
		error_memory(err);
		return;
	}
	row_escaped(&holder, "path", "", label);
	row_u64(&holder, "subvolume", NULL, where->root);
	row_u64(&holder, "inode", NULL, where->inode);
	if (where->kind == WHERE_FILE)
		row_u64(&holder, "offset", ", from byte ", where->offset);
	row_u64(&holder, "files", NULL, where->n_files);
	if (where->n_files > 1)
		row_format(&holder, " (and of %" PRIu64 " more)", where->n_files - 1);
	if (audit->holder)
		free(label);
	else
		audit->holder = label;
	audit->in_file = true;
}

static bool print_found(void *context, const struct audit_finding *finding, struct error *err)
{
	struct audit *audit = context;
	const struct text *const text = finding->text;
	const struct where *const where = &finding->where;
	const uint64_t first = (text->is_packed ? text->at : text->file_offset) + finding->text_at, last = first + finding->length - 1;
	char *const label = file_label(audit->list, audit->tree, text->inode);

	if (!label)
		return error_memory(err);
	progress_clear(&audit->progress);

	const struct row row = row_begin("plain-text");

	row_escaped(&row, "path", "", label);
	free(label);
	row_format(&row, ": %sbytes %" PRIu64 " to %" PRIu64, text->is_packed ? "compressed " : "", first, last);
	row_file_part(&row, audit->tree->id, text->inode, text->is_packed, first, last);
	row_text(&row, "place", NULL, kinds[where->kind].name);
	row_words(&row, ": ");
	row_words(&row, kinds[where->kind].words);
	if (where->kind == WHERE_FILE || where->kind == WHERE_UNUSED_PART) {
		put_holder(audit, &row, where, err);
	} else if (where->root != 0) {
		row_u64(&row, "tree", " of tree ", where->root);
		row_u64(&row, "generation", ", generation ", where->generation);
	}
	row_u64(&row, "devid", ", devid ", finding->device->devid);
	row_u64(&row, "physical", ", physical ", finding->physical);
	if (where->logical != 0)
		row_u64(&row, "logical", NULL, where->logical);
	row_end(&row);
	audit->in_free |= where_is_wiped(where->kind);
	return err->kind == ERROR_NONE;
}

static void print_unread(void *context, const struct text *text, const char *why)
{
	struct audit *audit = context;

	progress_clear(&audit->progress);
	printf_warning("inode %" PRIu64 ": not searched for: %s", text->inode, why);
}

static void show_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
	struct audit *audit = context;

	progress_update(&audit->progress, what, done, total);
}

static void print_summary(const struct audit *audit, const struct audit_result *result)
{
	const bool passed = result->n_findings == 0 && result->n_unread == 0 && audit->plan.n_missing == 0;
	const struct row row = row_begin("summary");

	row_flag(&row, "passed", NULL, passed);
	row_words(&row, passed ? "no plain text was found: " : result->n_findings > 0 ? "plain text was found: " : "not all could be searched: ");
	row_size(&row, "text_bytes", "", result->text_bytes);
	row_words(&row, " searched for");
	row_size(&row, "left_out_bytes", ", ", result->short_bytes);
	row_words(&row, " of it left out as too short or too uniform");
	row_u64(&row, "unread", result->n_unread > 0 ? ", " : NULL, result->n_unread);
	row_words(&row, result->n_unread > 0 ? " not readable" : "");
	row_u64(&row, "findings", ", found in ", result->n_findings);
	row_format(&row, " place%s", plural(result->n_findings));
	row_size(&row, "found_bytes", result->n_findings > 0 ? ", " : NULL, result->found_bytes);
	row_end(&row);
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

static bool found(const struct audit *audit, const struct audit_result *result, struct error *err)
{
	static const char wipe[] = "`btrfs-crypt key` and `btrfs-crypt convert --rekey` overwrite what is free with --wipe-free";

	error_set(err, ERROR_CORRUPT, "plain text was found in %" PRIu64 " place%s", result->n_findings, plural(result->n_findings));
	if (audit->in_file)
		return error_hint(err, "%.150s keeps some of it: seal or delete it%s%s", audit->holder, audit->in_free ? "; " : "",
				  audit->in_free ? wipe : "");
	return !audit->in_free ? false : error_hint(err, "%s", wipe);
}

static bool search(struct audit *audit, struct extent_source *source, struct error *err)
{
	const struct audit_listener listener = { print_plan, print_found, print_unread, show_progress, audit };
	struct texts *texts = calloc(1, sizeof(*texts));
	struct audit_result result;
	bool ok;

	if (!texts)
		return error_memory(err);
	texts->subvolume = audit->tree;
	texts->source = source;
	ok = audit_search(texts, audit_memory, &listener, &result, err);
	wiped_free(texts, sizeof(*texts));
	progress_clear(&audit->progress);
	if (!ok)
		return false;
	print_summary(audit, &result);
	if (result.n_findings > 0)
		return found(audit, &result, err);
	if (result.n_unread > 0)
		return error_set(err, ERROR_CORRUPT, "%" PRIu64 " part%s of files could not be read, and nothing is known of them", result.n_unread,
				 plural(result.n_unread));
	return audit->plan.n_missing == 0 || error_set(err, ERROR_NOT_FOUND, "a device is missing: not everything was searched");
}

static bool audit_sealed(struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume, struct error *err)
{
	const struct domain_reader_options reading = { .accept_changes = true };
	struct audit audit = { .list = list };
	struct domain_reader *reader = NULL;
	struct extent_source *source;
	struct error why = { 0 };
	struct tree tree;
	bool unread, ok;

	audit.tree = &tree;
	if (!progress_choose(&audit.progress, err) || !tree_open(list->volume, subvolume->id, &tree, err) ||
	    !domain_reader_open(domain, list, subvolume, &reading, &reader, &source, err))
		return false;
	ok = domain_reader_check_whole(reader, &why, &unread, err);
	if (ok && why.kind != ERROR_NONE)
		printf_note("%s; what is not as it was sealed is not searched for", why.text);
	ok = ok && search(&audit, source, err);
	domain_reader_close(reader);
	free(audit.holder);
	return ok;
}

static bool audit_unsealed(const char *operand, const struct subvolume_list *list, const struct subvolume *subvolume, struct error *err)
{
	struct legacy legacy;

	if (!legacy_find(list->volume, subvolume, &legacy, err))
		return false;
	return legacy.layout == LEGACY_NONE ? not_sealed(operand, err) : audit_legacy(list, subvolume, &legacy, opt.output, err);
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_volume struct volume *volume = NULL;
	cleanup_domain struct domain *domain = NULL;
	const struct subvolume *subvolume;

	if (!image_open(operand[0], TREES_REPLAYED, &volume, err) ||
	    !subvolume_list_read_over(volume, &list, err) ||
	    !subvolume_operand(&list, operand[1], &subvolume, err) ||
	    !domain_find(volume, &list, subvolume, &domain, err))
		return false;
	if (!domain)
		return audit_unsealed(operand[1], &list, subvolume, err);
	if (opt.output)
		return error_set(err, ERROR_USAGE, "--output goes with a subvolume in the format of 2016");
	/* While it is being converted, much of it is still, or already, plain text. */
	return domain_key_open_sealed(domain, &list, subvolume, operand[0], err) &&
	       audit_sealed(domain, &list, subvolume, err);
}

const struct command cmd_audit = {
	.name = "audit",
	.operands = "IMAGE SUBVOL",
	.summary = "look for plain text of a sealed subvolume in the whole image",
	.options = options,
	.run = run,
};
