// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that change under the kernel's hands what they share with it: the ring's head,
 * and the operations that are being submitted (C1, C53).
 */
#include "tcp_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ENTRIES	256
#define BATCH	16
#define TIME	(400 * MS)

struct scribbler {
	struct cancelio_ring *ring;
	struct cancelio_op *ops;
	__u64 conn;
	bool stop;
};

static __u32 some(unsigned int *seed)
{
	return rand_r(seed) * 2654435761U;
}

static void *scribble_on_ring(void *argument)
{
	struct scribbler *scribbler = argument;
	unsigned int seed = 1;

	while (!__atomic_load_n(&scribbler->stop, __ATOMIC_ACQUIRE)) {
		__u32 tail = __atomic_load_n(&scribbler->ring->tail, __ATOMIC_RELAXED);
		__u32 head = some(&seed) % 4 ? tail - some(&seed) % 300 : some(&seed);

		__atomic_store_n(&scribbler->ring->head, head, __ATOMIC_RELAXED);
		__atomic_store_n(&scribbler->ring->entries, some(&seed), __ATOMIC_RELAXED);
		sched_yield();
	}
	return NULL;
}

/* What calls may say of a ring whose head is somewhere. */
static bool is_bearable(int ret)
{
	return ret >= 0 || ret == -EAGAIN || ret == -ETIME;
}

TEST_F(tcp, C53_head_that_changes_all_the_time_spoils_only_the_programs_own_view)
{
	struct scribbler scribbler = { .ring = cio_map(self->fd, ENTRIES) };
	struct pollfd poll_fd = { .fd = self->fd, .events = POLLIN };
	struct cancelio_op ops[BATCH], op = op_recv(self->conn, NULL, 0);
	struct cancelio_completion result;
	__s64 end = after(TIME);
	pthread_t thread;
	int i, count;
	char byte;

	ASSERT_NE(NULL, scribbler.ring);
	for (i = 0; i < BATCH; i++)
		ops[i] = with_timeout(op_recv(self->conn, &byte, 1), i * 10000);
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble_on_ring, &scribbler));
	while (now() < end) {
		ASSERT_TRUE(is_bearable(cio_submit(self->fd, ops, BATCH, NULL, NULL)));
		count = cio_wait(self->fd, 1, NULL, 0, after(MS / 10));
		ASSERT_TRUE(is_bearable(count));
		ASSERT_GE(ENTRIES, count);
		ASSERT_LE(0, poll(&poll_fd, 1, 0));
		/* What does not use the ring is not concerned. */
		ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
		EXPECT_DONE(result, 1);
		ASSERT_EQ(1, recv(self->peer, &byte, 1, 0));
	}
	__atomic_store_n(&scribbler.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	count = cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0);
	EXPECT_TRUE(count > 0 || count == -ENOENT);
	/* Put right, it is as good as new. */
	scribbler.ring->entries = ENTRIES;
	__atomic_store_n(&scribbler.ring->head, scribbler.ring->tail, __ATOMIC_RELEASE);
	ASSERT_EQ(1, submit_one(self->fd, with_cookie(op, 99)));
	ASSERT_TRUE(ring_spin(scribbler.ring, &result));
	EXPECT_EQ(99, result.user_data);
	EXPECT_DONE(result, 0);
	EXPECT_EQ(0, ring_count(scribbler.ring));
}

/* Turns the fields of operations to other values, valid and not, and back. */
static void *scribble_on_ops(void *argument)
{
	struct scribbler *scribbler = argument;
	unsigned int seed = 2;

	while (!__atomic_load_n(&scribbler->stop, __ATOMIC_ACQUIRE)) {
		struct cancelio_op *op = &scribbler->ops[some(&seed) % BATCH];
		struct cancelio_op good = *op;

		op->opcode = some(&seed) % 6;
		op->flags = some(&seed) % 4;
		op->conn = scribbler->conn + some(&seed) % 2;
		op->len = some(&seed) % 8 ? 1 : some(&seed);
		op->msg_flags = some(&seed) % 3 ? 0 : some(&seed);
		op->deadline = some(&seed) % 2 ? 1000 : 0;
		op->reserved[0] = some(&seed) % 5 ? 0 : 1;
		sched_yield();
		good.opcode = CANCELIO_OP_RECV;
		good.flags = CANCELIO_OP_TIMEOUT;
		good.conn = scribbler->conn;
		good.len = 1;
		good.msg_flags = 0;
		good.deadline = 20000;
		good.reserved[0] = 0;
		*op = good;
	}
	return NULL;
}

static bool may_be_refused_for(int error)
{
	switch (error) {
	case -EINVAL:
	case -EBADF:
	case -EOPNOTSUPP:
	case -EAGAIN:
	case -EFAULT:
	case -EACCES:
		return true;
	default:
		return false;
	}
}

TEST_F(tcp, C53_operations_that_change_while_they_are_submitted_are_read_once)
{
	static char bytes[BATCH][8];
	struct cancelio_op ops[BATCH];
	struct scribbler scribbler = { .ops = ops, .conn = self->conn };
	struct cancelio_completion result[BATCH];
	__u64 accepted = 0, completed = 0;
	__s64 end = after(TIME);
	pthread_t thread;
	int i, ret;

	for (i = 0; i < BATCH; i++)
		ops[i] = with_timeout(op_recv(self->conn, bytes[i], 1), 20000);
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble_on_ops, &scribbler));
	while (now() < end) {
		ret = cio_submit(self->fd, ops, BATCH, NULL, NULL);
		ASSERT_TRUE(ret > 0 || may_be_refused_for(ret));
		accepted += ret > 0 ? ret : 0;
		ret = cio_wait(self->fd, 0, result, BATCH, 0);
		ASSERT_LE(0, ret);
		for (i = 0; i < ret; i++)
			ASSERT_EQ(self->conn, result[i].conn);
		completed += ret;
	}
	__atomic_store_n(&scribbler.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	/* Each that was taken completes, and no other. */
	cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0);
	while ((ret = cio_wait(self->fd, 0, result, BATCH, 0)) > 0)
		completed += ret;
	EXPECT_EQ(0, ret);
	EXPECT_EQ(accepted, completed);
	EXPECT_EQ(0, cio_detach(self->fd, self->conn));
	EXPECT_EQ(0, cio_wait(self->fd, 0, result, BATCH, 0));
}

struct submitter {
	int fd;
	struct cancelio_op *op;
	int ret;
};

static void *submit_it(void *argument)
{
	struct submitter *submitter = argument;

	submitter->ret = cio_submit(submitter->fd, submitter->op, 1, NULL, NULL);
	return NULL;
}

/*
 * The operation ends in a page that is held back: when the kernel comes there, it has read
 * what stands before, which changes then.
 */
TEST_F(tcp, C53_operation_that_changes_between_its_halves_is_what_it_was)
{
	const size_t half = offsetof(struct cancelio_op, deadline);
	struct cancelio_op op = with_cookie(op_recv(self->conn, &(char){ 0 }, 1), 1);
	struct submitter submitter = { .fd = self->fd };
	struct cancelio_completion result;
	pthread_t thread;
	int uffd;
	char *page = held_page(&uffd);

	if (!page)
		SKIP(return, "no userfaultfd(2)");
	ASSERT_EQ(page - PAGE_BYTES,
		  mmap(page - PAGE_BYTES, PAGE_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	submitter.op = (struct cancelio_op *)(page - half);
	memcpy(submitter.op, &op, half);
	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_it, &submitter));
	ASSERT_TRUE(await_fault(uffd));
	submitter.op->user_data = 2;
	/* The other half is zeros. */
	ASSERT_EQ(0, release_page(uffd, page));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(1, submitter.ret);
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ(1, result.user_data);
	close(uffd);
}

TEST_HARNESS_MAIN
