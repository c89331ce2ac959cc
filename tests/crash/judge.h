/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must come of a disk after a power cut, tried out in every way that a user may go on. */
#ifndef TESTS_CRASH_JUDGE_H
#define TESTS_CRASH_JUDGE_H

#include "tests/crash/cut.h"
#include "tests/crash/leak.h"
#include "tests/crash/oracle.h"

enum side { SIDE_PLAIN, SIDE_SEALED, SIDE_OLD, SIDES };	/* OLD: sealed with the key that a rekeying replaces */

/* What every power cut of one image is measured by. */
struct measure {
	const char *image;	/* name, for messages */
	bool used;		/* by a kernel, since it was sealed */
	struct keys keys;
	struct keys old_keys;	/* of a rekeying: those before */
	bool rekeys;
	unsigned form;		/* CONTENT_MOVED if what is shared is copied, or 0 */
	struct members members;
	struct content plain, sealed;
	const struct leaks *leaks;	/* NULL: others keep the same data in plain text */
};

/* Counted by all processes together. */
struct tally {
	unsigned n_states, n_unfinished, n_again, n_bad, n_failures;
	unsigned n_in_index;	/* some items of the index were there, and others not */
	unsigned n_towards[SIDES];	/* power cuts on the way to each */
	unsigned n_degraded;		/* gone on with without a device */
	unsigned n_lost;		/* refused, as a sector of data is lost */
	unsigned n_resumed, n_undone, n_refused, n_sealed, n_plain;
	uint8_t exported[8192];		/* kinds of superblock states, and how many final images */
};

struct judge {
	const struct measure *measure;
	struct tally *tally;
	struct rng rng;
	unsigned depth;
	unsigned torn;			/* CONTENT_TORN, or 0 */
	bool sector_lost;		/* the power went before anybody saw that a sector is not what was written: if it is of data, it is nowhere */
	const struct content *resealed;	/* byte for byte, what undoing a decryption or rekeying must bring back; NULL: the cut run was neither */
	bool loses_devices;		/* after some of the power cuts, a device is gone as well */
	const char *export;		/* directory for disks that others shall look at; NULL: none */
	char where[256];		/* the cut, for messages */
};

/* before: what the disk held before the conversion that was cut; where that was unfinished already: equal to after. */
void judge_state(struct judge *judge, struct disk *disk, enum side before, enum side after);

/* It is an error that names data as lost. */
bool judge_says_lost(const struct error *err);

/* Something that should have worked, or should have failed otherwise. */
void judge_fails(struct judge *judge, const char *way, const struct error *err);

/* The two ends of every way; say what is wrong and return false. */
bool judge_plain(struct judge *judge, struct disk *disk, const char *way);
bool judge_sealed(struct judge *judge, struct disk *disk, const char *way);
bool judge_side(struct judge *judge, struct disk *disk, enum side side, const char *way);	/* one of these, or sealed with the old key */

#endif /* TESTS_CRASH_JUDGE_H */
