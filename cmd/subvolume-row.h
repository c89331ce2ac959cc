/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What list and show say of a subvolume: in JSON the same members, under the same names. */
#ifndef CMD_SUBVOLUME_ROW_H
#define CMD_SUBVOLUME_ROW_H

#include "cmd/legacy-shown.h"
#include "common/sealed/domain-names.h"

/* What is known of every subvolume: members in JSON, lines of show, and most of them columns of list. In JSON they stand in this order. */
enum subvolume_field {
	SUBVOLUME_ID, SUBVOLUME_GENERATION, SUBVOLUME_CREATED_IN, SUBVOLUME_PARENT, SUBVOLUME_TOP_LEVEL,
	SUBVOLUME_UUID, SUBVOLUME_PARENT_UUID, SUBVOLUME_RECEIVED_UUID, SUBVOLUME_CREATED,
	SUBVOLUME_SENT_IN, SUBVOLUME_SENT, SUBVOLUME_RECEIVED_IN, SUBVOLUME_RECEIVED,
};

/* In text, the lines of show from first to last. */
void subvolume_put_lines(const struct row *row, enum subvolume_field first, enum subvolume_field last, const struct subvolume *subvolume);

/* What heads the column in list, and in text what stands in it. */
const char *subvolume_column(enum subvolume_field field);
#define SUBVOLUME_VALUE_SIZE 96
const char *subvolume_column_value(enum subvolume_field field, const struct subvolume *subvolume, char text[SUBVOLUME_VALUE_SIZE]);

/* What says how a subvolume is encrypted: at most one of them does. */
struct subvolume_cipher {
	const struct seal *seal;
	const struct keyring_found *key;	/* seal_key_of() */
	struct legacy_shown legacy;
};
/* flagged_only: as legacy_shown_read() */
bool subvolume_cipher_read(const struct seals *seals, const struct subvolume *subvolume, bool flagged_only, struct subvolume_cipher *cipher,
			   struct error *err) must_use;

/* In text what list has behind the path, after tabs, because no escaped path contains one. */
void subvolume_put(const struct row *row, const struct subvolume *subvolume, const struct subvolume_cipher *cipher, bool is_default);

/* What is to be said of where it is, for a report or a record; kind: the member that names it. */
void json_place(struct json_object *line, const char *kind, const struct place_finding *finding);

/* What it is sealed as: by its root item, unless a member item knows better; false: it is not. Not for the format of 2016. */
bool subvolume_encryption(const struct subvolume *subvolume, const struct seal *seal, char text[ROOT_TAG_TEXT_SIZE]);

/* Names the sealings of which no subvolume is left, and how to remove them. */
void seals_note_empty(const struct seals *seals, const char *image);

/* Warns of a tag that is wrong, and of a name that is not the one it was sealed under. */
bool subvolume_seal_warn(const struct subvolume *subvolume, const struct seal *seal, struct error *err) must_use;

#endif /* CMD_SUBVOLUME_ROW_H */
