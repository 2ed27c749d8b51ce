/* SPDX-License-Identifier: GPL-2.0 */
/* What the peers with io_uring share. */
#ifndef CANCELIO_BENCH_URING_H
#define CANCELIO_BENCH_URING_H

#include <liburing.h>

#include "bench.h"

/* Entries of the submission ring: so many requests in one call. */
#define URING_BATCH	4096
/* How a request for socket or operation i is called that is not its receive. */
#define URING_OTHER	(1ULL << 40)

extern struct io_uring uring;
extern const struct set *uring_set;

/*
 * A ring of its own with the set's sockets as fixed files 0 and on; @defer: by
 * SINGLE_ISSUER and DEFER_TASKRUN.  False where the kernel does not have these.
 */
bool uring_open(const struct set *set, bool defer);
void uring_close(void);
/* Room for one more request; what is there is submitted where there is none. */
struct io_uring_sqe *uring_sqe(void);
/* Submit all, and wait for so many completions. */
void uring_wait(unsigned int n);
/* Submit all, and wait for one until @time, where it is @present; false when that came first. */
bool uring_wait_until(__s64 time, __s64 present);
/* Wait for so many completions of receives, and take them; others are taken with them. */
void uring_reap(unsigned int n);
/* A receive of an operation on a socket. */
struct io_uring_sqe *uring_recv(unsigned int op, unsigned int i);
void uring_send(unsigned int i, const void *bytes);
/* Cancel an operation; the request itself completes only where it finds none. */
void uring_cancel(unsigned int op);

#endif
