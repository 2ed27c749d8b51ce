// SPDX-License-Identifier: GPL-2.0
/*
 * Cancel: what waits ends here and now; what runs gets a note, and ends when
 * its attempt returns, unless the attempt does its work; what a thread sleeps for
 * gets one too, and the thread ends it.
 */
#include "cancel.h"

#include "cookie.h"
#include "memory.h"
#include "race.h"
#include "side.h"
#include "trace.h"

#include <linux/sched/signal.h>
#include <linux/slab.h>

static struct cio_cancel_req *cancel_req_create(void)
{
	struct cio_cancel_req *req = kzalloc(sizeof(*req), CIO_GFP);

	if (req) {
		refcount_set(&req->refs, 1);
		req->begun = ktime_get();
	}
	return req;
}

/* Wait for what still ran; returns how many that ended, or -EINTR. */
static int cancel_req_wait(struct cio_ctx *ctx, struct cio_cancel_req *req)
{
	if (wait_event_interruptible(ctx->end_wait,
				     !atomic_read(&req->pending)))
		return -EINTR;
	/* Pairs with cio_cancel_notes_settle(): the outcome before the end. */
	smp_rmb();
	return atomic_read(&req->ended);
}

static bool cancel_gone(const struct cio_op *op, u64 gen)
{
	u64 word = cio_op_word(op);

	return cio_word_gen(word) != gen || !cio_word_pending(word);
}

/* Wait until an operation has ended, or a signal comes (-ERESTARTSYS). */
static int cancel_wait_gone(struct cio_ctx *ctx, u64 id)
{
	struct cio_op *op = cio_op_find(&ctx->ops, id);

	return wait_event_interruptible(ctx->end_wait,
					cancel_gone(op, cio_id_gen(id)));
}

/* Ask for the cancel of one; as cio_side_cancel_op(). */
static int cancel_ask(struct cio_ctx *ctx, u64 id, struct cio_cancel_req *req)
{
	struct cio_op *op = cio_op_find(&ctx->ops, id);
	struct cio_kick kick = {};
	struct cio_conn *conn;
	int ret;

	conn = op ? cio_conn_of_op(op, cio_id_gen(id)) : NULL;
	if (!conn)
		return -ENOENT;
	cio_pause(CIO_AT_CANCEL_FOUND);
	ret = cio_side_cancel_op(conn, op, cio_id_gen(id), req, &kick);
	cio_pause(CIO_AT_CANCEL_ASKED);
	cio_kick_flush(ctx, &kick);
	cio_conn_put(conn);
	return ret;
}

/* The same; one that ends otherwise has ended on return, unless -EINTR. */
static int cancel_id(struct cio_ctx *ctx, u64 id, struct cio_cancel_req *req)
{
	int ret = cancel_ask(ctx, id, req);

	if (ret == -EALREADY)
		ret = cancel_wait_gone(ctx, id) ? -EINTR : -ENOENT;
	return ret;
}

/* Nothing is allocated for an operation that nobody has. */
static int cancel_by_id(struct cio_ctx *ctx, u64 id)
{
	struct cio_cancel_req *req;
	int ret;

	ret = cancel_id(ctx, id, NULL);
	if (ret != -EAGAIN)
		return ret;
	req = cancel_req_create();
	if (!req)
		return -ENOMEM;
	ret = cancel_id(ctx, id, req);
	if (!ret)
		ret = cancel_req_wait(ctx, req);
	cio_cancel_req_put(req);
	return ret ?: -ENOENT;
}

/* What ends otherwise at this instant is not left behind either. */
static int cancel_wait_ending(struct cio_conn *conn, struct cio_side *side)
{
	u64 id;

	while ((id = cio_side_ending(conn, side)))
		if (cancel_wait_gone(conn->ctx, id))
			return -EINTR;
	return 0;
}

static bool cancel_wants(u32 sides, int i)
{
	return sides & (i == CIO_READ ? CANCELIO_READ : CANCELIO_WRITE);
}

/* Ask all before any is waited for: a signal ends only the waiting. */
static int cancel_conn(struct cio_conn *conn, u32 sides,
		       struct cio_cancel_req *req)
{
	int i, ret, ended = 0;

	for (i = 0; i < CIO_SIDES; i++) {
		if (!cancel_wants(sides, i))
			continue;
		ret = cio_side_cancel(conn, &conn->sides[i], req);
		if (ret < 0)
			return ret;
		ended += ret;
	}
	return ended;
}

static int cancel_conn_wait(struct cio_conn *conn, u32 sides)
{
	int i, ret = 0;

	for (i = 0; i < CIO_SIDES && !ret; i++)
		if (cancel_wants(sides, i))
			ret = cancel_wait_ending(conn, &conn->sides[i]);
	return ret;
}

static int cancel_by_conn(struct cio_ctx *ctx, u64 id, u32 sides,
			  struct cio_cancel_req *req)
{
	struct cio_conn *conn = cio_conn_get(ctx, id);
	int ret;

	if (!conn)
		return -EBADF;
	ret = cancel_conn(conn, sides, req);
	if (ret >= 0 && cancel_conn_wait(conn, sides))
		ret = -EINTR;
	cio_conn_put(conn);
	return ret;
}

/*
 * Those that run and were cancelled by another call before, or are ending, are
 * waited for all the same: when this one returns, none is in the program's memory.
 */
static int cancel_by_cookie(struct cio_ctx *ctx, u64 cookie,
			    struct cio_cancel_req *req)
{
	int ret, ended = 0;
	u64 id;

	while ((id = cio_cookie_find(ctx->cookies, cookie, false))) {
		ret = cancel_ask(ctx, id, req);
		if (ret == -ENOMEM)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		ended += ret == 1;
		cond_resched();
	}
	while ((id = cio_cookie_find(ctx->cookies, cookie, true))) {
		if (cancel_wait_gone(ctx, id))
			return -EINTR;
	}
	return ended;
}

static int cancel_all(struct cio_ctx *ctx, struct cio_cancel_req *req)
{
	const u32 both = CANCELIO_READ | CANCELIO_WRITE;
	u32 slot, size = cio_table_size(&ctx->conns);
	struct cio_conn *conn;
	int ret = 0, ended = 0;

	for (slot = 0; slot < size; slot++) {
		cond_resched();
		conn = cio_conn_get_slot(ctx, slot);
		if (!conn)
			continue;
		ret = cancel_conn(conn, both, req);
		cio_conn_put(conn);
		if (ret < 0)
			return ret;
		ended += ret;
	}
	for (slot = 0; slot < size; slot++) {
		cond_resched();
		conn = cio_conn_get_slot(ctx, slot);
		if (!conn)
			continue;
		ret = cancel_conn_wait(conn, both);
		cio_conn_put(conn);
		if (ret)
			return ret;
	}
	return ended;
}

static int cancel_check(const struct cancelio_cancel *cancel)
{
	bool conn = cancel->scope == CANCELIO_CANCEL_CONN;

	if (cancel->flags || cancel->scope > CANCELIO_CANCEL_ALL ||
	    cancel->sides & ~(CANCELIO_READ | CANCELIO_WRITE) ||
	    conn != !!cancel->sides ||
	    (cancel->scope == CANCELIO_CANCEL_ALL && cancel->target))
		return -EINVAL;
	return 0;
}

static int cancel_many(struct cio_ctx *ctx,
		       const struct cancelio_cancel *cancel,
		       struct cio_cancel_req *req)
{
	switch (cancel->scope) {
	case CANCELIO_CANCEL_COOKIE:
		return cancel_by_cookie(ctx, cancel->target, req);
	case CANCELIO_CANCEL_CONN:
		return cancel_by_conn(ctx, cancel->target, cancel->sides, req);
	default:
		return cancel_all(ctx, req);
	}
}

static int cancel_all_of(struct cio_ctx *ctx,
			 const struct cancelio_cancel *cancel)
{
	struct cio_cancel_req *req = cancel_req_create();
	int ret, ended;

	if (!req)
		return -ENOMEM;
	ended = cancel_many(ctx, cancel, req);
	ret = cancel_req_wait(ctx, req);
	if (ret >= 0)
		ret = ended < 0 ? ended : (ended + ret) ?: -ENOENT;
	cio_cancel_req_put(req);
	return ret;
}

int cio_cancel(struct cio_ctx *ctx, const struct cancelio_cancel *cancel)
{
	int ret = cancel_check(cancel);

	if (ret)
		return ret;
	ret = cancel->scope == CANCELIO_CANCEL_ID ?
		cancel_by_id(ctx, cancel->target) : cancel_all_of(ctx, cancel);
	trace_cio_cancel(ctx, cancel, ret);
	return ret;
}
