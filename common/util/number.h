/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, offsets and sizes as people type them. */
#ifndef COMMON_UTIL_NUMBER_H
#define COMMON_UTIL_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The whole text: decimal, or hexadecimal with 0x, followed by K, M, G, T, P or E (of 1024; k, KiB and the like are the same) or nothing.  False, and
 * *value as it was: it is no such number, or more than 64 bits hold.
 */
bool bytes_parse(const char *text, uint64_t *value);

#endif /* COMMON_UTIL_NUMBER_H */
