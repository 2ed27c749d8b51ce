// SPDX-License-Identifier: GPL-2.0
/* RESTRICT: a context gives up operations and sides, for good (C54). */
#include "tcp_fixture.h"

#include <poll.h>

#define OP(name)	(1U << CANCELIO_OP_##name)
#define ALL_OPS		(OP(RECV) | OP(SEND) | OP(RECVMSG) | OP(SENDMSG) | OP(WAIT_READY))
#define BOTH		(CANCELIO_READ | CANCELIO_WRITE)

/* What SUBMIT and CALL say to an operation, when they say the same; else -EILSEQ. */
static int refusal(int fd, struct cancelio_op op)
{
	struct cancelio_completion result;
	int submitted, error, called;
	__u64 id;

	submitted = cio_submit(fd, &op, 1, &id, &error);
	called = cio_call(fd, &op, &id, &result);
	if (submitted != called || submitted != error || id)
		return -EILSEQ;
	return called;
}

/* Whether an operation is accepted; it is canceled then. */
static bool is_accepted(int fd, struct cancelio_op op)
{
	struct cancelio_completion result;

	if (submit_one(fd, op) != 1)
		return false;
	cio_cancel(fd, CANCELIO_CANCEL_CONN, op.conn, BOTH);
	return reap(fd, &result) == 1;
}

TEST_F(tcp, C54_refused_op_is_EACCES_and_moves_nothing)
{
	char byte = POISON;

	ASSERT_EQ(1, send(self->peer, "x", 1, 0));
	ASSERT_EQ(0, cio_restrict(self->fd, ALL_OPS & ~OP(RECV), BOTH));
	EXPECT_EQ(-EACCES, refusal(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_EQ((char)POISON, byte);
	EXPECT_TRUE(is_accepted(self->fd, op_send(self->conn, "y", 1)));
	EXPECT_TRUE(is_accepted(self->fd, op_ready(self->conn, POLLIN)));
	EXPECT_TRUE(stays_empty(self->fd));
	/* The program's own calls are not touched. */
	EXPECT_EQ(1, recv(self->sock, &byte, 1, MSG_DONTWAIT));
	EXPECT_EQ('x', byte);
}

TEST_F(tcp, C54_refused_side_is_EACCES_for_all_its_ops)
{
	char byte;

	ASSERT_EQ(0, cio_restrict(self->fd, ALL_OPS, CANCELIO_READ));
	EXPECT_EQ(-EACCES, refusal(self->fd, op_send(self->conn, "x", 1)));
	EXPECT_EQ(-EACCES, refusal(self->fd, op_ready(self->conn, POLLOUT)));
	EXPECT_TRUE(is_accepted(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_TRUE(is_accepted(self->fd, op_ready(self->conn, POLLIN)));
	EXPECT_TRUE(is_accepted(self->fd, op_ready(self->conn, POLLRDHUP)));
	ASSERT_EQ(0, cio_restrict(self->fd, ALL_OPS, CANCELIO_WRITE));
	EXPECT_EQ(-EACCES, refusal(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_EQ(-EACCES, refusal(self->fd, op_ready(self->conn, POLLIN)));
	EXPECT_EQ(-EACCES, refusal(self->fd, op_send(self->conn, "x", 1)));
}

TEST_F(tcp, C54_second_restrict_can_only_remove_more)
{
	char byte;

	ASSERT_EQ(0, cio_restrict(self->fd, OP(RECV) | OP(WAIT_READY), BOTH));
	ASSERT_EQ(0, cio_restrict(self->fd, ALL_OPS, BOTH));
	EXPECT_EQ(-EACCES, refusal(self->fd, op_send(self->conn, "x", 1)));
	EXPECT_TRUE(is_accepted(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(0, cio_restrict(self->fd, OP(SEND) | OP(WAIT_READY), BOTH));
	EXPECT_EQ(-EACCES, refusal(self->fd, op_send(self->conn, "x", 1)));
	EXPECT_EQ(-EACCES, refusal(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_TRUE(is_accepted(self->fd, op_ready(self->conn, POLLIN)));
	ASSERT_EQ(0, cio_restrict(self->fd, 0, 0));
	EXPECT_EQ(-EACCES, refusal(self->fd, op_ready(self->conn, POLLIN)));
}

TEST_F(tcp, C54_restrict_leaves_what_was_accepted)
{
	struct cancelio_completion result;
	char byte = POISON;

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(0, cio_restrict(self->fd, 0, 0));
	ASSERT_EQ(1, send(self->peer, "x", 1, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ('x', byte);
}

TEST_F(tcp, C54_restrict_concerns_operations_alone)
{
	struct cancelio_completion result;
	struct cancelio_info before, info;
	char byte;

	ASSERT_EQ(0, cio_info(self->fd, &before));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(0, cio_restrict(self->fd, 0, 0));
	EXPECT_EQ(0, cio_deadline(self->fd, self->conn, BOTH, after(LONG_ENOUGH),
				  after(LONG_ENOUGH)));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	EXPECT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_EQ(0, cio_detach(self->fd, self->conn));
	EXPECT_EQ(0, cio_attach(self->fd, self->sock, NULL));
	EXPECT_EQ(0, cio_info(self->fd, &info));
	EXPECT_EQ(0, memcmp(&before, &info, sizeof(info)));
}

TEST_F(tcp, C54_restrict_concerns_one_context_alone)
{
	int other = cio_context(variant->engine, 0);
	char byte;
	__u64 conn;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, cio_attach(other, self->sock, &conn));
	ASSERT_EQ(0, cio_restrict(self->fd, 0, 0));
	EXPECT_EQ(-EACCES, refusal(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_TRUE(is_accepted(other, op_recv(conn, &byte, 1)));
	close(other);
}

TEST_F(tcp, C54_refusal_comes_after_the_checks_of_the_op_and_before_its_conn)
{
	struct cancelio_op bad = op_send(self->conn, "x", 1);

	ASSERT_EQ(0, cio_restrict(self->fd, ALL_OPS, CANCELIO_READ));
	bad.reserved[1] = 1;
	EXPECT_EQ(-EINVAL, refusal(self->fd, bad));
	bad.reserved[1] = 0;
	bad.conn = ~0ULL;
	EXPECT_EQ(-EACCES, refusal(self->fd, bad));
}

TEST_F(tcp, C54_batch_stops_at_the_first_refused_op)
{
	struct cancelio_op ops[3];
	char bytes[3];
	int error;

	ASSERT_EQ(0, cio_restrict(self->fd, OP(RECV), BOTH));
	ops[0] = op_recv(self->conn, &bytes[0], 1);
	ops[1] = op_send(self->conn, "x", 1);
	ops[2] = op_recv(self->conn, &bytes[2], 1);
	EXPECT_EQ(1, cio_submit(self->fd, ops, 3, NULL, &error));
	EXPECT_EQ(-EACCES, error);
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
}

TEST_F(tcp, C61_restrict_refuses_unknown_bits_and_changes_nothing)
{
	struct cancelio_restrict keep = { .size = sizeof(keep), .flags = 1 };
	char byte;

	EXPECT_EQ(-EINVAL, cio_restrict(self->fd, ALL_OPS + 1, BOTH));
	EXPECT_EQ(-EINVAL, cio_restrict(self->fd, 1U << 31, BOTH));
	EXPECT_EQ(-EINVAL, cio_restrict(self->fd, 0, BOTH + 1));
	EXPECT_EQ(-EINVAL, cio_restrict(self->fd, 0, 1U << 31));
	EXPECT_EQ(-EINVAL, cio_ioctl(self->fd, CANCELIO_RESTRICT, &keep));
	EXPECT_TRUE(is_accepted(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_TRUE(is_accepted(self->fd, op_send(self->conn, "x", 1)));
}

TEST_HARNESS_MAIN
