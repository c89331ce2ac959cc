/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening whatever IMAGE can be: a file or block device, an NBD URL, or a virtual disk in a file, which its first bytes tell.
 *
 * A virtual disk may lead to other files (a backing file, an external data file, the parts of a VMDK), and an untrusted one to any file of this
 * machine. What it leads to is found here before another program reads it, and refused unless allowed. Files of virtual disks are neither locked
 * nor leased by us: QEMU has a lock of its own, which keeps other programs of QEMU away, and which our locks would get in the way of.
 */
#ifndef COMMON_DEVICE_CONTAINER_H
#define COMMON_DEVICE_CONTAINER_H

#include "common/device/device.h"
#include "common/device/nbd-device.h"

struct container_options {
	enum nbd_use use;
	bool allow_backing;	/* files that the image leads to are read, and may be written to */
	bool allow_old_copies;	/* it may keep what is overwritten; otherwise it is refused for PLAN and WRITE */
	/* What in it keeps what is overwritten, for people; "": nothing is known. Set if it is opened for PLAN or WRITE. */
	char old_copies[128];
};

/* Like device_open(), which opens what is neither a URL nor a virtual disk. ERROR_REFUSED with a hint as said above. */
bool container_open(const char *path, struct container_options *options, struct device **device, struct error *err) must_use;

#endif /* COMMON_DEVICE_CONTAINER_H */
