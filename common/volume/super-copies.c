/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The copies of the superblock: choosing one, writing all. */
#include "common/volume/super-copies.h"

#include <inttypes.h>

#include "common/volume/warn.h"

void superblock_copy(struct superblock *to, const struct superblock *from)
{
	const uint8_t *base = (const uint8_t *)&from->disk;
	const ptrdiff_t at = from->sys_chunks.at - base;

	*to = *from;
	to->sys_chunks.at = (const uint8_t *)&to->disk + at;
}

static bool check_copy(const uint8_t bytes[SUPER_SIZE], uint64_t where, struct superblock *super, struct error *err)
{
	if (!superblock_read(bytes, where, super, err))
		return false;
	if (!csum_block_matches(super->csum_type, bytes, SUPER_SIZE))
		return error_set(err, ERROR_CORRUPT, "superblock at %#" PRIx64 ": the %s checksum does not match",
				 where, csum_type_name(super->csum_type));
	return true;
}

static void read_copy(struct volume *volume, unsigned n)
{
	struct super_copy *copy = &volume->copy[n];
	const uint64_t where = superblock_offset(n);
	uint8_t bytes[SUPER_SIZE];

	*copy = (struct super_copy){ .exists = n < superblock_n_copies(volume->device->size) };
	if (copy->exists)
		copy->valid = device_read(volume->device, bytes, sizeof(bytes), where, &copy->error) &&
			      check_copy(bytes, where, &copy->super, &copy->error);
}

/* The number of the copy to use; SUPER_COPIES where none is valid. */
static unsigned choose(const struct volume *volume)
{
	unsigned best = SUPER_COPIES;

	if (volume->copy[0].valid)
		return 0;
	for (unsigned n = 1; n < SUPER_COPIES; n++)
		if (volume->copy[n].valid && (best == SUPER_COPIES ||
					      volume->copy[n].super.generation > volume->copy[best].super.generation))
			best = n;
	return best;
}

/* What is wrong, when no copy is right: a damaged one says more than one that is not there. */
static bool none_is_valid(const struct volume *volume, struct error *err)
{
	if (!volume->copy[0].exists)
		return error_set(err, ERROR_NOT_FOUND, "%s: not a btrfs filesystem: the device has only %" PRIu64 " bytes",
				 volume->device->name, volume->device->size);
	for (unsigned n = 0; n < SUPER_COPIES; n++) {
		const struct super_copy *copy = &volume->copy[n];

		if (copy->exists && copy->error.kind != ERROR_NOT_FOUND) {
			*err = copy->error;
			return copy->error.kind == ERROR_IO || error_prefix(err, "%s", volume->device->name);
		}
	}
	return error_set(err, ERROR_NOT_FOUND, "%s: not a btrfs filesystem", volume->device->name);
}

static void judge_other_copy(struct volume *volume, unsigned n)
{
	struct super_copy *copy = &volume->copy[n];

	if (n > 0 && superblock_offset(n) + SUPER_SIZE > volume->super.dev_total_bytes) {
		copy->exists = copy->valid = false;	/* behind the end of the filesystem: nobody's */
		return;
	}
	if (copy->valid && memcmp(copy->super.fsid, volume->super.fsid, FSID_SIZE) != 0) {
		copy->valid = false;
		error_set(&copy->error, ERROR_CORRUPT, "superblock at %#" PRIx64 ": left over from another filesystem",
			  superblock_offset(n));
	}
	if (copy->exists && !copy->valid)
		volume_warn(volume, "%s; copy %u of the superblock is used", copy->error.text, volume->super_used);
}

bool super_copies_read(struct volume *volume, struct error *err)
{
	for (unsigned n = 0; n < SUPER_COPIES; n++)
		read_copy(volume, n);

	const unsigned used = choose(volume);

	if (used == SUPER_COPIES)
		return none_is_valid(volume, err);
	superblock_copy(&volume->super, &volume->copy[used].super);
	volume->super_used = used;
	for (unsigned n = 0; n < SUPER_COPIES; n++)
		if (n != used)
			judge_other_copy(volume, n);
	return true;
}

static bool write_copy(struct volume *volume, unsigned n, struct disk_superblock *disk, struct error *err)
{
	const uint64_t where = superblock_offset(n);
	struct super_copy *copy = &volume->copy[n];
	struct superblock super;

	disk->bytenr = to_le64(where);
	if (!superblock_read((const uint8_t *)disk, where, &super, err))
		return error_prefix(err, "superblock to write");
	csum_block_update(super.csum_type, (uint8_t *)disk, SUPER_SIZE);
	copy->valid = false;
	error_set(&copy->error, ERROR_IO, "superblock at %#" PRIx64 ": writing it failed", where);
	if (!device_write(volume->device, disk, SUPER_SIZE, where, err))
		return false;
	copy->valid = superblock_read((const uint8_t *)disk, where, &copy->super, &copy->error);
	return true;
}

bool volume_write_supers(struct volume *volume, const struct disk_superblock *disk, struct error *err)
{
	struct disk_superblock own = *disk;

	for (unsigned n = SUPER_COPIES - 1; n > 0; n--)
		if (volume->copy[n].exists && !write_copy(volume, n, &own, err))
			return false;
	if (!device_flush(volume->device, err) || !write_copy(volume, 0, &own, err) || !device_flush(volume->device, err))
		return false;
	superblock_copy(&volume->super, &volume->copy[0].super);
	volume->super_used = 0;
	return true;
}
