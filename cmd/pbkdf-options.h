/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What opening a new key slot costs. */
#ifndef CMD_PBKDF_OPTIONS_H
#define CMD_PBKDF_OPTIONS_H

#include <popt.h>

#include "common/crypto/kdf.h"

extern struct poptOption options_pbkdf[];	/* --pbkdf, --pbkdf-memory, --pbkdf-force-iterations, --iter-time */

const char *pbkdf_options_given(void);	/* one of those that were given; NULL: none was */
bool pbkdf_options_chosen(void);	/* --pbkdf was given */
/* A value that is not given is 0, and is measured. ERROR_USAGE. */
bool pbkdf_options_read(struct kdf_cost *cost, unsigned *milliseconds, struct error *err) must_use;

#endif /* CMD_PBKDF_OPTIONS_H */
