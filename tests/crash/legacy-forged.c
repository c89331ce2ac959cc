/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changed and made authentic again by someone who has the key, or put back: what must be refused. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/convert/state.h"
#include "common/volume/mirror.h"
#include "format/journal.h"
#include "tests/crash/legacy-run.h"

static unsigned n_failures;
static char where[100];

static void failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void failed(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "FAILED: %s: ", where);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	n_failures++;
}

struct forging {
	struct volume *volume;
	struct key_schedule *schedule;
	struct crypt_state_tail tail;
	struct disk_journal_header *record;	/* the newest, which carries data */
	struct disk_journal_carried *carried;	/* the first of them */
	bool not_authentic;
};

static void carry_elsewhere(struct forging *f) { f->carried->address = to_le64(le64(f->carried->address) + DISK_PAGE); }
static void carry_to_trees(struct forging *f) { f->carried->address = to_le64(f->volume->super.root); }
static void carry_nowhere(struct forging *f) { f->carried->address = to_le64(UINT64_C(1) << 60); }
static void other_digest(struct forging *f) { f->tail.disk.begin_digest[0] ^= 1; }
static void other_whole_digest(struct forging *f) { f->tail.disk.whole_digest[0] ^= 1; }
static void other_filesystem(struct forging *f) { f->tail.disk.fsid[0] ^= 1; }
static void other_key_copies(struct forging *f) { f->tail.disk.slot[0].logical = to_le64(f->volume->super.root & ~UINT64_C(0xffff)); }
static void of_nobody(struct forging *f) { f->not_authentic = true; }

static const struct forged {
	void (*forge)(struct forging *f);
	const char *text, *more;
} forged[] = {
	{ carry_elsewhere, "a journal record carries data for ", ", which is no extent" },
	{ carry_to_trees, "a journal record names ", ", which is no place for it" },
	{ carry_nowhere, "logical address 1152921504606846976 is in no chunk", "" },
	{ other_digest, "the metadata of the subvolumes are not what they were when the decryption began", "" },
	{ other_whole_digest, "the metadata of the subvolumes are not what they were when the decryption began", "" },
	{ other_filesystem, "the state of the unfinished conversion belongs to another filesystem", "" },
	{ other_key_copies, "", "" },
	{ of_nobody, "the state of the unfinished conversion fails authentication", "" },
};

static void sign(const struct forging *f, const char *label, const void *bytes, size_t len, uint8_t mac[CRYPT_MAC_SIZE])
{
	cleanup_mac struct mac *running = NULL;
	struct error err = { 0 };

	if (!mac_new(f->schedule, label, f->tail.disk.op_id, CRYPT_UUID_SIZE, &running, &err))
		harness_fail("%s", err.text);
	mac_start(running);
	mac_update(running, bytes, len);
	if (!mac_finish(running, mac, &err))
		harness_fail("%s", err.text);
}

static void forge(struct disk *disk, const struct forged *row)
{
	struct disk_superblock super;
	struct error err = { 0 };
	struct forging f = { 0 };
	uint64_t at, len;

	if (!legacy_disk_open(disk, &f.volume, &err) || !state_newest(f.volume, &f.tail, &err) || !key_schedule_new_legacy(legacy_key, f.tail.disk.op_id, &f.schedule, &err))
		harness_fail("%s", err.text);
	at = f.tail.slot[f.tail.sequence % CRYPT_JOURNAL_SLOTS].logical;
	f.record = calloc(1, f.tail.slot[0].length);
	if (!f.record || !volume_read(f.volume, at, f.record, f.tail.slot[0].length, 0, &err))
		harness_fail("a record cannot be read: %s", err.text);
	if (le32(f.record->n_carried) == 0 || le64(f.record->sequence) != f.tail.sequence)
		harness_fail("the newest record carries no data");
	len = le64(f.record->length) - CRYPT_MAC_SIZE;
	f.carried = (struct disk_journal_carried *)((uint8_t *)(f.record + 1) + le32(f.record->n_changed) * (sizeof(struct disk_journal_changed) +
						   f.volume->super.node_size) + le32(f.record->n_new) * sizeof(struct disk_journal_new));
	row->forge(&f);
	sign(&f, "journal", f.record, len, (uint8_t *)f.record + len);
	memcpy(f.tail.disk.journal_mac, (uint8_t *)f.record + len, CRYPT_MAC_SIZE);
	sign(&f, "state", &f.tail.disk, offsetof(struct disk_crypt_state, mac), f.tail.disk.mac);
	f.tail.disk.mac[0] ^= f.not_authentic;
	super = f.volume->super.disk;
	memcpy(super.tail, &f.tail.disk, sizeof(f.tail.disk));
	if (!volume_write(f.volume, at, f.record, len + CRYPT_MAC_SIZE, &err) || !volume_write_supers(f.volume, &super, &err))
		harness_fail("%s", err.text);
	free(f.record);
	key_schedule_free(f.schedule);
	volume_close(f.volume);
}

static void judge_forged(const struct disk *unfinished)
{
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		for (unsigned goal = 0; goal < 2; goal++) {
			struct disk changed, tried;
			struct error err = { 0 };

			snprintf(where, sizeof(where), "forged, row %zu, %s", i, goal ? "abort" : "resume");
			disk_clone(unfinished, &changed);
			forge(&changed, &forged[i]);
			disk_clone(&changed, &tried);
			if (legacy_disk_go_on(&tried, goal ? CONVERT_ABORT : CONVERT_RESUME_DECRYPT, legacy_key, &err))
				failed("goes on");
			else if (err.kind != ERROR_STATE || !strstr(err.text, forged[i].text) || !strstr(err.text, forged[i].more))
				failed("status %d: %s", err.kind, err.text);
			else if (tried.n_writes > 0)
				failed("is refused, and writes");
			disk_free(&tried);
			disk_free(&changed);
		}
	}
}

/* Once it has ended, somebody puts back superblocks and journal as they were in the middle: what they would go on with is plain text by now. */
static void judge_put_back(const struct disk *then, const struct disk *home)
{
	struct volume *volume = NULL;
	struct crypt_state_tail tail;
	struct disk disk, read;
	struct error err = { 0 };

	snprintf(where, sizeof(where), "put back after the end");
	disk_clone(then, &read);
	disk_clone(home, &disk);
	if (!legacy_disk_open(&read, &volume, &err) || !state_newest(volume, &tail, &err))
		harness_fail("%s", err.text);
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++) {
		for (uint64_t at = 0; at < tail.slot[i].length; at += DISK_PAGE) {
			struct volume *other = NULL;
			uint8_t page[DISK_PAGE];

			if (!volume_read(volume, tail.slot[i].logical + at, page, sizeof(page), 0, &err) || !legacy_disk_open(&disk, &other, &err) ||
			    !volume_write(other, tail.slot[i].logical + at, page, sizeof(page), &err))
				harness_fail("%s", err.text);
			volume_close(other);
		}
	}
	volume_close(volume);
	for (unsigned i = 0; i < SUPER_COPIES && superblock_offset(i) < disk.size; i++) {
		uint8_t page[DISK_PAGE];

		disk_read(then, superblock_offset(i), page, sizeof(page));
		disk_write(&disk, superblock_offset(i), page, sizeof(page));
	}
	disk_free(&read);
	disk_clone(&disk, &read);
	if (legacy_disk_go_on(&read, CONVERT_RESUME_DECRYPT, legacy_key, &err))
		failed("goes on");
	else if (err.kind != ERROR_STATE || !strstr(err.text, "no root item has the id of the unfinished decryption"))
		failed("status %d: %s", err.kind, err.text);
	else if (read.n_writes > 0)
		failed("is refused, and writes");
	disk_free(&read);
	disk_free(&disk);
}

unsigned legacy_judge_forged(const struct disk *unfinished, const struct disk *home)
{
	judge_forged(unfinished);
	judge_put_back(unfinished, home);
	return n_failures;
}
