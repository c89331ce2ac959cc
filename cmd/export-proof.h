/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is what is exported as it was sealed? */
#ifndef CMD_EXPORT_PROOF_H
#define CMD_EXPORT_PROOF_H

#include "cmd/export-sources.h"

/* Proves each step of the path, which ends in subvolume end, by every subvolume that it passes and that the key opens. */
bool export_sources_prove_path(struct export_sources *sources, uint64_t subvolume, const char *path, uint64_t end, bool *differs,
			       struct error *err) must_use;
/* For export_options.proof: if a subvolume begins at the entry, all of it is checked. */
bool export_sources_prove(struct export_sources *sources, const struct walk_entry *entry, struct export_proven *proven,
			  struct error *err) must_use;

#endif /* CMD_EXPORT_PROOF_H */
