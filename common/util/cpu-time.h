/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processor time of this process: what others do on the machine is not in it. */
#ifndef COMMON_UTIL_CPU_TIME_H
#define COMMON_UTIL_CPU_TIME_H

#include <time.h>

static inline double cpu_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

#endif /* COMMON_UTIL_CPU_TIME_H */
