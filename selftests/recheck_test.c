// SPDX-License-Identifier: GPL-2.0
/*
 * A socket's last event that comes while a write is at its first attempt: it is
 * seen by the attempt, or by the look after it, or it makes the write be tried again.  The
 * moment is hit by trying many of them (C44).
 */
#define _GNU_SOURCE
#include "unix_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#define ROUNDS	10000
/* No round is begun after this. */
#define TIME	(8 * SECOND)
/* The write comes up to this much sooner, ns; and the step from one moment to the next. */
#define SPAN	20000
#define STEP	7919

/* The two wait for each other asleep, and only for the moment awake. */
struct closer {
	int sock;
	__s64 time;
	bool over;
	sem_t go;
	sem_t done;
};

/* On a processor of its own, where there are two. */
static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void spin_until(__s64 time)
{
	while (now() < time)
		;
}

static void *close_writes(void *argument)
{
	struct closer *closer = argument;

	run_on(0);
	for (;;) {
		sem_wait(&closer->go);
		if (closer->over)
			return NULL;
		spin_until(closer->time);
		shutdown(closer->sock, SHUT_WR);
		sem_post(&closer->done);
	}
}

/* A full socket. */
static bool make_full(int type, int ends[2])
{
	int bytes = 1;

	if (unix_pair(type, ends) ||
	    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)))
		return false;
	while (send(ends[0], "x", 1, MSG_DONTWAIT) == 1)
		;
	return errno == EAGAIN;
}

/* Returns how the write ended: an error, or -ETIME when it did not. */
static int race_once(struct closer *closer, int fd, int type, int round)
{
	struct cancelio_completion result;
	int ends[2], ret;
	__u64 conn;

	if (!make_full(type, ends) || cio_attach(fd, ends[0], &conn))
		return -EIO;
	closer->sock = ends[0];
	closer->time = after(10 * SPAN);
	sem_post(&closer->go);
	spin_until(closer->time - (__s64)round * STEP % SPAN);
	ret = submit_one(fd, op_send(conn, "y", 1));
	sem_wait(&closer->done);
	if (ret == 1)
		ret = reap(fd, &result) == 1 ? result.error : -ETIME;
	cio_detach(fd, conn);
	close(ends[0]);
	close(ends[1]);
	return ret;
}

TEST_F(local, C44_shutdown_during_an_attempt_is_not_overlooked)
{
	struct closer closer = {};
	__s64 end = after(TIME);
	pthread_t thread;
	int round;

	ASSERT_EQ(0, sem_init(&closer.go, 0, 0));
	ASSERT_EQ(0, sem_init(&closer.done, 0, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, close_writes, &closer));
	run_on(1);
	for (round = 1; round <= ROUNDS && now() < end; round++)
		ASSERT_EQ(-EPIPE, race_once(&closer, self->fd, variant->type, round)) {
			TH_LOG("round %d", round);
		}
	closer.over = true;
	sem_post(&closer.go);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	TH_LOG("%d rounds", round - 1);
}

TEST_HARNESS_MAIN
