/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program qemu-nbd, which knows the formats of virtual disks, as a child that serves one image to this process and to nobody else.
 *
 * It gets nothing of ours: an environment of four variables, no descriptor but the socket and a pipe for its messages, a session of its own, so
 * that keys pressed for us do not end it in the middle. It ends when the connection is closed, and when this process ends, however it ends. The
 * socket is in no directory. It takes one connection, and we have made that before the child exists: others cannot come before us.
 */
#ifndef COMMON_DEVICE_QEMU_NBD_H
#define COMMON_DEVICE_QEMU_NBD_H

#include <sys/types.h>

#include "format/error.h"

struct qemu_nbd {
	pid_t process;
	int messages;		/* -1: none */
};

/* Is it installed? ERROR_REFUSED with a hint that names the package. */
bool qemu_nbd_check(struct error *err) must_use;

/* Serves the image at path, which is absolute. *connected is our end of the connection; the caller closes it. */
bool qemu_nbd_start(const char *path, const char *format, bool writable, struct qemu_nbd *server, int *connected, struct error *err) must_use;

/* Waits until it has written what it has to the image and ended. */
void qemu_nbd_stop(struct qemu_nbd *server);

/* It did not come up: says why, and stops it. ERROR_BUSY if somebody else uses the image, otherwise ERROR_CORRUPT. Always false. */
bool qemu_nbd_failed(struct qemu_nbd *server, struct error *err);

#endif /* COMMON_DEVICE_QEMU_NBD_H */
