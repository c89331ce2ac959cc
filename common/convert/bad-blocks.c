/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps track of damaged blocks: in memory, in the crypt items, and as checksums that do not match. */
#include "common/convert/bad-blocks.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

#include "common/convert/commit.h"
#include "common/convert/csum-update.h"
#include "common/convert/differing.h"
#include "common/sealed/crypt-list.h"
#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-view.h"
#include "common/sealed/domain-write.h"
#include "common/sealed/extent-also.h"
#include "common/sealed/extent-part.h"
#include "common/sealed/pack.h"
#include "common/util/array.h"
#include "common/util/lower-bound.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"

/* Tree blocks that inserting one item may change: the path with its splits, and what settling adds. */
#define ITEM_BLOCKS 24u

/* --- in memory ----------------------------------------------------------------------------------------------- */

/* The first entry at or behind this block. */
static size_t place_of(const struct conversion *c, uint64_t unit_id, uint32_t block)
{
	const struct crypt_bad_block *at = c->bad.at;

	return LOWER_BOUND(i, c->bad.n, at[i].unit_id < unit_id || (at[i].unit_id == unit_id && at[i].block < block));
}

static bool insert(struct conversion *c, size_t at, const struct crypt_bad_block *bad, struct error *err)
{
	struct conversion_bad *all = &c->bad;

	if (!ARRAY_ROOM(all->at, all->n, all->room, err))
		return false;
	memmove(all->at + at + 1, all->at + at, (all->n - at) * sizeof(*all->at));
	all->at[at] = *bad;
	all->n++;
	return true;
}

static bool read_one(void *context, const struct crypt_bad_block *bad, struct error *err)
{
	struct conversion *c = context;

	return insert(c, c->bad.n, bad, err);
}

bool bad_blocks_read(struct conversion *c, struct error *err)
{
	c->bad.n = 0;
	if (!bad_blocks_visit(c->volume, c->header.domain, read_one, c, err))
		return false;
	c->bad.n_stored = c->bad.first_new = c->bad.n;
	return true;
}

const struct crypt_bad_block *bad_block_find(const struct conversion *c, uint64_t unit_id, uint32_t block)
{
	const size_t at = place_of(c, unit_id, block);

	return at < c->bad.n && c->bad.at[at].unit_id == unit_id && c->bad.at[at].block == block ? &c->bad.at[at] : NULL;
}

/* --- what people are told ------------------------------------------------------------------------------------- */

struct telling {
	const struct conversion *c;
	const struct scan_extent *extent;
	struct convert_bad_block block;
};

static void tell(const struct conversion *c, const struct convert_bad_block *block)
{
	if (c->ui && c->ui->bad_block)
		c->ui->bad_block(c->ui->context, block);
}

static bool tell_part(void *context, const struct extent_part *part, struct error *err)
{
	const struct telling *telling = context;
	const struct conversion *c = telling->c;
	const struct tree *subvolume = &c->scan->tree[telling->extent->member];
	struct convert_bad_block block = telling->block;
	char *label = file_label(&c->list, subvolume, telling->extent->inode), also[EXTENT_ALSO_SIZE];

	if (!label)
		return error_memory(err);
	extent_also_in(&c->list, telling->extent->logical, subvolume->id, telling->extent->inode, also);
	block.path = label;
	block.also = also;
	block.subvolume = subvolume->id;
	block.inode = telling->extent->inode;
	block.first = part->first;
	block.last = part->last;
	block.unused = part->unused;
	tell(c, &block);
	free(label);
	return true;
}

static bool tell_block(struct conversion *c, uint64_t unit_id, const struct convert_bad_block *block, struct error *err)
{
	struct telling telling = { .c = c, .block = *block };
	const uint64_t address = block->logical;
	uint8_t csum[CSUM_SIZE];
	struct unit_group group;
	bool is_known;

	telling.block.differs = !block->is_lost && differing_at(c, address, &telling.block.mirror, &is_known) && !is_known;
	if (!csum_get(c->volume, address, csum, &telling.block.has_csum, err))
		return false;
	if (c->units && c->scan && unit_map_of(c->units, unit_id, &group) && group.address != 0)
		telling.extent = scan_extent_at(c->scan, group.address);
	if (!telling.extent) {
		tell(c, &telling.block);
		return true;
	}
	return extent_parts(c->scan, telling.extent, address - telling.extent->logical, address - telling.extent->logical + CRYPT_BLOCK, tell_part,
			    &telling, err);
}

bool bad_block_tell_lost(struct conversion *c, uint64_t unit_id, uint64_t address, struct error *err)
{
	const struct convert_bad_block block = { .is_lost = true, .logical = address };

	return tell_block(c, unit_id, &block, err);
}

bool bad_block_tell_chosen(struct conversion *c, uint64_t unit_id, uint64_t address, struct error *err)
{
	const struct convert_bad_block block = { .is_carried = true, .logical = address };

	if (c->plan)
		c->plan->n_chosen++;
	return tell_block(c, unit_id, &block, err);
}

bool bad_block_tell(struct conversion *c, uint64_t unit_id, enum crypt_bad what, uint64_t address, struct error *err)
{
	const struct convert_bad_block block = { .is_carried = what == BAD_CARRIED, .logical = address };

	if (!tell_block(c, unit_id, &block, err))
		return false;
	if (c->plan && what == BAD_CARRIED)
		c->plan->n_carried++;
	else if (c->plan)
		c->plan->n_skipped++;
	return true;
}

bool bad_block_add(struct conversion *c, uint64_t unit_id, uint32_t block, enum crypt_bad what, uint64_t address, struct error *err)
{
	const struct crypt_bad_block bad = { unit_id, block, what };
	const size_t at = place_of(c, unit_id, block);

	if (bad_block_find(c, unit_id, block))
		c->bad.at[at] = bad;	/* it was carried over earlier and is damaged now */
	else if (!insert(c, at, &bad, err))
		return false;
	if (at < c->bad.first_new)
		c->bad.first_new = at;
	c->bad.changed = true;
	return bad_block_tell(c, unit_id, what, address, err);
}

bool bad_block_spoil_later(struct conversion *c, uint64_t address, struct error *err)
{
	struct conversion_bad *bad = &c->bad;

	if (!ARRAY_ROOM(bad->spoil, bad->n_spoil, bad->spoil_room, err))
		return false;
	bad->spoil[bad->n_spoil++] = address;
	return true;
}

bool bad_blocks_tell(struct conversion *c, struct error *err)
{
	for (size_t i = 0; i < c->bad.n; i++) {
		const struct crypt_bad_block *bad = &c->bad.at[i];
		uint64_t address = bad->unit_id + (uint64_t)bad->block * CRYPT_BLOCK;
		struct unit_group group;

		if (c->units && unit_map_of(c->units, bad->unit_id, &group) && group.address != 0)
			address += group.address - group.unit_id;
		if (!bad_block_tell(c, bad->unit_id, bad->what, address, err))
			return false;
	}
	return true;
}

/* --- in the tree ----------------------------------------------------------------------------------------------- */

static size_t per_item(const struct conversion *c)
{
	return (crypt_item_max(c->volume->super.node_size) - sizeof(struct disk_crypt_head)) / sizeof(struct disk_crypt_bad_block);
}

uint64_t bad_block_items(const struct conversion *c, uint64_t n)
{
	return (n + per_item(c) - 1) / per_item(c);
}

size_t bad_blocks_room(const struct conversion *c)
{
	const struct convert_damage *damage = c->ui ? &c->ui->damage : NULL;

	if (!c->bad.changed && !(damage && (damage->skip || damage->carry)))
		return 0;
	/* The items from the first new entry on are written again. */
	return ITEM_BLOCKS + 2 * ((c->bad.n - c->bad.first_new) / per_item(c) + 1);
}

static bool put_items(struct conversion *c, struct transaction *tx, struct error *err)
{
	const size_t per = per_item(c), n_old = bad_block_items(c, c->bad.n_stored);
	uint8_t *bytes = malloc(c->volume->super.node_size);
	bool ok = bytes || error_memory(err);

	for (size_t i = c->bad.first_new / per; ok && i * per < c->bad.n; i++) {
		const struct key key = crypt_key(c->header.domain, CRYPT_BAD_BLOCKS, i);
		const size_t n = c->bad.n - i * per < per ? c->bad.n - i * per : per;
		struct disk_crypt_head head;

		crypt_head_write(&head, CRYPT_BAD_BLOCKS, (unsigned)n);
		memcpy(bytes, &head, sizeof(head));
		for (size_t j = 0; j < n; j++) {
			struct disk_crypt_bad_block disk;

			crypt_bad_block_write(&c->bad.at[i * per + j], &disk);
			memcpy(bytes + sizeof(head) + j * sizeof(disk), &disk, sizeof(disk));
		}
		ok = (i >= n_old || tree_remove(tx, ROOT_TREE_ID, &key, err)) &&
		     tree_insert(tx, ROOT_TREE_ID, &key, bytes, (uint32_t)(sizeof(head) + n * sizeof(struct disk_crypt_bad_block)), err);
	}
	free(bytes);
	return ok;
}

/* During a decryption the seal covers the units and bad blocks, and an abort leaves them that way. */
static bool put_seal(struct conversion *c, struct transaction *tx, struct error *err)
{
	const struct seal_input input = { c->volume, c->schedule, &c->header, c->members, c->n_members };
	const struct key key = crypt_key(c->header.domain, CRYPT_SEAL, 0);
	const struct crypt_seal *index;
	struct disk_crypt_seal disk;
	struct crypt_seal item, seal;

	if (!seal_index_said(&input, &item, &index, err) || !seal_compute(&input, index, &seal, err))
		return false;
	crypt_seal_write(&seal, &disk);
	memcpy(c->header.seal, seal.seal, sizeof(c->header.seal));
	return domain_put(tx, c->volume, &key, &disk, sizeof(disk), err);	/* it may have been damaged or removed */
}

bool bad_blocks_store(struct conversion *c, struct transaction *tx, struct error *err)
{
	if (!c->bad.changed)
		return true;
	if (!put_items(c, tx, err) || (c->op.state.operation == CRYPT_OP_DECRYPT && !put_seal(c, tx, err)) ||
	    !domain_items_mac(c->volume, c->header.domain, c->schedule, c->header.items_mac, err))
		return false;
	for (size_t i = 0; i < c->bad.n_spoil; i++) {
		if (!csum_spoil(c, tx, c->bad.spoil[i], err))
			return false;
	}
	c->bad.n_spoil = 0;
	c->header.n_bad_blocks = c->bad.n;
	c->header.n_bad_items = bad_block_items(c, c->bad.n);
	c->bad.n_stored = c->bad.first_new = c->bad.n;
	c->bad.changed = false;
	return true;
}

bool bad_blocks_keep(struct conversion *c, struct error *err)
{
	struct transaction *tx;

	return !c->bad.changed ||
	       (transaction_begin(c->volume, c->allocator, &tx, err) && conversion_commit(c, tx, c->phase, c->cursor, err));
}

/* --- checksums ---------------------------------------------------------------------------------------------------- */

bool csum_spoil(struct conversion *c, struct transaction *tx, uint64_t address, struct error *err)
{
	const struct volume *volume = c->volume;
	const unsigned size = csum_type_size(volume->super.csum_type);
	uint8_t stored[CSUM_SIZE] = { 0 }, bytes[CRYPT_BLOCK], first, n_turns = 0;
	unsigned n_mirrors;
	bool has, turned = false, unread = false;

	if (!csum_get(c->volume, address, stored, &has, err) || !volume_n_mirrors(volume, address, &n_mirrors, err))
		return false;
	first = stored[0];
	/* What is tried could match another mirror by chance, so start over each time, and never try the same again. */
	for (unsigned mirror = 0; has && mirror < n_mirrors; mirror++) {
		struct error why;

		if (volume_read(c->volume, address, bytes, sizeof(bytes), mirror, &why)) {
			if (!csum_matches(volume->super.csum_type, bytes, sizeof(bytes), stored))
				continue;
			stored[0] = first ^ ++n_turns;
		} else {
			/*
			 * An unreadable mirror may become readable later, and then it most likely matches the stored checksum. So store a
			 * new value of its own: a flipped bit would be right again once it is flipped back.
			 */
			if (unread)
				continue;
			unread = true;
			memset(stored, 0xff, size);
			first = 0xff;
			n_turns = 0;
		}
		turned = true;
		mirror = UINT_MAX;	/* start over: the next one is 0 */
	}
	secret_wipe(bytes, sizeof(bytes));
	return !turned || csum_put(c->volume, tx, address, stored, err);
}
