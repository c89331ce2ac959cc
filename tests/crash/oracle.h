/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the bytes of a disk say about a conversion, read as the specification has it and by nothing of the conversion's own code. */
#ifndef TESTS_CRASH_ORACLE_H
#define TESTS_CRASH_ORACLE_H

#include "tests/crash/run.h"

struct verdict {
	bool primary_valid;
	bool unfinished;
	bool restorable;	/* unfinished only in that the primary superblock is torn and a mirror is clean */
	bool keyless;		/* all is plain and the copies of the key slots are wiped: no key can be checked */
	enum crypt_operation operation;
	enum crypt_direction direction;
	enum crypt_phase phase;
	uint64_t cursor;
	bool done;		/* nothing is left to undo */
	/* The header of a record that never was committed, where one is on the disk: whoever has no key cannot tell. */
	bool half_record;
	enum crypt_direction half_direction;
	enum crypt_phase half_phase;
	uint64_t half_cursor;
};

bool oracle_judge(struct disk *disk, const struct keys *keys, struct verdict *verdict, struct error *err) must_use;

#endif /* TESTS_CRASH_ORACLE_H */
