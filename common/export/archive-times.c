/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is passed to libarchive, so that what it writes is what was meant. */
#include "common/export/archive-times.h"

/*
 * In a tar archive, libarchive prints the two numbers of a time before 1970 side by side: "-5.1" for 5 seconds before and 0.1 after. So
 * give it the numbers of the decimal that is meant, -4.9. *loss: the last second of 1969 cannot be expressed.
 */
static struct inode_time as_decimal(struct inode_time time, enum out_loss *loss)
{
	if (time.sec >= 0 || time.nsec == 0)
		return time;
	if (time.sec == -1) {
		*loss = OUT_LOSS_TIMES;
		return (struct inode_time){ -1, 0 };
	}
	return (struct inode_time){ time.sec + 1, 1000000000 - time.nsec };
}

/* Zip and cpio have 32 bits without a sign: the nearest time. libarchive would write the lowest bits, or all ones. */
static struct inode_time as_32_bits(struct inode_time time, enum out_loss *loss)
{
	if (time.sec >= 0 && time.sec <= UINT32_MAX)
		return (struct inode_time){ time.sec, 0 };
	*loss = OUT_LOSS_TIME_RANGE;
	return (struct inode_time){ time.sec < 0 ? 0 : UINT32_MAX, 0 };
}

struct archive_times archive_times(enum out_format format, const struct inode *inode)
{
	struct archive_times times = { inode->mtime, inode->atime, inode->ctime, inode->otime, OUT_LOSSES };

	if (format == OUT_MTREE)
		return times;
	if (format == OUT_TAR) {
		times.mtime = as_decimal(inode->mtime, &times.loss);
		times.atime = as_decimal(inode->atime, &times.loss);
		times.ctime = as_decimal(inode->ctime, &times.loss);
		times.otime = as_decimal(inode->otime, &times.loss);
		return times;
	}
	if (inode->mtime.nsec != 0)
		times.loss = OUT_LOSS_TIMES;
	times.mtime = as_32_bits(inode->mtime, &times.loss);
	/* Cpio does not have the others. */
	if (format == OUT_ZIP) {
		times.atime = as_32_bits(inode->atime, &times.loss);
		times.ctime = as_32_bits(inode->ctime, &times.loss);
	}
	return times;
}
