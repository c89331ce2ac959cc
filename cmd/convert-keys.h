/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of a rekeying: one for each key slot that is to stay. */
#ifndef CMD_CONVERT_KEYS_H
#define CMD_CONVERT_KEYS_H

#include "cmd/convert-ui.h"
#include "common/sealed/domain.h"

/*
 * Reads what the options give, into talk->keys; or asks on a terminal, for one key slot after the other, by number and label. An empty answer
 * drops the slot, once that is confirmed, and sets *drop_slots.
 */
bool convert_read_keys(const struct domain *domain, const char *image, const char *what, struct convert_talk *talk, const struct convert_ui *ui,
		       bool *drop_slots, struct error *err) must_use;

#endif /* CMD_CONVERT_KEYS_H */
