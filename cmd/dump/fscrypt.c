/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of items that other ways of protecting files leave in a tree: contexts of the fscrypt proposal, fs-verity. */
#include "cmd/dump/items.h"

#include <stdio.h>

#include "format/fscrypt.h"
#include "format/verity.h"

static void dump_mode(struct dump *dump, const char *label, uint8_t mode)
{
	const char *name = fscrypt_mode_name(mode);
	char text[48];

	if (dump->object) {
		dump_number(dump, label, mode);
		snprintf(text, sizeof(text), "%s_name", label);
		dump_text(dump, text, name ? name : "unknown");
		return;
	}
	snprintf(text, sizeof(text), "%u (%s)", mode, name ? name : "unknown");
	dump_text(dump, label, text);
}

/* As btrfs-progs 7.1 prints them, followed by what they mean. */
static void dump_whole(struct dump *dump, const struct cursor *item)
{
	LINE(dump_hex(dump, "value:", item->at, item->left));
}

bool dump_fscrypt_inode_context(struct dump *dump, struct cursor *item, struct error *err)
{
	const struct cursor whole = *item;
	struct disk_fscrypt_inode_context context;

	if (!fscrypt_inode_context_read(item, &context, err))
		return false;
	dump_whole(dump, &whole);
	VALUE_OF(context, version);
	dump_mode(dump, "contents_mode", context.contents_mode);
	dump_mode(dump, "filenames_mode", context.filenames_mode);
	VALUES(VALUE_OF(context, flags), dump_number(dump, "name_padding", 4u << (context.flags & 3)), VALUE_OF(context, log2_data_unit_size));
	dump_json_hex(dump, "reserved", context.reserved, sizeof(context.reserved));
	dump_end_line(dump);
	LINE(HEX_OF(context, master_key_identifier));
	LINE(HEX_OF(context, nonce));
	return true;
}

bool dump_fscrypt_extent_context(struct dump *dump, struct cursor *item, struct error *err)
{
	const struct cursor whole = *item;
	struct disk_fscrypt_extent_context context;

	if (!fscrypt_extent_context_read(item, &context, err))
		return false;
	dump_whole(dump, &whole);
	VALUE_OF(context, version);
	dump_mode(dump, "mode", context.mode);
	dump_end_line(dump);
	LINE(HEX_OF(context, master_key_identifier));
	LINE(HEX_OF(context, nonce));
	return true;
}

/* --- fs-verity ---------------------------------------------------------------------------------------------- */

static size_t digest_size(uint8_t algorithm)
{
	return algorithm == 1 ? 32 : 64;
}

/* The descriptor of a sealed file is ciphertext. So bytes that are not a valid descriptor are shown as they are, and are not damage. */
static void dump_descriptor(struct dump *dump, struct cursor *item)
{
	struct verity_descriptor descriptor;
	struct error ignored;

	if (!verity_descriptor_read(item, &descriptor, &ignored)) {
		dump_bytes(dump, item->at, item->left);
		return;
	}
	LINE(VALUE_OF(descriptor, version), VALUE_OF(descriptor, hash_algorithm),
	     dump_text(dump, "hash", descriptor.hash_algorithm == 1 ? "sha256" : descriptor.hash_algorithm == 2 ? "sha512" : "unknown"),
	     VALUE_OF(descriptor, log_block_size), VALUE_OF(descriptor, data_size));
	LINE(dump_hex(dump, "root_hash", descriptor.root_hash, digest_size(descriptor.hash_algorithm)));
	LINE(VALUE_OF(descriptor, salt_size), dump_hex(dump, "salt", descriptor.salt, descriptor.salt_size));
	VALUE_OF(descriptor, sig_size);
	if (item->left > 0 || dump->object)
		dump_hex(dump, "signature", item->at, item->left);
}

bool dump_verity_descriptor(struct dump *dump, struct cursor *item, struct error *err)
{
	struct verity_size size;

	if (dump->key->offset == 1) {
		dump_descriptor(dump, item);
		return true;
	}
	if (dump->key->offset != 0) {		/* a descriptor with a signature that one item cannot hold */
		dump_bytes(dump, item->at, item->left);
		return true;
	}

	if (!verity_size_read(item, &size, err))
		return false;
	LINE(dump_u64(dump, dump->object ? "size" : "verity descriptor size", size.size), VALUE_OF(size, encryption), HEX_OF(size, reserved));
	return true;
}

bool dump_verity_tree(struct dump *dump, struct cursor *item, struct error *err)
{
	(void)err;
	dump_bytes(dump, item->at, item->left);
	return true;
}
