/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared libraries that are loaded when they are needed: few commands use them, and the program starts where they are missing. */
#ifndef COMMON_UTIL_LIBRARY_H
#define COMMON_UTIL_LIBRARY_H

#include <stddef.h>

#include "format/error.h"

struct library_function {
	const char *name;
	void **function;	/* where its address goes */
};

/* Finds all functions in the library of this file name. what needs it: for the message. Loading it again is fine. */
bool library_load(const char *file, const char *what, const struct library_function *wanted, size_t n, struct error *err) must_use;

#endif /* COMMON_UTIL_LIBRARY_H */
