/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the options of convert, and refuses those that do not go together. */
#include "cmd/convert-options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "cmd/command.h"
#include "cmd/did-you-mean.h"
#include "cmd/header-option.h"
#include "cmd/key-options.h"
#include "cmd/operands.h"
#include "cmd/pbkdf-options.h"
#include "cmd/progress.h"
#include "common/util/hex.h"

struct convert_opt convert_opt;

struct poptOption options_convert_what[] = {
	{ "encrypt", 0, POPT_ARG_NONE, &convert_opt.encrypt, 0, "seal the subvolumes", NULL },
	{ "decrypt", 0, POPT_ARG_NONE, &convert_opt.decrypt, 0, "unseal the subvolume and all that were sealed with it; or decrypt one in the format of 2016", NULL },
	{ "rekey", 0, POPT_ARG_NONE, &key_options_many, 0, "give the subvolume and all that were sealed with it a new volume key", NULL },
	{ "purge", 0, POPT_ARG_NONE, &convert_opt.purge, 0, "remove a sealing of which no subvolume is left, without its key (with --domain)", NULL },
	{ "resume", 0, POPT_ARG_NONE, &convert_opt.resume, 0, "go on with an unfinished conversion (to plain text: --decrypt --resume)", NULL },
	{ "abort", 0, POPT_ARG_NONE, &convert_opt.abort, 0, "undo an unfinished conversion", NULL },
	{ "status", 0, POPT_ARG_NONE, &convert_opt.status, 0, "say whether a conversion is unfinished and what to run next; exit status 7 if one is", NULL },
	POPT_TABLEEND
};

/* Its argument may be left out; then nothing is stored. */
static void take_skip(poptContext context, enum poptCallbackReason reason, const struct poptOption *option, const char *number, const void *data)
{
	(void)context, (void)reason, (void)data;
	if (option->val != 'k')
		return;
	convert_opt.skip = true;
	free(convert_opt.n_skip);
	convert_opt.n_skip = number && number[0] ? strdup(number) : NULL;
	convert_opt.no_memory |= number && number[0] && !convert_opt.n_skip;
}

struct poptOption options_convert_how[] = {
	{ NULL, 0, POPT_ARG_CALLBACK, (void *)take_skip, 0, NULL, NULL },
	{ "cipher", 'c', POPT_ARG_STRING, &convert_opt.cipher, 0, "how to encrypt (default: aes-256-gcm; with --rekey: as before)", "aes-256-gcm|chacha20-poly1305" },
	{ "shared", 0, POPT_ARG_STRING, &convert_opt.shared, 0,
	  "what to do about blocks shared with other subvolumes: refuse (default), include those subvolumes, or copy what is shared", "refuse|include|copy" },
	{ "recursive", 0, POPT_ARG_NONE, &convert_opt.recursive, 0, "seal the subvolumes nested in these as well", NULL },
	{ "force-key", 0, POPT_ARG_NONE, &convert_opt.force_key, 0,
	  "decrypt the format of 2016 although nothing tells whether the key is right, or a file speaks against it; if it is wrong, the data are lost", NULL },
	{ "drop-slots", 0, POPT_ARG_NONE, &convert_opt.drop_slots, 0, "with --rekey: drop the key slots that no given key opens", NULL },
	{ "domain", 0, POPT_ARG_STRING, &convert_opt.domain, 0, "with --purge: which sealing, by the uuid that `btrfs-crypt list` prints", "UUID" },
	{ "if-needed", 0, POPT_ARG_NONE, &convert_opt.if_needed, 0,
	  "exit status 0 if there is nothing to do: all are sealed already under this key, or with --decrypt not sealed", NULL },
	{ "dry-run", 0, POPT_ARG_NONE, &convert_opt.dry_run, 0, "print what would be done, change nothing", NULL },
	{ "expect-seal", 0, POPT_ARG_STRING, &convert_opt.expect, 0,
	  "unseal or rekey only if this is the seal fingerprint that sealing printed; otherwise an older copy of the image was put back", "HEX" },
	{ "accept-changes", 0, POPT_ARG_NONE, &convert_opt.accept_changes, 0, "unseal or rekey although names, sizes or modes were changed since", NULL },
	{ "accept-unsealed", 0, POPT_ARG_NONE, &convert_opt.accept_unsealed, 0, "unseal or rekey although data were written since, which stay plain", NULL },
	{ "allow-mounted-copy", 0, POPT_ARG_NONE, &convert_opt.mounted_copy, 0, "go on although another copy of this image is mounted", NULL },
	{ "degraded", 0, POPT_ARG_NONE, &convert_opt.degraded, 0,
	  "with --resume or --abort: go on without a device that was lost, where the profiles allow it", NULL },
	{ "read-back", 0, POPT_ARG_NONE, &convert_opt.read_back, 0, "read all data back from the device before the end", NULL },
	{ "wipe-free", 0, POPT_ARG_NONE, &convert_opt.wipe_free, 0, "at the end overwrite free data space as well, and what no chunk uses", NULL },
	{ "on-error", 0, POPT_ARG_STRING, &convert_opt.on_error, 0,
	  "if no copy of some data matches its checksum, or copies without a checksum differ: stop (default), or seal the data so that the "
	  "checksum stays as wrong, and the copy that cat prints",
	  "stop|continue" },
	{ "skip-damaged", 0, POPT_ARG_STRING | POPT_ARGFLAG_OPTIONAL, NULL, 'k',
	  "leave damaged blocks as they are and convert everything else; N, if asked for: exactly this many blocks of a lost "
	  "journal record", "N" },
	INCLUDE(options_pbkdf),
	INCLUDE(options_progress),
	{ "batch-mode", 'q', POPT_ARG_NONE, &convert_opt.batch, 0, "ask no questions, assume yes", NULL },
	POPT_TABLEEND
};

bool convert_options_cipher(const char *cipher, enum crypt_cipher *out, struct error *err)
{
	return crypt_cipher_find(cipher, out) || error_set(err, ERROR_USAGE, "--cipher takes aes-256-gcm or chacha20-poly1305");
}

bool convert_options_shared(enum convert_shared *out, struct error *err)
{
	const char *shared = convert_opt.shared ? convert_opt.shared : "refuse";

	*out = strcmp(shared, "include") == 0 ? SHARED_INCLUDE : strcmp(shared, "copy") == 0 ? SHARED_COPY : SHARED_REFUSE;
	return *out != SHARED_REFUSE || strcmp(shared, "refuse") == 0 || error_set(err, ERROR_USAGE, "--shared takes refuse, include or copy");
}

bool convert_options_encrypt(struct convert_encrypt_options *out, struct error *err)
{
	*out = (struct convert_encrypt_options){ .recursive = convert_opt.recursive, .dry_run = convert_opt.dry_run };
	if (!convert_options_cipher(convert_opt.cipher ? convert_opt.cipher : "aes-256-gcm", &out->cipher, err))
		return false;
	return convert_options_shared(&out->shared, err) && pbkdf_options_read(&out->cost, &out->kdf_milliseconds, err);
}

/* An option without effect would be a misunderstanding: say so. */
static bool check_options_fit(struct error *err)
{
	const bool starts = !convert_opt.resume && !convert_opt.abort && !convert_opt.status;
	const char *const pbkdf = pbkdf_options_given();
	char pbkdf_text[64];
	const bool encrypts = convert_opt.encrypt && starts, decrypts = convert_opt.decrypt && starts, rekeys = key_options_many && starts;

	snprintf(pbkdf_text, sizeof(pbkdf_text), "%s goes with --encrypt or --rekey", pbkdf ? pbkdf : "");

	const struct { bool given, fits; const char *text; } rule[] = {
		{ convert_opt.cipher, encrypts || rekeys, "--cipher goes with --encrypt or --rekey" },
		{ convert_opt.shared, encrypts || decrypts, "--shared goes with --encrypt, or with --decrypt of the format of 2016" },
		{ convert_opt.recursive, encrypts || decrypts, "--recursive goes with --encrypt, or with --decrypt of the format of 2016" },
		{ convert_opt.if_needed, encrypts || decrypts, "--if-needed goes with --encrypt or --decrypt" },
		{ convert_opt.force_key, decrypts, "--force-key goes with --decrypt" },
		{ key_options_scrypt_2017(), !convert_opt.encrypt && !key_options_many, "--kdf goes with --decrypt, --resume, --abort and --status" },
		{ convert_opt.drop_slots, rekeys, "--drop-slots goes with --rekey" },
		{ pbkdf, encrypts || rekeys, pbkdf_text },
		{ convert_opt.expect, !convert_opt.resume,
		  "--expect-seal does not go with --resume: it is checked when unsealing or rekeying begins" },
		{ convert_opt.accept_changes, !convert_opt.resume,
		  "--accept-changes does not go with --resume: changes are accepted when unsealing or rekeying begins" },
		{ convert_opt.accept_unsealed, !convert_opt.resume,
		  "--accept-unsealed does not go with --resume: data are accepted when unsealing or rekeying begins" },
		{ convert_opt.dry_run, !convert_opt.resume, "--dry-run does not go with --resume: a plan is made before a conversion begins" },
		{ convert_opt.expect, decrypts || rekeys, "--expect-seal goes with --decrypt or --rekey" },
		{ convert_opt.accept_changes, decrypts || rekeys, "--accept-changes goes with --decrypt or --rekey" },
		{ convert_opt.accept_unsealed, decrypts || rekeys, "--accept-unsealed goes with --decrypt or --rekey" },
		{ convert_opt.domain, convert_opt.purge, "--domain goes with --purge" },
		{ convert_opt.purge && (key_options_given() || header_option_given()), false, "--purge takes no key: nothing is left that one could open" },
		{ convert_opt.purge && convert_opt.read_back, false, "--read-back does not go with --purge" },
		{ convert_opt.purge && convert_opt.skip, false, "--skip-damaged does not go with --purge" },
		{ convert_opt.degraded, convert_opt.resume || convert_opt.abort, "--degraded goes with --resume or --abort" },
		{ convert_opt.mounted_copy, !convert_opt.status, "--allow-mounted-copy does not go with --status" },
		{ convert_opt.read_back, !convert_opt.status, "--read-back does not go with --status" },
		{ header_option_given(), convert_opt.decrypt, "--header goes with --decrypt" },
		{ convert_opt.wipe_free, !convert_opt.status, "--wipe-free does not go with --status" },
		{ convert_opt.on_error, encrypts || (convert_opt.resume && !convert_opt.decrypt), "--on-error goes with --encrypt or --resume" },
		{ convert_opt.n_skip, convert_opt.resume || convert_opt.abort, "--skip-damaged=N goes with --resume or --abort" },
		{ convert_opt.skip, !convert_opt.status, "--skip-damaged does not go with --status" },
		{ convert_opt.dry_run, encrypts || decrypts || rekeys || convert_opt.purge, "--dry-run goes with --encrypt, --decrypt, --rekey or --purge" },
	};

	for (size_t i = 0; i < sizeof(rule) / sizeof(rule[0]); i++) {
		if (rule[i].given && !rule[i].fits)
			return error_set(err, ERROR_USAGE, "%s", rule[i].text);
	}
	return true;
}

bool convert_options_check(const char *const *operand, struct error *err)
{
	const int n_others = convert_opt.resume + convert_opt.abort + convert_opt.status + convert_opt.purge;
	const int n_first = convert_opt.encrypt + convert_opt.decrypt + key_options_many;
	size_t n_names = 0;

	while (operand[1 + n_names])
		n_names++;
	if (n_first + n_others == 0) {
		error_set(err, ERROR_USAGE, "one of --encrypt, --decrypt, --rekey, --purge, --resume, --abort and --status is needed");
		hint_action(operand, err);
		return false;
	}
	if (n_first > 1 || n_others > 1 || (n_others == 1 && !convert_opt.resume && n_first > 0))
		return error_set(err, ERROR_USAGE, "only one of --encrypt, --decrypt, --rekey, --purge, --abort and --status, or --resume with one of the "
			"first three");
	if (convert_opt.purge && n_names > 0)
		return error_set(err, ERROR_USAGE, "--purge takes no SUBVOL: none may be left; --domain says which sealing");
	if (convert_opt.purge && !convert_opt.domain)
		return error_set(err, ERROR_USAGE, "--purge needs --domain UUID") || error_hint(err, "`btrfs-crypt list` prints the uuid of each sealing without subvolumes");
	if (n_others == 1 && n_names > 0)
		return error_set(err, ERROR_USAGE, "--resume, --abort and --status take no SUBVOL; they act on the conversion recorded in the image");
	if (n_others == 0 && n_names == 0)
		return error_set(err, ERROR_USAGE, "operand missing: SUBVOL");
	if (convert_opt.decrypt && n_names > 1)
		return error_set(err, ERROR_USAGE, "--decrypt takes one SUBVOL, and unseals all that were sealed with it");
	if (key_options_many && n_names > 1)
		return error_set(err, ERROR_USAGE, "--rekey takes one SUBVOL, and rekeys all that were sealed with it");
	return check_options_fit(err);
}

bool convert_options_damage(struct convert_damage *damage, struct error *err)
{
	const char *on_error = convert_opt.on_error ? convert_opt.on_error : "stop";

	if (strcmp(on_error, "stop") != 0 && strcmp(on_error, "continue") != 0)
		return error_set(err, ERROR_USAGE, "--on-error takes stop or continue");
	*damage = (struct convert_damage){ .carry = strcmp(on_error, "continue") == 0, .skip = convert_opt.skip };
	if (convert_opt.no_memory)
		return error_memory(err);
	return option_number("--skip-damaged", convert_opt.n_skip, 1, UINT32_MAX, &damage->n_skip, err);
}

bool convert_options_expect(uint8_t expect[CONVERT_FINGERPRINT], struct error *err)
{
	return !convert_opt.expect || hex_read(convert_opt.expect, expect, CONVERT_FINGERPRINT) ||
	       error_set(err, ERROR_USAGE, "--expect-seal takes %u hexadecimal digits", 2 * CONVERT_FINGERPRINT);
}

bool convert_options_domain(uint8_t uuid[CRYPT_UUID_SIZE], struct error *err)
{
	return uuid_parse(convert_opt.domain, uuid) == 0 || error_set(err, ERROR_USAGE, "malformed uuid \"%s\"", convert_opt.domain) ||
	       error_hint(err, "36 characters as `btrfs-crypt list` prints them");
}

struct unseal_options convert_options_unseal(const uint8_t *expect)
{
	return (struct unseal_options){
		.accept_changes = convert_opt.accept_changes,
		.accept_unsealed = convert_opt.accept_unsealed,
		.dry_run = convert_opt.dry_run,
		.expect_seal = convert_opt.expect ? expect : NULL,
	};
}
