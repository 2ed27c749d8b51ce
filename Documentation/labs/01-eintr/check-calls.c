// SPDX-License-Identifier: GPL-2.0
/*
 * The calls, each made so that it has nothing to do but sleep.  They go past the C library,
 * which makes some of them by another system call than its name says.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

/* Seconds: longer than anything here takes. */
#define LONG	10000

static const struct timespec long_time = { .tv_sec = LONG };
static char byte;

static int silent_socket(void)
{
	int fds[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	return fds[0];
}

/* A listener under a name that the kernel picks. */
static int listener(struct sockaddr_un *address, socklen_t *len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	*address = (struct sockaddr_un) { .sun_family = AF_UNIX };
	bind(fd, (struct sockaddr *)address, sizeof(sa_family_t));
	*len = sizeof(*address);
	getsockname(fd, (struct sockaddr *)address, len);
	listen(fd, 0);
	return fd;
}

static long read_pipe(void)
{
	int fds[2];

	if (pipe(fds))
		return -1;
	return syscall(SYS_read, fds[0], &byte, 1);
}

static long read_socket(void)
{
	return syscall(SYS_read, silent_socket(), &byte, 1);
}

static long recv_timeo(void)
{
	struct timeval limit = { .tv_sec = LONG };
	int fd = silent_socket();

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return syscall(SYS_recvfrom, fd, &byte, 1, 0, NULL, NULL);
}

static long accept_nobody(void)
{
	struct sockaddr_un address;
	socklen_t len;

	return syscall(SYS_accept, listener(&address, &len), NULL, NULL);
}

/* The first one fills the queue: it is for one more than listen(2) was told. */
static long connect_full(void)
{
	struct sockaddr_un address;
	socklen_t len;

	listener(&address, &len);
	connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, len);
	return syscall(SYS_connect, socket(AF_UNIX, SOCK_STREAM, 0), &address, len);
}

static long poll_silence(void)
{
	struct pollfd fd = { .fd = silent_socket(), .events = POLLIN };

	return syscall(SYS_poll, &fd, 1, LONG * 1000);
}

static long ppoll_silence(void)
{
	struct pollfd fd = { .fd = silent_socket(), .events = POLLIN };
	struct timespec limit = long_time;

	return syscall(SYS_ppoll, &fd, 1, &limit, NULL, 0);
}

static long epoll_silence(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(0);

	epoll_ctl(fd, EPOLL_CTL_ADD, silent_socket(), &event);
	return syscall(SYS_epoll_wait, fd, &event, 1, -1);
}

static long sleep_for(void)
{
	return syscall(SYS_nanosleep, &long_time, NULL);
}

static long sleep_until(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LONG;
	return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static unsigned int word;

static long futex_wait_ever(void)
{
	return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static long futex_wait_time(void)
{
	return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &long_time, NULL, 0);
}

/* The word of such a lock holds the number of the thread that has it. */
static long futex_lock(void)
{
	word = getppid();
	return syscall(SYS_futex, &word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
}

const struct call_to_measure calls[CALLS] = {
	[READ_PIPE] = { "read of a pipe", SYS_read, read_pipe },
	[READ_SOCKET] = { "read of a socket", SYS_read, read_socket },
	[RECV_TIMEO] = { "recv with SO_RCVTIMEO", SYS_recvfrom, recv_timeo },
	[ACCEPT] = { "accept", SYS_accept, accept_nobody },
	[CONNECT] = { "connect", SYS_connect, connect_full },
	[POLL] = { "poll", SYS_poll, poll_silence },
	[PPOLL] = { "ppoll", SYS_ppoll, ppoll_silence },
	[EPOLL_WAIT] = { "epoll_wait", SYS_epoll_wait, epoll_silence },
	[NANOSLEEP] = { "nanosleep", SYS_nanosleep, sleep_for },
	[CLOCK_NANOSLEEP] = { "clock_nanosleep, absolute", SYS_clock_nanosleep, sleep_until },
	[FUTEX_WAIT_EVER] = { "FUTEX_WAIT", SYS_futex, futex_wait_ever },
	[FUTEX_WAIT_TIME] = { "FUTEX_WAIT, timeout", SYS_futex, futex_wait_time },
	[FUTEX_LOCK] = { "FUTEX_LOCK_PI", SYS_futex, futex_lock },
};
