/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies one shared data extent. */
#ifndef COMMON_CONVERT_COPY_DATA_H
#define COMMON_CONVERT_COPY_DATA_H

#include "common/convert/copy-refs.h"

/*
 * Writes the data to a free place, and makes all file extent items of the set, the references and the checksums say so, in k->tx, which may
 * be committed after a flush. What no copy of has its checksum is copied as it is, with that checksum: sealing decides what to do with it.
 */
bool copy_extent(struct copying *k, const struct copy_item *extent, struct error *err) must_use;

#endif /* COMMON_CONVERT_COPY_DATA_H */
