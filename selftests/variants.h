/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the variants of a fixture can be: each of its tests runs once per variant.
 * The first word of a variant's name is its engine.
 */
#ifndef CANCELIO_SELFTESTS_VARIANTS_H
#define CANCELIO_SELFTESTS_VARIANTS_H

#include "harness.h"

#include <sys/socket.h>

/* The engine, the address family, and flags that all operations carry. */
#define VARIANT_FIELDS { __u32 engine; int family; __u32 op_flags; }

#define POLL_IPV4 { .engine = CANCELIO_ENGINE_POLL, .family = AF_INET }
#define POLL_IPV6 { .engine = CANCELIO_ENGINE_POLL, .family = AF_INET6 }

/* All operations are left to workers. */
#define POLL_WORKER {							\
	.engine = CANCELIO_ENGINE_POLL, .family = AF_INET,		\
	.op_flags = CANCELIO_OP_WORKER,					\
}

#define THREAD_IPV4 { .engine = CANCELIO_ENGINE_THREAD, .family = AF_INET }
#define THREAD_IPV6 { .engine = CANCELIO_ENGINE_THREAD, .family = AF_INET6 }

#endif
