/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/legacy/legacy-inode.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/crypto/aes128.h"
#include "common/fs/path.h"
#include "common/fs/source.h"
#include "common/util/take.h"

#define PADDING_PROVES 16u

struct legacy_ciphers {
	enum aes128_mode mode;
	struct aes128 *ivs, *data, *back;
	uint8_t sector[NODE_SIZE_MAX];	/* sectors are not larger than nodes */
};

void legacy_ciphers_free(struct legacy_ciphers *ciphers)
{
	if (!ciphers)
		return;
	aes128_free(ciphers->ivs);
	aes128_free(ciphers->data);
	aes128_free(ciphers->back);
	wiped_free(ciphers, sizeof(*ciphers));
}

bool legacy_ciphers_new(const struct legacy *legacy, const struct secret *key, struct legacy_ciphers **ciphers, struct error *err)
{
	static const enum aes128_mode modes[] = { [LEGACY_CTR] = AES128_CTR, [LEGACY_CBC] = AES128_CBC, [LEGACY_CBC_CTS] = AES128_CBC_CTS };
	cleanup_legacy_ciphers struct legacy_ciphers *new = calloc(1, sizeof(*new));

	assert(legacy->mode != LEGACY_MODE_UNKNOWN);
	if (!new)
		return error_memory(err);
	new->mode = modes[legacy->mode];
	if (!aes128_new(AES128_CBC, AES128_DECRYPTS, key, &new->ivs, err) || !aes128_new(new->mode, AES128_DECRYPTS, key, &new->data, err) ||
	    !aes128_new(new->mode, AES128_ENCRYPTS, key, &new->back, err))
		return false;
	*ciphers = TAKE(new);
	return true;
}

bool legacy_iv(struct legacy_ciphers *ciphers, const uint8_t disk_iv[LEGACY_IV_SIZE], uint8_t iv[LEGACY_IV_SIZE], struct error *err)
{
	/* The same for all images, and known from the patches. */
	static const uint8_t first[LEGACY_IV_SIZE] = {
		0x12, 0x34, 0x56, 0x78, 0x90, 0xab, 0xcd, 0xef, 0x12, 0x34, 0x56, 0x78, 0x90, 0xab, 0xcd, 0xef,
	};

	return aes128_run(ciphers->ivs, first, disk_iv, LEGACY_IV_SIZE, iv, err);
}

static bool no_iv(struct legacy_inode *inode, const char *what)
{
	error_set(&inode->no_iv, ERROR_CORRUPT, "inode %" PRIu64 ": %s, so its data cannot be decrypted", inode->number, what);
	return true;
}

static bool read_iv(const struct tree *tree, struct legacy_ciphers *ciphers, struct legacy_inode *inode, struct error *err)
{
	uint8_t bytes[LEGACY_IV_SIZE];
	struct cursor value = { .at = bytes };
	struct error what = { 0 };
	bool found;

	if (!legacy_xattr(tree, inode->number, LEGACY_XATTR_IV, bytes, sizeof(bytes), &value.left, &found, &what)) {
		inode->no_iv = what;
		return !error_is_machine(&what) || (*err = what, false);
	}
	if (!found)
		return no_iv(inode, "it has no xattr " LEGACY_XATTR_IV);
	if (!legacy_iv_read(&value, inode->disk_iv, &what)) {
		char text[80];

		snprintf(text, sizeof(text), "its xattr " LEGACY_XATTR_IV " has %zu bytes, not %u", value.left, LEGACY_IV_SIZE);
		return no_iv(inode, text);
	}
	inode->has_iv = true;
	return !ciphers || legacy_iv(ciphers, inode->disk_iv, inode->iv, err);
}

bool legacy_inode_read(const struct tree *tree, uint64_t number, struct legacy_ciphers *ciphers, struct legacy_inode *out, struct error *err)
{
	struct inode item;

	out->number = 0;
	if (!inode_get(tree, number, &item, err))
		return false;
	/* Not by way of a copy: of the IV there is only this one. */
	*out = (struct legacy_inode){ .tree = tree->id, .number = number, .size = item.size, .flags = item.flags, .mode = item.mode };
	if (read_iv(tree, ciphers, out, err))
		return true;
	out->number = 0;
	return false;
}

static bool run(struct legacy_ciphers *ciphers, struct aes128 *cipher, const uint8_t iv[LEGACY_IV_SIZE], void *bytes, size_t len, bool is_inline,
		struct error *err)
{
	uint8_t *const at = bytes;

	if (is_inline) {
		if (len > 0 && !aes128_takes(ciphers->mode, len))
			return error_set(err, ERROR_CORRUPT, "%zu bytes are marked as encrypted inline, which the cipher cannot be", len);
		return len == 0 || aes128_run(cipher, iv, at, len, at, err);
	}
	assert(len % LEGACY_PAGE == 0);
	for (size_t done = 0; done < len; done += LEGACY_PAGE) {
		if (!aes128_run(cipher, iv, at + done, LEGACY_PAGE, at + done, err))
			return false;
	}
	return true;
}

bool legacy_decrypt(struct legacy_ciphers *ciphers, const uint8_t iv[LEGACY_IV_SIZE], void *bytes, size_t len, bool is_inline, struct error *err)
{
	return run(ciphers, ciphers->data, iv, bytes, len, is_inline, err);
}

bool legacy_encrypt(struct legacy_ciphers *ciphers, const uint8_t iv[LEGACY_IV_SIZE], void *bytes, size_t len, bool is_inline, struct error *err)
{
	return run(ciphers, ciphers->back, iv, bytes, len, is_inline, err);
}

enum legacy_padding legacy_padding_of(const struct file_extent *e, uint64_t offset, const uint8_t page[LEGACY_PAGE], size_t used)
{
	size_t n = 0;

	if (used == 0 || e->disk_num_bytes - offset != LEGACY_PAGE)
		return LEGACY_PADDING_NONE;
	while (n < LEGACY_PAGE - used && page[LEGACY_PAGE - 1 - n] == 0)
		n++;
	return n >= PADDING_PROVES ? LEGACY_PADDING_RIGHT : n == LEGACY_PAGE - used ? LEGACY_PADDING_SHORT : LEGACY_PADDING_WRONG;
}

/* The item that has the last page. */
static bool last_item(const struct tree *tree, const struct legacy_inode *inode, struct key *key, struct file_extent *e, bool *found, struct error *err)
{
	const struct key last = { inode->number, KEY_EXTENT_DATA, inode->size - 1 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct cursor item;

	*found = false;
	if (!tree_seek_last(tree, &last, &iter, err))
		return false;
	if (!tree_iter_is_in(&iter, &last))
		return true;
	*key = iter.key;
	item = iter.item;
	if (!file_extent_read(&item, key->offset, tree->volume->super.sector_size, e, err))
		return false;
	*found = e->type == FILE_EXTENT_REG && inode->size - 1 - key->offset < e->num_bytes;
	return true;
}

bool legacy_probe(const struct tree *tree, const struct legacy *legacy, struct legacy_ciphers *ciphers, const struct legacy_inode *inode,
		  uint64_t disk_bytenr, enum legacy_padding *padding, struct error *err)
{
	const uint32_t sector_size = tree->volume->super.sector_size;
	const size_t used = inode->size % LEGACY_PAGE;
	const uint64_t page_at = inode->size - used;
	struct error what = { 0 };
	struct file_extent e;
	struct key key;
	bool found;

	*padding = LEGACY_PADDING_NONE;
	if (!S_ISREG(inode->mode) || !inode->has_iv || used == 0)
		return true;
	if (!last_item(tree, inode, &key, &e, &found, &what))
		return !error_is_machine(&what) || (*err = what, false);
	if (!found || !legacy_is_encrypted(legacy, inode->flags, &e) || (disk_bytenr != 0 && e.disk_bytenr != disk_bytenr))
		return true;

	const uint64_t in_extent = e.offset + (page_at - key.offset);
	const uint64_t sector = in_extent - in_extent % sector_size;
	const struct file_item item = { tree, inode->number, key.offset, &e };
	uint8_t *const page = ciphers->sector + (in_extent - sector);

	if (!plain_source.read(&plain_source, &item, sector, ciphers->sector, sector_size, &what))
		return !error_is_machine(&what) || (*err = what, false);
	if (!legacy_decrypt(ciphers, inode->iv, page, LEGACY_PAGE, false, err))
		return false;
	*padding = legacy_padding_of(&e, in_extent, page, used);
	return true;
}
