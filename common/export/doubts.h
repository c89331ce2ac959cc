/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of a file that may be wrong: a file is read in pieces, and a piece perhaps twice; neighbours are told as one, each byte once. */
#ifndef COMMON_EXPORT_DOUBTS_H
#define COMMON_EXPORT_DOUBTS_H

#include "common/volume/volume.h"

struct doubts {
	uint64_t size;		/* of the file, or where what is wanted of it ends */
	uint64_t first, end;	/* not yet told; equal: none */
	uint64_t told;		/* what is before was told */
	bool any;		/* of this file */
	char text[sizeof(((struct error *)0)->text)];
	void (*tell)(void *context, uint64_t first, uint64_t end, const char *text);
	void *context;
};

void doubts_begin(struct doubts *doubts, uint64_t first, uint64_t size);
void doubts_add(void *doubts, const struct volume_doubt *doubt);	/* for volume->doubt */
void doubts_end(struct doubts *doubts);		/* of a file: tells what is left */

#endif /* COMMON_EXPORT_DOUBTS_H */
