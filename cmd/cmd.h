/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command: one row, one run function.  Only main.c prints errors. */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <popt.h>

#include "common/volume/volume.h"
#include "format/error.h"

#define BTRFS_CRYPT_VERSION "0.1"

struct command {
	const char *name;
	const char *operands;	/* "IMAGE SUBVOL...": words counted by main(); "[X]" optional, "..." repeats the last */
	const char *summary;	/* one line, lower case */
	const struct poptOption *options;
	bool (*run)(const char *const *operand, struct error *err);	/* NULL terminated */
};

extern const struct command cmd_convert, cmd_verify_key, cmd_verify, cmd_dump_tree, cmd_dump_super, cmd_list, cmd_show, cmd_ls,
	cmd_cat, cmd_export, cmd_stat, cmd_resolve, cmd_df, cmd_tree_stats, cmd_timeline;

/* Options that several commands share: include with POPT_ARG_INCLUDE_TABLE. */
extern struct poptOption options_key[];		/* where the key comes from: see cmd/key-options.h */
extern struct poptOption options_key_long[];	/* the same without letters, where those of options_key mean something else */
extern struct poptOption options_format[];	/* --format text|json */
extern struct poptOption options_image[];	/* --device, --image-offset, --super, --backup-root, --tolerant, --with-log: for every command that only reads files */
extern struct poptOption options_blocks[];	/* without --with-log: for those that show trees block by block */
extern struct poptOption options_copies[];	/* those of them that are about devices and superblocks alone, --super with the letter that dump-super has */
bool format_is_json(void);
void format_before_command(const char *how);	/* --format that was given before the command; one behind it counts more */
bool format_check(struct error *err) must_use;	/* main() calls it, after the options are parsed */

/*
 * The value of a numeric option, in decimal.  NULL, not given: *number stays.  Else ERROR_USAGE with the option, what was given and what may be.
 * Such an option is a POPT_ARG_STRING: popt does not say which one it dislikes.
 */
bool option_number(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *number, struct error *err) must_use;

/* The same of an address, an offset or a size: also hexadecimal, and with a unit (common/util/number.h). */
bool option_bytes(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *number, struct error *err) must_use;

/* One exit status that is not an error: convert --status gives 7 while unfinished, verify-key 2.  main() returns it when run() was true. */
extern int command_status;

extern const char *command_name;	/* of the row that runs; NULL before */
extern const struct poptOption *command_options;	/* the same */
/* The option of this name, or else of this letter (0: none), in a table and those that it includes; NULL where there is none. */
const struct poptOption *option_find(const struct poptOption *table, const char *name, char letter);
bool command_has_letter(char letter);
bool command_has_option(const char *name);	/* "with-log": a hint must not name what the command does not know */

/* False, as an error of the system, where something could not be written, now or before. */
bool stdout_flush(struct error *err) must_use;

/*
 * Whoever reads what is written to a pipe may go away, as head does: the program then ends as every other does, with nothing said; but for those that call
 * pipe_watch(), only after what they have to finish.  Where SIGPIPE is ignored by whoever called, it is an error as any other.
 */
void pipe_watch(void);
bool pipe_is_gone(void);

/* One line on stderr (JSON with --format json): for the warn and note members of the rooms below. */
void print_warning(void *context, const char *text);
void print_note(void *context, const char *text);
/* The same of what is invalid and was used, or left out, with --tolerant: the status becomes 6. */
void print_invalid(void *context, const char *text);
/* A warning about what a walk could not read: path as an image has it, top where it is empty. */
void print_damage(const uint8_t *path, size_t len, const char *top, const struct error *what);

/*
 * Opens an image, and whatever options_image say, with warnings printed; errors begin with its name.  Where a conversion is
 * unfinished, a warning says so, and its last records are laid over the trees in memory; unfinished: also where they cannot be read, with a warning;
 * else that is ERROR_UNFINISHED.  image_open_to_convert() refuses several devices.
 */
bool image_open(const char *path, bool writable, bool unfinished, struct volume **volume, struct error *err) must_use;
/* Who is told instead what image_open(), and whoever reads the volume then, finds to be invalid; for those that write a report of it. */
void image_hear_invalid(void (*invalid)(void *context, const char *text), void *context);
/* For those who show trees block by block, with what is wrong with each: --tolerant is only about what is read to get there. */
bool image_open_blocks(const char *path, struct volume **volume, struct error *err) must_use;
/* Gives an error that is the image's fault, where the trees cannot be got at, the hint which options may get further. */
void image_hint_damage(struct error *err);
/* Gives an error that stopped a conversion the hint how to go on, where it left the image unfinished. */
void image_hint_unfinished(const char *path, struct error *err);
/* mounted_copy: another filesystem of its uuid may be mounted. */
bool image_open_to_convert(const char *path, bool writable, bool unfinished, bool mounted_copy, struct volume **volume, struct error *err) must_use;
/* ERROR_USAGE where one of options_image was given: for what is mounted they mean nothing. */
bool image_options_none(struct error *err) must_use;
bool image_is_tolerant(void);	/* --tolerant, of options_blocks and options_image */
/* More devices, as operands: they are the same as --device.  NULL terminated. */
void image_add_devices(const char *const *operand);
/* Device i of the command line, 0 being path, for those who look at devices one by one. */
size_t image_n_devices(void);
const char *image_device_name(const char *path, size_t i);
bool image_super_copy(unsigned *copy, struct error *err) must_use;	/* n + 1, or CHOOSE_BY_ITSELF */
bool image_device_open(const char *path, size_t i, struct device **device, struct error *err) must_use;
/*
 * The image as a word of a shell in a command that converts it: where a partition of it was read, or what begins at an offset, that makes a device of
 * it.  Malloced; NULL: no memory.
 */
char *image_word(const char *path);
/* Where the filesystem begins in the first device that was opened. */
uint64_t image_filesystem_offset(void);
/* Not only the part of it that the filesystem is in. */
bool image_device_open_whole(const char *path, size_t i, struct device **device, struct error *err) must_use;

/* A command that needs a sealed subvolume was given another, or the other way round: ERROR_REFUSED.  Always false. */
bool not_sealed(const char *subvolume, struct error *err);
bool sealed_already(const char *subvolume, struct error *err);

#endif /* CMD_CMD_H */
