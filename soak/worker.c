// SPDX-License-Identifier: GPL-2.0
/* A worker process, from its first connection to its last. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "soak.h"

/* Acts between two looks for what has ended. */
#define ACTS	24

const struct kind kinds[WORKERS] = {
	{ "poll", CANCELIO_ENGINE_POLL, NO_LIMIT, false, 3, 600, 4096, 4 },
	{ "poll mapped", CANCELIO_ENGINE_POLL, NO_LIMIT, true, 3, 600, 4096, 4 },
	{ "thread", CANCELIO_ENGINE_THREAD, NO_LIMIT, false, 2, 400, 4096, 1024 },
	{ "thread mapped", CANCELIO_ENGINE_THREAD, NO_LIMIT, true, 2, 400, 4096, 1024 },
	{ "poll, memory", CANCELIO_ENGINE_POLL, OF_MEMORY, false, 3, 240, 1024, 4 },
	{ "thread, memory", CANCELIO_ENGINE_THREAD, OF_MEMORY, false, 2, 200, 1024, 512 },
	{ "poll, files", CANCELIO_ENGINE_POLL, OF_FILES, false, 2, 150, 64, 4 },
	{ "thread, files", CANCELIO_ENGINE_THREAD, OF_FILES, false, 2, 150, 64, 64 },
};

static void open_context(struct worker *worker)
{
	const struct kind *kind = worker->kind;
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = kind->engine, .entries = kind->entries,
		.max_workers = kind->threads,
	};
	int ret;

	worker->fd = cio_open();
	ret = worker->fd < 0 ? worker->fd : cio_setup(worker->fd, &setup);
	if (ret)
		violation("no context: %s", strerror(-ret));
	if (!kind->mapped)
		return;
	worker->ring = cio_map(worker->fd, kind->entries);
	if (!worker->ring)
		violation("the ring cannot be mapped: %s", strerror(errno));
}

/* All memory that it will use is there before there is little of it. */
static void make_conns(struct worker *worker)
{
	int i, j, count = worker->kind->conns;
	size_t len = (size_t)count * 2 * RECV_MAX;
	__u8 *bytes = mmap(NULL, len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	worker->conns = calloc(count, sizeof(*worker->conns));
	if (bytes == MAP_FAILED || !worker->conns)
		violation("no memory");
	for (i = 0; i < count; i++) {
		struct conn *conn = &worker->conns[i];

		conn->worker = worker;
		conn->index = i;
		conn->sock = -1;
		for (j = FIRST_RECV; j <= SECOND_RECV; j++)
			conn->slots[j].bytes = bytes + (2 * i + j) * RECV_MAX;
	}
}

static void beat(const struct worker *worker)
{
	__atomic_add_fetch(&shared->beats[worker->number], 1, __ATOMIC_RELAXED);
}

static int own_conns(const struct worker *worker)
{
	return worker->kind->conns - CALLERS * CALLER_CONNS;
}

static void open_conns(struct worker *worker)
{
	int i;

	for (i = 0; i < own_conns(worker) && !flag_get(&shared->ending); i++) {
		conn_open(&worker->conns[i], &worker->random);
		beat(worker);
	}
}

static void work(struct worker *worker)
{
	__s64 next_limit = after(SECOND);
	int i;

	while (!flag_get(&shared->ending)) {
		beat(worker);
		for (i = 0; i < ACTS; i++)
			worker_act(worker);
		worker_flush(worker);
		worker_reap(worker, 1, after(2 * MS));
		worker_drain(worker);
		callers_disturb(worker);
		if (now() > next_limit) {
			limits_hit(worker);
			next_limit = after((1 + random_below(&worker->random, 3)) * SECOND);
		}
	}
}

/* Every connection is read to its end, and compared. */
static void finish(struct worker *worker)
{
	__s64 limit = after(PATIENCE);
	int i, left;

	for (i = 0; i < own_conns(worker); i++)
		if (worker->conns[i].id)
			worker_end_conn(worker, &worker->conns[i]);
	do {
		beat(worker);
		left = 0;
		for (i = 0; i < own_conns(worker); i++) {
			left += !!worker->conns[i].id;
			worker_finish_conn(worker, &worker->conns[i]);
		}
		worker_flush(worker);
		worker_reap(worker, 1, after(20 * MS));
		worker_drain(worker);
		if (now() > limit)
			violation("%d connections do not come to their end", left);
	} while (left);
}

void worker_run(int number, __u64 seed)
{
	static struct worker worker;

	snprintf(self, sizeof(self), "worker %d (%s)", number, kinds[number].name);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	before_violation = NULL;
	worker.kind = &kinds[number];
	worker.number = number;
	worker.random = seed;
	limits_join(&worker);
	make_conns(&worker);
	open_context(&worker);
	open_conns(&worker);
	flag_set(&shared->open[number]);
	callers_start(&worker);
	limits_tighten(&worker);
	work(&worker);
	limits_loosen(&worker);
	callers_end(&worker);
	finish(&worker);
	_exit(0);
}
