/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options for reading an image, as they were given. Their tables and the functions for commands are in command.h. */
#ifndef CMD_IMAGE_OPTIONS_H
#define CMD_IMAGE_OPTIONS_H

#include "common/volume/volume.h"

extern struct image_options {
	char **devices;		/* further ones */
	size_t n_devices;
	bool no_memory;		/* for one of them */
	char *offset, *super, *backup_root, *member;
	int with_log, tolerant;
} image_options;

/* --super and --backup-root */
bool image_options_read(struct volume_options *options, struct error *err) must_use;

#endif /* CMD_IMAGE_OPTIONS_H */
