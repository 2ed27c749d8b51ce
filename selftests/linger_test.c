// SPDX-License-Identifier: GPL-2.0
/*
 * A socket whose close waits (SO_LINGER) for data that nobody reads, when its context
 * ends: it holds up nothing else, and its data is not lost (C34).
 */
#include "engine_fixture.h"
#include "watch.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* Seconds, more than LONG_ENOUGH: whoever waits for it is too late. */
#define LINGER	100
/* Connections of the context; the one in the middle lingers. */
#define CONNS	3
#define LINGERS	1

/*
 * The child has a context with CONNS connections, and another one by which a thread of
 * it answers.  This process has the peers.
 */
struct owner {
	__u32 engine;
	pid_t pid;
	int ready[2];
	int peers[CONNS];
	int asked;
};

typedef void (*ending)(int fd, const __u64 *conns);

static char bytes[CONNS];

static int attach_pair(int fd, const int *ends, __u64 *conn)
{
	int ret = cio_attach(fd, ends[0], conn);

	close(ends[0]);
	return ret;
}

/* A read is pending on each; the one that lingers is full, and the rest of a pattern waits. */
static bool start_context(int fd, int pairs[CONNS][2], __u64 *conns)
{
	struct linger linger = { .l_onoff = 1, .l_linger = LINGER };
	char *data = pattern_new(MUCH);
	ssize_t filled;
	int i;

	if (!data ||
	    setsockopt(pairs[LINGERS][0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) ||
	    shrink_buffers(pairs[LINGERS][0], pairs[LINGERS][1]))
		return false;
	filled = fill(pairs[LINGERS][0]);
	if (filled <= 0)
		return false;
	for (i = 0; i < CONNS; i++) {
		if (attach_pair(fd, pairs[i], &conns[i]) ||
		    submit_one(fd, op_recv(conns[i], &bytes[i], 1)) != 1)
			return false;
		close(pairs[i][1]);
	}
	return submit_one(fd, op_send(conns[LINGERS], data + filled, MUCH - filled)) == 1;
}

struct answerer {
	__u32 engine;
	int sock;
};

/* Sends back each byte, by a context of its own. */
static void *answer(void *argument)
{
	struct answerer *answerer = argument;
	struct cancelio_completion result;
	int fd = cio_context(answerer->engine, 0);
	__u64 conn;
	char byte;

	if (cio_attach(fd, answerer->sock, &conn))
		return NULL;
	while (!run(fd, op_recv(conn, &byte, 1), &result) && result.bytes == 1)
		if (run(fd, op_send(conn, &byte, 1), &result) || result.bytes != 1)
			break;
	return NULL;
}

static void own(struct owner *owner, int pairs[CONNS][2], int sock, ending end)
{
	struct answerer answerer = { .engine = owner->engine, .sock = sock };
	int fd = cio_context(owner->engine, 0);
	__u64 conns[CONNS];
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd < 0 || !start_context(fd, pairs, conns) ||
	    pthread_create(&thread, NULL, answer, &answerer) ||
	    write(owner->ready[1], "r", 1) != 1)
		_exit(1);
	end(fd, conns);
	for (;;)
		pause();
}

/* Returns once the child is about to end. */
static bool start_owner(struct owner *owner, __u32 engine, ending end)
{
	int pairs[CONNS][2], ends[2], i;

	owner->engine = engine;
	if (pipe2(owner->ready, O_CLOEXEC) || tcp_pair(AF_INET, ends))
		return false;
	for (i = 0; i < CONNS; i++)
		if (tcp_pair(AF_INET, pairs[i]))
			return false;
	owner->pid = fork();
	if (owner->pid < 0)
		return false;
	if (!owner->pid) {
		close(ends[1]);
		own(owner, pairs, ends[0], end);
	}
	for (i = 0; i < CONNS; i++) {
		close(pairs[i][0]);
		owner->peers[i] = pairs[i][1];
	}
	close(ends[0]);
	owner->asked = ends[1];
	return wait_events(owner->ready[0], POLLIN) == POLLIN;
}

static bool answers(const struct owner *owner)
{
	char byte = 0;

	return write(owner->asked, "?", 1) == 1 && wait_events(owner->asked, POLLIN) == POLLIN &&
		recv(owner->asked, &byte, 1, MSG_DONTWAIT) == 1 && byte == '?';
}

static bool is_released(int peer)
{
	return wait_events(peer, POLLRDHUP) & POLLRDHUP;
}

/* What the socket had taken comes, and then the end. */
static bool gives_its_data(int peer)
{
	ssize_t got = pattern_read(peer, MUCH, 0);

	return got > 0 && got < MUCH;
}

/* A context of this process lives and ends meanwhile. */
static bool another_context_works(__u32 engine)
{
	struct cancelio_completion result;
	int fd = cio_context(engine, 0), ends[2];
	bool works;
	__u64 conn;
	char byte;

	if (fd < 0 || tcp_pair(AF_INET, ends) || attach_pair(fd, ends, &conn))
		return false;
	works = !run(fd, with_timeout(op_recv(conn, &byte, 1), MS), &result) &&
		result.error == -ETIME && write(ends[1], "x", 1) == 1 &&
		!run(fd, op_recv(conn, &byte, 1), &result) && result.bytes == 1 &&
		submit_one(fd, op_recv(conn, &byte, 1)) == 1;
	close(fd);
	works = works && is_released(ends[1]);
	close(ends[1]);
	return works;
}

/* Also in the middle of a close(2) that waits. */
static bool kill_owner(const struct owner *owner)
{
	int status;

	return !kill(owner->pid, SIGKILL) && waitpid(owner->pid, &status, 0) == owner->pid &&
		WIFSIGNALED(status);
}

static void live_on(int fd, const __u64 *conns)
{
}

static void close_context(int fd, const __u64 *conns)
{
	close(fd);
}

static void shut_down(int fd, const __u64 *conns)
{
	cio_shutdown(fd);
}

static void detach(int fd, const __u64 *conns)
{
	cio_detach(fd, conns[LINGERS]);
}

/* The others of the context end in time.  Returns what is wrong, if anything. */
static const char *check_released(const struct owner *owner)
{
	int i;

	if (!another_context_works(owner->engine))
		return "another context";
	for (i = 0; i < CONNS; i++)
		if (i != LINGERS && !is_released(owner->peers[i]))
			return i < LINGERS ? "the one before" : "the one after";
	return "";
}

/* The rest of the owner ends.  Likewise. */
static const char *check_gone(const struct owner *owner)
{
	if (!is_released(owner->asked))
		return "the other context";
	if (!await_no_thread())
		return "threads";
	return gives_its_data(owner->peers[LINGERS]) ? "" : "data";
}

TEST_F(engine, C34_killed_owner_of_a_socket_that_lingers)
{
	struct owner owner;

	ASSERT_TRUE(start_owner(&owner, variant->engine, live_on));
	ASSERT_TRUE(answers(&owner));
	ASSERT_TRUE(kill_owner(&owner));
	EXPECT_STREQ("", check_released(&owner));
	EXPECT_STREQ("", check_gone(&owner));
}

TEST_F(engine, C34_closed_context_of_a_socket_that_lingers)
{
	struct owner owner;

	ASSERT_TRUE(start_owner(&owner, variant->engine, close_context));
	EXPECT_STREQ("", check_released(&owner));
	EXPECT_TRUE(answers(&owner));
	ASSERT_TRUE(kill_owner(&owner));
	EXPECT_STREQ("", check_gone(&owner));
}

TEST_F(engine, C34_shut_down_context_of_a_socket_that_lingers)
{
	struct owner owner;

	ASSERT_TRUE(start_owner(&owner, variant->engine, shut_down));
	EXPECT_STREQ("", check_released(&owner));
	EXPECT_TRUE(answers(&owner));
	ASSERT_TRUE(kill_owner(&owner));
	EXPECT_STREQ("", check_gone(&owner));
}

/* The thread that detaches waits as in close(2), and nobody else. */
TEST_F(engine, C34_killed_in_the_detach_of_a_socket_that_lingers)
{
	struct owner owner;

	ASSERT_TRUE(start_owner(&owner, variant->engine, detach));
	EXPECT_TRUE(answers(&owner));
	ASSERT_TRUE(kill_owner(&owner));
	EXPECT_STREQ("", check_released(&owner));
	EXPECT_STREQ("", check_gone(&owner));
}

TEST_HARNESS_MAIN
