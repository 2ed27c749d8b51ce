// SPDX-License-Identifier: GPL-2.0
/* AF_UNIX sockets of the three types, as sockets among others (C33, C34, C42 to C45). */
#define _GNU_SOURCE
#include "unix_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "watch.h"

FIXTURE_VARIANT_ADD(local, thread_stream) {
	.engine = CANCELIO_ENGINE_THREAD, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(local, thread_seqpacket) {
	.engine = CANCELIO_ENGINE_THREAD, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(local, thread_dgram) {
	.engine = CANCELIO_ENGINE_THREAD, .type = SOCK_DGRAM,
};

static bool is_dgram(int type)
{
	return type == SOCK_DGRAM;
}

/* The thread engine does not send on these sockets (C45). */
static bool sends(__u32 engine)
{
	return engine == CANCELIO_ENGINE_POLL;
}

/* Sends by an operation, or where the engine does not, as any program would. */
static ssize_t send_some(int fd, int sock, __u64 conn, const char *data, __u32 len)
{
	struct cancelio_completion result;
	int ret = run(fd, op_send(conn, data, len), &result);

	if (ret == -EOPNOTSUPP)
		return send(sock, data, len, 0);
	return ret ?: result.error ?: result.bytes;
}

TEST_F(local, C43_every_type_moves_data_both_ways)
{
	struct cancelio_completion result;
	char buffer[16] = {};

	ASSERT_EQ(7, send_some(self->fd, self->sock, self->conn, "request", 7));
	EXPECT_EQ(7, recv(self->peer, buffer, sizeof(buffer), 0));
	EXPECT_STREQ("request", buffer);
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, buffer, sizeof(buffer))));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(6, write(self->peer, "reply", 6));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 6);
	EXPECT_STREQ("reply", buffer);
	EXPECT_EQ(0, result.events);
}

TEST_F(local, C43_attaching_twice_is_EEXIST)
{
	EXPECT_EQ(-EEXIST, cio_attach(self->fd, self->sock, NULL));
	EXPECT_EQ(0, cio_attach(self->fd, self->peer, NULL));
}

TEST_F(local, C43_both_ends_of_one_pair_can_be_attached)
{
	struct cancelio_completion result;
	char buffer[8] = {};
	__u64 other;

	ASSERT_EQ(0, cio_attach(self->fd, self->peer, &other));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(other, buffer, sizeof(buffer))));
	ASSERT_EQ(4, send_some(self->fd, self->sock, self->conn, "self", 4));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 4);
	EXPECT_EQ(other, result.conn);
	EXPECT_STREQ("self", buffer);
}

TEST_F(local, C33_close_of_the_peer_is_end_of_file)
{
	struct cancelio_completion result;
	char buffer[8];

	if (is_dgram(variant->type))
		SKIP(return, "datagram sockets have no end of file");
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, buffer, sizeof(buffer))));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, close(self->peer));
	self->peer = -1;
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	if (sends(variant->engine)) {
		ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
		EXPECT_ERROR(result, -EPIPE);
	}
	/* The refused write has not made it a reset. */
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, sizeof(buffer)), &result));
	EXPECT_DONE(result, 0);
	EXPECT_FALSE(sigpipe_seen());
}

/* The peer closes with data that it has not read. */
TEST_F(local, C33_reset_is_reported_to_both_sides_for_good)
{
	struct cancelio_completion result;
	char buffer[8];
	int i;

	if (is_dgram(variant->type))
		SKIP(return, "datagram sockets have no reset");
	ASSERT_EQ(6, send_some(self->fd, self->sock, self->conn, "unread", 6));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, buffer, sizeof(buffer))));
	ASSERT_EQ(0, close(self->peer));
	self->peer = -1;
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_ERROR(result, -ECONNRESET);
	for (i = 0; i < 2; i++) {
		if (sends(variant->engine)) {
			ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
			EXPECT_ERROR(result, -ECONNRESET);
		}
		ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, 8), &result));
		EXPECT_ERROR(result, -ECONNRESET);
	}
}

TEST_F(local, C33_writer_learns_of_a_reset_first_and_the_reader_too)
{
	struct cancelio_completion result;
	char buffer[8];

	if (!sends(variant->engine))
		SKIP(return, "the thread engine does not send here");
	if (is_dgram(variant->type))
		SKIP(return, "datagram sockets have no reset");
	ASSERT_EQ(6, send_some(self->fd, self->sock, self->conn, "unread", 6));
	ASSERT_EQ(0, close(self->peer));
	self->peer = -1;
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
	EXPECT_ERROR(result, -ECONNRESET);
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, 8), &result));
	EXPECT_ERROR(result, -ECONNRESET);
}

TEST_F(local, C42_empty_datagram_is_a_result)
{
	struct cancelio_completion result;
	char buffer[8];

	if (variant->type == SOCK_STREAM)
		SKIP(return, "a stream has no empty message");
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, buffer, sizeof(buffer))));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, send(self->peer, "", 0, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	ASSERT_EQ(0, send_some(self->fd, self->sock, self->conn, "", 0));
	EXPECT_EQ(0, recv(self->peer, buffer, sizeof(buffer), MSG_DONTWAIT));
}

TEST_F(local, C42_messages_keep_their_bounds_and_truncation_is_flagged)
{
	struct cancelio_completion result;
	char buffer[4];

	if (variant->type == SOCK_STREAM)
		SKIP(return, "a stream has no bounds");
	ASSERT_EQ(2, write(self->peer, "ab", 2));
	ASSERT_EQ(6, write(self->peer, "012345", 6));
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, 4), &result));
	EXPECT_DONE(result, 2);
	EXPECT_EQ(0, result.events);
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, buffer, 4), &result));
	EXPECT_DONE(result, 4);
	EXPECT_EQ(MSG_TRUNC, result.events);
}

TEST_F(local, C44_shutdown_ends_a_pending_read)
{
	struct cancelio_completion result;
	char buffer[8];

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, buffer, sizeof(buffer))));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, shutdown(self->sock, SHUT_RD));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
}

TEST_F(local, C44_write_after_shutdown_is_EPIPE)
{
	struct cancelio_completion result;

	if (!sends(variant->engine))
		SKIP(return, "the thread engine does not send here");
	ASSERT_EQ(0, shutdown(self->sock, SHUT_WR));
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
	EXPECT_ERROR(result, -EPIPE);
	EXPECT_FALSE(sigpipe_seen());
}

TEST_F(local, C12_expired_read_takes_nothing)
{
	struct cancelio_completion result;
	char buffer[8] = {};
	struct cancelio_op op = op_recv(self->conn, buffer, sizeof(buffer));

	ASSERT_EQ(0, run(self->fd, with_timeout(op, 10 * MS), &result));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(4, write(self->peer, "kept", 4));
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, now(), 0));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, CANCELIO_NEVER, 0));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_DONE(result, 4);
	EXPECT_STREQ("kept", buffer);
}

TEST_F(local, C30_cancel_ends_a_pending_read)
{
	struct cancelio_completion result;
	char buffer[8];
	struct cancelio_op op = op_recv(self->conn, buffer, sizeof(buffer));
	__u64 id;

	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &id, NULL));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ID, id, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_CANCELED(result);
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_DONE(result, 1);
}

TEST_F(local, C5_stream_write_goes_on_until_all_is_accepted)
{
	struct cancelio_completion result;
	char *data = pattern_new(MUCH + 16384);
	size_t place = 0;

	if (!sends(variant->engine))
		SKIP(return, "the thread engine does not send here");
	if (variant->type != SOCK_STREAM)
		SKIP(return, "streams only");
	ASSERT_NE(NULL, data);
	ASSERT_EQ(1, submit_one(self->fd, op_send(self->conn, data, MUCH)));
	/* This thread is the one that goes on with it, and the one that reads. */
	while (!cio_wait(self->fd, 0, &result, 1, 0)) {
		ssize_t got = recv(self->peer, data + MUCH, 16384, MSG_DONTWAIT);

		if (got < 0)
			continue;
		ASSERT_TRUE(pattern_holds(data + MUCH, got, place));
		place += got;
	}
	EXPECT_DONE(result, MUCH);
	EXPECT_EQ(MUCH - place, pattern_read(self->peer, MUCH - place, place));
	free(data);
}

/* For workers, or on the thread engine. */
static void expect_refused(struct __test_metadata *_metadata, int fd, __u64 conn, __u32 flags)
{
	char buffer[8] = {}, control[64];
	struct cancelio_iovec iov = iovec_of(buffer, 1);
	struct cancelio_msg message = message_of(&iov, 1), with_control = message;
	struct cancelio_completion result;
	struct cancelio_op op = with_flags(op_send(conn, "x", 1), flags);
	__u64 id;

	with_control.control = (unsigned long)control;
	with_control.control_len = sizeof(control);
	EXPECT_EQ(-EOPNOTSUPP, submit_one(fd, op));
	EXPECT_EQ(-EOPNOTSUPP, cio_call(fd, &op, &id, &result));
	EXPECT_EQ(0, id);
	EXPECT_EQ(-EOPNOTSUPP, submit_one(fd, with_flags(op_sendmsg(conn, &message), flags)));
	EXPECT_EQ(-EOPNOTSUPP, submit_one(fd, with_flags(op_recvmsg(conn, &with_control), flags)));
}

/* What is not refused there. */
static void expect_taken(struct __test_metadata *_metadata, int fd, int peer, __u64 conn,
			 __u32 flags)
{
	char buffer[8] = {};
	struct cancelio_iovec iov = iovec_of(buffer, 8);
	struct cancelio_msg message = message_of(&iov, 1);
	struct cancelio_completion result;

	ASSERT_EQ(0, run(fd, with_flags(op_ready(conn, POLLOUT), flags), &result));
	EXPECT_DONE(result, 0);
	ASSERT_EQ(1, submit_one(fd, with_flags(op_recv(conn, buffer, 8), flags)));
	EXPECT_TRUE(stays_empty(fd));
	ASSERT_EQ(3, write(peer, "abc", 3));
	ASSERT_EQ(1, reap(fd, &result));
	EXPECT_DONE(result, 3);
	EXPECT_STREQ("abc", buffer);
	ASSERT_EQ(1, submit_one(fd, with_flags(op_recvmsg(conn, &message), flags)));
	ASSERT_EQ(4, write(peer, "defg", 4));
	ASSERT_EQ(1, reap(fd, &result));
	EXPECT_DONE(result, 4);
	EXPECT_STREQ("defg", buffer);
	EXPECT_EQ(0, message.flags);
}

TEST_F(local, C45_workers_read_and_do_not_send)
{
	expect_refused(_metadata, self->fd, self->conn, CANCELIO_OP_WORKER);
	expect_taken(_metadata, self->fd, self->peer, self->conn, CANCELIO_OP_WORKER);
}

TEST_F(local, C45_thread_engine_reads_and_does_not_send)
{
	if (sends(variant->engine))
		SKIP(return, "the poll engine sends");
	expect_refused(_metadata, self->fd, self->conn, 0);
	expect_taken(_metadata, self->fd, self->peer, self->conn, 0);
}

/* Where the engine refuses to send, nothing of it comes before what the program sends. */
TEST_F(local, C51_first_that_the_peer_sees_is_this_process)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control = {};
	char buffer[8];
	struct iovec iov = { .iov_base = buffer, .iov_len = sizeof(buffer) };
	struct msghdr got = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &control, .msg_controllen = sizeof(control) };
	struct ucred sender = {};
	int on = 1;

	ASSERT_EQ(0, setsockopt(self->peer, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	ASSERT_EQ(3, send_some(self->fd, self->sock, self->conn, "abc", 3));
	ASSERT_EQ(3, recvmsg(self->peer, &got, 0));
	ASSERT_EQ(SCM_CREDENTIALS, control.head.cmsg_type);
	memcpy(&sender, CMSG_DATA(&control.head), sizeof(sender));
	EXPECT_EQ(getpid(), sender.pid);
	EXPECT_EQ(getuid(), sender.uid);
	EXPECT_EQ(-1, recv(self->peer, buffer, sizeof(buffer), MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(local, C40_wait_ready_sees_a_message_and_takes_nothing)
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

TEST_F(local, C40_recvmsg_says_where_a_message_came_from)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0cancelio" };
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 9;
	struct cancelio_completion result;
	struct sockaddr_un from = {};
	char byte = 0;
	struct cancelio_iovec iov = iovec_of(&byte, 1);
	struct cancelio_msg message = message_of(&iov, 1);

	message.name = (unsigned long)&from;
	message.name_len = sizeof(from);
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ(0, message.name_len);
	ASSERT_EQ(0, bind(self->peer, (struct sockaddr *)&address, len));
	message.name_len = sizeof(from);
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(0, run(self->fd, op_recvmsg(self->conn, &message), &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ(len, message.name_len);
	EXPECT_EQ(0, memcmp(&address, &from, len));
}

/* The end of the owner (C34): the child attaches its socket, and leaves in some way. */
struct child {
	__u32 engine;
	int sock;
	int peer;
	int told[2];
};

/* Sends descriptors over a UNIX socket, with @len bytes, 0 or 1. */
static int send_fds(int sock, const int *fds, int count, int len)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control = {};
	struct iovec iov = { .iov_base = "f", .iov_len = len };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = CMSG_SPACE(count * sizeof(int)) };

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
	return sendmsg(sock, &message, 0) == len ? 0 : -1;
}

/* Leaves a send that waits for a caller, and waits to be killed. */
static void leave_a_send(struct child *child)
{
	static char block[4096];
	struct cancelio_completion result;
	int fd = cio_context(CANCELIO_ENGINE_POLL, 0);
	__u64 conn;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(child->peer);
	if (fd < 0 || cio_attach(fd, child->sock, &conn))
		_exit(1);
	do {
		if (run(fd, with_flags(op_send(conn, block, 4096), CANCELIO_OP_NOWAIT), &result))
			_exit(2);
	} while (!result.error);
	if (submit_one(fd, op_send(conn, "never", 5)) != 1 || write(child->told[1], "x", 1) != 1 ||
	    wait_events(fd, POLLIN) != POLLIN || write(child->told[1], "x", 1) != 1)
		_exit(3);
	pause();
	_exit(4);
}

TEST_F(local, C34_killed_while_a_send_waits_for_a_caller)
{
	struct child child;
	char block[4096];
	pid_t pid;

	if (!sends(variant->engine))
		SKIP(return, "the thread engine does not send here");
	if (is_dgram(variant->type))
		SKIP(return, "its peer does not learn of the end");
	child.sock = self->sock;
	child.peer = self->peer;
	ASSERT_EQ(0, cio_detach(self->fd, self->conn));
	ASSERT_EQ(0, pipe(child.told));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		leave_a_send(&child);
	close(self->sock);
	self->sock = -1;
	ASSERT_EQ(1, read(child.told[0], block, 1));
	while (recv(self->peer, block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	ASSERT_EQ(1, read(child.told[0], block, 1));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	/* The socket was let go, and nothing was sent. */
	EXPECT_NE(0, wait_events(self->peer, POLLHUP) & POLLHUP);
	EXPECT_EQ(0, recv(self->peer, block, sizeof(block), MSG_DONTWAIT));
	close(child.told[0]);
	close(child.told[1]);
}

/*
 * Leaves its context, and a witness, in flight in the queue of a socket that the
 * context holds: a circle that only the context's end opens.
 */
static int leave_a_circle(void *data)
{
	struct child *child = data;
	int fd = cio_context(child->engine, 0), fds[2];
	char byte;
	__u64 conn;

	fds[0] = fd;
	fds[1] = child->told[1];
	if (fd < 0 || cio_attach(fd, child->sock, &conn) || send_fds(child->peer, fds, 2, 1) ||
	    submit_one(fd, op_ready(conn, POLLPRI)) != 1)
		return 1;
	/* And something that pends on the other end. */
	return cio_attach(fd, child->peer, &conn) ||
	       submit_one(fd, op_recv(conn, &byte, 1)) != 1;
}

TEST_F(local, C34_context_in_flight_in_its_own_socket_leaves_nothing)
{
	struct child child;
	int ends[2];
	char byte;

	ASSERT_EQ(0, unix_pair(variant->type, ends));
	child.engine = variant->engine;
	child.sock = ends[0];
	child.peer = ends[1];
	ASSERT_EQ(0, pipe(child.told));
	EXPECT_EQ(0, in_child(leave_a_circle, &child));
	close(ends[0]);
	close(ends[1]);
	close(child.told[1]);
	/* The witness is closed with the queue, which is with the socket. */
	EXPECT_EQ(POLLHUP, wait_events(child.told[0], POLLIN));
	EXPECT_EQ(0, read(child.told[0], &byte, 1));
	close(child.told[0]);
}

/* A RECVMSG in a thread of its own, and who reads before it. */
struct message_reader {
	int fd;
	__u64 conn;
	int sock;
	char *page;
	pid_t thread;
	struct cancelio_msg message;
	struct cancelio_completion result;
	int error;
};

static void *read_message(void *data)
{
	struct message_reader *reader = data;

	__atomic_store_n(&reader->thread, gettid(), __ATOMIC_RELEASE);
	reader->error = run(reader->fd, op_recvmsg(reader->conn, &reader->message),
			    &reader->result);
	return NULL;
}

static void *read_before(void *data)
{
	struct message_reader *reader = data;

	recv(reader->sock, reader->page, 1, 0);
	return NULL;
}

/*
 * The attempt begins where nothing is there, and waits for the reader before it.  When it
 * comes to the descriptors, of a message of 0 bytes, the peer goes.
 */
TEST_F(local, C45_descriptors_with_0_bytes_are_told_of_though_the_peer_resets)
{
	struct message_reader reader = { .fd = self->fd, .conn = self->conn, .sock = self->sock };
	struct cancelio_iovec iov;
	struct cmsghdr *control;
	pthread_t threads[2];
	int uffds[2];
	char byte;

	if (variant->engine != CANCELIO_ENGINE_POLL || variant->type != SOCK_SEQPACKET)
		SKIP(return, "a matter of packets, of the poll engine");
	reader.page = held_page(&uffds[0]);
	control = held_page(&uffds[1]);
	if (!reader.page || !control)
		SKIP(return, "no userfaultfd");
	iov = iovec_of(&byte, 1);
	reader.message = message_of(&iov, 1);
	reader.message.control = (unsigned long)control;
	reader.message.control_len = CMSG_SPACE(sizeof(int));
	/* Unread: then closing is a reset. */
	ASSERT_EQ(1, send(self->sock, "u", 1, 0));
	ASSERT_EQ(1, send(self->peer, "p", 1, 0));
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, read_before, &reader));
	ASSERT_TRUE(await_fault(uffds[0]));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, read_message, &reader));
	ASSERT_TRUE(await_in_ioctl(&reader.thread));
	ASSERT_EQ(0, send_fds(self->peer, &self->fd, 1, 0));
	ASSERT_EQ(0, release_page(uffds[0], reader.page));
	ASSERT_TRUE(await_fault(uffds[1]));
	ASSERT_EQ(0, close(self->peer));
	self->peer = -1;
	ASSERT_EQ(0, release_page(uffds[1], control));
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	ASSERT_EQ(0, reader.error);
	EXPECT_DONE(reader.result, 0);
	EXPECT_EQ(CMSG_SPACE(sizeof(int)), reader.message.control_len);
	EXPECT_EQ(0, close(*(int *)CMSG_DATA(control)));
	close(uffds[0]);
	close(uffds[1]);
}

TEST_HARNESS_MAIN
