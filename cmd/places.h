/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where logical addresses are on the devices. */
#ifndef CMD_PLACES_H
#define CMD_PLACES_H

#include "common/volume/volume.h"

/* Bytes that are contiguous both logically and on one device. */
struct place {
	uint64_t logical, len;
	unsigned copy;		/* 0, 1...: the same bytes in another place */
	uint64_t devid, physical;
};

/* Visits the range piece by piece, each copy of it. */
typedef bool place_visit(void *context, const struct place *place, struct error *err);
bool places(const struct volume *volume, uint64_t logical, uint64_t len, place_visit *visit, void *context, struct error *err) must_use;

#endif /* CMD_PLACES_H */
