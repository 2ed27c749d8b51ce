// SPDX-License-Identifier: GPL-2.0
/*
 * Signals, in the ring like all else: the handler writes a byte, and a receive gets it.
 *
 *   SIGTERM, SIGINT   accept no more, let what is there come to its end until the drain
 *                     time-out, and end the rest; the second one ends the rest at once
 *   SIGUSR1           cancel all that is pending and begin it anew, by which no byte is
 *                     lost or doubled
 *
 * The drain time-out is a deadline of that receive.
 */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "proxy.h"

/* The handler writes to the first one. */
static int sockets[2];
static __u64 conn;
static unsigned char number;

static void on_signal(int signal)
{
	unsigned char byte = signal;
	int error = errno;

	/* When there is no room, enough of them wait. */
	send(sockets[0], &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	errno = error;
}

static void drain(struct proxy *proxy)
{
	__s64 end = cancelio_after(proxy->options.set[DRAIN_TIMEOUT] * MS);

	proxy->draining = true;
	listener_close(proxy);
	cancelio_move_deadline(proxy->context, conn, CANCELIO_READ, end, 0);
	log_drain(proxy);
}

static void obey(struct proxy *proxy)
{
	if (number == SIGUSR1)
		log_cancel(cancelio_cancel_all(proxy->context));
	else if (!proxy->draining)
		drain(proxy);
	else if (!proxy->cut)
		ring_cut(proxy, "stopped");
}

static void await(struct proxy *proxy, struct waiter *waiter);

static void on_byte(struct proxy *proxy, struct waiter *waiter,
		    const struct cancelio_completion *how)
{
	switch (how->reason) {
	case CANCELIO_DONE:
		obey(proxy);
		break;
	case CANCELIO_DEADLINE:
		/* After it every receive ends at once. */
		cancelio_move_deadline(proxy->context, conn, CANCELIO_READ, CANCELIO_NEVER, 0);
		if (!proxy->cut)
			ring_cut(proxy, "drain-timeout");
		break;
	case CANCELIO_CANCELED:
		break;
	default:
		fail("signals", -how->error);
	}
	await(proxy, waiter);
}

static void await(struct proxy *proxy, struct waiter *waiter)
{
	struct cancelio_op *op = ring_queue(proxy, waiter, CANCELIO_OP_RECV, conn);

	op->addr = (uintptr_t)&number;
	op->len = 1;
}

void signals_open(struct proxy *proxy)
{
	static struct waiter waiter = { .ended = on_byte };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		fail("socketpair", errno);
	conn = ring_attach(proxy, sockets[1]);
	await(proxy, &waiter);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	/* Who reads the log may go. */
	signal(SIGPIPE, SIG_IGN);
}
