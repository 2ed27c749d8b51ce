// SPDX-License-Identifier: GPL-2.0
/*
 * A direction of a connection: bytes are received into its buffer, sent from there, and then
 * come the next.  One operation is pending at a time, and each way goes on without the other.
 *
 * An operation has the deadline at which the connection has to end if nothing moves either
 * way until then.  When it passes and something did move, the operation has taken nothing, or
 * tells how much it has sent: it goes on with the deadline of now.  So the deadlines of a
 * connection that is busy cost nothing.
 */
#include <errno.h>
#include <sys/socket.h>

#include "proxy.h"

/* When a connection ends in which nothing moves from now on. */
static __s64 due(const struct proxy *proxy, const struct pair *pair)
{
	enum setting wait = pair->answered ? IDLE_TIMEOUT : FIRST_BYTE_TIMEOUT;

	return pair->moved + proxy->set[wait] * MS;
}

/*
 * Once the upstream has answered, the idle time holds for both ways, and it may be the shorter
 * one: so it is waited for no longer than that.
 */
static __s64 deadline(const struct proxy *proxy, const struct pair *pair)
{
	__s64 end = due(proxy, pair), soon = cancelio_after(proxy->set[IDLE_TIMEOUT] * MS);

	return soon < end ? soon : end;
}

/* Then a send is pending, or queued. */
static bool holds_bytes(const struct flow *flow)
{
	return flow->start < flow->end;
}

static void go_on(struct proxy *proxy, struct flow *flow)
{
	struct pair *pair = flow->pair;
	bool send = holds_bytes(flow);
	struct cancelio_op *op;

	/* First: queueing can end the other way's. */
	pair->pending++;
	op = ring_queue(proxy, send ? CANCELIO_OP_SEND : CANCELIO_OP_RECV,
			pair->conn[send ? !flow->from : flow->from], (uintptr_t)flow);
	op->flags = CANCELIO_OP_DEADLINE;
	op->deadline = deadline(proxy, pair);
	op->addr = (uintptr_t)pair->buffer[flow->from] + (send ? flow->start : 0);
	op->len = send ? flow->end - flow->start : BUFFER;
}

/* However an operation has ended, it says what it has moved. */
void flow_count(struct flow *flow, const struct cancelio_completion *how)
{
	struct pair *pair = flow->pair;

	if (how->opcode == CANCELIO_OP_SEND) {
		flow->start += how->bytes;
		flow->moved += how->bytes;
	} else {
		flow->start = 0;
		flow->end = how->bytes;
		pair->answered |= flow->from == UPSTREAM && how->bytes;
	}
	if (how->bytes && how->ended > pair->moved)
		pair->moved = how->ended;
}

/* The receiver is told.  When both are, the one that was first has ended the connection. */
static void stream_ended(struct proxy *proxy, struct flow *flow)
{
	struct pair *pair = flow->pair;
	enum who other = !flow->from;

	flow->over = true;
	shutdown(pair->fd[other], SHUT_WR);
	if (pair->flow[other].over)
		pair_end(proxy, pair, "end-of-file", other, 0);
}

/* A receive knows nothing of a send that its deadline ends now, and leaves it to that one. */
static void too_late(struct proxy *proxy, struct flow *flow, __s64 now)
{
	struct pair *pair = flow->pair;

	if (due(proxy, pair) > now ||
	    (!holds_bytes(flow) && holds_bytes(&pair->flow[!flow->from])))
		go_on(proxy, flow);
	else if (pair->answered)
		pair_end(proxy, pair, "idle-timeout", PROXY, 0);
	else
		pair_end(proxy, pair, "first-byte-timeout", PROXY, 0);
}

/* The socket failed, or the kernel would not take the operation. */
static void failed(struct proxy *proxy, struct flow *flow, const struct cancelio_completion *how)
{
	bool is_reset = how->error == -ECONNRESET || how->error == -EPIPE;
	enum who by = how->opcode == CANCELIO_OP_SEND ? !flow->from : flow->from;

	if (how->error == -ENOMEM || how->error == -EAGAIN)
		by = PROXY;
	pair_end(proxy, flow->pair, is_reset ? "reset" : "failed", by, how->error);
}

void flow_proceed(struct proxy *proxy, struct flow *flow, const struct cancelio_completion *how)
{
	if (how->reason == CANCELIO_DEADLINE)
		too_late(proxy, flow, how->ended);
	else if (how->reason == CANCELIO_ERROR)
		failed(proxy, flow, how);
	else if (how->reason == CANCELIO_DONE && !how->bytes)
		stream_ended(proxy, flow);
	else
		go_on(proxy, flow);
}

/* The upstream is there: both ways are open. */
void flows_begin(struct proxy *proxy, struct pair *pair)
{
	pair->moved = cancelio_now();
	go_on(proxy, &pair->flow[CLIENT]);
	go_on(proxy, &pair->flow[UPSTREAM]);
}
