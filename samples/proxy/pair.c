// SPDX-License-Identifier: GPL-2.0
/*
 * A connection's life: its two sockets, the deadlines that hold for both, and its line in
 * the log.
 *
 * The life time is the deadline of the sockets' sides, set once.  All other deadlines go
 * with the operations, see flow.c.
 *
 * A FIN to one peer says that the other one has ended its stream, and that all of it has
 * been taken.  In every other case both are reset, also when the proxy is killed: nobody
 * takes a part for the whole.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy.h"

/* Nothing is asked for later; but each page of it comes with its first use. */
void pairs_open(struct proxy *proxy)
{
	unsigned int n = proxy->set[MAX_CONNECTIONS] + 1;

	proxy->pairs = calloc(n, sizeof(*proxy->pairs));
	if (!proxy->pairs)
		err(1, "memory for --max-connections");
	while (n--) {
		proxy->pairs[n].next = proxy->free;
		proxy->free = &proxy->pairs[n];
	}
}

static void print_address(const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	char host[INET6_ADDRSTRLEN];

	if (address->ss_family == AF_INET6)
		printf("[%s]:%u", inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host)),
		       ntohs(in6->sin6_port));
	else
		printf("%s:%u", inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host)),
		       ntohs(in->sin_port));
}

/* Of a direction: what has arrived, and what the proxy still had. */
static void print_flow(const char *name, const struct flow *flow)
{
	printf(" %s=%llu", name, flow->moved);
	if (flow->start < flow->end)
		printf("+%u", flow->end - flow->start);
}

static void print_pair(const struct pair *pair)
{
	static const char * const names[] = { "client", "upstream", "proxy" };

	printf("conn=%llu client=", pair->number);
	print_address(&pair->client);
	printf(" by=%s why=%s", names[pair->by], pair->why);
	print_flow("to-upstream", &pair->flow[CLIENT]);
	print_flow("to-client", &pair->flow[UPSTREAM]);
	printf(" ms=%lld", (cancelio_now() - pair->begun) / MS);
	if (pair->error)
		printf(" error=%s", strerrorname_np(-pair->error));
	putchar('\n');
}

static void reset_on_close(int fd, bool reset)
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

/* What is pending ends now, and tells how many bytes it has moved: see settle(). */
void pair_end(struct proxy *proxy, struct pair *pair, const char *why, enum who by, int error)
{
	pair->why = why;
	pair->by = by;
	pair->error = error;
	drop(proxy, pair, CLIENT);
	drop(proxy, pair, UPSTREAM);
}

/* Ends all that there are. */
void pairs_end(struct proxy *proxy, const char *why)
{
	struct pair *pair;

	for (pair = proxy->pairs; pair <= proxy->pairs + proxy->set[MAX_CONNECTIONS]; pair++)
		if (pair->pending && !pair->why)
			pair_end(proxy, pair, why, PROXY, 0);
}

/* The memory is the kernel's until the last operation has ended. */
static void settle(struct proxy *proxy, struct pair *pair)
{
	if (!pair->why || pair->pending)
		return;
	print_pair(pair);
	proxy->live--;
	pair->next = proxy->free;
	proxy->free = pair;
}

/* Returns 0 or -errno.  @fd is the pair's in any case. */
static int adopt(struct proxy *proxy, struct pair *pair, enum who side, int fd)
{
	__s64 end = pair->begun + proxy->set[LIFETIME] * MS;
	int error, one = 1, unsent = UNSENT;

	pair->fd[side] = fd;
	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	reset_on_close(fd, true);
	error = cancelio_attach_fd(proxy->context, fd, &pair->conn[side]);
	if (error)
		return error;
	return cancelio_move_deadline(proxy->context, pair->conn[side],
				      CANCELIO_READ | CANCELIO_WRITE, end, end);
}

/* In the place of a flow's operation, which there is none of yet. */
static void await_connect(struct proxy *proxy, struct pair *pair)
{
	struct cancelio_op *op;

	/* First: queueing can end others of the pair's. */
	pair->pending++;
	op = ring_queue(proxy, CANCELIO_OP_WAIT_READY, pair->conn[UPSTREAM],
			(uintptr_t)&pair->flow[CLIENT]);
	op->flags = CANCELIO_OP_DEADLINE;
	op->msg_flags = POLLOUT;
	op->deadline = pair->begun + proxy->set[CONNECT_TIMEOUT] * MS;
}

/* Also before any attempt: then the system has no socket for it. */
static void connect_failed(struct proxy *proxy, struct pair *pair, int error)
{
	switch (error) {
	case -ECONNREFUSED:
		pair_end(proxy, pair, "refused", UPSTREAM, error);
		break;
	/* It was connected, for a moment. */
	case -ECONNRESET:
	case -EPIPE:
		pair_end(proxy, pair, "reset", UPSTREAM, error);
		break;
	case -ENETUNREACH:
	case -EHOSTUNREACH:
	case -ETIMEDOUT:
		pair_end(proxy, pair, "unreachable", UPSTREAM, error);
		break;
	default:
		pair_end(proxy, pair, "failed", PROXY, error);
	}
}

/* What a socket that is writable says of the attempt to connect it. */
static int socket_error(int fd)
{
	int error;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) ? -errno : -error;
}

static void connect_ended(struct proxy *proxy, struct pair *pair,
			  const struct cancelio_completion *how)
{
	int error = how->reason == CANCELIO_DONE ? socket_error(pair->fd[UPSTREAM]) : how->error;

	if (how->reason == CANCELIO_DEADLINE)
		pair_end(proxy, pair, "connect-timeout", PROXY, 0);
	else if (how->reason == CANCELIO_CANCELED)
		await_connect(proxy, pair);
	else if (error)
		connect_failed(proxy, pair, error);
	else
		flows_begin(proxy, pair);
}

static void begin_connect(struct proxy *proxy, struct pair *pair)
{
	const struct address *at = &proxy->upstream;
	int fd = socket(at->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = adopt(proxy, pair, UPSTREAM, fd);

	if (!error && connect(fd, (const struct sockaddr *)&at->socket, at->len) &&
	    errno != EINPROGRESS)
		error = -errno;
	if (error)
		connect_failed(proxy, pair, error);
	else
		await_connect(proxy, pair);
}

/* One more than there may be is accepted, to be told so. */
void pair_begin(struct proxy *proxy, int fd, const struct sockaddr_storage *client)
{
	struct pair *pair = proxy->free;
	int error;

	proxy->free = pair->next;
	proxy->live++;
	memset(pair, 0, offsetof(struct pair, buffer));
	pair->number = ++proxy->accepted;
	pair->client = *client;
	pair->begun = cancelio_now();
	pair->fd[UPSTREAM] = -1;
	pair->flow[CLIENT].pair = pair;
	pair->flow[UPSTREAM].pair = pair;
	pair->flow[UPSTREAM].from = UPSTREAM;
	error = adopt(proxy, pair, CLIENT, fd);
	if (error)
		connect_failed(proxy, pair, error);
	else if (proxy->live > proxy->set[MAX_CONNECTIONS])
		pair_end(proxy, pair, "max-connections", PROXY, 0);
	else
		begin_connect(proxy, pair);
	settle(proxy, pair);
}

/* One of its operations has ended. */
void pair_proceed(struct proxy *proxy, struct flow *flow, const struct cancelio_completion *how)
{
	struct pair *pair = flow->pair;
	bool is_connect = how->opcode == CANCELIO_OP_WAIT_READY;

	pair->pending--;
	if (!is_connect)
		flow_count(flow, how);
	if (!pair->why && how->which == CANCELIO_WHICH_SIDE)
		pair_end(proxy, pair, "lifetime", PROXY, 0);
	else if (!pair->why && is_connect)
		connect_ended(proxy, pair, how);
	else if (!pair->why)
		flow_proceed(proxy, flow, how);
	settle(proxy, pair);
}
