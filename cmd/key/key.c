/* SPDX-License-Identifier: GPL-2.0-or-later */
/* key: what opens a sealed subvolume, and where it is kept. */
#include "cmd/key/verbs.h"

#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/did-you-mean.h"
#include "cmd/image-options.h"
#include "cmd/key-options.h"
#include "cmd/key/new-key.h"
#include "cmd/pbkdf-options.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "cmd/value-text.h"

static const struct key_verb *const verbs[] = {
	&key_verb_list, &key_verb_add, &key_verb_change, &key_verb_remove, &key_verb_label, &key_verb_recovery, &key_verb_backup,
	&key_verb_restore, &key_verb_in, &key_verb_out, &key_verb_status, &key_verb_export_volume_key,
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

struct key_options key_options;

static struct {
	char *keyring, *timeout, *label, *new_slot;
	int forget, batch, force, no_slots, wipe_free;
} opt;

/* What only some verbs have carries a letter, which stands in struct key_verb. */
#define INCLUDE_FOR(letter, table, heading) { NULL, 0, POPT_ARG_INCLUDE_TABLE, table, letter, heading, NULL }

static const struct poptOption options[] = {
	INCLUDE_AS(options_key, "Key:"),
	INCLUDE_FOR('d', options_kdf, NULL),
	INCLUDE_FOR('n', options_new_key, "New key (add, change):"),
	INCLUDE_FOR('p', options_pbkdf, NULL),
	{ "new-key-slot", 0, POPT_ARG_STRING, &opt.new_slot, 'N', "add, recovery: into this key slot, not the first free one", "N" },
	{ "label", 0, POPT_ARG_STRING, &opt.label, 'l', "of the key slot, for key list; at most 64 bytes", "TEXT" },
	{ "force", 0, POPT_ARG_NONE, &opt.force, 'F', "change: the key need not be that of the slot; remove: also the last slot", NULL },
	{ "no-slots", 0, POPT_ARG_NONE, &opt.no_slots, 's', "backup: leave out the key slots, so that only the volume key opens the backup", NULL },
	{ "wipe-free", 0, POPT_ARG_NONE, &opt.wipe_free, 'w',
	  "change, remove, label, restore: overwrite free data space as well, and what no chunk uses", NULL },
	{ "allow-old-copies", 0, POPT_ARG_NONE, &image_options.allow_old_copies, 'o',
	  "add, change, remove, label, recovery, restore: go on although a virtual disk keeps what is overwritten", NULL },
	{ "keyring", 0, POPT_ARG_STRING, &opt.keyring, 'k', "in, out, status: this keyring (default: session), or its number",
	  "session|user|persistent" },
	{ "timeout", 0, POPT_ARG_STRING, &opt.timeout, 't', "in: the kernel forgets the key after so many seconds", "SECONDS" },
	{ "forget", 0, POPT_ARG_NONE, &opt.forget, 'f', "out: remove every trace of the key from the keyring", NULL },
	{ "batch-mode", 'q', POPT_ARG_NONE, &opt.batch, 'q', "ask no questions, assume yes", NULL },
	INCLUDE_AS(options_image, "Image:"),
	INCLUDE(options_time),
	INCLUDE(options_progress),
	INCLUDE_AS(options_format, "Output:"),
	POPT_TABLEEND
};
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

static const struct key_verb *find_verb(const char *name, struct error *err)
{
	const char *names[N_VERBS];
	char all[240] = "";

	for (size_t i = 0; i < N_VERBS; i++) {
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
		names[i] = verbs[i]->name;
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "", verbs[i]->name);
	}
	error_set(err, ERROR_USAGE, "%.40s: unknown verb", name);
	error_hint(err, "VERB is one of %s", all);
	hint_verb(names, N_VERBS, name, err);
	return NULL;
}

static bool is_verb(const char *name, struct error *err)
{
	return find_verb(name, err);
}

static bool verb_has(const struct key_verb *verb, const struct poptOption *option)
{
	return option->val == 0 || strchr(verb->options, option->val);
}

/* NULL: it was not given, or every verb has it. Of a table, one of its options. */
static const char *given(const struct poptOption *option)
{
	switch (option->val) {
	case 0: return NULL;
	case 'n': return new_key_given();
	case 'p': return pbkdf_options_given();
	case 'd': return key_options_scrypt_2017() ? "kdf" : NULL;
	default: return ((option->argInfo & POPT_ARG_MASK) == POPT_ARG_NONE ? *(int *)option->arg != 0 : *(char **)option->arg != NULL) ? option->longName : NULL;
	}
}

static bool check_options(const struct key_verb *verb, struct error *err)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const char *const name = given(&options[i]);

		if (name && !verb_has(verb, &options[i]))
			return error_set(err, ERROR_USAGE, "key %s has no %s%s", verb->name, name[0] == '-' ? "" : "--", name);
	}
	return true;
}

static bool read_options(struct error *err)
{
	static struct keyring keyring;
	uint64_t seconds = 0, new_slot = 0;

	if (!option_number("--timeout", opt.timeout, 1, UINT32_MAX, &seconds, err) ||
	    !option_number("--new-key-slot", opt.new_slot, 0, CRYPT_SLOTS_MAX - 1, &new_slot, err) || !new_key_check(err))
		return false;
	if (opt.label && strlen(opt.label) > CRYPT_LABEL_MAX)
		return error_set(err, ERROR_USAGE, "--label has %zu bytes, more than %u", strlen(opt.label), CRYPT_LABEL_MAX);
	if (opt.keyring && !keyring_parse(opt.keyring, &keyring, err))
		return false;
	key_options = (struct key_options){
		.keyring = opt.keyring ? &keyring : NULL, .timeout = (uint32_t)seconds, .forget = opt.forget, .batch = opt.batch,
		.slot = key_options_slot(), .new_slot = opt.new_slot ? (int)new_slot : KEY_SLOT_ANY, .label = opt.label, .force = opt.force,
		.no_slots = opt.no_slots, .wipe_free = opt.wipe_free,
	};
	return true;
}

static bool run(const char *const *operand, struct error *err)
{
	const struct key_verb *verb = find_verb(operand[0], err);
	size_t n = 0;

	if (!verb || !check_options(verb, err) || !read_options(err))
		return false;
	while (operand[1 + n])
		n++;
	if (n != verb->n_operands) {
		error_set(err, ERROR_USAGE, "key %s takes IMAGE SUBVOL%s", verb->name, verb->n_operands > 2 ? " FILE" : "");
		if (n > 2 && strchr(verb->options, 'n'))
			error_hint(err, "the new key is given by --new-key-file or --new-passphrase-file, or asked for");
		else if (n > 2 && verb == &key_verb_remove)
			error_hint(err, "--key-slot says which key slot is removed");
		else if (n > 2 && verb == &key_verb_label)
			error_hint(err, "--label gives the new label");
		return false;
	}
	return verb->run(operand + 1, err);
}

/* The row of a verb, for its help. False: there is no such verb. */
static bool narrow(const char *name, struct command *row)
{
	static struct poptOption shown[N_OPTIONS];
	static char operands[32];
	struct error ignored = { 0 };
	const struct key_verb *const verb = find_verb(name, &ignored);
	size_t n = 0;

	if (!verb)
		return false;
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (verb_has(verb, &options[i]))
			shown[n++] = options[i];
	}
	snprintf(operands, sizeof(operands), "IMAGE SUBVOL%s", verb->n_operands > 2 ? " FILE" : "");
	row->operands = operands;
	row->summary = verb->summary;
	row->options = shown;
	row->more_help = NULL;
	return true;
}

static void print_verbs(FILE *out)
{
	fprintf(out, "\nVerbs:\n");
	for (size_t i = 0; i < N_VERBS; i++)
		fprintf(out, "  %-19s%s\n", verbs[i]->name, verbs[i]->summary);
}

const struct command cmd_key = {
	.name = "key",
	.operands = "VERB IMAGE SUBVOL [FILE]",
	.is_verb = is_verb,
	.narrow = narrow,
	.image_operand = 1,
	.summary = "manage what opens a sealed subvolume",
	.options = options,
	.more_help = print_verbs,
	.run = run,
};
