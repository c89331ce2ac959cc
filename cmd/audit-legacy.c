/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/audit-legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/print.h"
#include "cmd/row.h"
#include "common/legacy/key-streams.h"
#include "common/sealed/extent-part.h"
#include "common/util/plural.h"

struct sums {
	uint64_t n_files, n_readable_files, readable, compared, bytes;
};

static void print_samples(const struct row *row, const struct key_stream_file *file)
{
	if (file->n_sample > 0) {
		row_u64(row, "sample_offset", "\n  from byte ", file->sample_at);
		row_name(row, "sample", ": ", file->sample, file->n_sample);
	}
	if (file->n_pair > 0) {
		row_u64(row, "pair_first", "\n  bytes at ", file->pair_at[0]);
		row_u64(row, "pair_second", " xor those at ", file->pair_at[1]);
		row_hex(row, "pair_sample", ": ", file->pair, file->n_pair);
	}
}

static bool print_file(const struct subvolume_list *list, const struct tree *tree, const struct key_stream_file *file, struct error *err)
{
	char *const label = file_label(list, tree, file->inode);

	if (!label)
		return error_memory(err);

	const struct row row = row_begin("key-stream");

	row_escaped(&row, "path", "", label);
	free(label);
	row_u64(&row, "subvolume", NULL, tree->id);
	row_u64(&row, "inode", NULL, file->inode);
	row_u64(&row, "size", NULL, file->size);
	row_hex(&row, "iv", NULL, file->iv, sizeof(file->iv));
	row_u64(&row, "pages", ": ", file->n_pages);
	row_format(&row, " page%s", plural(file->n_pages));
	row_u64(&row, "stream_pages", " of ", file->n_in_stream);
	row_words(&row, " with this key stream");
	if (file->shares_with > 0)
		row_u64(&row, "shares_with", ", which inode ", file->shares_with);
	row_words(&row, file->shares_with > 0 ? " has too" : "");
	if (file->n_shared > 0)
		row_u64(&row, "cloned_pages", ", ", file->n_shared);
	row_words(&row, file->n_shared > 0 ? " cloned, which may have another" : "");
	if (file->known_from < LEGACY_PAGE)
		row_u64(&row, "known_from", "; padding shows it from byte ", file->known_from);
	row_u64(&row, "readable_bytes", "; readable without a key: ", file->readable);
	row_u64(&row, "compared_bytes", ", only compared with another page: ", file->compared);
	print_samples(&row, file);
	row_end(&row);
	return true;
}

/* --- what was recovered ----------------------------------------------------------------------------------------------- */

static bool put_bytes(void *context, uint64_t offset, const uint8_t *bytes, size_t len, struct error *err)
{
	const int fd = *(const int *)context;

	for (size_t done = 0; done < len; ) {
		const ssize_t n = pwrite(fd, bytes + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return error_system(err, "cannot write what was recovered");
		done += n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* What is not known stays a hole. */
static bool write_file(const struct key_streams *streams, const struct key_stream_file *file, int dir, const char *output, struct error *err)
{
	char name[64];
	bool ok;
	int fd;

	snprintf(name, sizeof(name), "%" PRIu64 "-%" PRIu64, streams->tree->id, file->inode);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return error_set(err, ERROR_REFUSED, "%.200s/%s exists, and is not overwritten", output, name);
	if (fd < 0)
		return error_system(err, "%.200s/%s", output, name);
	ok = (ftruncate(fd, (off_t)file->size) == 0 || error_system(err, "%.200s/%s", output, name)) &&
	     key_stream_read(streams, file, put_bytes, &fd, err);
	if (close(fd) != 0 && ok)
		ok = error_system(err, "%.200s/%s", output, name);
	if (!ok)
		unlinkat(dir, name, 0);
	return ok;
}

static bool write_all(const struct key_streams *streams, const char *output, struct error *err)
{
	bool ok = true;
	int dir;

	if (mkdir(output, 0700) != 0 && errno != EEXIST)
		return error_system(err, "%.200s", output);
	dir = open(output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_system(err, "%.200s", output);
	for (size_t i = 0; ok && i < streams->n_files; i++)
		ok = streams->file[i].readable == 0 || write_file(streams, &streams->file[i], dir, output, err);
	close(dir);
	return ok;
}

/* --- all of it -------------------------------------------------------------------------------------------------------- */

static void print_sums(const struct sums *sums)
{
	const struct row row = row_begin("summary");

	row_flag(&row, "passed", NULL, sums->readable + sums->compared == 0);
	row_u64(&row, "readable_bytes", "readable without a key: ", sums->readable);
	row_u64(&row, "encrypted_bytes", " of ", sums->bytes);
	row_words(&row, " encrypted bytes");
	row_u64(&row, "readable_files", ", in ", sums->n_readable_files);
	row_u64(&row, "files", " of ", sums->n_files);
	row_format(&row, " file%s", plural(sums->n_files));
	row_u64(&row, "compared_bytes", "; only compared with another page: ", sums->compared);
	row_end(&row);
}

static bool print_all(const struct key_streams *streams, const struct subvolume_list *list, struct sums *sums, struct error *err)
{
	for (size_t i = 0; i < streams->n_files; i++) {
		const struct key_stream_file *const file = &streams->file[i];

		sums->n_files += file->encrypted > 0;
		sums->n_readable_files += file->readable > 0;
		sums->readable += file->readable;
		sums->compared += file->compared;
		sums->bytes += file->encrypted;
		/* What nothing is like says nothing. */
		if ((file->n_in_stream > 1 || file->n_shared > 0) && !print_file(list, streams->tree, file, err))
			return false;
	}
	print_sums(sums);
	return true;
}

bool audit_legacy(const struct subvolume_list *list, const struct subvolume *subvolume, const struct legacy *legacy, const char *output,
		  struct error *err)
{
	struct key_streams streams = { 0 };
	struct sums sums = { 0 };
	struct tree tree;
	bool ok;

	if (!legacy_check_readable(legacy, subvolume->id, err))
		return false;
	if (legacy->mode != LEGACY_CTR)
		return error_set(err, ERROR_REFUSED, "it is encrypted with %s, which has no key stream: only ctr(aes) can be shown to be readable",
				 legacy->algorithm);
	ok = tree_open(list->volume, subvolume->id, &tree, err) && key_streams_find(&tree, legacy, &streams, err) &&
	     print_all(&streams, list, &sums, err) && (!output || write_all(&streams, output, err));
	key_streams_free(&streams);
	return ok && (sums.readable + sums.compared == 0 ||
		      error_set(err, ERROR_CORRUPT, "%" PRIu64 " bytes can be read without a key", sums.readable));
}
