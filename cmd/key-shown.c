/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/key-shown.h"

#include "cmd/print.h"

void key_shown_put(const struct row *row, const struct keyring_found *key)
{
	static bool was_told;

	if (!key)
		return;
	row_text(row, "keyring_state", NULL, keyring_state_name(key->state));
	if (key->state == KEYRING_NO_KERNEL) {
		if (!was_told)
			print_note(NULL, keyring_state_text(key->state));
		was_told = true;
		return;
	}
	if (key->state == KEYRING_PRESENT)
		row_number(row, "keyring_serial", " (", key->serial);
	else
		row_text(row, "keyring_reason", " (", keyring_state_text(key->state));
	row_words(row, ")");
}
