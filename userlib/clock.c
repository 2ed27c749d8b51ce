// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The clock of all deadlines.
 */
#include <time.h>

#include "internal.h"

__s64 cancelio_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

__s64 cancelio_after(__s64 ns)
{
	__s64 now = cancelio_now();

	return ns >= CANCELIO_NEVER - now ? CANCELIO_NEVER - 1 : now + ns;
}
