/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt cat: the bytes of one file, or a part of them, decrypted if its subvolume is sealed and a key is given. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/command.h"
#include "cmd/export-proof.h"
#include "cmd/export-report.h"
#include "cmd/export-shape.h"
#include "cmd/export-sources.h"
#include "cmd/image.h"
#include "cmd/image-options.h"
#include "cmd/key-options.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "cmd/source-path.h"
#include "cmd/source.h"
#include "common/fs/walk.h"
#include "common/util/escape.h"

static struct {
	char *offset, *length;	/* numbers, as given */
	char *report;
	int ciphertext, quiet;
} opt;

static const struct poptOption options[] = {
	{ "offset", 0, POPT_ARG_STRING, &opt.offset, 0, "begin at this byte of the file", "BYTES" },
	{ "length", 0, POPT_ARG_STRING, &opt.length, 0, "print at most this many bytes", "BYTES" },
	{ "ciphertext", 0, POPT_ARG_NONE, &opt.ciphertext, 0, "give out sealed data without the key, as they are on the disk", NULL },
	{ "report", 0, POPT_ARG_STRING, &opt.report, 0, "write every finding and the summary to FILE, as JSON", "FILE" },
	{ "quiet", 'q', POPT_ARG_NONE, &opt.quiet, 0, "no summary at the end", NULL },
	INCLUDE(options_source), INCLUDE(options_image), INCLUDE(options_format),
	POPT_TABLEEND
};

struct run {
	struct volume *volume;
	struct subvolume_list list;
	struct export_sources sources;
	struct file_id file;
	uint64_t subvolume;		/* in which the path begins */
	bool name_differs;		/* from what was sealed; it was accepted */
	char *path;			/* as it is in the image */
	char name[256];			/* for people */
	uint64_t first, end;		/* what is wanted of the file */
	struct export_report report;
	struct export_summary summary;
	bool is_started;
};

/* --- what is to be printed ------------------------------------------------------------------------------------------ */

static bool choose_range(struct run *run, struct error *err)
{
	uint64_t length = INT64_MAX;

	if (!option_bytes("--offset", opt.offset, 0, INT64_MAX, &run->first, err) ||
	    !option_bytes("--length", opt.length, 1, INT64_MAX, &length, err))
		return false;
	run->end = length > INT64_MAX - run->first ? INT64_MAX : run->first + length;
	return true;
}

static bool is_directory(struct error *err)
{
	error_set(err, ERROR_USAGE, "is a directory");
	return error_hint(err, "btrfs-crypt ls lists it");
}

static bool check_file(struct run *run, struct error *err)
{
	struct inode inode;
	struct tree tree;

	if (run->file.inode == EMPTY_SUBVOLUME_INODE)
		return is_directory(err);
	if (!tree_open(run->volume, run->file.subvolume, &tree, err) || !inode_get(&tree, run->file.inode, &inode, err))
		return false;
	if (S_ISLNK(inode.mode)) {
		error_set(err, ERROR_USAGE, "is a symbolic link, which is not followed");
		return error_hint(err, "btrfs-crypt ls -l shows where it leads");
	}
	if (S_ISDIR(inode.mode))
		return is_directory(err);
	if (!S_ISREG(inode.mode))
		return error_set(err, ERROR_USAGE, "is not a regular file");
	return inode.size <= INT64_MAX || error_set(err, ERROR_CORRUPT, "inode %" PRIu64 ": size is %" PRIu64 ", at most %" PRId64 " is possible",
						    run->file.inode, inode.size, INT64_MAX);
}

static bool on_place(void *context, const struct place_finding *finding, const char *text, struct error *err)
{
	struct run *run = context;

	(void)err;
	export_report_place(&run->report, finding, text);
	return true;
}

/* A key for something that is not sealed is a mistake. A wrong key is noticed before anything is printed. */
static bool open_source(struct run *run, struct error *err)
{
	struct extent_source *source;

	run->sources.place = on_place;
	run->sources.context = run;
	if (!export_sources_get(&run->sources, run->file.subvolume, MUST_OPEN, &source, err))
		return false;
	if (!export_sources_end_key(&run->sources, false, err))
		return false;
	if (source == &plain_source && key_options_given())
		return source_refuse_key(&run->list, run->file.subvolume, err);
	return export_sources_prove_path(&run->sources, run->subvolume, run->path, run->file.subvolume, &run->name_differs, err);
}

static bool find_file(struct run *run, const char *const *operand, struct error *err)
{
	const struct subvolume *subvolume;
	const char *given;

	if (!image_open(operand[0], TREES_REPLAYED, &run->volume, err) ||
	    !subvolumes_read(run->volume, &run->list, err) || !place_operands(&run->list, operand + 1, &subvolume, &given, err) ||
	    !path_operand(&run->list, subvolume->id, given, &run->path, &run->file, err))
		return false;
	run->subvolume = subvolume->id;
	escape_text(run->path, strlen(run->path), run->name, sizeof(run->name));
	return check_file(run, err) || error_prefix(err, "%s", run->name);
}

/* --- what is reported on the way -------------------------------------------------------------------------------------- */

static bool on_source(void *context, uint64_t subvolume, struct extent_source **source, struct error *err)
{
	struct run *run = context;

	return export_sources_get(&run->sources, subvolume, OPEN_IF_KEY_FITS, source, err);
}

static bool on_proof(void *context, const struct walk_entry *entry, struct export_proven *proven, struct error *err)
{
	struct run *run = context;

	proven->differs |= run->name_differs ? EXPORT_NAME_DIFFERS : 0;
	return export_sources_prove(&run->sources, entry, proven, err);
}

/* --- the run ---------------------------------------------------------------------------------------------------------- */

static bool print_file(struct run *run, struct error *err)
{
	const struct export_options export = {
		.raw = opt.ciphertext,
		.accept_unsealed = source_accepts_unsealed(),
		.first = run->first,
		.end = run->end,
		.source = on_source,
		.proof = on_proof,
		.accepts_unproven = source_accepts_changes(),
		.context = run,
	};
	struct export_job *job = NULL;
	struct out *out = NULL;

	run->is_started = true;

	const bool ok = stream_out_open(run->first, run->end, &out, err) &&
			export_begin(run->volume, out, &export, &run->summary, &job, err) &&
			export_tree(job, &run->file, run->path, err);

	export_end(job);
	if (out)
		out->ops->close(out);
	return ok;
}

static bool run_cat(const char *const *operand, struct error *err)
{
	struct run run = { .report = EXPORT_REPORT_NONE("printed", &run.summary) };

	run.report.is_one_file = true;
	run.report.is_raw = opt.ciphertext;

	pipe_watch();	/* a report is finished first */

	bool ok = check_has_path(operand, err) && output_names_check(NULL, opt.report, NULL, operand[0], err) &&
		  export_report_open(&run.report, opt.report, NULL, err);

	if (ok) {
		ok = progress_choose(&run.report.progress, err) && choose_range(&run, err) && find_file(&run, operand, err) &&
		     export_sources_init(&run.sources, &run.list, subvolume_by_id(&run.list, run.file.subvolume), err) &&
		     open_source(&run, err) && print_file(&run, err);
		ok = export_report_end(&run.report, operand[0], run.volume, run.name, ok,
				       opt.quiet || !export_report_counts(ok, run.is_started, err), err);
	}
	export_report_free(&run.report);
	export_sources_free(&run.sources);
	subvolume_list_free(&run.list);
	volume_close(run.volume);
	free(run.path);
	return ok;
}

const struct command cmd_cat = {
	.name = "cat",
	.operands = "IMAGE SUBVOL[:PATH] [PATH]",
	.summary = "print the bytes of a file, decrypted if a key is given",
	.options = options,
	.run = run_cat,
};
