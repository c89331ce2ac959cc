/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares the hints of units with what they point to. */
#include "common/sealed/unit-hints.h"

#include <inttypes.h>

#include "common/tree/tree-gap.h"
#include "common/util/sorted64.h"
#include "common/volume/warn.h"

/* Does the file that the unit names refer to the extent? This is unknown if its subvolume is not part of the scan. */
static bool check_locator(const struct scan *scan, const struct scan_extent *extent, const struct crypt_unit *unit, bool *right, struct error *err)
{
	const struct key key = { unit->inode, KEY_EXTENT_DATA, unit->file_offset };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	struct error unread = { 0 };
	struct file_extent item;
	const uint64_t *member;

	if (unit->root == scan->member[extent->member] && unit->inode == extent->inode && unit->file_offset == extent->file_offset)
		return true;
	member = sorted64_find(scan->member, scan->n_members, unit->root);
	if (!member)
		return true;
	if (!tree_seek_over(&scan->tree[member - scan->member], &key, &iter, NULL, NULL, err))
		return false;
	*right = iter.valid && key_compare(&iter.key, &key) == 0 &&
		 file_extent_read(&iter.item, key.offset, scan->volume->super.sector_size, &item, &unread) && file_extent_has_disk(&item) &&
		 item.disk_bytenr == extent->logical;
	return true;
}

bool unit_hints_check(struct unit_hints *hints, const struct scan *scan, const struct scan_extent *extent, const struct crypt_unit *unit,
		      const uint8_t *first, struct error *err)
{
	bool right = !(first && memcmp(first, unit->first, sizeof(unit->first)) != 0) &&
		     !(unit->unit_id - unit->offset_in_extent == extent->logical && unit->address != extent->logical);

	if (hints->n_wrong > 0 && hints->logical == extent->logical)
		return true;
	if (right && !check_locator(scan, extent, unit, &right, err))
		return false;
	if (!right) {
		hints->n_wrong++;
		hints->logical = extent->logical;
	}
	return true;
}

void unit_hints_tell(const struct unit_hints *hints, const struct volume *volume)
{
	if (hints->n_wrong > 0)
		volume_warn(volume, "the recorded place of %zu sealed extent%s wrong (last: the data at %" PRIu64
			    "): damaged or changed; it is not authenticated and was not needed", hints->n_wrong,
			    hints->n_wrong == 1 ? " is" : "s are", hints->logical);
}
