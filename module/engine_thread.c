// SPDX-License-Identifier: GPL-2.0
/*
 * The thread engine: Plan 9's way to interrupt a system call.
 *
 * A side whose first operation would wait is handed to a kernel thread, which
 * sleeps until the socket has news.  A deadline or a cancel first wins the
 * operation by its word (op.h), then leaves the outcome and sends the thread a
 * note, SIGHUP.  The sleep ends with -ERESTARTSYS; the thread looks at what was
 * decided, and ends the operation for that reason.
 *
 * Two notes can go wrong, and do not here:
 *
 * - one that comes between the last look and the sleep: the thread declares
 *   itself asleep before it looks, so that the note wakes it from a sleep that
 *   has not begun;
 * - one that comes after its operation has ended, and would hit the next one: it
 *   is sent under the lock under which the thread leaves, and what was sent is
 *   drained under that lock.  A note without a decision means nothing, and the
 *   thread sleeps on.
 */
#include "engine.h"

#include "expiry.h"
#include "race.h"
#include "side.h"
#include "sleeper.h"
#include "worker.h"

#include <linux/sched/signal.h>

/* Until a thread that could not be made is tried again, jiffies. */
#define ALONE_PAUSE (HZ / 10)

/**
 * struct thread - one of the engine's, on its stack
 * @sleeper: what the side knows of it
 * @alone: no other thread is there for the next side, and none could be made
 */
struct thread {
	struct cio_sleeper sleeper;
	bool alone;
};

/* The next side is to find a thread, while there may be one more. */
static void thread_fetch_another(struct cio_ctx *ctx, struct thread *thread)
{
	if (thread->alone)
		thread->alone = cio_worker_spawn(ctx) < 0;
}

/*
 * 0: news from the socket; -ERESTARTSYS: a note came; -EAGAIN: there is something
 * to do for the others.
 */
static int thread_sleep(struct cio_ctx *ctx, const struct thread *thread)
{
	int ret = 0;

	for (;;) {
		/* Before the looks: what comes from here on ends the sleep. */
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(thread->sleeper.event))
			break;
		if (signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		if (!llist_empty(&ctx->pool.orphans)) {
			ret = -EAGAIN;
			break;
		}
		cio_pause(CIO_AT_ABOUT_TO_SLEEP);
		if (!schedule_timeout(thread->alone ? ALONE_PAUSE :
				      MAX_SCHEDULE_TIMEOUT)) {
			ret = -EAGAIN;
			break;
		}
	}
	__set_current_state(TASK_RUNNING);
	cio_pause(CIO_AT_AWAKE);
	return ret;
}

/*
 * Try what can be tried, with the owner's memory and no longer than that.  Returns
 * the id of the operation that waits, or 0.
 */
static u64 thread_run(struct cio_ctx *ctx, struct cio_side *side)
{
	struct cio_kick kick = {};
	int budget = CIO_TURN;
	u64 tried;

	if (!cio_worker_enter(ctx)) {
		/* Its end may not have come to this conn yet. */
		cio_side_close(cio_side_conn(side));
		return 0;
	}
	tried = cio_side_run_kept(side, &budget, &kick);
	cio_worker_leave(ctx);
	cio_kick_flush(ctx, &kick);
	cond_resched();
	return tried;
}

/* Sleep until the operation has ended or is to be tried again. */
static void thread_wait(struct cio_ctx *ctx, struct cio_side *side,
			struct thread *thread)
{
	struct cio_kick kick = {};
	int ret;

	do {
		/* It may sleep for longer than the program is there. */
		cio_cover_stop();
		ret = thread_sleep(ctx, thread);
		cio_cover_start(&ctx->cover);
		if (ret != -EAGAIN)
			continue;
		cio_conn_free_orphans(ctx);
		thread_fetch_another(ctx, thread);
	} while (!cio_sleeper_unblock(side, &kick));
	cio_kick_flush(ctx, &kick);
}

/* Serve a side until no operation is left on it. */
static void thread_serve(struct cio_ctx *ctx, struct cio_side *side,
			 struct thread *thread)
{
	thread->sleeper.tried = thread_run(ctx, side);
	while (cio_sleeper_block(side, &thread->sleeper)) {
		thread_wait(ctx, side, thread);
		thread->sleeper.tried = thread_run(ctx, side);
	}
}

static void thread_turn(struct cio_ctx *ctx)
{
	struct thread thread = { .sleeper.task = current };
	struct cio_pool_rest rest;
	struct list_head *ready;

	while ((ready = cio_pool_next(&ctx->pool, CIO_POOL_WORKER, &rest))) {
		thread.alone = rest.alone;
		thread_fetch_another(ctx, &thread);
		thread_serve(ctx, container_of(ready, struct cio_side, ready),
			     &thread);
		cio_conn_free_orphans(ctx);
	}
}

const struct cio_engine cio_engine_thread = {
	.name = "thread",
	.threads = true,
	.workers = 256,
	.turn = thread_turn,
};
