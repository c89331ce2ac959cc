/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/convert-legacy.h"

#include <stdio.h>
#include <unistd.h>

#include "cmd/convert-options.h"
#include "cmd/header-option.h"
#include "cmd/key-options.h"
#include "cmd/legacy-source.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "common/convert/legacy.h"
#include "common/util/take.h"

bool convert_is_legacy(struct volume *volume, const char *name, bool *is, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	const struct subvolume *subvolume;
	struct legacy legacy;

	*is = false;
	if (!subvolume_list_read_over(volume, &list, err) || !subvolume_operand(&list, name, &subvolume, err))
		return false;
	if (subvolume->root.algorithm[0] && !(subvolume->root.flags & ROOT_ENCRYPT_2016))
		return true;
	if (!legacy_find(volume, subvolume, &legacy, err))
		return false;
	*is = legacy.layout != LEGACY_NONE;
	return true;
}

bool convert_legacy_check_options(bool is_legacy, struct error *err)
{
	const struct { bool given, of_legacy; const char *text; } options[] = {
		{ convert_opt.expect, false, "--expect-seal" },
		{ convert_opt.accept_changes, false, "--accept-changes" },
		{ convert_opt.accept_unsealed, false, "--accept-unsealed" },
		{ convert_opt.skip, false, "--skip-damaged" },
		{ header_option_given(), false, "--header" },
		{ convert_opt.shared, true, "--shared" },
		{ convert_opt.recursive, true, "--recursive" },
		{ convert_opt.force_key, true, "--force-key" },
		{ key_options_scrypt_2017(), true, "--kdf" },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].given && options[i].of_legacy != is_legacy)
			return error_set(err, ERROR_USAGE, is_legacy ? "%s does not go with --decrypt of the format of 2016" :
						 "%s goes with --decrypt only in the format of 2016: what was sealed together is unsealed together", options[i].text);
	}
	return true;
}

static bool get_key(struct volume *volume, const char *name, struct secret **key, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	const struct legacy_ask ask = { .is_needed = true };
	const struct subvolume *subvolume;
	struct legacy legacy;

	return subvolume_list_read_over(volume, &list, err) && subvolume_operand(&list, name, &subvolume, err) &&
	       legacy_find(volume, subvolume, &legacy, err) && legacy_check_readable(&legacy, subvolume->id, err) &&
	       legacy_key_get(&(struct legacy_named){ volume, subvolume, &legacy }, &ask, key, err);
}

bool convert_legacy_decrypt(struct volume *volume, const char *const *names, struct key_source *key, const struct convert_ui *ui,
			    struct convert_plan *plan, struct error *err)
{
	struct convert_legacy_options how = { .recursive = convert_opt.recursive, .dry_run = convert_opt.dry_run, .force_key = convert_opt.force_key };

	if (!convert_legacy_check_options(true, err) || !convert_options_shared(&how.shared, err) ||
	    (how.shared == SHARED_COPY && !error_set(err, ERROR_REFUSED, "--shared=copy goes with --encrypt; what is in the format of 2016 is decrypted with all that shares with it")) ||
	    !get_key(volume, names[0], &key->volume_key, err))
		return false;
	how.key = key->volume_key;
	return convert_legacy(volume, names, &how, ui, plan, err);
}

bool convert_legacy_read_key(const char *image, bool is_needed, struct key_source *key, struct error *err)
{
	const bool asks = is_needed && key_options_scrypt_2017() && isatty(STDIN_FILENO) && !format_is_json();
	cleanup_key_source struct key_source source = { 0 };
	char prompt[300];

	snprintf(prompt, sizeof(prompt), "Passphrase for the unfinished decryption of %.200s: ", image);
	*key = (struct key_source){ .slot = KEY_SLOT_ANY };
	if (!key_options_read((asks ? KEY_ASK : KEY_IF_GIVEN) | KEY_ANY_SIZE, prompt, &source, err))
		return false;
	if (!key_source_is_empty(&source))
		return legacy_key_take(&source, key_options_scrypt_2017(), &key->volume_key, err);
	if (!is_needed)
		return true;
	error_set(err, ERROR_KEY, "no key was given");
	return error_hint(err, "give the 16 bytes of the key by --volume-key-file, or a passphrase and --kdf scrypt-2017");
}
