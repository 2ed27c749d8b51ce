// SPDX-License-Identifier: GPL-2.0
/* Who may use a context: its owner alone, and nobody else disturbs it (C50, C51 in part). */
#include "tcp_fixture.h"

#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

struct stranger {
	int fd;
	__u64 conn;
	struct cancelio_ring *ring;
};

/* Every ioctl with valid arguments; returns the number of the first not refused, or 0. */
static int first_not_refused(struct stranger *self)
{
	struct cancelio_completion result;
	struct cancelio_setup setup = { .size = sizeof(setup) };
	struct cancelio_info info;
	char byte;
	struct cancelio_op op = op_recv(self->conn, &byte, 1);
	int results[] = {
		cio_info(self->fd, &info),
		cio_setup(self->fd, &setup),
		cio_attach(self->fd, self->fd, NULL),
		cio_detach(self->fd, self->conn),
		cio_submit(self->fd, &op, 1, NULL, NULL),
		cio_call(self->fd, &op, NULL, &result),
		cio_wait(self->fd, 0, &result, 1, 0),
		cio_wait_op(self->fd, 1, 0, &result),
		cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0),
		cio_deadline(self->fd, self->conn, CANCELIO_READ, 0, 0),
		cio_eventfd(self->fd, -1),
		cio_restrict(self->fd, 0, 0),
		cio_shutdown(self->fd),
	};
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(results); i++)
		if (results[i] != -EPERM)
			return i + 1;
	return 0;
}

static int refused_everything(void *argument)
{
	return first_not_refused(argument);
}

static int refused_mmap(void *argument)
{
	struct stranger *self = argument;
	void *ring = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, self->fd, 0);

	return ring == MAP_FAILED && errno == EPERM ? 0 : 1;
}

static int sees_poll_error(void *argument)
{
	struct stranger *self = argument;
	struct pollfd poll_fd = { .fd = self->fd, .events = POLLIN };

	return poll(&poll_fd, 1, LONG_ENOUGH / MS) == 1 && poll_fd.revents & POLLERR ? 0 : 1;
}

static int closes_its_copy(void *argument)
{
	struct stranger *self = argument;

	return close(self->fd);
}

/* Whether the ring's memory is mapped here: the kernel reads it for write(2). */
static int has_no_ring(void *argument)
{
	struct stranger *self = argument;
	int ends[2];

	if (pipe(ends) < 0)
		return 1;
	return write(ends[1], self->ring, 1) == -1 && errno == EFAULT ? 0 : 2;
}

TEST_F(tcp, C50_forked_child_gets_EPERM_from_every_ioctl)
{
	struct stranger child = { .fd = self->fd, .conn = self->conn };

	EXPECT_EQ(0, in_child(refused_everything, &child));
}

TEST_F(tcp, C50_forked_child_gets_EPERM_from_mmap_and_POLLERR_from_poll)
{
	struct stranger child = { .fd = self->fd, .conn = self->conn };

	EXPECT_EQ(0, in_child(refused_mmap, &child));
	EXPECT_EQ(0, in_child(sees_poll_error, &child));
}

TEST_F(tcp, C50_ring_is_not_inherited_by_fork)
{
	struct stranger child = { .fd = self->fd, .ring = cio_map(self->fd, 256) };

	ASSERT_NE(NULL, child.ring);
	EXPECT_EQ(0, in_child(has_no_ring, &child));
	EXPECT_EQ(0, ring_count(child.ring));
}

static int in_shared_memory(void *argument)
{
	return first_not_refused(argument);
}

TEST_F(tcp, C50_another_thread_group_in_the_same_memory_gets_EPERM)
{
	struct stranger child = { .fd = self->fd, .conn = self->conn };
	size_t bytes = 64 * PAGE_BYTES;
	char *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	int status = -1;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, stack);
	pid = clone(in_shared_memory, stack + bytes, CLONE_VM | CLONE_VFORK | SIGCHLD, &child);
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(tcp, C50_child_that_closes_and_exits_does_not_disturb)
{
	struct stranger child = { .fd = self->fd, .conn = self->conn };
	struct cancelio_completion result;
	static char byte;

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_EQ(0, in_child(closes_its_copy, &child));
	EXPECT_EQ(0, in_child(refused_everything, &child));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(1, write(self->peer, "d", 1));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ('d', byte);
}

TEST_F(tcp, C50_child_that_opens_its_own_context_uses_the_inherited_socket)
{
	struct cancelio_completion result;
	int status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		char byte = 0;
		__u64 conn;
		int fd = cio_context(variant->engine, 0);

		if (cio_attach(fd, self->sock, &conn) || run(fd, op_recv(conn, &byte, 1), &result))
			_exit(1);
		_exit(result.reason == CANCELIO_DONE && byte == 'k' ? 0 : 2);
	}
	EXPECT_EQ(1, write(self->peer, "k", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Sends a descriptor over a UNIX socket. */
static bool send_fd(int sock, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = { .iov_base = "f", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1;
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control, .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(sock, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* A process from before the context, which is handed it. */
static int use_what_was_handed(int sock, __u64 conn)
{
	struct stranger stranger = { .conn = conn, .fd = receive_fd(sock) };
	int ret;

	if (stranger.fd < 0)
		return 100;
	ret = first_not_refused(&stranger);
	if (ret)
		return ret;
	if (refused_mmap(&stranger) || sees_poll_error(&stranger))
		return 101;
	return close(stranger.fd) ? 102 : 0;
}

TEST_F(tcp, C50_process_that_was_handed_the_descriptor_is_refused_and_does_not_disturb)
{
	struct cancelio_completion result;
	int pair[2], fd, status;
	static char byte;
	__u64 conn;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(use_what_was_handed(pair[1], self->conn));
	fd = cio_context(variant->engine, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, cio_attach(fd, self->sock, &conn));
	ASSERT_EQ(1, submit_one(fd, op_recv(conn, &byte, 1)));
	ASSERT_TRUE(send_fd(pair[0], fd));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(stays_empty(fd));
	ASSERT_EQ(1, write(self->peer, "h", 1));
	ASSERT_EQ(1, reap(fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ('h', byte);
	/* The same descriptor back in its owner's hands is as good as any. */
	ASSERT_TRUE(send_fd(pair[0], fd));
	close(fd);
	fd = receive_fd(pair[1]);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, run(fd, op_send(conn, "x", 1), &result));
	EXPECT_DONE(result, 1);
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

TEST_HARNESS_MAIN
