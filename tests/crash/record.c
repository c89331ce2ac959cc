/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recording, and what the results of all cuts are measured by. */
#include "tests/crash/record.h"

#include <stdlib.h>
#include <string.h>

#define UNDONE 3	/* conversions undone from different points */

static void *allocate(size_t size)
{
	void *memory = calloc(1, size);

	return memory ? memory : (harness_fail("out of memory"), NULL);
}

static struct disk *new_disk(const struct disk *from)
{
	struct disk *disk = allocate(sizeof(*disk));

	disk_clone(from, disk);
	return disk;
}

static struct disk *load(const char *path)
{
	struct disk *disk = allocate(sizeof(*disk));

	disk_load(path, disk);
	return disk;
}

static void must(bool ok, const char *what, const struct error *err)
{
	if (!ok)
		harness_fail("%s: %s", what, err->text);
}

static char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = strdup(slash ? slash + 1 : path);

	if (!name)
		harness_fail("out of memory");
	if (strrchr(name, '.'))
		*strrchr(name, '.') = 0;
	return name;
}

static struct chain *new_chain(struct chains *chains, const struct measure *measure, const struct disk *start, const char *name,
			       enum chain_run run, enum side before, enum side after, unsigned weight)
{
	struct chain *chain = &chains->at[chains->n++];

	if (chains->n > CHAINS_MAX)
		harness_fail("too many images");
	*chain = (struct chain){ .measure = measure, .name = name, .run = run, .before = before, .after = after, .weight = weight };
	disk_clone(start, &chain->start);
	return chain;
}

static const struct content *raw_content(const struct measure *measure, struct disk *disk)
{
	struct content *content = allocate(sizeof(*content));
	struct error err = { 0 };

	must(content_read(disk, &measure->members, CONTENT_PLAIN, content, &err), "reading a sealed disk", &err);
	return content;
}

/* --- the runs ----------------------------------------------------------------------------------------- */

/* Returns the sealed disk. */
static struct disk *record_encrypt(struct chains *chains, const struct measure *measure, const struct disk *plain, const char *name,
				   unsigned weight)
{
	struct chain *chain = new_chain(chains, measure, plain, name, RUN_ENCRYPT, SIDE_PLAIN, SIDE_SEALED, weight);
	struct disk *sealed = new_disk(plain);
	struct error err = { 0 };

	sealed->log = &chain->log;
	must(run_encrypt(sealed, &measure->keys, NEVER, NULL, &err), name, &err);
	sealed->log = NULL;
	return sealed;
}

static void record_decrypt(struct chains *chains, const struct measure *measure, const struct disk *sealed, const char *name, unsigned weight)
{
	struct chain *chain = new_chain(chains, measure, sealed, name, RUN_DECRYPT, SIDE_SEALED, SIDE_PLAIN, weight);
	struct disk opened;
	struct error err = { 0 };

	chain->resealed = raw_content(measure, &chain->start);
	disk_clone(sealed, &opened);
	opened.log = &chain->log;
	must(run_decrypt(&opened, &measure->keys, NEVER, &err), name, &err);
	disk_free(&opened);
}

static bool run_stopped(struct disk *disk, const struct keys *keys, bool encrypting, unsigned stop, struct error *err)
{
	if (encrypting ? run_encrypt(disk, keys, stop, NULL, err) : run_decrypt(disk, keys, stop, err))
		return false;
	if (err->kind != ERROR_STOPPED)
		harness_fail("stopping at step %u: %s", stop, err->text);
	return true;
}

static unsigned count_stops(const struct measure *measure, const struct disk *start, bool encrypting)
{
	struct error err = { 0 };
	struct disk disk;

	disk_clone(start, &disk);
	if (run_stopped(&disk, &measure->keys, encrypting, NEVER, &err))
		harness_fail("stopped, although nobody asked for it");
	disk_free(&disk);
	return run_n_asked;
}

/* Stopped early, in the middle and late, then undone: only the undoing is recorded. */
static void record_undone(struct chains *chains, const struct measure *measure, struct disk *start, bool encrypting, const char *name,
			  unsigned weight)
{
	const unsigned n = count_stops(measure, start, encrypting);
	const enum side back = encrypting ? SIDE_PLAIN : SIDE_SEALED;
	const struct content *resealed = encrypting ? NULL : raw_content(measure, start);

	for (unsigned i = 0; i < UNDONE; i++) {
		/* Copies come first, and most steps are for them. */
		const unsigned stop = i == 0 ? measure->form ? n / 4 : 0 : i == 1 ? n / 2 : n - 1;
		struct error err = { 0 };
		struct disk *stopped = new_disk(start), undone;
		struct chain *chain;

		if (!run_stopped(stopped, &measure->keys, encrypting, stop, &err))
			harness_fail("%s: step %u of %u does not come", name, stop, n);
		chain = new_chain(chains, measure, stopped, name, RUN_ABORT, back, back, weight);
		chain->resealed = resealed;
		disk_clone(stopped, &undone);
		undone.log = &chain->log;
		must(run_continue(&undone, CONVERT_ABORT, &measure->keys, false, NEVER, &err), name, &err);
		disk_free(&undone);
	}
}

/* --- the images --------------------------------------------------------------------------------------- */

/* The plain content, and what sealing makes of it. */
static void take_measure(struct measure *measure, struct disk *plain)
{
	struct error err = { 0 };
	struct disk sealed;

	disk_clone(plain, &sealed);
	must(run_encrypt(&sealed, &measure->keys, NEVER, &measure->members, &err), "encrypting", &err);
	must(content_read(&sealed, &measure->members, CONTENT_SEALED | measure->form, &measure->sealed, &err), "reading the sealed disk", &err);
	disk_free(&sealed);
	must(content_read(plain, &measure->members, CONTENT_PLAIN | measure->form, &measure->plain, &err), "reading the plain disk", &err);
	measure->leaks = measure->form ? NULL : leaks_learn(plain, &measure->members);
}

/* From one key to another, and that undone from different points. */
static void record_rekey(struct chains *chains, const struct measure *from, const struct disk *sealed, unsigned share)
{
	struct measure *measure = allocate(sizeof(*measure));
	struct disk *start = new_disk(sealed), rekeyed;
	struct error err = { 0 };
	struct chain *chain;

	*measure = *from;
	measure->rekeys = true;
	measure->old_keys = from->keys;
	keys_new(&measure->keys);
	chain = new_chain(chains, measure, start, "rekeying", RUN_REKEY, SIDE_OLD, SIDE_SEALED, 3 * share);
	chain->resealed = raw_content(measure, start);
	disk_clone(start, &rekeyed);
	rekeyed.log = &chain->log;
	must(run_rekey(&rekeyed, &measure->old_keys, &measure->keys, 0, NEVER, &err), "rekeying", &err);
	/* A snapshot that a kernel made stays as writable as it is, unlike one that is sealed. */
	if (measure->used)
		must(content_read(&rekeyed, &measure->members, CONTENT_SEALED, &measure->sealed, &err), "reading the rekeyed disk", &err);
	disk_free(&rekeyed);

	const unsigned n = run_n_asked;

	for (unsigned i = 0; i < UNDONE; i++) {
		const unsigned stop = i == 0 ? 0 : i == 1 ? n / 2 : n - 1;
		struct disk *stopped = new_disk(start), undone;

		if (run_rekey(stopped, &measure->old_keys, &measure->keys, 0, stop, &err) || err.kind != ERROR_STOPPED)
			harness_fail("rekeying: step %u of %u does not come", stop, n);
		chain = new_chain(chains, measure, stopped, "undoing a rekeying", RUN_ABORT, SIDE_OLD, SIDE_OLD, share);
		chain->resealed = raw_content(measure, start);
		disk_clone(stopped, &undone);
		undone.log = &chain->log;
		must(run_continue(&undone, CONVERT_ABORT, &measure->keys, false, NEVER, &err), "undoing a rekeying", &err);
		disk_free(&undone);
	}
}

void record_image(struct chains *chains, const char *path, unsigned share)
{
	struct measure *measure = allocate(sizeof(*measure));
	struct disk *plain = load(path), *sealed;

	measure->image = name_of(path);
	keys_new(&measure->keys);
	take_measure(measure, plain);
	sealed = record_encrypt(chains, measure, plain, "encrypting", 3 * share);
	record_decrypt(chains, measure, sealed, "decrypting", 3 * share);
	record_undone(chains, measure, plain, true, "undoing an encryption", share);
	record_undone(chains, measure, sealed, false, "undoing a decryption", share);
	record_rekey(chains, measure, sealed, share);
}

void record_by_passphrase(struct chains *chains, const char *path)
{
	struct measure *measure = allocate(sizeof(*measure));
	struct disk *plain = load(path);

	measure->image = name_of(path);
	keys_new(&measure->keys);
	measure->keys.by_passphrase = true;
	take_measure(measure, plain);
	record_decrypt(chains, measure, record_encrypt(chains, measure, plain, "encrypting with a passphrase", 1),
		       "decrypting with a passphrase", 1);
}

void record_copying(struct chains *chains, const char *path, unsigned share)
{
	struct measure *measure = allocate(sizeof(*measure));
	struct disk *plain = load(path);

	measure->image = name_of(path);
	measure->form = CONTENT_MOVED;
	keys_new(&measure->keys);
	measure->keys.copies = true;
	take_measure(measure, plain);
	record_encrypt(chains, measure, plain, "encrypting with copies", 3 * share);
	record_undone(chains, measure, plain, true, "undoing an encryption with copies", share);
}

void record_used(struct chains *chains, const char *path, const char *key_path, unsigned share)
{
	struct measure *measure = allocate(sizeof(*measure));
	struct disk *sealed = load(path), plain;
	struct error err = { 0 };

	measure->used = true;
	measure->image = name_of(path);
	keys_new(&measure->keys);
	secret_free(measure->keys.volume_key);
	measure->keys.volume_key = NULL;
	must(secret_read_file(key_path, 0, CRYPT_KEY_SIZE, &measure->keys.volume_key, &err), key_path, &err);
	disk_clone(sealed, &plain);
	must(run_decrypt(&plain, &measure->keys, NEVER, &err), "decrypting", &err);
	take_measure(measure, new_disk(&plain));
	record_decrypt(chains, measure, sealed, "decrypting what a kernel has used", 3 * share);
	record_undone(chains, measure, sealed, false, "undoing a decryption of what a kernel has used", share);
	record_rekey(chains, measure, sealed, share);
}
