/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of an unfinished conversion in the superblock copies: setting, updating, clearing it. */
#include "common/convert/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "common/convert/commit.h"
#include "common/volume/mirror.h"
#include "common/volume/still-ours.h"
#include "common/volume/warn.h"

static struct disk_crypt_range to_disk(const struct crypt_range *range)
{
	return (struct disk_crypt_range){ to_le64(range->logical), to_le64(range->length) };
}

bool conversion_begin_digest(const struct conversion *c, uint8_t digest[CRYPT_MAC_SIZE], struct error *err)
{
	const struct digest_input input = {
		.kind = DIGEST_FOUND,
		.scan = c->scan,
		.schedule = c->schedule,
		.flags = c->flags,
		.n_flags = c->n_flags,
		.flags_member = c->flags_member,
	};

	return begin_digest(&input, c->state.op_id, digest, err);
}

bool state_fill(struct conversion *c, enum crypt_operation operation, const struct crypt_range *keys,
		const struct crypt_range slot[CRYPT_JOURNAL_SLOTS], bool accepted, struct error *err)
{
	const struct superblock *super = &c->volume->super;

	c->state = (struct disk_crypt_state){
		.version = to_le32(CRYPT_VERSION),
		.operation = operation,
		.cipher = c->header.cipher,
		.domain = to_le16(c->header.domain),
		.csum_type = to_le16(super->csum_type),
		.flags = to_le32((accepted ? CRYPT_STATE_ACCEPTED : 0) | (c->ui && c->ui->read_back ? CRYPT_STATE_READ_BACK : 0)),
		.generation = to_le64(super->generation),
		.n_devices = to_le64(super->n_devices),
		.sector_size = to_le32(super->sector_size),
		.node_size = to_le32(super->node_size),
		.keys = to_disk(keys),
		.start_time = to_le64((uint64_t)time(NULL)),
		.total = to_le64(operation == CRYPT_OP_DECRYPT ? unit_map_joined_bytes(c->units) : c->scan->data_bytes),
		.n_unit_items = to_le64(c->header.n_unit_items),
	};
	memcpy(c->state.magic, CRYPT_STATE_MAGIC, sizeof(c->state.magic));
	memcpy(c->state.op_id, c->header.op_id, sizeof(c->state.op_id));
	memcpy(c->state.domain_uuid, c->header.domain_uuid, sizeof(c->state.domain_uuid));
	memcpy(c->state.fsid, super->fsid, sizeof(c->state.fsid));
	memcpy(c->state.kcv, c->header.kcv, sizeof(c->state.kcv));
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++)
		c->state.slot[i] = to_disk(&slot[i]);

	return conversion_begin_digest(c, c->state.begin_digest, err);
}

static bool state_mac(const struct key_schedule *schedule, const struct disk_crypt_state *state, uint8_t out[CRYPT_MAC_SIZE],
		      struct error *err)
{
	cleanup_mac struct mac *mac = NULL;

	if (!mac_new(schedule, "state", state->op_id, sizeof(state->op_id), &mac, err))
		return false;
	mac_start(mac);
	mac_update(mac, state, offsetof(struct disk_crypt_state, mac));
	return mac_finish(mac, out, err);
}

bool state_is_authentic(const struct key_schedule *schedule, const struct disk_crypt_state *state, bool *authentic, struct error *err)
{
	uint8_t mac[CRYPT_MAC_SIZE];

	if (!state_mac(schedule, state, mac, err))
		return false;
	*authentic = secret_same(mac, state->mac, sizeof(mac));
	return true;
}

/* Points all four backup roots at the current roots. An older one would mount and show its contents in plain text. */
static bool set_backup_roots(struct volume *volume, struct disk_superblock *disk, struct error *err)
{
	struct disk_root_backup backup = {
		.tree_root = disk->root,
		.tree_root_gen = disk->generation,
		.tree_root_level = disk->root_level,
		.chunk_root = disk->chunk_root,
		.chunk_root_gen = disk->chunk_root_generation,
		.chunk_root_level = disk->chunk_root_level,
		.total_bytes = disk->total_bytes,
		.bytes_used = disk->bytes_used,
		.num_devices = disk->num_devices,
	};
	struct {
		uint64_t id;
		struct le64 *root, *generation;
		uint8_t *level;
	} trees[] = {
		{ EXTENT_TREE_ID, &backup.extent_root, &backup.extent_root_gen, &backup.extent_root_level },
		{ FS_TREE_ID, &backup.fs_root, &backup.fs_root_gen, &backup.fs_root_level },
		{ DEV_TREE_ID, &backup.dev_root, &backup.dev_root_gen, &backup.dev_root_level },
		{ CSUM_TREE_ID, &backup.csum_root, &backup.csum_root_gen, &backup.csum_root_level },
	};

	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		struct tree tree;

		if (!tree_open(volume, trees[i].id, &tree, err))
			return false;
		*trees[i].root = to_le64(tree.logical);
		*trees[i].generation = to_le64(tree.generation);
		*trees[i].level = tree.level;
	}
	for (size_t i = 0; i < sizeof(disk->backup) / sizeof(disk->backup[0]); i++)
		disk->backup[i] = backup;
	return true;
}

bool state_write(struct conversion *c, struct error *err)
{
	struct superblock *super = &c->volume->super;
	struct disk_superblock disk = super->disk;

	c->state.direction = c->direction;
	c->state.phase = c->phase;
	c->state.cursor = to_le64(c->cursor);
	c->state.epoch = to_le64(c->header.epoch);
	c->state.sequence = to_le64(c->journal.sequence);
	memcpy(c->state.journal_mac, c->journal.last_mac, sizeof(c->state.journal_mac));
	if (!state_mac(c->schedule, &c->state, c->state.mac, err))
		return false;

	superblock_put_state(&disk, &c->state, sizeof(c->state));
	disk.compat_ro_flags = to_le64(c->drop_verity ? le64(disk.compat_ro_flags) & ~COMPAT_RO_VERITY :
							le64(disk.compat_ro_flags) | COMPAT_RO_VERITY);
	/* A v1 space cache describes the old free space. This makes the next mount rebuild it. */
	if (!(super->compat_ro & COMPAT_RO_FREE_SPACE_TREE) && le64(disk.cache_generation) == super->generation)
		disk.cache_generation = to_le64(super->generation - 1);
	return set_backup_roots(c->volume, &disk, err) && conversion_flush(c, err) &&
	       volume_write_supers(c->volume, &disk, err);
}

static bool is_marked(const struct volume *volume)
{
	for (unsigned n = 0; n < SUPER_COPIES; n++) {
		const struct super_copy *copy = &volume->copy[n];

		if (copy->exists && !(copy->valid && copy->super.incompat & INCOMPAT_CRYPT_UNFINISHED))
			return false;
	}
	return true;
}

bool state_claim(struct conversion *c, struct error *err)
{
	struct volume *volume = c->volume;
	const struct disk_superblock disk = volume->super.disk;

	/* A crash may have left the primary without the bit. Until it has the bit, a kernel can mount what is about to be changed. */
	if (!is_marked(volume) && (!volume_still_ours(volume, err) || !volume_write_supers(volume, &disk, err)))
		return false;
	if (!volume_still_ours(volume, err))
		return false;
	device_share(volume->device);
	return true;
}

bool state_clear(struct conversion *c, bool verity, struct error *err)
{
	struct volume *volume = c->volume;
	const struct crypt_range keys = { le64(c->state.keys.logical), le64(c->state.keys.length) };
	uint8_t *zeros;
	bool ok;

	/* From here on only the state itself may be left to clear: after a crash there may be no key to ask for. */
	c->phase = CRYPT_PHASE_FINISHED;
	c->drop_verity = !verity;
	if (!state_write(c, err))
		return false;

	/* The copies of the key slots are needed until nothing is left to authenticate. */
	zeros = calloc(1, keys.length);
	ok = zeros ? volume_write(volume, keys.logical, zeros, keys.length, err) && volume_flush(volume, err) &&
		     volume_read_back(volume, keys.logical, zeros, keys.length, err) : error_memory(err);
	free(zeros);
	if (!ok)
		return false;

	struct disk_superblock disk = volume->super.disk;

	superblock_clear_state(&disk);
	return volume_write_supers(volume, &disk, err);
}

/* Does one of the copies whose bit in tried is set have the same tail as this copy, byte for byte? */
static bool is_tried(const struct volume *volume, unsigned copy, unsigned tried)
{
	for (unsigned i = 0; i < SUPER_COPIES; i++) {
		if (tried & 1u << i && memcmp(volume->copy[i].super.disk.tail, volume->copy[copy].super.disk.tail, SUPER_TAIL_SIZE) == 0)
			return true;
	}
	return false;
}

static const struct super_copy *newest_but(const struct volume *volume, unsigned tried, struct crypt_state_tail *tail, struct error *err)
{
	const struct super_copy *newest = NULL;

	for (unsigned i = 0; i < SUPER_COPIES; i++) {
		const struct super_copy *copy = &volume->copy[i];
		struct crypt_state_tail read;

		if (!copy->exists || !copy->valid || !superblock_is_unfinished(&copy->super) ||
		    copy->super.generation != volume->super.generation || is_tried(volume, i, tried))
			continue;
		if (!crypt_state_read(copy->super.disk.tail, &read, err))
			continue;
		if (!newest || crypt_state_is_later(&read, tail)) {
			newest = copy;
			*tail = read;
		}
	}
	return newest;
}

const struct super_copy *state_newest(const struct volume *volume, struct crypt_state_tail *tail, struct error *err)
{
	return newest_but(volume, 0, tail, err);
}

/* The copy that alone says that a conversion is unfinished, and is newer than that in use; NULL: none. */
static const struct super_copy *newer_state(const struct volume *volume)
{
	if (superblock_is_unfinished(&volume->super))
		return NULL;
	for (unsigned i = 0; i < SUPER_COPIES; i++) {
		const struct super_copy *copy = &volume->copy[i];

		if (copy->exists && copy->valid && copy->super.generation > volume->super.generation && superblock_is_unfinished(&copy->super))
			return copy;
	}
	return NULL;
}

bool state_unreadable(const struct volume *volume, const struct error *why, struct error *err)
{
	const struct super_copy *const newer = newer_state(volume);

	if (why->kind == ERROR_REFUSED)
		*err = *why;
	else if (newer)
		error_set(err, ERROR_STATE, "copy %u of the superblock, of generation %" PRIu64 ", says that a conversion is unfinished, but it is newer "
			  "than copy %u, of generation %" PRIu64 ", which is used", (unsigned)(newer - volume->copy), newer->super.generation,
			  volume->super_used, volume->super.generation);
	else
		error_set(err, ERROR_STATE, "the state of the unfinished conversion cannot be read");
	return false;
}

bool state_is_unanimous(const struct volume *volume, const struct crypt_state_tail *tail)
{
	for (unsigned i = 0; i < SUPER_COPIES; i++) {
		const struct super_copy *copy = &volume->copy[i];

		if (copy->exists && copy->valid && superblock_is_unfinished(&copy->super) &&
		    memcmp(copy->super.disk.tail, &tail->disk, sizeof(tail->disk)) != 0)
			return false;
	}
	return true;
}

/*
 * Opens the domain of the current tail: from the copies beside the trees or, if those are wiped or damaged, or if the tail points
 * elsewhere, from the root tree, or from what is left of them. A domain that opens is right: its key check value and the MACs of header and
 * state agree.
 */
static bool open_domain(struct volume *volume, const struct crypt_state_tail *tail, const struct key_source *key,
			struct domain **domain, struct error *err)
{
	struct error why = { 0 }, opening = { 0 };

	if (domain_read_unfinished(volume, domain, err))
		return domain_open(*domain, key, err);
	if (err->kind != ERROR_KEY_HEADER && err->kind != ERROR_STATE && err->kind != ERROR_IO)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		if (!(i == 0 ? domain_read(volume, tail->domain, domain, &why) : domain_read_damaged_keys(volume, domain, &why)))
			continue;
		if (domain_open(*domain, key, &why))
			return true;
		/* The tree has all the slots, so its error says whether the key is wrong. */
		if (i == 0)
			opening = why;
		domain_free(*domain);
		*domain = NULL;
	}
	*err = opening.kind != ERROR_NONE ? opening : *err;
	return false;
}

static bool try_copy(struct volume *volume, unsigned copy, const struct crypt_state_tail *tail, const struct key_source *key,
		     struct domain **domain, struct error *err)
{
	bool authentic = false;

	*domain = NULL;
	if (volume_use_copy(volume, copy, err) && open_domain(volume, tail, key, domain, err) &&
	    state_is_authentic((*domain)->schedule, &tail->disk, &authentic, err) && !authentic)
		error_set(err, ERROR_STATE, "the state of the unfinished conversion fails authentication");
	if (!authentic) {
		domain_free(*domain);
		*domain = NULL;
	}
	return authentic;
}

bool state_open(struct volume *volume, const struct key_source *key, struct crypt_state_tail *tail, struct domain **domain,
		struct error *err)
{
	struct error first = { 0 }, error = { 0 };
	const struct super_copy *copy;
	unsigned tried = 0;

	while ((copy = newest_but(volume, tried, tail, &error))) {
		const unsigned n = (unsigned)(copy - volume->copy);

		error = (struct error){ 0 };
		if (try_copy(volume, n, tail, key, domain, &error)) {
			if (!state_is_unanimous(volume, tail))
				volume_warn(volume, "one copy of the superblock has a damaged or older state of the unfinished "
					"conversion; the one in copy %u is used", n);
			return true;
		}
		if (first.kind == ERROR_NONE)
			first = error;
		tried |= 1u << n;
	}
	*err = first;
	return first.kind != ERROR_NONE ? false : state_unreadable(volume, &error, err);
}
