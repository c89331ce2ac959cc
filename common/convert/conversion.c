/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a conversion holds, and what it tells people. */
#include "common/convert/conversion.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/convert/holes.h"
#include "common/convert/lost-record.h"
#include "common/convert/memory.h"
#include "common/convert/old-side.h"

void conversion_close(struct conversion *c)
{
	operation_close(&c->op);
	allocator_close(c->allocator);
	mac_free(c->nonce_mac);
	key_schedule_free(c->schedule);
	unit_map_free(c->units);
	inline_map_free(c->inlines);
	scan_free(c->scan);
	copy_plan_free(c->copy);
	subvolume_list_free(&c->list);
	free(c->flags);
	free(c->flags_member);
	free(c->members);
	free(c->bad.at);
	free(c->bad.spoil);
	key_schedule_free(c->old.schedule);
	unit_map_free(c->old.units);
	inline_map_free(c->old.inlines);
	free(c->old.source);
	free(c->old.bad);
	free(c->differing.at);
	lost_record_free(c);
	*c = (struct conversion){ 0 };
}

bool conversion_open_journal(struct conversion *c, struct error *err)
{
	struct journal *journal = &c->op.journal;

	if (!operation_open_journal(&c->op, err))
		return false;
	if (c->ui && c->ui->record_bytes && c->ui->record_bytes < journal->buffer_size)
		journal->buffer_size = c->ui->record_bytes;
	return true;
}

bool conversion_begin_digest(const struct conversion *c, uint8_t digest[CRYPT_MAC_SIZE], struct error *err)
{
	const struct digest_input input = {
		.kind = DIGEST_FOUND,
		.scan = c->scan,
		.schedule = c->schedule,
		.flags = c->flags,
		.n_flags = c->n_flags,
		.flags_member = c->flags_member,
	};

	return begin_digest(&input, c->op.state.op_id, digest, err);
}

bool conversion_begin(struct conversion *c, enum crypt_operation operation, const struct operation_places *places, bool accepted,
		      const struct disk_crypt_slot *slots, size_t n_slots, struct error *err)
{
	struct disk_crypt_state *state = &c->op.state;

	c->op = (struct operation){ .volume = c->volume, .header = &c->header, .schedule = c->schedule };
	operation_begin(&c->op, operation, places);
	state->flags = to_le32((accepted ? CRYPT_STATE_ACCEPTED : 0) | (c->copy ? CRYPT_STATE_COPY : 0) | operation_wanted_flags(c->ui));
	state->total = to_le64(operation == CRYPT_OP_DECRYPT ? unit_map_joined_bytes(c->units) :
			       operation == CRYPT_OP_REKEY ? old_side_bytes(c) : c->scan->data_bytes);
	if (operation == CRYPT_OP_REKEY)
		memcpy(state->kcv_old, c->old.header.kcv, sizeof(state->kcv_old));
	return conversion_begin_digest(c, state->begin_digest, err) && conversion_open_journal(c, err) && conversion_hold_memory(c, err) &&
	       conversion_may_begin(c, err) && holes_fill(c, places, err) && operation_write_keys(&c->op, slots, n_slots, err);
}

void conversion_resume(struct conversion *c, const struct disk_crypt_state *state)
{
	c->op = (struct operation){ .volume = c->volume, .header = &c->header, .schedule = c->schedule, .state = *state };
}

bool conversion_join_placed(struct conversion *c, struct error *err)
{
	unit_map_free(c->units);
	c->units = NULL;
	if (!unit_map_read(c->volume, c->header.domain, &c->units, err))
		return false;
	if (!c->old.schedule)
		return unit_map_join_placed(c->units, c->scan, err);
	/* What was written since the old sealing has no units. */
	return unit_map_join_stored(c->units, c->scan, err) &&
	       ((c->units->n_joined == c->units->n_groups && unit_map_joined_bytes(c->units) == old_side_bytes(c)) ||
		error_set(err, ERROR_CORRUPT, "the tags under the new key do not fit the extents"));
}

void conversion_report(struct conversion *c)
{
	const struct domain domain = { .header = c->header };

	c->plan->rekeyed = conversion_is_rekey(c);
	domain_tag_text(&domain, c->plan->key_tag);
	memcpy(c->plan->seal_fingerprint, c->header.seal, sizeof(c->plan->seal_fingerprint));
}

void conversion_progress(const struct conversion *c, uint64_t done, uint64_t total)
{
	const struct convert_progress progress = { c->phase, c->direction, done, total };

	if (c->ui && c->ui->progress)
		c->ui->progress(c->ui->context, &progress);
}

void conversion_forget_secrets(const struct conversion *c)
{
	if (c->ui && c->ui->forget_secrets)
		c->ui->forget_secrets(c->ui->context);
}

void convert_note(const struct convert_ui *ui, const char *format, va_list args)
{
	char text[1024];

	if (!ui || !ui->note)
		return;
	vsnprintf(text, sizeof(text), format, args);
	ui->note(ui->context, text);
}

void conversion_note(const struct conversion *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	convert_note(c->ui, format, args);
	va_end(args);
}

bool conversion_may_begin(const struct conversion *c, struct error *err)
{
	return !c->ui || !c->ui->stop || !c->ui->stop(c->ui->context) || error_set(err, ERROR_STOPPED, "stopped; nothing was changed");
}
