/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks everybody who knows a cure. */
#include "cmd/hints.h"

#include "cmd/command.h"
#include "cmd/header-option.h"
#include "cmd/image.h"
#include "cmd/operands.h"

void hint_help(struct error *err)
{
	if (err->kind == ERROR_USAGE && !err->hint[0])
		error_hint(err, command_name ? "see btrfs-crypt %s --help" : "see btrfs-crypt --help", command_name);
}

static void hint_header(struct error *err)
{
	if (err->kind == ERROR_KEY_HEADER && !err->hint[0] && command_has_option("header") && !header_option_given())
		error_hint(err, "with a header backup, --header FILE does without the header in the image; `btrfs-crypt key restore` puts it back");
}

void hints_complete(const char *image, struct error *err)
{
	hint_header(err);
	image_hint_damage(err);
	hint_directory(image, err);
	hint_commands(image, err);
	hint_help(err);
}
