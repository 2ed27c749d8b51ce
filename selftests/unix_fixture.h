/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture "local": a context, and a pair of AF_UNIX sockets of
 * which one end is attached (sock, conn) and the other is not (peer).  A variant
 * names the engine and the type.
 */
#ifndef CANCELIO_SELFTESTS_UNIX_FIXTURE_H
#define CANCELIO_SELFTESTS_UNIX_FIXTURE_H

#include "harness.h"

#include <poll.h>
#include <sys/socket.h>

#define BLOCK	4096

/* Sends until the socket takes no more; false when something else is wrong. */
static inline bool fill_up(int fd, __u64 conn)
{
	static char block[BLOCK];
	struct cancelio_completion result;

	do {
		if (run(fd, with_flags(op_send(conn, block, BLOCK), CANCELIO_OP_NOWAIT), &result))
			return false;
	} while (!result.error);
	return result.error == -EAGAIN;
}

/* Reads all there is. */
static inline void drain(int sock)
{
	char block[BLOCK];

	while (recv(sock, block, sizeof(block), MSG_DONTWAIT) >= 0)
		;
}

static inline bool is_readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

FIXTURE(local) {
	int fd;
	int sock;
	int peer;
	__u64 conn;
};

FIXTURE_VARIANT(local) {
	__u32 engine;
	int type;
};

FIXTURE_VARIANT_ADD(local, poll_stream) {
	.engine = CANCELIO_ENGINE_POLL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(local, poll_seqpacket) {
	.engine = CANCELIO_ENGINE_POLL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(local, poll_dgram) {
	.engine = CANCELIO_ENGINE_POLL, .type = SOCK_DGRAM,
};

FIXTURE_SETUP(local)
{
	int ends[2];

	ASSERT_EQ(0, unix_pair(variant->type, ends));
	self->sock = ends[0];
	self->peer = ends[1];
	self->fd = cio_context(variant->engine, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, cio_attach(self->fd, self->sock, &self->conn));
	common_op_flags = 0;
}

FIXTURE_TEARDOWN(local)
{
	close(self->fd);
	close(self->sock);
	close(self->peer);
}

#endif
