/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A real image for the tests of reading, and items added to its trees in memory: such as a kernel makes, and such
 * as nobody should.
 */
#ifndef TESTS_UNIT_FS_IMAGE_H
#define TESTS_UNIT_FS_IMAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/tree/tree-edit.h"
#include "common/volume/chunk-map.h"
#include "tests/unit/image.h"
#include "tests/unit/ok.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define FREE_INODE 100000	/* no file of the image has a number this high */

extern struct image image;
extern struct volume *volume;
extern struct tree top;		/* the top level, as edited */

/* Group and test fixtures of cmocka. */
int fs_image_make(void **state);
int fs_image_remove(void **state);
int fs_image_open(void **state);
int fs_image_close(void **state);

void insert(uint64_t tree, uint64_t objectid, uint8_t type, uint64_t offset, const void *bytes, size_t len);

/* Appends to an item of directory entries; returns its bytes. */
size_t entry_bytes(uint8_t *bytes, uint64_t objectid, uint8_t key_type, uint8_t type, const char *name);

/* A root whose tree is that of the top level: every directory of it is there.  And its place. */
void add_root(uint64_t id, uint64_t offset, uint32_t refs, uint8_t uuid);
void hang(uint64_t id, uint64_t parent, uint64_t dirid, const char *name);

/* Some directory in the top level. */
uint64_t some_directory(char name[256]);

#define fs_test(f) cmocka_unit_test_setup_teardown(f, fs_image_open, fs_image_close)

#endif /* TESTS_UNIT_FS_IMAGE_H */
