/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening an image: which devices, which superblock. */
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/unfinished.h"

static struct {
	char **devices;
	size_t n_devices;
	bool no_memory;
} opt;

/* An option that may be given several times is more than popt keeps by itself. */
static void add_device(poptContext context, enum poptCallbackReason reason, const struct poptOption *option, const char *path,
		       const void *data)
{
	char **more = reallocarray(opt.devices, opt.n_devices + 1, sizeof(*more));

	(void)context, (void)reason, (void)option, (void)data;
	opt.devices = more ? more : opt.devices;
	if (more && (more[opt.n_devices] = strdup(path)))
		opt.n_devices++;
	else
		opt.no_memory = true;
}

struct poptOption options_image[] = {
	{ NULL, 0, POPT_ARG_CALLBACK, (void *)add_device, 0, NULL, NULL },
	{ "device", 0, POPT_ARG_STRING, NULL, 'D', "a further device of the filesystem, in any order; repeatable", "PATH" },
	POPT_TABLEEND
};

size_t image_n_devices(void)
{
	return opt.n_devices + 1;
}

bool image_device_open(const char *path, size_t i, struct device **device, struct error *err)
{
	return device_open(i == 0 ? path : opt.devices[i - 1], false, device, err);
}

typedef bool open_function(struct device *device, const struct volume_options *options, struct volume **volume, struct error *err);

/* The devices belong to whoever opens the volume, from the moment that all of them are open. */
static bool open_all(const char *path, bool writable, struct volume_options *options, open_function *open_it, struct volume **volume,
		     struct error *err)
{
	const size_t n = image_n_devices();
	struct device **device = calloc(n, sizeof(*device));
	bool ok = (device && !opt.no_memory) || error_memory(err);

	for (size_t i = 0; ok && i < n; i++)
		ok = i == 0 ? device_open(path, writable, &device[0], err) : image_device_open(path, i, &device[i], err);
	if (ok) {
		options->others = device + 1;
		options->n_others = n - 1;
		ok = open_it(device[0], options, volume, err);
	} else if (device) {
		for (size_t i = 0; i < n; i++)
			device_close(device[i]);
	}
	free(device);
	return ok;
}

/* The texts of both rooms below begin with the path. */
bool image_open_super(const char *path, bool writable, struct volume **volume, struct error *err)
{
	struct volume_options options = { .unfinished = true, .warn = print_warning };

	return open_all(path, writable, &options, volume_open_super, volume, err);
}

static bool open_image(const char *path, bool writable, struct volume_options *options, struct volume **volume, struct error *err)
{
	struct volume_options quiet = { .unfinished = true };
	cleanup_volume struct volume *superblocks = NULL;
	struct error ignored;

	if (open_all(path, writable, options, volume_open, volume, err))
		return true;
	/* Looked at once more, quietly: whoever is refused wants to know by what. */
	if (err->kind == ERROR_UNFINISHED && open_all(path, false, &quiet, volume_open_super, &superblocks, &ignored))
		unfinished_error(&superblocks->super, path, err);
	return false;
}

bool image_open(const char *path, bool writable, bool unfinished, struct volume **volume, struct error *err)
{
	struct volume_options options = { .unfinished = unfinished, .warn = print_warning };

	return open_image(path, writable, &options, volume, err);
}

bool image_open_to_convert(const char *path, bool writable, bool unfinished, struct volume **volume, struct error *err)
{
	struct volume_options options = { .unfinished = unfinished, .to_convert = true, .warn = print_warning };

	return open_image(path, writable, &options, volume, err);
}
