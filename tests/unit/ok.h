/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A call that has to succeed, whose last argument is the err that it is given here; otherwise the test fails with the error's text. */
#ifndef TESTS_UNIT_OK_H
#define TESTS_UNIT_OK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/error.h"

#define ok(call) do { \
	struct error ok_err = { 0 }, *const err = &ok_err; \
	if (!(call)) \
		fail_msg("%s", ok_err.text); \
} while (0)

#endif /* TESTS_UNIT_OK_H */
