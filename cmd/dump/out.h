/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Output of the dump commands: decoding an item once gives lines of text as in btrfs-progs, or members of a JSON object. A label is the
 * words of the text; in JSON its spaces become underscores.
 */
#ifndef CMD_DUMP_OUT_H
#define CMD_DUMP_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/inode.h"
#include "format/key.h"
#include "format/superblock.h"

struct dump_legacy;
struct json_object;

/* Names from an image, in text: escaped, or raw for a machine to compare, or hidden. */
enum dump_names { NAMES_ESCAPED, NAMES_RAW, NAMES_HIDDEN };

/* Initialise with .object = json_line() for JSON, or NULL for text; indent: tabs before each line. */
struct dump {
	const struct key *key;			/* of the item that is printed */
	const struct superblock *super;		/* of its filesystem; dump_chunk() needs none */
	struct json_object *object, *outer, *array, *group_outer;
	const char *list, *group;
	unsigned indent;
	bool in_line;
	bool as_table;		/* each field in a line, with its value in a column, as dump-super has it */
	enum dump_names names;
	bool csums;		/* also checksums of data, which the text leaves out */
	bool tags;		/* also tags of sealed data, one for every 4 KiB */
	struct dump_legacy *legacy;	/* of the tree that the item is in; NULL: nothing is known */
};

/* Fields: "label value", side by side until the line ends. */
void dump_u64(struct dump *dump, const char *label, uint64_t value);	/* may pass 2^53 */
void dump_number(struct dump *dump, const char *label, uint32_t value);
void dump_octal(struct dump *dump, const char *label, uint32_t value);
void dump_bits(struct dump *dump, const char *label, uint64_t value, const char *names);	/* "label 0x1(NAMES)" */
void dump_text(struct dump *dump, const char *label, const char *text);
void dump_signed(struct dump *dump, const char *label, uint64_t value);	/* as btrfs-progs prints limits */
void dump_name(struct dump *dump, const char *label, const void *bytes, size_t len);	/* bytes of an image */
void dump_value(struct dump *dump, const char *label, const void *bytes, size_t len);	/* the same, but the text contains at most 255 bytes of it */
void dump_hex(struct dump *dump, const char *label, const void *bytes, size_t len);
void dump_uuid(struct dump *dump, const char *label, const uint8_t uuid[UUID_SIZE]);
void dump_key(struct dump *dump, const char *label, const struct key *key);	/* "label key (...)" */
void dump_time(struct dump *dump, const char *label, const struct inode_time *at);

/*
 * Shorter, for decoders, which call the dump `dump`: a line of source is a line of text. VALUE_OF(inode, uid) is inode.uid, native or as on
 * disk, as field "uid".
 */
#define LINE(...) (__VA_ARGS__, dump_end_line(dump))
#define VALUES(...) ((void)0, __VA_ARGS__)		/* the line goes on */
#define VALUE(label, value) _Generic((value), uint64_t: dump_u64, struct le64: dump_le64, struct le32: dump_le32, struct le16: dump_le16, \
	struct disk_key: dump_disk_key, struct disk_timespec: dump_disk_time, default: dump_number)(dump, label, value)
#define VALUE_OF(of, member) VALUE(#member, (of).member)
#define HEX_OF(of, member) dump_hex(dump, #member, (of).member, sizeof((of).member))
#define UUID_OF(of, member) dump_uuid(dump, #member, (of).member)
void dump_le64(struct dump *dump, const char *label, struct le64 value);
void dump_le32(struct dump *dump, const char *label, struct le32 value);
void dump_le16(struct dump *dump, const char *label, struct le16 value);
void dump_disk_key(struct dump *dump, const char *label, struct disk_key key);
void dump_disk_time(struct dump *dump, const char *label, struct disk_timespec at);

/* Members that only JSON has. */
void dump_json_u64(struct dump *dump, const char *name, uint64_t value);
void dump_json_hex(struct dump *dump, const char *name, const void *bytes, size_t len);
/* Contents of files and of links: hidden together with names. */
void dump_json_content(struct dump *dump, const char *name, const void *bytes, size_t len);

/* Words that only the text has; in JSON the member names say it. */
void dump_words(struct dump *dump, const char *words);
void dump_end_line(struct dump *dump);

/* Payload that is not decoded: lines of 32 bytes, or one member "bytes". */
void dump_bytes(struct dump *dump, const void *bytes, size_t len);

/* Several things in one item: dump_list(), dump_element() before each, dump_list_end(). */
void dump_list(struct dump *dump, const char *label);
void dump_element(struct dump *dump);
void dump_list_end(struct dump *dump);

/* Fields that belong together: an object of their own in JSON. Cannot be nested. */
void dump_group(struct dump *dump, const char *label);
void dump_group_end(struct dump *dump);

/* "A|B" from named bits, then "0x8000" for the rest; "none" if no bit is set. */
struct bit_name {
	uint64_t bit;
	const char *name;
};
const char *bits_text(uint64_t bits, const struct bit_name *names, size_t n, char *text, size_t size);
/* The same as btrfs-progs prints them: only named bits; if there are none, the text none. */
const char *known_bits_text(uint64_t bits, const struct bit_name *names, size_t n, const char *none, char *text, size_t size);

/* The name of a tree or object id as in keys, or its number. */
#define OBJECT_TEXT_SIZE KEY_TEXT_SIZE
const char *object_text(uint64_t id, char text[OBJECT_TEXT_SIZE]);

#endif /* CMD_DUMP_OUT_H */
