/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/device/container.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/device/foreign.h"
#include "common/device/qcow2.h"
#include "common/util/escape.h"
#include "common/util/plural.h"

#define DESCRIPTOR_AT 512u		/* where QEMU looks for the descriptor in a sparse VMDK */
#define DESCRIPTOR_SIZE (20u * 512)	/* and how far */

static bool leads_to(const char *what, const char *name, struct error *err)
{
	char shown[300] = "";

	escape_text(name, strlen(name), shown, sizeof(shown));
	error_set(err, ERROR_REFUSED, "%s%s%s", what, shown[0] ? " " : "", shown);
	return error_hint(err, "if you trust the image, --allow-backing opens what it names");
}

static bool keeps(struct container_options *options, const char *what, struct error *err)
{
	if (!options->allow_old_copies) {
		error_set(err, ERROR_REFUSED, "%s would keep the old data, plain text or keys", what);
		return error_hint(err, "remove that, or make a copy without it: `qemu-img convert -O qcow2`; --allow-old-copies goes on all the same");
	}
	snprintf(options->old_copies, sizeof(options->old_copies), "%s", what);
	return true;
}

/* What stays readable behind what is overwritten. */
static bool check_old_copies(int fd, const struct qcow2 *image, struct container_options *options, struct error *err)
{
	char text[sizeof(options->old_copies)] = "";
	bool has_compressed;

	if (!qcow2_has_compressed(fd, image, &has_compressed, err))
		return false;
	if (image->n_snapshots > 0)
		snprintf(text, sizeof(text), "%" PRIu32 " internal snapshot%s", image->n_snapshots, plural(image->n_snapshots));
	if (has_compressed)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%scompressed clusters", text[0] ? ", " : "");
	if (image->backing[0])
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%sthe backing file", text[0] ? ", " : "");
	return !text[0] || keeps(options, text, err);
}

static bool check_qcow2(int fd, struct container_options *options, struct error *err)
{
	struct qcow2 image;

	if (!qcow2_read(fd, &image, err))
		return false;
	if (image.is_encrypted) {
		error_set(err, ERROR_REFUSED, "it is encrypted by QEMU");
		return error_hint(err, "`qemu-img convert` with --object secret makes an image that can be read");
	}
	if (!options->allow_backing && image.backing[0])
		return leads_to("what it does not have itself is in the backing file", image.backing, err);
	if (!options->allow_backing && image.has_data_file)
		return leads_to("its data are in the external data file", image.data_file, err);
	return options->use == NBD_READ || check_old_copies(fd, &image, options, err);
}

/* A sparse VMDK may have a parent, and one that says it is empty is only a description of other files. */
static bool check_vmdk(int fd, const uint8_t head[FOREIGN_HEAD], struct error *err)
{
	static const uint8_t no_capacity[8];
	char text[DESCRIPTOR_SIZE];
	const bool is_sparse = memcmp(head, "KDMV", 4) == 0;

	if (!is_sparse && memcmp(head, "COWD", 4) != 0)
		return leads_to("it only describes a disk that is in other files", "", err);
	if (is_sparse && memcmp(head + 12, no_capacity, sizeof(no_capacity)) == 0)
		return leads_to("its data are in other files", "", err);

	const ssize_t n = pread(fd, text, sizeof(text), DESCRIPTOR_AT);

	if (n < 0)
		return error_system(err, "cannot read");
	return !memmem(text, (size_t)n, "parentFileNameHint", strlen("parentFileNameHint")) ||
	       leads_to("what it does not have itself is in another file", "", err);
}

/* QED has feature bits in its header: the first is for a backing file. */
static bool check_qed(const uint8_t head[FOREIGN_HEAD], struct error *err)
{
	return !(head[16] & 1) || leads_to("what it does not have itself is in a backing file", "", err);
}

static bool check_image(int fd, const uint8_t head[FOREIGN_HEAD], const struct foreign *found, const char *path, struct container_options *options,
			struct error *err)
{
	char name[128];

	if (strcmp(found->format, "qcow2") == 0)
		return check_qcow2(fd, options, err);
	if (options->use != NBD_READ) {
		escape_text(path, strlen(path), name, sizeof(name));
		error_set(err, ERROR_REFUSED, "%s is only read, not converted", found->name);
		return error_hint(err, "`qemu-img convert -O qcow2 %s NEW.qcow2` makes an image that can be converted", name);
	}
	if (options->allow_backing)
		return true;
	return strcmp(found->format, "vmdk") == 0 ? check_vmdk(fd, head, err) : strcmp(found->format, "qed") != 0 || check_qed(head, err);
}

/* The first bytes of a file that can be opened without waiting; what cannot is left to device_open(), which says why. */
static int open_head(const char *path, uint8_t head[FOREIGN_HEAD])
{
	struct stat st;
	const int fd = stat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) ?
		open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;

	memset(head, 0, FOREIGN_HEAD);
	if (fd >= 0)
		(void)!pread(fd, head, FOREIGN_HEAD, 0);
	return fd;
}

bool container_open(const char *path, struct container_options *options, struct device **device, struct error *err)
{
	uint8_t head[FOREIGN_HEAD];
	bool ok;

	options->old_copies[0] = '\0';
	if (nbd_is_url(path))
		return nbd_open_url(path, options->use, device, err);

	const int fd = open_head(path, head);
	const struct foreign found = foreign_begins(head);
	const bool is_image = fd >= 0 && found.format;

	ok = !is_image || check_image(fd, head, &found, path, options, err) || error_prefix(err, "%s", path);
	if (fd >= 0)
		close(fd);
	if (!ok)
		return false;
	return is_image ? nbd_open_image(path, found.format, options->use == NBD_WRITE, device, err) :
			  device_open(path, options->use == NBD_WRITE ? DEVICE_WRITABLE : DEVICE_READ_ONLY, device, err);
}
