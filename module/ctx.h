/* SPDX-License-Identifier: GPL-2.0 */
/* The context: one open of /dev/cancelio. */
#ifndef CIO_CTX_H
#define CIO_CTX_H

#include "cover.h"
#include "deadline.h"
#include "notify.h"
#include "op.h"
#include "owner.h"
#include "pool.h"
#include "ring.h"
#include "stats.h"
#include "table.h"
#include "tune.h"

#include <linux/overflow.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/wait.h>

struct cio_engine;
struct cio_cookies;

/* Sides that one thread runs before it looks at its own business again (C70). */
#define CIO_TURN 128

/**
 * enum cio_ctx_state - the states of a context, in their order
 * @CIO_CTX_NEW: opened; only INFO and SETUP work
 * @CIO_CTX_LIVE: set up
 * @CIO_CTX_DEAD: shut down or closed; nothing is accepted, what pends is ended
 */
enum cio_ctx_state {
	CIO_CTX_NEW,
	CIO_CTX_LIVE,
	CIO_CTX_DEAD,
};

/**
 * enum cio_close_cause - why a conn is closed
 * @CIO_CLOSE_DETACH: by DETACH
 * @CIO_CLOSE_SHUTDOWN: its context ends by SHUTDOWN
 * @CIO_CLOSE_END: its context ends with its file, or with the owner's memory
 */
enum cio_close_cause {
	CIO_CLOSE_DETACH,
	CIO_CLOSE_SHUTDOWN,
	CIO_CLOSE_END,
};

/**
 * struct cio_ctx - a context
 * @refs: one of the file, one of each worker
 * @number: another one for each context, from 1 on; to tell them apart from outside
 * @owner: the owner's memory; a reference to the structure, not to its users
 * @owned: of the owner until the file is released; has the owner's thread group
 * @engine: how blocked operations wait; constant from SETUP on
 * @max_workers: constant from SETUP on
 * @max_threads: the most workers of the owner; constant from SETUP on
 * @tune: how threads are scheduled
 * @time_offset: the owner's clock less the host's, ns; constant from SETUP on
 * @cover: of who called SETUP; constant from then on
 * @state: written under @lock; an enum cio_ctx_state, never going back
 * @lock: taken for SETUP, ATTACH, SHUTDOWN and mmap
 * @conns: the attached conns, by slot
 * @conn_seq: makes conn ids unique; @lock
 * @nr_conns: attached conns; @lock
 * @refused_ops: opcodes that RESTRICT took away, a bit each; written under @lock
 * @refused_sides: likewise sides, CANCELIO_READ and CANCELIO_WRITE
 * @live_conns: conns that are not freed yet
 * @ring: the completion ring
 * @ops: the operations
 * @timers: the deadlines
 * @timer_news: the timer has something for @completion_wait and has not woken it
 *	yet; its callback's alone
 * @fired: when a deadline ended an operation last, for the thread of
 *	@completion_wait that wakes up first; 0: nobody is to say how long that took
 * @pool: the ready sides and the runners
 * @cookies: operations that wait, by user_data
 * @completion_wait: WAIT and poll(2) sleep here
 * @notify: the eventfd that is signalled with @completion_wait
 * @end_wait: those sleep here who wait for the end of something that runs
 * @stats: what is counted
 */
struct cio_ctx {
	refcount_t refs;
	u32 number;
	struct cio_owner *owner;
	struct cio_owned owned;
	const struct cio_engine *engine;
	unsigned int max_workers;
	unsigned int max_threads;
	struct cio_tune tune;
	s64 time_offset;
	struct cio_cover cover;
	int state;
	struct mutex lock;	/* state, conns */
	struct cio_table conns;
	u64 conn_seq;
	u32 nr_conns;
	u32 refused_ops;
	u32 refused_sides;
	atomic_t live_conns;
	struct cio_ring ring;
	struct cio_ops ops;
	struct cio_timers timers;
	bool timer_news;
	atomic64_t fired;
	struct cio_pool pool;
	struct cio_cookies *cookies;
	wait_queue_head_t completion_wait;
	struct cio_notify notify;
	wait_queue_head_t end_wait;
	struct cio_stats stats;
};

struct cio_ctx *cio_ctx_create(void);
int cio_ctx_setup(struct cio_ctx *ctx, struct cancelio_setup *setup,
		  struct cancelio_setup __user *out);
void cio_ctx_end(struct cio_ctx *ctx, enum cio_close_cause cause);
void cio_ctx_closed_by_successor(struct cio_ctx *ctx);
void cio_ctx_release(struct cio_ctx *ctx);
void cio_ctx_conn_freed(struct cio_ctx *ctx);
void cio_ctx_put(struct cio_ctx *ctx);
bool cio_ctx_owned(const struct cio_ctx *ctx);
u32 cio_ctx_conn_limit(void);
int cio_ctx_set_eventfd(struct cio_ctx *ctx, int fd);
bool cio_ctx_readable(struct cio_ctx *ctx);

static inline bool cio_ctx_dead(const struct cio_ctx *ctx)
{
	return READ_ONCE(ctx->state) == CIO_CTX_DEAD;
}

/* Ended, and every completion is there: nothing more comes. */
static inline bool cio_ctx_drained(const struct cio_ctx *ctx)
{
	return cio_ctx_dead(ctx) && !atomic_read(&ctx->live_conns);
}

/*
 * A program's time as the host's.  What does not fit is clamped: an hrtimer
 * takes neither KTIME_MAX, which is no deadline here, nor wraps.
 */
static inline ktime_t cio_time_to_host(const struct cio_ctx *ctx, s64 time)
{
	s64 host;

	if (time == CANCELIO_NEVER)
		return KTIME_MAX;
	if (check_sub_overflow(time, ctx->time_offset, &host))
		host = time < 0 ? S64_MIN : KTIME_MAX - 1;
	return min_t(s64, host, KTIME_MAX - 1);
}

/* Wake those who wait for completions; after posting, without a lock. */
static inline void cio_ctx_wake_completions(struct cio_ctx *ctx)
{
	/* wq_has_sleeper() orders the post before the look at the list. */
	if (wq_has_sleeper(&ctx->completion_wait))
		wake_up_poll(&ctx->completion_wait, EPOLLIN | EPOLLRDNORM);
	/* The same barrier orders the post before the look at the eventfd. */
	cio_notify_signal(&ctx->notify);
}

/* Wake those who wait for an end; after it, without a lock. */
static inline void cio_ctx_wake_ends(struct cio_ctx *ctx)
{
	if (wq_has_sleeper(&ctx->end_wait))
		wake_up_all(&ctx->end_wait);
}

#endif /* CIO_CTX_H */
