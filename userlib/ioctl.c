// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * One function per ioctl.
 *
 * The structure that is passed lives here, so that the caller's out parameters
 * stay as they were when the ioctl fails.
 */
#include "internal.h"

int cancelio_info(struct cancelio *context, struct cancelio_info *info)
{
	struct cancelio_info arg = { .size = sizeof(arg) };
	int error = context_ioctl(context, CANCELIO_INFO, &arg);

	if (error)
		return error;
	*info = arg;
	return 0;
}

int cancelio_attach_fd(struct cancelio *context, int fd, __u64 *conn)
{
	struct cancelio_attach arg = { .size = sizeof(arg), .fd = fd };
	int error = context_ioctl(context, CANCELIO_ATTACH, &arg);

	if (error)
		return error;
	*conn = arg.conn;
	return 0;
}

int cancelio_detach(struct cancelio *context, __u64 conn)
{
	struct cancelio_detach arg = { .size = sizeof(arg), .conn = conn };

	return context_ioctl(context, CANCELIO_DETACH, &arg);
}

int cancelio_submit_and_wait(struct cancelio *context, const struct cancelio_op *ops,
			     unsigned int count, __u64 *ids, unsigned int min, __s64 time,
			     int *error)
{
	struct cancelio_submit arg = {
		.size = sizeof(arg),
		.op_size = sizeof(*ops),
		.ops = address_of(ops),
		.ids = address_of(ids),
		.count = count,
		.min = min,
		.time = time,
	};
	int taken = context_ioctl(context, CANCELIO_SUBMIT, &arg);

	if (error)
		*error = taken < 0 ? taken : arg.error;
	return taken;
}

int cancelio_submit(struct cancelio *context, const struct cancelio_op *ops,
		    unsigned int count, __u64 *ids, int *refused)
{
	return cancelio_submit_and_wait(context, ops, count, ids, 0, 0, refused);
}

int cancelio_call(struct cancelio *context, const struct cancelio_op *op,
		  __u64 *id, struct cancelio_completion *result)
{
	struct cancelio_call arg = { .size = sizeof(arg), .op = *op };
	int error = context_ioctl(context, CANCELIO_CALL, &arg);

	if (id)
		*id = arg.id;
	if (error)
		return error;
	*result = arg.result;
	return 0;
}

int cancelio_wait(struct cancelio *context, unsigned int min, __s64 time,
		  struct cancelio_completion *completions, unsigned int max)
{
	struct cancelio_wait arg = {
		.size = sizeof(arg),
		.min = min,
		.max = max,
		.completions = address_of(completions),
		.completion_size = completions ? sizeof(*completions) : 0,
		.time = time,
	};

	return context_ioctl(context, CANCELIO_WAIT, &arg);
}

int cancelio_wait_op(struct cancelio *context, __u64 id, __s64 time,
		     struct cancelio_completion *result)
{
	struct cancelio_wait_op arg = {
		.size = sizeof(arg),
		.id = id,
		.time = time,
	};
	int error = context_ioctl(context, CANCELIO_WAIT_OP, &arg);

	if (error)
		return error;
	*result = arg.result;
	return 0;
}

static int cancel(struct cancelio *context, enum cancelio_scope scope,
		  __u64 target, unsigned int sides)
{
	struct cancelio_cancel arg = {
		.size = sizeof(arg),
		.scope = scope,
		.target = target,
		.sides = sides,
	};

	return context_ioctl(context, CANCELIO_CANCEL, &arg);
}

int cancelio_cancel_id(struct cancelio *context, __u64 id)
{
	return cancel(context, CANCELIO_CANCEL_ID, id, 0);
}

int cancelio_cancel_cookie(struct cancelio *context, __u64 cookie)
{
	return cancel(context, CANCELIO_CANCEL_COOKIE, cookie, 0);
}

int cancelio_cancel_conn_ops(struct cancelio *context, __u64 conn,
			     unsigned int sides)
{
	return cancel(context, CANCELIO_CANCEL_CONN, conn, sides);
}

int cancelio_cancel_all(struct cancelio *context)
{
	return cancel(context, CANCELIO_CANCEL_ALL, 0, 0);
}

int cancelio_move_deadline(struct cancelio *context, __u64 conn,
			   unsigned int sides, __s64 read, __s64 write)
{
	struct cancelio_set_deadline arg = {
		.size = sizeof(arg),
		.sides = sides,
		.conn = conn,
		.read = sides & CANCELIO_READ ? read : 0,
		.write = sides & CANCELIO_WRITE ? write : 0,
	};

	return context_ioctl(context, CANCELIO_SET_DEADLINE, &arg);
}

int cancelio_shutdown_context(struct cancelio *context)
{
	struct cancelio_shutdown arg = { .size = sizeof(arg) };

	return context_ioctl(context, CANCELIO_SHUTDOWN, &arg);
}

int cancelio_set_eventfd(struct cancelio *context, int fd)
{
	struct cancelio_eventfd arg = { .size = sizeof(arg), .fd = fd };

	return context_ioctl(context, CANCELIO_EVENTFD, &arg);
}

int cancelio_read_stats(struct cancelio *context, unsigned int flags,
			struct cancelio_stats *stats)
{
	stats->size = sizeof(*stats);
	stats->flags = flags;
	return context_ioctl(context, CANCELIO_STATS, stats);
}

int cancelio_restrict_ops(struct cancelio *context, unsigned int ops,
			  unsigned int sides)
{
	struct cancelio_restrict arg = {
		.size = sizeof(arg),
		.ops = ops,
		.sides = sides,
	};

	return context_ioctl(context, CANCELIO_RESTRICT, &arg);
}
