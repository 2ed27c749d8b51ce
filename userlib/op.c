// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Operations on connections: reads and writes in blocking style, and single ones
 * with a handle.
 */
#include "internal.h"

static enum cancelio_reason reason_of(int error)
{
	switch (error) {
	case 0:
		return CANCELIO_DONE;
	case -EBADF:
	case -ESHUTDOWN:
		return CANCELIO_CLOSED;
	default:
		return CANCELIO_ERROR;
	}
}

/* What did not end in the kernel's hands ended so; @error 0: it was done. */
void op_end(struct cancelio_completion *done, const struct cancelio_conn *conn,
	    unsigned int opcode, int error)
{
	*done = (struct cancelio_completion) {
		.conn = conn->id,
		.error = error,
		.reason = reason_of(error),
		.opcode = opcode,
		.ended = cancelio_now(),
	};
}

/* Hands @done to the caller, as @result and as a return value. */
int op_outcome(const struct cancelio_completion *done,
	       struct cancelio_completion *result)
{
	if (result)
		*result = *done;
	return done->error ? done->error : (int)done->bytes;
}

static int prepare(struct cancelio_op *op, const struct cancelio_conn *conn,
		   unsigned int opcode, const void *buf, size_t len)
{
	if (len > CANCELIO_MAX_LEN)
		return -EINVAL;
	*op = (struct cancelio_op) {
		.opcode = opcode,
		.conn = conn->id,
		.addr = address_of(buf),
		.len = len,
	};
	return 0;
}

/* Waits for a held operation, whatever signals come. */
int op_await(struct cancelio *context, __u64 id, __s64 time,
	     struct cancelio_completion *done)
{
	int error;

	do {
		error = cancelio_wait_op(context, id, time, done);
	} while (error == -EINTR);
	return error;
}

void op_run(struct cancelio_conn *conn, const struct cancelio_op *op,
	    struct cancelio_completion *done)
{
	__u64 id;
	int error = cancelio_call(conn->context, op, &id, done);

	if (error == -EINTR && id)
		error = op_await(conn->context, id, CANCELIO_NEVER, done);
	if (error)
		op_end(done, conn, op->opcode, error);
}

static int transfer(struct cancelio_conn *conn, unsigned int opcode,
		    const void *buf, size_t len,
		    struct cancelio_completion *result)
{
	struct cancelio_completion done;
	struct cancelio_op op;
	int error = conn_enter(conn);

	if (error) {
		op_end(&done, conn, opcode, error);
		return op_outcome(&done, result);
	}
	error = prepare(&op, conn, opcode, buf, len);
	if (error)
		op_end(&done, conn, opcode, error);
	else
		op_run(conn, &op, &done);
	conn_leave(conn);
	return op_outcome(&done, result);
}

int cancelio_read(struct cancelio_conn *conn, void *buf, size_t len,
		  struct cancelio_completion *result)
{
	return transfer(conn, CANCELIO_OP_RECV, buf, len, result);
}

int cancelio_write(struct cancelio_conn *conn, const void *buf, size_t len,
		   struct cancelio_completion *result)
{
	return transfer(conn, CANCELIO_OP_SEND, buf, len, result);
}

static int start(struct cancelio_conn *conn, unsigned int opcode,
		 const void *buf, size_t len, struct cancelio_handle *handle)
{
	struct cancelio_op op;
	__u64 id;
	int error = conn_enter(conn);

	if (error)
		return error;
	error = prepare(&op, conn, opcode, buf, len);
	if (error)
		goto out;
	op.flags = CANCELIO_OP_HOLD;
	error = cancelio_submit(conn->context, &op, 1, &id, NULL);
	if (error < 0)
		goto out;
	handle->context = conn->context;
	handle->id = id;
	error = 0;
out:
	conn_leave(conn);
	return error;
}

int cancelio_start_read(struct cancelio_conn *conn, void *buf, size_t len,
			struct cancelio_handle *handle)
{
	return start(conn, CANCELIO_OP_RECV, buf, len, handle);
}

int cancelio_start_write(struct cancelio_conn *conn, const void *buf,
			 size_t len, struct cancelio_handle *handle)
{
	return start(conn, CANCELIO_OP_SEND, buf, len, handle);
}

/*
 * A signal may interrupt the waiting for a running operation; the cancel stays
 * requested, and asking again waits on.
 */
int op_cancel(struct cancelio *context, __u64 id)
{
	int ended;

	do {
		ended = cancelio_cancel_id(context, id);
	} while (ended == -EINTR);
	return ended;
}

int cancelio_op_cancel(const struct cancelio_handle *handle)
{
	return op_cancel(handle->context, handle->id);
}

int cancelio_op_wait(const struct cancelio_handle *handle, __s64 time,
		     struct cancelio_completion *result)
{
	struct cancelio_completion done;
	int error = op_await(handle->context, handle->id, time, &done);

	/* -ETIME is for the operation's own deadline. */
	if (error == -ETIME)
		return -EAGAIN;
	if (error)
		return error;
	return op_outcome(&done, result);
}

const char *cancelio_reason_name(unsigned int reason)
{
	switch (reason) {
	case CANCELIO_DONE:
		return "done";
	case CANCELIO_ERROR:
		return "error";
	case CANCELIO_DEADLINE:
		return "deadline";
	case CANCELIO_CANCELED:
		return "canceled";
	case CANCELIO_CLOSED:
		return "closed";
	default:
		return "unknown";
	}
}
