/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads journal records. */
#include "format/journal.h"

#include <inttypes.h>

#define bad(format, ...) \
	error_set(err, ERROR_STATE, "journal record at %#" PRIx64 ": " format, where, __VA_ARGS__)

bool journal_header_read(struct cursor *record, struct journal_header *header, struct error *err)
{
	const uint64_t where = record->offset;
	struct disk_journal_header disk;

	if (!cursor_read(record, &disk, sizeof(disk)))
		return bad("%zu bytes left, a header takes %zu", record->left, sizeof(disk));
	if (memcmp(disk.magic, JOURNAL_MAGIC, sizeof(disk.magic)) != 0)
		return bad("magic is not %s", JOURNAL_MAGIC);
	if (crypt_version_is_unreleased(le32(disk.version)))
		return error_set(err, ERROR_REFUSED, "journal record at %#" PRIx64 ": format version %" PRIu32 " was made by an unreleased version", where,
				 le32(disk.version));
	if (le32(disk.version) != CRYPT_VERSION)
		return bad("version is %u, not %u", le32(disk.version), CRYPT_VERSION);
	if (disk.direction != CRYPT_TO_SEALED && disk.direction != CRYPT_TO_PLAIN)
		return bad("direction is %u, not 1 or 2", disk.direction);
	if (disk.phase < CRYPT_PHASE_STRUCTURE || disk.phase > CRYPT_PHASE_FINISH)
		return bad("phase is %u, not 1 to %u", disk.phase, CRYPT_PHASE_FINISH);
	if (disk.root_level >= LEVEL_MAX)
		return bad("root_level is %u, not below %u", disk.root_level, LEVEL_MAX);
	if (disk.has_old > 1)
		return bad("has_old is %u, not 0 or 1", disk.has_old);
	if (le64(disk.length) < sizeof(disk) + CRYPT_MAC_SIZE)
		return bad("length is %" PRIu64 ", less than a header and a MAC", le64(disk.length));
	if (le64(disk.sequence) == 0)
		return bad("sequence is %u", 0u);

	*header = (struct journal_header){
		.direction = disk.direction,
		.phase = disk.phase,
		.root_level = disk.root_level,
		.has_old = disk.has_old,
		.length = le64(disk.length),
		.sequence = le64(disk.sequence),
		.place = le64(disk.place),
		.epoch = le64(disk.epoch),
		.cursor = le64(disk.cursor),
		.bytes_used = le64(disk.bytes_used),
		.n_changed = le32(disk.n_changed),
		.n_new = le32(disk.n_new),
		.n_ranges = le32(disk.n_ranges),
		.n_carried = le32(disk.n_carried),
	};
	memcpy(header->op_id, disk.op_id, sizeof(header->op_id));
	memcpy(header->previous, disk.previous, sizeof(header->previous));
	return true;
}

bool journal_changed_next(struct cursor *record, uint32_t node_size, struct journal_changed *changed, struct error *err)
{
	const uint64_t where = record->offset;
	struct disk_journal_changed disk;
	struct cursor block;

	if (!cursor_read(record, &disk, sizeof(disk)) || !cursor_take(record, node_size, &block))
		return bad("%zu bytes left, a changed block takes more", record->left);
	*changed = (struct journal_changed){ le64(disk.logical), block.at };
	return true;
}

bool journal_new_next(struct cursor *record, struct journal_new *new_block, struct error *err)
{
	const uint64_t where = record->offset;
	struct disk_journal_new disk;
	const uint8_t *at = record->at;

	if (!cursor_read(record, &disk, sizeof(disk)))
		return bad("%zu bytes left, a new block takes %zu", record->left, sizeof(disk));
	*new_block = (struct journal_new){ le64(disk.logical), at + offsetof(struct disk_journal_new, sha256) };
	return true;
}

bool journal_range_next(struct cursor *record, bool has_old, struct journal_range *range, struct error *err)
{
	const uint64_t where = record->offset;
	struct disk_journal_range disk;
	struct disk_crypt_u old = { 0 };
	struct cursor tags, old_tags = { 0 };

	if (!cursor_read(record, &disk, sizeof(disk)))
		return bad("%zu bytes left, a range takes %zu", record->left, sizeof(disk));

	const uint32_t n_blocks = le32(disk.u.blocks);

	if (n_blocks == 0 || n_blocks > CRYPT_UNIT_BLOCKS_MAX)
		return bad("blocks is %u, not 1 to %u", n_blocks, CRYPT_UNIT_BLOCKS_MAX);
	if (le64(disk.address) % CRYPT_BLOCK != 0)
		return bad("address is %#" PRIx64 ", not a multiple of %u", le64(disk.address), CRYPT_BLOCK);
	if (!cursor_take(record, (size_t)n_blocks * CRYPT_TAG_SIZE, &tags))
		return bad("blocks is %u, %zu bytes left for tags", n_blocks, record->left);
	if (has_old && !cursor_read(record, &old, sizeof(old)))
		return bad("%zu bytes left, the old side of a range takes %zu", record->left, sizeof(old));
	if (has_old && le32(old.blocks) != n_blocks)
		return bad("blocks of the old side is %u, not %u", le32(old.blocks), n_blocks);
	if (has_old && !cursor_take(record, (size_t)n_blocks * CRYPT_TAG_SIZE, &old_tags))
		return bad("blocks is %u, %zu bytes left for the old tags", n_blocks, record->left);
	*range = (struct journal_range){ le64(disk.address), disk.u, n_blocks, tags.at, old, has_old ? old_tags.at : NULL };
	return true;
}

bool journal_carried_next(struct cursor *record, struct journal_carried *carried, struct error *err)
{
	const uint64_t where = record->offset;
	struct disk_journal_carried disk;
	struct cursor bytes;

	if (!cursor_read(record, &disk, sizeof(disk)))
		return bad("%zu bytes left, carried data take %zu", record->left, sizeof(disk));

	const uint32_t n_blocks = le32(disk.n_blocks);

	if (n_blocks == 0 || n_blocks > JOURNAL_CARRIED_MAX)
		return bad("n_blocks is %u, not 1 to %u", n_blocks, JOURNAL_CARRIED_MAX);
	if (le64(disk.address) % CRYPT_BLOCK != 0)
		return bad("address is %#" PRIx64 ", not a multiple of %u", le64(disk.address), CRYPT_BLOCK);
	if (!cursor_take(record, (size_t)n_blocks * CRYPT_BLOCK, &bytes))
		return bad("n_blocks is %u, %zu bytes left for data", n_blocks, record->left);
	*carried = (struct journal_carried){ le64(disk.address), n_blocks, bytes.at };
	return true;
}
