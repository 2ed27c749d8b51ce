// SPDX-License-Identifier: GPL-2.0
/*
 * cancelio in an event loop: the context's descriptor is one more in the program's epoll, beside
 * a listener and a signal.
 *
 * It is asked for by EPOLLIN and without EPOLLET: it is readable exactly while there are
 * completions, so a turn may take some of them and leave the others for the next.  The loop has
 * no timers and no time-out for the deadlines of its connections, for the kernel keeps them; and
 * it sees no sockets, for the kernel waits for these as well.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "echo.h"
#include "server.h"

static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl", errno);
}

static void run(int epoll, int listener, int completions)
{
	struct epoll_event event;

	for (;;) {
		if (epoll_wait(epoll, &event, 1, -1) < 1)
			continue;
		if (event.data.fd == completions)
			echo_reap();
		else if (event.data.fd == listener)
			echo_accept(listener);
		else
			return;
	}
}

int main(int argc, char **argv)
{
	int epoll, completions, listener;

	server_begin(argc, argv);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		die("epoll_create1", errno);
	completions = echo_open();
	watch(epoll, completions);
	watch(epoll, server_stop_fd());
	listener = server_listen(SOCK_NONBLOCK);
	watch(epoll, listener);
	run(epoll, listener, completions);
	echo_stop();
	return server_report();
}
