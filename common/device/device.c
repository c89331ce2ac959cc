/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device whatever is below it: a check of bounds in front of every call of its table of functions. */
#include "common/device/device.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/secret.h"

bool device_new(const struct device_ops *ops, void *self, const char *name, uint64_t size, bool writable,
		struct device **device, struct error *err)
{
	struct device *made = malloc(sizeof(*made));
	char *own_name = strdup(name);

	if (!made || !own_name) {
		free(made);
		free(own_name);
		if (ops->close)
			ops->close(self);
		return error_memory(err);
	}
	*made = (struct device){ .ops = ops, .self = self, .name = own_name, .size = size, .writable = writable, .fd = -1 };
	*device = made;
	return true;
}

void device_close(struct device *device)
{
	if (!device)
		return;
	if (device->ops->close)
		device->ops->close(device->self);
	free(device->name);
	free(device);
}

static bool check_bounds(const struct device *device, size_t len, uint64_t at, struct error *err)
{
	if (at > device->size || len > device->size - at)
		return error_set(err, ERROR_CORRUPT, "%s: %zu bytes at %#" PRIx64 " are outside the device of %" PRIu64 " bytes",
				 device->name, len, at, device->size);
	return true;
}

bool device_read(struct device *device, void *bytes, size_t len, uint64_t at, struct error *err)
{
	if (device->from_medium && device->ops->read_medium)
		return device_read_medium(device, bytes, len, at, err);
	if (!check_bounds(device, len, at, err))
		return false;
	return device->ops->read(device->self, bytes, len, at, err) || error_prefix(err, "%s", device->name);
}

static void (*before_first_write)(void);

void device_before_first_write(void (*tell)(void))
{
	before_first_write = tell;
}

bool device_write(struct device *device, const void *bytes, size_t len, uint64_t at, struct error *err)
{
	if (!device->writable)
		return error_set(err, ERROR_REFUSED, "%s: it was opened for reading only", device->name);
	if (!check_bounds(device, len, at, err))
		return false;
	if (before_first_write)
		before_first_write();
	before_first_write = NULL;
	return device->ops->write(device->self, bytes, len, at, err) || error_prefix(err, "%s", device->name);
}

bool device_flush(struct device *device, struct error *err)
{
	if (device->flush_failed)
		return error_set(err, ERROR_IO, "%s: an earlier flush failed", device->name);
	device->flush_failed = device->ops->flush && !device->ops->flush(device->self, err);
	return !device->flush_failed || error_prefix(err, "%s", device->name);
}

bool device_read_medium(struct device *device, void *bytes, size_t len, uint64_t at, struct error *err)
{
	if (!device->ops->read_medium)
		return device_read(device, bytes, len, at, err);
	if (!check_bounds(device, len, at, err))
		return false;
	return device->ops->read_medium(device->self, bytes, len, at, err) || error_prefix(err, "%s", device->name);
}

uint64_t device_next_data(const struct device *device, uint64_t at)
{
	return device->ops->next_data ? device->ops->next_data(device->self, at) : at;
}

uint64_t device_next_hole(const struct device *device, uint64_t at)
{
	return device->ops->next_hole ? device->ops->next_hole(device->self, at) : device->size;
}

bool device_reserve(struct device *device, uint64_t at, uint64_t len, struct error *err)
{
	return !device->ops->reserve || device->ops->reserve(device->self, at, len, err) || error_prefix(err, "%s", device->name);
}

uint64_t device_room(const struct device *device)
{
	return device->ops->room ? device->ops->room(device->self) : UINT64_MAX;
}

void device_punch(struct device *device, uint64_t at, uint64_t len)
{
	if (device->ops->punch)
		device->ops->punch(device->self, at, len);
}

/* Compares piece by piece on the stack: a conversion that has begun must not need more memory. */
static bool is_on_medium(struct device *device, const uint8_t *bytes, size_t len, uint64_t at, bool *is, struct error *err)
{
	uint8_t piece[64u << 10];
	const size_t used = len < sizeof(piece) ? len : sizeof(piece);
	bool ok = true;

	*is = true;
	for (size_t n; ok && *is && len > 0; bytes += n, at += n, len -= n) {
		n = len < used ? len : used;
		ok = device_read_medium(device, piece, n, at, err);
		*is = ok && memcmp(piece, bytes, n) == 0;
	}
	secret_wipe(piece, used);
	return ok;
}

bool device_read_back(struct device *device, const void *bytes, size_t len, uint64_t at, bool *again, struct error *err)
{
	struct error unread;
	bool is;

	/* Bytes that cannot be read can often be written and then read again. */
	*again = !is_on_medium(device, bytes, len, at, &is, &unread) || !is;
	if (!*again)
		return true;
	if (!device_write(device, bytes, len, at, err) || !device_flush(device, err) || !is_on_medium(device, bytes, len, at, &is, err))
		return false;
	return is || error_set(err, ERROR_IO, "%s: %zu bytes at %#" PRIx64 " were written twice and still differ from what was written",
		device->name, len,
			       at);
}

bool device_forget(struct device *device, struct error *err)
{
	return !device->ops->forget || device->ops->forget(device->self, err) || error_prefix(err, "%s", device->name);
}

bool device_still_ours(struct device *device, struct error *err)
{
	return !device->ops->still_ours || device->ops->still_ours(device->self, err);
}

void device_share(struct device *device)
{
	if (device->ops->share)
		device->ops->share(device->self);
}

bool device_check_free(struct device *device, struct error *err)
{
	return device->writable || !device->ops->check_free || device->ops->check_free(device->self, err);
}

bool device_locked_by(struct device *device, pid_t *process)
{
	*process = 0;
	return !device->writable && device->ops->locked_by && device->ops->locked_by(device->self, process);
}
