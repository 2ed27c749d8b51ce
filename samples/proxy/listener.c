// SPDX-License-Identifier: GPL-2.0
/*
 * Where clients come in: the ring waits until one is there, and accept4(2) takes it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxy.h"

/* Taken in one turn, so that those that are there are not held up. */
#define AT_ONCE	64
/* When the system has no descriptor or memory left: until it is asked again, ns. */
#define PAUSE	(100 * MS)

static int fd = -1;
static __u64 conn;

/* How the system says that it has too little of something. */
static bool is_short(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void refuse(const struct sockaddr_storage *client, int client_fd)
{
	log_limit(client);
	reset_on_close(client_fd, true);
	close(client_fd);
}

/*
 * Takes what is there, at most @most.  Returns whether the system is short of something; what
 * else accept4(2) may say is of connections that broke before they were taken.
 */
static bool take(struct proxy *proxy, unsigned int most)
{
	struct sockaddr_storage client;
	socklen_t len;
	int client_fd;

	for (; most; most--) {
		len = sizeof(client);
		client_fd = accept4(fd, (struct sockaddr *)&client, &len, SOCK_CLOEXEC);
		if (client_fd < 0)
			break;
		if (proxy->free)
			pair_begin(proxy, client_fd, &client);
		else
			refuse(&client, client_fd);
	}
	if (client_fd >= 0 || !is_short(errno))
		return false;
	fprintf(stderr, "cio-proxy: accept: %s: again in 100 ms\n", strerror(errno));
	return true;
}

/* Nothing out of band comes to a listener: waiting for it is waiting for the time. */
static void await(struct proxy *proxy, struct waiter *waiter, bool pause)
{
	struct cancelio_op *op = ring_queue(proxy, waiter, CANCELIO_OP_WAIT_READY, conn);

	op->msg_flags = pause ? POLLPRI : POLLIN;
	op->flags = pause ? CANCELIO_OP_TIMEOUT : 0;
	op->deadline = pause ? PAUSE : 0;
}

static void on_ready(struct proxy *proxy, struct waiter *waiter,
		     const struct cancelio_completion *how)
{
	if (fd < 0)
		return;
	if (how->reason == CANCELIO_ERROR || how->reason == CANCELIO_CLOSED)
		fail("listening", -how->error);
	await(proxy, waiter, take(proxy, AT_ONCE));
}

static int listen_on(const struct sockaddr_storage *address)
{
	int one = 1;

	fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)address, address_len(address)) ||
	    listen(fd, SOMAXCONN))
		return errno;
	return 0;
}

void listener_open(struct proxy *proxy)
{
	static struct waiter waiter = { .ended = on_ready };
	const struct sockaddr_storage *address = &proxy->options.listen;
	char text[ADDRESS_LEN], what[64 + ADDRESS_LEN];
	int error = listen_on(address);

	address_text(address, text);
	snprintf(what, sizeof(what), "--listen %s%s", text,
		 error == EACCES ? ": ports below 1024 need CAP_NET_BIND_SERVICE" : "");
	if (error)
		fail(what, error);
	conn = ring_attach(proxy, fd);
	await(proxy, &waiter, false);
}

/* Whoever has come before is still served. */
void listener_close(struct proxy *proxy)
{
	take(proxy, SOMAXCONN);
	cancelio_detach(proxy->context, conn);
	close(fd);
	fd = -1;
}
