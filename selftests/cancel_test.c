// SPDX-License-Identifier: GPL-2.0
/* Cancel in all scopes, its races, and detach (C1, C5, C6, C30, C31, C32). */
#include "tcp_fixture.h"

#include <poll.h>
#include <pthread.h>

#define BOTH	(CANCELIO_READ | CANCELIO_WRITE)
#define ROUNDS	300

TEST_F(tcp, C30_cancel_by_id_ends_exactly_that_one)
{
	struct cancelio_completion result;
	struct cancelio_op ops[3];
	__u64 ids[3];
	char bytes[3];
	int i;

	for (i = 0; i < 3; i++)
		ops[i] = with_cookie(op_recv(self->conn, bytes + i, 1), 5);
	ASSERT_EQ(3, cio_submit(self->fd, ops, 3, ids, NULL));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ID, ids[1], 0));
	/* It is visible as soon as the cancel has returned. */
	ASSERT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_CANCELED(result);
	EXPECT_EQ(ids[1], result.id);
	EXPECT_EQ(CANCELIO_WHICH_NONE, result.which);
	EXPECT_EQ(0, result.late);
	EXPECT_EQ(-ENOENT, cio_cancel(self->fd, CANCELIO_CANCEL_ID, ids[1], 0));
	EXPECT_TRUE(stays_empty(self->fd));
	EXPECT_EQ(2, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
}

TEST_F(tcp, C30_cancel_by_cookie_ends_all_that_match)
{
	struct cancelio_completion result[4];
	struct cancelio_op ops[8];
	char bytes[8];
	int i;

	for (i = 0; i < 8; i++)
		ops[i] = with_cookie(op_recv(self->conn, bytes + i, 1), i % 2);
	ASSERT_EQ(8, cio_submit(self->fd, ops, 8, NULL, NULL));
	EXPECT_EQ(-ENOENT, cio_cancel(self->fd, CANCELIO_CANCEL_COOKIE, 2, 0));
	EXPECT_EQ(4, cio_cancel(self->fd, CANCELIO_CANCEL_COOKIE, 0, 0));
	ASSERT_EQ(4, cio_wait(self->fd, 0, result, 4, 0));
	for (i = 0; i < 4; i++) {
		EXPECT_CANCELED(result[i]);
		EXPECT_EQ(0, result[i].user_data);
	}
	EXPECT_EQ(-ENOENT, cio_cancel(self->fd, CANCELIO_CANCEL_COOKIE, 0, 0));
	EXPECT_EQ(4, cio_cancel(self->fd, CANCELIO_CANCEL_COOKIE, 1, 0));
}

/* So many cookies share chains of the kernel's table. */
TEST_F(tcp, C30_cancel_by_cookie_ends_no_other_however_many_there_are)
{
	struct cancelio_op ops[200];
	char bytes[200];
	int i;

	for (i = 0; i < 200; i++)
		ops[i] = with_cookie(op_recv(self->conn, bytes + i, 1), i);
	ASSERT_EQ(200, cio_submit(self->fd, ops, 200, NULL, NULL));
	for (i = 200; i < 400; i++)
		EXPECT_EQ(-ENOENT, cio_cancel(self->fd, CANCELIO_CANCEL_COOKIE, i, 0));
	EXPECT_EQ(200, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
}

TEST_F(tcp, C30_cancel_by_connection_ends_the_sides_that_are_named)
{
	char *much = pattern_new(MUCH);
	struct cancelio_op ops[4];
	char bytes[2];
	__u64 conn = self->conn;

	ASSERT_NE(NULL, much);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ops[0] = op_recv(conn, bytes, 1);
	ops[1] = op_recv(conn, bytes + 1, 1);
	ops[2] = op_send(conn, much, MUCH);
	ops[3] = op_send(conn, much, MUCH);
	ASSERT_EQ(4, cio_submit(self->fd, ops, 4, NULL, NULL));
	EXPECT_TRUE(stays_empty(self->fd));
	EXPECT_EQ(2, cio_cancel(self->fd, CANCELIO_CANCEL_CONN, conn, CANCELIO_READ));
	EXPECT_EQ(-ENOENT, cio_cancel(self->fd, CANCELIO_CANCEL_CONN, conn, CANCELIO_READ));
	EXPECT_EQ(2, cio_cancel(self->fd, CANCELIO_CANCEL_CONN, conn, CANCELIO_WRITE));
	ASSERT_EQ(2, cio_submit(self->fd, ops + 1, 2, NULL, NULL));
	EXPECT_TRUE(cio_wait(self->fd, 4, NULL, 0, after(LONG_ENOUGH)) >= 0);
	EXPECT_EQ(2, cio_cancel(self->fd, CANCELIO_CANCEL_CONN, conn, BOTH));
	EXPECT_EQ(-ENOENT, cio_cancel(self->fd, CANCELIO_CANCEL_CONN, conn, BOTH));
	free(much);
}

TEST_F(tcp, C30_cancel_of_one_connection_leaves_the_other)
{
	struct cancelio_completion result;
	int ends[2];
	__u64 conn;
	char bytes[2];

	ASSERT_EQ(0, tcp_pair(variant->family, ends));
	ASSERT_EQ(0, cio_attach(self->fd, ends[0], &conn));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, bytes, 1)));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(conn, bytes + 1, 1)));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_CONN, conn, BOTH));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EQ(conn, result.conn);
	EXPECT_TRUE(stays_empty(self->fd));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	close(ends[0]);
	close(ends[1]);
}

TEST_F(tcp, C30_cancel_all_counts_all_connections)
{
	struct cancelio_op ops[40];
	int ends[2], i;
	char bytes[40];
	__u64 conn;

	ASSERT_EQ(0, tcp_pair(variant->family, ends));
	ASSERT_EQ(0, cio_attach(self->fd, ends[0], &conn));
	for (i = 0; i < 40; i++)
		ops[i] = op_recv(i % 2 ? conn : self->conn, bytes + i, 1);
	ASSERT_EQ(40, cio_submit(self->fd, ops, 40, NULL, NULL));
	EXPECT_EQ(40, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	EXPECT_EQ(-ENOENT, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	EXPECT_LE(0, cio_wait(self->fd, 40, NULL, 0, after(LONG_ENOUGH)));
	close(ends[0]);
	close(ends[1]);
}

TEST_F(tcp, C31_cancel_leaves_no_mark)
{
	struct cancelio_completion result;
	char buffer[8] = {};
	int i;

	for (i = 0; i < 20; i++) {
		cio_cancel(self->fd, CANCELIO_CANCEL_CONN, self->conn, BOTH);
		ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, buffer, 8)));
		EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_CONN, self->conn, BOTH));
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_CANCELED(result);
		ASSERT_EQ(2, write(self->peer, "ok", 2));
		ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, 8), &result));
		EXPECT_DONE(result, 2);
		ASSERT_EQ(0, run(self->fd, op_send(self->conn, "ok", 2), &result));
		EXPECT_DONE(result, 2);
	}
}

TEST_F(tcp, C30_cancel_ends_a_call_and_a_held_operation)
{
	struct cancelio_completion result;
	char byte;
	struct cancelio_op op = with_flags(op_recv(self->conn, &byte, 1), CANCELIO_OP_HOLD);
	__u64 id;

	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &id, NULL));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ID, id, 0));
	EXPECT_EQ(-ENOENT, cio_cancel(self->fd, CANCELIO_CANCEL_ID, id, 0));
	ASSERT_EQ(0, cio_wait_op(self->fd, id, after(LONG_ENOUGH), &result));
	EXPECT_CANCELED(result);
	EXPECT_EQ(-ENOENT, cio_cancel(self->fd, CANCELIO_CANCEL_ID, id, 0));
}

TEST_F(tcp, C30_cancel_of_a_finished_operation_is_ENOENT_and_it_reports_its_success)
{
	struct cancelio_completion result;
	char byte;
	struct cancelio_op op = with_cookie(op_recv(self->conn, &byte, 1), 3);
	__u64 id;

	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &id, NULL));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_LE(0, cio_wait(self->fd, 1, NULL, 0, after(LONG_ENOUGH)));
	EXPECT_EQ(-ENOENT, cio_cancel(self->fd, CANCELIO_CANCEL_ID, id, 0));
	EXPECT_EQ(-ENOENT, cio_cancel(self->fd, CANCELIO_CANCEL_COOKIE, 3, 0));
	EXPECT_EQ(-ENOENT, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
}

TEST_F(tcp, C5_canceled_write_says_exactly_how_much_was_accepted)
{
	struct cancelio_completion result;
	char *much = pattern_new(MUCH);

	ASSERT_NE(NULL, much);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ASSERT_EQ(1, submit_one(self->fd, op_send(self->conn, much, MUCH)));
	EXPECT_EQ(POLLIN, wait_events(self->peer, POLLIN));
	EXPECT_TRUE(stays_empty(self->fd));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	/* The kernel is done with the buffer (C6). */
	memset(much, POISON, MUCH);
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EQ(CANCELIO_CANCELED, result.reason);
	EXPECT_EQ(-ECANCELED, result.error);
	EXPECT_LT(0, result.bytes);
	ASSERT_EQ(0, shutdown(self->sock, SHUT_WR));
	EXPECT_EQ(result.bytes, pattern_read(self->peer, MUCH, 0));
	free(much);
}

/* One side of the race: the peer's bytes, one per round. */
struct race {
	int peer;
	int go;
	int done;
};

static void *write_each_round(void *argument)
{
	struct race *race = argument;
	int round;

	for (round = 1; round <= ROUNDS; round++) {
		while (__atomic_load_n(&race->go, __ATOMIC_ACQUIRE) < round)
			sched_yield();
		if (write(race->peer, "r", 1) != 1)
			break;
		__atomic_store_n(&race->done, round, __ATOMIC_RELEASE);
	}
	return NULL;
}

TEST_F(tcp, C1_cancel_against_completion_gives_exactly_one_and_loses_no_byte)
{
	struct race race = { .peer = self->peer };
	struct cancelio_completion result;
	int round, ret, canceled = 0;
	pthread_t thread;
	char byte;

	ASSERT_EQ(0, pthread_create(&thread, NULL, write_each_round, &race));
	for (round = 1; round <= ROUNDS; round++) {
		byte = 0;
		ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
		__atomic_store_n(&race.go, round, __ATOMIC_RELEASE);
		if (round % 2)
			sleep_until(after(round * 200));
		ret = cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0);
		ASSERT_TRUE(ret == 1 || ret == -ENOENT);
		ASSERT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
		ASSERT_EQ(ret == 1 ? CANCELIO_CANCELED : CANCELIO_DONE, result.reason);
		if (ret == 1) {
			EXPECT_CANCELED(result);
			EXPECT_EQ(0, byte);
			canceled++;
			ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &byte, 1), &result));
		}
		EXPECT_DONE(result, 1);
		ASSERT_EQ('r', byte);
		while (__atomic_load_n(&race.done, __ATOMIC_ACQUIRE) < round)
			sched_yield();
		ASSERT_EQ(0, cio_wait(self->fd, 0, &result, 1, 0));
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	TH_LOG("%d of %d rounds canceled", canceled, ROUNDS);
}

TEST_F(tcp, C32_detach_ends_both_sides_with_CLOSED_and_drops_the_socket)
{
	struct cancelio_completion result[3];
	char *much = pattern_new(MUCH);
	struct cancelio_op ops[3];
	char bytes[2];
	__u32 accepted;
	int i;

	ASSERT_NE(NULL, much);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ops[0] = op_send(self->conn, much, MUCH);
	ops[1] = op_recv(self->conn, bytes, 1);
	ops[2] = op_recv(self->conn, bytes + 1, 1);
	ASSERT_EQ(3, cio_submit(self->fd, ops, 3, NULL, NULL));
	/* A worker may come late. */
	ASSERT_NE(0, wait_events(self->peer, POLLIN));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, close(self->sock));
	self->sock = -1;
	ASSERT_EQ(0, cio_detach(self->fd, self->conn));
	memset(much, POISON, MUCH);
	ASSERT_EQ(3, cio_wait(self->fd, 0, result, 3, 0));
	accepted = result[0].bytes + result[1].bytes + result[2].bytes;
	EXPECT_LT(0, accepted);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(CANCELIO_CLOSED, result[i].reason);
		EXPECT_EQ(-EBADF, result[i].error);
	}
	/* All that was accepted arrives, then the end of file. */
	EXPECT_EQ(accepted, pattern_read(self->peer, MUCH, 0));
	free(much);
}

TEST_F(tcp, C32_detach_leaves_the_programs_descriptor_alone)
{
	struct cancelio_completion result;
	char byte = 0;

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(0, cio_detach(self->fd, self->conn));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_CLOSED(result);
	ASSERT_EQ(1, write(self->peer, "x", 1));
	EXPECT_EQ(1, read(self->sock, &byte, 1));
	EXPECT_EQ('x', byte);
}

struct closer {
	int fd;
	__u64 conn;
	int wrong;
};

static void *call_until_closed(void *argument)
{
	struct closer *closer = argument;
	struct cancelio_completion result;
	char byte;
	int ret;

	for (;;) {
		ret = run(closer->fd, op_recv(closer->conn, &byte, 1), &result);
		if (ret == -EBADF || (!ret && result.reason == CANCELIO_CLOSED))
			return NULL;
		if (ret || result.reason != CANCELIO_CANCELED) {
			__atomic_add_fetch(&closer->wrong, 1, __ATOMIC_RELAXED);
			return NULL;
		}
	}
}

TEST_F(tcp, C32_detach_against_calls_of_many_threads_ends_them_all)
{
	struct closer closer = { .fd = self->fd };
	pthread_t threads[4];
	int round, i, canceled;

	for (round = 0; round < 20; round++) {
		closer.conn = self->conn;
		for (i = 0; i < 4; i++)
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, call_until_closed, &closer));
		for (canceled = 0; canceled < 1; )
			canceled = cio_cancel(self->fd, CANCELIO_CANCEL_CONN, self->conn, BOTH);
		ASSERT_EQ(0, cio_detach(self->fd, self->conn));
		for (i = 0; i < 4; i++)
			ASSERT_EQ(0, pthread_join(threads[i], NULL));
		ASSERT_EQ(0, closer.wrong);
		ASSERT_EQ(0, cio_attach(self->fd, self->sock, &self->conn));
	}
}

TEST_HARNESS_MAIN
