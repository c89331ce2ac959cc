/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of opening share: an image of two superblock copies, healed after each test. */
#ifndef TESTS_UNIT_VOLUME_FIXTURE_H
#define TESTS_UNIT_VOLUME_FIXTURE_H

#include "common/volume/volume.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/unit/image.h"

#define MIB (1ull << 20)
#define BOTH 3u		/* copies 0 and 1: all that the image has */

static struct image image;

static int make(void **state)
{
	(void)state;
	image_make(&image, 128 * MIB, "-m dup -d single", 50);
	return 0;
}

static int remove_it(void **state)
{
	(void)state;
	image_remove(&image);
	return 0;
}

static int heal(void **state)
{
	(void)state;
	image_heal(&image);
	return 0;
}

static void refused(bool unfinished, enum error_kind kind, const char *text)
{
	struct volume *volume;
	struct error err = { 0 };

	if (image_open(&image, unfinished, &volume, &err))
		fail_msg("opened, although: %s", text);
	assert_string_equal(err.text, text);
	assert_int_equal(err.kind, kind);
	image_heal(&image);
}

#define with_image(test) cmocka_unit_test_teardown(test, heal)

#endif /* TESTS_UNIT_VOLUME_FIXTURE_H */
