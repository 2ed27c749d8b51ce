// SPDX-License-Identifier: GPL-2.0
/*
 * The ring: operations go to the kernel, and their completions to whoever waits for them.
 *
 * A turn is one system call: it submits what the last turn has queued, and sleeps until
 * something has ended.  Of the ring's entries there is one for each operation that can be
 * pending, so that none is ever refused for want of one.
 */
#include <err.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "proxy.h"

/* Completions that are taken at a time. */
#define BATCH	256
/* Of the listener and of the signals, and what a program has open anyway. */
#define BESIDE	16
/* What a proxy does, and no more. */
#define OPS	(1U << CANCELIO_OP_RECV | 1U << CANCELIO_OP_SEND | 1U << CANCELIO_OP_WAIT_READY)

/* What an error of opening the device means, and what to do about it. */
static void fail_to_open(int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		errx(1, "no " CANCELIO_DEVICE
		     ": the module cancelio is not loaded (modprobe cancelio)");
	case EACCES:
	case EPERM:
		errx(1, "no permission to open " CANCELIO_DEVICE ": at first only root has it");
	case EPROTO:
		errx(1, "the module cancelio speaks another version than this program");
	default:
		errx(1, CANCELIO_DEVICE ": %s", strerror(error));
	}
}

/* Two sockets for each connection, open and attached. */
static void allow_sockets(unsigned int connections)
{
	struct rlimit limit;
	rlim_t needed = 2 * (rlim_t)connections + BESIDE;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < BESIDE + 2)
		errx(1, "ulimit -Hn is %llu, and has to be %d for one connection",
		     (unsigned long long)limit.rlim_max, BESIDE + 2);
	if (limit.rlim_max < needed)
		errx(2, "--max-connections is 1 to %lld here, not '%u': ulimit -Hn is below %llu",
		     ((long long)limit.rlim_max - BESIDE) / 2, connections,
		     (unsigned long long)needed);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

void ring_open(struct proxy *proxy)
{
	unsigned int connections = proxy->set[MAX_CONNECTIONS];
	struct cancelio_setup setup = { .entries = 2 * connections + BESIDE };
	int error;

	allow_sockets(connections);
	error = cancelio_open(&proxy->context, &setup);
	if (error)
		fail_to_open(-error);
	error = cancelio_map_ring(proxy->context);
	if (error)
		errx(1, "the ring cannot be mapped: %s", strerror(-error));
	error = cancelio_restrict_ops(proxy->context, OPS, CANCELIO_READ | CANCELIO_WRITE);
	if (error)
		errx(1, "the module cancelio lacks an operation of this program");
}

__u64 ring_attach(struct proxy *proxy, int fd)
{
	__u64 conn;
	int error = cancelio_attach_fd(proxy->context, fd, &conn);

	if (error)
		errx(1, "a socket cannot be attached: %s", strerror(-error));
	return conn;
}

static void tell(struct proxy *proxy, const struct cancelio_completion *how)
{
	/* Its operation may have been queued before it went. */
	if (how->user_data == LISTENER && proxy->draining)
		return;
	if (how->user_data < OWN && how->reason == CANCELIO_ERROR)
		errx(1, "%s: %s", how->user_data == LISTENER ? "listening" : "signals",
		     strerror(-how->error));
	if (how->user_data == LISTENER)
		listener_accept(proxy);
	else if (how->user_data == SIGNALS)
		signals_proceed(proxy, how);
	else
		pair_proceed(proxy, (struct flow *)(uintptr_t)how->user_data, how);
}

/* An operation that the kernel did not take has ended with that. */
static void tell_refused(struct proxy *proxy, const struct cancelio_op *op, int error)
{
	struct cancelio_completion how = {
		.user_data = op->user_data,
		.opcode = op->opcode,
		.error = error,
		.reason = CANCELIO_ERROR,
	};

	tell(proxy, &how);
}

/* Submits what is queued, and sleeps until @min completions are there, or a signal comes. */
static void submit(struct proxy *proxy, unsigned int min)
{
	unsigned int first = 0;
	int error, taken;

	while (first < proxy->queued) {
		taken = cancelio_submit_and_wait(proxy->context, proxy->queue + first,
						 proxy->queued - first, NULL, min,
						 min ? CANCELIO_NEVER : 0, &error);
		first += taken > 0 ? taken : 0;
		if (first < proxy->queued) {
			tell_refused(proxy, &proxy->queue[first++], error);
			/* By which the last connection may have ended. */
			min = 0;
		}
	}
	proxy->queued = 0;
}

/* An operation for the next turn, of which the caller fills in the rest. */
struct cancelio_op *ring_queue(struct proxy *proxy, unsigned int opcode, __u64 conn,
			       __u64 user_data)
{
	struct cancelio_op *op;

	if (proxy->queued == QUEUE)
		submit(proxy, 0);
	op = &proxy->queue[proxy->queued++];
	*op = (struct cancelio_op){ .opcode = opcode, .conn = conn, .user_data = user_data };
	return op;
}

void ring_turn(struct proxy *proxy)
{
	struct cancelio_completion how[BATCH];
	int i, n;

	if (proxy->queued)
		submit(proxy, 1);
	else
		cancelio_wait(proxy->context, 1, CANCELIO_NEVER, NULL, 0);
	n = cancelio_peek(proxy->context, how, BATCH);
	cancelio_advance(proxy->context, n);
	for (i = 0; i < n; i++)
		tell(proxy, &how[i]);
}
