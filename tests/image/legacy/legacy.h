/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes test images in the format of 2016, and takes them back, after the description of that format alone: nothing of the program that reads
 * the format is used here, so that both being wrong in the same way is unlikely.  Images are our own, made a moment before: what is odd about one ends the run.
 */
#ifndef TESTS_IMAGE_LEGACY_H
#define TESTS_IMAGE_LEGACY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE = 4096, IV_BYTES = 16, PATH_BYTES = 1024, EXTENT_PAGES_MAX = 32 };

/*
 * No kernel of today lets anybody set a btrfs.* attribute.  So others are set through the mount, of the same length and of the same hash: then
 * the item has the right key and place already, and only the name is exchanged.
 */
#define NAME_ENCRYPT "btrfs.encrypt"
#define STAND_IN_ENCRYPT "trusted.%WCV\xab"
#define NAME_IV "btrfs.cryptoiv"
#define STAND_IN_IV "trusted.ayhX)="
/* Attributes of the same hash that stay: two names in one item. */
#define SAME_HASH_AS_ENCRYPT "user.bym3La"
#define SAME_HASH_AS_IV "user.aB2w3d"

/* Says what is wrong and exits 1. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void *grown(void *array, size_t n, size_t size);	/* with room for n + 1 members */

static inline uint64_t get(const uint8_t *at, unsigned n)
{
	uint64_t value = 0;

	while (n-- > 0)
		value = value << 8 | at[n];
	return value;
}

static inline void put(uint8_t *at, unsigned n, uint64_t value)
{
	for (unsigned i = 0; i < n; i++, value >>= 8)
		at[i] = (uint8_t)value;
}

/* --- cipher.c ------------------------------------------------------------------------ */

enum cipher { CIPHER_CTR, CIPHER_CBC, CIPHER_CTS, CIPHER_XTS };

uint32_t crc32c(uint32_t seed, const void *bytes, size_t len);	/* as it is: neither inverted before nor after */
/* Whether the cipher takes so many bytes. */
bool cipher_takes(enum cipher cipher, size_t len);
void cipher_run(enum cipher cipher, bool encrypt, const uint8_t *key, const uint8_t iv[IV_BYTES], uint8_t *bytes, size_t len);
/* The IV of an inode, from what its attribute says. */
void cipher_inode_iv(const uint8_t *key, const uint8_t attribute[IV_BYTES], uint8_t iv[IV_BYTES]);
/* The key of a file in the layout of 2017. */
void cipher_file_key(const uint8_t master[64], const uint8_t nonce[16], uint8_t key[64]);
extern const uint8_t constant_iv[IV_BYTES];

/* --- disk.c -------------------------------------------------------------------------- */

struct image;

struct item {
	uint64_t objectid, offset;
	uint8_t type;
	uint8_t *bytes;		/* in the leaf */
	uint32_t len;
};

struct leaf {
	uint8_t *bytes;
	uint64_t logical, parent;	/* parent: 0 where it is the root */
	uint32_t n_items;
};

struct image *image_open(const char *path);
void image_close(struct image *image);		/* everything is on the disk then */

/* Calls see() with each leaf, in order. */
void tree_walk(struct image *image, uint64_t root, void see(struct leaf *leaf, void *context), void *context);
struct item leaf_item(const struct leaf *leaf, uint32_t slot);
/* After a change: its checksum, and the same bytes on every mirror. */
void leaf_written(struct image *image, struct leaf *leaf);
uint64_t image_root_tree(const struct image *image);
uint32_t image_node_size(const struct image *image);

/* The first copy of data; they may be changed there. */
uint8_t *data_at(struct image *image, uint64_t logical, uint64_t len);
/* After a change: every mirror, and the checksums. */
void data_written(struct image *image, uint64_t logical, uint64_t len);

/* --- plan.c -------------------------------------------------------------------------- */

enum layout { LAYOUT_2016, LAYOUT_EARLY, LAYOUT_2017 };

/* From some byte on, a file is encrypted under the IV of another, as a clone of it is, or stays plain. */
struct exception {
	const char *path;
	uint64_t from;
	enum { KEPT_PLAIN, OF_ANOTHER } how;
	const char *other;	/* a path; NULL: of a file that is gone */
};

struct options {
	bool undo;
	enum layout layout;
	enum cipher cipher;
	uint8_t key[64];
	size_t key_len;
	const char *algorithm;	/* in the root item; NULL: by the cipher */
	const char *key_tag;	/* in the root item of early 2016 */
	unsigned key_length;	/* what the root item says of it */
	bool key_hash_is_right;
	uint32_t key_hash;	/* otherwise this */
	bool bare_root;		/* no inode flag on the root directories */
	bool no_inode_flags;
	bool regular_too;	/* encryption is 1 on regular extents too */
	const char *only[16];	/* subvolumes; none: all */
	size_t n_only;
	const char *flagged[16];	/* subvolumes that have the bit though nothing in them is marked */
	size_t n_flagged;
	struct exception exceptions[32];
	size_t n_exceptions;
};

struct subvolume {
	uint64_t id, root, parent, parent_directory;
	char name[256];
	char path[PATH_BYTES];	/* from the top */
	bool chosen, encrypted;	/* encrypted: has or gets the bit */
};

struct inode {
	uint64_t number, flags, parent;
	unsigned mode;
	char name[256];		/* its first */
	size_t subvolume;
	bool marked;		/* has the attribute, under either name */
	unsigned iv_len;	/* of the attribute; 0: none */
	uint8_t attribute[IV_BYTES], iv[IV_BYTES];
	uint8_t context[28];	/* the attribute of 2017 */
	const struct exception *exception;
	const struct inode *other;
};

/* An item that shows part of an extent, or an inline one (logical is 0). */
struct use {
	uint64_t logical, len, at, generation;
	uint64_t origin;	/* what place in the file the first byte of the extent has */
	size_t inode;
	uint8_t compression;
	bool preallocated;
};

struct plan {
	struct image *image;
	const struct options *options;
	struct subvolume subvolume[64];
	size_t n_subvolumes;
	struct inode *inode;
	size_t n_inodes;
	struct use *use;
	size_t n_uses;
};

void plan_make(struct plan *plan, struct image *image, const struct options *options);
void plan_free(struct plan *plan);
struct inode *plan_inode(const struct plan *plan, size_t subvolume, uint64_t number);
void plan_path(const struct plan *plan, const struct inode *inode, char path[PATH_BYTES]);
/* The use of an extent under whose inode's IV it is encrypted, or NULL: it is plain.  With undo: was. */
const struct use *plan_source(const struct plan *plan, uint64_t logical);
bool plan_takes_inline(const struct plan *plan, const struct use *use);
/* The IV under which this place of the file was written. */
void plan_iv(const struct plan *plan, const struct inode *inode, uint64_t at, uint8_t iv[IV_BYTES]);

/* --- write.c, report.c, fill.c ------------------------------------------------------- */

void write_all(struct plan *plan);
void report(struct plan *plan);
void report_shapes(struct plan *plan);
int fill(int argc, char **argv);
int mark_all(int argc, char **argv);

#endif /* TESTS_IMAGE_LEGACY_H */
