// SPDX-License-Identifier: GPL-2.0
/* RECVMSG and SENDMSG over TCP and UDP: buffers, addresses, control data, bad headers. */
#define _GNU_SOURCE
#include "tcp_fixture.h"
#include "udp_fixture.h"
#include "watch.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

/* No memory of a program is there. */
#define KERNEL_ADDRESS	0xffff888000000000ULL
/* The number of pieces that cut_up() makes. */
#define PIECES		7

/* Buffers that cover @len bytes at @base in pieces of many sizes, one of them empty. */
static void cut_up(struct cancelio_iovec *iov, char *base, __u64 len)
{
	__u64 sizes[PIECES] = { 1, 4095, 0, 70000, 3, len / 2, 0 };
	__u64 done = 0;
	int i;

	sizes[PIECES - 1] = len - sizes[0] - sizes[1] - sizes[3] - sizes[4] - sizes[5];
	for (i = 0; i < PIECES; i++) {
		iov[i] = iovec_of(base + done, sizes[i]);
		done += sizes[i];
	}
}

TEST_F(tcp, C40_sendmsg_gathers_and_recvmsg_scatters)
{
	char one[4] = "one ", two[6] = "three!", left[6] = {}, right[4] = {};
	struct cancelio_iovec from[] = { iovec_of(one, 4), iovec_of(NULL, 0), iovec_of(two, 6) };
	struct cancelio_iovec to[] = { iovec_of(left, 6), iovec_of(right, 4) };
	struct cancelio_msg send_message = message_of(from, 3);
	struct cancelio_msg message = message_of(to, 2);
	struct cancelio_completion result;
	char buffer[16] = {};

	ASSERT_EQ(0, run(self->fd, op_sendmsg(self->conn, &send_message), &result));
	EXPECT_DONE(result, 10);
	EXPECT_EQ(CANCELIO_OP_SENDMSG, result.opcode);
	EXPECT_EQ(10, recv(self->peer, buffer, sizeof(buffer), 0));
	EXPECT_STREQ("one three!", buffer);
	ASSERT_EQ(10, write(self->peer, "abcdefghij", 10));
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
	EXPECT_DONE(result, 10);
	EXPECT_EQ(CANCELIO_OP_RECVMSG, result.opcode);
	EXPECT_EQ(0, memcmp("abcdef", left, 6));
	EXPECT_EQ(0, memcmp("ghij", right, 4));
	EXPECT_EQ(0, message.flags);
	EXPECT_EQ(0, message.control_len);
}

TEST_F(tcp, C5_sendmsg_goes_on_over_all_its_buffers)
{
	struct cancelio_completion result;
	struct cancelio_iovec iov[PIECES];
	struct cancelio_msg message = message_of(iov, PIECES);
	char *data = pattern_new(MUCH);

	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	cut_up(iov, data, MUCH);
	ASSERT_EQ(1, submit_one(self->fd, op_sendmsg(self->conn, &message)));
	EXPECT_TRUE(stays_empty(self->fd));
	/* The header and the array were copied: the caller may use them again (C53). */
	memset(iov, POISON, sizeof(iov));
	memset(&message, POISON, sizeof(message));
	EXPECT_EQ(MUCH, pattern_read(self->peer, MUCH, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, MUCH);
	free(data);
}

TEST_F(tcp, C5_sendmsg_that_expires_reports_what_the_socket_took)
{
	struct cancelio_completion result;
	struct cancelio_iovec iov[PIECES];
	struct cancelio_msg message = message_of(iov, PIECES);
	char *data = pattern_new(MUCH);
	ssize_t sent;

	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	cut_up(iov, data, MUCH);
	ASSERT_EQ(1, submit_one(self->fd, op_sendmsg(self->conn, &message)));
	/* It has begun. */
	ASSERT_EQ(POLLIN, wait_events(self->peer, POLLIN));
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_WRITE, 0, now()));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EQ(CANCELIO_DEADLINE, result.reason);
	EXPECT_EQ(-ETIME, result.error);
	sent = result.bytes;
	EXPECT_LT(0, sent);
	EXPECT_GT(MUCH, sent);
	ASSERT_EQ(0, shutdown(self->sock, SHUT_WR));
	EXPECT_EQ(sent, pattern_read(self->peer, MUCH, 0));
	free(data);
}

TEST_F(tcp, C4_recvmsg_with_WAITALL_fills_all_its_buffers)
{
	struct cancelio_completion result;
	struct cancelio_iovec iov[PIECES];
	struct cancelio_msg message = message_of(iov, PIECES);
	size_t len = 200000, half = 5000;
	char *data = pattern_new(len), *buffer = calloc(1, len);
	struct cancelio_op op = with_msg_flags(op_recvmsg(self->conn, &message), MSG_WAITALL);

	ASSERT_NE(NULL, data);
	ASSERT_NE(NULL, buffer);
	cut_up(iov, buffer, len);
	ASSERT_EQ(1, submit_one(self->fd, op));
	memset(iov, POISON, sizeof(iov));
	ASSERT_EQ(half, send(self->peer, data, half, 0));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(len - half, send(self->peer, data + half, len - half, MSG_DONTWAIT));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, len);
	EXPECT_TRUE(pattern_holds(buffer, len, 0));
	EXPECT_EQ(0, message.flags);
	free(buffer);
	free(data);
}

TEST_F(tcp, C4_recvmsg_with_WAITALL_that_expires_reports_its_bytes)
{
	struct cancelio_completion result;
	char left[3] = {}, right[64] = {}, byte;
	struct cancelio_iovec iov[] = { iovec_of(left, 3), iovec_of(right, 64) };
	struct cancelio_msg message = message_of(iov, 2);
	struct cancelio_op op = with_msg_flags(op_recvmsg(self->conn, &message), MSG_WAITALL);

	ASSERT_EQ(5, write(self->peer, "abcde", 5));
	ASSERT_EQ(POLLIN, wait_events(self->sock, POLLIN));
	ASSERT_EQ(1, submit_one(self->fd, op));
	/* It has taken what there is. */
	while (recv(self->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
		sleep_until(after(MS));
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, now(), 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_ENDED(result, CANCELIO_DEADLINE, -ETIME, 5);
	EXPECT_EQ(0, memcmp("abc", left, 3));
	EXPECT_STREQ("de", right);
	EXPECT_EQ(0, message.flags);
}

TEST_F(tcp, C4_recvmsg_that_expires_or_is_canceled_writes_nothing)
{
	struct cancelio_completion result;
	char buffer[8] = {};
	struct cancelio_iovec iov = iovec_of(buffer, 8);
	struct cancelio_msg message = message_of(&iov, 1), before = message;
	struct cancelio_op op = op_recvmsg(self->conn, &message);

	ASSERT_EQ(0, run(self->fd, with_timeout(op, 10 * MS), &result));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(1, submit_one(self->fd, op));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	ASSERT_EQ(4, write(self->peer, "next", 4));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_CANCELED(result);
	EXPECT_STREQ("", buffer);
	EXPECT_EQ(0, memcmp(&before, &message, sizeof(message)));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_DONE(result, 4);
	EXPECT_STREQ("next", buffer);
}

TEST_F(tcp, C53_pending_recvmsg_does_not_look_at_its_header_again)
{
	struct cancelio_completion result;
	char buffer[8] = {};
	struct cancelio_iovec iov = iovec_of(buffer, 8);
	struct cancelio_msg message = message_of(&iov, 1);

	ASSERT_EQ(1, submit_one(self->fd, op_recvmsg(self->conn, &message)));
	memset(&message, POISON, sizeof(message));
	memset(&iov, POISON, sizeof(iov));
	ASSERT_EQ(2, write(self->peer, "ok", 2));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 2);
	EXPECT_STREQ("ok", buffer);
	/* The results are there, and nothing else was written. */
	EXPECT_EQ(0, message.name_len);
	EXPECT_EQ(0, message.control_len);
	EXPECT_EQ(0, message.flags);
	EXPECT_EQ(0xA5A5A5A5, message.iov_count);
}

TEST_F(tcp, C19_empty_recvmsg_of_a_stream_ends_at_once)
{
	struct cancelio_completion result;
	struct cancelio_iovec iov = iovec_of(NULL, 0);
	struct cancelio_msg message = message_of(&iov, 1);

	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, now(), 0));
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(0, message.flags);
	message = message_of(NULL, 0);
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
	EXPECT_DONE(result, 0);
}

/* An empty read of a stream is refused; its header is as it was. */
TEST_F(tcp, C1_refused_empty_recvmsg_writes_nothing)
{
	struct cancelio_iovec iov = iovec_of(NULL, 0);
	struct cancelio_msg message = message_of(&iov, 1), before = message;
	struct cancelio_op op = op_recvmsg(self->conn, &message);
	struct cancelio_submit submit = {
		.size = sizeof(submit), .op_size = sizeof(op), .ops = (unsigned long)&op,
		.count = 1, .ids = (unsigned long)forbidden_page(),
	};
	struct cancelio_completion result;

	ASSERT_NE(0, message.flags);
	/* Its id cannot be written. */
	EXPECT_EQ(-EFAULT, cio_ioctl(self->fd, CANCELIO_SUBMIT, &submit));
	EXPECT_EQ(0, memcmp(&before, &message, sizeof(message)));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(0, message.flags);
}

struct submitter {
	int fd;
	struct cancelio_op op;
	int ret;
};

static void *submit_it(void *argument)
{
	struct submitter *submitter = argument;

	submitter->ret = submit_one(submitter->fd, submitter->op);
	return NULL;
}

/* The same for one whose connection is detached while its buffers are read. */
TEST_F(tcp, C1_empty_recvmsg_that_a_detach_overtakes_writes_nothing)
{
	struct submitter submitter = { .fd = self->fd };
	struct cancelio_msg message, before;
	pthread_t thread;
	sigset_t alarm;
	void *page;
	int uffd;

	page = held_page(&uffd);
	if (!page)
		SKIP(return, "no userfaultfd(2)");
	/* The page will be of zeros: an empty buffer. */
	message = message_of(page, 1);
	before = message;
	submitter.op = op_recvmsg(self->conn, &message);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &alarm, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_it, &submitter));
	ASSERT_EQ(0, pthread_sigmask(SIG_UNBLOCK, &alarm, NULL));
	ASSERT_TRUE(await_fault(uffd));
	/* It waits for the submission, and has closed the connection. */
	ASSERT_EQ(0, interrupt_often(true));
	EXPECT_EQ(-EINTR, cio_detach(self->fd, self->conn));
	ASSERT_EQ(0, interrupt_often(false));
	ASSERT_EQ(0, release_page(uffd, page));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-EBADF, submitter.ret);
	EXPECT_EQ(0, memcmp(&before, &message, sizeof(message)));
	close(uffd);
}

/* Control data without a buffer comes with the first part alone. */
TEST_F(tcp, C40_flags_of_all_parts_of_a_WAITALL_are_reported)
{
	struct cancelio_completion result;
	char bytes[2];
	struct cancelio_iovec iov = iovec_of(bytes, 2);
	struct cancelio_msg message = message_of(&iov, 1);
	struct cancelio_op ops[2] = { op_recvmsg(self->conn, &message),
				      op_recv(self->conn, bytes, 2) };
	int i, on;

	for (i = 0; i < 2; i++) {
		on = 1;
		ASSERT_EQ(0, setsockopt(self->sock, IPPROTO_TCP, TCP_INQ, &on, sizeof(on)));
		ASSERT_EQ(1, submit_one(self->fd, with_msg_flags(ops[i], MSG_WAITALL)));
		ASSERT_EQ(1, write(self->peer, "a", 1));
		/* It has taken what there is. */
		ASSERT_TRUE(await_fdinfo(getpid(), self->fd, "bytes=1"));
		on = 0;
		ASSERT_EQ(0, setsockopt(self->sock, IPPROTO_TCP, TCP_INQ, &on, sizeof(on)));
		ASSERT_EQ(1, write(self->peer, "b", 1));
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_DONE(result, 2);
		EXPECT_EQ(MSG_CTRUNC, result.events);
		EXPECT_EQ(MSG_CTRUNC, message.flags);
	}
}

TEST_F(tcp, C33_recvmsg_sees_end_of_file_and_reset)
{
	struct cancelio_completion result;
	char byte;
	struct cancelio_iovec iov = iovec_of(&byte, 1);
	struct cancelio_msg message = message_of(&iov, 1);

	ASSERT_EQ(1, submit_one(self->fd, op_recvmsg(self->conn, &message)));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(0, message.flags);
	ASSERT_EQ(0, close_with_reset(self->peer));
	self->peer = -1;
	ASSERT_NE(0, wait_events(self->sock, POLLERR));
	ASSERT_EQ(0, run(self->fd, op_sendmsg(self->conn, &message), &result));
	EXPECT_ERROR(result, -EPIPE);
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
	EXPECT_ERROR(result, -EPIPE);
}

/* The socket itself tells its error once, and then that it has ended. */
TEST_F(tcp, C33_recvmsg_that_ends_with_the_error_once_more_writes_nothing)
{
	struct cancelio_completion result;
	char byte, control[64];
	struct cancelio_iovec iov = iovec_of(&byte, 1);
	struct cancelio_msg message = message_of(&iov, 1), before;
	int i;

	message.control = (unsigned long)control;
	message.control_len = sizeof(control);
	message.flags = MSG_TRUNC;
	before = message;
	ASSERT_EQ(0, close_with_reset(self->peer));
	self->peer = -1;
	ASSERT_NE(0, wait_events(self->sock, POLLERR));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
		EXPECT_ERROR(result, -ECONNRESET);
		EXPECT_EQ(0, memcmp(&before, &message, sizeof(message)));
	}
}

/* Bad headers, each with everything else valid, and what they are refused with. */
struct bad_message {
	struct cancelio_msg message;
	int error;
};

static int make_bad_messages(struct bad_message *bad, const struct cancelio_msg *good, void *page)
{
	static struct cancelio_iovec long_iov[2], wrapping_iov[2];
	static char byte;
	int i;

	long_iov[0] = iovec_of(&byte, 1);
	long_iov[1] = iovec_of(&byte, CANCELIO_MAX_LEN);
	wrapping_iov[0] = iovec_of(&byte, 16);
	wrapping_iov[1] = iovec_of(&byte, -16ULL);
	for (i = 0; i < 8; i++) {
		bad[i].message = *good;
		bad[i].error = -EINVAL;
	}
	bad[0].message.iov_count = 1025;
	bad[1].message.iov_count = ~0U;
	bad[2].message.name_len = 1;
	bad[3].message.control_len = 1;
	bad[4].message.iov = (unsigned long)long_iov;
	bad[4].message.iov_count = 2;
	bad[5].message.iov = (unsigned long)wrapping_iov;
	bad[5].message.iov_count = 2;
	bad[6].message.iov = (unsigned long)page;
	bad[6].error = -EFAULT;
	bad[7].message.iov = KERNEL_ADDRESS;
	bad[7].error = -EFAULT;
	return i;
}

/* What only SENDMSG reads. */
static int make_bad_send_messages(struct bad_message *bad, const struct cancelio_msg *good,
				  void *page)
{
	static char memory[CANCELIO_MAX_CONTROL + 1];
	int i;

	for (i = 0; i < 4; i++) {
		bad[i].message = *good;
		bad[i].error = -EFAULT;
	}
	bad[0].message.name = (unsigned long)page;
	bad[0].message.name_len = 16;
	bad[1].message.name = (unsigned long)memory;
	bad[1].message.name_len = sizeof(struct sockaddr_storage) + 1;
	bad[1].error = -EINVAL;
	bad[2].message.control = (unsigned long)page;
	bad[2].message.control_len = 16;
	bad[3].message.control = (unsigned long)memory;
	bad[3].message.control_len = sizeof(memory);
	bad[3].error = -ENOBUFS;
	return i;
}

TEST_F(tcp, C60_bad_header_is_refused_and_nothing_happens)
{
	char buffer[8] = {};
	struct cancelio_iovec iov = iovec_of(buffer, 8);
	struct cancelio_msg message, good = message_of(&iov, 1);
	struct cancelio_completion result;
	struct bad_message bad[16];
	void *page = forbidden_page();
	struct cancelio_op op;
	int i, count;
	__u64 id;

	ASSERT_NE(NULL, page);
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(POLLIN, wait_events(self->sock, POLLIN));
	count = make_bad_messages(bad, &good, page);
	count += make_bad_send_messages(bad + count, &good, page);
	for (i = 0; i < count; i++) {
		message = bad[i].message;
		op = op_sendmsg(self->conn, &message);
		EXPECT_EQ(bad[i].error, submit_one(self->fd, op))
			TH_LOG("bad message %d by SENDMSG", i);
		EXPECT_EQ(bad[i].error, cio_call(self->fd, &op, &id, &result));
		EXPECT_EQ(0, id);
		if (i < 8)
			EXPECT_EQ(bad[i].error,
				  submit_one(self->fd, op_recvmsg(self->conn, &message)))
				TH_LOG("bad message %d by RECVMSG", i);
		EXPECT_EQ(0, memcmp(&bad[i].message, &message, sizeof(message)));
	}
	EXPECT_EQ(-EFAULT, submit_one(self->fd, op_recvmsg(self->conn, page)));
	EXPECT_EQ(-EFAULT, submit_one(self->fd, op_sendmsg(self->conn, NULL)));
	op = op_recvmsg(self->conn, &good);
	op.len = 1;
	EXPECT_EQ(-EINVAL, submit_one(self->fd, op));
	EXPECT_TRUE(stays_empty(self->fd));
	EXPECT_EQ(-1, recv(self->peer, buffer, 1, MSG_DONTWAIT));
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &good), &result));
	EXPECT_DONE(result, 1);
}

TEST_F(tcp, C60_empty_recvmsg_that_is_refused_has_written_nothing)
{
	struct cancelio_msg message = message_of(NULL, 0), before = message;
	struct cancelio_op op = op_recvmsg(self->conn, &message);
	struct cancelio_submit submit = {
		.size = sizeof(submit), .op_size = sizeof(op), .ops = (unsigned long)&op,
		.ids = (unsigned long)forbidden_page(), .count = 1,
	};

	EXPECT_EQ(-EFAULT, cio_ioctl(self->fd, CANCELIO_SUBMIT, &submit));
	EXPECT_EQ(0, memcmp(&before, &message, sizeof(message)));
	EXPECT_TRUE(stays_empty(self->fd));
}

TEST_F(tcp, C60_bad_buffer_of_a_message_is_an_EFAULT_completion)
{
	struct cancelio_iovec iov = iovec_of(forbidden_page(), 8);
	struct cancelio_msg message = message_of(&iov, 1);
	struct cancelio_completion result;

	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(POLLIN, wait_events(self->sock, POLLIN));
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
	EXPECT_ERROR(result, -EFAULT);
	ASSERT_EQ(0, run(self->fd, op_sendmsg(self->conn, &message), &result));
	EXPECT_ERROR(result, -EFAULT);
	iov.base = KERNEL_ADDRESS;
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
	EXPECT_ERROR(result, -EFAULT);
	ASSERT_EQ(0, run(self->fd, op_sendmsg(self->conn, &message), &result));
	EXPECT_ERROR(result, -EFAULT);
}

TEST_F(tcp, C60_results_that_cannot_be_written_are_EFAULT_with_the_bytes)
{
	char buffer[8] = {};
	struct cancelio_iovec iov = iovec_of(buffer, 8);
	struct cancelio_completion result;
	struct cancelio_msg *message = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, message);
	*message = message_of(&iov, 1);
	ASSERT_EQ(1, submit_one(self->fd, op_recvmsg(self->conn, message)));
	ASSERT_EQ(0, mprotect(message, 4096, PROT_READ));
	ASSERT_EQ(3, write(self->peer, "abc", 3));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_ENDED(result, CANCELIO_ERROR, -EFAULT, 3);
	EXPECT_STREQ("abc", buffer);
}

TEST_F(tcp, C40_recvmsg_takes_a_thousand_buffers)
{
	struct cancelio_completion result;
	struct cancelio_iovec iov[1024];
	struct cancelio_msg message = message_of(iov, 1024);
	char data[2048], buffer[2048] = {};
	int i;

	for (i = 0; i < 1024; i++)
		iov[i] = iovec_of(buffer + 2 * i, 2);
	pattern_fill(data, sizeof(data), 0);
	ASSERT_EQ(sizeof(data), write(self->peer, data, sizeof(data)));
	ASSERT_EQ(0, run(self->fd, with_msg_flags(op_recvmsg(self->conn, &message), MSG_WAITALL),
			 &result));
	EXPECT_DONE(result, sizeof(data));
	EXPECT_TRUE(pattern_holds(buffer, sizeof(buffer), 0));
}

TEST_F(udp, C40_recvmsg_says_where_a_datagram_came_from)
{
	struct cancelio_completion result;
	struct sockaddr_storage from = {}, expected = {};
	socklen_t len = sizeof(expected);
	char buffer[8] = {}, start[4];
	struct cancelio_iovec iov = iovec_of(buffer, 8);
	struct cancelio_msg message = message_of(&iov, 1);

	ASSERT_EQ(0, getsockname(self->peer, (struct sockaddr *)&expected, &len));
	message.name = (unsigned long)&from;
	message.name_len = sizeof(from);
	ASSERT_EQ(1, submit_one(self->fd, op_recvmsg(self->conn, &message)));
	ASSERT_EQ(3, write(self->peer, "abc", 3));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 3);
	EXPECT_EQ(len, message.name_len);
	EXPECT_EQ(0, memcmp(&expected, &from, len));
	/* As much as fits is written, and the full length. */
	memset(start, POISON, sizeof(start));
	message.name = (unsigned long)start;
	message.name_len = 2;
	ASSERT_EQ(3, write(self->peer, "abc", 3));
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
	EXPECT_DONE(result, 3);
	EXPECT_EQ(len, message.name_len);
	EXPECT_EQ(0, memcmp(&expected, start, 2));
	EXPECT_EQ((char)POISON, start[2]);
}

TEST_F(udp, C40_sendmsg_sends_to_its_address)
{
	struct cancelio_completion result;
	struct sockaddr_storage to = {};
	socklen_t len = sizeof(to);
	int sock = socket(variant->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int server[2];
	struct cancelio_iovec iov[] = { iovec_of("he", 2), iovec_of("re", 2) };
	struct cancelio_msg message = message_of(iov, 2);
	char buffer[8] = {};
	__u64 conn;

	ASSERT_LE(0, sock);
	ASSERT_EQ(0, udp_pair(variant->family, server));
	/* The pair's ends take only what comes from each other: one that is not connected. */
	ASSERT_EQ(0, getsockname(server[0], (struct sockaddr *)&to, &len));
	close(server[0]);
	server[0] = socket(variant->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, bind(server[0], (struct sockaddr *)&to, len));
	ASSERT_EQ(0, cio_attach(self->fd, sock, &conn));
	message.name = (unsigned long)&to;
	message.name_len = len;
	ASSERT_EQ(0, run(self->fd, op_sendmsg(conn, &message), &result));
	EXPECT_DONE(result, 4);
	EXPECT_EQ(4, recv(server[0], buffer, sizeof(buffer), 0));
	EXPECT_STREQ("here", buffer);
	close(server[0]);
	close(server[1]);
	close(sock);
}

TEST_F(udp, C42_recvmsg_flags_truncation_and_takes_empty_datagrams)
{
	struct cancelio_completion result;
	char left[2] = {}, right[2] = {};
	struct cancelio_iovec iov[] = { iovec_of(left, 2), iovec_of(right, 2) };
	struct cancelio_msg message = message_of(iov, 2);

	ASSERT_EQ(6, write(self->peer, "012345", 6));
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
	EXPECT_DONE(result, 4);
	EXPECT_EQ(MSG_TRUNC, message.flags);
	EXPECT_EQ(MSG_TRUNC, result.events);
	EXPECT_EQ(0, memcmp("01", left, 2));
	EXPECT_EQ(0, memcmp("23", right, 2));
	ASSERT_EQ(0, send(self->peer, "", 0, 0));
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(0, message.flags);
	ASSERT_EQ(0, run(self->fd, with_flags(op_recvmsg(self->conn, &message),
					      CANCELIO_OP_NOWAIT), &result));
	EXPECT_ERROR(result, -EAGAIN);
}

static int enable(int sock, int level, int option)
{
	int on = 1;

	return setsockopt(sock, level, option, &on, sizeof(on));
}

TEST_F(udp, C40_recvmsg_delivers_control_data)
{
	bool six = variant->family == AF_INET6;
	int level = six ? IPPROTO_IPV6 : IPPROTO_IP;
	size_t len = six ? sizeof(struct in6_pktinfo) : sizeof(struct in_pktinfo);
	union {
		struct cmsghdr head;
		char bytes[256];
	} control;
	struct cancelio_completion result;
	char buffer[8] = {};
	struct cancelio_iovec iov = iovec_of(buffer, 8);
	struct cancelio_msg message = message_of(&iov, 1);

	ASSERT_EQ(0, enable(self->sock, level, six ? IPV6_RECVPKTINFO : IP_PKTINFO));
	memset(&control, POISON, sizeof(control));
	message.control = (unsigned long)&control;
	message.control_len = sizeof(control);
	ASSERT_EQ(1, submit_one(self->fd, op_recvmsg(self->conn, &message)));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ(CMSG_SPACE(len), message.control_len);
	EXPECT_EQ(level, control.head.cmsg_level);
	EXPECT_EQ(six ? IPV6_PKTINFO : IP_PKTINFO, control.head.cmsg_type);
	EXPECT_EQ(CMSG_LEN(len), control.head.cmsg_len);
	EXPECT_EQ(0, message.flags);
	/* A buffer that is too small. */
	message.control_len = CMSG_LEN(1);
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ(MSG_CTRUNC, message.flags);
	EXPECT_EQ(MSG_CTRUNC, result.events);
	EXPECT_EQ(CMSG_LEN(1), message.control_len);
	/* And none. */
	message.control = 0;
	message.control_len = 0;
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ(MSG_CTRUNC, message.flags);
	EXPECT_EQ(0, message.control_len);
}

TEST_F(udp, C40_sendmsg_takes_control_data)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = IPPROTO_IP,
				.cmsg_type = IP_TTL } };
	struct cancelio_completion result;
	struct cancelio_iovec iov = iovec_of("x", 1);
	struct cancelio_msg message = message_of(&iov, 1);
	struct msghdr got = { .msg_control = &control, .msg_controllen = sizeof(control) };
	int ttl = 77;

	if (variant->family != AF_INET)
		SKIP(return, "IPv4 only");
	memcpy(CMSG_DATA(&control.head), &ttl, sizeof(ttl));
	message.control = (unsigned long)&control;
	message.control_len = sizeof(control);
	ASSERT_EQ(0, enable(self->peer, IPPROTO_IP, IP_RECVTTL));
	ASSERT_EQ(0, run(self->fd, op_sendmsg(self->conn, &message), &result));
	EXPECT_DONE(result, 1);
	memset(&control, POISON, sizeof(control));
	ASSERT_EQ(0, recvmsg(self->peer, &got, 0));
	memcpy(&ttl, CMSG_DATA(&control.head), sizeof(ttl));
	EXPECT_EQ(77, ttl);
	/* What the protocol does not know is its error. */
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	control.head.cmsg_level = IPPROTO_IP;
	control.head.cmsg_type = 12345;
	ASSERT_EQ(0, run(self->fd, op_sendmsg(self->conn, &message), &result));
	EXPECT_ERROR(result, -EINVAL);
}

TEST_F(udp, C44_shutdown_ends_a_pending_read)
{
	struct cancelio_completion result;
	char buffer[8] = {};
	struct cancelio_iovec iov = iovec_of(buffer, 8);
	struct cancelio_msg message = message_of(&iov, 1);

	ASSERT_EQ(1, submit_one(self->fd, op_recvmsg(self->conn, &message)));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, shutdown(self->sock, SHUT_RD));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	EXPECT_EQ(0, message.flags);
}

TEST_HARNESS_MAIN
