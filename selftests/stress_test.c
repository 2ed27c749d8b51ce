// SPDX-License-Identifier: GPL-2.0
/* Everything at once: each operation ends once, and bytes add up (C1, C5, C6, C12, C22). */
#include "tcp_fixture.h"

#include <pthread.h>

#define TIME		(1500 * MS)
#define WRITERS		3
#define READERS		3
#define BLOCK		3000
#define IN_FLIGHT	64

/* One connection whose two ends are both attached, and what has moved over it. */
struct load {
	int fd;
	__u64 from;
	__u64 to;
	__s64 end;
	__u64 sent, sent_sum;
	__u64 received, received_sum;
	__u64 expired, canceled;
	int wrong;
};

static void add(__u64 *counter, __u64 value)
{
	__atomic_add_fetch(counter, value, __ATOMIC_RELAXED);
}

static void fail(struct load *load)
{
	__atomic_add_fetch(&load->wrong, 1, __ATOMIC_RELAXED);
}

static __u64 sum_of(const __u8 *bytes, size_t len)
{
	__u64 sum = 0;

	while (len--)
		sum += *bytes++;
	return sum;
}

/* Counts how an operation ended; an end that may not be is wrong. */
static void account(struct load *load, const struct cancelio_completion *result)
{
	if (result->reason == CANCELIO_DEADLINE && result->error == -ETIME)
		add(&load->expired, 1);
	else if (result->reason == CANCELIO_CANCELED && result->error == -ECANCELED)
		add(&load->canceled, 1);
	else if (result->reason != CANCELIO_DONE || result->error)
		fail(load);
}

/* Each writer overwrites its buffer as soon as the operation has ended (C6). */
static void *write_blocks(void *argument)
{
	struct load *load = argument;
	struct cancelio_completion result;
	__u8 block[BLOCK];
	size_t place = 0;

	while (now() < load->end) {
		pattern_fill(block, BLOCK, place);
		if (run(load->fd, with_timeout(op_send(load->from, block, BLOCK), 3 * MS),
			&result)) {
			fail(load);
			return NULL;
		}
		account(load, &result);
		add(&load->sent, result.bytes);
		add(&load->sent_sum, sum_of(block, result.bytes));
		memset(block, 0xff, BLOCK);
		place += BLOCK + 7;
	}
	return NULL;
}

/* Each reader takes what it gets, until the end of file. */
static void *read_blocks(void *argument)
{
	struct load *load = argument;
	struct cancelio_completion result;
	__u8 block[BLOCK];

	for (;;) {
		memset(block, 0xff, BLOCK);
		if (run(load->fd, with_timeout(op_recv(load->to, block, BLOCK), MS), &result)) {
			fail(load);
			return NULL;
		}
		account(load, &result);
		if (result.reason != CANCELIO_DONE && result.bytes)
			fail(load);
		if (result.reason == CANCELIO_DONE && !result.bytes)
			return NULL;
		add(&load->received, result.bytes);
		add(&load->received_sum, sum_of(block, result.bytes));
	}
}

/* Sets deadlines of a millisecond again and again, some in the past, and cancels. */
static void *disturb(void *argument)
{
	static const __s64 times[] = { MS, 0, 100000, -MS, 2 * MS };
	struct load *load = argument;
	__u32 both = CANCELIO_READ | CANCELIO_WRITE;
	int round = 0, ret;

	while (now() < load->end) {
		__s64 time = after(times[round++ % ARRAY_SIZE(times)]);

		if (cio_deadline(load->fd, load->from, CANCELIO_WRITE, 0, time) ||
		    cio_deadline(load->fd, load->to, both, time, time))
			fail(load);
		sleep_until(after(MS / 2));
		ret = cio_cancel(load->fd, CANCELIO_CANCEL_CONN,
				 round % 2 ? load->from : load->to, both);
		if (ret < 1 && ret != -ENOENT)
			fail(load);
		if (cio_deadline(load->fd, load->from, both, CANCELIO_NEVER, CANCELIO_NEVER) ||
		    cio_deadline(load->fd, load->to, both, CANCELIO_NEVER, CANCELIO_NEVER))
			fail(load);
		sleep_until(after(MS / 2));
	}
	return NULL;
}

TEST_F(tcp, C12_bytes_add_up_over_many_readers_writers_deadlines_and_cancels)
{
	struct load load = { .fd = self->fd, .from = self->conn, .end = after(TIME) };
	pthread_t writers[WRITERS], readers[READERS], other;
	int i;

	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	ASSERT_EQ(0, cio_attach(self->fd, self->peer, &load.to));
	for (i = 0; i < WRITERS; i++)
		ASSERT_EQ(0, pthread_create(&writers[i], NULL, write_blocks, &load));
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_create(&readers[i], NULL, read_blocks, &load));
	ASSERT_EQ(0, pthread_create(&other, NULL, disturb, &load));
	for (i = 0; i < WRITERS; i++)
		ASSERT_EQ(0, pthread_join(writers[i], NULL));
	ASSERT_EQ(0, pthread_join(other, NULL));
	ASSERT_EQ(0, shutdown(self->sock, SHUT_WR));
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_join(readers[i], NULL));
	EXPECT_EQ(0, load.wrong);
	EXPECT_LT(0, load.sent);
	EXPECT_EQ(load.sent, load.received);
	EXPECT_EQ(load.sent_sum, load.received_sum);
	EXPECT_EQ(0, cio_detach(self->fd, load.from));
	EXPECT_EQ(0, cio_detach(self->fd, load.to));
	TH_LOG("%llu bytes, %llu operations expired, %llu canceled", load.received,
	       load.expired, load.canceled);
}

/* Many operations in flight through the ring: reads whose buffers are told apart by cookie. */
struct flight {
	__u8 blocks[IN_FLIGHT][64];
	bool pending[IN_FLIGHT];
	int count;
};

static int refill(struct load *load, struct flight *flight)
{
	struct cancelio_op op;
	int i, ret;

	for (i = 0; i < IN_FLIGHT; i++) {
		if (flight->pending[i])
			continue;
		memset(flight->blocks[i], 0xff, sizeof(flight->blocks[i]));
		op = op_recv(load->to, flight->blocks[i], sizeof(flight->blocks[i]));
		if (i % 3)
			op = with_timeout(op, i * 20000);
		ret = submit_one(load->fd, with_cookie(op, i));
		if (ret != 1)
			return ret;
		flight->pending[i] = true;
		flight->count++;
	}
	return 0;
}

/* Takes what has completed; an operation that was not pending completed twice. */
static void collect(struct load *load, struct flight *flight, __u32 min)
{
	struct cancelio_completion result[16];
	int got = cio_wait(load->fd, min, result, 16, after(LONG_ENOUGH));
	int i;

	if (got < 0)
		fail(load);
	for (i = 0; i < got; i++) {
		__u64 slot = result[i].user_data % IN_FLIGHT;

		account(load, &result[i]);
		if (!flight->pending[slot])
			fail(load);
		flight->pending[slot] = false;
		flight->count--;
		add(&load->received, result[i].bytes);
		add(&load->received_sum, sum_of(flight->blocks[slot], result[i].bytes));
	}
}

TEST_F(tcp, C1_each_of_many_operations_in_flight_completes_exactly_once)
{
	struct load load = { .fd = self->fd, .from = self->conn, .end = after(TIME) };
	struct flight flight = {};
	pthread_t writers[WRITERS], other;
	__u8 rest[4096];
	ssize_t got;
	int i;

	ASSERT_EQ(0, cio_attach(self->fd, self->peer, &load.to));
	for (i = 0; i < WRITERS; i++)
		ASSERT_EQ(0, pthread_create(&writers[i], NULL, write_blocks, &load));
	ASSERT_EQ(0, pthread_create(&other, NULL, disturb, &load));
	while (now() < load.end && !load.wrong) {
		ASSERT_EQ(0, refill(&load, &flight));
		collect(&load, &flight, 1);
	}
	for (i = 0; i < WRITERS; i++)
		ASSERT_EQ(0, pthread_join(writers[i], NULL));
	ASSERT_EQ(0, pthread_join(other, NULL));
	cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0);
	while (flight.count > 0 && !load.wrong)
		collect(&load, &flight, 1);
	EXPECT_EQ(0, cio_wait(self->fd, 0, NULL, 0, 0));
	ASSERT_EQ(0, shutdown(self->sock, SHUT_WR));
	while ((got = read(self->peer, rest, sizeof(rest))) > 0) {
		load.received += got;
		load.received_sum += sum_of(rest, got);
	}
	EXPECT_EQ(0, got);
	EXPECT_EQ(0, load.wrong);
	EXPECT_EQ(load.sent, load.received);
	EXPECT_EQ(load.sent_sum, load.received_sum);
	EXPECT_EQ(0, cio_detach(self->fd, load.from));
	EXPECT_EQ(0, cio_detach(self->fd, load.to));
}

TEST_HARNESS_MAIN
