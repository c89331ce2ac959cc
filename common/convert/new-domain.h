/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a new sealing is told apart by: number, uuid and keys. */
#ifndef COMMON_CONVERT_NEW_DOMAIN_H
#define COMMON_CONVERT_NEW_DOMAIN_H

#include "common/sealed/domain.h"

bool new_domain_number(struct volume *volume, uint16_t *number, struct error *err) must_use;
/*
 * Draws uuid and op_id into the header and, if none is given, a volume key, such that the first bytes of the key check value, the displayed
 * tag, are not 0. *volume_key: the drawn one; NULL if it was given.
 */
bool new_domain_keys(struct crypt_header *header, const struct secret *given, struct key_schedule **schedule, struct secret **volume_key,
		     struct error *err) must_use;

#endif /* COMMON_CONVERT_NEW_DOMAIN_H */
