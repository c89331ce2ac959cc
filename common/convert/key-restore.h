/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts header, key slots and members back from a header backup. It is a change of key slots (key-change.h), of which these steps differ:
 *
 *   step                                          durable afterwards                          a crash before the next step leaves
 *   1. copies of the backup's header and slots,   in free space                               what was there
 *      then of slots found in the image
 *   2. record 1: the tree blocks that record 2    in free space; nothing of record 1 is       what was there
 *      changes, as they were found; record 2      written in place
 *   3. the superblocks' state and bit             nobody else can mount                       record 2, to be replayed, or undone by record 1
 *   4. record 2 is carried out, state FINISH      what the backup has                         cleaning up
 *
 * Undoing writes what record 1 has once more, so it gives back what was found, damage included. See format/README.md, "Restoring a header".
 */
#ifndef COMMON_CONVERT_KEY_RESTORE_H
#define COMMON_CONVERT_KEY_RESTORE_H

#include "common/convert/convert.h"
#include "common/sealed/domain-remains.h"

/*
 * domain: opened, read from a backup that belongs to this volume, which was opened for writing. Afterwards its header is the one in the image.
 * ERROR_REFUSED, ERROR_BUSY, ERROR_NO_SPACE, ERROR_CORRUPT: nothing was changed.
 */
bool key_restore(struct volume *volume, struct domain *domain, const struct domain_remains *remains, const struct convert_ui *ui, struct error *err) must_use;

#endif /* COMMON_CONVERT_KEY_RESTORE_H */
