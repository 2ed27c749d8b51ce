// SPDX-License-Identifier: GPL-2.0
/* Moving bytes over TCP: what a read and a write do and say (C2, C4, C5, C19, C40, C43). */
#include "tcp_fixture.h"
#include "watch.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/time.h>

TEST_F(tcp, C2_read_of_data_that_is_there_reports_every_field)
{
	struct cancelio_completion result;
	struct cancelio_op op;
	char buffer[16] = {};
	__s64 begin;
	__u64 id;

	ASSERT_EQ(5, write(self->peer, "hello", 5));
	op = with_cookie(op_recv(self->conn, buffer, sizeof(buffer)), 0x1122334455667788ULL);
	begin = now();
	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &id, NULL));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 5);
	EXPECT_STREQ("hello", buffer);
	EXPECT_EQ(0x1122334455667788ULL, result.user_data);
	EXPECT_EQ(id, result.id);
	EXPECT_EQ(self->conn, result.conn);
	EXPECT_EQ(CANCELIO_WHICH_NONE, result.which);
	EXPECT_EQ(CANCELIO_OP_RECV, result.opcode);
	EXPECT_EQ(0, result.events);
	EXPECT_LE(begin, result.ended);
	EXPECT_GE(now(), result.ended);
	EXPECT_EQ(0, result.late);
	EXPECT_EQ(0, result.reserved);
}

TEST_F(tcp, C2_call_reports_the_same_fields)
{
	struct cancelio_completion result;
	struct cancelio_op op = with_cookie(op_send(self->conn, "abc", 3), 99);
	__u64 id = 0;

	ASSERT_EQ(0, cio_call(self->fd, &op, &id, &result));
	EXPECT_DONE(result, 3);
	EXPECT_EQ(99, result.user_data);
	EXPECT_NE(0, id);
	EXPECT_EQ(id, result.id);
	EXPECT_EQ(self->conn, result.conn);
	EXPECT_EQ(CANCELIO_OP_SEND, result.opcode);
	EXPECT_EQ(0, result.late);
	EXPECT_EQ(0, result.reserved);
}

TEST_F(tcp, C40_read_waits_until_data_comes)
{
	struct cancelio_completion result;
	char buffer[8] = {};

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, buffer, sizeof(buffer))));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(3, write(self->peer, "now", 3));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 3);
	EXPECT_STREQ("now", buffer);
}

TEST_F(tcp, C5_write_goes_on_until_all_is_accepted)
{
	struct cancelio_completion result;
	char *buffer = pattern_new(MUCH);

	ASSERT_NE(NULL, buffer);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ASSERT_EQ(1, submit_one(self->fd, op_send(self->conn, buffer, MUCH)));
	EXPECT_TRUE(stays_empty(self->fd));
	EXPECT_EQ(MUCH, pattern_read(self->peer, MUCH, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, MUCH);
	free(buffer);
}

TEST_F(tcp, C5_write_that_meets_its_deadline_says_exactly_how_much_was_accepted)
{
	struct cancelio_completion result;
	char *buffer = pattern_new(MUCH);
	__s64 deadline = after(50 * MS);

	ASSERT_NE(NULL, buffer);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ASSERT_EQ(0, run(self->fd, with_deadline(op_send(self->conn, buffer, MUCH), deadline),
			 &result));
	/* What the kernel were still to read would be wrong now (C6). */
	memset(buffer, POISON, MUCH);
	EXPECT_EQ(CANCELIO_DEADLINE, result.reason);
	EXPECT_EQ(-ETIME, result.error);
	EXPECT_EQ(CANCELIO_WHICH_OP, result.which);
	EXPECT_LT(0, result.bytes);
	EXPECT_GT(MUCH, result.bytes);
	ASSERT_EQ(0, shutdown(self->sock, SHUT_WR));
	EXPECT_EQ(result.bytes, pattern_read(self->peer, MUCH, 0));
	free(buffer);
}

TEST_F(tcp, C11_write_with_NOWAIT_tries_once)
{
	struct cancelio_completion result;
	char *buffer = pattern_new(MUCH);
	struct cancelio_op op = with_flags(op_send(self->conn, buffer, MUCH), CANCELIO_OP_NOWAIT);

	ASSERT_NE(NULL, buffer);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_EQ(CANCELIO_ERROR, result.reason);
	EXPECT_EQ(-EAGAIN, result.error);
	EXPECT_LT(0, result.bytes);
	EXPECT_GT(MUCH, result.bytes);
	ASSERT_EQ(0, shutdown(self->sock, SHUT_WR));
	EXPECT_EQ(result.bytes, pattern_read(self->peer, MUCH, 0));
	free(buffer);
}

TEST_F(tcp, C11_read_with_NOWAIT_tries_once)
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

TEST_F(tcp, C19_zero_length_read_is_0_at_once_unqueued_and_even_expired)
{
	struct cancelio_completion result;
	struct cancelio_op zero = op_recv(self->conn, NULL, 0);
	char byte;

	ASSERT_EQ(0, run(self->fd, zero, &result));
	EXPECT_DONE(result, 0);
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(0, run(self->fd, zero, &result));
	EXPECT_DONE(result, 0);
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, 0, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(0, run(self->fd, zero, &result));
	EXPECT_DONE(result, 0);
	ASSERT_EQ(0, run(self->fd, with_deadline(zero, 0), &result));
	EXPECT_DONE(result, 0);
}

TEST_F(tcp, C19_zero_length_write_is_done_with_0_bytes_unless_expired)
{
	struct cancelio_completion result;

	ASSERT_EQ(0, run(self->fd, op_send(self->conn, NULL, 0), &result));
	EXPECT_DONE(result, 0);
	ASSERT_EQ(0, run(self->fd, with_deadline(op_send(self->conn, NULL, 0), 0), &result));
	EXPECT_EXPIRED(result);
}

TEST_F(tcp, C40_WAITALL_waits_for_all_bytes)
{
	struct cancelio_completion result;
	char buffer[10];
	struct cancelio_op op = with_msg_flags(op_recv(self->conn, buffer, 10), MSG_WAITALL);

	ASSERT_EQ(1, submit_one(self->fd, op));
	ASSERT_EQ(4, write(self->peer, "0123", 4));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(6, write(self->peer, "456789", 6));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 10);
	EXPECT_EQ(0, memcmp(buffer, "0123456789", 10));
}

/* Waits until the only operation has moved so many bytes, whoever runs it. */
static bool has_taken(int fd, int bytes)
{
	char line[32];

	snprintf(line, sizeof(line), " bytes=%d ", bytes);
	return await_fdinfo(getpid(), fd, line);
}

TEST_F(tcp, C4_WAITALL_that_meets_its_deadline_reports_what_is_in_the_buffer)
{
	struct cancelio_completion result;
	char buffer[10] = {};
	struct cancelio_op op = with_msg_flags(op_recv(self->conn, buffer, 10), MSG_WAITALL);

	ASSERT_EQ(4, write(self->peer, "0123", 4));
	ASSERT_EQ(POLLIN, wait_events(self->sock, POLLIN));
	ASSERT_EQ(1, submit_one(self->fd, op));
	ASSERT_TRUE(has_taken(self->fd, 4));
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, now(), 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_ENDED(result, CANCELIO_DEADLINE, -ETIME, 4);
	EXPECT_STREQ("0123", buffer);
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, CANCELIO_NEVER, 0));
	ASSERT_EQ(2, write(self->peer, "45", 2));
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, 10), &result));
	EXPECT_DONE(result, 2);
	EXPECT_EQ(0, memcmp(buffer, "45", 2));
}

TEST_F(tcp, C4_WAITALL_that_is_canceled_reports_what_is_in_the_buffer)
{
	struct cancelio_completion result;
	char buffer[10] = {};
	struct cancelio_op op = with_msg_flags(op_recv(self->conn, buffer, 10), MSG_WAITALL);

	ASSERT_EQ(4, write(self->peer, "0123", 4));
	ASSERT_EQ(POLLIN, wait_events(self->sock, POLLIN));
	ASSERT_EQ(1, submit_one(self->fd, op));
	ASSERT_TRUE(has_taken(self->fd, 4));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_ENDED(result, CANCELIO_CANCELED, -ECANCELED, 4);
	EXPECT_STREQ("0123", buffer);
}

TEST_F(tcp, C40_WAITALL_ends_at_the_end_of_file)
{
	struct cancelio_completion result;
	char buffer[10] = {};
	struct cancelio_op op = with_msg_flags(op_recv(self->conn, buffer, 10), MSG_WAITALL);

	ASSERT_EQ(1, submit_one(self->fd, op));
	ASSERT_EQ(4, write(self->peer, "0123", 4));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 4);
	EXPECT_STREQ("0123", buffer);
}

TEST_F(tcp, C40_PEEK_leaves_the_data)
{
	struct cancelio_completion result;
	char buffer[8] = {};
	struct cancelio_op op = op_recv(self->conn, buffer, sizeof(buffer));

	ASSERT_EQ(3, write(self->peer, "abc", 3));
	ASSERT_EQ(0, run(self->fd, with_msg_flags(op, MSG_PEEK), &result));
	EXPECT_DONE(result, 3);
	EXPECT_STREQ("abc", buffer);
	memset(buffer, 0, sizeof(buffer));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_DONE(result, 3);
	EXPECT_STREQ("abc", buffer);
}

TEST_F(tcp, C40_TRUNC_discards_stream_bytes)
{
	struct cancelio_completion result;
	char buffer[8] = "untouch";
	struct cancelio_op op = op_recv(self->conn, buffer, 4);

	ASSERT_EQ(6, write(self->peer, "abcdef", 6));
	ASSERT_EQ(POLLIN, wait_events(self->sock, POLLIN));
	ASSERT_EQ(0, run(self->fd, with_msg_flags(op, MSG_TRUNC), &result));
	EXPECT_DONE(result, 4);
	EXPECT_STREQ("untouch", buffer);
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_DONE(result, 2);
	EXPECT_EQ(0, memcmp(buffer, "ef", 2));
}

TEST_F(tcp, C43_O_NONBLOCK_and_SO_RCVTIMEO_do_not_matter_to_a_read)
{
	struct timeval one_ms = { .tv_usec = 1000 };
	struct cancelio_completion result;
	char byte = 0;

	ASSERT_EQ(0, setsockopt(self->sock, SOL_SOCKET, SO_RCVTIMEO, &one_ms, sizeof(one_ms)));
	ASSERT_EQ(0, fcntl(self->sock, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(1, write(self->peer, "n", 1));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ('n', byte);
}

TEST_F(tcp, C43_O_NONBLOCK_and_SO_SNDTIMEO_do_not_matter_to_a_write)
{
	struct timeval one_ms = { .tv_usec = 1000 };
	struct cancelio_completion result;
	char *buffer = pattern_new(MUCH);

	ASSERT_NE(NULL, buffer);
	ASSERT_EQ(0, setsockopt(self->sock, SOL_SOCKET, SO_SNDTIMEO, &one_ms, sizeof(one_ms)));
	ASSERT_EQ(0, fcntl(self->sock, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ASSERT_EQ(1, submit_one(self->fd, op_send(self->conn, buffer, MUCH)));
	EXPECT_TRUE(stays_empty(self->fd));
	EXPECT_EQ(MUCH, pattern_read(self->peer, MUCH, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, MUCH);
	free(buffer);
}

TEST_F(tcp, C43_SO_RCVLOWAT_is_respected)
{
	struct cancelio_completion result;
	char buffer[16];
	int low = 8;

	ASSERT_EQ(0, setsockopt(self->sock, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
	ASSERT_EQ(4, write(self->peer, "0123", 4));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, buffer, sizeof(buffer))));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(4, write(self->peer, "4567", 4));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 8);
}

TEST_F(tcp, C60_bad_buffer_is_ERROR_with_EFAULT_and_takes_no_data)
{
	void *bad[] = { NULL, forbidden_page(), (void *)0xffff888000000000UL };
	struct cancelio_completion result;
	char buffer[8] = {};
	unsigned int i;

	ASSERT_EQ(3, write(self->peer, "abc", 3));
	ASSERT_EQ(POLLIN, wait_events(self->sock, POLLIN));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ASSERT_EQ(0, run(self->fd, op_recv(self->conn, bad[i], 8), &result));
		EXPECT_ERROR(result, -EFAULT);
		ASSERT_EQ(0, run(self->fd, op_send(self->conn, bad[i], 8), &result));
		EXPECT_ERROR(result, -EFAULT);
	}
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, 8), &result));
	EXPECT_DONE(result, 3);
	EXPECT_STREQ("abc", buffer);
}

static void *echo_all(void *argument)
{
	int sock = *(int *)argument;
	char buffer[4096];
	ssize_t got;

	while ((got = read(sock, buffer, sizeof(buffer))) > 0)
		if (write(sock, buffer, got) != got)
			break;
	return NULL;
}

TEST_F(tcp, C20_read_and_write_go_on_at_the_same_time_through_an_echo)
{
	struct cancelio_completion result[2];
	char *out = pattern_new(MUCH), *in = malloc(MUCH);
	struct cancelio_op ops[2];
	pthread_t echo;

	ASSERT_NE(NULL, out);
	ASSERT_NE(NULL, in);
	ASSERT_EQ(0, pthread_create(&echo, NULL, echo_all, &self->peer));
	ops[0] = op_send(self->conn, out, MUCH);
	ops[1] = with_msg_flags(op_recv(self->conn, in, MUCH), MSG_WAITALL);
	ASSERT_EQ(2, cio_submit(self->fd, ops, 2, NULL, NULL));
	ASSERT_EQ(2, cio_wait(self->fd, 2, result, 2, after(LONG_ENOUGH)));
	EXPECT_DONE(result[0], MUCH);
	EXPECT_DONE(result[1], MUCH);
	EXPECT_TRUE(pattern_holds(in, MUCH, 0));
	ASSERT_EQ(0, shutdown(self->sock, SHUT_WR));
	pthread_join(echo, NULL);
	free(out);
	free(in);
}

TEST_HARNESS_MAIN
