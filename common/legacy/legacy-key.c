/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/legacy/legacy-key.h"

#include <isa-l.h>
#include <string.h>
#include <sys/stat.h>

#include "common/crypto/aes128.h"
#include "common/legacy/legacy-inode.h"
#include "common/tree/tree-gap.h"
#include "common/util/take.h"

#define TAG_BEGIN "btrfs:"

/* --- from what is given ------------------------------------------------------------------------------------------------- */

static bool derive(const struct key_source *source, struct secret **key, struct error *err)
{
	static const struct scrypt_cost cost = { .n = 16384, .r = 8, .p = 16 };
	static const uint8_t salt[100] = "btrfs";
	const size_t len = secret_len(source->secret), more = source->is_key_file ? 0 : 1;
	cleanup_secret struct secret *line = NULL, *new = NULL;

	if (!secret_new(len + more, &line, err) || !secret_new(LEGACY_KEY_SIZE, &new, err))
		return false;
	memcpy(secret_bytes(line), secret_view(source->secret), len);
	if (more)
		secret_bytes(line)[len] = '\n';
	if (!scrypt(line, salt, sizeof(salt), &cost, new, err))
		return false;
	*key = TAKE(new);
	return true;
}

bool legacy_key_take(struct key_source *source, bool by_scrypt_2017, struct secret **key, struct error *err)
{
	if (source->volume_key) {
		if (secret_len(source->volume_key) != LEGACY_KEY_SIZE)
			return error_set(err, ERROR_KEY, "the volume key file does not have exactly %u bytes, as keys of the format of 2016 do",
					 LEGACY_KEY_SIZE);
		*key = TAKE(source->volume_key);
		return true;
	}
	if (source->secret && by_scrypt_2017)
		return derive(source, key, err);
	error_set(err, ERROR_USAGE, "nothing records how a passphrase became the key of a subvolume in the format of 2016");
	return error_hint(err, "give the key itself by --volume-key-file, or try --kdf scrypt-2017, which the tools of 2017 used");
}

/* --- what speaks for it -------------------------------------------------------------------------------------------------- */

/* The raw update of the CRC, without inversion at either end. */
uint32_t legacy_key_hash(const struct secret *key)
{
	return crc32_iscsi((unsigned char *)secret_view(key), (int)secret_len(key), 0);
}

enum legacy_verdict legacy_verdict(const struct legacy_judgement *judgement)
{
	if (judgement->n_for > 0)
		return LEGACY_KEY_RIGHT;
	if (judgement->n_against > 0 || (judgement->has_hash && !judgement->hash_is_right))
		return LEGACY_KEY_WRONG;
	return judgement->has_hash ? LEGACY_KEY_RIGHT : LEGACY_KEY_UNKNOWN;
}

static bool judge_inode(const struct tree *tree, uint64_t number, const struct legacy *legacy, struct legacy_ciphers *ciphers,
			struct legacy_judgement *judgement, struct error *err)
{
	enum legacy_padding padding = LEGACY_PADDING_NONE;
	struct legacy_inode inode = { 0 };
	struct error what = { 0 };
	const bool ok = legacy_inode_read(tree, number, ciphers, &inode, &what) && legacy_probe(tree, legacy, ciphers, &inode, 0, &padding, &what);

	secret_wipe(&inode, sizeof(inode));
	if (!ok)
		return !error_is_machine(&what) || (*err = what, false);
	judgement->n_for += padding == LEGACY_PADDING_RIGHT;
	judgement->n_against += padding == LEGACY_PADDING_WRONG;
	judgement->n_files += padding != LEGACY_PADDING_NONE;
	return true;
}

static bool judge_data(const struct tree *tree, const struct legacy *legacy, struct legacy_ciphers *ciphers, bool is_quick,
		       struct legacy_judgement *judgement, struct error *err)
{
	const struct key first = { FIRST_FREE_ID, KEY_INODE_ITEM, 0 };
	cleanup_tree_iter struct tree_iter iter = { 0 };
	bool ok;

	for (ok = tree_seek_over(tree, &first, &iter, NULL, NULL, err);
	     ok && iter.valid && judgement->n_files < LEGACY_JUDGE_FILES && !(is_quick && judgement->n_for > 0);
	     ok = ok && tree_next_over(&iter, NULL, NULL, err)) {
		struct cursor item = iter.item;
		struct error ignored = { 0 };
		struct inode inode;

		if (iter.key.type == KEY_INODE_ITEM && inode_read(&item, &inode, &ignored) && S_ISREG(inode.mode) && inode.flags & INODE_ENCRYPT &&
		    inode.size % LEGACY_PAGE != 0)
			ok = judge_inode(tree, iter.key.objectid, legacy, ciphers, judgement, err);
	}
	return ok;
}

bool legacy_judge(struct volume *volume, const struct subvolume *subvolume, const struct legacy *legacy, const struct secret *key,
		  bool is_quick, struct legacy_judgement *judgement, struct error *err)
{
	cleanup_legacy_ciphers struct legacy_ciphers *ciphers = NULL;
	struct tree tree;

	*judgement = (struct legacy_judgement){ .has_hash = legacy->key_hash != 0 };
	judgement->hash_is_right = judgement->has_hash && legacy_key_hash(key) == legacy->key_hash;
	return legacy_ciphers_new(legacy, key, &ciphers, err) && tree_open(volume, subvolume->id, &tree, err) &&
	       judge_data(&tree, legacy, ciphers, is_quick, judgement, err);
}

/* --- in a keyring ---------------------------------------------------------------------------------------------------------- */

static bool accept(void *context, const struct secret *payload, bool *right, struct error *err)
{
	const struct legacy_named *const named = context;
	struct legacy_judgement judgement;
	struct error what = { 0 };

	/* If its tree is damaged, the hash is left. */
	if (!legacy_judge(named->volume, named->subvolume, named->legacy, payload, true, &judgement, &what) && error_is_machine(&what))
		return *err = what, false;
	*right = legacy_verdict(&judgement) != LEGACY_KEY_WRONG;
	return true;
}

/* Of another name, an image could only ask for keys that are none of its own. */
static bool has_name(const struct legacy_named *named)
{
	return named->legacy->layout == LEGACY_2016 && named->legacy->mode != LEGACY_MODE_UNKNOWN &&
	       strncmp(named->legacy->tag, TAG_BEGIN, strlen(TAG_BEGIN)) == 0;
}

static struct keyring_wanted wanted_of(const struct legacy_named *named)
{
	return (struct keyring_wanted){ named->legacy->tag, LEGACY_KEY_SIZE, accept, (void *)named };
}

bool legacy_keyring_find(const struct legacy_named *named, const struct keyring *only, struct keyring_found *found, struct secret **key,
			 struct error *err)
{
	const struct keyring_wanted wanted = wanted_of(named);

	*key = NULL;
	*found = (struct keyring_found){ .state = KEYRING_ABSENT };
	return !has_name(named) || keyring_find(&wanted, only, found, key, err);
}

bool legacy_keyring_forget(const struct legacy_named *named, const struct keyring *keyring, unsigned *n, struct error *err)
{
	const struct keyring_wanted wanted = wanted_of(named);

	*n = 0;
	return !has_name(named) || keyring_forget(keyring, &wanted, n, err);
}
