// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Waiting until a socket is ready: what accept and connect are made of.
 */
#include <poll.h>

#include "internal.h"

static void ready_op(struct cancelio_op *op, const struct cancelio_conn *conn,
		     short events, __s64 deadline)
{
	*op = (struct cancelio_op) {
		.opcode = CANCELIO_OP_WAIT_READY,
		.flags = CANCELIO_OP_DEADLINE,
		.conn = conn->id,
		.msg_flags = events,
		.deadline = deadline,
	};
}

/* Looks once.  Returns done->error: -EAGAIN when the socket is not ready. */
int ready_try(struct cancelio_conn *conn, short events, __s64 deadline,
	      struct cancelio_completion *done)
{
	struct cancelio_op op;

	ready_op(&op, conn, events, deadline);
	op.flags |= CANCELIO_OP_NOWAIT;
	op_run(conn, &op, done);
	return done->error;
}

static unsigned int cancel_count(struct cancelio_conn *conn, short events)
{
	return atomic_load(events & POLLOUT ? &conn->write_cancels :
					      &conn->read_cancels);
}

/**
 * ready_wait() - wait until the socket is ready, as one step of a longer call
 * @conn: the connection
 * @events: POLLIN or POLLOUT
 * @deadline: the call's own
 * @cancels: the side's count of cancels when the call began
 * @done: out: how the waiting ended
 *
 * The kernel cancels what is pending there, and between two steps of accept or
 * connect nothing is.  Therefore a cancel is counted before the kernel is asked
 * for it, and here the count is read after the kernel has the operation: whichever
 * came first, the cancel meets the operation or the count tells of it.
 *
 * Return: done->error.
 */
int ready_wait(struct cancelio_conn *conn, short events, __s64 deadline,
	       unsigned int cancels, struct cancelio_completion *done)
{
	struct cancelio_op op;
	__u64 id;
	int error;

	ready_op(&op, conn, events, deadline);
	op.flags |= CANCELIO_OP_HOLD;
	error = cancelio_submit(conn->context, &op, 1, &id, NULL);
	if (error < 0)
		goto err_submit;
	if (cancel_count(conn, events) != cancels)
		op_cancel(conn->context, id);
	error = op_await(conn->context, id, CANCELIO_NEVER, done);
	if (error)
		goto err_submit;
	return done->error;

err_submit:
	op_end(done, conn, CANCELIO_OP_WAIT_READY, error);
	return error;
}
