// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring with one request for all receives of a connection, buffers that the kernel picks,
 * and fixed files.  Deadlines are the program's, in its wheel.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "peers.h"
#include "uring.h"

#define GROUP 0

static struct io_uring_buf_ring *provided;

static void provide_buffers(void)
{
	struct io_uring_buf_reg reg = { .ring_entries = BUFFERS, .bgid = GROUP };
	unsigned int i;
	int ret;

	provided = mmap(NULL, BUFFERS * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
			MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	if (provided == MAP_FAILED)
		give_up("buffers", errno);
	reg.ring_addr = (unsigned long)provided;
	ret = io_uring_register_buf_ring(&uring, &reg, 0);
	if (ret)
		give_up("io_uring: buffers", -ret);
	io_uring_buf_ring_init(provided);
	for (i = 0; i < BUFFERS; i++)
		io_uring_buf_ring_add(provided, buffer_of(i), ROOM, i,
				      io_uring_buf_ring_mask(BUFFERS), i);
	io_uring_buf_ring_advance(provided, BUFFERS);
}

static void begin(unsigned int i)
{
	struct io_uring_sqe *sqe = uring_sqe();

	io_uring_prep_recv_multishot(sqe, i, NULL, 0, 0);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe->user_data = i;
}

static bool multishot_open(const struct peer *peer, const struct set *set)
{
	unsigned int i;

	(void)peer;
	if (!uring_open(set, true))
		return false;
	provide_buffers();
	wheel_open(set->count);
	for (i = 0; i < set->count; i++)
		begin(i);
	uring_wait(0);
	return true;
}

static void multishot_close(void)
{
	wheel_close();
	uring_close();
	munmap(provided, BUFFERS * sizeof(struct io_uring_buf));
}

/* The buffer of a message; it is given back after the next advance. */
static unsigned int buffer_in(const struct io_uring_cqe *cqe)
{
	if (cqe->user_data & URING_OTHER)
		give_up("io_uring: send", -cqe->res);
	if (cqe->res != MESSAGE || !(cqe->flags & IORING_CQE_F_MORE))
		give_up("io_uring: multishot recv", cqe->res < 0 ? -cqe->res : 0);
	return cqe->flags >> IORING_CQE_BUFFER_SHIFT;
}

static void give_back(unsigned int buffer, unsigned int place)
{
	io_uring_buf_ring_add(provided, buffer_of(buffer), ROOM, buffer,
			      io_uring_buf_ring_mask(BUFFERS), place);
}

static void take(unsigned int n)
{
	unsigned int got = 0;

	while (got < n) {
		unsigned int seen = 0, head;
		struct io_uring_cqe *cqe;

		uring_wait(n - got);
		io_uring_for_each_cqe(&uring, head, cqe) {
			give_back(buffer_in(cqe), seen++);
			wheel_clear(cqe->user_data);
		}
		io_uring_buf_ring_cq_advance(&uring, provided, seen);
		got += seen;
	}
}

static void arm(unsigned int n)
{
	__s64 deadline = now() + RENEWAL;
	unsigned int i;

	for (i = 0; i < n; i++)
		wheel_set(i, deadline);
}

static void multishot_recv_one(unsigned int i)
{
	wheel_set(i, now() + RENEWAL);
	take(1);
}

static void multishot_recv_many(unsigned int n)
{
	arm(n);
	take(n);
}

/* It has begun already; a cancel ends it, and then it begins anew. */
static void multishot_arm_cancel(unsigned int i)
{
	uring_cancel(i);
	uring_reap(1);
	begin(i);
	uring_wait(0);
}

/* A buffer goes back when the message in it was sent: that is in the next call. */
static void multishot_serve(unsigned long messages)
{
	unsigned int done[BUFFERS], nr_done = 0, i;
	unsigned long left = messages;
	__s64 time = now();

	arm(uring_set->count);
	while (left) {
		unsigned int seen = 0, head;
		struct io_uring_cqe *cqe;

		uring_wait_until(wheel_next(), time);
		for (i = 0; i < nr_done; i++)
			give_back(done[i], i);
		io_uring_buf_ring_advance(provided, nr_done);
		time = now();
		if (wheel_expired(time) >= 0)
			give_up("wheel", ETIME);
		nr_done = 0;
		io_uring_for_each_cqe(&uring, head, cqe) {
			unsigned int buffer = buffer_in(cqe);

			uring_send(cqe->user_data, buffer_of(buffer));
			wheel_set(cqe->user_data, time + RENEWAL);
			done[nr_done++] = buffer;
			seen++;
		}
		io_uring_cq_advance(&uring, seen);
		left -= seen;
	}
	uring_wait(0);
}

const struct peer peer_uring_multishot = {
	.name = "uring-multishot",
	.deadlines = BY_PROGRAM,
	.open = multishot_open,
	.close = multishot_close,
	.recv_one = multishot_recv_one,
	.recv_many = multishot_recv_many,
	.arm = arm,
	.collect = take,
	.arm_cancel = multishot_arm_cancel,
	.serve = multishot_serve,
};
