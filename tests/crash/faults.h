/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device that loses or changes what is written to it, or fails to write or flush, once. */
#ifndef TESTS_CRASH_FAULTS_H
#define TESTS_CRASH_FAULTS_H

#include "tests/crash/disk.h"

/* What a bad device does to one write or one flush. */
enum fault_kind {
	FAULT_NONE,
	FAULT_LOST,		/* write `at` never gets to the medium, and nobody says so */
	FAULT_CHANGED,		/* of write `at` a sector gets there that is another */
	FAULT_WRITE_FAILS,	/* write `at` gives an I/O error */
	FAULT_FLUSH_FAILS,	/* flush `at` does: of what was written before it some is lost, and caches take all of it for written */
	FAULT_KINDS,
};

/* A medium under a cache.  Once flushed, only disk_forget() and reading the medium show that they differ. */
struct faults {
	enum fault_kind kind;
	size_t at;		/* counted from 0, since the faults were attached */
	bool by_place;		/* LOST, CHANGED: not write `at`, but the first one to `place` */
	unsigned n_often;	/* LOST, CHANGED: how many later writes to the same place suffer the same */
	uint64_t seed;		/* which sector, which writes */
	size_t n_writes, n_flushes;
	bool happened;
	uint64_t place;		/* of the write that is to be, or was, lost or changed */
	uint64_t sector;	/* CHANGED: where the sector is that got there instead, and what it is */
	uint8_t garbage[DISK_SECTOR];
	struct disk *medium;	/* what a power cut leaves; the caller's, as disk_faults_begin() made it */
	struct disk_log pending;	/* written, not flushed */
};

/* From now on the disk is what caches show, and medium (a clone of it, to be freed by the caller) what is there. */
void disk_faults_begin(struct disk *disk, struct faults *faults, struct disk *medium);
/* The machine goes off: what was not flushed gets to the medium as well, and the disk shows what is there.  The faults are gone. */
void disk_faults_end(struct disk *disk);

/* A disk still has the sector that got there instead of what was written. */
bool faults_are_on(const struct faults *faults, const struct disk *disk);

/* For disk.c: the device's functions where there are faults. */
bool faults_write(struct disk *disk, const void *bytes, size_t len, uint64_t at, struct error *err);
bool faults_flush(struct disk *disk, unsigned part, struct error *err);
void faults_show_medium(struct disk *disk, uint64_t at, uint64_t len);

#endif /* TESTS_CRASH_FAULTS_H */
