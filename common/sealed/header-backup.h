/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Header backups: a file with the header of a domain and the items that the header vouches for. While volume->backup points to one,
 * domain_read() reads that domain from it, unless the image has a newer header. See format/README.md, "Header backups".
 */
#ifndef COMMON_SEALED_HEADER_BACKUP_H
#define COMMON_SEALED_HEADER_BACKUP_H

#include "common/volume/volume.h"
#include "format/crypt-backup.h"

struct header_backup {
	uint8_t *bytes;			/* of the file; owned */
	struct crypt_backup file;	/* with its items */
	struct crypt_header header;	/* not authenticated */
};

/*
 * The file for this header, malloced; the other items are those of the root tree, key slots as far as the header vouches for them. no_slots: no
 * key slots, of which the header has the hashes.
 */
bool header_backup_encode(struct volume *volume, const struct crypt_header *header, bool no_slots, uint8_t **bytes, size_t *len,
			  struct error *err) must_use;
/* Takes the bytes, malloced, also on failure. Checks layout and hash, and that it is of something sealed. ERROR_KEY_HEADER, ERROR_REFUSED. */
bool header_backup_read(uint8_t *bytes, size_t len, struct header_backup **backup, struct error *err) must_use;
void header_backup_free(struct header_backup *backup);
static inline void header_backup_cleanup(struct header_backup **p) { header_backup_free(*p); }
#define cleanup_header_backup __attribute__((cleanup(header_backup_cleanup)))

/* Visits its items, the header first, in order of their keys. */
typedef bool (*header_backup_visit)(void *context, const struct crypt_backup_item *item, struct error *err);
bool header_backup_items(const struct header_backup *backup, header_backup_visit visit, void *context, struct error *err) must_use;

#endif /* COMMON_SEALED_HEADER_BACKUP_H */
