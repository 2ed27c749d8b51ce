// SPDX-License-Identifier: GPL-2.0
/*
 * What a thread that waits runs meanwhile: not more than a turn at a time, and not past
 * its own time (C70).  The poll engine's only worker is held in a page fault, so that
 * nobody else runs anything.
 */
#include "variants.h"

#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>

#define TURN	128
#define MANY	(2 * TURN + 50)
#define ENTRIES	512

/* A context without a free worker, and a connection. */
FIXTURE(turn) {
	int fd;
	int sock;
	int peer;
	__u64 conn;
	int uffd;
	char *page;
	int held_peer;
};

FIXTURE_VARIANT(turn) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(turn, poll_ipv4) POLL_IPV4;
FIXTURE_VARIANT_ADD(turn, poll_ipv6) POLL_IPV6;

static bool hold_the_worker(int fd, int family, int *peer, int *uffd, char *page)
{
	struct cancelio_op op;
	int ends[2];
	__u64 conn;

	if (tcp_pair(family, ends) || cio_attach(fd, ends[0], &conn))
		return false;
	close(ends[0]);
	*peer = ends[1];
	op = with_flags(op_recv(conn, page, 1), CANCELIO_OP_WORKER | CANCELIO_OP_HOLD);
	return submit_one(fd, op) == 1 && write(*peer, "x", 1) == 1 &&
		await_fault(*uffd);
}

FIXTURE_SETUP(turn)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = variant->engine, .entries = ENTRIES,
		.max_workers = 1,
	};
	int ends[2];

	self->page = held_page(&self->uffd);
	if (!self->page)
		SKIP(return, "no userfaultfd(2)");
	ASSERT_EQ(0, tcp_pair(variant->family, ends));
	self->sock = ends[0];
	self->peer = ends[1];
	self->fd = cio_open();
	ASSERT_EQ(0, cio_setup(self->fd, &setup));
	ASSERT_TRUE(hold_the_worker(self->fd, variant->family, &self->held_peer, &self->uffd,
				    self->page));
	ASSERT_EQ(0, cio_attach(self->fd, self->sock, &self->conn));
}

FIXTURE_TEARDOWN(turn)
{
	close(self->uffd);
	close(self->fd);
	close(self->sock);
	close(self->peer);
	close(self->held_peer);
}

TEST_F(turn, C70_wait_runs_at_most_128_ready_operations_in_a_turn)
{
	static struct cancelio_completion result[ENTRIES];
	struct cancelio_op ops[MANY];
	char bytes[MANY], data[MANY];
	int got, total = 0, i;

	pattern_fill(data, MANY, 0);
	for (i = 0; i < MANY; i++)
		ops[i] = with_cookie(op_recv(self->conn, bytes + i, 1), i);
	ASSERT_EQ(MANY, cio_submit(self->fd, ops, MANY, NULL, NULL));
	EXPECT_EQ(0, cio_wait(self->fd, 0, result, ENTRIES, 0));
	ASSERT_EQ(MANY, write(self->peer, data, MANY));
	ASSERT_LT(0, wait_events(self->sock, POLLIN));
	while (total < MANY) {
		got = cio_wait(self->fd, 0, result, ENTRIES, 0);
		ASSERT_GE(TURN, got);
		/* Nobody else runs anything: some are run each time. */
		ASSERT_LT(0, got);
		for (i = 0; i < got; i++) {
			EXPECT_DONE(result[i], 1);
			ASSERT_EQ(total + i, result[i].user_data);
		}
		total += got;
	}
	EXPECT_TRUE(pattern_holds(bytes, MANY, 0));
}

TEST_F(turn, C70_wait_for_more_than_a_turn_goes_on)
{
	static struct cancelio_completion result[ENTRIES];
	struct cancelio_op ops[MANY];
	char bytes[MANY], data[MANY];
	int i;

	pattern_fill(data, MANY, 0);
	for (i = 0; i < MANY; i++)
		ops[i] = op_recv(self->conn, bytes + i, 1);
	ASSERT_EQ(MANY, cio_submit(self->fd, ops, MANY, NULL, NULL));
	ASSERT_EQ(MANY, write(self->peer, data, MANY));
	EXPECT_EQ(MANY, cio_wait(self->fd, MANY, result, ENTRIES, after(LONG_ENOUGH)));
	EXPECT_TRUE(pattern_holds(bytes, MANY, 0));
}

static void *drain(void *argument)
{
	static char buffer[65536];
	int peer = *(int *)argument;

	while (recv(peer, buffer, sizeof(buffer), 0) > 0)
		;
	return NULL;
}

/* A write that is never done is always ready again: the waiting thread runs that. */
TEST_F(turn, C70_time_of_a_wait_holds_while_there_is_always_more_to_run)
{
	size_t len = 1UL << 30;
	struct cancelio_completion result;
	char *zeros = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			   -1, 0);
	struct cancelio_op op = with_flags(op_send(self->conn, zeros, len), CANCELIO_OP_HOLD);
	pthread_t thread;
	__s64 time;
	__u64 id;

	ASSERT_NE(MAP_FAILED, zeros);
	ASSERT_EQ(0, pthread_create(&thread, NULL, drain, &self->peer));
	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &id, NULL));
	time = after(10 * MS);
	EXPECT_EQ(-ETIME, cio_wait(self->fd, 1, &result, 1, time));
	EXPECT_LE(time, now());
	/* It goes on all the while. */
	EXPECT_EQ(-ETIME, cio_wait_op(self->fd, id, 0, &result));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ID, id, 0));
	ASSERT_EQ(0, cio_wait_op(self->fd, id, 0, &result));
	EXPECT_EQ(CANCELIO_CANCELED, result.reason);
	EXPECT_GT(len, result.bytes);
	ASSERT_EQ(0, shutdown(self->sock, SHUT_WR));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	munmap(zeros, len);
}

TEST_HARNESS_MAIN
