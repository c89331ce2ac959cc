/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gathers doubts about adjacent bytes. */
#include "common/export/doubts.h"

#include <stdio.h>

void doubts_begin(struct doubts *doubts, uint64_t first, uint64_t size)
{
	doubts->size = size;
	doubts->first = doubts->end = doubts->told = first;
	doubts->any = false;
}

void doubts_end(struct doubts *doubts)
{
	if (doubts->first == doubts->end)
		return;
	doubts->tell(doubts->context, doubts->first, doubts->end, doubts->text);
	doubts->told = doubts->first = doubts->end;
}

void doubts_add(void *context, const struct volume_doubt *doubt)
{
	struct doubts *doubts = context;
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
	doubts->end = end;
}
