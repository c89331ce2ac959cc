/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A secret that is right but for the end of its line. */
#ifndef COMMON_SEALED_DOMAIN_ENDING_H
#define COMMON_SEALED_DOMAIN_ENDING_H

#include "common/sealed/domain.h"

/*
 * After domain_open() has failed with ERROR_KEY: would the same line open a slot with or without a newline at its end, or with a carriage
 * return? Then the error gets a hint that says so. Each attempt costs what the slot costs, so only those are made that the kind of the slot
 * makes likely, at most two for each; none if the secret is no line of text.
 */
void domain_hint_ending(const struct domain *domain, const struct key_source *key, struct error *err);

#endif /* COMMON_SEALED_DOMAIN_ENDING_H */
