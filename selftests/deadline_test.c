// SPDX-License-Identifier: GPL-2.0
/* Deadlines of operations and of sides: what they end, and when (C10 to C15, C19). */
#define _GNU_SOURCE
#include "tcp_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>

#define BOTH (CANCELIO_READ | CANCELIO_WRITE)
#define LOOKS 2000

static int read_deadline(int fd, __u64 conn, __s64 time)
{
	return cio_deadline(fd, conn, CANCELIO_READ, time, 0);
}

static int write_deadline(int fd, __u64 conn, __s64 time)
{
	return cio_deadline(fd, conn, CANCELIO_WRITE, 0, time);
}

TEST_F(tcp, C11_operation_whose_deadline_has_passed_moves_nothing)
{
	__s64 passed[] = { now(), now() - 1, 1, 0, -1, -SECOND, INT64_MIN };
	struct cancelio_completion result;
	char buffer[8] = {};
	unsigned int i;

	ASSERT_EQ(4, write(self->peer, "kept", 4));
	ASSERT_EQ(POLLIN, wait_events(self->sock, POLLIN));
	for (i = 0; i < ARRAY_SIZE(passed); i++) {
		ASSERT_EQ(0, run(self->fd, with_deadline(op_recv(self->conn, buffer, 8), passed[i]),
				 &result));
		EXPECT_EXPIRED(result);
		EXPECT_EQ(CANCELIO_WHICH_OP, result.which);
		EXPECT_LE(passed[i], result.ended);
		EXPECT_LE(0, result.late);
	}
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, 8), &result));
	EXPECT_DONE(result, 4);
	EXPECT_STREQ("kept", buffer);
}

TEST_F(tcp, C11_relative_time_that_is_not_positive_has_passed)
{
	__s64 passed[] = { 0, -1, INT64_MIN };
	struct cancelio_completion result;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(passed); i++) {
		ASSERT_EQ(0, run(self->fd, with_timeout(op_send(self->conn, "x", 1), passed[i]),
				 &result));
		EXPECT_EXPIRED(result);
		EXPECT_EQ(CANCELIO_WHICH_OP, result.which);
	}
}

TEST_F(tcp, C11_none_and_the_far_future_never_fire)
{
	__s64 far[] = { CANCELIO_NEVER, CANCELIO_NEVER - 1, CANCELIO_NEVER / 2 };
	struct cancelio_completion result;
	struct cancelio_op ops[6];
	char bytes[6];
	int i;

	for (i = 0; i < 3; i++) {
		ops[i] = with_deadline(op_recv(self->conn, bytes + i, 1), far[i]);
		ops[3 + i] = with_timeout(op_recv(self->conn, bytes + 3 + i, 1), far[i]);
	}
	ASSERT_EQ(6, cio_submit(self->fd, ops, 6, NULL, NULL));
	EXPECT_TRUE(stays_empty(self->fd));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, read_deadline(self->fd, self->conn, far[i]));
		EXPECT_TRUE(stays_empty(self->fd));
	}
	ASSERT_EQ(6, write(self->peer, "abcdef", 6));
	for (i = 0; i < 6; i++) {
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_DONE(result, 1);
	}
	EXPECT_EQ(0, memcmp(bytes, "abcdef", 6));
}

TEST_F(tcp, C12_expiry_of_a_side_is_sticky_until_moved)
{
	__s64 passed[] = { now(), 0, -1, INT64_MIN };
	struct cancelio_completion result;
	char buffer[8] = {};
	struct cancelio_op op = op_recv(self->conn, buffer, 8);
	unsigned int i, again;

	ASSERT_EQ(4, write(self->peer, "kept", 4));
	ASSERT_EQ(POLLIN, wait_events(self->sock, POLLIN));
	for (i = 0; i < ARRAY_SIZE(passed); i++) {
		ASSERT_EQ(0, read_deadline(self->fd, self->conn, passed[i]));
		for (again = 0; again < 3; again++) {
			ASSERT_EQ(0, run(self->fd, op, &result));
			EXPECT_EXPIRED(result);
			EXPECT_EQ(CANCELIO_WHICH_SIDE, result.which);
			EXPECT_LE(0, result.late);
		}
	}
	ASSERT_EQ(0, read_deadline(self->fd, self->conn, after(LONG_ENOUGH)));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_DONE(result, 4);
	EXPECT_STREQ("kept", buffer);
}

TEST_F(tcp, C12_connection_works_again_after_its_deadline_fired)
{
	struct cancelio_completion result;
	char buffer[8] = {};
	struct cancelio_op op = op_recv(self->conn, buffer, 8);

	ASSERT_EQ(0, read_deadline(self->fd, self->conn, after(5 * MS)));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(0, read_deadline(self->fd, self->conn, CANCELIO_NEVER));
	ASSERT_EQ(1, submit_one(self->fd, op));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(5, write(self->peer, "again", 5));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 5);
	EXPECT_STREQ("again", buffer);
}

TEST_F(tcp, C10_deadline_of_a_side_holds_for_the_pending_and_the_future)
{
	struct cancelio_completion result;
	char byte;
	__s64 deadline;

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	deadline = after(30 * MS);
	ASSERT_EQ(0, read_deadline(self->fd, self->conn, deadline));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EXPIRED(result);
	EXPECT_LE(deadline, result.ended);
	EXPECT_EQ(result.ended - deadline, result.late);
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(CANCELIO_WHICH_SIDE, result.which);
	EXPECT_LE(deadline, result.ended);
}

TEST_F(tcp, C10_both_sides_are_moved_at_once)
{
	struct cancelio_completion result[2];
	char *much = pattern_new(MUCH);
	struct cancelio_op ops[2];
	__s64 deadline;
	char byte;
	int i;

	ASSERT_NE(NULL, much);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ops[0] = op_recv(self->conn, &byte, 1);
	ops[1] = op_send(self->conn, much, MUCH);
	ASSERT_EQ(2, cio_submit(self->fd, ops, 2, NULL, NULL));
	EXPECT_TRUE(stays_empty(self->fd));
	deadline = after(20 * MS);
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, BOTH, deadline, deadline));
	ASSERT_EQ(2, cio_wait(self->fd, 2, result, 2, after(LONG_ENOUGH)));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(CANCELIO_DEADLINE, result[i].reason);
		EXPECT_EQ(CANCELIO_WHICH_SIDE, result[i].which);
		EXPECT_LE(deadline, result[i].ended);
	}
	free(much);
}

struct mover {
	int fd;
	__u64 conn;
	__s64 first;
	int stop;
	int wrong;
};

/* On a processor of its own, where there are two. */
static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Both sides get the same time, each time another one. */
static void *move_both(void *argument)
{
	struct mover *mover = argument;
	__s64 time = mover->first;

	run_on(0);
	while (!__atomic_load_n(&mover->stop, __ATOMIC_ACQUIRE)) {
		if (cio_deadline(mover->fd, mover->conn, BOTH, time, time))
			mover->wrong++;
		time++;
	}
	return NULL;
}

/* The two deadlines of the context's one connection, seen under its lock. */
static bool look_at_both(int info, __s64 *read, __s64 *write)
{
	static const char key[] = "\nconn:\t";
	long long seen[2];
	char text[4096], *line;
	ssize_t got = pread(info, text, sizeof(text) - 1, 0);

	text[got > 0 ? got : 0] = '\0';
	line = strstr(text, key);
	if (!line || sscanf(line + sizeof(key) - 1, "id=%*u read=%lld write=%lld", &seen[0],
			    &seen[1]) != 2)
		return false;
	*read = seen[0];
	*write = seen[1];
	return true;
}

/* Another thread moves both again and again, and no look is between the two. */
TEST_F(tcp, C10_both_sides_are_moved_atomically)
{
	struct mover mover = { .fd = self->fd, .conn = self->conn, .first = after(1000 * SECOND) };
	int i, info, torn = 0, moves = 0;
	__s64 read, write, last = 0;
	pthread_t thread;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, info);
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, BOTH, mover.first, mover.first));
	ASSERT_EQ(0, pthread_create(&thread, NULL, move_both, &mover));
	run_on(1);
	for (i = 0; i < LOOKS; i++) {
		ASSERT_TRUE(look_at_both(info, &read, &write));
		torn += read != write;
		moves += read != last;
		last = read;
		/* The mover comes to another place, also where one processor does both. */
		sleep_until(after(20000));
	}
	__atomic_store_n(&mover.stop, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, mover.wrong);
	EXPECT_EQ(0, torn)
		TH_LOG("%d of %d looks", torn, LOOKS);
	TH_LOG("%d of %d looks saw a new time", moves, LOOKS);
	close(info);
}

TEST_F(tcp, C10_the_earlier_of_the_two_deadlines_counts)
{
	struct cancelio_completion result;
	__s64 early, late = after(LONG_ENOUGH);
	char byte;

	ASSERT_EQ(0, read_deadline(self->fd, self->conn, late));
	early = after(10 * MS);
	ASSERT_EQ(0, run(self->fd, with_deadline(op_recv(self->conn, &byte, 1), early), &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(CANCELIO_WHICH_OP, result.which);
	EXPECT_EQ(result.ended - early, result.late);
	early = after(10 * MS);
	ASSERT_EQ(0, read_deadline(self->fd, self->conn, early));
	ASSERT_EQ(0, run(self->fd, with_deadline(op_recv(self->conn, &byte, 1), late), &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(CANCELIO_WHICH_SIDE, result.which);
	EXPECT_LE(early, result.ended);
}

TEST_F(tcp, C13_earlier_deadline_ends_a_pending_operation_at_the_new_time)
{
	struct cancelio_completion result;
	__s64 early;
	char byte;

	ASSERT_EQ(0, read_deadline(self->fd, self->conn, after(LONG_ENOUGH)));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_TRUE(stays_empty(self->fd));
	early = after(10 * MS);
	ASSERT_EQ(0, read_deadline(self->fd, self->conn, early));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EXPIRED(result);
	EXPECT_LE(early, result.ended);
	EXPECT_EQ(result.ended - early, result.late);
	EXPECT_GT(early + LONG_ENOUGH / 2, result.ended);
}

TEST_F(tcp, C13_deadline_moved_into_the_past_ends_a_pending_operation)
{
	struct cancelio_completion result;
	char byte;

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, read_deadline(self->fd, self->conn, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(CANCELIO_WHICH_SIDE, result.which);
}

/* golang/go commit 8538477d58: extending a deadline must not leave the old timer running. */
TEST_F(tcp, C13_later_or_cleared_deadline_leaves_the_operation_pending)
{
	__s64 moved[] = { after(LONG_ENOUGH), CANCELIO_NEVER };
	struct cancelio_completion result;
	__s64 deadline;
	char byte;
	int i;

	for (i = 0; i < 2; i++) {
		deadline = after(200 * MS);
		ASSERT_EQ(0, read_deadline(self->fd, self->conn, deadline));
		ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
		ASSERT_EQ(0, read_deadline(self->fd, self->conn, moved[i]));
		EXPECT_EQ(-ETIME, cio_wait(self->fd, 1, &result, 1, deadline + 50 * MS));
		ASSERT_EQ(1, write(self->peer, "x", 1));
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_DONE(result, 1);
	}
}

/* The timer that was set for the old one has come, and found nothing to do. */
TEST_F(tcp, C13_deadline_moved_later_fires_at_its_new_time)
{
	struct cancelio_completion result;
	__s64 deadline = after(100 * MS);
	char byte;

	ASSERT_EQ(0, read_deadline(self->fd, self->conn, deadline));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	deadline += 100 * MS;
	ASSERT_EQ(0, read_deadline(self->fd, self->conn, deadline));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EXPIRED(result);
	EXPECT_LE(deadline, result.ended);
}

/* A write that expires keeps what it moved; the read side then still works. */
TEST_F(tcp, C15_write_deadline_does_not_affect_reads)
{
	struct cancelio_completion result;
	char byte;

	ASSERT_EQ(0, write_deadline(self->fd, self->conn, now()));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(CANCELIO_WHICH_SIDE, result.which);
	ASSERT_EQ(1, write(self->peer, "y", 1));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ('y', byte);
}

TEST_F(tcp, C15_read_deadline_does_not_affect_writes)
{
	struct cancelio_completion result;
	char *much = pattern_new(MUCH);
	char byte;

	ASSERT_NE(NULL, much);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ASSERT_EQ(0, read_deadline(self->fd, self->conn, after(5 * MS)));
	ASSERT_EQ(1, submit_one(self->fd, op_send(self->conn, much, MUCH)));
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &byte, 1), &result));
	EXPECT_EXPIRED(result);
	EXPECT_TRUE(stays_empty(self->fd));
	EXPECT_EQ(MUCH, pattern_read(self->peer, MUCH, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, MUCH);
	free(much);
}

TEST_F(tcp, C14_never_early_from_a_nanosecond_to_a_second)
{
	static const __s64 times[] = {
		1, 100, 1000, 2000, 50000, MS, 3 * MS, 10 * MS, 100 * MS, SECOND,
	};
	struct cancelio_completion result;
	__s64 begin, end;
	unsigned int i;
	char byte;

	for (i = 0; i < ARRAY_SIZE(times); i++) {
		begin = now();
		ASSERT_EQ(0, run(self->fd, with_timeout(op_recv(self->conn, &byte, 1), times[i]),
				 &result));
		end = now();
		EXPECT_EXPIRED(result);
		EXPECT_LE(begin + times[i], result.ended);
		EXPECT_GE(end, result.ended);
		EXPECT_LE(0, result.late);
		EXPECT_GE(result.ended - begin - times[i], result.late);
	}
}

TEST_F(tcp, C14_absolute_deadlines_are_met_to_the_nanosecond_or_later)
{
	struct cancelio_completion result;
	__s64 deadline;
	char byte;
	int i;

	for (i = 0; i < 100; i++) {
		deadline = after(i * 37001);
		ASSERT_EQ(0, run(self->fd, with_deadline(op_recv(self->conn, &byte, 1), deadline),
				 &result));
		EXPECT_EXPIRED(result);
		ASSERT_LE(deadline, result.ended);
		ASSERT_EQ(result.ended - deadline, result.late);
	}
}

/* Deadlines that follow closely on each other do not come in one piece. */
TEST_F(tcp, C14_none_of_many_close_deadlines_is_early)
{
	struct cancelio_completion result;
	struct cancelio_op ops[50];
	char bytes[50];
	int i;

	for (i = 0; i < 50; i++)
		ops[i] = with_cookie(with_deadline(op_recv(self->conn, bytes + i, 1),
						   after(50 * MS + i * 300000)), i);
	ASSERT_EQ(50, cio_submit(self->fd, ops, 50, NULL, NULL));
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_EXPIRED(result);
		ASSERT_LE(ops[result.user_data].deadline, result.ended);
	}
}

TEST_F(tcp, C19_deadline_is_checked_before_the_io)
{
	struct cancelio_completion result;
	struct cancelio_op op = op_send(self->conn, "x", 1);
	char byte;

	ASSERT_EQ(0, shutdown(self->sock, SHUT_RDWR));
	ASSERT_EQ(0, run(self->fd, with_deadline(op, 0), &result));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(0, run(self->fd, with_deadline(op_recv(self->conn, &byte, 1), 0), &result));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_ERROR(result, -EPIPE);
}

TEST_F(tcp, C4_data_that_came_before_the_deadline_is_success)
{
	struct cancelio_completion result;
	char byte;
	int i, round;

	for (round = 0; round < 20; round++) {
		ASSERT_EQ(0, read_deadline(self->fd, self->conn, after(LONG_ENOUGH)));
		ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
		ASSERT_EQ(1, write(self->peer, "x", 1));
		for (i = 0; i < 3; i++)
			ASSERT_EQ(0, read_deadline(self->fd, self->conn, now()));
		ASSERT_EQ(1, reap(self->fd, &result));
		if (result.reason == CANCELIO_DONE)
			continue;
		/* The deadline was earlier: then the byte is still there. */
		EXPECT_EXPIRED(result);
		ASSERT_EQ(0, read_deadline(self->fd, self->conn, CANCELIO_NEVER));
		ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &byte, 1), &result));
		EXPECT_DONE(result, 1);
	}
}

/* A thread in a blocking call, whose deadline others move. */
struct blocked {
	int fd;
	struct cancelio_op op;
	struct cancelio_completion result;
	int ret;
	pthread_t thread;
};

static void *call(void *argument)
{
	struct blocked *blocked = argument;

	blocked->ret = run(blocked->fd, blocked->op, &blocked->result);
	return NULL;
}

/* Starts both; each is known to wait when its first attempt has moved what it can. */
static bool block_both(struct blocked *reader, struct blocked *writer, int peer)
{
	return !pthread_create(&reader->thread, NULL, call, reader) &&
		!pthread_create(&writer->thread, NULL, call, writer) &&
		wait_events(peer, POLLIN) == POLLIN && stays_empty(reader->fd);
}

static bool both_expired(struct blocked *reader, struct blocked *writer, __s64 deadline)
{
	struct blocked *both[] = { reader, writer };
	bool expired = true;
	int i;

	for (i = 0; i < 2; i++) {
		if (pthread_join(both[i]->thread, NULL) || both[i]->ret ||
		    both[i]->result.reason != CANCELIO_DEADLINE ||
		    both[i]->result.error != -ETIME ||
		    both[i]->result.which != CANCELIO_WHICH_SIDE ||
		    both[i]->result.ended < deadline)
			expired = false;
	}
	return expired && !reader->result.bytes;
}

/* The deadline of a blocked read and a blocked write goes back and forth; the last one counts. */
TEST_F(tcp, C13_deadline_of_calls_that_block_is_moved_by_another_thread)
{
	/* Times from now on: later, none, later, and then the one that ends them. */
	static const __s64 last[] = { -SECOND, 0, 5 * MS };
	struct blocked reader = { .fd = self->fd }, writer = { .fd = self->fd };
	char *much = pattern_new(MUCH);
	__u64 accepted = 0;
	__s64 deadline;
	unsigned int i;
	char byte;

	ASSERT_NE(NULL, much);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	for (i = 0; i < ARRAY_SIZE(last); i++) {
		reader.op = op_recv(self->conn, &byte, 1);
		writer.op = op_send(self->conn, much + accepted, MUCH - accepted);
		ASSERT_EQ(0, cio_deadline(self->fd, self->conn, BOTH, CANCELIO_NEVER,
					  CANCELIO_NEVER));
		ASSERT_TRUE(block_both(&reader, &writer, self->peer));
		deadline = after(LONG_ENOUGH);
		ASSERT_EQ(0, cio_deadline(self->fd, self->conn, BOTH, deadline, deadline));
		ASSERT_EQ(0, cio_deadline(self->fd, self->conn, BOTH, CANCELIO_NEVER,
					  deadline + SECOND));
		EXPECT_TRUE(stays_empty(self->fd));
		deadline = after(last[i]);
		ASSERT_EQ(0, cio_deadline(self->fd, self->conn, BOTH, deadline, deadline));
		ASSERT_TRUE(both_expired(&reader, &writer, deadline));
		accepted += writer.result.bytes;
	}
	ASSERT_EQ(0, shutdown(self->sock, SHUT_WR));
	EXPECT_EQ(accepted, pattern_read(self->peer, MUCH, 0));
	free(much);
}

TEST_HARNESS_MAIN
