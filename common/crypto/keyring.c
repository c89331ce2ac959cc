/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's keyrings. No other file uses libkeyutils. */
#include "common/crypto/keyring.h"

#include <errno.h>
#include <inttypes.h>
#include <keyutils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/number.h"
#include "common/util/take.h"

#define KEY_TYPE "user"

bool keyring_parse(const char *text, struct keyring *keyring, struct error *err)
{
	static const struct {
		const char *name, *short_name;
		enum keyring_kind kind;
	} kinds[] = { { "session", "@s", KEYRING_SESSION }, { "user", "@u", KEYRING_USER }, { "persistent", "persistent", KEYRING_PERSISTENT } };
	uint64_t number = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(text, kinds[i].name) == 0 || strcmp(text, kinds[i].short_name) == 0) {
			*keyring = (struct keyring){ .kind = kinds[i].kind };
			return true;
		}
	}
	if (!bytes_parse(text, &number) || number == 0 || number > INT32_MAX)
		return error_set(err, ERROR_USAGE, "a keyring is session, user, persistent or a serial number, not %s", text);
	*keyring = (struct keyring){ .kind = KEYRING_NUMBER, .number = (int32_t)number };
	return true;
}

const char *keyring_name(const struct keyring *keyring, char text[32])
{
	static const char *const name[] = {
		[KEYRING_SESSION] = "session keyring", [KEYRING_USER] = "user keyring", [KEYRING_PERSISTENT] = "persistent keyring",
	};

	if (keyring->kind == KEYRING_NUMBER)
		snprintf(text, 32, "keyring %" PRId32, keyring->number);
	else
		snprintf(text, 32, "%s", name[keyring->kind]);
	return text;
}

/* The words of keyctl(1), which strerror() has in the language of the user. */
const char *keyring_state_text(enum keyring_state state)
{
	switch (state) {
	case KEYRING_PRESENT:
		return "";
	case KEYRING_REVOKED:
		return "Key has been revoked";
	case KEYRING_EXPIRED:
		return "Key has expired";
	case KEYRING_NO_KERNEL:
		return "no keyrings in this kernel";
	default:
		return "Required key not available";
	}
}

const char *keyring_state_name(enum keyring_state state)
{
	static const char *const names[] = {
		[KEYRING_NO_KERNEL] = "no-keyrings", [KEYRING_ABSENT] = "absent", [KEYRING_OTHER] = "absent", [KEYRING_EXPIRED] = "expired",
		[KEYRING_REVOKED] = "revoked", [KEYRING_PRESENT] = "present",
	};

	return names[state];
}

/*
 * Its serial number; -1 with errno. The session keyring is asked for without making one, and the persistent one is made by the kernel
 * where it is missing, for all processes of the user.
 */
static key_serial_t open_keyring(const struct keyring *keyring)
{
	switch (keyring->kind) {
	case KEYRING_SESSION:
		return keyctl_get_keyring_ID(KEY_SPEC_SESSION_KEYRING, 0);
	case KEYRING_USER:
		return keyctl_get_keyring_ID(KEY_SPEC_USER_KEYRING, 1);
	case KEYRING_PERSISTENT:
		return (key_serial_t)keyctl_get_persistent((uid_t)-1, KEY_SPEC_PROCESS_KEYRING);
	default:
		return keyring->number;
	}
}

/* What is in no keyring of this process can be found, but not be read. The link ends with the process. */
static key_serial_t use_keyring(const struct keyring *keyring)
{
	const key_serial_t id = open_keyring(keyring);

	return id >= 0 && keyctl_link(id, KEY_SPEC_PROCESS_KEYRING) < 0 ? -1 : id;
}

static bool no_keyring(const struct keyring *keyring, int number, struct error *err)
{
	char name[32];

	error_set(err, ERROR_KEY, "the %s cannot be used: %s", keyring_name(keyring, name), strerror(number));
	if (keyring->kind == KEYRING_SESSION)
		error_hint(err, "where a login has no session keyring, --keyring user takes that of the user");
	return false;
}

static enum keyring_state state_of(int number)
{
	switch (number) {
	case EKEYREVOKED:
		return KEYRING_REVOKED;
	case EKEYEXPIRED:
		return KEYRING_EXPIRED;
	case ENOSYS:
	case EPERM:	/* what keeps containers from using them */
		return KEYRING_NO_KERNEL;
	default:
		return KEYRING_ABSENT;
	}
}

/* *payload stays NULL if it cannot be read or has another size. */
static bool read_payload(key_serial_t serial, size_t size, struct secret **payload, enum keyring_state *state, struct error *err)
{
	cleanup_secret struct secret *read = NULL;
	long len;

	if (!secret_new(size, &read, err))
		return false;
	len = keyctl_read(serial, (char *)secret_bytes(read), size);
	if (len == (long)size) {
		*payload = TAKE(read);
		return true;
	}
	*state = len >= 0 ? KEYRING_OTHER : state_of(errno);
	return true;
}

static bool look_in(const struct keyring *keyring, const struct keyring_wanted *wanted, struct keyring_found *found, struct secret **payload,
		    struct error *err)
{
	const key_serial_t id = use_keyring(keyring);
	cleanup_secret struct secret *read = NULL;
	key_serial_t serial;
	bool right;

	*found = (struct keyring_found){ .state = KEYRING_ABSENT, .keyring = *keyring };
	if (id < 0) {
		found->state = state_of(errno);
		/* That says nothing of a key. */
		found->session_is_revoked = found->state == KEYRING_REVOKED && keyring->kind == KEYRING_SESSION;
		found->state = found->state == KEYRING_NO_KERNEL ? KEYRING_NO_KERNEL : KEYRING_ABSENT;
		return true;
	}
	serial = (key_serial_t)keyctl_search(id, KEY_TYPE, wanted->name, 0);
	if (serial < 0) {
		found->state = state_of(errno);
		return true;
	}
	found->state = KEYRING_OTHER;
	if (!read_payload(serial, wanted->size, &read, &found->state, err))
		return false;
	if (!read)
		return true;
	if (!wanted->accept(wanted->context, read, &right, err))
		return false;
	if (right) {
		found->state = KEYRING_PRESENT;
		found->serial = serial;
		*payload = TAKE(read);
	}
	return true;
}

bool keyring_find(const struct keyring_wanted *wanted, const struct keyring *only, struct keyring_found *found, struct secret **payload,
		  struct error *err)
{
	static const struct keyring all[] = { { .kind = KEYRING_SESSION }, { .kind = KEYRING_USER }, { .kind = KEYRING_PERSISTENT } };
	const size_t n = only ? 1 : sizeof(all) / sizeof(all[0]);

	*found = (struct keyring_found){ .state = KEYRING_NO_KERNEL };
	*payload = NULL;
	if (only && use_keyring(only) < 0)
		return no_keyring(only, errno, err);
	for (size_t i = 0; i < n && found->state != KEYRING_PRESENT; i++) {
		struct keyring_found one;

		if (!look_in(only ? only : &all[i], wanted, &one, payload, err))
			return false;
		one.session_is_revoked |= found->session_is_revoked;
		if (one.state > found->state)
			*found = one;
		found->session_is_revoked = one.session_is_revoked;
	}
	return true;
}

bool keyring_has_logon(const char *name)
{
	static const struct keyring all[] = { { .kind = KEYRING_SESSION }, { .kind = KEYRING_USER }, { .kind = KEYRING_PERSISTENT } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const key_serial_t id = use_keyring(&all[i]);

		if (id >= 0 && keyctl_search(id, "logon", name, 0) >= 0)
			return true;
	}
	return false;
}

static bool accept_same(void *context, const struct secret *payload, bool *right, struct error *err)
{
	(void)err;
	*right = secret_equal(context, payload);
	return true;
}

bool keyring_add(const struct keyring *keyring, const char *name, const struct secret *payload, uint32_t seconds, int32_t *serial,
		 struct error *err)
{
	const struct keyring_wanted same = { name, secret_len(payload), accept_same, (void *)payload };
	cleanup_secret struct secret *there = NULL;
	struct keyring_found found;
	const key_serial_t id = open_keyring(keyring);
	char text[32];

	if (id < 0)
		return no_keyring(keyring, errno, err);
	if (!keyring_find(&same, keyring, &found, &there, err))
		return false;
	if (found.state == KEYRING_OTHER)
		return error_set(err, ERROR_REFUSED, "the %s has another key named %s already", keyring_name(keyring, text), name);
	*serial = add_key(KEY_TYPE, name, secret_view(payload), secret_len(payload), id);
	if (*serial < 0)
		return error_set(err, ERROR_KEY, "the key cannot be added to the %s: %s", keyring_name(keyring, text), strerror(errno));
	if (keyctl_set_timeout(*serial, seconds) == 0)
		return true;
	error_set(err, ERROR_KEY, "the key's timeout cannot be set: %s", strerror(errno));
	keyctl_unlink(*serial, id);
	return false;
}

bool keyring_revoke(int32_t serial, struct error *err)
{
	if (keyctl_revoke(serial) == 0)
		return true;
	return error_set(err, ERROR_KEY, "the key %" PRId32 " cannot be revoked: %s", serial, strerror(errno));
}

/* A line of /proc/keys: serial in hex, flags, users, expiry, permissions, uid, gid, type, description. */
struct listed {
	key_serial_t serial;
	char expiry[KEYRING_EXPIRY_SIZE];
	char type[10], name[64];
};

static bool next_listed(FILE *keys, struct listed *listed)
{
	char line[512];
	unsigned serial;

	while (fgets(line, sizeof(line), keys)) {
		if (sscanf(line, "%x %*s %*s %7s %*s %*s %*s %9s %63s", &serial, listed->expiry, listed->type, listed->name) != 4)
			continue;
		listed->serial = (key_serial_t)serial;
		return true;
	}
	return false;
}

/* The description is followed by a colon and the payload's size where the key can be used. */
static bool has_name(const struct listed *listed, const char *name)
{
	const size_t len = strlen(name);

	return strcmp(listed->type, KEY_TYPE) == 0 && strncmp(listed->name, name, len) == 0 &&
	       (listed->name[len] == '\0' || (listed->name[len] == ':' && listed->name[len + 1] == '\0'));
}

/* The kernel would unlink whatever key of the same name is there, so it is looked for by its serial number. */
static bool is_in(key_serial_t serial, key_serial_t keyring)
{
	void *serials = NULL;
	const long len = keyctl_read_alloc(keyring, &serials);
	bool is = false;

	for (long at = 0; at + (long)sizeof(serial) <= len; at += sizeof(serial))
		is |= memcmp((const char *)serials + at, &serial, sizeof(serial)) == 0;
	free(serials);
	return is;
}

static bool may_forget(key_serial_t serial, const struct keyring_wanted *wanted, bool *may, struct error *err)
{
	cleanup_secret struct secret *payload = NULL;
	enum keyring_state state = KEYRING_ABSENT;

	if (!read_payload(serial, wanted->size, &payload, &state, err))
		return false;
	*may = state == KEYRING_REVOKED || state == KEYRING_EXPIRED;
	return !payload || wanted->accept(wanted->context, payload, may, err);
}

/* A key that was revoked can be neither searched for nor described, so it is looked up in the kernel's list. */
bool keyring_forget(const struct keyring *keyring, const struct keyring_wanted *wanted, unsigned *n, struct error *err)
{
	const key_serial_t id = use_keyring(keyring);
	const int number = errno;
	struct listed listed;
	FILE *keys;
	bool ok = true;

	*n = 0;
	if (id < 0)
		return no_keyring(keyring, number, err);
	keys = fopen("/proc/keys", "re");
	if (!keys)
		return error_system(err, "/proc/keys");
	while (ok && next_listed(keys, &listed)) {
		bool may = false;

		ok = !has_name(&listed, wanted->name) || !is_in(listed.serial, id) || may_forget(listed.serial, wanted, &may, err);
		*n += ok && may && keyctl_unlink(listed.serial, id) == 0;
	}
	fclose(keys);
	return ok;
}

void keyring_expiry(int32_t serial, char text[KEYRING_EXPIRY_SIZE])
{
	FILE *keys = fopen("/proc/keys", "re");
	struct listed listed;

	text[0] = '\0';
	while (keys && next_listed(keys, &listed)) {
		if (listed.serial == serial)
			memcpy(text, listed.expiry, KEYRING_EXPIRY_SIZE);
	}
	if (keys)
		fclose(keys);
}
