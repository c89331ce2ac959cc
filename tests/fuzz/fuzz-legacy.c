/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Root items and xattrs of the format of 2016. */
#include "tests/fuzz/fuzz.h"

#include "format/legacy.h"

static void touch_name(const char *name)
{
	fuzz_touch((struct cursor){ (const uint8_t *)name, strlen(name), 0 });
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor input = { bytes, len, 0 };
	struct error err = { 0 };
	struct legacy_property property;
	struct legacy_root legacy;
	uint8_t iv[LEGACY_IV_SIZE];
	struct root root;

	switch (fuzz_choice(&input) % 3) {
	case 0:
		if (root_read(&input, &root, &err)) {
			legacy_root_of(&root, &legacy);
			touch_name(legacy.algorithm);
			touch_name(legacy.tag);
			legacy_mode_of(legacy.algorithm);
		}
		break;
	case 1:
		if (legacy_property_read(&input, &property, &err)) {
			touch_name(property.algorithm);
			touch_name(property.tag);
		}
		break;
	default:
		if (legacy_iv_read(&input, iv, &err))
			fuzz_touch((struct cursor){ iv, sizeof(iv), 0 });
	}
	return 0;
}
