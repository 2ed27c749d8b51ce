// SPDX-License-Identifier: GPL-2.0
/* Datagrams: whole or not at all, the empty one, truncation, errors (C4, C5, C42, C43). */
#include "udp_fixture.h"

#include <poll.h>

TEST_F(udp, C42_datagrams_keep_their_bounds_and_their_order)
{
	struct cancelio_completion result;
	char buffer[16] = {};

	ASSERT_EQ(5, write(self->peer, "first", 5));
	ASSERT_EQ(6, write(self->peer, "second", 6));
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, sizeof(buffer)), &result));
	EXPECT_DONE(result, 5);
	EXPECT_EQ(0, result.events);
	EXPECT_STREQ("first", buffer);
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, sizeof(buffer)), &result));
	EXPECT_DONE(result, 6);
	EXPECT_STREQ("second", buffer);
}

TEST_F(udp, C42_empty_datagram_is_a_result)
{
	struct cancelio_completion result;
	char buffer[4] = {};

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, buffer, sizeof(buffer))));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, send(self->peer, "", 0, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, sizeof(buffer)), &result));
	EXPECT_DONE(result, 1);
}

TEST_F(udp, C42_zero_length_write_sends_an_empty_datagram)
{
	struct cancelio_completion result;
	char buffer[4];

	ASSERT_EQ(0, run(self->fd, op_send(self->conn, NULL, 0), &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(0, recv(self->peer, buffer, sizeof(buffer), 0));
}

TEST_F(udp, C42_truncation_is_flagged)
{
	struct cancelio_completion result;
	char buffer[4];
	struct cancelio_op op = op_recv(self->conn, buffer, sizeof(buffer));

	ASSERT_EQ(10, write(self->peer, "0123456789", 10));
	ASSERT_EQ(10, write(self->peer, "0123456789", 10));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_DONE(result, 4);
	EXPECT_EQ(MSG_TRUNC, result.events & MSG_TRUNC);
	EXPECT_EQ(0, memcmp(buffer, "0123", 4));
	ASSERT_EQ(0, run(self->fd, with_msg_flags(op, MSG_TRUNC), &result));
	EXPECT_DONE(result, 10);
	EXPECT_EQ(MSG_TRUNC, result.events & MSG_TRUNC);
}

TEST_F(udp, C42_zero_length_read_takes_a_datagram)
{
	struct cancelio_completion result;
	char buffer[4];

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, NULL, 0)));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(3, write(self->peer, "abc", 3));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(MSG_TRUNC, result.events & MSG_TRUNC);
	EXPECT_EQ(-1, recv(self->sock, buffer, sizeof(buffer), MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(udp, C42_expired_read_leaves_the_datagram_queued)
{
	struct cancelio_completion result;
	char buffer[8] = {};
	struct cancelio_op op = op_recv(self->conn, buffer, sizeof(buffer));

	ASSERT_EQ(4, write(self->peer, "kept", 4));
	ASSERT_EQ(POLLIN, wait_events(self->sock, POLLIN));
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, now(), 0));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(CANCELIO_WHICH_SIDE, result.which);
	/* A zero-length read of a datagram is a read like any other (C19). */
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, NULL, 0), &result));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, CANCELIO_NEVER, 0));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_DONE(result, 4);
	EXPECT_STREQ("kept", buffer);
}

TEST_F(udp, C4_pending_read_that_expires_or_is_canceled_takes_no_datagram)
{
	struct cancelio_completion result;
	char buffer[8] = {};
	struct cancelio_op op = op_recv(self->conn, buffer, sizeof(buffer));

	ASSERT_EQ(0, run(self->fd, with_timeout(op, 10 * MS), &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(CANCELIO_WHICH_OP, result.which);
	ASSERT_EQ(1, submit_one(self->fd, op));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_CANCELED(result);
	ASSERT_EQ(4, write(self->peer, "next", 4));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_DONE(result, 4);
	EXPECT_STREQ("next", buffer);
}

TEST_F(udp, C40_PEEK_leaves_the_datagram)
{
	struct cancelio_completion result;
	char buffer[8] = {};
	struct cancelio_op op = op_recv(self->conn, buffer, sizeof(buffer));

	ASSERT_EQ(3, write(self->peer, "abc", 3));
	ASSERT_EQ(0, run(self->fd, with_msg_flags(op, MSG_PEEK), &result));
	EXPECT_DONE(result, 3);
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_DONE(result, 3);
	EXPECT_STREQ("abc", buffer);
}

TEST_F(udp, C5_datagram_write_is_whole)
{
	struct cancelio_completion result;
	char *data = pattern_new(9000);

	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, data, 9000), &result));
	EXPECT_DONE(result, 9000);
	EXPECT_EQ(9000, pattern_read(self->peer, 9000, 0));
	free(data);
}

TEST_F(udp, C5_datagram_that_is_too_large_is_EMSGSIZE_and_sends_nothing)
{
	struct cancelio_completion result;
	char *data = pattern_new(70000);
	char byte;

	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, data, 70000), &result));
	EXPECT_ERROR(result, -EMSGSIZE);
	EXPECT_EQ(-1, recv(self->peer, &byte, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	free(data);
}

TEST_F(udp, C5_expired_write_sends_nothing)
{
	struct cancelio_completion result;
	char byte;

	ASSERT_EQ(0, run(self->fd, with_deadline(op_send(self->conn, "x", 1), now()), &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(-1, recv(self->peer, &byte, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(udp, C61_datagram_to_nobody_is_ECONNREFUSED)
{
	struct cancelio_completion result;
	char byte;

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(0, close(self->peer));
	self->peer = -1;
	ASSERT_EQ(1, send(self->sock, "x", 1, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_ERROR(result, -ECONNREFUSED);
}

TEST_F(udp, C61_write_to_an_unconnected_socket_is_EDESTADDRREQ)
{
	struct cancelio_completion result;
	int sock = socket(variant->family, SOCK_DGRAM, 0);
	__u64 conn;

	ASSERT_EQ(0, cio_attach(self->fd, sock, &conn));
	ASSERT_EQ(0, run(self->fd, op_send(conn, "x", 1), &result));
	EXPECT_EQ(CANCELIO_ERROR, result.reason);
	EXPECT_TRUE(result.error == -EDESTADDRREQ || result.error == -ENOTCONN);
	close(sock);
}

TEST_F(udp, C11_NOWAIT_tries_once)
{
	struct cancelio_completion result;
	char buffer[8];
	struct cancelio_op op = with_flags(op_recv(self->conn, buffer, 8), CANCELIO_OP_NOWAIT);

	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_ERROR(result, -EAGAIN);
	ASSERT_EQ(2, write(self->peer, "ab", 2));
	ASSERT_EQ(POLLIN, wait_events(self->sock, POLLIN));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_DONE(result, 2);
}

TEST_F(udp, C40_wait_ready_sees_a_datagram_and_takes_nothing)
{
	struct cancelio_completion result;
	char byte;

	ASSERT_EQ(0, run(self->fd, op_ready(self->conn, POLLOUT), &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(POLLOUT, result.events & POLLOUT);
	ASSERT_EQ(1, submit_one(self->fd, op_ready(self->conn, POLLIN)));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(POLLIN, result.events & POLLIN);
	EXPECT_EQ(1, recv(self->sock, &byte, 1, MSG_DONTWAIT));
}

TEST_F(udp, C20_each_datagram_ends_one_of_many_pending_reads_in_order)
{
	struct cancelio_completion result;
	struct cancelio_op ops[20];
	char buffers[20][4];
	int i;

	for (i = 0; i < 20; i++)
		ops[i] = with_cookie(op_recv(self->conn, buffers[i], 4), i);
	ASSERT_EQ(20, cio_submit(self->fd, ops, 20, NULL, NULL));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(i % 4, send(self->peer, "abc", i % 4, 0));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_DONE(result, i % 4);
		EXPECT_EQ(i, result.user_data);
	}
}

TEST_HARNESS_MAIN
