// SPDX-License-Identifier: GPL-2.0
/*
 * A SUBMIT that the program's own memory holds up, between two operations or in one:
 * what it has taken goes on, and what it has not taken is in nobody's way (C8, C71).
 */
#include "variants.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

/* Two operations; the second one's message is in a page that is held back. */
struct batch {
	int fd;
	struct cancelio_op ops[2];
	int taken;
};

FIXTURE(stuck) {
	int fd;
	int sock;
	int peer;
	__u64 conn;
	int uffd;
	char *page;
	struct batch batch;
	pthread_t thread;
};

FIXTURE_VARIANT(stuck) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(stuck, poll) POLL_IPV4;
FIXTURE_VARIANT_ADD(stuck, thread) THREAD_IPV4;

FIXTURE_SETUP(stuck)
{
	struct batch *batch = &self->batch;
	int ends[2];

	self->page = held_page(&self->uffd);
	if (!self->page)
		SKIP(return, "no userfaultfd(2)");
	ASSERT_EQ(0, tcp_pair(variant->family, ends));
	self->sock = ends[0];
	self->peer = ends[1];
	/* One entry: what is promised to one operation is not there for another. */
	self->fd = cio_context(variant->engine, 1);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, cio_attach(self->fd, self->sock, &self->conn));
	batch->fd = self->fd;
	batch->ops[0] = op_ready(self->conn, POLLOUT);
	batch->ops[1] = op_recvmsg(self->conn, (struct cancelio_msg *)self->page);
}

FIXTURE_TEARDOWN(stuck)
{
	close(self->uffd);
	close(self->fd);
	close(self->sock);
	close(self->peer);
}

static void *submit_both(void *argument)
{
	struct batch *batch = argument;

	batch->taken = cio_submit(batch->fd, batch->ops, 2, NULL, NULL);
	return NULL;
}

static void *submit_second(void *argument)
{
	struct batch *batch = argument;

	batch->taken = cio_submit(batch->fd, batch->ops + 1, 1, NULL, NULL);
	return NULL;
}

/* Starts a thread, and waits until it stands at the page. */
static bool gets_stuck(int uffd, pthread_t *thread, void *(*submit)(void *), struct batch *batch)
{
	return !pthread_create(thread, NULL, submit, batch) &&
		await_fault(uffd);
}

TEST_F(stuck, C71_completion_is_told_while_the_next_operation_is_read)
{
	struct cancelio_completion result;
	struct pollfd told;

	told.fd = eventfd(0, EFD_CLOEXEC);
	told.events = POLLIN;
	ASSERT_LE(0, told.fd);
	ASSERT_EQ(0, cio_eventfd(self->fd, told.fd));
	ASSERT_TRUE(gets_stuck(self->uffd, &self->thread, submit_both, &self->batch));
	EXPECT_EQ(1, poll(&told, 1, 0));
	ASSERT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_EQ(CANCELIO_OP_WAIT_READY, result.opcode);
	ASSERT_EQ(0, release_page(self->uffd, self->page));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(2, self->batch.taken);
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 0);
	close(told.fd);
}

TEST_F(stuck, C8_entry_is_promised_only_to_what_is_accepted)
{
	struct cancelio_completion result;
	char byte;

	ASSERT_TRUE(gets_stuck(self->uffd, &self->thread, submit_second, &self->batch));
	/* Nothing pends: there is an entry. */
	EXPECT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(0, release_page(self->uffd, self->page));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	/* Now there is none. */
	EXPECT_EQ(-EAGAIN, self->batch.taken);
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ(1, submit_one(self->fd, op_ready(self->conn, POLLOUT)));
	EXPECT_EQ(1, reap(self->fd, &result));
}

TEST_F(stuck, C8_entry_is_promised_after_the_header_of_an_empty_read_is_written)
{
	const struct cancelio_msg empty = { .flags = 7 };
	struct cancelio_completion result;
	struct cancelio_msg *header;
	char byte;
	int uffd;

	if (!can_hold_writes())
		SKIP(return, "no write protection by userfaultfd(2)");
	header = write_held_page(&uffd, &empty, sizeof(empty));
	ASSERT_NE(NULL, header);
	self->batch.ops[1] = op_recvmsg(self->conn, header);
	ASSERT_TRUE(gets_stuck(uffd, &self->thread, submit_second, &self->batch));
	EXPECT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	ASSERT_EQ(0, release_writes(uffd, header));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(-EAGAIN, self->batch.taken);
	EXPECT_EQ(0, memcmp(&empty, header, sizeof(empty)));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_DONE(result, 1);
	close(uffd);
}

TEST_HARNESS_MAIN
