// SPDX-License-Identifier: GPL-2.0
#include "wait.h"

#include "io.h"
#include "race.h"
#include "ready.h"
#include "side.h"
#include "trace.h"
#include "worker.h"

#include <linux/sched/signal.h>
#include <linux/uaccess.h>

/*
 * When a thread that spins is to sleep all the same.  On PREEMPT_RT the thread that keeps
 * deadlines may wait for its processor.
 */
static ktime_t wait_spin_end(struct cio_ctx *ctx, ktime_t end)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		return end;
	/* Another thread may move it at any moment: this looks again. */
	return min(end, data_race(ctx->timers.next));
}

/*
 * Spin for a while, in the state to sleep in, which whatever would end the sleep
 * changes; so sleeping afterwards misses nothing.
 */
static void wait_spin(struct cio_ctx *ctx, u64 ns, struct cio_conn *conn,
		      ktime_t time)
{
	ktime_t end = min_t(ktime_t, ktime_add_ns(ktime_get(), ns), time);

	while (READ_ONCE(current->__state) != TASK_RUNNING && !need_resched() &&
	       ktime_get() < wait_spin_end(ctx, end)) {
		if (conn)
			cio_io_busy_poll(conn);
		cpu_relax();
	}
}

/*
 * Sleep in the state that the caller has set, after having spun for @spin ns; @conn is
 * the one that matters, or NULL.  False when the time came.
 */
static bool wait_sleep(struct cio_ctx *ctx, u64 spin, struct cio_conn *conn,
		       ktime_t time)
{
	bool in_time = true;

	cio_pause(CIO_AT_ABOUT_TO_SLEEP);
	if (spin)
		wait_spin(ctx, spin, conn, time);
	if (time == KTIME_MAX) {
		schedule();
	} else {
		/* A time before the clock's zero has passed; a timer would not know. */
		time = max_t(ktime_t, time, 0);
		in_time = schedule_hrtimeout(&time, HRTIMER_MODE_ABS);
	}
	cio_pause(CIO_AT_AWAKE);
	return in_time;
}

/*
 * The thread stops waiting for @op: by the lock nobody wakes it any more after
 * this.  A turn that it was given and did not use goes on to somebody else.
 */
static int wait_call_leave(struct cio_side *side, struct cio_op *op,
			   struct cio_call *call, int ret)
{
	struct cio_conn *conn = cio_side_conn(side);

	spin_lock_irq(&conn->lock);
	if (call->done)
		ret = 0;
	else
		op->call = NULL;
	list_del_init(&call->node);
	spin_unlock_irq(&conn->lock);
	if (call->turn)
		cio_side_pass_on(side);
	return ret;
}

static void wait_call_turn(struct cio_side *side, struct cio_call *call)
{
	struct cio_ctx *ctx = cio_side_conn(side)->ctx;
	struct cio_kick kick = {};
	int budget = CIO_TURN;

	WRITE_ONCE(call->turn, false);
	cio_side_run(side, CIO_POOL_ANY, &budget, &kick);
	cio_kick_flush(ctx, &kick);
	cond_resched();
}

/*
 * Wait until @op, which has @call, ends; run its side whenever that is ready.
 * The caller has a reference to the conn.  Returns 0 when it ended, -EINTR or
 * -ETIME when it goes on without the call.
 */
int cio_wait_call(struct cio_side *side, struct cio_op *op,
		  struct cio_call *call, ktime_t time)
{
	struct cio_conn *conn = cio_side_conn(side);
	struct cio_stats *stats = &conn->ctx->stats;
	bool in_time = true, slept = false;
	u64 spin = max_t(u64, conn->ctx->tune.spin, cio_io_busy_poll_ns(conn));
	int ret = 0;

	for (;;) {
		/* Before the last look: a wake-up from here on is not lost. */
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(call->done))
			break;
		/* Before a turn: one may follow another. */
		ret = signal_pending(current) ? -EINTR : in_time ? 0 : -ETIME;
		if (ret)
			break;
		if (READ_ONCE(call->turn)) {
			__set_current_state(TASK_RUNNING);
			wait_call_turn(side, call);
			in_time = time == KTIME_MAX || ktime_get() < time;
			continue;
		}
		in_time = wait_sleep(conn->ctx, spin, conn, time);
		slept = true;
	}
	__set_current_state(TASK_RUNNING);
	ret = wait_call_leave(side, op, call, ret);
	if (slept && call->fired)
		cio_stats_time(stats, CIO_TIME_WAKE, ktime_get() - call->fired);
	return ret;
}

/* Hand out the result of a HELD operation, or keep it when that fails. */
static int wait_op_take(struct cio_ctx *ctx, struct cio_op *op, u64 gen,
			struct cancelio_wait_op __user *out)
{
	struct cancelio_completion result;

	if (!cio_op_win(op, gen, CIO_HELD, CIO_TAKING)) {
		u64 word = cio_op_word(op);

		return cio_word_gen(word) == gen &&
		       cio_word_state(word) == CIO_TAKING ? -EBUSY : -ENOENT;
	}
	result = op->result;
	if (copy_to_user(&out->result, &result, sizeof(result))) {
		cio_op_set_state(op, CIO_HELD);
		return -EFAULT;
	}
	cio_op_retire(op);
	cio_op_recycle(&ctx->ops, op);
	trace_cio_reap(ctx, 1, result.id);
	return 0;
}

/*
 * Put the thread's call at a pending operation; -ENOENT when it has ended.  Its
 * side is for the caller to know: later the operation may be another one.
 */
static int wait_op_join(struct cio_conn *conn, struct cio_op *op, u64 gen,
			struct cio_call *call, struct cio_side **side,
			struct cio_kick *kick)
{
	int ret = -ENOENT;
	u64 word;

	spin_lock_irq(&conn->lock);
	word = cio_op_word(op);
	if (cio_word_gen(word) != gen || !cio_word_pending(word))
		goto out;
	ret = -EINVAL;
	if (!(op->flags & CANCELIO_OP_HOLD))
		goto out;
	ret = -EBUSY;
	if (op->call)
		goto out;
	op->call = call;
	*side = cio_op_side(conn, op);
	list_add_tail(&call->node, &(*side)->calls);
	cio_ready_joined(conn, *side, kick);
	ret = 0;
out:
	spin_unlock_irq(&conn->lock);
	return ret;
}

/* Wait until a pending operation has ended; 0 also when it has already. */
static int wait_op_pending(struct cio_conn *conn, struct cio_op *op, u64 gen,
			   ktime_t time)
{
	struct cio_kick kick = {};
	struct cio_side *side;
	struct cio_call call;
	int ret;

	cio_call_init(&call, true);
	ret = wait_op_join(conn, op, gen, &call, &side, &kick);
	cio_kick_flush(conn->ctx, &kick);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	return cio_wait_call(side, op, &call, time);
}

int cio_wait_op(struct cio_ctx *ctx, const struct cancelio_wait_op *wait,
		struct cancelio_wait_op __user *out)
{
	ktime_t time = cio_time_to_host(ctx, wait->time);
	u64 gen = cio_id_gen(wait->id);
	struct cio_op *op = cio_op_find(&ctx->ops, wait->id);
	struct cio_conn *conn;
	int ret = 0;

	if (wait->flags)
		return -EINVAL;
	if (!op)
		return -ENOENT;
	conn = cio_conn_of_op(op, gen);
	if (conn) {
		ret = wait_op_pending(conn, op, gen, time);
		cio_conn_put(conn);
	}
	return ret ?: wait_op_take(ctx, op, gen, out);
}

/**
 * struct wait_entry - a WAIT asleep in the context's completion queue
 * @entry: wakes the thread
 * @ctx: the context
 * @min: completions that it waits for
 */
struct wait_entry {
	struct wait_queue_entry entry;
	struct cio_ctx *ctx;
	u32 min;
};

static bool wait_is_over(struct cio_ctx *ctx, u32 min)
{
	return cio_ring_count(&ctx->ring) >= min || cio_ctx_drained(ctx);
}

/* A deadline that was before wakes nobody who sleeps from here on. */
static void wait_forget_fired(struct cio_ctx *ctx)
{
	if (atomic64_read(&ctx->fired))
		atomic64_set(&ctx->fired, 0);
}

/* Not every completion is worth a wake-up: the one that makes it enough is. */
static int wait_wake(struct wait_queue_entry *entry, unsigned int mode,
		     int sync, void *key)
{
	struct wait_entry *wait = container_of(entry, struct wait_entry, entry);

	if (!wait_is_over(wait->ctx, wait->min)) {
		wait_forget_fired(wait->ctx);
		return 0;
	}
	return default_wake_function(entry, mode, sync, key);
}

/* The thread is awake: if the timer woke it, and no other yet, that took so long. */
static void wait_count_fired(struct cio_ctx *ctx)
{
	s64 fired = atomic64_read(&ctx->fired);

	if (fired && atomic64_cmpxchg(&ctx->fired, fired, 0) == fired)
		cio_stats_time(&ctx->stats, CIO_TIME_WAKE, ktime_get() - fired);
}

/* 0: enough completions are there; an error: go without; 1: wait on. */
static int wait_verdict(struct cio_ctx *ctx, u32 min, ktime_t time)
{
	bool drained = cio_ctx_drained(ctx);

	cio_pause(CIO_AT_WAIT_LOOKS);
	/* Where the last conn is gone its completions are seen: pairs with its count. */
	smp_rmb();
	if (cio_ring_count(&ctx->ring) >= min)
		return 0;
	if (drained)
		return -ESHUTDOWN;
	if (signal_pending(current))
		return -EINTR;
	if (time != KTIME_MAX && ktime_get() >= time)
		return -ETIME;
	return 1;
}

/*
 * Run what is ready and sleep, by turns, until @min completions are in the ring: 0, or
 * why they are not.  What this thread was woken for is run before it returns for any
 * reason; what a turn leaves that only a caller may run is told anew (C45).
 */
int cio_wait_min(struct cio_ctx *ctx, u32 min, ktime_t time)
{
	struct wait_entry wait = { .ctx = ctx, .min = min };
	struct cio_runner runner = { .task = current };
	struct cio_kick kick = {};
	bool in_time = true;
	int ret = 0;

	cio_run_ready(ctx, CIO_POOL_ANY, CIO_TURN, &kick);
	cio_kick_flush(ctx, &kick);
	if (cio_ring_count(&ctx->ring) >= min)
		return 0;

	INIT_LIST_HEAD(&runner.node);
	init_waitqueue_entry(&wait.entry, current);
	wait.entry.func = wait_wake;
	add_wait_queue(&ctx->completion_wait, &wait.entry);
	for (;;) {
		wait_forget_fired(ctx);
		/* Before the last look: a wake-up from here on is not lost. */
		set_current_state(TASK_INTERRUPTIBLE);
		ret = wait_verdict(ctx, min, in_time ? time : 0);
		if (ret <= 0)
			break;
		if (cio_pool_idle(&ctx->pool, &runner, CIO_POOL_ANY)) {
			in_time = wait_sleep(ctx, ctx->tune.spin, NULL, time);
			wait_count_fired(ctx);
			cio_pool_busy(&ctx->pool, &runner, CIO_POOL_ANY);
		}
		__set_current_state(TASK_RUNNING);
		cio_run_ready(ctx, CIO_POOL_ANY, CIO_TURN, &kick);
		cio_kick_flush(ctx, &kick);
		cond_resched();
	}
	__set_current_state(TASK_RUNNING);
	remove_wait_queue(&ctx->completion_wait, &wait.entry);
	return ret;
}

static int wait_check(struct cio_ctx *ctx, const struct cancelio_wait *wait)
{
	bool copies = wait->completions;
	u32 size = copies ? sizeof(struct cancelio_completion) : 0;

	if (wait->flags || wait->reserved || wait->completion_size != size ||
	    wait->min > ctx->ring.mask + 1 || (copies && wait->min > wait->max) ||
	    (!copies && wait->max))
		return -EINVAL;
	return copies && READ_ONCE(ctx->ring.mapped) ? -EBUSY : 0;
}

int cio_wait(struct cio_ctx *ctx, const struct cancelio_wait *wait)
{
	void __user *to = u64_to_user_ptr(wait->completions);
	ktime_t time = cio_time_to_host(ctx, wait->time);
	int ret = wait_check(ctx, wait);

	if (ret)
		return ret;
	do {
		ret = cio_wait_min(ctx, wait->min, time);
		if (ret)
			return ret;
		if (!wait->completions)
			return cio_ring_count(&ctx->ring);
		ret = cio_ring_copy(&ctx->ring, to, wait->min, wait->max);
		if (ret > 0)
			trace_cio_reap(ctx, ret, 0);
		/* None: another thread took them first. */
	} while (!ret && wait->min);
	return ret;
}
