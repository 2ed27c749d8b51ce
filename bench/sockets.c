// SPDX-License-Identifier: GPL-2.0
/*
 * Connections over TCP's loopback, as many as a row asks for; they stay for the next one.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

/* An address and port have so many connections, for each needs a port of its own. */
#define PER_ADDRESS	20000
#define MAX_PAIRS	20000
#define MAX_DATAGRAM	250000
/* One of so many sockets has one operation, where others share one. */
#define FEW		250

/* First ends, and behind each other all ends. */
static int near[MAX_PAIRS];
static int far[MAX_PAIRS];
static int ends[2 * MAX_PAIRS];
static int datagram[MAX_DATAGRAM];
static unsigned int nr_pairs;

static int listen_at(struct sockaddr_in *address)
{
	socklen_t len = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK + nr_pairs / PER_ADDRESS);
	address->sin_port = 0;
	if (fd < 0 || bind(fd, (struct sockaddr *)address, sizeof(*address)) ||
	    listen(fd, 16) || getsockname(fd, (struct sockaddr *)address, &len))
		give_up("listen", errno);
	return fd;
}

static void set_option(int fd, int option, int value)
{
	if (setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value)))
		give_up("setsockopt", errno);
}

/* No message waits for others. */
static void set_interactive(int fd)
{
	set_option(fd, TCP_NODELAY, 1);
}

static void connect_pair(int listener, const struct sockaddr_in *address)
{
	int a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int b = -1;

	if (a >= 0 && !connect(a, (const struct sockaddr *)address, sizeof(*address)))
		b = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (b < 0)
		give_up("connect", errno);
	set_interactive(a);
	set_interactive(b);
	near[nr_pairs] = b;
	far[nr_pairs] = a;
	ends[2 * nr_pairs] = b;
	ends[2 * nr_pairs + 1] = a;
	nr_pairs++;
}

void sockets_need(unsigned int pairs)
{
	struct sockaddr_in address;
	int listener = -1;

	if (pairs > MAX_PAIRS)
		give_up("too many connections", 0);
	if (nr_pairs < pairs) {
		printf("# %u connections\n", pairs);
		fflush(stdout);
	}
	while (nr_pairs < pairs) {
		if (listener < 0 || nr_pairs % PER_ADDRESS == 0) {
			if (listener >= 0)
				close(listener);
			listener = listen_at(&address);
		}
		connect_pair(listener, &address);
	}
	if (listener >= 0)
		close(listener);
}

struct set sockets_pairs(unsigned int count)
{
	sockets_need(count);
	return (struct set){
		.near = near, .far = far, .count = count, .ops = count, .alone = count,
	};
}

struct set sockets_ends(unsigned int count)
{
	sockets_need((count + 1) / 2);
	return (struct set){ .near = ends, .count = count, .ops = count, .alone = count };
}

/* As many as there is no other time for: to connect one takes ten times as long. */
struct set sockets_datagram(unsigned int count, unsigned int ops)
{
	static unsigned int nr;

	if (count > MAX_DATAGRAM)
		give_up("too many sockets", 0);
	for (; nr < count; nr++) {
		datagram[nr] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (datagram[nr] < 0)
			give_up("socket", errno);
	}
	return (struct set){
		.near = datagram, .count = count, .ops = ops, .alone = count / FEW,
	};
}

static void send_message(int fd)
{
	static const char message[MESSAGE];

	if (send(fd, message, sizeof(message), 0) != sizeof(message))
		give_up("send", errno);
}

void send_to(const struct set *set, unsigned int i)
{
	send_message(set->far[i]);
}

void reply_to(const struct set *set, unsigned int i)
{
	char message[ROOM];

	send_message(set->near[i]);
	if (recv(set->far[i], message, sizeof(message), 0) != MESSAGE)
		give_up("recv", errno);
}
