// SPDX-License-Identifier: GPL-2.0
/* What only a thread of the owner may run: sends of AF_UNIX, and its control data (C45, C51). */
#define _GNU_SOURCE
#include "unix_fixture.h"
#include "watch.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define ENTRIES	256
/* More than a thread runs in a turn, and not more than two. */
#define CROWD	200

/* A send that could go on now, if there were somebody to run it. */
static bool leave_to_callers(int fd, int peer, struct cancelio_op op, __u64 *id)
{
	if (!fill_up(fd, op.conn) || cio_submit(fd, &op, 1, id, NULL) != 1 || is_readable(fd))
		return false;
	drain(peer);
	return wait_events(fd, POLLIN) == POLLIN;
}

TEST_F(local, C45_send_waits_for_a_caller_and_poll_says_so)
{
	struct cancelio_ring *ring = cio_map(self->fd, ENTRIES);
	struct cancelio_completion result;
	char buffer[8] = {};
	__u64 id;

	ASSERT_NE(NULL, ring);
	ASSERT_TRUE(leave_to_callers(self->fd, self->peer, op_send(self->conn, "abc", 3), &id));
	sleep_until(after(A_WHILE));
	EXPECT_EQ(0, ring_count(ring));
	EXPECT_EQ(-1, recv(self->peer, buffer, 1, MSG_DONTWAIT));
	EXPECT_TRUE(is_readable(self->fd));
	/* One look runs it. */
	EXPECT_EQ(1, cio_wait(self->fd, 0, NULL, 0, 0));
	ASSERT_TRUE(ring_pop(ring, &result));
	EXPECT_DONE(result, 3);
	EXPECT_EQ(id, result.id);
	EXPECT_EQ(3, recv(self->peer, buffer, sizeof(buffer), 0));
	EXPECT_STREQ("abc", buffer);
	EXPECT_FALSE(is_readable(self->fd));
}

TEST_F(local, C45_edge_triggered_epoll_hears_that_a_caller_is_needed)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct cancelio_op op = op_send(self->conn, "abc", 3);
	struct cancelio_completion result;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_TRUE(fill_up(self->fd, self->conn));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->fd, &event));
	ASSERT_EQ(1, submit_one(self->fd, op));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	drain(self->peer);
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, LONG_ENOUGH / MS));
	EXPECT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_DONE(result, 3);
	close(epoll);
}

/* Results that are held call nobody: what a turn leaves is told for its own sake. */
TEST_F(local, C45_edge_triggered_epoll_hears_of_what_a_turn_has_left)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC), ends[2], peers[CROWD], i;
	struct cancelio_completion result;
	__u64 conn, ids[CROWD];

	for (i = 0; i < CROWD; i++) {
		struct cancelio_op op;

		ASSERT_EQ(0, unix_pair(variant->type, ends));
		ASSERT_EQ(0, cio_attach(self->fd, ends[0], &conn));
		ASSERT_TRUE(fill_up(self->fd, conn));
		op = with_flags(op_send(conn, "abc", 3), CANCELIO_OP_HOLD);
		ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &ids[i], NULL));
		close(ends[0]);
		peers[i] = ends[1];
	}
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->fd, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	for (i = 0; i < CROWD; i++)
		drain(peers[i]);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, LONG_ENOUGH / MS));
		EXPECT_EQ(0, cio_wait(self->fd, 0, NULL, 0, 0));
	}
	for (i = 0; i < CROWD; i++) {
		ASSERT_EQ(0, cio_wait_op(self->fd, ids[i], 0, &result));
		EXPECT_DONE(result, 3);
		close(peers[i]);
	}
	close(epoll);
}

TEST_F(local, C45_eventfd_tells_that_a_caller_is_needed)
{
	struct cancelio_ring *ring = cio_map(self->fd, ENTRIES);
	struct cancelio_completion result;
	int events = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), later;
	__u64 count;

	ASSERT_NE(NULL, ring);
	ASSERT_TRUE(fill_up(self->fd, self->conn));
	ASSERT_EQ(0, cio_eventfd(self->fd, events));
	ASSERT_EQ(1, submit_one(self->fd, op_send(self->conn, "abc", 3)));
	EXPECT_EQ(-1, read(events, &count, sizeof(count)));
	drain(self->peer);
	EXPECT_EQ(POLLIN, wait_events(events, POLLIN));
	EXPECT_EQ(0, ring_count(ring));
	/* One that is set only now hears of it as well. */
	later = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_EQ(0, cio_eventfd(self->fd, later));
	EXPECT_EQ(sizeof(count), read(later, &count, sizeof(count)));
	EXPECT_EQ(1, cio_wait(self->fd, 0, NULL, 0, 0));
	ASSERT_TRUE(ring_pop(ring, &result));
	EXPECT_DONE(result, 3);
	close(later);
	close(events);
}

TEST_F(local, C45_deadline_ends_a_blocked_send_without_a_caller)
{
	struct cancelio_ring *ring = cio_map(self->fd, ENTRIES);
	struct cancelio_completion result;

	ASSERT_NE(NULL, ring);
	ASSERT_TRUE(fill_up(self->fd, self->conn));
	ASSERT_EQ(1, submit_one(self->fd,
				with_timeout(op_send(self->conn, "abc", 3), 20 * MS)));
	ASSERT_TRUE(ring_spin(ring, &result));
	EXPECT_EXPIRED(result);
	EXPECT_FALSE(is_readable(self->fd));
}

TEST_F(local, C45_deadline_ends_a_send_that_waits_for_a_caller)
{
	struct cancelio_ring *ring = cio_map(self->fd, ENTRIES);
	struct cancelio_completion result;
	char byte;
	__u64 id;

	ASSERT_NE(NULL, ring);
	ASSERT_TRUE(leave_to_callers(self->fd, self->peer, op_send(self->conn, "abc", 3), &id));
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_WRITE, 0, after(20 * MS)));
	ASSERT_TRUE(ring_spin(ring, &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(CANCELIO_WHICH_SIDE, result.which);
	/* The interrupt posts it first, and is over when this returns. */
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_WRITE, 0, CANCELIO_NEVER));
	/* Nobody is needed any more, and nothing was sent. */
	EXPECT_FALSE(is_readable(self->fd));
	EXPECT_EQ(0, cio_wait(self->fd, 0, NULL, 0, 0));
	EXPECT_EQ(-1, recv(self->peer, &byte, 1, MSG_DONTWAIT));
}

TEST_F(local, C45_cancel_ends_a_send_that_waits_for_a_caller)
{
	struct cancelio_ring *ring = cio_map(self->fd, ENTRIES);
	struct cancelio_completion result;
	__u64 id;

	ASSERT_NE(NULL, ring);
	ASSERT_TRUE(leave_to_callers(self->fd, self->peer, op_send(self->conn, "abc", 3), &id));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ID, id, 0));
	ASSERT_TRUE(ring_pop(ring, &result));
	EXPECT_CANCELED(result);
	EXPECT_FALSE(is_readable(self->fd));
}

/* The next one of the queue needs a caller as much as the first did. */
TEST_F(local, C45_caller_is_still_needed_for_the_next_send)
{
	struct cancelio_ring *ring = cio_map(self->fd, ENTRIES);
	struct cancelio_completion result;
	struct cancelio_op ops[2];
	__u64 ids[2];

	ASSERT_NE(NULL, ring);
	ops[0] = op_send(self->conn, "first", 5);
	ops[1] = op_send(self->conn, "second", 6);
	ASSERT_TRUE(fill_up(self->fd, self->conn));
	ASSERT_EQ(2, cio_submit(self->fd, ops, 2, ids, NULL));
	drain(self->peer);
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ID, ids[0], 0));
	ASSERT_TRUE(ring_pop(ring, &result));
	EXPECT_CANCELED(result);
	EXPECT_TRUE(is_readable(self->fd));
	EXPECT_EQ(1, cio_wait(self->fd, 0, NULL, 0, 0));
	ASSERT_TRUE(ring_pop(ring, &result));
	EXPECT_DONE(result, 6);
}

TEST_F(local, C45_detach_needs_no_caller)
{
	struct cancelio_ring *ring = cio_map(self->fd, ENTRIES);
	struct cancelio_completion result;
	__u64 id;

	ASSERT_NE(NULL, ring);
	ASSERT_TRUE(leave_to_callers(self->fd, self->peer, op_send(self->conn, "abc", 3), &id));
	EXPECT_EQ(0, cio_detach(self->fd, self->conn));
	ASSERT_TRUE(ring_pop(ring, &result));
	EXPECT_CLOSED(result);
	EXPECT_FALSE(is_readable(self->fd));
}

TEST_F(local, C45_shutdown_needs_no_caller)
{
	struct cancelio_completion result;
	__u64 id;

	ASSERT_TRUE(leave_to_callers(self->fd, self->peer, op_send(self->conn, "abc", 3), &id));
	EXPECT_EQ(0, cio_shutdown(self->fd));
	EXPECT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_CLOSED(result);
}

/* A thread that waits, in one of the ways to do so. */
struct waiter {
	int fd;
	struct cancelio_op op;
	__u64 id;
	int ret;
	struct cancelio_completion result;
	pid_t thread;
};

static void *wait_for_any(void *data)
{
	struct waiter *waiter = data;

	waiter->ret = reap(waiter->fd, &waiter->result);
	return NULL;
}

static void *call_it(void *data)
{
	struct waiter *waiter = data;

	waiter->ret = run(waiter->fd, waiter->op, &waiter->result);
	return NULL;
}

static void *wait_for_id(void *data)
{
	struct waiter *waiter = data;

	waiter->ret = cio_wait_op(waiter->fd, waiter->id, after(LONG_ENOUGH), &waiter->result);
	return NULL;
}

TEST_F(local, C45_thread_asleep_in_WAIT_runs_it)
{
	struct waiter waiter = { .fd = self->fd };
	pthread_t thread;

	ASSERT_TRUE(fill_up(self->fd, self->conn));
	ASSERT_EQ(1, submit_one(self->fd, op_send(self->conn, "abc", 3)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_any, &waiter));
	sleep_until(after(A_WHILE));
	drain(self->peer);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(1, waiter.ret);
	EXPECT_DONE(waiter.result, 3);
}

TEST_F(local, C45_CALL_runs_what_stands_before_it)
{
	struct waiter waiter = { .fd = self->fd, .op = op_send(self->conn, "second", 6) };
	struct cancelio_completion result;
	pthread_t thread;

	ASSERT_TRUE(fill_up(self->fd, self->conn));
	ASSERT_EQ(1, submit_one(self->fd, op_send(self->conn, "first", 5)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, call_it, &waiter));
	sleep_until(after(A_WHILE));
	drain(self->peer);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, waiter.ret);
	EXPECT_DONE(waiter.result, 6);
	EXPECT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_DONE(result, 5);
}

TEST_F(local, C45_CALL_comes_for_what_waits_for_a_caller_already)
{
	struct cancelio_completion result;
	__u64 id;

	ASSERT_TRUE(leave_to_callers(self->fd, self->peer, op_send(self->conn, "first", 5), &id));
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "second", 6), &result));
	EXPECT_DONE(result, 6);
	EXPECT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_DONE(result, 5);
	EXPECT_FALSE(is_readable(self->fd));
}

TEST_F(local, C45_WAIT_OP_runs_what_it_waits_for_and_what_stands_before)
{
	struct waiter waiter = { .fd = self->fd };
	struct cancelio_completion result;
	struct cancelio_op held = with_flags(op_send(self->conn, "held", 4), CANCELIO_OP_HOLD);
	pthread_t thread;
	__u64 id;

	/* It waits for a caller already. */
	ASSERT_TRUE(leave_to_callers(self->fd, self->peer, held, &id));
	ASSERT_EQ(0, cio_wait_op(self->fd, id, after(LONG_ENOUGH), &result));
	EXPECT_DONE(result, 4);
	/* It will, behind another one. */
	ASSERT_TRUE(fill_up(self->fd, self->conn));
	ASSERT_EQ(1, submit_one(self->fd, op_send(self->conn, "first", 5)));
	ASSERT_EQ(1, cio_submit(self->fd, &held, 1, &waiter.id, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_id, &waiter));
	sleep_until(after(A_WHILE));
	drain(self->peer);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, waiter.ret);
	EXPECT_DONE(waiter.result, 4);
	EXPECT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_DONE(result, 5);
}

/* Threads that come for it and are interrupted, again and again: it is not forgotten. */
TEST_F(local, C45_interrupted_callers_lose_nothing)
{
	struct cancelio_completion result;
	int round, ret, sends = 0;

	ASSERT_EQ(0, interrupt_often(true));
	for (round = 0; round < 50; round++) {
		ASSERT_TRUE(fill_up(self->fd, self->conn));
		ASSERT_EQ(1, submit_one(self->fd, op_send(self->conn, "abc", 3)));
		drain(self->peer);
		while ((ret = cio_wait(self->fd, 1, &result, 1, CANCELIO_NEVER)) == -EINTR)
			;
		ASSERT_EQ(1, ret);
		sends += result.reason == CANCELIO_DONE;
	}
	ASSERT_EQ(0, interrupt_often(false));
	EXPECT_EQ(50, sends);
}

static void *wait_on_this_processor(void *argument)
{
	struct waiter *waiter = argument;
	struct sched_param ordinary = {};

	if (pthread_setschedparam(pthread_self(), SCHED_OTHER, &ordinary))
		return NULL;
	__atomic_store_n(&waiter->thread, gettid(), __ATOMIC_RELEASE);
	return wait_for_id(waiter);
}

/*
 * Both threads have one processor, and this one goes first: so the other one is given
 * its turn when it has been interrupted already, and has not noticed.
 */
TEST_F(local, C45_turn_of_a_caller_that_was_interrupted_goes_to_the_next)
{
	struct cancelio_op held = with_flags(op_send(self->conn, "held", 4), CANCELIO_OP_HOLD);
	struct sched_param first = { .sched_priority = 1 };
	struct cancelio_completion result;
	struct waiter waiter = { .fd = self->fd };
	pthread_t thread;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	ASSERT_EQ(0, pthread_setschedparam(pthread_self(), SCHED_FIFO, &first));
	ASSERT_EQ(0, interrupt_often(true));
	ASSERT_EQ(0, interrupt_often(false));
	ASSERT_TRUE(fill_up(self->fd, self->conn));
	ASSERT_EQ(1, cio_submit(self->fd, &held, 1, &waiter.id, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_on_this_processor, &waiter));
	ASSERT_TRUE(await_in_ioctl(&waiter.thread));
	ASSERT_EQ(0, pthread_kill(thread, SIGALRM));
	drain(self->peer);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-EINTR, waiter.ret);
	EXPECT_EQ(POLLIN, wait_events(self->fd, POLLIN));
	EXPECT_EQ(0, cio_wait(self->fd, 0, NULL, 0, 0));
	ASSERT_EQ(0, cio_wait_op(self->fd, waiter.id, 0, &result));
	EXPECT_DONE(result, 4);
}

/* Control data, in one buffer. */
union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(4 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

/* The credentials in received control data, or NULL. */
static struct ucred *credentials_in(struct msghdr *message)
{
	struct cmsghdr *head;

	for (head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head))
		if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_CREDENTIALS)
			return (struct ucred *)CMSG_DATA(head);
	return NULL;
}

/* The descriptor in received control data, or -1. */
static int descriptor_in(struct msghdr *message)
{
	struct cmsghdr *head;

	for (head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head))
		if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
			return *(int *)CMSG_DATA(head);
	return -1;
}

static bool same_file(int one, int other)
{
	struct stat a, b;

	return !fstat(one, &a) && !fstat(other, &b) && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

/* Every message that the peer gets, whoever of us ran the send, shows this process. */
TEST_F(local, C51_peer_sees_the_owner_and_no_kernel_thread)
{
	struct waiter waiter = { .fd = self->fd };
	union control control;
	char block[BLOCK];
	struct iovec iov = { .iov_base = block, .iov_len = sizeof(block) };
	struct msghdr message;
	struct ucred *credentials;
	pthread_t thread;
	ssize_t got;
	int on = 1;

	ASSERT_EQ(0, setsockopt(self->peer, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	ASSERT_TRUE(fill_up(self->fd, self->conn));
	ASSERT_EQ(1, submit_one(self->fd, op_send(self->conn, "who", 3)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_any, &waiter));
	do {
		message = (struct msghdr){
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = &control, .msg_controllen = sizeof(control),
		};
		got = recvmsg(self->peer, &message, 0);
		ASSERT_LT(0, got);
		credentials = credentials_in(&message);
		ASSERT_NE(NULL, credentials);
		EXPECT_EQ(getpid(), credentials->pid);
		EXPECT_EQ(getuid(), credentials->uid);
	} while (memcmp(block + got - 3, "who", 3));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(1, waiter.ret);
	EXPECT_DONE(waiter.result, 3);
}

/* Control data of one descriptor; returns its length. */
static size_t put_descriptor(union control *control, int fd)
{
	control->head.cmsg_level = SOL_SOCKET;
	control->head.cmsg_type = SCM_RIGHTS;
	control->head.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&control->head), &fd, sizeof(fd));
	return CMSG_SPACE(sizeof(fd));
}

static ssize_t send_descriptor(int sock, int fd, char byte)
{
	union control control = {};
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };

	message.msg_controllen = put_descriptor(&control, fd);
	return sendmsg(sock, &message, 0);
}

TEST_F(local, C45_pending_recvmsg_gets_descriptors_into_the_owner)
{
	union control control = {};
	char buffer[4] = {};
	struct cancelio_iovec iov = iovec_of(buffer, 4);
	struct cancelio_msg message = message_of(&iov, 1);
	struct msghdr got = { .msg_control = &control };
	struct cancelio_completion result;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC), copy;

	ASSERT_LE(0, fd);
	message.control = (unsigned long)&control;
	message.control_len = sizeof(control);
	ASSERT_EQ(1, submit_one(self->fd, with_msg_flags(op_recvmsg(self->conn, &message),
							 MSG_CMSG_CLOEXEC)));
	EXPECT_FALSE(is_readable(self->fd));
	ASSERT_EQ(1, send_descriptor(self->peer, fd, 'x'));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN));
	EXPECT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_DONE(result, 1);
	EXPECT_EQ(0, message.flags);
	got.msg_controllen = message.control_len;
	copy = descriptor_in(&got);
	EXPECT_NE(fd, copy);
	EXPECT_TRUE(same_file(fd, copy));
	EXPECT_EQ(FD_CLOEXEC, fcntl(copy, F_GETFD));
	close(copy);
	/* Where there is no room, they are closed, and that is said. */
	message.control = 0;
	message.control_len = 0;
	ASSERT_EQ(1, send_descriptor(self->peer, fd, 'y'));
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ(MSG_CTRUNC, message.flags);
	EXPECT_EQ(MSG_CTRUNC, result.events);
	close(fd);
}

TEST_F(local, C45_pending_sendmsg_takes_descriptors_and_credentials)
{
	union control control = {};
	char block[BLOCK], byte = 'x';
	struct cancelio_iovec iov = iovec_of(&byte, 1);
	struct cancelio_msg message = message_of(&iov, 1);
	struct ucred own = { .pid = getpid(), .uid = getuid(), .gid = getgid() };
	struct iovec to = { .iov_base = block, .iov_len = sizeof(block) };
	struct msghdr got = { .msg_iov = &to, .msg_iovlen = 1 };
	struct cancelio_completion result;
	struct cmsghdr *second;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC), copy, on = 1;
	size_t len = put_descriptor(&control, fd);

	ASSERT_LE(0, fd);
	second = (struct cmsghdr *)(control.bytes + len);
	second->cmsg_level = SOL_SOCKET;
	second->cmsg_type = SCM_CREDENTIALS;
	second->cmsg_len = CMSG_LEN(sizeof(own));
	memcpy(CMSG_DATA(second), &own, sizeof(own));
	message.control = (unsigned long)&control;
	message.control_len = len + CMSG_SPACE(sizeof(own));
	ASSERT_EQ(0, setsockopt(self->peer, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	ASSERT_TRUE(fill_up(self->fd, self->conn));
	ASSERT_EQ(1, submit_one(self->fd, op_sendmsg(self->conn, &message)));
	/* All of it was copied (C53). */
	memset(&control, POISON, sizeof(control));
	memset(&message, POISON, sizeof(message));
	memset(&iov, POISON, sizeof(iov));
	drain(self->peer);
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	got.msg_control = &control;
	got.msg_controllen = sizeof(control);
	ASSERT_EQ(1, recvmsg(self->peer, &got, 0));
	EXPECT_EQ('x', block[0]);
	ASSERT_NE(NULL, credentials_in(&got));
	EXPECT_EQ(0, memcmp(&own, credentials_in(&got), sizeof(own)));
	copy = descriptor_in(&got);
	EXPECT_TRUE(same_file(fd, copy));
	close(copy);
	close(fd);
}

/* As somebody without privileges, sends the credentials of another process. */
static int show_others_credentials(void *data)
{
	struct ucred other = { .pid = 1 };
	union control control = {};
	char byte = 'x';
	struct cancelio_iovec iov = iovec_of(&byte, 1);
	struct cancelio_msg message = message_of(&iov, 1);
	struct cancelio_completion result;
	int fd = cio_context(CANCELIO_ENGINE_POLL, 0);
	__u64 conn;

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_CREDENTIALS;
	control.head.cmsg_len = CMSG_LEN(sizeof(other));
	memcpy(CMSG_DATA(&control.head), &other, sizeof(other));
	message.control = (unsigned long)&control;
	message.control_len = CMSG_SPACE(sizeof(other));
	if (fd < 0 || cio_attach(fd, *(int *)data, &conn) || setuid(65534) ||
	    run(fd, op_sendmsg(conn, &message), &result) || result.bytes)
		return 1;
	return result.reason == CANCELIO_ERROR && result.error == -EPERM ? 0 : 2;
}

TEST_F(local, C51_credentials_that_the_caller_may_not_show_are_EPERM)
{
	char byte;

	EXPECT_EQ(0, in_child(show_others_credentials, &self->sock));
	EXPECT_EQ(-1, recv(self->peer, &byte, 1, MSG_DONTWAIT));
}

/* Reads what there is; adds up bytes and descriptors. */
static void take_all(int sock, size_t *bytes, int *descriptors)
{
	union control control;
	char block[BLOCK];
	struct iovec iov = { .iov_base = block, .iov_len = sizeof(block) };
	struct msghdr message;
	ssize_t got;
	int fd;

	do {
		message = (struct msghdr){
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = &control, .msg_controllen = sizeof(control),
		};
		got = recvmsg(sock, &message, MSG_DONTWAIT);
		if (got <= 0)
			return;
		*bytes += got;
		fd = descriptor_in(&message);
		if (fd >= 0) {
			(*descriptors)++;
			close(fd);
		}
	} while (true);
}

TEST_F(local, C5_long_sendmsg_sends_its_descriptor_once)
{
	union control control = {};
	char *data = pattern_new(MUCH);
	struct cancelio_iovec iov = iovec_of(data, MUCH);
	struct cancelio_msg message = message_of(&iov, 1);
	struct cancelio_completion result;
	int descriptors = 0;
	size_t bytes = 0;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "streams only");
	message.control = (unsigned long)&control;
	message.control_len = put_descriptor(&control, self->peer);
	ASSERT_EQ(1, submit_one(self->fd, op_sendmsg(self->conn, &message)));
	while (!cio_wait(self->fd, 0, &result, 1, 0))
		take_all(self->peer, &bytes, &descriptors);
	EXPECT_DONE(result, MUCH);
	take_all(self->peer, &bytes, &descriptors);
	EXPECT_EQ(MUCH, bytes);
	EXPECT_EQ(1, descriptors);
	free(data);
}

TEST_F(local, C61_descriptor_that_is_not_open_is_EBADF_and_breaks_nothing)
{
	union control control = {};
	char byte = 'x';
	struct cancelio_iovec iov = iovec_of(&byte, 1);
	struct cancelio_msg message = message_of(&iov, 1);
	struct cancelio_completion result;

	message.control = (unsigned long)&control;
	message.control_len = put_descriptor(&control, 1 << 20);
	ASSERT_EQ(0, run(self->fd, op_sendmsg(self->conn, &message), &result));
	EXPECT_ERROR(result, -EBADF);
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
	EXPECT_DONE(result, 1);
}

/* Descriptors mark a place in a stream that WAITALL does not read across. */
TEST_F(local, C4_WAITALL_does_not_join_what_came_with_descriptors)
{
	union control control = {};
	char buffer[4] = {};
	struct cancelio_iovec iov = iovec_of(buffer, 2);
	struct cancelio_msg message = message_of(&iov, 1);
	struct msghdr got = { .msg_control = &control };
	struct cancelio_completion result;
	int i, fd;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "streams only");
	ASSERT_EQ(1, send_descriptor(self->peer, self->peer, 'a'));
	ASSERT_EQ(1, send_descriptor(self->peer, self->peer, 'b'));
	for (i = 0; i < 2; i++) {
		message.control = (unsigned long)&control;
		message.control_len = sizeof(control);
		ASSERT_EQ(0, run(self->fd, with_msg_flags(op_recvmsg(self->conn, &message),
							  MSG_WAITALL), &result));
		EXPECT_DONE(result, 1);
		EXPECT_EQ('a' + i, buffer[0]);
		got.msg_controllen = message.control_len;
		fd = descriptor_in(&got);
		EXPECT_TRUE(same_file(self->peer, fd));
		close(fd);
	}
}

TEST_F(local, C4_WAITALL_joins_what_came_without_descriptors)
{
	union control control = {};
	char buffer[4] = {};
	struct cancelio_iovec iov = iovec_of(buffer, 4);
	struct cancelio_msg message = message_of(&iov, 1);
	struct cancelio_completion result;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "streams only");
	message.control = (unsigned long)&control;
	message.control_len = sizeof(control);
	ASSERT_EQ(2, write(self->peer, "ab", 2));
	ASSERT_EQ(1, submit_one(self->fd, with_msg_flags(op_recvmsg(self->conn, &message),
							 MSG_WAITALL)));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(2, write(self->peer, "cd", 2));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 4);
	EXPECT_EQ(0, memcmp("abcd", buffer, 4));
	EXPECT_EQ(0, message.control_len);
}

TEST_HARNESS_MAIN
