/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Searches every byte of every device for the plain text of a sealed subvolume (texts.h) by fingerprints (needles.h). What matches is
 * compared with the text itself; so many bytes in a row must be the same, or all of a shorter text. What the memory does not hold at a time
 * takes several passes.
 */
#ifndef COMMON_AUDIT_SEARCH_H
#define COMMON_AUDIT_SEARCH_H

#include "common/audit/texts.h"
#include "common/audit/where.h"

#define AUDIT_SAME_MIN 32u			/* bytes */
#define AUDIT_MEMORY (256u << 20)		/* bytes at most, without what is known of the sealing anyway */
extern const size_t audit_memory;		/* so many of them for fingerprints */

struct audit_plan {
	uint64_t text_bytes;	/* what is searched for */
	uint64_t device_bytes;	/* where; holes are skipped */
	size_t n_devices, n_missing;
	uint64_t n_passes;
};

struct audit_finding {
	const struct text *text;	/* its first bytes belong to */
	uint64_t text_at;		/* where in it they begin */
	uint64_t length;
	const struct volume_device *device;
	uint64_t physical;
	struct where where;
};

struct audit_listener {
	void (*plan)(void *context, const struct audit_plan *plan);
	bool (*found)(void *context, const struct audit_finding *finding, struct error *err);
	/* A text that cannot be read, so that nothing can be said of it. */
	void (*unread)(void *context, const struct text *text, const char *why);
	void (*progress)(void *context, const char *what, uint64_t done, uint64_t total);	/* may be NULL */
	void *context;
};

struct audit_result {
	uint64_t text_bytes;	/* that were searched for */
	uint64_t short_bytes;	/* of texts that are too short, or repeat too much, to be searched for */
	uint64_t n_unread;
	uint64_t n_findings, found_bytes;
};

/* memory: audit_memory, or less for tests. */
bool audit_search(struct texts *texts, size_t memory, const struct audit_listener *listener, struct audit_result *result,
		  struct error *err) must_use;

#endif /* COMMON_AUDIT_SEARCH_H */
