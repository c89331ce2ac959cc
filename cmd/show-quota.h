/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the quota tree says about a subvolume. */
#ifndef CMD_SHOW_QUOTA_H
#define CMD_SHOW_QUOTA_H

#include "cmd/row.h"
#include "common/volume/volume.h"

struct show_quota {
	bool has;	/* quotas are on and count it */
	uint64_t id;
	uint64_t max_referenced, max_exclusive;	/* 0: no limit */
	uint64_t referenced, exclusive;
};

/* volume NULL: for the filesystem mounted at directory. */
bool show_quota_read(const char *directory, struct volume *volume, uint64_t id, struct show_quota *quota, struct error *err) must_use;

/* Whole lines, in text. Nothing if it has none. */
void show_quota_print(const struct row *row, const struct show_quota *quota);

#endif /* CMD_SHOW_QUOTA_H */
