// SPDX-License-Identifier: GPL-2.0
/* After its end an operation's memory is the program's again (C6). */
#include "tcp_fixture.h"

#include <poll.h>
#include <pthread.h>

#define ROUNDS	200
#define ENTRIES	256
#define CHUNK	(256U << 10)
#define GONE	0xEE

struct writer {
	int peer;
	int go;
};

/* One byte per round, at the same moment as the cancel. */
static void *write_each_round(void *argument)
{
	struct writer *writer = argument;
	int round;

	for (round = 1; round <= ROUNDS; round++) {
		while (__atomic_load_n(&writer->go, __ATOMIC_ACQUIRE) < round)
			sched_yield();
		if (write(writer->peer, "r", 1) != 1)
			break;
	}
	return NULL;
}

/* Each round has a buffer of its own, so that a late write shows in one of them. */
TEST_F(tcp, C6_buffer_of_a_read_is_left_alone_once_cancel_returned)
{
	struct writer writer = { .peer = self->peer };
	struct cancelio_completion result;
	unsigned char bytes[ROUNDS + 1];
	pthread_t thread;
	int round, ret, taken = 0;

	memset(bytes, POISON, sizeof(bytes));
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_each_round, &writer));
	for (round = 1; round <= ROUNDS; round++) {
		ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &bytes[round], 1)));
		__atomic_store_n(&writer.go, round, __ATOMIC_RELEASE);
		if (round % 2)
			sleep_until(after(round * 500));
		ret = cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0);
		ASSERT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
		ASSERT_EQ(ret == 1 ? CANCELIO_CANCELED : CANCELIO_DONE, result.reason);
		ASSERT_EQ(ret == 1 ? POISON : 'r', bytes[round]);
		bytes[round] = GONE;
		taken += result.bytes;
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	sleep_until(after(A_WHILE));
	for (round = 1; round <= ROUNDS; round++)
		ASSERT_EQ(GONE, bytes[round]);
	/* What the canceled reads did not take is there, and no more. */
	for (; taken < ROUNDS; taken++) {
		/* TCP may keep the last ones back for a while. */
		ASSERT_EQ(POLLIN, wait_events(self->sock, POLLIN));
		ASSERT_EQ(1, recv(self->sock, bytes, 1, MSG_DONTWAIT));
	}
	EXPECT_EQ(-1, recv(self->sock, bytes, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
}

struct reader {
	int peer;
	ssize_t total;
};

static void *read_the_pattern(void *argument)
{
	struct reader *reader = argument;

	reader->total = pattern_read(reader->peer, SIZE_MAX / 2, 0);
	return NULL;
}

/* Spoiled as soon as the ring shows the end, the buffer's bytes must not be read any more. */
TEST_F(tcp, C6_buffer_of_a_write_is_left_alone_once_its_completion_is_visible)
{
	struct cancelio_ring *ring = cio_map(self->fd, ENTRIES);
	struct reader reader = { .peer = self->peer };
	struct cancelio_completion result;
	char *buffer = malloc(CHUNK);
	pthread_t thread;
	ssize_t place = 0;
	int round, expired = 0;

	ASSERT_NE(NULL, ring);
	ASSERT_NE(NULL, buffer);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_the_pattern, &reader));
	for (round = 0; round < 50; round++) {
		pattern_fill(buffer, CHUNK, place);
		ASSERT_EQ(1, submit_one(self->fd, with_timeout(op_send(self->conn, buffer, CHUNK),
							       round * MS / 20)));
		ASSERT_TRUE(ring_spin(ring, &result));
		memset(buffer, POISON, CHUNK);
		ASSERT_TRUE(result.error == 0 || result.error == -ETIME);
		expired += result.error != 0;
		place += result.bytes;
	}
	TH_LOG("%d of 50 writes expired, %zd bytes", expired, place);
	ASSERT_EQ(0, shutdown(self->sock, SHUT_WR));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(place, reader.total);
	free(buffer);
}

TEST_F(tcp, C6_memory_of_the_submission_is_free_when_submit_returns)
{
	struct cancelio_op *ops = malloc(4 * sizeof(*ops));
	struct cancelio_completion result[4];
	char bytes[4];
	int i;

	ASSERT_NE(NULL, ops);
	for (i = 0; i < 4; i++)
		ops[i] = with_cookie(op_recv(self->conn, bytes + i, 1), i);
	ASSERT_EQ(4, cio_submit(self->fd, ops, 4, NULL, NULL));
	memset(ops, POISON, 4 * sizeof(*ops));
	free(ops);
	ASSERT_EQ(4, write(self->peer, "abcd", 4));
	ASSERT_EQ(4, cio_wait(self->fd, 4, result, 4, after(LONG_ENOUGH)));
	for (i = 0; i < 4; i++) {
		EXPECT_DONE(result[i], 1);
		EXPECT_EQ(i, result[i].user_data);
	}
	EXPECT_EQ(0, memcmp(bytes, "abcd", 4));
}

TEST_HARNESS_MAIN
