/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/convert-needed.h"

#include <stdlib.h>

#include "cmd/convert-options.h"
#include "cmd/key/domain-key.h"
#include "cmd/operands.h"
#include "common/legacy/legacy.h"
#include "common/sealed/domain.h"
#include "common/util/escape.h"

/* One that looks neither sealed nor encrypted in any other way. */
static bool is_plain(struct volume *volume, const struct subvolume *subvolume, bool *plain, struct error *err)
{
	struct legacy legacy;

	if (!legacy_find(volume, subvolume, &legacy, err))
		return false;
	*plain = legacy.layout == LEGACY_NONE && !subvolume->root.algorithm[0];
	return true;
}

/* Is it as it is wanted to be? A key that is given is proven with each, because they may have been sealed at different times. */
static bool is_done(const struct subvolume_list *list, const struct subvolume *subvolume, const char *image, bool *done, struct error *err)
{
	char what[DOMAIN_KEY_WHAT_SIZE];
	const struct domain_key_ask ask = { .need = DOMAIN_KEY_NEEDED, .image = image, .what = domain_key_what(subvolume, what) };
	cleanup_domain struct domain *domain = NULL;

	if (!domain_find(list->volume, list, subvolume, &domain, err))
		return false;
	if (convert_opt.encrypt)
		return !domain ? (*done = false, true) : domain_key_open(domain, &ask, done, NULL, err);
	*done = false;
	return domain || is_plain(list->volume, subvolume, done, err);
}

static bool add(struct convert_plan *plan, const struct subvolume *subvolume, struct error *err)
{
	struct convert_plan_member *const member = &plan->member[plan->n_members];

	*member = (struct convert_plan_member){ .id = subvolume->id, .path = escape_new(subvolume->path, subvolume->path_len) };
	plan->n_members++;
	return member->path || error_memory(err);
}

bool convert_is_needed(struct volume *volume, const char *image, const char *const *names, bool *needed, struct convert_plan *plan, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	size_t n = 0;

	*needed = true;
	while (names[n])
		n++;
	plan->member = calloc(n, sizeof(*plan->member));
	if (!plan->member)
		return error_memory(err);
	if (!subvolume_list_read_over(volume, &list, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct subvolume *subvolume;
		bool done;

		if (!subvolume_operand(&list, names[i], &subvolume, err) || !is_done(&list, subvolume, image, &done, err))
			return false;
		if (!done) {
			convert_plan_free(plan);
			return true;
		}
		if (!add(plan, subvolume, err))
			return false;
	}
	*needed = false;
	return true;
}
