/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The volume key of a domain in the kernel's keyrings. */
#ifndef COMMON_SEALED_DOMAIN_KEYRING_H
#define COMMON_SEALED_DOMAIN_KEYRING_H

#include "common/crypto/keyring.h"
#include "common/sealed/domain.h"

/*
 * keyring_find() for the key with which the key check value of the header is right, so the key of another domain with the same name does
 * not count. Its MACs are left to domain_open().
 */
bool domain_keyring_find(const struct domain *domain, const struct keyring *only, struct keyring_found *found, struct secret **volume_key,
			 struct error *err) must_use;
/* keyring_forget() for such keys. */
bool domain_keyring_forget(const struct domain *domain, const struct keyring *keyring, unsigned *n, struct error *err) must_use;

#endif /* COMMON_SEALED_DOMAIN_KEYRING_H */
