/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports each invalid thing once, however often it is met. */
#include "common/volume/tolerance.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/util/hash64.h"
#include "common/volume/volume.h"

static void tell(struct volume *volume, const char *text)
{
	struct set64 *told = &volume->tolerance.told;
	struct error ignored = { 0 };
	bool is_new = true;

	if (!volume->reporter.take || set64_count(told) > TOLERATED_MAX ||
	    !set64_add(told, hash64(text, strlen(text), 0), &is_new, &ignored) || !is_new)
		return;
	report_to(&volume->reporter, &(struct report){
		.kind = REPORT_INVALID, .text = set64_count(told) <= TOLERATED_MAX ? text : "more is invalid than is listed" });
}

bool volume_tolerates(struct volume *volume, struct error *err)
{
	if (!volume->tolerance.is_tolerant || !error_is_damage(err))
		return false;
	tell(volume, err->text);
	*err = (struct error){ 0 };
	return true;
}

void volume_invalid(struct volume *volume, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tell(volume, text);
}

void volume_add_proof(struct volume *volume, struct list_proof *proof)
{
	proof->next = volume->tolerance.proofs;
	volume->tolerance.proofs = proof;
}

void volume_remove_proof(struct volume *volume, const struct list_proof *proof)
{
	struct list_proof **at = &volume->tolerance.proofs;

	while (*at && *at != proof)
		at = &(*at)->next;
	if (*at)
		*at = proof->next;
}

bool volume_proves_list(struct volume *volume, uint64_t subvolume, uint64_t directory, bool *proven, struct error *err)
{
	*proven = false;
	for (struct list_proof *proof = volume->tolerance.proofs; proof && !*proven; proof = proof->next) {
		if (!proof->proves(proof, subvolume, directory, proven, err))
			return false;
	}
	return true;
}
