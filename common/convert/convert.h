/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Converts whole subvolumes in place: the interface for commands. format/README.md, "The conversion", says how it works, which bytes are
 * durable at each step and what a crash leaves.
 */
#ifndef COMMON_CONVERT_CONVERT_H
#define COMMON_CONVERT_CONVERT_H

#include "common/crypto/key-slot.h"
#include "common/crypto/key-source.h"
#include "common/fs/subvolume.h"

enum convert_shared { SHARED_REFUSE, SHARED_INCLUDE, SHARED_COPY };

struct convert_progress {
	enum crypt_phase phase;
	enum crypt_direction direction;
	uint64_t done, total;	/* bytes of the phase */
};

/* What to do about damage. By default a conversion stops before it. */
struct convert_damage {
	/*
	 * Seal blocks without a copy that matches its checksum, so that the checksum is as wrong afterwards; and of blocks without a
	 * checksum whose copies differ, the copy that is read.
	 */
	bool carry;
	bool skip;		/* leave blocks that no tag opens, and those that carry speaks of, as they were found */
	uint64_t n_skip;	/* exactly this many blocks of what a lost journal record was converting; 0: none */
};

/* A block that is not converted like the others, and the part of a file that it belongs to. */
struct convert_bad_block {
	bool is_carried;	/* sealed with a checksum that is as wrong afterwards as before; else left as it was found */
	bool is_lost;		/* nothing tells what it is, and nothing was changed yet; without differs it counts for n_skip */
	bool differs;		/* it has no checksum, its copies differ, and nobody knows which is right; is_carried: one of them is sealed, */
	unsigned mirror;	/* this one */
	bool has_csum;
	const char *path;	/* from the top level, escaped; NULL: the owner is unknown, and the fields below are not set */
	uint64_t subvolume, inode;
	uint64_t first, last;	/* bytes of the file, both included; if unused: of the extent */
	bool unused;		/* the file does not use this part of its extent */
	uint64_t logical;	/* address of the block; always set */
	const char *also;	/* who else has it, see extent-also.h; NULL: nobody asked */
};

/* What people see and may stop. Every pointer may be NULL. */
struct convert_ui {
	void *context;
	void (*progress)(void *context, const struct convert_progress *progress);
	void (*note)(void *context, const char *text);		/* one line for stderr */
	void (*bad_block)(void *context, const struct convert_bad_block *block);
	bool (*stop)(void *context);				/* asked between batches: SIGINT, SIGTERM */
	bool (*confirm)(void *context, const char *question);	/* NULL: yes is implied (batch mode), */
	bool nobody_to_ask;					/* or would be, but nobody said so: what nobody can undo is then refused */
	/* Nothing more is derived from the given secrets: their owner wipes them now, not at the end. */
	void (*forget_secrets)(void *context);
	bool read_back;		/* read all data back from the device before the end; a conversion begun this way also continues this way */
	bool wipe_free;		/* at the end wipe free data space as well, and what no chunk uses; likewise kept */
	/* Limits for the data in a batch and for a record; 0: as many as fit. Crash tests use them to take many small steps. */
	uint32_t batch_bytes, record_bytes;
	struct convert_damage damage;
};

struct convert_encrypt_options {
	enum crypt_cipher cipher;
	enum convert_shared shared;
	bool recursive;
	bool dry_run;			/* plan only; the device may be read only */
	bool confirmed;			/* convert_confirm() was called: only what it did not know of is asked about */
	/* Its secret is for slot 0; no secret: no slot. Without a volume key in it a random one is made. Stays with the caller. */
	const struct key_source *key;
	struct kdf_cost cost;		/* zeros: calibrate */
	unsigned kdf_milliseconds;	/* 0: KDF_MILLISECONDS */
};

/* One subvolume of a plan. */
struct convert_plan_member {
	uint64_t id;
	char *path;		/* escaped */
};

/* A subvolume that shares data with those to be sealed, and keeps them in plain text. */
struct convert_plan_keeper {
	uint64_t id;
	char *path;		/* escaped */
	uint64_t bytes;
};

enum convert_undone { UNDONE_NOTHING, UNDONE_SEALING, UNDONE_UNSEALING, UNDONE_KEYS, UNDONE_REKEYING, UNDONE_DECRYPTION, UNDONE_PURGE };

/* What --dry-run prints, and what a finished run reports. */
struct convert_plan {
	struct convert_plan_member *member;
	struct convert_plan_member *plain;	/* of a sealing: nested in these, and not sealed with them nor before */
	size_t n_plain;
	size_t n_members;		/* 0: only the cleanup was left and nothing was counted */
	uint64_t n_extents, data_bytes, n_inline_units, n_leaves, n_unit_items;
	uint64_t metadata_needed, metadata_available;	/* bytes */
	uint64_t metadata_missing;	/* the room that new metadata chunks must have; 0: no chunk is added */
	uint64_t data_missing;		/* likewise for data, of copies */
	uint64_t n_new_chunks, new_chunk_bytes;
	uint64_t n_copied_blocks, copied_bytes;	/* tree blocks and data that are shared, and copied first */
	struct convert_plan_keeper *keeper;
	size_t n_keepers;
	uint64_t journal_bytes;
	uint64_t growth_bytes;		/* of holes that are written into, and in which no room can be reserved before */
	uint64_t unwiped_free_bytes;	/* free data space that is left as it is */
	uint64_t n_carried, n_skipped;	/* damaged blocks, each reported through bad_block() */
	uint64_t n_chosen;		/* blocks whose copies differed and of which one was sealed; reported likewise */
	enum convert_undone undone;	/* it was not finished but undone, */
	bool undone_here;		/* turned round in this run, */
	unsigned undone_percent;	/* when this much was done */
	uint8_t seal_fingerprint[16];	/* of a finished sealing */
	bool is_done;			/* it was as it should be before, and nothing was changed */
	bool rekeyed;			/* a rekeying, to its end */
	bool decrypted;			/* what the format of 2016 had encrypted was decrypted, or that was undone */
	bool keys_changed;		/* key slots alone were changed, or that was undone */
	bool purged;			/* a sealing without subvolumes was removed, or that was undone: */
	uint8_t purged_uuid[CRYPT_UUID_SIZE];	/* this one, */
	uint64_t n_purged_items, purged_bytes;	/* of the root tree; 0: not known any more */
	char key_tag[48];		/* "aes-256-gcm@btrfs:75197c8e" of a finished sealing */
};
void convert_plan_free(struct convert_plan *plan);

/*
 * Called before anybody is asked for a key. ERROR_REFUSED if one of these was already sealed without saying so, as far as that shows
 * without its key. convert_encrypt() checks again, for everything it would seal.
 */
bool convert_check_sealed_before(struct volume *volume, const char *const *names, bool recursive, struct error *err) must_use;

/*
 * Called before anybody is asked for a key: asks about subvolumes that a system boots from. ERROR_REFUSED if the answer is no, or if there is
 * nobody to answer. Then options->confirmed may be set.
 */
bool convert_confirm(struct volume *volume, const char *const *names, bool recursive, const struct convert_ui *ui, struct error *err) must_use;

/* names: at least one SUBVOL argument. The volume must be freshly opened (writable unless dry_run). */
bool convert_encrypt(struct volume *volume, const char *const *names, const struct convert_encrypt_options *options,
		     const struct convert_ui *ui, struct convert_plan *plan, struct error *err) must_use;

/* For what is sealed already. */
struct unseal_options {
	bool accept_changes, accept_unsealed, dry_run;
	const uint8_t *expect_seal;	/* CONVERT_FINGERPRINT bytes that the seal must begin with; NULL: any */
};

struct convert_decrypt_options {
	const struct key_source *key;
	struct unseal_options unseal;
};
#define CONVERT_FINGERPRINT 16u

bool convert_decrypt(struct volume *volume, const char *name, const struct convert_decrypt_options *options,
		     const struct convert_ui *ui, struct convert_plan *plan, struct error *err) must_use;

struct convert_rekey_options {
	/* Each must open it. Whatever key slots their secrets open get the new volume key, under the same secret, label and number. */
	const struct key_source *key;
	size_t n_keys;
	bool drop_slots;		/* go on without the slots that no secret opens; otherwise ERROR_REFUSED */
	enum crypt_cipher cipher;	/* 0: the one it has */
	const struct secret *new_volume_key;	/* NULL: a random one is made, and at least one slot */
	struct kdf_cost cost;		/* as for an encryption */
	unsigned kdf_milliseconds;
	struct unseal_options unseal;
};

/* Seals what is sealed with a new volume key. */
bool convert_rekey(struct volume *volume, const char *name, const struct convert_rekey_options *options, const struct convert_ui *ui,
		   struct convert_plan *plan, struct error *err) must_use;

enum convert_goal {
	CONVERT_RESUME,		/* --resume or --encrypt --resume: never to plain text */
	CONVERT_RESUME_DECRYPT,	/* --decrypt --resume */
	CONVERT_ABORT,
};

/*
 * For callers about to ask for a key: does the goal fit what the superblocks say is unfinished? ERROR_REFUSED, as convert_continue() would
 * say. Nothing is authenticated yet, and what cannot be told without a key fits.
 */
bool convert_check_goal(struct volume *volume, enum convert_goal goal, struct error *err) must_use;

/* Continues an unfinished conversion. The volume must have been opened with options.unfinished. */
bool convert_continue(struct volume *volume, enum convert_goal goal, const struct key_source *key,
		      const struct convert_ui *ui, struct convert_plan *plan, struct error *err) must_use;

/* Before anything was changed: adds to ERROR_BUSY the hint to try again. Always false. */
bool convert_busy(struct error *err);

/* --status: needs no key. */
struct convert_status {
	bool unfinished;
	bool damaged_primary;		/* the primary superblock is invalid beside a valid mirror */
	struct crypt_state_tail state;	/* if unfinished; only trustworthy if authenticated */
	bool authenticated;
	unsigned percent;
	bool carries;			/* it is being sealed and bad blocks were carried over already: --on-error=continue was given */
	bool by_key_file, by_volume_key;	/* no passphrase opens it, as far as its key slots say: all are for key files, or there is none */
	bool running;			/* another process has it locked: it is running right now */
	pid_t process;			/* 0: unknown */
};
/* The options that go on with such a conversion. What leads to plain text must be asked for by name, and an abort cannot be undone. */
const char *convert_options_to_go_on(enum crypt_operation operation, enum crypt_direction direction);
bool convert_status(struct volume *volume, const struct key_source *key_or_null, struct convert_status *status,
		    struct error *err) must_use;

#endif /* COMMON_CONVERT_CONVERT_H */
