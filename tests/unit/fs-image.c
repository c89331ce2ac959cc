/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A real image whose trees are edited in memory. */
#include "tests/unit/fs-image.h"

#include "format/dir-entry.h"

struct image image;
struct volume *volume;
struct tree top;
static struct allocator *allocator;
static struct transaction *tx;

int fs_image_make(void **state)
{
	(void)state;
	image_make(&image, 128ull << 20, "-m single -d single -n 4096", 30);
	return 0;
}

int fs_image_remove(void **state)
{
	(void)state;
	image_remove(&image);
	return 0;
}

int fs_image_open(void **state)
{
	(void)state;
	volume = image_volume(&image);
	ok(allocator_open(volume, &allocator, err));
	ok(transaction_begin(volume, allocator, &tx, err));
	ok(tree_open(volume, FS_TREE_ID, &top, err));
	return 0;
}

int fs_image_close(void **state)
{
	(void)state;
	transaction_drop(tx);
	allocator_close(allocator);
	volume_close(volume);
	image_heal(&image);
	return 0;
}

void insert(uint64_t tree, uint64_t objectid, uint8_t type, uint64_t offset, const void *bytes, size_t len)
{
	ok(tree_edit_insert(tx, tree, &(struct key){ objectid, type, offset }, bytes, len, err));
	ok(tree_open(volume, FS_TREE_ID, &top, err));
}

void add_root(uint64_t id, uint64_t offset, uint32_t refs, uint8_t uuid)
{
	struct disk_root_item item = { .bytenr = to_le64(top.logical), .level = top.level, .refs = to_le32(refs),
				       .generation = to_le64(top.generation), .generation_v2 = to_le64(top.generation),
				       .root_dirid = to_le64(256) };

	memset(item.uuid, uuid, sizeof(item.uuid));
	insert(ROOT_TREE_ID, id, KEY_ROOT_ITEM, offset, &item, sizeof(item));
}

static size_t ref_bytes(uint8_t *bytes, uint64_t dirid, const char *name)
{
	const struct disk_root_ref ref = { .dirid = to_le64(dirid), .name_len = to_le16(strlen(name)) };

	memcpy(bytes, &ref, sizeof(ref));
	memcpy(bytes + sizeof(ref), name, strlen(name));
	return sizeof(ref) + strlen(name);
}

void hang(uint64_t id, uint64_t parent, uint64_t dirid, const char *name)
{
	uint8_t bytes[300];
	const size_t len = ref_bytes(bytes, dirid, name);

	insert(ROOT_TREE_ID, id, KEY_ROOT_BACKREF, parent, bytes, len);
	if (id != parent)
		insert(ROOT_TREE_ID, parent, KEY_ROOT_REF, id, bytes, len);
}

size_t entry_bytes(uint8_t *bytes, uint64_t objectid, uint8_t key_type, uint8_t type, const char *name)
{
	const struct disk_dir_item item = { .location = { to_le64(objectid), key_type, to_le64(0) },
					    .name_len = to_le16(strlen(name)), .type = type };

	memcpy(bytes, &item, sizeof(item));
	memcpy(bytes + sizeof(item), name, strlen(name));
	return sizeof(item) + strlen(name);
}

uint64_t some_directory(char name[256])
{
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct dir_entry entry;

	ok(tree_seek(&top, &(struct key){ 256, KEY_DIR_INDEX, 0 }, &iter, err));
	while (iter.key.type == KEY_DIR_INDEX) {
		ok(dir_entry_next(&iter.item, &entry, err));
		if (entry.type == FT_DIR) {
			memcpy(name, entry.name.at, entry.name.left);
			name[entry.name.left] = '\0';
			return entry.location.objectid;
		}
		ok(tree_next(&iter, err));
	}
	fail_msg("the image has no directory");
	return 0;
}
