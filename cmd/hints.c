/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks everybody who knows a cure. */
#include "cmd/hints.h"

#include "cmd/command.h"
#include "cmd/image.h"
#include "cmd/operands.h"

void hint_help(struct error *err)
{
	if (err->kind == ERROR_USAGE && !err->hint[0])
		error_hint(err, command_name ? "see btrfs-crypt %s --help" : "see btrfs-crypt --help", command_name);
}

void hints_complete(const char *image, struct error *err)
{
	image_hint_damage(err);
	hint_directory(image, err);
	hint_commands(image, err);
	hint_help(err);
}
