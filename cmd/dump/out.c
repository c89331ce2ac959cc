/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fields of a dump, as text or as JSON. */
#include "cmd/dump/out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "cmd/json.h"
#include "cmd/value-text.h"
#include "common/util/escape.h"
#include "common/util/hex.h"

#define BYTES_IN_LINE 32u
#define VALUE_COLUMN 24u		/* of a table */
#define VALUE_MAX_SHOWN 255u	/* of an xattr, as btrfs-progs has it */

struct json_label {
	char text[64];
};

/* "block group" is "block_group", "name:" is "name", "dev_item.uuid" is "dev_item_uuid", and what is in brackets is left out. */
static struct json_label json_label(const char *label)
{
	struct json_label name;
	size_t n = 0;

	for (; *label && strncmp(label, " (", 2) != 0 && n + 1 < sizeof(name.text); label++) {
		if (*label != ':')
			name.text[n++] = *label == ' ' || *label == '.' ? '_' : *label;
	}
	name.text[n] = '\0';
	return name;
}

static struct json_label member(struct json_label name, const char *part)
{
	const size_t len = strlen(name.text);

	snprintf(name.text + len, sizeof(name.text) - len, "%s", part);
	return name;
}

static void begin_word(struct dump *dump)
{
	if (dump->in_line)
		putchar(' ');
	else
		for (unsigned i = 0; i < dump->indent; i++)
			putchar('\t');
	dump->in_line = true;
}

/* A line of a table. */
static void print_row(const char *label, const char *value)
{
	size_t column = printf("%s", label);

	do {
		putchar('\t');
		column = column / 8 * 8 + 8;
	} while (column < VALUE_COLUMN);
	puts(value);
}

static void print_words(struct dump *dump, const char *label, const char *value)
{
	if (dump->as_table) {
		print_row(label, value);
		return;
	}
	begin_word(dump);
	printf("%s %s", label, value);
}

void dump_u64(struct dump *dump, const char *label, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	dump_text(dump, label, text);
}

void dump_number(struct dump *dump, const char *label, uint32_t value)
{
	if (dump->object)
		json_number(dump->object, json_label(label).text, value);
	else
		dump_u64(dump, label, value);
}

void dump_le64(struct dump *dump, const char *label, struct le64 value) { dump_u64(dump, label, le64(value)); }
void dump_le32(struct dump *dump, const char *label, struct le32 value) { dump_number(dump, label, le32(value)); }
void dump_le16(struct dump *dump, const char *label, struct le16 value) { dump_number(dump, label, le16(value)); }

void dump_signed(struct dump *dump, const char *label, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, (int64_t)value);
	if (dump->object)
		dump_u64(dump, label, value);
	else
		print_words(dump, label, text);
}

void dump_json_u64(struct dump *dump, const char *name, uint64_t value)
{
	if (dump->object)
		json_u64(dump->object, name, value);
}

void dump_json_hex(struct dump *dump, const char *name, const void *bytes, size_t len)
{
	if (dump->object)
		json_hex(dump->object, name, bytes, len);
}

void dump_json_content(struct dump *dump, const char *name, const void *bytes, size_t len)
{
	if (dump->names == NAMES_HIDDEN)
		len = 0;
	dump_json_hex(dump, name, bytes, len);
}

void dump_octal(struct dump *dump, const char *label, uint32_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIo32, value);
	dump_text(dump, label, text);
}

void dump_bits(struct dump *dump, const char *label, uint64_t value, const char *names)
{
	if (dump->object) {
		const struct json_label name = json_label(label);
		char with_names[80];

		snprintf(with_names, sizeof(with_names), "%s_names", name.text);
		json_format(dump->object, name.text, "0x%" PRIx64, value);
		json_text(dump->object, with_names, names);
	} else {
		begin_word(dump);
		printf("%s 0x%" PRIx64 "(%s)", label, value, names);
	}
}

void dump_text(struct dump *dump, const char *label, const char *text)
{
	if (dump->object)
		json_text(dump->object, json_label(label).text, text);
	else
		print_words(dump, label, text);
}

void dump_name(struct dump *dump, const char *label, const void *bytes, size_t len)
{
	if (dump->names == NAMES_HIDDEN) {
		dump_text(dump, label, "HIDDEN");
		return;
	}
	if (dump->object) {
		json_name(dump->object, json_label(label).text, bytes, len);
		return;
	}
	if (dump->names == NAMES_RAW) {
		print_words(dump, label, "");
		fwrite(bytes, 1, strnlen(bytes, len), stdout);	/* btrfs-progs takes them for strings */
		return;
	}

	char *text = escape_new(bytes, len);

	print_words(dump, label, text ? text : "?");
	free(text);
}

void dump_value(struct dump *dump, const char *label, const void *bytes, size_t len)
{
	dump_name(dump, label, bytes, dump->object || len < VALUE_MAX_SHOWN ? len : VALUE_MAX_SHOWN);
}

void dump_hex(struct dump *dump, const char *label, const void *bytes, size_t len)
{
	if (dump->object) {
		json_hex(dump->object, json_label(label).text, bytes, len);
		return;
	}
	begin_word(dump);
	printf("%s ", label);
	for (size_t at = 0; at < len; at += BYTES_IN_LINE) {
		char text[2 * BYTES_IN_LINE + 1];

		hex_text((const uint8_t *)bytes + at, len - at < BYTES_IN_LINE ? len - at : BYTES_IN_LINE, text);
		fputs(text, stdout);
	}
}

void dump_uuid(struct dump *dump, const char *label, const uint8_t uuid[UUID_SIZE])
{
	char text[UUID_STR_LEN];

	uuid_unparse_lower(uuid, text);
	dump_text(dump, label, text);
}

void dump_key(struct dump *dump, const char *label, const struct key *key)
{
	char text[KEY_TEXT_SIZE];

	key_text(key, text);
	if (dump->object) {
		const struct json_label name = json_label(label);

		json_text(dump->object, name.text, text);
		json_format(dump->object, member(name, "_objectid").text, "%" PRIu64, key->objectid);
		json_number(dump->object, member(name, "_type").text, key->type);
		json_format(dump->object, member(name, "_offset").text, "%" PRIu64, key->offset);
	} else {
		begin_word(dump);
		printf("%s key %s", label, text);
	}
}

void dump_time(struct dump *dump, const char *label, const struct inode_time *at)
{
	char when[DATE_TEXT_SIZE];

	if (dump->object) {
		json_time(dump->object, json_label(label).text, at);
		return;
	}
	if (!local_date_text(at->sec, when))
		snprintf(when, sizeof(when), "no date");
	begin_word(dump);
	/* As btrfs-progs has it: seconds without a sign, nanoseconds without leading zeros. */
	printf("%s %" PRIu64 ".%" PRIu32 " (%s)", label, (uint64_t)at->sec, at->nsec, when);
}

void dump_disk_key(struct dump *dump, const char *label, struct disk_key disk)
{
	const struct key key = key_from_disk(&disk);

	dump_key(dump, label, &key);
}

void dump_disk_time(struct dump *dump, const char *label, struct disk_timespec disk)
{
	const struct inode_time at = { (int64_t)le64(disk.sec), le32(disk.nsec) };

	dump_time(dump, label, &at);
}

void dump_words(struct dump *dump, const char *words)
{
	if (dump->object)
		return;
	begin_word(dump);
	fputs(words, stdout);
}

void dump_end_line(struct dump *dump)
{
	if (!dump->object && dump->in_line)
		putchar('\n');
	dump->in_line = false;
}

void dump_bytes(struct dump *dump, const void *bytes, size_t len)
{
	if (dump->object) {
		json_hex(dump->object, "bytes", bytes, len);
		return;
	}
	dump_end_line(dump);
	for (size_t at = 0; at < len; at += BYTES_IN_LINE) {
		char label[24];

		snprintf(label, sizeof(label), "%04zx", at);
		dump_hex(dump, label, (const uint8_t *)bytes + at, len - at < BYTES_IN_LINE ? len - at : BYTES_IN_LINE);
		dump_end_line(dump);
	}
}

void dump_list(struct dump *dump, const char *label)
{
	dump_end_line(dump);
	if (!dump->object)
		return;
	dump->list = label;
	dump->outer = dump->object;
	dump->array = json_array();
}

static void close_element(struct dump *dump)
{
	if (dump->object != dump->outer)
		json_append(dump->array, dump->object);
	dump->object = dump->outer;
}

void dump_element(struct dump *dump)
{
	dump_end_line(dump);
	if (!dump->object)
		return;
	close_element(dump);
	dump->object = json_line();
}

void dump_list_end(struct dump *dump)
{
	dump_end_line(dump);
	if (!dump->object)
		return;
	close_element(dump);
	json_member(dump->outer, json_label(dump->list).text, dump->array);
	dump->outer = dump->array = NULL;
}

void dump_group(struct dump *dump, const char *label)
{
	if (!dump->object)
		return;
	dump->group = label;
	dump->group_outer = dump->object;
	dump->object = json_line();
}

void dump_group_end(struct dump *dump)
{
	if (!dump->object)
		return;
	json_member(dump->group_outer, json_label(dump->group).text, dump->object);
	dump->object = dump->group_outer;
}

const char *known_bits_text(uint64_t bits, const struct bit_name *names, size_t n, const char *none, char *text, size_t size)
{
	uint64_t known = 0;

	for (size_t i = 0; i < n; i++)
		known |= names[i].bit;
	if (bits & known)
		return bits_text(bits & known, names, n, text, size);
	snprintf(text, size, "%s", none);
	return text;
}

const char *bits_text(uint64_t bits, const struct bit_name *names, size_t n, char *text, size_t size)
{
	size_t used = 0;

	snprintf(text, size, "none");
	for (size_t i = 0; i < n && used < size; i++) {
		if (bits & names[i].bit)
			used += snprintf(text + used, size - used, "%s%s", used ? "|" : "", names[i].name);
		bits &= ~names[i].bit;
	}
	if (bits && used < size)
		snprintf(text + used, size - used, "%s0x%" PRIx64, used ? "|" : "", bits);
	return text;
}

const char *object_text(uint64_t id, char text[OBJECT_TEXT_SIZE])
{
	const struct key key = { id, KEY_TREE_BLOCK_REF, 0 };

	key_text(&key, text);
	/* "(NAME TREE_BLOCK_REF 0)" */
	text[strcspn(text, " ")] = '\0';
	memmove(text, text + 1, strlen(text));
	return text;
}
