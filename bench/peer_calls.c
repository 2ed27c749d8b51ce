// SPDX-License-Identifier: GPL-2.0
/*
 * Plain system calls: recv(2) alone, which is the limit; ppoll(2) before it; and recv(2)
 * that gives up by itself, with SO_RCVTIMEO.  Where there are many connections the first and
 * the last take a thread for each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "bench.h"
#include "peers.h"

enum kind { BARE, PPOLL, RCVTIMEO };

static const struct set *set;
static struct pollfd *polled;
static __s64 *deadlines;

static void receive(unsigned int i)
{
	if (recv(set->near[i], buffer_of(i), ROOM, 0) != MESSAGE)
		give_up("recv", errno);
}

static void answer(unsigned int i)
{
	if (send(set->near[i], buffer_of(i), MESSAGE, 0) != MESSAGE)
		give_up("send", errno);
}

static void set_timeout(int fd, long seconds)
{
	struct timeval time = { .tv_sec = seconds };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)))
		give_up("SO_RCVTIMEO", errno);
}

static bool calls_open(const struct peer *peer, const struct set *sockets)
{
	unsigned int i;

	set = sockets;
	polled = calloc(set->count, sizeof(*polled));
	deadlines = calloc(set->count, sizeof(*deadlines));
	if (!polled || !deadlines)
		give_up("peer", ENOMEM);
	for (i = 0; i < set->count; i++) {
		polled[i] = (struct pollfd){ .fd = set->near[i], .events = POLLIN };
		if (peer->kind == RCVTIMEO)
			set_timeout(set->near[i], RENEWAL / SECOND);
	}
	return true;
}

static void calls_close(void)
{
	unsigned int i;

	for (i = 0; i < set->count; i++)
		set_timeout(set->near[i], 0);
	free(polled);
	free(deadlines);
}

static void receive_many(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		receive(i);
}

/* What is not armed is received when it is collected. */
static void arm_nothing(unsigned int n)
{
	(void)n;
}

static int poll_for(struct pollfd *fds, unsigned int n, __s64 ns)
{
	struct timespec time = { .tv_sec = ns / SECOND, .tv_nsec = ns % SECOND };
	int ready = ppoll(fds, n, &time, NULL);

	if (ready < 0)
		give_up("ppoll", errno);
	return ready;
}

static void ppoll_recv_one(unsigned int i)
{
	if (poll_for(&polled[i], 1, RENEWAL) != 1)
		give_up("ppoll", ETIME);
	receive(i);
}

static void ppoll_recv_many(unsigned int n)
{
	unsigned int i, received = 0;

	while (received < n) {
		poll_for(polled, n, RENEWAL);
		for (i = 0; i < n; i++) {
			if (!polled[i].revents)
				continue;
			receive(i);
			received++;
		}
	}
}

static __s64 earliest(void)
{
	__s64 first = deadlines[0];
	unsigned int i;

	for (i = 1; i < set->count; i++)
		if (deadlines[i] < first)
			first = deadlines[i];
	return first;
}

static void renew(unsigned int i, __s64 time)
{
	deadlines[i] = time + RENEWAL;
}

static void ppoll_serve(unsigned long messages)
{
	unsigned long left = messages;
	__s64 time = now();
	unsigned int i;

	for (i = 0; i < set->count; i++)
		renew(i, time);
	while (left) {
		int ready = poll_for(polled, set->count, earliest() - time);

		if (!ready)
			give_up("ppoll", ETIME);
		time = now();
		for (i = 0; ready; i++) {
			if (!polled[i].revents)
				continue;
			receive(i);
			answer(i);
			renew(i, time);
			ready--;
			left--;
		}
	}
}

struct server {
	pthread_t thread;
	unsigned int i;
	unsigned long messages;
};

/* SO_RCVTIMEO counts from each recv(2) on: so it is renewed by itself. */
static void *serve_one(void *argument)
{
	struct server *server = argument;
	unsigned long left;

	for (left = server->messages; left; left--) {
		receive(server->i);
		answer(server->i);
	}
	return NULL;
}

static void threads_serve(unsigned long messages)
{
	struct server *servers = calloc(set->count, sizeof(*servers));
	pthread_attr_t small;
	unsigned int i;

	if (!servers)
		give_up("servers", ENOMEM);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	for (i = 0; i < set->count; i++) {
		servers[i].i = i;
		servers[i].messages = messages / set->count;
		if (set->count == 1)
			serve_one(&servers[i]);
		else if (pthread_create(&servers[i].thread, &small, serve_one, &servers[i]))
			give_up("thread", errno);
	}
	for (i = 0; i < set->count && set->count > 1; i++)
		pthread_join(servers[i].thread, NULL);
	free(servers);
}

const struct peer peer_bare = {
	.name = "bare",
	.kind = BARE,
	.open = calls_open,
	.close = calls_close,
	.recv_one = receive,
	.recv_many = receive_many,
	.arm = arm_nothing,
	.collect = receive_many,
	.serve = threads_serve,
};

const struct peer peer_ppoll = {
	.name = "ppoll",
	.kind = PPOLL,
	.deadlines = BY_KERNEL,
	.open = calls_open,
	.close = calls_close,
	.recv_one = ppoll_recv_one,
	.recv_many = ppoll_recv_many,
	.arm = arm_nothing,
	.collect = ppoll_recv_many,
	.serve = ppoll_serve,
};

const struct peer peer_rcvtimeo = {
	.name = "rcvtimeo",
	.kind = RCVTIMEO,
	.deadlines = BY_KERNEL,
	.open = calls_open,
	.close = calls_close,
	.recv_one = receive,
	.recv_many = receive_many,
	.serve = threads_serve,
};
