/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/key/target.h"

#include "cmd/image.h"
#include "cmd/operands.h"

bool key_target_open(const char *const *operand, struct key_target *target, struct error *err)
{
	if (!image_open(operand[0], TREES_ANYHOW, &target->volume, err) || !subvolumes_read(target->volume, &target->list, err) ||
	    !subvolume_operand(&target->list, operand[1], &target->subvolume, err) ||
	    !domain_find(target->volume, &target->list, target->subvolume, &target->domain, err))
		return false;
	return target->domain || not_sealed(operand[1], err);
}

void key_target_close(struct key_target *target)
{
	domain_free(target->domain);
	subvolume_list_free(&target->list);
	volume_close(target->volume);
	*target = (struct key_target){ 0 };
}
