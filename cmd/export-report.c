/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each finding is one line: of text for people, and of JSON in the report. */
#include "cmd/export-report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/export-summary.h"
#include "cmd/hints.h"
#include "cmd/image.h"
#include "cmd/json.h"
#include "cmd/print.h"
#include "cmd/report-lines.h"
#include "cmd/subvolume-row.h"
#include "common/util/escape.h"
#include "common/util/hash64.h"
#include "common/util/hex.h"

#define NOTES_MAX 10		/* of one kind on standard error; the report has them all */

/* --- the two files ---------------------------------------------------------------------------------------------------- */

static bool create(const char *name, const char *option, struct export_text *text, struct error *err)
{
	text->name = name;
	if (!name)
		return true;
	if (strcmp(name, "-") == 0)
		return error_set(err, ERROR_USAGE, "%s: needs the name of a file; standard output is for the data", option);
	if (!out_file_open(&text->file, name, err))
		return false;

	const int fd = dup(text->file.fd);

	text->stream = fd < 0 ? NULL : fdopen(fd, "w");
	if (text->stream)
		return true;
	error_system(err, "%s", name);
	if (fd >= 0)
		close(fd);
	return false;
}

static bool finish(struct export_text *text, struct error *err)
{
	FILE *const closing = text->stream;
	bool ok;

	if (!closing)
		return true;
	text->stream = NULL;
	ok = !ferror(closing);
	ok = fclose(closing) == 0 && ok;
	return ok ? out_file_finish(&text->file, err) : error_system(err, "%s", text->name);
}

static void drop(struct export_text *text)
{
	if (text->stream)
		fclose(text->stream);
	text->stream = NULL;
	out_file_close(&text->file);
}

void export_report_free(struct export_report *report)
{
	image_hear(NULL);
	print_hear(NULL);
	drop(&report->report);
	drop(&report->manifest);
	set64_free(&report->mirrors);
}

/* --- findings ------------------------------------------------------------------------------------------------------------ */

/* One line of the report. */
static void put(const struct export_report *report, const struct report *r)
{
	struct json_object *line;

	if (!report->report.stream)
		return;
	line = json_line();
	json_text(line, "finding", report_name(r->kind));
	if (r->path)
		json_path(line, r->path, r->path_len);
	if (r->end > 0) {
		json_u64(line, "first", r->first);
		json_u64(line, "last", r->end - 1);
	}
	if (r->kind == REPORT_NOT_KEPT)
		json_text(line, "what", export_losses[r->loss].name);
	if (r->text)
		json_text(line, "text", r->text);
	if (r->inode) {
		json_u64(line, "subvolume", r->subvolume);
		json_u64(line, "inode", r->inode);
	}
	if (r->disk_length) {
		json_u64(line, "logical", r->logical);
		json_u64(line, "disk_length", r->disk_length);
	}
	json_print(line, report->report.stream);
}

/* What follows the name of the file at the beginning of the text: its path in the image, which ends like the one in the export. */
static const char *behind_path(const char *text, const char *path)
{
	const size_t len = strlen(path);

	for (const char *at = text; (at = strstr(at, path)); at++) {
		if ((at == text || at[-1] == '/') && strncmp(at + len, ": ", 2) == 0)
			return at + len + 2;
	}
	return text;
}

/* Texts begin with file and range, or inode and range, for other readers. Here the path and the range were given already. */
static const char *without_place(const struct report *f, const char *path, const char **they)
{
	const char *const text = behind_path(f->text, path);
	uint64_t inode, first, last;
	int n = 0;

	*they = "";
	if (f->end == 0)
		return text;
	if ((sscanf(text, "inode %" SCNu64 " bytes %" SCNu64 " to %" SCNu64 ": %n", &inode, &first, &last, &n) == 3 && n > 0) ||
	    (sscanf(text, "bytes %" SCNu64 " to %" SCNu64 " %n", &first, &last, &n) == 2 && n > 0 && (*they = "they "))) {
		if (first == f->first && last == f->end - 1)
			return text + n;
	}
	*they = "";
	return text;
}

static void finding_text(const struct export_report *report, const struct report *f, const char *path, char *text, size_t size)
{
	const char *colon = "", *why = "", *they = "";

	if (f->text) {
		colon = ": ";
		why = without_place(f, path, &they);
	}

	switch (f->kind) {
	case REPORT_LOST:
		snprintf(text, size, "%s: bytes %" PRIu64 " to %" PRIu64 " are lost%s%s%s", path, f->first, f->end - 1, colon, they, why);
		break;
	case REPORT_DOUBTFUL:
		snprintf(text, size, "%s: bytes %" PRIu64 " to %" PRIu64 " may be wrong%s%s%s", path, f->first, f->end - 1, colon, they, why);
		break;
	case REPORT_FAILED: case REPORT_REFUSED: case REPORT_CONVERTING:
		snprintf(text, size, "%s: not %s%s%s", path, report->done, colon, why);
		break;
	case REPORT_SEALED:
		snprintf(text, size, "%s: sealed or not authenticated, left out without the key%s%s", path, colon, why);
		break;
	case REPORT_NESTED:
		snprintf(text, size, "%s: a nested subvolume, exported as an empty directory (--recursive takes what is in it)", path);
		break;
	case REPORT_CIPHERTEXT:
		snprintf(text, size, "%s: sealed or not authenticated, %s as it is on the disk%s%s", path, report->done, colon, why);
		break;
	case REPORT_UNPROVEN:
		if (f->end > 0)
			snprintf(text, size, "%s: bytes %" PRIu64 " to %" PRIu64 " are not authenticated%s%s%s", path, f->first, f->end - 1, colon, they, why);
		else
			snprintf(text, size, "%s: not authenticated%s%s", path, colon, why);
		break;
	case REPORT_NOT_KEPT:
		snprintf(text, size, "%s: %s", path, export_losses[f->loss].text);
		break;
	default:
		snprintf(text, size, "%s: damaged%s%s", path, colon, why);
	}
}

/* Damage is always reported, notes of one kind only a limited number of times. */
static bool is_told(struct export_report *report, const struct report *f)
{
	switch (f->kind) {
	case REPORT_SEALED:
		/* For a single file the verdict says it. */
		return !report->is_one_file && ++report->n_notes[f->kind] <= NOTES_MAX;
	case REPORT_NOT_KEPT:
		if (report->loss_told[f->loss])
			return false;
		return report->loss_told[f->loss] = true;
	case REPORT_CIPHERTEXT: case REPORT_NESTED: case REPORT_REFUSED:
		return ++report->n_notes[f->kind] <= NOTES_MAX;
	default:
		return true;
	}
}

/* Prints what the report has as a finding already. */
static void say(struct export_report *report, void (*print)(void *context, const char *text), const char *text)
{
	progress_clear(&report->progress);
	report->is_saying = true;
	print(NULL, text);
	report->is_saying = false;
}

void export_report_place(struct export_report *report, const struct place_finding *finding, const char *text)
{
	if (report->report.stream) {
		struct json_object *line = json_line();

		json_place(line, "finding", finding);
		json_print(line, report->report.stream);
	}
	say(report, print_warning, text);
}

static void hear_finding(struct export_report *report, const struct report *f)
{
	const bool is_damage = f->kind == REPORT_LOST || f->kind == REPORT_DOUBTFUL || f->kind == REPORT_DAMAGED || f->kind == REPORT_FAILED ||
			       f->kind == REPORT_UNPROVEN || f->kind == REPORT_CONVERTING;
	char *path, text[2048];

	put(report, f);
	if (!is_told(report, f))
		return;
	path = f->path_len ? escape_new(f->path, f->path_len) : escape_new(".", 1);
	finding_text(report, f, path ? path : "?", text, sizeof(text));
	free(path);
	say(report, is_damage ? print_warning : print_note, text);
	if (f->kind != REPORT_NOT_KEPT && report->n_notes[f->kind] == NOTES_MAX)
		say(report, print_note, "further ones are counted, and listed by --report");
}

static void hear_mirror(struct export_report *report, const struct report *r)
{
	struct error ignored = { 0 };
	bool added = true;

	if (!set64_add(&report->mirrors, hash64(r->text, strlen(r->text), 0), &added, &ignored) || !added)
		return;
	put(report, r);
	if (set64_count(&report->mirrors) > NOTES_MAX)
		return;
	say(report, print_warning, r->text);
	if (set64_count(&report->mirrors) == NOTES_MAX)
		say(report, print_note, "further ones are counted, and listed by --report");
}

static void hear(void *context, const struct report *r)
{
	struct export_report *report = context;

	if (r->path)
		return hear_finding(report, r);
	if (r->kind == REPORT_MIRROR)
		return hear_mirror(report, r);
	progress_clear(&report->progress);
	if (r->kind == REPORT_INVALID) {
		report->summary->n_damaged++;
		put(report, r);
	}
	report->is_saying = r->kind == REPORT_INVALID;
	print_report(NULL, r);
	report->is_saying = false;
}

/* Whatever else is printed, by whomever. */
static void hear_line(void *context, const struct report *r)
{
	struct export_report *report = context;

	if (!report->is_saying)
		put(report, r);
}

bool export_report_open(struct export_report *report, const char *report_name, const char *manifest_name, struct error *err)
{
	const struct reporter reporter = { hear, report }, lines = { hear_line, report };

	report->begin = time(NULL);
	if (!create(report_name, "--report", &report->report, err) || !create(manifest_name, "--manifest", &report->manifest, err))
		return false;
	image_hear(&reporter);
	print_hear(&lines);
	return true;
}

/* --- the manifest ----------------------------------------------------------------------------------------------------------- */

static void put_path(FILE *out, const char *path)
{
	for (const char *at = path; *at; at++) {
		switch (*at) {
		case '\\': fputs("\\\\", out); break;
		case '\n': fputs("\\n", out); break;
		case '\r': fputs("\\r", out); break;
		default: fputc(*at, out);
		}
	}
}

/* A comment to sha256sum: the hash is that of what was written. */
static void put_mark(FILE *out, const char *what, const char *path)
{
	fprintf(out, "# %s: ", what);
	put_path(out, path);
	fputc('\n', out);
}

/* As sha256sum prints it, so that sha256sum -c reads it. */
bool export_report_hash(struct export_report *report, const char *path, const uint8_t hash[HASH_SIZE], unsigned marks, struct error *err)
{
	char text[2 * HASH_SIZE + 1];

	hex_text(hash, HASH_SIZE, text);
	if (marks & EXPORT_AS_ON_DISK)
		put_mark(report->manifest.stream, "ciphertext, or not authenticated, as it is on the disk", path);
	if (marks & EXPORT_NOT_AS_IT_WAS)
		put_mark(report->manifest.stream, "not as it was, see the warnings", path);
	if (strpbrk(path, "\\\n\r"))
		fputc('\\', report->manifest.stream);
	fprintf(report->manifest.stream, "%s  ", text);
	put_path(report->manifest.stream, path);
	fputc('\n', report->manifest.stream);
	return !ferror(report->manifest.stream) || error_system(err, "%s", report->manifest.name);
}

/* --- the end ----------------------------------------------------------------------------------------------------------------- */

bool export_report_counts(bool ok, bool is_started, const struct error *err)
{
	return ok || is_started || format_is_json() || error_is_damage(err);
}

bool export_report_end(struct export_report *report, const char *image, const struct volume *volume, const char *what, bool ok, bool quiet,
		       struct error *err)
{
	const struct export_summary *const s = report->summary;
	const struct export_told told = { .done = report->done, .is_one_file = report->is_one_file, .is_cut = !ok, .is_raw = report->is_raw,
					   .n_mirror = set64_count(&report->mirrors) };
	struct error unwritten = { 0 };

	progress_clear(&report->progress);
	if (volume)
		ok = report_images(report, image, ok, ok ? err : &unwritten) && ok;
	ok = ok && finish(&report->manifest, err) && (export_verdict(&told, s, err) || error_prefix(err, "%s", what));
	if (!ok)
		hints_complete(image, err);
	if (report->report.stream) {
		report_run_print(image, volume, report->begin, report->report.stream);
		export_summary_json(&told, s, ok ? NULL : err, report->report.stream);
	}
	if (!finish(&report->report, &unwritten)) {
		if (ok)
			*err = unwritten;
		else
			print_warning(NULL, unwritten.text);
		ok = false;
	}
	if (quiet || pipe_is_gone())
		return ok;
	fflush(stdout);
	if (format_is_json())
		export_summary_json(&told, s, ok ? NULL : err, stderr);
	else
		export_summary_print(&told, s);
	return ok;
}
