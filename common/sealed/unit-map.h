/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which units belong to which extent. A stock kernel may have moved extents. So a unit is found by its address as a hint, or else by the
 * first bytes of its ciphertext, and always confirmed by a tag. See format/README.md, "Finding the units of an extent".
 */
#ifndef COMMON_SEALED_UNIT_MAP_H
#define COMMON_SEALED_UNIT_MAP_H

#include <limits.h>

#include "common/crypto/key-schedule.h"
#include "common/sealed/scan.h"
#include "common/tree/tree-gap.h"

/* The place of a unit: index of its item << 16 | its number in the item. Grows with the address at sealing. */
#define UNIT_PLACE(index, entry) ((uint64_t)(index) << 16 | (entry))
#define UNIT_PLACE_END UINT64_MAX

/* By this it is found after it moved: the first 8 bytes of its ciphertext. */
static inline uint64_t unit_first_value(const uint8_t first[8])
{
	uint64_t value;

	memcpy(&value, first, sizeof(value));
	return value;
}

struct unit_group {		/* the units of one extent, as the functions below return it */
	size_t number;		/* in the order of unit_ids */
	uint64_t unit_id;	/* address of the extent when it was sealed */
	uint64_t extent_len;	/* bytes */
	uint64_t place;		/* where to look for its first unit: there, or further on in the same item */
	uint64_t address;	/* where the extent is now; 0: nowhere, or not joined yet */
	bool guessed;		/* no tag confirms it: if it is that extent, nothing in it is as it was sealed */
};

/* The same in compact form: 12 bytes, because there may be millions. */
struct unit_group_kept {
	uint32_t block_low;	/* of the unit_id */
	uint32_t block_high : 20;
	uint32_t joined : 1;
	uint32_t elsewhere : 1;	/* the stored address differs from the unit_id */
	uint32_t guessed : 1;
	uint32_t link;		/* if joined: index of its extent in the scan; otherwise its length in blocks */
};

struct unit_map {
	struct volume *volume;
	uint16_t domain;
	enum crypt_cipher cipher;
	struct unit_group_kept *group;	/* by ascending unit_id */
	size_t n_groups, n_joined, n_guessed, n_elsewhere;	/* joined: by a tag */
	uint32_t *n_before;		/* for each item: how many groups begin before it */
	uint64_t n_items, n_units;
	struct error damage;	/* unit_map_read_over(): what was met first */
	bool by_place;		/* joining takes a marked extent that lies where one of its length was sealed for that one, without reading it */
	const struct scan *scan;	/* after joining, borrowed: the groups were joined to its extents */
	uint32_t *of_extent;		/* for each extent: its group, or UNIT_GROUP_NONE */
};
#define UNIT_GROUP_NONE UINT32_MAX

/*
 * Reads the unit items of a domain. Checks that units are in order, do not overlap, cover their extents without a hole, and that item
 * numbers have no gap: ERROR_CORRUPT.
 */
bool unit_map_read(struct volume *volume, uint16_t domain, struct unit_map **map, struct error *err) must_use;
/* The same, but skips missing or damaged items and units that do not fit. Extents of which a unit is missing are left out. */
bool unit_map_read_over(struct volume *volume, uint16_t domain, struct unit_map **map, struct error *err) must_use;
void unit_map_free(struct unit_map *map);
static inline void unit_map_cleanup(struct unit_map **p) { unit_map_free(*p); }
#define cleanup_unit_map __attribute__((cleanup(unit_map_cleanup)))

/*
 * Finds the group of every extent of the scan, which must outlive the map. Call once for each map. boundary: units at places below it are
 * ciphertext on disk, the others plain text (UNIT_PLACE_END: all sealed).
 */
bool unit_map_join(struct unit_map *map, const struct scan *scan, const struct key_schedule *schedule, uint64_t boundary,
		   struct error *err) must_use;
/*
 * For marked extents too damaged to be recognised: uses what their units say about where they were sealed. For the tree digest that is as
 * good as a tag, but for nothing else: each block still needs its own tag to be returned.
 */
bool unit_map_guess(struct unit_map *map, struct error *err) must_use;
/* Joins without looking at the data, for units that were just placed: there must be one group for each extent, at its address. */
bool unit_map_join_placed(struct unit_map *map, const struct scan *scan, struct error *err) must_use;
/* Joins each extent to the units whose stored address and length it has. Nothing is confirmed. */
bool unit_map_join_stored(struct unit_map *map, const struct scan *scan, struct error *err) must_use;
/* Joins what is left over if extent and units have the same address and length. Nothing is confirmed. */
void unit_map_join_expected(struct unit_map *map);
/* Bytes of the extents that have a group, without guesses. */
uint64_t unit_map_joined_bytes(const struct unit_map *map);

/* False: no unit covers an extent at this address. */
bool unit_map_at(const struct unit_map *map, uint64_t address, struct unit_group *group);
/* The group that a unit belongs to. False: none. */
bool unit_map_of(const struct unit_map *map, uint64_t unit_id, struct unit_group *group);
/* By its number. */
struct unit_group unit_map_group(const struct unit_map *map, size_t number);

/* Calls visit for each unit of a group, in order, from group->place on. unit is borrowed. *go = false ends the walk. */
typedef bool unit_visit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err);
/* Visiting units needs only volume and domain of the map. */
bool unit_map_visit(const struct unit_map *map, const struct unit_group *group, unit_visit *visit, void *context,
		    struct error *err) must_use;
/* Visits every unit from this place on. */
bool unit_map_visit_from(const struct unit_map *map, uint64_t place, unit_visit *visit, void *context, struct error *err) must_use;
/* The same, but skips missing or damaged items and reports them to gap. */
bool unit_map_visit_over(const struct unit_map *map, uint64_t place, unit_visit *visit, tree_gap *gap, void *context, struct error *err) must_use;
/* Visits every unit of the domain. */
bool unit_map_visit_all(const struct unit_map *map, unit_visit *visit, void *context, struct error *err) must_use;

/* A unit that is sealed, with the key for it, and where its first block is now. */
struct unit_here {
	struct unit_cipher *cipher;
	const struct crypt_unit *unit;
	uint64_t address;
};

/*
 * Reads block i of a unit, from the first mirror whose tag is right: ciphertext (unit_cipher_open), or
 * what is plain text (unit_cipher_reseal). out: the other form of it. *mirror: which one; BLOCK_NOWHERE: none. A wrong tag is not an error,
 * nor is an unreadable mirror, which is only a warning.
 */
#define BLOCK_NOWHERE UINT_MAX
bool unit_block_read(struct volume *volume, unit_cipher_read *read, const struct unit_here *here, uint32_t i, uint8_t out[CRYPT_BLOCK],
		     unsigned *mirror, struct error *err) must_use;

/* Reads one mirror. One that cannot be read is a warning, unless its device is missing, and counts like a wrong one. */
bool unit_mirror_read(struct volume *volume, uint64_t logical, void *bytes, size_t len, unsigned mirror) must_use;

#endif /* COMMON_SEALED_UNIT_MAP_H */
