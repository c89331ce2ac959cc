/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `convert` asks and prints while it runs. */
#ifndef CMD_CONVERT_UI_H
#define CMD_CONVERT_UI_H

#include "cmd/key-options.h"
#include "cmd/progress.h"
#include "common/convert/convert.h"

/* Is there somebody who can answer? */
bool convert_is_interactive(bool batch);

/* What the functions of a struct convert_ui use; must live as long as that struct. */
struct convert_talk {
	struct progress progress;
	struct key_source key;	/* wiped as soon as nothing more is derived from it */
	struct key_source *keys;	/* the same, of a rekeying */
	size_t n_keys;
};

void convert_talk_forget(struct convert_talk *talk);	/* wipes the keys */
bool convert_ui_init(bool batch, struct convert_talk *talk, struct convert_ui *ui, struct error *err) must_use;

/*
 * From here on SIGINT, SIGTERM and SIGHUP end the program with ERROR_STOPPED until something is written, and then stop it at the next safe
 * point, the second of them at once. Neither a closed pipe nor a limit kills it. is_unfinished: a conversion, which then stays as it is.
 * Calling it again changes only that.
 */
void convert_catch_signals(bool is_unfinished);

#endif /* CMD_CONVERT_UI_H */
