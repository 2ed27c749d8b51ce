// SPDX-License-Identifier: GPL-2.0
/*
 * The life of an operation on its side.
 *
 * Locks, from outer to inner:
 *
 *   socket's wait queue   taken by the kernel around cio_side_event()
 *   cio_conn.lock         the side: its queue, who runs, its deadline
 *   cio_timers.lock, cio_pool.lock, cio_cookies.lock, cio_ring.lock
 *                         siblings; none is taken under another
 *
 *   cio_ctx.completion_wait, cio_ctx.end_wait
 *                         under no lock of ours; but the first also under the
 *                         socket's wait queue, as epoll's would be
 *
 * All are taken with interrupts off, for events and expiries come in
 * interrupts; on PREEMPT_RT all sleep, and both come in threads.  No wait-queue
 * lock is taken under the conn's lock: what is to be woken is noted in a struct
 * cio_kick and woken afterwards.  A waiting thread is woken under the conn's
 * lock by wake_up_process(), which takes the scheduler's locks only; a thread of
 * ours gets its signal there, under its siglock, which is inner too.
 *
 * On the thread engine a thread that has a side sleeps where its first operation
 * would wait, for that one (BLOCKED).  Who wins such an operation does not end it,
 * but says why it ends and interrupts the thread.
 *
 * A side is idle, or one runner has it (@running).  A runner holds no lock while
 * it tries the socket.  What happens meanwhile is left for it to find when it
 * takes the lock again: an event (@again), a cancel (CIO_CANCEL in the word), a
 * close (conn's @closed), an expiry (the clock).  So an operation is never
 * queued with one of them unnoticed, which is what a lost wake-up is.
 */
#include "side.h"

#include "cookie.h"
#include "io.h"
#include "race.h"
#include "ready.h"
#include "sleeper.h"
#include "trace.h"

#include <linux/sched/signal.h>

/* How long to wait where no event will come: doubled each time, within these. */
#define RETRY_MIN ((u32)NSEC_PER_MSEC)
#define RETRY_MAX (64 * RETRY_MIN)

/*
 * The operation outlasts its first attempt: give it what it needs for that, and
 * let it be found by its cookie.
 */
static void side_hook(struct cio_conn *conn, struct cio_op *op)
{
	lockdep_assert_held(&conn->lock);
	if (op->cred)
		return;
	/* It also stores what all who call it store there, at any time. */
	op->cred = data_race(get_current_cred());
	cio_conn_ref(conn);
	cio_cookie_add(conn->ctx->cookies, op);
	/* A WAIT_OP that came during the first attempt is there already. */
	if (op->call && list_empty(&op->call->node))
		list_add_tail(&op->call->node, &cio_op_side(conn, op)->calls);
}

/*
 * Let the operation wait: NEW behind others, or RUNNING after an attempt that
 * would have waited.  From QUEUED on anybody may win it; but nobody gives its
 * memory away without the conn's lock, so that the timers can be set after.
 */
static void side_queue(struct cio_conn *conn, struct cio_side *side,
		       struct cio_op *op)
{
	side_hook(conn, op);
	if (side->running == op)
		side->running = NULL;
	cio_op_set_state(op, CIO_QUEUED);
	cio_pause(CIO_AT_QUEUED);
	cio_timer_ensure(&conn->ctx->timers, &op->timer, CIO_TIMER_OP,
			 op->deadline);
	cio_timer_ensure(&conn->ctx->timers, &side->timer, CIO_TIMER_SIDE,
			 cio_side_timer_expires(side));
	trace_cio_arm(conn, side, op);
	cio_pause(CIO_AT_ARMED);
}

/*
 * The operation would wait for what perhaps no event announces: try again after a
 * while.  An event, or a timer that comes for another reason, may make it earlier.
 */
static void side_back_off(struct cio_side *side, ktime_t now)
{
	side->delay = min(2 * side->delay, RETRY_MAX);
	side->retry = ktime_add_ns(now, side->delay);
}

/*
 * The caller has won the operation (ENDING): end it, or where a thread sleeps for
 * it have that thread end it.
 */
void cio_side_end_won(struct cio_conn *conn, struct cio_side *side,
		      struct cio_op *op, const struct cio_outcome *out,
		      struct cio_kick *kick)
{
	struct cio_sleeper *sleeper = side->sleeper;

	lockdep_assert_held(&conn->lock);
	if (sleeper && sleeper->op == op)
		cio_sleeper_interrupt(conn, sleeper, out);
	else
		cio_end_op(conn, side, op, out, kick);
}

/* The socket may have become writable just now: the first try comes at once. */
static bool side_tries_at_once(struct cio_side *side, int ret)
{
	if (ret != CIO_IO_LATER || side->delay)
		return false;
	side->delay = RETRY_MIN / 2;
	return true;
}

/* End the operation that runs. */
static void side_end_running(struct cio_conn *conn, struct cio_side *side,
			     const struct cio_outcome *out,
			     struct cio_kick *kick)
{
	struct cio_op *op = side->running;

	side->running = NULL;
	cio_op_set_state(op, CIO_ENDING);
	cio_end_op(conn, side, op, out, kick);
	if (side->cancels)
		cio_cancel_notes_settle(side,
					out->reason == CANCELIO_CANCELED, kick);
}

enum side_next {
	SIDE_ENDED,
	SIDE_QUEUED,
	SIDE_RETRY,
};

/* An attempt returned @ret: end the operation, or let it wait, or try again. */
static enum side_next side_settle(struct cio_conn *conn, struct cio_side *side,
				  int ret, struct cio_kick *kick)
{
	struct cio_op *op = side->running;
	struct cio_outcome out = { .now = ktime_get() };

	lockdep_assert_held(&conn->lock);
	if (ret != CIO_IO_LATER)
		side->delay = 0;
	if (!ret || (ret < 0 && ret != -EAGAIN)) {
		out.reason = ret ? CANCELIO_ERROR : CANCELIO_DONE;
		out.error = ret;
	} else if (!conn->closed && (cio_op_word(op) & CIO_CANCEL)) {
		out.reason = CANCELIO_CANCELED;
		out.error = -ECANCELED;
	} else if (cio_end_verdict(conn, side, op, &out)) {
		/* Closed, or past its deadline. */
	} else if (ret == CIO_IO_MORE || side->again ||
		   side_tries_at_once(side, ret)) {
		return SIDE_RETRY;
	} else if (op->flags & CANCELIO_OP_NOWAIT) {
		out.reason = CANCELIO_ERROR;
		out.error = -EAGAIN;
	} else {
		if (ret == CIO_IO_LATER)
			side_back_off(side, out.now);
		side_queue(conn, side, op);
		return SIDE_QUEUED;
	}
	side_end_running(conn, side, &out, kick);
	return SIDE_ENDED;
}

/* Under the program's memory map, and the submitter's credentials. */
static int side_try(struct cio_conn *conn, struct cio_op *op)
{
	const struct cred *old;
	int ret;

	if (!op->cred || op->cred == current_cred())
		return cio_io_try(conn, op);
	old = override_creds(op->cred);
	ret = cio_io_try(conn, op);
	revert_creds(old);
	return ret;
}

/*
 * Try the running operation until it ends or waits.  One that keeps making
 * progress gives way when the budget is used up.
 */
static enum side_next side_attempt(struct cio_conn *conn,
				   struct cio_side *side, int *budget,
				   struct cio_kick *kick)
	__must_hold(&conn->lock)
{
	struct cio_op *op = side->running;
	enum side_next next;
	int ret;

	do {
		side->again = false;
		spin_unlock_irq(&conn->lock);
		/* Pairs with side_events_are_idle(): queued, then the look at the socket. */
		smp_mb();
		/* The program's memory may hold us up: not those who wait. */
		cio_kick_flush(conn->ctx, kick);
		cio_pause(CIO_AT_TRY);
		ret = side_try(conn, op);
		trace_cio_try(conn, op, ret);
		cio_pause(CIO_AT_TRIED);
		spin_lock_irq(&conn->lock);
		next = side_settle(conn, side, ret, kick);
		if (next == SIDE_RETRY)
			side_hook(conn, op);
	} while (next == SIDE_RETRY && --*budget > 0);
	if (next == SIDE_RETRY) {
		side_queue(conn, side, op);
		cio_ready(conn, side, kick);
	}
	return next;
}

static void side_set_running(struct cio_side *side, struct cio_op *op)
{
	side->running = op;
	side->again = false;
	side->retry = KTIME_MAX;
}

/* It wraps after 73 minutes: what has waited for longer counts as less. */
static u32 side_stamp(ktime_t now)
{
	return ktime_to_ns(now) >> 10;
}

/* It is to wait before its first attempt. */
static void side_begin_untried(struct cio_op *op)
{
	op->flags |= CIO_OP_UNTRIED;
	op->queued_at = side_stamp(ktime_get());
}

/* Its first attempt comes, or an end without. */
static void side_end_untried(struct cio_ctx *ctx, struct cio_op *op, ktime_t now)
{
	u32 waited = side_stamp(now) - op->queued_at;

	cio_stats_time(&ctx->stats, CIO_TIME_START, (s64)waited << 10);
	op->flags &= ~CIO_OP_UNTRIED;
	op->events = 0;
}

/* What is decided without an attempt, when the operation starts. */
static bool side_start_verdict(struct cio_conn *conn, struct cio_side *side,
			       struct cio_op *op, struct cio_outcome *out)
{
	bool busy = side->running || !list_empty(&side->queue);

	if ((op->opcode == CANCELIO_OP_RECV ||
	     op->opcode == CANCELIO_OP_RECVMSG) && !op->len && conn->is_stream) {
		out->now = ktime_get();
		return true;
	}
	if (op->deadline != KTIME_MAX || side->deadline != KTIME_MAX) {
		out->now = ktime_get();
		if (cio_end_verdict(conn, side, op, out))
			return true;
	}
	if (busy && (op->flags & CANCELIO_OP_NOWAIT)) {
		out->now = ktime_get();
		out->reason = CANCELIO_ERROR;
		out->error = -EAGAIN;
		return true;
	}
	return false;
}

/*
 * Start a NEW operation: decided at once, or tried by the caller, or queued.
 * The deadline is looked at and the operation published under one lock, so that
 * no deadline and no cancel slips in between (golang/go#38769).
 *
 * Returns 1 when it ended at once, 0 when it goes on, and -EBADF for a closed
 * conn; the operation is then still the caller's.
 */
int cio_side_start(struct cio_conn *conn, struct cio_op *op,
		   struct cio_kick *kick)
{
	struct cio_side *side = cio_op_side(conn, op);
	enum side_next next = SIDE_ENDED;
	struct cio_outcome out = {};
	int budget = CIO_TURN;
	bool idle;

	spin_lock_irq(&conn->lock);
	if (conn->closed) {
		spin_unlock_irq(&conn->lock);
		return -EBADF;
	}
	WRITE_ONCE(op->conn, conn);
	trace_cio_submit(conn, op);
	cio_stats_count(&conn->ctx->stats, CIO_COUNT_SUBMITTED);
	idle = !side->running && list_empty(&side->queue);
	if (side_start_verdict(conn, side, op, &out)) {
		list_add_tail(&op->queue, &side->queue);
		cio_op_set_state(op, CIO_ENDING);
		cio_end_op(conn, side, op, &out, kick);
	} else if (idle && !(op->flags & CANCELIO_OP_WORKER)) {
		list_add_tail(&op->queue, &side->queue);
		cio_op_set_state(op, CIO_RUNNING);
		side_set_running(side, op);
		side->delay = 0;
		next = side_attempt(conn, side, &budget, kick);
		if (!list_empty(&side->queue) &&
		    (next == SIDE_ENDED || cio_ready_by_threads(conn)))
			cio_ready(conn, side, kick);
	} else {
		list_add_tail(&op->queue, &side->queue);
		side_begin_untried(op);
		side_queue(conn, side, op);
		next = SIDE_QUEUED;
		if (idle)
			cio_ready(conn, side, kick);
		else if (op->call)
			cio_ready_joined(conn, side, kick);
	}
	if (next == SIDE_ENDED)
		cio_stats_count(&conn->ctx->stats, CIO_COUNT_AT_ONCE);
	spin_unlock_irq(&conn->lock);
	cio_pause(CIO_AT_SUBMITTED);
	return next == SIDE_ENDED;
}

/*
 * Run the operations of a side until one waits.  An operation that left the queue
 * meanwhile is passed over, and one that expired in the queue is not started
 * (golang/go#38769, its second half).  Returns the one that waits, or NULL.
 */
static struct cio_op *side_run(struct cio_conn *conn, struct cio_side *side,
			       enum cio_pool_kind who, int *budget,
			       struct cio_kick *kick)
	__must_hold(&conn->lock)
{
	enum side_next next = SIDE_ENDED;
	struct cio_op *op = NULL;

	while (next == SIDE_ENDED && !side->running &&
	       (op = cio_ready_op(side))) {
		struct cio_outcome out = { .now = ktime_get() };

		if (*budget <= 0 || !cio_ready_may_run(conn, op, who)) {
			cio_ready(conn, side, kick);
			break;
		}
		--*budget;
		if (!cio_op_take(op, CIO_QUEUED, CIO_RUNNING))
			continue;
		side_set_running(side, op);
		if (op->flags & CIO_OP_UNTRIED)
			side_end_untried(conn->ctx, op, out.now);
		trace_cio_run(conn, op, current->pid);
		if (cio_end_verdict(conn, side, op, &out))
			side_end_running(conn, side, &out, kick);
		else
			next = side_attempt(conn, side, budget, kick);
	}
	return next == SIDE_QUEUED ? op : NULL;
}

/* Run a ready side, and give back the reference that came with it. */
void cio_side_run(struct cio_side *side, enum cio_pool_kind who, int *budget,
		  struct cio_kick *kick)
{
	struct cio_conn *conn = cio_side_conn(side);
	struct cio_ctx *ctx = conn->ctx;

	cio_pause(CIO_AT_TAKEN);
	spin_lock_irq(&conn->lock);
	side->is_ready = false;
	side->for_owner = false;
	side_run(conn, side, who, budget, kick);
	spin_unlock_irq(&conn->lock);
	cio_conn_put_async(conn);
	cio_ctx_wake_ends(ctx);
}

/*
 * Thread engine: the same for a thread that keeps the side, and with it the
 * reference, until cio_sleeper_block() takes both.  Returns the id of the operation
 * that waits, or 0.
 */
u64 cio_side_run_kept(struct cio_side *side, int *budget,
		      struct cio_kick *kick)
{
	struct cio_conn *conn = cio_side_conn(side);
	struct cio_op *op;
	u64 id;

	cio_pause(CIO_AT_TAKEN);
	spin_lock_irq(&conn->lock);
	op = side_run(conn, side, CIO_POOL_WORKER, budget, kick);
	/* Whoever has won it meanwhile cannot give it away yet. */
	id = op ? cio_op_id(op) : 0;
	spin_unlock_irq(&conn->lock);
	cio_ctx_wake_ends(conn->ctx);
	return id;
}

/* A thread that was handed the side does not run it: somebody else will. */
void cio_side_pass_on(struct cio_side *side)
{
	struct cio_conn *conn = cio_side_conn(side);
	struct cio_kick kick = {};

	spin_lock_irq(&conn->lock);
	side->is_ready = false;
	side->for_owner = false;
	cio_ready(conn, side, &kick);
	spin_unlock_irq(&conn->lock);
	cio_kick_flush(conn->ctx, &kick);
	cio_conn_put(conn);
}

/* The side is to be tried, by whoever has it or is to get it. */
void cio_side_try_again(struct cio_conn *conn, struct cio_side *side,
			struct cio_kick *kick)
{
	lockdep_assert_held(&conn->lock);
	if (side->sleeper)
		cio_sleeper_wake(side->sleeper);
	else if (side->running || cio_ready_by_threads(conn))
		side->again = true;
	else
		cio_ready(conn, side, kick);
}

/*
 * Between two tries of a write an event may mean that it can go on, and on UNIX
 * sockets also that somebody else's write has failed.  So that two who try, in two
 * contexts, do not drive each other on, none of the tries comes sooner than the
 * shortest wait after the one before.
 */
static bool side_may_try(struct cio_conn *conn, struct cio_side *side)
{
	ktime_t soonest = side->retry - side->delay + RETRY_MIN;

	lockdep_assert_held(&conn->lock);
	if (!conn->is_unix || side->retry == KTIME_MAX || soonest <= ktime_get())
		return true;
	side->delay = RETRY_MIN;
	side->retry = soonest;
	cio_timer_ensure(&conn->ctx->timers, &side->timer, CIO_TIMER_SIDE,
			 soonest);
	return false;
}

/*
 * Whether no operation is there for an event.  Either this sees one that is being
 * started, or its attempt sees what the event is about: pairs with side_attempt().
 */
static bool side_events_are_idle(const struct cio_conn *conn)
{
	/* What the event is about, then the look at the queues. */
	smp_mb();
	return list_empty(&conn->sides[CIO_READ].queue) &&
	       list_empty(&conn->sides[CIO_WRITE].queue);
}

/* Something happened on the socket; called under its wait queue's lock. */
void cio_side_event(struct cio_conn *conn, __poll_t events)
{
	static const __poll_t wakes[CIO_SIDES] = {
		[CIO_READ] = EPOLLIN | EPOLLRDNORM | EPOLLPRI | EPOLLRDHUP |
			     EPOLLHUP | EPOLLERR,
		[CIO_WRITE] = EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLERR,
	};
	struct cio_kick kick = {};
	unsigned long flags;
	int i;

	cio_pause(CIO_AT_EVENT);
	if (side_events_are_idle(conn))
		return;
	spin_lock_irqsave(&conn->lock, flags);
	for (i = 0; i < CIO_SIDES; i++) {
		struct cio_side *side = &conn->sides[i];

		/* A wake-up without a key may mean anything. */
		if (events && !(events & wakes[i]))
			continue;
		if (side_may_try(conn, side))
			cio_side_try_again(conn, side, &kick);
	}
	spin_unlock_irqrestore(&conn->lock, flags);
	cio_kick_flush(conn->ctx, &kick);
}

static const struct cio_outcome side_canceled = {
	.reason = CANCELIO_CANCELED,
	.error = -ECANCELED,
};

/* The same for a cancel, which ends all; not what a thread sleeps for. */
static int side_sweep_canceled(struct cio_conn *conn, struct cio_side *side,
			       struct cio_kick *kick)
{
	struct cio_outcome out = side_canceled;
	struct cio_op *op, *next;
	int ended = 0;

	lockdep_assert_held(&conn->lock);
	out.now = ktime_get();
	list_for_each_entry_safe(op, next, &side->queue, queue) {
		if (!cio_op_take(op, CIO_QUEUED, CIO_ENDING))
			continue;
		cio_end_op(conn, side, op, &out, kick);
		if (++ended == CIO_SWEEP)
			return ended;
	}
	cio_ready(conn, side, kick);
	return ended;
}

/*
 * Cancel what runs, or what a thread sleeps for: @req hears when it has ended.
 * A thread's operation that somebody else has won ends all the same.
 */
static int side_cancel_held(struct cio_conn *conn, struct cio_side *side,
			    struct cio_cancel_req *req, struct cio_kick *kick)
{
	struct cio_outcome out = side_canceled;
	struct cio_op *op;
	int ret;

	lockdep_assert_held(&conn->lock);
	ret = cio_cancel_note_add(side, req);
	if (ret || !side->sleeper)
		return ret;
	op = side->sleeper->op;
	out.now = ktime_get();
	if (cio_op_take(op, CIO_BLOCKED, CIO_ENDING))
		cio_side_end_won(conn, side, op, &out, kick);
	return 0;
}

/*
 * Cancel one operation: returns 1 when it ended here, 0 when it is in the hands
 * of a thread and @req will hear, -EALREADY when it is ending otherwise, -ENOENT
 * when it is not there, -EAGAIN when it would be 0 and @req is NULL, -ENOMEM.
 */
int cio_side_cancel_op(struct cio_conn *conn, struct cio_op *op, u64 gen,
		       struct cio_cancel_req *req, struct cio_kick *kick)
{
	struct cio_outcome out = side_canceled;
	enum cio_op_state state;
	int ret = -ENOENT;
	u64 word;

	spin_lock_irq(&conn->lock);
	word = cio_op_word(op);
	if (cio_word_gen(word) != gen)
		goto out;
	out.now = ktime_get();
	state = cio_word_state(word);
	if (state == CIO_RUNNING || state == CIO_BLOCKED) {
		ret = req ? side_cancel_held(conn, cio_op_side(conn, op), req,
					     kick) : -EAGAIN;
	} else if (cio_op_win(op, gen, CIO_QUEUED, CIO_ENDING)) {
		struct cio_side *side = cio_op_side(conn, op);

		cio_end_op(conn, side, op, &out, kick);
		cio_ready(conn, side, kick);
		ret = 1;
	} else if (cio_word_state(cio_op_word(op)) == CIO_ENDING) {
		ret = -EALREADY;
	}
out:
	spin_unlock_irq(&conn->lock);
	return ret;
}

/*
 * Cancel all of a side; returns how many ended, or -ENOMEM when one runs on.  One
 * that runs gets its note under the lock of the last sweep: else it could slip
 * from running to waiting in between.
 */
int cio_side_cancel(struct cio_conn *conn, struct cio_side *side,
		    struct cio_cancel_req *req)
{
	int ended, ret = 0, sum = 0;

	do {
		struct cio_kick kick = {};

		spin_lock_irq(&conn->lock);
		ended = side_sweep_canceled(conn, side, &kick);
		if (ended < CIO_SWEEP && (side->running || side->sleeper))
			ret = side_cancel_held(conn, side, req, &kick);
		spin_unlock_irq(&conn->lock);
		cio_pause(CIO_AT_SWEPT);
		cio_kick_flush(conn->ctx, &kick);
		cond_resched();
		sum += ended;
	} while (ended == CIO_SWEEP && !fatal_signal_pending(current));
	return ret ?: sum;
}

/* The id of one that is just ending, or 0: not of what came after one that waits. */
u64 cio_side_ending(struct cio_conn *conn, struct cio_side *side)
{
	struct cio_op *op;
	u64 id = 0;

	spin_lock_irq(&conn->lock);
	list_for_each_entry(op, &side->queue, queue) {
		if (cio_word_state(cio_op_word(op)) == CIO_ENDING)
			id = cio_op_id(op);
		if (id || cio_op_waits(op))
			break;
	}
	spin_unlock_irq(&conn->lock);
	return id;
}
