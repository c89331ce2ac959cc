/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert: seals, unseals and rekeys subvolumes in place, continues or undoes an interrupted conversion. */
#include <inttypes.h>
#include <stdlib.h>

#include <uuid/uuid.h>

#include "cmd/command.h"
#include "cmd/convert-keys.h"
#include "cmd/convert-legacy.h"
#include "cmd/convert-needed.h"
#include "cmd/convert-options.h"
#include "cmd/convert-print.h"
#include "cmd/convert-ui.h"
#include "cmd/header-option.h"
#include "cmd/image-options.h"
#include "cmd/image.h"
#include "cmd/key-options.h"
#include "cmd/key/domain-key.h"
#include "cmd/operands.h"
#include "cmd/pbkdf-options.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "cmd/unfinished.h"
#include "common/convert/convert.h"
#include "common/convert/purge.h"
#include "common/sealed/domain.h"
#include "common/util/take.h"
#include "common/volume/still-ours.h"

static const struct poptOption options[] = {
	INCLUDE_AS(options_convert_what, "What to do:"),
	INCLUDE_AS(options_convert_how, "How:"),
	INCLUDE(options_image_change),
	INCLUDE_AS(options_key, "Key:"),
	INCLUDE(options_kdf),
	INCLUDE(options_header),
	INCLUDE_AS(options_format, "Output:"),
	POPT_TABLEEND
};

/* --- the actions -------------------------------------------------------------------------------------------------- */

static bool confirm_volume_key(const struct convert_ui *ui, const struct key_source *key, struct error *err)
{
	if (!key->volume_key || !ui->confirm)
		return true;
	if (ui->confirm(ui->context, key->secret ? "The volume key comes from a file: whoever has that file can always read what is sealed."
						 : "No key slot will be written: without the volume key file nothing that is sealed can ever be read again."))
		return true;
	return error_set(err, ERROR_REFUSED, "not confirmed; nothing was changed");
}

/* A plan can also be made for an image in use, but not carried out. */
static bool open_image(const char *image, struct volume **volume, struct error *err)
{
	struct error busy = { 0 };
	const struct image_conversion how = { .writable = !convert_opt.dry_run, .mounted_copy = convert_opt.mounted_copy,
					       .keep_old = convert_opt.decrypt };

	if (!image_open_to_convert(image, how, volume, err))
		return false;
	if (convert_opt.dry_run && !volume_check_free(*volume, &busy) && busy.kind == ERROR_BUSY)
		printf_warning("%s: while it is, the conversion itself is refused", busy.text);
	return true;
}

/*
 * Nobody should type a passphrase for a misspelled name, or for a subvolume that is sealed (or not sealed) already. *sealed: with --decrypt and
 * --rekey, what the first of them is sealed with; the caller's. NULL: with --encrypt.
 */
static bool check_names(struct volume *volume, const char *const *names, struct domain **sealed, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };

	if (!(convert_opt.encrypt ? subvolume_list_read : subvolume_list_read_over)(volume, &list, err) ||
	    (convert_opt.encrypt && !domain_check_may_seal(volume, err)))
		return false;
	for (size_t i = 0; names[i]; i++) {
		cleanup_domain struct domain *domain = NULL;
		const struct subvolume *subvolume;

		if (!subvolume_operand(&list, names[i], &subvolume, err))
			return false;
		if (convert_opt.encrypt && subvolume->root.algorithm[0] && !(subvolume->root.flags & ROOT_ENCRYPT_2016))
			return sealed_already(names[i], err);
		if (!domain_find(volume, &list, subvolume, &domain, err))
			return false;
		if (convert_opt.encrypt && domain)
			return sealed_already(names[i], err);
		if (!domain && subvolume->root.flags & ROOT_ENCRYPT_2016)
			return error_set(err, ERROR_REFUSED, "subvolume %" PRIu64 " is encrypted in the format of 2016: only --decrypt converts it", subvolume->id);
		if (!convert_opt.encrypt && !domain)
			return not_sealed(names[i], err);
		if (sealed && !*sealed)
			*sealed = TAKE(domain);
	}
	return !convert_opt.encrypt || convert_check_sealed_before(volume, names, convert_opt.recursive, err);
}

/* With --if-needed: is there anything to do? */
static bool is_needed(struct volume *volume, const char *image, const char *const *names, struct convert_plan *plan, bool *needed, struct error *err)
{
	*needed = true;
	if (!convert_opt.if_needed)
		return true;
	if (!convert_is_needed(volume, image, names, needed, plan, err))
		return false;
	plan->is_done = !*needed;
	return true;
}

static bool run_encrypt(const char *image, const char *const *names, struct key_source *key, const struct convert_ui *ui,
			struct convert_plan *plan, struct error *err)
{
	cleanup_volume struct volume *volume = NULL;
	struct convert_encrypt_options how;
	char prompt[400];
	size_t n = 0;
	bool needed;

	if (!convert_options_encrypt(&how, err))
		return false;
	/* Opened before asking, so that nobody types a new passphrase twice for an image that is refused. */
	if (!open_image(image, &volume, err))
		return false;
	if (!is_needed(volume, image, names, plan, &needed, err) || !needed)
		return err->kind == ERROR_NONE;
	if (!check_names(volume, names, NULL, err) || (!how.dry_run && !convert_confirm(volume, names, how.recursive, ui, err)))
		return false;
	how.confirmed = true;
	while (names[n])
		n++;
	if (n == 1)
		snprintf(prompt, sizeof(prompt), "New passphrase for %.160s of %.200s: ", names[0], image);
	else
		snprintf(prompt, sizeof(prompt), "New passphrase for %zu subvolumes of %.200s: ", n, image);
	if (!key_options_read(convert_opt.dry_run ? KEY_NEW : KEY_ASK | KEY_NEW, prompt, key, err) || !confirm_volume_key(ui, key, err))
		return false;
	key_warn_ending(key);
	how.key = key;
	return convert_encrypt(volume, names, &how, ui, plan, err);
}

static bool run_decrypt(const char *image, const char *const *names, struct key_source *key, const struct convert_ui *ui,
			struct convert_plan *plan, struct error *err)
{
	const struct domain_key_ask ask = { .need = DOMAIN_KEY_NEEDED, .image = image, .what = names[0] };
	cleanup_volume struct volume *volume = NULL;
	cleanup_domain struct domain *domain = NULL;
	uint8_t expect[CONVERT_FINGERPRINT];
	bool opened, is_legacy, needed;

	*key = (struct key_source){ .slot = KEY_SLOT_ANY };
	if (!convert_options_expect(expect, err) || !open_image(image, &volume, err))
		return false;
	if (!is_needed(volume, image, names, plan, &needed, err) || !needed)
		return err->kind == ERROR_NONE;
	if (!convert_is_legacy(volume, names[0], &is_legacy, err))
		return false;
	if (is_legacy)
		return convert_legacy_decrypt(volume, names, key, ui, plan, err);
	if (!convert_legacy_check_options(false, err) || !check_names(volume, names, &domain, err))
		return false;
	domain->slots_told = true;	/* convert_decrypt() tells */
	if (!domain_key_open(domain, &ask, &opened, &key->volume_key, err))
		return false;

	const struct convert_decrypt_options how = { .key = key, .unseal = convert_options_unseal(expect) };

	return convert_decrypt(volume, names[0], &how, ui, plan, err);
}

static bool run_rekey(const char *image, const char *const *names, struct convert_talk *talk, const struct convert_ui *ui,
		      struct convert_plan *plan, struct error *err)
{
	struct convert_rekey_options how = { .drop_slots = convert_opt.drop_slots };
	cleanup_volume struct volume *volume = NULL;
	cleanup_domain struct domain *domain = NULL;
	uint8_t expect[CONVERT_FINGERPRINT];

	if ((convert_opt.cipher && !convert_options_cipher(convert_opt.cipher, &how.cipher, err)) ||
	    !pbkdf_options_read(&how.cost, &how.kdf_milliseconds, err) ||
	    !convert_options_expect(expect, err) || !open_image(image, &volume, err) || !check_names(volume, names, &domain, err) ||
	    !convert_read_keys(domain, image, names[0], talk, ui, &how.drop_slots, err))
		return false;
	how.key = talk->keys;
	how.n_keys = talk->n_keys;
	how.unseal = convert_options_unseal(expect);
	if (convert_rekey(volume, names[0], &how, ui, plan, err))
		return true;
	key_hint_rejected(err);
	return false;
}

static bool run_purge(const char *image, const struct convert_ui *ui, struct convert_plan *plan, struct error *err)
{
	cleanup_volume struct volume *volume = NULL;
	uint8_t uuid[CRYPT_UUID_SIZE];

	return convert_options_domain(uuid, err) && open_image(image, &volume, err) && convert_purge(volume, uuid, convert_opt.dry_run, ui, plan, err);
}

/*
 * No key is asked for if only the primary superblock is damaged, or nothing is unfinished. A conversion that is finished except for clearing
 * the superblocks may have no key slots any more, so a missing key is not an error yet.
 */
static bool needs_key(const struct convert_status *status)
{
	return status->state.operation != 0 && status->state.operation != CRYPT_OP_PURGE && (status->state.phase != CRYPT_PHASE_FINISHED || convert_is_interactive(convert_opt.batch));
}

/*
 * Without the header that a key has to be right for, only a key that is given, or asked for, will do. If no conversion is recorded (any more), it
 * is not used, and may be one of the format of 2016: whoever was told to give it need not know that the last write was cut short.
 */
static bool read_key_of_unfinished(struct volume *volume, const char *image, const struct convert_status *status, struct key_source *key, struct error *err)
{
	const bool needed = needs_key(status);
	const struct domain_key_ask ask = { .need = needed ? DOMAIN_KEY_NEEDED : DOMAIN_KEY_IF_GIVEN, .image = image, .what = "the unfinished conversion" };
	cleanup_domain struct domain *domain = NULL;
	struct error ignored = { 0 };
	char prompt[300];

	if (status->state.operation == 0)
		return key_options_read(KEY_IF_GIVEN | KEY_ANY_SIZE, NULL, key, err);
	if (domain_read_unfinished(volume, &domain, &ignored))
		return domain_key_read_tried(domain, &ask, key, err);
	snprintf(prompt, sizeof(prompt), "Passphrase for %s of %.200s: ", ask.what, image);
	return key_options_read(needed ? KEY_ASK : KEY_IF_GIVEN, prompt, key, err);
}

/* Its superblock has the generation of the others, so nothing else tells that it is old. */
static void warn_of_missing(const struct volume *volume)
{
	for (size_t i = 0; i < volume->n_devices; i++) {
		const struct volume_device *const device = &volume->devices[i];
		char uuid[UUID_STR_LEN];

		if (device->device)
			continue;
		uuid_unparse_lower(device->uuid, uuid);
		printf_warning("devid %" PRIu64 " (uuid %s) is missing, and too old now: wipe it (`wipefs --all`) before it is attached again, for a kernel "
			       "cannot tell; `btrfs replace` or `btrfs device remove missing` brings the filesystem in order", device->devid, uuid);
	}
}

static bool run_continue(const char *image, struct key_source *key, const struct convert_ui *ui, struct convert_plan *plan,
			 struct error *err)
{
	const enum convert_goal goal = convert_opt.abort ? CONVERT_ABORT : convert_opt.decrypt ? CONVERT_RESUME_DECRYPT : CONVERT_RESUME;
	cleanup_volume struct volume *volume = NULL;
	const struct image_conversion found = { .writable = true, .unfinished = true, .mounted_copy = convert_opt.mounted_copy,
						.degraded = convert_opt.degraded };
	struct convert_status status;

	if (!image_open_to_convert(image, found, &volume, err) || !convert_status(volume, NULL, &status, err))
		return false;
	convert_catch_signals(status.unfinished);
	if (status.state.operation == CRYPT_OP_PURGE && !key_options_given())
		return convert_continue(volume, goal, key, ui, plan, err);
	if ((needs_key(&status) && !key_options_given() && !convert_check_goal(volume, goal, err)) ||
	    !(status.state.operation == CRYPT_OP_LEGACY ? convert_legacy_read_key(image, true, key, err) :
							  read_key_of_unfinished(volume, image, &status, key, err)))
		return false;

	if (!convert_continue(volume, goal, key, ui, plan, err))
		return domain_key_hint_unfinished(volume, key, err);
	warn_of_missing(volume);
	return true;
}

static bool run_status(const char *image, struct error *err)
{
	cleanup_key_source struct key_source key = { 0 };
	cleanup_volume struct volume *volume = NULL;
	struct convert_status status = { 0 };
	struct convert_plan members = { 0 };
	bool ok;

	if (!image_open_to_convert(image, (struct image_conversion){ .unfinished = true }, &volume, err) || !convert_status(volume, NULL, &status, err) ||
	    !(status.state.operation == CRYPT_OP_LEGACY ? convert_legacy_read_key(image, false, &key, err) :
							  key_options_read(KEY_IF_GIVEN | (status.state.operation ? 0 : KEY_ANY_SIZE), NULL, &key, err)))
		return false;

	if (!convert_status(volume, key_options_given() ? &key : NULL, &status, err))
		return domain_key_hint_unfinished(volume, &key, err);
	/* While another process writes to them, the trees cannot be trusted to say. */
	ok = status.running || unfinished_members(volume, &members, err);
	if (ok)
		convert_print_status(image, &status, &members);
	convert_plan_free(&members);
	if (ok && (status.unfinished || status.damaged_primary))
		command_status = ERROR_UNFINISHED;
	return ok;
}

static const char *result_word(const struct convert_plan *plan)
{
	if (plan->is_done)
		return convert_opt.encrypt ? "nothing to do: sealed already under this key" : "nothing to do: not sealed";
	if (convert_opt.dry_run)
		return plan->purged ? "would be removed" : convert_opt.encrypt ? "would be sealed" : plan->decrypted ? "would be decrypted" : convert_opt.decrypt ? "would be unsealed" : "would be rekeyed";
	if (plan->keys_changed)
		return plan->undone ? "change of key slots undone" : "key slots changed";
	if (plan->purged)
		return plan->undone ? "removal undone" : "removed";
	if (plan->decrypted)
		return plan->undone ? "decryption undone" : "decrypted";
	if (plan->undone)
		return plan->undone == UNDONE_SEALING ? "sealing undone" : plan->undone == UNDONE_REKEYING ? "rekeying undone" : "unsealing undone";
	/* Only cleaning up was left, or less. */
	if (plan->n_members == 0)
		return "finished";
	return plan->rekeyed ? "rekeyed" : plan->key_tag[0] ? "sealed" : "unsealed";
}

static bool run(const char *const *operand, struct error *err)
{
	struct convert_plan plan = { 0 };
	struct convert_talk talk;
	struct convert_ui ui;
	bool ok;

	if (!convert_options_check(operand, err) || !convert_ui_init(convert_opt.batch, &talk, &ui, err) ||
	    !convert_options_damage(&ui.damage, err))
		return false;
	ui.read_back = convert_opt.read_back;
	ui.wipe_free = convert_opt.wipe_free;
	if (convert_opt.status)
		return run_status(operand[0], err);
	if (!convert_opt.dry_run)
		convert_catch_signals(convert_opt.resume || convert_opt.abort);
	if (convert_opt.resume || convert_opt.abort)
		ok = run_continue(operand[0], &talk.key, &ui, &plan, err);
	else if (convert_opt.purge)
		ok = run_purge(operand[0], &ui, &plan, err);
	else if (convert_opt.encrypt)
		ok = run_encrypt(operand[0], operand + 1, &talk.key, &ui, &plan, err);
	else if (convert_opt.decrypt)
		ok = run_decrypt(operand[0], operand + 1, &talk.key, &ui, &plan, err);
	else
		ok = run_rekey(operand[0], operand + 1, &talk, &ui, &plan, err);
	convert_talk_forget(&talk);
	progress_clear(&talk.progress);
	if (ok && (plan.n_carried || plan.n_skipped || plan.n_chosen))
		command_status = ERROR_CORRUPT;
	if (ok)
		convert_print_plan(result_word(&plan), &plan, convert_opt.dry_run);
	else if (!convert_opt.dry_run && (err->kind == ERROR_IO || err->kind == ERROR_MEMORY || err->kind == ERROR_CORRUPT || err->kind == ERROR_STOPPED))
		image_hint_unfinished(operand[0], convert_opt.resume || convert_opt.abort, err);
	convert_plan_free(&plan);
	return ok;
}

const struct command cmd_convert = {
	.name = "convert",
	.operands = "IMAGE [SUBVOL...]",
	.summary = "seal, unseal or rekey subvolumes in place",
	.options = options,
	.run = run,
};
