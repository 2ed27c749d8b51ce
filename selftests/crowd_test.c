// SPDX-License-Identifier: GPL-2.0
/* More operations than there are threads for them, and calls that are interrupted. */
#include "engine_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define CONNS 50

static int context_of(__u32 engine, __u32 workers)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = engine, .max_workers = workers,
	};
	int fd = cio_open();
	int ret = fd < 0 ? fd : cio_setup(fd, &setup);

	return ret ? ret : fd;
}

static int attach_pair(int fd, int ends[2], __u64 *conn)
{
	return tcp_pair(AF_INET, ends) ?: cio_attach(fd, ends[0], conn);
}

/* On the thread engine the only thread sleeps for the first, and nobody for the second. */
TEST_F(engine, C32_detach_returns_though_no_thread_is_free)
{
	int fd = context_of(variant->engine, 1), first[2], second[2];
	struct cancelio_completion result;
	__u64 conn[2];
	char byte[2];

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, attach_pair(fd, first, &conn[0]));
	ASSERT_EQ(0, attach_pair(fd, second, &conn[1]));
	ASSERT_EQ(1, submit_one(fd, op_recv(conn[0], &byte[0], 1)));
	EXPECT_TRUE(stays_empty(fd));
	ASSERT_EQ(1, submit_one(fd, op_recv(conn[1], &byte[1], 1)));
	ASSERT_EQ(0, cio_detach(fd, conn[1]));
	ASSERT_EQ(1, reap(fd, &result));
	EXPECT_CLOSED(result);
	EXPECT_EQ(conn[1], result.conn);
	close(fd);
}

TEST_F(engine, C2_how_late_never_wraps)
{
	int fd = context_of(variant->engine, 0), ends[2];
	struct cancelio_completion result;
	__u64 conn;
	char byte;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, attach_pair(fd, ends, &conn));
	ASSERT_EQ(1, submit_one(fd, op_recv(conn, &byte, 1)));
	EXPECT_TRUE(stays_empty(fd));
	ASSERT_EQ(0, cio_deadline(fd, conn, CANCELIO_READ, INT64_MIN, 0));
	ASSERT_EQ(1, reap(fd, &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(INT64_MAX, result.late);
	close(fd);
}

/* A signal ends the waiting; what was to be canceled is, all of it. */
TEST_F(engine, C30_interrupted_cancel_of_all_stays_requested_for_each)
{
	int fd = context_of(variant->engine, 0), ends[2], round, i, ret;
	struct cancelio_completion result[CONNS];
	__u64 conn[CONNS];
	char byte;

	ASSERT_LE(0, fd);
	for (i = 0; i < CONNS; i++)
		ASSERT_EQ(0, attach_pair(fd, ends, &conn[i]));
	for (round = 0; round < 5; round++) {
		for (i = 0; i < CONNS; i++)
			ASSERT_EQ(1, submit_one(fd, op_recv(conn[i], &byte, 1)));
		EXPECT_TRUE(stays_empty(fd));
		ASSERT_EQ(0, interrupt_often(true));
		ret = cio_cancel(fd, CANCELIO_CANCEL_ALL, 0, 0);
		ASSERT_EQ(0, interrupt_often(false));
		EXPECT_TRUE(ret == -EINTR || ret == CONNS);
		ASSERT_EQ(CONNS, cio_wait(fd, CONNS, result, CONNS, after(LONG_ENOUGH)));
		for (i = 0; i < CONNS; i++)
			EXPECT_CANCELED(result[i]);
	}
	close(fd);
}

/* The first is just ending by its data, and its thread goes on to the second. */
TEST_F(engine, C30_cancel_by_cookie_beside_a_completion_returns)
{
	int fd = context_of(variant->engine, 0), ends[2], round, i, ret;
	struct cancelio_completion result[2];
	char byte[2];
	__u64 conn;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, attach_pair(fd, ends, &conn));
	for (round = 0; round < 50; round++) {
		for (i = 0; i < 2; i++)
			ASSERT_EQ(1, submit_one(fd, with_cookie(op_recv(conn, &byte[i], 1), i)));
		sleep_until(after(2 * MS));
		ASSERT_EQ(1, write(ends[1], "x", 1));
		sleep_until(after(round * 10000LL));
		ret = cio_cancel(fd, CANCELIO_CANCEL_COOKIE, 0, 0);
		EXPECT_TRUE(ret == 1 || ret == -ENOENT);
		/* Canceled, it left the byte to the second. */
		if (ret != 1)
			ASSERT_EQ(1, cio_cancel(fd, CANCELIO_CANCEL_COOKIE, 1, 0));
		ASSERT_EQ(2, cio_wait(fd, 2, result, 2, after(LONG_ENOUGH)));
		EXPECT_NE(result[0].reason, result[1].reason);
	}
	close(fd);
}

#define FRIENDS 2000
/* So many that one of them shares the friends' chain of the kernel's table. */
#define STRANGERS 16000

struct strangers {
	int fd;
	bool found;
	bool done;
};

static void *cancel_strangers(void *argument)
{
	struct strangers *strangers = argument;
	int i;

	for (i = 1; i <= STRANGERS; i++)
		strangers->found |= cio_cancel(strangers->fd, CANCELIO_CANCEL_COOKIE, i, 0) !=
			-ENOENT;
	__atomic_store_n(&strangers->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* The chain is walked in pieces, and changes between them. */
TEST_F(engine, C30_cancel_by_cookie_looks_through_thousands_of_others)
{
	struct strangers strangers = { .fd = cio_context(variant->engine, 2048) };
	struct cancelio_completion result;
	__u64 conn, ids[FRIENDS];
	int ends[2], i, fd = strangers.fd;
	struct cancelio_op op;
	pthread_t thread;
	char byte;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, attach_pair(fd, ends, &conn));
	op = with_cookie(op_recv(conn, &byte, 1), 0);
	for (i = 0; i < FRIENDS; i++)
		ASSERT_EQ(1, cio_submit(fd, &op, 1, &ids[i], NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, cancel_strangers, &strangers));
	for (i = 0; !__atomic_load_n(&strangers.done, __ATOMIC_ACQUIRE); i = (i + 1) % FRIENDS) {
		ASSERT_EQ(1, cio_cancel(fd, CANCELIO_CANCEL_ID, ids[i], 0));
		ASSERT_EQ(1, reap(fd, &result));
		ASSERT_EQ(1, cio_submit(fd, &op, 1, &ids[i], NULL));
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_FALSE(strangers.found);
	EXPECT_EQ(FRIENDS, cio_cancel(fd, CANCELIO_CANCEL_COOKIE, 0, 0));
	close(fd);
}

#define THREADS_MAX "/proc/sys/kernel/threads-max"

static int set_threads_max(int threads)
{
	FILE *file = fopen(THREADS_MAX, "w");

	if (!file)
		return -1;
	fprintf(file, "%d\n", threads);
	return fclose(file);
}

static int threads_max(void)
{
	FILE *file = fopen(THREADS_MAX, "r");
	int threads = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%d", &threads) != 1)
		threads = -1;
	fclose(file);
	return threads;
}

/* No thread can be made while it is needed; later one can, and the operation is served. */
TEST_F(engine, C21_operation_gets_its_thread_once_one_can_be_made)
{
	int fd = context_of(variant->engine, 0), ends[2], i, before = threads_max();
	struct cancelio_completion result;
	int peers[3];
	__u64 conn[3];
	char byte[3];

	ASSERT_LE(0, fd);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, attach_pair(fd, ends, &conn[i]));
		peers[i] = ends[1];
	}
	if (before < 0 || set_threads_max(20))
		SKIP(return, "the number of threads cannot be limited here");
	for (i = 0; i < 3; i++)
		EXPECT_EQ(1, submit_one(fd, op_recv(conn[i], &byte[i], 1)));
	EXPECT_TRUE(stays_empty(fd));
	ASSERT_EQ(0, set_threads_max(before));
	for (i = 2; i >= 0; i--) {
		ASSERT_EQ(1, write(peers[i], "x", 1));
		ASSERT_EQ(1, reap(fd, &result));
		EXPECT_DONE(result, 1);
		EXPECT_EQ(conn[i], result.conn);
	}
	close(fd);
}

TEST_HARNESS_MAIN
