/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of everything that concerns encryption: crypt items and the state of an unfinished conversion.  No wrapped key is printed. */
#include "cmd/dump/items.h"
#include "cmd/dump/legacy.h"
#include "common/sealed/domain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/crypt.h"
#include "format/dir-entry.h"
#include "format/file-extent.h"
#include "format/fscrypt.h"
#include "format/root.h"

static bool dump_header(struct dump *dump, struct cursor *item, struct error *err)
{
	struct crypt_header header;
	char tag[DOMAIN_TAG_TEXT_SIZE];

	if (!crypt_header_read(item, &header, err))
		return false;
	domain_tag_text(&(const struct domain){ .header = header }, tag);
	LINE(dump_text(dump, "Encryption:", tag));
	LINE(dump_text(dump, "state", crypt_state_name(header.state)), VALUE_OF(header, epoch), dump_text(dump, "cipher", crypt_cipher_name(header.cipher)),
	     VALUE("block_size", CRYPT_BLOCK), VALUE_OF(header, unit_max));
	LINE(UUID_OF(header, domain_uuid));
	LINE(UUID_OF(header, op_id));
	LINE(VALUE_OF(header, had_verity));
	LINE(VALUE_OF(header, n_members), VALUE_OF(header, n_inode_flags_items));
	LINE(VALUE_OF(header, n_unit_items), VALUE_OF(header, n_units), VALUE_OF(header, n_inline_items), VALUE_OF(header, n_inline_units));
	LINE(VALUE_OF(header, n_index_items), VALUE_OF(header, n_index_entries), VALUE_OF(header, n_bad_items), VALUE_OF(header, n_bad_blocks));
	LINE(HEX_OF(header, kcv));
	LINE(HEX_OF(header, seal));
	LINE(HEX_OF(header, items_mac));
	LINE(HEX_OF(header, mac));
	dump_list(dump, "slots");
	for (unsigned i = 0; i < CRYPT_SLOTS_MAX; i++) {
		if (!crypt_header_has_slot(&header, i))
			continue;
		dump_element(dump);
		LINE(VALUE("slot", i), dump_hex(dump, "slot_hash", header.slot_hash[i], CRYPT_SLOT_HASH_SIZE));
	}
	dump_list_end(dump);
	return true;
}

static void dump_cost(struct dump *dump, const struct crypt_slot *slot)
{
	switch (slot->kdf) {
	case KDF_ARGON2ID:
		VALUES(dump_text(dump, "kdf", "argon2id"), VALUE("memory_kib", slot->p1), VALUE("passes", slot->p2), VALUE("lanes", slot->p3));
		break;
	case KDF_PBKDF2_SHA512:
		VALUES(dump_text(dump, "kdf", "pbkdf2-sha512"), VALUE("iterations", slot->p1));
		break;
	case KDF_NONE:
		dump_text(dump, "kdf", "none");
		break;
	}
	dump_end_line(dump);
}

/* Prints neither the wrapped key nor anything against which its secret could be guessed. */
static bool dump_slot(struct dump *dump, struct cursor *item, struct error *err)
{
	struct crypt_slot slot;

	if (!crypt_slot_read(item, &slot, err))
		return false;

	const struct inode_time time = { .sec = slot.time };

	LINE(VALUE_OF(slot, number), dump_text(dump, "type", crypt_slot_type_name(slot.type)));
	LINE(dump_name(dump, "label", slot.label, strlen(slot.label)));
	dump_cost(dump, &slot);
	LINE(dump_time(dump, "time", &time));
	LINE(UUID_OF(slot, domain_uuid));
	LINE(HEX_OF(slot.disk.header, salt));
	LINE(dump_text(dump, "commit:", "32 bytes"));
	LINE(dump_text(dump, "wrapped:", "48 bytes"));
	return true;
}

static bool dump_member(struct dump *dump, struct cursor *item, struct error *err)
{
	struct crypt_member member;

	if (!crypt_member_read(item, &member, err))
		return false;

	const bool top = member.id == FS_TREE_ID && member.path_len == 0;

	LINE(VALUE_OF(member, id), UUID_OF(member, uuid));
	LINE(dump_name(dump, member.path_cut ? "path_cut" : "path", top ? "/" : (const void *)member.path, top ? 1 : member.path_len));
	LINE(dump_bits(dump, "root_flags", member.root_flags, member.root_flags & ROOT_RDONLY ? "RDONLY" : "none"));
	LINE(HEX_OF(member, reserved));
	LINE(VALUE_OF(member, n_items));
	LINE(HEX_OF(member, digest));
	return true;
}

static const struct bit_name recorded_flags[] = { { INODE_IMMUTABLE, "IMMUTABLE" }, { INODE_RO_VERITY, "VERITY" } };

static bool dump_one_inode_flags(struct dump *dump, struct cursor *item, struct error *err)
{
	struct crypt_inode_flags flags;
	char text[64];

	if (!crypt_inode_flags_next(item, &flags, err))
		return false;
	dump_element(dump);
	LINE(VALUE_OF(flags, member), VALUE_OF(flags, inode),
	     dump_bits(dump, "flags", flags.flags, bits_text(flags.flags, recorded_flags, 2, text, sizeof(text))));
	return true;
}

static bool dump_unit(struct dump *dump, struct cursor *item, size_t item_size, struct error *err)
{
	struct crypt_unit unit;
	char label[24];

	if (!crypt_unit_next(item, item_size, &unit, err))
		return false;
	dump_element(dump);
	LINE(VALUE("unit", unit.unit_id), VALUE_OF(unit, blocks), VALUE_OF(unit, extent_len), VALUE_OF(unit, offset_in_extent),
	     dump_text(dump, "cipher", crypt_cipher_name(unit.cipher)), dump_text(dump, "state", unit.sealed ? "sealed" : "plain"));
	LINE(VALUE_OF(unit, root), VALUE_OF(unit, inode), VALUE_OF(unit, file_offset), VALUE_OF(unit, address), HEX_OF(unit, first));
	LINE(HEX_OF(unit.u, nonce));
	if (!dump->tags)
		return true;
	if (dump->object) {
		dump_hex(dump, "tags", unit.tags, (size_t)unit.blocks * CRYPT_TAG_SIZE);	/* one after the other */
		return true;
	}
	for (uint32_t i = 0; i < unit.blocks; i++) {
		snprintf(label, sizeof(label), "tag %" PRIu32, i);
		LINE(dump_hex(dump, label, unit.tags + (size_t)i * CRYPT_TAG_SIZE, CRYPT_TAG_SIZE));
	}
	return true;
}

static bool dump_inline_unit(struct dump *dump, struct cursor *item, struct error *err)
{
	static const char *const kinds[] = {
		[INLINE_DATA] = "data", [INLINE_SYMLINK] = "symlink", [INLINE_VERITY_DESC] = "verity-descriptor",
		[INLINE_VERITY_MERKLE] = "verity-merkle",
	};
	struct crypt_inline_unit unit;

	if (!crypt_inline_unit_next(item, &unit, err))
		return false;
	dump_element(dump);
	LINE(dump_text(dump, "inline", kinds[unit.kind]), VALUE_OF(unit, root), VALUE_OF(unit, inode), VALUE_OF(unit, offset), VALUE_OF(unit, length),
	     dump_text(dump, "cipher", crypt_cipher_name(unit.cipher)), dump_text(dump, "state", unit.sealed ? "sealed" : "plain"));
	LINE(HEX_OF(unit.disk.i, nonce));
	if (dump->tags)
		LINE(dump_hex(dump, "tag", unit.disk.tag, sizeof(unit.disk.tag)));
	return true;
}

static bool dump_index_entry(struct dump *dump, struct cursor *item, struct error *err)
{
	struct crypt_index_entry entry;

	if (!crypt_index_next(item, &entry, err))
		return false;
	dump_element(dump);
	LINE(VALUE_OF(entry, inode), HEX_OF(entry, mac), VALUE_OF(entry, hint));
	return true;
}

static bool dump_bad_block(struct dump *dump, struct cursor *item, struct error *err)
{
	struct crypt_bad_block bad;

	if (!crypt_bad_block_next(item, &bad, err))
		return false;
	dump_element(dump);
	LINE(VALUE("unit", bad.unit_id), VALUE_OF(bad, block), dump_text(dump, "what", bad.what == BAD_CARRIED ? "carried-over" : "skipped"));
	return true;
}

static bool dump_entries(struct dump *dump, enum crypt_kind kind, struct cursor *item, struct error *err)
{
	const size_t item_size = item->left;
	unsigned n;
	bool ok = true;

	if (!crypt_head_read(item, kind, &n, err))
		return false;
	VALUE("n_entries", n);
	dump_list(dump, "entries");
	for (unsigned i = 0; ok && i < n; i++) {
		if (kind == CRYPT_UNITS)
			ok = dump_unit(dump, item, item_size, err);
		else if (kind == CRYPT_INLINE_UNITS)
			ok = dump_inline_unit(dump, item, err);
		else if (kind == CRYPT_INDEX)
			ok = dump_index_entry(dump, item, err);
		else if (kind == CRYPT_BAD_BLOCKS)
			ok = dump_bad_block(dump, item, err);
		else
			ok = dump_one_inode_flags(dump, item, err);
	}
	dump_list_end(dump);
	return ok && crypt_item_end(item, kind, err);
}

static bool dump_seal(struct dump *dump, struct cursor *item, struct error *err)
{
	struct crypt_seal seal;

	if (!crypt_seal_read(item, &seal, err))
		return false;
	LINE(VALUE_OF(seal, n_units), VALUE_OF(seal, n_inline_units), VALUE_OF(seal, n_index_entries), VALUE_OF(seal, n_bad_blocks));
	LINE(HEX_OF(seal, unit_sum));
	LINE(HEX_OF(seal, inline_sum));
	LINE(HEX_OF(seal, index_sum));
	LINE(HEX_OF(seal, bad_sha256));
	LINE(HEX_OF(seal, seal));
	return true;
}

static bool dump_bridge(struct dump *dump, struct cursor *item, struct error *err)
{
	struct disk_crypt_bridge bridge;

	if (!crypt_bridge_read(item, &bridge, err))
		return false;
	LINE(VALUE("old_domain", le16(bridge.domain)), HEX_OF(bridge, domain_uuid));
	LINE(HEX_OF(bridge, kcv));
	LINE(HEX_OF(bridge, wrapped));
	LINE(HEX_OF(bridge, tag));
	return true;
}

bool dump_crypt(struct dump *dump, struct cursor *item, struct error *err)
{
	static const char *const kinds[] = {
		[CRYPT_HEADER] = "header", [CRYPT_SLOT] = "slot", [CRYPT_MEMBER] = "member", [CRYPT_INODE_FLAGS] = "inode-flags",
		[CRYPT_UNITS] = "units", [CRYPT_INLINE_UNITS] = "inline-units", [CRYPT_SEAL] = "seal",
		[CRYPT_INDEX] = "index", [CRYPT_BAD_BLOCKS] = "bad-blocks", [CRYPT_BRIDGE] = "bridge",
	};
	struct crypt_place place;

	if (!crypt_place_of_key(dump->key, &place))
		return error_set(err, ERROR_CORRUPT, "crypt item of an unknown kind");
	VALUES(dump_words(dump, "crypt item"), VALUE_OF(place, domain), dump_text(dump, "kind", kinds[place.kind]));
	if (place.second_header)
		dump_text(dump, "copy", "second");
	else
		dump_u64(dump, "index", place.index);
	dump_end_line(dump);
	switch (place.kind) {
	case CRYPT_HEADER:
		return dump_header(dump, item, err);
	case CRYPT_SLOT:
		return dump_slot(dump, item, err);
	case CRYPT_MEMBER:
		return dump_member(dump, item, err);
	case CRYPT_SEAL:
		return dump_seal(dump, item, err);
	case CRYPT_BRIDGE:
		return dump_bridge(dump, item, err);
	default:
		return dump_entries(dump, place.kind, item, err);
	}
}

/* --- the state of an unfinished conversion ------------------------------------------------------------------ */

static void dump_range(struct dump *dump, const char *label, const struct crypt_range *range)
{
	char text[64];

	snprintf(text, sizeof(text), "%" PRIu64 "+%" PRIu64, range->logical, range->length);
	LINE(dump_text(dump, label, text));
}

bool dump_crypt_state(struct dump *dump, const uint8_t tail[SUPER_TAIL_SIZE], struct error *err)
{
	static const char *const phases[] = {
		[CRYPT_PHASE_STRUCTURE] = "structure", [CRYPT_PHASE_DATA] = "data", [CRYPT_PHASE_LEAVES] = "leaves",
		[CRYPT_PHASE_INDEX] = "index",
		[CRYPT_PHASE_FINISH] = "finish", [CRYPT_PHASE_FINISHED] = "finished",
	};
	struct crypt_state_tail state;

	if (!crypt_state_read(tail, &state, err))
		return false;

	const struct inode_time start = { .sec = state.start_time };

	LINE(dump_text(dump, "operation", crypt_operation_name(state.operation)),
	     dump_text(dump, "direction", state.direction == CRYPT_TO_SEALED ? "to-sealed" : "to-plain"),
	     dump_text(dump, "phase", phases[state.phase]), VALUE_OF(state, cursor));
	LINE(dump_text(dump, "cipher", crypt_cipher_name(state.cipher)), VALUE_OF(state, domain), VALUE_OF(state, epoch), VALUE_OF(state, sequence));
	LINE(UUID_OF(state.disk, op_id));
	LINE(UUID_OF(state.disk, domain_uuid));
	LINE(UUID_OF(state.disk, fsid));
	LINE(VALUE_OF(state, generation), VALUE_OF(state.disk, n_devices), VALUE_OF(state.disk, sector_size), VALUE_OF(state.disk, node_size),
	     VALUE_OF(state.disk, csum_type));
	LINE(dump_bits(dump, "flags", le32(state.disk.flags), le32(state.disk.flags) & 1 ? "ACCEPTED" : "none"));
	LINE(dump_time(dump, "start_time", &start));
	LINE(VALUE_OF(state, total), VALUE_OF(state, n_unit_items));
	dump_range(dump, "keys", &state.keys);
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++) {
		char label[24];

		snprintf(label, sizeof(label), "journal %u", i);
		dump_range(dump, label, &state.slot[i]);
	}
	LINE(HEX_OF(state.disk, kcv));
	LINE(HEX_OF(state.disk, kcv_old));
	LINE(HEX_OF(state.disk, begin_digest));
	LINE(HEX_OF(state.disk, journal_mac));
	LINE(HEX_OF(state.disk, whole_digest));
	LINE(HEX_OF(state.disk, mac));
	return true;
}

/* Those of 2016 and 2017. */
static bool has_legacy_xattr(struct cursor item)
{
	struct error ignored;
	struct dir_entry xattr;

	while (item.left > 0 && xattr_next(&item, &xattr, &ignored)) {
		if (legacy_xattr_is(&xattr.name, LEGACY_XATTR_PROPERTY) || legacy_xattr_is(&xattr.name, LEGACY_XATTR_IV))
			return true;
	}
	return false;
}

bool item_is_about_encryption(const struct key *key, struct cursor item, uint32_t sector_size, struct dump_legacy *legacy)
{
	struct error ignored;
	struct file_extent extent;
	struct inode inode;
	struct root root;

	switch (key->type) {
	case KEY_PERSISTENT_ITEM:
		return key->objectid == CRYPT_ID;
	case KEY_ROOT_ITEM:
		return root_read(&item, &root, &ignored) && ((!root.is_short && root.algorithm[0]) || root.flags & ROOT_ENCRYPT_2016);
	case KEY_INODE_ITEM:	/* sealing sets VERITY as well; IMMUTABLE alone is of chattr */
		return inode_read(&item, &inode, &ignored) && inode.flags & (INODE_RO_VERITY | INODE_ENCRYPT);
	case KEY_EXTENT_DATA:
		return file_extent_read(&item, key->offset, sector_size, &extent, &ignored) &&
		       (extent.other_encoding || extent.encryption || dump_legacy_is_encrypted(legacy, key->objectid, &extent));
	case KEY_XATTR_ITEM:
		return has_legacy_xattr(item);
	case KEY_VERITY_DESC:
	case KEY_VERITY_MERKLE:
	case KEY_FSCRYPT_CTX:
	case KEY_FSCRYPT_INODE_CTX:
		return true;
	default:
		return false;
	}
}
