/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inline units: ciphertext that lives in leaves (inline extents, symlink targets, fs-verity items). They are found by inode, kind and key
 * offset over all members, and confirmed by the tag.
 */
#ifndef COMMON_SEALED_INLINE_MAP_H
#define COMMON_SEALED_INLINE_MAP_H

#include "common/crypto/key-schedule.h"
#include "common/tree/tree.h"
#include "format/file-extent.h"
#include "format/inode.h"

struct inline_entry {
	uint64_t inode;
	uint64_t offset_kind;	/* key offset * 8 + kind, may wrap: only a search key, not a proof */
	uint64_t place;		/* index of the item << 16 | number in it */
};

struct inline_map {
	struct volume *volume;
	uint16_t domain;
	struct inline_entry *entry;	/* sorted by inode, offset_kind, place */
	size_t n;
	uint64_t n_items;
	struct error damage;
};

bool inline_map_read(struct volume *volume, uint16_t domain, struct inline_map **map, struct error *err) must_use;
/* The same, but skips missing or damaged items: (*map)->damage says what was met first, and anything not found may have been in there. */
bool inline_map_read_over(struct volume *volume, uint16_t domain, struct inline_map **map, struct error *err) must_use;
void inline_map_free(struct inline_map *map);
static inline void inline_map_cleanup(struct inline_map **p) { inline_map_free(*p); }
#define cleanup_inline_map __attribute__((cleanup(inline_map_cleanup)))

/* A payload in a leaf that is sealed as an inline unit. */
struct inline_payload {
	enum crypt_inline_kind kind;
	uint64_t inode;
	uint64_t offset;	/* of the item's key */
	struct cursor bytes;	/* borrowed from the leaf */
	uint64_t root;		/* if the same plain text has several units (snapshots whose leaves diverged), use this root's; 0: any */
};

/*
 * Does this item have such a payload (not empty)? mode: of the inode that the item belongs to; only its file type matters. The item must
 * have been read without error before.
 */
bool inline_payload_of(const struct key *key, struct cursor item, uint32_t mode, struct inline_payload *payload);

enum payload_form { PAYLOAD_PLAIN, PAYLOAD_SEALED };

struct inline_search {
	const struct inline_map *map;
	const struct key_schedule *schedule;
	const struct inline_payload *payload;
	enum payload_form form;		/* of the payload */
	uint8_t *out;			/* NULL, or payload->bytes.left bytes: receives it in the other form */
};

/* Finds the unit whose tag is right for the payload: *found. */
bool inline_map_find(const struct inline_search *search, struct crypt_inline_unit *unit, bool *found, struct error *err) must_use;

/* Was the payload sealed with this unit, as far as can be told without the tag? root: only units of this root; 0: any. */
bool inline_unit_is_of(const struct crypt_inline_unit *unit, const struct inline_payload *payload, uint64_t root);
/* Is the tag right? search->map is not used, and out is always written to. */
bool inline_unit_matches(const struct crypt_inline_unit *unit, const struct inline_search *search, bool *yes, struct error *err) must_use;

/*
 * Was a payload of this kind, inode, offset and length sealed in payload->root? The kernel does not rewrite sealed data, so if
 * inline_map_find() finds nothing for such a payload, it is damaged, not written later.
 */
bool inline_map_has(const struct inline_map *map, const struct inline_payload *payload, bool *has, struct error *err) must_use;

/* The same, but for any root if payload->root is 0. */
bool inline_map_lists(const struct inline_map *map, const struct inline_payload *payload, bool *lists, struct error *err) must_use;

/* Visits every inline unit of the domain, in order of place. */
typedef bool inline_visit(void *context, const struct crypt_inline_unit *unit, uint64_t place, struct error *err);
bool inline_visit_all(struct volume *volume, uint16_t domain, inline_visit *visit, void *context, struct error *err) must_use;

/* The file type bits of an inode, from its INODE_ITEM. Remembers one entry, which makes neighbours cheap. */
struct mode_memory {
	uint64_t tree_id, inode;
	uint32_t mode;
};
bool inode_mode(struct mode_memory *memory, const struct tree *subvolume, uint64_t inode, uint32_t *mode, struct error *err) must_use;

#endif /* COMMON_SEALED_INLINE_MAP_H */
