// SPDX-License-Identifier: GPL-2.0
/*
 * Signals: none comes from here, and those that come from elsewhere end no operation (C7).
 */
#include "tcp_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/time.h>

#define BLOCK	(100U << 10)
#define ROUNDS	12

static bool nothing_is_pending(void)
{
	sigset_t pending;
	int signal;

	if (sigpending(&pending))
		return false;
	for (signal = 1; signal < NSIG; signal++)
		if (sigismember(&pending, signal) == 1)
			return false;
	return true;
}

TEST_F(tcp, C7_no_way_to_end_delivers_a_signal)
{
	struct cancelio_completion result;
	char *much = pattern_new(MUCH);
	sigset_t all;
	char byte;
	int i;

	ASSERT_NE(NULL, much);
	sigfillset(&all);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &all, NULL));
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, run(self->fd, with_timeout(op_recv(self->conn, &byte, 1), MS),
				 &result));
		EXPECT_EXPIRED(result);
		ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
		ASSERT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_CANCELED(result);
	}
	ASSERT_EQ(1, submit_one(self->fd, op_send(self->conn, much, MUCH)));
	ASSERT_EQ(1, submit_one(self->fd, op_recv(self->conn, &byte, 1)));
	EXPECT_TRUE(nothing_is_pending());
	/* Both are told of the reset, and later writes. */
	ASSERT_EQ(0, close_with_reset(self->peer));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, reap(self->fd, &result));
		EXPECT_EQ(-ECONNRESET, result.error);
	}
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, run(self->fd, op_send(self->conn, "x", 1), &result));
		EXPECT_EQ(CANCELIO_ERROR, result.reason);
	}
	EXPECT_TRUE(nothing_is_pending());
	ASSERT_EQ(0, cio_shutdown(self->fd));
	EXPECT_TRUE(nothing_is_pending());
	free(much);
}

/* Sends back what it gets, in another process: no signal of the test comes here. */
static pid_t start_echo(int sock)
{
	static char buffer[16384];
	pid_t pid = fork();
	ssize_t got;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((got = recv(sock, buffer, sizeof(buffer), 0)) > 0)
		if (send(sock, buffer, got, MSG_NOSIGNAL) != got)
			break;
	_exit(0);
}

struct talker {
	int fd;
	__u64 conn;
	int interrupted;
	int wrong;
};

/* CALL, and where a signal ends it WAIT_OP for the rest. */
static bool insist(struct talker *talker, struct cancelio_op op)
{
	struct cancelio_completion result;
	__u64 id = 0;
	int ret = cio_call(talker->fd, &op, &id, &result);

	while (ret == -EINTR) {
		talker->interrupted++;
		ret = cio_wait_op(talker->fd, id, CANCELIO_NEVER, &result);
	}
	return !ret && result.reason == CANCELIO_DONE && !result.error && result.bytes == BLOCK;
}

static void *send_blocks(void *argument)
{
	struct talker *talker = argument;
	char *block = pattern_new(BLOCK);
	int round;

	for (round = 0; round < ROUNDS; round++)
		if (!insist(talker, op_send(talker->conn, block, BLOCK)))
			talker->wrong++;
	free(block);
	return NULL;
}

/* Reads what is echoed, all of a block at a time. */
static void receive_blocks(struct talker *talker)
{
	char *block = malloc(BLOCK);
	int round;

	for (round = 0; round < ROUNDS; round++) {
		memset(block, 0, BLOCK);
		if (!insist(talker, with_msg_flags(op_recv(talker->conn, block, BLOCK),
						   MSG_WAITALL)) ||
		    !pattern_holds(block, BLOCK, 0))
			talker->wrong++;
	}
	free(block);
}

TEST_F(tcp, C7_signals_end_calls_and_no_operation)
{
	struct talker writer = { .fd = self->fd, .conn = self->conn };
	struct talker reader = writer;
	pid_t echo = start_echo(self->peer);
	pthread_t thread;

	ASSERT_LT(0, echo);
	ASSERT_EQ(0, interrupt_often(true));
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_blocks, &writer));
	receive_blocks(&reader);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, interrupt_often(false));
	EXPECT_EQ(0, writer.wrong);
	EXPECT_EQ(0, reader.wrong);
	TH_LOG("%d and %d calls interrupted", writer.interrupted, reader.interrupted);
	kill(echo, SIGKILL);
	waitpid(echo, NULL, 0);
}

/* A program that is stopped and continued while it waits. */
static int talk(__u32 engine, int sock, int ready)
{
	struct talker talker = { .fd = cio_context(engine, 0) };
	pthread_t thread;

	if (talker.fd < 0 || cio_attach(talker.fd, sock, &talker.conn))
		return 1;
	if (write(ready, "r", 1) != 1 || pthread_create(&thread, NULL, send_blocks, &talker))
		return 2;
	receive_blocks(&talker);
	pthread_join(thread, NULL);
	return talker.wrong ? 3 : 0;
}

TEST_F(tcp, C7_stop_and_continue_lose_nothing)
{
	int ready[2], status, ends[2], i;
	pid_t pid, echo;
	char byte;

	ASSERT_EQ(0, tcp_pair(variant->family, ends));
	ASSERT_EQ(0, pipe(ready));
	echo = start_echo(ends[1]);
	ASSERT_LT(0, echo);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(talk(variant->engine, ends[0], ready[1]));
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	for (i = 0; i < 15 && !waitpid(pid, &status, WNOHANG); i++) {
		ASSERT_EQ(0, kill(pid, SIGSTOP));
		sleep_until(after(2 * MS));
		ASSERT_EQ(0, kill(pid, SIGCONT));
		sleep_until(after(i * MS / 2));
	}
	if (i == 15)
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	kill(echo, SIGKILL);
	waitpid(echo, NULL, 0);
	close(ends[0]);
	close(ends[1]);
}

static void take_signal(int signal)
{
	(void)signal;
}

/* In a process of its own each time, for only the first open takes the memory map's locks. */
static int open_under_alarm(void *delay)
{
	struct sigaction action = { .sa_handler = take_signal };
	struct itimerval alarm = { .it_value.tv_usec = *(int *)delay };
	int fd;

	if (sigaction(SIGALRM, &action, NULL) || setitimer(ITIMER_REAL, &alarm, NULL))
		return 1;
	fd = cio_open();
	return fd < 0 ? -fd : 0;
}

TEST(C61_open_begins_again_after_a_signal)
{
	int delay, failed = 0;

	/* From before the open to after it, in steps smaller than what it takes. */
	for (delay = 1; delay < 800; delay += 4)
		failed += in_child(open_under_alarm, &delay) != 0;
	EXPECT_EQ(0, failed);
}

TEST_HARNESS_MAIN
