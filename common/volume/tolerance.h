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

/*
 * Whoever can tell that the names of a directory are those that were sealed. Then none is lost, and what claims to be one was put there later.
 * *proven stays false for what it knows nothing of. It must be taken out again before it ends.
 */
struct list_proof {
	bool (*proves)(struct list_proof *proof, uint64_t subvolume, uint64_t directory, bool *proven, struct error *err);
	struct list_proof *next;
};

struct tolerance {
	struct list_proof *proofs;
	bool is_tolerant;
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

void volume_add_proof(struct volume *volume, struct list_proof *proof);
void volume_remove_proof(struct volume *volume, const struct list_proof *proof);
/* Does any of them prove the names of the directory? */
bool volume_proves_list(struct volume *volume, uint64_t subvolume, uint64_t directory, bool *proven, struct error *err) must_use;

#endif /* COMMON_VOLUME_TOLERANCE_H */
