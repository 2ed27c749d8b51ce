// SPDX-License-Identifier: GPL-2.0
/* Operations that wait for their turn on a side, and many threads at once (C20, C21, C22). */
#include "tcp_fixture.h"

#include <poll.h>
#include <pthread.h>

#define MANY	100
#define ANSWERS	3000
/* A machine that is too slow for all of them stops here. */
#define PATIENCE (5 * SECOND)
/* More than one turn of a worker. */
#define MORE	200
#define THREADS	8
#define EACH	60

/* Answers every byte with the same byte. */
static void *answer(void *argument)
{
	int sock = *(int *)argument;
	char byte;

	while (recv(sock, &byte, 1, 0) == 1)
		if (send(sock, &byte, 1, MSG_NOSIGNAL) != 1)
			break;
	return NULL;
}

/* Data that comes while a read is being tried is not overlooked: nothing else wakes it. */
TEST_F(tcp, C1_no_wake_up_is_lost_over_thousands_of_answers)
{
	struct cancelio_completion result;
	__s64 end = after(PATIENCE);
	pthread_t thread;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, answer, &self->peer));
	for (i = 0; i < ANSWERS && now() < end; i++) {
		char out = i, in = ~i;

		ASSERT_EQ(0, run(self->fd, op_send(self->conn, &out, 1), &result));
		ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &in, 1), &result));
		ASSERT_EQ(out, in);
	}
	if (i < ANSWERS)
		TH_LOG("%d answers", i);
	ASSERT_EQ(0, shutdown(self->sock, SHUT_WR));
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_F(tcp, C20_reads_are_done_in_the_order_of_submission)
{
	struct cancelio_completion result;
	struct cancelio_op ops[MANY];
	__u8 bytes[MANY] = {}, data[MANY];
	int i;

	pattern_fill(data, MANY, 0);
	for (i = 0; i < MANY; i++)
		ops[i] = with_cookie(op_recv(self->conn, bytes + i, 1), i);
	ASSERT_EQ(MANY, cio_submit(self->fd, ops, MANY, NULL, NULL));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(MANY / 2, write(self->peer, data, MANY / 2));
	for (i = 0; i < MANY; i++) {
		if (i == MANY / 2)
			ASSERT_EQ(MANY / 2, write(self->peer, data + MANY / 2, MANY / 2));
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_DONE(result, 1);
		ASSERT_EQ(i, result.user_data);
	}
	EXPECT_TRUE(pattern_holds(bytes, MANY, 0));
}

TEST_F(tcp, C20_reads_of_one_event_are_all_done_however_many)
{
	struct cancelio_completion result;
	struct cancelio_op ops[MORE];
	__u8 bytes[MORE] = {}, data[MORE];
	int i;

	pattern_fill(data, MORE, 0);
	for (i = 0; i < MORE; i++)
		ops[i] = with_cookie(op_recv(self->conn, bytes + i, 1), i);
	ASSERT_EQ(MORE, cio_submit(self->fd, ops, MORE, NULL, NULL));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(MORE, write(self->peer, data, MORE));
	for (i = 0; i < MORE; i++) {
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_DONE(result, 1);
		ASSERT_EQ(i, result.user_data);
	}
	EXPECT_TRUE(pattern_holds(bytes, MORE, 0));
}

TEST_F(tcp, C20_writes_are_done_in_the_order_of_submission)
{
	struct cancelio_completion result;
	struct cancelio_op ops[MANY];
	size_t block = MUCH / MANY;
	char *data = pattern_new(MUCH);
	int i;

	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	for (i = 0; i < MANY; i++)
		ops[i] = with_cookie(op_send(self->conn, data + i * block, block), i);
	ASSERT_EQ(MANY, cio_submit(self->fd, ops, MANY, NULL, NULL));
	EXPECT_EQ(block * MANY, pattern_read(self->peer, block * MANY, 0));
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_DONE(result, block);
		ASSERT_EQ(i, result.user_data);
	}
	free(data);
}

TEST_F(tcp, C20_blocked_write_does_not_hold_up_reads_nor_the_other_way_round)
{
	struct cancelio_completion result;
	char *much = pattern_new(MUCH);
	char byte;
	int i;

	ASSERT_NE(NULL, much);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ASSERT_EQ(1, submit_one(self->fd, with_cookie(op_send(self->conn, much, MUCH), 1)));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(1, write(self->peer, "x", 1));
		ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &byte, 1), &result));
		EXPECT_DONE(result, 1);
	}
	ASSERT_EQ(1, submit_one(self->fd, with_cookie(op_recv(self->conn, &byte, 1), 2)));
	EXPECT_EQ(MUCH, pattern_read(self->peer, MUCH, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, MUCH);
	EXPECT_EQ(1, result.user_data);
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
	EXPECT_DONE(result, 1);
	free(much);
}

TEST_F(tcp, C20_connections_do_not_wait_for_each_other)
{
	struct cancelio_completion result;
	int ends[2];
	__u64 conn;
	char byte;

	ASSERT_EQ(0, tcp_pair(variant->family, ends));
	ASSERT_EQ(0, cio_attach(self->fd, ends[0], &conn));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(conn, &byte, 1)));
	ASSERT_EQ(1, write(ends[1], "x", 1));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ(conn, result.conn);
	EXPECT_TRUE(stays_empty(self->fd));
	close(ends[0]);
	close(ends[1]);
}

TEST_F(tcp, C21_waiting_operation_meets_its_own_deadline_at_its_own_time)
{
	struct cancelio_completion result;
	__s64 deadline;
	char bytes[3];

	ASSERT_EQ(1, submit_one(self->fd, with_cookie(op_recv(self->conn, bytes, 1), 1)));
	deadline = after(10 * MS);
	ASSERT_EQ(1, submit_one(self->fd,
				with_cookie(with_deadline(op_recv(self->conn, bytes + 1, 1),
							  deadline), 2)));
	ASSERT_EQ(1, submit_one(self->fd, with_cookie(op_recv(self->conn, bytes + 2, 1), 3)));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(2, result.user_data);
	EXPECT_LE(deadline, result.ended);
	EXPECT_EQ(result.ended - deadline, result.late);
	ASSERT_EQ(2, write(self->peer, "ac", 2));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EQ(1, result.user_data);
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EQ(3, result.user_data);
	EXPECT_EQ('a', bytes[0]);
	EXPECT_EQ('c', bytes[2]);
}

TEST_F(tcp, C21_waiting_operation_is_canceled_at_once)
{
	struct cancelio_completion result;
	char bytes[3];
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(1, submit_one(self->fd,
					with_cookie(op_recv(self->conn, bytes + i, 1), i)));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_COOKIE, 1, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_CANCELED(result);
	EXPECT_EQ(1, result.user_data);
	ASSERT_EQ(2, write(self->peer, "ac", 2));
	for (i = 0; i < 3; i += 2) {
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_DONE(result, 1);
		EXPECT_EQ(i, result.user_data);
		EXPECT_EQ('a' + i, bytes[i]);
	}
}

/* golang/go#38769: what waits in the queue must not start after the side's expiry. */
TEST_F(tcp, C21_expiry_of_the_side_ends_all_that_wait)
{
	struct cancelio_completion result;
	struct cancelio_op ops[MANY];
	char bytes[MANY];
	__s64 deadline;
	int i;

	for (i = 0; i < MANY; i++)
		ops[i] = op_recv(self->conn, bytes + i, 1);
	ASSERT_EQ(MANY, cio_submit(self->fd, ops, MANY, NULL, NULL));
	deadline = after(20 * MS);
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, deadline, 0));
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_EXPIRED(result);
		EXPECT_EQ(CANCELIO_WHICH_SIDE, result.which);
		EXPECT_LE(deadline, result.ended);
	}
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, CANCELIO_NEVER, 0));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, bytes, 1), &result));
	EXPECT_DONE(result, 1);
}

TEST_F(tcp, C20_operation_that_waited_runs_on_data_that_came_before_its_turn)
{
	struct cancelio_completion result;
	char all[8], byte;
	struct cancelio_op first = with_msg_flags(op_recv(self->conn, all, 8), MSG_WAITALL);

	ASSERT_EQ(1, submit_one(self->fd, with_cookie(first, 1)));
	ASSERT_EQ(1, submit_one(self->fd, with_cookie(op_recv(self->conn, &byte, 1), 2)));
	ASSERT_EQ(9, write(self->peer, "01234567x", 9));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 8);
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ('x', byte);
}

/* What threads on one connection do and count. */
struct crowd {
	int fd;
	__u64 conn;
	int received;
	int wrong;
	bool stop;
};

static void count(int *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/* Reads one byte, with ever longer times when it has any; returns whether all went well. */
static bool read_one(struct crowd *crowd, bool timed)
{
	struct cancelio_completion result;
	struct cancelio_op op;
	char byte = 0;
	int tries;

	for (tries = 0; ; tries++) {
		op = op_recv(crowd->conn, &byte, 1);
		if (timed)
			op = with_timeout(op, 3000LL << (tries < 20 ? tries : 20));
		if (run(crowd->fd, op, &result))
			return false;
		if (result.reason == CANCELIO_DONE)
			return result.bytes == 1 && byte == 'c';
		if (result.bytes || (result.reason != CANCELIO_DEADLINE &&
				     result.reason != CANCELIO_CANCELED))
			return false;
	}
}

static void *read_bytes(void *argument)
{
	struct crowd *crowd = argument;
	int i;

	for (i = 0; i < EACH; i++)
		count(read_one(crowd, i % 3) ? &crowd->received : &crowd->wrong);
	return NULL;
}

static void *disturb(void *argument)
{
	struct crowd *crowd = argument;
	int ret;

	while (!__atomic_load_n(&crowd->stop, __ATOMIC_RELAXED)) {
		ret = cio_cancel(crowd->fd, CANCELIO_CANCEL_CONN, crowd->conn, CANCELIO_READ);
		if (ret < 1 && ret != -ENOENT)
			count(&crowd->wrong);
		if (cio_deadline(crowd->fd, crowd->conn, CANCELIO_READ, after(100000), 0) ||
		    cio_deadline(crowd->fd, crowd->conn, CANCELIO_READ, CANCELIO_NEVER, 0))
			count(&crowd->wrong);
		sleep_until(after(2 * MS));
	}
	return NULL;
}

TEST_F(tcp, C22_threads_share_a_connection_and_no_byte_is_lost)
{
	struct crowd crowd = { .fd = self->fd, .conn = self->conn };
	pthread_t threads[THREADS], other;
	char data[THREADS];
	int i;

	memset(data, 'c', sizeof(data));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, read_bytes, &crowd));
	ASSERT_EQ(0, pthread_create(&other, NULL, disturb, &crowd));
	for (i = 0; i < EACH; i++)
		ASSERT_EQ(THREADS, write(self->peer, data, THREADS));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	__atomic_store_n(&crowd.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(other, NULL));
	EXPECT_EQ(0, crowd.wrong);
	EXPECT_EQ(THREADS * EACH, crowd.received);
	/* It waits until nothing is in flight any more. */
	EXPECT_EQ(0, cio_detach(self->fd, self->conn));
	EXPECT_EQ(-1, recv(self->sock, data, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_HARNESS_MAIN
