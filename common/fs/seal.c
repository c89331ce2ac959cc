/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The seal of a domain: one MAC over every unit, every inline unit and every member's digest. */
#include "common/fs/domain-view.h"

struct summing {
	struct mac *mac;	/* K_item */
	struct digest_sum units, inlines;
};

static bool sum_unit(void *context, const struct crypt_unit *unit, uint64_t place, bool *go, struct error *err)
{
	struct summing *summing = context;
	uint8_t mac[CRYPT_MAC_SIZE];

	(void)place, (void)go;
	mac_start(summing->mac);
	mac_update(summing->mac, "U", 1);
	mac_update(summing->mac, &unit->u, sizeof(unit->u));
	if (!mac_finish(summing->mac, mac, err))
		return false;
	digest_add(&summing->units, mac);
	return true;
}

static bool sum_inline(void *context, const struct crypt_inline_unit *unit, uint64_t place, struct error *err)
{
	struct summing *summing = context;
	uint8_t mac[CRYPT_MAC_SIZE];

	(void)place;
	mac_start(summing->mac);
	mac_update(summing->mac, "I", 1);
	mac_update(summing->mac, &unit->disk.i, sizeof(unit->disk.i));
	if (!mac_finish(summing->mac, mac, err))
		return false;
	digest_add(&summing->inlines, mac);
	return true;
}

static void put_words(const uint64_t word[4], uint8_t out[CRYPT_MAC_SIZE])
{
	for (unsigned i = 0; i < 4; i++) {
		const struct le64 disk = to_le64(word[i]);

		memcpy(out + 8 * i, &disk, sizeof(disk));
	}
}

static bool seal_mac(const struct key_schedule *schedule, const struct crypt_header *header, const struct crypt_member *members,
		     size_t n_members, struct crypt_seal *seal, struct error *err)
{
	cleanup_mac struct mac *mac = NULL;
	const uint8_t cipher = header->cipher;
	const struct le64 n_units = to_le64(seal->n_units), n_inline = to_le64(seal->n_inline_units);

	if (!mac_new(schedule, "seal", NULL, 0, &mac, err))
		return false;
	mac_start(mac);
	mac_update(mac, "seal", 4);
	mac_update(mac, header->domain_uuid, sizeof(header->domain_uuid));
	mac_update(mac, &cipher, sizeof(cipher));
	for (size_t i = 0; i < n_members; i++) {
		const struct le64 id = to_le64(members[i].id);

		mac_update(mac, &id, sizeof(id));
		mac_update(mac, members[i].uuid, sizeof(members[i].uuid));
		mac_update(mac, members[i].digest, sizeof(members[i].digest));
	}
	mac_update(mac, &n_units, sizeof(n_units));
	mac_update(mac, seal->unit_sum, sizeof(seal->unit_sum));
	mac_update(mac, &n_inline, sizeof(n_inline));
	mac_update(mac, seal->inline_sum, sizeof(seal->inline_sum));
	return mac_finish(mac, seal->seal, err);
}

bool seal_compute(struct volume *volume, const struct key_schedule *schedule, const struct crypt_header *header,
		  const struct crypt_member *members, size_t n_members, struct crypt_seal *seal, struct error *err)
{
	const struct unit_map all = { .volume = volume, .domain = header->domain };
	struct summing summing = { 0 };
	bool ok = mac_new(schedule, "seal-item", NULL, 0, &summing.mac, err) &&
		  unit_map_visit_all(&all, sum_unit, &summing, err) &&
		  inline_visit_all(volume, header->domain, sum_inline, &summing, err);

	mac_free(summing.mac);
	if (!ok)
		return false;
	*seal = (struct crypt_seal){ .n_units = summing.units.n_items, .n_inline_units = summing.inlines.n_items };
	put_words(summing.units.word, seal->unit_sum);
	put_words(summing.inlines.word, seal->inline_sum);
	return seal_mac(schedule, header, members, n_members, seal, err);
}
