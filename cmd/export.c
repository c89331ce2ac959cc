/* SPDX-License-Identifier: GPL-2.0-or-later */
/* btrfs-crypt export: subvolumes and parts of them as an archive or a directory. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/export-report.h"
#include "cmd/export-sources.h"
#include "cmd/source.h"
#include "cmd/unpacked.h"

static struct {
	char *output, *archive, *compress, *manifest, *report, *progress;
	double frequency;
	int recursive, raw, quiet;
} opt = { .frequency = 1 };

static const struct poptOption options[] = {
	{ "output", 'o', POPT_ARG_STRING, &opt.output, 0, "the archive or directory to be made; - is standard output", "OUT" },
	{ "archive", 0, POPT_ARG_STRING, &opt.archive, 0, "what to make (default: what the name of OUT says, or tar)", "tar|zip|cpio|mtree|dir" },
	{ "compress", 0, POPT_ARG_STRING, &opt.compress, 0, "compress the archive", "zstd|gzip|xz" },
	{ "recursive", 'r', POPT_ARG_NONE, &opt.recursive, 0, "export what is in nested subvolumes too", NULL },
	{ "raw", 0, POPT_ARG_NONE, &opt.raw, 0, "export sealed files without the key: as ciphertext", NULL },
	{ "manifest", 0, POPT_ARG_STRING, &opt.manifest, 0, "write the SHA-256 of every file and of the image to FILE", "FILE" },
	{ "report", 0, POPT_ARG_STRING, &opt.report, 0, "write every finding and the summary to FILE, as JSON", "FILE" },
	{ "quiet", 'q', POPT_ARG_NONE, &opt.quiet, 0, "no summary at the end", NULL },
	{ "progress", 0, POPT_ARG_STRING, &opt.progress, 0, "how to show progress on standard error", "auto|none|bar|json" },
	{ "progress-frequency", 0, POPT_ARG_DOUBLE, &opt.frequency, 0, "seconds between two reports (default 1)", "SECONDS" },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_source, 0, NULL, NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_image, 0, NULL, NULL },
	{ NULL, 0, POPT_ARG_INCLUDE_TABLE, options_format, 0, NULL, NULL },
	POPT_TABLEEND
};

/* What is to be made. */
struct shape {
	bool is_directory;
	enum out_format format;
	enum out_compression compression;
};

struct place {
	struct file_id start;
	char *prefix;
};

struct run {
	struct volume *volume;
	struct subvolume_list list;
	struct place *place;
	size_t n_places;
	struct export_sources sources;
	struct export_report report;
	struct export_summary summary;
};

/* --- what OUT is to be ------------------------------------------------------------------------------------------------- */

static const char *const archive_name[] = { [OUT_TAR] = "tar", [OUT_ZIP] = "zip", [OUT_CPIO] = "cpio", [OUT_MTREE] = "mtree" };
static const char *const compression_name[] = { [OUT_PLAIN] = "none", [OUT_ZSTD] = "zstd", [OUT_GZIP] = "gzip", [OUT_XZ] = "xz" };
#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct { const char *suffix; int format, compression; } suffixes[] = {
	{ ".tar", OUT_TAR, -1 }, { ".zip", OUT_ZIP, -1 }, { ".cpio", OUT_CPIO, -1 }, { ".mtree", OUT_MTREE, -1 },
	{ ".tgz", OUT_TAR, OUT_GZIP }, { ".tzst", OUT_TAR, OUT_ZSTD }, { ".txz", OUT_TAR, OUT_XZ },
	{ ".gz", -1, OUT_GZIP }, { ".zst", -1, OUT_ZSTD }, { ".xz", -1, OUT_XZ },
};

/* What the last suffix of the first *len bytes says is put in and left out; -1: nothing. */
static void take_suffix(const char *name, size_t *len, int *format, int *compression)
{
	for (size_t i = 0; i < N(suffixes); i++) {
		const size_t n = strlen(suffixes[i].suffix);

		if (*len <= n || memcmp(name + *len - n, suffixes[i].suffix, n) != 0)
			continue;
		*len -= n;
		if (suffixes[i].format >= 0)
			*format = suffixes[i].format;
		if (suffixes[i].compression >= 0)
			*compression = suffixes[i].compression;
		return;
	}
}

static int find_name(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(name, names[i]) == 0)
			return (int)i;
	}
	return -1;
}

static bool choose_archive(int format, int compression, int given, struct shape *shape, struct error *err)
{
	const int given_compression = opt.compress ? find_name(opt.compress, compression_name, N(compression_name)) : -1;

	if (opt.compress && given_compression <= OUT_PLAIN)
		return error_set(err, ERROR_USAGE, "--compress: zstd, gzip or xz");
	if (given >= 0 && format >= 0 && given != format)
		return error_set(err, ERROR_USAGE, "the name %s says %s, not %s", opt.output, archive_name[format], archive_name[given]);
	if (given_compression >= 0 && compression >= 0 && given_compression != compression)
		return error_set(err, ERROR_USAGE, "the name %s says %s, not %s", opt.output, compression_name[compression],
				 compression_name[given_compression]);
	shape->format = given >= 0 ? (enum out_format)given : format >= 0 ? (enum out_format)format : OUT_TAR;
	shape->compression = given_compression >= 0 ? (enum out_compression)given_compression
						     : compression >= 0 ? (enum out_compression)compression : OUT_PLAIN;
	if (shape->format == OUT_ZIP && shape->compression != OUT_PLAIN)
		return error_set(err, ERROR_USAGE, "a zip archive compresses by itself");
	return true;
}

static bool choose_shape(struct shape *shape, struct error *err)
{
	size_t len;
	struct stat st;
	int format = -1, compression = -1, given = -1;

	if (!opt.output)
		return error_set(err, ERROR_USAGE, "-o OUT is missing");
	if (opt.archive && strcmp(opt.archive, "dir") != 0) {
		given = find_name(opt.archive, archive_name, N(archive_name));
		if (given < 0)
			return error_set(err, ERROR_USAGE, "--archive: tar, zip, cpio, mtree or dir");
	}
	len = strlen(opt.output);
	shape->is_directory = opt.archive ? given < 0 : len > 0 && (opt.output[len - 1] == '/' ||
								   (stat(opt.output, &st) == 0 && S_ISDIR(st.st_mode)));
	if (shape->is_directory)
		return !opt.compress || error_set(err, ERROR_USAGE, "a directory is not compressed");
	take_suffix(opt.output, &len, &format, &compression);
	if (format < 0 && compression >= 0)
		take_suffix(opt.output, &len, &format, &compression);
	if (strcmp(opt.output, "-") == 0 && isatty(STDOUT_FILENO)) {
		error_set(err, ERROR_REFUSED, "an archive does not go to a terminal");
		return error_hint(err, "redirect the output to a file, or name one after -o");
	}
	return choose_archive(format, compression, given, shape, err);
}

static bool init_progress(struct progress *progress, struct error *err)
{
	const char *how = opt.progress ? opt.progress : "auto";
	enum progress_mode mode;

	if (strcmp(how, "auto") == 0)
		mode = isatty(STDERR_FILENO) && !format_is_json() ? PROGRESS_BAR : PROGRESS_NONE;
	else if (strcmp(how, "none") == 0)
		mode = PROGRESS_NONE;
	else if (strcmp(how, "bar") == 0)
		mode = PROGRESS_BAR;
	else if (strcmp(how, "json") == 0)
		mode = PROGRESS_JSON;
	else
		return error_set(err, ERROR_USAGE, "--progress: auto, none, bar or json");
	if (!(opt.frequency >= 0))
		return error_set(err, ERROR_USAGE, "--progress-frequency: a number of seconds");
	progress_init(progress, mode, stderr, opt.frequency);
	unpacked_progress(mode, opt.frequency);
	return true;
}

/* --- what is to be exported ---------------------------------------------------------------------------------------------- */

/* "SUBVOL:PATH": the longest SUBVOL there is, for names may hold a colon. */
static bool find_place(struct run *run, const char *operand, const struct subvolume **subvolume, const char **path, struct error *err)
{
	const bool has_kind = strncmp(operand, "id:", 3) == 0 || strncmp(operand, "uuid:", 5) == 0;
	const char *const first = has_kind ? strchr(operand, ':') + 1 : operand;
	char *name = strdup(operand);
	bool found = false;

	if (!name)
		return error_memory(err);
	*path = "";
	for (;;) {
		char *const colon = strrchr(name + (first - operand), ':');

		*err = (struct error){ 0 };
		found = subvolume_find(&run->list, name, subvolume, err);
		if (found || !colon)
			break;
		*path = operand + (colon - name) + 1;
		*colon = '\0';
	}
	free(name);
	return found;
}

/* Appends the components of path; what could lead elsewhere is called bad-name. */
static void join(char *prefix, const uint8_t *path, size_t len)
{
	while (len > 0) {
		const uint8_t *const slash = memchr(path, '/', len);
		const size_t n = slash ? (size_t)(slash - path) : len;
		const bool is_bad = (n == 2 && path[0] == '.' && path[1] == '.') || memchr(path, '\0', n);

		if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (*prefix)
				strcat(prefix, "/");
			strncat(prefix, is_bad ? "bad-name" : (const char *)path, is_bad ? SIZE_MAX : n);
		}
		path += n + (slash != NULL);
		len -= n + (slash != NULL);
	}
}

/* Alone, a directory is the top of what is exported; among others, each is where it is in the image. */
static bool make_prefix(struct place *place, const struct subvolume *subvolume, const char *path, bool alone, bool is_directory,
			struct error *err)
{
	char *const whole = calloc(1, 8 * (subvolume->path_len + strlen(path)) + 64);

	place->prefix = whole;
	if (!whole)
		return error_memory(err);
	if (alone && is_directory)
		return true;
	if (!alone && subvolume->deleted)
		snprintf(whole, 64, "subvolume-%" PRIu64, subvolume->id);
	else if (!alone)
		join(whole, subvolume->path, subvolume->path_len);
	join(whole, (const uint8_t *)path, strlen(path));
	if (alone) {
		const char *const name = strrchr(whole, '/');

		if (name)
			memmove(whole, name + 1, strlen(name));
	}
	return true;
}

static bool take_place(struct run *run, const char *operand, bool alone, struct error *err)
{
	struct place *const place = &run->place[run->n_places];
	const struct subvolume *subvolume;
	struct extent_source *source;
	struct inode inode = { .mode = S_IFDIR };
	const char *given = "";
	char *path = NULL;	/* the names as they are in the image */
	struct tree tree;
	bool ok;

	run->n_places++;
	/* A wrong key is to be known before anything is made. */
	ok = find_place(run, operand, &subvolume, &given, err) &&
	     path_operand(run->volume, subvolume->id, given, &path, &place->start, err) &&
	     tree_open(run->volume, place->start.subvolume, &tree, err) &&
	     (place->start.inode == EMPTY_SUBVOLUME_INODE || inode_get(&tree, place->start.inode, &inode, err)) &&
	     make_prefix(place, subvolume, path, alone, S_ISDIR(inode.mode), err) &&
	     export_sources_get(&run->sources, place->start.subvolume, true, &source, err);
	free(path);
	return ok;
}

static bool take_places(struct run *run, const char *const *operand, struct error *err)
{
	size_t n = 0;

	while (operand[n])
		n++;
	run->place = calloc(n, sizeof(*run->place));
	if (!run->place)
		return error_memory(err);
	for (size_t i = 0; i < n; i++) {
		if (!take_place(run, operand[i], n == 1, err))
			return false;
	}
	return opt.recursive || export_sources_check_key(&run->sources, err);
}

/* --- what the export calls -------------------------------------------------------------------------------------------------- */

static bool on_source(void *context, uint64_t subvolume, struct extent_source **source, struct error *err)
{
	struct run *run = context;

	return export_sources_get(&run->sources, subvolume, false, source, err);
}

static void on_finding(void *context, const struct export_finding *finding)
{
	struct run *run = context;

	export_report_finding(&run->report, finding);
}

static void on_progress(void *context, const struct export_summary *so_far)
{
	struct run *run = context;
	const uint64_t total = run->report.progress_total;

	/* What is compressed or shared on disk comes out larger: the end is told once, when it is there. */
	progress_update(&run->report.progress, "export", so_far->bytes < total ? so_far->bytes : total - 1, total);
}

static bool on_hash(void *context, const char *path, const uint8_t hash[HASH_SIZE], struct error *err)
{
	struct run *run = context;

	return export_report_hash(&run->report, path, hash, err);
}

static void on_warning(void *context, const char *text)
{
	struct run *run = context;

	export_report_warning(&run->report, text);
}

/* --- the run -------------------------------------------------------------------------------------------------------------------- */

static bool write_out(struct run *run, struct out *out, struct error *err)
{
	const struct export_options export = {
		.recursive = opt.recursive,
		.raw = opt.raw,
		.source = on_source,
		.finding = on_finding,
		.progress = run->report.progress.mode == PROGRESS_NONE ? NULL : on_progress,
		.hashed = opt.manifest ? on_hash : NULL,
		.context = run,
	};
	struct export_job *job = NULL;
	bool ok = export_begin(run->volume, out, &export, &run->summary, &job, err);

	for (size_t i = 0; ok && i < run->n_places; i++)
		ok = export_tree(job, &run->place[i].start, run->place[i].prefix, err);
	ok = ok && out->ops->finish(out, err);
	if (ok)
		progress_update(&run->report.progress, "export", run->report.progress_total, run->report.progress_total);
	export_end(job);
	return ok;
}

/* For evidence: the files or devices as they are, with whatever else they hold. */
static bool report_devices(struct export_report *report, const char *path, struct error *err)
{
	for (size_t i = 0; i < image_n_devices(); i++) {
		struct device *device;

		if (!image_device_open_whole(path, i, &device, err))
			return false;

		const bool ok = export_report_device(report, device, err);

		device_close(device);
		if (!ok)
			return false;
	}
	return true;
}

static bool export(struct run *run, const char *const *operand, const struct shape *shape, struct error *err)
{
	struct out *out = NULL;
	bool ok;

	if (!image_open(operand[0], false, false, &run->volume, err) || !subvolume_list_read(run->volume, &run->list, err) ||
	    !export_sources_init(&run->sources, &run->list, err) || !take_places(run, operand + 1, err) ||
	    !export_report_open(&run->report, opt.report, opt.manifest, err))
		return false;
	run->report.progress_total = run->volume->super.bytes_used > 0 ? run->volume->super.bytes_used : 1;
	run->volume->warn = on_warning;
	run->volume->warn_context = run;
	if (!(shape->is_directory ? dir_out_open(opt.output, &out, err)
				  : archive_out_open(opt.output, shape->format, shape->compression, &out, err)))
		return false;
	ok = write_out(run, out, err);
	progress_clear(&run->report.progress);
	out->ops->close(out);
	ok = ok && report_devices(&run->report, operand[0], err);
	return export_report_end(&run->report, &run->summary, operand[0], ok, opt.quiet, err);
}

static void free_run(struct run *run)
{
	for (size_t i = 0; i < run->n_places; i++)
		free(run->place[i].prefix);
	free(run->place);
	export_report_free(&run->report);
	export_sources_free(&run->sources);
	subvolume_list_free(&run->list);
	volume_close(run->volume);
}

static bool run_export(const char *const *operand, struct error *err)
{
	struct run run = { .report = EXPORT_REPORT_NONE("exported") };
	struct shape shape = { 0 };

	signal(SIGPIPE, SIG_IGN);	/* a reader that went away is an error like others, with a summary */

	const bool ok = choose_shape(&shape, err) && init_progress(&run.report.progress, err) && export(&run, operand, &shape, err);

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
