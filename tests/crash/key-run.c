/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/crash/key-run.h"

#include <string.h>

#include "common/convert/key-restore.h"

static void must(bool ok, const struct error *err)
{
	if (!ok)
		harness_fail("%s", err->text);
}

struct volume *key_run_open(struct disk *disk)
{
	const struct volume_options options = { .unfinished = true };
	struct volume *volume = NULL;
	struct error err = { 0 };

	must(volume_open(disk_device(disk, true), &options, &volume, &err), &err);
	return volume;
}

/* There is one sealing on the disk, and it is the first. */
static struct domain *open_domain(struct volume *volume, const struct secret *volume_key)
{
	const struct key_source key = { .volume_key = (struct secret *)volume_key, .slot = KEY_SLOT_ANY };
	struct domain *domain = NULL;
	struct error err = { 0 };

	must(domain_read(volume, 1, &domain, &err) && (!volume_key || domain_open(domain, &key, &err)), &err);
	return domain;
}

struct disk_crypt_slot key_run_slot(struct disk *disk, const struct keys *keys, const struct secret *secret, enum crypt_slot_type type, unsigned number)
{
	const struct kdf_cost cost = {
		.kdf = type == SLOT_RECOVERY ? KDF_NONE : KDF_PBKDF2_SHA512,
		.iterations = type == SLOT_RECOVERY ? 0 : KDF_ITERATIONS_NEW_MIN,
	};
	cleanup_volume struct volume *volume = key_run_open(disk);
	cleanup_domain struct domain *domain = open_domain(volume, NULL);
	struct disk_crypt_slot slot;
	struct error err = { 0 };

	must(key_slot_create(secret, &cost, domain->header.domain_uuid, (uint16_t)number, type, NULL, keys->volume_key, &slot, &err), &err);
	return slot;
}

bool key_run_change(struct disk *disk, const struct keys *keys, const struct slots *slots, bool wipe, const struct convert_ui *ui, struct error *err)
{
	const struct key_change change = { .slots = slots->at, .n_slots = slots->n, .kept = slots->kept, .wipe = wipe };
	cleanup_volume struct volume *volume = key_run_open(disk);
	cleanup_domain struct domain *domain = open_domain(volume, keys->volume_key);

	return key_change(volume, domain, &change, ui, err);
}

struct header_backup *key_run_backup(struct disk *disk, bool no_slots)
{
	cleanup_volume struct volume *volume = key_run_open(disk);
	cleanup_domain struct domain *domain = open_domain(volume, NULL);
	struct header_backup *backup = NULL;
	struct error err = { 0 };
	uint8_t *bytes;
	size_t len;

	must(header_backup_encode(volume, &domain->header, no_slots, &bytes, &len, &err) && header_backup_read(bytes, len, &backup, &err), &err);
	return backup;
}

bool key_run_restore(struct disk *disk, const struct keys *keys, const struct header_backup *backup, struct error *err)
{
	const struct key_source key = { .volume_key = keys->volume_key, .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = key_run_open(disk);
	cleanup_domain struct domain *domain = NULL;
	struct domain_remains remains;

	return domain_read_backup(volume, backup, &domain, err) && domain_open(domain, &key, err) && domain_remains_read(domain, &remains, err) &&
	       key_restore(volume, domain, &remains, NULL, err);
}

void key_run_slots(struct disk *disk, struct slots *slots)
{
	cleanup_volume struct volume *volume = key_run_open(disk);
	cleanup_domain struct domain *domain = open_domain(volume, NULL);

	slots->n = domain->n_slots;
	for (size_t i = 0; i < slots->n; i++)
		slots->at[i] = domain->slots[i].disk;
}

bool slots_same(const struct slots *a, const struct slots *b)
{
	return a->n == b->n && memcmp(a->at, b->at, a->n * sizeof(a->at[0])) == 0;
}

/* A record may have put it across two pages. */
bool disk_has_slot(const struct disk *disk, const struct disk_crypt_slot *slot)
{
	enum { BEFORE = 64 };
	uint8_t bytes[BEFORE + DISK_PAGE] = { 0 };

	for (size_t i = 0; i < disk->n_pages; i++) {
		if (disk_page_is_zero(disk, i))
			continue;
		if (i > 0)
			memcpy(bytes, disk->page[i - 1] + DISK_PAGE - BEFORE, BEFORE);
		memcpy(bytes + BEFORE, disk->page[i], DISK_PAGE);
		if (memmem(bytes, sizeof(bytes), slot->header.salt, sizeof(slot->header.salt)) ||
		    memmem(bytes, sizeof(bytes), slot->commit, sizeof(slot->commit)) ||
		    memmem(bytes, sizeof(bytes), slot->wrapped, sizeof(slot->wrapped)))
			return true;
	}
	return false;
}
