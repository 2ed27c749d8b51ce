// SPDX-License-Identifier: GPL-2.0
#include "submit.h"

#include "engine.h"
#include "io.h"
#include "msg.h"
#include "race.h"
#include "side.h"
#include "trace.h"
#include "user.h"
#include "wait.h"

#include <linux/sched/signal.h>

#define OP_FLAGS (CANCELIO_OP_DEADLINE | CANCELIO_OP_TIMEOUT | \
		  CANCELIO_OP_NOWAIT | CANCELIO_OP_WORKER | CANCELIO_OP_HOLD)
#define DEADLINE_FLAGS (CANCELIO_OP_DEADLINE | CANCELIO_OP_TIMEOUT)
/* All opcodes of the header, a bit each. */
#define OPS (BIT(CANCELIO_OP_WAIT_READY + 1) - 1)
#define SIDES (CANCELIO_READ | CANCELIO_WRITE)

u32 cio_submit_op_flags(void)
{
	return OP_FLAGS;
}

/* Operations that are there or on their way stay. */
int cio_submit_restrict(struct cio_ctx *ctx,
			const struct cancelio_restrict *keep)
{
	if (keep->flags || keep->ops & ~OPS || keep->sides & ~SIDES)
		return -EINVAL;
	mutex_lock(&ctx->lock);
	WRITE_ONCE(ctx->refused_ops, ctx->refused_ops | ~keep->ops);
	WRITE_ONCE(ctx->refused_sides, ctx->refused_sides | ~keep->sides);
	mutex_unlock(&ctx->lock);
	return 0;
}

/* Whether RESTRICT has taken a valid operation away. */
static bool submit_refused(const struct cio_ctx *ctx,
			   const struct cancelio_op *req)
{
	enum cio_side_index side = cio_side_index(req->opcode, req->msg_flags);

	return READ_ONCE(ctx->refused_ops) & BIT(req->opcode) ||
	       READ_ONCE(ctx->refused_sides) &
	       (side == CIO_READ ? CANCELIO_READ : CANCELIO_WRITE);
}

static int submit_check(const struct cio_ctx *ctx,
			const struct cancelio_op *req)
{
	int ret;

	u32 timed = req->flags & DEADLINE_FLAGS;

	if (req->flags & ~OP_FLAGS || timed == DEADLINE_FLAGS ||
	    req->reserved[0] || req->reserved[1])
		return -EINVAL;
	if (!timed && req->deadline)
		return -EINVAL;
	ret = cio_io_check(req);
	if (ret)
		return ret;
	return submit_refused(ctx, req) ? -EACCES : 0;
}

static ktime_t submit_deadline(const struct cio_ctx *ctx,
			       const struct cancelio_op *req)
{
	s64 deadline;

	if (req->flags & CANCELIO_OP_DEADLINE)
		return cio_time_to_host(ctx, req->deadline);
	if (!(req->flags & CANCELIO_OP_TIMEOUT) ||
	    req->deadline == CANCELIO_NEVER)
		return KTIME_MAX;
	if (check_add_overflow(ktime_get(), req->deadline, &deadline))
		deadline = KTIME_MAX;
	return min_t(s64, deadline, KTIME_MAX - 1);
}

/* Write a request into an operation that only the caller knows. */
static void submit_fill(struct cio_ctx *ctx, struct cio_op *op,
			const struct cancelio_op *req, struct cio_call *call)
{
	op->opcode = req->opcode;
	op->flags = req->flags;
	INIT_LIST_HEAD(&op->queue);
	timerqueue_init(&op->timer);
	INIT_HLIST_NODE(&op->cookie_node);
	op->user_data = req->user_data;
	if (cio_op_has_msg(op))
		op->msg = NULL;
	else
		op->addr = req->addr;
	op->len = req->len;
	op->done = 0;
	op->msg_flags = req->msg_flags;
	op->events = 0;
	op->deadline = submit_deadline(ctx, req);
	op->cred = NULL;
	op->call = call;
}

static struct cio_side *submit_side(struct cio_conn *conn,
				    const struct cancelio_op *req)
{
	return cio_conn_side(conn, req->opcode, req->msg_flags);
}

/* A NEW operation: the side's spare one, or one of the context's. */
static struct cio_op *submit_alloc(struct cio_conn *conn,
				   const struct cancelio_op *req)
{
	struct cio_op *op = xchg(&submit_side(conn, req)->spare, NULL);

	if (!op)
		return cio_op_alloc(&conn->ctx->ops);
	cio_op_set_state(op, CIO_NEW);
	return op;
}

/* What would tell a peer who runs it, or give descriptors to who runs it (C45). */
static bool submit_needs_owner(const struct cio_conn *conn,
			       const struct cio_op *op)
{
	if (!conn->is_unix)
		return false;
	if (op->opcode == CANCELIO_OP_RECVMSG)
		return op->msg->control_len;
	return op->opcode == CANCELIO_OP_SEND ||
	       op->opcode == CANCELIO_OP_SENDMSG;
}

/* What an operation has beside its fields: its message, and who may run it. */
static int submit_prepare(struct cio_conn *conn, struct cio_op *op,
			  const struct cancelio_op *req)
{
	int ret;

	if (cio_op_has_msg(op)) {
		ret = cio_msg_create(op, req->addr);
		if (ret)
			return ret;
	}
	if (!submit_needs_owner(conn, op))
		return 0;
	if ((op->flags & CANCELIO_OP_WORKER) ||
	    conn->ctx->engine->threads)
		return -EOPNOTSUPP;
	op->flags |= CIO_OP_OWNER;
	return 0;
}

static void submit_abort(struct cio_conn *conn, struct cio_op *op)
{
	if (cio_op_has_msg(op))
		cio_msg_free(op->msg);
	cio_op_retire(op);
	cio_op_recycle(&conn->ctx->ops, op);
}

/* An empty read of a stream ends without an attempt. */
static bool submit_reads_nothing(const struct cio_conn *conn,
				 const struct cio_op *op)
{
	return op->opcode == CANCELIO_OP_RECVMSG && !op->len && conn->is_stream;
}

/* Start with an entry of the ring, promised to an operation that posts. */
static int submit_start_promised(struct cio_conn *conn, struct cio_op *op,
				 struct cio_kick *kick)
{
	struct cio_ring *ring = &conn->ctx->ring;
	bool posts = !(op->flags & CANCELIO_OP_HOLD);
	int ret;

	if (posts && !cio_ring_reserve(ring))
		return -EAGAIN;
	ret = cio_side_start(conn, op, kick);
	if (ret < 0 && posts)
		cio_ring_unreserve(ring);
	return ret;
}

/*
 * The last steps.  The results of an empty read are there before its completion is,
 * and are taken back when it is refused.  Whatever the program's memory can hold up
 * comes before the promise, for others need the entry (C8).
 */
static int submit_start_prepared(struct cio_conn *conn, struct cio_op *op,
				 struct cio_kick *kick)
{
	bool nothing = submit_reads_nothing(conn, op);
	int ret = nothing ? cio_msg_recv_nothing(op->msg) : 0;

	if (!ret)
		ret = submit_start_promised(conn, op, kick);
	if (ret < 0 && nothing)
		cio_msg_recv_undo(op->msg);
	return ret;
}

/*
 * Accept and start one operation that was checked, or refuse it with an error
 * and nothing done.  Its id is written before anything can happen to it.
 * Returns 1 when it ended at once, 0 when it goes on.
 */
static int submit_start(struct cio_conn *conn, const struct cancelio_op *req,
			u64 __user *id, struct cio_call *call,
			struct cio_op **started, struct cio_kick *kick)
{
	struct cio_op *op = submit_alloc(conn, req);
	int ret;

	if (IS_ERR(op))
		return PTR_ERR(op);
	submit_fill(conn->ctx, op, req, call);
	if (started)
		*started = op;
	ret = submit_prepare(conn, op, req);
	if (!ret && id && put_user(cio_op_id(op), id))
		ret = -EFAULT;
	if (!ret) {
		cio_pause(CIO_AT_SUBMIT_CHECKED);
		ret = submit_start_prepared(conn, op, kick);
	}
	if (ret < 0)
		submit_abort(conn, op);
	return ret;
}

/**
 * struct submit_batch - what one SUBMIT carries from operation to operation
 * @conn: the conn of the last one, with a reference, or NULL
 * @kick: whom to wake at the end
 */
struct submit_batch {
	struct cio_conn *conn;
	struct cio_kick kick;
};

static int batch_conn(struct cio_ctx *ctx, struct submit_batch *batch, u64 id)
{
	if (batch->conn && batch->conn->id == id)
		return 0;
	if (batch->conn)
		cio_conn_put(batch->conn);
	batch->conn = cio_conn_get(ctx, id);
	return batch->conn ? 0 : -EBADF;
}

static int batch_one(struct cio_ctx *ctx, struct submit_batch *batch,
		     const void __user *op, u32 op_size, u64 __user *id)
{
	struct cancelio_op req cio_uninitialized;
	int ret;

	if (fatal_signal_pending(current))
		return -EINTR;
	/* The program's memory may hold us up: not those who wait for the last one. */
	cio_kick_flush(ctx, &batch->kick);
	ret = op_size == sizeof(req) ?
	      cio_words_from_user(&req, op, sizeof(req)) :
	      copy_struct_from_user(&req, sizeof(req), op, op_size);
	if (ret)
		return ret;
	ret = submit_check(ctx, &req) ?: batch_conn(ctx, batch, req.conn);
	if (ret)
		return ret;
	ret = submit_start(batch->conn, &req, id, NULL, NULL, &batch->kick);
	return ret < 0 ? ret : 0;
}

/*
 * All were taken, which is what to return.  Until it is known how the wait ends, it has
 * been interrupted: so that memory that goes away meanwhile does not tell of a success.
 */
static int submit_wait(struct cio_ctx *ctx,
		       const struct cancelio_submit *submit, int __user *error)
{
	if (submit->min && !put_user(-EINTR, error))
		put_user(cio_wait_min(ctx, submit->min,
				      cio_time_to_host(ctx, submit->time)),
			 error);
	return submit->count;
}

/* Returns how many operations were taken, or why not even the first was. */
int cio_submit(struct cio_ctx *ctx, struct cancelio_submit *submit,
	       struct cancelio_submit __user *out)
{
	const char __user *ops = u64_to_user_ptr(submit->ops);
	u64 __user *ids = u64_to_user_ptr(submit->ids);
	struct submit_batch batch = {};
	u32 i;
	int ret = 0;

	if (submit->flags || !submit->count ||
	    submit->count > CANCELIO_MAX_BATCH ||
	    submit->op_size < sizeof(struct cancelio_op) ||
	    submit->op_size > PAGE_SIZE ||
	    submit->min > ctx->ring.mask + 1 ||
	    (!submit->min && submit->time))
		return -EINVAL;
	if (put_user(0, &out->error))
		return -EFAULT;
	for (i = 0; i < submit->count && !ret; i++) {
		ret = batch_one(ctx, &batch, ops + (size_t)i * submit->op_size,
				submit->op_size, submit->ids ? ids + i : NULL);
		cond_resched();
	}
	if (batch.conn)
		cio_conn_put(batch.conn);
	cio_kick_flush(ctx, &batch.kick);
	if (!ret)
		return submit_wait(ctx, submit, &out->error);
	/* Was writable a moment ago; the return value tells the most. */
	if (put_user(ret, &out->error))
		return i - 1 ?: -EFAULT;
	return i - 1 ?: ret;
}

/* The result is there: it was written to memory that was writable at the start. */
static int call_finish(const struct cio_ctx *ctx, const struct cio_call *call,
		       struct cancelio_call __user *out)
{
	trace_cio_reap(ctx, 1, call->result.id);
	return cio_words_to_user(&out->result, &call->result,
				 sizeof(out->result));
}

int cio_call(struct cio_ctx *ctx, struct cancelio_call *req,
	     struct cancelio_call __user *out)
{
	struct cio_kick kick = {};
	struct cio_conn *conn;
	struct cio_side *side;
	struct cio_call call cio_uninitialized;
	struct cio_op *op;
	int ret;

	cio_call_init(&call, false);
	if (put_user(0, &out->id) || put_user(0, &out->result.reserved))
		return -EFAULT;
	ret = req->flags ? -EINVAL : submit_check(ctx, &req->op);
	if (ret)
		return ret;
	conn = cio_conn_get(ctx, req->op.conn);
	if (!conn)
		return -EBADF;
	req->op.flags |= CANCELIO_OP_HOLD;
	side = submit_side(conn, &req->op);
	ret = submit_start(conn, &req->op, &out->id, &call, &op, &kick);
	cio_kick_flush(ctx, &kick);
	if (ret < 0) {
		/* The id stood there while it was not sure: it never became one. */
		if (put_user(0, &out->id))
			ret = -EFAULT;
		goto out;
	}
	/* One that went on must be left properly, even if it has ended by now. */
	ret = ret ? 0 : cio_wait_call(side, op, &call, KTIME_MAX);
out:
	/* Before the program's memory, which may hold us up. */
	cio_conn_put(conn);
	return ret ?: call_finish(ctx, &call, out);
}
