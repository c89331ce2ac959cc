/* SPDX-License-Identifier: GPL-2.0-or-later */
/* key list: what a sealed subvolume can be opened with, as far as its header and slots tell without a key. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <uuid/uuid.h>

#include "cmd/json.h"
#include "cmd/key/verbs.h"
#include "cmd/key/target.h"
#include "cmd/print.h"
#include "cmd/value-text.h"
#include "common/sealed/domain-keyring.h"
#include "common/util/escape.h"

/* Is it the copy that was taken, or equal to it? */
static bool copy_agrees(const struct domain *domain, unsigned i)
{
	return domain->copy_valid[i] && (!domain->one_header_bad || domain->copy[i].epoch == domain->header.epoch);
}

static const char *path_text(const struct crypt_member *member, char *text, size_t size)
{
	if (member->path_len == 0)
		return member->id == FS_TREE_ID ? "/" : "-";
	escape_text(member->path, member->path_len, text, size);
	return text;
}

/* --- text ---------------------------------------------------------------------------------------------------------- */

static void print_slot(const struct crypt_slot *slot)
{
	char date[DATE_TEXT_SIZE], zone[ZONE_TEXT_SIZE], label[ESCAPED_SIZE(CRYPT_LABEL_MAX)];
	const char *day = date_text((int64_t)slot->time, date);

	escape_text(slot->label, strlen(slot->label), label, sizeof(label));
	printf("  %u: %s\n\tLabel: \t\t%s\n", slot->number, crypt_slot_type_name(slot->type), slot->label[0] ? label : "-");
	printf("\tCreated: \t%s %s\n", day ? day : "-", day ? zone_text((int64_t)slot->time, zone) : "");
	printf("\tKDF: \t\t%s", crypt_kdf_name(slot->kdf));
	if (slot->kdf == KDF_ARGON2ID)
		printf(", memory %" PRIu32 " KiB, passes %" PRIu32 ", lanes %" PRIu32, slot->p1, slot->p2, slot->p3);
	else if (slot->kdf == KDF_PBKDF2_SHA512)
		printf(", iterations %" PRIu32, slot->p1);
	printf("\n");
}

static void print_text(const struct domain *domain, const char *tag)
{
	char uuid[UUID_STR_LEN], path[ESCAPED_SIZE(CRYPT_PATH_MAX)];

	uuid_unparse_lower(domain->header.domain_uuid, uuid);
	printf("Encryption: \t%s\nSealing: \t%u\nUUID: \t\t%s\nState: \t\t%s\nEpoch: \t\t%" PRIu64 "\n", tag, domain->number, uuid,
	       crypt_state_name(domain->header.state), domain->header.epoch);
	for (unsigned i = 0; i < 2 && !domain->unfinished; i++)
		printf("Header copy %u: \ttree block %" PRIu64 ", %s\n", i, domain->copy_block[i],
		       !domain->copy_valid[i] ? "missing or damaged" : copy_agrees(domain, i) ? "agrees" : "older");
	printf("Key slots: \t%zu\n", domain->n_slots);
	for (size_t i = 0; i < domain->n_slots; i++)
		print_slot(&domain->slots[i]);
	if (domain->unfinished)
		return;
	printf("Subvolumes: \t%zu\n", domain->n_members);
	for (size_t i = 0; i < domain->n_members; i++) {
		const struct crypt_member *member = &domain->members[i];

		uuid_unparse_lower(member->uuid, uuid);
		printf("  ID %" PRIu64 " uuid %s path %s%s\n", member->id, uuid, path_text(member, path, sizeof(path)), member->path_cut ? "..." : "");
	}
}

/* --- JSON ---------------------------------------------------------------------------------------------------------- */

static void json_uuid_bytes(struct json_object *object, const char *name, const uint8_t *bytes)
{
	char text[UUID_STR_LEN];

	uuid_unparse_lower(bytes, text);
	json_text(object, name, text);
}

static struct json_object *slot_json(const struct crypt_slot *slot)
{
	struct json_object *line = json_line();

	json_number(line, "slot", slot->number);
	json_text(line, "type", crypt_slot_type_name(slot->type));
	if (slot->label[0])
		json_name(line, "label", slot->label, strlen(slot->label));
	json_moment(line, "created", slot->time);
	json_text(line, "kdf", crypt_kdf_name(slot->kdf));
	if (slot->kdf == KDF_ARGON2ID) {
		json_number(line, "memory_kib", slot->p1);
		json_number(line, "passes", slot->p2);
		json_number(line, "lanes", slot->p3);
	} else if (slot->kdf == KDF_PBKDF2_SHA512) {
		json_number(line, "iterations", slot->p1);
	}
	return line;
}

static struct json_object *copy_json(const struct domain *domain, unsigned i)
{
	struct json_object *line = json_line();

	json_number(line, "copy", i);
	if (domain->copy_block[i])
		json_u64(line, "tree_block", domain->copy_block[i]);
	json_flag(line, "valid", domain->copy_valid[i]);
	json_flag(line, "agrees", copy_agrees(domain, i));
	return line;
}

static struct json_object *member_json(const struct crypt_member *member)
{
	struct json_object *line = json_line();

	json_u64(line, "id", member->id);
	json_uuid_bytes(line, "uuid", member->uuid);
	json_name(line, "path", member->path_len ? member->path : (const uint8_t *)"/", member->path_len ? member->path_len : 1);
	if (member->path_cut)
		json_flag(line, "path_cut", true);
	return line;
}

static void print_json(const struct domain *domain, const char *tag)
{
	struct json_object *line = json_line(), *copies = json_array(), *slots = json_array(), *members = json_array();
	char name[DOMAIN_KEY_NAME_SIZE];

	json_text(line, "record", "list");
	json_text(line, "encryption", tag);
	json_text(line, "cipher", crypt_cipher_name(domain->header.cipher));
	domain_key_name(domain, name);
	json_text(line, "key_tag", name);
	json_number(line, "sealing", domain->number);
	json_uuid_bytes(line, "uuid", domain->header.domain_uuid);
	json_text(line, "state", crypt_state_name(domain->header.state));
	json_u64(line, "epoch", domain->header.epoch);
	for (unsigned i = 0; i < 2 && !domain->unfinished; i++)
		json_append(copies, copy_json(domain, i));
	for (size_t i = 0; i < domain->n_slots; i++)
		json_append(slots, slot_json(&domain->slots[i]));
	for (size_t i = 0; i < domain->n_members; i++)
		json_append(members, member_json(&domain->members[i]));
	json_member(line, "header_copies", copies);
	json_member(line, "slots", slots);
	json_member(line, "subvolumes", members);
	json_print(line, stdout);
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_key_target struct key_target target = { 0 };
	char tag[DOMAIN_TAG_TEXT_SIZE];

	if (!key_target_open(operand, &target, err))
		return false;
	domain_tag_text(target.domain, tag);
	(format_is_json() ? print_json : print_text)(target.domain, tag);
	print_note(NULL, "nothing here is authenticated: verify-key says whether a key opens it");
	return stdout_flush(err);
}

const struct key_verb key_verb_list = {
	.name = "list",
	.summary = "show key slots, header copies and subvolumes; needs no key",
	.options = "",
	.n_operands = 2,
	.run = run,
};
