// SPDX-License-Identifier: GPL-2.0
/* Nothing is a way round a limit: sockets and threads of all contexts together (C52). */
#include "engine_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT	24

static int set_limit(int resource, rlim_t value)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return -errno;
	limit.rlim_cur = value;
	return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

static int attach_new(int fd, __u64 *conn)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	__u64 attached;
	int ret;

	if (sock < 0)
		return -errno;
	ret = cio_attach(fd, sock, &attached);
	if (!ret && conn)
		*conn = attached;
	close(sock);
	return ret;
}

/* Attaches until it is refused, the last one is @conn; returns how many, or another error. */
static int attach_all(int fd, __u64 *conn)
{
	int ret, attached = 0;

	while (!(ret = attach_new(fd, conn)) && attached <= LIMIT)
		attached++;
	return ret == -EMFILE ? attached : ret;
}

/* Until what ended is given back, which a worker does; returns what it was at last. */
static int until(int (*try)(void *argument), void *argument, int wanted)
{
	__s64 end = after(LONG_ENOUGH);
	int ret;

	while ((ret = try(argument)) != wanted && now() < end)
		sleep_until(after(MS));
	return ret;
}

TEST_F(engine, C52_sockets_are_counted_over_all_contexts)
{
	int first = cio_context(variant->engine, 0);
	int second = cio_context(variant->engine, 0);
	__u64 conn, other;

	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	ASSERT_EQ(0, set_limit(RLIMIT_NOFILE, LIMIT));
	ASSERT_EQ(0, attach_new(first, &conn));
	EXPECT_EQ(LIMIT - 1, attach_all(second, &other));
	EXPECT_EQ(-EMFILE, attach_new(first, NULL));
	EXPECT_EQ(-EMFILE, attach_new(second, NULL));
	/* What one gives back, the other can have. */
	ASSERT_EQ(0, cio_detach(first, conn));
	EXPECT_EQ(0, attach_new(second, &conn));
	EXPECT_EQ(-EMFILE, attach_new(first, NULL));
	close(first);
	close(second);
}

static int attach_one(void *argument)
{
	return attach_new(*(int *)argument, NULL);
}

TEST_F(engine, C52_sockets_of_an_ended_context_are_given_back)
{
	int first = cio_context(variant->engine, 0);
	int second = cio_context(variant->engine, 0);
	__u64 conn;
	int i;

	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	ASSERT_EQ(0, set_limit(RLIMIT_NOFILE, LIMIT));
	ASSERT_EQ(LIMIT, attach_all(first, &conn));
	ASSERT_EQ(-EMFILE, attach_new(second, NULL));
	close(first);
	for (i = 0; i < LIMIT; i++)
		ASSERT_EQ(0, until(attach_one, &second, 0));
	EXPECT_EQ(-EMFILE, attach_new(second, NULL));
	close(second);
}

TEST_F(engine, C52_refused_attach_counts_nothing)
{
	int fd = cio_context(variant->engine, 0), sock, i;
	__u64 conn;

	ASSERT_LE(0, fd);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, sock);
	ASSERT_EQ(0, set_limit(RLIMIT_NOFILE, LIMIT));
	ASSERT_EQ(0, cio_attach(fd, sock, NULL));
	for (i = 0; i < 2 * LIMIT; i++)
		ASSERT_EQ(-EEXIST, cio_attach(fd, sock, NULL));
	EXPECT_EQ(LIMIT - 1, attach_all(fd, &conn));
	close(sock);
	close(fd);
}

static void nothing(int signal)
{
	(void)signal;
}

struct detacher {
	int fd;
	__u64 conn;
	int ret;
};

static void *detach(void *argument)
{
	struct detacher *self = argument;

	self->ret = cio_detach(self->fd, self->conn);
	return NULL;
}

/* The socket is dropped when the worker is through with it, and counts until then. */
TEST_F(engine, C52_detached_socket_counts_while_an_operation_runs)
{
	struct sigaction action = { .sa_handler = nothing };
	int fd = cio_context(variant->engine, 0), uffd, ends[2];
	struct detacher detacher = { .fd = fd, .ret = POISON };
	void *page = held_page(&uffd);
	pthread_t thread;
	__u64 conn;

	if (!page)
		SKIP(return, "no userfaultfd(2)");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, udp_pair(AF_INET, ends));
	ASSERT_EQ(0, cio_attach(fd, ends[0], &detacher.conn));
	ASSERT_EQ(1, send(ends[1], "x", 1, 0));
	common_op_flags = CANCELIO_OP_WORKER;
	ASSERT_EQ(1, submit_one(fd, op_recv(detacher.conn, page, 1)));
	ASSERT_TRUE(await_fault(uffd));
	ASSERT_EQ(0, set_limit(RLIMIT_NOFILE, LIMIT));
	ASSERT_EQ(LIMIT - 1, attach_all(fd, &conn));
	ASSERT_EQ(0, cio_detach(fd, conn));
	ASSERT_EQ(0, pthread_create(&thread, NULL, detach, &detacher));
	ASSERT_EQ(0, attach_new(fd, NULL));
	while (pthread_tryjoin_np(thread, NULL))
		ASSERT_EQ(0, pthread_kill(thread, SIGUSR1));
	EXPECT_EQ(-EINTR, detacher.ret);
	EXPECT_EQ(-EMFILE, attach_new(fd, NULL));
	ASSERT_EQ(0, release_page(uffd, page));
	EXPECT_EQ(0, until(attach_one, &fd, 0));
	close(uffd);
	close(fd);
}

static int attach_in_child(void *engine)
{
	int fd = cio_context(*(__u32 *)engine, 0);

	return fd >= 0 && !attach_new(fd, NULL) ? 0 : 1;
}

TEST_F(engine, C52_another_process_has_its_own_count)
{
	__u32 engine = variant->engine;
	int fd = cio_context(engine, 0);
	__u64 conn;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, set_limit(RLIMIT_NOFILE, LIMIT));
	ASSERT_EQ(LIMIT, attach_all(fd, &conn));
	EXPECT_EQ(0, in_child(attach_in_child, &engine));
	close(fd);
}

static int open_and_close(void *engine)
{
	int fd = cio_context(*(__u32 *)engine, 0);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

TEST_F(engine, C52_workers_are_counted_over_all_contexts)
{
	__u32 engine = variant->engine;
	int fds[4], i;

	ASSERT_EQ(0, set_limit(RLIMIT_NPROC, ARRAY_SIZE(fds)));
	for (i = 0; i < (int)ARRAY_SIZE(fds); i++) {
		fds[i] = cio_context(engine, 0);
		ASSERT_LE(0, fds[i]);
	}
	EXPECT_EQ(-EAGAIN, cio_context(engine, 0));
	EXPECT_EQ(-EAGAIN, cio_context(engine, 0));
	close(fds[0]);
	/* The worker ends soon after its context. */
	EXPECT_EQ(0, until(open_and_close, &engine, 0));
	for (i = 1; i < (int)ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* A setup that was refused leaves the context as it was. */
TEST_F(engine, C52_setup_without_a_worker_is_EAGAIN_and_can_be_repeated)
{
	struct cancelio_setup setup = { .size = sizeof(setup), .engine = variant->engine };
	int fd = cio_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, set_limit(RLIMIT_NPROC, 0));
	EXPECT_EQ(-EAGAIN, cio_setup(fd, &setup));
	EXPECT_EQ(-ENXIO, cio_shutdown(fd));
	ASSERT_EQ(0, set_limit(RLIMIT_NPROC, 1));
	EXPECT_EQ(0, cio_setup(fd, &setup));
	close(fd);
}

/* One worker, and no second one to be had: what needs workers goes on. */
TEST_F(engine, C52_operations_go_on_with_one_worker)
{
	static char bytes[8][64];
	struct cancelio_completion result;
	int ends[8][2], fd, i, round;
	__u64 conns[8];

	ASSERT_EQ(0, set_limit(RLIMIT_NPROC, 1));
	fd = cio_context(variant->engine, 0);
	ASSERT_LE(0, fd);
	common_op_flags = CANCELIO_OP_WORKER;
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, udp_pair(AF_INET, ends[i]));
		ASSERT_EQ(0, cio_attach(fd, ends[i][0], &conns[i]));
	}
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 8; i++)
			ASSERT_EQ(1, submit_one(fd, op_recv(conns[i], bytes[i], 64)));
		for (i = 0; i < 8; i++)
			ASSERT_EQ(64, send(ends[i][1], bytes[i], 64, 0));
		for (i = 0; i < 8; i++) {
			ASSERT_EQ(1, reap(fd, &result));
			EXPECT_DONE(result, 64);
		}
	}
	for (i = 0; i < 8; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	close(fd);
}

/*
 * The next operation is there as soon as the last one's completion, when the only worker
 * is about to lie down.
 */
TEST_F(engine, C1_only_worker_leaves_nothing_that_came_before_it_lay_down)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = variant->engine, .entries = 256,
		.max_workers = 1,
	};
	struct cancelio_completion result;
	struct cancelio_ring *ring;
	int fd = cio_open(), ends[2], round;
	__u64 conn;
	char byte;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, cio_setup(fd, &setup));
	ring = cio_map(fd, 256);
	ASSERT_NE(NULL, ring);
	ASSERT_EQ(0, udp_pair(AF_INET, ends));
	ASSERT_EQ(0, cio_attach(fd, ends[0], &conn));
	common_op_flags = CANCELIO_OP_WORKER;
	for (round = 0; round < 600; round++) {
		/* Its data is there: it only has to be run. */
		if (round % 100 == 0)
			for (int i = 0; i < 100; i++)
				ASSERT_EQ(1, send(ends[1], "x", 1, 0));
		ASSERT_EQ(1, submit_one(fd, op_recv(conn, &byte, 1)));
		ASSERT_TRUE(ring_spin(ring, &result));
		ASSERT_EQ(CANCELIO_DONE, result.reason);
	}
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

TEST_HARNESS_MAIN
