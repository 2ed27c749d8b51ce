// SPDX-License-Identifier: GPL-2.0
/* What each ioctl refuses, with everything else valid, and that nothing happened (C61). */
#include "engine_fixture.h"
#include "tcp_fixture.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define STALE_CONN	0x7777777700000001ULL

static int attach_new(int fd, int family, int type, int protocol)
{
	int sock = socket(family, type, protocol);
	int ret;

	if (sock < 0)
		return -errno;
	ret = cio_attach(fd, sock, NULL);
	close(sock);
	return ret;
}

TEST_F(tcp, C61_attach_refuses_what_is_not_an_open_socket)
{
	int ends[2];
	int path = open("/", O_PATH);

	ASSERT_EQ(0, pipe(ends));
	close(ends[1]);
	EXPECT_EQ(-EBADF, cio_attach(self->fd, -1, NULL));
	EXPECT_EQ(-EBADF, cio_attach(self->fd, ends[1], NULL));
	EXPECT_EQ(-EBADF, cio_attach(self->fd, 1 << 30, NULL));
	EXPECT_EQ(-EBADF, cio_attach(self->fd, path, NULL));
	EXPECT_EQ(-ENOTSOCK, cio_attach(self->fd, ends[0], NULL));
	EXPECT_EQ(-ENOTSOCK, cio_attach(self->fd, self->fd, NULL));
	close(ends[0]);
	close(path);
}

TEST_F(tcp, C43_attach_refuses_other_families_and_protocols)
{
	int mptcp = attach_new(self->fd, AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

	EXPECT_EQ(-EPROTONOSUPPORT, attach_new(self->fd, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	EXPECT_EQ(-EPROTONOSUPPORT, attach_new(self->fd, AF_INET, SOCK_RAW, IPPROTO_ICMP));
	/* Where the kernel has no MPTCP, socket(2) says the same or EINVAL. */
	EXPECT_TRUE(mptcp == -EPROTONOSUPPORT || mptcp == -EINVAL || mptcp == -ENOPROTOOPT);
}

TEST_F(tcp, C43_attaching_twice_is_EEXIST)
{
	int copy = dup(self->sock);
	int other = cio_context(variant->engine, 0);
	__u64 conn;

	ASSERT_LE(0, copy);
	ASSERT_LE(0, other);
	EXPECT_EQ(-EEXIST, cio_attach(self->fd, self->sock, NULL));
	EXPECT_EQ(-EEXIST, cio_attach(self->fd, copy, NULL));
	EXPECT_EQ(0, cio_attach(other, self->sock, NULL));
	ASSERT_EQ(0, cio_detach(self->fd, self->conn));
	EXPECT_EQ(0, cio_attach(self->fd, copy, &conn));
	EXPECT_NE(0, conn);
	EXPECT_NE(self->conn, conn);
	close(other);
	close(copy);
}

TEST_F(tcp, C61_attach_refuses_flags_and_reserved_fields)
{
	struct cancelio_attach attach = { .size = sizeof(attach), .fd = self->peer };

	attach.flags = 1;
	EXPECT_EQ(-EINVAL, cio_ioctl(self->fd, CANCELIO_ATTACH, &attach));
	attach.flags = 0;
	attach.reserved = 1;
	EXPECT_EQ(-EINVAL, cio_ioctl(self->fd, CANCELIO_ATTACH, &attach));
	attach.reserved = 0;
	EXPECT_EQ(0, cio_ioctl(self->fd, CANCELIO_ATTACH, &attach));
}

TEST_F(engine, C52_attach_stops_at_the_limit_of_open_files)
{
	struct rlimit limit = { .rlim_cur = 32, .rlim_max = 32 };
	struct cancelio_setup setup = { .size = sizeof(setup), .engine = variant->engine };
	__u32 attached = 0;
	int ret, fd;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	fd = cio_open();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, cio_setup(fd, &setup));
	EXPECT_GE(limit.rlim_cur, setup.conn_limit);
	while (!(ret = attach_new(fd, AF_INET, SOCK_DGRAM, 0)) && attached <= limit.rlim_cur)
		attached++;
	EXPECT_EQ(-EMFILE, ret);
	EXPECT_EQ(setup.conn_limit, attached);
	close(fd);
}

TEST_F(tcp, C32_detach_refuses_what_is_not_attached)
{
	struct cancelio_detach detach = { .size = sizeof(detach), .conn = self->conn };

	EXPECT_EQ(-EBADF, cio_detach(self->fd, 0));
	EXPECT_EQ(-EBADF, cio_detach(self->fd, ~0ULL));
	EXPECT_EQ(-EBADF, cio_detach(self->fd, STALE_CONN));
	detach.flags = 1;
	EXPECT_EQ(-EINVAL, cio_ioctl(self->fd, CANCELIO_DETACH, &detach));
	EXPECT_EQ(0, cio_detach(self->fd, self->conn));
	EXPECT_EQ(-EBADF, cio_detach(self->fd, self->conn));
}

TEST_F(tcp, C61_submit_refuses_a_bad_array)
{
	struct cancelio_op op = with_flags(op_recv(self->conn, NULL, 0), CANCELIO_OP_NOWAIT);
	const struct cancelio_submit good = {
		.size = sizeof(good), .op_size = sizeof(op), .count = 1,
		.ops = (unsigned long)&op,
	};
	struct cancelio_submit bad[] = { good, good, good, good, good };
	struct cancelio_completion result;
	int i;

	bad[0].count = 0;
	bad[1].count = CANCELIO_MAX_BATCH + 1;
	bad[2].op_size = sizeof(op) - 1;
	bad[3].flags = 1;
	bad[4].time = 1;
	for (i = 0; i < 5; i++)
		EXPECT_EQ(-EINVAL, cio_ioctl(self->fd, CANCELIO_SUBMIT, &bad[i]));
	bad[0] = good;
	bad[0].ops = 0;
	EXPECT_EQ(-EFAULT, cio_ioctl(self->fd, CANCELIO_SUBMIT, &bad[0]));
	bad[0] = good;
	bad[0].ids = (unsigned long)forbidden_page();
	EXPECT_EQ(-EFAULT, cio_ioctl(self->fd, CANCELIO_SUBMIT, &bad[0]));
	EXPECT_EQ(0, cio_wait(self->fd, 0, &result, 1, 0));
}

TEST_F(tcp, C61_submit_takes_longer_entries_of_a_newer_program)
{
	struct {
		struct cancelio_op op;
		__u64 more;
	} ops[2] = {};
	struct cancelio_submit submit = {
		.size = sizeof(submit), .op_size = sizeof(ops[0]), .count = 2,
		.ops = (unsigned long)ops,
	};
	struct cancelio_completion result[2];

	ops[0].op = with_cookie(op_recv(self->conn, NULL, 0), 7);
	ops[1].op = with_cookie(op_recv(self->conn, NULL, 0), 8);
	EXPECT_EQ(2, cio_ioctl(self->fd, CANCELIO_SUBMIT, &submit));
	ASSERT_EQ(2, cio_wait(self->fd, 2, result, 2, after(LONG_ENOUGH)));
	EXPECT_EQ(15, result[0].user_data + result[1].user_data);
	ops[0].more = 1;
	EXPECT_EQ(-E2BIG, cio_ioctl(self->fd, CANCELIO_SUBMIT, &submit));
}

TEST_F(tcp, C1_submit_stops_at_the_first_operation_it_refuses)
{
	struct cancelio_op ops[3];
	struct cancelio_completion result[3];
	__u64 ids[3];
	int error, i;

	for (i = 0; i < 3; i++)
		ops[i] = with_cookie(op_recv(self->conn, NULL, 0), i);
	ops[1].opcode = 99;
	EXPECT_EQ(1, cio_submit(self->fd, ops, 3, ids, &error));
	EXPECT_EQ(-EINVAL, error);
	ASSERT_EQ(1, cio_wait(self->fd, 1, result, 3, after(LONG_ENOUGH)));
	EXPECT_EQ(0, result[0].user_data);
	EXPECT_EQ(ids[0], result[0].id);
	EXPECT_TRUE(stays_empty(self->fd));
	ops[1].opcode = CANCELIO_OP_RECV;
	EXPECT_EQ(3, cio_submit(self->fd, ops, 3, ids, &error));
	EXPECT_EQ(0, error);
}

/* What an operation may not be: the same for SUBMIT and for CALL. */
static int make_bad_ops(__u64 conn, struct cancelio_op *bad)
{
	static char buffer[16];
	const struct cancelio_op good = op_recv(conn, buffer, sizeof(buffer));
	const struct cancelio_op ready = op_ready(conn, POLLIN);
	int i;

	for (i = 0; i < 7; i++)
		bad[i] = good;
	bad[0].opcode = 5;
	bad[1].opcode = ~0U;
	bad[2].flags |= CANCELIO_OP_DEADLINE | CANCELIO_OP_TIMEOUT;
	bad[3].deadline = 1;
	bad[4].reserved[0] = 1;
	bad[5].reserved[1] = 1;
	bad[6].len = CANCELIO_MAX_LEN + 1;
	for (; i < 13; i++)
		bad[i] = ready;
	bad[7].addr = (unsigned long)buffer;
	bad[8].len = 1;
	bad[9].msg_flags = 0;
	bad[10].msg_flags = POLLIN | POLLOUT;
	bad[11].msg_flags = POLLNVAL;
	bad[12].msg_flags = POLLIN | 1U << 31;
	return i;
}

TEST_F(tcp, C61_operation_with_a_bad_field_is_EINVAL)
{
	struct cancelio_op bad[16], op;
	struct cancelio_completion result;
	__u64 id;
	int count = make_bad_ops(self->conn, bad);
	int i;

	for (i = 0; i < count; i++) {
		EXPECT_EQ(-EINVAL, submit_one(self->fd, bad[i]))
			TH_LOG("bad operation %d by SUBMIT", i);
		EXPECT_EQ(-EINVAL, cio_call(self->fd, &bad[i], &id, &result))
			TH_LOG("bad operation %d by CALL", i);
		EXPECT_EQ(0, id);
	}
	for (i = 5; i < 32; i++) {
		op = with_flags(op_recv(self->conn, &id, sizeof(id)), 1U << i);
		EXPECT_EQ(-EINVAL, submit_one(self->fd, op));
	}
	EXPECT_TRUE(stays_empty(self->fd));
}

TEST_F(tcp, C61_operation_on_a_stale_connection_is_EBADF)
{
	struct cancelio_completion result;
	char byte;

	EXPECT_EQ(-EBADF, submit_one(self->fd, op_recv(0, &byte, 1)));
	EXPECT_EQ(-EBADF, submit_one(self->fd, op_send(STALE_CONN, "x", 1)));
	EXPECT_EQ(-EBADF, run(self->fd, op_ready(~0ULL, POLLIN), &result));
	ASSERT_EQ(0, cio_detach(self->fd, self->conn));
	EXPECT_EQ(-EBADF, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_EQ(-EBADF, run(self->fd, op_send(self->conn, "x", 1), &result));
	/* Closed comes first: also for a zero-length read (C19). */
	EXPECT_EQ(-EBADF, run(self->fd, op_recv(self->conn, NULL, 0), &result));
	EXPECT_TRUE(stays_empty(self->fd));
}

/* Submits @op once with each of the 32 message flags; returns those that were taken. */
static __u32 flags_taken(int fd, struct cancelio_op op)
{
	struct cancelio_completion result;
	__u32 taken = 0;
	int i, ret;

	for (i = 0; i < 32; i++) {
		ret = run(fd, with_flags(with_msg_flags(op, 1U << i), CANCELIO_OP_NOWAIT),
			  &result);
		if (!ret)
			taken |= 1U << i;
		else if (ret != -EINVAL)
			return 0;
	}
	return taken;
}

TEST_F(tcp, C40_only_the_listed_message_flags_are_taken)
{
	__u32 receive = MSG_PEEK | MSG_WAITALL | MSG_TRUNC | MSG_CMSG_CLOEXEC | MSG_NOSIGNAL;
	__u32 send = MSG_MORE | MSG_EOR | MSG_NOSIGNAL;
	char buffer[8] = {};
	struct cancelio_iovec iov = iovec_of(buffer, sizeof(buffer));
	struct cancelio_msg message = message_of(&iov, 1);
	struct cancelio_op both;

	EXPECT_EQ(receive, flags_taken(self->fd, op_recv(self->conn, buffer, sizeof(buffer))));
	EXPECT_EQ(send, flags_taken(self->fd, op_send(self->conn, buffer, sizeof(buffer))));
	EXPECT_EQ(receive, flags_taken(self->fd, op_recvmsg(self->conn, &message)));
	EXPECT_EQ(send, flags_taken(self->fd, op_sendmsg(self->conn, &message)));
	both = with_msg_flags(op_recv(self->conn, buffer, 8), MSG_PEEK | MSG_WAITALL);
	EXPECT_EQ(-EINVAL, submit_one(self->fd, both));
	both = with_msg_flags(op_recvmsg(self->conn, &message), MSG_PEEK | MSG_WAITALL);
	EXPECT_EQ(-EINVAL, submit_one(self->fd, both));
}

TEST_F(tcp, C61_wait_refuses_bad_fields)
{
	struct cancelio_completion to[4];
	const struct cancelio_wait good = {
		.size = sizeof(good), .max = 4, .completion_size = sizeof(to[0]),
		.completions = (unsigned long)to,
	};
	struct cancelio_wait bad[] = { good, good, good, good, good };
	int i;

	bad[0].flags = 1;
	bad[1].reserved = 1;
	bad[2].min = 257;
	bad[3].min = 5;
	bad[4].completion_size = sizeof(to[0]) - 1;
	for (i = 0; i < 5; i++)
		EXPECT_EQ(-EINVAL, cio_ioctl(self->fd, CANCELIO_WAIT, &bad[i]));
}

TEST_F(tcp, C61_wait_op_refuses_what_was_not_held)
{
	struct cancelio_wait_op wait = { .size = sizeof(wait), .flags = 1 };
	struct cancelio_completion result;
	struct cancelio_op op;
	char byte;
	__u64 id;

	EXPECT_EQ(-EINVAL, cio_ioctl(self->fd, CANCELIO_WAIT_OP, &wait));
	EXPECT_EQ(-ENOENT, cio_wait_op(self->fd, 0, after(LONG_ENOUGH), &result));
	EXPECT_EQ(-ENOENT, cio_wait_op(self->fd, ~0ULL, after(LONG_ENOUGH), &result));
	op = op_recv(self->conn, &byte, 1);
	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &id, NULL));
	EXPECT_EQ(-EINVAL, cio_wait_op(self->fd, id, after(LONG_ENOUGH), &result));
	op = with_flags(op_recv(self->conn, NULL, 0), CANCELIO_OP_HOLD);
	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &id, NULL));
	EXPECT_EQ(0, cio_wait_op(self->fd, id, after(LONG_ENOUGH), &result));
	EXPECT_EQ(-ENOENT, cio_wait_op(self->fd, id, after(LONG_ENOUGH), &result));
}

TEST_F(tcp, C61_cancel_refuses_bad_fields_and_stale_targets)
{
	struct cancelio_cancel flagged = {
		.size = sizeof(flagged), .scope = CANCELIO_CANCEL_ALL, .flags = 1,
	};
	int fd = self->fd;

	EXPECT_EQ(-EINVAL, cio_ioctl(fd, CANCELIO_CANCEL, &flagged));
	EXPECT_EQ(-EINVAL, cio_cancel(fd, 4, 0, 0));
	EXPECT_EQ(-EINVAL, cio_cancel(fd, CANCELIO_CANCEL_ALL, 1, 0));
	EXPECT_EQ(-EINVAL, cio_cancel(fd, CANCELIO_CANCEL_ALL, 0, CANCELIO_READ));
	EXPECT_EQ(-EINVAL, cio_cancel(fd, CANCELIO_CANCEL_ID, 1, CANCELIO_READ));
	EXPECT_EQ(-EINVAL, cio_cancel(fd, CANCELIO_CANCEL_COOKIE, 1, CANCELIO_WRITE));
	EXPECT_EQ(-EINVAL, cio_cancel(fd, CANCELIO_CANCEL_CONN, self->conn, 0));
	EXPECT_EQ(-EINVAL, cio_cancel(fd, CANCELIO_CANCEL_CONN, self->conn, 4));
	EXPECT_EQ(-EBADF, cio_cancel(fd, CANCELIO_CANCEL_CONN, STALE_CONN, CANCELIO_READ));
	EXPECT_EQ(-ENOENT, cio_cancel(fd, CANCELIO_CANCEL_CONN, self->conn, CANCELIO_READ));
	EXPECT_EQ(-ENOENT, cio_cancel(fd, CANCELIO_CANCEL_ID, 1, 0));
	EXPECT_EQ(-ENOENT, cio_cancel(fd, CANCELIO_CANCEL_ID, ~0ULL, 0));
	EXPECT_EQ(-ENOENT, cio_cancel(fd, CANCELIO_CANCEL_COOKIE, 1, 0));
	EXPECT_EQ(-ENOENT, cio_cancel(fd, CANCELIO_CANCEL_ALL, 0, 0));
}

TEST_F(tcp, C61_set_deadline_refuses_bad_fields_and_changes_nothing)
{
	struct cancelio_completion result;
	__u32 both = CANCELIO_READ | CANCELIO_WRITE;

	EXPECT_EQ(-EINVAL, cio_deadline(self->fd, self->conn, 0, 0, 0));
	EXPECT_EQ(-EINVAL, cio_deadline(self->fd, self->conn, 4 | both, 0, 0));
	EXPECT_EQ(-EINVAL, cio_deadline(self->fd, self->conn, CANCELIO_READ, 0, 1));
	EXPECT_EQ(-EINVAL, cio_deadline(self->fd, self->conn, CANCELIO_WRITE, 1, 0));
	EXPECT_EQ(-EBADF, cio_deadline(self->fd, STALE_CONN, both, 0, 0));
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
	EXPECT_DONE(result, 1);
	ASSERT_EQ(0, cio_detach(self->fd, self->conn));
	EXPECT_EQ(-EBADF, cio_deadline(self->fd, self->conn, both, 0, 0));
}

TEST_F(tcp, C34_after_shutdown_everything_is_ESHUTDOWN)
{
	struct cancelio_shutdown flagged = { .size = sizeof(flagged), .flags = 1 };
	struct cancelio_completion result;
	struct cancelio_info info;
	char byte;

	EXPECT_EQ(-EINVAL, cio_ioctl(self->fd, CANCELIO_SHUTDOWN, &flagged));
	ASSERT_EQ(0, cio_shutdown(self->fd));
	EXPECT_EQ(0, cio_info(self->fd, &info));
	EXPECT_EQ(-ESHUTDOWN, cio_shutdown(self->fd));
	EXPECT_EQ(-ESHUTDOWN, cio_attach(self->fd, self->peer, NULL));
	EXPECT_EQ(-ESHUTDOWN, cio_detach(self->fd, self->conn));
	EXPECT_EQ(-ESHUTDOWN, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_EQ(-ESHUTDOWN, run(self->fd, op_recv(self->conn, &byte, 1), &result));
	EXPECT_EQ(-ESHUTDOWN, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, cio_deadline(self->fd, self->conn, CANCELIO_READ, 0, 0));
	EXPECT_EQ(0, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_EQ(-ESHUTDOWN, cio_wait(self->fd, 1, &result, 1, after(LONG_ENOUGH)));
}

TEST_HARNESS_MAIN
