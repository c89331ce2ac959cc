/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file from its first byte to its last, as it is handed to somebody who wants all of it. */
#ifndef TESTS_UNIT_WHOLE_FILE_H
#define TESTS_UNIT_WHOLE_FILE_H

#include "common/fs/source.h"

/* Holes are zeros, a lost part is the error. *bytes is malloced, NULL on failure. */
bool whole_file_read(struct extent_source *source, const struct tree *subvolume, uint64_t inode, uint8_t **bytes, size_t *len,
		     struct error *err) must_use;

#endif /* TESTS_UNIT_WHOLE_FILE_H */
