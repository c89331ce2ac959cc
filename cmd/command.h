/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command: one row and one run function. Only main.c prints errors. */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

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
extern struct poptOption options_key_long[];	/* the same without letters, for commands where the letters of options_key mean something else */
extern struct poptOption options_format[];	/* --format text|json */
/* --device, --image-offset, --super, --backup-root, --tolerant, --with-log: for commands that only read files */
extern struct poptOption options_image[];
extern struct poptOption options_blocks[];	/* without --with-log: for commands that show trees block by block */
extern struct poptOption options_copies[];	/* only those about devices and superblocks, with the letter that dump-super has for --super */
bool format_is_json(void);
void format_before_command(const char *how);	/* --format given before the command; one given after it wins */
bool format_check(struct error *err) must_use;	/* main() calls it after the options are parsed */

/*
 * The value of a numeric option, in decimal. If text is NULL (not given), *number stays. Otherwise ERROR_USAGE with the option, what was
 * given and what is allowed. Such an option is a POPT_ARG_STRING, because popt does not say which one it rejects.
 */
bool option_number(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *number, struct error *err) must_use;

/* The same for an address, an offset or a size: also hexadecimal, and with a unit (common/util/number.h). */
bool option_bytes(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *number, struct error *err) must_use;

/* An exit status that is not an error: convert --status gives 7 while unfinished, verify-key 2. main() returns it if run() was true. */
extern int command_status;

extern const char *command_name;	/* of the running row; NULL before */
extern const struct poptOption *command_options;	/* the same */
/* Finds the option with this name, or else with this letter (0: none), in a table and those it includes. NULL if there is none. */
const struct poptOption *option_find(const struct poptOption *table, const char *name, char letter);
const char *option_argument(const struct poptOption *option);	/* its name: FILE */
bool command_has_letter(char letter);
bool command_has_option(const char *name);	/* "with-log": a hint must not name an option that the command does not know */

/* False, as a system error, if something could not be written, now or before. */
bool stdout_flush(struct error *err) must_use;

/*
 * The reader of a pipe may go away, as head does. The program then ends silently like any other; but for callers of pipe_watch(), only
 * after they have finished what they must. If the caller of the program ignores SIGPIPE, it is an error like any other.
 */
void pipe_watch(void);
bool pipe_is_gone(void);

/* Print one line on stderr (JSON with --format json): for the warn and note members of the rooms below. */
void print_warning(void *context, const char *text);
void print_note(void *context, const char *text);
/* The same for invalid data that were used or left out with --tolerant: the status becomes 6. */
void print_invalid(void *context, const char *text);
/* Each of these lines is given to heard as well, with its kind, "warning", "note" or "invalid": for a report. */
void print_hear(void (*heard)(void *context, const char *kind, const char *text), void *context);
/* A warning about what a walk could not read. path: as in the image; top: printed if path is empty. */
void print_damage(const uint8_t *path, size_t len, const char *top, const struct error *what);

/*
 * Opens an image as options_image say, and prints warnings. Errors begin with the image's name. If a conversion is unfinished, prints a
 * warning and lays its last records over the trees in memory. unfinished: continues with a warning if they cannot be read; otherwise that
 * is ERROR_UNFINISHED. image_open_to_convert() refuses several devices.
 */
bool image_open(const char *path, bool writable, bool unfinished, struct volume **volume, struct error *err) must_use;
/*
 * Who gets what image_open(), and later reading, warns of or finds to be invalid, instead of the default; for callers that write a report.
 * image_hear(NULL) before context goes away.
 */
struct image_ears {
	void (*warn)(void *context, const char *text);
	void (*warn_at)(void *context, uint64_t logical, uint64_t disk_length, const char *text);	/* NULL: warn gets them */
	void (*invalid)(void *context, const char *text);
	void *context;
};
void image_hear(const struct image_ears *ears);
/* For commands that show trees block by block, with what is wrong with each: --tolerant only affects what is read to get there. */
bool image_open_blocks(const char *path, struct volume **volume, struct error *err) must_use;
/* If the trees cannot be read and the image is to blame, adds a hint which options may help. */
void image_hint_damage(struct error *err);
/* If an error stopped a conversion and left the image unfinished, adds a hint how to go on. goes_on: it was unfinished before. */
void image_hint_unfinished(const char *path, bool goes_on, struct error *err);
/* mounted_copy: another filesystem with its uuid may be mounted. */
bool image_open_to_convert(const char *path, bool writable, bool unfinished, bool mounted_copy, struct volume **volume, struct error *err) must_use;
/* ERROR_USAGE if one of options_image was given: they mean nothing for a mounted filesystem. */
bool image_options_none(struct error *err) must_use;
bool image_is_tolerant(void);	/* --tolerant, from options_blocks and options_image */
/* Takes further devices from operands, like --device. NULL terminated. */
void image_add_devices(const char *const *operand);
/* Device i of the command line (0 is path), for commands that look at devices one by one. */
size_t image_n_devices(void);
const char *image_device_name(const char *path, size_t i);
bool image_super_copy(unsigned *copy, struct error *err) must_use;	/* n + 1, or CHOOSE_BY_ITSELF */
bool image_device_open(const char *path, size_t i, struct device **device, struct error *err) must_use;
/*
 * The image as a shell word for a command that converts it. If a partition was read, or the filesystem begins at an offset, the word makes
 * a device of that. Malloced; NULL: out of memory.
 */
char *image_word(const char *path);
/* The whole of it, not only the part with the filesystem. */
bool image_device_open_whole(const char *path, size_t i, struct device **device, struct error *err) must_use;

/* ERROR_REFUSED: a command that needs a sealed subvolume was given an unsealed one, or the other way round. Always false. */
bool not_sealed(const char *subvolume, struct error *err);
bool sealed_already(const char *subvolume, struct error *err);

#endif /* CMD_COMMAND_H */
