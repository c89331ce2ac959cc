/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of a change of key slots, for the files that implement it. Everyone else includes key-change.h, or key-restore.h. */
#ifndef COMMON_CONVERT_KEY_CHANGE_INSIDE_H
#define COMMON_CONVERT_KEY_CHANGE_INSIDE_H

#include "common/convert/convert.h"
#include "common/convert/operation.h"
#include "common/convert/replay.h"
#include "common/sealed/domain.h"

struct changing {
	struct volume *volume;
	struct domain *domain;		/* with the key schedule */
	struct crypt_header header;
	struct operation op;
	struct allocator *allocator;
	const struct convert_ui *ui;
	struct journal_point at;
};

/* Checks what must hold before anything is changed, and finds places for records about so many bytes. flags: of the state. */
bool changing_begin(struct changing *c, uint32_t flags, uint64_t work, struct error *err) must_use;
/* The items are in place. Steps 4 to 6. */
bool changing_finish(struct changing *c, struct error *err) must_use;
void changing_close(struct changing *c);

static inline bool changing_restores(const struct changing *c)
{
	return le32(c->op.state.flags) & CRYPT_STATE_RESTORE;
}

#endif /* COMMON_CONVERT_KEY_CHANGE_INSIDE_H */
