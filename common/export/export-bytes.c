/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves the bytes of one file to the output and to its hash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/export/export-job.h"

#define FILE_ZEROS (1u << 18)

/* --- doubts about adjacent bytes ----------------------------------------------------------------------------- */

static void doubts_begin(struct doubts *doubts, uint64_t first, uint64_t size)
{
	doubts->size = size;
	doubts->first = doubts->end = doubts->told = first;
	doubts->any = false;
}

static void doubts_end(struct doubts *doubts)
{
	if (doubts->first == doubts->end)
		return;
	report_to(&doubts->reporter, &(struct report){
		.kind = REPORT_DOUBTFUL, .first = doubts->first, .end = doubts->end, .logical = doubts->logical, .disk_length = doubts->disk_length,
		.text = doubts->text });
	doubts->told = doubts->first = doubts->end;
}

/* Of what was told already, only the rest is left, unless it is compressed. */
static void take_place(struct doubts *doubts, const struct report *doubt, uint64_t first, bool is_first)
{
	const uint64_t told = doubt->disk_length == doubt->end - doubt->first ? first - doubt->first : 0;
	const uint64_t logical = doubt->logical + told, length = doubt->disk_length - told;

	if (is_first) {
		doubts->logical = logical;
		doubts->disk_length = length;
	} else if (doubts->disk_length > 0 && logical == doubts->logical + doubts->disk_length) {
		doubts->disk_length += length;
	}
}

static void doubts_add(struct doubts *doubts, const struct report *doubt)
{
	const bool is_first = doubts->first == doubts->end;
	const uint64_t done = is_first ? doubts->told : doubts->end;
	const uint64_t first = doubt->first > done ? doubt->first : done, end = doubt->end < doubts->size ? doubt->end : doubts->size;

	if (first >= end)
		return;
	doubts->any = true;
	if (is_first || first != doubts->end) {
		doubts_end(doubts);
		doubts->first = first;
		snprintf(doubts->text, sizeof(doubts->text), "%s", doubt->text);
	}
	take_place(doubts, doubt, first, doubts->first == first);
	doubts->end = end;
}

/* --- bytes ------------------------------------------------------------------------------------------------------- */

static void hash_zeros(struct export_job *job, uint64_t end)
{
	while (job->is_hashed && job->at < end) {
		const size_t n = end - job->at < FILE_ZEROS ? end - job->at : FILE_ZEROS;

		hash_update(job->hash, job->zeros, n);
		job->at += n;
	}
}

static bool take_bytes(void *context, uint64_t offset, const void *bytes, size_t len, struct error *err)
{
	struct export_job *job = context;

	if (job->is_hashed) {
		hash_zeros(job, offset);
		hash_update(job->hash, bytes, len);
		job->at = offset + len;
	}
	if (!job->out->ops->data(job->out, offset, bytes, len, err))
		return false;
	job->summary->bytes += len;
	if (job->options->progress)
		job->options->progress(job->options->context, job->summary);
	return true;
}

static void take_report(void *context, const struct report *report)
{
	export_tell(context, *report);
}

/* What the volume reports about bytes of the file is gathered first. */
static void hear_volume(void *context, const struct report *report)
{
	struct export_job *job = context;

	if (report->kind == REPORT_DOUBTFUL)
		doubts_add(&job->doubts, report);
	else
		report_to(&job->above, report);
}

static bool write_bytes(struct export_job *job, const struct walk_entry *entry, struct extent_source *source, bool ciphertext,
			struct error *err)
{
	const struct file_sink sink = { take_bytes, take_report, job, job->options->first, job->options->end, ciphertext };

	job->at = 0;
	job->is_incomplete = false;
	doubts_begin(&job->doubts, job->options->first, sink.end != 0 && sink.end < entry->inode.size ? sink.end : entry->inode.size);
	if (job->is_hashed)
		hash_start(job->hash);
	if (!file_parts_read(job->reader, source, entry->tree, entry->number, entry->inode.size, &sink, err))
		return false;
	doubts_end(&job->doubts);
	hash_zeros(job, entry->inode.size);
	job->summary->n_incomplete += job->is_incomplete;
	job->summary->n_doubtful += job->doubts.any;
	return job->out->ops->end(job->out, err);
}

static bool tell_hash(struct export_job *job, struct export_kept *kept, struct error *err)
{
	uint8_t hash[HASH_SIZE];

	if (!job->is_hashed)
		return true;
	if (!hash_finish(job->hash, hash, err))
		return false;
	if (kept) {
		memcpy(kept->hash, hash, sizeof(hash));
		kept->has_hash = true;
		kept->marks = (uint8_t)job->marks;
	}
	return job->options->hashed(job->options->context, job->path, hash, job->marks, err);
}

bool export_bytes(struct export_job *job, const struct walk_entry *entry, struct extent_source *source, bool ciphertext, struct export_kept *kept,
		  struct error *err)
{
	return write_bytes(job, entry, source, ciphertext, err) && tell_hash(job, kept, err);
}

bool export_bytes_init(struct export_job *job, struct error *err)
{
	job->doubts.reporter = (struct reporter){ take_report, job };
	job->above = job->volume->reporter;
	job->volume->reporter = (struct reporter){ hear_volume, job };
	job->zeros = calloc(1, FILE_ZEROS);
	return (job->zeros || error_memory(err)) && file_reader_new(&job->reader, err) &&
	       (!job->options->hashed || hash_new(&job->hash, err));
}

void export_bytes_free(struct export_job *job)
{
	job->volume->reporter = job->above;
	file_reader_free(job->reader);
	hash_free(job->hash);
	free(job->zeros);
}
