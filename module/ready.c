// SPDX-License-Identifier: GPL-2.0
/*
 * Who runs a side: a thread that waits for its first operation, any runner of the
 * pool, workers only, or threads of the owner only.
 *
 * The last may have to wait until there is one (C45).  The side then stands on
 * the pool's list for the owner, and poll(2) says so.  From there it is taken back
 * when the operation it stands there for is not its first any more; and from any
 * list when nothing is left to run.  No runner may come for a long time, and with
 * the side goes its reference, for which a detach waits.
 */
#include "ready.h"

#include "engine.h"
#include "trace.h"

/* The first operation that nobody has. */
struct cio_op *cio_ready_op(struct cio_side *side)
{
	struct cio_op *op;

	list_for_each_entry(op, &side->queue, queue)
		if (cio_word_state(cio_op_word(op)) == CIO_QUEUED)
			return op;
	return NULL;
}

/* A thread of the thread engine has the side for as long as something is on it. */
bool cio_ready_by_threads(const struct cio_conn *conn)
{
	return conn->ctx->engine->threads;
}

static enum cio_pool_kind ready_kind(const struct cio_conn *conn,
				     const struct cio_op *op)
{
	if (cio_ready_by_threads(conn) || (op->flags & CANCELIO_OP_WORKER))
		return CIO_POOL_WORKER;
	return op->flags & CIO_OP_OWNER ? CIO_POOL_OWNER : CIO_POOL_ANY;
}

/* One that is for others, or that its own thread waits for, is left to these. */
bool cio_ready_may_run(const struct cio_conn *conn, const struct cio_op *op,
		       enum cio_pool_kind who)
{
	enum cio_pool_kind kind = ready_kind(conn, op);

	if (kind == CIO_POOL_WORKER)
		return who == CIO_POOL_WORKER;
	if (kind == CIO_POOL_OWNER && who == CIO_POOL_WORKER)
		return false;
	return !op->call || op->call->task == current;
}

/*
 * The thread to run the side for @op, its first operation, or NULL: one that
 * waits for @op, or where only threads of the owner will do, for a later one.
 */
static struct cio_call *ready_call(const struct cio_conn *conn,
				   struct cio_side *side,
				   const struct cio_op *op)
{
	switch (ready_kind(conn, op)) {
	case CIO_POOL_ANY:
		return op->call;
	case CIO_POOL_OWNER:
		return op->call ?: list_first_entry_or_null(&side->calls,
							    struct cio_call, node);
	default:
		return NULL;
	}
}

/*
 * Take a side off the pool's list, unless it stands there with good reason: @op,
 * its first operation now.  False also where a runner has it.
 */
static bool ready_recall(struct cio_conn *conn, struct cio_side *side,
			 const struct cio_op *op)
{
	if (op && (!side->for_owner ||
		   (ready_kind(conn, op) == CIO_POOL_OWNER &&
		    !ready_call(conn, side, op))))
		return false;
	if (!cio_pool_withdraw(&conn->ctx->pool, &side->ready))
		return false;
	side->is_ready = false;
	side->for_owner = false;
	/* Not the last one: the caller has one, or the table. */
	atomic_dec(&conn->refs);
	return true;
}

/*
 * See that a side with something to run has a runner, once.  The caller may also
 * have taken away what it had to run.
 */
void cio_ready(struct cio_conn *conn, struct cio_side *side,
	       struct cio_kick *kick)
{
	enum cio_pool_kind kind;
	struct cio_call *call;
	struct cio_op *op;

	lockdep_assert_held(&conn->lock);
	if (side->running)
		return;
	op = cio_ready_op(side);
	if (side->is_ready && !ready_recall(conn, side, op))
		return;
	if (!op)
		return;
	side->is_ready = true;
	cio_conn_ref(conn);
	trace_cio_ready(conn, side);
	call = ready_call(conn, side, op);
	if (call) {
		WRITE_ONCE(call->turn, true);
		wake_up_process(call->task);
		return;
	}
	kind = ready_kind(conn, op);
	side->for_owner = kind == CIO_POOL_OWNER;
	if (!cio_pool_add(&conn->ctx->pool, &side->ready, kind))
		kick->caller |= side->for_owner;
}

/* A thread has come to wait for an operation of the side; it may be the one. */
void cio_ready_joined(struct cio_conn *conn, struct cio_side *side,
		      struct cio_kick *kick)
{
	lockdep_assert_held(&conn->lock);
	if (side->is_ready)
		cio_ready(conn, side, kick);
}
