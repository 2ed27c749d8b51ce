// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel threads of a context: who has one, how many there may be, what signals do
 * to them, and that none is left (C7, C13, C16, C21, C30, C34, C52).
 */
#include "engine_fixture.h"
#include "watch.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#define DEFAULT_THREADS	256
/* Idle threads that are kept, about. */
#define FEW		12
#define MOST		(DEFAULT_THREADS + 4)
#define MANY		40
/* Where there are many rounds, no more are begun after this. */
#define ROUNDS_TIME	(3 * SECOND)

/* A context of @engine, and connections of which one end is attached. */
struct net {
	int fd;
	int count;
	int socks[MOST];
	int peers[MOST];
	__u64 conns[MOST];
	char bytes[MOST];
};

static bool net_open(struct net *net, __u32 engine, __u32 max_workers, int count)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = engine, .max_workers = max_workers,
		.entries = 1024,
	};
	int ends[2];

	memset(net, 0, sizeof(*net));
	net->fd = cio_open();
	if (net->fd < 0 || cio_setup(net->fd, &setup))
		return false;
	for (net->count = 0; net->count < count; net->count++) {
		if (tcp_pair(AF_INET, ends) ||
		    cio_attach(net->fd, ends[0], &net->conns[net->count]))
			return false;
		net->socks[net->count] = ends[0];
		net->peers[net->count] = ends[1];
	}
	return true;
}

static void net_close(struct net *net)
{
	close(net->fd);
	while (net->count--) {
		close(net->socks[net->count]);
		close(net->peers[net->count]);
	}
}

/* A read of one byte; its cookie is the connection's place. */
static struct cancelio_op net_read(struct net *net, int i)
{
	return with_cookie(op_recv(net->conns[i], &net->bytes[i], 1), i);
}

/* The thread engine, alone. */
FIXTURE(blocked) {
	struct net net;
};

FIXTURE_VARIANT(blocked) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(blocked, thread) THREAD_IPV4;

FIXTURE_SETUP(blocked)
{
}

FIXTURE_TEARDOWN(blocked)
{
	net_close(&self->net);
}

TEST_F(blocked, C52_each_side_that_waits_has_one_thread_that_bears_its_owners_number)
{
	struct net *net = &self->net;
	int i;

	ASSERT_TRUE(net_open(net, variant->engine, 0, 5));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(1, submit_one(net->fd, net_read(net, i)));
	EXPECT_EQ(5, await_threads("thread", 'S', 5, 5));
	/* The other side has its own, and what stands in the queue has none. */
	ASSERT_EQ(1, submit_one(net->fd, op_ready(net->conns[0], POLLPRI)));
	ASSERT_EQ(1, submit_one(net->fd, net_read(net, 1)));
	ASSERT_EQ(0, shrink_buffers(net->socks[2], net->peers[2]));
	ASSERT_LT(0, fill(net->socks[2]));
	ASSERT_EQ(1, submit_one(net->fd, op_ready(net->conns[2], POLLOUT)));
	EXPECT_EQ(6, await_threads("thread", 'S', 6, 6));
	EXPECT_TRUE(stays_empty(net->fd));
	EXPECT_EQ(6, kernel_threads("thread", 'S', NULL, 0));
	EXPECT_GE(8, kernel_threads("thread", 0, NULL, 0));
	EXPECT_EQ(8, cio_cancel(net->fd, CANCELIO_CANCEL_ALL, 0, 0));
	EXPECT_EQ(0, await_threads("thread", 'S', 0, 0));
}

/* As many as the default allows sleep; what is more waits for a thread, and gets one. */
TEST_F(blocked, C52_threads_are_at_most_256_unless_setup_says_otherwise)
{
	struct cancelio_completion result;
	struct net *net = &self->net;
	bool seen[MOST] = {};
	int i;

	ASSERT_TRUE(net_open(net, variant->engine, 0, MOST));
	for (i = 0; i < MOST; i++)
		ASSERT_EQ(1, submit_one(net->fd, net_read(net, i)));
	EXPECT_EQ(DEFAULT_THREADS, await_threads("thread", 'S', DEFAULT_THREADS, MOST));
	EXPECT_TRUE(stays_empty(net->fd));
	EXPECT_EQ(DEFAULT_THREADS, kernel_threads("thread", 0, NULL, 0));
	for (i = 0; i < MOST; i++)
		ASSERT_EQ(1, write(net->peers[i], "m", 1));
	for (i = 0; i < MOST; i++) {
		ASSERT_EQ(1, reap(net->fd, &result));
		EXPECT_DONE(result, 1);
		ASSERT_FALSE(seen[result.user_data]);
		seen[result.user_data] = true;
	}
	/* Those that have nothing to do end. */
	EXPECT_GE(FEW, await_threads("thread", 0, 0, FEW));
}

TEST_F(blocked, C52_surplus_threads_end_when_operations_are_canceled)
{
	struct net *net = &self->net;
	int round, i;

	ASSERT_TRUE(net_open(net, variant->engine, 0, MANY));
	for (round = 0; round < 2; round++) {
		for (i = 0; i < MANY; i++)
			ASSERT_EQ(1, submit_one(net->fd, net_read(net, i)));
		EXPECT_EQ(MANY, await_threads("thread", 'S', MANY, MANY));
		EXPECT_EQ(MANY, cio_cancel(net->fd, CANCELIO_CANCEL_ALL, 0, 0));
		EXPECT_GE(FEW, await_threads("thread", 0, 0, FEW));
	}
	EXPECT_LE(2 * MANY, cio_wait(net->fd, 2 * MANY, NULL, 0, after(LONG_ENOUGH)));
}

/* Two threads sleep for the first two connections; operations on the third have none. */
static bool use_up_threads(struct net *net, __u32 engine)
{
	return net_open(net, engine, 2, 3) &&
		submit_one(net->fd, net_read(net, 0)) == 1 &&
		submit_one(net->fd, net_read(net, 1)) == 1 &&
		await_threads("thread", 'S', 2, 2) == 2;
}

TEST_F(blocked, C21_operation_without_a_thread_meets_its_deadlines)
{
	struct cancelio_completion result;
	struct net *net = &self->net;
	__s64 deadline;
	int i;

	ASSERT_TRUE(use_up_threads(net, variant->engine));
	for (i = 0; i < 20; i++) {
		deadline = after(i * MS / 4);
		ASSERT_EQ(1, submit_one(net->fd, with_deadline(net_read(net, 2), deadline)));
		ASSERT_EQ(1, reap(net->fd, &result));
		EXPECT_EXPIRED(result);
		EXPECT_EQ(2, result.user_data);
		EXPECT_EQ(CANCELIO_WHICH_OP, result.which);
		EXPECT_LE(deadline, result.ended);
	}
	ASSERT_EQ(1, submit_one(net->fd, net_read(net, 2)));
	deadline = after(5 * MS);
	ASSERT_EQ(0, cio_deadline(net->fd, net->conns[2], CANCELIO_READ, deadline, 0));
	ASSERT_EQ(1, reap(net->fd, &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(CANCELIO_WHICH_SIDE, result.which);
	EXPECT_LE(deadline, result.ended);
	EXPECT_EQ(2, kernel_threads("thread", 0, NULL, 0));
}

TEST_F(blocked, C21_operation_without_a_thread_is_canceled_and_closed_at_once)
{
	struct cancelio_completion result;
	struct net *net = &self->net;

	ASSERT_TRUE(use_up_threads(net, variant->engine));
	ASSERT_EQ(1, submit_one(net->fd, net_read(net, 2)));
	EXPECT_EQ(1, cio_cancel(net->fd, CANCELIO_CANCEL_COOKIE, 2, 0));
	ASSERT_EQ(1, cio_wait(net->fd, 0, &result, 1, 0));
	EXPECT_CANCELED(result);
	ASSERT_EQ(1, submit_one(net->fd, net_read(net, 2)));
	EXPECT_EQ(0, cio_detach(net->fd, net->conns[2]));
	ASSERT_EQ(1, cio_wait(net->fd, 0, &result, 1, 0));
	EXPECT_CLOSED(result);
	EXPECT_EQ(2, kernel_threads("thread", 'S', NULL, 0));
	EXPECT_EQ(2, cio_cancel(net->fd, CANCELIO_CANCEL_ALL, 0, 0));
}

TEST_F(blocked, C21_operation_without_a_thread_is_run_by_the_next_one_that_is_free)
{
	struct cancelio_completion result;
	struct net *net = &self->net;
	__u64 cookies = 0;
	int i;

	ASSERT_TRUE(use_up_threads(net, variant->engine));
	ASSERT_EQ(1, submit_one(net->fd, net_read(net, 2)));
	ASSERT_EQ(1, write(net->peers[2], "2", 1));
	ASSERT_EQ(1, write(net->peers[0], "0", 1));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, reap(net->fd, &result));
		EXPECT_DONE(result, 1);
		cookies |= 1 << result.user_data;
	}
	EXPECT_EQ(1 << 2 | 1 << 0, cookies);
	EXPECT_EQ('2', net->bytes[2]);
	EXPECT_EQ(1, cio_cancel(net->fd, CANCELIO_CANCEL_ALL, 0, 0));
}

TEST_F(blocked, C21_operation_without_a_thread_is_slept_for_by_the_next_one_that_is_free)
{
	struct cancelio_completion result;
	struct net *net = &self->net;

	ASSERT_TRUE(use_up_threads(net, variant->engine));
	ASSERT_EQ(1, submit_one(net->fd, net_read(net, 2)));
	EXPECT_EQ(1, cio_cancel(net->fd, CANCELIO_CANCEL_COOKIE, 0, 0));
	ASSERT_EQ(1, cio_wait(net->fd, 0, &result, 1, 0));
	EXPECT_CANCELED(result);
	EXPECT_EQ(2, await_threads("thread", 'S', 2, 2));
	EXPECT_TRUE(stays_empty(net->fd));
	ASSERT_EQ(1, write(net->peers[2], "2", 1));
	ASSERT_EQ(1, reap(net->fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ(2, result.user_data);
	EXPECT_EQ('2', net->bytes[2]);
	EXPECT_EQ(1, cio_cancel(net->fd, CANCELIO_CANCEL_ALL, 0, 0));
}

/*
 * Plan 9's late note: a deadline that fires about when the data comes must end its own
 * operation or nothing.  The next one, for which the same thread sleeps, goes on.
 */
TEST_F(blocked, C13_late_note_does_not_hit_the_next_operation_of_the_thread)
{
	struct cancelio_completion first, second;
	struct net *net = &self->net;
	__s64 end = after(ROUNDS_TIME);
	int round, expired = 0;
	char bytes[2];

	ASSERT_TRUE(net_open(net, variant->engine, 1, 1));
	for (round = 0; round < 2000 && now() < end; round++) {
		struct cancelio_op ops[2] = {
			with_cookie(op_recv(net->conns[0], bytes, 1), 1),
			with_cookie(op_recv(net->conns[0], bytes + 1, 1), 2),
		};
		__s64 deadline = after(800000);

		ops[0] = with_deadline(ops[0], deadline);
		ASSERT_EQ(2, cio_submit(net->fd, ops, 2, NULL, NULL));
		while (now() < deadline + (round % 50 - 35) * 20000)
			;
		ASSERT_EQ(1, write(net->peers[0], "x", 1));
		ASSERT_EQ(1, reap(net->fd, &first));
		/* The byte is the first one's, or the second one's. */
		if (first.user_data == 1 && first.reason == CANCELIO_DONE)
			ASSERT_EQ(1, write(net->peers[0], "y", 1));
		ASSERT_EQ(1, reap(net->fd, &second));
		if (second.user_data == 1) {
			struct cancelio_completion other = first;

			first = second;
			second = other;
		}
		ASSERT_EQ(1, first.user_data);
		ASSERT_EQ(2, second.user_data);
		ASSERT_EQ(CANCELIO_DONE, second.reason);
		ASSERT_EQ(1, second.bytes);
		if (first.reason == CANCELIO_DONE)
			continue;
		EXPECT_EXPIRED(first);
		expired++;
	}
	TH_LOG("%d of %d expired", expired, round);
	EXPECT_GE(2, kernel_threads("thread", 0, NULL, 0));
}

/* The pid of the thread that sleeps for the one blocked operation. */
static pid_t sleeper(void)
{
	pid_t pid;

	if (await_threads("thread", 'S', 1, 1) != 1)
		return -1;
	return kernel_threads("thread", 'S', &pid, 1) == 1 ? pid : -1;
}

/* One note, to the thread @pid, and the operation ends by @reason. */
static bool one_note(const char *text, pid_t pid, const char *reason)
{
	char number[32];

	snprintf(number, sizeof(number), "pid=%d", pid);
	return trace_count(text, "cio_interrupt:", "") == 1 &&
		trace_count(text, "cio_interrupt:", number) == 1 &&
		trace_count(text, "cio_complete:", "") == 1 &&
		trace_count(text, "cio_complete:", reason) == 1;
}

static void trace_notes(bool on)
{
	if (!on) {
		trace_off("cancelio/cio_interrupt");
		trace_off("cancelio/cio_complete");
	} else {
		trace_on("cancelio/cio_interrupt");
		trace_on("cancelio/cio_complete");
	}
}

enum winner {
	BY_OWN_DEADLINE,
	BY_SIDES_DEADLINE,
	BY_MOVED_DEADLINE,
	BY_CANCEL,
	BY_DETACH,
	WINNERS,
};

/* Ends the one operation; returns whether all went well. */
static bool end_by(struct net *net, enum winner winner)
{
	switch (winner) {
	case BY_OWN_DEADLINE:
		return true;
	case BY_SIDES_DEADLINE:
		return !cio_deadline(net->fd, net->conns[0], CANCELIO_READ, after(5 * MS), 0);
	case BY_MOVED_DEADLINE:
		return !cio_deadline(net->fd, net->conns[0], CANCELIO_READ, now(), 0);
	case BY_CANCEL:
		return cio_cancel(net->fd, CANCELIO_CANCEL_COOKIE, 0, 0) == 1;
	default:
		return !cio_detach(net->fd, net->conns[0]);
	}
}

TEST_F(blocked, C16_every_end_but_data_interrupts_the_sleeping_thread_once)
{
	static const char *const reasons[] = {
		"deadline bytes", "deadline bytes", "deadline bytes", "canceled bytes",
		"closed bytes",
	};
	struct cancelio_completion result;
	struct net *net = &self->net;
	int winner;

	ASSERT_TRUE(net_open(net, variant->engine, 0, 1));
	if (!trace_on("cancelio/cio_interrupt"))
		SKIP(return, "no tracefs");
	trace_notes(false);
	for (winner = 0; winner < WINNERS; winner++) {
		struct cancelio_op op = net_read(net, 0);
		char *text;
		pid_t pid;

		if (winner == BY_OWN_DEADLINE)
			op = with_timeout(op, 500 * MS);
		trace_notes(true);
		ASSERT_EQ(1, submit_one(net->fd, op));
		pid = sleeper();
		ASSERT_TRUE(end_by(net, winner));
		ASSERT_EQ(1, reap(net->fd, &result));
		trace_notes(false);
		text = trace_text();
		ASSERT_NE(NULL, text);
		/* A slow machine sees the operation's own deadline before its thread. */
		if (pid > 0 || winner != BY_OWN_DEADLINE)
			EXPECT_TRUE(one_note(text, pid, reasons[winner])) {
				TH_LOG("way %d, thread %d:\n%s", winner, pid, text);
			}
		free(text);
		if (winner < BY_DETACH)
			ASSERT_EQ(0, cio_deadline(net->fd, net->conns[0], CANCELIO_READ,
						  CANCELIO_NEVER, 0));
	}
}

/* Both engines: what a context leaves, and who else sends signals. */
static const char *engine_name(__u32 engine)
{
	return engine == CANCELIO_ENGINE_THREAD ? "thread" : "poll";
}

/* Signals of the root user mean nothing to a kernel thread of a context. */
TEST_F(engine, C7_signals_that_are_sent_to_a_kernel_thread_change_nothing)
{
	static const int signals[] = { SIGHUP, SIGKILL, SIGTERM, SIGINT, SIGSTOP, SIGUSR1 };
	const char *name = engine_name(variant->engine);
	struct cancelio_completion result;
	struct net net;
	pid_t pids[8];
	int round, count, i, j;

	ASSERT_TRUE(net_open(&net, variant->engine, 0, 2));
	ASSERT_EQ(1, submit_one(net.fd, net_read(&net, 0)));
	if (variant->engine == CANCELIO_ENGINE_THREAD)
		ASSERT_LT(0, sleeper());
	for (round = 0; round < 20; round++) {
		count = kernel_threads(name, 0, pids, 8);
		ASSERT_LT(0, count);
		ASSERT_GE(8, count);
		for (i = 0; i < count; i++)
			for (j = 0; j < (int)ARRAY_SIZE(signals); j++)
				ASSERT_TRUE(!kill(pids[i], signals[j]) || errno == ESRCH);
		ASSERT_EQ(0, run(net.fd, with_timeout(net_read(&net, 1), MS), &result));
		EXPECT_EXPIRED(result);
	}
	EXPECT_TRUE(stays_empty(net.fd));
	EXPECT_LT(0, kernel_threads(name, 0, NULL, 0));
	ASSERT_EQ(1, write(net.peers[0], "s", 1));
	ASSERT_EQ(1, reap(net.fd, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ('s', net.bytes[0]);
	net_close(&net);
}

TEST_F(engine, C34_no_thread_is_left_after_the_last_close)
{
	const char *name = engine_name(variant->engine);
	struct net net;
	int i;

	ASSERT_TRUE(net_open(&net, variant->engine, 0, 10));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(1, submit_one(net.fd, with_flags(net_read(&net, i), CANCELIO_OP_WORKER)));
	EXPECT_LT(0, kernel_threads(name, 0, NULL, 0));
	net_close(&net);
	EXPECT_EQ(0, await_threads(name, 0, 0, 0));
}

TEST_F(engine, C34_no_thread_is_left_after_shutdown_though_the_descriptor_is_open)
{
	const char *name = engine_name(variant->engine);
	struct net net;
	int i;

	ASSERT_TRUE(net_open(&net, variant->engine, 0, 10));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(1, submit_one(net.fd, net_read(&net, i)));
	ASSERT_EQ(0, cio_shutdown(net.fd));
	EXPECT_EQ(0, await_threads(name, 0, 0, 0));
	EXPECT_EQ(10, cio_wait(net.fd, 10, NULL, 0, after(LONG_ENOUGH)));
	net_close(&net);
}

TEST_HARNESS_MAIN
