// SPDX-License-Identifier: GPL-2.0
/* An operation has the rights of who submitted it, whoever runs it (C51). */
#include "variants.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOBODY	65534

FIXTURE(rights) {
	int sock;
	int peer;
};

FIXTURE_VARIANT(rights) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(rights, poll) POLL_IPV4;
FIXTURE_VARIANT_ADD(rights, poll_worker) POLL_WORKER;
FIXTURE_VARIANT_ADD(rights, thread) {
	.engine = CANCELIO_ENGINE_THREAD, .family = AF_INET, .op_flags = CANCELIO_OP_WORKER,
};

FIXTURE_SETUP(rights)
{
	int ends[2];

	ASSERT_EQ(0, udp_pair(variant->family, ends));
	self->sock = ends[0];
	self->peer = ends[1];
	common_op_flags = variant->op_flags;
}

FIXTURE_TEARDOWN(rights)
{
	close(self->sock);
	close(self->peer);
}

/* A send that marks its packet, for which one needs CAP_NET_ADMIN; returns its error. */
static int send_marked(int fd, __u64 conn)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
				.cmsg_type = SO_MARK } };
	struct cancelio_iovec iov = iovec_of("x", 1);
	struct cancelio_msg message = message_of(&iov, 1);
	struct cancelio_completion result;
	int mark = 1, ret;

	memcpy(CMSG_DATA(&control.head), &mark, sizeof(mark));
	message.control = (unsigned long)&control;
	message.control_len = sizeof(control);
	ret = run(fd, op_sendmsg(conn, &message), &result);
	return ret ?: result.error;
}

struct sender {
	__u32 engine;
	int sock;
};

/* 0: refused when, and only when, the rights are gone. */
static int gives_up_its_rights(void *argument)
{
	struct sender *sender = argument;
	int fd = cio_context(sender->engine, 0);
	__u64 conn;

	if (fd < 0 || cio_attach(fd, sender->sock, &conn) || send_marked(fd, conn))
		return 1;
	if (setresuid(NOBODY, NOBODY, NOBODY))
		return 2;
	return send_marked(fd, conn) == -EPERM ? 0 : 3;
}

TEST_F(rights, C51_worker_lends_no_right_to_an_operation)
{
	struct sender sender = { .engine = variant->engine, .sock = self->sock };

	EXPECT_EQ(0, in_child(gives_up_its_rights, &sender));
}

TEST_HARNESS_MAIN
