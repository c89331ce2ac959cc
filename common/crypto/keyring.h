/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Volume keys in the kernel's keyrings: keys of type "user", named by the key tag ("btrfs:75197c8e"), whose payload is the volume key.
 * keyrings(7). Whoever is root, or holds a link to such a keyring, can read them.
 */
#ifndef COMMON_CRYPTO_KEYRING_H
#define COMMON_CRYPTO_KEYRING_H

#include "common/crypto/secret.h"

enum keyring_kind { KEYRING_SESSION, KEYRING_USER, KEYRING_PERSISTENT, KEYRING_NUMBER };
struct keyring {
	enum keyring_kind kind;
	int32_t number;		/* KEYRING_NUMBER: its serial number */
};
/* "session", "user", "persistent" (keyctl's @s and @u, too), or a serial number. ERROR_USAGE. */
bool keyring_parse(const char *text, struct keyring *keyring, struct error *err) must_use;
const char *keyring_name(const struct keyring *keyring, char text[32]);

enum keyring_state {
	KEYRING_NO_KERNEL,	/* this kernel has no keyrings, or does not let this process use them */
	KEYRING_ABSENT,
	KEYRING_OTHER,		/* a key of that name is there, but it is another one */
	KEYRING_EXPIRED,	/* a key of that name; nobody can read it, so it may be another one */
	KEYRING_REVOKED,	/* likewise */
	KEYRING_PRESENT,
};
/* What the kernel says of a key in this state, as keyctl(1) prints it: "Key has been revoked". "" for KEYRING_PRESENT. */
const char *keyring_state_text(enum keyring_state state);
const char *keyring_state_name(enum keyring_state state);	/* one word, for machines: "revoked" */

struct keyring_found {
	enum keyring_state state;
	int32_t serial;		/* KEYRING_PRESENT */
	struct keyring keyring;	/* where */
	bool session_is_revoked;	/* the session keyring itself: no key in it can be used */
};

/* Is this the key that is looked for? There may be others with its name. */
typedef bool keyring_accept(void *context, const struct secret *payload, bool *right, struct error *err);

struct keyring_wanted {
	const char *name;
	size_t size;
	keyring_accept *accept;
	void *context;
};

/*
 * Looks for a key by its name in the session, user and persistent keyring, in this order, or in `only` (NULL: all three), and takes the
 * first of this size that is accepted. Otherwise found->state is the one nearest to presence. *payload: the caller's; NULL unless
 * KEYRING_PRESENT. Fails only where memory or accept fail, or where `only` cannot be used: ERROR_KEY.
 */
bool keyring_find(const struct keyring_wanted *wanted, const struct keyring *only, struct keyring_found *found, struct secret **payload,
		  struct error *err) must_use;

/*
 * Adds a key. No keyring is made for it: one made by this process would end with it. A key of that name with another payload is not
 * replaced: ERROR_REFUSED. seconds: after which the kernel forgets the key; 0: never.
 */
bool keyring_add(const struct keyring *keyring, const char *name, const struct secret *payload, uint32_t seconds, int32_t *serial,
		 struct error *err) must_use;
/* Nobody can read it any more; it stays there as revoked. */
bool keyring_revoke(int32_t serial, struct error *err) must_use;
/*
 * Removes every link to a key of this name and size that is accepted from the keyring, and to those that were revoked or have expired: they
 * cannot be read, so they may be another's, but nobody can use them. *n: how many there were.
 */
bool keyring_forget(const struct keyring *keyring, const struct keyring_wanted *wanted, unsigned *n, struct error *err) must_use;

/* Is there a key of that name and of type "logon", which only the kernel can use? */
bool keyring_has_logon(const char *name);

/* When it expires, as /proc/keys has it: "perm", "59s", "3h", "expd". "" if it cannot be seen there. */
#define KEYRING_EXPIRY_SIZE 8
void keyring_expiry(int32_t serial, char text[KEYRING_EXPIRY_SIZE]);

#endif /* COMMON_CRYPTO_KEYRING_H */
