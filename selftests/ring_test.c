// SPDX-License-Identifier: GPL-2.0
/* The completion ring: reservation, wrap-around, hostile programs (C2, C8, C53, C72). */
#include "engine_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define SMALL	8

/* A small ring, not mapped yet, and one TCP connection. */
FIXTURE(ring) {
	int fd;
	int sock;
	int peer;
	__u64 conn;
};

FIXTURE_VARIANT(ring) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(ring, poll) POLL_IPV4;
FIXTURE_VARIANT_ADD(ring, poll_worker) POLL_WORKER;
FIXTURE_VARIANT_ADD(ring, thread) THREAD_IPV4;

FIXTURE_SETUP(ring)
{
	int ends[2];

	ASSERT_EQ(0, tcp_pair(variant->family, ends));
	self->sock = ends[0];
	self->peer = ends[1];
	self->fd = cio_context(variant->engine, SMALL);
	if (self->fd == -EOPNOTSUPP)
		SKIP(return, "engine %u is not there", variant->engine);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, cio_attach(self->fd, self->sock, &self->conn));
	common_op_flags = variant->op_flags;
}

FIXTURE_TEARDOWN(ring)
{
	close(self->fd);
	close(self->sock);
	close(self->peer);
}

static void make_reads(struct cancelio_op *ops, int count, __u64 conn, char *bytes)
{
	int i;

	for (i = 0; i < count; i++)
		ops[i] = with_cookie(op_recv(conn, bytes + i, 1), i);
}

/* An operation that is done at once. */
static struct cancelio_op op_quick(__u64 conn, __u64 cookie)
{
	return with_cookie(op_recv(conn, NULL, 0), cookie);
}

TEST_F(ring, C8_full_ring_takes_fewer_and_then_none)
{
	struct cancelio_completion result[SMALL];
	struct cancelio_op ops[12];
	char bytes[12];
	int error;

	make_reads(ops, 12, self->conn, bytes);
	EXPECT_EQ(SMALL, cio_submit(self->fd, ops, 12, NULL, &error));
	EXPECT_EQ(-EAGAIN, error);
	EXPECT_EQ(-EAGAIN, submit_one(self->fd, ops[0]));
	/* A completion keeps its entry until it is reaped. */
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_COOKIE, 3, 0));
	EXPECT_EQ(-EAGAIN, submit_one(self->fd, ops[0]));
	ASSERT_EQ(1, cio_wait(self->fd, 1, result, 1, after(LONG_ENOUGH)));
	EXPECT_EQ(3, result[0].user_data);
	EXPECT_EQ(1, submit_one(self->fd, ops[0]));
	EXPECT_EQ(SMALL, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	EXPECT_EQ(SMALL, cio_wait(self->fd, SMALL, result, SMALL, after(LONG_ENOUGH)));
}

TEST_F(ring, C8_refused_operations_keep_no_entry)
{
	struct cancelio_op ops[SMALL];
	char bytes[SMALL];
	int i;

	make_reads(ops, SMALL, self->conn, bytes);
	for (i = 0; i < 2 * SMALL; i++) {
		EXPECT_EQ(-EBADF, submit_one(self->fd, op_recv(self->conn + 1, bytes, 1)));
		EXPECT_EQ(-EINVAL, submit_one(self->fd, with_msg_flags(ops[0], MSG_OOB)));
	}
	EXPECT_EQ(SMALL, cio_submit(self->fd, ops, SMALL, NULL, NULL));
	EXPECT_EQ(SMALL, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
}

TEST_F(ring, C8_mapped_ring_frees_entries_by_the_programs_head)
{
	struct cancelio_ring *ring = cio_map(self->fd, SMALL);
	struct cancelio_completion result;
	struct cancelio_op ops[SMALL];
	char bytes[SMALL];
	int i;

	ASSERT_NE(NULL, ring);
	make_reads(ops, SMALL, self->conn, bytes);
	ASSERT_EQ(SMALL, cio_submit(self->fd, ops, SMALL, NULL, NULL));
	EXPECT_EQ(SMALL, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	EXPECT_EQ(SMALL, ring_count(ring));
	EXPECT_EQ(-EAGAIN, submit_one(self->fd, ops[0]));
	for (i = 0; i < SMALL; i++) {
		ASSERT_TRUE(ring_pop(ring, &result));
		EXPECT_CANCELED(result);
		EXPECT_EQ(1, submit_one(self->fd, ops[0]));
		EXPECT_EQ(-EAGAIN, submit_one(self->fd, ops[0]));
	}
	EXPECT_EQ(SMALL, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
}

TEST_F(ring, C73_call_and_held_operations_take_no_entry)
{
	struct cancelio_completion result;
	struct cancelio_op ops[SMALL], held;
	char bytes[SMALL];
	__u64 id;

	make_reads(ops, SMALL, self->conn, bytes);
	ASSERT_EQ(SMALL, cio_submit(self->fd, ops, SMALL, NULL, NULL));
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
	EXPECT_DONE(result, 1);
	held = with_flags(op_send(self->conn, "y", 1), CANCELIO_OP_HOLD);
	ASSERT_EQ(1, cio_submit(self->fd, &held, 1, &id, NULL));
	ASSERT_EQ(0, cio_wait_op(self->fd, id, after(LONG_ENOUGH), &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ(0, cio_wait(self->fd, 0, &result, 1, 0));
}

TEST_F(ring, C8_copied_ring_wraps_around_thousands_of_times)
{
	struct cancelio_completion result[5];
	struct cancelio_op ops[5];
	__u64 cookie = 0;
	int round, i;

	for (round = 0; round < 2000; round++) {
		for (i = 0; i < 5; i++)
			ops[i] = op_quick(self->conn, cookie + i);
		ASSERT_EQ(5, cio_submit(self->fd, ops, 5, NULL, NULL));
		ASSERT_EQ(5, cio_wait(self->fd, 5, result, 5, after(LONG_ENOUGH)));
		for (i = 0; i < 5; i++) {
			ASSERT_EQ(cookie + i, result[i].user_data);
			ASSERT_EQ(CANCELIO_DONE, result[i].reason);
		}
		cookie += 5;
	}
}

TEST_F(ring, C72_mapped_ring_wraps_around_thousands_of_times)
{
	struct cancelio_ring *ring = cio_map(self->fd, SMALL);
	struct cancelio_completion result;
	struct cancelio_op ops[5];
	__u64 cookie = 0;
	int round, i;

	ASSERT_NE(NULL, ring);
	for (round = 0; round < 2000; round++) {
		for (i = 0; i < 5; i++)
			ops[i] = op_quick(self->conn, cookie + i);
		ASSERT_EQ(5, cio_submit(self->fd, ops, 5, NULL, NULL));
		for (i = 0; i < 5; i++) {
			ASSERT_TRUE(ring_spin(ring, &result));
			ASSERT_EQ(cookie++, result.user_data);
			ASSERT_EQ(CANCELIO_DONE, result.reason);
		}
	}
	EXPECT_EQ(cookie, ring->tail);
	EXPECT_EQ(0, ring_count(ring));
}

TEST_F(ring, C70_wait_copies_nothing_once_the_ring_is_mapped)
{
	struct cancelio_completion result;
	struct cancelio_ring *ring;
	struct cancelio_op ops[3];
	char bytes[3];

	make_reads(ops, 3, self->conn, bytes);
	ASSERT_EQ(3, cio_submit(self->fd, ops, 3, NULL, NULL));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_COOKIE, 0, 0));
	EXPECT_EQ(1, cio_wait(self->fd, 1, &result, 1, after(LONG_ENOUGH)));
	ring = cio_map(self->fd, SMALL);
	ASSERT_NE(NULL, ring);
	EXPECT_EQ(2, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	EXPECT_EQ(-EBUSY, cio_wait(self->fd, 1, &result, 1, after(LONG_ENOUGH)));
	EXPECT_EQ(2, cio_wait(self->fd, 1, NULL, 0, after(LONG_ENOUGH)));
	EXPECT_EQ(2, cio_wait(self->fd, 2, NULL, 0, after(LONG_ENOUGH)));
	EXPECT_EQ(2, cio_wait(self->fd, 0, NULL, 0, 0));
	/* In no certain order: a worker may have been trying the first. */
	ASSERT_TRUE(ring_pop(ring, &result));
	EXPECT_TRUE(result.user_data == 1 || result.user_data == 2);
	EXPECT_EQ(1, cio_wait(self->fd, 0, NULL, 0, 0));
	EXPECT_EQ(-ETIME, cio_wait(self->fd, 2, NULL, 0, after(MS)));
	ASSERT_TRUE(ring_pop(ring, &result));
	EXPECT_EQ(0, cio_wait(self->fd, 0, NULL, 0, 0));
}

/* Held operations need no entry; what bounds them is documented. */
TEST_F(ring, C8_held_operations_have_a_limit)
{
	static struct cancelio_op ops[CANCELIO_MAX_BATCH];
	int taken, total = 0, refused = 0, i;
	char byte;

	for (i = 0; i < CANCELIO_MAX_BATCH; i++)
		ops[i] = with_flags(op_recv(self->conn, &byte, 1), CANCELIO_OP_HOLD);
	do {
		taken = cio_submit(self->fd, ops, CANCELIO_MAX_BATCH, NULL, &refused);
		total += taken > 0 ? taken : 0;
	} while (taken == CANCELIO_MAX_BATCH);
	EXPECT_EQ(-EAGAIN, taken < 0 ? taken : refused);
	EXPECT_LE(CANCELIO_MAX_HELD, total);
	EXPECT_GT(CANCELIO_MAX_HELD + 200, total);
	/* Their results are held as well. */
	EXPECT_EQ(total, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	EXPECT_EQ(-EAGAIN, cio_submit(self->fd, ops, 1, NULL, NULL));
}

TEST_F(ring, C53_wrong_head_spoils_only_the_programs_own_view)
{
	struct cancelio_ring *ring = cio_map(self->fd, SMALL);
	__u32 wrong[] = { 1, SMALL + 1, 0x7fffffff, 0x80000000, ~0U };
	struct cancelio_completion result;
	struct pollfd poll_fd = { .fd = self->fd, .events = POLLIN };
	unsigned int i;
	__u32 right;
	int ret, count;

	ASSERT_NE(NULL, ring);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		right = ring->tail;
		__atomic_store_n(&ring->head, right + wrong[i], __ATOMIC_RELEASE);
		ret = submit_one(self->fd, op_quick(self->conn, i));
		EXPECT_TRUE(ret == 1 || ret == -EAGAIN);
		count = cio_wait(self->fd, 0, NULL, 0, 0);
		EXPECT_LE(0, count);
		EXPECT_GE(SMALL, count);
		poll(&poll_fd, 1, 0);
		if (ret == 1)
			while (__atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) == right)
				sched_yield();
		__atomic_store_n(&ring->head, ring->tail, __ATOMIC_RELEASE);
	}
	ASSERT_EQ(1, submit_one(self->fd, op_quick(self->conn, 77)));
	ASSERT_TRUE(ring_spin(ring, &result));
	EXPECT_EQ(77, result.user_data);
}

TEST_F(ring, C53_kernel_believes_nothing_else_that_the_program_writes)
{
	struct cancelio_ring *ring = cio_map(self->fd, SMALL);
	struct cancelio_completion result;
	__u32 tail, offset;

	ASSERT_NE(NULL, ring);
	ASSERT_EQ(1, submit_one(self->fd, op_quick(self->conn, 1)));
	ASSERT_TRUE(ring_spin(ring, &result));
	tail = ring->tail;
	offset = ring->completions_offset;
	memset(&ring->tail, POISON, cio_ring_bytes(SMALL) - sizeof(ring->head));
	ASSERT_EQ(1, submit_one(self->fd, op_quick(self->conn, 2)));
	while (__atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) != tail + 1)
		sched_yield();
	ring->entries = SMALL;
	ring->completion_size = sizeof(result);
	ring->completions_offset = offset;
	ASSERT_TRUE(ring_pop(ring, &result));
	EXPECT_EQ(2, result.user_data);
	EXPECT_DONE(result, 0);
	EXPECT_EQ(0, result.reserved);
}

static int compare_ids(const void *a, const void *b)
{
	__u64 first = *(const __u64 *)a, second = *(const __u64 *)b;

	return first < second ? -1 : first > second;
}

TEST_F(engine, C2_ids_never_repeat_over_100000_operations)
{
	static __u64 ids[100000 + 256];
	struct cancelio_completion result[256];
	struct cancelio_op ops[256];
	int ends[2], i, total;
	__u64 conn;
	char byte;
	int fd = cio_context(variant->engine, 256);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tcp_pair(variant->family, ends));
	ASSERT_EQ(0, cio_attach(fd, ends[0], &conn));
	for (i = 0; i < 256; i++)
		ops[i] = with_flags(op_recv(conn, &byte, 1), CANCELIO_OP_NOWAIT);
	for (total = 0; total < 100000; total += 256) {
		ASSERT_EQ(256, cio_submit(fd, ops, 256, ids + total, NULL));
		ASSERT_EQ(256, cio_wait(fd, 256, result, 256, after(LONG_ENOUGH)));
		for (i = 0; i < 256; i++)
			ASSERT_EQ(ids[total + i], result[i].id);
	}
	qsort(ids, total, sizeof(ids[0]), compare_ids);
	ASSERT_NE(0, ids[0]);
	for (i = 1; i < total; i++)
		ASSERT_NE(ids[i - 1], ids[i]);
	/* An id of long ago names nobody now. */
	EXPECT_EQ(-ENOENT, cio_cancel(fd, CANCELIO_CANCEL_ID, result[0].id, 0));
	close(fd);
}

TEST_F(engine, C8_largest_batch_is_taken_whole)
{
	static struct cancelio_completion result[CANCELIO_MAX_BATCH];
	static struct cancelio_op ops[CANCELIO_MAX_BATCH];
	static char bytes[CANCELIO_MAX_BATCH];
	int fd = cio_context(variant->engine, CANCELIO_MAX_BATCH);
	int ends[2];
	__u64 conn;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tcp_pair(variant->family, ends));
	ASSERT_EQ(0, cio_attach(fd, ends[0], &conn));
	make_reads(ops, CANCELIO_MAX_BATCH, conn, bytes);
	ASSERT_EQ(CANCELIO_MAX_BATCH, cio_submit(fd, ops, CANCELIO_MAX_BATCH, NULL, NULL));
	EXPECT_EQ(CANCELIO_MAX_BATCH, cio_cancel(fd, CANCELIO_CANCEL_ALL, 0, 0));
	EXPECT_EQ(CANCELIO_MAX_BATCH, cio_wait(fd, CANCELIO_MAX_BATCH, result,
					       CANCELIO_MAX_BATCH, after(LONG_ENOUGH)));
	EXPECT_CANCELED(result[CANCELIO_MAX_BATCH - 1]);
	close(fd);
}

TEST_HARNESS_MAIN
