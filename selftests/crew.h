/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All workers of a context at once: reads that they hold in page faults, which nobody
 * answers, and one more worker than these, as long as it may be.
 */
#ifndef CANCELIO_SELFTESTS_CREW_H
#define CANCELIO_SELFTESTS_CREW_H

#include "util.h"
#include "watch.h"

#include <sys/socket.h>
#include <unistd.h>

#define HELD	3

static inline const char *name_of(__u32 engine)
{
	return engine == CANCELIO_ENGINE_THREAD ? "thread" : "poll";
}

struct crew {
	int fd;
	int peers[HELD];
	int uffds[HELD];
	pid_t pids[HELD + 1];
};

/* Later workers are made by those before. */
static inline bool crew_hold(struct crew *crew, int i)
{
	char *page = held_page(&crew->uffds[i]);
	__u64 conn;
	int ends[2];

	if (!page || tcp_pair(AF_INET, ends) || cio_attach(crew->fd, ends[0], &conn))
		return false;
	close(ends[0]);
	crew->peers[i] = ends[1];
	return send(ends[1], "x", 1, 0) == 1 &&
		submit_one(crew->fd, with_flags(op_recv(conn, page, 1), CANCELIO_OP_WORKER)) == 1 &&
		await_fault(crew->uffds[i]);
}

static inline bool crew_begin(struct crew *crew, struct cancelio_setup setup)
{
	crew->fd = cio_open();
	return crew->fd >= 0 && !cio_setup(crew->fd, &setup) && crew_hold(crew, 0);
}

static inline bool crew_complete(struct crew *crew, __u32 engine)
{
	int i;

	for (i = 1; i < HELD; i++)
		if (!crew_hold(crew, i))
			return false;
	return await_threads(name_of(engine), 0, HELD + 1, HELD + 1) == HELD + 1 &&
		kernel_threads(name_of(engine), 0, crew->pids, HELD + 1) == HELD + 1;
}

static inline bool crew_start(struct crew *crew, struct cancelio_setup setup)
{
	return crew_begin(crew, setup) && crew_complete(crew, setup.engine);
}

static inline bool crew_end(struct crew *crew)
{
	int i;

	for (i = 0; i < HELD; i++) {
		close(crew->uffds[i]);
		close(crew->peers[i]);
	}
	close(crew->fd);
	return await_no_thread();
}

static inline bool can_hold(void)
{
	int uffd = -1;
	bool can = held_page(&uffd);

	close(uffd);
	return can;
}

#endif
