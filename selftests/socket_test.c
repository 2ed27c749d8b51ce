// SPDX-License-Identifier: GPL-2.0
/* What peer and program do to a socket: its end, resets, shutdown(2), readiness (C7, C33, C44). */
#include "tcp_fixture.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

TEST_F(tcp, C33_peer_close_is_end_of_file_for_a_pending_read)
{
	struct cancelio_completion result;
	char buffer[8];

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, buffer, sizeof(buffer))));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_RDWR));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, sizeof(buffer)), &result));
	EXPECT_DONE(result, 0);
}

TEST_F(tcp, C33_data_before_the_end_of_file_comes_first)
{
	struct cancelio_completion result;
	char buffer[8];

	ASSERT_EQ(3, write(self->peer, "abc", 3));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, sizeof(buffer)), &result));
	EXPECT_DONE(result, 3);
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, sizeof(buffer)), &result));
	EXPECT_DONE(result, 0);
}

TEST_F(tcp, C33_half_close_of_the_peer_leaves_writing_alone)
{
	struct cancelio_completion result;
	char buffer[8];

	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, sizeof(buffer)), &result));
	EXPECT_DONE(result, 0);
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "still", 5), &result));
	EXPECT_DONE(result, 5);
	EXPECT_EQ(5, read(self->peer, buffer, sizeof(buffer)));
}

TEST_F(tcp, C33_half_close_of_the_peer_leaves_a_pending_write_pending)
{
	struct cancelio_completion result;
	char *much = pattern_new(MUCH);

	ASSERT_NE(NULL, much);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ASSERT_EQ(1, submit_one(self->fd, op_send(self->conn, much, MUCH)));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_TRUE(stays_empty(self->fd));
	EXPECT_EQ(MUCH, pattern_read(self->peer, MUCH, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, MUCH);
	free(much);
}

TEST_F(tcp, C33_reset_ends_a_pending_read_with_ECONNRESET_never_end_of_file)
{
	struct cancelio_completion result;
	char buffer[8];
	int i;

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, buffer, sizeof(buffer))));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, close_with_reset(self->peer));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_ERROR(result, -ECONNRESET);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, 8), &result));
		EXPECT_ERROR(result, -ECONNRESET);
	}
}

TEST_F(tcp, C33_reset_is_reported_to_both_sides)
{
	struct cancelio_completion result[2];
	char *much = pattern_new(MUCH);
	struct cancelio_op ops[2];
	char byte;
	int i;

	ASSERT_NE(NULL, much);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ops[0] = op_recv(self->conn, &byte, 1);
	ops[1] = op_send(self->conn, much, MUCH);
	ASSERT_EQ(2, cio_submit(self->fd, ops, 2, NULL, NULL));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, close_with_reset(self->peer));
	ASSERT_EQ(2, cio_wait(self->fd, 2, result, 2, after(LONG_ENOUGH)));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(CANCELIO_ERROR, result[i].reason);
		EXPECT_EQ(-ECONNRESET, result[i].error);
	}
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result[0]));
	EXPECT_ERROR(result[0], -ECONNRESET);
	free(much);
}

TEST_F(tcp, C33_reset_seen_by_a_write_is_also_told_to_the_next_read)
{
	struct cancelio_completion result;
	char byte;

	ASSERT_EQ(0, close_with_reset(self->peer));
	ASSERT_LT(0, wait_events(self->sock, POLLHUP) & POLLHUP);
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
	EXPECT_ERROR(result, -ECONNRESET);
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &byte, 1), &result));
	EXPECT_ERROR(result, -ECONNRESET);
}

TEST_F(tcp, C33_error_is_not_told_of_the_next_connection)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int listener = tcp_listen(variant->family), peer;
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	struct cancelio_completion result;
	char byte;

	ASSERT_LE(0, listener);
	ASSERT_EQ(0, close_with_reset(self->peer));
	ASSERT_LT(0, wait_events(self->sock, POLLHUP) & POLLHUP);
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &byte, 1), &result));
	EXPECT_ERROR(result, -ECONNRESET);
	ASSERT_EQ(0, connect(self->sock, &none, sizeof(none)));
	ASSERT_EQ(0, getsockname(listener, (struct sockaddr *)&address, &len));
	ASSERT_EQ(0, connect(self->sock, (struct sockaddr *)&address, len));
	peer = accept(listener, NULL, NULL);
	ASSERT_LE(0, peer);
	ASSERT_EQ(1, write(peer, "x", 1));
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &byte, 1), &result));
	EXPECT_DONE(result, 1);
	/* The end of this one is no error. */
	ASSERT_EQ(0, close(peer));
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &byte, 1), &result));
	EXPECT_DONE(result, 0);
	close(listener);
}

/* The only look at the second connection before its end is that of a read that waits. */
TEST_F(tcp, C33_error_is_not_told_of_the_end_of_the_next_connection)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int listener = tcp_listen(variant->family), peer;
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	struct cancelio_completion result;
	char byte;

	ASSERT_LE(0, listener);
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &byte, 1), &result));
	ASSERT_EQ(0, close_with_reset(self->peer));
	ASSERT_LT(0, wait_events(self->sock, POLLHUP) & POLLHUP);
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &byte, 1), &result));
	EXPECT_ERROR(result, -ECONNRESET);
	ASSERT_EQ(0, connect(self->sock, &none, sizeof(none)));
	ASSERT_EQ(0, getsockname(listener, (struct sockaddr *)&address, &len));
	ASSERT_EQ(0, connect(self->sock, (struct sockaddr *)&address, len));
	peer = accept(listener, NULL, NULL);
	ASSERT_LE(0, peer);
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, shutdown(self->sock, SHUT_WR));
	ASSERT_EQ(0, close(peer));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	close(listener);
}

/* Such a socket refuses reads before it looks whether anything is there. */
TEST_F(tcp, C7_read_of_a_socket_under_repair_is_refused_at_once)
{
	struct cancelio_completion result;
	int on = 1, off = -1;
	char byte;

	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &byte, 1), &result));
	ASSERT_EQ(0, setsockopt(self->sock, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_ERROR(result, -EPERM);
	ASSERT_EQ(0, setsockopt(self->sock, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)));
}

TEST_F(tcp, C7_write_to_a_closed_peer_is_EPIPE_without_SIGPIPE)
{
	struct cancelio_completion result;

	EXPECT_FALSE(sigpipe_seen());
	ASSERT_EQ(0, close(self->peer));
	self->peer = -1;
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
	EXPECT_DONE(result, 1);
	/* The reset that answers this write follows the peer's FIN. */
	ASSERT_LT(0, wait_events(self->sock, POLLERR) & POLLHUP);
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "y", 1), &result));
	EXPECT_ERROR(result, -EPIPE);
	EXPECT_FALSE(sigpipe_seen());
}

TEST_F(tcp, C44_shutdown_of_reading_ends_a_pending_read_with_end_of_file)
{
	struct cancelio_completion result;
	char byte;

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, shutdown(self->sock, SHUT_RD));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
	EXPECT_DONE(result, 1);
}

TEST_F(tcp, C44_shutdown_of_writing_ends_a_pending_write_with_EPIPE)
{
	struct cancelio_completion result;
	char *much = pattern_new(MUCH);

	ASSERT_NE(NULL, much);
	EXPECT_FALSE(sigpipe_seen());
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ASSERT_EQ(1, submit_one(self->fd, op_send(self->conn, much, MUCH)));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, shutdown(self->sock, SHUT_WR));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EQ(CANCELIO_ERROR, result.reason);
	EXPECT_EQ(-EPIPE, result.error);
	EXPECT_EQ(result.bytes, pattern_read(self->peer, MUCH, 0));
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
	EXPECT_ERROR(result, -EPIPE);
	EXPECT_FALSE(sigpipe_seen());
	free(much);
}

TEST_F(tcp, C61_read_of_an_unconnected_socket_is_ENOTCONN)
{
	struct cancelio_completion result;
	int sock = socket(variant->family, SOCK_STREAM, 0);
	__u64 conn;
	char byte;

	ASSERT_EQ(0, cio_attach(self->fd, sock, &conn));
	ASSERT_EQ(0, run(self->fd, op_recv(conn, &byte, 1), &result));
	EXPECT_ERROR(result, -ENOTCONN);
	close(sock);
}

TEST_F(tcp, C32_closing_the_descriptor_leaves_the_connection_alive)
{
	struct cancelio_completion result;
	char byte = 0;

	ASSERT_EQ(0, close(self->sock));
	self->sock = -1;
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(1, write(self->peer, "a", 1));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ('a', byte);
	EXPECT_EQ(0, cio_detach(self->fd, self->conn));
	EXPECT_EQ(0, read(self->peer, &byte, 1));
}

TEST_F(tcp, C40_wait_ready_waits_until_readable_and_moves_nothing)
{
	struct cancelio_completion result;
	char buffer[4];

	ASSERT_EQ(1, submit_one(self->fd, op_ready(self->conn, POLLIN)));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(2, write(self->peer, "ab", 2));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(POLLIN, result.events & (POLLIN | POLLERR | POLLHUP));
	EXPECT_EQ(CANCELIO_OP_WAIT_READY, result.opcode);
	ASSERT_EQ(0, run(self->fd, op_ready(self->conn, POLLIN), &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(2, read(self->sock, buffer, sizeof(buffer)));
}

TEST_F(tcp, C40_wait_ready_waits_until_writable)
{
	struct cancelio_completion result;
	ssize_t sent;

	ASSERT_EQ(0, run(self->fd, op_ready(self->conn, POLLOUT), &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(POLLOUT, result.events & POLLOUT);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	sent = fill(self->sock);
	ASSERT_LT(0, sent);
	ASSERT_EQ(1, submit_one(self->fd, op_ready(self->conn, POLLOUT)));
	EXPECT_TRUE(stays_empty(self->fd));
	EXPECT_EQ(sent, pattern_read(self->peer, sent, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(POLLOUT, result.events & POLLOUT);
}

TEST_F(tcp, C33_wait_ready_sees_the_half_close_of_the_peer)
{
	struct cancelio_completion result;

	ASSERT_EQ(1, submit_one(self->fd, op_ready(self->conn, POLLRDHUP)));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(POLLRDHUP, result.events & POLLRDHUP);
}

TEST_F(tcp, C33_wait_ready_wakes_for_a_reset)
{
	struct cancelio_completion result[2];
	struct cancelio_op ops[2];

	ops[0] = op_ready(self->conn, POLLIN);
	ops[1] = op_ready(self->conn, POLLPRI);
	ASSERT_EQ(2, cio_submit(self->fd, ops, 2, NULL, NULL));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, close_with_reset(self->peer));
	ASSERT_EQ(2, cio_wait(self->fd, 2, result, 2, after(LONG_ENOUGH)));
	EXPECT_NE(0, result[0].events & (POLLERR | POLLHUP));
	EXPECT_NE(0, result[1].events & (POLLERR | POLLHUP));
}

TEST_F(tcp, C40_wait_ready_meets_deadline_and_cancel)
{
	struct cancelio_completion result;

	ASSERT_EQ(0, run(self->fd, with_timeout(op_ready(self->conn, POLLIN), 10 * MS), &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(0, result.events);
	ASSERT_EQ(1, submit_one(self->fd, op_ready(self->conn, POLLIN)));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_CONN, self->conn, CANCELIO_READ));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_CANCELED(result);
}

TEST_F(tcp, C41_wait_ready_on_a_listening_socket_sees_a_connection)
{
	struct cancelio_completion result;
	int listener = tcp_listen(variant->family);
	int client, server;
	__u64 conn;

	ASSERT_LE(0, listener);
	ASSERT_EQ(0, cio_attach(self->fd, listener, &conn));
	ASSERT_EQ(1, submit_one(self->fd, op_ready(conn, POLLIN)));
	EXPECT_TRUE(stays_empty(self->fd));
	client = tcp_connect(listener);
	ASSERT_LE(0, client);
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(POLLIN, result.events & POLLIN);
	server = accept(listener, NULL, NULL);
	EXPECT_LE(0, server);
	close(server);
	close(client);
	close(listener);
}

TEST_HARNESS_MAIN
