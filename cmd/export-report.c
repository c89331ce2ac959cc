/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One finding is one line: of text for people, and of JSON in the report. */
#include "cmd/export-report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/json.h"
#include "common/util/escape.h"
#include "common/util/hex.h"

#define NOTES_MAX 10		/* of a kind on standard error; the report has them all */
#define DEVICE_PIECE (1u << 20)

static const char *const kind_name[] = {
	[EXPORT_LOST] = "lost",
	[EXPORT_DOUBTFUL] = "doubtful",
	[EXPORT_DAMAGED] = "damaged",
	[EXPORT_FAILED] = "failed",
	[EXPORT_SEALED] = "sealed",
	[EXPORT_REFUSED] = "refused",
	[EXPORT_NESTED] = "nested-subvolume",
	[EXPORT_CIPHERTEXT] = "ciphertext",
	[EXPORT_UNPROVEN] = "not-authenticated",
	[EXPORT_LOSS] = "not-kept",
};

static const struct { const char *name, *text; } losses[OUT_LOSSES] = {
	[OUT_LOSS_OWNER] = { "owner", "its owner is not kept" },
	[OUT_LOSS_MODE] = { "mode", "its mode is not kept" },
	[OUT_LOSS_TIMES] = { "times", "its times are not kept whole" },
	[OUT_LOSS_XATTR] = { "xattr", "its extended attributes are not kept" },
	[OUT_LOSS_ACL] = { "acl", "its access control list is not kept" },
	[OUT_LOSS_LINK] = { "hard-link", "another name of a file becomes a copy" },
	[OUT_LOSS_DEVICE] = { "device", "device nodes are left out" },
	[OUT_LOSS_SOCKET] = { "socket", "sockets are left out" },
	[OUT_LOSS_FIFO] = { "fifo", "fifos are left out" },
	[OUT_LOSS_NAME] = { "name", "its name or another text is not kept exactly" },
	[OUT_LOSS_FLAGS] = { "flags", "its flags, as chattr sets them, are not kept" },
	[OUT_LOSS_HASH] = { "sha256", "its holes are too long: its SHA-256 is not in the manifest" },
};

/* --- the two files ---------------------------------------------------------------------------------------------------- */

static bool create(const char *name, const char *option, struct export_text *text, struct error *err)
{
	text->name = name;
	if (!name)
		return true;
	if (strcmp(name, "-") == 0)
		return error_set(err, ERROR_USAGE, "%s: the name of a file; standard output is for what is read", option);
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

bool export_report_open(struct export_report *report, const char *report_name, const char *manifest_name, struct error *err)
{
	return create(report_name, "--report", &report->report, err) && create(manifest_name, "--manifest", &report->manifest, err);
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
	drop(&report->report);
	drop(&report->manifest);
	set64_free(&report->repairs);
}

/* --- findings ------------------------------------------------------------------------------------------------------------ */

static void report_finding(const struct export_report *report, const struct export_finding *f)
{
	struct json_object *line;

	if (!report->report.stream)
		return;
	line = json_line();
	json_text(line, "finding", kind_name[f->kind]);
	json_name(line, "path", f->path, strlen(f->path));
	if (f->end > 0) {
		json_u64(line, "first", f->first);
		json_u64(line, "last", f->end - 1);
	}
	if (f->kind == EXPORT_LOSS)
		json_text(line, "what", losses[f->loss].name);
	if (f->text)
		json_text(line, "text", f->text);
	json_print(line, report->report.stream);
}

static void finding_text(const struct export_report *report, const struct export_finding *f, const char *path, char *text, size_t size)
{
	const char *const colon = f->text ? ": " : "", *const why = f->text ? f->text : "";

	switch (f->kind) {
	case EXPORT_LOST:
		snprintf(text, size, "%s: bytes %" PRIu64 " to %" PRIu64 " are lost%s%s", path, f->first, f->end - 1, colon, why);
		break;
	case EXPORT_DOUBTFUL:
		snprintf(text, size, "%s: bytes %" PRIu64 " to %" PRIu64 " may be wrong%s%s", path, f->first, f->end - 1, colon, why);
		break;
	case EXPORT_FAILED: case EXPORT_REFUSED:
		snprintf(text, size, "%s: not %s%s%s", path, report->done, colon, why);
		break;
	case EXPORT_SEALED:
		snprintf(text, size, "%s: sealed or not authenticated, left out without the key%s%s", path, colon, why);
		break;
	case EXPORT_NESTED:
		snprintf(text, size, "%s: a nested subvolume, exported as an empty directory (--recursive takes what is in it)", path);
		break;
	case EXPORT_CIPHERTEXT:
		snprintf(text, size, "%s: sealed or not authenticated, %s as it is on the disk%s%s", path, report->done, colon, why);
		break;
	case EXPORT_UNPROVEN:
		if (f->end > 0)
			snprintf(text, size, "%s: bytes %" PRIu64 " to %" PRIu64 " are not authenticated%s%s", path, f->first, f->end - 1, colon, why);
		else
			snprintf(text, size, "%s: not authenticated%s%s", path, colon, why);
		break;
	case EXPORT_LOSS:
		snprintf(text, size, "%s: %s", path, losses[f->loss].text);
		break;
	default:
		snprintf(text, size, "%s: damaged%s%s", path, colon, why);
	}
}

/* Damage is always told; notes of one kind only so often. */
static bool is_told(struct export_report *report, const struct export_finding *f)
{
	switch (f->kind) {
	case EXPORT_LOSS:
		if (report->loss_told[f->loss])
			return false;
		return report->loss_told[f->loss] = true;
	case EXPORT_SEALED: case EXPORT_CIPHERTEXT: case EXPORT_NESTED: case EXPORT_REFUSED:
		return ++report->n_notes[f->kind] <= NOTES_MAX;
	default:
		return true;
	}
}

void export_report_finding(struct export_report *report, const struct export_finding *f)
{
	const bool is_damage = f->kind == EXPORT_LOST || f->kind == EXPORT_DOUBTFUL || f->kind == EXPORT_DAMAGED || f->kind == EXPORT_FAILED ||
			       f->kind == EXPORT_UNPROVEN;
	char *path, text[2048];

	report_finding(report, f);
	if (!is_told(report, f))
		return;
	path = escape_new(f->path[0] ? f->path : ".", f->path[0] ? strlen(f->path) : 1);
	finding_text(report, f, path ? path : "?", text, sizeof(text));
	free(path);
	progress_clear(&report->progress);
	(is_damage ? print_warning : print_note)(NULL, text);
	if (f->kind != EXPORT_LOSS && report->n_notes[f->kind] == NOTES_MAX)
		print_note(NULL, "more of these are counted, and listed by --report");
}

void export_report_moved(struct export_report *report, const struct subvolume *subvolume, const struct crypt_member *member)
{
	char *text = domain_moved_text(subvolume, member);

	if (report->report.stream) {
		struct json_object *line = json_line();

		json_text(line, "finding", "moved");
		json_u64(line, "subvolume", subvolume->id);
		json_name(line, "path", subvolume->path, subvolume->path_len);
		json_name(line, "sealed_as", member->path, member->path_len);
		json_print(line, report->report.stream);
	}
	progress_clear(&report->progress);
	print_warning(NULL, text ? text : "a subvolume is not where it was sealed");
	free(text);
}

static uint64_t text_hash(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325u;	/* FNV-1a */

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
	return hash;
}

void export_report_warning(struct export_report *report, const char *text)
{
	struct error ignored = { 0 };
	bool added = true;

	if (!set64_add(&report->repairs, text_hash(text), &added, &ignored) || !added)
		return;
	if (report->report.stream) {
		struct json_object *line = json_line();

		json_text(line, "finding", "repaired");
		json_text(line, "text", text);
		json_print(line, report->report.stream);
	}
	if (set64_count(&report->repairs) > NOTES_MAX)
		return;
	progress_clear(&report->progress);
	print_warning(NULL, text);
	if (set64_count(&report->repairs) == NOTES_MAX)
		print_note(NULL, "more of these are counted, and listed by --report");
}

void export_report_invalid(struct export_report *report, struct export_summary *summary, const char *text)
{
	summary->n_damaged++;
	if (report->report.stream) {
		struct json_object *line = json_line();

		json_text(line, "finding", "invalid");
		json_text(line, "text", text);
		json_print(line, report->report.stream);
	}
	progress_clear(&report->progress);
	print_invalid(NULL, text);
}

/* --- the manifest ----------------------------------------------------------------------------------------------------------- */

/* As sha256sum prints it, so that sha256sum -c reads it. */
bool export_report_hash(struct export_report *report, const char *path, const uint8_t hash[HASH_SIZE], struct error *err)
{
	char text[2 * HASH_SIZE + 1];

	hex_text(hash, HASH_SIZE, text);
	if (strpbrk(path, "\\\n\r"))
		fputc('\\', report->manifest.stream);
	fprintf(report->manifest.stream, "%s  ", text);
	for (const char *at = path; *at; at++) {
		switch (*at) {
		case '\\': fputs("\\\\", report->manifest.stream); break;
		case '\n': fputs("\\n", report->manifest.stream); break;
		case '\r': fputs("\\r", report->manifest.stream); break;
		default: fputc(*at, report->manifest.stream);
		}
	}
	fputc('\n', report->manifest.stream);
	return !ferror(report->manifest.stream) || error_system(err, "%s", report->manifest.name);
}

static bool hash_device(struct export_report *report, struct device *device, struct hash *hash, uint8_t *piece, struct error *err)
{
	uint8_t result[HASH_SIZE];
	char text[2 * HASH_SIZE + 1], name[1024];

	hash_start(hash);
	for (uint64_t at = 0; at < device->size; ) {
		const size_t n = device->size - at < DEVICE_PIECE ? device->size - at : DEVICE_PIECE;

		if (!device_read(device, piece, n, at, err))
			return false;
		hash_update(hash, piece, n);
		at += n;
		progress_update(&report->progress, "hash image", at, device->size);
	}
	progress_clear(&report->progress);
	if (!hash_finish(hash, result, err))
		return false;
	hex_text(result, sizeof(result), text);
	escape_text(device->name, strlen(device->name), name, sizeof(name));
	fprintf(report->manifest.stream, "# image %s  %s  %" PRIu64 " bytes\n", text, name, device->size);
	return true;
}

bool export_report_device(struct export_report *report, struct device *device, struct error *err)
{
	struct hash *hash = NULL;
	uint8_t *piece;
	bool ok;

	if (!report->manifest.stream)
		return true;
	piece = malloc(DEVICE_PIECE);
	ok = piece ? hash_new(&hash, err) : error_memory(err);
	ok = ok && hash_device(report, device, hash, piece, err);
	hash_free(hash);
	free(piece);
	return ok;
}

/* --- the end ----------------------------------------------------------------------------------------------------------------- */

static uint64_t n_repaired(const struct export_report *report)
{
	return set64_count(&report->repairs);
}

static struct json_object *summary_line(const struct export_report *report, const struct export_summary *s)
{
	struct json_object *line = json_line(), *lost = json_line();

	json_u64(line, "files", s->n_files);
	json_u64(line, "further_names", s->n_links);
	json_u64(line, "directories", s->n_directories);
	json_u64(line, "symlinks", s->n_symlinks);
	json_u64(line, "special", s->n_special);
	json_u64(line, "bytes", s->bytes);
	json_u64(line, "repaired", n_repaired(report));
	json_u64(line, "sealed", s->n_sealed);
	json_u64(line, "ciphertext", s->n_ciphertext);
	json_u64(line, "nested", s->n_nested);
	json_u64(line, "refused", s->n_refused);
	json_u64(line, "incomplete", s->n_incomplete);
	json_u64(line, "lost_bytes", s->lost_bytes);
	json_u64(line, "doubtful", s->n_doubtful);
	json_u64(line, "doubtful_bytes", s->doubtful_bytes);
	json_u64(line, "not_authenticated", s->n_unproven);
	json_u64(line, "damaged", s->n_damaged);
	json_u64(line, "failed", s->n_failed);
	for (size_t i = 0; i < OUT_LOSSES; i++) {
		if (s->losses[i] > 0)
			json_u64(lost, losses[i].name, s->losses[i]);
	}
	json_member(line, "not_kept", lost);
	return line;
}

static void print_text(const struct export_report *report, const struct export_summary *s)
{
	const char *separator = "not kept: ";

	/* What was handed over need not have arrived. */
	fprintf(stderr, "%s%s: %" PRIu64 " files (%" PRIu64 " further names), %" PRIu64 " directories, %" PRIu64 " symbolic links, %" PRIu64
		" special files, %" PRIu64 " bytes of data\n", report->done, report->is_cut ? " before the early end" : "", s->n_files, s->n_links, s->n_directories, s->n_symlinks, s->n_special,
		s->bytes);
	fprintf(stderr, "repaired from a mirror: %" PRIu64 "; skipped: %" PRIu64 " sealed, %" PRIu64 " refused; failed: %" PRIu64 ", damaged: %"
		PRIu64 ", incomplete: %" PRIu64 " files (%" PRIu64 " bytes lost)", n_repaired(report), s->n_sealed, s->n_refused, s->n_failed,
		s->n_damaged, s->n_incomplete, s->lost_bytes);
	if (s->n_doubtful > 0)
		fprintf(stderr, ", doubtful: %" PRIu64 " files (%" PRIu64 " bytes)", s->n_doubtful, s->doubtful_bytes);
	if (s->n_unproven > 0)
		fprintf(stderr, ", not authenticated: %" PRIu64, s->n_unproven);
	fputc('\n', stderr);
	for (size_t i = 0; i < OUT_LOSSES; i++) {
		if (s->losses[i] > 0) {
			fprintf(stderr, "%s%s (%" PRIu64 ")", separator, losses[i].name, s->losses[i]);
			separator = ", ";
		}
	}
	if (*separator == ',')
		fputc('\n', stderr);
}

/* One file has no names and no kinds to be counted. */
static void print_file_text(const struct export_report *report, const struct export_summary *s)
{
	fprintf(stderr, "%s: %" PRIu64 " bytes of data; repaired from a mirror: %" PRIu64 "; lost: %" PRIu64 " bytes, doubtful: %" PRIu64 " bytes\n",
		report->done, s->bytes, n_repaired(report), s->lost_bytes, s->doubtful_bytes);
}

static bool verdict(const struct export_report *report, const struct export_summary *s, struct error *err)
{
	if (s->n_failed + s->n_damaged + s->n_incomplete > 0)
		return error_set(err, ERROR_CORRUPT, "damaged: %" PRIu64 " files are incomplete, %" PRIu64 " were not %s, %"
				 PRIu64 " other things are damaged", s->n_incomplete, s->n_failed, report->done, s->n_damaged);
	if (s->n_doubtful > 0)
		return error_set(err, ERROR_CORRUPT, "%" PRIu64 " files have bytes that may be wrong",
				 s->n_doubtful);
	if (s->n_unproven > 0 && report->is_one_file)
		return error_set(err, ERROR_CORRUPT, "not authenticated: that was accepted, and is no proof of anything");
	if (s->n_unproven > 0)
		return error_set(err, ERROR_CORRUPT, "%" PRIu64 " things are not authenticated, which was accepted", s->n_unproven);
	if (s->n_sealed > 0) {
		if (report->is_one_file)
			error_set(err, ERROR_KEY, "sealed or not authenticated, and no key was given");
		else
			error_set(err, ERROR_KEY, "%" PRIu64 " files and links that are sealed or not authenticated were left out: no key was given",
				  s->n_sealed);
		return error_hint(err, "give the key, or --raw for what is on the disk");
	}
	if (s->n_without_data > 0 && s->n_without_data == s->n_refused)
		return error_set(err, ERROR_REFUSED, "%" PRIu64 " entries were left out: the image was restored from a btrfs-image dump, which has no data",
				 s->n_refused);
	if (s->n_refused > 0)
		return error_set(err, ERROR_REFUSED, "%" PRIu64 " entries were left out: what was to be made cannot hold them", s->n_refused);
	return true;
}

/* The last line: err is NULL where nothing went wrong. */
static void report_end(const struct export_report *report, const struct export_summary *s, const struct error *err)
{
	struct json_object *line = json_line();

	json_member(line, "summary", summary_line(report, s));
	json_number(line, "status", err ? err->kind : ERROR_NONE);
	if (err)
		json_text(line, "error", err->text);
	json_print(line, report->report.stream);
}

static void print_summary(const struct export_report *report, const struct export_summary *s)
{
	struct json_object *line;

	fflush(stdout);
	if (format_is_json()) {
		line = json_line();
		json_member(line, "summary", summary_line(report, s));
		json_print(line, stderr);
	} else {
		(report->is_one_file ? print_file_text : print_text)(report, s);
	}
}

bool export_report_end(struct export_report *report, const struct export_summary *s, const char *what, bool ok, bool quiet,
		       struct error *err)
{
	struct error unwritten = { 0 };

	progress_clear(&report->progress);
	report->is_cut = !ok;
	ok = ok && finish(&report->manifest, err) && (verdict(report, s, err) || error_prefix(err, "%s", what));
	if (report->report.stream)
		report_end(report, s, ok ? NULL : err);
	if (!finish(&report->report, &unwritten)) {
		if (ok)
			*err = unwritten;
		else
			print_warning(NULL, unwritten.text);
		ok = false;
	}
	if (!quiet)
		print_summary(report, s);
	return ok;
}
