/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The turning points of a conversion, one record each: root items and seal written, or root items restored and crypt items removed. */
#include "common/convert/roots.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/convert/bad-blocks.h"
#include "common/convert/commit.h"
#include "common/convert/old-side.h"
#include "common/convert/root-leaks.h"
#include "common/sealed/domain-view.h"
#include "common/sealed/domain-write.h"
#include "common/util/take.h"

/* The most tree blocks that freeing one block may change, besides its own. */
#define FREE_BLOCKS 16u

/* --- root items --------------------------------------------------------------------------------------- */

static const struct crypt_member *member_of(const struct conversion *c, uint64_t id)
{
	for (size_t i = 0; i < c->n_members; i++) {
		if (c->members[i].id == id)
			return &c->members[i];
	}
	return NULL;
}

/* The member that this subvolume is. Another subvolume may have the id of a member that is gone. */
static const struct crypt_member *member_is(const struct conversion *c, uint64_t id)
{
	const struct crypt_member *const member = member_of(c, id);
	const struct subvolume *const subvolume = subvolume_by_id(&c->list, id);

	return member && subvolume && subvolume_has_uuid(subvolume, member->uuid) ? member : NULL;
}

/* Gets the bytes of a root item for editing. */
static struct disk_root_item *edit_root(struct conversion *c, struct transaction *tx, uint64_t id, struct error *err)
{
	const struct subvolume *subvolume = subvolume_by_id(&c->list, id);
	uint8_t *data;
	uint32_t len;

	if (!subvolume) {
		error_set(err, ERROR_CORRUPT, "subvolume %" PRIu64 " has no root item", id);
		return NULL;
	}
	if (!tree_edit_item(tx, ROOT_TREE_ID, &subvolume->root_key, &data, &len, err))
		return NULL;
	if (len < sizeof(struct disk_root_item)) {
		error_set(err, ERROR_REFUSED, "the root item of subvolume %" PRIu64 " has %" PRIu32 " bytes, an older format", id, len);
		return NULL;
	}
	return (struct disk_root_item *)data;	/* consists of bytes only: no alignment */
}

static bool tag_roots(struct conversion *c, struct transaction *tx, struct error *err)
{
	for (size_t i = 0; i < c->n_members; i++) {
		struct disk_root_item *root = edit_root(c, tx, c->members[i].id, err);
		struct disk_crypt_tag tag = { .key_len = to_le32(CRYPT_KEY_SIZE) };
		const char *name = crypt_cipher_name(c->header.cipher);

		if (!root)
			return false;
		memcpy(tag.algorithm, name, strnlen(name, sizeof(tag.algorithm)));
		memcpy(&tag.key_hash, c->header.kcv, sizeof(tag.key_hash));
		memcpy(root->reserved, &tag, sizeof(tag));
		/* A read-only top level would freeze the whole tree. What was sealed before is as it is, on purpose. */
		if (c->members[i].id != FS_TREE_ID && !conversion_is_rekey(c))
			root->flags = to_le64(le64(root->flags) | ROOT_RDONLY);
	}
	return true;
}

/* Restores every root that carries the tag. A snapshot made since keeps its read-only flag. */
static bool untag_roots(struct conversion *c, struct transaction *tx, struct error *err)
{
	for (size_t i = 0; i < c->scan->n_members; i++) {
		const uint64_t id = c->scan->member[i];
		const struct crypt_member *member = member_is(c, id);
		const struct crypt_member *source = member_of(c, c->flags_member ? c->flags_member[i] : id);
		struct disk_root_item *root = edit_root(c, tx, id, err);
		struct disk_crypt_tag tag;

		if (!root)
			return false;
		memcpy(&tag, root->reserved, sizeof(tag));
		if (!member && tag.algorithm[0] == 0)
			continue;	/* no tag, and its earlier state is unknown */
		if (source)
			memcpy(root->reserved, source->reserved, sizeof(root->reserved));
		else
			memset(root->reserved, 0, sizeof(root->reserved));
		if (member && !(member->root_flags & ROOT_RDONLY))
			root->flags = to_le64(le64(root->flags) & ~ROOT_RDONLY);
		else if (member)
			root->flags = to_le64(le64(root->flags) | ROOT_RDONLY);
	}
	return true;
}

/* --- sealed ----------------------------------------------------------------------------------------------- */

/* Computes the members' digests as sealed, into c->members. Phase INDEX has found where the units are. */
static bool digest_now(struct conversion *c, struct error *err)
{
	struct digest_input input = { .kind = DIGEST_SEALED, .scan = c->scan, .schedule = c->schedule };
	struct digest_sum *sums = calloc(c->scan->n_members, sizeof(*sums));
	bool ok = false;

	if (!sums)
		return error_memory(err);
	input.units = c->units;
	input.inlines = c->inlines;
	if (!digest_members(&input, sums, err))
		goto out;
	for (size_t i = 0; i < c->n_members; i++) {
		c->members[i].n_items = sums[i].n_items;
		if (!digest_finish(c->schedule, &sums[i], c->members[i].digest, err))
			goto out;
	}
	ok = true;
out:
	free(sums);
	return ok;
}

bool roots_seal(struct conversion *c, struct error *err)
{
	struct crypt_seal seal;
	const struct domain_items items = { .members = c->members, .n_members = c->n_members, .seal = &seal };
	const struct seal_input input = { c->volume, c->schedule, &c->header, c->members, c->n_members };
	struct transaction *tx;

	if (!digest_now(c, err) || !transaction_begin(c->volume, c->allocator, &tx, err))
		return false;
	if (!bad_blocks_store(c, tx, err) ||
	    !seal_compute(&input, NULL, &seal, err) || !tag_roots(c, tx, err) ||
	    !domain_write(tx, c->volume, c->schedule, &items, &c->header, err)) {
		transaction_drop(tx);
		return false;
	}
	memcpy(c->header.seal, seal.seal, sizeof(c->header.seal));
	c->header.n_index_items = c->n_index_items;
	c->header.n_index_entries = c->n_index_entries;
	c->header.state = CRYPT_STATE_SEALED;
	return conversion_is_rekey(c) ? conversion_commit(c, tx, CRYPT_PHASE_INDEX, UINT64_MAX, err) :
					conversion_commit(c, tx, CRYPT_PHASE_FINISH, 0, err);
}

bool roots_reseal(struct conversion *c, struct error *err)
{
	struct transaction *tx;

	c->header.state = CRYPT_STATE_SEALED;
	return transaction_begin(c->volume, c->allocator, &tx, err) &&
	       conversion_commit(c, tx, CRYPT_PHASE_FINISH, 0, err);
}

/* --- plain -------------------------------------------------------------------------------------------------- */

/* The phase and its cursor stay as they are. */
static bool free_leaks(struct conversion *c, struct error *err)
{
	struct root_leaks leaks = { 0 };
	struct transaction *tx = NULL;
	bool ok = false;

	if (!root_leaks_find(c->volume, &leaks, err) || !transaction_begin(c->volume, c->allocator, &tx, err))
		goto out;
	for (size_t i = 0; i < leaks.n; i++) {
		if (!conversion_has_room(c, tx, FREE_BLOCKS, 0, 0)) {
			if (!conversion_commit(c, TAKE(tx), c->phase, c->cursor, err) ||
			    !transaction_begin(c->volume, c->allocator, &tx, err))
				goto out;
		}
		if (!transaction_free_block(tx, leaks.at[i].logical, leaks.at[i].level, err))
			goto out;
	}

	ok = conversion_commit(c, TAKE(tx), c->phase, c->cursor, err);
out:
	if (tx)
		transaction_drop(tx);
	free(leaks.at);
	return ok;
}

bool structure_cut(struct conversion *c, struct error *err)
{
	const struct key first = crypt_key(c->header.domain, CRYPT_HEADER, 0);
	const struct key last = crypt_second_header_key(c->header.domain);
	struct transaction *tx;

	/* Cursor 0: the cut is made and everything is plain. Only freeing blocks is left. */
	if (c->cursor != 0) {
		/*
		 * While rekeying, the way to the old key goes with the crypt items. After an empty record, neither of the last two has data that
		 * would need it.
		 */
		if (conversion_is_rekey(c) && (!transaction_begin(c->volume, c->allocator, &tx, err) ||
					       !conversion_commit(c, tx, CRYPT_PHASE_STRUCTURE, c->cursor, err)))
			return false;
		if (!transaction_begin(c->volume, c->allocator, &tx, err))
			return false;
		/* While rekeying, the root items keep the old tag until the last record. */
		if ((!conversion_is_rekey(c) && !untag_roots(c, tx, err)) || !tree_cut(tx, ROOT_TREE_ID, &first, &last, err)) {
			transaction_drop(tx);
			return false;
		}
		if (!conversion_commit(c, tx, CRYPT_PHASE_STRUCTURE, 0, err))
			return false;
	}
	return free_leaks(c, err);
}

bool structure_cut_old(struct conversion *c, struct error *err)
{
	const struct key bridge_key = crypt_key(c->header.domain, CRYPT_BRIDGE, 0);
	struct disk_crypt_bridge bridge;
	struct transaction *tx;
	bool found;

	if (!old_side_bridge(c, &bridge, &found, err))
		return false;
	/* Without the bridge, the cut is made. Only freeing blocks is left. */
	if (found) {
		const struct key first = crypt_key(le16(bridge.domain), CRYPT_HEADER, 0), last = crypt_second_header_key(le16(bridge.domain));

		if (!transaction_begin(c->volume, c->allocator, &tx, err))
			return false;
		if (!tree_remove(tx, ROOT_TREE_ID, &bridge_key, err) || !tree_cut(tx, ROOT_TREE_ID, &first, &last, err)) {
			transaction_drop(tx);
			return false;
		}
		if (!conversion_commit(c, tx, c->phase, c->cursor, err))
			return false;
	}
	return free_leaks(c, err);
}
