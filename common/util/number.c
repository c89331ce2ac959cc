/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, offsets and sizes as people type them. */
#include "common/util/number.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* As a shift; -1: no unit. */
static int unit_of(const char *text)
{
	static const char units[] = "KMGTPE";
	const char *unit = *text ? strchr(units, toupper((unsigned char)*text)) : NULL;

	if (!*text)
		return 0;
	if (!unit || (text[1] && strcasecmp(text + 1, "iB") != 0))
		return -1;
	return 10 * (int)(unit - units + 1);
}

bool bytes_parse(const char *text, uint64_t *value)
{
	const bool is_hex = strncasecmp(text, "0x", 2) == 0 && isxdigit((unsigned char)text[2]);
	unsigned long long number;
	char *end;
	int shift;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoull(text, &end, is_hex ? 16 : 10);
	shift = unit_of(end);
	/* 0x1E is a number; a unit of hexadecimal digits is not to be told from it. */
	if (errno != 0 || shift < 0 || number > UINT64_MAX >> shift)
		return false;
	*value = (uint64_t)number << shift;
	return true;
}
