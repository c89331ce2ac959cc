/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of subvolume trees: inodes, names, xattrs, file extents with their seal mark. */
#include "cmd/dump/items.h"
#include "cmd/dump/legacy.h"

#include "format/dir-entry.h"
#include "format/file-extent.h"
#include "format/fscrypt.h"

#define INODE_ROOT_ITEM_INIT (1ull << 31)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct bit_name inode_flags[] = {
	{ INODE_NODATASUM, "NODATASUM" }, { INODE_NODATACOW, "NODATACOW" }, { 1 << 2, "READONLY" }, { 1 << 3, "NOCOMPRESS" },
	{ 1 << 4, "PREALLOC" }, { 1 << 5, "SYNC" }, { INODE_IMMUTABLE, "IMMUTABLE" }, { 1 << 7, "APPEND" }, { 1 << 8, "NODUMP" },
	{ 1 << 9, "NOATIME" }, { 1 << 10, "DIRSYNC" }, { 1 << 11, "COMPRESS" }, { INODE_ENCRYPT, "ENCRYPT" },
	{ INODE_RO_VERITY, "VERITY" }, { INODE_ROOT_ITEM_INIT, "ROOT_ITEM_INIT" },
};

void dump_inode_fields(struct dump *dump, const struct disk_inode_item *disk)
{
	const uint64_t flags = le64(disk->flags);
	char text[256];

	LINE(VALUE_OF(*disk, generation), VALUE_OF(*disk, transid), VALUE_OF(*disk, size), VALUE_OF(*disk, nbytes));
	LINE(VALUE("block group", disk->block_group), dump_octal(dump, "mode", le32(disk->mode)), VALUE("links", disk->nlink), VALUE_OF(*disk, uid),
	     VALUE_OF(*disk, gid), VALUE_OF(*disk, rdev));
	VALUE_OF(*disk, sequence);
	/* The last has no name in btrfs-progs, and says nothing. */
	dump_bits(dump, "flags", flags, dump->object ?
			  bits_text(flags, inode_flags, ARRAY_SIZE(inode_flags), text, sizeof(text)) :
			  known_bits_text(flags, inode_flags, ARRAY_SIZE(inode_flags) - 1, "none", text, sizeof(text)));
	dump_end_line(dump);
	LINE(VALUE_OF(*disk, atime));
	LINE(VALUE_OF(*disk, ctime));
	LINE(VALUE_OF(*disk, mtime));
	LINE(VALUE_OF(*disk, otime));
	dump_json_hex(dump, "reserved", disk->reserved, sizeof(disk->reserved));
}

bool dump_inode(struct dump *dump, struct cursor *item, struct error *err)
{
	struct disk_inode_item disk = { 0 };
	struct inode inode;

	memcpy(&disk, item->at, item->left < sizeof(disk) ? item->left : sizeof(disk));
	if (!inode_read(item, &inode, err))
		return false;
	dump_inode_fields(dump, &disk);
	return true;
}

static void dump_inode_name(struct dump *dump, const struct inode_ref *ref, bool with_parent)
{
	dump_element(dump);
	VALUE_OF(*ref, index);
	if (with_parent)
		dump_u64(dump, "parent", ref->parent);
	LINE(dump_number(dump, "namelen", ref->name.left), dump_name(dump, "name:", ref->name.at, ref->name.left));
}

bool dump_inode_ref(struct dump *dump, struct cursor *item, struct error *err)
{
	struct inode_ref ref;
	bool ok = true;

	dump_list(dump, "names");
	while (item->left > 0 && (ok = inode_ref_next(item, dump->key->offset, &ref, err)))
		dump_inode_name(dump, &ref, false);
	dump_list_end(dump);
	return ok;
}

bool dump_inode_extref(struct dump *dump, struct cursor *item, struct error *err)
{
	struct inode_ref ref;
	bool ok = true;

	dump_list(dump, "names");
	while (item->left > 0 && (ok = inode_extref_next(item, &ref, err)))
		dump_inode_name(dump, &ref, true);
	dump_list_end(dump);
	return ok;
}

static const char *entry_type_name(uint8_t type)
{
	static const char *const names[] = { "UNKNOWN", "FILE", "DIR", "CHRDEV", "BLKDEV", "FIFO", "SOCK", "SYMLINK", "XATTR" };

	return type < ARRAY_SIZE(names) ? names[type] : names[0];
}

/* What the value of an xattr of 2016 or 2017 means. One that is not valid says no more than its bytes. */
static void dump_legacy_xattr(struct dump *dump, const struct dir_entry *xattr)
{
	struct legacy_property property;
	uint8_t disk_iv[LEGACY_IV_SIZE], iv[LEGACY_IV_SIZE];
	struct cursor value = xattr->data;
	struct error ignored;

	if (legacy_xattr_is(&xattr->name, LEGACY_XATTR_PROPERTY) && legacy_property_read(&value, &property, &ignored)) {
		dump_end_line(dump);
		if (property.is_2017)
			LINE(dump_text(dump, "encrypt_context", "of 2017"));
		else
			LINE(dump_text(dump, "encrypt_algo", property.algorithm), dump_text(dump, "encrypt_keytag", property.tag));
	} else if (legacy_xattr_is(&xattr->name, LEGACY_XATTR_IV) && legacy_iv_read(&value, disk_iv, &ignored)) {
		dump_end_line(dump);
		LINE(dump_hex(dump, "cryptoiv", disk_iv, sizeof(disk_iv)));
		if (dump_legacy_iv(dump->legacy, disk_iv, iv))
			LINE(dump_hex(dump, "iv", iv, sizeof(iv)));
	}
}

static void dump_entry(struct dump *dump, const struct dir_entry *entry, uint64_t transid)
{
	dump_element(dump);
	LINE(dump_key(dump, "location", &entry->location), dump_text(dump, "type", entry_type_name(entry->type)));
	LINE(VALUE("transid", transid), dump_number(dump, "data_len", entry->data.left), dump_number(dump, "name_len", entry->name.left));
	dump_name(dump, "name:", entry->name.at, entry->name.left);
	if (entry->encrypted) {
		dump_end_line(dump);
		dump_bits(dump, "name_type", FT_ENCRYPTED, "ENCRYPTED");
	}
	if (entry->data.left > 0) {
		dump_end_line(dump);
		dump_value(dump, "data", entry->data.at, entry->data.left);
	}
	if (dump->key->type == KEY_XATTR_ITEM && dump->names != NAMES_HIDDEN)
		dump_legacy_xattr(dump, entry);
}

bool dump_dir_entries(struct dump *dump, struct cursor *item, struct error *err)
{
	bool ok = true;

	dump_list(dump, "entries");
	while (ok && item->left > 0) {
		struct disk_dir_item disk = { 0 };
		struct dir_entry entry;

		memcpy(&disk, item->at, item->left < sizeof(disk) ? item->left : sizeof(disk));
		ok = dump->key->type == KEY_XATTR_ITEM ? xattr_next(item, &entry, err) : dir_entry_next(item, &entry, err);
		if (ok)
			dump_entry(dump, &entry, le64(disk.transid));
	}
	dump_list_end(dump);
	return ok;
}

static void dump_compression(struct dump *dump, const struct file_extent *e)
{
	static const char *const names[] = { "none", "zlib", "lzo", "zstd" };
	static const char *const words[] = { "(none)", "(zlib)", "(lzo)", "(zstd)" };
	const bool is_encrypted = dump_legacy_is_encrypted(dump->legacy, dump->key->objectid, e);

	if (dump->object) {
		dump_text(dump, "compression", is_encrypted ? "encrypted" : names[e->compression]);
		return;
	}
	VALUE("compression", e->compression);
	dump_words(dump, is_encrypted ? "(encrypted)" : words[e->compression]);
}

/* The mark that says that the extent is ciphertext. No stock tool prints it. */
static void dump_marks(struct dump *dump, const struct file_extent *e)
{
	if (e->encryption || dump->object) {
		LINE(dump_number(dump, dump->object ? "encryption" : "extent encryption", e->encryption));
	}
	if (e->other_encoding || dump->object) {
		LINE(dump_bits(dump, "other_encoding", e->other_encoding, e->other_encoding == SEAL_MARK ? "SEALED" : e->other_encoding ? "unknown" : "none"));
	}
}

bool dump_file_extent(struct dump *dump, struct cursor *item, struct error *err)
{
	struct file_extent e;

	if (!file_extent_read(item, dump->key->offset, dump->super->sector_size, &e, err))
		return false;

	const bool is_prealloc = e.type == FILE_EXTENT_PREALLOC;

	VALUE_OF(e, generation);
	if (dump->object)
		dump_text(dump, "type", e.type == FILE_EXTENT_INLINE ? "inline" : is_prealloc ? "prealloc" : "regular");
	else
		dump_words(dump, e.type == FILE_EXTENT_INLINE ? "type 0 (inline)" : is_prealloc ? "type 2 (prealloc)" : "type 1 (regular)");
	dump_end_line(dump);
	if (e.type == FILE_EXTENT_INLINE) {
		VALUES(dump_words(dump, "inline extent"), VALUE("data size", e.payload.left), VALUE_OF(e, ram_bytes));
		dump_compression(dump, &e);
		dump_end_line(dump);
		dump_json_content(dump, "data_hex", e.payload.at, e.payload.left);
		dump_marks(dump, &e);
		return true;
	}
	LINE(dump_words(dump, is_prealloc ? "prealloc data" : "extent data"), VALUE("disk byte", e.disk_bytenr),
	     dump_u64(dump, dump->object ? "disk_num_bytes" : "nr", e.disk_num_bytes));
	VALUES(dump_words(dump, is_prealloc ? "prealloc data" : "extent data"), VALUE_OF(e, offset),
	       dump_u64(dump, dump->object ? "num_bytes" : "nr", e.num_bytes));
	if (!is_prealloc || dump->object)
		dump_u64(dump, dump->object ? "ram_bytes" : "ram", e.ram_bytes);
	dump_end_line(dump);
	if (!is_prealloc) {
		dump_words(dump, "extent");
		dump_compression(dump, &e);
		dump_end_line(dump);
	}
	dump_marks(dump, &e);
	return true;
}
