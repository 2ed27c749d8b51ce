/* SPDX-License-Identifier: GPL-2.0 */
/* The connection: a socket attached to a context, and its two sides. */
#ifndef CIO_CONN_H
#define CIO_CONN_H

#include "ctx.h"

#include <linux/net.h>

struct cio_cancel_note;
struct cio_sleeper;

enum cio_side_index {
	CIO_READ,
	CIO_WRITE,
	CIO_SIDES,
};

/**
 * struct cio_side - one side of a conn; protected by the conn's lock
 * @index: which of the two; constant
 * @queue: its pending operations, first in, first out
 * @running: the first of @queue while a runner tries it, else NULL
 * @again: an event came since the last attempt began: try once more before waiting
 * @is_ready: on the pool's ready list, or handed to a cio_call, or served by a
 *	thread of the thread engine; holds a reference to the conn
 * @for_owner: then, that it was put where only threads of the owner look
 * @delay: how long the last wait without an event was, ns; 0 after any other attempt
 * @ready: in the pool's ready list
 * @spare: an operation's memory kept for the next submission; no lock (xchg)
 * @cancels: who waits for the cancel of @running, or of @sleeper's operation
 * @sleeper: the thread that sleeps for a BLOCKED operation, or NULL
 * @calls: threads that wait for operations of the side, once these have waited
 * @deadline: host time, KTIME_MAX for none
 * @retry: when to try again what no event will announce, KTIME_MAX for never
 * @timer: in the timers whenever operations are QUEUED or BLOCKED and there is
 *	a @deadline or a @retry, set to the earlier or before it
 */
struct cio_side {
	struct list_head queue;
	struct cio_op *running;
	u8 index;
	bool again;
	bool is_ready;
	bool for_owner;
	u32 delay;
	struct list_head ready;
	struct cio_op *spare;
	struct cio_cancel_note *cancels;
	struct cio_sleeper *sleeper;
	struct list_head calls;
	ktime_t deadline;
	ktime_t retry;
	struct timerqueue_node timer;
};

/**
 * struct cio_conn - an attached socket
 * @lock: the outermost of ours; taken with interrupts off, also under the
 *	socket's wait-queue lock; no wait-queue lock is taken under it
 * @closed: detached: operations are refused and end with CLOSED; @lock
 * @is_stream: constant
 * @is_tcp: constant
 * @is_unix: an AF_UNIX socket; constant
 * @is_connected: of a type that has one peer, and breaks with it; constant
 * @was_read: an attempt to read was not refused; of who runs the read side
 * @refs: one of the context's table, one of each queued operation, of each
 *	ready side, and of each user; freed at 0
 * @ctx: stays while there is a conn
 * @file: the socket's file, a reference; constant
 * @sock: its socket when it was attached, a reference to its inode; constant
 * @wait: the entry in the socket's wait queue, until it is closed
 * @orphan: on its way to a thread that can free it
 * @rcu: late comers may look at @refs and @lock for a grace period
 * @id: its name for the program; constant
 * @error: a fatal error of the socket, -errno, kept for both sides (C33)
 * @sides: read and write
 */
struct cio_conn {
	spinlock_t lock;	/* the sides, closed */
	bool closed;
	bool is_stream;
	bool is_tcp;
	bool is_unix;
	bool is_connected;
	bool was_read;
	int error;
	atomic_t refs;
	struct cio_ctx *ctx;
	struct file *file;
	struct socket *sock;
	union {
		struct wait_queue_entry wait;
		struct llist_node orphan;
		struct rcu_head rcu;
	};
	u64 id;
	struct cio_side sides[CIO_SIDES];
};

int cio_conns_init(void);
void cio_conns_exit(void);

int cio_conn_attach(struct cio_ctx *ctx, int fd, u64 *id);
int cio_conn_detach(struct cio_ctx *ctx, u64 id);
bool cio_conn_close(struct cio_ctx *ctx, struct cio_conn *conn,
		    enum cio_close_cause cause);
u64 cio_conn_cookie(const struct cio_conn *conn);
struct cio_conn *cio_conn_get(struct cio_ctx *ctx, u64 id);
struct cio_conn *cio_conn_get_slot(struct cio_ctx *ctx, u32 slot);
struct cio_conn *cio_conn_of_op(const struct cio_op *op, u64 gen);
bool cio_conn_try_ref(struct cio_conn *conn);
void cio_conn_put(struct cio_conn *conn);
void cio_conn_put_async(struct cio_conn *conn);
void cio_conn_free_orphans(struct cio_ctx *ctx);

/* For one who holds a reference already. */
static inline void cio_conn_ref(struct cio_conn *conn)
{
	atomic_inc(&conn->refs);
}

/* The side of a valid operation; @msg_flags are events for WAIT_READY. */
static inline enum cio_side_index cio_side_index(u32 opcode, u32 msg_flags)
{
	bool write = opcode == CANCELIO_OP_SEND ||
		     opcode == CANCELIO_OP_SENDMSG ||
		     (opcode == CANCELIO_OP_WAIT_READY &&
		      msg_flags & (__force u32)EPOLLOUT);

	return write ? CIO_WRITE : CIO_READ;
}

static inline struct cio_side *cio_conn_side(struct cio_conn *conn, u32 opcode,
					     u32 msg_flags)
{
	return &conn->sides[cio_side_index(opcode, msg_flags)];
}

static inline struct cio_side *cio_op_side(struct cio_conn *conn,
					   const struct cio_op *op)
{
	return cio_conn_side(conn, op->opcode, op->msg_flags);
}

static inline struct cio_conn *cio_side_conn(struct cio_side *side)
{
	return container_of(side - side->index, struct cio_conn, sides[0]);
}

#endif /* CIO_CONN_H */
