/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a conversion holds, and what it tells people. */
#include "common/convert/conversion.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/convert/lost-record.h"

void conversion_close(struct conversion *c)
{
	journal_close(&c->journal);
	allocator_close(c->allocator);
	mac_free(c->nonce_mac);
	key_schedule_free(c->schedule);
	unit_map_free(c->units);
	inline_map_free(c->inlines);
	scan_free(c->scan);
	subvolume_list_free(&c->list);
	free(c->flags);
	free(c->flags_member);
	free(c->members);
	free(c->bad.at);
	free(c->bad.spoil);
	free(c->differing.at);
	lost_record_free(c);
	*c = (struct conversion){ 0 };
}

bool conversion_open_journal(struct conversion *c, const struct crypt_range slot[CRYPT_JOURNAL_SLOTS], struct error *err)
{
	struct journal *journal = &c->journal;

	if (!journal_open(c->volume, slot, c->state.op_id, c->schedule, journal, err))
		return false;
	if (c->ui && c->ui->record_bytes && c->ui->record_bytes < journal->buffer_size)
		journal->buffer_size = c->ui->record_bytes;
	return true;
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

void conversion_note(const struct conversion *c, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!c->ui || !c->ui->note)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	c->ui->note(c->ui->context, text);
}

bool conversion_may_begin(const struct conversion *c, struct error *err)
{
	return !c->ui || !c->ui->stop || !c->ui->stop(c->ui->context) || error_set(err, ERROR_STOPPED, "stopped before anything was changed");
}
