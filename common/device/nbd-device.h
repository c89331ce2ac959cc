/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes that another program serves with the NBD protocol, as a device.
 *
 * The server is not trusted with anything but its bytes: what it says about size, block sizes and holes is checked, and libnbd checks that
 * its replies belong to our requests. A connection that was lost is never made again, since a server that was started anew may have lost
 * what was not flushed: from then on every read, write and flush is ERROR_IO, and what is on the disk is what a crash there leaves.
 *
 * - write: the server may keep it in a cache. flush: NBD_CMD_FLUSH, which the protocol defines as all writes that were replied to being on
 *   permanent storage. A server without it is refused for writing.
 * - read_medium is read: a client cannot get past the server's caches. What was flushed and is read back proves that the server has it, and
 *   not that the medium behind it has.
 * - libnbd allocates some hundred bytes for each request and frees them with the reply. During a conversion they come from what memory_hold()
 *   has set aside; if there are none, the request fails before it is sent.
 * - Nobody is kept from connecting to the same server, unless the server does that.
 */
#ifndef COMMON_DEVICE_NBD_DEVICE_H
#define COMMON_DEVICE_NBD_DEVICE_H

#include "common/device/device.h"
#include "common/device/qemu-nbd.h"

bool nbd_is_url(const char *path);	/* nbd://, nbd+unix:// */

/* What the one who opens it is going to do. PLAN: only reads, but refuses what WRITE would refuse. */
enum nbd_use { NBD_READ, NBD_PLAN, NBD_WRITE };

/* ERROR_IO if there is no connection; ERROR_REFUSED if it is to be written and the server is read-only, or cannot flush. */
bool nbd_open_url(const char *url, enum nbd_use use, struct device **device, struct error *err) must_use;

/* Disk image `path`, for which a server is started. It ends when the device is closed, or this process. */
bool nbd_open_image(const char *path, const char *format, bool writable, struct device **device, struct error *err) must_use;

#endif /* COMMON_DEVICE_NBD_DEVICE_H */
