/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: what happens to operations, as seen from outside.  Names and
 * fields are stable; Documentation/tracing.rst has them.  Times are ns of the host's
 * CLOCK_MONOTONIC, S64_MAX where there is none.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM cancelio

#if !defined(CIO_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define CIO_TRACE_H

#include "engine.h"
#include "end.h"

#include <linux/tracepoint.h>

TRACE_DEFINE_ENUM(CANCELIO_OP_RECV);
TRACE_DEFINE_ENUM(CANCELIO_OP_SEND);
TRACE_DEFINE_ENUM(CANCELIO_OP_RECVMSG);
TRACE_DEFINE_ENUM(CANCELIO_OP_SENDMSG);
TRACE_DEFINE_ENUM(CANCELIO_OP_WAIT_READY);
TRACE_DEFINE_ENUM(CANCELIO_DONE);
TRACE_DEFINE_ENUM(CANCELIO_ERROR);
TRACE_DEFINE_ENUM(CANCELIO_DEADLINE);
TRACE_DEFINE_ENUM(CANCELIO_CANCELED);
TRACE_DEFINE_ENUM(CANCELIO_CLOSED);
TRACE_DEFINE_ENUM(CANCELIO_CANCEL_ID);
TRACE_DEFINE_ENUM(CANCELIO_CANCEL_COOKIE);
TRACE_DEFINE_ENUM(CANCELIO_CANCEL_CONN);
TRACE_DEFINE_ENUM(CANCELIO_CANCEL_ALL);
TRACE_DEFINE_ENUM(CIO_CLOSE_DETACH);
TRACE_DEFINE_ENUM(CIO_CLOSE_SHUTDOWN);
TRACE_DEFINE_ENUM(CIO_CLOSE_END);

#define show_opcode(opcode)						\
	__print_symbolic(opcode,					\
			 { CANCELIO_OP_RECV, "recv" },			\
			 { CANCELIO_OP_SEND, "send" },			\
			 { CANCELIO_OP_RECVMSG, "recvmsg" },		\
			 { CANCELIO_OP_SENDMSG, "sendmsg" },		\
			 { CANCELIO_OP_WAIT_READY, "wait_ready" })

#define show_reason(reason)						\
	__print_symbolic(reason,					\
			 { CANCELIO_DONE, "done" },			\
			 { CANCELIO_ERROR, "error" },			\
			 { CANCELIO_DEADLINE, "deadline" },		\
			 { CANCELIO_CANCELED, "canceled" },		\
			 { CANCELIO_CLOSED, "closed" })

#define show_scope(scope)						\
	__print_symbolic(scope,						\
			 { CANCELIO_CANCEL_ID, "id" },			\
			 { CANCELIO_CANCEL_COOKIE, "cookie" },		\
			 { CANCELIO_CANCEL_CONN, "conn" },		\
			 { CANCELIO_CANCEL_ALL, "all" })

#define show_side(side)							\
	__print_symbolic(side, { 0, "read" }, { 1, "write" })

#define show_cause(cause)						\
	__print_symbolic(cause,						\
			 { CIO_CLOSE_DETACH, "detach" },		\
			 { CIO_CLOSE_SHUTDOWN, "shutdown" },		\
			 { CIO_CLOSE_END, "end" })

/* An operation was accepted and gets its id; nothing has happened to it yet. */
TRACE_EVENT(cio_submit,
	TP_PROTO(const struct cio_conn *conn, const struct cio_op *op),
	TP_ARGS(conn, op),
	TP_STRUCT__entry(
		__field(u64, conn)
		__field(u64, id)
		__field(u64, user_data)
		__field(s64, deadline)
		__field(u32, len)
		__field(u16, opcode)
		__field(u16, flags)
		__field(u32, msg_flags)
		__field(u32, ctx)
	),
	TP_fast_assign(
		__entry->conn = conn->id;
		__entry->id = cio_op_id(op);
		__entry->user_data = op->user_data;
		__entry->deadline = op->deadline;
		__entry->len = op->len;
		__entry->opcode = op->opcode;
		__entry->flags = op->flags;
		__entry->msg_flags = op->msg_flags;
		__entry->ctx = conn->ctx->number;
	),
	TP_printk("conn=%llu id=%llu %s user_data=%llu len=%u flags=%#x deadline=%lld msg_flags=%#x ctx=%u",
		  __entry->conn, __entry->id, show_opcode(__entry->opcode),
		  __entry->user_data, __entry->len, __entry->flags,
		  __entry->deadline, __entry->msg_flags, __entry->ctx)
);

/* A non-blocking attempt returned: 0 done, 1 more to do, or -errno. */
TRACE_EVENT(cio_try,
	TP_PROTO(const struct cio_conn *conn, const struct cio_op *op, int ret),
	TP_ARGS(conn, op, ret),
	TP_STRUCT__entry(
		__field(u64, conn)
		__field(u64, id)
		__field(u32, bytes)
		__field(int, ret)
		__field(u32, ctx)
	),
	TP_fast_assign(
		__entry->conn = conn->id;
		__entry->id = cio_op_id(op);
		__entry->bytes = op->done;
		__entry->ret = ret;
		__entry->ctx = conn->ctx->number;
	),
	TP_printk("conn=%llu id=%llu bytes=%u ret=%d ctx=%u", __entry->conn,
		  __entry->id, __entry->bytes, __entry->ret, __entry->ctx)
);

/* An operation waits, with its own deadline and its side's. */
TRACE_EVENT(cio_arm,
	TP_PROTO(const struct cio_conn *conn, const struct cio_side *side,
		 const struct cio_op *op),
	TP_ARGS(conn, side, op),
	TP_STRUCT__entry(
		__field(u64, conn)
		__field(u64, id)
		__field(s64, deadline)
		__field(s64, side_deadline)
		__field(u8, side)
		__field(u32, ctx)
	),
	TP_fast_assign(
		__entry->conn = conn->id;
		__entry->id = cio_op_id(op);
		__entry->deadline = op->deadline;
		__entry->side_deadline = side->deadline;
		__entry->side = side->index;
		__entry->ctx = conn->ctx->number;
	),
	TP_printk("conn=%llu id=%llu %s deadline=%lld side_deadline=%lld ctx=%u",
		  __entry->conn, __entry->id, show_side(__entry->side),
		  __entry->deadline, __entry->side_deadline, __entry->ctx)
);

DECLARE_EVENT_CLASS(cio_side,
	TP_PROTO(const struct cio_conn *conn, const struct cio_side *side),
	TP_ARGS(conn, side),
	TP_STRUCT__entry(
		__field(u64, conn)
		__field(u8, side)
		__field(u32, ctx)
	),
	TP_fast_assign(
		__entry->conn = conn->id;
		__entry->side = side->index;
		__entry->ctx = conn->ctx->number;
	),
	TP_printk("conn=%llu %s ctx=%u", __entry->conn,
		  show_side(__entry->side), __entry->ctx)
);

/* A side wants a runner. */
DEFINE_EVENT(cio_side, cio_ready,
	TP_PROTO(const struct cio_conn *conn, const struct cio_side *side),
	TP_ARGS(conn, side)
);

/* A side's timer came, and nothing was due: it was moved, or has no operation. */
DEFINE_EVENT(cio_side, cio_deadline_stale,
	TP_PROTO(const struct cio_conn *conn, const struct cio_side *side),
	TP_ARGS(conn, side)
);

DECLARE_EVENT_CLASS(cio_op,
	TP_PROTO(const struct cio_conn *conn, const struct cio_op *op, int pid),
	TP_ARGS(conn, op, pid),
	TP_STRUCT__entry(
		__field(u64, conn)
		__field(u64, id)
		__field(int, pid)
		__field(u32, ctx)
	),
	TP_fast_assign(
		__entry->conn = conn->id;
		__entry->id = cio_op_id(op);
		__entry->pid = pid;
		__entry->ctx = conn->ctx->number;
	),
	TP_printk("conn=%llu id=%llu pid=%d ctx=%u", __entry->conn,
		  __entry->id, __entry->pid, __entry->ctx)
);

/* Thread @pid takes an operation from the queue to try it. */
DEFINE_EVENT(cio_op, cio_run,
	TP_PROTO(const struct cio_conn *conn, const struct cio_op *op, int pid),
	TP_ARGS(conn, op, pid)
);

/* Thread @pid is going to sleep for an operation (thread engine). */
DEFINE_EVENT(cio_op, cio_block,
	TP_PROTO(const struct cio_conn *conn, const struct cio_op *op, int pid),
	TP_ARGS(conn, op, pid)
);

/* The operation that thread @pid sleeps for was won, and the thread gets SIGHUP. */
DEFINE_EVENT(cio_op, cio_interrupt,
	TP_PROTO(const struct cio_conn *conn, const struct cio_op *op, int pid),
	TP_ARGS(conn, op, pid)
);

/* SET_DEADLINE moved a side's deadline. */
TRACE_EVENT(cio_deadline_set,
	TP_PROTO(const struct cio_conn *conn, const struct cio_side *side,
		 s64 before),
	TP_ARGS(conn, side, before),
	TP_STRUCT__entry(
		__field(u64, conn)
		__field(s64, before)
		__field(s64, deadline)
		__field(u8, side)
		__field(u32, ctx)
	),
	TP_fast_assign(
		__entry->conn = conn->id;
		__entry->before = before;
		__entry->deadline = side->deadline;
		__entry->side = side->index;
		__entry->ctx = conn->ctx->number;
	),
	TP_printk("conn=%llu %s deadline=%lld before=%lld ctx=%u",
		  __entry->conn, show_side(__entry->side), __entry->deadline,
		  __entry->before, __entry->ctx)
);

/* A timer came: an operation's own, or (id=0) a side's, whose deadline may be another by now. */
TRACE_EVENT(cio_deadline_fired,
	TP_PROTO(const struct cio_conn *conn, const struct cio_side *side,
		 u64 id, s64 deadline),
	TP_ARGS(conn, side, id, deadline),
	TP_STRUCT__entry(
		__field(u64, conn)
		__field(u64, id)
		__field(s64, deadline)
		__field(u8, side)
		__field(u32, ctx)
	),
	TP_fast_assign(
		__entry->conn = conn->id;
		__entry->id = id;
		__entry->deadline = deadline;
		__entry->side = side->index;
		__entry->ctx = conn->ctx->number;
	),
	TP_printk("conn=%llu id=%llu %s deadline=%lld ctx=%u", __entry->conn,
		  __entry->id, show_side(__entry->side), __entry->deadline,
		  __entry->ctx)
);

/* A CANCEL returns: how many it ended, or -errno. */
TRACE_EVENT(cio_cancel,
	TP_PROTO(const struct cio_ctx *ctx,
		 const struct cancelio_cancel *cancel, int ret),
	TP_ARGS(ctx, cancel, ret),
	TP_STRUCT__entry(
		__field(u64, target)
		__field(u32, scope)
		__field(u32, sides)
		__field(int, ret)
		__field(u32, ctx)
	),
	TP_fast_assign(
		__entry->target = cancel->target;
		__entry->scope = cancel->scope;
		__entry->sides = cancel->sides;
		__entry->ret = ret;
		__entry->ctx = ctx->number;
	),
	TP_printk("%s target=%llu sides=%#x ret=%d ctx=%u",
		  show_scope(__entry->scope), __entry->target, __entry->sides,
		  __entry->ret, __entry->ctx)
);

/* An operation ends; its completion becomes visible right after. */
TRACE_EVENT(cio_complete,
	TP_PROTO(const struct cio_conn *conn,
		 const struct cancelio_completion *completion),
	TP_ARGS(conn, completion),
	TP_STRUCT__entry(
		__field(u64, conn)
		__field(u64, id)
		__field(u64, user_data)
		__field(s64, late)
		__field(u32, bytes)
		__field(int, error)
		__field(u16, opcode)
		__field(u8, reason)
		__field(u8, which)
		__field(u32, ctx)
	),
	TP_fast_assign(
		__entry->conn = completion->conn;
		__entry->id = completion->id;
		__entry->user_data = completion->user_data;
		__entry->late = completion->late;
		__entry->bytes = completion->bytes;
		__entry->error = completion->error;
		__entry->opcode = completion->opcode;
		__entry->reason = completion->reason;
		__entry->which = completion->which;
		__entry->ctx = conn->ctx->number;
	),
	TP_printk("conn=%llu id=%llu %s user_data=%llu %s bytes=%u error=%d which=%u late=%lld ctx=%u",
		  __entry->conn, __entry->id, show_opcode(__entry->opcode),
		  __entry->user_data, show_reason(__entry->reason),
		  __entry->bytes, __entry->error, __entry->which,
		  __entry->late, __entry->ctx)
);

/*
 * The kernel handed out completions: that of @id, or (id=0) the oldest that waited in
 * the ring.  A program that maps the ring is not seen.
 */
TRACE_EVENT(cio_reap,
	TP_PROTO(const struct cio_ctx *ctx, unsigned int count, u64 id),
	TP_ARGS(ctx, count, id),
	TP_STRUCT__entry(
		__field(unsigned int, count)
		__field(u64, id)
		__field(u32, ctx)
	),
	TP_fast_assign(
		__entry->count = count;
		__entry->id = id;
		__entry->ctx = ctx->number;
	),
	TP_printk("count=%u id=%llu ctx=%u", __entry->count, __entry->id,
		  __entry->ctx)
);

/* A socket was attached; fd is the caller's, and the cookie that of the TCP events. */
TRACE_EVENT(cio_attach,
	TP_PROTO(const struct cio_conn *conn, int fd),
	TP_ARGS(conn, fd),
	TP_STRUCT__entry(
		__field(u64, conn)
		__field(int, fd)
		__field(u64, cookie)
		__field(u64, inode)
		__field(u32, ctx)
	),
	TP_fast_assign(
		__entry->conn = conn->id;
		__entry->fd = fd;
		__entry->cookie = cio_conn_cookie(conn);
		__entry->inode = file_inode(conn->file)->i_ino;
		__entry->ctx = conn->ctx->number;
	),
	TP_printk("conn=%llu fd=%d cookie=%llx inode=%llu ctx=%u",
		  __entry->conn, __entry->fd, __entry->cookie, __entry->inode,
		  __entry->ctx)
);

/* A conn is closed. */
TRACE_EVENT(cio_detach,
	TP_PROTO(const struct cio_conn *conn, enum cio_close_cause cause),
	TP_ARGS(conn, cause),
	TP_STRUCT__entry(
		__field(u64, conn)
		__field(u8, cause)
		__field(u32, ctx)
	),
	TP_fast_assign(
		__entry->conn = conn->id;
		__entry->cause = cause;
		__entry->ctx = conn->ctx->number;
	),
	TP_printk("conn=%llu cause=%s ctx=%u", __entry->conn,
		  show_cause(__entry->cause), __entry->ctx)
);

DECLARE_EVENT_CLASS(cio_worker,
	TP_PROTO(const struct cio_ctx *ctx),
	TP_ARGS(ctx),
	TP_STRUCT__entry(
		__field(int, owner)
		__array(char, engine, 8)
		__field(u32, ctx)
	),
	TP_fast_assign(
		__entry->owner = pid_nr(ctx->owned.group);
		strscpy(__entry->engine, ctx->engine->name,
			sizeof(__entry->engine));
		__entry->ctx = ctx->number;
	),
	TP_printk("owner=%d engine=%s ctx=%u", __entry->owner, __entry->engine,
		  __entry->ctx)
);

/* The current thread becomes a worker of process @owner. */
DEFINE_EVENT(cio_worker, cio_worker_start,
	TP_PROTO(const struct cio_ctx *ctx),
	TP_ARGS(ctx)
);

/* The current worker ends. */
DEFINE_EVENT(cio_worker, cio_worker_stop,
	TP_PROTO(const struct cio_ctx *ctx),
	TP_ARGS(ctx)
);

#endif /* CIO_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
