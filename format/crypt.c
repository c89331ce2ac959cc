/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The items of a sealed domain: every field is checked once, in the order of the bytes, and written back unchanged. */
#include "format/crypt-check.h"

/* --- keys --------------------------------------------------------------------- */
struct key crypt_key(uint16_t domain, enum crypt_kind kind, uint64_t index)
{
	assert(index <= CRYPT_INDEX_LAST);
	return (struct key){ CRYPT_ID, KEY_PERSISTENT_ITEM, (uint64_t)domain << 48 | (uint64_t)kind << 44 | index };
}

struct key crypt_second_header_key(uint16_t domain)
{
	return (struct key){ CRYPT_ID, KEY_PERSISTENT_ITEM, (uint64_t)domain << 48 | CRYPT_SEQUENCE_LAST };
}

bool crypt_place_of_key(const struct key *key, struct crypt_place *place)
{
	const uint64_t sequence = key->offset & CRYPT_SEQUENCE_LAST;
	const unsigned kind = sequence >> 44;
	const uint64_t index = sequence & CRYPT_INDEX_LAST;
	const bool second_header = sequence == CRYPT_SEQUENCE_LAST;

	if (key->objectid != CRYPT_ID || key->type != KEY_PERSISTENT_ITEM)
		return false;
	if (!second_header) {
		if (kind > CRYPT_KIND_MAX)
			return false;
		if ((kind == CRYPT_HEADER || kind == CRYPT_SEAL || kind == CRYPT_BRIDGE) && index != 0)
			return false;
	}
	*place = (struct crypt_place){
		.domain = key->offset >> 48,
		.kind = second_header ? CRYPT_HEADER : (enum crypt_kind)kind,
		.index = second_header ? 0 : index,
		.second_header = second_header,
	};
	return true;
}

const char *crypt_state_name(enum crypt_state state)
{
	static const char *const names[] = {
		[CRYPT_STATE_SEALING] = "sealing", [CRYPT_STATE_SEALED] = "sealed", [CRYPT_STATE_UNSEALING] = "unsealing",
	};

	return names[state];
}

const char *crypt_slot_type_name(enum crypt_slot_type type)
{
	static const char *const names[] = { [SLOT_PASSPHRASE] = "passphrase", [SLOT_KEY_FILE] = "key-file", [SLOT_RECOVERY] = "recovery" };

	return names[type];
}

const char *crypt_kdf_name(enum crypt_kdf kdf)
{
	static const char *const names[] = { [KDF_ARGON2ID] = "argon2id", [KDF_PBKDF2_SHA512] = "pbkdf2-sha512", [KDF_NONE] = "none" };

	return names[kdf];
}

const char *crypt_operation_name(enum crypt_operation operation)
{
	static const char *const names[] = { [CRYPT_OP_ENCRYPT] = "encrypt", [CRYPT_OP_DECRYPT] = "decrypt", [CRYPT_OP_KEYS] = "change-keys",
		[CRYPT_OP_REKEY] = "rekey", [CRYPT_OP_LEGACY] = "decrypt-2016", [CRYPT_OP_PURGE] = "purge" };

	return names[operation];
}

const char *crypt_cipher_name(enum crypt_cipher cipher)
{
	switch (cipher) {
	case CIPHER_AES_256_GCM:
		return "aes-256-gcm";
	case CIPHER_CHACHA20_POLY1305:
		return "chacha-poly1305";
	}
	return "unknown";
}

bool crypt_cipher_find(const char *name, enum crypt_cipher *cipher)
{
	const bool is_aes = strcmp(name, crypt_cipher_name(CIPHER_AES_256_GCM)) == 0;

	*cipher = is_aes ? CIPHER_AES_256_GCM : CIPHER_CHACHA20_POLY1305;
	return is_aes || strcmp(name, "chacha20-poly1305") == 0 || strcmp(name, crypt_cipher_name(CIPHER_CHACHA20_POLY1305)) == 0;
}

/* --- head and end of every payload --------------------------------------------- */
const char *crypt_kind_name(enum crypt_kind kind)
{
	static const char *const names[] = {
		[CRYPT_HEADER] = "crypt header",
		[CRYPT_SLOT] = "crypt slot",
		[CRYPT_MEMBER] = "crypt member",
		[CRYPT_INODE_FLAGS] = "crypt inode flags",
		[CRYPT_UNITS] = "crypt units",
		[CRYPT_INLINE_UNITS] = "crypt inline units",
		[CRYPT_SEAL] = "crypt seal",
		[CRYPT_INDEX] = "crypt index",
		[CRYPT_BAD_BLOCKS] = "crypt bad blocks",
		[CRYPT_BRIDGE] = "crypt bridge",
	};

	return names[kind];
}

static struct place place_of(const struct cursor *item, enum crypt_kind kind)
{
	const bool is_key = kind == CRYPT_HEADER || kind == CRYPT_SLOT;

	return (struct place){ is_key ? ERROR_KEY_HEADER : ERROR_CORRUPT, crypt_kind_name(kind), item->offset };
}

static bool head_check(const struct disk_crypt_head *head, enum crypt_kind kind, struct place place, struct error *err)
{
	const bool is_list = kind == CRYPT_INODE_FLAGS || kind == CRYPT_UNITS || kind == CRYPT_INLINE_UNITS || kind == CRYPT_INDEX ||
			     kind == CRYPT_BAD_BLOCKS;
	const unsigned n_entries = le16(head->n_entries);

	if (head->kind != kind)
		return wrong(place, "kind is %u, not %u", head->kind, kind);
	if (is_unreleased(head->version, place, err))
		return false;
	if (head->version != CRYPT_VERSION)
		return wrong(place, "version is %u, not %u", head->version, CRYPT_VERSION);
	if (is_list ? n_entries == 0 : n_entries != 1)
		return wrong(place, "n_entries is %u, not %s", n_entries, is_list ? "1 or more" : "1");
	if (le32(head->zero) != 0)
		return wrong(place, "reserved bytes of the head are %#" PRIx32 ", not 0", le32(head->zero));
	return true;
}

bool crypt_head_read(struct cursor *item, enum crypt_kind kind, unsigned *n_entries, struct error *err)
{
	const struct place place = place_of(item, kind);
	struct disk_crypt_head head;

	if (!cursor_read(item, &head, sizeof(head)))
		return wrong(place, "%zu bytes left, a head takes %zu", item->left, sizeof(head));
	if (!head_check(&head, kind, place, err))
		return false;
	*n_entries = le16(head.n_entries);
	return true;
}

void crypt_head_write(struct disk_crypt_head *head, enum crypt_kind kind, unsigned n)
{
	assert(n >= 1 && n <= UINT16_MAX);
	*head = (struct disk_crypt_head){ .kind = kind, .version = CRYPT_VERSION, .n_entries = to_le16(n) };
}

bool crypt_item_end(const struct cursor *item, enum crypt_kind kind, struct error *err)
{
	if (item->left != 0)
		return wrong(place_of(item, kind), "%zu bytes after the last entry, not 0", item->left);
	return true;
}

/* Copies an item of exactly len bytes out. */
static bool read_whole(struct cursor *item, void *disk, size_t len, struct place place, struct error *err)
{
	if (item->left != len)
		return wrong(place, "%zu bytes, not %zu", item->left, len);
	return cursor_read(item, disk, len);
}

/* --- header ---------------------------------------------------------------------- */
static bool header_check(const struct disk_crypt_header *disk, struct place place, struct error *err)
{
	const struct { const char *name; uint64_t have, most; } count[] = {
		{ "n_members", le64(disk->n_members), CRYPT_INDEX_LAST },
		{ "n_inode_flags_items", le64(disk->n_inode_flags_items), CRYPT_INDEX_LAST },
		{ "n_unit_items", le64(disk->n_unit_items), CRYPT_INDEX_LAST },
		{ "n_units", le64(disk->n_units), UINT64_MAX / CRYPT_BLOCK },
		{ "n_inline_items", le64(disk->n_inline_items), CRYPT_INDEX_LAST },
		{ "n_inline_units", le64(disk->n_inline_units), UINT64_MAX / CRYPT_BLOCK },
		{ "n_index_items", le64(disk->n_index_items), CRYPT_INDEX_LAST },
		{ "n_index_entries", le64(disk->n_index_entries), UINT64_MAX / CRYPT_BLOCK },
		{ "n_bad_items", le64(disk->n_bad_items), CRYPT_INDEX_LAST },
		{ "n_bad_blocks", le64(disk->n_bad_blocks), UINT64_MAX / CRYPT_BLOCK },
	};
	const unsigned unit_max = le16(disk->unit_max);

	if (memcmp(disk->magic, CRYPT_HEADER_MAGIC, sizeof(disk->magic)) != 0)
		return wrong(place, "the magic is not \"%s\"", CRYPT_HEADER_MAGIC);
	if (is_unreleased(le32(disk->version), place, err))
		return false;
	if (le32(disk->version) != CRYPT_VERSION)
		return wrong(place, "format version is %" PRIu32 ", not %u", le32(disk->version), CRYPT_VERSION);
	if (!head_check(&disk->head, CRYPT_HEADER, place, err))
		return false;
	if (!cipher_known(disk->cipher))
		return wrong(place, "cipher is %u, not 1 or 2", disk->cipher);
	if (disk->state < CRYPT_STATE_SEALING || disk->state > CRYPT_STATE_UNSEALING)
		return wrong(place, "state is %u, not 1 to 3", disk->state);
	if (unit_max == 0 || unit_max > CRYPT_UNIT_BLOCKS_MAX)
		return wrong(place, "unit_max is %u, not 1 to %u", unit_max, CRYPT_UNIT_BLOCKS_MAX);
	if (le32(disk->block_size) != CRYPT_BLOCK)
		return wrong(place, "block_size is %" PRIu32 ", not %u", le32(disk->block_size), CRYPT_BLOCK);
	if (disk->had_verity > 1)
		return wrong(place, "had_verity is %u, not 0 or 1", disk->had_verity);
	if (disk->zero != 0)
		return wrong(place, "a reserved byte is %#x, not 0", disk->zero);
	for (size_t i = 0; i < sizeof(count) / sizeof(count[0]); i++) {
		if (count[i].have > count[i].most)
			return wrong(place, "%s is %" PRIu64 ", not 0 to %" PRIu64, count[i].name, count[i].have,
				     count[i].most);
	}
	return true;
}

bool crypt_header_read(struct cursor *item, struct crypt_header *header, struct error *err)
{
	const struct place place = place_of(item, CRYPT_HEADER);
	struct disk_crypt_header disk;
	struct disk_crypt_head head;
	struct cursor peek = *item;

	/* A header of the unreleased version is shorter: report the version, not the size. */
	if (cursor_read(&peek, &head, sizeof(head)) && head.kind == CRYPT_HEADER && is_unreleased(head.version, place, err))
		return false;
	if (!read_whole(item, &disk, sizeof(disk), place, err) || !header_check(&disk, place, err))
		return false;
	*header = (struct crypt_header){
		.cipher = disk.cipher,
		.state = disk.state,
		.unit_max = le16(disk.unit_max),
		.domain = le16(disk.domain),
		.had_verity = disk.had_verity,
		.epoch = le64(disk.epoch),
		.n_members = le64(disk.n_members),
		.n_inode_flags_items = le64(disk.n_inode_flags_items),
		.n_unit_items = le64(disk.n_unit_items),
		.n_units = le64(disk.n_units),
		.n_inline_items = le64(disk.n_inline_items),
		.n_inline_units = le64(disk.n_inline_units),
		.n_index_items = le64(disk.n_index_items),
		.n_index_entries = le64(disk.n_index_entries),
		.n_bad_items = le64(disk.n_bad_items),
		.n_bad_blocks = le64(disk.n_bad_blocks),
	};
	memcpy(header->op_id, disk.op_id, sizeof(header->op_id));
	memcpy(header->domain_uuid, disk.domain_uuid, sizeof(header->domain_uuid));
	memcpy(header->kcv, disk.kcv, sizeof(header->kcv));
	memcpy(header->seal, disk.seal, sizeof(header->seal));
	memcpy(header->items_mac, disk.items_mac, sizeof(header->items_mac));
	memcpy(header->slot_hash, disk.slot_hash, sizeof(header->slot_hash));
	memcpy(header->mac, disk.mac, sizeof(header->mac));
	return true;
}

void crypt_header_write(const struct crypt_header *header, struct disk_crypt_header *disk)
{
	*disk = (struct disk_crypt_header){
		.version = to_le32(CRYPT_VERSION),
		.cipher = header->cipher,
		.state = header->state,
		.unit_max = to_le16(header->unit_max),
		.block_size = to_le32(CRYPT_BLOCK),
		.domain = to_le16(header->domain),
		.had_verity = header->had_verity,
		.epoch = to_le64(header->epoch),
		.n_members = to_le64(header->n_members),
		.n_inode_flags_items = to_le64(header->n_inode_flags_items),
		.n_unit_items = to_le64(header->n_unit_items),
		.n_units = to_le64(header->n_units),
		.n_inline_items = to_le64(header->n_inline_items),
		.n_inline_units = to_le64(header->n_inline_units),
		.n_index_items = to_le64(header->n_index_items),
		.n_index_entries = to_le64(header->n_index_entries),
		.n_bad_items = to_le64(header->n_bad_items),
		.n_bad_blocks = to_le64(header->n_bad_blocks),
	};
	crypt_head_write(&disk->head, CRYPT_HEADER, 1);
	memcpy(disk->magic, CRYPT_HEADER_MAGIC, sizeof(disk->magic));
	memcpy(disk->op_id, header->op_id, sizeof(disk->op_id));
	memcpy(disk->domain_uuid, header->domain_uuid, sizeof(disk->domain_uuid));
	memcpy(disk->kcv, header->kcv, sizeof(disk->kcv));
	memcpy(disk->seal, header->seal, sizeof(disk->seal));
	memcpy(disk->items_mac, header->items_mac, sizeof(disk->items_mac));
	memcpy(disk->slot_hash, header->slot_hash, sizeof(disk->slot_hash));
	memcpy(disk->mac, header->mac, sizeof(disk->mac));
}

bool crypt_header_equal(const struct crypt_header *a, const struct crypt_header *b)
{
	struct disk_crypt_header x, y;

	crypt_header_write(a, &x);
	crypt_header_write(b, &y);
	return memcmp(&x, &y, sizeof(x)) == 0;
}

bool crypt_header_has_slot(const struct crypt_header *header, unsigned number)
{
	return number < CRYPT_SLOTS_MAX && !all_zero(header->slot_hash[number], CRYPT_SLOT_HASH_SIZE);
}

unsigned crypt_header_n_slots(const struct crypt_header *header)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CRYPT_SLOTS_MAX; i++)
		n += crypt_header_has_slot(header, i);
	return n;
}

/* --- key slot ---------------------------------------------------------------------- */
static bool slot_check(const struct disk_crypt_slot_header *disk, struct place place, struct error *err)
{
	const size_t label_len = strnlen((const char *)disk->label, sizeof(disk->label));
	const uint32_t p2 = le32(disk->p2), p3 = le32(disk->p3);

	if (!head_check(&disk->head, CRYPT_SLOT, place, err))
		return false;
	if (memcmp(disk->magic, CRYPT_SLOT_MAGIC, sizeof(disk->magic)) != 0)
		return wrong(place, "the magic is not \"%s\"", CRYPT_SLOT_MAGIC);
	if (is_unreleased(le32(disk->version), place, err))
		return false;
	if (le32(disk->version) != CRYPT_VERSION)
		return wrong(place, "format version is %" PRIu32 ", not %u", le32(disk->version), CRYPT_VERSION);
	if (le16(disk->number) >= CRYPT_SLOTS_MAX)
		return wrong(place, "number is %u, not 0 to %u", le16(disk->number), CRYPT_SLOTS_MAX - 1);
	if (disk->type < SLOT_PASSPHRASE || disk->type > SLOT_RECOVERY)
		return wrong(place, "type is %u, not 1 to 3", disk->type);
	if (disk->kdf < KDF_ARGON2ID || disk->kdf > KDF_NONE)
		return wrong(place, "kdf is %u, not 1 to 3", disk->kdf);
	if (disk->kdf == KDF_NONE && disk->type != SLOT_RECOVERY)
		return wrong(place, "kdf is none and type is %u, only a recovery key (%u) has none", disk->type,
			     SLOT_RECOVERY);
	if (disk->kdf != KDF_ARGON2ID && (p2 != 0 || p3 != 0))
		return wrong(place, "p2 and p3 are %" PRIu32 " and %" PRIu32 ", not 0", p2, p3);
	if (disk->kdf == KDF_NONE && le32(disk->p1) != 0)
		return wrong(place, "p1 is %" PRIu32 ", not 0", le32(disk->p1));
	if (!all_zero(disk->label + label_len, sizeof(disk->label) - label_len))
		return wrong(place, "the label has %zu bytes, but what follows it is not zero", label_len);
	return true;
}

bool crypt_slot_read(struct cursor *item, struct crypt_slot *slot, struct error *err)
{
	const struct place place = place_of(item, CRYPT_SLOT);
	struct disk_crypt_slot disk;

	if (!read_whole(item, &disk, sizeof(disk), place, err) || !slot_check(&disk.header, place, err))
		return false;
	*slot = (struct crypt_slot){
		.disk = disk,
		.number = le16(disk.header.number),
		.type = disk.header.type,
		.kdf = disk.header.kdf,
		.p1 = le32(disk.header.p1),
		.p2 = le32(disk.header.p2),
		.p3 = le32(disk.header.p3),
		.time = le64(disk.header.time),
	};
	memcpy(slot->domain_uuid, disk.header.domain_uuid, sizeof(slot->domain_uuid));
	memcpy(slot->label, disk.header.label, sizeof(disk.header.label));
	return true;
}

/* --- member ------------------------------------------------------------------------- */
bool crypt_member_read(struct cursor *item, struct crypt_member *member, struct error *err)
{
	const struct place place = place_of(item, CRYPT_MEMBER);
	struct disk_crypt_member disk;

	if (!cursor_read(item, &disk, sizeof(disk)))
		return wrong(place, "%zu bytes left, a member takes %zu", item->left, sizeof(disk));

	const uint64_t id = le64(disk.id);
	const size_t path_len = le16(disk.path_len);

	if (!head_check(&disk.head, CRYPT_MEMBER, place, err))
		return false;
	if (!is_subvolume_id(id))
		return wrong(place, "id is %" PRIu64 ", no subvolume has it", id);
	if (path_len > CRYPT_PATH_MAX)
		return wrong(place, "path_len is %zu, not 0 to %u", path_len, CRYPT_PATH_MAX);
	if (disk.path_cut > 1)
		return wrong(place, "path_cut is %u, not 0 or 1", disk.path_cut);
	if (!all_zero(disk.zero, sizeof(disk.zero)))
		return wrong(place, "%zu reserved bytes are not 0", sizeof(disk.zero));
	if (item->left != path_len)
		return wrong(place, "path_len is %zu, the item has %zu bytes left", path_len, item->left);

	*member = (struct crypt_member){
		.id = id,
		.root_flags = le64(disk.root_flags),
		.n_items = le64(disk.n_items),
		.path_len = path_len,
		.path_cut = disk.path_cut,
	};
	memcpy(member->uuid, disk.uuid, sizeof(member->uuid));
	memcpy(member->reserved, disk.reserved, sizeof(member->reserved));
	memcpy(member->digest, disk.digest, sizeof(member->digest));
	return cursor_read(item, member->path, path_len);
}

size_t crypt_member_write(const struct crypt_member *member, uint8_t out[CRYPT_MEMBER_MAX])
{
	struct disk_crypt_member disk = {
		.id = to_le64(member->id),
		.root_flags = to_le64(member->root_flags),
		.n_items = to_le64(member->n_items),
		.path_len = to_le16(member->path_len),
		.path_cut = member->path_cut,
	};

	assert(member->path_len <= CRYPT_PATH_MAX);
	crypt_head_write(&disk.head, CRYPT_MEMBER, 1);
	memcpy(disk.uuid, member->uuid, sizeof(disk.uuid));
	memcpy(disk.reserved, member->reserved, sizeof(disk.reserved));
	memcpy(disk.digest, member->digest, sizeof(disk.digest));
	memcpy(out, &disk, sizeof(disk));
	memcpy(out + sizeof(disk), member->path, member->path_len);
	return sizeof(disk) + member->path_len;
}

/* --- seal --------------------------------------------------------------------------- */
bool crypt_seal_read(struct cursor *item, struct crypt_seal *seal, struct error *err)
{
	const struct place place = place_of(item, CRYPT_SEAL);
	struct disk_crypt_seal disk;

	if (!read_whole(item, &disk, sizeof(disk), place, err) || !head_check(&disk.head, CRYPT_SEAL, place, err))
		return false;
	*seal = (struct crypt_seal){
		.n_units = le64(disk.n_units),
		.n_inline_units = le64(disk.n_inline_units),
		.n_index_entries = le64(disk.n_index_entries),
		.n_bad_blocks = le64(disk.n_bad_blocks),
	};
	memcpy(seal->unit_sum, disk.unit_sum, sizeof(seal->unit_sum));
	memcpy(seal->inline_sum, disk.inline_sum, sizeof(seal->inline_sum));
	memcpy(seal->index_sum, disk.index_sum, sizeof(seal->index_sum));
	memcpy(seal->bad_sha256, disk.bad_sha256, sizeof(seal->bad_sha256));
	memcpy(seal->seal, disk.seal, sizeof(seal->seal));
	return true;
}

bool crypt_bridge_read(struct cursor *item, struct disk_crypt_bridge *bridge, struct error *err)
{
	const struct place place = place_of(item, CRYPT_BRIDGE);
	struct disk_crypt_bridge disk;

	if (!read_whole(item, &disk, sizeof(disk), place, err) || !head_check(&disk.head, CRYPT_BRIDGE, place, err))
		return false;
	if (!all_zero(disk.zero, sizeof(disk.zero)))
		return wrong(place, "%zu reserved bytes are not 0", sizeof(disk.zero));
	*bridge = disk;
	return true;
}

void crypt_seal_write(const struct crypt_seal *seal, struct disk_crypt_seal *disk)
{
	*disk = (struct disk_crypt_seal){
		.n_units = to_le64(seal->n_units),
		.n_inline_units = to_le64(seal->n_inline_units),
		.n_index_entries = to_le64(seal->n_index_entries),
		.n_bad_blocks = to_le64(seal->n_bad_blocks),
	};
	crypt_head_write(&disk->head, CRYPT_SEAL, 1);
	memcpy(disk->unit_sum, seal->unit_sum, sizeof(disk->unit_sum));
	memcpy(disk->inline_sum, seal->inline_sum, sizeof(disk->inline_sum));
	memcpy(disk->index_sum, seal->index_sum, sizeof(disk->index_sum));
	memcpy(disk->bad_sha256, seal->bad_sha256, sizeof(disk->bad_sha256));
	memcpy(disk->seal, seal->seal, sizeof(disk->seal));
}
