// SPDX-License-Identifier: GPL-2.0
/* Which error is whose: the three of cancelio, TCP's, and those of connect(2) (C3, C61). */
#include "engine_fixture.h"
#include "tcp_fixture.h"

#include <cancelio.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>

#define BOTH	(CANCELIO_READ | CANCELIO_WRITE)
/* Of the sysctl tcp_fastopen. */
#define FASTOPEN_CLIENT		0x1
#define FASTOPEN_NO_COOKIE	0x4

/* Reads and a write; nothing can be read, and not one byte more be written. */
static bool block_both_sides(int fd, int sock, int peer, __u64 conn)
{
	static char byte;
	struct cancelio_op ops[4];

	if (shrink_buffers(sock, peer) || fill(sock) < 0)
		return false;
	/* There may be room left in the last segment. */
	while (send(sock, "x", 1, MSG_DONTWAIT) == 1)
		;
	ops[0] = op_recv(conn, &byte, 1);
	ops[1] = op_recv(conn, &byte, 1);
	ops[2] = op_send(conn, "x", 1);
	ops[3] = op_ready(conn, POLLPRI);
	return cio_submit(fd, ops, 4, NULL, NULL) == 4;
}

TEST_F(tcp, C3_deadline_is_ETIME_on_both_sides)
{
	struct cancelio_completion result[4];
	__s64 time = after(5 * MS);
	int i;

	ASSERT_TRUE(block_both_sides(self->fd, self->sock, self->peer, self->conn));
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, BOTH, time, time));
	ASSERT_EQ(4, cio_wait(self->fd, 4, result, 4, after(LONG_ENOUGH)));
	for (i = 0; i < 4; i++)
		EXPECT_EXPIRED(result[i]);
}

TEST_F(tcp, C3_cancel_is_ECANCELED_on_both_sides)
{
	struct cancelio_completion result[4];
	int i;

	ASSERT_TRUE(block_both_sides(self->fd, self->sock, self->peer, self->conn));
	ASSERT_EQ(4, cio_cancel(self->fd, CANCELIO_CANCEL_CONN, self->conn, BOTH));
	ASSERT_EQ(4, cio_wait(self->fd, 0, result, 4, 0));
	for (i = 0; i < 4; i++)
		EXPECT_CANCELED(result[i]);
}

TEST_F(tcp, C3_close_is_EBADF_on_both_sides)
{
	struct cancelio_completion result[4];
	int i;

	ASSERT_TRUE(block_both_sides(self->fd, self->sock, self->peer, self->conn));
	ASSERT_EQ(0, cio_detach(self->fd, self->conn));
	ASSERT_EQ(4, cio_wait(self->fd, 0, result, 4, 0));
	for (i = 0; i < 4; i++)
		EXPECT_CLOSED(result[i]);
}

/* The socket hears nothing any more, so that whoever sends to it gives up. */
static int make_deaf(int sock)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &nothing };

	return setsockopt(sock, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

TEST_F(tcp, C3_ETIMEDOUT_is_of_TCP_alone_and_both_sides_learn_of_it)
{
	unsigned int patience = 300;
	struct cancelio_completion result;
	char byte;

	ASSERT_EQ(0, make_deaf(self->peer));
	ASSERT_EQ(0, setsockopt(self->sock, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience,
				sizeof(patience)));
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, BOTH, after(1000 * SECOND),
				  after(1000 * SECOND)));
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
	EXPECT_DONE(result, 1);
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_ERROR(result, -ETIMEDOUT);
	EXPECT_EQ(CANCELIO_WHICH_NONE, result.which);
	ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
	EXPECT_ERROR(result, -ETIMEDOUT);
}

static int bring_loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	return ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &request);
}

/* In this network namespace: which sockets may send data before they are connected. */
static int set_fastopen(int flags)
{
	FILE *out = fopen("/proc/sys/net/ipv4/tcp_fastopen", "we");
	int ret;

	if (!out)
		return -errno;
	ret = fprintf(out, "%d\n", flags) < 0 ? -EIO : 0;
	return fclose(out) ? -errno : ret;
}

/*
 * A socket that connects with its first send (TCP_FASTOPEN_CONNECT), and when it
 * comes to that may not put data into the first packet.
 */
static int connect_later(int listener)
{
	struct sockaddr_storage address = {};
	socklen_t len = sizeof(address);
	int sock, on = 1, ret;

	if (getsockname(listener, (struct sockaddr *)&address, &len))
		return -errno;
	sock = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || setsockopt(sock, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)))
		return -errno;
	ret = set_fastopen(FASTOPEN_CLIENT | FASTOPEN_NO_COOKIE);
	if (!ret && connect(sock, (struct sockaddr *)&address, len))
		ret = -errno;
	return ret ?: set_fastopen(FASTOPEN_CLIENT) ?: sock;
}

/* What a plain send(2) says on such a socket; 0 when it takes all. */
static int plain_send(int listener)
{
	int sock = connect_later(listener), ret;

	if (sock < 0)
		return sock;
	ret = send(sock, "abc", 3, MSG_DONTWAIT) == 3 ? 0 : -errno;
	close(sock);
	return ret;
}

TEST_F(tcp, C7_EINPROGRESS_of_a_send_that_connects_is_waited_for)
{
	struct cancelio_completion result;
	char buffer[8] = {};
	int listener, sock, peer;
	__u64 conn;

	if (unshare(CLONE_NEWNET))
		SKIP(return, "no network namespace can be made: %s", strerror(errno));
	ASSERT_EQ(0, bring_loopback_up());
	listener = tcp_listen(variant->family);
	ASSERT_LE(0, listener);
	ASSERT_EQ(-EINPROGRESS, plain_send(listener));
	close(accept(listener, NULL, NULL));
	sock = connect_later(listener);
	ASSERT_LE(0, sock);
	ASSERT_EQ(0, cio_attach(self->fd, sock, &conn));
	ASSERT_EQ(0, run(self->fd, op_send(conn, "abc", 3), &result));
	EXPECT_DONE(result, 3);
	peer = accept(listener, NULL, NULL);
	ASSERT_LE(0, peer);
	EXPECT_EQ(3, recv(peer, buffer, sizeof(buffer), 0));
	EXPECT_STREQ("abc", buffer);
	close(sock);
	close(peer);
	/* Where it may not wait it is EAGAIN, or is connected at the second look. */
	sock = connect_later(listener);
	ASSERT_LE(0, sock);
	ASSERT_EQ(0, cio_attach(self->fd, sock, &conn));
	ASSERT_EQ(0, run(self->fd, with_flags(op_send(conn, "abc", 3), CANCELIO_OP_NOWAIT),
			 &result));
	if (result.error != -EAGAIN)
		EXPECT_DONE(result, 3);
	close(sock);
	close(listener);
}

/* A context of the library, and an address that listens. */
struct caller {
	struct cancelio *context;
	struct sockaddr_in to;
};

static bool caller_open(struct caller *caller, __u32 engine)
{
	struct cancelio_setup setup = { .engine = engine };
	socklen_t len = sizeof(caller->to);
	int listener = tcp_listen(AF_INET);

	return listener >= 0 && !cancelio_open(&caller->context, &setup) &&
		!getsockname(listener, (struct sockaddr *)&caller->to, &len);
}

/* Attaches @sock and connects it; returns what that said, and @conn. */
static int call(struct caller *caller, int sock, struct cancelio_conn **conn)
{
	struct cancelio_completion result;
	int ret = cancelio_attach(caller->context, sock, conn);

	if (ret)
		return ret;
	memset(&result, POISON, sizeof(result));
	ret = cancelio_connect(*conn, (struct sockaddr *)&caller->to, sizeof(caller->to),
			       after(LONG_ENOUGH), &result);
	return ret == result.error ? ret : -EPROTO;
}

TEST_F(engine, C61_connect_of_a_connected_socket_is_EISCONN)
{
	struct caller caller;
	struct cancelio_conn *conn;

	ASSERT_TRUE(caller_open(&caller, variant->engine));
	ASSERT_EQ(0, call(&caller, socket(AF_INET, SOCK_STREAM, 0), &conn));
	EXPECT_EQ(-EISCONN, cancelio_connect(conn, (struct sockaddr *)&caller.to,
					     sizeof(caller.to), CANCELIO_NEVER, NULL));
	EXPECT_EQ(0, cancelio_close(conn));
	cancelio_free(caller.context);
}

/* A socket that leaves from one certain port. */
static int from_port(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = port };
	int sock = socket(AF_INET, SOCK_STREAM, 0);
	int on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(sock, (struct sockaddr *)&address, sizeof(address)))
		return -1;
	return sock;
}

TEST_F(engine, C61_second_connect_from_the_same_port_is_EADDRNOTAVAIL)
{
	struct cancelio_conn *first, *second;
	struct sockaddr_in here;
	socklen_t len = sizeof(here);
	struct caller caller;

	ASSERT_TRUE(caller_open(&caller, variant->engine));
	ASSERT_EQ(0, call(&caller, from_port(0), &first));
	ASSERT_EQ(0, getsockname(cancelio_conn_fd(first), (struct sockaddr *)&here, &len));
	EXPECT_EQ(-EADDRNOTAVAIL, call(&caller, from_port(here.sin_port), &second));
	EXPECT_EQ(0, cancelio_close(first));
	EXPECT_EQ(0, cancelio_close(second));
	cancelio_free(caller.context);
}

TEST_F(engine, C61_connect_to_a_broadcast_address_is_EACCES)
{
	struct cancelio_conn *conn;
	struct caller caller;

	ASSERT_TRUE(caller_open(&caller, variant->engine));
	caller.to.sin_addr.s_addr = htonl(0x7fffffff);
	EXPECT_EQ(-EACCES, call(&caller, socket(AF_INET, SOCK_DGRAM, 0), &conn));
	EXPECT_EQ(0, cancelio_close(conn));
	cancelio_free(caller.context);
}

TEST_F(engine, C61_connect_without_a_route_is_ENETUNREACH_or_EHOSTUNREACH)
{
	struct cancelio_conn *conn;
	struct caller caller;

	ASSERT_TRUE(caller_open(&caller, variant->engine));
	if (unshare(CLONE_NEWNET))
		SKIP(return, "no network namespace can be made: %s", strerror(errno));
	EXPECT_EQ(-ENETUNREACH, call(&caller, socket(AF_INET, SOCK_STREAM, 0), &conn));
	EXPECT_EQ(0, cancelio_close(conn));
	ASSERT_EQ(0, bring_loopback_up());
	caller.to.sin_addr.s_addr = htonl(0x0a090909);
	ASSERT_EQ(0, system("ip route add unreachable 10.9.9.9"));
	EXPECT_EQ(-EHOSTUNREACH, call(&caller, socket(AF_INET, SOCK_STREAM, 0), &conn));
	EXPECT_EQ(0, cancelio_close(conn));
	cancelio_free(caller.context);
}

TEST_HARNESS_MAIN
