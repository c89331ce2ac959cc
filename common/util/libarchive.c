/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the functions of libarchive. */
#include "common/util/libarchive.h"

#include <dlfcn.h>

#define FILE_NAME "libarchive.so.13"	/* the only one since libarchive 3.0, of 2011 */

struct libarchive lib;

bool libarchive_load(struct error *err)
{
	static const struct {
		const char *name;
		void **function;
	} wanted[] = {
#define ROW(name) { #name, (void **)&lib.name },
		LIBARCHIVE_FUNCTIONS(ROW)
#undef ROW
	};
	void *const library = dlopen(FILE_NAME, RTLD_LAZY);

	if (!library)
		return error_set(err, ERROR_IO, "an archive needs a library: %s", dlerror());
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		*wanted[i].function = dlsym(library, wanted[i].name);
		if (!*wanted[i].function)
			return error_set(err, ERROR_IO, "an archive needs a newer library: %s", dlerror());
	}
	return true;
}
