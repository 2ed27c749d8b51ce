/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How late a deadline is: a receive on a socket where nothing comes is blocked until its
 * deadline passes, here and with what else a program could use.
 */
#ifndef CANCELIO_BENCH_LATE_H
#define CANCELIO_BENCH_LATE_H

#include "../bench.h"

/* Of the program, where it is of that class; cyclictest gets the same. */
#define FIFO_PRIORITY	80

/* What a way returns that does not know when its wait ended. */
#define UNKNOWN	((__s64)(~0ULL >> 1))

/**
 * struct way - a way to receive with a deadline
 * @name: what the table calls it
 * @kind: for those of one file
 * @gated: its deadlines are never early, or the program fails
 * @fifo: one for SCHED_FIFO alone
 * @open: begin with a socket; what is returned is @state then
 * @wait: receive, blocked until the deadline passes; when that was as the kernel tells it,
 *	or UNKNOWN
 */
struct way {
	const char *name;
	unsigned int kind;
	bool gated;
	bool fifo;
	void *(*open)(unsigned int kind, int sock);
	__s64 (*wait)(void *state, __s64 deadline);
	void *state;
};

/* Of each file, the last one has no name. */
extern struct way own_ways[];
extern struct way plain_ways[];
extern struct way uring_ways[];

/* Memory for the state of a way. */
void *state_of(size_t size);

#endif
