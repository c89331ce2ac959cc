/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Selects what goes into the MAC of an item. */
#include "common/sealed/canonical-item.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "common/util/lower-bound.h"
#include "common/volume/tolerance.h"

#define REGULAR_SEAL_FLAGS (INODE_RO_VERITY | INODE_IMMUTABLE)

bool canonical_open(const struct canonical_input *input, struct canonical *canonical, struct error *err)
{
	*canonical = (struct canonical){ .input = *input };
	return mac_new(input->schedule, "seal-item", NULL, 0, &canonical->mac, err);
}

void canonical_close(struct canonical *canonical)
{
	mac_free(canonical->mac);
	*canonical = (struct canonical){ 0 };
}

const struct crypt_inode_flags *inode_flags_find(const struct crypt_inode_flags *flags, size_t n, uint64_t member, uint64_t inode)
{
	const size_t i = LOWER_BOUND(at, n, flags[at].member < member || (flags[at].member == member && flags[at].inode < inode));

	return i < n && flags[i].member == member && flags[i].inode == inode ? &flags[i] : NULL;
}

static void inode_item(struct canonical *c, uint64_t member, uint64_t number, struct cursor item)
{
	struct disk_inode_item disk;

	if (item.left != sizeof(disk)) {
		mac_update(c->mac, item.at, item.left);
		return;
	}
	memcpy(&disk, item.at, sizeof(disk));
	memset(&disk.transid, 0, sizeof(disk.transid));
	memset(&disk.sequence, 0, sizeof(disk.sequence));
	memset(&disk.reserved, 0, sizeof(disk.reserved));
	memset(&disk.atime, 0, sizeof(disk.atime));
	if (c->input.kind == DIGEST_FOUND && S_ISREG(le32(disk.mode))) {
		const struct crypt_inode_flags *had = inode_flags_find(c->input.flags, c->input.n_flags, member, number);
		const uint64_t flags = le64(disk.flags) & ~REGULAR_SEAL_FLAGS;

		disk.flags = to_le64(flags | (had ? had->flags : 0));
	}
	mac_update(c->mac, &disk, sizeof(disk));
}

static bool list_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct canonical *c = context;

	(void)place, (void)go, (void)err;
	mac_update(c->mac, &unit->u.unit_id, sizeof(unit->u.unit_id));
	mac_update(c->mac, unit->u.nonce, sizeof(unit->u.nonce));
	return true;
}

static bool list_units(struct canonical *c, const struct key *key, const struct file_extent *extent, bool *found, struct error *err)
{
	const struct unit_finder *finder = c->input.finder;
	struct unit_group group;

	if (finder)
		return finder->extent(finder->context, key, extent, list_unit, c, found, err);
	/* Guesses count: one damaged file does not make a changed tree. */
	*found = unit_map_at(c->input.units, extent->disk_bytenr, &group);
	return !*found || unit_map_visit(c->input.units, &group, list_unit, c, err);
}

/* Adds the nonce of the unit of an inline payload. If there is no unit, adds 16 bytes of 0xff and the payload itself. */
static bool inline_nonce(struct canonical *c, const struct inline_payload *payload, struct error *err)
{
	const struct inline_search search = { c->input.inlines, c->input.schedule, payload, PAYLOAD_SEALED, NULL };
	struct crypt_inline_unit unit;
	uint8_t none[CRYPT_NONCE_SIZE];
	bool found;

	if (!(c->input.finder ? c->input.finder->payload(c->input.finder->context, payload, &unit, &found, err) :
				inline_map_find(&search, &unit, &found, err)))
		return false;
	c->has_inline = found;
	if (found) {
		c->inline_place = unit.place;
		mac_update(c->mac, unit.disk.i.nonce, sizeof(unit.disk.i.nonce));
	} else {
		memset(none, 0xff, sizeof(none));
		mac_update(c->mac, none, sizeof(none));
		mac_update(c->mac, payload->bytes.at, payload->bytes.left);
	}
	return true;
}

static bool unreadable(struct canonical *c, struct cursor item, const struct error *err)
{
	if (!c->input.over || !error_is_damage(err))
		return false;
	mac_update(c->mac, item.at, item.left);
	return true;
}

static bool extent_item(struct canonical *c, const struct tree *tree, const struct key *key, struct cursor item, struct error *err)
{
	const uint32_t sector_size = c->input.volume->super.sector_size;
	const uint8_t *bytes = item.at;
	struct cursor read = item;
	struct file_extent extent;

	if (!file_extent_read(&read, key->offset, sector_size, &extent, err))
		return unreadable(c, item, err);
	if (extent.type == FILE_EXTENT_INLINE) {
		struct inline_payload payload;
		uint32_t mode;

		mac_update(c->mac, bytes, FILE_EXTENT_INLINE_HEADER);
		if (c->input.kind == DIGEST_FOUND)
			return true;
		if (!inode_mode(&c->mode, tree, key->objectid, &mode, err))
			return unreadable(c, item, err);
		return !inline_payload_of(key, item, mode, &payload) || inline_nonce(c, &payload, err);
	}

	const size_t at = offsetof(struct disk_file_extent, disk_bytenr);
	struct disk_file_extent disk;

	memcpy(&disk, bytes, sizeof(disk));
	if (c->input.kind == DIGEST_FOUND && extent.type == FILE_EXTENT_REG && extent.other_encoding == SEAL_MARK)
		disk.other_encoding = to_le16(0);
	if (c->input.kind == DIGEST_FOUND || extent.disk_bytenr == 0) {
		mac_update(c->mac, &disk, sizeof(disk));
		return true;
	}

	bool found;

	mac_update(c->mac, &disk, at);
	if (!list_units(c, key, &extent, &found, err))
		return false;
	if (!found) {
		const struct le64 none = to_le64(UINT64_MAX);

		mac_update(c->mac, &none, sizeof(none));
		mac_update(c->mac, &disk.disk_bytenr, sizeof(disk.disk_bytenr));
	}
	mac_update(c->mac, bytes + at + sizeof(disk.disk_bytenr), sizeof(disk) - at - sizeof(disk.disk_bytenr));
	return true;
}

bool canonical_item_mac(struct canonical *c, const struct tree *tree, uint64_t flags_member, const struct key *key, struct cursor item,
			uint8_t mac[CRYPT_MAC_SIZE], struct error *err)
{
	const struct disk_key disk_key = key_to_disk(key);
	const struct le32 len = to_le32((uint32_t)item.left);
	struct inline_payload payload;

	c->has_inline = false;
	mac_start(c->mac);
	mac_update(c->mac, "T", 1);
	mac_update(c->mac, &disk_key, sizeof(disk_key));
	mac_update(c->mac, &len, sizeof(len));
	switch (key->type) {
	case KEY_INODE_ITEM:
		inode_item(c, flags_member, key->objectid, item);
		break;
	case KEY_EXTENT_DATA:
		if (!extent_item(c, tree, key, item, err))
			return false;
		break;
	case KEY_VERITY_DESC:
	case KEY_VERITY_MERKLE:
		if (c->input.kind == DIGEST_SEALED && inline_payload_of(key, item, 0, &payload) && !inline_nonce(c, &payload, err))
			return false;
		break;
	default:
		mac_update(c->mac, item.at, item.left);
	}
	return mac_finish(c->mac, mac, err);
}
