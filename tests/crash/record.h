/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs without a power cut, recorded write by write: what is cut afterwards. */
#ifndef TESTS_CRASH_RECORD_H
#define TESTS_CRASH_RECORD_H

#include "tests/crash/judge.h"

enum chain_run { RUN_ENCRYPT, RUN_DECRYPT, RUN_ABORT, RUN_REKEY };

struct chain {
	const struct measure *measure;
	const char *name;
	enum chain_run run;
	struct disk start;
	struct disk_log log;
	enum side before, after;	/* of the conversion; where start is unfinished: both what comes of it */
	const struct content *resealed;	/* of what a decryption began with; else NULL */
	unsigned weight;		/* share of the power cuts */
};

#define CHAINS_MAX 128
struct chains {
	struct chain at[CHAINS_MAX];
	size_t n;
};

/* Sealing, unsealing, and undoing both from different points. */
void record_image(struct chains *chains, const char *path, unsigned share);
/* Sealing and unsealing with a passphrase instead of the volume key. */
void record_by_passphrase(struct chains *chains, const char *path);
/* Sealing what shares with others, which is copied first, and undoing that from different points. */
void record_copying(struct chains *chains, const char *path, unsigned share);
/* Unsealing a sealed image that a kernel has used since, and undoing that.  The key: 32 bytes. */
void record_used(struct chains *chains, const char *path, const char *key_path, unsigned share);

#endif /* TESTS_CRASH_RECORD_H */
