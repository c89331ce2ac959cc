/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/sealed/header-backup.h"

#include <stdlib.h>
#include <time.h>

#include "common/crypto/key-schedule.h"
#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-slots.h"
#include "common/util/take.h"

/* --- reading --------------------------------------------------------------------------------------------------------- */

void header_backup_free(struct header_backup *backup)
{
	if (!backup)
		return;
	free(backup->bytes);
	free(backup);
}

bool header_backup_items(const struct header_backup *backup, header_backup_visit visit, void *context, struct error *err)
{
	struct crypt_backup at = backup->file;
	struct crypt_backup_item item, before;

	for (uint32_t i = 0; i < at.n_items; i++) {
		if (!crypt_backup_next(&at, i > 0 ? &before : NULL, &item, err) || !visit(context, &item, err))
			return false;
		before = item;
	}
	return crypt_backup_end(&at, err);
}

static bool take_header(void *context, const struct crypt_backup_item *item, struct error *err)
{
	struct header_backup *const backup = context;
	struct cursor payload = item->payload;

	if (item->place.kind != CRYPT_HEADER)
		return true;
	if (!crypt_header_read(&payload, &backup->header, err))
		return false;
	if (backup->header.domain != item->place.domain)
		return error_set(err, ERROR_KEY_HEADER, "header backup: its header belongs to sealing %u, the other items to sealing %u",
				 backup->header.domain, item->place.domain);
	return backup->header.state == CRYPT_STATE_SEALED ||
	       error_set(err, ERROR_KEY_HEADER, "header backup: state is %u, not %u (%s)", backup->header.state, CRYPT_STATE_SEALED,
			 crypt_state_name(CRYPT_STATE_SEALED));
}

static bool check_hash(const struct header_backup *backup, size_t len, struct error *err)
{
	uint8_t hash[CRYPT_BACKUP_HASH_SIZE];

	if (!crypto_sha256(backup->bytes, len - sizeof(hash), hash, err))
		return false;
	return memcmp(hash, backup->file.hash.at, sizeof(hash)) == 0 ||
	       error_set(err, ERROR_KEY_HEADER, "header backup: its hash is wrong; the file is damaged");
}

bool header_backup_read(uint8_t *bytes, size_t len, struct header_backup **out, struct error *err)
{
	cleanup_header_backup struct header_backup *backup = calloc(1, sizeof(*backup));
	struct cursor file = { bytes, len, 0 };

	if (!backup) {
		free(bytes);
		return error_memory(err);
	}
	backup->bytes = bytes;
	if (!crypt_backup_read(&file, &backup->file, err) || !check_hash(backup, len, err) || !header_backup_items(backup, take_header, backup, err))
		return false;
	*out = TAKE(backup);
	return true;
}

/* --- making one ------------------------------------------------------------------------------------------------------- */

struct making {
	struct volume *volume;
	const struct crypt_header *header;
	uint8_t *bytes;
	size_t n, room;
	uint32_t n_items;
};

static bool put(struct making *m, const void *bytes, size_t len, struct error *err)
{
	if (len > CRYPT_BACKUP_MAX - m->n)
		return error_set(err, ERROR_REFUSED, "the header backup would have more than %u bytes", CRYPT_BACKUP_MAX);
	while (m->room - m->n < len) {
		const size_t room = m->room ? 2 * m->room : 1u << 16;
		uint8_t *const more = realloc(m->bytes, room);

		if (!more)
			return error_memory(err);
		m->bytes = more;
		m->room = room;
	}
	memcpy(m->bytes + m->n, bytes, len);
	m->n += len;
	return true;
}

static bool put_item(struct making *m, uint64_t offset, const void *payload, size_t len, struct error *err)
{
	const struct disk_crypt_backup_item disk = { .offset = to_le64(offset), .length = to_le32((uint32_t)len) };

	m->n_items++;
	return put(m, &disk, sizeof(disk), err) && put(m, payload, len, err);
}

static bool put_vouched(void *context, uint64_t offset, const struct cursor *payload, struct error *err)
{
	return put_item(context, offset, payload->at, payload->left, err);
}

static bool put_slot(void *context, uint64_t offset, const struct cursor *payload, struct error *err)
{
	const uint64_t number = offset & CRYPT_INDEX_LAST;
	struct making *const m = context;
	uint8_t hash[CRYPT_SLOT_HASH_SIZE];

	if (number >= CRYPT_SLOTS_MAX || !crypt_header_has_slot(m->header, (unsigned)number))
		return true;
	if (!crypt_slot_hash(payload->at, payload->left, hash, err))
		return false;
	return memcmp(hash, m->header->slot_hash[number], sizeof(hash)) != 0 || put_item(m, offset, payload->at, payload->left, err);
}

static bool put_all(struct making *m, bool no_slots, struct error *err)
{
	const struct crypt_header *const header = m->header;
	const struct key own = crypt_key(header->domain, CRYPT_HEADER, 0);
	struct disk_crypt_backup disk = {
		.version = to_le32(CRYPT_VERSION),
		.time = to_le64((uint64_t)time(NULL)),
	};
	struct disk_crypt_header disk_header;
	uint8_t hash[CRYPT_BACKUP_HASH_SIZE];

	memcpy(disk.magic, CRYPT_BACKUP_MAGIC, sizeof(disk.magic));
	memcpy(disk.fsid, m->volume->super.fsid, sizeof(disk.fsid));
	crypt_header_write(header, &disk_header);
	if (!put(m, &disk, sizeof(disk), err) || !put_item(m, own.offset, &disk_header, sizeof(disk_header), err) ||
	    (!no_slots && !domain_slot_items(m->volume, header->domain, put_slot, m, err)) ||
	    !domain_vouched_items(m->volume, header->domain, put_vouched, m, err))
		return false;
	disk.length = to_le64(m->n + sizeof(hash));
	disk.n_items = to_le32(m->n_items);
	memcpy(m->bytes, &disk, sizeof(disk));
	return crypto_sha256(m->bytes, m->n, hash, err) && put(m, hash, sizeof(hash), err);
}

bool header_backup_encode(struct volume *volume, const struct crypt_header *header, bool no_slots, uint8_t **bytes, size_t *len, struct error *err)
{
	struct making m = { .volume = volume, .header = header };

	if (!put_all(&m, no_slots, err)) {
		free(m.bytes);
		return false;
	}
	*bytes = m.bytes;
	*len = m.n;
	return true;
}
