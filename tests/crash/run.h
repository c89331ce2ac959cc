/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conversions on a disk in memory, in steps small enough that a small image takes many. */
#ifndef TESTS_CRASH_RUN_H
#define TESTS_CRASH_RUN_H

#include "common/convert/convert.h"
#include "tests/crash/content.h"

struct keys {
	struct secret *volume_key, *wrong_volume_key;
	struct secret *passphrase, *wrong_passphrase;
	bool by_passphrase;	/* a slot is made, and only the passphrase is used */
	bool read_back;		/* all data are read back as well */
	bool skip;		/* what is damaged is left as it is */
	bool copies;		/* what the set shares with others, instead of taking them in */
	bool large_records;	/* as many tree blocks in one as the journal has room for */
};
void keys_new(struct keys *keys);
void keys_free(struct keys *keys);

/* What the set is called: a path of the image ("target"), and everything that shares with it or is nested in it. */
extern const char *set_name;

#define NEVER (~0u)	/* stop */
extern unsigned run_n_asked;	/* how often the last run asked whether to, after its first write */

/* stop: at the how-manieth question whether to, of those after the first write; then the outcome is ERROR_STOPPED.  members may be NULL; they are those of the plan. */
bool run_encrypt(struct disk *disk, const struct keys *keys, unsigned stop, struct members *members, struct error *err);
bool run_decrypt(struct disk *disk, const struct keys *keys, unsigned stop, struct error *err);
/* From the key of these to that of the others. */
bool run_rekey(struct disk *disk, const struct keys *from, const struct keys *to, enum crypt_cipher cipher, unsigned stop, struct error *err);
bool run_continue(struct disk *disk, enum convert_goal goal, const struct keys *keys, bool wrong_key, unsigned stop, struct error *err);
/* verified: with the right key, which must vouch for the state. */
bool run_status(struct disk *disk, const struct keys *keys, bool verified, struct convert_status *status, struct error *err);
/* `verify` of the sealed set. */
bool run_verify(struct disk *disk, const struct keys *keys, struct error *err);

#endif /* TESTS_CRASH_RUN_H */
