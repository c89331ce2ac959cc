/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/audit/search.h"

#include <stdlib.h>

#include "common/audit/needles.h"
#include "common/crypto/secret.h"
#include "common/util/array.h"

#define BODY (4u << 20)			/* so much of a device is searched at a time */
#define BEFORE 4096u			/* and so much beside it is compared */
#define BEHIND TEXT_MAX
#define AT_HAND 64u			/* texts that are kept as they were read */
#define FIXED_MEMORY (BEFORE + BODY + BEHIND + NEEDLE_WINDOW + AT_HAND * TEXT_MAX + NEEDLES_FILTER_MAX)
const size_t audit_memory = AUDIT_MEMORY - FIXED_MEMORY;

struct text_at_hand {
	uint32_t number;	/* plus 1; 0: none */
	uint8_t bytes[TEXT_MAX];
};

struct pending {		/* found, and perhaps going on */
	uint32_t text;
	uint64_t text_at, physical, length;	/* length 0: nothing */
};

struct search {
	struct texts *texts;
	struct volume *volume;
	const struct audit_listener *listener;
	struct audit_result *result;
	struct audit_plan plan;
	size_t memory;			/* for fingerprints and the list of texts */
	unsigned per_block;		/* fingerprints of a block */
	/* This pass: */
	struct needles needles;
	struct text *text;
	size_t n_texts, text_room;
	uint64_t pass_used;
	size_t pass_needles, pass_anywhere;
	struct text_at_hand *at_hand;
	uint64_t counted, text_done, device_done;
	/* This device: */
	const struct volume_device *device;
	uint8_t *buffer;
	struct pending pending;
};

/* --- passes ------------------------------------------------------------------------------------------------------ */

/* Fingerprints that a text gets at most. */
static size_t needles_of(const struct search *search, const struct text *text)
{
	return text->is_inline ? needles_of_short(text->len) : ((size_t)text->len + NEEDLE_BLOCK - 1) / NEEDLE_BLOCK * search->per_block;
}

static bool count_text(void *context, const struct text *text, bool *go, struct error *err)
{
	struct search *search = context;
	const size_t n = needles_of(search, text);
	/* The list of texts grows by doubling, and is copied meanwhile. */
	const uint64_t cost = 3 * sizeof(*text) + needles_memory(n) - needles_memory(0);

	(void)err;
	if (search->pass_used + cost > search->memory && search->pass_used > 0) {
		*go = false;
		return true;
	}
	search->pass_used += cost;
	search->pass_needles += n;
	search->pass_anywhere += text->is_inline ? n : 0;
	search->counted += text->is_decoded ? 0 : text->len;
	return true;
}

static void pass_reset(struct search *search)
{
	search->pass_used = search->pass_needles = search->pass_anywhere = 0;
}

/* *n: how many passes it takes; once it is above most, it does not matter how far. */
static bool count_passes(struct search *search, uint64_t most, uint64_t *n, struct error *err)
{
	struct text_cursor at = { 0 };

	*n = search->counted = 0;
	do {
		pass_reset(search);
		if (!texts_walk(search->texts, &at, count_text, search, err))
			return false;
		*n += search->pass_used > 0;
	} while (search->pass_used > 0 && at.key.objectid != UINT64_MAX && *n <= most);
	pass_reset(search);
	return true;
}

/* The more fingerprints a block has, the smaller a part of it is found. But that must not cost a pass. */
static bool make_plan(struct search *search, struct error *err)
{
	for (size_t i = 0; i < search->volume->n_devices; i++) {
		const struct volume_device *const device = &search->volume->devices[i];

		search->plan.n_devices += device->device != NULL;
		search->plan.n_missing += device->device == NULL;
		search->plan.device_bytes += device->device ? device->device->size : 0;
	}
	search->per_block = 2 * NEEDLES_OF_BLOCK_MAX;
	do {
		search->per_block /= 2;
		if (!count_passes(search, search->per_block > NEEDLES_OF_BLOCK_MIN ? 1 : UINT64_MAX, &search->plan.n_passes, err))
			return false;
	} while (search->plan.n_passes > 1 && search->per_block > NEEDLES_OF_BLOCK_MIN);
	search->plan.text_bytes = search->counted;
	search->listener->plan(search->listener->context, &search->plan);
	return true;
}

static void show_progress(const struct search *search, const char *what, uint64_t done, uint64_t total)
{
	if (search->listener->progress)
		search->listener->progress(search->listener->context, what, done, total);
}

static void add_needles(struct search *search, const struct text *text, uint32_t number, const uint8_t *bytes)
{
	uint64_t left_out = 0;

	if (text->is_inline) {
		left_out = needles_add_short(&search->needles, number, bytes, text->len) ? 0 : text->len;
	} else {
		for (uint32_t at = 0; at < text->len; at += NEEDLE_BLOCK) {
			const uint32_t len = text->len - at < NEEDLE_BLOCK ? text->len - at : NEEDLE_BLOCK;

			left_out += needles_add_block(&search->needles, search->per_block, number, at, bytes + at, len) ? 0 : len;
		}
	}
	search->result->text_bytes += text->is_decoded ? 0 : text->len;
	search->result->short_bytes += text->is_decoded ? 0 : left_out;
}

/* Reads a text into one of the places at hand. */
static bool take_text(struct search *search, uint32_t number, const uint8_t **bytes, bool *is_sealed, struct error *err)
{
	struct text_at_hand *const at_hand = &search->at_hand[number % AT_HAND];

	*is_sealed = true;
	*bytes = at_hand->bytes;
	if (at_hand->number == number + 1)
		return true;
	at_hand->number = 0;
	if (!text_read(search->texts, &search->text[number], at_hand->bytes, is_sealed, err))
		return false;
	at_hand->number = *is_sealed ? number + 1 : 0;
	return true;
}

static bool add_text(void *context, const struct text *text, bool *go, struct error *err)
{
	struct search *search = context;
	const uint32_t number = (uint32_t)search->n_texts;
	struct error why = { 0 };
	const uint8_t *bytes;
	bool is_sealed;

	if (!count_text(search, text, go, err))
		return false;
	if (!*go)
		return true;
	if (!ARRAY_ROOM(search->text, search->n_texts, search->text_room, err))
		return false;
	search->text[search->n_texts++] = *text;
	search->text_done += text->is_decoded ? 0 : text->len;
	show_progress(search, "fingerprints", search->text_done, search->plan.text_bytes);
	if (take_text(search, number, &bytes, &is_sealed, &why)) {
		if (is_sealed)
			add_needles(search, text, number, bytes);
		return true;
	}
	if (!error_is_damage(&why)) {
		*err = why;
		return false;
	}
	search->result->n_unread++;
	search->listener->unread(search->listener->context, text, why.text);
	return true;
}

/* --- what was found ---------------------------------------------------------------------------------------------- */

static bool same_place(const struct where *a, const struct where *b)
{
	return a->kind == b->kind && a->root == b->root && a->inode == b->inode && a->generation == b->generation;
}

static bool tell(struct search *search, const struct pending *part, const struct where *where, struct error *err)
{
	const struct audit_finding finding = {
		.text = &search->text[part->text], .text_at = part->text_at, .length = part->length,
		.device = search->device, .physical = part->physical, .where = *where,
	};

	search->result->n_findings++;
	search->result->found_bytes += part->length;
	return part->length == 0 || search->listener->found(search->listener->context, &finding, err);
}

/* In parts, if it lies in several places. */
static bool tell_pending(struct search *search, struct error *err)
{
	struct pending all = search->pending, part = all;
	struct where first, next;

	search->pending.length = 0;
	if (all.length == 0)
		return true;
	if (!where_is(search->volume, search->device, all.physical, &first, err))
		return false;
	next = first;
	for (uint64_t at = 0; ; ) {
		at += next.len < all.length - at ? next.len : all.length - at;
		if (at < all.length && !where_is(search->volume, search->device, all.physical + at, &next, err))
			return false;
		if (at < all.length && same_place(&first, &next))
			continue;
		part.length = all.physical + at - part.physical;
		if (!tell(search, &part, &first, err))
			return false;
		if (at == all.length)
			return true;
		part.text_at = all.text_at + at;
		part.physical = all.physical + at;
		first = next;
	}
}

/* Does it go on where the pending one ends, in the same text or the next of its file? */
static bool goes_on(const struct search *search, const struct pending *more)
{
	const struct pending *const last = &search->pending;
	const struct text *const a = &search->text[last->text], *const b = &search->text[more->text];

	if (last->length == 0 || more->physical != last->physical + last->length || a->inode != b->inode || a->is_packed != b->is_packed)
		return false;
	if (a->is_packed)
		return last->text == more->text && more->text_at == last->text_at + last->length;
	return b->file_offset + more->text_at == a->file_offset + last->text_at + last->length;
}

static bool add_found(struct search *search, struct pending more, struct error *err)
{
	if (goes_on(search, &more)) {
		search->pending.length += more.length;
		return true;
	}
	if (!tell_pending(search, err))
		return false;
	search->pending = more;
	return true;
}

/* --- one part of a device ---------------------------------------------------------------------------------------- */

/* The bytes of a device in the buffer: [first, end) of it are searched. */
struct view {
	uint64_t physical;	/* of bytes[0] */
	const uint8_t *bytes;
	size_t len, first, end;
};

/* How much around bytes[at] is the text around offset. *at becomes where it begins. 0: too little. */
static size_t same_bytes(const struct view *view, size_t *at, const uint8_t *text, size_t text_len, size_t *offset, size_t least)
{
	size_t n = 0, back = 0;

	while (*at + n < view->len && *offset + n < text_len && view->bytes[*at + n] == text[*offset + n])
		n++;
	while (back < *at && back < *offset && view->bytes[*at - back - 1] == text[*offset - back - 1])
		back++;
	*at -= back;
	*offset -= back;
	return n + back < least ? 0 : n + back;
}

/* *end: behind what was found at `at`, or 0. */
static bool compare(struct search *search, const struct view *view, size_t at, const struct needle *needle, size_t *end, struct error *err)
{
	const bool is_whole = needle->offset & NEEDLE_WHOLE_BLOCK;
	struct pending found = { .text = needle->text - 1 };
	const struct text *const text = &search->text[found.text];
	size_t offset = needle->offset & ~NEEDLE_WHOLE_BLOCK, begin = at, n;
	const size_t least = is_whole ? NEEDLE_BLOCK : text->len < AUDIT_SAME_MIN ? text->len : AUDIT_SAME_MIN;
	const uint8_t *bytes;
	bool is_sealed;

	*end = 0;
	if (!take_text(search, found.text, &bytes, &is_sealed, err))
		return false;
	n = same_bytes(view, &begin, bytes, text->len, &offset, least);
	if (n == 0)
		return true;
	*end = begin + n;
	/* What was reported before is not reported again. */
	const uint64_t told = search->pending.length == 0 ? 0 : search->pending.physical + search->pending.length;
	const size_t skip = told > view->physical + begin ? (size_t)(told - view->physical - begin) : 0;

	if (skip >= n)
		return true;
	found.text_at = offset + skip;
	found.physical = view->physical + begin + skip;
	found.length = n - skip;
	return add_found(search, found, err);
}

/* Compares what may be at *at with its text, and moves on: behind it, if it was there. */
static bool try_needle(struct search *search, const struct view *view, const uint8_t **at, const struct needle *needle, bool is_whole,
		       struct error *err)
{
	const size_t here = (size_t)(*at - view->bytes);
	size_t end = 0;

	if (needle && (needle->offset & NEEDLE_WHOLE_BLOCK) == (is_whole ? NEEDLE_WHOLE_BLOCK : 0) &&
	    !compare(search, view, here, needle, &end, err))
		return false;
	if (end > here + NEEDLE_WINDOW)
		*at = view->bytes + end - NEEDLE_WINDOW + 1;
	else
		*at += !is_whole;
	return true;
}

static bool search_windows(struct search *search, const struct view *view, const uint8_t **at, const uint8_t *stop, struct error *err)
{
	uint64_t hash;

	while (*at < stop && (*at = needles_next(&search->needles, *at, stop, &hash)) < stop) {
		if (!try_needle(search, view, at, needles_find(&search->needles, hash), false, err))
			return false;
	}
	return true;
}

static bool search_view(struct search *search, const struct view *view, struct error *err)
{
	const size_t last = view->len < NEEDLE_WINDOW ? 0 : view->len - NEEDLE_WINDOW + 1;
	const uint8_t *const stop = view->bytes + (view->end < last ? view->end : last);
	const uint8_t *at = view->bytes + view->first;

	if (search->needles.n_blocks == 0)
		return search_windows(search, view, &at, stop, err);
	while (at < stop) {
		const size_t in_block = (size_t)((view->physical + (uint64_t)(at - view->bytes)) % NEEDLE_BLOCK);
		const uint8_t *const end = (size_t)(stop - at) < NEEDLE_BLOCK - in_block ? stop : at + NEEDLE_BLOCK - in_block;
		const bool is_block = in_block == 0 && view->len - (size_t)(at - view->bytes) >= NEEDLE_BLOCK;

		if ((is_block && !try_needle(search, view, &at, needles_find_block(&search->needles, at), true, err)) ||
		    !search_windows(search, view, &at, end, err))
			return false;
	}
	return true;
}

static bool search_part(struct search *search, uint64_t begin, uint64_t end, struct error *err)
{
	struct device *const device = search->device->device;

	for (uint64_t at = begin; at < end; at += BODY) {
		const uint64_t first = at - begin < BEFORE ? begin : at - BEFORE;
		const uint64_t body_end = end - at < BODY ? end : at + BODY;
		const uint64_t last = end - body_end < BEHIND ? end : body_end + BEHIND;
		const struct view view = { first, search->buffer, (size_t)(last - first), (size_t)(at - first), (size_t)(body_end - first) };

		if (!device_read(device, search->buffer, view.len, first, err) || !search_view(search, &view, err))
			return false;
		show_progress(search, "search", search->device_done + body_end, search->plan.n_passes * search->plan.device_bytes);
	}
	return true;
}

static bool search_device(struct search *search, struct error *err)
{
	const struct device *const device = search->device->device;
	bool ok = true;

	for (uint64_t at = device_next_data(device, 0); ok && at < device->size; ) {
		const uint64_t end = device_next_hole(device, at);

		ok = search_part(search, at, end, err);
		at = device_next_data(device, end);
	}
	search->device_done += device->size;
	return ok && tell_pending(search, err);
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

static void end_pass(struct search *search)
{
	needles_free(&search->needles);
	for (unsigned i = 0; i < AT_HAND; i++)
		search->at_hand[i].number = 0;
	search->n_texts = 0;
	pass_reset(search);
}

static bool one_pass(struct search *search, struct text_cursor *at, struct error *err)
{
	struct text_cursor again = *at;
	bool ok = texts_walk(search->texts, &again, count_text, search, err) &&
		  needles_new(search->pass_needles, search->pass_anywhere, &search->needles, err);

	pass_reset(search);
	ok = ok && texts_walk(search->texts, at, add_text, search, err);
	for (size_t i = 0; ok && i < search->volume->n_devices; i++) {
		search->device = &search->volume->devices[i];
		ok = !search->device->device || search_device(search, err);
	}
	end_pass(search);
	return ok;
}

bool audit_search(struct texts *texts, size_t memory, const struct audit_listener *listener, struct audit_result *result, struct error *err)
{
	struct search search = {
		.texts = texts, .volume = texts->subvolume->volume, .listener = listener, .result = result, .memory = memory,
	};
	const size_t buffer_size = BEFORE + BODY + BEHIND + NEEDLE_WINDOW;
	struct text_cursor at = { 0 };
	bool ok;

	*result = (struct audit_result){ 0 };
	search.buffer = malloc(buffer_size);
	search.at_hand = calloc(AT_HAND, sizeof(*search.at_hand));
	ok = ((search.buffer && search.at_hand) || error_memory(err)) && make_plan(&search, err);
	for (uint64_t i = 0; ok && i < search.plan.n_passes; i++)
		ok = one_pass(&search, &at, err);
	wiped_free(search.buffer, buffer_size);
	wiped_free(search.at_hand, AT_HAND * sizeof(*search.at_hand));
	free(search.text);
	return ok;
}
