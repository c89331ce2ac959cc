/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values for people. */
#ifndef CMD_VALUE_TEXT_H
#define CMD_VALUE_TEXT_H

#include <popt.h>
#include <stdint.h>

#include "cmd/json.h"
#include "format/inode.h"

/* "8.00MiB", "512.00B" */
#define SIZE_TEXT_SIZE 32
const char *size_text(uint64_t bytes, char text[SIZE_TEXT_SIZE]);

/* "544.00KiB (557056 bytes)", or only the bytes if they are few. */
#define SIZE_WITH_BYTES 64
const char *size_with_bytes(uint64_t bytes, char text[SIZE_WITH_BYTES]);

/* --local-time, in every command that prints times as dates. */
extern struct poptOption options_time[];

#define DATE_TEXT_SIZE 64

/* "2026-11-30 07:41:13", in the caller's buffer; NULL where the year is beyond what a date can say. */
const char *date_text(int64_t sec, char text[DATE_TEXT_SIZE]);

/* What to print behind such a date: how far it is from UTC, "+0100". */
#define ZONE_TEXT_SIZE 16
const char *zone_text(int64_t sec, char text[ZONE_TEXT_SIZE]);

/* For lists: the date, followed by the zone if that is not UTC because --local-time asked for it. */
const char *local_date_text(int64_t sec, char text[DATE_TEXT_SIZE]);

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

/* "2026-11-23 10:00:00.000000001 +0000"; "@SECONDS.NANOSECONDS" for a year that a date cannot express. */
#define TIME_TEXT_SIZE 96
const char *inode_time_text(const struct inode_time *at, char text[TIME_TEXT_SIZE]);
void json_time(struct json_object *object, const char *name, const struct inode_time *at);	/* "SECONDS.NANOSECONDS", one decimal number */

const char *compression_name(uint8_t compression);	/* "none", "zlib", "lzo", "zstd", "unknown" */

/* Like a kernel's stat(2): 512-byte blocks, in whole sectors. */
uint64_t inode_blocks(const struct inode *inode, uint32_t sector_size);

#endif /* CMD_VALUE_TEXT_H */
