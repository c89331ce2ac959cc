/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of what is invalid.  Strict, the default: it is an error where it is met.  Tolerant: it is told, once, and what can be used of it is used; what
 * cannot is left out.  The rooms that read ask here; those above them go on as if nothing were.
 */
#ifndef COMMON_VOLUME_TOLERANCE_H
#define COMMON_VOLUME_TOLERANCE_H

#include "common/util/set64.h"
#include "format/error.h"

#define TOLERATED_MAX 10000u	/* told; more are not, for an image decides how many there are */

struct volume;

struct tolerance {
	bool is_tolerant;
	void (*invalid)(void *context, const char *text);	/* may be NULL */
	void *context;
	struct set64 told;	/* hashes of the texts */
};

/* Is this the image's fault, so that others of its bytes may still be read? */
static inline bool error_is_damage(const struct error *err)
{
	return err->kind == ERROR_CORRUPT || err->kind == ERROR_IO || err->kind == ERROR_NOT_FOUND;
}

/* Is it the machine's, so that it says nothing of what is in the image? */
static inline bool error_is_machine(const struct error *err)
{
	return err->kind == ERROR_MEMORY || err->kind == ERROR_IO;
}

/* True, told and cleared: it is damage and the volume is read tolerantly.  False: it stays the error that it is. */
bool volume_tolerates(struct volume *volume, struct error *err) must_use;

/* The same of what is still used, by the text alone. */
void volume_invalid(struct volume *volume, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* COMMON_VOLUME_TOLERANCE_H */
