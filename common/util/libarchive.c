/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the functions of libarchive. */
#include "common/util/libarchive.h"

#include "common/util/library.h"

#define FILE_NAME "libarchive.so.13"	/* the only one since libarchive 3.0, of 2011 */

struct libarchive lib;

bool libarchive_load(struct error *err)
{
	static const struct library_function wanted[] = {
#define ROW(name) { #name, (void **)&lib.name },
		LIBARCHIVE_FUNCTIONS(ROW)
#undef ROW
	};

	return library_load(FILE_NAME, "an archive", wanted, sizeof(wanted) / sizeof(wanted[0]), err);
}
