/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/util/library.h"

#include <dlfcn.h>

bool library_load(const char *file, const char *what, const struct library_function *wanted, size_t n, struct error *err)
{
	void *const library = dlopen(file, RTLD_LAZY);

	if (!library)
		return error_set(err, ERROR_IO, "%s needs a library: %s", what, dlerror());
	for (size_t i = 0; i < n; i++) {
		*wanted[i].function = dlsym(library, wanted[i].name);
		if (!*wanted[i].function)
			return error_set(err, ERROR_IO, "%s needs a newer library: %s", what, dlerror());
	}
	return true;
}
