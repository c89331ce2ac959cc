/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the makers of test content share: a place to work in, numbered files, tagged bytes. */
#ifndef TESTS_IMAGE_FILL_H
#define TESTS_IMAGE_FILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

enum style { READABLE, SCRAMBLED };	/* compressible or not; both tagged */

/* Each kind makes a directory of its own name in the current one and fills it.  size: what stands after the colon, or 0. */
struct kind {
	const char *name;
	void (*make)(uint64_t size);
};

extern const struct kind data_kinds[], name_kinds[];	/* both end with a NULL name */

/* Says what failed and exits 1. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* The next number: every file and every overwrite has one of its own. */
uint32_t next_file(void);

/* mkdir and chdir into it; leave() goes back. */
void enter(const char *name);
void leave(void);

int create(const char *format, ...) __attribute__((format(printf, 1, 2)));
void finish(int fd);		/* close, checked */
void put(int fd, uint32_t file, uint64_t at, uint64_t length, enum style style);
void put_new(int fd, uint64_t at, uint64_t length, enum style style);	/* under a new number */
void make_file(const char *name, uint64_t length, enum style style);

/* length bytes without NUL that start with a tag, for symlink targets; a terminating NUL follows. */
void put_text(char *text, size_t length);

#endif /* TESTS_IMAGE_FILL_H */
