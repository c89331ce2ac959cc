/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a crypt item of the kind that their first byte says, or as the tail of a superblock.  What parses is
 * written back the same.
 */
#include <stdlib.h>

#include "format/crypt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must_equal(const void *have, const void *want, size_t len)
{
	if (memcmp(have, want, len) != 0)
		abort();
}

static void header(struct cursor item, struct error *err)
{
	const uint8_t *bytes = item.at;
	struct disk_crypt_header disk;
	struct crypt_header read;

	if (!crypt_header_read(&item, &read, err))
		return;
	crypt_header_write(&read, &disk);
	must_equal(&disk, bytes, sizeof(disk));
}

static void slot(struct cursor item, struct error *err)
{
	struct crypt_slot read;

	if (crypt_slot_read(&item, &read, err) && strlen(read.label) > CRYPT_LABEL_MAX)
		abort();
}

static void member(struct cursor item, struct error *err)
{
	const uint8_t *bytes = item.at;
	const size_t len = item.left;
	uint8_t out[CRYPT_MEMBER_MAX];
	struct crypt_member read;

	if (!crypt_member_read(&item, &read, err))
		return;
	if (crypt_member_write(&read, out) != len)
		abort();
	must_equal(out, bytes, len);
}

static void seal(struct cursor item, struct error *err)
{
	const uint8_t *bytes = item.at;
	struct disk_crypt_seal disk;
	struct crypt_seal read;

	if (!crypt_seal_read(&item, &read, err))
		return;
	crypt_seal_write(&read, &disk);
	must_equal(&disk, bytes, sizeof(disk));
}

static void list(struct cursor item, enum crypt_kind kind, struct error *err)
{
	const uint8_t *bytes = item.at;
	const size_t size = item.left;
	unsigned n;

	if (!crypt_head_read(&item, kind, &n, err))
		return;
	while (n-- > 0) {
		struct crypt_inode_flags flags;
		struct crypt_inline_unit small;
		struct crypt_index_entry entry;
		struct crypt_bad_block bad;
		struct crypt_unit unit;

		if (kind == CRYPT_INODE_FLAGS) {
			if (!crypt_inode_flags_next(&item, &flags, err))
				return;
		} else if (kind == CRYPT_INLINE_UNITS) {
			if (!crypt_inline_unit_next(&item, &small, err))
				return;
		} else if (kind == CRYPT_INDEX) {
			const uint8_t *at = item.at;
			struct disk_crypt_index_entry disk;

			if (!crypt_index_next(&item, &entry, err))
				return;
			crypt_index_write(&entry, &disk);
			must_equal(&disk, at, sizeof(disk));
		} else if (kind == CRYPT_BAD_BLOCKS) {
			const uint8_t *at = item.at;
			struct disk_crypt_bad_block disk;

			if (!crypt_bad_block_next(&item, &bad, err))
				return;
			crypt_bad_block_write(&bad, &disk);
			must_equal(&disk, at, sizeof(disk));
		} else {
			if (!crypt_unit_next(&item, size, &unit, err))
				return;
			must_equal(bytes + unit.at, &unit.u, sizeof(unit.u));
			must_equal(bytes + unit.at + sizeof(struct disk_crypt_unit), unit.tags,
				   unit.blocks * CRYPT_TAG_SIZE);
		}
	}
	if (crypt_item_end(&item, kind, err) != (item.left == 0))
		abort();
}

static void bridge(struct cursor item, struct error *err)
{
	const uint8_t *bytes = item.at;
	struct disk_crypt_bridge read;

	if (crypt_bridge_read(&item, &read, err))
		must_equal(bytes, &read, sizeof(read));
}

static void state(const uint8_t *bytes, size_t len, struct error *err)
{
	uint8_t tail[SUPER_TAIL_SIZE] = { 0 };
	struct crypt_state_tail read;

	memcpy(tail, bytes, len < sizeof(tail) ? len : sizeof(tail));
	if (crypt_state_read(tail, &read, err))
		must_equal(&read.disk, tail, sizeof(read.disk));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct cursor item = { bytes, len, 0x4000 };
	struct error err = { 0 };

	if (len == 0)
		return 0;
	switch (bytes[0]) {
	case CRYPT_HEADER:
		header(item, &err);
		break;
	case CRYPT_SLOT:
		slot(item, &err);
		break;
	case CRYPT_MEMBER:
		member(item, &err);
		break;
	case CRYPT_SEAL:
		seal(item, &err);
		break;
	case CRYPT_BRIDGE:
		bridge(item, &err);
		break;
	case CRYPT_INODE_FLAGS:
	case CRYPT_UNITS:
	case CRYPT_INLINE_UNITS:
	case CRYPT_INDEX:
	case CRYPT_BAD_BLOCKS:
		list(item, bytes[0], &err);
		break;
	default:
		state(bytes, len, &err);
	}
	return 0;
}
