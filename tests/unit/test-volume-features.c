/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening a filesystem: what is refused by name, by whom. */
#include "tests/unit/volume-fixture.h"

static uint64_t set_incompat, set_flags;

static void set_bits(struct disk_superblock *disk)
{
	disk->incompat_flags = to_le64(le64(disk->incompat_flags) | set_incompat);
	disk->flags = to_le64(le64(disk->flags) | set_flags);
}

static void with_bits(uint64_t incompat, uint64_t flags)
{
	set_incompat = incompat;
	set_flags = flags;
	image_edit_super(&image, BOTH, set_bits);
}

static void refuses_features_by_name(void **state)
{
	(void)state;
	with_bits(1ull << 40 | 1ull << 60, 0);
	refused(false, ERROR_REFUSED, "disk.img: the filesystem has unknown incompat bits 0x1000010000000000");
	with_bits(INCOMPAT_EXTENT_TREE_V2, 0);
	refused(false, ERROR_REFUSED, "disk.img: the filesystem has the feature extent-tree-v2, which this version cannot read");
	with_bits(INCOMPAT_REMAP_TREE, 0);
	refused(false, ERROR_REFUSED, "disk.img: the filesystem has the feature remap-tree, which this version cannot read");
	with_bits(0, SUPER_FLAG_METADUMP);
	refused(false, ERROR_REFUSED, "disk.img: a btrfs-image dump: its metadata are rewritten and its data are missing");
}

static void a_restored_dump_is_read_but_not_converted(void **state)
{
	const struct volume_options options = { .to_convert = true };
	struct volume *volume;
	struct error err = { 0 };

	(void)state;
	with_bits(0, SUPER_FLAG_METADUMP_V2);
	assert_true(image_open(&image, false, &volume, &err));
	assert_string_equal(image.warning, "the image was restored from a btrfs-image dump: its metadata are here, its data are not");
	volume_close(volume);
	assert_false(volume_open(image_device(&image), &options, &volume, &err));
	assert_string_equal(err.text, "disk.img: a btrfs-image dump: its metadata are rewritten and its data are missing");
	assert_int_equal(err.kind, ERROR_REFUSED);
}

static void some_features_are_read_but_not_converted(void **state)
{
	const struct { uint64_t bit; const char *text; } row[] = {
		{ INCOMPAT_ZONED, "disk.img: the filesystem has the feature zoned, which this version cannot convert" },
		{ INCOMPAT_RAID_STRIPE_TREE, "disk.img: the filesystem has the feature raid-stripe-tree, which this version cannot convert" },
	};
	const struct volume_options options = { .to_convert = true, .unfinished = true };

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct volume *volume;
		struct error err = { 0 };

		with_bits(row[i].bit, 0);
		assert_true(image_open(&image, false, &volume, &err));
		volume_close(volume);
		assert_false(volume_open(image_device(&image), &options, &volume, &err));
		assert_int_equal(err.kind, ERROR_REFUSED);
		assert_string_equal(err.text, row[i].text);
		image_heal(&image);
	}
}

static void two_devices(struct disk_superblock *disk)
{
	disk->num_devices = to_le64(2);
}

static void several_devices_are_read_but_not_converted(void **state)
{
	const struct volume_options options = { .to_convert = true };
	struct volume *volume;
	struct error err = { 0 };

	(void)state;
	image_edit_super(&image, BOTH, two_devices);
	assert_true(image_open(&image, false, &volume, &err));
	volume_close(volume);
	assert_false(volume_open(image_device(&image), &options, &volume, &err));
	assert_int_equal(err.kind, ERROR_REFUSED);
	assert_string_equal(err.text, "disk.img: the filesystem has 2 devices, 1 given, and all of them are written to");
}

static void an_unfinished_conversion_is_opened_by_those_who_ask(void **state)
{
	struct volume *volume;
	struct error err = { 0 };

	(void)state;
	with_bits(INCOMPAT_CRYPT_UNFINISHED, 0);
	refused(false, ERROR_UNFINISHED, "disk.img: an unfinished conversion is present");
	with_bits(INCOMPAT_CRYPT_UNFINISHED, 0);
	assert_true(image_open(&image, true, &volume, &err));
	volume_close(volume);
	with_bits(INCOMPAT_CRYPT_UNFINISHED | 1ull << 50, 0);
	refused(true, ERROR_REFUSED, "disk.img: the filesystem has unknown incompat bits 0x4000000000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_image(refuses_features_by_name),
		with_image(a_restored_dump_is_read_but_not_converted),
		with_image(some_features_are_read_but_not_converted),
		with_image(several_devices_are_read_but_not_converted),
		with_image(an_unfinished_conversion_is_opened_by_those_who_ask),
	};

	return cmocka_run_group_tests(tests, make, remove_it);
}
