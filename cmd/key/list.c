/* SPDX-License-Identifier: GPL-2.0-or-later */
/* key list: what a sealed subvolume can be opened with, as far as its header and slots tell without a key. */
#include <limits.h>
#include <string.h>

#include "cmd/key/target.h"
#include "cmd/key/verbs.h"
#include "cmd/print.h"
#include "cmd/row.h"
#include "cmd/value-text.h"
#include "common/sealed/domain-keyring.h"
#include "common/sealed/domain-slots.h"

/* Of two that differ, and are equally new, nobody knows without the key which one is right. */
static const char *copy_text(const struct domain *domain, unsigned i)
{
	const struct crypt_header *const copy = &domain->copy[i], *const other = &domain->copy[!i];

	if (!domain->copy_valid[i])
		return "missing or damaged";
	if (copy->epoch < domain->header.epoch)
		return "older";
	return domain->copy_valid[!i] && other->epoch == copy->epoch && !crypt_header_equal(copy, other) ? "differs" : "agrees";
}

static void put_slot(const struct row *row, const struct crypt_slot *slot)
{
	char date[DATE_TEXT_SIZE], zone[ZONE_TEXT_SIZE];
	const char *day = date_text((int64_t)slot->time, date);

	row_number(row, "slot", "\n  ", slot->number);
	row_text(row, "type", ": ", crypt_slot_type_name(slot->type));
	row_name(row, slot->label[0] ? "label" : NULL, "\n\tLabel: \t\t", slot->label[0] ? slot->label : "-", slot->label[0] ? strlen(slot->label) : 1);
	row_moment(row, "created", slot->time);
	row_format(row, "\n\tCreated: \t%s %s", day ? day : "-", day ? zone_text((int64_t)slot->time, zone) : "");
	row_text(row, "kdf", "\n\tKDF: \t\t", crypt_kdf_name(slot->kdf));
	if (slot->kdf == KDF_ARGON2ID) {
		row_number(row, "memory_kib", ", memory ", slot->p1);
		row_number(row, "passes", " KiB, passes ", slot->p2);
		row_number(row, "lanes", ", lanes ", slot->p3);
	} else if (slot->kdf == KDF_PBKDF2_SHA512) {
		row_number(row, "iterations", ", iterations ", slot->p1);
	}
}

struct putting {
	const struct domain *domain;
	const struct row *slots;
	size_t next, n;
	bool counts;		/* only */
};

static void put_right(struct putting *p, const struct crypt_slot *slot)
{
	p->n++;
	if (p->counts)
		return;

	const struct row row = row_element(p->slots);

	put_slot(&row, slot);
}

/* Those before this number. */
static void put_before(struct putting *p, unsigned number)
{
	for (; p->next < p->domain->n_slots && p->domain->slots[p->next].number < number; p->next++)
		put_right(p, &p->domain->slots[p->next]);
}

static void put_fault(void *context, unsigned number, const char *text)
{
	struct putting *const p = context;

	put_before(p, number);
	while (p->next < p->domain->n_slots && p->domain->slots[p->next].number == number)
		p->next++;
	p->n++;
	if (p->counts)
		return;

	const struct row row = row_element(p->slots);

	if (number < CRYPT_SLOTS_MAX)
		row_number(&row, "slot", NULL, number);
	row_text(&row, "fault", "\n  ", text);
}

/* What is wrong is in its place among the others. */
static size_t put_slots(const struct domain *domain, const struct row *slots, bool counts)
{
	struct putting putting = { .domain = domain, .slots = slots, .counts = counts };

	domain_slot_faults(domain, put_fault, &putting);
	put_before(&putting, UINT_MAX);
	return putting.n;
}

static void put_copy(const struct row *row, const struct domain *domain, unsigned i)
{
	const bool is_there = domain->copy_block[i];
	const char *const text = copy_text(domain, i);

	row_number(row, "copy", "\nHeader copy ", i);
	if (is_there)
		row_u64(row, "tree_block", ": \ttree block ", domain->copy_block[i]);
	row_flag(row, "valid", NULL, domain->copy_valid[i]);
	row_flag(row, "agrees", NULL, strcmp(text, "agrees") == 0);
	row_text(row, NULL, is_there ? ", " : ": \t", text);
}

static void put_member(const struct row *row, const struct crypt_member *member)
{
	const bool has_path = member->path_len > 0, is_top = member->id == FS_TREE_ID;

	row_u64(row, "id", "\n  ID ", member->id);
	row_uuid(row, "uuid", " uuid ", member->uuid);
	row_name(row, "path", has_path || is_top ? " path " : NULL, has_path ? member->path : (const uint8_t *)"/", has_path ? member->path_len : 1);
	row_words(row, has_path || is_top ? "" : " path -");
	if (member->path_cut)
		row_flag(row, "path_cut", "...", true);
}

static void print_domain(const struct domain *domain)
{
	const struct row row = row_begin("list");
	char tag[DOMAIN_TAG_TEXT_SIZE], name[DOMAIN_KEY_NAME_SIZE];

	domain_tag_text(domain, tag);
	row_text(&row, "encryption", "Encryption: \t", tag);
	row_text(&row, "cipher", NULL, crypt_cipher_name(domain->header.cipher));
	domain_key_name(domain, name);
	row_text(&row, "key_tag", NULL, name);
	row_number(&row, "sealing", "\nSealing: \t", domain->number);
	row_uuid(&row, "uuid", "\nUUID: \t\t", domain->header.domain_uuid);
	row_text(&row, "state", "\nState: \t\t", crypt_state_name(domain->header.state));
	row_u64(&row, "epoch", "\nEpoch: \t\t", domain->header.epoch);

	const struct row copies = row_array(&row, "header_copies");

	for (unsigned i = 0; i < 2 && !domain->unfinished; i++) {
		const struct row copy = row_element(&copies);

		put_copy(&copy, domain, i);
	}

	const struct row slots = row_array(&row, "slots");

	row_number(&row, NULL, "\nKey slots: \t", (int64_t)put_slots(domain, &slots, true));
	put_slots(domain, &slots, false);

	const struct row members = row_array(&row, "subvolumes");

	const size_t n_members = row.json || !domain->unfinished ? domain->n_members : 0;

	if (n_members > 0 || !domain->unfinished)
		row_number(&row, NULL, "\nSubvolumes: \t", (int64_t)n_members);
	for (size_t i = 0; i < n_members; i++) {
		const struct row member = row_element(&members);

		put_member(&member, &domain->members[i]);
	}
	row_end(&row);
}

/* While key slots are being changed, the new ones stand beside the old ones. */
static bool has_twice(const struct domain *domain)
{
	for (size_t i = 0; i < domain->n_slots; i++) {
		for (size_t j = 0; j < i; j++) {
			if (domain->slots[j].number == domain->slots[i].number)
				return true;
		}
	}
	return false;
}

static bool run(const char *const *operand, struct error *err)
{
	cleanup_key_target struct key_target target = { 0 };

	if (!key_target_open(operand, &target, err))
		return false;
	print_domain(target.domain);
	domain_slots_warn(target.domain);
	if (has_twice(target.domain))
		print_note(NULL, "the key slots as they were and as they will be are shown: their change is unfinished");
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
