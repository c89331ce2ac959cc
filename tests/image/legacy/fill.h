/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What makes the content of a test image, in the current directory of a mount. */
#ifndef TESTS_IMAGE_LEGACY_FILL_H
#define TESTS_IMAGE_LEGACY_FILL_H

#include "tests/image/legacy/legacy.h"

enum { KIB = 1024, PIECE = EXTENT_PAGES_MAX * PAGE };

extern struct filling {
	bool marks;		/* what is made now gets the attributes */
	const char *text;	/* of the attribute; NULL: 28 bytes of 2017 */
	bool no_iv;
	unsigned n;		/* marked inodes: each has an IV of its own */
	uint32_t file;		/* the number of the last piece that was written */
} now;

/* --- fill.c: makes one thing; what goes wrong ends the run --------------------------- */

void mark(const char *path);	/* with the attributes, if they are to be given */
void mark_as(const char *path, size_t iv_len);
void settle(void);		/* all that was written is on the disk */
void enter(const char *name);	/* mkdir and chdir; leave() goes back */
void leave(void);
int create(const char *name);
int open_again(const char *name);
void write_at(int fd, uint64_t at, uint64_t len);
void make_file(const char *name, uint64_t len);
void set_attribute(const char *path, const char *name, const void *value, size_t len);

/* --- fill-files.c: a directory of files each ----------------------------------------- */

void make_sizes(bool few);
void make_names(void);
void make_holes(void);
void make_plain(void);
void make_overwritten(void);
void make_compressed(const char *name);
void make_clones(void);
void make_clone(const char *of, const char *name);
void make_gone(void);
void make_lost(void);
void make_shapes(size_t node_size);

#endif /* TESTS_IMAGE_LEGACY_FILL_H */
