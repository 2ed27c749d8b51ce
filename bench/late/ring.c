// SPDX-License-Identifier: GPL-2.0
/* io_uring: a receive with a linked timeout, submitted and waited for in one call. */
#include <errno.h>
#include <liburing.h>

#include "late.h"

#define ENTRIES	8
/* What completes: the receive, and the timeout where it does not skip. */
#define RECEIVE	1
#define TIMEOUT	2

static void *ring_open(unsigned int flags, int sock)
{
	struct io_uring *ring = state_of(sizeof(*ring));
	int ret = io_uring_queue_init(ENTRIES, ring, flags);

	if (ret)
		give_up("io_uring", -ret);
	ret = io_uring_register_ring_fd(ring);
	if (ret == 1)
		ret = io_uring_register_files(ring, &sock, 1);
	if (ret)
		give_up("io_uring: descriptors", -ret);
	return ring;
}

static void prepare(struct io_uring *ring, struct __kernel_timespec *time)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_recv(sqe, 0, buffer_of(0), ROOM, 0);
	sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_IO_LINK;
	sqe->user_data = RECEIVE;
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_link_timeout(sqe, time, IORING_TIMEOUT_ABS);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = TIMEOUT;
}

/* A timeout that passes tells of it too, in either order. */
static __s64 ring_wait(void *state, __s64 deadline)
{
	struct __kernel_timespec time = { deadline / SECOND, deadline % SECOND };
	struct io_uring *ring = state;
	struct io_uring_cqe *cqe;
	bool ended = false;
	unsigned int head;

	prepare(ring, &time);
	while (!ended) {
		unsigned int seen = 0;
		int ret = io_uring_submit_and_wait(ring, 1);

		if (ret < 0 && ret != -EINTR)
			give_up("io_uring", -ret);
		io_uring_for_each_cqe(ring, head, cqe) {
			seen++;
			if (cqe->user_data != RECEIVE)
				continue;
			if (cqe->res != -ECANCELED)
				give_up("io_uring: recv", -cqe->res);
			ended = true;
		}
		io_uring_cq_advance(ring, seen);
	}
	return UNKNOWN;
}

#define RING(name_, flags_) {	\
	.name = name_,		\
	.kind = flags_,		\
	.open = ring_open,	\
	.wait = ring_wait,	\
}

struct way uring_ways[] = {
	RING("uring-link", 0),
	RING("uring-defer-link", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN),
	{ }
};
