// SPDX-License-Identifier: GPL-2.0
/*
 * A write that would wait on a socket that calls itself writable: no event tells when
 * it can go on, and it does nevertheless (C5, C13, C16, C43).  The example is an
 * unconnected UNIX datagram socket whose addressee has a full queue.
 */
#include "variants.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

FIXTURE(full) {
	int fd;
	int sock;
	int server;
	__u64 conn;
	struct sockaddr_un address;
	struct cancelio_iovec iov;
	struct cancelio_msg message;
	struct cancelio_op op;
};

/*
 * Sends to the server until it takes no more; returns 0, or why it could not.  By a
 * socket of its own: what is taken from the queue is then no event for another one.
 */
static int fill_server(const struct sockaddr_un *address, socklen_t len)
{
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret;

	while (sendto(sock, "f", 1, MSG_DONTWAIT, (const struct sockaddr *)address, len) == 1)
		;
	ret = errno == EAGAIN ? 0 : -errno;
	close(sock);
	return ret;
}

FIXTURE_VARIANT(full) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(full, poll) { .engine = CANCELIO_ENGINE_POLL, .family = AF_UNIX };

FIXTURE_SETUP(full)
{
	socklen_t len = sizeof(sa_family_t);

	self->fd = cio_context(variant->engine, 0);
	self->sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	self->server = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	self->address.sun_family = AF_UNIX;
	ASSERT_LE(0, self->fd);
	/* The kernel chooses an address. */
	ASSERT_EQ(0, bind(self->server, (struct sockaddr *)&self->address, len));
	len = sizeof(self->address);
	ASSERT_EQ(0, getsockname(self->server, (struct sockaddr *)&self->address, &len));
	ASSERT_EQ(0, cio_attach(self->fd, self->sock, &self->conn));
	self->iov = iovec_of("x", 1);
	self->message = message_of(&self->iov, 1);
	self->message.name = (unsigned long)&self->address;
	self->message.name_len = len;
	self->op = op_sendmsg(self->conn, &self->message);
	ASSERT_EQ(0, fill_server(&self->address, len));
	ASSERT_NE(0, wait_events(self->sock, POLLOUT));
}

FIXTURE_TEARDOWN(full)
{
	close(self->fd);
	close(self->sock);
	close(self->server);
}

static int take_one(int server)
{
	char byte;

	return recv(server, &byte, 1, MSG_DONTWAIT);
}

TEST_F(full, C43_send_to_a_full_addressee_gets_through_when_there_is_space)
{
	struct cancelio_completion result;

	ASSERT_EQ(1, submit_one(self->fd, self->op));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(1, take_one(self->server));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
}

struct sender {
	int fd;
	struct cancelio_op op;
	struct cancelio_completion result;
	int ret;
};

static void *call_it(void *data)
{
	struct sender *sender = data;

	sender->ret = run(sender->fd, sender->op, &sender->result);
	return NULL;
}

/* What it sent itself is taken: that is an event, which makes it sooner. */
TEST_F(full, C43_sender_of_the_whole_queue_gets_through_as_well)
{
	struct cancelio_completion result;
	int sent, round;

	while (take_one(self->server) == 1)
		;
	for (round = 0; round < 5; round++) {
		for (sent = 0; sent < 40; sent++)
			ASSERT_EQ(1, submit_one(self->fd, self->op));
		for (sent = 0; sent < 40; sent++)
			while (take_one(self->server) != 1)
				ASSERT_LE(0, cio_wait(self->fd, 0, NULL, 0, 0));
		for (sent = 0; sent < 40; sent++) {
			ASSERT_EQ(1, reap(self->fd, &result));
			EXPECT_DONE(result, 1);
		}
	}
}

/* Looks at each context that asks for a caller, for a while; returns how often one did. */
static int count_tries(struct pollfd *poll_fds, int count, __s64 end)
{
	struct cancelio_completion result;
	int i, tries = 0;

	do {
		if (poll(poll_fds, count, 100) < 0)
			return -1;
		for (i = 0; i < count; i++) {
			if (!poll_fds[i].revents)
				continue;
			tries++;
			if (cio_wait(poll_fds[i].fd, 0, &result, 1, 0))
				return -1;
		}
	} while (now() < end);
	return tries;
}

/* After 1 ms, 2, 4, 8, 16, 32, 64, and from then on every 64 ms. */
TEST_F(full, C43_tries_become_rare)
{
	struct pollfd poll_fd = { .fd = self->fd, .events = POLLIN };
	__s64 start = now();
	int tries;

	ASSERT_EQ(1, submit_one(self->fd, self->op));
	tries = count_tries(&poll_fd, 1, start + 600 * MS);
	EXPECT_LE(1, tries);
	EXPECT_GE(7 + (now() - start) / (64 * MS), tries);
}

/* Each one's failed try is an event for the other: they do not come thick and fast. */
TEST_F(full, C43_two_contexts_on_one_socket_do_not_drive_each_other_on)
{
	struct pollfd poll_fds[2] = { { .fd = self->fd, .events = POLLIN } };
	int other = cio_context(CANCELIO_ENGINE_POLL, 0);
	struct cancelio_completion result;
	struct cancelio_op op = self->op;
	__s64 start = now();
	int tries;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, cio_attach(other, self->sock, &op.conn));
	poll_fds[1] = (struct pollfd){ .fd = other, .events = POLLIN };
	ASSERT_EQ(1, submit_one(self->fd, self->op));
	ASSERT_EQ(1, submit_one(other, op));
	tries = count_tries(poll_fds, 2, start + 300 * MS);
	EXPECT_LE(2, tries);
	EXPECT_GE(2 * (2 + (now() - start) / MS), tries);
	ASSERT_EQ(1, take_one(self->server));
	ASSERT_EQ(1, take_one(self->server));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	ASSERT_EQ(1, reap(other, &result));
	EXPECT_DONE(result, 1);
	close(other);
}

TEST_F(full, C43_CALL_to_a_full_addressee_gets_through_when_there_is_space)
{
	struct sender sender = { .fd = self->fd, .op = self->op };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, call_it, &sender));
	sleep_until(after(A_WHILE));
	ASSERT_EQ(1, take_one(self->server));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, sender.ret);
	EXPECT_DONE(sender.result, 1);
}

/* Without a caller there is one need for one after each delay, and no more. */
TEST_F(full, C45_poll_asks_for_a_caller_to_try_again)
{
	struct cancelio_completion result;

	ASSERT_EQ(1, submit_one(self->fd, self->op));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN));
	EXPECT_EQ(0, cio_wait(self->fd, 0, &result, 1, 0));
	ASSERT_EQ(1, take_one(self->server));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN));
	EXPECT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_DONE(result, 1);
}

TEST_F(full, C16_deadlines_hold_between_the_tries)
{
	struct cancelio_completion result;
	__s64 deadline = after(100 * MS);

	ASSERT_EQ(0, run(self->fd, with_deadline(self->op, deadline), &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(CANCELIO_WHICH_OP, result.which);
	EXPECT_LE(deadline, now());
	deadline = after(100 * MS);
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_WRITE, 0, deadline));
	ASSERT_EQ(0, run(self->fd, self->op, &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(CANCELIO_WHICH_SIDE, result.which);
	EXPECT_LE(deadline, now());
}

TEST_F(full, C13_moving_the_deadline_forgets_no_try)
{
	struct cancelio_completion result;
	int i;

	for (i = 0; i < 4; i++) {
		__s64 first = i & 1 ? after(LONG_ENOUGH) : CANCELIO_NEVER;
		__s64 then = i & 2 ? after(LONG_ENOUGH) : CANCELIO_NEVER;

		ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_WRITE, 0, first));
		ASSERT_EQ(1, submit_one(self->fd, self->op));
		ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_WRITE, 0,
					  after(10 * SECOND)));
		EXPECT_TRUE(stays_empty(self->fd));
		ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_WRITE, 0, then));
		EXPECT_TRUE(stays_empty(self->fd));
		ASSERT_EQ(1, take_one(self->server));
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_DONE(result, 1);
	}
}

TEST_F(full, C30_cancel_ends_it_between_the_tries)
{
	struct cancelio_completion result;

	ASSERT_EQ(1, submit_one(self->fd, self->op));
	sleep_until(after(5 * MS));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	EXPECT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_CANCELED(result);
	/* The next one is tried at once. */
	ASSERT_EQ(1, take_one(self->server));
	ASSERT_EQ(0, run(self->fd, with_flags(self->op, CANCELIO_OP_NOWAIT), &result));
	EXPECT_DONE(result, 1);
}

TEST_F(full, C20_several_wait_for_space_in_order)
{
	struct cancelio_completion result;
	struct cancelio_op ops[5];
	int i;

	for (i = 0; i < 5; i++)
		ops[i] = with_cookie(self->op, i);
	ASSERT_EQ(5, cio_submit(self->fd, ops, 5, NULL, NULL));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(1, take_one(self->server));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_DONE(result, 1);
		EXPECT_EQ(i, result.user_data);
	}
}

TEST_HARNESS_MAIN
