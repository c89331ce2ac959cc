/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of purge.h, for the files that implement it. */
#ifndef COMMON_CONVERT_PURGE_INSIDE_H
#define COMMON_CONVERT_PURGE_INSIDE_H

#include "common/convert/operation.h"
#include "common/convert/purge.h"
#include "common/sealed/domain.h"
#include "common/sealed/scan.h"

struct purging {
	struct volume *volume;
	const struct convert_ui *ui;
	struct convert_plan *plan;
	struct key_schedule *schedule;	/* of no key */
	struct crypt_header header;	/* of the domain, as it says itself: not authenticated, and never written */
	struct operation op;
	struct allocator *allocator;
	struct subvolume_list list;
	struct scan *scan;		/* of all subvolumes; NULL: not needed yet */
	struct journal_point at;
};

void purging_close(struct purging *p);	/* a zeroed struct is fine */
/* Makes p->schedule and p->op for a header that is set. */
bool purging_prepare(struct purging *p, struct error *err) must_use;
/* Reads p->list and p->scan. ERROR_REFUSED: a subvolume is deleted and not cleaned up. */
bool purging_scan(struct purging *p, struct error *err) must_use;
/* Removes the items of the domain in this transaction, and settles it. */
bool purging_edit(const struct purging *p, struct transaction *tx, struct error *err) must_use;
/* Steps 4 to 6, in the direction of p->at. */
bool purging_finish(struct purging *p, struct error *err) must_use;

/* --- purge-needed.c --- */
/* Does nothing need the domain any more, as far as anybody can tell without its key? ERROR_REFUSED. p->scan must be set. */
bool purging_check_unneeded(const struct purging *p, const struct domain *domain, struct error *err) must_use;
/* Does nothing on the image have a use for the compat_ro bit of fs-verity? False also if something cannot be read. */
bool purging_verity_is_unused(struct purging *p);

/* --- purge-check.c --- */
/*
 * After a crash, with nothing laid over the trees, p->op and its journal open: are the last two records those of a purge of this domain? They
 * are if the first one, laid over the trees, gives a filesystem that does not need the domain; if doing the purge there again, in memory,
 * gives the second one, byte for byte; and if each block on the disk consists of parts of these two. So whatever anybody put into the
 * records, what is written is what a purge writes. ERROR_STATE. Nothing stays laid over the trees.
 */
bool purging_check_records(struct purging *p, struct error *err) must_use;

#endif /* COMMON_CONVERT_PURGE_INSIDE_H */
