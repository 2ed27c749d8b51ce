/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture "local": a context, and a pair of AF_UNIX sockets of
 * which one end is attached (sock, conn) and the other is not (peer).  A variant
 * names the engine and the type.
 */
#ifndef CANCELIO_SELFTESTS_UNIX_FIXTURE_H
#define CANCELIO_SELFTESTS_UNIX_FIXTURE_H

#include "harness.h"

#include <sys/socket.h>

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
