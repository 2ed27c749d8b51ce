// SPDX-License-Identifier: GPL-2.0
/*
 * Signals, in the ring like all else: the handler counts, and writes a byte, which a receive
 * gets.
 *
 *   SIGTERM, SIGINT   accept no more, let what is there come to its end until the drain
 *                     time-out, and end the rest; the second one ends the rest at once
 *   SIGUSR1           cancel all that is pending and begin it anew, by which no byte is
 *                     lost or doubled
 *
 * The drain time-out is a deadline of that receive.
 */
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "proxy.h"

/* The handler writes to the first one. */
static int sockets[2];
static __u64 conn;
static char byte;
/* How often each was asked for; and how often it was done. */
static atomic_uint ends, cancels;
static unsigned int ends_done, cancels_done;

static void on_signal(int signal)
{
	int error = errno;

	if (signal == SIGUSR1)
		cancels++;
	else
		ends++;
	/* When there is no room, a byte that waits does for this signal too. */
	send(sockets[0], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	errno = error;
}

static void await(struct proxy *proxy)
{
	struct cancelio_op *op = ring_queue(proxy, CANCELIO_OP_RECV, conn, SIGNALS);

	op->addr = (uintptr_t)&byte;
	op->len = 1;
}

static void drain(struct proxy *proxy)
{
	unsigned int ms = proxy->set[DRAIN_TIMEOUT];

	proxy->draining = true;
	listener_close(proxy);
	cancelio_move_deadline(proxy->context, conn, CANCELIO_READ, cancelio_after(ms * MS), 0);
	printf("draining: %u connections, at most %u ms\n", proxy->live, ms);
}

static void cancel(struct proxy *proxy)
{
	int n = cancelio_cancel_all(proxy->context);

	if (n < 0)
		warnx("SIGUSR1: %s", strerror(-n));
	else
		printf("canceled: %d operations\n", n);
}

static void do_what_was_asked(struct proxy *proxy)
{
	if (cancels_done != cancels) {
		cancels_done = cancels;
		cancel(proxy);
	}
	for (; ends_done != ends; ends_done++) {
		if (proxy->draining)
			pairs_end(proxy, "stopped");
		else
			drain(proxy);
	}
}

void signals_proceed(struct proxy *proxy, const struct cancelio_completion *how)
{
	if (how->reason == CANCELIO_DEADLINE) {
		/* After it every receive ends at once. */
		cancelio_move_deadline(proxy->context, conn, CANCELIO_READ, CANCELIO_NEVER, 0);
		pairs_end(proxy, "drain-timeout");
	} else {
		do_what_was_asked(proxy);
	}
	await(proxy);
}

void signals_open(struct proxy *proxy)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		err(1, "socketpair");
	conn = ring_attach(proxy, sockets[1]);
	await(proxy);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	/* Who reads the log may go. */
	signal(SIGPIPE, SIG_IGN);
}
