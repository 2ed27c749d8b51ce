// SPDX-License-Identifier: GPL-2.0
/*
 * epoll(7), edge-triggered, and recv(2).  Deadlines are kept by a timerfd for each
 * connection, in the same epoll; or by a wheel of the program's, which tells epoll_wait(2)
 * when to return.
 *
 * A read that got less than there was room for has taken all there was (epoll(7)), so none
 * is made in vain.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "peers.h"

enum kind { TIMERFD, WHEEL };

#define EVENTS 256
/* Events of timers have the socket's number and this. */
#define OF_TIMER (1U << 31)

static const struct set *set;
static enum kind kind;
static int epoll = -1;
static int *timers;

static void add(int fd, unsigned int data)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u32 = data };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		give_up("epoll_ctl", errno);
}

static void set_timer(unsigned int i, __s64 time, int flags)
{
	struct itimerspec at = {
		.it_value = { .tv_sec = time / SECOND, .tv_nsec = time % SECOND },
	};

	if (timerfd_settime(timers[i], flags, &at, NULL))
		give_up("timerfd_settime", errno);
}

static void epoll_move(unsigned int i, __s64 deadline)
{
	if (kind == TIMERFD)
		set_timer(i, deadline, TFD_TIMER_ABSTIME);
	else
		wheel_set(i, deadline);
}

static bool epoll_open(const struct peer *peer, const struct set *sockets)
{
	unsigned int i;

	set = sockets;
	kind = peer->kind;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		give_up("epoll_create1", errno);
	if (kind == WHEEL)
		wheel_open(set->count);
	timers = calloc(set->count, sizeof(*timers));
	if (!timers)
		give_up("timers", ENOMEM);
	for (i = 0; i < set->count; i++) {
		add(set->near[i], i);
		if (kind == WHEEL)
			continue;
		timers[i] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		if (timers[i] < 0)
			give_up("timerfd_create", errno);
		add(timers[i], i | OF_TIMER);
		set_timer(i, FAR_AWAY, 0);
	}
	return true;
}

/* The sockets stay open, but leave with the epoll. */
static void epoll_close(void)
{
	unsigned int i;

	if (kind == WHEEL)
		wheel_close();
	for (i = 0; kind == TIMERFD && i < set->count; i++)
		close(timers[i]);
	free(timers);
	close(epoll);
}

static void receive(unsigned int i)
{
	if (recv(set->near[i], buffer_of(i), ROOM, MSG_DONTWAIT) != MESSAGE)
		give_up("recv", errno);
}

static void answer(unsigned int i)
{
	if (send(set->near[i], buffer_of(i), MESSAGE, MSG_DONTWAIT) != MESSAGE)
		give_up("send", errno);
}

/* Wait for as many as @max events, or until the wheel's next deadline. */
static int wait_until_due(struct epoll_event *events, int max, __s64 time)
{
	struct timespec patience;
	__s64 left;
	int n;

	if (kind == TIMERFD) {
		n = epoll_wait(epoll, events, max, -1);
	} else {
		left = wheel_next() - time;
		if (left < 0)
			left = 0;
		patience = (struct timespec){ left / SECOND, left % SECOND };
		n = epoll_pwait2(epoll, events, max, &patience, NULL);
	}
	if (n < 0)
		give_up("epoll_wait", errno);
	return n;
}

/* The same where something comes for sure. */
static int wait_for(struct epoll_event *events, int max, __s64 time)
{
	int n = wait_until_due(events, max, time);

	if (!n)
		give_up("epoll_wait", ETIME);
	return n;
}

static void epoll_recv_one(unsigned int i)
{
	struct epoll_event event;
	__s64 time = 0;

	if (kind == WHEEL) {
		time = now();
		wheel_set(i, time + RENEWAL);
	}
	wait_for(&event, 1, time);
	if (event.data.u32 != i)
		give_up("epoll_wait", EPROTO);
	receive(i);
	if (kind == WHEEL)
		wheel_clear(i);
}

/* A timerfd keeps its deadline, as long as that is not moved: it costs nothing here. */
static void epoll_arm(unsigned int n)
{
	__s64 deadline;
	unsigned int i;

	if (kind == TIMERFD)
		return;
	deadline = now() + RENEWAL;
	for (i = 0; i < n; i++)
		wheel_set(i, deadline);
}

static void epoll_collect(unsigned int n)
{
	struct epoll_event events[EVENTS];
	__s64 time = kind == WHEEL ? now() : 0;
	unsigned int received = 0;

	while (received < n) {
		int count = wait_for(events, EVENTS, time);

		while (count--) {
			unsigned int i = events[count].data.u32;

			if (i & OF_TIMER)
				give_up("timerfd", ETIME);
			receive(i);
			received++;
			if (kind == WHEEL)
				wheel_clear(i);
		}
	}
}

static void epoll_recv_many(unsigned int n)
{
	epoll_arm(n);
	epoll_collect(n);
}

/* Nothing waits in the kernel but the sockets and timers in the epoll. */
static void epoll_pend(unsigned int first, unsigned int n, __s64 deadline, __s64 spread)
{
	unsigned int i;

	for (i = first; i < first + n; i++)
		epoll_move(socket_of(set, i), due(i, deadline, spread));
}

static void read_timer(unsigned int i)
{
	__u64 count;

	if (read(timers[i], &count, sizeof(count)) != sizeof(count))
		give_up("timerfd", errno);
}

static unsigned int expire_wheel(void)
{
	unsigned int ended = 0;

	while (wheel_expired(now()) >= 0)
		ended++;
	return ended;
}

static void epoll_expire(unsigned int n)
{
	struct epoll_event events[EVENTS];
	unsigned int ended = 0;

	while (ended < n) {
		int count = wait_until_due(events, EVENTS, now());

		if (kind == WHEEL)
			ended += expire_wheel();
		for (; count > 0; ended++)
			read_timer(events[--count].data.u32 & ~OF_TIMER);
	}
}

static void epoll_serve(unsigned long messages)
{
	struct epoll_event events[EVENTS];
	unsigned long left = messages;
	__s64 time = now();

	epoll_pend(0, set->count, time + RENEWAL, 0);
	while (left) {
		int count = wait_for(events, EVENTS, time);

		if (kind == WHEEL)
			time = now();
		while (count--) {
			unsigned int i = events[count].data.u32;

			if (i & OF_TIMER)
				give_up("timerfd", ETIME);
			receive(i);
			answer(i);
			if (kind == WHEEL)
				wheel_set(i, time + RENEWAL);
			else
				set_timer(i, RENEWAL, 0);
			left--;
		}
		if (kind == WHEEL && wheel_expired(time) >= 0)
			give_up("wheel", ETIME);
	}
}

const struct peer peer_epoll_timerfd = {
	.name = "epoll-timerfd",
	.kind = TIMERFD,
	.deadlines = BY_KERNEL,
	.open = epoll_open,
	.close = epoll_close,
	.recv_one = epoll_recv_one,
	.recv_many = epoll_recv_many,
	.arm = epoll_arm,
	.collect = epoll_collect,
	.pend = epoll_pend,
	.move = epoll_move,
	.expire = epoll_expire,
	.serve = epoll_serve,
};

const struct peer peer_epoll_wheel = {
	.name = "epoll-wheel",
	.kind = WHEEL,
	.deadlines = BY_PROGRAM,
	.open = epoll_open,
	.close = epoll_close,
	.recv_one = epoll_recv_one,
	.recv_many = epoll_recv_many,
	.arm = epoll_arm,
	.collect = epoll_collect,
	.pend = epoll_pend,
	.move = epoll_move,
	.expire = epoll_expire,
	.serve = epoll_serve,
};
