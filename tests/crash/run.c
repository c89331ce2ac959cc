/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands do, with a disk in memory instead of a path. */
#include "tests/crash/run.h"

#include <inttypes.h>

#include "common/sealed/domain-reader.h"

/* About two units, and the fewest tree blocks that are enough for any step. */
#define BATCH_BYTES_SMALL (512u << 10)
#define RECORD_BLOCKS 40u

const char *set_name = "target";
unsigned run_n_asked;

void keys_new(struct keys *keys)
{
	static const char phrase[] = "correct horse", wrong_phrase[] = "incorrect horse";
	struct error err = { 0 };

	*keys = (struct keys){ 0 };
	if (!secret_random(CRYPT_KEY_SIZE, &keys->volume_key, &err) || !secret_random(CRYPT_KEY_SIZE, &keys->wrong_volume_key, &err) ||
	    !secret_new(sizeof(phrase), &keys->passphrase, &err) || !secret_new(sizeof(wrong_phrase), &keys->wrong_passphrase, &err))
		harness_fail("%s", err.text);
	memcpy(secret_bytes(keys->passphrase), phrase, sizeof(phrase));
	memcpy(secret_bytes(keys->wrong_passphrase), wrong_phrase, sizeof(wrong_phrase));
}

void keys_free(struct keys *keys)
{
	secret_free(keys->volume_key);
	secret_free(keys->wrong_volume_key);
	secret_free(keys->passphrase);
	secret_free(keys->wrong_passphrase);
}

static struct key_source key_of(const struct keys *keys, bool wrong)
{
	struct key_source key = { .slot = KEY_SLOT_ANY };

	if (keys->by_passphrase)
		key.secret = wrong ? keys->wrong_passphrase : keys->passphrase;
	else
		key.volume_key = wrong ? keys->wrong_volume_key : keys->volume_key;
	return key;
}

struct stopping {
	const struct disk *disk;
	unsigned left;
};

/* Before the first write there is nothing that could be gone on with. */
static bool asked_often_enough(void *context)
{
	struct stopping *stopping = context;

	if (stopping->disk->n_writes == 0)
		return false;
	run_n_asked++;
	return stopping->left != NEVER && stopping->left-- == 0;
}

static struct convert_ui ui_for(const struct volume *volume, const struct keys *keys, struct stopping *stopping)
{
	run_n_asked = 0;
	return (struct convert_ui){
		.context = stopping,
		.stop = asked_often_enough,
		.read_back = keys->read_back,
		.damage = { .skip = keys->skip },
		.batch_bytes = BATCH_BYTES_SMALL,
		.record_bytes = keys->large_records ? 0 : (RECORD_BLOCKS + 1) * volume->super.node_size,
	};
}

static struct volume *open_disk(struct disk *disk, bool writable, bool unfinished, struct error *err)
{
	const struct volume_options options = { .unfinished = unfinished, .to_convert = writable };
	struct volume *volume = NULL;

	return disk_open(disk, writable, &options, &volume, err) ? volume : NULL;
}

static void take_members(const struct convert_plan *plan, struct members *members)
{
	if (plan->n_members > MEMBERS_MAX)
		harness_fail("more than %d members", MEMBERS_MAX);
	members->n = plan->n_members;
	for (size_t i = 0; i < plan->n_members; i++)
		members->id[i] = plan->member[i].id;
}

bool run_encrypt(struct disk *disk, const struct keys *keys, unsigned stop, struct members *members, struct error *err)
{
	const char *const names[] = { set_name, NULL };
	cleanup_volume struct volume *volume = open_disk(disk, true, false, err);
	const struct key_source key = key_of(keys, false);
	const struct convert_encrypt_options options = {
		.cipher = CIPHER_AES_256_GCM,
		.shared = keys->copies ? SHARED_COPY : SHARED_INCLUDE,
		.recursive = true,
		.key = &key,
		/* The least that is accepted. */
		.cost = { .kdf = KDF_PBKDF2_SHA512, .iterations = KDF_ITERATIONS_NEW_MIN },
	};
	struct stopping stopping = { disk, stop };
	struct convert_plan plan = { 0 };

	if (!volume)
		return false;

	const struct convert_ui ui = ui_for(volume, keys, &stopping);
	const bool ok = convert_encrypt(volume, names, &options, &ui, &plan, err);

	if (members)
		take_members(&plan, members);
	convert_plan_free(&plan);
	return ok;
}

bool run_decrypt(struct disk *disk, const struct keys *keys, unsigned stop, struct error *err)
{
	cleanup_volume struct volume *volume = open_disk(disk, true, false, err);
	const struct key_source key = key_of(keys, false);
	const struct convert_decrypt_options options = { .key = &key };
	struct stopping stopping = { disk, stop };
	struct convert_plan plan = { 0 };

	if (!volume)
		return false;

	const struct convert_ui ui = ui_for(volume, keys, &stopping);
	const bool ok = convert_decrypt(volume, set_name, &options, &ui, &plan, err);

	convert_plan_free(&plan);
	return ok;
}

bool run_rekey(struct disk *disk, const struct keys *from, const struct keys *to, enum crypt_cipher cipher, unsigned stop, struct error *err)
{
	cleanup_volume struct volume *volume = open_disk(disk, true, false, err);
	const struct key_source key = key_of(from, false);
	const struct convert_rekey_options options = {
		.key = &key,
		.n_keys = 1,
		.cipher = cipher,
		.new_volume_key = to->volume_key,
		.cost = { .kdf = KDF_PBKDF2_SHA512, .iterations = KDF_ITERATIONS_NEW_MIN },
	};
	struct stopping stopping = { disk, stop };
	struct convert_plan plan = { 0 };

	if (!volume)
		return false;

	const struct convert_ui ui = ui_for(volume, to, &stopping);
	const bool ok = convert_rekey(volume, set_name, &options, &ui, &plan, err);

	convert_plan_free(&plan);
	return ok;
}

bool run_continue(struct disk *disk, enum convert_goal goal, const struct keys *keys, bool wrong_key, unsigned stop, struct error *err)
{
	cleanup_volume struct volume *volume = open_disk(disk, true, true, err);
	const struct key_source key = key_of(keys, wrong_key);
	struct stopping stopping = { disk, stop };
	struct convert_plan plan = { 0 };

	if (!volume)
		return false;

	const struct convert_ui ui = ui_for(volume, keys, &stopping);
	const bool ok = convert_continue(volume, goal, &key, &ui, &plan, err);

	convert_plan_free(&plan);
	return ok;
}

bool run_status(struct disk *disk, const struct keys *keys, bool verified, struct convert_status *status, struct error *err)
{
	cleanup_volume struct volume *volume = open_disk(disk, false, true, err);
	const struct key_source key = key_of(keys, false);

	return volume && convert_status(volume, verified ? &key : NULL, status, err);
}

static void keep_first(void *context, const char *path, const char *what, const struct verify_range *range)
{
	struct error *err = context;

	(void)range;
	if (err->kind == ERROR_NONE)
		error_set(err, ERROR_CORRUPT, "%s: %s", path, what);
}

bool run_verify(struct disk *disk, const struct keys *keys, struct error *err)
{
	cleanup_volume struct volume *volume = open_disk(disk, false, false, err);
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_domain struct domain *domain = NULL;
	const struct domain_reader_options options = { 0 };
	const struct key_source key = key_of(keys, false);
	const struct subvolume *subvolume;
	struct verify_result result = { 0 };
	struct error first = { 0 };

	if (!volume || !subvolume_list_read(volume, &list, err) || !subvolume_find(&list, set_name, &subvolume, err) ||
	    !domain_find(volume, &list, subvolume, &domain, err))
		return false;
	if (!domain)
		return error_set(err, ERROR_REFUSED, "%s is not sealed", set_name);
	if (!domain_open(domain, &key, err) ||
	    !domain_verify(domain, &list, &options, keep_first, &first, &result, err))
		return false;
	if (first.kind == ERROR_NONE && result.n_bad == 0 && result.n_unsealed == 0)
		return true;
	*err = first;
	return error_prefix(err, "verify");
}
