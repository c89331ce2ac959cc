/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From logical addresses to the devices: whatever writes, wipes or counts bytes on devices asks here where they are. */
#ifndef COMMON_VOLUME_DEVICE_RANGE_H
#define COMMON_VOLUME_DEVICE_RANGE_H

#include "common/volume/volume.h"

/* Bytes that are contiguous both logically and on one device. */
struct device_range {
	uint64_t logical, len;
	unsigned mirror;	/* 0, 1...: the same bytes in another place; as in mirror.h */
	unsigned parity;	/* 0: the bytes themselves. 1, 2: P or Q, which follows whenever they change; mirror is then unused */
	struct device *device;	/* NULL: missing */
	uint64_t devid, physical;
};

/*
 * Visits the range piece by piece: each copy of a piece, then its parity. It may span chunks. ERROR_CORRUPT if an address is in no chunk or,
 * with a raid stripe tree, at no known place.
 */
typedef bool device_range_visit(void *context, const struct device_range *range, struct error *err);
bool device_ranges(const struct volume *volume, uint64_t logical, uint64_t len, device_range_visit *visit, void *context,
		   struct error *err) must_use;

#endif /* COMMON_VOLUME_DEVICE_RANGE_H */
