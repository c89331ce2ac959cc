/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times for people. */
#include "cmd/time-text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int is_local;

struct poptOption options_time[] = {
	{ "local-time", 0, POPT_ARG_NONE, &is_local, 0, "print times in the time zone of this machine, not in UTC", NULL },
	POPT_TABLEEND
};

static bool break_down(int64_t sec, struct tm *tm)
{
	const time_t at = sec;

	return is_local ? localtime_r(&at, tm) : gmtime_r(&at, tm);
}

const char *date_text(int64_t sec, char text[DATE_TEXT_SIZE])
{
	struct tm tm;

	return break_down(sec, &tm) && strftime(text, DATE_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &tm) > 0 ? text : NULL;
}

const char *zone_text(int64_t sec, char text[ZONE_TEXT_SIZE])
{
	struct tm tm;

	if (!break_down(sec, &tm) || strftime(text, ZONE_TEXT_SIZE, "%z", &tm) == 0)
		text[0] = '\0';
	return text;
}

const char *local_date_text(int64_t sec, char text[DATE_TEXT_SIZE])
{
	char zone[ZONE_TEXT_SIZE];
	size_t used;

	if (!date_text(sec, text))
		return NULL;
	used = strlen(text);
	if (is_local)
		snprintf(text + used, DATE_TEXT_SIZE - used, " %s", zone_text(sec, zone));
	return text;
}
