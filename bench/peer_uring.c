// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring with a request for each receive: as it is by default, and with SINGLE_ISSUER and
 * DEFER_TASKRUN.  A deadline is a linked timeout; or there is none in the kernel, and the
 * program's wheel has those that expired canceled, all in one call.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"
#include "uring.h"

enum kind { DEFER = 1, LINK = 2, WHEEL = 4 };

static unsigned int kind;
/* The kernel reads them when a request is submitted. */
static struct __kernel_timespec times[URING_BATCH];
static unsigned int nr_times;

static struct __kernel_timespec *time_of(__s64 ns)
{
	struct __kernel_timespec *time = &times[nr_times++ % URING_BATCH];

	*time = (struct __kernel_timespec){ ns / SECOND, ns % SECOND };
	return time;
}

static bool single_open(const struct peer *peer, const struct set *set)
{
	kind = peer->kind;
	if (!uring_open(set, kind & DEFER))
		return false;
	if (kind & WHEEL)
		wheel_open(set->ops);
	return true;
}

static void single_close(void)
{
	if (kind & WHEEL)
		wheel_close();
	uring_close();
}

/* Receive with operation @op on socket @i; ns: the deadline, from now on or as @flags says. */
static void prepare(unsigned int op, unsigned int i, __s64 ns, unsigned int flags, bool armed)
{
	struct io_uring_sqe *sqe, *timeout;

	/* Both halves of a link in one batch. */
	if (io_uring_sq_space_left(&uring) < 2)
		uring_wait(0);
	sqe = uring_recv(op, i);
	/* What waits for sure is not tried in vain. */
	if (armed)
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	if (!(kind & LINK))
		return;
	sqe->flags |= IOSQE_IO_LINK;
	timeout = uring_sqe();
	io_uring_prep_link_timeout(timeout, time_of(ns), flags);
	timeout->flags |= IOSQE_CQE_SKIP_SUCCESS;
	timeout->user_data = op | URING_OTHER;
}

static void prepare_many(unsigned int n, bool armed)
{
	__s64 deadline = kind & WHEEL ? now() + RENEWAL : 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		prepare(i, i, RENEWAL, 0, armed);
		if (kind & WHEEL)
			wheel_set(i, deadline);
	}
}

/* Take the completions of @n receives, which all have their message. */
static void take(unsigned int n)
{
	unsigned int got = 0;

	while (got < n) {
		unsigned int seen = 0, head;
		struct io_uring_cqe *cqe;

		uring_wait(n - got);
		io_uring_for_each_cqe(&uring, head, cqe) {
			seen++;
			if (cqe->user_data & URING_OTHER)
				continue;
			if (cqe->res != MESSAGE)
				give_up("io_uring: recv", -cqe->res);
			if (kind & WHEEL)
				wheel_clear(cqe->user_data);
			got++;
		}
		io_uring_cq_advance(&uring, seen);
	}
}

static void single_recv_one(unsigned int i)
{
	prepare(i, i, RENEWAL, 0, false);
	if (kind & WHEEL)
		wheel_set(i, now() + RENEWAL);
	take(1);
}

static void single_recv_many(unsigned int n)
{
	prepare_many(n, false);
	take(n);
}

static void single_arm(unsigned int n)
{
	prepare_many(n, true);
	uring_wait(0);
}

/* Both requests in one call. */
static void single_arm_cancel(unsigned int i)
{
	struct io_uring_sqe *sqe = uring_recv(i, i);

	sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	uring_cancel(i);
	uring_reap(1);
}

static void single_arm_cancel_timed(unsigned int i)
{
	prepare(i, i, RENEWAL, 0, true);
	if (kind & WHEEL)
		wheel_set(i, now() + RENEWAL);
	uring_cancel(i);
	uring_reap(1);
	if (kind & WHEEL)
		wheel_clear(i);
}

static void single_pend(unsigned int first, unsigned int n, __s64 deadline, __s64 spread)
{
	unsigned int op;

	for (op = first; op < first + n; op++) {
		__s64 time = due(op, deadline, spread);

		prepare(op, socket_of(uring_set, op), time, IORING_TIMEOUT_ABS, true);
		if (kind & WHEEL)
			wheel_set(op, time);
	}
	uring_wait(0);
}

/* The socket has one operation. */
static void single_move(unsigned int i, __s64 deadline)
{
	struct io_uring_sqe *sqe;

	if (kind & WHEEL) {
		wheel_set(i, deadline);
		return;
	}
	sqe = uring_sqe();
	io_uring_prep_timeout_update(sqe, time_of(deadline), i | URING_OTHER,
				     IORING_TIMEOUT_ABS | IORING_LINK_TIMEOUT_UPDATE);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = URING_OTHER;
	uring_wait(0);
}

/* Until the completion of what was canceled is there. */
static void single_cancel(unsigned int op)
{
	uring_cancel(op);
	uring_wait(1);
	if (kind & WHEEL)
		wheel_clear(op);
}

static void single_cancel_all(unsigned int i)
{
	struct io_uring_sqe *sqe = uring_sqe();

	io_uring_prep_cancel_fd(sqe, i, IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_FD_FIXED);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = URING_OTHER;
	uring_wait(1);
	if (kind & WHEEL)
		wheel_clear(i);
}

/* The wheel tells when to look, and all that expired are canceled in batches. */
static void expire_by_wheel(unsigned int n)
{
	unsigned int ended = 0;
	int op;

	while (ended < n) {
		unsigned int batch = 0;
		__s64 time;

		uring_wait_until(wheel_next(), now());
		time = now();
		while (batch < URING_BATCH && (op = wheel_expired(time)) >= 0) {
			uring_cancel(op);
			batch++;
		}
		if (batch)
			uring_reap(batch);
		ended += batch;
	}
}

static void single_expire(unsigned int n)
{
	if (kind & WHEEL)
		expire_by_wheel(n);
	else
		uring_reap(n);
}

static unsigned int single_peek(void)
{
	return io_uring_cq_ready(&uring);
}

static void answer(unsigned int i, __s64 time)
{
	uring_send(i, buffer_of(i));
	prepare(i, i, RENEWAL, 0, true);
	if (kind & WHEEL)
		wheel_set(i, time + RENEWAL);
}

static void single_serve(unsigned long messages)
{
	unsigned long left = messages;
	__s64 time = now();

	prepare_many(uring_set->count, true);
	while (left) {
		unsigned int seen = 0, head;
		struct io_uring_cqe *cqe;

		if (kind & WHEEL) {
			uring_wait_until(wheel_next(), time);
			time = now();
			if (wheel_expired(time) >= 0)
				give_up("wheel", ETIME);
		} else {
			uring_wait(1);
		}
		io_uring_for_each_cqe(&uring, head, cqe) {
			seen++;
			if (cqe->user_data & URING_OTHER)
				continue;
			if (cqe->res != MESSAGE)
				give_up("io_uring: recv", -cqe->res);
			answer(cqe->user_data, time);
			left--;
		}
		io_uring_cq_advance(&uring, seen);
	}
	uring_wait(0);
}

#define SINGLE(name_, kind_, deadlines_) {		\
	.name = name_,					\
	.kind = kind_,					\
	.deadlines = deadlines_,			\
	.open = single_open,				\
	.close = single_close,				\
	.recv_one = single_recv_one,			\
	.recv_many = single_recv_many,			\
	.arm = single_arm,				\
	.collect = take,				\
	.arm_cancel = single_arm_cancel,		\
	.arm_cancel_timed = single_arm_cancel_timed,	\
	.pend = single_pend,				\
	.move = single_move,				\
	.cancel = single_cancel,			\
	.cancel_all = single_cancel_all,		\
	.forget = uring_reap,				\
	.expire = single_expire,			\
	.peek = single_peek,				\
	.serve = single_serve,				\
}

const struct peer peer_uring = SINGLE("uring", 0, BY_NOBODY);
const struct peer peer_uring_link = SINGLE("uring-link", LINK, BY_KERNEL);
const struct peer peer_uring_defer = SINGLE("uring-defer", DEFER, BY_NOBODY);
const struct peer peer_uring_defer_link = SINGLE("uring-defer-link", DEFER | LINK, BY_KERNEL);
const struct peer peer_uring_defer_wheel = SINGLE("uring-defer-wheel", DEFER | WHEEL, BY_PROGRAM);
