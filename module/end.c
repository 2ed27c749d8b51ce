// SPDX-License-Identifier: GPL-2.0
#include "end.h"

#include "cookie.h"
#include "memory.h"
#include "msg.h"
#include "race.h"
#include "trace.h"

#include <linux/slab.h>

/* Cancel calls that wait for one running operation. */
#define MAX_NOTES 64

/* The earlier of the two deadlines, and which it is. */
static ktime_t end_deadline(const struct cio_side *side,
			    const struct cio_op *op, u8 *which)
{
	if (op->deadline < side->deadline) {
		*which = CANCELIO_WHICH_OP;
		return op->deadline;
	}
	*which = CANCELIO_WHICH_SIDE;
	return side->deadline;
}

/*
 * Whether an operation that does not run is to end now: closed before deadline
 * (C19).  Expiry is a comparison with the clock and nothing else: it is sticky
 * by itself, and a timer that comes for a deadline since moved finds nothing
 * to do (C12, C13).  The caller has set @out->now.
 */
bool cio_end_verdict(const struct cio_conn *conn, const struct cio_side *side,
		     const struct cio_op *op, struct cio_outcome *out)
{
	ktime_t deadline;

	lockdep_assert_held(&conn->lock);
	if (conn->closed) {
		out->reason = CANCELIO_CLOSED;
		out->error = -EBADF;
		return true;
	}
	deadline = end_deadline(side, op, &out->which);
	if (deadline == KTIME_MAX || out->now < deadline) {
		out->which = CANCELIO_WHICH_NONE;
		return false;
	}
	out->reason = CANCELIO_DEADLINE;
	out->error = -ETIME;
	if (check_sub_overflow(out->now, deadline, &out->late))
		out->late = S64_MAX;
	return true;
}

static struct cancelio_completion
end_completion(const struct cio_conn *conn, const struct cio_op *op,
	       const struct cio_outcome *out)
{
	return (struct cancelio_completion){
		.user_data = op->user_data,
		.id = cio_op_id(op),
		.conn = conn->id,
		.bytes = op->done,
		.error = out->error,
		.reason = out->reason,
		.which = out->which,
		.opcode = op->opcode,
		.events = op->flags & CIO_OP_UNTRIED ? 0 : op->events,
		.ended = out->now + conn->ctx->time_offset,
		.late = out->late,
	};
}

/* Met, missed or raced, and how. */
static void end_count(struct cio_conn *conn, const struct cio_side *side,
		      const struct cio_op *op, const struct cio_outcome *out)
{
	struct cio_ctx *ctx = conn->ctx;
	ktime_t deadline = min(op->deadline, side->deadline);

	cio_stats_count(&ctx->stats, CIO_COUNT_ENDED + out->reason);
	if (out->reason == CANCELIO_DEADLINE) {
		cio_stats_time(&ctx->stats, CIO_TIME_LATE, out->late);
		/* For who sleeps for completions; a call has its own. */
		if (!(op->flags & CANCELIO_OP_HOLD))
			atomic64_set(&ctx->fired, out->now);
	} else if (out->reason == CANCELIO_DONE && deadline != KTIME_MAX) {
		if (out->now < deadline)
			cio_stats_count(&ctx->stats, CIO_COUNT_MET);
		else
			cio_stats_count(&ctx->stats, CIO_COUNT_RACED);
	}
}

/*
 * Take back what an operation got when it was queued first.  Its timer also where that
 * has come: the operation may have been queued anew then, and the timer set again.
 */
static void end_unhook(struct cio_conn *conn, struct cio_op *op)
{
	cio_cookie_remove(conn->ctx->cookies, op);
	if (op->deadline != KTIME_MAX)
		cio_timer_remove(&conn->ctx->timers, &op->timer, CIO_TIMER_OP);
	put_cred(op->cred);
	/* Not the last one: the caller has a reference of its own. */
	atomic_dec(&conn->refs);
}

static void end_recycle(struct cio_conn *conn, struct cio_side *side,
			struct cio_op *op)
{
	cio_op_retire(op);
	if (!cio_op_reusable(op) || cmpxchg(&side->spare, NULL, op))
		cio_op_recycle(&conn->ctx->ops, op);
}

/* After the first one the next is tried, and its first retry comes at once. */
static void end_leave_queue(struct cio_side *side, struct cio_op *op)
{
	if (list_is_first(&op->queue, &side->queue)) {
		side->delay = 0;
		side->retry = KTIME_MAX;
	}
	list_del(&op->queue);
}

/*
 * Publish the completion of an operation that the caller has won (ENDING, in
 * the side's queue), and give its memory away.  Posting under the conn's lock
 * keeps the completions of a side in order, and visible before the next
 * operation of the side can start (C20).
 */
void cio_end_op(struct cio_conn *conn, struct cio_side *side,
		struct cio_op *op, const struct cio_outcome *out,
		struct cio_kick *kick)
{
	struct cancelio_completion completion = end_completion(conn, op, out);
	struct cio_call *call = op->call;
	bool waited = op->cred;

	lockdep_assert_held(&conn->lock);
	trace_cio_complete(conn, &completion);
	end_count(conn, side, op, out);
	cio_pause(CIO_AT_COMPLETING);
	/* First: who finds its id or its cookie gone finds the completion there. */
	if (!(op->flags & CANCELIO_OP_HOLD)) {
		cio_ring_post(&conn->ctx->ring, &completion);
		kick->posted = true;
	}
	end_leave_queue(side, op);
	if (waited)
		end_unhook(conn, op);
	if (cio_op_has_msg(op))
		cio_msg_free(op->msg);
	if (call)
		list_del_init(&call->node);
	if (call && !call->keep) {
		call->result = completion;
		end_recycle(conn, side, op);
	} else if (op->flags & CANCELIO_OP_HOLD) {
		op->result = completion;
		cio_op_set_state(op, CIO_HELD);
	} else {
		end_recycle(conn, side, op);
	}
	if (call) {
		if (out->reason == CANCELIO_DEADLINE)
			call->fired = out->now;
		/*
		 * The thread takes the lock before it leaves: see cio_call.
		 * It is woken even where it is current, for this may be an
		 * interrupt between its last look and its sleep; only the
		 * submitter of what ended at once does not sleep.
		 */
		WRITE_ONCE(call->done, true);
		if (waited || call->keep)
			wake_up_process(call->task);
	}
	cio_pause(CIO_AT_PUBLISHED);
}

void cio_cancel_req_put(struct cio_cancel_req *req)
{
	if (refcount_dec_and_test(&req->refs))
		kfree(req);
}

/* Leave a note at the running operation, or the one slept for; conn's lock. */
int cio_cancel_note_add(struct cio_side *side, struct cio_cancel_req *req)
{
	struct cio_cancel_note *note;
	int notes = 0;

	/* Calls that a signal interrupted leave theirs behind. */
	for (note = side->cancels; note; note = note->next)
		if (++notes == MAX_NOTES)
			return -ENOMEM;
	note = kmalloc(sizeof(*note), GFP_ATOMIC | __GFP_ACCOUNT | CIO_QUIET);
	if (!note)
		return -ENOMEM;
	note->req = req;
	refcount_inc(&req->refs);
	atomic_inc(&req->pending);
	note->next = side->cancels;
	side->cancels = note;
	if (side->running)
		atomic64_or(CIO_CANCEL, &side->running->word);
	cio_pause(CIO_AT_NOTED);
	return 0;
}

/* Its operation ended: tell the calls; one of them ended it. */
void cio_cancel_notes_settle(struct cio_side *side, bool canceled,
			     struct cio_kick *kick)
{
	struct cio_stats *stats = &cio_side_conn(side)->ctx->stats;
	struct cio_cancel_note *note, *next = side->cancels;

	side->cancels = NULL;
	while ((note = next)) {
		next = note->next;
		cio_stats_time(stats, CIO_TIME_CANCEL,
			       ktime_get() - note->req->begun);
		if (canceled && !next)
			atomic_inc(&note->req->ended);
		/* Pairs with the caller's look after its wait. */
		smp_mb__before_atomic();
		atomic_dec(&note->req->pending);
		kick->ended = true;
		cio_cancel_req_put(note->req);
		kfree(note);
	}
}
