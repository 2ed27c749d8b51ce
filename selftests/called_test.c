// SPDX-License-Identifier: GPL-2.0
/*
 * A thread that was woken for what is ready and does not come to it: it gets no
 * processor, or the program's memory holds it up.  Others come (C20, C45, C71).
 *
 * That thread has one processor with the test, which goes first: so everything that is
 * to be ready is, before it looks.
 */
#include "watch.h"
#include "unix_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>

/* What gives ordinary threads a part of a processor that one of ours does not leave. */
#define THROTTLE	"/proc/sys/kernel/sched_rt_runtime_us"
#define FAIR_SERVER	"/sys/kernel/debug/sched/fair_server/cpu0/runtime"

/* A thread that waits for more than comes. */
struct waiter {
	int fd;
	pid_t thread;
};

static void *wait_for_shutdown(void *argument)
{
	struct sched_param ordinary = {};
	struct waiter *waiter = argument;

	if (pthread_setschedparam(pthread_self(), SCHED_OTHER, &ordinary))
		return NULL;
	__atomic_store_n(&waiter->thread, gettid(), __ATOMIC_RELEASE);
	cio_wait(waiter->fd, 200, NULL, 0, CANCELIO_NEVER);
	return NULL;
}

/* Starts it, and waits until it sleeps; the calling thread now goes first. */
static bool start_waiter(struct waiter *waiter, pthread_t *thread)
{
	struct sched_param first = { .sched_priority = 1 };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	return !sched_setaffinity(0, sizeof(one), &one) &&
	       !pthread_setschedparam(pthread_self(), SCHED_FIFO, &first) &&
	       !pthread_create(thread, NULL, wait_for_shutdown, waiter) &&
	       await_in_ioctl(&waiter->thread);
}

/* One more connection, with a read into @buffer that waits. */
static bool add_reader(int fd, void *buffer, __u64 cookie, int *peer)
{
	int ends[2];
	__u64 conn;

	if (tcp_pair(AF_INET, ends) || cio_attach(fd, ends[0], &conn))
		return false;
	close(ends[0]);
	*peer = ends[1];
	return submit_one(fd, with_cookie(op_recv(conn, buffer, 1), cookie)) == 1;
}

/* One more connection, with a send of @buffer that needs a caller once @peer is read. */
static bool add_sender(int fd, void *buffer, int *peer)
{
	int ends[2], bytes = 1;
	__u64 conn;

	if (unix_pair(SOCK_STREAM, ends) ||
	    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) ||
	    cio_attach(fd, ends[0], &conn))
		return false;
	close(ends[0]);
	*peer = ends[1];
	return fill_up(fd, conn) && submit_one(fd, op_send(conn, buffer, 1)) == 1;
}

/* Not every kernel has the second one. */
static bool end_throttling(void)
{
	return !write_file(THROTTLE, "-1") &&
	       (access(FAIR_SERVER, F_OK) || !write_file(FAIR_SERVER, "0"));
}

static void throttle_again(void)
{
	write_file(FAIR_SERVER, "50000000");
	write_file(THROTTLE, "950000");
}

FIXTURE(called) {
	struct waiter waiter;
	pthread_t thread;
	int peers[2];
	int uffd;
	char *page;
};

FIXTURE_SETUP(called)
{
	/* As late as can be, where only deadlines may be late. */
	struct cancelio_setup setup = { .size = sizeof(setup), .slack = 1000000000 };

	self->waiter.fd = cio_open();
	ASSERT_LE(0, self->waiter.fd);
	ASSERT_EQ(0, cio_setup(self->waiter.fd, &setup));
	self->page = held_page(&self->uffd);
	if (!self->page)
		SKIP(return, "no userfaultfd(2)");
}

FIXTURE_TEARDOWN(called)
{
	int i;

	release_page(self->uffd, self->page);
	cio_shutdown(self->waiter.fd);
	pthread_join(self->thread, NULL);
	for (i = 0; i < 2; i++)
		close(self->peers[i]);
	close(self->waiter.fd);
	close(self->uffd);
}

TEST_F(called, C20_page_fault_of_a_waiting_thread_holds_up_no_other_connection)
{
	struct cancelio_completion result;
	int fd = self->waiter.fd;
	char byte;

	ASSERT_TRUE(add_reader(fd, self->page, 1, &self->peers[0]));
	ASSERT_TRUE(add_reader(fd, &byte, 2, &self->peers[1]));
	ASSERT_TRUE(start_waiter(&self->waiter, &self->thread));
	ASSERT_EQ(1, write(self->peers[0], "y", 1));
	ASSERT_EQ(1, write(self->peers[1], "z", 1));
	EXPECT_EQ(POLLIN, wait_events(fd, POLLIN));
	ASSERT_EQ(1, cio_wait(fd, 0, &result, 1, 0));
	EXPECT_EQ(2, result.user_data);
	EXPECT_EQ('z', byte);
}

/* The test does not give the processor away; a worker has the other one. */
TEST_F(called, C20_thread_that_gets_no_processor_holds_up_no_connection_for_long)
{
	int fd = self->waiter.fd;
	__s64 end;
	char bytes[2];

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs two processors");
	if (!access("/sys/kernel/realtime", F_OK))
		SKIP(return, "the thread of the timers gets no processor either");
	ASSERT_TRUE(end_throttling());
	ASSERT_TRUE(add_reader(fd, &bytes[0], 1, &self->peers[0]));
	ASSERT_TRUE(add_reader(fd, &bytes[1], 2, &self->peers[1]));
	ASSERT_TRUE(start_waiter(&self->waiter, &self->thread));
	ASSERT_EQ(1, write(self->peers[0], "y", 1));
	ASSERT_EQ(1, write(self->peers[1], "z", 1));
	end = after(LONG_ENOUGH);
	while (!is_readable(fd) && now() < end)
		;
	EXPECT_TRUE(is_readable(fd));
	throttle_again();
}

/* When the second one became ready, a thread was to come. */
TEST_F(called, C71_eventfd_tells_of_what_needs_a_caller_beside_one_that_is_held_up)
{
	int fd = self->waiter.fd, event = eventfd(0, EFD_NONBLOCK);
	__u64 news;

	ASSERT_TRUE(add_sender(fd, self->page, &self->peers[0]));
	ASSERT_TRUE(add_sender(fd, "x", &self->peers[1]));
	ASSERT_TRUE(start_waiter(&self->waiter, &self->thread));
	ASSERT_EQ(0, cio_eventfd(fd, event));
	(void)!read(event, &news, sizeof(news));
	drain(self->peers[0]);
	drain(self->peers[1]);
	EXPECT_EQ(POLLIN, wait_events(event, POLLIN));
	EXPECT_TRUE(is_readable(fd));
	close(event);
}

TEST_HARNESS_MAIN
