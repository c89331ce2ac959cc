/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of the format of 2016: where they come from, and what speaks for one. */
#ifndef COMMON_LEGACY_LEGACY_KEY_H
#define COMMON_LEGACY_LEGACY_KEY_H

#include "common/crypto/key-source.h"
#include "common/crypto/keyring.h"
#include "common/legacy/legacy.h"

/*
 * Takes the key out of what was given: 16 bytes themselves, or derived by scrypt as the tools of 2017 did, from a passphrase and the newline
 * that they left at its end, or from the bytes of a key file as they are. ERROR_KEY for what can be no key of this format.
 */
bool legacy_key_take(struct key_source *source, bool by_scrypt_2017, struct secret **key, struct error *err) must_use;

uint32_t legacy_key_hash(const struct secret *key);

/* What speaks for a key: the hash in the root item, and last pages, which were padded with zeros. */
struct legacy_judgement {
	bool has_hash, hash_is_right;
	uint64_t n_for, n_against;	/* pages; those with less than 16 bytes of padding can only be against */
	uint64_t n_files;		/* looked at */
};
enum legacy_verdict { LEGACY_KEY_UNKNOWN, LEGACY_KEY_RIGHT, LEGACY_KEY_WRONG };
/* Data outweigh the hash. No wrong key has a page for it, but a right one may have some against: those of clones. */
enum legacy_verdict legacy_verdict(const struct legacy_judgement *judgement);

#define LEGACY_JUDGE_FILES 1000u	/* the most files that are looked at */
/* is_quick: stops at the first page that decides. */
bool legacy_judge(struct volume *volume, const struct subvolume *subvolume, const struct legacy *legacy, const struct secret *key,
		  bool is_quick, struct legacy_judgement *judgement, struct error *err) must_use;

/*
 * keyring_find() and keyring_forget() for the key with that tag that is not wrong. found->state is KEYRING_ABSENT if the tag is none that
 * these subvolumes have.
 */
struct legacy_named { struct volume *volume; const struct subvolume *subvolume; const struct legacy *legacy; };
bool legacy_keyring_find(const struct legacy_named *named, const struct keyring *only, struct keyring_found *found, struct secret **key,
			 struct error *err) must_use;
bool legacy_keyring_forget(const struct legacy_named *named, const struct keyring *keyring, unsigned *n, struct error *err) must_use;

#endif /* COMMON_LEGACY_LEGACY_KEY_H */
