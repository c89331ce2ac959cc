/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phase FINISH: reads back what was written, wipes what was freed, clears the superblocks. */
#include "common/convert/finish.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/commit.h"
#include "common/convert/conversion.h"
#include "common/convert/preflight.h"
#include "common/convert/wipe.h"
#include "common/volume/mirror.h"

/* --- reading back -------------------------------------------------------------------------------- */

/*
 * Checks that every mirror has the block that the pointer to it and the first mirror that fits say. A mirror that is invalid or of an older
 * generation is written again, as a scrub would. If two mirrors are equally good, only the last record could tell them apart: they stay as
 * they are, and this is reported.
 */
static bool check_block(struct conversion *c, const struct block *right, struct error *err)
{
	struct volume *volume = c->volume;
	const uint32_t size = volume->super.node_size;
	uint8_t *bytes = malloc(size);
	unsigned n_mirrors;
	bool is_bad = false, differs = false;

	if (!bytes)
		return error_memory(err);
	if (!volume_n_mirrors(volume, right->logical, &n_mirrors, err)) {
		free(bytes);
		return false;
	}
	for (unsigned mirror = 0; mirror < n_mirrors; mirror++) {
		struct error why;
		struct node node;

		if (!block_mirror_read(volume, right->logical, mirror, bytes, &node, &why) || node.generation < right->node.generation)
			is_bad = true;
		else if (memcmp(bytes, right->bytes, size) != 0)
			differs = true;
	}
	wiped_free(bytes, size);
	if (differs && c->n_undecided++ == 0)
		c->undecided = right->logical;
	return differs || !is_bad || volume_read_back(volume, right->logical, right->bytes, size, err);
}

static bool check_visit(void *context, struct block *block, bool *descend, struct error *err)
{
	(void)descend;
	return check_block(context, block, err);
}

/* Reads back all trees that a conversion writes to. */
static bool read_back(struct conversion *c, struct error *err)
{
	struct volume *volume = c->volume;

	if (!operation_flush(&c->op, err))
		return false;
	block_cache_drop_idle(volume);
	if (!conversion_trees_walk(volume, check_visit, c, err))
		return false;
	for (size_t i = 0; c->scan && i < c->scan->n_blocks; i++) {
		cleanup_block struct block *block = NULL;

		if (!scan_block_get(c->scan, &c->scan->block[i], &block, err) || !check_block(c, block, err))
			return false;
	}
	return true;
}

/* The feature bit stays if this domain did not set it, or if another one needs it. */
static bool verity_stays(struct conversion *c, bool *stays, struct error *err)
{
	uint16_t *numbers = NULL;
	size_t n = 0;

	*stays = true;
	if (conversion_to(c)->is_sealed || conversion_is_rekey(c) || c->header.had_verity)
		return true;
	if (!domain_numbers(c->volume, &numbers, &n, err))
		return false;
	free(numbers);
	*stays = n > 0;
	return true;
}

bool finish_tell(const struct conversion *c, struct error *err)
{
	if (c->not_whole.kind != ERROR_NONE) {
		error_set(err, ERROR_CORRUPT, "the conversion has finished, but not everything is intact: %s", c->not_whole.text);
		return error_hint(err, "%s", c->not_whole.hint);
	}
	return c->n_undecided == 0 ||
	       error_set(err, ERROR_CORRUPT, "the conversion has finished, but the mirrors of tree block %" PRIu64
	       	" (and %zu others) differ; all of them are valid and nothing tells which is right, so they were left as they are",
	       	c->undecided, c->n_undecided - 1);
}

bool finish_run(struct conversion *c, struct error *err)
{
	const struct journal_point at = { .direction = c->direction, .phase = c->phase, .cursor = c->cursor };
	uint64_t unwiped;
	bool verity;

	return read_back(c, err) && wipe_all(&c->op, c->ui, c->direction, c->plan ? &c->plan->unwiped_free_bytes : &unwiped, err) &&
	       verity_stays(c, &verity, err) && operation_clear(&c->op, &at, verity, err) && finish_tell(c, err);
}
