/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON output: one object per line. Numbers that may pass 2^53 (addresses, sizes, ids, generations) are always strings of decimal digits,
 * so that a member's type never depends on its value.
 */
#ifndef CMD_JSON_H
#define CMD_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_object;

/* A new object. If memory runs out while building one, the program ends with status 3: there is nothing to save. */
struct json_object *json_line(void);
struct json_object *json_array(void);

/* Text that is not valid UTF-8 is escaped. */
void json_text(struct json_object *object, const char *name, const char *text);
void json_number(struct json_object *object, const char *name, int64_t number);	/* never past 2^53 */
void json_u64(struct json_object *object, const char *name, uint64_t number);	/* a string */
/* When this program did something: whole seconds since 1970, a number. Absent where it would pass 2^53. */
void json_moment(struct json_object *object, const char *name, uint64_t seconds);
void json_flag(struct json_object *object, const char *name, bool value);
void json_hex(struct json_object *object, const char *name, const void *bytes, size_t len);
/* Formatted text, for example "256/EXTENT_DATA". */
void json_format(struct json_object *object, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A name from an image. Valid UTF-8 stays as it is. Anything else is escaped for people, with its exact bytes in NAME_hex. */
void json_name(struct json_object *object, const char *name, const void *bytes, size_t len);

/* The path of a file in its subvolume, as "path": "/" for the root directory, as in the text for people. */
void json_path(struct json_object *object, const void *bytes, size_t len);

/* The same as json_name() for text that was already escaped for people. */
void json_escaped_name(struct json_object *object, const char *name, const char *escaped);

/* Takes ownership of member. */
void json_member(struct json_object *object, const char *name, struct json_object *member);
void json_append(struct json_object *array, struct json_object *member);

void json_append_text(struct json_object *array, const char *text);	/* as json_text() */

/* Prints it as one line and frees it. */
void json_print(struct json_object *line, FILE *out);

#endif /* CMD_JSON_H */
