/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The format is described in docs/interop/qcow2.txt of QEMU. All numbers are big-endian. */
#include "common/device/qcow2.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define HEADER_V2 72u
#define HEADER_V3 104u
#define CLUSTER_BITS_MIN 9
#define CLUSTER_BITS_MAX 21
#define L1_MAX (32u << 20)		/* bytes; QEMU accepts no more */
#define INCOMPATIBLE_DATA_FILE 4u
#define INCOMPATIBLE_WIDE_ENTRIES 16u
#define EXTENSION_DATA_FILE 0x44415441u
#define EXTENSIONS_MAX 64
#define ENTRY_OFFSET 0x00fffffffffffe00u
#define ENTRY_COMPRESSED (UINT64_C(1) << 62)

struct be32 { uint8_t byte[4]; };
struct be64 { uint8_t byte[8]; };

static uint32_t be32(struct be32 v)
{
	uint32_t x;

	memcpy(&x, v.byte, sizeof(x));
	return be32toh(x);
}

static uint64_t be64(struct be64 v)
{
	uint64_t x;

	memcpy(&x, v.byte, sizeof(x));
	return be64toh(x);
}

struct disk_qcow2 {
	uint8_t magic[4];
	struct be32 version;
	struct be64 backing_file_offset;
	struct be32 backing_file_size, cluster_bits;
	struct be64 size;
	struct be32 crypt_method, l1_size;
	struct be64 l1_table_offset, refcount_table_offset;
	struct be32 refcount_table_clusters, nb_snapshots;
	struct be64 snapshots_offset;
	/* version 3 */
	struct be64 incompatible_features, compatible_features, autoclear_features;
	struct be32 refcount_order, header_length;
};
static_assert(sizeof(struct disk_qcow2) == HEADER_V3, "qcow2 header");

#define corrupt(format, ...) error_set(err, ERROR_CORRUPT, "qcow2 header: " format, __VA_ARGS__)

static bool read_at(int fd, void *bytes, size_t len, uint64_t at, struct error *err)
{
	uint8_t *to = bytes;

	if (at > INT64_MAX - len)
		return error_set(err, ERROR_CORRUPT, "qcow2: %zu bytes at %#" PRIx64 " are outside the file", len, at);
	while (len > 0) {
		const ssize_t n = pread(fd, to, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_system(err, "cannot read %zu bytes at %#" PRIx64, len, at);
		if (n == 0)
			return error_set(err, ERROR_CORRUPT, "qcow2: %zu bytes at %#" PRIx64 " are outside the file", len, at);
		to += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return true;
}

static bool read_name(int fd, uint64_t at, uint32_t len, char name[QCOW2_NAME_MAX + 1], const char *field, struct error *err)
{
	if (len == 0 || len > QCOW2_NAME_MAX)
		return corrupt("%s has %" PRIu32 " bytes, not 1 to %d", field, len, QCOW2_NAME_MAX);
	name[len] = '\0';
	return read_at(fd, name, len, at, err);
}

/* The name of the data file is in an extension of the header. */
static bool read_extensions(int fd, uint64_t at, struct qcow2 *image, struct error *err)
{
	struct { struct be32 type, len; } head;

	for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
		if (!read_at(fd, &head, sizeof(head), at, err))
			return false;

		const uint32_t type = be32(head.type), len = be32(head.len);

		if (type == 0)
			return true;
		at += sizeof(head);
		if (len > (1u << image->cluster_bits))
			return corrupt("extension %#" PRIx32 " has %" PRIu32 " bytes, a cluster %u", type, len, 1u << image->cluster_bits);
		if (type == EXTENSION_DATA_FILE && !read_name(fd, at, len, image->data_file, "the name of the data file", err))
			return false;
		at += (len + UINT64_C(7)) / 8 * 8;
	}
	return corrupt("more than %d extensions", EXTENSIONS_MAX);
}

bool qcow2_read(int fd, struct qcow2 *image, struct error *err)
{
	struct disk_qcow2 disk = { 0 };
	const off_t end = lseek(fd, 0, SEEK_END);

	if (end < 0)
		return error_system(err, "cannot tell the size");
	if (!read_at(fd, &disk, HEADER_V2, 0, err))
		return false;

	const uint32_t version = be32(disk.version), cluster_bits = be32(disk.cluster_bits), n_l1 = be32(disk.l1_size);
	const uint64_t backing = be64(disk.backing_file_offset);

	if (memcmp(disk.magic, "QFI\xfb", sizeof(disk.magic)) != 0)
		return corrupt("no magic, but %#x", disk.magic[0]);
	if (version != 2 && version != 3)
		return error_set(err, ERROR_REFUSED, "qcow2 header: version is %" PRIu32 ", and only 2 and 3 are supported", version);
	if (cluster_bits < CLUSTER_BITS_MIN || cluster_bits > CLUSTER_BITS_MAX)
		return corrupt("cluster_bits is %" PRIu32 ", not %d to %d", cluster_bits, CLUSTER_BITS_MIN, CLUSTER_BITS_MAX);
	if (n_l1 > L1_MAX / sizeof(struct be64))
		return corrupt("l1_size is %" PRIu32 ", not up to %zu", n_l1, L1_MAX / sizeof(struct be64));
	if (version == 3 && !read_at(fd, &disk, sizeof(disk), 0, err))
		return false;

	const uint64_t features = be64(disk.incompatible_features);
	const uint32_t header_length = version == 3 ? be32(disk.header_length) : HEADER_V2;

	if (version == 3 && (header_length < HEADER_V3 || header_length > (1u << cluster_bits)))
		return corrupt("header_length is %" PRIu32 ", not %u to %u", header_length, HEADER_V3, 1u << cluster_bits);

	*image = (struct qcow2){
		.version = version,
		.cluster_bits = cluster_bits,
		.size = be64(disk.size),
		.file_size = (uint64_t)end,
		.l1 = be64(disk.l1_table_offset),
		.n_l1 = n_l1,
		.n_snapshots = be32(disk.nb_snapshots),
		.is_encrypted = be32(disk.crypt_method) != 0,
		.has_wide_entries = features & INCOMPATIBLE_WIDE_ENTRIES,
		.has_data_file = features & INCOMPATIBLE_DATA_FILE,
	};
	if (backing != 0 && !read_name(fd, backing, be32(disk.backing_file_size), image->backing, "the name of the backing file", err))
		return false;
	return read_extensions(fd, header_length, image, err);
}

/* Goes through one L2 table, which takes a cluster. */
static bool look_in_table(const struct be64 *entry, const struct qcow2 *image)
{
	const size_t n = ((size_t)1 << image->cluster_bits) / sizeof(*entry), step = image->has_wide_entries ? 2 : 1;

	for (size_t i = 0; i < n; i += step)
		if (be64(entry[i]) & ENTRY_COMPRESSED)
			return true;
	return false;
}

bool qcow2_has_compressed(int fd, const struct qcow2 *image, bool *has, struct error *err)
{
	const size_t cluster = (size_t)1 << image->cluster_bits, l1_bytes = image->n_l1 * sizeof(struct be64);
	struct be64 *l1 = malloc(l1_bytes ? l1_bytes : 1), *l2 = malloc(cluster);
	bool ok = (l1 && l2) || error_memory(err);
	uint64_t left = image->file_size / cluster + 1;		/* as many tables as the file can have */

	*has = false;
	ok = ok && read_at(fd, l1, l1_bytes, image->l1, err);
	for (uint32_t i = 0; ok && !*has && i < image->n_l1; i++) {
		const uint64_t at = be64(l1[i]) & ENTRY_OFFSET;

		if (at == 0)
			continue;
		if (left-- == 0)
			ok = error_set(err, ERROR_CORRUPT, "qcow2: the L1 table names more L2 tables than the file has clusters");
		ok = ok && read_at(fd, l2, cluster, at, err);
		*has = ok && look_in_table(l2, image);
	}
	free(l1);
	free(l2);
	return ok;
}
