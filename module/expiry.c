// SPDX-License-Identifier: GPL-2.0
/*
 * Ends that come from outside an operation's turn, by time or by a close: deadlines
 * moved, timers that came, and the sweep of what waits.  Locks as in side.c.
 */
#include "expiry.h"

#include "race.h"
#include "ready.h"
#include "side.h"
#include "trace.h"

/*
 * End waiting operations of a side that the verdict ends now, at most CIO_SWEEP.
 * Returns how many; fewer than CIO_SWEEP: no more left.
 */
static int side_sweep(struct cio_conn *conn, struct cio_side *side,
		      struct cio_kick *kick)
{
	ktime_t now = ktime_get();
	struct cio_op *op, *next;
	int ended = 0;

	lockdep_assert_held(&conn->lock);
	/* Moved later: do not look at each of what may be a long queue. */
	if (!conn->closed && side->deadline > now)
		goto out;
	list_for_each_entry_safe(op, next, &side->queue, queue) {
		struct cio_outcome out = { .now = now };

		if (!cio_end_verdict(conn, side, op, &out) ||
		    !cio_op_take_waiting(op))
			continue;
		cio_side_end_won(conn, side, op, &out, kick);
		if (++ended == CIO_SWEEP)
			break;
	}
out:
	/* One that waited behind those that ended has not been tried yet. */
	if (ended < CIO_SWEEP || list_empty(&side->queue))
		cio_ready(conn, side, kick);
	return ended;
}

/* End all that the verdict ends now, from a thread. */
static void side_sweep_all(struct cio_conn *conn, struct cio_side *side)
{
	int ended;

	do {
		struct cio_kick kick = {};

		spin_lock_irq(&conn->lock);
		ended = side_sweep(conn, side, &kick);
		spin_unlock_irq(&conn->lock);
		cio_kick_flush(conn->ctx, &kick);
		cond_resched();
	} while (ended == CIO_SWEEP);
}

static void side_move_deadline(struct cio_conn *conn, struct cio_side *side,
			       ktime_t deadline)
{
	ktime_t before = side->deadline;

	side->deadline = deadline;
	trace_cio_deadline_set(conn, side, before);
	if (!list_empty(&side->queue))
		cio_timer_ensure(&conn->ctx->timers, &side->timer,
				 CIO_TIMER_SIDE, deadline);
}

/*
 * Move one deadline or both, at one instant.  A timer that is set to the old,
 * earlier time stays and finds nothing to do; one that has fired already and
 * waits for the lock finds the same (commit 8538477d58, golang/go#57114).
 */
int cio_side_set_deadlines(struct cio_conn *conn,
			   const struct cancelio_set_deadline *set)
{
	ktime_t read = cio_time_to_host(conn->ctx, set->read);
	ktime_t write = cio_time_to_host(conn->ctx, set->write);
	ktime_t now = ktime_get();

	spin_lock_irq(&conn->lock);
	if (conn->closed) {
		spin_unlock_irq(&conn->lock);
		return -EBADF;
	}
	if (set->sides & CANCELIO_READ)
		side_move_deadline(conn, &conn->sides[CIO_READ], read);
	if (set->sides & CANCELIO_WRITE)
		side_move_deadline(conn, &conn->sides[CIO_WRITE], write);
	spin_unlock_irq(&conn->lock);
	cio_pause(CIO_AT_DEADLINE_SET);

	/* What has passed already ends here, not in the timer's interrupt. */
	if ((set->sides & CANCELIO_READ) && read <= now)
		side_sweep_all(conn, &conn->sides[CIO_READ]);
	if ((set->sides & CANCELIO_WRITE) && write <= now)
		side_sweep_all(conn, &conn->sides[CIO_WRITE]);
	return 0;
}

/* Refuse and end everything, with CLOSED; what runs ends by itself. */
void cio_side_close(struct cio_conn *conn)
{
	int i;

	spin_lock_irq(&conn->lock);
	conn->closed = true;
	spin_unlock_irq(&conn->lock);
	cio_pause(CIO_AT_CLOSED);
	for (i = 0; i < CIO_SIDES; i++)
		side_sweep_all(conn, &conn->sides[i]);
}

/*
 * Called under the timers' lock.  An operation with a timer cannot be given
 * away, for its timer is removed before under that lock; won, it is ours.  A
 * conn cannot be freed for the same reason, and a reference makes it stay.
 */
static bool side_timer_claim(struct timerqueue_node *node,
			     enum cio_timer_kind kind)
{
	struct cio_side *side;

	if (kind == CIO_TIMER_OP)
		return cio_op_take_waiting(container_of(node, struct cio_op,
							timer));
	side = container_of(node, struct cio_side, timer);
	return cio_conn_try_ref(cio_side_conn(side));
}

static int side_expire_op(struct cio_op *op)
{
	struct cio_conn *conn = op->conn;
	struct cio_side *side = cio_op_side(conn, op);
	struct cio_outcome out = {};
	struct cio_kick kick = {};
	unsigned long flags;

	/* Its own reference to the conn goes when it ends. */
	cio_conn_ref(conn);
	trace_cio_deadline_fired(conn, side, cio_op_id(op), op->deadline);
	cio_pause(CIO_AT_TIMER_CLAIMED);
	spin_lock_irqsave(&conn->lock, flags);
	out.now = ktime_get();
	cio_end_verdict(conn, side, op, &out);
	cio_side_end_won(conn, side, op, &out, &kick);
	cio_ready(conn, side, &kick);
	spin_unlock_irqrestore(&conn->lock, flags);
	conn->ctx->timer_news |= kick.posted || kick.caller;
	cio_conn_put_async(conn);
	return 0;
}

/* Whether there is one that a deadline can still end. */
static bool side_has_waiting(struct cio_side *side)
{
	struct cio_op *op;

	list_for_each_entry(op, &side->queue, queue)
		if (cio_op_waits(op))
			return true;
	return false;
}

static int side_expire(struct cio_side *side)
{
	struct cio_conn *conn = cio_side_conn(side);
	struct cio_kick kick = {};
	unsigned long flags;
	bool retry;
	int ended;

	cio_pause(CIO_AT_TIMER_CLAIMED);
	spin_lock_irqsave(&conn->lock, flags);
	trace_cio_deadline_fired(conn, side, 0, side->deadline);
	ended = side_sweep(conn, side, &kick);
	retry = side->retry <= ktime_get();
	if (retry) {
		side->retry = KTIME_MAX;
		cio_side_try_again(conn, side, &kick);
	}
	/* Moved later meanwhile, or more to end: come again. */
	if (side_has_waiting(side))
		cio_timer_ensure(&conn->ctx->timers, &side->timer,
				 CIO_TIMER_SIDE, cio_side_timer_expires(side));
	spin_unlock_irqrestore(&conn->lock, flags);
	conn->ctx->timer_news |= kick.posted || kick.caller;
	if (!ended && !retry)
		trace_cio_deadline_stale(conn, side);
	cio_conn_put_async(conn);
	return ended;
}

static int side_timer_expire(struct timerqueue_node *node,
			     enum cio_timer_kind kind)
{
	if (kind == CIO_TIMER_OP)
		return side_expire_op(container_of(node, struct cio_op, timer));
	return side_expire(container_of(node, struct cio_side, timer));
}

static void side_timer_flush(struct cio_timers *timers)
{
	struct cio_ctx *ctx = container_of(timers, struct cio_ctx, timers);

	/* Most often a timer came too early, for a deadline that was moved. */
	if (ctx->timer_news) {
		ctx->timer_news = false;
		cio_ctx_wake_completions(ctx);
	}
	cio_ctx_wake_ends(ctx);
}

const struct cio_timer_actions cio_side_timer_actions = {
	.claim = side_timer_claim,
	.expire = side_timer_expire,
	.flush = side_timer_flush,
};
