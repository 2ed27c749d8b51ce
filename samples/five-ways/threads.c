// SPDX-License-Identifier: GPL-2.0
/*
 * Plain threads: one for each connection, asleep in ppoll(2) until there is something to do,
 * its time is over, or the server is to stop.
 *
 * SO_RCVTIMEO and SO_SNDTIMEO would save that call.  But they are late by up to an eighth, a read's
 * time begins with its call and not with the message before it, and to wake the threads somebody
 * would have to keep account of all sockets, for shutdown(2).
 */
#define _GNU_SOURCE
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Nobody reads the signal from it, so every thread sees it. */
static int stop;

/* Until @fd is ready; @late is what it is when that is not so by the deadline. */
static enum end wait_for(int fd, short events, long long deadline, enum end late)
{
	struct pollfd polled[] = {
		{ .fd = fd, .events = events },
		{ .fd = stop, .events = POLLIN },
	};
	long long left = deadline - now();
	struct timespec time = { left / SECOND, left % SECOND };
	int n;

	if (left <= 0)
		return late;
	n = ppoll(polled, 2, &time, NULL);
	if (n < 0)
		return connection_error(errno);
	if (polled[1].revents)
		return STOPPED;
	return n ? GOES_ON : late;
}

static enum end receive(int fd, char *bytes, size_t *len, long long deadline)
{
	enum end end;
	ssize_t n;

	do {
		end = wait_for(fd, POLLIN, deadline, IDLE);
		if (end)
			return end;
		n = recv(fd, bytes, CHUNK, MSG_DONTWAIT);
	} while (n < 0 && errno == EAGAIN);
	if (n < 0)
		return connection_error(errno);
	*len = n;
	return n ? GOES_ON : CLOSED;
}

static enum end answer(int fd, const char *bytes, size_t len, long long deadline)
{
	enum end end = GOES_ON;

	while (len && !end) {
		ssize_t n = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0) {
			bytes += n;
			len -= n;
		} else if (errno == EAGAIN) {
			end = wait_for(fd, POLLOUT, deadline, STUCK);
		} else {
			end = connection_error(errno);
		}
	}
	return end;
}

static void *serve(void *argument)
{
	int fd = (intptr_t)argument;
	long long message = now();
	char bytes[CHUNK];
	size_t len = 0;
	enum end end;

	for (;;) {
		end = receive(fd, bytes, &len, message + settings.idle_ms * MS);
		if (end)
			break;
		message = now();
		end = answer(fd, bytes, len, message + settings.write_ms * MS);
		if (end)
			break;
	}
	connection_ending(fd, end);
	close(fd);
	connection_ended(end);
	return NULL;
}

static void accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0) {
		if (accept_is_short(errno))
			poll(&(struct pollfd){ stop, POLLIN, 0 }, 1, ACCEPT_PAUSE / MS);
	} else if (!connection_begins()) {
		close(fd);
	} else if (!server_thread(serve, (void *)(intptr_t)fd)) {
		close(fd);
		connection_ended(REFUSED);
	}
}

int main(int argc, char **argv)
{
	struct pollfd polled[] = { { .events = POLLIN }, { .events = POLLIN } };

	server_begin(argc, argv);
	stop = server_stop_fd();
	polled[0].fd = server_listen(SOCK_NONBLOCK);
	polled[1].fd = stop;
	while (poll(polled, 2, -1) >= 0 && !polled[1].revents)
		accept_one(polled[0].fd);
	connections_await_none();
	return server_report();
}
