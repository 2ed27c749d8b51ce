/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture "tcp": a context, and a TCP connection of which one end is
 * attached (sock, conn) and the other is not (peer).
 */
#ifndef CANCELIO_SELFTESTS_TCP_FIXTURE_H
#define CANCELIO_SELFTESTS_TCP_FIXTURE_H

#include "variants.h"

FIXTURE(tcp) {
	int fd;
	int sock;
	int peer;
	__u64 conn;
};

FIXTURE_VARIANT(tcp) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(tcp, poll_ipv4) POLL_IPV4;
FIXTURE_VARIANT_ADD(tcp, poll_ipv6) POLL_IPV6;
FIXTURE_VARIANT_ADD(tcp, poll_worker) POLL_WORKER;
FIXTURE_VARIANT_ADD(tcp, thread_ipv4) THREAD_IPV4;
FIXTURE_VARIANT_ADD(tcp, thread_ipv6) THREAD_IPV6;

FIXTURE_SETUP(tcp)
{
	int ends[2];
	int ret = tcp_pair(variant->family, ends);

	if (ret == -EAFNOSUPPORT || ret == -EADDRNOTAVAIL)
		SKIP(return, "address family %d is not there", variant->family);
	ASSERT_EQ(0, ret);
	self->sock = ends[0];
	self->peer = ends[1];
	self->fd = cio_context(variant->engine, 0);
	if (self->fd == -EOPNOTSUPP)
		SKIP(return, "engine %u is not there", variant->engine);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, cio_attach(self->fd, self->sock, &self->conn));
	common_op_flags = variant->op_flags;
}

FIXTURE_TEARDOWN(tcp)
{
	close(self->fd);
	close(self->sock);
	close(self->peer);
}

#endif
