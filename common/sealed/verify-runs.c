/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/sealed/verify-runs.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/sealed/carried.h"

void verify_bad(struct verify *v, const char *path, const char *format, ...)
{
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	v->result->n_bad++;
	v->bad(v->context, path, what, NULL);
}

bool verify_bad_in(struct verify *v, const struct tree *subvolume, uint64_t inode, const char *what, const struct verify_range *range,
		   struct error *err)
{
	char *label = file_label(v->view.list, subvolume, inode);

	if (!label)
		return error_memory(err);
	v->result->n_bad++;
	v->bad(v->context, label, what, range);
	free(label);
	return true;
}

static bool same_marks(const struct block_marks *a, const struct block_marks *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Appends "fail authentication on mirror 2 of 2" to the text. */
static void append_marks(char *text, size_t size, const char *what, uint32_t mirrors, unsigned n_mirrors)
{
	size_t n = strlen(text);

	if (!mirrors)
		return;
	n += (size_t)snprintf(text + n, size - n, "%s %s", n ? "," : "", what);
	if (n_mirrors == 1)
		return;
	if (mirrors == (1u << n_mirrors) - 1) {
		snprintf(text + n, size - n, " on every mirror");
		return;
	}
	for (unsigned i = 0, any = 0; i < n_mirrors; i++) {
		if (mirrors & 1u << i)
			n += (size_t)snprintf(text + n, size - n, any++ ? " and %u" : " on mirror %u", i + 1);
	}
	snprintf(text + n, size - n, " of %u", n_mirrors);
}

bool verify_runs_end(struct verify_runs *runs, struct error *err)
{
	const struct verify_finding *f = &runs->finding;
	char how[256] = "", what[384 + EXTENT_ALSO_SIZE];

	if (!f->any)
		return true;
	append_marks(how, sizeof(how), "cannot be read", f->marks.unread, f->n_mirrors);
	append_marks(how, sizeof(how), "fail authentication", f->marks.tag, f->n_mirrors);
	append_marks(how, sizeof(how), "do not match their checksums", f->marks.csum, f->n_mirrors);
	append_marks(how, sizeof(how), CARRIED_TEXT, f->marks.carried, 1);
	append_marks(how, sizeof(how), "were never sealed", f->marks.unsealed, 1);
	runs->finding.any = false;

	const struct tree *subvolume = &runs->v->view.scan->tree[f->member];

	/* Search for the other owners of an extent once, even if it has many bad parts. */
	if (runs->also_of != f->extent || runs->also_of == 0)
		extent_also_in(runs->v->view.list, f->extent, subvolume->id, f->inode, runs->also);
	runs->also_of = f->extent;
	snprintf(what, sizeof(what), "bytes %" PRIu64 " to %" PRIu64 "%s%s (data at %" PRIu64 ")%s", f->part.first, f->part.last,
		 f->part.unused ? " of an extent, which the file does not use," : "", how, f->logical, runs->also);
	const struct verify_range range = {
		.subvolume = subvolume->id,
		.inode = f->inode,
		.first = f->part.first,
		.last = f->part.last,
		.unused = f->part.unused,
		.is_carried = f->marks.carried,
		.logical = f->logical,
	};

	return verify_bad_in(runs->v, subvolume, f->inode, what, &range, err);
}

/* Adds one part of the file that a run stands for. */
static bool add_part(void *context, const struct extent_part *part, struct error *err)
{
	struct verify_runs *runs = context;
	const struct scan_extent *extent = runs->extent;
	struct verify_finding *f = &runs->finding;

	if (f->any && f->member == extent->member && f->inode == extent->inode && f->n_mirrors == runs->n_mirrors &&
	    !f->part.unused && !part->unused && f->part.last + 1 == part->first && same_marks(&f->marks, &runs->run.marks)) {
		f->part.last = part->last;
		return true;
	}
	if (!verify_runs_end(runs, err))
		return false;
	*f = (struct verify_finding){
		.any = true,
		.member = extent->member,
		.inode = extent->inode,
		.part = *part,
		.marks = runs->run.marks,
		.n_mirrors = runs->n_mirrors,
		.logical = extent->logical + runs->run.from,
		.extent = extent->logical,
	};
	return true;
}

bool verify_runs_end_extent(struct verify_runs *runs, struct error *err)
{
	const struct verify_run run = runs->run;

	if (run.from == run.to)
		return true;
	if (!extent_parts(runs->v->view.scan, runs->extent, run.from, run.to, add_part, runs, err))
		return false;
	runs->run = (struct verify_run){ 0 };
	return true;
}

bool verify_runs_add(struct verify_runs *runs, uint64_t offset, const struct block_marks *marks, struct error *err)
{
	static const struct block_marks good;

	if (runs->run.from != runs->run.to && runs->run.to == offset && same_marks(&runs->run.marks, marks)) {
		runs->run.to += CRYPT_BLOCK;
		return true;
	}
	if (!verify_runs_end_extent(runs, err))
		return false;
	if (!same_marks(marks, &good))
		runs->run = (struct verify_run){ offset, offset + CRYPT_BLOCK, *marks };
	return true;
}
