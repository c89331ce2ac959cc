/* SPDX-License-Identifier: GPL-2.0-or-later */
/* key restore: header and key slots back from a file that key backup made. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/convert-ui.h"
#include "cmd/header-option.h"
#include "cmd/image.h"
#include "cmd/key/domain-key.h"
#include "cmd/key/target.h"
#include "cmd/key/verbs.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "common/convert/key-restore.h"
#include "common/sealed/domain-mac.h"
#include "common/sealed/domain-slots.h"

struct restoring {
	const char *image, *file;
	struct key_target target;	/* its domain is read from the file */
	struct header_backup *backup;
	struct domain_remains remains;
	struct crypt_slot lost[CRYPT_SLOTS_MAX];	/* of the image, which are not those of the file */
	size_t n_lost;
	char path[DOMAIN_KEY_WHAT_SIZE];
};

static void restoring_close(struct restoring *r)
{
	key_target_close(&r->target);
	header_backup_free(r->backup);
}
#define cleanup_restoring __attribute__((cleanup(restoring_close)))

/* --- opening ------------------------------------------------------------------------------------------------------- */

static bool open_target(const char *const *operand, struct restoring *r, struct error *err)
{
	struct key_target *const target = &r->target;

	r->image = operand[0];
	r->file = operand[2];
	return header_backup_open(r->file, &r->backup, err) &&
	       image_open_to_convert(operand[0], (struct image_conversion){ .writable = true }, &target->volume, err) &&
	       subvolumes_read(target->volume, &target->list, err) && subvolume_operand(&target->list, operand[1], &target->subvolume, err) &&
	       (domain_read_backup(target->volume, r->backup, &target->domain, err) || error_prefix(err, "%s", r->file));
}

static bool is_of_another(const struct restoring *r, const char *what, struct error *err)
{
	error_set(err, ERROR_KEY_HEADER, "%s belongs to %s than %s of %s; nothing was changed", r->file, what, r->path, r->image);
	return false;
}

/* What can be told without the key. */
static bool check_subvolume(struct restoring *r, struct error *err)
{
	const struct key_target *const target = &r->target;
	cleanup_domain struct domain *there = NULL;
	struct error ignored = { 0 };

	domain_key_what(target->subvolume, r->path);
	if (domain_claims(target->domain, &target->list, target->subvolume) == DOMAIN_NONE)
		return is_of_another(r, "another subvolume", err);
	if (domain_read(target->volume, target->domain->number, &there, &ignored) &&
	    memcmp(there->header.domain_uuid, target->domain->header.domain_uuid, CRYPT_UUID_SIZE) != 0)
		return is_of_another(r, "another sealing", err);
	return true;
}

static bool is_unsealed(const struct restoring *r, struct error *err)
{
	error_set(err, ERROR_KEY_HEADER, "%s of %s was unsealed or rekeyed since %s was made; nothing was changed", r->path, r->image, r->file);
	return false;
}

static bool has_nothing_sealed(const struct restoring *r)
{
	const uint64_t *const have = r->remains.n_items;

	return have[CRYPT_UNITS] + have[CRYPT_INLINE_UNITS] + have[CRYPT_INDEX] + have[CRYPT_SEAL] == 0;
}

/* What a restore does not bring back has to be there: without it, nothing could be read or unsealed. */
static bool check_items(const struct restoring *r, struct error *err)
{
	const struct crypt_header *const header = &r->target.domain->header;
	const uint64_t *const have = r->remains.n_items;

	if (have[CRYPT_UNITS] == header->n_unit_items && have[CRYPT_INLINE_UNITS] == header->n_inline_items && have[CRYPT_INDEX] == header->n_index_items)
		return true;
	return error_set(err, ERROR_KEY_HEADER, "%s has %" PRIu64 " unit, %" PRIu64 " inline unit and %" PRIu64 " index items of %s, but the header in %s counts %"
			 PRIu64 ", %" PRIu64 " and %" PRIu64 "; nothing was changed", r->image, have[CRYPT_UNITS], have[CRYPT_INLINE_UNITS], have[CRYPT_INDEX],
			 r->path, r->file, header->n_unit_items, header->n_inline_items, header->n_index_items);
}

/* Without a header in the image, an unsealing whose state in the superblocks was lost shows only in what it has changed. */
static bool check_plain(const struct restoring *r, struct error *err)
{
	char name[160];
	uint64_t id;

	if (!domain_remains_plain(r->target.domain, &r->target.list, &id, err))
		return false;
	if (id == 0)
		return true;
	error_set(err, ERROR_KEY_HEADER, "%s: data of %s are not marked as sealed, as an unfinished unsealing leaves them; nothing was changed", r->image,
		  subvolume_name(&r->target.list, id, name));
	return error_hint(err, "--header reads what is left of the subvolume");
}

/* What is sealed in the image says whether the header is its own. Only where that is lost has the filesystem to be the same. */
static bool check_sealing(const struct restoring *r, struct error *err)
{
	const bool is_same = memcmp(r->backup->file.fsid, r->target.volume->super.fsid, FSID_SIZE) == 0;

	if (is_same && has_nothing_sealed(r))
		return is_unsealed(r, err);
	if (r->remains.seal == SEAL_IS_OTHER ||
	    (r->remains.seal == SEAL_IS_GONE && !domain_has_tag(r->target.domain, &r->target.subvolume->root)))
		return is_of_another(r, "another sealing", err);
	if (r->remains.seal == SEAL_IS_GONE && !is_same)
		return is_of_another(r, "another filesystem", err);
	if (r->remains.has_header && r->remains.header.state != CRYPT_STATE_SEALED)
		return domain_is_unfinished_error(r->target.domain, err);
	return check_items(r, err) && (r->remains.has_header || check_plain(r, err));
}

static bool open_key(struct restoring *r, struct error *err)
{
	const struct domain_key_ask ask = { .need = DOMAIN_KEY_NEEDED, .from = DOMAIN_KEY_NO_KEYRING, .image = r->image, .what = r->path };
	bool opened;

	if (!domain_key_open(r->target.domain, &ask, &opened, NULL, err))
		return false;
	return domain_remains_read(r->target.domain, &r->remains, err) ||
	       error_hint(err, "a tree block that no copy has is not in the backup: --header, with --tolerant, reads what is left of the subvolume");
}

/* --- asking ---------------------------------------------------------------------------------------------------------- */

static void slots_text(const struct crypt_slot *slots, size_t n, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, n > 0 ? "key slots" : "no key slots");

	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(text + used, size - used, "%s %u", i ? "," : "", slots[i].number);
}

static bool has_only_hashes(const struct restoring *r)
{
	const struct domain *const domain = r->target.domain;

	return domain->n_slots == 0 && crypt_header_n_slots(&domain->header) > 0;
}

static void tell_sides(const struct restoring *r)
{
	const struct domain *const domain = r->target.domain;
	char slots[160], epoch[32] = "no valid header";

	slots_text(domain->slots, domain->n_slots, slots, sizeof(slots));
	printf_note("%s: epoch %" PRIu64 ", %s", r->file, domain->header.epoch, has_only_hashes(r) ? "no key slots, only their hashes" : slots);
	slots_text(r->remains.slots, r->remains.n_slots, slots, sizeof(slots));
	if (r->remains.has_header)
		snprintf(epoch, sizeof(epoch), "epoch %" PRIu64, r->remains.header.epoch);
	printf_note("%s: %s, %s", r->image, epoch, slots);
}

/* Which slots of the image would go? */
static bool find_lost(struct restoring *r, struct error *err)
{
	for (size_t i = 0; i < r->remains.n_slots; i++) {
		bool is_there;

		if (!crypt_header_has_this(&r->target.domain->header, &r->remains.slots[i].disk, &is_there, err))
			return false;
		if (!is_there)
			r->lost[r->n_lost++] = r->remains.slots[i];
	}
	return true;
}

static bool has_same_slots(const struct restoring *r)
{
	const struct crypt_header *const own = &r->target.domain->header, *const there = &r->remains.header;

	return r->remains.has_header && memcmp(own->slot_hash, there->slot_hash, sizeof(own->slot_hash)) == 0;
}

static void note_fault(void *context, unsigned number, const char *text)
{
	(void)number, (void)text;
	*(bool *)context = true;
}

static bool has_fault(const struct domain *domain)
{
	bool any = false;

	domain_slot_faults(domain, note_fault, &any);
	return any;
}

/* Nothing is missing, and nothing is wrong: both copies of the header are there, and are right for what is there. */
static bool is_whole(const struct restoring *r)
{
	const struct domain *const own = r->target.domain;
	cleanup_domain struct domain *there = NULL;
	struct error ignored = { 0 };
	uint8_t mac[CRYPT_MAC_SIZE];

	return r->remains.has_header && domain_read(r->target.volume, own->number, &there, &ignored) && !there->one_header_bad &&
	       there->header.epoch == r->remains.header.epoch && !has_fault(there) && domain_items_mac(r->target.volume, own->number, own->schedule, mac, &ignored) &&
	       secret_same(mac, there->header.items_mac, sizeof(mac));
}

static bool ask(const struct restoring *r, struct error *err)
{
	char question[500], lost[160];

	slots_text(r->lost, r->n_lost, lost, sizeof(lost));
	if (r->remains.has_header && r->remains.header.epoch > r->target.domain->header.epoch && !has_same_slots(r))
		snprintf(question, sizeof(question), "The header of %.100s is newer than %.100s; its key slots are replaced by the older ones.", r->path, r->file);
	else if (r->n_lost > 0)
		snprintf(question, sizeof(question), "In %.100s, %s are others than in %.100s, and will be lost.", r->image, lost, r->file);
	else
		return true;
	return key_confirm(question, err);
}

/* --- doing it -------------------------------------------------------------------------------------------------------- */

static bool put_back(struct restoring *r, struct error *err)
{
	struct convert_talk talk;
	struct convert_ui ui;
	bool ok;

	if (!convert_ui_init(key_options.batch, &talk, &ui, err))
		return false;
	ui.wipe_free = key_options.wipe_free;
	convert_catch_signals(false);
	ok = key_restore(r->target.volume, r->target.domain, &r->remains, &ui, err);
	progress_clear(&talk.progress);
	return ok || key_target_leave(&r->target, r->image, err);
}

static bool tell(const struct restoring *r, bool changed, struct error *err)
{
	const struct crypt_header *const header = &r->target.domain->header;
	const struct row row = row_begin("restore");

	row_name(&row, "path", changed ? "header of " : "nothing to restore: the header of ", r->path, strlen(r->path));
	row_text(&row, "backup_file", changed ? " restored from " : " is as in ", r->file);
	row_u64(&row, "epoch", ": epoch ", changed ? header->epoch : r->remains.header.epoch);
	row_number(&row, "slots", ", key slots ", crypt_header_n_slots(header));
	row_number(&row, "subvolumes", ", subvolumes ", (int64_t)header->n_members);
	row_flag(&row, "changed", NULL, changed);
	row_end(&row);
	return stdout_flush(err);
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_restoring struct restoring r = { 0 };

	if (!open_target(operand, &r, err) || !check_subvolume(&r, err) || !open_key(&r, err) || !check_sealing(&r, err))
		return false;
	if (is_whole(&r) && has_same_slots(&r))
		return tell(&r, false, err);
	tell_sides(&r);
	return find_lost(&r, err) && ask(&r, err) && put_back(&r, err) && tell(&r, true, err);
}

const struct key_verb key_verb_restore = {
	.name = "restore", .summary = "put header and key slots back from FILE, made by backup", .options = "qwo", .n_operands = 3, .run = run,
};
