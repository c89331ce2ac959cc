/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sealed format: the items of a domain in the root tree, byte for byte and native. What parses re-encodes identically. Specified in
 * format/README.md, "The sealed format". Nothing is authenticated here: common/crypto does that.
 */
#ifndef FORMAT_CRYPT_H
#define FORMAT_CRYPT_H

#include "format/cursor.h"
#include "format/key.h"

#define CRYPT_BLOCK		4096u	/* the crypto block, whatever the sector size */
#define CRYPT_TAG_SIZE		16u
#define CRYPT_NONCE_SIZE	16u
#define CRYPT_MAC_SIZE		32u
#define CRYPT_KEY_SIZE		32u
#define CRYPT_UUID_SIZE		16u
#define CRYPT_UNIT_BLOCKS_MAX	500u
#define CRYPT_SLOTS_MAX		32u
#define CRYPT_SLOT_HASH_SIZE	16u
#define CRYPT_PATH_MAX		1024u
#define CRYPT_LABEL_MAX		64u
#define CRYPT_HEADER_MAGIC	"BTRCRYPT"
#define CRYPT_VERSION		3u
#define CRYPT_JOURNAL_SLOTS	3u

/* It is refused with a message that says so. */
static inline bool crypt_version_is_unreleased(uint32_t version) { return version == 1 || version == 2; }

/* Key of an item: (CRYPT_ID, PERSISTENT_ITEM, domain u16 << 48 | kind u4 << 44 | index u44). */
enum crypt_kind {
	CRYPT_HEADER = 0,	/* index 0; the second copy: all 48 bits set */
	CRYPT_SLOT = 1,		/* index: slot number */
	CRYPT_MEMBER = 2,	/* index: 0.. in order of subvolume id */
	CRYPT_INODE_FLAGS = 3,
	CRYPT_UNITS = 4,	/* index 0.. in order of address at sealing */
	CRYPT_INLINE_UNITS = 5,	/* index 0.. in order of leaf address at sealing, then slot */
	CRYPT_SEAL = 6,		/* index 0 */
	CRYPT_INDEX = 7,	/* index 0.. in order of inode, then MAC */
	CRYPT_BAD_BLOCKS = 8,	/* index 0.. in order of unit id, then block */
	CRYPT_BRIDGE = 9,	/* index 0: only while a rekeying is unfinished */
	CRYPT_KIND_MAX = CRYPT_BRIDGE,
};
#define CRYPT_SEQUENCE_LAST	((1ull << 48) - 1)
#define CRYPT_INDEX_LAST	((1ull << 44) - 1)

struct crypt_place {
	uint16_t domain;
	enum crypt_kind kind;
	uint64_t index;
	bool second_header;
};

struct key crypt_key(uint16_t domain, enum crypt_kind kind, uint64_t index);
struct key crypt_second_header_key(uint16_t domain);
/* Returns false (without error text) if key is not a crypt key or its kind is unknown. */
bool crypt_place_of_key(const struct key *key, struct crypt_place *place);

enum crypt_cipher {
	CIPHER_AES_256_GCM = 1,
	CIPHER_CHACHA20_POLY1305 = 2,
};
const char *crypt_kind_name(enum crypt_kind kind);	/* "crypt units" */
const char *crypt_cipher_name(enum crypt_cipher cipher);	/* on disk and displayed: "aes-256-gcm", "chacha-poly1305" */
bool crypt_cipher_find(const char *name, enum crypt_cipher *cipher);	/* by that name, or by "chacha20-poly1305" */

/* Every payload begins with this. */
struct disk_crypt_head {
	uint8_t kind;
	uint8_t version;	/* CRYPT_VERSION */
	struct le16 n_entries;	/* of a list: the number of entries that follow; otherwise 1 */
	struct le32 zero;
};
static_assert(sizeof(struct disk_crypt_head) == 8, "crypt head");

/*
 * Lists (inode flags, units, inline units, index, bad blocks): read the head, then call _next() n_entries times (at least once), then
 * crypt_item_end(), which fails if bytes are left.
 */
bool crypt_head_read(struct cursor *item, enum crypt_kind kind, unsigned *n_entries, struct error *err) must_use;
bool crypt_item_end(const struct cursor *item, enum crypt_kind kind, struct error *err) must_use;
void crypt_head_write(struct disk_crypt_head *head, enum crypt_kind kind, unsigned n);

/* --- header ---------------------------------------------------------------- */
enum crypt_state {
	CRYPT_STATE_SEALING = 1,
	CRYPT_STATE_SEALED = 2,
	CRYPT_STATE_UNSEALING = 3,
};

struct disk_crypt_header {
	struct disk_crypt_head head;
	uint8_t magic[8];
	struct le32 version;
	uint8_t cipher;
	uint8_t state;
	struct le16 unit_max;		/* blocks */
	struct le32 block_size;		/* 4096 */
	struct le16 domain;
	uint8_t had_verity;		/* 1: compat_ro VERITY was set before */
	uint8_t zero;
	struct le64 epoch;
	uint8_t op_id[CRYPT_UUID_SIZE];
	uint8_t domain_uuid[CRYPT_UUID_SIZE];
	uint8_t kcv[CRYPT_MAC_SIZE];
	struct le64 n_members, n_inode_flags_items, n_unit_items, n_units, n_inline_items, n_inline_units;
	struct le64 n_index_items, n_index_entries;	/* 0 until sealed */
	struct le64 n_bad_items, n_bad_blocks;
	uint8_t seal[CRYPT_MAC_SIZE];	/* zeros while not sealed */
	uint8_t items_mac[CRYPT_MAC_SIZE];	/* over the member, inode-flags and bad-block items */
	uint8_t slot_hash[CRYPT_SLOTS_MAX][CRYPT_SLOT_HASH_SIZE];	/* by number: the beginning of the slot item's SHA-256; zeros: there is no such slot */
	uint8_t mac[CRYPT_MAC_SIZE];	/* over everything before */
};
static_assert(sizeof(struct disk_crypt_header) == 792, "crypt header");

struct crypt_header {
	enum crypt_cipher cipher;
	enum crypt_state state;
	uint16_t unit_max, domain;
	bool had_verity;
	uint64_t epoch;
	uint8_t op_id[CRYPT_UUID_SIZE], domain_uuid[CRYPT_UUID_SIZE];
	uint8_t kcv[CRYPT_MAC_SIZE];
	uint64_t n_members, n_inode_flags_items, n_unit_items, n_units, n_inline_items, n_inline_units;
	uint64_t n_index_items, n_index_entries, n_bad_items, n_bad_blocks;
	uint8_t seal[CRYPT_MAC_SIZE], items_mac[CRYPT_MAC_SIZE], mac[CRYPT_MAC_SIZE];
	uint8_t slot_hash[CRYPT_SLOTS_MAX][CRYPT_SLOT_HASH_SIZE];
};

const char *crypt_state_name(enum crypt_state state);	/* of a header or slot that was read, like the two below: "sealed" */

/*
 * Checks layout and ranges only. ERROR_KEY_HEADER if magic, version, size or a field is wrong, ERROR_REFUSED if a version that was never
 * released made it.
 */
bool crypt_header_read(struct cursor *item, struct crypt_header *header, struct error *err) must_use;
void crypt_header_write(const struct crypt_header *header, struct disk_crypt_header *disk);
bool crypt_header_equal(const struct crypt_header *a, const struct crypt_header *b);	/* byte for byte, as on disk */
/* Does it vouch for a key slot of this number? */
bool crypt_header_has_slot(const struct crypt_header *header, unsigned number);
unsigned crypt_header_n_slots(const struct crypt_header *header);

/* --- key slot --------------------------------------------------------------- */
enum crypt_kdf {
	KDF_ARGON2ID = 1,	/* p1: memory in KiB, p2: passes, p3: lanes (1) */
	KDF_PBKDF2_SHA512 = 2,	/* p1: iterations */
	KDF_NONE = 3,		/* recovery key: the secret itself is the HKDF input */
};
enum crypt_slot_type {
	SLOT_PASSPHRASE = 1,
	SLOT_KEY_FILE = 2,
	SLOT_RECOVERY = 3,
};

const char *crypt_kdf_name(enum crypt_kdf kdf);
const char *crypt_slot_type_name(enum crypt_slot_type type);

#define CRYPT_SLOT_MAGIC	"BTRCSLOT"
#define CRYPT_RECOVERY_SIZE	20u	/* bytes of a recovery key */

struct disk_crypt_slot_header {		/* the AAD, and the input of h = SHA-512() */
	struct disk_crypt_head head;
	uint8_t magic[8];		/* CRYPT_SLOT_MAGIC */
	struct le32 version;
	uint8_t domain_uuid[CRYPT_UUID_SIZE];
	struct le16 number;
	uint8_t type;
	uint8_t kdf;
	struct le32 p1, p2, p3;
	uint8_t salt[16];
	struct le64 time;		/* seconds since 1970 */
	uint8_t label[CRYPT_LABEL_MAX];	/* UTF-8, NUL padded */
};
static_assert(sizeof(struct disk_crypt_slot_header) == 140, "crypt slot header");

struct disk_crypt_slot {
	struct disk_crypt_slot_header header;
	uint8_t commit[32];
	uint8_t wrapped[CRYPT_KEY_SIZE];
	uint8_t tag[CRYPT_TAG_SIZE];
};
static_assert(sizeof(struct disk_crypt_slot) == 220, "crypt slot");

struct crypt_slot {
	struct disk_crypt_slot disk;	/* kept: the MACs cover it */
	uint8_t domain_uuid[CRYPT_UUID_SIZE];
	uint16_t number;
	enum crypt_slot_type type;
	enum crypt_kdf kdf;
	uint32_t p1, p2, p3;
	uint64_t time;
	char label[CRYPT_LABEL_MAX + 1];
};
/* Checks layout, known kdf and type, number < CRYPT_SLOTS_MAX. The KDF checks cost bounds. ERROR_KEY_HEADER, or ERROR_REFUSED as above. */
bool crypt_slot_read(struct cursor *item, struct crypt_slot *slot, struct error *err) must_use;

/* --- member ------------------------------------------------------------------ */
struct disk_crypt_member {	/* followed by path_len bytes of path */
	struct disk_crypt_head head;
	struct le64 id;
	uint8_t uuid[UUID_SIZE];
	struct le64 root_flags;		/* as found */
	uint8_t reserved[64];		/* of the root item, as found */
	struct le64 n_items;		/* items in the digest */
	uint8_t digest[CRYPT_MAC_SIZE];	/* zeros until sealed */
	struct le16 path_len;
	uint8_t path_cut;		/* 1: the path was longer */
	uint8_t zero[5];
};
static_assert(sizeof(struct disk_crypt_member) == 152, "crypt member");

struct crypt_member {
	uint64_t id, root_flags, n_items;
	uint8_t uuid[UUID_SIZE], reserved[64], digest[CRYPT_MAC_SIZE];
	uint16_t path_len;
	bool path_cut;
	uint8_t path[CRYPT_PATH_MAX];
};
bool crypt_member_read(struct cursor *item, struct crypt_member *member, struct error *err) must_use;
/* Returns the number of bytes written to out, at most CRYPT_MEMBER_MAX. */
#define CRYPT_MEMBER_MAX (sizeof(struct disk_crypt_member) + CRYPT_PATH_MAX)
size_t crypt_member_write(const struct crypt_member *member, uint8_t out[CRYPT_MEMBER_MAX]);

/* --- flags of inodes that had VERITY or IMMUTABLE before ----------------------- */
struct disk_crypt_inode_flags {		/* entries, sorted by (member, inode) over all items */
	struct le64 member;
	struct le64 inode;
	struct le64 flags;		/* only the two bits, as found */
};
static_assert(sizeof(struct disk_crypt_inode_flags) == 24, "crypt inode flags");
struct crypt_inode_flags {
	uint64_t member, inode, flags;
};
bool crypt_inode_flags_next(struct cursor *item, struct crypt_inode_flags *flags, struct error *err) must_use;

/* --- units ----------------------------------------------------------------------- */
struct disk_crypt_u {		/* U of the key schedule: exactly these 48 bytes */
	uint8_t cipher;
	uint8_t flags;		/* 0; bit 0 is reserved for a bad-block bitmap */
	struct le16 zero;
	struct le64 unit_id;	/* address of the first block when it was sealed */
	struct le32 blocks;	/* of 4 KiB */
	struct le64 extent_len;	/* bytes of the whole extent on disk */
	struct le64 offset_in_extent;
	uint8_t nonce[CRYPT_NONCE_SIZE];	/* zeros: not sealed yet */
};
static_assert(sizeof(struct disk_crypt_u) == 48, "U");

struct disk_crypt_unit {	/* followed by blocks tags of 16 bytes */
	struct disk_crypt_u u;
	/* hints: not authenticated; wrong ones must do no harm */
	struct le64 root, inode, file_offset;	/* locator: one of its references */
	struct le64 address;			/* where its extent was last seen; the same in all units of the extent */
	uint8_t first[8];			/* first bytes of its ciphertext */
};
static_assert(sizeof(struct disk_crypt_unit) == 88, "crypt unit");
static inline size_t crypt_unit_size(unsigned blocks)
{
	return sizeof(struct disk_crypt_unit) + (size_t)blocks * CRYPT_TAG_SIZE;
}

struct crypt_unit {
	struct disk_crypt_u u;		/* as on disk: K_unit is derived from these bytes */
	enum crypt_cipher cipher;
	uint64_t unit_id;
	uint32_t blocks;
	uint64_t extent_len, offset_in_extent;
	bool sealed;			/* the nonce is not zero */
	uint64_t root, inode, file_offset, address;
	uint8_t first[8];
	size_t at;			/* position of the unit's bytes in its item, for editing in place */
	const uint8_t *tags;		/* blocks * CRYPT_TAG_SIZE, borrowed from the item */
};
/*
 * Reads the next unit of a CRYPT_UNITS item, after crypt_head_read(). item_size is the size of the whole item. Checks 1 <= blocks <=
 * CRYPT_UNIT_BLOCKS_MAX, extent_len a nonzero multiple of 4096, unit inside its extent, unit_id aligned and not wrapping.
 */
bool crypt_unit_next(struct cursor *item, size_t item_size, struct crypt_unit *unit, struct error *err) must_use;

/* --- inline units ------------------------------------------------------------------ */
enum crypt_inline_kind {
	INLINE_DATA = 1,		/* payload of an inline extent of a regular file */
	INLINE_SYMLINK = 2,		/* target of a symlink */
	INLINE_VERITY_DESC = 3,		/* whole item of key type 36 */
	INLINE_VERITY_MERKLE = 4,	/* whole item of key type 37 */
};

struct disk_crypt_i {		/* I of the key schedule: exactly these 48 bytes */
	uint8_t cipher;
	uint8_t kind;
	struct le16 zero;
	struct le64 root;	/* lowest member id whose tree held the leaf at sealing */
	struct le64 inode;
	struct le64 offset;	/* of the key of the item */
	struct le32 length;	/* bytes of payload, > 0 */
	uint8_t nonce[CRYPT_NONCE_SIZE];
};
static_assert(sizeof(struct disk_crypt_i) == 48, "I");

struct disk_crypt_inline_unit {
	struct disk_crypt_i i;
	uint8_t tag[CRYPT_TAG_SIZE];
};
static_assert(sizeof(struct disk_crypt_inline_unit) == 64, "crypt inline unit");

struct crypt_inline_unit {
	struct disk_crypt_inline_unit disk;
	enum crypt_cipher cipher;
	enum crypt_inline_kind kind;
	uint64_t root, inode, offset;
	uint32_t length;
	bool sealed;
	uint64_t place;		/* index of its item << 16 | number in it, if it was looked up; else 0 */
};
bool crypt_inline_unit_next(struct cursor *item, struct crypt_inline_unit *unit, struct error *err) must_use;

/* --- index: vouches for each version of each inode separately -------------------------- */
#define CRYPT_ENTRY_MAC_SIZE 16u

struct disk_crypt_index_entry {		/* entries, sorted by (inode, mac) over all items */
	struct le64 inode;
	uint8_t mac[CRYPT_ENTRY_MAC_SIZE];
	struct le64 hint;	/* not authenticated: place of the inode's first inline unit; 0: none, or the very first */
};
static_assert(sizeof(struct disk_crypt_index_entry) == 32, "crypt index entry");
struct crypt_index_entry {
	uint64_t inode, hint;
	uint8_t mac[CRYPT_ENTRY_MAC_SIZE];
};
bool crypt_index_next(struct cursor *item, struct crypt_index_entry *entry, struct error *err) must_use;
void crypt_index_write(const struct crypt_index_entry *entry, struct disk_crypt_index_entry *disk);

/* --- bad blocks ------------------------------------------------------------------------ */
enum crypt_bad {
	BAD_CARRIED = 1,	/* was bad before sealing and is equally bad afterwards */
	BAD_SKIPPED = 2,	/* left as it was found: no tag opens it */
};

struct disk_crypt_bad_block {		/* entries, sorted by (unit_id, block) over all items */
	struct le64 unit_id;
	struct le32 block;		/* of the unit */
	struct le32 what;
};
static_assert(sizeof(struct disk_crypt_bad_block) == 16, "crypt bad block");
struct crypt_bad_block {
	uint64_t unit_id;
	uint32_t block;
	enum crypt_bad what;
};
bool crypt_bad_block_next(struct cursor *item, struct crypt_bad_block *bad, struct error *err) must_use;
void crypt_bad_block_write(const struct crypt_bad_block *bad, struct disk_crypt_bad_block *disk);

/* --- seal ---------------------------------------------------------------------------- */
struct disk_crypt_seal {
	struct disk_crypt_head head;
	struct le64 n_units;
	uint8_t unit_sum[CRYPT_MAC_SIZE];	/* sums mod 2^256, little-endian */
	struct le64 n_inline_units;
	uint8_t inline_sum[CRYPT_MAC_SIZE];
	struct le64 n_index_entries;
	uint8_t index_sum[CRYPT_MAC_SIZE];
	struct le64 n_bad_blocks;
	uint8_t bad_sha256[32];			/* of the payloads of the bad-block items, concatenated */
	uint8_t seal[CRYPT_MAC_SIZE];		/* its first 16 bytes: the seal fingerprint */
};
static_assert(sizeof(struct disk_crypt_seal) == 200, "crypt seal");

struct crypt_seal {
	uint64_t n_units, n_inline_units, n_index_entries, n_bad_blocks;
	uint8_t unit_sum[CRYPT_MAC_SIZE], inline_sum[CRYPT_MAC_SIZE], index_sum[CRYPT_MAC_SIZE], bad_sha256[32], seal[CRYPT_MAC_SIZE];
};
bool crypt_seal_read(struct cursor *item, struct crypt_seal *seal, struct error *err) must_use;
void crypt_seal_write(const struct crypt_seal *seal, struct disk_crypt_seal *disk);

/* --- the key before, while a rekeying is unfinished ------------------------------------ */
struct disk_crypt_bridge {
	struct disk_crypt_head head;
	struct le16 domain;		/* of the sealing before */
	uint8_t zero[6];
	uint8_t domain_uuid[CRYPT_UUID_SIZE];
	uint8_t kcv[CRYPT_MAC_SIZE];
	uint8_t wrapped[CRYPT_KEY_SIZE];	/* its volume key, under K_bridge of the new one */
	uint8_t tag[CRYPT_TAG_SIZE];
};
static_assert(sizeof(struct disk_crypt_bridge) == 112, "crypt bridge");
/* Checks the layout only: whether it is authentic shows when the key in it is unwrapped. */
bool crypt_bridge_read(struct cursor *item, struct disk_crypt_bridge *bridge, struct error *err) must_use;

/* --- the state of an unfinished conversion, in the tail of every superblock copy ------- */
#define CRYPT_STATE_MAGIC "BTRCSTAT"
enum crypt_operation {
	CRYPT_OP_ENCRYPT = 1,
	CRYPT_OP_DECRYPT = 2,
	CRYPT_OP_KEYS = 3,		/* key slots alone are changed */
	CRYPT_OP_REKEY = 4,
	CRYPT_OP_LEGACY = 5,		/* what the format of 2016 encrypted is decrypted; its state has no domain and no cipher */
	CRYPT_OP_PURGE = 6,		/* the items of a domain without members are removed; hashes stand in for the MACs, for there is no key */
};
enum crypt_direction { CRYPT_TO_SEALED = 1, CRYPT_TO_PLAIN = 2 };	/* differs from the operation while aborting; KEYS: to the new slots, back to the old ones; PURGE: 1 without the items, 2 back */
const char *crypt_operation_name(enum crypt_operation operation);
/* Does it go where it set out for, or is it being undone? */
static inline bool crypt_is_forward(enum crypt_operation operation, enum crypt_direction direction)
{
	return (operation == CRYPT_OP_DECRYPT || operation == CRYPT_OP_LEGACY) == (direction == CRYPT_TO_PLAIN);
}
enum crypt_phase {
	CRYPT_PHASE_STRUCTURE = 1,	/* crypt items get their places */
	CRYPT_PHASE_DATA = 2,		/* data extents */
	CRYPT_PHASE_LEAVES = 3,		/* leaves of the members */
	CRYPT_PHASE_INDEX = 4,		/* the index is filled; only towards sealed */
	CRYPT_PHASE_FINISH = 5,		/* root items are converted; what is left is checking and wiping */
	CRYPT_PHASE_FINISHED = 6,	/* only the bit and this tail are left to clear */
};

struct disk_crypt_range {	/* logical, contiguous, inside one chunk */
	struct le64 logical;
	struct le64 length;
};

#define CRYPT_STATE_READ_BACK 2u	/* in state flags: all data are read back before the conversion ends */
#define CRYPT_STATE_WIPE_METADATA 4u	/* in state flags, for KEYS: free metadata space is wiped before the end */
#define CRYPT_STATE_WIPE_FREE 8u	/* in state flags: so are free data space and what no chunk uses */
#define CRYPT_STATE_RESTORE 16u	/* in state flags: header and slots come from a backup; for KEYS, record 1 has what was found */
#define CRYPT_STATE_COPY 32u	/* in state flags, for ENCRYPT: what is shared with other subvolumes is copied first, in phase STRUCTURE; */
#define CRYPT_STATE_COPIED 64u	/* and that is done: from then on the begin digest counts */
#define CRYPT_STATE_ACCEPTED 1u	/* in state flags: changes or unsealed data were accepted at the beginning */

struct disk_crypt_state {
	uint8_t magic[8];
	struct le32 version;
	uint8_t operation, direction, phase, cipher;
	uint8_t op_id[CRYPT_UUID_SIZE];
	uint8_t domain_uuid[CRYPT_UUID_SIZE];
	struct le16 domain;
	struct le16 csum_type;
	struct le32 flags;		/* bit 0: started with changes or unsealed data accepted */
	struct le64 epoch;
	uint8_t fsid[FSID_SIZE];
	struct le64 generation;
	struct le64 n_devices;
	struct le32 sector_size, node_size;
	struct le64 cursor;		/* DATA: unit item << 16 | unit in it; LEAVES: address; INDEX: next item; everything before it is sealed */
	struct le64 sequence;		/* of the last journal record that was durable when this was written */
	struct disk_crypt_range keys;	/* copies of header and slots */
	struct disk_crypt_range slot[CRYPT_JOURNAL_SLOTS];	/* the journal: record n is in slot n mod 3 */
	uint8_t kcv[CRYPT_MAC_SIZE];
	uint8_t kcv_old[CRYPT_MAC_SIZE];	/* zeros: not rekeying */
	struct le64 start_time;		/* seconds since 1970 */
	struct le64 total;		/* bytes of data to convert, for --status */
	struct le64 n_unit_items;	/* for --status */
	uint8_t begin_digest[CRYPT_MAC_SIZE];
	uint8_t journal_mac[CRYPT_MAC_SIZE];	/* MAC of the record `sequence` */
	uint8_t whole_digest[CRYPT_MAC_SIZE];	/* of operation 5; zeros in the others */
	uint8_t mac[CRYPT_MAC_SIZE];	/* K_state, over everything before */
};
static_assert(sizeof(struct disk_crypt_state) <= SUPER_TAIL_SIZE, "the state fits the tail");

struct crypt_range {
	uint64_t logical, length;
};

struct crypt_state_tail {
	struct disk_crypt_state disk;	/* kept: the MAC covers it */
	enum crypt_operation operation;
	enum crypt_direction direction;
	enum crypt_phase phase;
	enum crypt_cipher cipher;
	uint16_t domain;
	uint64_t epoch, generation, cursor, sequence, start_time, total, n_unit_items;
	struct crypt_range keys, slot[CRYPT_JOURNAL_SLOTS];
};
/* bytes: the SUPER_TAIL_SIZE bytes of a superblock. Not authenticated. ERROR_STATE if malformed, ERROR_REFUSED as above. */
bool crypt_state_read(const uint8_t *bytes, struct crypt_state_tail *state, struct error *err) must_use;
/*
 * For two states of the same conversion: was a written after b, judged by sequence, epoch and how far its phase is (section 7 of
 * README.md)?
 */
bool crypt_state_is_later(const struct crypt_state_tail *a, const struct crypt_state_tail *b);

#endif /* FORMAT_CRYPT_H */
