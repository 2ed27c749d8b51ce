// SPDX-License-Identifier: GPL-2.0
/* poll(2), select(2) and epoll(7) on a context (C71). */
#include "engine_fixture.h"
#include "tcp_fixture.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

/* When their time is over, poll(2) and select(2) look once more: nobody woke them. */
static bool was_woken(int timeout, __s64 end)
{
	return !timeout || now() < end;
}

static bool polls_readable(int fd, int timeout)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	__s64 end = after(timeout * MS);

	return poll(&poll_fd, 1, timeout) == 1 && poll_fd.revents & POLLIN &&
		was_woken(timeout, end);
}

static bool selects_readable(int fd, __s64 timeout)
{
	struct timeval time = { .tv_sec = timeout / SECOND, .tv_usec = timeout % SECOND / 1000 };
	__s64 end = after(timeout);
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, &time) == 1 && FD_ISSET(fd, &set) &&
		was_woken(timeout / MS, end);
}

static int complete_one(int fd, __u64 conn)
{
	static char byte;
	int ret = submit_one(fd, op_recv(conn, &byte, 1));

	if (ret != 1)
		return ret;
	return cio_cancel(fd, CANCELIO_CANCEL_CONN, conn, CANCELIO_READ);
}

static int new_epoll(int fd, __u32 events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		close(epoll);
		return -1;
	}
	return epoll;
}

TEST_F(tcp, C71_context_is_readable_exactly_while_completions_are_there)
{
	struct cancelio_completion result;
	int i;

	for (i = 0; i < 3; i++) {
		EXPECT_FALSE(polls_readable(self->fd, 0));
		EXPECT_FALSE(selects_readable(self->fd, 0));
		ASSERT_EQ(1, complete_one(self->fd, self->conn));
		ASSERT_EQ(1, complete_one(self->fd, self->conn));
		EXPECT_TRUE(polls_readable(self->fd, 0));
		EXPECT_TRUE(selects_readable(self->fd, 0));
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_TRUE(polls_readable(self->fd, 0));
		ASSERT_EQ(1, reap(self->fd, &result));
	}
	EXPECT_FALSE(polls_readable(self->fd, 0));
}

TEST_F(tcp, C71_mapped_ring_is_readable_exactly_while_head_and_tail_differ)
{
	struct cancelio_ring *ring = cio_map(self->fd, 256);
	struct cancelio_completion result;
	int epoll = new_epoll(self->fd, EPOLLIN);
	struct epoll_event event;
	int i;

	ASSERT_NE(NULL, ring);
	ASSERT_LE(0, epoll);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
		ASSERT_EQ(1, complete_one(self->fd, self->conn));
		EXPECT_TRUE(polls_readable(self->fd, 0));
		/* It is told after the entry can be seen. */
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, LONG_ENOUGH / MS));
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 0));
		ASSERT_TRUE(ring_pop(ring, &result));
		EXPECT_FALSE(polls_readable(self->fd, 0));
	}
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	close(epoll);
}

TEST_F(tcp, C71_poll_select_and_epoll_wake_for_an_expiry)
{
	struct cancelio_completion result;
	struct epoll_event event;
	int epoll = new_epoll(self->fd, EPOLLIN);
	struct cancelio_op op;
	char byte;

	ASSERT_LE(0, epoll);
	op = with_timeout(op_recv(self->conn, &byte, 1), 20 * MS);
	ASSERT_EQ(1, submit_one(self->fd, op));
	EXPECT_TRUE(polls_readable(self->fd, LONG_ENOUGH / MS));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(1, submit_one(self->fd, op));
	EXPECT_TRUE(selects_readable(self->fd, LONG_ENOUGH));
	ASSERT_EQ(1, reap(self->fd, &result));
	ASSERT_EQ(1, submit_one(self->fd, op));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, LONG_ENOUGH / MS));
	EXPECT_EQ(EPOLLIN, event.events & EPOLLIN);
	ASSERT_EQ(1, reap(self->fd, &result));
	close(epoll);
}

TEST_F(tcp, C71_poll_wakes_for_data_that_a_worker_moved)
{
	struct cancelio_completion result;
	char byte = 0;
	pid_t pid;

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* Once the other one sleeps. */
		sleep_until(after(A_WHILE));
		_exit(write(self->peer, "p", 1) == 1 ? 0 : 1);
	}
	EXPECT_TRUE(polls_readable(self->fd, LONG_ENOUGH / MS));
	ASSERT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_DONE(result, 1);
	EXPECT_EQ('p', byte);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_F(tcp, C71_edge_triggered_epoll_wakes_for_each_batch_also_when_the_ring_was_not_empty)
{
	struct epoll_event event;
	int epoll = new_epoll(self->fd, EPOLLIN | EPOLLET);
	int i;

	ASSERT_LE(0, epoll);
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(1, complete_one(self->fd, self->conn));
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, LONG_ENOUGH / MS));
		EXPECT_EQ(EPOLLIN, event.events & EPOLLIN);
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	}
	close(epoll);
}

TEST_F(tcp, C71_held_operations_do_not_make_the_context_readable)
{
	struct cancelio_completion result;
	struct cancelio_op op = with_flags(op_send(self->conn, "x", 1), CANCELIO_OP_HOLD);
	__u64 id;

	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &id, NULL));
	ASSERT_EQ(0, cio_wait_op(self->fd, id, after(LONG_ENOUGH), &result));
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
	EXPECT_FALSE(polls_readable(self->fd, 0));
}

/* Who watches from before SETUP on hears of what comes after it. */
TEST_F(engine, C71_epoll_from_before_setup_hears_of_completions)
{
	struct cancelio_setup setup = { .size = sizeof(setup), .engine = variant->engine };
	struct epoll_event event;
	int fd = cio_open(), epoll, sv[2];
	__u64 conn;

	ASSERT_LE(0, fd);
	epoll = new_epoll(fd, EPOLLIN | EPOLLET);
	ASSERT_LE(0, epoll);
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 0));
	EXPECT_EQ(EPOLLERR, event.events);
	ASSERT_EQ(0, cio_setup(fd, &setup));
	ASSERT_EQ(0, tcp_pair(AF_INET, sv));
	ASSERT_EQ(0, cio_attach(fd, sv[0], &conn));
	ASSERT_EQ(1, complete_one(fd, conn));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, LONG_ENOUGH / MS));
	EXPECT_EQ(EPOLLIN, event.events);
	close(epoll);
	close(sv[0]);
	close(sv[1]);
	close(fd);
}

TEST_HARNESS_MAIN
