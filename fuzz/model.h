/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The reference model: what the interface promises of each call and operation, seen
 * from outside.  It keeps the history of one program and judges each result when it
 * comes, and the whole at the end.
 *
 * Where nothing else of the program ran beside a call (@alone) it knows what must have
 * come of it; else it allows what the others may have caused.  What the kernel does on
 * its own goes on beside every call: an operation that is pending may end at any time
 * for any reason that has been given for it.
 *
 * All of it is protected by one lock, which is not held during system calls.
 */
#ifndef CANCELIO_FUZZ_MODEL_H
#define CANCELIO_FUZZ_MODEL_H

#include "program.h"
#include "../selftests/util.h"

#include <linux/cancelio.h>
#include <pthread.h>
#include <stdnoreturn.h>

/* What has not come by then never will. */
#define PATIENCE	LONG_ENOUGH
#define MAX_MOVES	MAX_STEPS
/* Filled into the buffers of ended operations. */
#define CANARY		0xC7
/* No connection has this number. */
#define NO_CONN		0xabcdef

/* Of a context: what SETUP was given, and what has become of it. */
struct context {
	int fd;				/* -1: not open */
	int engine;
	__u32 entries;
	struct cancelio_ring *ring;	/* when mapped */
	bool mapped;
	bool live;			/* set up */
	bool few;			/* an operation may wait for a thread */
	bool shut;			/* its end was asked for */
	bool closed;
	bool spoiled;			/* its ring was scribbled over */
	__u32 refused_ops, refused_sides;
	int outstanding;		/* entries of the ring in use */
	int cancels;			/* ended by cancel, as its calls say */
	int canceled;			/* as the completions say */
	bool cancels_vague;
	int canceling;			/* cancels in flight */
	int eventfd;
};

struct sock {
	int fd;				/* -1: closed, or never there */
	int type;
	bool there;
};

/* One time a deadline was moved. */
struct move {
	__s64 from, to;		/* the call's begin and end */
	__s64 time;
};

struct conn {
	__u64 id;			/* 0: none */
	int context, sock;
	bool closing;			/* its end was asked for */
	struct move moves[2][MAX_MOVES];
	int nr_moves[2];
	bool vague;			/* two were moved at once: the last is not known */
};

enum op_state { OP_NONE, OP_FLYING, OP_PENDING, OP_ENDED };

/* The operation that a step submitted. */
struct op {
	enum op_state state;
	struct cancelio_op req;
	struct cancelio_msg msg;
	struct cancelio_iovec iov[2];
	char control[64];
	__u64 id;
	const __u64 *early_id; /* where it stands while it is submitted */
	int context, conn, kind;
	__s64 from, to;		/* its submission */
	__u32 control_len;		/* that it was submitted with */
	bool call, held, tricked, lost_content;
	bool cancel_asked, close_asked;
	bool expired;			/* its deadline had passed at its start, for sure */
	bool completed;
	__u8 *buffer;
	__u32 room;			/* its bytes */
	__u32 reach;			/* bytes that are there, of an edge less */
	struct cancelio_completion result;
	bool canary;
};

/* Bytes that went into or came out of a socket. */
struct event {
	__s64 from, to;
	int conn;			/* -1: by an ordinary call */
	int step;
	__u32 bytes;			/* that moved */
	__u32 room;			/* of the receiver */
	bool truncated;
	__u8 *data;			/* NULL: not known */
};

/* What goes from one socket to its peer; by the receiver. */
struct direction {
	struct event sends[MAX_STEPS], recvs[MAX_STEPS + 8];
	int nr_sends, nr_recvs;
	bool broken;			/* an end was shut or closed */
	bool loose;			/* what is sent is not known */
	bool gaps;			/* a packet may be missing */
	bool unknown;			/* somebody's completions are */
};

struct model {
	pthread_mutex_t lock;
	const struct program *program;
	struct context contexts[CONTEXTS];
	struct sock socks[SOCKS];
	struct conn conns[CONNS];
	struct op ops[MAX_STEPS];
	int slots[SLOTS];		/* step of the last operation, or -1 */
	struct direction directions[SOCKS];
	bool signals;			/* the program sends some */
	int active;			/* steps under way */
	__u64 begun;			/* steps begun */
};

extern struct model model;

/* A step under way, as its thread knows it. */
struct turn {
	int step;
	__u64 begun;
	bool alone;
	__s64 from, to;
};

void model_init(const struct program *program);

/* The promise is broken: says so and ends the program. */
noreturn void broken(const char *format, ...);
/* Where broken() writes: memory shared with the parent. */
extern char *verdict;
#define VERDICT_SIZE 400

/* Around each step's system call; both with the lock held. */
void turn_begin(struct turn *turn, int step);
void turn_end(struct turn *turn);

bool is_stream(int type);
bool is_unix(int type);

/* A set of error numbers, 0 for success. */
struct allowed {
	int error[16];
	int count;
};

void allow(struct allowed *set, int error);
bool is_allowed(const struct allowed *set, int error);
/* @ret of a call that returns 0 or more, or -errno. */
void check_return(const struct turn *turn, const char *what, const struct allowed *set, int ret);
/* What every ioctl on this context may say; true when it can do something. */
bool allow_common(struct allowed *set, const struct context *context, bool after_shutdown);

/* Whether an operation is refused, and by which numbers. */
void allow_refusals(struct allowed *set, const struct op *op, const struct step *step,
		    bool alone);
/* RECVMSG has left its header alone. */
void check_header(const struct op *op, int step);
/* What is known at its start. */
void op_start(struct op *op, const struct turn *turn);
/* A completion came, through the ring (@held false) or to its waiter. */
void op_complete(struct context *context, const struct cancelio_completion *result, bool held);
/* Marks what a cancel or close concerns; returns how many are pending. */
void mark_canceled(struct context *context, int scope, __u64 target, __u32 sides);
void mark_closed(struct context *context, int conn);
bool cancel_matches(const struct op *op, int scope, __u64 target, __u32 sides);
int op_side(const struct op *op);
/* The deadline that counts for a pending operation, as far as it is known. */
__s64 op_deadline(const struct op *op);

/* What an ordinary call moved. */
void note_send(int sock, struct event event);
void note_recv(int sock, struct event event);
void note_broken(int sock);
void check_streams(void);
void check_canaries(void);
/* First in, first out. */
void check_order(void);

#endif
