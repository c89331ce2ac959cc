/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the bytes of one file, as they are, to standard output. */
#include "common/export/out.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define ZEROS (64u << 10)

struct stream_out {
	struct out out;		/* must be first */
	uint64_t at;		/* written so far, as a position in the file */
	uint64_t end;		/* of the wanted part, then of the file */
	bool to_terminal;
	uint8_t zeros[ZEROS];
};

static bool is_for_terminals(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((bytes[i] < 0x20 && !strchr("\t\n\f\r", bytes[i])) || bytes[i] == 0 || bytes[i] == 0x7f)
			return false;
	}
	return true;
}

static bool put(struct stream_out *s, const uint8_t *bytes, size_t len, struct error *err)
{
	if (s->to_terminal && !is_for_terminals(bytes, len)) {
		error_set(err, ERROR_REFUSED, "binary data is not written to a terminal");
		return error_hint(err, "redirect the output to a file, or pipe it through od -c");
	}
	while (len > 0) {
		const ssize_t n = write(STDOUT_FILENO, bytes, len);

		if (n < 0 && errno != EINTR)
			return error_system(err, "standard output");
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
			s->at += (uint64_t)n;
		}
	}
	return true;
}

static bool put_zeros(struct stream_out *s, uint64_t end, struct error *err)
{
	while (s->at < end) {
		if (!put(s, s->zeros, end - s->at < ZEROS ? (size_t)(end - s->at) : ZEROS, err))
			return false;
	}
	return true;
}

static bool stream_begin(struct out *out, const struct out_entry *entry, bool *taken, struct error *refused, struct error *err)
{
	struct stream_out *s = (struct stream_out *)out;

	(void)refused, (void)err;
	if (s->end == 0 || s->end > entry->inode->size)
		s->end = entry->inode->size;
	return *taken = true;
}

static bool stream_data(struct out *out, uint64_t offset, const void *bytes, size_t len, struct error *err)
{
	struct stream_out *s = (struct stream_out *)out;

	return put_zeros(s, offset, err) && put(s, bytes, len, err);
}

static bool stream_end(struct out *out, struct error *err)
{
	struct stream_out *s = (struct stream_out *)out;

	return put_zeros(s, s->end, err);
}

static bool stream_leave(struct out *out, const struct out_entry *directory, struct error *err)
{
	(void)out, (void)directory, (void)err;
	return true;
}

static bool stream_finish(struct out *out, struct error *err)
{
	(void)out, (void)err;
	return true;
}

static void stream_close(struct out *out)
{
	free(out);
}

static const struct out_ops stream_ops = { stream_begin, stream_data, stream_end, stream_leave, stream_finish, stream_close };

bool stream_out_open(uint64_t first, uint64_t end, struct out **out, struct error *err)
{
	struct stream_out *s = calloc(1, sizeof(*s));

	if (!s)
		return error_memory(err);
	s->out = (struct out){ .ops = &stream_ops, .holes_max = UINT64_MAX };
	s->at = first;
	s->end = end;
	s->to_terminal = isatty(STDOUT_FILENO);
	*out = &s->out;
	return true;
}
