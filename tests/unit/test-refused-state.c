/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is refused when a conversion is gone on with, each by its own words: states and journal records that are authentic, made by someone who has the
 * key, and do not fit what is there.  Nothing is written then.
 */
#include "tests/unit/forging.h"

#include <stdio.h>

#include "common/sealed/domain-mac.h"
#include "common/volume/csum.h"
#include "common/volume/mirror.h"
#include "tests/unit/image.h"

#define STOPS_MAX 64u

enum begun { SEALING, UNSEALING };

static struct image image;
static struct keys keys;
static struct disk plain, sealed;
static struct disk stopped[2][STOPS_MAX];	/* at each point where it can be */
static unsigned n_stopped[2];

/* --- states --------------------------------------------------------------------------------------------------------- */

static void of_nobody(struct forging *f) { f->not_authentic = true; }
static void of_other_filesystem(struct forging *f) { f->tail.disk.fsid[3] ^= 1; }
static void of_other_generation(struct forging *f) { add(&f->tail.disk.generation, 1); }
static void of_other_form(struct forging *f) { add(&f->tail.disk.n_devices, 1); }
static void of_other_sealing(struct forging *f) { f->tail.disk.kcv[0] ^= 1; }
static void accepted(struct forging *f) { f->tail.disk.flags = to_le32(CRYPT_STATE_ACCEPTED); }
static void of_other_total(struct forging *f) { add(&f->tail.disk.total, 4096); }
static void of_other_files(struct forging *f) { f->tail.disk.begin_digest[0] ^= 1; }
static void keys_among_data(struct forging *f) { f->tail.disk.keys.logical = record_range(f)->address; }
static void cursor_at_begin(struct forging *f) { f->tail.disk.cursor = to_le64(0); }
static void cursor_at_end(struct forging *f) { f->tail.disk.cursor = to_le64(UNIT_PLACE_END); }
static void knows_more(struct forging *f) { add(&f->tail.disk.sequence, 1); }
static void knows_another(struct forging *f) { f->tail.disk.journal_mac[5] ^= 1; }

static void knows_later_epoch(struct forging *f)
{
	f->skip = true;
	add(&f->tail.disk.sequence, 1);
	add(&f->tail.disk.epoch, 2);
}

static void without_records(struct forging *f)
{
	static const uint8_t zeros[4096];

	f->tail.disk.sequence = to_le64(1);
	for (unsigned i = 0; i < CRYPT_JOURNAL_SLOTS; i++)
		ok(volume_write(f->volume, f->tail.slot[i].logical, zeros, sizeof(zeros), err));
}

/* --- headers -------------------------------------------------------------------------------------------------------- */

static void flip_header(uint8_t *payload) { payload[sizeof(struct disk_crypt_header) - 1] ^= 1; }
static void header_op(struct crypt_header *h) { h->op_id[0] ^= 1; }
static void header_epoch(struct crypt_header *h) { h->epoch++; }
static void header_items_mac(struct crypt_header *h) { h->items_mac[0] ^= 1; }
static void header_unit_items(struct crypt_header *h) { h->n_unit_items++; }
static void header_inlines(struct crypt_header *h) { h->n_inline_units++; }
static void header_seal(struct crypt_header *h) { h->seal[0] ^= 1; }

static void spoilt_header(struct forging *f) { forging_edit_headers(f, NULL, flip_header); forging_end_record(f); }
static void other_op(struct forging *f) { forging_edit_headers(f, header_op, NULL); forging_end_record(f); }
static void other_epoch(struct forging *f) { forging_edit_headers(f, header_epoch, NULL); forging_end_record(f); }
static void other_items(struct forging *f) { forging_edit_headers(f, header_items_mac, NULL); forging_end_record(f); }
static void other_unit_items(struct forging *f) { forging_edit_headers(f, header_unit_items, NULL); forging_end_record(f); }
static void other_inlines(struct forging *f) { forging_edit_headers(f, header_inlines, NULL); forging_end_record(f); }
static void other_seal(struct forging *f) { forging_edit_headers(f, header_seal, NULL); forging_end_record(f); }

/* The copies of the keys, and the state, are of a sealing that the root tree has nothing of. */
static void no_items(struct forging *f)
{
	enum { HEADER = sizeof(struct disk_crypt_header), COPIES = 2, COPY = KEYS_AREA_SIZE / COPIES, NUMBER = 999 };
	static uint8_t area[KEYS_AREA_SIZE];

	ok(volume_read(f->volume, f->tail.keys.logical, area, sizeof(area), 0, err));
	for (unsigned i = 0; i < COPIES; i++) {
		uint8_t *const bytes = area + i * COPY;
		struct cursor item = { bytes, HEADER, 0 };
		struct crypt_header header;
		struct le32 n_slots;

		ok(crypt_header_read(&item, &header, err));
		header.domain = NUMBER;
		ok(crypt_header_seal(f->schedule, &header, err));
		crypt_header_write(&header, (struct disk_crypt_header *)bytes);
		memcpy(&n_slots, bytes + HEADER, sizeof(n_slots));

		const size_t len = HEADER + sizeof(n_slots) + le32(n_slots) * sizeof(struct disk_crypt_slot);

		ok(crypto_sha256(bytes, len, bytes + len, err));
	}
	ok(volume_write(f->volume, f->tail.keys.logical, area, sizeof(area), err));
	f->tail.disk.domain = to_le16(NUMBER);
}

/* --- records -------------------------------------------------------------------------------------------------------- */

/* The first address in chunks of this type where it is so. */
static uint64_t find_place(const struct forging *f, uint64_t type, bool (*is_it)(struct volume *volume, uint64_t logical))
{
	for (size_t i = 0; i < f->volume->n_chunks; i++) {
		const struct chunk *chunk = &f->volume->chunks[i];

		for (uint64_t at = chunk->logical; chunk->type & type && at < chunk->logical + chunk->length; at += NODE_SIZE) {
			if (is_it(f->volume, at))
				return at;
		}
	}
	return 0;
}

static bool is_superblock(struct volume *volume, uint64_t logical) { return volume_range_is_reserved(volume, logical, NODE_SIZE); }
static bool is_free(struct volume *volume, uint64_t logical)
{
	bool allocated;

	if (volume_range_is_reserved(volume, logical, NODE_SIZE))
		return false;
	ok(extent_is_allocated(volume, logical, volume->super.node_size, EXTENT_OF_TREE, &allocated, err));
	return !allocated;
}
static bool is_any(struct volume *volume, uint64_t logical) { return !is_superblock(volume, logical); }

/* One block of it is said to be somewhere else, and says so itself. */
static void move_block(struct forging *f, uint64_t to)
{
	assert_true(to != 0);
	record_changed(f, 0)->logical = to_le64(to);
	((struct disk_header *)record_block(f, 0))->bytenr = to_le64(to);
	forging_end_record(f);
}

static void names_data(struct forging *f) { move_block(f, find_place(f, GROUP_DATA, is_any)); }
static void names_no_chunk(struct forging *f) { move_block(f, (uint64_t)1 << 60); }
static void names_free_block(struct forging *f) { move_block(f, find_place(f, GROUP_METADATA, is_free)); }

static void names_superblock(struct forging *f)
{
	const uint64_t block = find_place(f, GROUP_METADATA, is_superblock), data = find_place(f, GROUP_DATA, is_superblock);

	if (block != 0) {
		move_block(f, block);
		return;
	}
	assert_true(data != 0);
	record_range(f)->address = to_le64(data);
	forging_end_record(f);
}

static void names_journal(struct forging *f) { record_range(f)->address = to_le64(f->tail.slot[0].logical); forging_end_record(f); }
static void names_no_extent(struct forging *f) { add(&record_range(f)->address, 4096); forging_end_record(f); }
static void block_of_other_filesystem(struct forging *f) { ((struct disk_header *)record_block(f, 0))->fsid[0] ^= 1; forging_end_record(f); }

static void epoch_behind(struct forging *f)
{
	add(&record_header(f)->epoch, -3);
	add(&f->tail.disk.epoch, -3);
	forging_end_record(f);
}

/* In place, what the record says is new is a tree block that says something else. */
static void new_block_changed(struct forging *f)
{
	const uint64_t logical = le64(record_new(f)->logical);
	uint8_t bytes[NODE_SIZE];

	assert_true(f->header.n_new > 0);
	ok(volume_read(f->volume, logical, bytes, sizeof(bytes), 0, err));
	bytes[NODE_SIZE - 1] ^= 1;
	csum_block_update(f->volume->super.csum_type, bytes, sizeof(bytes));
	ok(volume_write(f->volume, logical, bytes, sizeof(bytes), err));
}

static void new_block_destroyed(struct forging *f)
{
	uint8_t noise[NODE_SIZE];

	assert_true(f->header.n_new > 0);
	memset(noise, 0x5a, sizeof(noise));
	ok(volume_write(f->volume, le64(record_new(f)->logical), noise, sizeof(noise), err));
}

static void data_destroyed(struct forging *f)
{
	uint8_t noise[CRYPT_BLOCK];

	memset(noise, 0x5a, sizeof(noise));
	ok(volume_write(f->volume, le64(record_range(f)->address), noise, sizeof(noise), err));
}

/* --- tests ----------------------------------------------------------------------------------------------------------- */

#define WORDS 4

static const struct row {
	const char *words[WORDS];				/* of text and hint, in this order */
	void (*forge)(struct forging *forging);		/* NULL: it is as it was left */
	enum error_kind kind;
	enum begun begun;
	enum crypt_phase phase;				/* where it was stopped */
	enum convert_goal goal;
	bool wants_new;					/* the newest record has new blocks */
} rows[] = {
#define STATE_ROW(forge, begun, phase, ...) { { __VA_ARGS__ }, forge, ERROR_STATE, begun, CRYPT_PHASE_##phase, \
					      begun == SEALING ? CONVERT_RESUME : CONVERT_RESUME_DECRYPT, false }
	STATE_ROW(of_nobody, SEALING, DATA, "the state of the unfinished conversion fails authentication"),
	STATE_ROW(of_other_filesystem, SEALING, DATA, "the state of the unfinished conversion belongs to another filesystem"),
	STATE_ROW(of_other_generation, SEALING, DATA, "the filesystem has generation ", ", but the unfinished conversion began at "),
	STATE_ROW(of_other_form, SEALING, DATA, "the state of the unfinished conversion does not match the superblock"),
	STATE_ROW(of_other_sealing, SEALING, DATA, "the state of the unfinished conversion belongs to another sealing"),
	STATE_ROW(of_other_files, SEALING, DATA, "the subvolumes have changed since the conversion began"),
	STATE_ROW(of_other_files, UNSEALING, DATA, "the subvolumes have changed since the conversion began"),
	STATE_ROW(keys_among_data, SEALING, DATA, "range ", " of 65536 bytes is not free"),
	STATE_ROW(of_other_total, UNSEALING, DATA, "the tags recognise extents of ", " bytes, but the conversion began with ",
		  " bytes; if files are damaged, --skip-damaged leaves them as they are"),
	STATE_ROW(cursor_at_end, SEALING, DATA, "the data recorded at ", " should be sealed by now, but are not"),
	STATE_ROW(cursor_at_begin, SEALING, DATA, "the data at ", " are sealed, but the conversion has not reached them"),
	STATE_ROW(cursor_at_begin, SEALING, LEAVES, "the inline data of inode ", " are sealed, but the conversion has not reached them"),
	STATE_ROW(cursor_at_end, SEALING, LEAVES, "the inline data of inode ", " are not sealed, but the conversion has reached them"),
	STATE_ROW(knows_more, SEALING, DATA, "the newest journal record is ", ", but the state knows of "),
	STATE_ROW(knows_another, SEALING, DATA, "journal record ", " is not the one that the state knows of"),
	STATE_ROW(knows_later_epoch, SEALING, DATA, "the newest journal record has epoch ", ", but the state has "),
	STATE_ROW(without_records, SEALING, DATA, "there is no journal record"),
	STATE_ROW(no_items, SEALING, DATA, "the crypt items of the unfinished conversion are missing"),
	STATE_ROW(other_epoch, SEALING, DATA, "the header of sealing 1 has epoch ", ", but the conversion has "),
	STATE_ROW(other_unit_items, SEALING, DATA, "there are ", " items of tags, but the header says "),
	STATE_ROW(other_inlines, SEALING, DATA, "there are tags for ", " inline items, but the subvolumes have "),
	STATE_ROW(other_seal, UNSEALING, DATA, "the tags of sealing 1 do not match its seal"),
	STATE_ROW(names_data, SEALING, DATA, "a journal record names ", ", which is no place for it"),
	STATE_ROW(names_no_chunk, SEALING, DATA, "logical address 1152921504606846976 is in no chunk"),
	STATE_ROW(names_superblock, SEALING, DATA, "a journal record names ", ", where a superblock is"),
	STATE_ROW(names_journal, SEALING, DATA, "a journal record names ", ", where the journal is"),
	STATE_ROW(names_free_block, SEALING, DATA, "a journal record names the tree block ", ", which is not allocated"),
	STATE_ROW(names_no_extent, SEALING, DATA, "a journal record names the extent ", ", which is not allocated"),
	STATE_ROW(forging_carry, SEALING, DATA, "a journal record carries data, which this operation does not"),
	STATE_ROW(block_of_other_filesystem, SEALING, DATA, "a journal record's block for ", " is no tree block of this filesystem"),
	STATE_ROW(epoch_behind, SEALING, DATA, "the header of the sealing has epoch ", ", but the journal has "),
	{ { "tree block ", " is not as journal record ", ", the newest, wrote it" }, new_block_changed, ERROR_STATE, SEALING, CRYPT_PHASE_STRUCTURE,
	  CONVERT_RESUME, true },
	{ { "the new tree block ", " of a journal record is not there" }, new_block_destroyed, ERROR_STATE, SEALING, CRYPT_PHASE_STRUCTURE, CONVERT_RESUME, true },
#undef STATE_ROW
	{ { "the block at ", " is neither plain text nor the ciphertext of what was sealed at ", ", nor a mixture of both",
	    "; --skip-damaged leaves the damaged blocks as they are and converts everything else" }, data_destroyed, ERROR_CORRUPT, SEALING, CRYPT_PHASE_DATA,
	  CONVERT_RESUME, false },
	{ { "the header of sealing 1 fails authentication" }, spoilt_header, ERROR_KEY_HEADER, SEALING, CRYPT_PHASE_DATA, CONVERT_RESUME, false },
	{ { "the header of sealing 1 belongs to another conversion" }, other_op, ERROR_KEY_HEADER, SEALING, CRYPT_PHASE_DATA, CONVERT_RESUME, false },
	{ { "the header of sealing 1 does not vouch for its subvolumes" }, other_items, ERROR_KEY_HEADER, SEALING, CRYPT_PHASE_DATA,
	  CONVERT_RESUME, false },
	{ { "the unsealing accepted changes; sealing again would not restore what was sealed before; `convert --decrypt --resume` finishes it" },
	  accepted, ERROR_REFUSED, UNSEALING, CRYPT_PHASE_DATA, CONVERT_ABORT, false },
	{ { "the unfinished unsealing, begun ", " ends in plain text and must be confirmed; `convert --decrypt --resume` confirms it" },
	  NULL, ERROR_REFUSED, UNSEALING, CRYPT_PHASE_DATA, CONVERT_RESUME, false },
	{ { "the unfinished conversion ends in sealed data, not in plain text; `convert --resume` goes on, `convert --abort` undoes it" },
	  NULL, ERROR_REFUSED, SEALING, CRYPT_PHASE_DATA, CONVERT_RESUME_DECRYPT, false },
};

/* The last point before *point, in that phase, whose newest record has what the row is about. */
static void stopped_before(const struct row *row, unsigned *point, struct disk *disk)
{
	for (unsigned i = *point; i-- > 0;) {
		struct forging forging;

		disk_clone(&stopped[row->begun][i], disk);
		forging_begin(disk, keys.volume_key, &forging);

		const bool is_it = forging.tail.phase == row->phase && (!row->wants_new || forging.header.n_new > 0) &&
				   (row->phase != CRYPT_PHASE_DATA || forging.header.n_ranges > 0);

		forging_drop(&forging);
		*point = i;
		if (is_it)
			return;
		disk_free(disk);
	}
	fail_msg("no such point for \"%s\"", row->words[0]);
}

static void stopped_in(const struct row *row, struct disk *disk)
{
	unsigned point = n_stopped[row->begun];

	stopped_before(row, &point, disk);
}

/* As they are printed, one behind the other. */
static bool says(const struct error *err, const char *const words[WORDS])
{
	char text[sizeof(err->text) + sizeof(err->hint) + 2];
	const char *at = text;

	snprintf(text, sizeof(text), "%s%s%s", err->text, err->hint[0] ? "; " : "", err->hint);
	for (size_t i = 0; i < WORDS && words[i]; i++) {
		at = strstr(at, words[i]);
		if (!at)
			return false;
		at += strlen(words[i]);
	}
	return true;
}

static bool forged_is_gone_on_with(const struct row *row, unsigned *point, struct disk *disk, struct error *err)
{
	keys.skip = false;
	stopped_before(row, point, disk);
	if (row->forge) {
		struct forging forging;

		forging_begin(disk, keys.volume_key, &forging);
		row->forge(&forging);
		keys.skip = forging.skip;
		forging_end(&forging);
	}
	return run_continue(disk, row->goal, &keys, false, NEVER, err);
}

static void each_has_its_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		unsigned point = n_stopped[row->begun];
		struct error err = { 0 };
		struct disk disk;

		/* Which leaves have inline data depends on the numbers that the files have on the host: the last point of a phase may have none left. */
		while (forged_is_gone_on_with(row, &point, &disk, &err)) {
			if (row->phase != CRYPT_PHASE_LEAVES)
				fail_msg("not refused: \"%s\"", row->words[0]);
			disk_free(&disk);
		}
		if (err.kind != row->kind || !says(&err, row->words))
			fail_msg("\"%s; %s\" (%d), not \"%s...%s\"", err.text, err.hint, err.kind, row->words[0], row->words[1] ? row->words[1] : "");
		if (disk.n_writes != 0)	/* since it was opened last */
			fail_msg("something was written, and then: %s", err.text);
		disk_free(&disk);
	}
	keys.skip = false;
}

/* What was forged is all that was wrong: signed again as it was, it is gone on with. */
static void a_record_signed_again_is_right(void **state)
{
	const struct row row = { .begun = SEALING, .phase = CRYPT_PHASE_DATA };
	struct forging forging;
	struct disk disk;

	(void)state;
	stopped_in(&row, &disk);
	forging_begin(&disk, keys.volume_key, &forging);
	forging_edit_headers(&forging, NULL, NULL);
	forging_end_record(&forging);
	forging_end(&forging);
	ok(run_continue(&disk, CONVERT_RESUME, &keys, false, NEVER, err));
	ok(run_verify(&disk, &keys, err));
	disk_free(&disk);
}

static void an_abort_is_only_finished(void **state)
{
	static const struct { enum begun begun; const char *const text[WORDS]; } way[] = {
		{ SEALING, { "the unfinished conversion is an abort of a sealing: it can only be finished; `convert --abort` finishes it" } },
		{ UNSEALING, { "the unfinished conversion is an abort of an unsealing: it can only be finished; `convert --abort` finishes it" } },
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct row row = { .begun = way[i].begun, .phase = CRYPT_PHASE_DATA };
		struct error err = { 0 };
		struct disk disk;

		stopped_in(&row, &disk);
		assert_false(run_continue(&disk, CONVERT_ABORT, &keys, false, 0, &err));
		assert_int_equal(err.kind, ERROR_STOPPED);
		for (enum convert_goal goal = CONVERT_RESUME; goal <= CONVERT_RESUME_DECRYPT; goal++) {
			err = (struct error){ 0 };
			assert_false(run_continue(&disk, goal, &keys, false, NEVER, &err));
			assert_int_equal(err.kind, ERROR_REFUSED);
			if (!says(&err, way[i].text))
				fail_msg("%s; %s", err.text, err.hint);
		}
		disk_free(&disk);
	}
}

static void at_the_end_nothing_is_undone(void **state)
{
	static const char *const text[][WORDS] = {
		{ "there is nothing to undo: everything is sealed, only the cleanup is left; `convert --resume` finishes it" },
		{ "there is nothing to undo: everything is plain text, only the cleanup is left; `convert --decrypt --resume` finishes it" },
	};

	(void)state;
	for (enum begun begun = SEALING; begun <= UNSEALING; begun++) {
		struct error err = { 0 };
		struct disk disk;

		disk_clone(&stopped[begun][n_stopped[begun] - 1], &disk);
		/* That is in front of the end: the next flush but one is behind it. */
		if (run_continue(&disk, CONVERT_ABORT, &keys, false, NEVER, &err)) {
			struct forging forging;

			disk_free(&disk);
			disk_clone(&stopped[begun][n_stopped[begun] - 1], &disk);
			forging_begin(&disk, keys.volume_key, &forging);
			forging.tail.disk.phase = CRYPT_PHASE_FINISH;
			forging_end(&forging);
			assert_false(run_continue(&disk, CONVERT_ABORT, &keys, false, NEVER, &err));
		}
		assert_int_equal(err.kind, ERROR_REFUSED);
		if (!says(&err, text[begun]))
			fail_msg("\"%s; %s\", not \"%s\"", err.text, err.hint, text[begun][0]);
		disk_free(&disk);
	}
}

static void what_is_not_unfinished_is_not_gone_on_with(void **state)
{
	struct error err = { 0 };
	struct disk disk;

	(void)state;
	disk_clone(&sealed, &disk);
	assert_false(run_continue(&disk, CONVERT_RESUME, &keys, false, NEVER, &err));
	assert_int_equal(err.kind, ERROR_REFUSED);
	assert_non_null(strstr(err.text, "there is no unfinished conversion"));
	disk_free(&disk);
}

static void stop_everywhere(enum begun begun)
{
	for (unsigned n = 0;; n++) {
		struct error err = { 0 };
		struct disk *disk = &stopped[begun][n];

		assert_true(n < STOPS_MAX);
		disk_clone(begun == SEALING ? &plain : &sealed, disk);
		if (begun == SEALING ? run_encrypt(disk, &keys, n, NULL, &err) : run_decrypt(disk, &keys, n, &err)) {
			disk_free(disk);
			n_stopped[begun] = n;
			return;
		}
		assert_int_equal(err.kind, ERROR_STOPPED);
	}
}

static int make(void **state)
{
	(void)state;
	set_name = "/";
	image_make(&image, 114u << 20, "-m dup -d single -n 4096", 1200);
	ok(secret_init(err));
	keys_new(&keys);
	disk_load(image.path, &plain);
	disk_clone(&plain, &sealed);
	ok(run_encrypt(&sealed, &keys, NEVER, NULL, err));
	stop_everywhere(SEALING);
	stop_everywhere(UNSEALING);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	for (enum begun begun = SEALING; begun <= UNSEALING; begun++) {
		for (unsigned i = 0; i < n_stopped[begun]; i++)
			disk_free(&stopped[begun][i]);
	}
	keys_free(&keys);
	disk_free(&sealed);
	disk_free(&plain);
	image_remove(&image);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_has_its_words),
		cmocka_unit_test(a_record_signed_again_is_right),
		cmocka_unit_test(an_abort_is_only_finished),
		cmocka_unit_test(at_the_end_nothing_is_undone),
		cmocka_unit_test(what_is_not_unfinished_is_not_gone_on_with),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
