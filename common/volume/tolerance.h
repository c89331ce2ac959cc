/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How invalid data are handled. Strict, the default: an error where they are met. Tolerant: they are reported once, usable parts are used,
 * and the rest is left out. The rooms that read ask here; those above do not notice.
 */
#ifndef COMMON_VOLUME_TOLERANCE_H
#define COMMON_VOLUME_TOLERANCE_H

#include "common/util/set64.h"
#include "format/error.h"

#define TOLERATED_MAX 10000u	/* reports; further ones are dropped, because an image decides how many there are */

struct volume;

struct tolerance {
	bool is_tolerant;
	void (*invalid)(void *context, const char *text);	/* may be NULL */
	void *context;
	struct set64 told;	/* hashes of the texts */
};

/* Is it the image's fault, so that other bytes of it may still be readable? */
static inline bool error_is_damage(const struct error *err)
{
	return err->kind == ERROR_CORRUPT || err->kind == ERROR_IO || err->kind == ERROR_NOT_FOUND;
}

/* Is it the machine's fault, so that it says nothing about the image? */
static inline bool error_is_machine(const struct error *err)
{
	return err->kind == ERROR_MEMORY || err->kind == ERROR_IO;
}

/* True: it was damage on a volume that is read tolerantly, and was reported and cleared. False: it stays an error. */
bool volume_tolerates(struct volume *volume, struct error *err) must_use;

/* The same for something that is still used, with just a text. */
void volume_invalid(struct volume *volume, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* COMMON_VOLUME_TOLERANCE_H */
