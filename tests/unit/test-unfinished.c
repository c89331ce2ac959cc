/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an unfinished conversion is said to be: only what can be undone is said to be undoable. */
#include "cmd/unfinished.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void undo_is_named_where_it_is_possible(void **unused)
{
	static const struct {
		enum crypt_operation operation;
		enum crypt_direction direction;
		enum crypt_phase phase;
		uint64_t cursor;
		uint32_t flags;
		bool can_undo;
		const char *resume;
	} row[] = {
		{ CRYPT_OP_ENCRYPT, CRYPT_TO_SEALED, CRYPT_PHASE_STRUCTURE, 0, 0, true, "--resume" },
		{ CRYPT_OP_ENCRYPT, CRYPT_TO_SEALED, CRYPT_PHASE_LEAVES, 9, 0, true, "--resume" },
		{ CRYPT_OP_ENCRYPT, CRYPT_TO_SEALED, CRYPT_PHASE_FINISH, 0, 0, false, "--resume" },
		{ CRYPT_OP_ENCRYPT, CRYPT_TO_SEALED, CRYPT_PHASE_FINISHED, 0, 0, false, "--resume" },
		{ CRYPT_OP_ENCRYPT, CRYPT_TO_PLAIN, CRYPT_PHASE_DATA, 9, 0, false, "--abort" },
		{ CRYPT_OP_DECRYPT, CRYPT_TO_PLAIN, CRYPT_PHASE_LEAVES, 9, 0, true, "--decrypt --resume" },
		{ CRYPT_OP_DECRYPT, CRYPT_TO_PLAIN, CRYPT_PHASE_DATA, 9, CRYPT_STATE_ACCEPTED, false, "--decrypt --resume" },
		{ CRYPT_OP_DECRYPT, CRYPT_TO_PLAIN, CRYPT_PHASE_STRUCTURE, 9, 0, true, "--decrypt --resume" },
		{ CRYPT_OP_DECRYPT, CRYPT_TO_PLAIN, CRYPT_PHASE_STRUCTURE, 0, 0, false, "--decrypt --resume" },
		{ CRYPT_OP_DECRYPT, CRYPT_TO_PLAIN, CRYPT_PHASE_FINISH, 0, 0, false, "--decrypt --resume" },
		{ CRYPT_OP_DECRYPT, CRYPT_TO_SEALED, CRYPT_PHASE_DATA, 9, 0, false, "--abort" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const struct crypt_state_tail state = {
			.disk.flags = to_le32(row[i].flags),
			.operation = row[i].operation,
			.direction = row[i].direction,
			.phase = row[i].phase,
			.cursor = row[i].cursor,
		};
		const struct unfinished_words words = unfinished_words(&state);

		assert_int_equal(words.can_undo, row[i].can_undo);
		assert_string_equal(words.resume, row[i].resume);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(undo_is_named_where_it_is_possible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
