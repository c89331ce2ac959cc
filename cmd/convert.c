/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert: seals, unseals and rekeys subvolumes in place, continues or undoes an interrupted conversion. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/convert-keys.h"
#include "cmd/convert-print.h"
#include "cmd/convert-ui.h"
#include "cmd/did-you-mean.h"
#include "cmd/header-option.h"
#include "cmd/image.h"
#include "cmd/key-options.h"
#include "cmd/key/domain-key.h"
#include "cmd/operands.h"
#include "cmd/pbkdf-options.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "common/convert/convert.h"
#include "common/sealed/domain.h"
#include "common/util/hex.h"
#include "common/util/take.h"
#include "common/volume/still-ours.h"

static struct {
	int encrypt, decrypt, resume, abort, status, drop_slots;
	int recursive, dry_run, accept_changes, accept_unsealed, mounted_copy, skip, no_memory, read_back, wipe_free, batch;
	char *cipher, *shared, *on_error, *expect, *n_skip;
} opt;

static struct poptOption options_what[] = {
	{ "encrypt", 0, POPT_ARG_NONE, &opt.encrypt, 0, "seal the subvolumes", NULL },
	{ "decrypt", 0, POPT_ARG_NONE, &opt.decrypt, 0, "unseal the subvolume and all that were sealed with it", NULL },
	{ "rekey", 0, POPT_ARG_NONE, &key_options_many, 0, "give the subvolume and all that were sealed with it a new volume key", NULL },
	{ "resume", 0, POPT_ARG_NONE, &opt.resume, 0, "go on with an unfinished conversion (to plain text: --decrypt --resume)", NULL },
	{ "abort", 0, POPT_ARG_NONE, &opt.abort, 0, "undo an unfinished conversion", NULL },
	{ "status", 0, POPT_ARG_NONE, &opt.status, 0, "say whether a conversion is unfinished and what to run next; exit status 7 if one is", NULL },
	POPT_TABLEEND
};

/* Its argument may be left out; then nothing is stored. */
static void take_skip(poptContext context, enum poptCallbackReason reason, const struct poptOption *option, const char *number, const void *data)
{
	(void)context, (void)reason, (void)data;
	if (option->val != 'k')
		return;
	opt.skip = true;
	free(opt.n_skip);
	opt.n_skip = number && number[0] ? strdup(number) : NULL;
	opt.no_memory |= number && number[0] && !opt.n_skip;
}

static struct poptOption options_how[] = {
	{ NULL, 0, POPT_ARG_CALLBACK, (void *)take_skip, 0, NULL, NULL },
	{ "cipher", 'c', POPT_ARG_STRING, &opt.cipher, 0, "how to encrypt (default: aes-256-gcm; with --rekey: as before)", "aes-256-gcm|chacha20-poly1305" },
	{ "shared", 0, POPT_ARG_STRING, &opt.shared, 0,
	  "what to do about blocks shared with other subvolumes: refuse (default), or include those subvolumes", "refuse|include" },
	{ "recursive", 0, POPT_ARG_NONE, &opt.recursive, 0, "seal the subvolumes nested in these as well", NULL },
	{ "drop-slots", 0, POPT_ARG_NONE, &opt.drop_slots, 0, "with --rekey: drop the key slots that no given key opens", NULL },
	{ "dry-run", 0, POPT_ARG_NONE, &opt.dry_run, 0, "print what would be done, change nothing", NULL },
	{ "expect-seal", 0, POPT_ARG_STRING, &opt.expect, 0,
	  "unseal or rekey only if this is the seal fingerprint that sealing printed; otherwise an older copy of the image was put back", "HEX" },
	{ "accept-changes", 0, POPT_ARG_NONE, &opt.accept_changes, 0, "unseal or rekey although names, sizes or modes were changed since", NULL },
	{ "accept-unsealed", 0, POPT_ARG_NONE, &opt.accept_unsealed, 0, "unseal or rekey although data were written since, which stay plain", NULL },
	{ "allow-mounted-copy", 0, POPT_ARG_NONE, &opt.mounted_copy, 0, "go on although another copy of this image is mounted", NULL },
	{ "read-back", 0, POPT_ARG_NONE, &opt.read_back, 0, "read all data back from the device before the end", NULL },
	{ "wipe-free", 0, POPT_ARG_NONE, &opt.wipe_free, 0, "at the end overwrite free data space as well, and what no chunk uses", NULL },
	{ "on-error", 0, POPT_ARG_STRING, &opt.on_error, 0,
	  "if no copy of some data matches its checksum, or copies without a checksum differ: stop (default), or seal the data so that the "
	  "checksum stays as wrong, and the copy that cat prints",
	  "stop|continue" },
	{ "skip-damaged", 0, POPT_ARG_STRING | POPT_ARGFLAG_OPTIONAL, NULL, 'k',
	  "leave damaged blocks as they are and convert everything else; N, if asked for: exactly this many blocks of a lost "
	  "journal record", "N" },
	INCLUDE(options_pbkdf),
	INCLUDE(options_progress),
	{ "batch-mode", 'q', POPT_ARG_NONE, &opt.batch, 0, "ask no questions, assume yes", NULL },
	POPT_TABLEEND
};

static const struct poptOption options[] = {
	INCLUDE_AS(options_what, "What to do:"),
	INCLUDE_AS(options_how, "How:"),
	INCLUDE_AS(options_key, "Key:"),
	INCLUDE(options_header),
	INCLUDE_AS(options_format, "Output:"),
	POPT_TABLEEND
};

/* --- the command line -------------------------------------------------------------------------------------------- */

static bool read_cipher(const char *cipher, enum crypt_cipher *out, struct error *err)
{
	return crypt_cipher_find(cipher, out) || error_set(err, ERROR_USAGE, "--cipher takes aes-256-gcm or chacha20-poly1305");
}

static bool read_encrypt_options(struct convert_encrypt_options *out, struct error *err)
{
	const char *shared = opt.shared ? opt.shared : "refuse";

	*out = (struct convert_encrypt_options){ .recursive = opt.recursive, .dry_run = opt.dry_run };
	if (!read_cipher(opt.cipher ? opt.cipher : "aes-256-gcm", &out->cipher, err))
		return false;
	if (strcmp(shared, "copy") == 0)
		return error_set(err, ERROR_REFUSED, "--shared=copy is not supported by this version");
	if (strcmp(shared, "refuse") != 0 && strcmp(shared, "include") != 0)
		return error_set(err, ERROR_USAGE, "--shared takes refuse or include");
	out->shared = strcmp(shared, "include") == 0 ? SHARED_INCLUDE : SHARED_REFUSE;

	return pbkdf_options_read(&out->cost, &out->kdf_milliseconds, err);
}

/* An option without effect would be a misunderstanding: say so. */
static bool check_options_fit(struct error *err)
{
	const bool starts = !opt.resume && !opt.abort && !opt.status;
	const char *const pbkdf = pbkdf_options_given();
	char pbkdf_text[64];
	const bool encrypts = opt.encrypt && starts, decrypts = opt.decrypt && starts, rekeys = key_options_many && starts;

	snprintf(pbkdf_text, sizeof(pbkdf_text), "%s goes with --encrypt or --rekey", pbkdf ? pbkdf : "");

	const struct { bool given, fits; const char *text; } rule[] = {
		{ opt.cipher, encrypts || rekeys, "--cipher goes with --encrypt or --rekey" },
		{ opt.shared, encrypts, "--shared goes with --encrypt" },
		{ opt.recursive, encrypts, "--recursive goes with --encrypt" },
		{ opt.drop_slots, rekeys, "--drop-slots goes with --rekey" },
		{ pbkdf, encrypts || rekeys, pbkdf_text },
		{ opt.expect, !opt.resume, "--expect-seal does not go with --resume: it is checked when unsealing or rekeying begins" },
		{ opt.accept_changes, !opt.resume, "--accept-changes does not go with --resume: changes are accepted when unsealing or rekeying begins" },
		{ opt.accept_unsealed, !opt.resume, "--accept-unsealed does not go with --resume: data are accepted when unsealing or rekeying begins" },
		{ opt.dry_run, !opt.resume, "--dry-run does not go with --resume: a plan is made before a conversion begins" },
		{ opt.expect, decrypts || rekeys, "--expect-seal goes with --decrypt or --rekey" },
		{ opt.accept_changes, decrypts || rekeys, "--accept-changes goes with --decrypt or --rekey" },
		{ opt.accept_unsealed, decrypts || rekeys, "--accept-unsealed goes with --decrypt or --rekey" },
		{ opt.mounted_copy, !opt.status, "--allow-mounted-copy does not go with --status" },
		{ opt.read_back, !opt.status, "--read-back does not go with --status" },
		{ header_option_given(), opt.decrypt, "--header goes with --decrypt" },
		{ opt.wipe_free, !opt.status, "--wipe-free does not go with --status" },
		{ opt.on_error, encrypts || (opt.resume && !opt.decrypt), "--on-error goes with --encrypt or --resume" },
		{ opt.n_skip, opt.resume || opt.abort, "--skip-damaged=N goes with --resume or --abort" },
		{ opt.skip, !opt.status, "--skip-damaged does not go with --status" },
		{ opt.dry_run, encrypts || decrypts || rekeys, "--dry-run goes with --encrypt, --decrypt or --rekey" },
	};

	for (size_t i = 0; i < sizeof(rule) / sizeof(rule[0]); i++) {
		if (rule[i].given && !rule[i].fits)
			return error_set(err, ERROR_USAGE, "%s", rule[i].text);
	}
	return true;
}

static bool check_action(const char *const *operand, struct error *err)
{
	const int n_others = opt.resume + opt.abort + opt.status, n_first = opt.encrypt + opt.decrypt + key_options_many;
	size_t n_names = 0;

	while (operand[1 + n_names])
		n_names++;
	if (n_first + n_others == 0) {
		error_set(err, ERROR_USAGE, "one of --encrypt, --decrypt, --rekey, --resume, --abort and --status is needed");
		hint_action(operand, err);
		return false;
	}
	if (n_first > 1 || n_others > 1 || (n_others == 1 && !opt.resume && n_first > 0))
		return error_set(err, ERROR_USAGE, "only one of --encrypt, --decrypt, --rekey, --abort and --status, or --resume with one of the "
			"first three");
	if (n_others == 1 && n_names > 0)
		return error_set(err, ERROR_USAGE, "--resume, --abort and --status take no SUBVOL; they act on the conversion recorded in the image");
	if (n_others == 0 && n_names == 0)
		return error_set(err, ERROR_USAGE, "operand missing: SUBVOL");
	if (opt.decrypt && n_names > 1)
		return error_set(err, ERROR_USAGE, "--decrypt takes one SUBVOL, and unseals all that were sealed with it");
	if (key_options_many && n_names > 1)
		return error_set(err, ERROR_USAGE, "--rekey takes one SUBVOL, and rekeys all that were sealed with it");
	return check_options_fit(err);
}

static bool read_damage(struct convert_damage *damage, struct error *err)
{
	const char *on_error = opt.on_error ? opt.on_error : "stop";

	if (strcmp(on_error, "stop") != 0 && strcmp(on_error, "continue") != 0)
		return error_set(err, ERROR_USAGE, "--on-error takes stop or continue");
	*damage = (struct convert_damage){ .carry = strcmp(on_error, "continue") == 0, .skip = opt.skip };
	return opt.no_memory ? error_memory(err) : option_number("--skip-damaged", opt.n_skip, 1, UINT32_MAX, &damage->n_skip, err);
}

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
	const struct image_conversion how = { .writable = !opt.dry_run, .mounted_copy = opt.mounted_copy };

	if (!image_open_to_convert(image, how, volume, err))
		return false;
	if (opt.dry_run && (!device_check_free((*volume)->device, &busy) || !volume_not_mounted(*volume, &busy)) && busy.kind == ERROR_BUSY) {
		printf_warning("%s: while it is, the conversion itself is refused", busy.text);
	}
	return true;
}

/*
 * Nobody should type a passphrase for a misspelled name, or for a subvolume that is sealed (or not sealed) already. *sealed: with --decrypt and
 * --rekey, what the first of them is sealed with; the caller's. NULL: with --encrypt.
 */
static bool check_names(struct volume *volume, const char *const *names, struct domain **sealed, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };

	if (!(opt.encrypt ? subvolume_list_read : subvolume_list_read_over)(volume, &list, err) || (opt.encrypt && !domain_check_may_seal(volume, err)))
		return false;
	for (size_t i = 0; names[i]; i++) {
		cleanup_domain struct domain *domain = NULL;
		const struct subvolume *subvolume;

		if (!subvolume_operand(&list, names[i], &subvolume, err))
			return false;
		if (opt.encrypt && (subvolume->root.algorithm[0] || subvolume->root.flags & ROOT_ENCRYPT_2016))
			return sealed_already(names[i], err);
		if (!domain_find(volume, &list, subvolume, &domain, err))
			return false;
		if (opt.encrypt && domain)
			return sealed_already(names[i], err);
		if (!opt.encrypt && !domain)
			return not_sealed(names[i], err);
		if (sealed && !*sealed)
			*sealed = TAKE(domain);
	}
	return !opt.encrypt || convert_check_sealed_before(volume, names, opt.recursive, err);
}

static bool run_encrypt(const char *image, const char *const *names, struct key_source *key, const struct convert_ui *ui,
			struct convert_plan *plan, struct error *err)
{
	cleanup_volume struct volume *volume = NULL;
	struct convert_encrypt_options how;
	char prompt[400];
	size_t n = 0;

	if (!read_encrypt_options(&how, err))
		return false;
	/* Opened before asking, so that nobody types a new passphrase twice for an image that is refused. */
	if (!open_image(image, &volume, err) || !check_names(volume, names, NULL, err))
		return false;
	while (names[n])
		n++;
	if (n == 1)
		snprintf(prompt, sizeof(prompt), "New passphrase for %.160s of %.200s: ", names[0], image);
	else
		snprintf(prompt, sizeof(prompt), "New passphrase for %zu subvolumes of %.200s: ", n, image);
	if (!key_options_read(opt.dry_run ? KEY_NEW : KEY_ASK | KEY_NEW, prompt, key, err) || !confirm_volume_key(ui, key, err))
		return false;
	key_warn_carriage_return(key);
	how.key = key;
	convert_catch_signals();
	return convert_encrypt(volume, names, &how, ui, plan, err);
}

static bool read_expect(uint8_t expect[CONVERT_FINGERPRINT], struct error *err)
{
	return !opt.expect || hex_read(opt.expect, expect, CONVERT_FINGERPRINT) ||
	       error_set(err, ERROR_USAGE, "--expect-seal takes %u hexadecimal digits", 2 * CONVERT_FINGERPRINT);
}

static struct unseal_options unseal_options(const uint8_t *expect)
{
	return (struct unseal_options){
		.accept_changes = opt.accept_changes,
		.accept_unsealed = opt.accept_unsealed,
		.dry_run = opt.dry_run,
		.expect_seal = opt.expect ? expect : NULL,
	};
}

static bool run_decrypt(const char *image, const char *const *names, struct key_source *key, const struct convert_ui *ui,
			struct convert_plan *plan, struct error *err)
{
	const struct domain_key_ask ask = { .need = DOMAIN_KEY_NEEDED, .image = image, .what = names[0] };
	cleanup_volume struct volume *volume = NULL;
	cleanup_domain struct domain *domain = NULL;
	uint8_t expect[CONVERT_FINGERPRINT];
	bool opened;

	*key = (struct key_source){ .slot = KEY_SLOT_ANY };
	if (!read_expect(expect, err) || !open_image(image, &volume, err) || !check_names(volume, names, &domain, err) ||
	    !domain_key_open(domain, &ask, &opened, &key->volume_key, err))
		return false;

	const struct convert_decrypt_options how = { .key = key, .unseal = unseal_options(expect) };

	convert_catch_signals();
	return convert_decrypt(volume, names[0], &how, ui, plan, err);
}

static bool run_rekey(const char *image, const char *const *names, struct convert_talk *talk, const struct convert_ui *ui,
		      struct convert_plan *plan, struct error *err)
{
	struct convert_rekey_options how = { .drop_slots = opt.drop_slots };
	cleanup_volume struct volume *volume = NULL;
	cleanup_domain struct domain *domain = NULL;
	uint8_t expect[CONVERT_FINGERPRINT];

	if ((opt.cipher && !read_cipher(opt.cipher, &how.cipher, err)) || !pbkdf_options_read(&how.cost, &how.kdf_milliseconds, err) ||
	    !read_expect(expect, err) || !open_image(image, &volume, err) || !check_names(volume, names, &domain, err) ||
	    !convert_read_keys(domain, image, names[0], talk, ui, &how.drop_slots, err))
		return false;
	how.key = talk->keys;
	how.n_keys = talk->n_keys;
	how.unseal = unseal_options(expect);
	convert_catch_signals();
	if (convert_rekey(volume, names[0], &how, ui, plan, err))
		return true;
	key_hint_rejected(err);
	return false;
}

/*
 * No key is asked for if only the primary superblock is damaged, or nothing is unfinished. A conversion that is finished except for clearing
 * the superblocks may have no key slots any more, so a missing key is not an error yet.
 */
static bool needs_key(const struct convert_status *status)
{
	return status->state.operation != 0 && (status->state.phase != CRYPT_PHASE_FINISHED || convert_is_interactive(opt.batch));
}

/* Without the header that a key has to be right for, only a key that is given, or asked for, will do. */
static bool read_key_of_unfinished(struct volume *volume, const char *image, bool needed, struct key_source *key, struct error *err)
{
	const struct domain_key_ask ask = { .need = needed ? DOMAIN_KEY_NEEDED : DOMAIN_KEY_IF_GIVEN, .image = image, .what = "the unfinished conversion" };
	cleanup_domain struct domain *domain = NULL;
	struct error ignored = { 0 };
	char prompt[300];

	if (domain_read_unfinished(volume, &domain, &ignored))
		return domain_key_read_tried(domain, &ask, key, err);
	snprintf(prompt, sizeof(prompt), "Passphrase for %s of %.200s: ", ask.what, image);
	return key_options_read(needed ? KEY_ASK : KEY_IF_GIVEN, prompt, key, err);
}

static bool run_continue(const char *image, struct key_source *key, const struct convert_ui *ui, struct convert_plan *plan,
			 struct error *err)
{
	const enum convert_goal goal = opt.abort ? CONVERT_ABORT : opt.decrypt ? CONVERT_RESUME_DECRYPT : CONVERT_RESUME;
	cleanup_volume struct volume *volume = NULL;
	const struct image_conversion found = { .writable = true, .unfinished = true, .mounted_copy = opt.mounted_copy };
	struct convert_status status;

	if (!image_open_to_convert(image, found, &volume, err) || !convert_status(volume, NULL, &status, err) ||
	    (needs_key(&status) && !key_options_given() && !convert_check_goal(volume, goal, err)) || !read_key_of_unfinished(volume, image, needs_key(&status), key, err))
		return false;

	convert_catch_signals();
	return convert_continue(volume, goal, key, ui, plan, err) || domain_key_hint_unfinished(volume, key, err);
}

static bool run_status(const char *image, struct error *err)
{
	cleanup_key_source struct key_source key = { 0 };
	cleanup_volume struct volume *volume = NULL;
	struct convert_status status = { 0 };

	if (!image_open_to_convert(image, (struct image_conversion){ .unfinished = true }, &volume, err) || !key_options_read(KEY_IF_GIVEN, NULL, &key, err))
		return false;

	if (!convert_status(volume, key_options_given() ? &key : NULL, &status, err))
		return domain_key_hint_unfinished(volume, &key, err);
	convert_print_status(image, &status);
	if (status.unfinished || status.damaged_primary)
		command_status = ERROR_UNFINISHED;
	return true;
}

static const char *result_word(const struct convert_plan *plan)
{
	if (opt.dry_run)
		return opt.encrypt ? "would be sealed" : opt.decrypt ? "would be unsealed" : "would be rekeyed";
	if (plan->keys_changed)
		return plan->undone ? "change of key slots undone" : "key slots changed";
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

	if (!check_action(operand, err) || !convert_ui_init(opt.batch, &talk, &ui, err) ||
	    !read_damage(&ui.damage, err))
		return false;
	ui.read_back = opt.read_back;
	ui.wipe_free = opt.wipe_free;
	if (opt.status)
		return run_status(operand[0], err);
	if (opt.resume || opt.abort)
		ok = run_continue(operand[0], &talk.key, &ui, &plan, err);
	else if (opt.encrypt)
		ok = run_encrypt(operand[0], operand + 1, &talk.key, &ui, &plan, err);
	else if (opt.decrypt)
		ok = run_decrypt(operand[0], operand + 1, &talk.key, &ui, &plan, err);
	else
		ok = run_rekey(operand[0], operand + 1, &talk, &ui, &plan, err);
	convert_talk_forget(&talk);
	progress_clear(&talk.progress);
	if (ok && (plan.n_carried || plan.n_skipped || plan.n_chosen))
		command_status = ERROR_CORRUPT;
	if (ok)
		convert_print_plan(result_word(&plan), &plan, opt.dry_run);
	else if (!opt.dry_run && (err->kind == ERROR_IO || err->kind == ERROR_MEMORY || err->kind == ERROR_CORRUPT || err->kind == ERROR_STOPPED))
		image_hint_unfinished(operand[0], opt.resume || opt.abort, err);
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
