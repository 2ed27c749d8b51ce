/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The benchmark: what work costs here and with what else a program could use.  See
 * Documentation/performance.rst.
 *
 * A row is a piece of work, a peer a way to do it.  All peers do a row in the same order of
 * sends and receives, over the same sockets.  Where the clock counts instructions, so do
 * the figures.
 */
#ifndef CANCELIO_BENCH_H
#define CANCELIO_BENCH_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>

#define MS		1000000LL
#define SECOND		(1000 * MS)
/* The bytes of a message, and the room to receive one: so a short read tells of the last. */
#define MESSAGE		64
#define ROOM		128
/* Operations beyond so many share their buffers: nothing is received there. */
#define BUFFERS		1024
/* No deadline of these passes. */
#define FAR_AWAY	(100000 * SECOND)
/* How far a deadline is renewed with every message. */
#define RENEWAL		(3 * SECOND)

/**
 * struct set - the sockets that a peer works on
 * @near: the ends that it has
 * @far: the other ends, which the row has; not where all ends are near
 * @count: how many near ones
 * @ops: operations pending at the most, @count or more
 * @alone: the first sockets that have one operation each, that of their number
 * @by_socket: sockets have deadlines as well, where a peer knows such
 */
struct set {
	const int *near;
	const int *far;
	unsigned int count;
	unsigned int ops;
	unsigned int alone;
	bool by_socket;
};

/* The others share the sockets that are left. */
static inline unsigned int socket_of(const struct set *set, unsigned int op)
{
	if (op < set->alone)
		return op;
	return set->alone + (op - set->alone) % (set->count - set->alone);
}

/* One deadline for all, or spread over so many ns in no order. */
static inline __s64 due(unsigned int op, __s64 deadline, __s64 spread)
{
	return deadline + ((op * 2654435761ULL % (1U << 20)) * (spread >> 20));
}

enum keeper { BY_NOBODY, BY_PROGRAM, BY_KERNEL };

/**
 * struct peer - a way to receive; what it does not know is NULL
 * @name: what the table calls it
 * @kind: for those of one file
 * @deadlines: who keeps them
 * @open: begin with the sockets of a set; false where the kernel lacks something
 * @close: the end
 * @recv_one: a message is there: receive it, with a deadline
 * @recv_many: a message is there on each of the first sockets: receive them all
 * @arm: begin to receive on each of the first sockets, with deadlines
 * @collect: wait until all of these have received
 * @arm_cancel: begin to receive, and cancel it
 * @arm_cancel_timed: the same with a deadline
 * @pend: begin to receive with operations @first and on, their deadlines spread; nothing
 *	will come
 * @move: move the deadline of a socket to another time
 * @cancel: cancel an operation, and wait until it is over
 * @cancel_all: the same for all of a socket
 * @forget: take the completions of so many that ended
 * @expire: wait until so many have ended, which all have one deadline
 * @peek: how many have ended, seen without a system call
 * @serve: answer so many messages, of all sockets, with what came
 */
struct peer {
	const char *name;
	unsigned int kind;
	enum keeper deadlines;
	bool (*open)(const struct peer *peer, const struct set *set);
	void (*close)(void);
	void (*recv_one)(unsigned int i);
	void (*recv_many)(unsigned int n);
	void (*arm)(unsigned int n);
	void (*collect)(unsigned int n);
	void (*arm_cancel)(unsigned int i);
	void (*arm_cancel_timed)(unsigned int i);
	void (*pend)(unsigned int first, unsigned int n, __s64 deadline, __s64 spread);
	void (*move)(unsigned int i, __s64 deadline);
	void (*cancel)(unsigned int op);
	void (*cancel_all)(unsigned int i);
	void (*forget)(unsigned int n);
	void (*expire)(unsigned int n);
	unsigned int (*peek)(void);
	void (*serve)(unsigned long messages);
};

extern const struct peer *const peers[];

/* One row, or several that are measured together. */
struct row {
	const char *name;
	/* Ends within seconds. */
	bool quick;
	void (*run)(const struct peer *peer);
};

extern const struct row ready_rows[];
extern const struct row echo_rows[];
extern const struct row scale_rows[];
extern const struct row expiry_rows[];
extern const struct row million_rows[];

/* row_scale.c: cancels and moved deadlines among the @set->ops that are pending. */
void scale_measure(const struct peer *peer, const struct set *set, const char *size);

extern char buffers[BUFFERS][ROOM];

static inline char *buffer_of(unsigned int op)
{
	return buffers[op % BUFFERS];
}

/* main.c: says what does not work, and ends the program. */
noreturn void give_up(const char *what, int error);

/* measure.c */
__s64 now(void);
void sleep_until(__s64 time);
/* Let the machine come to rest. */
void settle(void);
/* Around what is measured, for a profile. */
void profile_begin(void);
void profile_end(void);
void block_note(__s64 ns);
/*
 * Of the first blocks noted since the last call: the mean without the twentieth part at either
 * end, for where many blocks have one switch of threads more than the others, and a median
 * would leap; and the middle one, for where blocks are few and alike.
 */
double block_mean(void);
double block_median(void);
/* A figure of a row, for the table. */
void report(const char *row, const struct peer *peer, double figure);
/* Why there is none. */
void report_absent(const char *row, const struct peer *peer, const char *why);
/* Bytes that the kernel has taken of the machine's memory, not counting the program's. */
__s64 memory_used(void);

/* sockets.c */
void sockets_need(unsigned int pairs);
/* Connections, of which a peer has the near end; single ends; and sockets of UDP. */
struct set sockets_pairs(unsigned int count);
struct set sockets_ends(unsigned int count);
struct set sockets_datagram(unsigned int count, unsigned int ops);
/* A message from the far end, to be received. */
void send_to(const struct set *set, unsigned int i);
/* And one the other way by plain calls: so TCP sends no acknowledgment of its own. */
void reply_to(const struct set *set, unsigned int i);

/* wheel.c: deadlines kept by the program, one for each index. */
void wheel_open(unsigned int count);
void wheel_close(void);
void wheel_set(unsigned int i, __s64 deadline);
void wheel_clear(unsigned int i);
__s64 wheel_next(void);
int wheel_expired(__s64 time);

#endif
