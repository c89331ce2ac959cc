/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options for reading an image: their tables, and what was given. */
#ifndef CMD_IMAGE_OPTIONS_H
#define CMD_IMAGE_OPTIONS_H

#include <popt.h>
#include <stddef.h>

#include "format/error.h"

struct volume_options;

/*
 * --device, --image-offset, --allow-backing, --super, --backup-root, --tolerant, --with-log: for commands that only read files.
 */
extern struct poptOption options_image[];
extern struct poptOption options_blocks[];	/* without --with-log: for commands that show trees block by block */
extern struct poptOption options_copies[];	/* only those about devices and superblocks, with the letter that dump-super has for --super */
extern struct poptOption options_image_change[];	/* those about where it is, for commands that change an image */

/* As they were given. */
extern struct image_options {
	char **devices;		/* further ones, NULL terminated; NULL: none */
	bool no_memory;		/* for them */
	char *offset, *super, *backup_root, *member;
	int with_log, tolerant, allow_backing, allow_old_copies;
} image_options;

/*
 * ERROR_USAGE if one of options_image was given; why they do not fit, after the name of the option and a colon. is_changed: those that only
 * say where the image is fit.
 */
bool image_options_none(bool is_changed, const char *why, struct error *err) must_use;
bool image_is_tolerant(void);	/* --tolerant, from options_blocks and options_image */
/* Takes further devices from operands, like --device. NULL terminated. */
void image_add_devices(const char *const *operand);
/* The devices of the command line: 0 is path. */
size_t image_n_devices(void);
const char *image_device_name(const char *path, size_t i);
bool image_super_copy(unsigned *copy, struct error *err) must_use;	/* n + 1, or CHOOSE_BY_ITSELF */
/* --super and --backup-root */
bool image_options_read(struct volume_options *options, struct error *err) must_use;

#endif /* CMD_IMAGE_OPTIONS_H */
