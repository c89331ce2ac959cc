/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header of a qcow2 image and its tables. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/device/qcow2.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static int fd = -1;
	struct error err = { 0 };
	struct qcow2 image;
	bool has;

	if (fd < 0)
		fd = memfd_create("qcow2", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, bytes, len, 0) != (ssize_t)len)
		abort();
	if (!qcow2_read(fd, &image, &err))
		return 0;
	if (strlen(image.backing) > QCOW2_NAME_MAX || strlen(image.data_file) > QCOW2_NAME_MAX)
		abort();
	(void)!qcow2_has_compressed(fd, &image, &has, &err);
	return 0;
}
