// SPDX-License-Identifier: GPL-2.0
/*
 * An owner that is killed at the moment at which its operation ends in another way.  What
 * can be seen from outside: no thread and no socket stays, and nobody takes what the
 * program is not there for any more (C1, C34).
 */
#include "variants.h"
#include "watch.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define ENTRIES	8
#define ROUNDS	60
/* No round is begun after this. */
#define TIME	(1200 * MS)

enum act {
	COMPLETE,
	CANCEL,
	DEADLINE,
	DETACH,
	SHUTDOWN,
	CLOSE,
	EXIT,
};

/* What the owner and its parent share; the owner says that it waits for @time. */
struct shared {
	__s64 time;
	int ready;
};

/* A connection, and how the owner is told what to do. */
struct stage {
	int sock;
	int peer;
	int said[2];
	struct shared *shared;
};

FIXTURE(kill) {
	struct stage stage;
};

FIXTURE_VARIANT(kill) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(kill, poll) POLL_IPV4;
FIXTURE_VARIANT_ADD(kill, poll_worker) POLL_WORKER;
FIXTURE_VARIANT_ADD(kill, thread) THREAD_IPV4;

FIXTURE_SETUP(kill)
{
	int ends[2], on = 1;

	ASSERT_EQ(0, tcp_pair(variant->family, ends));
	self->stage.sock = ends[0];
	self->stage.peer = ends[1];
	ASSERT_EQ(0, setsockopt(self->stage.peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	ASSERT_EQ(0, pipe(self->stage.said));
	self->stage.shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->stage.shared);
	common_op_flags = variant->op_flags;
}

FIXTURE_TEARDOWN(kill)
{
	close(self->stage.sock);
	close(self->stage.peer);
}

static void spin_until(const __s64 *time)
{
	while (now() < __atomic_load_n(time, __ATOMIC_RELAXED))
		;
}

static void act(int fd, __u64 conn, enum act what)
{
	switch (what) {
	case CANCEL:
		cio_cancel(fd, CANCELIO_CANCEL_ALL, 0, 0);
		break;
	case DEADLINE:
		cio_deadline(fd, conn, CANCELIO_READ, now(), 0);
		break;
	case DETACH:
		cio_detach(fd, conn);
		break;
	case SHUTDOWN:
		cio_shutdown(fd);
		break;
	case CLOSE:
		close(fd);
		break;
	case EXIT:
		_exit(0);
	default:
		break;
	}
}

/* The owner: a read is pending, and at the time it acts; it leaves only by being killed. */
static void own(__u32 engine, int sock, int said, struct shared *shared, enum act what, int round)
{
	int fd = cio_context(engine, ENTRIES);
	static char byte;
	__u64 conn;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (cio_attach(fd, sock, &conn) || submit_one(fd, op_recv(conn, &byte, 1)) != 1)
		_exit(1);
	if (round % 2 && !cio_map(fd, ENTRIES))
		_exit(2);
	close(sock);
	if (write(said, "r", 1) != 1)
		_exit(3);
	/* The parent sets the time. */
	spin_until(&shared->time);
	act(fd, conn, what);
	for (;;)
		pause();
}

/* The next byte on the socket, or 0. */
static char next_byte(int sock)
{
	char byte = 0;

	if (wait_events(sock, POLLIN) != POLLIN || recv(sock, &byte, 1, MSG_DONTWAIT) != 1)
		return 0;
	return byte;
}

/* Kills the owner @late after the time at which it or the peer acts. */
static bool kill_at(pid_t pid, struct shared *shared, int peer, enum act what, __s64 late)
{
	__s64 time = after(200000), kill_time = time + late;
	int status;

	__atomic_store_n(&shared->time, time, __ATOMIC_RELAXED);
	if (what == COMPLETE) {
		/* One thread does both, in either order. */
		if (late > 0 && write(peer, "d", 1) != 1)
			return false;
		spin_until(&kill_time);
		kill(pid, SIGKILL);
		if (late <= 0 && write(peer, "d", 1) != 1)
			return false;
	} else {
		spin_until(&kill_time);
		kill(pid, SIGKILL);
	}
	if (waitpid(pid, &status, 0) != pid)
		return false;
	return WIFSIGNALED(status) || (what == EXIT && WIFEXITED(status) && !WEXITSTATUS(status));
}

/* Returns NULL, or what went wrong. */
static const char *kill_round(struct stage *stage, __u32 engine, enum act what, int round)
{
	__s64 late = (round % 20 - 5) * 10000;
	char said, byte;
	pid_t pid;

	stage->shared->time = CANCELIO_NEVER;
	pid = fork();
	if (!pid)
		own(engine, stage->sock, stage->said[1], stage->shared, what, round);
	if (pid < 0 || wait_events(stage->said[0], POLLIN) != POLLIN ||
	    read(stage->said[0], &said, 1) != 1)
		return "start";
	if (!kill_at(pid, stage->shared, stage->peer, what, late))
		return "kill";
	/*
	 * With a worker in the dead program's memory the context ends a moment later.  A
	 * byte that came before may have been taken, one that comes after it not.
	 */
	if (!await_no_thread())
		return "threads";
	if (write(stage->peer, "u", 1) != 1)
		return "peer";
	byte = next_byte(stage->sock);
	if (what == COMPLETE && byte == 'd')
		byte = next_byte(stage->sock);
	return byte == 'u' ? NULL : "bytes";
}

#define PLAY(what) do {									\
	__s64 _end = after(TIME);							\
	const char *_wrong = NULL;							\
	int _round;									\
											\
	for (_round = 0; _round < ROUNDS && now() < _end && !_wrong; _round++)		\
		_wrong = kill_round(&self->stage, variant->engine, what, _round);	\
	EXPECT_EQ(NULL, _wrong) {							\
		TH_LOG("round %d: %s", _round, _wrong);					\
	}										\
	EXPECT_EQ(-1, recv(self->stage.sock, self->stage.shared, 1, MSG_DONTWAIT));	\
	EXPECT_EQ(EAGAIN, errno);							\
	/* The last descriptor closes the socket: nothing else holds it. */		\
	close(self->stage.sock);							\
	EXPECT_NE(0, wait_events(self->stage.peer, POLLRDHUP | POLLHUP) &		\
		  (POLLRDHUP | POLLHUP));						\
} while (0)

TEST_F(kill, C34_SIGKILL_against_data)
{
	PLAY(COMPLETE);
}

TEST_F(kill, C34_SIGKILL_against_cancel)
{
	PLAY(CANCEL);
}

TEST_F(kill, C34_SIGKILL_against_deadline)
{
	PLAY(DEADLINE);
}

TEST_F(kill, C34_SIGKILL_against_detach)
{
	PLAY(DETACH);
}

TEST_F(kill, C34_SIGKILL_against_shutdown)
{
	PLAY(SHUTDOWN);
}

TEST_F(kill, C34_SIGKILL_against_close)
{
	PLAY(CLOSE);
}

TEST_F(kill, C34_SIGKILL_against_exit)
{
	PLAY(EXIT);
}

TEST_HARNESS_MAIN
