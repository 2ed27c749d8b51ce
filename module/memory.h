/* SPDX-License-Identifier: GPL-2.0 */
/* How memory is asked for on behalf of a program. */
#ifndef CIO_MEMORY_H
#define CIO_MEMORY_H

#include <linux/gfp.h>

/* A debug build is told where a failure was made to happen. */
#ifdef CIO_DEBUG
#define CIO_QUIET ((__force gfp_t)0)
#else
#define CIO_QUIET __GFP_NOWARN
#endif

/*
 * Charged to the caller's control group.  The program asked for it by number and
 * is told -ENOMEM: it is not killed, nor another one, when there is too little.
 */
#define CIO_GFP (GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | CIO_QUIET)

#endif /* CIO_MEMORY_H */
