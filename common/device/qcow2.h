/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header of a qcow2 image, read before any other program does: which files it leads to, and what in it keeps old bytes. */
#ifndef COMMON_DEVICE_QCOW2_H
#define COMMON_DEVICE_QCOW2_H

#include <stdint.h>

#include "format/error.h"

#define QCOW2_NAME_MAX 1023	/* bytes of the name of a backing file, by the format */

struct qcow2 {
	unsigned version;		/* 2, 3 */
	unsigned cluster_bits;
	uint64_t size;			/* of the disk in it */
	uint64_t file_size;
	uint64_t l1;			/* where the L1 table is, and how many entries it has */
	uint32_t n_l1;
	uint32_t n_snapshots;
	bool is_encrypted;
	bool has_wide_entries;		/* L2 entries of 16 bytes */
	bool has_data_file;
	char backing[QCOW2_NAME_MAX + 1];	/* "": none */
	char data_file[QCOW2_NAME_MAX + 1];	/* "": not named */
};

/* ERROR_CORRUPT names the field. */
bool qcow2_read(int fd, struct qcow2 *image, struct error *err) must_use;

/* Is any cluster of the disk compressed? Reads the L1 and L2 tables, each L2 table once: no more than the file has. */
bool qcow2_has_compressed(int fd, const struct qcow2 *image, bool *has, struct error *err) must_use;

#endif /* COMMON_DEVICE_QCOW2_H */
