// SPDX-License-Identifier: GPL-2.0
/*
 * What waits for an operation at its attempt: a read whose buffer's page is held back
 * by userfaultfd(2), until the test lets it go (C6, C16, C19, C30, C32, C34, C71).
 */
#include "variants.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define COOKIE	9

/* A read at its attempt. */
struct held {
	int fd;
	int uffd;
	char *page;
	__u64 id;
};

FIXTURE(held) {
	int fd;
	int sock;
	int peer;
	__u64 conn;
	struct held read;
};

FIXTURE_VARIANT(held) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(held, poll_ipv4) POLL_IPV4;
FIXTURE_VARIANT_ADD(held, poll_ipv6) POLL_IPV6;
FIXTURE_VARIANT_ADD(held, thread_ipv4) THREAD_IPV4;
FIXTURE_VARIANT_ADD(held, thread_ipv6) THREAD_IPV6;

FIXTURE_SETUP(held)
{
	struct cancelio_op op;
	int ends[2];

	self->fd = cio_context(variant->engine, 0);
	if (self->fd == -EOPNOTSUPP)
		SKIP(return, "engine %u is not there", variant->engine);
	self->read.fd = self->fd;
	self->read.page = held_page(&self->read.uffd);
	if (!self->read.page)
		SKIP(return, "no userfaultfd(2)");
	ASSERT_EQ(0, tcp_pair(variant->family, ends));
	self->sock = ends[0];
	self->peer = ends[1];
	ASSERT_EQ(0, cio_attach(self->fd, self->sock, &self->conn));
	op = with_flags(op_recv(self->conn, self->read.page, 1), CANCELIO_OP_WORKER);
	op = with_cookie(op, COOKIE);
	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &self->read.id, NULL));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_TRUE(await_fault(self->read.uffd));
}

FIXTURE_TEARDOWN(held)
{
	close(self->read.uffd);
	close(self->fd);
	close(self->sock);
	close(self->peer);
}

/* Lets it go, and gets its end: it moved its byte, or took nothing and ended for @reason. */
static bool ends_well(const struct held *held, __u8 reason)
{
	struct cancelio_completion result;

	if (release_page(held->uffd, held->page) || reap(held->fd, &result) != 1)
		return false;
	if (result.id != held->id || result.user_data != COOKIE)
		return false;
	if (result.reason == CANCELIO_DONE)
		return result.bytes == 1 && held->page[0] == 'x';
	return result.reason == reason && !result.bytes && !held->page[0];
}

TEST_F(held, C30_signal_ends_the_waiting_of_a_cancel_which_stays_requested)
{
	ASSERT_EQ(0, interrupt_often(true));
	EXPECT_EQ(-EINTR, cio_cancel(self->fd, CANCELIO_CANCEL_ID, self->read.id, 0));
	EXPECT_EQ(-EINTR, cio_cancel(self->fd, CANCELIO_CANCEL_COOKIE, COOKIE, 0));
	EXPECT_EQ(-EINTR, cio_cancel(self->fd, CANCELIO_CANCEL_CONN, self->conn,
				     CANCELIO_READ));
	EXPECT_EQ(-EINTR, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	ASSERT_EQ(0, interrupt_often(false));
	EXPECT_TRUE(ends_well(&self->read, CANCELIO_CANCELED));
	EXPECT_TRUE(stays_empty(self->fd));
	EXPECT_EQ(-ENOENT, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
}

TEST_F(held, C32_signal_ends_the_waiting_of_a_detach_which_goes_on)
{
	ASSERT_EQ(0, interrupt_often(true));
	EXPECT_EQ(-EINTR, cio_detach(self->fd, self->conn));
	ASSERT_EQ(0, interrupt_often(false));
	EXPECT_EQ(-EBADF, cio_detach(self->fd, self->conn));
	EXPECT_EQ(-EBADF, submit_one(self->fd, op_send(self->conn, "x", 1)));
	EXPECT_TRUE(ends_well(&self->read, CANCELIO_CLOSED));
	/* With the last descriptor gone, the peer sees that the socket was dropped. */
	EXPECT_EQ(0, close(self->sock));
	EXPECT_NE(0, wait_events(self->peer, POLLRDHUP | POLLHUP) & (POLLRDHUP | POLLHUP));
}

TEST_F(held, C34_signal_ends_the_waiting_of_a_shutdown_which_goes_on)
{
	ASSERT_EQ(0, interrupt_often(true));
	EXPECT_EQ(-EINTR, cio_shutdown(self->fd));
	ASSERT_EQ(0, interrupt_often(false));
	EXPECT_EQ(-ESHUTDOWN, cio_shutdown(self->fd));
	EXPECT_TRUE(ends_well(&self->read, CANCELIO_CLOSED));
}

/* Once when it is shut down, and once when everything has ended. */
TEST_F(held, C71_eventfd_hears_of_a_shutdown_while_an_operation_runs)
{
	int events = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	__u64 count, told = 0;

	ASSERT_EQ(0, cio_eventfd(self->fd, events));
	EXPECT_EQ(-1, read(events, &count, sizeof(count)));
	ASSERT_EQ(0, interrupt_often(true));
	EXPECT_EQ(-EINTR, cio_shutdown(self->fd));
	ASSERT_EQ(0, interrupt_often(false));
	EXPECT_EQ(sizeof(count), read(events, &count, sizeof(count)));
	EXPECT_TRUE(ends_well(&self->read, CANCELIO_CLOSED));
	/* For the completion, and for the end. */
	while (told < 2 && wait_events(events, POLLIN)) {
		ASSERT_EQ(sizeof(count), read(events, &count, sizeof(count)));
		told += count;
	}
	EXPECT_EQ(2, told);
	close(events);
}

struct canceler {
	int fd;
	__u64 id;
	int returned;
	int ret;
};

static void *cancel_it(void *argument)
{
	struct canceler *canceler = argument;

	canceler->ret = cio_cancel(canceler->fd, CANCELIO_CANCEL_ID, canceler->id, 0);
	__atomic_store_n(&canceler->returned, 1, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F(held, C6_cancel_does_not_return_while_the_buffer_may_still_be_written)
{
	struct canceler canceler = { .fd = self->fd, .id = self->read.id };
	struct cancelio_completion result;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, cancel_it, &canceler));
	sleep_until(after(A_WHILE));
	EXPECT_EQ(0, __atomic_load_n(&canceler.returned, __ATOMIC_ACQUIRE));
	ASSERT_EQ(0, release_page(self->read.uffd, self->read.page));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	/* It is over: its completion is there, and says which of the two won. */
	ASSERT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_EQ(canceler.ret == 1 ? CANCELIO_CANCELED : CANCELIO_DONE, result.reason);
	EXPECT_TRUE(canceler.ret == 1 || canceler.ret == -ENOENT);
	self->read.page[0] = (char)POISON;
	sleep_until(after(A_WHILE));
	EXPECT_EQ((char)POISON, self->read.page[0]);
}

TEST_F(held, C16_deadline_of_an_operation_at_its_attempt_waits_for_the_attempt)
{
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, now(), 0));
	EXPECT_TRUE(stays_empty(self->fd));
	EXPECT_TRUE(ends_well(&self->read, CANCELIO_DEADLINE));
}

/* What is moved is moved: a deadline or a cancel that came meanwhile has come too late. */
TEST_F(held, C4_read_that_has_moved_its_data_is_DONE_though_its_deadline_passed_meanwhile)
{
	struct cancelio_completion result;

	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, now(), 0));
	ASSERT_EQ(0, release_page(self->read.uffd, self->read.page));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ('x', self->read.page[0]);
	/* The next one finds it passed. */
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, self->read.page, 1), &result));
	EXPECT_EXPIRED(result);
}

static void *detach_it(void *argument)
{
	struct canceler *detacher = argument;

	detacher->ret = cio_detach(detacher->fd, detacher->id);
	__atomic_store_n(&detacher->returned, 1, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F(held, C32_detach_does_not_return_while_an_operation_is_in_flight)
{
	struct canceler detacher = { .fd = self->fd, .id = self->conn };
	struct cancelio_completion result;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, detach_it, &detacher));
	sleep_until(after(A_WHILE));
	EXPECT_EQ(0, __atomic_load_n(&detacher.returned, __ATOMIC_ACQUIRE));
	EXPECT_EQ(-EBADF, submit_one(self->fd, op_send(self->conn, "x", 1)));
	ASSERT_EQ(0, release_page(self->read.uffd, self->read.page));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, detacher.ret);
	ASSERT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_EQ(self->read.id, result.id);
	EXPECT_EQ(-EBADF, cio_detach(self->fd, self->conn));
}

/* What waits behind an operation that is stuck does not wait for that to end. */
TEST_F(held, C21_operation_behind_a_stuck_one_meets_its_deadline_and_cancel)
{
	struct cancelio_completion result;
	__s64 deadline = after(10 * MS);
	char byte;

	ASSERT_EQ(1, submit_one(self->fd, with_cookie(with_deadline(op_recv(self->conn, &byte, 1),
								    deadline), 2)));
	ASSERT_EQ(1, submit_one(self->fd, with_cookie(op_recv(self->conn, &byte, 1), 3)));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(2, result.user_data);
	EXPECT_LE(deadline, result.ended);
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_COOKIE, 3, 0));
	ASSERT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_CANCELED(result);
	EXPECT_EQ(3, result.user_data);
	/* One that is not to wait is not queued behind it. */
	ASSERT_EQ(0, run(self->fd, with_flags(op_recv(self->conn, &byte, 1), CANCELIO_OP_NOWAIT),
			 &result));
	EXPECT_ERROR(result, -EAGAIN);
	EXPECT_TRUE(ends_well(&self->read, CANCELIO_DONE));
}

/* A read of two bytes with MSG_WAITALL, held at its attempt with the first one. */
static bool hold_half(struct held *half, int family, int *peer, __u64 *conn)
{
	struct cancelio_op op;
	int ends[2];

	half->page = held_page(&half->uffd);
	if (!half->page || tcp_pair(family, ends) || cio_attach(half->fd, ends[0], conn))
		return false;
	close(ends[0]);
	*peer = ends[1];
	op = with_flags(op_recv(*conn, half->page, 2), CANCELIO_OP_WORKER);
	op = with_msg_flags(op, MSG_WAITALL);
	return cio_submit(half->fd, &op, 1, &half->id, NULL) == 1 && write(*peer, "x", 1) == 1 &&
		await_fault(half->uffd);
}

TEST_F(held, C19_close_comes_before_a_deadline_that_has_passed_as_well)
{
	struct held half = { .fd = self->fd };
	struct cancelio_completion result;
	__u64 conn;
	int peer;

	ASSERT_TRUE(hold_half(&half, variant->family, &peer, &conn));
	ASSERT_EQ(0, cio_deadline(self->fd, conn, CANCELIO_READ, now(), 0));
	ASSERT_EQ(0, interrupt_often(true));
	EXPECT_EQ(-EINTR, cio_detach(self->fd, conn));
	ASSERT_EQ(0, interrupt_often(false));
	ASSERT_EQ(0, release_page(half.uffd, half.page));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EQ(half.id, result.id);
	EXPECT_ENDED(result, CANCELIO_CLOSED, -EBADF, 1);
	EXPECT_TRUE(ends_well(&self->read, CANCELIO_DONE));
	close(half.uffd);
	close(peer);
}

TEST_F(held, C30_of_several_cancels_of_one_operation_one_has_ended_it)
{
	struct held half = { .fd = self->fd };
	struct canceler cancelers[2];
	struct cancelio_completion result;
	pthread_t threads[2];
	int peer, i, ended = 0;
	__u64 conn;

	ASSERT_TRUE(hold_half(&half, variant->family, &peer, &conn));
	for (i = 0; i < 2; i++) {
		cancelers[i] = (struct canceler){ .fd = self->fd, .id = half.id };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, cancel_it, &cancelers[i]));
	}
	sleep_until(after(A_WHILE));
	ASSERT_EQ(0, release_page(half.uffd, half.page));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_TRUE(cancelers[i].ret == 1 || cancelers[i].ret == -ENOENT);
		ended += cancelers[i].ret == 1;
	}
	EXPECT_EQ(1, ended);
	ASSERT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_ENDED(result, CANCELIO_CANCELED, -ECANCELED, 1);
	EXPECT_TRUE(ends_well(&self->read, CANCELIO_DONE));
	close(half.uffd);
	close(peer);
}

TEST_HARNESS_MAIN
