/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before the crypt items are removed, and before the seal: checks the members' tree blocks on the device, each mirror by itself. A lost
 * write leaves an older block of the same generation with a valid checksum. Only the digest, and what the conversion does to a leaf, tell
 * which mirror is right.
 */
#include "common/convert/mirrors.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/commit.h"
#include "common/convert/conversion.h"
#include "common/convert/leaves.h"
#include "common/convert/state.h"
#include "common/volume/mirror.h"

#define MIRRORS_MAX 8u	/* of a tree block */

struct mirrors {
	struct conversion *c;
	uint8_t *bytes;		/* a node for each mirror */
	unsigned n;		/* the most that a block has */
	size_t n_undecided;
	uint64_t undecided;	/* the first of them */
	unsigned right;		/* the mirror to use when two differ */
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

typedef bool mirrors_visit(struct mirrors *mirrors, uint64_t logical, unsigned n, unsigned best, const enum mirror_state *state, struct error *err);

static bool visit_blocks(struct mirrors *mirrors, mirrors_visit *visit, struct error *err)
{
	struct conversion *c = mirrors->c;
	const struct scan *scan = c->scan;

	for (size_t i = 0; i < scan->n_blocks; i++) {
		const uint64_t logical = scan->block[i].logical;
		enum mirror_state state[MIRRORS_MAX];
		unsigned n;
		unsigned best = 0;

		if (!volume_n_mirrors(c->volume, logical, &n, err))
			return false;
		if (n > MIRRORS_MAX)
			return error_set(err, ERROR_REFUSED, "tree block %" PRIu64 " has %u mirrors", logical, n);
		mirrors->n = n > mirrors->n ? n : mirrors->n;
		if (!read_mirrors(mirrors, logical, n, &best, state, err))
			return error_prefix(err, "subvolume %" PRIu64, scan->member[scan->block[i].member]);
		if (!visit(mirrors, logical, n, best, state, err))
			return false;
	}
	return true;
}

/* A bad mirror beside a good one is written again, as a scrub would. Two good ones are left to the digest. */
static bool mend_bad(struct mirrors *mirrors, uint64_t logical, unsigned n, unsigned best, const enum mirror_state *state, struct error *err)
{
	bool is_bad = false;

	for (unsigned mirror = 0; mirror < n; mirror++) {
		if (state[mirror] == MIRROR_OTHER) {
			if (mirrors->n_undecided++ == 0)
				mirrors->undecided = logical;
			return true;
		}
		is_bad = is_bad || state[mirror] == MIRROR_BAD;
	}
	return !is_bad || volume_read_back(mirrors->c->volume, logical, bytes_of(mirrors, best), mirrors->c->volume->super.node_size, err);
}

static bool mend_decided(struct mirrors *mirrors, uint64_t logical, unsigned n, unsigned best, const enum mirror_state *state, struct error *err)
{
	const unsigned right = mirrors->right < n && state[mirrors->right] != MIRROR_BAD ? mirrors->right : best;

	for (unsigned mirror = 0; mirror < n; mirror++) {
		if (state[mirror] != MIRROR_SAME)
			return volume_read_back(mirrors->c->volume, logical, bytes_of(mirrors, right), mirrors->c->volume->super.node_size, err);
	}
	return true;
}

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

/* Tries each mirror first in turn, and picks the one with which the members hold, if it is the only one. */
static bool decide(struct mirrors *mirrors, struct error *err)
{
	struct volume *volume = mirrors->c->volume;
	unsigned n_right = 0;
	bool ok = true;

	for (unsigned mirror = 0; ok && mirror < mirrors->n; mirror++) {
		volume->first_mirror = mirror;
		if (members_hold(mirrors->c, err)) {
			mirrors->right = mirror;
			n_right++;
		} else {
			ok = err->kind == ERROR_CORRUPT;
		}
	}
	volume->first_mirror = 0;
	if (!ok)
		return false;
	if (n_right == 1)
		return true;
	error_set(err, ERROR_CORRUPT, "the mirrors of tree block %" PRIu64 " (and %zu others) differ; all of them are valid and nothing "
		"tells which is right",
		  mirrors->undecided, mirrors->n_undecided - 1);
	return error_hint(err, "the device loses writes: copy the image to another one before going on");
}

bool mirrors_check(struct conversion *c, struct error *err)
{
	const size_t size = MIRRORS_MAX * (size_t)c->volume->super.node_size;
	struct mirrors mirrors = { .c = c, .bytes = malloc(size) };
	bool ok;

	if (!mirrors.bytes)
		return error_memory(err);
	ok = operation_flush(&c->op, err) && visit_blocks(&mirrors, mend_bad, err);
	if (ok && mirrors.n_undecided == 0)
		ok = members_hold(c, err);
	else if (ok)
		ok = decide(&mirrors, err) && visit_blocks(&mirrors, mend_decided, err);
	block_cache_drop_idle(c->volume);
	wiped_free(mirrors.bytes, size);
	return ok;
}
