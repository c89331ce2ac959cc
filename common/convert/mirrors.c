/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before the crypt items are removed, and before the seal: checks the members' tree blocks on the devices, each mirror by itself. A lost
 * write leaves an older block of the same generation with a valid checksum. Only the digest, and what the conversion does to a leaf, tell
 * which mirror is right.
 *
 * What is lost are the writes of a device, and different devices have the same mirror of different blocks: with several devices, no mirror
 * number is right or wrong everywhere. So each leaf is asked by itself. What the conversion does not change is as the digest says, which was
 * made of what was read, the first mirror that was valid: for blocks that do not tell, mirror numbers are tried. If one choice, and no other
 * one, makes everything right, it is taken.
 */
#include "common/convert/mirrors.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/commit.h"
#include "common/convert/conversion.h"
#include "common/convert/leaves.h"
#include "common/convert/state.h"
#include "common/util/array.h"
#include "common/util/set64.h"
#include "common/volume/mirror.h"

#define MIRRORS_MAX (CHUNK_STRIPES_PARITY_MAX + 1)	/* of a tree block, with RAID6 */

/* A block of which several mirrors are equally good. */
struct doubt {
	const struct scan_block *at;
	bool is_known;		/* the leaf itself tells */
};

struct mirrors {
	struct conversion *c;
	uint8_t *bytes;		/* a node for each mirror */
	unsigned n_most;	/* that there is room for */
	struct doubt *doubt;	/* by address */
	size_t n_doubts, doubt_room;
	struct mirror_choice *choice;	/* for each of them, what is tried now */
	unsigned *right;	/* for each of them, what makes the members hold */
	unsigned n_right;	/* the number of choices that do, up to 2 */
	struct set64 tried;
};

static uint8_t *bytes_of(const struct mirrors *mirrors, unsigned mirror)
{
	return mirrors->bytes + (size_t)mirror * mirrors->c->volume->super.node_size;
}

/*
 * Reads every mirror of a block. *best: a valid one of the newest generation. The pointer to the block says which generation it has, so an
 * older one counts as invalid. Each mirror either has the same bytes, is equally good (undecided), or is bad.
 */
enum mirror_state { MIRROR_BAD, MIRROR_SAME, MIRROR_OTHER };

static bool read_mirrors(struct mirrors *mirrors, uint64_t logical, unsigned n, unsigned *best, enum mirror_state *state, struct error *err)
{
	struct volume *volume = mirrors->c->volume;
	uint64_t generation[MIRRORS_MAX];
	bool found = false;
	struct error bad = { 0 };

	for (unsigned mirror = 0; mirror < n; mirror++) {
		struct node node;

		state[mirror] = MIRROR_BAD;
		if (!block_mirror_read(volume, logical, mirror, bytes_of(mirrors, mirror), &node, &bad))
			continue;
		state[mirror] = MIRROR_OTHER;
		generation[mirror] = node.generation;
		if (!found || node.generation > generation[*best])
			*best = mirror;
		found = true;
	}
	if (!found) {
		*err = bad;
		return false;
	}
	for (unsigned mirror = 0; mirror < n; mirror++) {
		if (state[mirror] == MIRROR_BAD)
			continue;
		if (generation[mirror] < generation[*best])
			state[mirror] = MIRROR_BAD;
		else if (memcmp(bytes_of(mirrors, mirror), bytes_of(mirrors, *best), volume->super.node_size) == 0)
			state[mirror] = MIRROR_SAME;
	}
	return true;
}

static bool read_block(struct mirrors *mirrors, const struct scan_block *at, unsigned *n, unsigned *best, enum mirror_state *state, struct error *err)
{
	const struct scan *scan = mirrors->c->scan;

	*best = 0;
	if (!volume_n_mirrors(mirrors->c->volume, at->logical, n, err))
		return false;
	return read_mirrors(mirrors, at->logical, *n, best, state, err) || error_prefix(err, "subvolume %" PRIu64, scan->member[at->member]);
}

static bool write_again(struct mirrors *mirrors, uint64_t logical, unsigned right, struct error *err)
{
	return volume_read_back(mirrors->c->volume, logical, bytes_of(mirrors, right), mirrors->c->volume->super.node_size, err);
}

/* A bad mirror beside a good one is written again, as a scrub would. Two good ones are in doubt. */
static bool mend_bad(struct mirrors *mirrors, const struct scan_block *at, struct error *err)
{
	enum mirror_state state[MIRRORS_MAX];
	unsigned n, best;
	bool is_bad = false;

	if (!read_block(mirrors, at, &n, &best, state, err))
		return false;
	for (unsigned mirror = 0; mirror < n; mirror++) {
		if (state[mirror] == MIRROR_OTHER) {
			if (!ARRAY_ROOM(mirrors->doubt, mirrors->n_doubts, mirrors->doubt_room, err))
				return false;
			mirrors->doubt[mirrors->n_doubts++] = (struct doubt){ .at = at };
			return true;
		}
		is_bad = is_bad || state[mirror] == MIRROR_BAD;
	}
	return !is_bad || write_again(mirrors, at->logical, best, err);
}

static bool mend_decided(struct mirrors *mirrors, size_t i, struct error *err)
{
	enum mirror_state state[MIRRORS_MAX];
	unsigned n, best;

	return read_block(mirrors, mirrors->doubt[i].at, &n, &best, state, err) &&
	       write_again(mirrors, mirrors->doubt[i].at->logical, mirrors->right[i], err);
}

/* The first mirror with the same bytes, so that equal choices are equal numbers. */
static unsigned first_same(const struct mirrors *mirrors, const enum mirror_state *state, unsigned mirror)
{
	for (unsigned other = 0; other < mirror; other++)
		if (state[other] != MIRROR_BAD &&
		    memcmp(bytes_of(mirrors, other), bytes_of(mirrors, mirror), mirrors->c->volume->super.node_size) == 0)
			return other;
	return mirror;
}

/* --- is it right? ------------------------------------------------------------------------------------------------ */

/* ERROR_CORRUPT: no. */
static bool members_hold(struct conversion *c, struct error *err)
{
	uint8_t digest[CRYPT_MAC_SIZE];

	block_cache_drop_idle(c->volume);
	if ((conversion_has_touched(c) && !leaves_hold(c, err)) || !conversion_begin_digest(c, digest, err))
		return false;
	return memcmp(digest, c->op.state.begin_digest, sizeof(digest)) == 0 ||
	       error_set(err, ERROR_CORRUPT, "the metadata of the files has changed since the conversion began");
}

/* Asks the leaf itself: a write to it that was lost did something to it. */
static bool ask_leaf(struct mirrors *mirrors, size_t i, struct error *err)
{
	struct doubt *doubt = &mirrors->doubt[i];
	struct mirror_choice *choice = &mirrors->choice[i];
	enum mirror_state state[MIRRORS_MAX];
	unsigned n, best, right = 0, n_right = 0;

	if (!read_block(mirrors, doubt->at, &n, &best, state, err))
		return false;
	if (doubt->at->level > 0 || !conversion_has_touched(mirrors->c))
		return true;
	for (unsigned mirror = 0; mirror < n; mirror++) {
		if (state[mirror] == MIRROR_BAD || first_same(mirrors, state, mirror) != mirror)
			continue;
		choice->mirror = mirror;
		block_cache_drop_idle(mirrors->c->volume);
		if (leaf_holds(mirrors->c, doubt->at, err)) {
			right = mirror;
			n_right++;
		} else if (err->kind != ERROR_CORRUPT) {
			return false;
		}
	}
	doubt->is_known = n_right == 1;
	choice->mirror = doubt->is_known ? right : first_same(mirrors, state, best);
	return true;
}

/* Of the blocks that do not tell, takes the mirror of this number if it is good. */
static bool choose(struct mirrors *mirrors, unsigned mirror, struct error *err)
{
	for (size_t i = 0; i < mirrors->n_doubts; i++) {
		const struct scan_block *at = mirrors->doubt[i].at;
		enum mirror_state state[MIRRORS_MAX];
		unsigned n, best;

		if (mirrors->doubt[i].is_known)
			continue;
		if (!read_block(mirrors, at, &n, &best, state, err))
			return false;
		mirrors->choice[i].mirror = first_same(mirrors, state, mirror < n && state[mirror] != MIRROR_BAD ? mirror : best);
	}
	return true;
}

/* Do the members hold with what is chosen now? */
static bool try_choice(struct mirrors *mirrors, struct error *err)
{
	uint64_t id = 0xcbf29ce484222325;
	bool is_new;

	for (size_t i = 0; i < mirrors->n_doubts; i++)
		id = (id ^ mirrors->choice[i].mirror) * 0x100000001b3;
	if (!set64_add(&mirrors->tried, id, &is_new, err))
		return false;
	if (!is_new)
		return true;
	if (!members_hold(mirrors->c, err))
		return err->kind == ERROR_CORRUPT;
	mirrors->n_right++;
	for (size_t i = 0; i < mirrors->n_doubts; i++)
		mirrors->right[i] = mirrors->choice[i].mirror;
	return true;
}

static bool decide(struct mirrors *mirrors, struct error *err)
{
	struct volume *volume = mirrors->c->volume;
	bool ok = true;

	mirrors->choice = calloc(mirrors->n_doubts, sizeof(*mirrors->choice));
	mirrors->right = calloc(mirrors->n_doubts, sizeof(*mirrors->right));
	if (!mirrors->choice || !mirrors->right)
		return error_memory(err);
	for (size_t i = 0; i < mirrors->n_doubts; i++)
		mirrors->choice[i].logical = mirrors->doubt[i].at->logical;
	volume->choice = mirrors->choice;
	volume->n_choices = mirrors->n_doubts;
	for (size_t i = 0; ok && i < mirrors->n_doubts; i++)
		ok = ask_leaf(mirrors, i, err);
	for (unsigned mirror = 0; ok && mirror < mirrors->n_most; mirror++)
		ok = choose(mirrors, mirror, err) && try_choice(mirrors, err);
	volume->choice = NULL;
	volume->n_choices = 0;
	if (!ok)
		return false;
	if (mirrors->n_right == 1)
		return true;
	error_set(err, ERROR_CORRUPT, "the mirrors of tree block %" PRIu64 " (and %zu others) differ; all of them are valid and nothing "
		"tells which is right", mirrors->doubt[0].at->logical, mirrors->n_doubts - 1);
	return error_hint(err, "the device loses writes: copy the image to another one before going on");
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static bool check(struct mirrors *mirrors, struct error *err)
{
	const struct scan *scan = mirrors->c->scan;

	if (!operation_flush(&mirrors->c->op, err))
		return false;
	for (size_t i = 0; i < scan->n_blocks; i++)
		if (!mend_bad(mirrors, &scan->block[i], err))
			return false;
	if (mirrors->n_doubts == 0)
		return members_hold(mirrors->c, err);
	if (!decide(mirrors, err))
		return false;
	for (size_t i = 0; i < mirrors->n_doubts; i++)
		if (!mend_decided(mirrors, i, err))
			return false;
	return true;
}

bool mirrors_check(struct conversion *c, struct error *err)
{
	const struct volume *volume = c->volume;
	struct mirrors mirrors = { .c = c, .n_most = 1 };
	size_t size;
	bool ok;

	for (size_t i = 0; i < volume->n_chunks; i++) {
		const unsigned n = volume->chunks[i].type & GROUP_METADATA ? chunk_n_mirrors(&volume->chunks[i]) : 0;

		mirrors.n_most = n > mirrors.n_most ? n : mirrors.n_most;
	}
	size = mirrors.n_most * (size_t)volume->super.node_size;
	mirrors.bytes = malloc(size);
	ok = mirrors.bytes ? check(&mirrors, err) : error_memory(err);
	block_cache_drop_idle(c->volume);
	if (mirrors.bytes)
		wiped_free(mirrors.bytes, size);
	free(mirrors.doubt);
	free(mirrors.choice);
	free(mirrors.right);
	set64_free(&mirrors.tried);
	return ok;
}
