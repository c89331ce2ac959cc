/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums over the items of members, each tree block once. */
#include "common/fs/digest.h"

#include <stdlib.h>
#include <sys/stat.h>

#define REGULAR_SEAL_FLAGS (INODE_RO_VERITY | INODE_IMMUTABLE)

struct digester {
	const struct digest_input *input;
	struct digest_sum *block;	/* one for each block of the scan */
	struct mac *mac;		/* K_item */
	struct mode_memory mode;
};

void digest_add(struct digest_sum *sum, const uint8_t mac[CRYPT_MAC_SIZE])
{
	unsigned carry = 0;

	for (unsigned i = 0; i < 4; i++) {
		struct le64 disk;
		uint64_t word;

		memcpy(&disk, mac + 8 * i, sizeof(disk));
		word = le64(disk);
		const unsigned __int128 total = (unsigned __int128)sum->word[i] + word + carry;

		sum->word[i] = (uint64_t)total;
		carry = (unsigned)(total >> 64);
	}
	sum->n_items++;
}

static void add_sum(struct digest_sum *to, const struct digest_sum *from)
{
	uint8_t bytes[CRYPT_MAC_SIZE];
	const uint64_t n_items = to->n_items + from->n_items;

	for (unsigned i = 0; i < 4; i++) {
		const struct le64 disk = to_le64(from->word[i]);

		memcpy(bytes + 8 * i, &disk, sizeof(disk));
	}
	digest_add(to, bytes);
	to->n_items = n_items;
}

const struct crypt_inode_flags *inode_flags_find(const struct crypt_inode_flags *flags, size_t n, uint64_t member, uint64_t inode)
{
	size_t low = 0, high = n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct crypt_inode_flags *f = &flags[middle];

		if (f->member == member && f->inode == inode)
			return f;
		if (f->member < member || (f->member == member && f->inode < inode))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void inode_item(struct digester *d, uint32_t member, uint64_t number, struct cursor item)
{
	struct disk_inode_item disk;

	if (item.left != sizeof(disk)) {
		mac_update(d->mac, item.at, item.left);
		return;
	}
	memcpy(&disk, item.at, sizeof(disk));
	memset(&disk.transid, 0, sizeof(disk.transid));
	memset(&disk.sequence, 0, sizeof(disk.sequence));
	memset(&disk.reserved, 0, sizeof(disk.reserved));
	memset(&disk.atime, 0, sizeof(disk.atime));
	if (d->input->kind == DIGEST_FOUND && S_ISREG(le32(disk.mode))) {
		const uint64_t id = d->input->flags_member ? d->input->flags_member[member] : d->input->scan->member[member];
		const struct crypt_inode_flags *had = inode_flags_find(d->input->flags, d->input->n_flags, id, number);
		const uint64_t flags = le64(disk.flags) & ~REGULAR_SEAL_FLAGS;

		disk.flags = to_le64(flags | (had ? had->flags : 0));
	}
	mac_update(d->mac, &disk, sizeof(disk));
}

static bool list_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct digester *d = context;

	(void)place, (void)go, (void)err;
	mac_update(d->mac, &unit->u.unit_id, sizeof(unit->u.unit_id));
	mac_update(d->mac, unit->u.nonce, sizeof(unit->u.nonce));
	return true;
}

/* The nonce of the unit of an inline payload; where there is none: 16 bytes of 0xff and the payload itself. */
static bool inline_nonce(struct digester *d, const struct inline_payload *payload, struct error *err)
{
	struct crypt_inline_unit unit;
	uint8_t none[CRYPT_NONCE_SIZE];
	bool found;

	if (!inline_map_find(d->input->inlines, d->input->schedule, payload, true, &unit, NULL, &found, err))
		return false;
	if (found) {
		mac_update(d->mac, unit.disk.i.nonce, sizeof(unit.disk.i.nonce));
	} else {
		memset(none, 0xff, sizeof(none));
		mac_update(d->mac, none, sizeof(none));
		mac_update(d->mac, payload->bytes.at, payload->bytes.left);
	}
	return true;
}

static bool extent_item(struct digester *d, const struct tree *tree, const struct key *key, struct cursor item, struct error *err)
{
	const uint32_t sector_size = d->input->scan->volume->super.sector_size;
	const uint8_t *bytes = item.at;
	struct cursor read = item;
	struct file_extent extent;

	if (!file_extent_read(&read, key->offset, sector_size, &extent, err))
		return false;
	if (extent.type == FILE_EXTENT_INLINE) {
		struct inline_payload payload;
		uint32_t mode;

		mac_update(d->mac, bytes, FILE_EXTENT_INLINE_HEADER);
		if (d->input->kind == DIGEST_FOUND)
			return true;
		if (!inode_mode(&d->mode, tree, key->objectid, &mode, err))
			return false;
		return !inline_payload_of(key, item, mode, &payload) || inline_nonce(d, &payload, err);
	}

	const size_t at = offsetof(struct disk_file_extent, disk_bytenr);
	struct disk_file_extent disk;

	memcpy(&disk, bytes, sizeof(disk));
	if (d->input->kind == DIGEST_FOUND && extent.type == FILE_EXTENT_REG && extent.other_encoding == SEAL_MARK)
		disk.other_encoding = to_le16(0);
	if (d->input->kind == DIGEST_FOUND || extent.disk_bytenr == 0) {
		mac_update(d->mac, &disk, sizeof(disk));
		return true;
	}

	/* One damaged file is not a changed tree. */
	struct unit_group group;
	const bool has_units = unit_map_at(d->input->units, extent.disk_bytenr, &group) ||
			       (extent.other_encoding == SEAL_MARK &&
				unit_map_expected(d->input->units, extent.disk_bytenr, extent.disk_num_bytes, &group));

	mac_update(d->mac, &disk, at);
	if (has_units) {
		if (!unit_map_visit(d->input->units, &group, list_unit, d, err))
			return false;
	} else {
		const struct le64 none = to_le64(UINT64_MAX);

		mac_update(d->mac, &none, sizeof(none));
		mac_update(d->mac, &disk.disk_bytenr, sizeof(disk.disk_bytenr));
	}
	mac_update(d->mac, bytes + at + sizeof(disk.disk_bytenr), sizeof(disk) - at - sizeof(disk.disk_bytenr));
	return true;
}

static bool one_item(struct digester *d, const struct tree *tree, uint32_t member, const struct key *key, struct cursor item,
		     struct digest_sum *sum, struct error *err)
{
	const struct disk_key disk_key = key_to_disk(key);
	const struct le32 len = to_le32((uint32_t)item.left);
	struct inline_payload payload;
	uint8_t mac[CRYPT_MAC_SIZE];

	mac_start(d->mac);
	mac_update(d->mac, &disk_key, sizeof(disk_key));
	mac_update(d->mac, &len, sizeof(len));
	switch (key->type) {
	case KEY_INODE_ITEM:
		inode_item(d, member, key->objectid, item);
		break;
	case KEY_EXTENT_DATA:
		if (!extent_item(d, tree, key, item, err))
			return false;
		break;
	case KEY_VERITY_DESC:
	case KEY_VERITY_MERKLE:
		if (d->input->kind == DIGEST_SEALED && inline_payload_of(key, item, 0, &payload) && !inline_nonce(d, &payload, err))
			return false;
		break;
	default:
		mac_update(d->mac, item.at, item.left);
	}
	if (!mac_finish(d->mac, mac, err))
		return false;
	digest_add(sum, mac);
	return true;
}

static bool left_out(const struct scan *scan, const struct key *key)
{
	return key->objectid == ORPHAN_ID || scan_is_orphan(scan, key->objectid);
}

static bool sum_block(struct digester *d, size_t i, struct error *err)
{
	const struct scan *scan = d->input->scan;
	const struct scan_block *at = &scan->block[i];
	const struct tree *tree = &scan->tree[at->member];
	const struct block_expect expect = { .level = at->level };
	cleanup_block struct block *block = NULL;

	if (!block_get(scan->volume, at->logical, &expect, &block, err))
		return false;
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		const struct key key = node_key(&block->node, slot);

		if (at->level > 0) {
			const struct scan_block *child = scan_block_at(scan, node_child(&block->node, slot));

			if (!child || child->level + 1 != at->level)
				return error_set(err, ERROR_CORRUPT, "tree block %llu: slot %u points to no block of the subvolume",
						 (unsigned long long)at->logical, slot);
			add_sum(&d->block[i], &d->block[child - scan->block]);
		} else if (!left_out(scan, &key) &&
			   !one_item(d, tree, at->member, &key, leaf_item(&block->node, slot), &d->block[i], err)) {
			return false;
		}
	}
	return true;
}

bool digest_members(const struct digest_input *input, struct digest_sum *sums, struct error *err)
{
	const struct scan *scan = input->scan;
	struct digester d = { .input = input };
	bool ok = false;

	d.block = calloc(scan->n_blocks ? scan->n_blocks : 1, sizeof(*d.block));
	if (!d.block) {
		error_memory(err);
		goto out;
	}
	if (!mac_new(input->schedule, "seal-item", NULL, 0, &d.mac, err))
		goto out;
	/* Children before parents; leaves in the order of the disk. */
	for (unsigned level = 0; level < LEVEL_MAX; level++) {
		for (size_t i = 0; i < scan->n_blocks; i++) {
			if (scan->block[i].level == level && !sum_block(&d, i, err))
				goto out;
		}
	}
	for (size_t m = 0; m < scan->n_members; m++) {
		const struct scan_block *root = scan_block_at(scan, scan->tree[m].logical);

		sums[m] = d.block[root - scan->block];
	}
	ok = true;
out:
	mac_free(d.mac);
	free(d.block);
	return ok;
}

bool digest_finish(const struct key_schedule *schedule, const struct digest_sum *sum, uint8_t digest[CRYPT_MAC_SIZE], struct error *err)
{
	cleanup_mac struct mac *mac = NULL;
	const struct le64 n_items = to_le64(sum->n_items);

	if (!mac_new(schedule, "seal", NULL, 0, &mac, err))
		return false;
	mac_start(mac);
	mac_update(mac, "tree", 4);
	mac_update(mac, &n_items, sizeof(n_items));
	for (unsigned i = 0; i < 4; i++) {
		const struct le64 word = to_le64(sum->word[i]);

		mac_update(mac, &word, sizeof(word));
	}
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
