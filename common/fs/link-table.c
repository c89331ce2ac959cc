/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hash table of inodes with several names. */
#include "common/fs/link-table.h"

#include <stdlib.h>
#include <string.h>

static size_t bucket_of(const struct link_table *table, const struct file_id *file)
{
	return (size_t)((file->inode ^ file->subvolume << 40) * 0x9e3779b97f4a7c15u >> 20) & (table->n_buckets - 1);
}

struct link *link_table_find(const struct link_table *table, const struct file_id *file)
{
	struct link *link = table->n_buckets ? table->bucket[bucket_of(table, file)] : NULL;

	while (link && (link->file.inode != file->inode || link->file.subvolume != file->subvolume))
		link = link->next;
	return link;
}

static bool grow(struct link_table *table, struct error *err)
{
	struct link_table larger = { .n_buckets = table->n_buckets ? 2 * table->n_buckets : 256, .n = table->n };

	larger.bucket = calloc(larger.n_buckets, sizeof(*larger.bucket));
	if (!larger.bucket)
		return error_memory(err);
	for (size_t i = 0; i < table->n_buckets; i++) {
		struct link *next;

		for (struct link *link = table->bucket[i]; link; link = next) {
			struct link **to = &larger.bucket[bucket_of(&larger, &link->file)];

			next = link->next;
			link->next = *to;
			*to = link;
		}
	}
	free(table->bucket);
	*table = larger;
	return true;
}

bool link_table_add(struct link_table *table, const struct file_id *file, uint32_t n_links, const void *path, size_t path_len,
		    struct link **result, struct error *err)
{
	if (table->n >= table->n_buckets && !grow(table, err))
		return false;

	struct link **to = &table->bucket[bucket_of(table, file)];
	struct link *link = calloc(1, sizeof(*link));

	if (!link || !(link->path = malloc(path_len + 1))) {
		free(link);
		return error_memory(err);
	}
	memcpy(link->path, path, path_len);
	link->path[path_len] = '\0';
	link->path_len = path_len;
	link->file = *file;
	link->n_left = n_links - 1;
	link->next = *to;
	*to = link;
	table->n++;
	*result = link;
	return true;
}

void link_table_remove(struct link_table *table, struct link *link)
{
	struct link **at = &table->bucket[bucket_of(table, &link->file)];

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	table->n--;
	free(link->path);
	free(link);
}

void link_table_free(struct link_table *table)
{
	for (size_t i = 0; i < table->n_buckets; i++) {
		while (table->bucket[i])
			link_table_remove(table, table->bucket[i]);
	}
	free(table->bucket);
	*table = (struct link_table){ 0 };
}
