// SPDX-License-Identifier: GPL-2.0
/*
 * Plain system calls: ppoll(2), recv(2) with SO_RCVTIMEO, and epoll(7), whose deadline is
 * the time-out of epoll_pwait2(2) or a timerfd.  No recv(2) follows where nothing came.  And,
 * as the floor, clock_nanosleep(2), which receives nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "late.h"

enum kind { PPOLL, RCVTIMEO, PWAIT2, TIMERFD, SLEEP };

struct plain {
	int sock;
	int epoll;
	int timer;
};

static void add(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		give_up("epoll_ctl", errno);
}

static void *plain_open(unsigned int kind, int sock)
{
	struct plain *plain = state_of(sizeof(*plain));

	plain->sock = sock;
	if (kind != PWAIT2 && kind != TIMERFD)
		return plain;
	plain->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (plain->epoll < 0)
		give_up("epoll_create1", errno);
	add(plain->epoll, sock);
	if (kind != TIMERFD)
		return plain;
	plain->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (plain->timer < 0)
		give_up("timerfd_create", errno);
	add(plain->epoll, plain->timer);
	return plain;
}

/* The time that is left, for calls that take no other. */
static __s64 left_until(__s64 deadline)
{
	__s64 left = deadline - now();

	return left > 0 ? left : 0;
}

static __s64 ppoll_wait(void *state, __s64 deadline)
{
	struct plain *plain = state;
	struct pollfd polled = { .fd = plain->sock, .events = POLLIN };
	__s64 left = left_until(deadline);
	struct timespec time = { left / SECOND, left % SECOND };

	if (ppoll(&polled, 1, &time, NULL))
		give_up("ppoll", errno);
	return UNKNOWN;
}

/* In microseconds, of which 0 would be none. */
static __s64 rcvtimeo_wait(void *state, __s64 deadline)
{
	struct plain *plain = state;
	__s64 left = left_until(deadline) / 1000 + 1;
	struct timeval time = { left / 1000000, left % 1000000 };

	if (setsockopt(plain->sock, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)))
		give_up("SO_RCVTIMEO", errno);
	if (recv(plain->sock, buffer_of(0), ROOM, 0) >= 0 || errno != EAGAIN)
		give_up("recv", errno);
	return UNKNOWN;
}

static __s64 pwait2_wait(void *state, __s64 deadline)
{
	struct plain *plain = state;
	__s64 left = left_until(deadline);
	struct timespec time = { left / SECOND, left % SECOND };
	struct epoll_event event;

	if (epoll_pwait2(plain->epoll, &event, 1, &time, NULL))
		give_up("epoll_pwait2", errno);
	return UNKNOWN;
}

static __s64 timerfd_wait(void *state, __s64 deadline)
{
	struct plain *plain = state;
	struct itimerspec at = { .it_value = { deadline / SECOND, deadline % SECOND } };
	struct epoll_event event;
	__u64 count;

	if (timerfd_settime(plain->timer, TFD_TIMER_ABSTIME, &at, NULL))
		give_up("timerfd_settime", errno);
	if (epoll_wait(plain->epoll, &event, 1, -1) != 1 ||
	    read(plain->timer, &count, sizeof(count)) != sizeof(count))
		give_up("timerfd", errno);
	return UNKNOWN;
}

static __s64 sleep_wait(void *state, __s64 deadline)
{
	(void)state;
	sleep_until(deadline);
	return UNKNOWN;
}

#define PLAIN(name_, kind_, wait_) {	\
	.name = name_,			\
	.kind = kind_,			\
	.open = plain_open,		\
	.wait = wait_,			\
}

struct way plain_ways[] = {
	PLAIN("ppoll", PPOLL, ppoll_wait),
	PLAIN("rcvtimeo", RCVTIMEO, rcvtimeo_wait),
	PLAIN("epoll-pwait2", PWAIT2, pwait2_wait),
	PLAIN("epoll-timerfd", TIMERFD, timerfd_wait),
	PLAIN("nanosleep", SLEEP, sleep_wait),
	{ }
};
