/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens a domain: gets from a passphrase, key file or volume key to a key schedule that its header vouches for. */
#include "common/sealed/domain.h"

#include <inttypes.h>

#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-slots.h"
#include "common/sealed/header-backup.h"
#include "common/util/take.h"
#include "common/volume/warn.h"

static bool rejected(struct error *err)
{
	return error_set(err, ERROR_KEY, "wrong key or passphrase");
}

struct trying {
	struct domain *domain;
	const struct key_source *key;
	struct error refused;
	bool any;
};

/*
 * Tries the slots that the header vouches for (are_right), or the others. A slot that costs more than this machine should spend does not keep
 * the others from being tried.
 */
static bool try_slots(struct trying *t, bool are_right, struct secret **volume_key, struct error *err)
{
	struct domain *const d = t->domain;
	const struct key_source *const key = t->key;

	for (size_t i = 0; i < d->n_slots; i++) {
		const struct crypt_slot *const slot = &d->slots[i];
		struct error error = { 0 };

		if ((key->slot >= 0 && slot->number != (unsigned)key->slot) || (domain_slot_is(d, slot->number) == DOMAIN_SLOT_RIGHT) != are_right)
			continue;
		t->any = true;
		if (!key_slot_open(slot, domain_slot_secret(slot, key), volume_key, &error)) {
			if (error.kind != ERROR_REFUSED) {
				*err = error;
				return false;
			}
			/* What a damaged slot asks for is part of the damage. */
			if (are_right)
				t->refused = error;
		} else if (*volume_key) {
			d->slot_used = (int)slot->number;
			break;
		}
	}
	return true;
}

static void hint_fault(void *context, unsigned number, const char *text)
{
	struct error *const err = context;

	if (number < CRYPT_SLOTS_MAX && !err->hint[0])
		error_hint(err, "%s; what belongs to it opens nothing until `key restore` puts it back from a header backup", text);
}

static bool has_fault(const struct domain *d, int number, char text[DOMAIN_SLOT_TEXT_SIZE])
{
	return number >= 0 && number < (int)CRYPT_SLOTS_MAX && domain_slot_fault(d, (unsigned)number, text);
}

/* From the outside nobody learns in which way a secret is wrong. */
static bool open_slot(struct domain *d, const struct key_source *key, struct secret **volume_key, struct error *err)
{
	struct trying trying = { .domain = d, .key = key };
	char fault[DOMAIN_SLOT_TEXT_SIZE];

	if (!try_slots(&trying, true, volume_key, err) || (!*volume_key && !try_slots(&trying, false, volume_key, err)))
		return false;
	if (*volume_key)
		return true;
	if (trying.refused.kind != ERROR_NONE) {
		*err = trying.refused;
		return false;
	}
	if (has_fault(d, key->slot, fault)) {
		error_set(err, ERROR_KEY, "%s", fault);
		return error_hint(err, "what belongs to key slot %d opens nothing until `key restore` puts it back from a header backup", key->slot);
	}
	if (!trying.any && key->slot >= 0)
		return error_set(err, ERROR_KEY, "key slot %d is not in use", key->slot);
	rejected(err);
	domain_slot_faults(d, hint_fault, err);
	if (!trying.any && !err->hint[0])
		error_hint(err, "it has no key slot; only the volume key opens it");
	return false;
}

/* Checks one copy of the header. *own: this copy was made with the volume key. */
static bool check_copy(const struct domain *d, const struct crypt_header *header, const struct secret *volume_key, bool *own,
		       struct key_schedule **schedule, struct error *err)
{
	const char *const from = d->backup ? "header backup: " : "";
	uint8_t mac[CRYPT_MAC_SIZE];
	bool authentic;

	*own = false;
	if (!key_schedule_new(volume_key, header->domain_uuid, schedule, err) || !key_schedule_kcv(*schedule, mac, err))
		return false;
	*own = secret_same(mac, header->kcv, sizeof(mac));
	if (!*own)
		return rejected(err);
	if (!crypt_header_check(*schedule, header, &authentic, err))
		return false;
	if (!authentic)
		return error_set(err, ERROR_KEY_HEADER, "%sthe header of sealing %u fails authentication", from, d->number);
	if (d->unfinished)
		return true;
	if (!(d->backup ? header_backup_items_mac(d->backup, *schedule, mac, err) :
			  domain_items_mac(d->volume, d->number, *schedule, mac, err)))
		return false;
	if (!secret_same(mac, header->items_mac, sizeof(mac)))
		return error_set(err, ERROR_KEY_HEADER, "%sthe header of sealing %u does not vouch for its subvolumes", from, d->number);
	return true;
}

/* Takes the newest authentic copy. A key from a slot is right, so then only the header can be wrong. */
static bool authenticate(struct domain *d, const struct secret *volume_key, struct error *err)
{
	const unsigned newer = d->copy_valid[1] && (!d->copy_valid[0] || d->copy[1].epoch > d->copy[0].epoch);
	struct error first = { 0 };
	bool any_own = d->slot_used >= 0;

	for (unsigned n = 0; n < 2; n++) {
		const unsigned i = n == 0 ? newer : !newer;
		cleanup_key_schedule struct key_schedule *schedule = NULL;
		struct error error = { 0 };
		bool own;

		if (!d->copy_valid[i])
			continue;
		if (check_copy(d, &d->copy[i], volume_key, &own, &schedule, &error)) {
			d->header = d->copy[i];
			key_schedule_free(d->schedule);
			d->schedule = TAKE(schedule);
			if (d->one_header_bad)
				volume_warn(d->volume, "one of the two copies of the header of sealing %u is missing, damaged or older: the other one "
					    "is used", d->number);
			return true;
		}
		any_own |= own;
		if (first.kind == ERROR_NONE || first.kind == ERROR_KEY)
			first = error;
	}
	*err = first;
	if (first.kind == ERROR_KEY && any_own)
		return error_set(err, ERROR_KEY_HEADER, "the header of sealing %u does not belong to the volume key in key slot %d", d->number,
				 d->slot_used);
	return false;
}

bool domain_is_key(const struct domain *domain, const struct secret *volume_key, bool *is, struct error *err)
{
	cleanup_key_schedule struct key_schedule *schedule = NULL;
	uint8_t kcv[CRYPT_MAC_SIZE];

	if (!key_schedule_new(volume_key, domain->header.domain_uuid, &schedule, err) || !key_schedule_kcv(schedule, kcv, err))
		return false;
	*is = secret_same(kcv, domain->header.kcv, sizeof(kcv));
	return true;
}

static bool open_domain(struct domain *domain, const struct key_source *key, struct secret **from_slot, struct error *err)
{
	cleanup_secret struct secret *volume_key = NULL;

	domain->slot_used = -1;
	*from_slot = NULL;
	if (key->volume_key)
		return authenticate(domain, key->volume_key, err);
	if (!key->secret)
		return error_set(err, ERROR_KEY, "a key is needed");
	if (!open_slot(domain, key, &volume_key, err) || !authenticate(domain, volume_key, err))
		return false;
	if (!domain_slot_check_opened(domain, (unsigned)domain->slot_used, err)) {
		key_schedule_free(TAKE(domain->schedule));
		return false;
	}
	*from_slot = TAKE(volume_key);
	return true;
}

/* Does this volume key vouch for a header in the image that is newer than the backup? */
static bool is_vouched_for(struct domain *image, const struct domain *backup, const struct secret *volume_key, bool *is, struct error *err)
{
	image->slot_used = -1;
	*is = authenticate(image, volume_key, err) && image->header.epoch > backup->header.epoch;
	return err->kind == ERROR_NONE || err->kind == ERROR_KEY || err->kind == ERROR_KEY_HEADER;
}

/*
 * The image has a newer header than the backup, as it says, and the key does not open it, for the reason in err. If the key opens the backup,
 * that decides: it counts, unless its volume key vouches for the newer header.
 */
static bool open_backup(struct domain *domain, const struct key_source *key, struct secret **from_slot, struct error *err)
{
	const bool is_damage = err->kind == ERROR_KEY_HEADER;
	cleanup_secret struct secret *volume_key = NULL;
	cleanup_domain struct domain *backup = NULL;
	struct error why = { 0 };
	struct domain image;
	bool is_newer = false;

	if (!domain_read_backup(domain->volume, domain->volume->backup, &backup, &why) || !open_domain(backup, key, &volume_key, &why))
		return false;
	if (!is_damage && !is_vouched_for(domain, backup, volume_key ? volume_key : key->volume_key, &is_newer, &why)) {
		*err = why;
		return false;
	}
	if (is_newer) {
		if (err->kind == ERROR_KEY)
			error_hint(err, "the header in the image is newer than the backup, so its key slots count");
		return false;
	}
	volume_warn(domain->volume, "%s; the header backup is used",
		    is_damage ? err->text : "the header in the image says that it is newer than the header backup, but is not authentic");
	*err = (struct error){ 0 };
	image = *domain;
	*domain = *backup;
	*backup = image;
	*from_slot = TAKE(volume_key);
	return true;
}

bool domain_open_key(struct domain *domain, const struct key_source *key, struct secret **from_slot, struct error *err)
{
	const struct header_backup *const backup = domain->volume->backup;
	const bool is_newer = backup && !domain->backup && !domain->unfinished &&
			      memcmp(backup->header.domain_uuid, domain->header.domain_uuid, CRYPT_UUID_SIZE) == 0;

	const bool opened = open_domain(domain, key, from_slot, err);

	/* If the header is wrong, nobody knows what the slots should be. */
	if (opened || err->kind != ERROR_KEY_HEADER)
		domain_slots_warn(domain);
	if (!opened)
		return is_newer && (err->kind == ERROR_KEY || err->kind == ERROR_KEY_HEADER || err->kind == ERROR_REFUSED) &&
		       open_backup(domain, key, from_slot, err);
	if (is_newer)
		volume_warn(domain->volume, "the header in the image has epoch %" PRIu64 " and is used: the header backup is older and has epoch %" PRIu64,
			    domain->header.epoch, backup->header.epoch);
	return true;
}

bool domain_open(struct domain *domain, const struct key_source *key, struct error *err)
{
	cleanup_secret struct secret *from_slot = NULL;

	return domain_open_key(domain, key, &from_slot, err);
}
