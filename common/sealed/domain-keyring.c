/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/sealed/domain-keyring.h"

static bool accept(void *context, const struct secret *payload, bool *right, struct error *err)
{
	return domain_is_key(context, payload, right, err);
}

static struct keyring_wanted wanted_of(const struct domain *domain, char name[DOMAIN_KEY_NAME_SIZE])
{
	domain_key_name(domain, name);
	return (struct keyring_wanted){ name, KEY_SOURCE_VOLUME_KEY_SIZE, accept, (void *)domain };
}

bool domain_keyring_find(const struct domain *domain, const struct keyring *only, struct keyring_found *found, struct secret **volume_key,
			 struct error *err)
{
	char name[DOMAIN_KEY_NAME_SIZE];
	const struct keyring_wanted wanted = wanted_of(domain, name);

	return keyring_find(&wanted, only, found, volume_key, err);
}

bool domain_keyring_forget(const struct domain *domain, const struct keyring *keyring, unsigned *n, struct error *err)
{
	char name[DOMAIN_KEY_NAME_SIZE];
	const struct keyring_wanted wanted = wanted_of(domain, name);

	return keyring_forget(keyring, &wanted, n, err);
}
