// SPDX-License-Identifier: GPL-2.0
/*
 * epoll: one thread, which looks after all sockets that are ready, and a timer wheel, which
 * tells it until when to sleep.
 *
 * A connection waits for one thing at a time, to read or to write, and has one deadline.  What
 * one of them does is done when its turn ends: nobody interrupts anything.
 */
#define _GNU_SOURCE
#include "server.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS		256
/* A slot of the wheel is 2^22 ns, about 4 ms, and the wheel 17 s. */
#define TICK_SHIFT	22
#define SLOTS		4096

/**
 * struct client - a connection
 * @slot: the others in its slot
 * @fd: its socket
 * @message: when its last message came, ns
 * @deadline: of the read or write that it waits for, ns
 * @tick: whose slot it is in, at the latest that behind its deadline
 * @len: bytes of its answer; 0 while it waits for a message
 * @sent: how many of them were sent
 * @kept: the answer, where the socket has not taken all of it at once
 */
struct client {
	LIST_ENTRY(client) slot;
	int fd;
	long long message;
	long long deadline;
	long long tick;
	size_t len;
	size_t sent;
	char *kept;
};

static LIST_HEAD(slot, client) wheel[SLOTS];
/* No client is in the slot of an earlier tick. */
static long long first_tick = LLONG_MAX;
/* As of the last return from epoll. */
static long long present;
/* When the listener is watched again. */
static long long accept_again = LLONG_MAX;
static int epoll;
/* Whoever waits for a message needs no room for it. */
static char arrived[CHUNK];

static long long tick_behind(long long time)
{
	return (time >> TICK_SHIFT) + 1;
}

static void put_in_slot(struct client *client)
{
	long long tick = tick_behind(client->deadline);
	long long last = tick_behind(present) + SLOTS - 2;

	client->tick = tick < last ? tick : last;
	LIST_INSERT_HEAD(&wheel[client->tick % SLOTS], client, slot);
	if (client->tick < first_tick)
		first_tick = client->tick;
}

/* To move it away costs nothing: in its slot the client is found too early, and moves on. */
static void set_deadline(struct client *client, long long deadline)
{
	client->deadline = deadline;
	if (tick_behind(deadline) >= client->tick)
		return;
	LIST_REMOVE(client, slot);
	put_in_slot(client);
}

static void end_client(struct client *client, enum end how)
{
	LIST_REMOVE(client, slot);
	connection_ending(client->fd, how);
	close(client->fd);
	connection_ended(how);
	free(client->kept);
	free(client);
}

static void look_at_slot(long long tick)
{
	struct client *client, *next;

	for (client = LIST_FIRST(&wheel[tick % SLOTS]); client; client = next) {
		next = LIST_NEXT(client, slot);
		if (client->deadline <= present) {
			end_client(client, client->len ? STUCK : IDLE);
		} else if (client->tick <= tick) {
			LIST_REMOVE(client, slot);
			put_in_slot(client);
		}
	}
}

static void turn_wheel(void)
{
	while (first_tick < tick_behind(present))
		look_at_slot(first_tick++);
	if (!connections_open())
		first_tick = LLONG_MAX;
	else
		while (LIST_EMPTY(&wheel[first_tick % SLOTS]))
			first_tick++;
}

static void watch(int operation, int fd, unsigned int events, void *data)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	if (epoll_ctl(epoll, operation, fd, &event))
		die("epoll_ctl", errno);
}

static void wait_for_room(struct client *client)
{
	client->kept = malloc(client->len);
	if (!client->kept)
		die("malloc", errno);
	memcpy(client->kept, arrived, client->len);
	watch(EPOLL_CTL_MOD, client->fd, EPOLLOUT, client);
	set_deadline(client, client->message + settings.write_ms * MS);
}

static void wait_for_message(struct client *client)
{
	if (client->kept)
		watch(EPOLL_CTL_MOD, client->fd, EPOLLIN, client);
	free(client->kept);
	client->kept = NULL;
	client->len = 0;
	set_deadline(client, client->message + settings.idle_ms * MS);
}

static void answer(struct client *client)
{
	const char *bytes = client->kept ? client->kept : arrived;
	ssize_t n = send(client->fd, bytes + client->sent, client->len - client->sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		end_client(client, connection_error(errno));
		return;
	}
	client->sent += n > 0 ? n : 0;
	if (client->sent == client->len)
		wait_for_message(client);
	else if (!client->kept)
		wait_for_room(client);
}

static void receive(struct client *client)
{
	ssize_t n = recv(client->fd, arrived, CHUNK, MSG_DONTWAIT);

	if (n > 0) {
		client->message = present;
		client->len = n;
		client->sent = 0;
		answer(client);
	} else if (!n) {
		end_client(client, CLOSED);
	} else if (errno != EAGAIN) {
		end_client(client, connection_error(errno));
	}
}

static void begin_client(int fd)
{
	struct client *client = malloc(sizeof(*client));

	if (!client)
		die("malloc", errno);
	client->fd = fd;
	client->len = 0;
	client->kept = NULL;
	client->deadline = present + settings.idle_ms * MS;
	put_in_slot(client);
	watch(EPOLL_CTL_ADD, fd, EPOLLIN, client);
}

/* While something is wanting the listener is not watched, for it stays readable. */
static void accept_all(int *listener)
{
	int fd;

	while ((fd = accept4(*listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (connection_begins())
			begin_client(fd);
		else
			close(fd);
	}
	if (!accept_is_short(errno))
		return;
	accept_again = present + ACCEPT_PAUSE;
	watch(EPOLL_CTL_MOD, *listener, 0, listener);
}

static void accept_when_time_has_come(int *listener)
{
	if (accept_again > present)
		return;
	accept_again = LLONG_MAX;
	watch(EPOLL_CTL_MOD, *listener, EPOLLIN, listener);
}

static void stop_all(void)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		while (!LIST_EMPTY(&wheel[i]))
			end_client(LIST_FIRST(&wheel[i]), STOPPED);
}

/* Until something is ready, the wheel has to be turned, or the listener watched again. */
static int wait_for(struct epoll_event *events)
{
	long long turn = first_tick == LLONG_MAX ? LLONG_MAX : first_tick << TICK_SHIFT;
	long long until = turn < accept_again ? turn : accept_again;
	long long left = until > present ? until - present : 0;
	struct timespec time = { left / SECOND, left % SECOND };
	int n = epoll_pwait2(epoll, events, EVENTS, until == LLONG_MAX ? NULL : &time, NULL);

	if (n < 0 && errno != EINTR)
		die("epoll_pwait2", errno);
	present = now();
	return n;
}

/* Returns when the server is to stop. */
static void serve(int *listener, int *stop)
{
	struct epoll_event events[EVENTS];
	int n, i;

	for (;;) {
		n = wait_for(events);
		for (i = 0; i < n; i++) {
			struct client *client = events[i].data.ptr;

			if (events[i].data.ptr == stop)
				return;
			if (events[i].data.ptr == listener)
				accept_all(listener);
			else if (client->len)
				answer(client);
			else
				receive(client);
		}
		turn_wheel();
		accept_when_time_has_come(listener);
	}
}

int main(int argc, char **argv)
{
	int listener, stop;

	server_begin(argc, argv);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		die("epoll_create1", errno);
	stop = server_stop_fd();
	listener = server_listen(SOCK_NONBLOCK);
	watch(EPOLL_CTL_ADD, listener, EPOLLIN, &listener);
	watch(EPOLL_CTL_ADD, stop, EPOLLIN, &stop);
	serve(&listener, &stop);
	stop_all();
	return server_report();
}
