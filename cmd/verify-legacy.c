/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/verify-legacy.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cmd/legacy-source.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "cmd/row.h"
#include "common/fs/file-parts.h"
#include "common/fs/walk.h"
#include "common/util/plural.h"

struct checking {
	struct file_reader *reader;
	struct extent_source *source;
	struct reporter above;		/* who hears what is not about the bytes of a file */
	struct progress progress;
	bool has_key;
	const struct walk_entry *entry;
	uint64_t n_files, bytes, n_bad;
	/* What is wrong with adjacent bytes of the file is one failure. */
	struct finding { uint64_t first, end; char text[512]; } finding;
};

static void print_finding(struct checking *checking, const struct finding *finding)
{
	const struct walk_entry *const entry = checking->entry;

	progress_clear(&checking->progress);

	const struct row row = row_begin("failure");

	row_path(&row, "", entry->path, entry->path_len);
	row_text(&row, "bad", ": ", finding->text);
	if (row.json && finding->end > finding->first)
		row_file_part(&row, entry->tree->id, entry->number, false, finding->first, finding->end - 1);
	row_end(&row);
	checking->n_bad++;
}

static void flush_finding(struct checking *checking)
{
	if (checking->finding.end > 0)
		print_finding(checking, &checking->finding);
	checking->finding.end = 0;
}

static void add_finding(struct checking *checking, const struct report *report)
{
	struct finding *const last = &checking->finding;
	const uint64_t size = checking->entry->inode.size, end = report->end < size ? report->end : size;

	if (report->first >= end)
		return;
	if (last->end == report->first && last->end > 0 && strcmp(last->text, report->text) == 0) {
		last->end = end;
		return;
	}
	flush_finding(checking);
	last->first = report->first;
	last->end = end;
	snprintf(last->text, sizeof(last->text), "%s", report->text ? report->text : "it cannot be read");
}

static void hear_lost(void *context, const struct report *report)
{
	add_finding(context, report);
}

static void hear_volume(void *context, const struct report *report)
{
	struct checking *const checking = context;

	if (report->kind == REPORT_DOUBTFUL && checking->entry)
		add_finding(checking, report);
	else
		report_to(&checking->above, report);
}

static bool take_bytes(void *context, uint64_t offset, const void *bytes, size_t len, struct error *err)
{
	struct checking *const checking = context;

	(void)offset, (void)bytes, (void)err;
	checking->bytes += len;
	return true;
}

static bool on_entry(void *context, const struct walk_entry *entry, bool *descend, struct error *err)
{
	struct checking *const checking = context;
	const struct file_sink sink = { .data = take_bytes, .report = hear_lost, .context = checking, .wants_ciphertext = !checking->has_key };

	/* A nested subvolume may have another key: it is verified by itself. */
	if (entry->is_subvolume && entry->depth > 0)
		*descend = false;
	if (!S_ISREG(entry->inode.mode) || entry->is_later_link)
		return true;
	checking->entry = entry;
	checking->n_files++;

	const bool ok = file_parts_read(checking->reader, checking->source, entry->tree, entry->number, entry->inode.size, &sink, err);

	flush_finding(checking);
	checking->entry = NULL;
	return ok;
}

static void on_report(void *context, const struct report *report)
{
	struct checking *const checking = context;

	progress_clear(&checking->progress);

	const struct row row = row_begin("failure");

	row_path(&row, "", report->path, report->path_len);
	row_text(&row, "bad", ": ", report->text ? report->text : "it cannot be read");
	row_end(&row);
	checking->n_bad++;
}

static void print_result(const struct checking *checking, const struct legacy *legacy)
{
	const struct row row = row_begin("summary");
	char text[LEGACY_TEXT_SIZE];

	row_flag(&row, "passed", "read", checking->n_bad == 0);
	row_words(&row, checking->n_bad > 0 ? "failed" : "");
	row_text(&row, "encryption", ": ", legacy_text(legacy, text));
	row_flag(&row, "decrypted", NULL, checking->has_key);
	row_flag(&row, "authenticated", NULL, false);
	row_u64(&row, "files", ": ", checking->n_files);
	row_format(&row, " file%s", plural(checking->n_files));
	row_u64(&row, "bytes", ", ", checking->bytes);
	row_format(&row, " byte%s", plural(checking->bytes));
	row_u64(&row, "failures", ", ", checking->n_bad);
	row_format(&row, " failure%s", plural(checking->n_bad));
	row_end(&row);
}

static bool check_all(const struct legacy_named *named, struct checking *checking, struct error *err)
{
	static const struct walk_visitor visitor = { .entry = on_entry, .report = on_report };
	const struct file_id start = { named->subvolume->id, named->subvolume->root.dirid };
	bool ok;

	checking->above = named->volume->reporter;
	named->volume->reporter = (struct reporter){ hear_volume, checking };
	ok = walk(named->volume, &start, &visitor, checking, err);
	named->volume->reporter = checking->above;
	progress_clear(&checking->progress);
	return ok;
}

bool verify_legacy(const struct legacy_named *named, struct error *err)
{
	static const struct legacy_ask ask = { .is_needed = false };
	cleanup_secret struct secret *key = NULL;
	struct checking checking = { .entry = NULL };
	struct legacy_reader *legacy = NULL;
	bool ok;

	if (!legacy_check_readable(named->legacy, named->subvolume->id, err) || !progress_choose(&checking.progress, err) || !legacy_key_get(named, &ask, &key, err) ||
	    !legacy_source_open(named, key, &legacy, &checking.source, err))
		return false;
	checking.has_key = key != NULL;
	ok = file_reader_new(&checking.reader, err) && check_all(named, &checking, err);
	file_reader_free(checking.reader);
	legacy_reader_close(legacy);
	if (!ok)
		return false;
	print_result(&checking, named->legacy);
	if (!checking.has_key)
		print_note(NULL, "no key was given: data were compared with their checksums, but not decrypted");
	print_note(NULL, "the format of 2016 authenticates nothing: whoever changed data could make their checksums match");
	return checking.n_bad == 0 || error_set(err, ERROR_CORRUPT, "%" PRIu64 " failure%s", checking.n_bad, plural(checking.n_bad));
}
