/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/crash/legacy-run.h"

#include "common/volume/volume.h"

#define BATCH_BYTES_SMALL (80u << 10)

const char *legacy_set;
struct secret *legacy_key, *legacy_wrong_key;

static bool asked_often_enough(void *context)
{
	unsigned *const left = context;

	return *left != LEGACY_NEVER && (*left)-- == 0;
}

bool legacy_disk_open(struct disk *disk, struct volume **volume, struct error *err)
{
	const struct volume_options options = { .unfinished = true, .to_convert = true };

	return volume_open(disk_device(disk, true), &options, volume, err);
}

static struct convert_ui small_steps(unsigned *stop)
{
	return (struct convert_ui){ .batch_bytes = BATCH_BYTES_SMALL, .stop = asked_often_enough, .context = stop };
}

bool legacy_disk_decrypt(struct disk *disk, unsigned stop, struct error *err)
{
	const char *const names[] = { legacy_set, NULL };
	const struct convert_legacy_options options = { .key = legacy_key, .shared = SHARED_INCLUDE, .recursive = true };
	cleanup_volume struct volume *volume = NULL;
	struct convert_plan plan = { 0 };
	bool ok = legacy_disk_open(disk, &volume, err);

	if (ok) {
		const struct convert_ui ui = small_steps(&stop);

		ok = convert_legacy(volume, names, &options, &ui, &plan, err);
	}
	convert_plan_free(&plan);
	return ok;
}

bool legacy_disk_go_on(struct disk *disk, enum convert_goal goal, struct secret *with, struct error *err)
{
	const struct key_source source = { .volume_key = with, .slot = KEY_SLOT_ANY };
	cleanup_volume struct volume *volume = NULL;
	struct convert_plan plan = { 0 };
	unsigned stop = LEGACY_NEVER;
	bool ok = legacy_disk_open(disk, &volume, err);

	if (ok) {
		const struct convert_ui ui = small_steps(&stop);

		ok = convert_continue(volume, goal, &source, &ui, &plan, err);
	}
	convert_plan_free(&plan);
	return ok;
}
