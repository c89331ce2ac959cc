/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares the data to be sealed with what the units of other domains record: one pass over the units, and one over the first bytes of the
 * data.
 */
#include "common/convert/sealed-before.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/sealed/domain-reader.h"
#include "common/sealed/member-places.h"
#include "common/sealed/payloads.h"
#include "common/sealed/unit-map.h"
#include "common/util/array.h"
#include "common/util/lower-bound.h"
#include "common/volume/mirror.h"
#include "common/volume/tolerance.h"

#define MIRRORS 4u	/* that are looked at: every copy; with parity, the data and the first ways to compute them */

struct looking {
	const struct subvolume_list *list;
	const struct scan *scan;
	struct member_places places;
	uint8_t *domain;	/* for each number: OF_* */
};
#define OF_SOME 1u		/* its member items can be read */
#define OF_GONE 2u		/* one of its members is gone */
#define N_DOMAINS ((size_t)UINT16_MAX + 1)

/* --- the domains with a missing member ------------------------------------------------------------------------ */

static bool is_gone(const struct subvolume_list *list, const struct member_place *place)
{
	const struct subvolume *subvolume = subvolume_by_id(list, place->id);

	return !subvolume || subvolume->deleted || !subvolume_has_uuid(subvolume, place->uuid);
}

/* A domain without any readable member item counts as one that has lost its members. */
static bool find_domains(struct looking *looking, bool *any, struct error *err)
{
	uint16_t *numbers = NULL;
	size_t n = 0;

	*any = false;
	looking->domain = calloc(N_DOMAINS, sizeof(*looking->domain));
	if (!looking->domain)
		return error_memory(err);
	if (!member_places_read(looking->list, &looking->places, err) || !domain_numbers(looking->list->volume, &numbers, &n, err))
		return false;
	for (size_t i = 0; i < looking->places.n; i++)
		looking->domain[looking->places.at[i].domain] |= OF_SOME | (is_gone(looking->list, &looking->places.at[i]) ? OF_GONE : 0);
	for (size_t i = 0; i < n; i++) {
		if (!(looking->domain[numbers[i]] & OF_SOME))
			looking->domain[numbers[i]] |= OF_GONE;
		*any = *any || looking->domain[numbers[i]] & OF_GONE;
	}
	free(numbers);
	return true;
}

static void close_looking(struct looking *looking)
{
	free(looking->domain);
	member_places_free(&looking->places);
}

bool sealed_before_is_possible(const struct subvolume_list *list, bool *possible, struct error *err)
{
	struct looking looking = { .list = list };
	const bool ok = find_domains(&looking, possible, err);

	close_looking(&looking);
	return ok;
}

/* --- extents -------------------------------------------------------------------------------------------------------- */

struct beginning {		/* of an extent, on one mirror */
	uint64_t first, length;
	size_t extent;
};
struct beginnings {		/* ascending */
	const struct scan *scan;
	struct beginning *at;
	size_t n;
	const struct scan_extent *found;
	bool *lies;		/* for each extent of the scan: one of the same file, offset and length was sealed */
};

static int compare_beginnings(const void *a, const void *b)
{
	const struct beginning *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->length != y->length ? (x->length < y->length ? -1 : 1) : 0;
}

/* An unreadable mirror is skipped: another one will do. */
static bool read_beginnings(const struct scan *scan, struct beginnings *all, struct error *err)
{
	all->scan = scan;
	all->at = calloc(scan->n_extents ? scan->n_extents : 1, MIRRORS * sizeof(*all->at));
	all->lies = calloc(scan->n_extents + 1, sizeof(*all->lies));
	if (!all->at || !all->lies)
		return error_memory(err);
	for (size_t i = 0; i < scan->n_extents; i++) {
		uint64_t last = 0;
		unsigned n_mirrors, n = 0;
		uint8_t first[8];

		if (!volume_n_mirrors(scan->volume, scan->extent[i].logical, &n_mirrors, err))
			return false;
		for (unsigned mirror = 0; mirror < MIRRORS && mirror < n_mirrors; mirror++) {
			if (!unit_mirror_read(scan->volume, scan->extent[i].logical, first, sizeof(first), mirror) ||
			    (n > 0 && unit_first_value(first) == last))
				continue;
			last = unit_first_value(first);
			n++;
			all->at[all->n++] = (struct beginning){ last, scan->extent[i].length, i };
		}
	}
	qsort(all->at, all->n, sizeof(*all->at), compare_beginnings);
	return true;
}

static bool is_first(struct volume *volume, uint64_t logical, const struct crypt_unit *unit)
{
	uint8_t first[sizeof(unit->first)];

	for (unsigned mirror = 0; mirror < MIRRORS; mirror++) {
		if (unit_mirror_read(volume, logical, first, sizeof(first), mirror) && memcmp(first, unit->first, sizeof(first)) == 0)
			return true;
	}
	return false;
}

/* The extent that lies where the unit's extent was sealed, or was last seen. */
static const struct scan_extent *extent_in_place(const struct scan *scan, const struct crypt_unit *unit)
{
	const uint64_t places[] = { unit->address, unit->unit_id - unit->offset_in_extent };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const struct scan_extent *extent = scan_extent_at(scan, places[i]);

		if (extent && extent->length == unit->extent_len)
			return extent;
	}
	return NULL;
}

/* The first unit of an extent identifies it anywhere, the others only where it was. */
static bool match_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct beginnings *all = context;
	const struct beginning wanted = { unit_first_value(unit->first), unit->extent_len, 0 };
	const struct scan_extent *here = unit->sealed ? extent_in_place(all->scan, unit) : NULL;

	(void)place, (void)err;
	if (unit->sealed && unit->offset_in_extent == 0) {
		const size_t i = LOWER_BOUND(at, all->n, compare_beginnings(&all->at[at], &wanted) < 0);

		if (i < all->n && compare_beginnings(&all->at[i], &wanted) == 0)
			all->found = &all->scan->extent[all->at[i].extent];
		else if (here && here->inode == unit->inode && here->file_offset == unit->file_offset)
			all->lies[here - all->scan->extent] = true;
	} else if (here && is_first(all->scan->volume, here->logical + unit->offset_in_extent, unit)) {
		all->found = here;
	}
	*go = !all->found;
	return true;
}

static bool go_over(void *context, const struct error *what, struct error *err)
{
	(void)context, (void)what, (void)err;
	return true;
}

static bool refuse(const struct looking *looking, size_t member, uint16_t domain, const char *why, struct error *err)
{
	char name[160];

	return error_set(err, ERROR_REFUSED, "subvolume %s is sealed already: %s sealing %u, although its root item does not say so",
			 subvolume_name(looking->list, looking->scan->member[member], name), why, domain);
}

static bool check_extents(const struct looking *looking, uint16_t domain, struct beginnings *all, struct error *err)
{
	const struct unit_map units = { .volume = looking->scan->volume, .domain = domain };

	if (!unit_map_visit_over(&units, 0, match_unit, go_over, all, err))
		return false;
	if (!all->found)
		return true;
	refuse(looking, all->found->member, domain, "it has data of", err);
	return error_hint(err, "the key of that sealing opens them; sealing them again could lose them");
}

/* --- files in leaves ---------------------------------------------------------------------------------------------- */

struct small {
	uint64_t inode, offset_kind;
	uint32_t length, member;
	bool matched;		/* of several equal ones, the first */
};
struct smalls {		/* ascending */
	struct small *at;
	size_t n, room;
	const bool *is_asked;	/* for each member of the scan */
};

static int compare_smalls(const void *a, const void *b)
{
	const struct small *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->offset_kind != y->offset_kind)
		return x->offset_kind < y->offset_kind ? -1 : 1;
	return x->length != y->length ? (x->length < y->length ? -1 : 1) : 0;
}

static bool add_small(void *context, const struct scan_block *leaf, const struct inline_payload *payload, struct error *err)
{
	struct smalls *all = context;

	if (!all->is_asked[leaf->member])
		return true;
	if (!ARRAY_ROOM(all->at, all->n, all->room, err))
		return false;
	all->at[all->n++] = (struct small){
		.inode = payload->inode, .offset_kind = payload->offset * 8 + payload->kind, .length = (uint32_t)payload->bytes.left,
		.member = leaf->member,
	};
	return true;
}

static bool match_small(void *context, const struct crypt_inline_unit *unit, uint64_t place, struct error *err)
{
	struct smalls *all = context;
	const struct small wanted = { .inode = unit->inode, .offset_kind = unit->offset * 8 + unit->kind, .length = unit->length };
	const size_t i = LOWER_BOUND(at, all->n, compare_smalls(&all->at[at], &wanted) < 0);

	(void)place, (void)err;
	if (unit->sealed && i < all->n && compare_smalls(&all->at[i], &wanted) == 0)
		all->at[i].matched = true;
	return true;
}

static bool refuse_asked(const struct looking *looking, size_t member, uint16_t domain, const char *what, struct error *err)
{
	char why[160];

	snprintf(why, sizeof(why), "it has the place or the number of a missing subvolume, and its %s", what);
	refuse(looking, member, domain, why, err);
	return error_hint(err, "if it is a new subvolume, make a snapshot of it with another name, delete it, and seal the snapshot");
}

/* Ciphertext whose beginnings were changed. */
static bool judge_extents(const struct looking *looking, const bool *is_asked, const bool *lies, uint16_t domain, size_t (*counts)[2], struct error *err)
{
	const struct scan *scan = looking->scan;

	for (size_t i = 0; i < scan->n_extents; i++) {
		counts[scan->extent[i].member][0]++;
		counts[scan->extent[i].member][1] += lies[i];
	}
	for (size_t m = 0; m < scan->n_members; m++) {
		if (is_asked[m] && counts[m][1] > 0 && 2 * counts[m][1] >= counts[m][0])
			return refuse_asked(looking, m, domain, "data have the offsets and lengths of data in", err);
		counts[m][0] = counts[m][1] = 0;
	}
	return true;
}

/* counts: for each member of the scan, its files in leaves: all of them, and those that match. */
static bool judge(const struct looking *looking, const struct smalls *all, uint16_t domain, size_t (*counts)[2], struct error *err)
{
	const struct small *first = all->at;

	for (const struct small *at = all->at; at < all->at + all->n; at++) {
		if (compare_smalls(first, at) != 0)
			first = at;
		counts[at->member][0]++;
		counts[at->member][1] += first->matched;
	}
	for (size_t m = 0; m < looking->scan->n_members; m++) {
		if (counts[m][1] == 0 || 2 * counts[m][1] < counts[m][0])
			continue;
		return refuse_asked(looking, m, domain, "small files have the lengths of files in", err);
	}
	return true;
}

/* Finds the members that have the place or the number of a missing member. */
static bool find_asked(const struct looking *looking, uint16_t domain, bool *is_asked)
{
	const struct scan *scan = looking->scan;
	bool any = false;

	for (size_t i = 0; i < looking->places.n; i++) {
		const struct member_place *place = &looking->places.at[i];

		if (place->domain != domain || !is_gone(looking->list, place))
			continue;
		for (size_t m = 0; m < scan->n_members; m++) {
			const struct subvolume *subvolume = subvolume_by_id(looking->list, scan->member[m]);

			if (scan->member[m] == place->id || (subvolume && subvolume->path_len == place->path_len && subvolume->path_len > 0 &&
							     memcmp(subvolume->path, place->path, place->path_len) == 0))
				is_asked[m] = any = true;
		}
	}
	return any;
}

static bool check_asked(const struct looking *looking, uint16_t domain, const bool *lies, struct error *err)
{
	const size_t n = looking->scan->n_members;
	bool *is_asked = calloc(n + 1, sizeof(*is_asked));
	size_t (*counts)[2] = calloc(n + 1, sizeof(*counts));
	struct smalls all = { .is_asked = is_asked };
	bool ok = (is_asked && counts) || error_memory(err);

	if (ok && find_asked(looking, domain, is_asked)) {
		ok = judge_extents(looking, is_asked, lies, domain, counts, err) && payloads_visit(looking->scan, add_small, &all, err);
		if (ok && all.n > 0) {
			qsort(all.at, all.n, sizeof(*all.at), compare_smalls);
			ok = inline_visit_all(looking->scan->volume, domain, match_small, &all, err) || error_is_damage(err);
			if (ok)
				*err = (struct error){ 0 };
			ok = ok && judge(looking, &all, domain, counts, err);
		}
	}
	free(all.at);
	free(counts);
	free(is_asked);
	return ok;
}

/* --- all -------------------------------------------------------------------------------------------------------------- */

bool sealed_before_check(const struct subvolume_list *list, const struct scan *scan, struct error *err)
{
	struct looking looking = { .list = list, .scan = scan };
	struct beginnings all = { 0 };
	bool any;
	bool ok = find_domains(&looking, &any, err) && (!any || read_beginnings(scan, &all, err));

	for (size_t i = 0; ok && any && i < N_DOMAINS; i++) {
		if (!(looking.domain[i] & OF_GONE))
			continue;
		memset(all.lies, 0, scan->n_extents * sizeof(*all.lies));
		ok = check_extents(&looking, (uint16_t)i, &all, err) && check_asked(&looking, (uint16_t)i, all.lies, err);
	}
	free(all.at);
	free(all.lies);
	close_looking(&looking);
	return ok;
}
