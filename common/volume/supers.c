/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The copies of the superblock: chooses one of them, writes all of them. */
#include "common/volume/supers.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "common/volume/super-log.h"
#include "common/volume/warn.h"
#include "format/crypt.h"

#define ONLY_PRIMARY ", but a kernel uses only copy 0"

void superblock_copy(struct superblock *to, const struct superblock *from)
{
	const uint8_t *base = (const uint8_t *)&from->disk;
	const ptrdiff_t at = from->sys_chunks.at - base;

	*to = *from;
	to->sys_chunks.at = (const uint8_t *)&to->disk + at;
}

/* Reads the copies at the fixed offsets, where they can be overwritten. */
static void read_fixed(struct device *device, struct super_copy copy[SUPER_COPIES])
{
	for (unsigned n = 0; n < SUPER_COPIES; n++) {
		copy[n] = (struct super_copy){ .where = superblock_offset(n) };
		if (n < superblock_n_copies(device->size))
			(void)!super_copy_read(device, n, superblock_offset(n), &copy[n]);
	}
}

/*
 * On a zoned device, the offsets of the other copies are inside the log or in somebody's data, so only the logs count. A zoned filesystem on
 * another device has its superblocks at the usual offsets.
 */
static bool read_logs(struct device *device, struct super_copy copy[SUPER_COPIES])
{
	bool any = false;

	for (unsigned n = 0; n < SUPER_COPIES; n++) {
		struct super_copy *found = &copy[n];

		if (super_log_read(device, n, found))
			any = true;
		else
			*found = (struct super_copy){ 0 };
	}
	return any;
}

void super_copies_find(struct device *device, struct super_copy copy[SUPER_COPIES])
{
	bool any = false;

	read_fixed(device, copy);
	if (copy[0].valid && !(copy[0].super.incompat & INCOMPAT_ZONED))
		return;
	for (unsigned n = 0; n < SUPER_COPIES; n++)
		any = any || copy[n].valid;
	if ((super_log_begins(device) || !any) && !read_logs(device, copy))
		read_fixed(device, copy);
}

static bool same_filesystem(const struct super_copy *a, const struct super_copy *b)
{
	return memcmp(a->super.fsid, b->super.fsid, FSID_SIZE) == 0;
}

static bool is_behind_end(const struct super_copy *copy, const struct superblock *super)
{
	return copy->where + SUPER_SIZE > super->dev_total_bytes;
}

/* Returns NULL if the state is one that a conversion writes, even if somebody cleared the bit. Otherwise returns what is wrong. */
static const char *wrong_with_marks(const struct superblock *super)
{
	struct crypt_state_tail state;
	struct error why = { 0 };

	if (!crypt_state_read(super->disk.tail, &state, &why))
		return "says that a conversion is unfinished, but has no valid state of one";
	if (state.generation != super->generation || memcmp(state.disk.fsid, super->fsid, FSID_SIZE) != 0)
		return "says that a conversion is unfinished, but its state is of another filesystem or generation";
	return NULL;
}

static bool is_marked(const struct super_copy copy[SUPER_COPIES], unsigned n)
{
	return copy[n].valid && same_filesystem(&copy[n], &copy[0]) && !is_behind_end(&copy[n], &copy[0].super) &&
	       copy[n].super.generation >= copy[0].super.generation && superblock_is_unfinished(&copy[n].super);
}

/*
 * A conversion changes nothing in place before copy 0 has the bit and the state, and clears them in copy 0 last. So if copy 0 has neither, and
 * just one other copy has something that no conversion writes, that copy is damaged or somebody made it.
 */
static void doubt_marks(struct super_copy copy[SUPER_COPIES], unsigned chosen)
{
	unsigned marked = 0, n_marked = 0;

	if (!copy[0].valid || superblock_is_unfinished(&copy[0].super))
		return;
	for (unsigned n = 1; n < SUPER_COPIES; n++) {
		if (is_marked(copy, n)) {
			marked = n;
			n_marked++;
		}
	}

	const char *const wrong = n_marked == 1 && marked != chosen ? wrong_with_marks(&copy[marked].super) : NULL;

	if (!wrong)
		return;
	copy[marked].valid = false;
	copy[marked].is_doubted = true;
	error_set(&copy[marked].error, ERROR_CORRUPT, "superblock at %#" PRIx64 ": %s", copy[marked].where, wrong);
}

/*
 * Among equally new copies, prefers one that records an unfinished conversion. The record is written to all of them, but a crash or somebody's
 * hand may have left only one that still has it.
 */
static unsigned prefer_unfinished(const struct super_copy copy[SUPER_COPIES], unsigned used)
{
	const struct superblock *super = &copy[used].super;

	if (superblock_is_unfinished(super))
		return used;
	for (unsigned n = 0; n < SUPER_COPIES; n++) {
		if (copy[n].valid && copy[n].super.generation == super->generation && same_filesystem(&copy[n], &copy[used]) &&
		    superblock_is_unfinished(&copy[n].super) && !is_behind_end(&copy[n], super))
			return n;
	}
	return used;
}

/*
 * Returns the number of the copy to use, or SUPER_COPIES if none is valid. A kernel only reads the primary, and everything it points to is
 * intact. If a disk was copied while in use, another copy may be newer than the trees.
 */
static unsigned primary_or_newest(const struct super_copy copy[SUPER_COPIES])
{
	unsigned best = SUPER_COPIES;

	if (copy[0].valid)
		return 0;
	for (unsigned n = 1; n < SUPER_COPIES; n++)
		if (copy[n].valid && (best == SUPER_COPIES || copy[n].super.generation > copy[best].super.generation))
			best = n;
	return best;
}

/* Reports the error if no copy is valid. A damaged copy says more than a missing one. */
static bool none_is_valid(const struct device *device, const struct super_copy copy[SUPER_COPIES], struct error *err)
{
	if (!copy[0].exists)
		return error_set(err, ERROR_NOT_FOUND, "%s: not a btrfs filesystem: the device has only %" PRIu64 " bytes",
				 device->name, device->size);
	for (unsigned n = 0; n < SUPER_COPIES; n++) {
		if (copy[n].exists && copy[n].error.kind != ERROR_NOT_FOUND) {
			*err = copy[n].error;
			return err->kind == ERROR_IO || error_prefix(err, "%s", device->name);
		}
	}
	return error_set(err, ERROR_NOT_FOUND, "%s: not a btrfs filesystem", device->name);
}

static bool is_wanted(const struct device *device, const struct super_copy *copy, unsigned n, bool tolerant, struct error *err)
{
	if (n >= SUPER_COPIES)
		return error_set(err, ERROR_USAGE, "there is no copy %u of the superblock, 0 to %d", n, SUPER_COPIES - 1);
	if (!copy[n].exists)
		return error_set(err, ERROR_NOT_FOUND, copy[n].where ? "%s: too small for copy %u of the superblock" :
				 "%s: no log zones of copy %u of the superblock", device->name, n);
	if (copy[n].valid || (tolerant && copy[n].is_readable))
		return true;
	*err = copy[n].error;
	return error_prefix(err, "%s: copy %u", device->name, n);
}

bool super_copies_read(struct device *device, const struct super_choice *choice, struct super_copy copy[SUPER_COPIES], unsigned *used,
		       struct error *err)
{
	super_copies_find(device, copy);
	doubt_marks(copy, choice->copy == CHOOSE_BY_ITSELF ? SUPER_COPIES : choice->copy - 1);
	if (choice->copy != CHOOSE_BY_ITSELF) {
		*used = choice->copy - 1;
		return is_wanted(device, copy, *used, choice->tolerant, err);
	}
	*used = primary_or_newest(copy);
	if (*used < SUPER_COPIES)
		*used = prefer_unfinished(copy, *used);
	for (unsigned n = 0; choice->tolerant && *used == SUPER_COPIES && n < SUPER_COPIES; n++)
		*used = copy[n].is_readable ? n : *used;
	return *used < SUPER_COPIES || none_is_valid(device, copy, err);
}

static void warn_of_generation(const struct volume *volume, const char *label, const char *colon, const struct super_choice *choice,
			       const struct super_copy copy[SUPER_COPIES], unsigned used, unsigned n)
{
	const uint64_t have = copy[n].super.generation, in_use = copy[used].super.generation;

	if (have > in_use && used == 0)
		volume_warn(volume, "%s%scopy %u of the superblock, of generation %" PRIu64 ", is newer than copy 0, of generation %" PRIu64
			    "; copy 0 is used, as a kernel does, and %s--super %u reads copy %u", label, colon, n, have, in_use,
			    choice->to_convert ? "`btrfs-crypt list` with " : "", n, n);
	else
		volume_warn(volume, "%s%ssuperblock at %#" PRIx64 ": generation is %" PRIu64 "; copy %u of the superblock, of generation %"
			    PRIu64 ", is used%s", label, colon, copy[n].where, have, used, in_use, n == 0 ? ONLY_PRIMARY : "");
}

static void judge_other_copy(const struct volume *volume, const char *label, const struct super_choice *choice,
			     struct super_copy copy[SUPER_COPIES], unsigned used, unsigned n)
{
	const struct superblock *super = &copy[used].super;
	struct super_copy *other = &copy[n];
	const char *colon = label ? ": " : "";

	label = label ? label : "";
	if (n > 0 && is_behind_end(other, super)) {
		other->exists = other->valid = false;	/* behind the end of the filesystem, so it does not belong to it */
		return;
	}
	if (other->valid && !same_filesystem(other, &copy[used])) {
		other->valid = false;
		error_set(&other->error, ERROR_CORRUPT, "superblock at %#" PRIx64 ": left over from another filesystem",
			  other->where);
	}
	if (other->exists && !other->valid)
		volume_warn(volume, "%s%s%s; copy %u of the superblock is used%s", label, colon, other->error.text, used,
			    n == 0 ? ONLY_PRIMARY : "");
	else if (other->exists && other->super.generation != super->generation)
		warn_of_generation(volume, label, colon, choice, copy, used, n);
	else if (other->exists && superblock_is_unfinished(&other->super) != superblock_is_unfinished(super))
		volume_warn(volume, "%s%sonly copy %u of the superblock, not copy %u, says that a conversion is unfinished", label, colon,
			    superblock_is_unfinished(super) ? used : n, superblock_is_unfinished(super) ? n : used);
}

void super_copies_judge(const struct volume *volume, const char *label, const struct super_choice *choice,
			struct super_copy copy[SUPER_COPIES], unsigned used)
{
	for (unsigned n = 0; n < SUPER_COPIES; n++)
		if (n != used)
			judge_other_copy(volume, label, choice, copy, used, n);
	if (copy[used].n_damaged > 0)
		volume_warn(volume, "%s%s%u superblocks behind %#" PRIx64 " in their log are damaged; this one, of generation %" PRIu64
			    ", is used", label ? label : "", label ? ": " : "", copy[used].n_damaged, copy[used].where,
			    copy[used].super.generation);
}

/* --- writing ------------------------------------------------------------------------------------------------- */

unsigned volume_decisive_copy(const struct volume *volume)
{
	unsigned lowest = 0;

	for (unsigned n = 0; n < volume->n_copies; n++) {
		const struct super_copy *copy = &volume->copy[n];

		if (copy->number == 0 && volume->devices[copy->device].devid < volume->devices[volume->copy[lowest].device].devid)
			lowest = n;
	}
	return lowest;
}

const struct super_copy *volume_damaged_primary(const struct volume *volume)
{
	for (unsigned n = 0; n < volume->n_copies; n++) {
		const struct super_copy *copy = &volume->copy[n];

		if (copy->number == 0 && copy->exists && !copy->valid)
			return copy;
	}
	return NULL;
}

const char *super_copy_text(const struct volume *volume, const struct super_copy *copy, char *text)
{
	const int len = snprintf(text, COPY_TEXT_SIZE, "copy %u of the superblock", copy->number);

	if (volume->super.n_devices > 1)
		snprintf(text + len, COPY_TEXT_SIZE - (size_t)len, " on devid %" PRIu64, volume->devices[copy->device].devid);
	return text;
}

static struct device *device_of(const struct volume *volume, const struct super_copy *copy)
{
	return volume->devices[copy->device].device;
}

static bool write_copy(struct volume *volume, struct super_copy *copy, const struct disk_superblock *disk, struct error *err)
{
	struct disk_superblock own = *disk;
	struct superblock super;

	own.bytenr = to_le64(copy->where);
	own.dev_item = volume->devices[copy->device].item;
	if (!superblock_read((const uint8_t *)&own, copy->where, &super, err))
		return error_prefix(err, "superblock to write");
	csum_block_update(super.csum_type, (uint8_t *)&own, SUPER_SIZE);
	copy->valid = copy->is_doubted = false;
	error_set(&copy->error, ERROR_IO, "superblock at %#" PRIx64 ": writing it failed", copy->where);
	if (!device_write(device_of(volume, copy), &own, SUPER_SIZE, copy->where, err))
		return false;
	copy->valid = superblock_read((const uint8_t *)&own, copy->where, &copy->super, &copy->error);
	return true;
}

/* Reads back a copy that was written and flushed. A lost write would leave a filesystem that others may change or that nobody may mount. */
static bool read_back(struct volume *volume, const struct super_copy *copy, struct error *err)
{
	struct device *const device = device_of(volume, copy);
	bool again;

	if (!device_read_back(device, &copy->super.disk, SUPER_SIZE, copy->where, &again, err))
		return false;
	if (again)
		volume_warn(volume, "%s: superblock copy %u had not reached the device: it was written again", device->name, copy->number);
	return true;
}

/*
 * If a primary is damaged, a power cut while the mirrors are written could leave no copy at all on its device. So it is overwritten with the
 * copy in use before them.
 */
static bool restore_primaries(struct volume *volume, struct error *err)
{
	const struct disk_superblock in_use = volume->copy[volume->super_used].super.disk;

	for (unsigned n = 0; n < volume->n_copies; n++) {
		struct super_copy *const copy = &volume->copy[n];

		if (copy->number == 0 && copy->exists && !copy->valid && n != volume->super_used &&
		    (!write_copy(volume, copy, &in_use, err) || !device_flush(device_of(volume, copy), err) || !read_back(volume, copy, err)))
			return false;
	}
	return true;
}

enum step { STEP_MIRRORS, STEP_PRIMARIES, STEP_DECISIVE, N_STEPS };

static bool is_in_step(const struct volume *volume, unsigned n, enum step step)
{
	return volume->copy[n].exists &&
	       step == (volume->copy[n].number > 0 ? STEP_MIRRORS : n == volume_decisive_copy(volume) ? STEP_DECISIVE : STEP_PRIMARIES);
}

static bool write_step(struct volume *volume, enum step step, const struct disk_superblock *disk, struct error *err)
{
	bool any = false;

	for (unsigned n = volume->n_copies; n-- > 0;) {
		if (!is_in_step(volume, n, step))
			continue;
		any = true;
		if (!write_copy(volume, &volume->copy[n], disk, err))
			return false;
	}
	if (any && !volume_flush(volume, err))
		return false;
	for (unsigned n = volume->n_copies; n-- > 0;)
		if (is_in_step(volume, n, step) && !read_back(volume, &volume->copy[n], err))
			return false;
	return true;
}

bool volume_write_supers(struct volume *volume, const struct disk_superblock *disk, struct error *err)
{
	const struct disk_superblock wanted = *disk;	/* it may lie in one of the copies */
	const unsigned decisive = volume_decisive_copy(volume);

	if (!restore_primaries(volume, err))
		return false;
	for (enum step step = STEP_MIRRORS; step < N_STEPS; step++)
		if (!write_step(volume, step, &wanted, err))
			return false;
	superblock_copy(&volume->super, &volume->copy[decisive].super);
	volume->super_used = decisive;
	volume->device = device_of(volume, &volume->copy[decisive]);
	return true;
}
