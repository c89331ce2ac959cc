/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Payloads in leaves that are inline units, or become some, visited in the one order that counts. */
#ifndef COMMON_SEALED_PAYLOADS_H
#define COMMON_SEALED_PAYLOADS_H

#include "common/sealed/inline-map.h"
#include "common/sealed/scan.h"

/* Visits every payload in the leaves of a scan, by leaf address, then slot. Payload and leaf are borrowed. */
typedef bool payload_visit(void *context, const struct scan_block *leaf, const struct inline_payload *payload, struct error *err);
bool payloads_visit(const struct scan *scan, payload_visit *visit, void *context, struct error *err) must_use;

/* The same for one leaf. */
bool payloads_of_leaf(const struct scan *scan, const struct scan_block *at, struct block *block, struct mode_memory *memory,
		      payload_visit *visit, void *context, struct error *err) must_use;

/*
 * Does the next mount delete it from every subvolume of the scan whose tree has this leaf? No digest covers it there. So a payload that no
 * unit opens may exist in a tree that is as it was sealed: a file written and deleted since, or planted.
 */
bool payload_is_left_out(const struct scan *scan, const struct scan_block *leaf, const struct inline_payload *payload, bool *left_out,
			 struct error *err) must_use;

#endif /* COMMON_SEALED_PAYLOADS_H */
