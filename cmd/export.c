/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt export: subvolumes and parts of them as an archive or a directory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/export-places.h"
#include "cmd/export-proof.h"
#include "cmd/export-report.h"
#include "cmd/export-shape.h"
#include "cmd/image.h"
#include "cmd/image-options.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "cmd/source.h"
#include "common/fs/walk.h"
#include "common/util/escape.h"
#include "common/util/set64.h"

static struct {
	char *output, *archive, *compress, *manifest, *report;
	int recursive, snapshots, ciphertext, quiet;
} opt;

static const struct poptOption options[] = {
	{ "output", 'o', POPT_ARG_STRING, &opt.output, 0, "the archive or directory to make; - is standard output", "OUT" },
	{ "archive", 0, POPT_ARG_STRING, &opt.archive, 0, "what to make (default: what the name of OUT says, or tar)", "tar|zip|cpio|mtree|dir" },
	{ "compress", 0, POPT_ARG_STRING, &opt.compress, 0, "compress the archive", "zstd|gzip|xz" },
	{ "recursive", 'R', POPT_ARG_NONE, &opt.recursive, 0, "export what is in nested subvolumes too", NULL },
	{ "snapshots", 0, POPT_ARG_NONE, &opt.snapshots, 0,
	  "export also all snapshots of each SUBVOL, and the subvolume that it is a snapshot of", NULL },
	{ "ciphertext", 0, POPT_ARG_NONE, &opt.ciphertext, 0, "give out sealed data without the key, as they are on the disk", NULL },
	{ "manifest", 0, POPT_ARG_STRING, &opt.manifest, 0, "write the SHA-256 of every file and of the image to FILE", "FILE" },
	{ "report", 0, POPT_ARG_STRING, &opt.report, 0, "write every finding and the summary to FILE, as JSON", "FILE" },
	{ "quiet", 'q', POPT_ARG_NONE, &opt.quiet, 0, "no summary at the end", NULL },
	INCLUDE(options_progress), INCLUDE(options_source), INCLUDE(options_image), INCLUDE(options_format),
	POPT_TABLEEND
};

struct run {
	struct volume *volume;
	struct subvolume_list list;
	struct export_places places;
	const struct export_place *place;	/* which is being exported */
	struct export_sources sources;
	struct export_report report;
	struct export_summary summary;
	struct set64 lost_met;	/* ids of nested subvolumes whose empty places were told of */
	bool is_started;	/* something may have been created */
	bool had_top;		/* the directory in which a subvolume without a parent is told of */
};

/* --- what the export calls -------------------------------------------------------------------------------------------------- */

static bool on_source(void *context, uint64_t subvolume, struct extent_source **source, struct error *err)
{
	struct run *run = context;

	return export_sources_get(&run->sources, subvolume, OPEN_IF_KEY_FITS, source, err);
}

static void tell_unlisted(struct run *run, const struct lost_place *lost)
{
	char *const path = escape_undo(lost->path);
	const struct report report = { .kind = REPORT_FAILED, .path = (const uint8_t *)path, .path_len = path ? strlen(path) : 0, .text = lost->text };

	run->summary.n_failed++;
	report_to(&run->volume->reporter, &report);
	free(path);
}

/* Those nested in a directory that does not list them, so that the walk does not meet them. */
static void find_unlisted(struct run *run, const struct walk_entry *entry)
{
	const struct lost_places *const places = &run->sources.places.lost;
	const struct lost_place *lost = NULL;

	while ((lost = lost_places_unlisted(places, entry->tree->id, entry->number, lost))) {
		if (!lost->has_no_parent)
			tell_unlisted(run, lost);
		run->had_top |= lost->has_no_parent;
	}
}

/* What may have been anywhere, and whose place was nowhere: where there is one, it counted there. */
static void find_without_place(struct run *run)
{
	const struct lost_places *const places = &run->sources.places.lost;

	for (size_t i = 0; run->had_top && i < places->n; i++) {
		if (places->at[i].has_no_parent && places->at[i].unlisted_in && !set64_has(&run->lost_met, places->at[i].id))
			tell_unlisted(run, &places->at[i]);
	}
}

static bool on_proof(void *context, const struct walk_entry *entry, struct export_proven *proven, struct error *err)
{
	struct run *run = context;

	export_places_meet(&run->places, run->place->prefix, entry);
	if (!entry->is_stub)
		find_unlisted(run, entry);
	proven->differs |= entry->directory == 0 && run->place->name_differs ? EXPORT_NAME_DIFFERS : 0;
	return export_sources_prove(&run->sources, entry, proven, err) &&
	       (!entry->is_stub || !proven->lost || set64_add(&run->lost_met, entry->stub_of, NULL, err));
}

static bool on_subvolume(void *context, uint64_t subvolume)
{
	struct run *run = context;

	return export_places_enters(&run->places, subvolume);
}

static bool on_closed_link(void *context, const struct walk_entry *entry, bool *sealed, struct error *err)
{
	struct run *run = context;

	return export_sources_has_sealed_target(&run->sources, entry, sealed, err);
}

static void on_progress(void *context, const struct export_summary *so_far)
{
	struct run *run = context;
	const uint64_t total = run->report.progress_total;

	/* What is compressed or shared on disk comes out larger, so the end is reported only once it is reached. */
	progress_update(&run->report.progress, "export", so_far->bytes < total ? so_far->bytes : total - 1, total);
}

static bool on_hash(void *context, const char *path, const uint8_t hash[HASH_SIZE], unsigned marks, struct error *err)
{
	struct run *run = context;

	return export_report_hash(&run->report, path, hash, marks, err);
}

static bool on_place(void *context, const struct place_finding *finding, const char *text, struct error *err)
{
	struct run *run = context;

	(void)err;
	export_report_place(&run->report, finding, text);
	return true;
}

/* --- the run -------------------------------------------------------------------------------------------------------------------- */

/* They might be snapshots that were asked for. */
static void find_lost_snapshots(struct run *run)
{
	char path[40];
	struct report report = { .kind = REPORT_FAILED, .path = (const uint8_t *)path };

	for (size_t i = 0; opt.snapshots && i < run->list.n_lost; i++) {
		const struct subvolume_lost *lost = &run->list.lost[i];

		if (lost->is_path)
			continue;
		report.path_len = (size_t)snprintf(path, sizeof(path), "subvolume-%" PRIu64, lost->id);
		report.text = lost->what;
		run->summary.n_failed++;
		report_to(&run->volume->reporter, &report);
	}
}

static bool write_out(struct run *run, struct out *out, struct error *err)
{
	const struct export_options export = {
		.recursive = opt.recursive,
		.enters = on_subvolume,
		.raw = opt.ciphertext,
		.accept_unsealed = source_accepts_unsealed(),
		.source = on_source,
		.proof = on_proof,
		.accepts_unproven = source_accepts_changes(),
		.link_is_sealed = on_closed_link,
		.progress = run->report.progress.mode == PROGRESS_NONE ? NULL : on_progress,
		.hashed = opt.manifest ? on_hash : NULL,
		.context = run,
	};
	struct export_job *job = NULL;
	bool ok = export_begin(run->volume, out, &export, &run->summary, &job, err);

	find_lost_snapshots(run);
	for (size_t i = 0; ok && i < run->places.n; i++) {
		run->place = &run->places.at[i];
		if (!run->place->is_within)
			ok = export_tree(job, &run->place->start, run->place->prefix, err);
	}
	while (ok && (run->place = export_places_next_unmet(&run->places)))
		ok = export_tree(job, &run->place->start, run->place->prefix, err);
	if (ok)
		find_without_place(run);
	ok = ok && out->ops->finish(out, err);
	if (ok)
		progress_update(&run->report.progress, "export", run->report.progress_total, run->report.progress_total);
	export_end(job);
	return ok;
}

/* Finds everything that must be found before anything is created. */
static bool find_places(struct run *run, const char *const *operand, struct error *err)
{
	const struct subvolume *only = NULL;
	const char *path;

	if (!image_open(operand[0], TREES_REPLAYED, &run->volume, err) || !subvolumes_read(run->volume, &run->list, err) ||
	    (!operand[2] && !place_operand(&run->list, operand[1], &only, &path, err)) ||
	    !export_sources_init(&run->sources, &run->list, only, err))
		return false;
	run->sources.place = on_place;
	run->sources.context = run;
	if (!export_places_take(&run->list, &run->sources, operand + 1, opt.snapshots, opt.recursive, &run->places, err) ||
	    (!opt.recursive && !export_sources_check_key(&run->sources, err)) ||
	    !export_sources_end_key(&run->sources, opt.recursive, err))
		return false;
	run->report.progress_total = run->volume->super.bytes_used > 0 ? run->volume->super.bytes_used : 1;
	return true;
}

static bool export(struct run *run, const struct export_shape *shape, struct error *err)
{
	struct out *out = NULL;
	bool ok;

	if (!(shape->is_directory ? dir_out_open(opt.output, &out, err)
				  : archive_out_open(opt.output, shape->format, shape->compression, &out, err)))
		return false;
	run->is_started = true;
	ok = write_out(run, out, err);
	progress_clear(&run->report.progress);
	out->ops->close(out);
	return ok;
}

static void free_run(struct run *run)
{
	export_places_free(&run->places);
	set64_free(&run->lost_met);
	export_report_free(&run->report);
	export_sources_free(&run->sources);
	subvolume_list_free(&run->list);
	volume_close(run->volume);
}

static bool run_export(const char *const *operand, struct error *err)
{
	struct run run = { .report = EXPORT_REPORT_NONE("exported", &run.summary) };
	const struct export_shape_options wanted = { .output = opt.output, .archive = opt.archive, .compress = opt.compress };
	struct export_shape shape = { 0 };

	run.report.is_raw = opt.ciphertext;
	pipe_watch();	/* a report is finished first */

	bool ok = output_names_check(opt.output, opt.report, opt.manifest, operand[0], err) &&
		  export_report_open(&run.report, opt.report, opt.manifest, err);

	if (ok) {
		ok = export_shape_choose(&wanted, &shape, err) && progress_choose(&run.report.progress, err) && find_places(&run, operand, err) &&
		     export(&run, &shape, err);
		ok = export_report_end(&run.report, operand[0], run.volume, operand[0], ok,
				       opt.quiet || !export_report_counts(ok, run.is_started, err), err);
	}

	free_run(&run);
	return ok;
}

const struct command cmd_export = {
	.name = "export",
	.operands = "IMAGE SUBVOL[:PATH]...",
	.summary = "export subvolumes, or parts of them, as an archive or a directory",
	.options = options,
	.run = run_export,
};
