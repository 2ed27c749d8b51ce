// SPDX-License-Identifier: GPL-2.0
/*
 * Pairs of goroutines that throw a byte to each other, over sockets that do not block, and a
 * poller for all of them.  A lost wake-up stops a pair for good: that is seen as a time in
 * which no byte moves.
 */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS	4
#define THROWS	2000
/* Seconds without a byte: far longer than a slow machine needs for one. */
#define SILENCE	60

struct player {
	int fd;
	bool begins;
	struct word rg;
	struct goroutine g;
	pthread_t thread;
};

static struct player players[2 * PAIRS];
static int epoll;
static atomic_long thrown, slept, vain;
static atomic_int playing;

static void sleep_really(struct goroutine *g)
{
	slept++;
	while (sem_wait(&g->sem) && errno == EINTR)
		continue;
}

static void catch_byte(struct player *p)
{
	char byte;

	for (int tries = 0; recv(p->fd, &byte, 1, 0) != 1; tries++) {
		if (errno != EAGAIN)
			wrong("recv: errno is %d", errno);
		vain += tries > 0;
		if (!pd_block(&p->g, &p->rg))
			wrong("pd_block() says that a deadline came, and there is none");
	}
}

static void *play(void *arg)
{
	struct player *p = arg;

	for (int i = 0; i < THROWS; i++) {
		if (!p->begins)
			catch_byte(p);
		if (send(p->fd, "x", 1, MSG_NOSIGNAL) != 1)
			wrong("send: errno is %d", errno);
		thrown++;
		if (p->begins)
			catch_byte(p);
	}
	playing--;
	return NULL;
}

static void *poll_all(void *unused)
{
	struct epoll_event events[PAIRS];

	while (playing) {
		int n = epoll_wait(epoll, events, PAIRS, 100);

		for (int i = 0; i < n; i++) {
			struct player *p = events[i].data.ptr;
			struct goroutine *g = pd_unblock(&p->rg, true);

			if (g)
				g_ready(g);
		}
	}
	return unused;
}

static void begin(void)
{
	for (int i = 0; i < PAIRS; i++) {
		int fds[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds))
			wrong("socketpair: errno is %d", errno);
		for (int j = 0; j < 2; j++) {
			struct player *p = &players[2 * i + j];
			struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.ptr = p };

			p->fd = fds[j];
			p->begins = !j;
			sem_init(&p->g.sem, 0, 0);
			epoll_ctl(epoll, EPOLL_CTL_ADD, p->fd, &event);
		}
	}
}

/* Until all have played, or nothing has moved for long. */
static void watch(void)
{
	long last = -1;

	for (int silent = 0; playing; silent++) {
		if (thrown != last)
			silent = 0;
		last = thrown;
		if (silent > SILENCE * 10)
			wrong("%ld bytes were thrown, and then none: a wake-up was lost", last);
		usleep(100000);
	}
}

void check_sockets(void)
{
	pthread_t poller;

	sleeps = sleep_really;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	begin();
	playing = 2 * PAIRS;
	pthread_create(&poller, NULL, poll_all, NULL);
	for (int i = 0; i < 2 * PAIRS; i++)
		pthread_create(&players[i].thread, NULL, play, &players[i]);
	watch();
	for (int i = 0; i < 2 * PAIRS; i++)
		pthread_join(players[i].thread, NULL);
	pthread_join(poller, NULL);
	printf("%ld bytes thrown and caught, %ld sleeps, %ld looks in vain\n", (long)thrown,
	       (long)slept, (long)vain);
}
