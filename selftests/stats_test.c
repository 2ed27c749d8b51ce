// SPDX-License-Identifier: GPL-2.0
/* What a context counts, and how it is read and set to zero (C14, C60, C61). */
#include "tcp_fixture.h"
#include "watch.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#define TRIES	20
#define ROUNDS	100
#define SECOND_CPU	"/sys/devices/system/cpu/cpu1/online"

static __u64 sum(const __u64 *histogram)
{
	__u64 all = 0;
	int i;

	for (i = 0; i < CANCELIO_BUCKETS; i++)
		all += histogram[i];
	return all;
}

static int bucket_of(__s64 ns)
{
	int bucket = ns > 0 ? 64 - __builtin_clzll(ns) : 0;

	return bucket < CANCELIO_BUCKETS ? bucket : CANCELIO_BUCKETS - 1;
}

/* How many took so long, from @least to @most ns, by the buckets of these. */
static __u64 sum_between(const __u64 *histogram, __s64 least, __s64 most)
{
	__u64 all = 0;
	int i;

	for (i = bucket_of(least); i <= bucket_of(most); i++)
		all += histogram[i];
	return all;
}

/* How many took at least 2^@power ns. */
static __u64 sum_from(const __u64 *histogram, int power)
{
	__u64 all = 0;
	int i;

	for (i = power + 1; i < CANCELIO_BUCKETS; i++)
		all += histogram[i];
	return all;
}

/* Sends a byte after a while. */
struct late_send {
	int peer;
};

static void *send_late(void *argument)
{
	const struct late_send *late = argument;

	sleep_until(after(A_WHILE));
	send(late->peer, "x", 1, 0);
	return NULL;
}

/* The reads of these tests: one that is DONE, one that expires, one that is canceled. */
static void end_in_three_ways(struct __test_metadata *_metadata, int fd, int peer, __u64 conn)
{
	struct cancelio_completion result;
	struct cancelio_op op;
	char bytes[8];
	__u64 id;

	op = op_recv(conn, bytes, 8);

	ASSERT_EQ(1, send(peer, "x", 1, 0));
	ASSERT_EQ(0, run(fd, with_timeout(op_recv(conn, bytes, 8), LONG_ENOUGH), &result));
	EXPECT_DONE(result, 1);
	ASSERT_EQ(1, submit_one(fd, op));
	ASSERT_EQ(0, cio_deadline(fd, conn, CANCELIO_READ, 0, 0));
	ASSERT_EQ(0, cio_deadline(fd, conn, CANCELIO_READ, CANCELIO_NEVER, 0));
	ASSERT_EQ(1, reap(fd, &result));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(1, cio_submit(fd, &op, 1, &id, NULL));
	ASSERT_EQ(1, cio_cancel(fd, CANCELIO_CANCEL_ID, id, 0));
	ASSERT_EQ(1, reap(fd, &result));
	EXPECT_CANCELED(result);
}

TEST_F(tcp, C14_context_counts_how_operations_end)
{
	struct cancelio_stats stats;

	end_in_three_ways(_metadata, self->fd, self->peer, self->conn);
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(3, stats.submitted);
	EXPECT_EQ(1, stats.ended[CANCELIO_DONE]);
	EXPECT_EQ(0, stats.ended[CANCELIO_ERROR]);
	EXPECT_EQ(1, stats.ended[CANCELIO_DEADLINE]);
	EXPECT_EQ(1, stats.ended[CANCELIO_CANCELED]);
	EXPECT_EQ(0, stats.ended[CANCELIO_CLOSED]);
	EXPECT_EQ(1, stats.met);
	EXPECT_EQ(0, stats.raced);
	EXPECT_EQ(variant->op_flags & CANCELIO_OP_WORKER ? 0 : 1, stats.at_once);
	EXPECT_EQ(1, sum(stats.late));
}

/* An error, a closed one, and one that was refused. */
TEST_F(tcp, C14_context_counts_errors_closes_and_no_refusals)
{
	struct cancelio_completion result;
	struct cancelio_stats stats;
	char bytes[8];

	ASSERT_EQ(0, run(self->fd, with_flags(op_recv(self->conn, bytes, 8), CANCELIO_OP_NOWAIT),
			 &result));
	EXPECT_ERROR(result, -EAGAIN);
	EXPECT_EQ(-EBADF, run(self->fd, op_recv(self->conn + 1, bytes, 8), &result));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, bytes, 8)));
	ASSERT_EQ(0, cio_shutdown(self->fd));
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(2, stats.submitted);
	EXPECT_EQ(1, stats.ended[CANCELIO_ERROR]);
	EXPECT_EQ(1, stats.ended[CANCELIO_CLOSED]);
	EXPECT_EQ(0, stats.met);
}

TEST_F(tcp, C14_lateness_and_wake_ups_are_told_as_histograms)
{
	struct cancelio_op op;
	struct cancelio_completion result;
	struct cancelio_stats stats = {};
	unsigned int called = 0, waited = 0;
	char bytes[8];

	op = with_timeout(op_recv(self->conn, bytes, 8), 5 * MS);
	/* A slow machine may not come to sleep before it. */
	do {
		ASSERT_EQ(0, run(self->fd, op, &result));
		EXPECT_EXPIRED(result);
		ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
		EXPECT_LE(1, stats.late[bucket_of(result.late)]);
		EXPECT_EQ(++called, sum(stats.late));
	} while (!sum(stats.wake) && called < TRIES);
	EXPECT_EQ(1, sum(stats.wake));
	EXPECT_EQ(1, sum_between(stats.wake, 0, now() - result.ended));
	/* WAIT instead of CALL. */
	ASSERT_EQ(0, cio_stats(self->fd, CANCELIO_STATS_RESET, &stats));
	do {
		ASSERT_EQ(1, submit_one(self->fd, op));
		ASSERT_EQ(1, reap(self->fd, &result));
		ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
		EXPECT_EQ(++waited, sum(stats.late));
	} while (!sum(stats.wake) && waited < TRIES);
	EXPECT_EQ(1, sum(stats.wake));
	EXPECT_EQ(1, sum_between(stats.wake, 0, now() - result.ended));
}

/* It ended when it came: nothing waited, and late is the time since the clock's zero. */
TEST_F(tcp, C14_deadline_long_ago_counts_as_the_longest_and_wakes_nobody)
{
	struct cancelio_completion result;
	struct cancelio_stats stats;
	char byte;

	/* The last bucket begins at 2^30 ns. */
	sleep_until(5 * SECOND);
	ASSERT_EQ(0, run(self->fd, with_deadline(op_recv(self->conn, &byte, 1), 1), &result));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(1, stats.at_once);
	EXPECT_EQ(1, sum(stats.late));
	EXPECT_EQ(1, stats.late[CANCELIO_BUCKETS - 1]);
	EXPECT_EQ(0, sum(stats.wake));
	EXPECT_EQ(0, sum(stats.start));
}

TEST_F(tcp, C14_data_that_wakes_a_call_counts_as_no_wake_up)
{
	struct late_send late = { .peer = self->peer };
	struct cancelio_completion result;
	struct cancelio_stats stats;
	struct cancelio_op op;
	pthread_t thread;
	char byte;

	op = with_timeout(op_recv(self->conn, &byte, 1), LONG_ENOUGH);
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_late, &late));
	ASSERT_EQ(0, run(self->fd, op, &result));
	pthread_join(thread, NULL);
	EXPECT_DONE(result, 1);
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(1, stats.met);
	EXPECT_EQ(0, sum(stats.wake));
	EXPECT_EQ(0, sum(stats.late));
}

/* A thread that was woken by data does not say how long a timer's wake-up takes. */
TEST_F(tcp, C14_only_what_a_deadline_wakes_counts_as_its_wake_up)
{
	struct cancelio_completion result;
	struct cancelio_stats stats;
	char bytes[8];

	ASSERT_EQ(1, submit_one(self->fd, with_timeout(op_recv(self->conn, bytes, 8), MS)));
	sleep_until(after(A_WHILE));
	ASSERT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(-ETIME, cio_wait(self->fd, 1, &result, 1, after(MS)));
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(0, sum(stats.wake));
}

/* One of two is not enough to be woken; the other one ends by data, much later. */
TEST_F(tcp, C14_deadline_that_wakes_nobody_is_no_wake_up)
{
	struct cancelio_completion results[2];
	struct cancelio_stats stats;
	struct late_send late = { .peer = self->peer };
	pthread_t thread;
	char bytes[2];

	ASSERT_EQ(1, submit_one(self->fd, with_timeout(op_recv(self->conn, bytes, 1), MS)));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, bytes + 1, 1)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_late, &late));
	ASSERT_EQ(2, cio_wait(self->fd, 2, results, 2, after(LONG_ENOUGH)));
	pthread_join(thread, NULL);
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(1, sum(stats.late));
	EXPECT_EQ(0, sum_from(stats.wake, 24));
}

/* By asking, without a sleep that would count. */
static bool await_deadline(int fd)
{
	struct cancelio_stats stats = {};
	__s64 end = after(LONG_ENOUGH);

	while (!stats.ended[CANCELIO_DEADLINE] && now() < end)
		if (cio_stats(fd, 0, &stats))
			return false;
	return stats.ended[CANCELIO_DEADLINE];
}

/* While @waiter waits for a completion: ends a held operation, and then completes one. */
struct interlude {
	int fd;
	int peer;
	__u64 conn;
	__u64 held;
	pid_t waiter;
	struct cancelio_completion result;
	bool went_well;
};

static void *end_held_first(void *argument)
{
	struct interlude *this = argument;
	static char byte;

	this->went_well = await_in_ioctl(&this->waiter) &&
		!cio_deadline(this->fd, this->conn, CANCELIO_READ, 0, 0) &&
		await_deadline(this->fd) &&
		!cio_wait_op(this->fd, this->held, CANCELIO_NEVER, &this->result) &&
		!cio_deadline(this->fd, this->conn, CANCELIO_READ, CANCELIO_NEVER, 0) &&
		send(this->peer, "x", 1, 0) == 1 &&
		submit_one(this->fd, op_recv(this->conn, &byte, 1)) == 1;
	return NULL;
}

/* What a WAIT sleeps for is no held operation, which is late all the same. */
TEST_F(tcp, C14_deadline_of_a_held_operation_is_no_wake_up_of_a_wait)
{
	struct interlude other = {
		.fd = self->fd, .peer = self->peer, .conn = self->conn, .waiter = gettid(),
	};
	struct cancelio_completion result;
	struct cancelio_stats stats;
	struct cancelio_op op;
	pthread_t thread;
	char byte;

	op = with_flags(op_recv(self->conn, &byte, 1), CANCELIO_OP_HOLD);
	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &other.held, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, end_held_first, &other));
	ASSERT_EQ(1, reap(self->fd, &result));
	pthread_join(thread, NULL);
	ASSERT_TRUE(other.went_well);
	EXPECT_EXPIRED(other.result);
	EXPECT_DONE(result, 1);
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(1, sum(stats.late));
	EXPECT_EQ(0, sum(stats.wake));
	EXPECT_EQ(0, stats.raced);
}

TEST_F(tcp, C20_time_behind_others_is_told_as_a_histogram)
{
	__s64 begin = now();
	struct cancelio_completion results[2];
	struct cancelio_stats stats;
	char bytes[2];
	int first = variant->op_flags & CANCELIO_OP_WORKER ? 1 : 0;

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, bytes, 1)));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, bytes + 1, 1)));
	sleep_until(after(A_WHILE));
	ASSERT_EQ(2, send(self->peer, "xy", 2, 0));
	ASSERT_EQ(1, reap(self->fd, results));
	ASSERT_EQ(1, reap(self->fd, results + 1));
	EXPECT_DONE(results[1], 1);
	EXPECT_EQ(0, results[1].events);
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(1 + first, sum(stats.start));
	/* The first one of workers waited for less. */
	EXPECT_LE(1, sum_between(stats.start, A_WHILE - MS, now() - begin));
	EXPECT_EQ(1 + first, sum_between(stats.start, 0, now() - begin));
}

/* One that ends before it was ever tried has no events, whatever stood in its place. */
TEST_F(tcp, C2_operation_that_was_never_tried_reports_no_events)
{
	struct cancelio_completion result;
	char bytes[2];

	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, bytes, 1)));
	ASSERT_EQ(1, submit_one(self->fd, with_timeout(op_recv(self->conn, bytes + 1, 1), MS)));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(0, result.events);
}

/* A read that the program's memory holds up. */
struct slow_read {
	int fd;
	struct cancelio_op op;
	struct cancelio_completion result;
	int ret;
};

static void *read_slowly(void *argument)
{
	struct slow_read *slow = argument;

	slow->ret = run(slow->fd, slow->op, &slow->result);
	return NULL;
}

/* Starts it, for data that is there, and waits until it stands in its fault. */
static bool start_slow_read(struct slow_read *slow, pthread_t *thread, int peer, int uffd)
{
	return send(peer, "x", 1, 0) == 1 &&
	       !pthread_create(thread, NULL, read_slowly, slow) &&
	       await_fault(uffd);
}

/* Lets it take its byte. */
static bool end_slow_read(struct slow_read *slow, pthread_t thread, int uffd)
{
	if (release_page(uffd, (void *)(unsigned long)slow->op.addr))
		return false;
	pthread_join(thread, NULL);
	return !slow->ret && slow->result.reason == CANCELIO_DONE && slow->result.bytes == 1;
}

/* A cancel in a thread of its own. */
struct canceler {
	int fd;
	pid_t thread;
};

static void *cancel_all(void *argument)
{
	struct canceler *canceler = argument;

	__atomic_store_n(&canceler->thread, gettid(), __ATOMIC_RELEASE);
	cio_cancel(canceler->fd, CANCELIO_CANCEL_ALL, 0, 0);
	return NULL;
}

TEST_F(tcp, C4_data_that_came_before_the_deadline_and_moved_after_it_counts_as_raced)
{
	struct slow_read slow = { .fd = self->fd };
	struct cancelio_stats stats;
	pthread_t thread;
	char *page;
	int uffd;

	page = held_page(&uffd);
	if (!page)
		SKIP(return, "no userfaultfd(2)");
	slow.op = with_timeout(op_recv(self->conn, page, 1), 300 * MS);
	ASSERT_TRUE(start_slow_read(&slow, &thread, self->peer, uffd));
	sleep_until(after(301 * MS));
	ASSERT_TRUE(end_slow_read(&slow, thread, uffd));
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(0, stats.met);
	EXPECT_EQ(1, stats.raced);
	EXPECT_EQ(0, stats.ended[CANCELIO_DEADLINE]);
	close(uffd);
}

/* The same for a deadline that was set when it had passed: the attempt does not heed it. */
TEST_F(tcp, C4_data_that_moves_when_the_deadline_is_set_to_the_past_counts_as_raced)
{
	struct slow_read slow = { .fd = self->fd };
	struct cancelio_stats stats;
	pthread_t thread;
	char *page;
	int uffd;

	page = held_page(&uffd);
	if (!page)
		SKIP(return, "no userfaultfd(2)");
	slow.op = op_recv(self->conn, page, 1);
	ASSERT_TRUE(start_slow_read(&slow, &thread, self->peer, uffd));
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, 0, 0));
	ASSERT_TRUE(end_slow_read(&slow, thread, uffd));
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(0, stats.met);
	EXPECT_EQ(1, stats.raced);
	EXPECT_EQ(1, stats.ended[CANCELIO_DONE]);
	EXPECT_EQ(0, stats.ended[CANCELIO_DEADLINE]);
	EXPECT_EQ(0, sum(stats.late));
	EXPECT_EQ(0, sum(stats.wake));
	close(uffd);
}

/* One of two cancels at the most has ended it; both have waited. */
TEST_F(tcp, C30_time_of_a_cancel_that_waits_is_told_as_a_histogram)
{
	struct canceler cancelers[2] = { { .fd = self->fd }, { .fd = self->fd } };
	struct slow_read slow = { .fd = self->fd };
	pthread_t thread, threads[2];
	struct cancelio_stats stats;
	__s64 begin;
	char *page;
	int uffd, i;

	page = held_page(&uffd);
	if (!page)
		SKIP(return, "no userfaultfd(2)");
	slow.op = op_recv(self->conn, page, 1);
	ASSERT_TRUE(start_slow_read(&slow, &thread, self->peer, uffd));
	begin = now();
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, cancel_all, &cancelers[i]));
		ASSERT_TRUE(await_in_ioctl(&cancelers[i].thread));
	}
	sleep_until(after(A_WHILE));
	ASSERT_EQ(0, release_page(uffd, page));
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pthread_join(thread, NULL);
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(2, sum(stats.cancel));
	EXPECT_EQ(2, sum_between(stats.cancel, A_WHILE, now() - begin));
	close(uffd);
}

/* What a thread sleeps for is waited for, too; what only waits ends at once. */
TEST_F(tcp, C30_cancel_of_what_a_thread_sleeps_for_counts_and_of_what_waits_does_not)
{
	__u64 id, told = variant->engine == CANCELIO_ENGINE_THREAD ? 2 : 0;
	struct cancelio_completion result;
	struct cancelio_stats stats;
	__s64 begin = now();
	struct cancelio_op op;
	char byte;
	int i;

	/* Tried by the submitter: no worker is at it when the cancel comes. */
	common_op_flags = 0;
	op = op_recv(self->conn, &byte, 1);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &id, NULL));
		if (told)
			ASSERT_EQ(1, await_threads("thread", 'S', 1, 1));
		ASSERT_EQ(1, cio_cancel(self->fd, i ? CANCELIO_CANCEL_ID : CANCELIO_CANCEL_ALL,
					i ? id : 0, 0));
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_CANCELED(result);
	}
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(told, sum(stats.cancel));
	EXPECT_EQ(told, sum_between(stats.cancel, 1, now() - begin));
	EXPECT_EQ(0, sum(stats.late));
}

/* The side's deadline is as good as the operation's; other ends meet none. */
TEST_F(tcp, C14_only_what_is_DONE_before_a_deadline_has_met_it)
{
	struct cancelio_completion result;
	struct cancelio_stats stats;
	struct cancelio_op op;
	char byte;

	op = op_recv(self->conn, &byte, 1);
	ASSERT_EQ(1, send(self->peer, "x", 1, 0));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_DONE(result, 1);
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(0, stats.met);
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ, after(LONG_ENOUGH), 0));
	ASSERT_EQ(0, run(self->fd, with_flags(op, CANCELIO_OP_NOWAIT), &result));
	EXPECT_ERROR(result, -EAGAIN);
	ASSERT_EQ(1, submit_one(self->fd, op));
	ASSERT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_CANCELED(result);
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(0, stats.met);
	ASSERT_EQ(1, send(self->peer, "x", 1, 0));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_DONE(result, 1);
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(1, stats.met);
	EXPECT_EQ(0, stats.raced);
}

/* Each processor counts by itself. */
TEST_F(tcp, C14_what_was_counted_on_a_processor_that_is_gone_is_told)
{
	struct cancelio_completion result;
	struct cancelio_stats stats;
	cpu_set_t first, second;
	char byte;
	int ret;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	CPU_ZERO(&second);
	CPU_SET(1, &second);
	if (access(SECOND_CPU, W_OK) || sched_setaffinity(0, sizeof(second), &second))
		SKIP(return, "no second processor that can go");
	ASSERT_EQ(1, send(self->peer, "x", 1, 0));
	common_op_flags = 0;
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &byte, 1), &result));
	EXPECT_DONE(result, 1);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(first), &first));
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(1, stats.submitted);
	ASSERT_EQ(0, write_file(SECOND_CPU, "0"));
	ret = cio_stats(self->fd, 0, &stats);
	ASSERT_EQ(0, write_file(SECOND_CPU, "1"));
	ASSERT_EQ(0, ret);
	EXPECT_EQ(1, stats.submitted);
	EXPECT_EQ(1, stats.at_once);
	EXPECT_EQ(1, stats.ended[CANCELIO_DONE]);
}

TEST_F(tcp, C60_reset_counts_from_zero)
{
	struct cancelio_stats stats;

	end_in_three_ways(_metadata, self->fd, self->peer, self->conn);
	ASSERT_EQ(0, cio_stats(self->fd, CANCELIO_STATS_RESET, &stats));
	EXPECT_EQ(3, stats.submitted);
	EXPECT_EQ(1, sum(stats.late));
	ASSERT_EQ(0, cio_stats(self->fd, CANCELIO_STATS_RESET, &stats));
	EXPECT_EQ(0, stats.submitted);
	EXPECT_EQ(0, stats.ended[CANCELIO_DONE]);
	EXPECT_EQ(0, sum(stats.late));
	end_in_three_ways(_metadata, self->fd, self->peer, self->conn);
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(3, stats.submitted);
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(3, stats.submitted);
	EXPECT_EQ(1, sum(stats.late));
}

/* Two that reset, and what they were told. */
struct resetter {
	int fd;
	int *stop;
	__u64 told;
};

static void *reset_often(void *argument)
{
	struct resetter *resetter = argument;
	struct cancelio_stats stats;

	while (!__atomic_load_n(resetter->stop, __ATOMIC_ACQUIRE)) {
		if (!cio_stats(resetter->fd, CANCELIO_STATS_RESET, &stats))
			resetter->told += stats.ended[CANCELIO_DONE];
		sched_yield();
	}
	return NULL;
}

TEST_F(tcp, C60_each_event_is_told_by_one_of_several_resets)
{
	int stop = 0, i;
	struct resetter resetters[2] = {
		{ .fd = self->fd, .stop = &stop }, { .fd = self->fd, .stop = &stop },
	};
	struct cancelio_completion result;
	struct cancelio_stats stats;
	pthread_t threads[2];
	char byte;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, reset_often, &resetters[i]));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(1, send(self->peer, "x", 1, 0));
		ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &byte, 1), &result));
		EXPECT_DONE(result, 1);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(ROUNDS, resetters[0].told + resetters[1].told + stats.ended[CANCELIO_DONE]);
}

TEST_F(tcp, C60_counts_that_cannot_be_written_are_EFAULT_and_not_reset)
{
	char *pages = mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct cancelio_stats stats, *cut;

	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, mprotect(pages + PAGE_BYTES, PAGE_BYTES, PROT_NONE));
	end_in_three_ways(_metadata, self->fd, self->peer, self->conn);
	/* All but its last number can be written. */
	cut = (void *)(pages + PAGE_BYTES + sizeof(__u64) - sizeof(*cut));
	cut->size = sizeof(*cut);
	cut->flags = CANCELIO_STATS_RESET;
	EXPECT_EQ(-EFAULT, cio_ioctl(self->fd, CANCELIO_STATS, cut));
	ASSERT_EQ(0, cio_stats(self->fd, 0, &stats));
	EXPECT_EQ(3, stats.submitted);
	EXPECT_EQ(-EINVAL, cio_stats(self->fd, CANCELIO_STATS_RESET << 1, &stats));
}

TEST_HARNESS_MAIN
