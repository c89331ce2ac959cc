/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a file that may be wrong. A file is read in pieces, and some pieces twice, so adjacent bytes are reported as one range and each
 * byte once.
 */
#ifndef COMMON_EXPORT_DOUBTS_H
#define COMMON_EXPORT_DOUBTS_H

#include "common/util/report.h"
#include "format/error.h"

struct doubts {
	uint64_t size;		/* of the file, or the end of the wanted part */
	uint64_t first, end;	/* not reported yet; equal: none */
	uint64_t told;		/* everything before it was reported */
	bool any;		/* of this file */
	uint64_t logical, disk_length;	/* where they begin on disk, and how many follow each other there */
	char text[sizeof(((struct error *)0)->text)];
	struct reporter reporter;	/* gets them */
};

void doubts_begin(struct doubts *doubts, uint64_t first, uint64_t size);
void doubts_add(struct doubts *doubts, const struct report *doubt);
void doubts_end(struct doubts *doubts);		/* end of the file: reports the rest */

#endif /* COMMON_EXPORT_DOUBTS_H */
