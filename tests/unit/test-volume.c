/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening a filesystem: which copy of the superblock counts, and what is wrong with chunks. */
#include <inttypes.h>
#include <stdio.h>

#include "common/volume/csum.h"
#include "format/crypt.h"
#include "tests/unit/volume-fixture.h"

static unsigned n_warned;

static void count_warning(void *context, const struct report *report)
{
	(void)context, (void)report;
	n_warned++;
}

static void add_to_generation(struct disk_superblock *disk)
{
	disk->generation = to_le64(le64(disk->generation) + 1);
}

static void damage(unsigned copy, size_t at)
{
	uint8_t byte;

	image_read(&image, superblock_offset(copy) + at, &byte, 1);
	byte ^= 1;
	image_patch(&image, superblock_offset(copy) + at, &byte, 1);
}

static void opens_a_good_one_without_a_word(void **state)
{
	cleanup_volume struct volume *volume = image_volume(&image);

	(void)state;
	assert_int_equal(image.n_warnings, 0);
	assert_int_equal(image.n_writes, 0);
	assert_int_equal(volume->super_used, 0);
	assert_true(volume->copy[0].valid && volume->copy[1].valid && !volume->copy[2].exists);
	assert_ptr_equal(volume->super.sys_chunks.at, volume->super.disk.sys_chunk_array);
	assert_true(volume->n_chunks >= 3);
}

static void uses_a_mirror_when_the_primary_is_damaged(void **state)
{
	(void)state;
	damage(0, 0x300);	/* only the checksum knows */

	cleanup_volume struct volume *volume = image_volume(&image);

	assert_int_equal(volume->super_used, 1);
	assert_true(volume->copy[0].exists && !volume->copy[0].valid);
	assert_int_equal(image.n_warnings, 1);
	assert_string_equal(image.warning, "superblock at 0x10000: the crc32c checksum does not match; copy 1 of the superblock is used, but a kernel uses only "
			    "copy 0");
}

static void keep_text(void *context, const struct report *report)
{
	snprintf(context, 256, "%s", report->text);
}

/* Whoever reads and whoever converts take the same one. */
static void prefers_the_primary_to_a_newer_mirror(void **state)
{
	char have[256], want[256];
	struct error err = { 0 };

	(void)state;
	image_edit_super(&image, 2, add_to_generation);
	for (unsigned i = 0; i < 4; i++) {
		struct device *device = image_device(&image);
		struct volume_options options = { .to_convert = i / 2, .reporter = { keep_text, have } };
		struct volume *volume;

		device->writable = i % 2;
		assert_true(volume_open_super(device, &options, &volume, &err));
		assert_int_equal(volume->super_used, 0);
		assert_true(volume->copy[1].valid);
		snprintf(want, sizeof(want), "copy 1 of the superblock, of generation %" PRIu64 ", is newer than copy 0, of generation %" PRIu64
			 "; copy 0 is used, as a kernel does, and %s--super 1 reads copy 1", volume->super.generation + 1,
			 volume->super.generation, i / 2 ? "`btrfs-crypt list` with " : "");
		assert_string_equal(have, want);
		volume_close(volume);
	}
}

static bool open_read_only(unsigned super_copy, struct volume **volume, struct error *err)
{
	const struct volume_options options = { .super_copy = super_copy };
	struct device *device = image_device(&image);

	device->writable = false;
	return volume_open_super(device, &options, volume, err);
}

static void the_copy_that_was_asked_for_or_none(void **state)
{
	struct volume *volume;
	struct error err = { 0 };

	(void)state;
	assert_true(open_read_only(1 + 1, &volume, &err));
	assert_int_equal(volume->super_used, 1);
	volume_close(volume);
	assert_false(open_read_only(1 + 2, &volume, &err));
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	assert_string_equal(err.text, "disk.img: too small for copy 2 of the superblock");
	assert_false(open_read_only(1 + 3, &volume, &err));
	assert_int_equal(err.kind, ERROR_USAGE);
	damage(1, 0x300);
	assert_false(open_read_only(1 + 1, &volume, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_string_equal(err.text, "disk.img: copy 1: superblock at 0x4000000: the crc32c checksum does not match");
}

static void set_unfinished_bit(struct disk_superblock *disk)
{
	disk->incompat_flags = to_le64(le64(disk->incompat_flags) | INCOMPAT_CRYPT_UNFINISHED);
}

static void put_magic(struct disk_superblock *disk)
{
	memcpy(disk->tail, CRYPT_STATE_MAGIC, strlen(CRYPT_STATE_MAGIC));
}

/* As a conversion does, which writes both at once. */
static void put_bit_and_state(struct disk_superblock *disk)
{
	struct disk_crypt_state state = {
		.version = to_le32(CRYPT_VERSION),
		.operation = CRYPT_OP_ENCRYPT,
		.direction = CRYPT_TO_SEALED,
		.phase = CRYPT_PHASE_DATA,
		.cipher = 1,
		.generation = disk->generation,
		.sector_size = to_le32(4096),
		.node_size = to_le32(16384),
	};

	memcpy(state.magic, CRYPT_STATE_MAGIC, sizeof(state.magic));
	memcpy(state.fsid, disk->fsid, sizeof(state.fsid));
	memcpy(disk->tail, &state, sizeof(state));
	set_unfinished_bit(disk);
}

static void put_state_without_bit(struct disk_superblock *disk)
{
	put_bit_and_state(disk);
	disk->incompat_flags = to_le64(le64(disk->incompat_flags) & ~INCOMPAT_CRYPT_UNFINISHED);
}

static void put_state_of_other_filesystem(struct disk_superblock *disk)
{
	put_bit_and_state(disk);
	disk->tail[offsetof(struct disk_crypt_state, fsid)] ^= 1;
}

static void put_state_of_other_generation(struct disk_superblock *disk)
{
	put_bit_and_state(disk);
	disk->tail[offsetof(struct disk_crypt_state, generation)] ^= 1;
}

/* By bit and state, in either copy, or either of them in the primary, or the state alone; a mirror that is older than the primary says nothing. */
static void one_copy_is_enough_to_say_that_a_conversion_is_unfinished(void **state)
{
	static const struct { unsigned copy; void (*edit)(struct disk_superblock *disk); } edits[] = {
		{ 0, set_unfinished_bit }, { 0, put_magic }, { 0, put_bit_and_state }, { 1, put_bit_and_state }, { 1, put_state_without_bit },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		const unsigned copy = edits[i].copy;
		struct volume *volume;
		struct error err = { 0 };

		image_edit_super(&image, 1u << copy, edits[i].edit);
		for (unsigned chosen = 0; chosen <= 2; chosen++) {
			assert_true(open_read_only(chosen, &volume, &err));
			assert_true(volume_is_unfinished(volume));
			assert_int_equal(volume->super_used, chosen == CHOOSE_BY_ITSELF ? copy : chosen - 1);
			volume_close(volume);
		}
		assert_false(volume_open(image_device(&image), NULL, &volume, &err));
		assert_int_equal(err.kind, ERROR_UNFINISHED);
		image_edit_super(&image, 1u << !copy, add_to_generation);
		assert_true(open_read_only(CHOOSE_BY_ITSELF, &volume, &err));
		assert_int_equal(volume->super_used, 0);
		assert_int_equal(volume_is_unfinished(volume), copy == 0);
		volume_close(volume);
		image_heal(&image);
	}
}

/* What no conversion writes, in one copy beside a primary that says nothing. */
static void a_mirror_that_is_not_believed_hides_nothing_and_claims_nothing(void **state)
{
	static const struct { void (*edit)(struct disk_superblock *disk); const char *text; } edits[] = {
		{ set_unfinished_bit, "superblock at 0x4000000: says that a conversion is unfinished, but has no valid state of one" },
		{ put_magic, "superblock at 0x4000000: says that a conversion is unfinished, but has no valid state of one" },
		{ put_state_of_other_filesystem,
		  "superblock at 0x4000000: says that a conversion is unfinished, but its state is of another filesystem or generation" },
		{ put_state_of_other_generation,
		  "superblock at 0x4000000: says that a conversion is unfinished, but its state is of another filesystem or generation" },
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(edits) / sizeof(edits[0]); i++) {
		struct volume *volume;
		struct error err = { 0 };

		image_edit_super(&image, 1u << 1, edits[i / 2].edit);
		if (i % 2 == 1)
			image_edit_super(&image, 1u << 1, add_to_generation);	/* the state is no more of this generation */
		assert_true(open_read_only(CHOOSE_BY_ITSELF, &volume, &err));
		assert_false(volume_is_unfinished(volume));
		assert_int_equal(volume->super_used, 0);
		assert_false(volume->copy[1].valid);
		assert_true(volume->copy[1].is_doubted);
		if (i % 2 == 0)
			assert_string_equal(volume->copy[1].error.text, edits[i / 2].text);
		volume_close(volume);
		/* Asked for by its number, it is what it says. */
		assert_true(open_read_only(1 + 1, &volume, &err));
		assert_true(volume_is_unfinished(volume));
		volume_close(volume);
		/* Where the primary has something of it, too, it hides nothing. */
		image_edit_super(&image, 1u << 0, i % 2 ? put_magic : set_unfinished_bit);
		assert_true(open_read_only(CHOOSE_BY_ITSELF, &volume, &err));
		assert_true(volume_is_unfinished(volume));
		volume_close(volume);
		image_heal(&image);
	}
}

static uint64_t backup_root, backup_chunk_root;
static uint8_t backup_level;

/* Slot 2 is today's trees, but for these. */
static void set_backup(struct disk_superblock *disk)
{
	struct disk_root_backup *backup = &disk->backup[2];

	*backup = (struct disk_root_backup){
		.tree_root = backup_root ? to_le64(backup_root) : disk->root, .tree_root_gen = disk->generation,
		.chunk_root = backup_chunk_root ? to_le64(backup_chunk_root) : disk->chunk_root,
		.chunk_root_gen = disk->chunk_root_generation,
		.tree_root_level = disk->root_level + backup_level, .chunk_root_level = disk->chunk_root_level,
	};
	disk->root = to_le64(0x100000);	/* nothing to read there */
}

static void backup_roots(void **state)
{
	const struct volume_options options = { .backup_root = 1 + 2, .reporter.take = count_warning };
	struct volume *volume;
	struct error err = { 0 };

	(void)state;
	image_edit_super(&image, BOTH, set_backup);
	assert_true(volume_open(image_device(&image), &options, &volume, &err));
	assert_true(volume->super.root != 0x100000 && volume->super.log_root == 0);
	assert_int_equal(n_warned, 1);
	volume_close(volume);
	image_heal(&image);

	backup_chunk_root = 0x100000;	/* of today's superblock, then */
	image_edit_super(&image, BOTH, set_backup);
	assert_true(volume_open(image_device(&image), &options, &volume, &err));
	assert_true(volume->super.chunk_root != 0x100000);
	assert_int_equal(n_warned, 3);
	volume_close(volume);
	image_heal(&image);

	backup_root = 4097;
	image_edit_super(&image, BOTH, set_backup);
	assert_false(volume_open(image_device(&image), &options, &volume, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_non_null(strstr(err.text, "backup root 2: tree root is 0x1001, level 0: not a multiple of 4096, level 0 to 7"));
	image_heal(&image);

	backup_root = 0;
	backup_level = 8;
	image_edit_super(&image, BOTH, set_backup);
	assert_false(volume_open(image_device(&image), &options, &volume, &err));
	assert_non_null(strstr(err.text, ", level 8: "));
	backup_level = 0;
	image_heal(&image);
}

static void clear_backup(struct disk_superblock *disk)
{
	memset(&disk->backup[2], 0, sizeof(disk->backup[2]));
}

static void an_empty_backup_root(void **state)
{
	const struct volume_options options = { .backup_root = 1 + 2 };
	struct volume *volume;
	struct error err = { 0 };

	(void)state;
	image_edit_super(&image, BOTH, clear_backup);
	assert_false(volume_open(image_device(&image), &options, &volume, &err));
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	assert_string_equal(err.text, "disk.img: backup root 2 is empty");
}

static void warns_of_a_damaged_mirror(void **state)
{
	(void)state;
	damage(1, 64);	/* the magic */

	cleanup_volume struct volume *volume = image_volume(&image);

	assert_true(volume->copy[1].exists && !volume->copy[1].valid);
	assert_int_equal(image.n_warnings, 1);
	assert_string_equal(image.warning, "no btrfs superblock at 0x4000000; copy 0 of the superblock is used");
}

static void change_fsid(struct disk_superblock *disk)
{
	disk->fsid[3] ^= 1;
}

static void a_mirror_of_another_filesystem_does_not_count(void **state)
{
	(void)state;
	image_edit_super(&image, 2, change_fsid);

	cleanup_volume struct volume *volume = image_volume(&image);

	assert_true(volume->copy[1].exists && !volume->copy[1].valid);
	assert_string_equal(image.warning,
			    "superblock at 0x4000000: left over from another filesystem; copy 0 of the superblock is used");
}

static void end_before_the_mirror(struct disk_superblock *disk)
{
	disk->dev_item.total_bytes = to_le64(64 * MIB);
}

static void a_copy_behind_the_end_does_not_exist(void **state)
{
	struct volume *volume;
	struct error err = { 0 };

	(void)state;
	image_edit_super(&image, 1, end_before_the_mirror);
	assert_true(volume_open_super(image_device(&image), NULL, &volume, &err));
	assert_false(volume->copy[1].exists || volume->copy[1].valid);
	assert_true(volume_write_supers(volume, &volume->super.disk, &err));
	assert_int_equal(image.n_writes, 1);
	assert_true(image.last_write == SUPER_OFFSET_0);
	volume_close(volume);
}

static void says_why_no_copy_is_good(void **state)
{
	(void)state;
	damage(0, 64);
	damage(1, 64);
	refused(false, ERROR_NOT_FOUND, "disk.img: not a btrfs filesystem");

	damage(0, 64);
	damage(1, 0);
	refused(false, ERROR_CORRUPT, "disk.img: superblock at 0x4000000: the crc32c checksum does not match");

	image.size = 65536 + 4095;
	refused(false, ERROR_NOT_FOUND, "disk.img: not a btrfs filesystem: the device has only 69631 bytes");
	image.size = 64 * MIB + 4096;
	refused(false, ERROR_CORRUPT, "disk.img: the device has 67112960 bytes, but the filesystem on it has 134217728");
	image.size = 128 * MIB;
}

static void break_sys_chunks(struct disk_superblock *disk)
{
	disk->sys_chunk_array[sizeof(struct disk_key) + offsetof(struct disk_chunk, stripe_len)] ^= 1;
}

static void lose_chunk_root(struct disk_superblock *disk)
{
	disk->chunk_root = to_le64(1ull << 50);
}

static void age_chunk_root(struct disk_superblock *disk)
{
	disk->chunk_root_generation = to_le64(le64(disk->chunk_root_generation) + 1);
}

static void refuses_broken_chunks(void **state)
{
	struct volume *volume;
	struct error err = { 0 };

	(void)state;
	image_edit_super(&image, BOTH, break_sys_chunks);
	assert_false(image_open(&image, false, &volume, &err));
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_non_null(strstr(err.text, "superblock's system chunks: "));
	assert_non_null(strstr(err.text, "stripe_len is 65537, not 65536"));
	image_heal(&image);
	image_edit_super(&image, BOTH, lose_chunk_root);
	refused(false, ERROR_CORRUPT, "disk.img: chunk tree: tree block at 0x4000000000000: logical address 1125899906842624 is in no chunk");
	image_edit_super(&image, BOTH, age_chunk_root);
	assert_false(image_open(&image, false, &volume, &err));
	assert_non_null(strstr(err.text, " was expected"));
	assert_int_equal(err.kind, ERROR_CORRUPT);
}

static void writes_all_copies_the_primary_last(void **state)
{
	struct error err = { 0 };
	struct disk_superblock disk, back;

	(void)state;
	{
		cleanup_volume struct volume *volume = image_volume(&image);

		disk = volume->super.disk;
		memcpy(disk.label, "sealed", 7);
		assert_true(volume_write_supers(volume, &disk, &err));
		assert_int_equal(image.n_writes, 2);
		assert_true(image.last_write == SUPER_OFFSET_0);
		assert_int_equal(image.n_flushes, 2);
		assert_string_equal((const char *)volume->super.disk.label, "sealed");
		assert_string_equal((const char *)volume->copy[1].super.disk.label, "sealed");
		assert_ptr_equal(volume->super.sys_chunks.at, volume->super.disk.sys_chunk_array);
	}
	for (unsigned n = 0; n < 2; n++) {
		image_read(&image, superblock_offset(n), &back, sizeof(back));
		assert_true(csum_block_matches(CSUM_CRC32C, (const uint8_t *)&back, sizeof(back)));
		assert_true(le64(back.bytenr) == superblock_offset(n));
		memcpy(back.csum, disk.csum, sizeof(back.csum));
		back.bytenr = disk.bytenr;
		assert_memory_equal(&back, &disk, sizeof(disk));
	}

	cleanup_volume struct volume *again = image_volume(&image);

	assert_int_equal(image.n_warnings, 0);
	disk.sectorsize = to_le32(0);
	assert_false(volume_write_supers(again, &disk, &err));
	assert_int_equal(image.n_writes, 2);
}

/* A power cut while the mirror is written must find the primary whole. */
static void a_damaged_primary_is_written_before_its_mirror(void **state)
{
	struct volume *volume;
	struct disk_superblock disk;
	struct error err = { 0 };

	(void)state;
	damage(0, 300);
	assert_true(volume_open_super(image_device(&image), NULL, &volume, &err));
	assert_int_equal(volume->super_used, 1);
	disk = volume->super.disk;
	assert_true(volume_write_supers(volume, &disk, &err));
	assert_int_equal(image.n_writes, 3);
	assert_int_equal(image.n_flushes, 3);
	volume_close(volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_image(opens_a_good_one_without_a_word),
		with_image(uses_a_mirror_when_the_primary_is_damaged),
		with_image(a_damaged_primary_is_written_before_its_mirror),
		with_image(prefers_the_primary_to_a_newer_mirror),
		with_image(the_copy_that_was_asked_for_or_none),
		with_image(one_copy_is_enough_to_say_that_a_conversion_is_unfinished),
		with_image(a_mirror_that_is_not_believed_hides_nothing_and_claims_nothing),
		with_image(backup_roots),
		with_image(an_empty_backup_root),
		with_image(warns_of_a_damaged_mirror),
		with_image(a_mirror_of_another_filesystem_does_not_count),
		with_image(a_copy_behind_the_end_does_not_exist),
		with_image(says_why_no_copy_is_good),
		with_image(refuses_broken_chunks),
		with_image(writes_all_copies_the_primary_last),
	};

	return cmocka_run_group_tests(tests, make, remove_it);
}
