// SPDX-License-Identifier: GPL-2.0
/*
 * A connection's life: its two sockets, and the deadlines that hold for both.
 *
 * The life time is the deadline of the sockets' sides, set once.  All other deadlines go
 * with the operations, see flow.c.
 *
 * A FIN to one peer says that the other one has ended its stream, and that all of it has
 * been taken.  In every other case both are reset, also when the proxy is killed: nobody
 * takes a part for the whole.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy.h"

/* All memory is had before the first client comes. */
void pairs_open(struct proxy *proxy)
{
	unsigned int n = proxy->options.set[MAX_CONNECTIONS];
	struct pair *pairs = calloc(n, sizeof(*pairs));

	if (!pairs)
		fail("memory for --max-connections", ENOMEM);
	while (n--) {
		pairs[n].next = proxy->free;
		proxy->free = &pairs[n];
	}
}

void reset_on_close(int fd, bool reset)
{
	struct linger linger = { .l_onoff = reset, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void drop(struct proxy *proxy, struct pair *pair, enum who side)
{
	if (pair->fd[side] < 0)
		return;
	if (pair->flow[CLIENT].over && pair->flow[UPSTREAM].over)
		reset_on_close(pair->fd[side], false);
	/* The context holds the socket too. */
	if (pair->conn[side])
		cancelio_detach(proxy->context, pair->conn[side]);
	close(pair->fd[side]);
}

/* What is pending ends now, and tells how many bytes it has moved: see pair_settle(). */
void pair_end(struct proxy *proxy, struct pair *pair, const char *why, enum who by,
	      const struct cancelio_completion *how)
{
	pair->why = why;
	pair->by = by;
	pair->awaited = flows_await(pair);
	pair->error = how->reason == CANCELIO_ERROR ? how->error : 0;
	pair->late = how->late;
	drop(proxy, pair, CLIENT);
	drop(proxy, pair, UPSTREAM);
}

/* The memory is the kernel's until the last operation has ended. */
void pair_settle(struct proxy *proxy, struct pair *pair)
{
	if (!pair->why || pair->pending)
		return;
	log_pair(pair);
	proxy->cuts += pair->why == proxy->cut;
	proxy->live--;
	pair->next = proxy->free;
	proxy->free = pair;
}

/* Returns 0 or -errno.  @fd is the pair's in any case. */
static int adopt(struct proxy *proxy, struct pair *pair, enum who side, int fd)
{
	__s64 end = pair->begun + proxy->options.set[LIFETIME] * MS;
	int error, one = 1;

	pair->fd[side] = fd;
	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	reset_on_close(fd, true);
	error = cancelio_attach_fd(proxy->context, fd, &pair->conn[side]);
	if (error)
		return error;
	return cancelio_move_deadline(proxy->context, pair->conn[side],
				      CANCELIO_READ | CANCELIO_WRITE, end, end);
}

/* What a socket that is writable says of the attempt to connect it. */
static int socket_error(int fd)
{
	int error;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) ? -errno : -error;
}

/* Also before any attempt: then the system has no socket for it. */
static void connect_failed(struct proxy *proxy, struct pair *pair, int error)
{
	struct cancelio_completion how = { .reason = CANCELIO_ERROR, .error = error };

	switch (error) {
	case -ECONNREFUSED:
	case -ECONNRESET:
		pair_end(proxy, pair, "refused", UPSTREAM, &how);
		break;
	case -ENETUNREACH:
	case -EHOSTUNREACH:
	case -ETIMEDOUT:
		pair_end(proxy, pair, "unreachable", UPSTREAM, &how);
		break;
	default:
		pair_end(proxy, pair, "failed", PROXY, &how);
	}
}

static void await_connect(struct proxy *proxy, struct pair *pair);

static void on_connect(struct proxy *proxy, struct waiter *waiter,
		       const struct cancelio_completion *how)
{
	struct pair *pair = ((struct flow *)waiter)->pair;
	int error = how->reason == CANCELIO_DONE ? socket_error(pair->fd[UPSTREAM]) : how->error;

	pair->pending--;
	if (proxy->cut)
		pair_end(proxy, pair, proxy->cut, PROXY, how);
	else if (how->which == CANCELIO_WHICH_SIDE)
		pair_end(proxy, pair, "lifetime", PROXY, how);
	else if (how->which == CANCELIO_WHICH_OP)
		pair_end(proxy, pair, "connect-timeout", PROXY, how);
	else if (how->reason == CANCELIO_CANCELED)
		await_connect(proxy, pair);
	else if (error)
		connect_failed(proxy, pair, error);
	else
		flows_begin(proxy, pair);
	pair_settle(proxy, pair);
}

/* In the place of a flow's operation, which there is none of yet. */
static void await_connect(struct proxy *proxy, struct pair *pair)
{
	struct waiter *waiter = &pair->flow[CLIENT].waiter;
	struct cancelio_op *op = ring_queue(proxy, waiter, CANCELIO_OP_WAIT_READY,
					    pair->conn[UPSTREAM]);

	waiter->ended = on_connect;
	op->flags = CANCELIO_OP_DEADLINE;
	op->msg_flags = POLLOUT;
	op->deadline = pair->begun + proxy->options.set[CONNECT_TIMEOUT] * MS;
	pair->pending++;
}

/* Returns 0 or -errno. */
static int begin_connect(struct proxy *proxy, struct pair *pair)
{
	const struct sockaddr_storage *address = &proxy->options.upstream;
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = adopt(proxy, pair, UPSTREAM, fd);

	if (!error && connect(fd, (const struct sockaddr *)address, address_len(address)) &&
	    errno != EINPROGRESS)
		error = -errno;
	if (!error)
		await_connect(proxy, pair);
	return error;
}

/* For one there is memory, or nobody may call this. */
void pair_begin(struct proxy *proxy, int fd, const struct sockaddr_storage *client)
{
	struct pair *pair = proxy->free;
	int error;

	proxy->free = pair->next;
	proxy->live++;
	memset(pair, 0, offsetof(struct pair, buffer));
	pair->number = ++proxy->accepted;
	pair->begun = cancelio_now();
	pair->fd[UPSTREAM] = -1;
	pair->flow[CLIENT].pair = pair;
	address_text(client, pair->client);
	error = adopt(proxy, pair, CLIENT, fd) ?: begin_connect(proxy, pair);
	if (error)
		connect_failed(proxy, pair, error);
	pair_settle(proxy, pair);
}
