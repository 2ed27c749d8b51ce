// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring by liburing, with all that makes it cheap: the ring's descriptor and the sockets
 * are registered, requests are submitted in batches, the same call waits, and what needs no
 * completion asks for none.
 */
#include <errno.h>
#include <string.h>

#include "uring.h"

/* The kernel's own limit. */
#define MAX_CQ	65536U

struct io_uring uring;
const struct set *uring_set;

static unsigned int power_of_two(unsigned int n)
{
	unsigned int power = URING_BATCH;

	while (power < n && power < MAX_CQ)
		power *= 2;
	return power;
}

bool uring_open(const struct set *set, bool defer)
{
	struct io_uring_params params = { .flags = IORING_SETUP_CQSIZE };
	unsigned int batch = set->ops < URING_BATCH ? 256 : URING_BATCH;
	int ret;

	if (defer)
		params.flags |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	params.cq_entries = set->ops < 2048 ? 4096 : power_of_two(set->ops);
	uring_set = set;
	ret = io_uring_queue_init_params(batch, &uring, &params);
	if (ret == -EINVAL)
		return false;
	if (ret)
		give_up("io_uring", -ret);
	ret = io_uring_register_ring_fd(&uring);
	if (ret != 1)
		give_up("io_uring: ring's descriptor", -ret);
	ret = io_uring_register_files(&uring, set->near, set->count);
	if (ret)
		give_up("io_uring: files", -ret);
	return true;
}

void uring_close(void)
{
	io_uring_queue_exit(&uring);
}

struct io_uring_sqe *uring_sqe(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring);

	if (!sqe) {
		io_uring_submit(&uring);
		sqe = io_uring_get_sqe(&uring);
	}
	if (!sqe)
		give_up("io_uring: no room", 0);
	return sqe;
}

void uring_wait(unsigned int n)
{
	int ret = io_uring_submit_and_wait(&uring, n);

	if (ret < 0)
		give_up("io_uring", -ret);
}

bool uring_wait_until(__s64 time, __s64 present)
{
	__s64 left = time - present;
	struct __kernel_timespec ts = {};
	struct io_uring_cqe *cqe;
	int ret;

	if (left > 0)
		ts = (struct __kernel_timespec){ left / SECOND, left % SECOND };
	ret = io_uring_submit_and_wait_timeout(&uring, &cqe, 1, &ts, NULL);
	if (ret < 0 && ret != -ETIME)
		give_up("io_uring", -ret);
	return ret >= 0;
}

void uring_reap(unsigned int n)
{
	unsigned int got = 0;

	while (got < n) {
		unsigned int left = n - got, seen = 0, head;
		struct io_uring_cqe *cqe;

		uring_wait(left < *uring.cq.kring_entries ? left : *uring.cq.kring_entries);
		io_uring_for_each_cqe(&uring, head, cqe) {
			seen++;
			got += !(cqe->user_data & URING_OTHER);
		}
		io_uring_cq_advance(&uring, seen);
	}
}

struct io_uring_sqe *uring_recv(unsigned int op, unsigned int i)
{
	struct io_uring_sqe *sqe = uring_sqe();

	io_uring_prep_recv(sqe, i, buffer_of(op), ROOM, 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = op;
	return sqe;
}

void uring_send(unsigned int i, const void *bytes)
{
	struct io_uring_sqe *sqe = uring_sqe();

	io_uring_prep_send(sqe, i, bytes, MESSAGE, 0);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = i | URING_OTHER;
}

void uring_cancel(unsigned int op)
{
	struct io_uring_sqe *sqe = uring_sqe();

	io_uring_prep_cancel64(sqe, op, 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = op | URING_OTHER;
}
