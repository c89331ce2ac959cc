/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How commands open what is sealed: with what the options give, with a key in the kernel's keyrings, or with what is asked for. */
#ifndef CMD_KEY_DOMAIN_KEY_H
#define CMD_KEY_DOMAIN_KEY_H

#include "common/crypto/keyring.h"
#include "common/sealed/domain.h"

struct domain_key_ask {
	enum {
		DOMAIN_KEY_IF_GIVEN,	/* never asks */
		DOMAIN_KEY_IF_PERSON,	/* asks where somebody is at the terminal; elsewhere there is none */
		DOMAIN_KEY_NEEDED,	/* asks; ERROR_KEY where nobody is there */
	} need;
	enum {
		DOMAIN_KEY_KEYRINGS,	/* takes it from a keyring, if it is not given */
		DOMAIN_KEY_ONE_KEYRING,	/* from this one, or not at all */
		DOMAIN_KEY_NO_KEYRING,
	} from;
	struct keyring keyring;
	bool any_slot;			/* --key-slot says something else than which slot is to be opened */
	bool has_keyring;		/* the command has --keyring, which takes a key from there */
	const char *image, *what;	/* for the prompt: IMAGE, and the subvolume */
	const char *rejected;		/* the error for a wrong key; NULL: what domain_open() says */
	struct key_source *secret;	/* domain_key_open() leaves the passphrase or key file there, unless it is wrong; NULL: not needed */
};

/* The path of a subvolume for people, "/" for the top level, as what. */
#define DOMAIN_KEY_WHAT_SIZE 160
const char *domain_key_what(const struct subvolume *subvolume, char text[DOMAIN_KEY_WHAT_SIZE]);

/*
 * *key is empty (key_source_is_empty()) if there is none. That a key was revoked, or has expired, in a keyring is said once, or is the error
 * where a key is needed and nobody can be asked.
 */
bool domain_key_read(const struct domain *domain, const struct domain_key_ask *ask, struct key_source *key, struct error *err) must_use;
/* The same, but what is asked for must open a slot of the domain, and may be wrong twice. */
bool domain_key_read_tried(struct domain *domain, const struct domain_key_ask *ask, struct key_source *key, struct error *err) must_use;
/* The hints of domain_key_open() to an error of what uses the key of an unfinished conversion. Always false. */
bool domain_key_hint_unfinished(struct volume *volume, const struct key_source *key, struct error *err);
/*
 * Reads it and opens the domain. What is asked for may be wrong twice. *opened false, with true: there is no key. volume_key: gets the
 * volume key, the caller's; NULL: not needed.
 */
bool domain_key_open(struct domain *domain, const struct domain_key_ask *ask, bool *opened, struct secret **volume_key, struct error *err) must_use;

/*
 * For what looks at a subvolume of IMAGE as a whole: needs the key, and that nothing of it is being converted (ERROR_UNFINISHED). The subvolume must
 * have been sealed with the domain.
 */
bool domain_key_open_sealed(struct domain *domain, const struct subvolume_list *list, const struct subvolume *subvolume, const char *image,
			    struct error *err) must_use;

#endif /* CMD_KEY_DOMAIN_KEY_H */
