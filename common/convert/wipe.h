/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Overwrites what is no longer used, on every mirror, and only then gives the room of a sparse file back. */
#ifndef COMMON_CONVERT_WIPE_H
#define COMMON_CONVERT_WIPE_H

#include "common/convert/convert.h"
#include "common/convert/operation.h"

/*
 * Before anything is changed: if ui->wipe_free, does nothing contradict what the extent tree calls free (used bytes of groups, checksums of
 * data)? ERROR_CORRUPT.
 */
bool wipe_check_free(struct volume *volume, const struct convert_ui *ui, struct error *err) must_use;
/* The journal of the operation. Everything is durable afterwards. */
bool wipe_journal(const struct operation *op, struct error *err) must_use;
/*
 * The same, and all free space of metadata and mixed block groups but the copies of header and slots; with CRYPT_STATE_WIPE_FREE in the
 * state also that of data block groups and what no chunk uses. *unwiped: bytes of free data space that are left as they are. ui: of its
 * functions, progress (direction goes with it) and, only with that flag, stop; may be NULL. ERROR_STOPPED: the state is as it was, and this
 * can be begun again.
 */
bool wipe_all(const struct operation *op, const struct convert_ui *ui, enum crypt_direction direction, uint64_t *unwiped,
	      struct error *err) must_use;

#endif /* COMMON_CONVERT_WIPE_H */
