// SPDX-License-Identifier: GPL-2.0
/* Deadlines that fire meanwhile: races, stopped and busy programs (C12, C13, C16, C18). */
#include "engine_fixture.h"
#include "tcp_fixture.h"
#include "watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define ENTRIES 256

static int read_deadline(int fd, __u64 conn, __s64 time)
{
	return cio_deadline(fd, conn, CANCELIO_READ, time, 0);
}

static void spin_until(__s64 time)
{
	while (now() < time)
		;
}

/* golang/go#57114: a late timer must not end an operation begun after the deadline was cleared. */
TEST_F(tcp, C13_cleared_deadline_has_no_late_effect)
{
	struct cancelio_completion first, second;
	__s64 deadline;
	char bytes[2];
	int round;

	for (round = 0; round < 300; round++) {
		deadline = after(200000 + round * 500);
		ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, bytes, 1)));
		ASSERT_EQ(0, read_deadline(self->fd, self->conn, deadline));
		spin_until(deadline - 40000 + round * 300);
		ASSERT_EQ(0, read_deadline(self->fd, self->conn, CANCELIO_NEVER));
		ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, bytes + 1, 1)));
		ASSERT_EQ(2, write(self->peer, "ab", 2));
		ASSERT_EQ(1, reap(self->fd, &first));
		ASSERT_EQ(1, reap(self->fd, &second));
		EXPECT_DONE(second, 1);
		if (first.reason == CANCELIO_DONE) {
			ASSERT_EQ('b', bytes[1]);
			continue;
		}
		EXPECT_EXPIRED(first);
		ASSERT_EQ('a', bytes[1]);
		ASSERT_EQ(0, run(self->fd, op_recv(self->conn, bytes, 1), &first));
		ASSERT_EQ('b', bytes[0]);
	}
}

/* golang/go#60282: a deadline that is the present must not be taken for none. */
TEST_F(tcp, C11_deadline_now_under_a_pending_operation_ends_it)
{
	struct cancelio_completion result;
	char byte;
	int round;

	for (round = 0; round < 200; round++) {
		ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
		ASSERT_EQ(0, read_deadline(self->fd, self->conn, now()));
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_EXPIRED(result);
		ASSERT_EQ(0, read_deadline(self->fd, self->conn, CANCELIO_NEVER));
	}
}

/*
 * Repeats an operation on one byte until it is done, with a time from 2 us on that
 * doubles so that it ends on a slow machine too.  Returns how often it expired, or -1.
 */
static int insist(int fd, struct cancelio_op op)
{
	struct cancelio_completion result;
	int expired = 0;

	while (!run(fd, with_timeout(op, 2000LL << expired), &result)) {
		if (result.reason == CANCELIO_DONE && result.bytes == 1)
			return expired;
		if (result.reason != CANCELIO_DEADLINE || result.bytes || ++expired == 24)
			break;
	}
	return -1;
}

TEST_F(tcp, C12_no_byte_is_lost_doubled_or_reordered_over_thousands_of_short_deadlines)
{
	struct cancelio_completion result;
	/* A worker is woken for each of the operations that are forced to one. */
	int places = variant->op_flags ? 30 : 600;
	int place, sent, received, expired = 0;
	__u8 byte, got;

	for (place = 0; place < places; place++) {
		pattern_fill(&byte, 1, place);
		sent = insist(self->fd, op_send(self->conn, &byte, 1));
		ASSERT_LE(0, sent);
		got = ~byte;
		ASSERT_EQ(1, read(self->peer, &got, 1));
		ASSERT_EQ(byte, got);
		ASSERT_EQ(0, run(self->fd, with_timeout(op_recv(self->conn, &got, 1), 2000),
				 &result));
		EXPECT_EXPIRED(result);
		ASSERT_EQ(1, write(self->peer, &byte, 1));
		got = ~byte;
		received = insist(self->fd, op_recv(self->conn, &got, 1));
		ASSERT_LE(0, received);
		ASSERT_EQ(byte, got);
		expired += sent + received;
	}
	TH_LOG("%d bytes each way, %d operations expired", place, expired);
}

TEST_F(tcp, C16_ring_alone_shows_an_expiry_to_a_program_that_only_computes)
{
	struct cancelio_ring *ring = cio_map(self->fd, ENTRIES);
	struct cancelio_completion result;
	__s64 deadline = after(30 * MS);
	char byte;

	ASSERT_NE(NULL, ring);
	ASSERT_EQ(1, submit_one(self->fd, with_deadline(op_recv(self->conn, &byte, 1), deadline)));
	ASSERT_TRUE(ring_spin(ring, &result));
	EXPECT_EXPIRED(result);
	EXPECT_LE(deadline, result.ended);
}

/* A process that writes one byte to the peer once it is told to. */
static pid_t start_writer(int peer, int tell[2])
{
	pid_t pid;
	char byte;

	if (pipe(tell) < 0)
		return -1;
	pid = fork();
	if (pid)
		return pid;
	_exit(read(tell[0], &byte, 1) == 1 && write(peer, "w", 1) == 1 ? 0 : 1);
}

TEST_F(tcp, C72_ring_alone_shows_data_to_a_program_that_only_computes)
{
	struct cancelio_ring *ring = cio_map(self->fd, ENTRIES);
	struct cancelio_completion result;
	int tell[2], status;
	char byte = 0;
	pid_t writer;

	ASSERT_NE(NULL, ring);
	writer = start_writer(self->peer, tell);
	ASSERT_LT(0, writer);
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(1, write(tell[1], "g", 1));
	ASSERT_TRUE(ring_spin(ring, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ('w', byte);
	ASSERT_EQ(writer, waitpid(writer, &status, 0));
	EXPECT_EQ(0, status);
}

/* What it tells of itself. */
struct stopped {
	__s64 deadline;
	int fd;
};

/* What the process that is to be stopped does; its exit status names what was wrong. */
static int be_stopped(__u32 engine, int out, int in)
{
	struct stopped self = { .fd = cio_context(engine, ENTRIES) };
	struct cancelio_completion result;
	struct cancelio_ring *ring;
	int fd = self.fd, ends[2];
	__s64 continued;
	__u64 conn;
	char byte;

	if (fd < 0 || tcp_pair(AF_INET, ends) || cio_attach(fd, ends[0], &conn))
		return 1;
	ring = cio_map(fd, ENTRIES);
	self.deadline = after(500 * MS);
	if (!ring || submit_one(fd, with_deadline(op_recv(conn, &byte, 1), self.deadline)) != 1)
		return 2;
	if (write(out, &self, sizeof(self)) != sizeof(self))
		return 3;
	if (read(in, &continued, sizeof(continued)) != sizeof(continued))
		return 4;
	if (!ring_pop(ring, &result))
		return 5;
	if (result.reason != CANCELIO_DEADLINE || result.ended < self.deadline)
		return 6;
	return result.ended < continued ? 0 : 7;
}

TEST_F(engine, C16_deadline_fires_in_time_while_the_program_is_stopped)
{
	int from[2], to[2], status;
	struct stopped stopped;
	__s64 continued;
	pid_t pid;

	ASSERT_EQ(0, pipe(from));
	ASSERT_EQ(0, pipe(to));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(be_stopped(variant->engine, from[1], to[0]));
	ASSERT_EQ(sizeof(stopped), read(from[0], &stopped, sizeof(stopped)));
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	EXPECT_TRUE(await_fdinfo(pid, stopped.fd, "completions:\t1\n"));
	continued = now();
	EXPECT_LE(stopped.deadline, continued);
	ASSERT_EQ(sizeof(continued), write(to[1], &continued, sizeof(continued)));
	ASSERT_EQ(0, kill(pid, SIGCONT));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(tcp, C16_deadlines_of_many_operations_fire_without_any_call)
{
	struct cancelio_ring *ring = cio_map(self->fd, ENTRIES);
	struct cancelio_completion result;
	__s64 deadlines[200];
	char byte;
	int i;

	ASSERT_NE(NULL, ring);
	/* The later submitted the earlier due. */
	for (i = 0; i < 200; i++) {
		deadlines[i] = after(300 * MS - i * MS);
		ASSERT_EQ(1, submit_one(self->fd,
					with_cookie(with_deadline(op_recv(self->conn, &byte, 1),
								  deadlines[i]), i)));
	}
	for (i = 0; i < 200; i++) {
		ASSERT_TRUE(ring_spin(ring, &result));
		EXPECT_EXPIRED(result);
		ASSERT_GT(200, result.user_data);
		ASSERT_LE(deadlines[result.user_data], result.ended);
	}
	EXPECT_EQ(0, ring_count(ring));
}

struct outside {
	__s64 time;
	__u32 engine;
};

/* In a time namespace a thousand seconds ahead: deadlines are meant in its clock. */
static int use_shifted_clock(void *argument)
{
	struct cancelio_completion result;
	struct outside *outside = argument;
	int fd = cio_context(outside->engine, 0);
	__s64 deadline;
	int ends[2];
	__u64 conn;
	char byte;

	if (now() < outside->time + 900 * SECOND)
		return 1;
	if (fd < 0 || tcp_pair(AF_INET, ends) || cio_attach(fd, ends[0], &conn))
		return 2;
	deadline = after(20 * MS);
	if (run(fd, with_deadline(op_recv(conn, &byte, 1), deadline), &result))
		return 3;
	if (result.reason != CANCELIO_DEADLINE || result.ended < deadline)
		return 4;
	if (result.late != result.ended - deadline || result.ended > now())
		return 5;
	deadline = after(20 * MS);
	if (cio_wait(fd, 1, &result, 1, deadline) != -ETIME || now() < deadline)
		return 6;
	if (read_deadline(fd, conn, after(20 * MS)) || run(fd, op_recv(conn, &byte, 1), &result))
		return 7;
	return result.reason == CANCELIO_DEADLINE && result.ended <= now() ? 0 : 8;
}

/* Runs @child in a time namespace whose clock is @offset seconds ahead; -1 without. */
static int in_namespace(const char *offset, int (*child)(void *), struct outside *outside)
{
	char text[64];
	int fd, len = snprintf(text, sizeof(text), "monotonic %s 0\n", offset);

	if (unshare(CLONE_NEWTIME))
		return -1;
	fd = open("/proc/self/timens_offsets", O_WRONLY);
	if (fd < 0 || write(fd, text, len) != len)
		return -1;
	close(fd);
	return in_child(child, outside);
}

TEST_F(engine, C18_times_are_those_of_the_callers_time_namespace)
{
	struct outside outside = { .time = now(), .engine = variant->engine };
	int ret = in_namespace("1000", use_shifted_clock, &outside);

	if (ret < 0)
		SKIP(return, "no time namespace can be made: %s", strerror(errno));
	EXPECT_EQ(0, ret);
}

/* What an operation with this deadline, and one below this side's deadline, end with. */
static int ends_with(int fd, __u64 conn, __s64 time, __u8 reason)
{
	struct cancelio_completion result;
	char byte;
	int round;

	for (round = 0; round < 2; round++) {
		struct cancelio_op op = op_recv(conn, &byte, 1);

		if (round && read_deadline(fd, conn, time))
			return 1;
		if (submit_one(fd, round ? op : with_deadline(op, time)) != 1)
			return 2;
		if (reason == CANCELIO_CANCELED && !stays_empty(fd))
			return 3;
		cio_cancel(fd, CANCELIO_CANCEL_ALL, 0, 0);
		if (reap(fd, &result) != 1 || result.reason != reason)
			return 4;
		if (reason == CANCELIO_DEADLINE && (result.late < 0 || result.ended > now()))
			return 5;
	}
	return read_deadline(fd, conn, CANCELIO_NEVER) ? 6 : 0;
}

/* The ends of the clock are clamped to that of the machine, and not wrapped around. */
static int use_ends_of_clock(void *argument)
{
	static const __s64 past[] = { INT64_MIN, INT64_MIN + 1, INT64_MIN + 500 * SECOND, -1, 0 };
	static const __s64 future[] = {
		CANCELIO_NEVER, CANCELIO_NEVER - 1, CANCELIO_NEVER - SECOND / 2,
		CANCELIO_NEVER - 500 * SECOND,
	};
	struct outside *outside = argument;
	struct cancelio_completion result;
	int fd = cio_context(outside->engine, 0);
	int ends[2], ret;
	unsigned int i;
	__u64 conn;

	if (fd < 0 || tcp_pair(AF_INET, ends) || cio_attach(fd, ends[0], &conn))
		return 1;
	for (i = 0; i < ARRAY_SIZE(past); i++) {
		ret = ends_with(fd, conn, past[i], CANCELIO_DEADLINE);
		if (ret || cio_wait(fd, 1, &result, 1, past[i]) != -ETIME)
			return 10 + 10 * i + ret;
	}
	for (i = 0; i < ARRAY_SIZE(future); i++) {
		ret = ends_with(fd, conn, future[i], CANCELIO_CANCELED);
		if (ret)
			return 100 + 10 * i + ret;
	}
	return 0;
}

TEST_F(engine, C18_ends_of_a_clock_that_is_ahead_are_clamped)
{
	struct outside outside = { .engine = variant->engine };
	int ret = in_namespace("1000", use_ends_of_clock, &outside);

	if (ret < 0)
		SKIP(return, "no time namespace can be made: %s", strerror(errno));
	EXPECT_EQ(0, ret);
}

/* Only as far as the machine is up can a clock be behind. */
TEST_F(engine, C18_ends_of_a_clock_that_is_behind_are_clamped)
{
	struct outside outside = { .engine = variant->engine };
	int ret;

	if (now() < 2 * SECOND)
		sleep_until(2 * SECOND);
	ret = in_namespace("-1", use_ends_of_clock, &outside);
	if (ret < 0)
		SKIP(return, "no time namespace can be made: %s", strerror(errno));
	EXPECT_EQ(0, ret);
}

TEST_HARNESS_MAIN
