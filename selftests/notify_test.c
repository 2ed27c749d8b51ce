// SPDX-License-Identifier: GPL-2.0
/* The eventfd of a context: signalled for every batch, never missed (C71). */
#include "tcp_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What the counter holds, which is 0 from then on; none: 0. */
static __u64 take(int eventfd)
{
	__u64 count = 0;

	if (read(eventfd, &count, sizeof(count)) != sizeof(count))
		return 0;
	return count;
}

static bool is_signalled(int eventfd)
{
	return wait_events(eventfd, POLLIN) == POLLIN && take(eventfd) > 0;
}

static bool stays_silent(int eventfd)
{
	struct pollfd poll_fd = { .fd = eventfd, .events = POLLIN };

	return poll(&poll_fd, 1, A_WHILE / MS) == 0;
}

/* A completion in the ring, without the socket's help. */
static int complete_one(int fd, __u64 conn)
{
	static char byte;
	int ret = submit_one(fd, op_recv(conn, &byte, 1));

	return ret == 1 ? cio_cancel(fd, CANCELIO_CANCEL_CONN, conn, CANCELIO_READ) : ret;
}

static int new_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

TEST_F(tcp, C71_eventfd_is_signalled_by_a_completion)
{
	struct cancelio_completion result;
	int eventfd = new_eventfd();
	char byte = POISON;

	ASSERT_EQ(0, cio_eventfd(self->fd, eventfd));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_TRUE(stays_silent(eventfd));
	ASSERT_EQ(1, send(self->peer, "x", 1, 0));
	EXPECT_TRUE(is_signalled(eventfd));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_TRUE(stays_silent(eventfd));
	close(eventfd);
}

TEST_F(tcp, C71_eventfd_is_signalled_by_a_deadline)
{
	struct cancelio_completion result;
	int eventfd = new_eventfd();
	char byte;

	ASSERT_EQ(0, cio_eventfd(self->fd, eventfd));
	ASSERT_EQ(1, submit_one(self->fd, with_timeout(op_recv(self->conn, &byte, 1), MS)));
	EXPECT_TRUE(is_signalled(eventfd));
	ASSERT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, after(MS), 0));
	EXPECT_TRUE(is_signalled(eventfd));
	ASSERT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_EXPIRED(result);
	close(eventfd);
}

TEST_F(tcp, C71_eventfd_is_signalled_when_the_ring_is_not_empty)
{
	int eventfd = new_eventfd();
	int i;

	ASSERT_EQ(0, cio_eventfd(self->fd, eventfd));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(1, complete_one(self->fd, self->conn));
		EXPECT_TRUE(is_signalled(eventfd));
		EXPECT_EQ(0, take(eventfd));
	}
	close(eventfd);
}

TEST_F(tcp, C71_eventfd_set_while_completions_are_there_is_signalled_at_once)
{
	struct cancelio_completion result;
	int eventfd = new_eventfd();

	ASSERT_EQ(1, complete_one(self->fd, self->conn));
	ASSERT_EQ(0, cio_eventfd(self->fd, eventfd));
	EXPECT_LT(0, take(eventfd));
	ASSERT_EQ(1, reap(self->fd, &result));
	ASSERT_EQ(0, cio_eventfd(self->fd, eventfd));
	EXPECT_EQ(0, take(eventfd));
	close(eventfd);
}

TEST_F(tcp, C71_eventfd_is_not_signalled_for_results_that_do_not_go_to_the_ring)
{
	struct cancelio_completion result;
	int eventfd = new_eventfd();
	struct cancelio_op op;
	__u64 id;
	char byte;

	ASSERT_EQ(0, cio_eventfd(self->fd, eventfd));
	op = with_flags(op_recv(self->conn, &byte, 1), CANCELIO_OP_HOLD);
	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &id, NULL));
	ASSERT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ID, id, 0));
	ASSERT_EQ(0, cio_wait_op(self->fd, id, after(LONG_ENOUGH), &result));
	EXPECT_CANCELED(result);
	op = with_timeout(op_recv(self->conn, &byte, 1), MS);
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_EXPIRED(result);
	EXPECT_TRUE(stays_silent(eventfd));
	close(eventfd);
}

TEST_F(tcp, C71_eventfd_is_not_signalled_by_a_deadline_that_was_moved)
{
	int eventfd = new_eventfd();
	__s64 time = after(SECOND / 2);
	char byte;

	ASSERT_EQ(0, cio_eventfd(self->fd, eventfd));
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, time, 0));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, after(LONG_ENOUGH), 0));
	sleep_until(time);
	EXPECT_TRUE(stays_silent(eventfd));
	close(eventfd);
}

TEST_F(tcp, C71_eventfd_that_was_replaced_hears_nothing_more)
{
	int first = new_eventfd(), second = new_eventfd();
	struct cancelio_completion result;

	ASSERT_EQ(0, cio_eventfd(self->fd, first));
	ASSERT_EQ(0, cio_eventfd(self->fd, second));
	ASSERT_EQ(1, complete_one(self->fd, self->conn));
	EXPECT_TRUE(is_signalled(second));
	EXPECT_TRUE(stays_silent(first));
	ASSERT_EQ(1, reap(self->fd, &result));
	ASSERT_EQ(0, cio_eventfd(self->fd, -1));
	ASSERT_EQ(1, complete_one(self->fd, self->conn));
	EXPECT_TRUE(stays_silent(first));
	EXPECT_TRUE(stays_silent(second));
	EXPECT_EQ(0, cio_eventfd(self->fd, -1));
	close(first);
	close(second);
}

TEST_F(tcp, C71_eventfd_outlives_its_descriptor_and_the_context)
{
	int eventfd = new_eventfd(), copy = dup(eventfd);
	int ends[2], fd = cio_context(variant->engine, 0);
	__u64 conn;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, udp_pair(AF_INET, ends));
	ASSERT_EQ(0, cio_attach(fd, ends[0], &conn));
	ASSERT_EQ(0, cio_eventfd(fd, eventfd));
	close(eventfd);
	ASSERT_EQ(1, complete_one(fd, conn));
	EXPECT_TRUE(is_signalled(copy));
	close(copy);
	/* Nobody has it any more but the context. */
	ASSERT_EQ(1, complete_one(fd, conn));
	ASSERT_EQ(0, cio_eventfd(fd, -1));
	eventfd = new_eventfd();
	ASSERT_EQ(0, cio_eventfd(fd, eventfd));
	close(fd);
	EXPECT_TRUE(is_signalled(eventfd));
	EXPECT_EQ(sizeof(conn), write(eventfd, &conn, sizeof(conn)));
	EXPECT_EQ(conn, take(eventfd));
	close(eventfd);
	close(ends[0]);
	close(ends[1]);
}

TEST_F(tcp, C71_eventfd_serves_several_contexts)
{
	int eventfd = new_eventfd(), other = cio_context(variant->engine, 0);
	__u64 conn;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, cio_attach(other, self->sock, &conn));
	ASSERT_EQ(0, cio_eventfd(self->fd, eventfd));
	ASSERT_EQ(0, cio_eventfd(other, eventfd));
	ASSERT_EQ(1, complete_one(self->fd, self->conn));
	EXPECT_EQ(1, take(eventfd));
	ASSERT_EQ(1, complete_one(other, conn));
	EXPECT_EQ(1, take(eventfd));
	ASSERT_EQ(1, complete_one(self->fd, self->conn));
	ASSERT_EQ(1, complete_one(other, conn));
	EXPECT_EQ(2, take(eventfd));
	close(other);
	close(eventfd);
}

TEST_F(tcp, C71_eventfd_is_signalled_by_the_end_of_the_context)
{
	struct cancelio_completion result;
	int eventfd = new_eventfd();

	ASSERT_EQ(0, cio_eventfd(self->fd, eventfd));
	ASSERT_EQ(0, cio_shutdown(self->fd));
	EXPECT_TRUE(is_signalled(eventfd));
	EXPECT_EQ(-ESHUTDOWN, cio_wait(self->fd, 1, &result, 1, after(LONG_ENOUGH)));
	EXPECT_EQ(-ESHUTDOWN, cio_eventfd(self->fd, -1));
	close(eventfd);
}

TEST_F(tcp, C71_eventfd_wakes_an_edge_triggered_epoll_for_each_batch)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int eventfd = new_eventfd(), epoll = epoll_create1(EPOLL_CLOEXEC);
	int i;

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, eventfd, &event));
	ASSERT_EQ(0, cio_eventfd(self->fd, eventfd));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, complete_one(self->fd, self->conn));
		/* The counter is not read: each addition is an edge. */
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, LONG_ENOUGH / MS));
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	}
	close(epoll);
	close(eventfd);
}

struct setter {
	int fd;
	int eventfds[2];
	int stop;
};

static void *set_again_and_again(void *argument)
{
	struct setter *setter = argument;
	int i = 0;

	while (!__atomic_load_n(&setter->stop, __ATOMIC_ACQUIRE))
		cio_eventfd(setter->fd, setter->eventfds[i++ & 1]);
	return NULL;
}

/* Reads both counters first, and then reaps all there is. */
static int collect(struct setter *setter)
{
	struct cancelio_completion results[16];
	struct pollfd poll_fds[2] = {
		{ .fd = setter->eventfds[0], .events = POLLIN },
		{ .fd = setter->eventfds[1], .events = POLLIN },
	};
	int ret, total = 0;

	if (poll(poll_fds, 2, LONG_ENOUGH / MS) < 1)
		return -ETIME;
	take(setter->eventfds[0]);
	take(setter->eventfds[1]);
	while ((ret = cio_wait(setter->fd, 0, results, ARRAY_SIZE(results), 0)) > 0)
		total += ret;
	return ret < 0 ? ret : total;
}

TEST_F(tcp, C71_no_completion_is_missed_while_the_eventfd_is_replaced)
{
	struct setter setter = {
		.fd = self->fd, .eventfds = { new_eventfd(), new_eventfd() },
	};
	struct cancelio_op op;
	pthread_t thread;
	char byte;
	int i, ret;

	ASSERT_EQ(0, cio_eventfd(self->fd, setter.eventfds[0]));
	ASSERT_EQ(0, pthread_create(&thread, NULL, set_again_and_again, &setter));
	op = with_flags(op_recv(self->conn, &byte, 1), CANCELIO_OP_WORKER);
	for (i = 0; i < 300; i++) {
		ASSERT_EQ(1, submit_one(self->fd, op));
		ASSERT_EQ(1, send(self->peer, "x", 1, 0));
		do {
			ret = collect(&setter);
			ASSERT_LE(0, ret);
		} while (!ret);
		ASSERT_EQ(1, ret);
	}
	__atomic_store_n(&setter.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	close(setter.eventfds[0]);
	close(setter.eventfds[1]);
}

TEST_F(tcp, C61_eventfd_refuses_what_is_none_and_keeps_the_one_it_has)
{
	int eventfd = new_eventfd();
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	close(ends[1]);
	ASSERT_EQ(0, cio_eventfd(self->fd, eventfd));
	EXPECT_EQ(-EBADF, cio_eventfd(self->fd, ends[1]));
	EXPECT_EQ(-EBADF, cio_eventfd(self->fd, 1 << 30));
	EXPECT_EQ(-EINVAL, cio_eventfd(self->fd, ends[0]));
	EXPECT_EQ(-EINVAL, cio_eventfd(self->fd, self->fd));
	EXPECT_EQ(-EINVAL, cio_eventfd(self->fd, -2));
	EXPECT_EQ(-EINVAL, cio_eventfd(self->fd, -2147483647 - 1));
	ASSERT_EQ(1, complete_one(self->fd, self->conn));
	EXPECT_TRUE(is_signalled(eventfd));
	close(ends[0]);
	close(eventfd);
}

TEST_HARNESS_MAIN
