// SPDX-License-Identifier: GPL-2.0
#include "sleeper.h"

#include "race.h"
#include "ready.h"
#include "trace.h"

#include <linux/sched/signal.h>

/*
 * The thread that has the side is to sleep for its first operation.  False when
 * there is none, or another runner's: then it does not have the side any more.
 * An event since the last attempt began is handed on with the operation.  So is one
 * that may have been before, where that attempt was not this operation's: it came to
 * the front meanwhile, or the thread's turn was over.
 */
bool cio_sleeper_block(struct cio_side *side, struct cio_sleeper *sleeper)
{
	struct cio_conn *conn = cio_side_conn(side);
	struct cio_ctx *ctx = conn->ctx;
	struct cio_kick kick = {};
	struct cio_op *op = NULL;

	spin_lock_irq(&conn->lock);
	while (!side->running && (op = cio_ready_op(side)))
		if (cio_op_take(op, CIO_QUEUED, CIO_BLOCKED))
			break;
	if (op) {
		trace_cio_block(conn, op, current->pid);
		sleeper->op = op;
		sleeper->event = side->again ||
				 cio_op_id(op) != sleeper->tried;
		sleeper->interrupted = false;
		side->sleeper = sleeper;
	} else {
		side->is_ready = false;
		cio_ready(conn, side, &kick);
	}
	spin_unlock_irq(&conn->lock);
	if (op)
		return true;
	cio_kick_flush(ctx, &kick);
	cio_conn_put_async(conn);
	cio_ctx_wake_ends(ctx);
	return false;
}

/*
 * Its thread ends the operation, with the outcome that the winner left and as of
 * then: a deadline that was cleared since does not seem to have fired afterwards.
 */
static void sleeper_end(struct cio_conn *conn, struct cio_side *side,
			struct cio_sleeper *sleeper, struct cio_kick *kick)
{
	const struct cio_outcome *out = &sleeper->out;

	cio_end_op(conn, side, sleeper->op, out, kick);
	cio_cancel_notes_settle(side, out->reason == CANCELIO_CANCELED, kick);
	kick->ended = true;
}

/*
 * The thread is awake: its operation has been won by somebody, and ends here; or
 * there is an event, and it is queued again, to be tried.  False when neither is
 * so: the signal meant nothing, or the winner is still on its way with the outcome.
 *
 * Signals are drained before the side forgets the sleeper, and none is sent
 * afterwards: the thread's next operation begins without (Plan 9's late note).
 */
bool cio_sleeper_unblock(struct cio_side *side, struct cio_kick *kick)
{
	struct cio_conn *conn = cio_side_conn(side);
	struct cio_sleeper *sleeper;
	bool awake;

	spin_lock_irq(&conn->lock);
	sleeper = side->sleeper;
	flush_signals(current);
	awake = sleeper->interrupted ||
		(sleeper->event &&
		 cio_op_take(sleeper->op, CIO_BLOCKED, CIO_QUEUED));
	sleeper->event = false;
	if (awake)
		side->sleeper = NULL;
	if (awake && sleeper->interrupted)
		sleeper_end(conn, side, sleeper, kick);
	spin_unlock_irq(&conn->lock);
	return awake;
}

/*
 * The caller has won the operation that the thread sleeps for: leave the outcome,
 * and send the note.
 */
void cio_sleeper_interrupt(struct cio_conn *conn, struct cio_sleeper *sleeper,
			   const struct cio_outcome *out)
{
	lockdep_assert_held(&conn->lock);
	trace_cio_interrupt(conn, sleeper->op, sleeper->task->pid);
	sleeper->out = *out;
	WRITE_ONCE(sleeper->interrupted, true);
	cio_pause(CIO_AT_INTERRUPTING);
	send_sig(SIGHUP, sleeper->task, 1);
	cio_pause(CIO_AT_INTERRUPTED);
}

/* Something happened on the socket; conn's lock. */
void cio_sleeper_wake(struct cio_sleeper *sleeper)
{
	WRITE_ONCE(sleeper->event, true);
	wake_up_process(sleeper->task);
}
