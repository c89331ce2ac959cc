/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the blocks that were bad before they were sealed. */
#include "common/sealed/carried.h"

#include <stdlib.h>

#include "common/sealed/crypt-list.h"
#include "common/util/array.h"
#include "common/util/order.h"

static bool add(void *context, const struct crypt_bad_block *bad, struct error *err)
{
	struct carried *carried = context;

	if (bad->what != BAD_CARRIED)
		return true;
	if (!ARRAY_ROOM(carried->at, carried->n, carried->room, err))
		return false;
	carried->at[carried->n++] = *bad;
	return true;
}

ORDER_BY_2(compare, struct crypt_bad_block, unit_id, block);

bool carried_has(struct carried *carried, const struct domain *domain, uint64_t unit_id, uint32_t block, bool *has, struct error *err)
{
	const struct crypt_bad_block wanted = { .unit_id = unit_id, .block = block };

	*has = false;
	if (domain->header.n_bad_blocks == 0)
		return true;
	if (!carried->is_read) {
		carried->n = 0;
		if (!bad_blocks_visit(domain->volume, domain->header.domain, add, carried, err))
			return false;
		carried->is_read = true;
	}
	*has = carried->n > 0 && bsearch(&wanted, carried->at, carried->n, sizeof(wanted), compare);
	return true;
}

void carried_free(struct carried *carried)
{
	free(carried->at);
	*carried = (struct carried){ 0 };
}
