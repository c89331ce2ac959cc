/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The contents of inodes as text. */
#ifndef CMD_INODE_TEXT_H
#define CMD_INODE_TEXT_H

#include "cmd/json.h"
#include "format/inode.h"

const char *inode_type_name(uint32_t mode);	/* "file", "directory", "symlink"... */
void inode_mode_text(uint32_t mode, char text[11]);	/* "-rwxr-xr-x" */

bool inode_is_device(uint32_t mode);
/* The kernel stores its own dev_t: 12 bits of major, 20 of minor. */
unsigned rdev_major(uint64_t rdev);
unsigned rdev_minor(uint64_t rdev);

/* "NODATASUM|NODATACOW", "none"; bits without a name in hexadecimal. */
#define INODE_FLAGS_TEXT_SIZE 256
const char *inode_flags_text(uint64_t flags, char text[INODE_FLAGS_TEXT_SIZE]);

/* As lsattr prints them. */
#define ATTRIBUTES_TEXT_SIZE 23
const char *inode_attributes_text(uint64_t flags, char text[ATTRIBUTES_TEXT_SIZE]);

/* "2026-11-23 10:00:00.000000001 +0000" (time-text.h); "@SECONDS.NANOSECONDS" for a year that a date cannot express. */
#define TIME_TEXT_SIZE 96
const char *inode_time_text(const struct inode_time *at, char text[TIME_TEXT_SIZE]);
void json_time(struct json_object *object, const char *name, const struct inode_time *at);	/* "SECONDS.NANOSECONDS", one decimal number */

const char *compression_name(uint8_t compression);	/* "none", "zlib", "lzo", "zstd", "unknown" */

/* Like a kernel's stat(2): 512-byte blocks, in whole sectors. */
uint64_t inode_blocks(const struct inode *inode, uint32_t sector_size);

#endif /* CMD_INODE_TEXT_H */
