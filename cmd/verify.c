/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify: authenticates everything that was sealed, and names the files that fail. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
#include "cmd/source.h"
#include "cmd/subvolume-row.h"
#include "cmd/verify-legacy.h"
#include "common/fs/subvolume-label.h"
#include "common/sealed/domain-names.h"
#include "common/sealed/domain-reader.h"
#include "common/util/hex.h"
#include "common/util/plural.h"

static struct {
	char *expect;
	int accept_changes, accept_unsealed, strict_names;
} opt;

static struct poptOption options_what[] = {
	{ "expect-seal", 0, POPT_ARG_STRING, &opt.expect, 0,
	  "fail unless this is the seal fingerprint that sealing printed; otherwise an older copy of the image was put back", "HEX" },
	{ "accept-changes", 0, POPT_ARG_NONE, &opt.accept_changes, 0, "names, sizes or modes changed since are noted, and not counted as failures", NULL },
	{ "accept-unsealed", 0, POPT_ARG_NONE, &opt.accept_unsealed, 0, "data written since are noted, and not counted as failures", NULL },
	{ "strict-names", 0, POPT_ARG_NONE, &opt.strict_names, 0, "fail also if a sealed subvolume was moved or renamed, or "
		"another one has its path", NULL },
	POPT_TABLEEND
};

static const struct poptOption options[] = {
	INCLUDE_AS(options_what, "What to check:"),
	INCLUDE_AS(options_progress, "Progress:"),
	INCLUDE_AS(options_key, "Key:"),
	INCLUDE(options_kdf),
	INCLUDE(options_header),
	INCLUDE_AS(options_image, "Image:"),
	INCLUDE_AS(options_format, "Output:"),
	POPT_TABLEEND
};

#define FINGERPRINT_SIZE sizeof(((struct verify_result *)0)->seal_fingerprint)

static void print_bad(void *context, const char *path, const char *what, const struct verify_range *range)
{
	progress_clear(context);

	const struct row row = row_begin("failure");

	row_escaped(&row, "path", "", path);
	row_text(&row, "bad", ": ", what);
	if (range) {
		row_file_part(&row, range->subvolume, range->inode, range->unused, range->first, range->last);
		row_u64(&row, "logical", NULL, range->logical);
		row_flag(&row, "carried", NULL, range->is_carried);
	}
	row_end(&row);
}

static void show_note(void *context, const char *text)
{
	progress_clear(context);
	print_note(NULL, text);
}

static void show_progress(void *context, uint64_t done, uint64_t total)
{
	progress_update(context, "verify", done, total);
}

static void print_result(const struct domain *domain, const struct verify_result *result, bool replaced)
{
	const bool passed = result->n_bad + result->n_accepted == 0 && !replaced;
	const struct row row = row_begin("summary");
	char tag[48];

	domain_tag_text(domain, tag);
	row_flag(&row, "passed", "verified", passed);
	if (!passed)
		row_words(&row, result->n_bad > 0 ? "failed" : replaced ? "not the expected seal" : "changed, as accepted");
	row_text(&row, "encryption", ": ", tag);
	row_hex(&row, "seal_fingerprint", NULL, result->seal_fingerprint, FINGERPRINT_SIZE);
	row_u64(&row, "subvolumes", NULL, result->n_subvolumes);
	row_u64(&row, "files", ": ", result->n_files);
	row_format(&row, " file%s", plural(result->n_files));
	if (result->n_subvolumes > 1)
		row_format(&row, " in %" PRIu64 " subvolumes of this sealing", result->n_subvolumes);
	row_u64(&row, "blocks", ", ", result->n_blocks);
	row_format(&row, " block%s", plural(result->n_blocks));
	row_u64(&row, "unsealed", ", ", result->n_unsealed);
	row_words(&row, " not sealed");
	row_u64(&row, "accepted", result->n_accepted > 0 ? ", " : NULL, result->n_accepted);
	row_words(&row, result->n_accepted > 0 ? " accepted" : "");
	row_u64(&row, "failures", ", ", result->n_bad);
	row_format(&row, " failure%s%s", plural(result->n_bad), replaced && result->n_bad > 0 ? ", and not the expected seal" : "");
	if (opt.expect)
		row_flag(&row, "seal_expected", NULL, !replaced);
	row_hex(&row, NULL, "\nseal fingerprint: ", result->seal_fingerprint, FINGERPRINT_SIZE);
	row_end(&row);
}

/* Failures that may only be changes made after sealing: people should know how to see the rest without them. */
static bool failed(const struct verify_result *result, struct error *err)
{
	const bool changed = result->changed && !opt.accept_changes;
	const bool unsealed = result->n_unsealed > 0 && !opt.accept_unsealed;

	error_set(err, ERROR_CORRUPT, "%" PRIu64 " failure%s", result->n_bad, plural(result->n_bad));
	if (changed)
		error_hint(err, "files were added, removed, renamed or edited since; --accept-changes%s notes that, and counts the rest",
			   unsealed ? " --accept-unsealed" : "");
	else if (unsealed)
		error_hint(err, "data were written since; --accept-unsealed notes that, and counts the rest");
	return false;
}

static void print_place(const struct place_finding *finding)
{
	struct json_object *line = json_line();

	json_place(line, "record", finding);
	json_print(line, stdout);
}

struct naming {
	const struct domain *domain;
	struct verify_result *result;
	struct progress *progress;
};

/* A warning or a failure, about the subvolumes that are verified and about what stands in their places. */
static bool tell_place(void *context, const struct place_finding *finding, const char *text, struct error *err)
{
	const struct naming *naming = context;
	const bool is_wrong = finding->doubt == PLACE_MOVED || finding->doubt == PLACE_TAKEN;
	char *name;

	if (finding->place->domain != naming->domain->number)
		return true;
	progress_clear(naming->progress);
	if (format_is_json())
		print_place(finding);
	if (!opt.strict_names || !is_wrong) {
		print_warning(NULL, text);
		return true;
	}
	name = subvolume_label_escaped(finding->subvolume, finding->subvolume->id);
	if (name)
		print_bad(naming->progress, name, text, NULL);
	naming->result->n_bad += name != NULL;
	free(name);
	return name || error_memory(err);
}

/* The directory above and the root tree do not agree on where a sealed subvolume is. What is inside others counts as a failure anyway. */
static void tell_lost(struct naming *naming, const struct lost_places *places)
{
	for (size_t i = 0; i < places->n; i++) {
		const struct lost_place *const lost = &places->at[i];

		if (lost->member || !domain_member(naming->domain, lost->id))
			continue;
		progress_clear(naming->progress);
		if (opt.strict_names)
			print_bad(naming->progress, lost->path, lost->text, NULL);
		else
			print_lost(lost);
		naming->result->n_bad += opt.strict_names;
	}
}

static bool check_tag(const struct domain *domain, const struct subvolume *subvolume, const char *tag, struct error *err)
{
	char *text;

	if (!domain_member_of(domain, subvolume) || domain_has_tag(domain, &subvolume->root))
		return true;
	text = seal_tag_text(subvolume, tag);
	if (text)
		print_warning(NULL, text);
	free(text);
	return text || error_memory(err);
}

/* Only this comparison authenticates where subvolumes are now, and what their root items say. */
static bool check_names(const struct domain *domain, const struct subvolume_list *list, struct verify_result *result,
			struct progress *progress, struct error *err)
{
	cleanup_member_places struct member_places places = { 0 };
	struct naming naming = { domain, result, progress };
	char tag[DOMAIN_TAG_TEXT_SIZE];

	domain_tag_text(domain, tag);
	if (!member_places_read(list, &places, err))
		return false;
	for (size_t i = 0; i < list->n; i++) {
		if (!member_places_tell(&places, &list->at[i], tell_place, &naming, err) || !check_tag(domain, &list->at[i], tag, err))
			return false;
	}
	tell_lost(&naming, &places.lost);
	return true;
}

static bool verify(struct domain *domain, const struct subvolume_list *list, const uint8_t *expect, struct error *err)
{
	struct progress progress;
	const struct domain_reader_options reading = {
		.accept_changes = opt.accept_changes,
		.accept_unsealed = opt.accept_unsealed,
		.note = show_note,
		.progress = show_progress,
		.context = &progress,
	};
	struct verify_result result = { 0 };
	bool ok;

	if (!progress_choose(&progress, err))
		return false;
	ok = domain_verify(domain, list, &reading, print_bad, &progress, &result, err);
	progress_clear(&progress);
	if (!ok || !check_names(domain, list, &result, &progress, err))
		return false;

	const bool replaced = expect && memcmp(expect, result.seal_fingerprint, FINGERPRINT_SIZE) != 0;

	print_result(domain, &result, replaced);
	if (result.n_bad > 0)
		return failed(&result, err);
	if (replaced) {
		error_set(err, ERROR_CORRUPT, "the seal fingerprint is not the expected one");
		return error_hint(err, "%s is authentic, but it is another sealing: perhaps an older copy of the image",
				  result.n_accepted > 0 ? "all but what was accepted" : "everything");
	}
	if (result.n_accepted > 0)
		return error_set(err, ERROR_CORRUPT, "%" PRIu64 " difference%s accepted: everything else is authentic", result.n_accepted,
				 result.n_accepted == 1 ? " was" : "s were");
	return true;
}

static bool verify_unsealed(const char *operand, struct volume *volume, const struct subvolume *subvolume, struct error *err)
{
	struct legacy legacy;

	if (!legacy_find(volume, subvolume, &legacy, err))
		return false;
	if (legacy.layout == LEGACY_NONE)
		return not_sealed(operand, err);
	if (opt.expect)
		return error_set(err, ERROR_USAGE, "--expect-seal: there is no seal in the format of 2016");
	return verify_legacy(&(struct legacy_named){ volume, subvolume, &legacy }, err);
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_volume struct volume *volume = NULL;
	cleanup_domain struct domain *domain = NULL;
	uint8_t expect[FINGERPRINT_SIZE];
	const struct subvolume *subvolume;

	if (opt.expect && !hex_read(opt.expect, expect, sizeof(expect)))
		return error_set(err, ERROR_USAGE, "--expect-seal takes %zu hexadecimal digits", 2 * sizeof(expect));
	if (!image_open(operand[0], TREES_REPLAYED, &volume, err) ||
	    !subvolume_list_read_over(volume, &list, err) ||
	    !subvolume_operand(&list, operand[1], &subvolume, err) ||
	    !domain_find(volume, &list, subvolume, &domain, err))
		return false;
	if (!domain)
		return verify_unsealed(operand[1], volume, subvolume, err);
	/* While it is being converted, there is no seal yet, or no seal any more. */
	return domain_key_open_sealed(domain, &list, subvolume, operand[0], err) && verify(domain, &list, opt.expect ? expect : NULL, err);
}

const struct command cmd_verify = {
	.name = "verify",
	.operands = "IMAGE SUBVOL",
	.summary = "authenticate everything that was sealed",
	.options = options,
	.run = run,
};
