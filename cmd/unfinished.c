/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An unfinished conversion in words. */
#include "cmd/unfinished.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/image.h"
#include "cmd/operands.h"
#include "cmd/print.h"
#include "cmd/value-text.h"
#include "common/convert/look.h"
#include "common/legacy/legacy.h"
#include "common/util/escape.h"
#include "common/volume/still-ours.h"

struct unfinished_words unfinished_words(const struct crypt_state_tail *state)
{
	static const struct { const char *towards[2], *doing[2]; } words_of[] = {	/* forward, back */
		[CRYPT_OP_ENCRYPT] = { { "to sealed", "back to plain text" }, { "sealing", "undoing a sealing" } },
		[CRYPT_OP_DECRYPT] = { { "to plain text", "back to sealed" }, { "unsealing", "undoing an unsealing" } },
		[CRYPT_OP_KEYS] = { { "to the new key slots", "back to the old key slots" }, { "changing key slots", "undoing a change of key slots" } },
		[CRYPT_OP_LEGACY] = { { "to plain text", "back to encrypted" }, { "decrypting the format of 2016", "undoing a decryption of the format of 2016" } },
		[CRYPT_OP_PURGE] = { { "to the sealing removed", "back to the sealing" }, { "removing a sealing", "undoing the removal of a sealing" } },
		[CRYPT_OP_REKEY] = { { "to the new key", "back to the old key" }, { "rekeying", "undoing a rekeying" } },
	};
	const bool forward = crypt_is_forward(state->operation, state->direction);
	const bool to_plain = state->operation == CRYPT_OP_DECRYPT && forward;
	struct unfinished_words words = {
		.operation = crypt_operation_name(state->operation),
		.direction = words_of[state->operation].towards[!forward],
		.doing = words_of[state->operation].doing[!forward],
		.resume = convert_options_to_go_on(state->operation, state->direction),
		/* The crypt items of a decryption may be gone already. If changes were accepted, nothing could put them back. */
		.can_undo = forward && state->phase < CRYPT_PHASE_FINISH && !(to_plain && state->phase == CRYPT_PHASE_STRUCTURE && state->cursor == 0) &&
			    !(state->operation == CRYPT_OP_REKEY && state->phase == CRYPT_PHASE_INDEX && state->cursor == UINT64_MAX) &&
			    !(state->operation == CRYPT_OP_LEGACY && state->phase == CRYPT_PHASE_STRUCTURE) &&
			    !(to_plain && le32(state->disk.flags) & CRYPT_STATE_ACCEPTED),
	};
	const time_t start = state->start_time;
	struct tm tm;

	if (!gmtime_r(&start, &tm) || !strftime(words.started, sizeof(words.started), "%Y-%m-%d %H:%M:%S UTC", &tm))
		strcpy(words.started, "unknown");
	return words;
}

static const char *running_text(pid_t process, char text[64])
{
	if (process)
		snprintf(text, 64, "running now, by process %ld", (long)process);
	return process ? text : "running now, by another process";
}

bool unfinished_error(const struct volume *volume, const char *image, struct error *err)
{
	const struct superblock *super = volume_unfinished_super(volume);
	struct crypt_state_tail state;
	struct error unread;
	char name[128], running[64];
	pid_t process;

	if (!super)
		return false;
	/* Nobody can continue it from the superblock in use. */
	if (super->generation > volume->super.generation)
		return false;
	/* If the state cannot be read, the text stays as it was: that a conversion is unfinished. */
	if (!crypt_state_read(super->disk.tail, &state, &unread)) {
		if (unread.kind == ERROR_REFUSED)
			*err = unread;
		return false;
	}

	const struct unfinished_words words = unfinished_words(&state);

	escape_text(image, strlen(image), name, sizeof(name));
	error_set(err, ERROR_UNFINISHED, "%s: an unfinished conversion is present: %s, started %s", name, words.doing, words.started);
	if (volume_locked_by(volume, &process))
		return error_hint(err, "it is %s", running_text(process, running));
	error_hint(err, "`convert %s` finishes it, %s`convert --status` says more", words.resume, words.can_undo ? "`convert --abort` undoes it, " : "");
	hint_commands(image, err);
	return false;
}

bool unfinished_read(struct volume *volume, struct unfinished *unfinished, struct error *err)
{
	struct error what = { 0 };

	*unfinished = (struct unfinished){ .is_there = volume && volume_is_unfinished(volume) };
	if (!unfinished->is_there)
		return true;
	if (!convert_status(volume, NULL, &unfinished->status, &what)) {
		unfinished->status = (struct convert_status){ 0 };
	} else if (unfinished->status.state.operation != 0) {
		unfinished->words = unfinished_words(&unfinished->status.state);
		if (unfinished->status.state.operation != CRYPT_OP_LEGACY &&
		    !domain_read(volume, unfinished->status.state.domain, &unfinished->domain, &what))
			unfinished->domain = NULL;
	}
	if (what.kind != ERROR_MEMORY)
		return true;
	*err = what;
	return false;
}

void unfinished_free(struct unfinished *unfinished)
{
	domain_free(unfinished->domain);
	*unfinished = (struct unfinished){ 0 };
}

void unfinished_warn(const struct unfinished *unfinished, const char *image)
{
	const struct unfinished_words *words = &unfinished->words;
	char *word, running[64];

	if (!unfinished->is_there)
		return;
	if (!words->operation) {
		print_warning(NULL, "an unfinished conversion is present, and its state cannot be read");
		return;
	}
	if (unfinished->status.running) {
		printf_warning("an unfinished conversion is present: %s, %u%% done, started %s; %s", words->doing, unfinished->status.percent,
			       words->started, running_text(unfinished->status.process, running));
		return;
	}
	word = image_word(image);

	const char *const name = word ? word : "IMAGE";

	printf_warning("an unfinished conversion is present: %s, %u%% done, started %s; `btrfs-crypt convert %s %s` finishes it%s%s%s",
		       words->doing, unfinished->status.percent, words->started, words->resume, name,
		       words->can_undo ? ", `btrfs-crypt convert --abort " : "", words->can_undo ? name : "", words->can_undo ? "` undoes it" : "");
	free(word);
}

bool unfinished_has(const struct unfinished *unfinished, const struct subvolume_list *list, const struct subvolume *subvolume)
{
	const struct crypt_state_tail *const state = &unfinished->status.state;

	if (unfinished->is_there && subvolume && state->operation == CRYPT_OP_LEGACY)
		return legacy_root_has_id(&subvolume->root, state->disk.op_id);
	return unfinished->domain && subvolume && domain_has(unfinished->domain, list, subvolume);
}

bool unfinished_members(struct volume *volume, struct convert_plan *plan, struct error *err)
{
	cleanup_subvolume_list struct subvolume_list list = { 0 };
	cleanup_unfinished struct unfinished unfinished = { 0 };
	struct error what = { 0 };
	bool ok = volume_is_unfinished(volume) && convert_replay_in_memory(volume, &what) && unfinished_read(volume, &unfinished, &what) &&
		  subvolume_list_read_over(volume, &list, &what);

	if (ok) {
		plan->member = calloc(list.n, sizeof(*plan->member));
		ok = plan->member || error_memory(&what);
	}
	for (size_t i = 0; ok && i < list.n; i++) {
		const struct subvolume *const at = &list.at[i];

		if (!unfinished_has(&unfinished, &list, at))
			continue;
		plan->member[plan->n_members] = (struct convert_plan_member){ .id = at->id, .path = escape_new(at->path, at->path_len) };
		ok = plan->member[plan->n_members++].path || error_memory(&what);
	}
	/* What cannot be read there is no reason not to say the rest. */
	return what.kind != ERROR_MEMORY || (*err = what, false);
}

void unfinished_put_status(const struct convert_status *status, const struct row *row)
{
	const struct unfinished_words words = unfinished_words(&status->state);
	char size[SIZE_WITH_BYTES], running[64];

	row_text(row, "operation", "\noperation:  ", words.operation);
	row_text(row, "direction", "\ndirection:  ", words.direction);
	row_text(row, NULL, "\nstarted:    ", words.started);
	row_moment(row, "started", status->state.start_time);
	row_number(row, "percent", NULL, status->percent);
	if (status->state.operation != CRYPT_OP_KEYS && status->state.operation != CRYPT_OP_PURGE)
		row_format(row, "\ndone:       %u%% of %s of data", status->percent, size_with_bytes(status->state.total, size));
	row_flag(row, "running", NULL, status->running);
	if (!status->running)
		row_value(row, "next", NULL, "%s%s", words.resume, status->carries ? " --on-error=continue" : "");
	else if (status->process)
		row_number(row, "process", NULL, status->process);
	if (status->running)
		row_text(row, NULL, "\n", running_text(status->process, running));
}

void unfinished_put(const struct unfinished *unfinished, const char *before, const struct row *row)
{
	const struct row in = row_object(row, "conversion");

	if (before)
		row_format(row, "%s%s, %u%% done", before, unfinished->words.doing, unfinished->status.percent);
	if (in.json && unfinished->words.operation)
		unfinished_put_status(&unfinished->status, &in);
}
