// SPDX-License-Identifier: GPL-2.0
/*
 * Where clients come in: the ring waits until one is there, and accept4(2) takes it.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy.h"

/* Taken in one turn, so that those that are there are not held up. */
#define AT_ONCE	64
/* When the system has no descriptor or memory left: until it is asked again, ns. */
#define PAUSE	(100 * MS)

static int fd = -1;
static __u64 conn;

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
			return errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			       errno == ENOMEM;
		pair_begin(proxy, client_fd, &client);
	}
	return false;
}

/* Serves who is there, and waits for the next. */
void listener_accept(struct proxy *proxy)
{
	struct cancelio_op *op;
	bool is_short;

	is_short = take(proxy, AT_ONCE);
	if (is_short)
		warn("accept: again in 100 ms");
	op = ring_queue(proxy, CANCELIO_OP_WAIT_READY, conn, LISTENER);
	op->msg_flags = POLLIN;
	if (is_short) {
		/* Nothing out of band comes to a listener: this waits for the time. */
		op->msg_flags = POLLPRI;
		op->flags = CANCELIO_OP_TIMEOUT;
		op->deadline = PAUSE;
	}
}

void listener_open(struct proxy *proxy)
{
	const struct address *at = &proxy->listen;
	int one = 1;

	fd = socket(at->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (const struct sockaddr *)&at->socket, at->len) || listen(fd, SOMAXCONN))
		err(1, "--listen %s%s", at->text,
		    errno == EACCES ? ": ports below 1024 need CAP_NET_BIND_SERVICE" : "");
	conn = ring_attach(proxy, fd);
	listener_accept(proxy);
}

/* Whoever has come before is still served. */
void listener_close(struct proxy *proxy)
{
	take(proxy, SOMAXCONN);
	cancelio_detach(proxy->context, conn);
	close(fd);
}
