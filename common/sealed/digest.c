/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums up the items of members. Each tree block is summed once. */
#include "common/sealed/digest.h"

#include <stdlib.h>

#include "common/fs/orphan.h"
#include "common/sealed/scan-bad.h"
#include "common/volume/tolerance.h"

struct digester {
	const struct digest_input *input;
	struct digest_sum *block;	/* one per block of the scan: the sum of all items below it except orphan items */
	struct canonical canonical;
};

static bool item_mac(struct digester *d, uint32_t member, const struct key *key, struct cursor item, uint8_t mac[CRYPT_MAC_SIZE],
		     struct error *err)
{
	const struct scan *scan = d->input->scan;
	const uint64_t flags_member = d->input->flags_member ? d->input->flags_member[member] : scan->member[member];

	return canonical_item_mac(&d->canonical, &scan->tree[member], flags_member, key, item, mac, err);
}

static bool sum_block(struct digester *d, size_t i, struct error *err)
{
	const struct scan *scan = d->input->scan;
	const struct scan_block *at = &scan->block[i];
	cleanup_block struct block *block = NULL;

	if (!scan_block_get(scan, at, &block, err))
		return false;
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		const struct key key = node_key(&block->node, slot);
		uint8_t mac[CRYPT_MAC_SIZE];

		if (at->level > 0) {
			const struct scan_block *child = scan_block_at(scan, node_child(&block->node, slot));

			if (!child && scan_has_lost(scan))
				continue;
			if (!child || child->level + 1 != at->level)
				return error_set(err, ERROR_CORRUPT, "tree block %llu: slot %u points to no block of the subvolume",
						 (unsigned long long)at->logical, slot);
			digest_add_sum(&d->block[i], &d->block[child - scan->block]);
		} else if (!key_is_orphan_item(&key)) {
			if (!item_mac(d, at->member, &key, leaf_item(&block->node, slot), mac, err))
				return false;
			digest_add(&d->block[i], mac);
		}
	}
	return true;
}

struct leaving_out {
	struct digester *d;
	uint32_t member;
	struct digest_sum *sum;
};

static bool leave_out(void *context, const struct tree *subvolume, const struct key *key, struct cursor item, struct error *err)
{
	const struct leaving_out *l = context;
	uint8_t mac[CRYPT_MAC_SIZE];

	(void)subvolume;
	if (!item_mac(l->d, l->member, key, item, mac, err))
		return false;
	digest_take_away(l->sum, mac);
	return true;
}

/*
 * A block has one sum for all members that share it. The items that one member loses at its next mount are
 * subtracted from the sum of that member alone.
 */
static bool sum_member(struct digester *d, uint32_t member, struct digest_sum *sum, struct error *err)
{
	const struct scan *scan = d->input->scan;
	const struct tree *tree = &scan->tree[member];
	struct leaving_out leaving_out = { d, member, sum };

	*sum = d->block[scan_block_at(scan, tree->logical) - scan->block];
	/* If a block is lost, the sum matches nothing that was sealed, whatever is subtracted. */
	return orphan_visit_items(tree, leave_out, &leaving_out, err) || (d->input->over && scan_has_lost(scan) && error_is_damage(err));
}

bool digest_members(const struct digest_input *input, struct digest_sum *sums, struct error *err)
{
	const struct scan *scan = input->scan;
	const struct canonical_input items = {
		.kind = input->kind,
		.volume = scan->volume,
		.schedule = input->schedule,
		.units = input->units,
		.inlines = input->inlines,
		.over = input->over,
		.flags = input->flags,
		.n_flags = input->n_flags,
	};
	struct digester d = { .input = input };
	bool ok = false;

	d.block = calloc(scan->n_blocks ? scan->n_blocks : 1, sizeof(*d.block));
	if (!d.block) {
		error_memory(err);
		goto out;
	}
	if (!canonical_open(&items, &d.canonical, err))
		goto out;
	/* Sums children before parents, and leaves in disk order. */
	for (unsigned level = 0; level < LEVEL_MAX; level++) {
		for (size_t i = 0; i < scan->n_blocks; i++) {
			if (scan->block[i].level == level && !sum_block(&d, i, err))
				goto out;
		}
	}
	for (uint32_t m = 0; m < scan->n_members; m++) {
		if (!sum_member(&d, m, &sums[m], err))
			goto out;
	}
	ok = true;
out:
	canonical_close(&d.canonical);
	free(d.block);
	return ok;
}

bool digest_finish(const struct key_schedule *schedule, const struct digest_sum *sum, uint8_t digest[CRYPT_MAC_SIZE], struct error *err)
{
	cleanup_mac struct mac *mac = NULL;

	if (!mac_new(schedule, "seal", NULL, 0, &mac, err))
		return false;
	mac_start(mac);
	mac_update(mac, "tree", 4);
	digest_mac_update(mac, sum);
	return mac_finish(mac, digest, err);
}

bool begin_digest(const struct digest_input *input, const uint8_t op_id[CRYPT_UUID_SIZE], uint8_t digest[CRYPT_MAC_SIZE],
		  struct error *err)
{
	const struct scan *scan = input->scan;
	struct digest_sum *sums = calloc(scan->n_members ? scan->n_members : 1, sizeof(*sums));
	struct mac *mac = NULL;
	bool ok = false;

	if (!sums) {
		error_memory(err);
		goto out;
	}
	if (!digest_members(input, sums, err) || !mac_new(input->schedule, "state", op_id, CRYPT_UUID_SIZE, &mac, err))
		goto out;
	mac_start(mac);
	mac_update(mac, "begin", 5);
	for (size_t m = 0; m < scan->n_members; m++) {
		const struct le64 id = to_le64(scan->member[m]);
		uint8_t member[CRYPT_MAC_SIZE];

		if (!digest_finish(input->schedule, &sums[m], member, err))
			goto out;
		mac_update(mac, &id, sizeof(id));
		mac_update(mac, member, sizeof(member));
	}
	ok = mac_finish(mac, digest, err);
out:
	mac_free(mac);
	free(sums);
	return ok;
}
