/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks for another mirror only if a sector does not match. */
#include "common/fs/data-check.h"

#include "common/volume/csum.h"
#include "common/volume/mirror.h"

struct runs {
	uint64_t next;		/* everything before it has been visited */
	uint32_t sector_size;
	csum_visit *visit;
	void *context;
};

static bool visit_gap(const struct runs *runs, uint64_t to, struct error *err)
{
	return runs->next >= to || runs->visit(runs->context, runs->next, (to - runs->next) / runs->sector_size, NULL, err);
}

static bool visit_run(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	struct runs *runs = context;

	if (!visit_gap(runs, logical, err))
		return false;
	runs->next = logical + (uint64_t)n_sectors * runs->sector_size;
	return runs->visit(runs->context, logical, n_sectors, csums, err);
}

bool csum_runs(struct volume *volume, uint64_t logical, uint64_t len, csum_visit *visit, void *context, struct error *err)
{
	struct runs runs = { .next = logical, .sector_size = volume->super.sector_size, .visit = visit, .context = context };

	return csum_lookup(volume, logical, len, visit_run, &runs, err) && visit_gap(&runs, logical + len, err);
}

static bool check_sector(const struct data_check *check, uint64_t logical, uint8_t *sector, const uint8_t *csum, struct error *err)
{
	const struct superblock *super = &check->volume->super;
	unsigned bad = check->n_mirrors;
	struct error unread = { 0 };

	if (csum_matches(super->csum_type, sector, super->sector_size, csum))
		return true;
	for (unsigned mirror = 0; mirror < check->n_mirrors; mirror++) {
		if (!volume_read(check->volume, logical, sector, super->sector_size, mirror, &unread))
			continue;
		if (!csum_matches(super->csum_type, sector, super->sector_size, csum)) {
			bad = bad < mirror ? bad : mirror;
			continue;
		}
		if (check->other && bad < check->n_mirrors)
			check->other(check->context, logical, bad, mirror);
		return true;
	}
	if (check->n_mirrors > 0 && !volume_read_any(check->volume, logical, sector, super->sector_size, &unread))
		memset(sector, 0, super->sector_size);
	return check->wrong(check->context, logical, sector, csum, err);
}

static bool check_run(void *context, uint64_t logical, size_t n_sectors, const uint8_t *csums, struct error *err)
{
	const struct data_check *check = context;
	const struct superblock *super = &check->volume->super;

	if (check->run && !check->run(check->context, logical, n_sectors, csums, err))
		return false;
	for (size_t i = 0; csums && i < n_sectors; i++, logical += super->sector_size, csums += csum_type_size(super->csum_type))
		if (!check_sector(check, logical, check->bytes + (logical - check->logical), csums, err))
			return false;
	return true;
}

bool data_check(const struct data_check *check, struct error *err)
{
	return csum_runs(check->volume, check->logical, check->len, check_run, (void *)check, err);
}
