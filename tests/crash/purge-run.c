/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/crash/purge-run.h"

#include <string.h>

#include "common/sealed/domain.h"

struct volume *purge_run_open(struct disk *disk)
{
	const struct volume_options options = { .unfinished = true };
	struct volume *volume = NULL;
	struct error err = { 0 };

	if (!volume_open(disk_device(disk, true), &options, &volume, &err))
		harness_fail("%s", err.text);
	return volume;
}

bool purge_run(struct disk *disk, struct error *err)
{
	cleanup_volume struct volume *volume = purge_run_open(disk);
	cleanup_domain struct domain *domain = NULL;
	const struct convert_ui ui = { 0 };
	struct convert_plan plan = { 0 };

	return domain_read(volume, 1, &domain, err) && convert_purge(volume, domain->header.domain_uuid, false, &ui, &plan, err);
}

bool purge_run_continue(struct disk *disk, enum convert_goal goal, struct error *err)
{
	cleanup_volume struct volume *volume = purge_run_open(disk);
	const struct key_source none = { .slot = KEY_SLOT_ANY };
	struct convert_plan plan = { 0 };

	return convert_continue(volume, goal, &none, NULL, &plan, err);
}
