// SPDX-License-Identifier: GPL-2.0
/*
 * The ring: operations go to the kernel, and their completions to whoever waits for them.
 *
 * A turn is one system call: it submits what the last turn has queued, and sleeps until
 * something has ended.  Of the ring's entries there is one for each operation that can be
 * pending, so that none is ever refused for want of one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "proxy.h"

/* Of the listener and of the signals, and what a program has open anyway. */
#define BESIDE	16

void fail(const char *what, int error)
{
	fflush(stdout);
	fprintf(stderr, "cio-proxy: %s: %s\n", what, strerror(error));
	exit(1);
}

/* What an error of opening the device means, and what to do about it. */
static void fail_to_open(int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		fputs("cio-proxy: no " CANCELIO_DEVICE
		      ": the module cancelio is not loaded (modprobe cancelio)\n", stderr);
		break;
	case EACCES:
	case EPERM:
		fputs("cio-proxy: no permission to open " CANCELIO_DEVICE
		      ": at first only root has it\n", stderr);
		break;
	case EPROTO:
		fputs("cio-proxy: the module cancelio speaks another version than this program\n",
		      stderr);
		break;
	default:
		fail(CANCELIO_DEVICE, error);
	}
	exit(1);
}

/* Two sockets for each connection, open and attached. */
static void allow_sockets(unsigned int connections)
{
	struct rlimit limit;
	rlim_t needed = 2 * (rlim_t)connections + BESIDE;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < needed) {
		fprintf(stderr, "cio-proxy: --max-connections is 1 to %lld here, not '%u': ",
			((long long)limit.rlim_max - BESIDE) / 2, connections);
		fprintf(stderr, "it needs %lld descriptors (ulimit -Hn)\n", (long long)needed);
		exit(2);
	}
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

void ring_open(struct proxy *proxy)
{
	unsigned int connections = proxy->options.set[MAX_CONNECTIONS];
	struct cancelio_setup setup = { .entries = 2 * connections + BESIDE };
	int error;

	allow_sockets(connections);
	error = cancelio_open(&proxy->context, &setup);
	if (error)
		fail_to_open(-error);
	error = cancelio_map_ring(proxy->context);
	if (error)
		fail("the ring cannot be mapped", -error);
	/* No more than what a proxy does, whatever should become of it. */
	cancelio_restrict_ops(proxy->context, 1U << CANCELIO_OP_RECV | 1U << CANCELIO_OP_SEND |
			      1U << CANCELIO_OP_WAIT_READY, CANCELIO_READ | CANCELIO_WRITE);
}

__u64 ring_attach(struct proxy *proxy, int fd)
{
	__u64 conn;
	int error = cancelio_attach_fd(proxy->context, fd, &conn);

	if (error)
		fail("a socket cannot be attached", -error);
	return conn;
}

static void tell(struct proxy *proxy, const struct cancelio_completion *how)
{
	struct waiter *waiter = (struct waiter *)(uintptr_t)how->user_data;

	waiter->ended(proxy, waiter, how);
}

/* An operation that the kernel did not take has ended with that. */
static void tell_refused(struct proxy *proxy, const struct cancelio_op *op, int error)
{
	struct cancelio_completion how = {
		.user_data = op->user_data,
		.conn = op->conn,
		.opcode = op->opcode,
		.error = error,
		.reason = CANCELIO_ERROR,
		.ended = cancelio_now(),
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
		if (first < proxy->queued)
			tell_refused(proxy, &proxy->queue[first++], error);
	}
	proxy->queued = 0;
}

/* An operation for the next turn, of which the caller fills in the rest. */
struct cancelio_op *ring_queue(struct proxy *proxy, struct waiter *waiter,
			       unsigned int opcode, __u64 conn)
{
	struct cancelio_op *op;

	if (proxy->queued == QUEUE)
		submit(proxy, 0);
	op = &proxy->queue[proxy->queued++];
	*op = (struct cancelio_op){
		.opcode = opcode,
		.conn = conn,
		.user_data = (uintptr_t)waiter,
	};
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
	fflush(stdout);
}

/*
 * Ends all connections: what is pending is canceled, and what comes to an end of its own
 * sees why it is not to go on.
 */
void ring_cut(struct proxy *proxy, const char *why)
{
	proxy->cut = why;
	submit(proxy, 0);
	cancelio_cancel_all(proxy->context);
}
