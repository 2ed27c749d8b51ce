// SPDX-License-Identifier: GPL-2.0
/* Waiting for completions: WAIT, WAIT_OP, CALL, signals, threads (C1, C7, C70, C73). */
#include "tcp_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>

TEST_F(tcp, C70_wait_with_min_0_looks_once)
{
	struct cancelio_completion result;
	char byte;

	EXPECT_EQ(0, cio_wait(self->fd, 0, &result, 1, CANCELIO_NEVER));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_EQ(0, cio_wait(self->fd, 0, &result, 1, CANCELIO_NEVER));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	EXPECT_EQ(1, cio_wait(self->fd, 0, &result, 1, 0));
	EXPECT_CANCELED(result);
}

TEST_F(tcp, C70_wait_copies_at_most_max_and_at_least_min)
{
	struct cancelio_completion result[5];
	struct cancelio_op ops[5];
	char bytes[5];
	int i;

	for (i = 0; i < 5; i++)
		ops[i] = with_cookie(op_recv(self->conn, bytes + i, 1), i);
	ASSERT_EQ(5, cio_submit(self->fd, ops, 5, NULL, NULL));
	EXPECT_EQ(5, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	EXPECT_EQ(3, cio_wait(self->fd, 1, result, 3, after(LONG_ENOUGH)));
	EXPECT_EQ(-ETIME, cio_wait(self->fd, 3, result, 5, after(MS)));
	EXPECT_EQ(2, cio_wait(self->fd, 2, result, 5, after(LONG_ENOUGH)));
	EXPECT_EQ(0, cio_wait(self->fd, 0, result, 5, 0));
}

TEST_F(tcp, C70_wait_returns_at_its_time_and_never_early)
{
	__s64 times[] = { after(20 * MS), after(1), now(), 0, -1, INT64_MIN };
	struct cancelio_completion result;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(times); i++) {
		EXPECT_EQ(-ETIME, cio_wait(self->fd, 1, &result, 1, times[i]));
		EXPECT_LE(times[i], now());
	}
}

TEST_F(tcp, C70_submit_waits_for_completions_in_the_same_call)
{
	struct cancelio_completion result[2];
	struct cancelio_op ops[2];
	char bytes[2];
	int error;

	ops[0] = with_timeout(op_recv(self->conn, bytes, 1), 5 * MS);
	ops[1] = with_timeout(op_recv(self->conn, bytes + 1, 1), 20 * MS);
	EXPECT_EQ(2, cio_submit_and_wait(self->fd, ops, 2, 2, after(LONG_ENOUGH), &error));
	EXPECT_EQ(0, error);
	ASSERT_EQ(2, cio_wait(self->fd, 0, result, 2, 0));
	EXPECT_EQ(CANCELIO_DEADLINE, result[0].reason);
	EXPECT_EQ(CANCELIO_DEADLINE, result[1].reason);
}

TEST_F(tcp, C70_wait_of_a_submit_ends_at_its_time_and_the_operation_goes_on)
{
	struct cancelio_completion result;
	struct cancelio_op op;
	__s64 time = after(5 * MS);
	char byte;
	int error;

	op = op_recv(self->conn, &byte, 1);
	EXPECT_EQ(1, cio_submit_and_wait(self->fd, &op, 1, 1, time, &error));
	EXPECT_EQ(-ETIME, error);
	EXPECT_LE(time, now());
	ASSERT_EQ(1, send(self->peer, "x", 1, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EQ(CANCELIO_DONE, result.reason);
}

TEST_F(tcp, C70_submit_that_is_refused_in_part_does_not_wait)
{
	struct cancelio_op ops[2] = {};
	char byte;
	int error;

	ops[0] = op_recv(self->conn, &byte, 1);
	ops[1] = ops[0];
	ops[1].opcode = 99;
	EXPECT_EQ(1, cio_submit_and_wait(self->fd, ops, 2, 1, CANCELIO_NEVER, &error));
	EXPECT_EQ(-EINVAL, error);
	EXPECT_EQ(-EINVAL, cio_submit_and_wait(self->fd, ops, 1, CANCELIO_MAX_ENTRIES + 1, 0,
					       &error));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
}

TEST_F(tcp, C7_signal_ends_the_wait_of_a_submit_and_the_operation_goes_on)
{
	struct cancelio_completion result;
	struct cancelio_op op;
	char byte;
	int error;

	op = op_recv(self->conn, &byte, 1);
	ASSERT_EQ(0, interrupt_often(true));
	EXPECT_EQ(1, cio_submit_and_wait(self->fd, &op, 1, 1, after(LONG_ENOUGH), &error));
	ASSERT_EQ(0, interrupt_often(false));
	EXPECT_EQ(-EINTR, error);
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_CANCELED(result);
}

TEST_F(tcp, C70_completions_that_cannot_be_copied_stay_in_the_ring)
{
	struct cancelio_wait wait = {
		.size = sizeof(wait), .min = 1, .max = 4, .time = CANCELIO_NEVER,
		.completion_size = sizeof(struct cancelio_completion),
	};
	struct cancelio_completion result;
	char byte;

	ASSERT_EQ(1, submit_one(self->fd, with_cookie(op_recv(self->conn, &byte, 1), 6)));
	EXPECT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	wait.completions = (unsigned long)forbidden_page();
	EXPECT_EQ(-EFAULT, cio_ioctl(self->fd, CANCELIO_WAIT, &wait));
	ASSERT_EQ(1, reap(self->fd, &result));
	EXPECT_EQ(6, result.user_data);
}

TEST_F(tcp, C70_signal_ends_a_wait_with_EINTR_and_loses_no_completion)
{
	struct cancelio_completion result;
	int round, ret, interrupted = 0;
	char byte;

	ASSERT_EQ(0, interrupt_often(true));
	for (round = 0; round < 20; round++) {
		ASSERT_EQ(1, submit_one(self->fd,
					with_cookie(with_timeout(op_recv(self->conn, &byte, 1),
								 12 * MS), round)));
		while ((ret = cio_wait(self->fd, 1, &result, 1, CANCELIO_NEVER)) == -EINTR)
			interrupted++;
		ASSERT_EQ(1, ret);
		EXPECT_EXPIRED(result);
		ASSERT_EQ(round, result.user_data);
	}
	ASSERT_EQ(0, interrupt_often(false));
	EXPECT_LT(0, interrupted);
	EXPECT_TRUE(stays_empty(self->fd));
}

TEST_F(tcp, C73_signal_ends_a_call_whose_result_wait_op_then_gives)
{
	struct cancelio_completion result;
	char byte = 0;
	struct cancelio_op op = with_cookie(op_recv(self->conn, &byte, 1), 4);
	__u64 id = 0;

	ASSERT_EQ(0, interrupt_often(true));
	ASSERT_EQ(-EINTR, cio_call(self->fd, &op, &id, &result));
	ASSERT_NE(0, id);
	ASSERT_EQ(-EINTR, cio_wait_op(self->fd, id, CANCELIO_NEVER, &result));
	ASSERT_EQ(0, interrupt_often(false));
	ASSERT_EQ(1, write(self->peer, "s", 1));
	ASSERT_EQ(0, cio_wait_op(self->fd, id, after(LONG_ENOUGH), &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ(id, result.id);
	EXPECT_EQ(4, result.user_data);
	EXPECT_EQ('s', byte);
	EXPECT_EQ(-ENOENT, cio_wait_op(self->fd, id, 0, &result));
	EXPECT_EQ(0, cio_wait(self->fd, 0, &result, 1, 0));
}

TEST_F(tcp, C73_held_operation_stays_out_of_the_ring_and_goes_on_after_ETIME)
{
	struct cancelio_completion result;
	char byte = 0;
	struct cancelio_op op = with_flags(op_recv(self->conn, &byte, 1), CANCELIO_OP_HOLD);
	__s64 time = after(5 * MS);
	__u64 id;

	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &id, NULL));
	EXPECT_EQ(-ETIME, cio_wait_op(self->fd, id, time, &result));
	EXPECT_LE(time, now());
	EXPECT_EQ(-ETIME, cio_wait_op(self->fd, id, 0, &result));
	ASSERT_EQ(1, write(self->peer, "h", 1));
	EXPECT_TRUE(stays_empty(self->fd));
	ASSERT_EQ(0, cio_wait_op(self->fd, id, after(LONG_ENOUGH), &result));
	EXPECT_DONE(result, 1);
}

TEST_F(tcp, C73_result_that_cannot_be_written_is_kept)
{
	size_t head = offsetof(struct cancelio_wait_op, result);
	struct cancelio_wait_op wait = { .size = sizeof(wait), .time = CANCELIO_NEVER };
	struct cancelio_completion result;
	struct cancelio_op op = with_flags(op_send(self->conn, "x", 1), CANCELIO_OP_HOLD);
	char *pages = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, (__u64 *)&wait.id, NULL));
	memcpy(pages, &wait, head);
	ASSERT_EQ(0, mprotect(pages, 4096, PROT_READ));
	EXPECT_EQ(-EFAULT, cio_ioctl(self->fd, CANCELIO_WAIT_OP, pages));
	ASSERT_EQ(0, cio_wait_op(self->fd, wait.id, after(LONG_ENOUGH), &result));
	EXPECT_DONE(result, 1);
}

/* A thread that waits for one held operation. */
struct waiter {
	int fd;
	__u64 id;
	int ret;
	struct cancelio_completion result;
};

static void *wait_for_op(void *argument)
{
	struct waiter *waiter = argument;

	/* Busy while the other thread takes its looks. */
	do {
		waiter->ret = cio_wait_op(waiter->fd, waiter->id, after(LONG_ENOUGH),
					  &waiter->result);
	} while (waiter->ret == -EBUSY);
	return NULL;
}

TEST_F(tcp, C73_another_thread_waits_for_an_operation_and_a_second_one_gets_EBUSY)
{
	struct waiter waiter = { .fd = self->fd };
	struct cancelio_completion result;
	char byte = 0;
	struct cancelio_op op = with_flags(op_recv(self->conn, &byte, 1), CANCELIO_OP_HOLD);
	pthread_t thread;
	int ret;

	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &waiter.id, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_op, &waiter));
	while ((ret = cio_wait_op(self->fd, waiter.id, 0, &result)) == -ETIME)
		sched_yield();
	EXPECT_EQ(-EBUSY, ret);
	ASSERT_EQ(1, write(self->peer, "t", 1));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, waiter.ret);
	EXPECT_DONE(waiter.result, 1);
	EXPECT_EQ('t', byte);
	EXPECT_EQ(-ENOENT, cio_wait_op(self->fd, waiter.id, 0, &result));
}

/* A time before the clock's zero has passed, like any other that is not in the future. */
TEST_F(tcp, C73_wait_for_an_operation_to_a_negative_time_is_ETIME)
{
	struct cancelio_completion result;
	char byte;
	struct cancelio_op op = with_flags(op_recv(self->conn, &byte, 1), CANCELIO_OP_HOLD);
	__u64 id;

	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &id, NULL));
	EXPECT_EQ(-ETIME, cio_wait_op(self->fd, id, -1, &result));
	EXPECT_EQ(-ETIME, cio_wait_op(self->fd, id, INT64_MIN, &result));
	ASSERT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ID, id, 0));
	EXPECT_EQ(0, cio_wait_op(self->fd, id, CANCELIO_NEVER, &result));
}

/* Finds ids in the submitter's array while their operations are being tried. */
struct finder {
	int fd;
	__u64 ids[4];
	bool stop;
	int taken;
	int wrong;
};

static void *take_as_they_come(void *argument)
{
	struct finder *finder = argument;
	struct cancelio_completion result;
	unsigned int round = 0;

	while (!__atomic_load_n(&finder->stop, __ATOMIC_ACQUIRE)) {
		__u64 id = __atomic_load_n(&finder->ids[round++ % 4], __ATOMIC_RELAXED);
		int ret = id ? cio_wait_op(finder->fd, id, CANCELIO_NEVER, &result) : -ENOENT;

		if (!ret)
			finder->taken++;
		else if (ret != -ENOENT && ret != -EBUSY)
			finder->wrong++;
	}
	return NULL;
}

/* One who waits for an operation that its submitter is still trying is woken (C73). */
TEST_F(tcp, C73_wait_for_an_operation_at_its_first_attempt_ends_with_it)
{
	struct finder finder = { .fd = self->fd };
	struct cancelio_completion result;
	struct cancelio_op ops[4];
	/* A worker is woken for each of the operations that are forced to one. */
	int rounds = variant->op_flags ? 100 : 700;
	int round, i, taken = 0;
	pthread_t thread;
	char words[16];

	for (i = 0; i < 4; i++)
		ops[i] = with_flags(op_send(self->conn, "word", 4), CANCELIO_OP_HOLD);
	ASSERT_EQ(0, pthread_create(&thread, NULL, take_as_they_come, &finder));
	for (round = 0; round < rounds; round++) {
		ASSERT_EQ(4, cio_submit(self->fd, ops, 4, finder.ids, NULL));
		for (i = 0; i < 4; i++) {
			int ret;

			while ((ret = cio_wait_op(self->fd, finder.ids[i], after(LONG_ENOUGH),
						  &result)) == -EBUSY)
				sched_yield();
			taken += !ret;
			ASSERT_TRUE(!ret || ret == -ENOENT);
		}
		ASSERT_EQ(16, recv(self->peer, words, 16, MSG_WAITALL));
	}
	__atomic_store_n(&finder.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, finder.wrong);
	EXPECT_EQ(4 * rounds, taken + finder.taken);
}

/* Threads that share what the ring gives, or make calls beside it. */
struct team {
	int fd;
	__u64 conn;
	int seen[400];
	int wrong;
	bool stop;
};

static void *reap_ring(void *argument)
{
	struct team *team = argument;
	struct cancelio_completion result[3];
	int ret, i;

	while (!__atomic_load_n(&team->stop, __ATOMIC_ACQUIRE)) {
		ret = cio_wait(team->fd, 1, result, 3, after(20 * MS));
		if (ret < 0 && ret != -ETIME)
			__atomic_add_fetch(&team->wrong, 1, __ATOMIC_RELAXED);
		for (i = 0; i < ret; i++)
			__atomic_add_fetch(&team->seen[result[i].user_data % 400], 1,
					   __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F(tcp, C70_each_completion_goes_to_exactly_one_of_many_waiting_threads)
{
	struct team team = { .fd = self->fd };
	pthread_t threads[4];
	char byte;
	int i, ret;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, reap_ring, &team));
	for (i = 0; i < 400; i++) {
		struct cancelio_op op = with_timeout(op_recv(self->conn, &byte, 1), i * 1000);

		while ((ret = submit_one(self->fd, with_cookie(op, i))) == -EAGAIN)
			sched_yield();
		ASSERT_EQ(1, ret);
	}
	for (i = 0; i < 400; i++)
		while (!__atomic_load_n(&team.seen[i], __ATOMIC_RELAXED))
			sched_yield();
	__atomic_store_n(&team.stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(0, team.wrong);
	for (i = 0; i < 400; i++)
		ASSERT_EQ(1, team.seen[i]);
}

static void *call_sends(void *argument)
{
	struct team *team = argument;
	struct cancelio_completion result;
	int i;

	for (i = 0; i < 100; i++) {
		struct cancelio_op op = with_cookie(op_send(team->conn, "c", 1), 399);

		if (run(team->fd, op, &result) || result.reason != CANCELIO_DONE ||
		    result.user_data != 399 || result.bytes != 1)
			__atomic_add_fetch(&team->wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F(tcp, C73_calls_of_threads_keep_their_results_beside_a_thread_that_reaps_the_ring)
{
	struct team team = { .fd = self->fd, .conn = self->conn };
	pthread_t reaper, callers[4];
	char bytes[400];
	int i, got;

	ASSERT_EQ(0, pthread_create(&reaper, NULL, reap_ring, &team));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&callers[i], NULL, call_sends, &team));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(1, submit_one(self->fd, with_cookie(op_send(self->conn, "s", 1), i)));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_join(callers[i], NULL));
	for (i = 0; i < 100; i++)
		while (!__atomic_load_n(&team.seen[i], __ATOMIC_RELAXED))
			sched_yield();
	__atomic_store_n(&team.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(reaper, NULL));
	EXPECT_EQ(0, team.wrong);
	EXPECT_EQ(0, team.seen[399]);
	for (got = 0; got < 500; got += i) {
		i = read(self->peer, bytes, sizeof(bytes));
		ASSERT_LT(0, i);
	}
	EXPECT_EQ(500, got);
}

TEST_F(tcp, C70_waiting_thread_sees_what_another_thread_causes)
{
	struct team team = { .fd = self->fd };
	pthread_t thread;
	char byte;

	ASSERT_EQ(0, pthread_create(&thread, NULL, reap_ring, &team));
	ASSERT_EQ(1, submit_one(self->fd, with_cookie(op_recv(self->conn, &byte, 1), 1)));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	while (!__atomic_load_n(&team.seen[1], __ATOMIC_RELAXED))
		sched_yield();
	ASSERT_EQ(1, submit_one(self->fd, with_cookie(op_recv(self->conn, &byte, 1), 2)));
	ASSERT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_COOKIE, 2, 0));
	while (!__atomic_load_n(&team.seen[2], __ATOMIC_RELAXED))
		sched_yield();
	__atomic_store_n(&team.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, team.wrong);
}

TEST_HARNESS_MAIN
