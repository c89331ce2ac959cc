/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arrays of numbers in ascending order. at may be NULL if n is 0. */
#ifndef COMMON_UTIL_SORTED64_H
#define COMMON_UTIL_SORTED64_H

#include <stddef.h>
#include <stdint.h>

void sort64(uint64_t *at, size_t n);
/* Sorts, and drops what is there already. Returns how many are left. */
size_t sort64_unique(uint64_t *at, size_t n);
/* The element with this number, or NULL. If there are several, the first. */
const uint64_t *sorted64_find(const uint64_t *at, size_t n, uint64_t number);

#endif /* COMMON_UTIL_SORTED64_H */
