/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts, and the verdict that follows from them. */
#include "cmd/export-summary.h"

#include <inttypes.h>
#include <string.h>

#include "cmd/json.h"
#include "common/util/plural.h"

const struct export_loss export_losses[OUT_LOSSES] = {
	[OUT_LOSS_OWNER] = { "owner", "its owner is not kept" },
	[OUT_LOSS_MODE] = { "mode", "its mode is not kept" },
	[OUT_LOSS_TIMES] = { "times", "its times are not kept whole" },
	[OUT_LOSS_TIME_RANGE] = { "time-range", "a time of it is too early or too late for where it goes: the nearest possible one is kept" },
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

/* --- the verdict --------------------------------------------------------------------------------------------------------- */

/* Appends one more thing that is wrong. */
static void add_damage(char *text, size_t size, uint64_t n, const char *one, const char *many)
{
	const size_t used = strlen(text);

	if (n > 0)
		snprintf(text + used, size - used, "%s%" PRIu64 " %s", used ? ", " : "", n, n == 1 ? one : many);
}

static bool is_damaged(const struct export_told *told, const struct export_summary *s, struct error *err)
{
	char text[256] = "";

	if (told->is_one_file && s->n_incomplete > 0)
		return error_set(err, ERROR_CORRUPT, "damaged: %" PRIu64 " byte%s of it could not be read", s->lost_bytes, plural(s->lost_bytes));
	if (told->is_one_file && s->n_failed > 0)
		return error_set(err, ERROR_CORRUPT, "damaged: it was not %s", told->done);
	add_damage(text, sizeof(text), s->n_incomplete, "file is incomplete", "files are incomplete");
	add_damage(text, sizeof(text), s->n_failed, "entry is missing", "entries are missing");
	add_damage(text, sizeof(text), s->n_damaged, "part of the image is damaged", "parts of the image are damaged");
	return error_set(err, ERROR_CORRUPT, "damaged: %s", text);
}

static bool is_sealed(const struct export_told *told, const struct export_summary *s, struct error *err)
{
	if (told->is_one_file)
		error_set(err, ERROR_KEY, "sealed or not authenticated, and no key was given");
	else
		error_set(err, ERROR_KEY, "%" PRIu64 " file%s sealed or not authenticated, and left out: no key was given", s->n_sealed,
			  s->n_sealed == 1 ? " or link is" : "s and links are");
	return error_hint(err, told->is_raw ? "give the key" : "give the key, or --ciphertext for what is on the disk");
}

static bool is_refused(const struct export_summary *s, struct error *err)
{
	const bool is_one = s->n_refused == 1, has_no_data = s->n_without_data > 0 && s->n_without_data == s->n_refused;
	const char *why = has_no_data ? "the image was restored from a btrfs-image dump, which has no data" :
			  s->n_too_long == s->n_refused ? "paths are too long" : is_one ? "the output cannot store it" : "the output cannot store them";

	return error_set(err, ERROR_REFUSED, "%" PRIu64 " %s left out: %s", s->n_refused, is_one ? "entry was" : "entries were", why);
}

bool export_verdict(const struct export_told *told, const struct export_summary *s, struct error *err)
{
	if (s->n_failed + s->n_damaged + s->n_incomplete > 0)
		return is_damaged(told, s, err);
	if (s->n_doubtful > 0 && told->is_one_file)
		return error_set(err, ERROR_CORRUPT, "%" PRIu64 " byte%s of it may be wrong", s->doubtful_bytes, plural(s->doubtful_bytes));
	if (s->n_doubtful > 0)
		return error_set(err, ERROR_CORRUPT, "%" PRIu64 " %s bytes that may be wrong", s->n_doubtful,
				 s->n_doubtful == 1 ? "file has" : "files have");
	if (s->n_unproven > 0 && told->is_one_file)
		return error_set(err, ERROR_CORRUPT, "not authenticated: this was accepted, but proves nothing");
	if (s->n_unproven > 0)
		return error_set(err, ERROR_CORRUPT, "%" PRIu64 " thing%s not authenticated, which was accepted", s->n_unproven,
				 plural_is(s->n_unproven));
	if (s->n_converting > 0) {
		error_set(err, ERROR_UNFINISHED, "%" PRIu64 " %s left out: being converted", s->n_converting,
			  s->n_converting == 1 ? "entry was" : "entries were");
		return error_hint(err, "with the key what is being converted can be read; `convert --status` says what finishes the conversion");
	}
	if (s->n_sealed > 0)
		return is_sealed(told, s, err);
	return s->n_refused == 0 || is_refused(s, err);
}

/* --- JSON ---------------------------------------------------------------------------------------------------------------- */

static struct json_object *counts(const struct export_told *told, const struct export_summary *s)
{
	struct json_object *line = json_line(), *lost = json_line();

	json_u64(line, "files", s->n_files);
	json_u64(line, "further_names", s->n_links);
	json_u64(line, "directories", s->n_directories);
	json_u64(line, "symlinks", s->n_symlinks);
	json_u64(line, "special", s->n_special);
	json_u64(line, "bytes", s->bytes);
	json_u64(line, "other_mirror", told->n_mirror);
	json_u64(line, "sealed", s->n_sealed);
	json_u64(line, "ciphertext", s->n_ciphertext);
	json_u64(line, "nested", s->n_nested);
	json_u64(line, "refused", s->n_refused);
	json_u64(line, "being_converted", s->n_converting);
	json_u64(line, "incomplete", s->n_incomplete);
	json_u64(line, "lost_bytes", s->lost_bytes);
	json_u64(line, "doubtful", s->n_doubtful);
	json_u64(line, "doubtful_bytes", s->doubtful_bytes);
	json_u64(line, "not_authenticated", s->n_unproven);
	json_u64(line, "damaged", s->n_damaged);
	json_u64(line, "failed", s->n_failed);
	for (size_t i = 0; i < OUT_LOSSES; i++) {
		if (s->losses[i] > 0)
			json_u64(lost, export_losses[i].name, s->losses[i]);
	}
	json_member(line, "not_kept", lost);
	return line;
}

void export_summary_json(const struct export_told *told, const struct export_summary *s, const struct error *err, FILE *out)
{
	struct json_object *line = json_line();

	json_member(line, "summary", counts(told, s));
	json_number(line, "status", err ? err->kind : ERROR_NONE);
	if (err) {
		json_text(line, "error", error_name(err));
		json_text(line, "text", err->text);
	}
	if (err && err->hint[0])
		json_text(line, "hint", err->hint);
	json_print(line, out);
}

/* --- text ---------------------------------------------------------------------------------------------------------------- */

/* "3 files, " */
static void put(uint64_t n, const char *one, const char *many, const char *behind)
{
	fprintf(stderr, "%" PRIu64 " %s%s", n, n == 1 ? one : many, behind);
}

static void print_losses(const struct export_summary *s)
{
	const char *separator = "not kept: ";

	for (size_t i = 0; i < OUT_LOSSES; i++) {
		if (s->losses[i] > 0) {
			fprintf(stderr, "%s%s (%" PRIu64 ")", separator, export_losses[i].name, s->losses[i]);
			separator = ", ";
		}
	}
	if (*separator == ',')
		fputc('\n', stderr);
}

static void print_all(const struct export_told *told, const struct export_summary *s)
{
	/* What was handed over may not have arrived. */
	fprintf(stderr, "%s%s: ", told->done, told->is_cut ? " before the early end" : "");
	put(s->n_files, "file", "files", " (");
	put(s->n_links, "further name", "further names", "), ");
	put(s->n_directories, "directory", "directories", ", ");
	put(s->n_symlinks, "symbolic link", "symbolic links", ", ");
	put(s->n_special, "special file", "special files", ", ");
	put(s->bytes, "byte", "bytes", " of data\n");
	fprintf(stderr, "read from another mirror: %" PRIu64 "; skipped: %" PRIu64 " sealed, %" PRIu64 " refused; failed: %" PRIu64
		", damaged: %" PRIu64 ", incomplete: ", told->n_mirror, s->n_sealed, s->n_refused, s->n_failed, s->n_damaged);
	put(s->n_incomplete, "file", "files", " (");
	put(s->lost_bytes, "byte", "bytes", " lost)");
	if (s->n_doubtful > 0) {
		fputs(", doubtful: ", stderr);
		put(s->n_doubtful, "file", "files", " (");
		put(s->doubtful_bytes, "byte", "bytes", ")");
	}
	if (s->n_unproven > 0)
		fprintf(stderr, ", not authenticated: %" PRIu64, s->n_unproven);
	if (s->n_converting > 0)
		fprintf(stderr, ", being converted: %" PRIu64, s->n_converting);
	fputc('\n', stderr);
	print_losses(s);
}

/* A single file has no names and no kinds to count. If it was printed as it is, or not at all, there is nothing to say. */
static void print_file(const struct export_told *told, const struct export_summary *s)
{
	if (told->n_mirror + s->lost_bytes + s->doubtful_bytes == 0 && (!told->is_cut || s->bytes == 0))
		return;
	fprintf(stderr, "%s: ", told->done);
	put(s->bytes, "byte", "bytes", " of data; ");
	fprintf(stderr, "read from another mirror: %" PRIu64 "; lost: ", told->n_mirror);
	put(s->lost_bytes, "byte", "bytes", ", doubtful: ");
	put(s->doubtful_bytes, "byte", "bytes", "\n");
}

void export_summary_print(const struct export_told *told, const struct export_summary *s)
{
	(told->is_one_file ? print_file : print_all)(told, s);
}
