/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as hexadecimal digits, and back. */
#ifndef COMMON_UTIL_HEX_H
#define COMMON_UTIL_HEX_H

#include <stdbool.h>
#include <stddef.h>

/* Lower case. text has room for 2 * len + 1. */
void hex_text(const void *bytes, size_t len, char *text);

/* Takes exactly 2 * len digits, upper or lower case. Returns false for anything else; bytes are then unspecified. */
bool hex_read(const char *text, void *bytes, size_t len);

#endif /* COMMON_UTIL_HEX_H */
