// SPDX-License-Identifier: GPL-2.0
/*
 * cancelio, on the poll engine and on the thread engine, by its library's lower layer.
 * Completions are reaped from the mapped ring.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../userlib/cancelio.h"
#include "bench.h"
#include "peers.h"

#define BATCH 256
/* The most threads that the thread engine has. */
#define MAX_THREADS 1024

static const struct set *set;
static struct cancelio *context;
static __u64 *conns;
static __u64 *ids;
static struct cancelio_op ops[CANCELIO_MAX_BATCH];
static struct cancelio_completion done[BATCH];

static unsigned int entries_for(unsigned int n)
{
	unsigned int entries = 256;

	while (entries < n)
		entries *= 2;
	return entries;
}

static bool cancelio_begin(const struct peer *peer, const struct set *sockets)
{
	struct cancelio_setup setup = {
		.engine = peer->kind,
		.entries = entries_for(sockets->ops),
	};
	unsigned int i;
	int ret;

	set = sockets;
	conns = calloc(set->count, sizeof(*conns));
	ids = calloc(set->ops, sizeof(*ids));
	if (!conns || !ids)
		give_up("cancelio", ENOMEM);
	/* Memory that the program has is not the kernel's. */
	memset(ids, 1, set->ops * sizeof(*ids));
	if (peer->kind == CANCELIO_ENGINE_THREAD)
		setup.max_workers = MAX_THREADS;
	ret = cancelio_open(&context, &setup);
	if (ret == -EOPNOTSUPP)
		return false;
	if (!ret)
		ret = cancelio_map_ring(context);
	if (ret)
		give_up("cancelio", -ret);
	for (i = 0; i < set->count; i++) {
		ret = cancelio_attach_fd(context, set->near[i], &conns[i]);
		if (ret)
			give_up("cancelio: attach", -ret);
	}
	return true;
}

static void cancelio_end(void)
{
	cancelio_free(context);
	free(conns);
	free(ids);
}

static struct cancelio_op recv_op(unsigned int op, unsigned int i, __u32 flags, __s64 deadline)
{
	return (struct cancelio_op){
		.opcode = CANCELIO_OP_RECV,
		.flags = flags,
		.conn = conns[i],
		.user_data = op,
		.addr = (unsigned long)buffer_of(op),
		.len = ROOM,
		.deadline = deadline,
	};
}

static void submit_ops(unsigned int n, __u64 *to)
{
	int refused, ret = cancelio_submit(context, ops, n, to, &refused);

	if (ret != (int)n)
		give_up("cancelio: submit", ret < 0 ? -ret : -refused);
}

/* What interrupts it may be no signal, but work that io_uring has left with the thread. */
static void call_for(const struct cancelio_op *op)
{
	struct cancelio_completion end;
	__u64 id;
	int ret = cancelio_call(context, op, &id, &end);

	while (ret == -EINTR && id)
		ret = cancelio_wait_op(context, id, CANCELIO_NEVER, &end);
	if (ret || end.bytes != MESSAGE)
		give_up("cancelio: call", ret ? -ret : -end.error);
}

static void cancelio_recv_one(unsigned int i)
{
	struct cancelio_op op = recv_op(i, i, CANCELIO_OP_DEADLINE, FAR_AWAY);

	call_for(&op);
}

static void submit_many(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		ops[i] = recv_op(i, i, CANCELIO_OP_DEADLINE, FAR_AWAY);
	submit_ops(n, NULL);
}

/* Take @n completions of receives that have their message. */
static void take(unsigned int n)
{
	int count = cancelio_peek(context, done, n < BATCH ? n : BATCH), i;

	for (i = 0; i < count; i++)
		if (done[i].bytes != MESSAGE)
			give_up("cancelio: recv", -done[i].error);
	if (count != (int)n)
		give_up("cancelio: completions", 0);
	cancelio_advance(context, count);
}

static void cancelio_recv_many(unsigned int n)
{
	submit_many(n);
	take(n);
}

static void wait_for(unsigned int n)
{
	int ret;

	do {
		ret = cancelio_wait(context, n, CANCELIO_NEVER, NULL, 0);
	} while (ret == -EINTR);
	if (ret < 0)
		give_up("cancelio: wait", -ret);
}

static void cancelio_collect(unsigned int n)
{
	wait_for(n);
	take(n);
}

static void cancelio_forget(unsigned int n)
{
	unsigned int left = n;

	while (left) {
		int count = cancelio_peek(context, done, left < BATCH ? left : BATCH);

		if (!count)
			wait_for(1);
		cancelio_advance(context, count);
		left -= count;
	}
}

/* Where it has to wait for a thread it can be interrupted likewise, and is asked for. */
static void cancel_op(__u64 id)
{
	int ret = cancelio_cancel_id(context, id);

	if (ret != 1 && ret != -EINTR)
		give_up("cancelio: cancel", ret < 0 ? -ret : 0);
}

static void arm_and_cancel(unsigned int i, __u32 flags, __s64 deadline)
{
	__u64 id;

	ops[0] = recv_op(i, i, flags, deadline);
	submit_ops(1, &id);
	cancel_op(id);
	cancelio_forget(1);
}

static void cancelio_arm_cancel(unsigned int i)
{
	arm_and_cancel(i, 0, 0);
}

static void cancelio_arm_cancel_timed(unsigned int i)
{
	arm_and_cancel(i, CANCELIO_OP_DEADLINE, FAR_AWAY);
}

static void cancelio_move(unsigned int i, __s64 deadline)
{
	int ret = cancelio_move_deadline(context, conns[i], CANCELIO_READ, deadline, 0);

	if (ret)
		give_up("cancelio: deadline", -ret);
}

static struct cancelio_op pending_op(unsigned int op, __s64 deadline)
{
	unsigned int i = socket_of(set, op);

	if (set->by_socket && op < set->count)
		cancelio_move(i, deadline);
	return recv_op(op, i, CANCELIO_OP_DEADLINE, deadline);
}

static void cancelio_pend(unsigned int first, unsigned int n, __s64 deadline, __s64 spread)
{
	unsigned int begin, i;

	for (begin = first; begin < first + n; begin += i) {
		for (i = 0; i < CANCELIO_MAX_BATCH && begin + i < first + n; i++)
			ops[i] = pending_op(begin + i, due(begin + i, deadline, spread));
		submit_ops(i, &ids[begin]);
	}
}

static void cancelio_cancel_one(unsigned int op)
{
	cancel_op(ids[op]);
}

static void cancelio_cancel_all_of(unsigned int i)
{
	if (cancelio_cancel_conn_ops(context, conns[i], CANCELIO_READ) < 1)
		give_up("cancelio: cancel", ENOENT);
}

static unsigned int cancelio_seen(void)
{
	return cancelio_peek(context, done, BATCH);
}

static void answer(unsigned int i)
{
	if (send(set->near[i], buffer_of(i), MESSAGE, 0) != MESSAGE)
		give_up("send", errno);
}

/* In blocking style: a call for each read. */
static void serve_one(unsigned long messages)
{
	struct cancelio_op op = recv_op(0, 0, CANCELIO_OP_TIMEOUT, RENEWAL);
	unsigned long left;

	for (left = messages; left; left--) {
		call_for(&op);
		answer(0);
	}
}

/* What interrupts the wait is no signal either. */
static void submit_and_wait(unsigned int n, unsigned int min)
{
	int error, ret;

	ret = cancelio_submit_and_wait(context, ops, n, NULL, min, min ? CANCELIO_NEVER : 0,
				       &error);
	if (ret != (int)n || (error && error != -EINTR))
		give_up("cancelio: submit and wait", ret < 0 ? -ret : -error);
}

static void serve_many(unsigned long messages)
{
	unsigned long left = messages;
	unsigned int n = set->count, i;

	for (i = 0; i < n; i++)
		ops[i] = recv_op(i, i, CANCELIO_OP_TIMEOUT, RENEWAL);
	submit_ops(n, NULL);
	while (left) {
		int count, k;

		count = cancelio_peek(context, done, BATCH);
		if (!count)
			wait_for(1);
		for (k = 0; k < count; k++) {
			i = done[k].user_data;
			if (done[k].bytes != MESSAGE)
				give_up("cancelio: recv", -done[k].error);
			answer(i);
			ops[k] = recv_op(i, i, CANCELIO_OP_TIMEOUT, RENEWAL);
		}
		cancelio_advance(context, count);
		left -= count;
		if (count)
			submit_and_wait(count, !!left);
	}
}

static void cancelio_serve(unsigned long messages)
{
	if (set->count == 1)
		serve_one(messages);
	else
		serve_many(messages);
}

#define CANCELIO(name_, engine_) {			\
	.name = name_,					\
	.kind = engine_,				\
	.deadlines = BY_KERNEL,				\
	.open = cancelio_begin,				\
	.close = cancelio_end,				\
	.recv_one = cancelio_recv_one,			\
	.recv_many = cancelio_recv_many,		\
	.arm = submit_many,				\
	.collect = cancelio_collect,			\
	.arm_cancel = cancelio_arm_cancel,		\
	.arm_cancel_timed = cancelio_arm_cancel_timed,	\
	.pend = cancelio_pend,				\
	.move = cancelio_move,				\
	.cancel = cancelio_cancel_one,			\
	.cancel_all = cancelio_cancel_all_of,		\
	.forget = cancelio_forget,			\
	.expire = cancelio_forget,			\
	.peek = cancelio_seen,				\
	.serve = cancelio_serve,			\
}

const struct peer peer_cancelio = CANCELIO("cancelio", CANCELIO_ENGINE_POLL);
const struct peer peer_cancelio_thread = CANCELIO("cancelio-thread", CANCELIO_ENGINE_THREAD);
