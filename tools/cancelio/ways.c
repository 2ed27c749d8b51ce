// SPDX-License-Identifier: GPL-2.0
/*
 * Ways to receive a message: plain recv(2), which has no deadline; what Linux has besides to
 * give it one; and cancelio's two engines.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench.h"

static int set_no_delay(int fd)
{
	int on = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int connect_to(struct link *link, int listener)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &len))
		return -errno;
	link->far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (link->far < 0 || connect(link->far, (struct sockaddr *)&address, len))
		return -errno;
	link->near = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (link->near < 0 || set_no_delay(link->near) || set_no_delay(link->far))
		return -errno;
	return 0;
}

int link_open(struct link *link)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

	*link = (struct link){ .near = -1, .far = -1, .epoll = -1 };
	if (listener < 0)
		return -errno;
	ret = connect_to(link, listener);
	close(listener);
	return ret;
}

void link_close(struct link *link)
{
	cancelio_free(link->context);
	if (link->epoll >= 0)
		close(link->epoll);
	if (link->near >= 0)
		close(link->near);
	if (link->far >= 0)
		close(link->far);
}

static int nothing(const struct way *way, struct link *link)
{
	(void)way;
	(void)link;
	return 0;
}

static int receive(struct link *link)
{
	ssize_t got = recv(link->near, link->buffer, ROOM, 0);

	if (got < 0)
		return -errno;
	return got == MESSAGE ? 0 : -EPROTO;
}

static int set_timeout(const struct way *way, struct link *link)
{
	struct timeval time = { .tv_sec = DEADLINE };

	(void)way;
	return setsockopt(link->near, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) ? -errno : 0;
}

static int set_polled(const struct way *way, struct link *link)
{
	(void)way;
	link->polled = (struct pollfd){ .fd = link->near, .events = POLLIN };
	return 0;
}

static int poll_receive(struct link *link)
{
	struct timespec time = { .tv_sec = DEADLINE };
	int ready = ppoll(&link->polled, 1, &time, NULL);

	if (ready < 0)
		return -errno;
	return ready ? receive(link) : -ETIME;
}

static int set_watched(const struct way *way, struct link *link)
{
	struct epoll_event event = { .events = EPOLLIN };

	(void)way;
	link->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (link->epoll < 0 || epoll_ctl(link->epoll, EPOLL_CTL_ADD, link->near, &event))
		return -errno;
	return 0;
}

static int watch_receive(struct link *link)
{
	struct epoll_event event;
	int ready = epoll_wait(link->epoll, &event, 1, DEADLINE * 1000);

	if (ready < 0)
		return -errno;
	return ready ? receive(link) : -ETIME;
}

static int attach(const struct way *way, struct link *link)
{
	struct cancelio_setup setup = { .engine = way->engine };
	int ret = cancelio_open(&link->context, &setup);

	if (!ret)
		ret = cancelio_map_ring(link->context);
	return ret ?: cancelio_attach_fd(link->context, link->near, &link->conn);
}

static struct cancelio_op recv_op(struct link *link)
{
	return (struct cancelio_op){
		.opcode = CANCELIO_OP_RECV,
		.flags = CANCELIO_OP_TIMEOUT,
		.conn = link->conn,
		.addr = (unsigned long)link->buffer,
		.len = ROOM,
		.deadline = DEADLINE * 1000000000LL,
	};
}

static int judge(const struct cancelio_completion *end)
{
	if (end->error)
		return end->error;
	return end->bytes == MESSAGE ? 0 : -EPROTO;
}

static int call(struct link *link)
{
	struct cancelio_op op = recv_op(link);
	struct cancelio_completion end;
	__u64 id;
	int ret = cancelio_call(link->context, &op, &id, &end);

	while (ret == -EINTR && id)
		ret = cancelio_wait_op(link->context, id, CANCELIO_NEVER, &end);
	return ret ?: judge(&end);
}

static int submit(struct link *link, __u64 *id)
{
	struct cancelio_op op = recv_op(link);
	int ret = cancelio_submit(link->context, &op, 1, id, NULL);

	return ret == 1 ? 0 : ret;
}

static int arm(struct link *link)
{
	return submit(link, NULL);
}

/* The one completion that there is, which comes. */
static int reap(struct link *link, struct cancelio_completion *end)
{
	int ret;

	do {
		ret = cancelio_wait(link->context, 1, CANCELIO_NEVER, NULL, 0);
	} while (ret == -EINTR);
	if (ret < 0)
		return ret;
	ret = cancelio_peek(link->context, end, 1);
	return ret == 1 ? cancelio_advance(link->context, 1) : -EPROTO;
}

static int collect(struct link *link)
{
	struct cancelio_completion end;

	return reap(link, &end) ?: judge(&end);
}

/* Interrupted, it stays requested. */
static int arm_and_cancel(struct link *link)
{
	struct cancelio_completion end;
	__u64 id;
	int ret = submit(link, &id);

	if (ret)
		return ret;
	ret = cancelio_cancel_id(link->context, id);
	if (ret < 0 && ret != -EINTR)
		return ret;
	ret = reap(link, &end);
	if (ret)
		return ret;
	return end.reason == CANCELIO_CANCELED ? 0 : -EPROTO;
}

#define CANCELIO(name_, key_, engine_) {	\
	.name = name_,				\
	.key = key_,				\
	.engine = engine_,			\
	.open = attach,				\
	.receive = call,			\
	.arm = arm,				\
	.collect = collect,			\
	.cancel = arm_and_cancel,		\
}

const struct way ways[] = {
	{ "recv", "recv", 0, nothing, receive, NULL, receive, NULL },
	{ "SO_RCVTIMEO", "rcvtimeo", 0, set_timeout, receive, NULL, receive, NULL },
	{ "ppoll, recv", "ppoll", 0, set_polled, poll_receive, NULL, poll_receive, NULL },
	{ "epoll, recv", "epoll", 0, set_watched, watch_receive, NULL, watch_receive, NULL },
	CANCELIO("cancelio, poll", "cancelio-poll", CANCELIO_ENGINE_POLL),
	CANCELIO("cancelio, thread", "cancelio-thread", CANCELIO_ENGINE_THREAD),
	{}
};
