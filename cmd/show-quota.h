/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the quota tree says about a subvolume. */
#ifndef CMD_SHOW_QUOTA_H
#define CMD_SHOW_QUOTA_H

#include "cmd/json.h"
#include "common/volume/volume.h"

struct show_quota {
	bool has;	/* quotas are on and count it */
	uint64_t id;
	uint64_t max_referenced, max_exclusive;	/* 0: no limit */
	uint64_t referenced, exclusive;
};

/* volume NULL: for the filesystem mounted at directory. */
bool show_quota_read(const char *directory, struct volume *volume, uint64_t id, struct show_quota *quota, struct error *err) must_use;

/* Prints nothing if it has none. */
void show_quota_text(const struct show_quota *quota);
void show_quota_json(struct json_object *line, const struct show_quota *quota);

#endif /* CMD_SHOW_QUOTA_H */
