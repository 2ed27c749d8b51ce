/* SPDX-License-Identifier: GPL-2.0 */
/* The contexts of all processes that can be seen, as /proc/PID/fdinfo tells of them. */
#ifndef CANCELIO_TOOL_CONTEXT_H
#define CANCELIO_TOOL_CONTEXT_H

#include <linux/cancelio.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

typedef unsigned long long u64;

/**
 * struct counts - what a context has counted since it was set up
 * @submitted: operations that were accepted
 * @at_once: such that ended without having waited
 * @ended: such that ended, by their reason
 * @met: such that were done before their deadline
 * @raced: such that were done after it
 * @late: how late those were that a deadline ended, as struct cancelio_stats has it
 */
struct counts {
	u64 submitted;
	u64 at_once;
	u64 ended[CANCELIO_CLOSED + 1];
	u64 met;
	u64 raced;
	u64 late[CANCELIO_BUCKETS];
};

/**
 * struct context - a context, as one process has it
 * @pid: the process
 * @fd: its descriptor
 * @uid: its user
 * @process: its name, made fit for a terminal
 * @number: the module's number of the context; 0 where an older module tells none
 * @owner: who opened it
 * @state: new, live or dead
 * @engine: poll or thread; empty when it was not set up
 * @entries: of its ring
 * @completions: in the ring
 * @workers: kernel threads
 * @conns: attached connections
 * @pending: operations that have not ended
 * @counted: the module tells @counts
 * @counts: what was counted
 * @measured: it was there in the round before, so there are rates
 * @ops: operations that ended, per second
 * @missed: such that their deadline ended, per second
 */
struct context {
	u64 pid;
	u64 fd;
	uid_t uid;
	char process[16];
	u64 number;
	u64 owner;
	char state[8];
	char engine[8];
	u64 entries;
	u64 completions;
	u64 workers;
	u64 conns;
	u64 pending;
	bool counted;
	struct counts counts;
	bool measured;
	double ops;
	double missed;
};

/**
 * struct hidden - a user, and how many processes of it cannot be looked into
 * @uid: the user
 * @processes: how many
 */
struct hidden {
	uid_t uid;
	unsigned int processes;
};

/**
 * struct round - what was seen at one time
 * @time: when that was, ns of CLOCK_MONOTONIC
 * @contexts: the contexts, each of them once
 * @count: how many
 * @room: for so many there is memory
 * @hidden: by user, what could not be looked into
 * @nr_hidden: how many users
 */
struct round {
	long long time;
	struct context *contexts;
	size_t count;
	size_t room;
	struct hidden *hidden;
	size_t nr_hidden;
};

/* context.c: a context of the text of its fdinfo; false where it is something else. */
bool context_parse(struct context *context, FILE *text);
/* Fill in rates, by what the same context had counted in the round before. */
void round_rates(struct round *round, const struct round *before);
/* Memory that is given to what was a round once can be used for the next one. */
void round_free(struct round *round);

/* scan.c: all that can be seen now of contexts of the device @number. */
void round_scan(struct round *round, dev_t number);
/* The name of a user, or its number. */
const char *user_name(uid_t uid);

#endif
