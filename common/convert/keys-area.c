/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes header and key slots where an unfinished conversion finds them without the trees. */
#include "common/convert/keys-area.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/sealed/domain-mac.h"
#include "common/volume/mirror.h"
#include "common/volume/still-ours.h"

bool keys_area_write(struct conversion *c, const struct crypt_range *keys, const struct disk_crypt_slot *slots, size_t n_slots,
		     struct error *err)
{
	const uint64_t second = domain_keys_second(keys->length);
	uint8_t *bytes = NULL;
	size_t len;
	bool ok;

	if (!crypt_header_seal(c->schedule, &c->header, err) || !domain_keys_encode(&c->header, slots, n_slots, &bytes, &len, err))
		return false;
	/* After the cut the key can be checked by nothing else. Write it twice, so that one bad sector does not lose it. */
	ok = len <= second ? (volume_still_ours(c->volume, err) || convert_busy(err)) && volume_write(c->volume, keys->logical, bytes, len, err) &&
				     volume_write(c->volume, keys->logical + second, bytes, len, err) && volume_flush(c->volume, err) &&
				     volume_read_back(c->volume, keys->logical, bytes, len, err) &&
				     volume_read_back(c->volume, keys->logical + second, bytes, len, err) :
			     error_set(err, ERROR_NO_SPACE, "the key slots take %zu bytes, but there is room for only %" PRIu64, len, second);
	free(bytes);
	return ok;
}
