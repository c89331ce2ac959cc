/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase DATA: extents of the format of 2016 become plain text, or what they were. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/csum-update.h"
#include "common/convert/legacy-run.h"
#include "common/sealed/extent-part.h"
#include "common/util/array.h"
#include "common/fs/source.h"

#define EXTENT_MAX ((size_t)JOURNAL_CARRIED_MAX * CRYPT_BLOCK)

struct batch {
	struct legacy_run *run;
	struct transaction *tx;
	struct journal_carried *carried;
	size_t n, room;
	uint8_t *bytes;
	size_t used, size;
};

static void batch_close(struct batch *batch)
{
	if (batch->tx)
		transaction_drop(batch->tx);
	wiped_free(batch->bytes, batch->size);
	free(batch->carried);
	*batch = (struct batch){ 0 };
}

/* Copies without a checksum that differ, and the like. */
static void note_doubt(void *context, const struct report *report)
{
	struct error *const doubt = context;

	if (report->kind == REPORT_DOUBTFUL && doubt->kind == ERROR_NONE)
		error_set(doubt, ERROR_CORRUPT, "%s", report->text ? report->text : "nothing shows that its data are right");
}

/* Names the file that an extent was first seen in. */
static bool name_file(struct legacy_run *run, size_t i, struct error *err)
{
	const struct legacy_extent *const extent = &run->extent[i];
	char *const label = file_label(&run->list, &run->scan->tree[extent->member], extent->inode);

	if (label)
		error_prefix(err, "%.300s", label);
	free(label);
	return false;
}

/* The extent as it is on disk, from a copy that matches its checksum. */
static bool read_extent(struct legacy_run *run, size_t i, uint8_t *bytes, struct error *err)
{
	const struct scan_extent *const at = &run->scan->extent[i];
	const struct file_extent e = {
		.type = FILE_EXTENT_REG, .disk_bytenr = at->logical, .disk_num_bytes = at->length, .ram_bytes = at->length, .num_bytes = at->length,
	};
	const struct file_item item = { &run->scan->tree[run->extent[i].member], run->extent[i].inode, at->file_offset, &e };

	return plain_source.read(&plain_source, &item, 0, bytes, at->length, err) || name_file(run, i, err);
}

bool legacy_data_check(struct legacy_run *run, struct error *err)
{
	const struct reporter reporter = run->volume->reporter;
	uint8_t *const bytes = malloc(EXTENT_MAX);
	struct error doubt = { 0 };
	uint64_t done = 0;
	bool ok = bytes || error_memory(err);

	run->volume->reporter = (struct reporter){ note_doubt, &doubt };
	for (size_t i = 0; ok && i < run->scan->n_extents; i++) {
		if (run->extent[i].is != LEGACY_ENCRYPTED)
			continue;
		ok = read_extent(run, i, bytes, err);
		if (ok && doubt.kind != ERROR_NONE) {
			*err = doubt;
			ok = name_file(run, i, err);
		}
		if (ok && run->ui && run->ui->stop && run->ui->stop(run->ui->context))
			ok = error_set(err, ERROR_STOPPED, "stopped; nothing was changed");
		done += run->scan->extent[i].length;
		legacy_progress(run, CRYPT_PHASE_DATA, done, run->scan->data_bytes);
	}
	run->volume->reporter = reporter;
	free(bytes);
	return ok || error_is_machine(err) || err->kind == ERROR_STOPPED ? ok :
	       error_hint(err, "nothing was changed; `btrfs-crypt export` saves everything that can be read");
}

/* Tree blocks that the checksums of an extent may change: their leaves are at least half full, and one at each edge. */
static size_t csum_leaves(const struct legacy_run *run, uint64_t len)
{
	const struct superblock *super = &run->volume->super;

	return 3 + len / super->sector_size * csum_type_size(super->csum_type) / (super->node_size / 2);
}

static bool add(struct batch *batch, size_t i, struct error *err)
{
	struct legacy_run *const run = batch->run;
	const struct scan_extent *const at = &run->scan->extent[i];
	uint8_t *const to = batch->bytes + batch->used;

	if (!ARRAY_ROOM(batch->carried, batch->n, batch->room, err) || !read_extent(run, i, to, err) ||
	    !(legacy_is_undoing(run) ? legacy_encrypt : legacy_decrypt)(run->ciphers, run->extent[i].iv, to, at->length, false, err) ||
	    !csum_update(run->volume, batch->tx, at->logical, to, at->length, err))
		return false;
	batch->carried[batch->n++] = (struct journal_carried){ at->logical, at->length / CRYPT_BLOCK, to };
	batch->used += at->length;
	return true;
}

static bool commit(struct batch *batch, uint64_t cursor, struct error *err)
{
	const struct journal_data data = { .carried = batch->carried, .n_carried = batch->n };

	batch->n = batch->used = 0;
	return legacy_commit_step(batch->run, &batch->tx, CRYPT_PHASE_DATA, cursor, &data, err);
}

/* Everything at or above the cursor is plain text. */
static bool is_left(const struct legacy_run *run, size_t i, uint64_t cursor)
{
	return run->extent[i].is == LEGACY_ENCRYPTED && (run->scan->extent[i].logical < cursor) != legacy_is_undoing(run);
}

static bool convert(struct batch *batch, struct error *err)
{
	struct legacy_run *const run = batch->run;
	const bool undoing = legacy_is_undoing(run);
	const uint64_t start = run->at.cursor;
	uint64_t done = 0;

	for (size_t n = 0; n < run->scan->n_extents; n++) {
		const size_t i = undoing ? n : run->scan->n_extents - 1 - n;
		const struct scan_extent *const at = &run->scan->extent[i];

		if (!is_left(run, i, start))
			continue;
		if (batch->n > 0 && (batch->used + at->length > batch->size ||
				     !legacy_has_room(run, batch->tx, csum_leaves(run, at->length), batch->n + 1, batch->used + at->length)) &&
		    !commit(batch, undoing ? at->logical : at->logical + at->length, err))
			return false;
		if (!add(batch, i, err))
			return false;
		done += at->length;
		legacy_progress(run, CRYPT_PHASE_DATA, done, run->scan->data_bytes);
	}
	return commit(batch, undoing ? UINT64_MAX : 0, err);
}

bool legacy_data_convert(struct legacy_run *run, struct error *err)
{
	const size_t record = journal_capacity(&run->op.journal);
	struct batch batch = { .run = run, .size = record > EXTENT_MAX ? record : EXTENT_MAX };
	bool ok;

	batch.bytes = malloc(batch.size);
	ok = (batch.bytes || error_memory(err)) && transaction_begin(run->volume, run->allocator, &batch.tx, err) && convert(&batch, err);
	batch_close(&batch);
	return ok;
}
