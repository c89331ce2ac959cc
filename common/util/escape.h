/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names from an image, for people. Printable UTF-8 stays as it is, a backslash is doubled, and every byte of anything else (controls,
 * invalid UTF-8, characters that change direction or are invisible) becomes \xNN. An escaped name cannot move the cursor, hide text or look
 * like two lines, and each has exactly one reading.
 */
#ifndef COMMON_UTIL_ESCAPE_H
#define COMMON_UTIL_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most bytes that the escaped form of len bytes takes, including the final NUL. */
#define ESCAPED_SIZE(len) (4 * (size_t)(len) + 1)

/*
 * Writes to text, which has size bytes (> 0) and is always NUL terminated. What does not fit is left out, never half an escape or half a
 * character. Returns the length that the whole text needs, like snprintf().
 */
size_t escape_text(const void *bytes, size_t len, char *text, size_t size);

/* The same in new memory; NULL: out of memory. */
char *escape_new(const void *bytes, size_t len);

/* The bytes that escape_text() turns into text, in new memory. NULL if there are no such bytes, or a NUL is among them. */
char *escape_undo(const char *text);

/*
 * The first character of len > 0 bytes: how many bytes it takes; 0: not well-formed UTF-8. *shows: escape_text() leaves it as it is (except
 * for the backslash).
 */
size_t utf8_next(const void *bytes, size_t len, uint32_t *character, bool *shows);

/* Is this well-formed UTF-8 without NUL? (It may still need escaping.) */
bool utf8_is_valid(const void *bytes, size_t len);

#endif /* COMMON_UTIL_ESCAPE_H */
