// SPDX-License-Identifier: GPL-2.0
/*
 * For those who come from Go: its network poller, which makes blocking calls out of
 * sockets that do not block, on the poll engine.  Goroutines are threads here.
 *
 *	a socket's registration, for its life	cancelio_attach_fd()
 *	netpollarm, on systems without edges	WAIT_READY: one event, for one waiter
 *	epoll_wait, 128 events			cancelio_wait(), 128 completions
 *	the event's pointer to the pollDesc	user_data: where its rg or wg is
 *	the timers rt and wt, seq against old	the connection's deadlines, in the kernel
 */
#include <cancelio.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include "peer.h"

/* What rg and wg hold, when not the address of what a goroutine is parked on. */
enum { nil, pdReady, pdWait };

struct pollDesc {
	int fd;
	__u64 conn;
	atomic_ulong rg, wg;
	atomic_llong rd, wd;
};

static struct cancelio *context;

/* Wakes the goroutines that can go on.  An event leaves pdReady, a deadline or Close nil. */
static int netpoll(bool block)
{
	struct cancelio_completion ev[128];
	int n = cancelio_wait(context, block, CANCELIO_NEVER, ev, 128);

	for (int i = 0; i < n; i++) {
		unsigned long g = atomic_exchange((atomic_ulong *)ev[i].user_data,
						  ev[i].reason <= CANCELIO_ERROR ? pdReady : nil);

		if (g > pdWait)
			sem_post((sem_t *)g);
	}
	return n;
}

/* Returns more than 0 after an event, 0 after a deadline or Close, else -errno. */
static int netpollblock(struct pollDesc *pd, int mode)
{
	atomic_ulong *gpp = mode == 'r' ? &pd->rg : &pd->wg;
	struct cancelio_op op = { .opcode = CANCELIO_OP_WAIT_READY, .conn = pd->conn,
				  .msg_flags = mode == 'r' ? POLLIN : POLLOUT,
				  .user_data = (unsigned long)gpp };
	unsigned long old = pdWait;
	sem_t g;
	int n;

	*gpp = pdWait;
	n = cancelio_submit(context, &op, 1, NULL, NULL);
	if (n < 0)
		return n;
	/* A look at the news, as the scheduler's: if they are ours, pdWait has gone. */
	netpoll(false);
	sem_init(&g, 0, 0);
	if (atomic_compare_exchange_strong(gpp, &old, (unsigned long)&g))
		sem_wait(&g);
	return *gpp == pdReady;
}

/* Takes away what the last wait has left, and looks at the time. */
static int prepare(struct pollDesc *pd, int mode)
{
	*(mode == 'r' ? &pd->rg : &pd->wg) = nil;
	return cancelio_now() >= (mode == 'r' ? pd->rd : pd->wd) ? -ETIME : 0;
}

/* The deadline that woke us may have been moved since: then it was none, and once more. */
static int wait(struct pollDesc *pd, int mode)
{
	int n;

	do {
		n = netpollblock(pd, mode) ?: prepare(pd, mode);
	} while (!n);
	return n < 0 ? n : 0;
}

#define PrepareRead(pd)		prepare(pd, 'r')
#define PrepareWrite(pd)	prepare(pd, 'w')
#define WaitRead(pd)		wait(pd, 'r')
#define WaitWrite(pd)		wait(pd, 'w')

static int Read(struct pollDesc *pd, void *b, size_t len)
{
	int n = -1, err = PrepareRead(pd);

	while (!err && (n = recv(pd->fd, b, len, 0)) < 0)
		err = errno == EAGAIN ? WaitRead(pd) : -errno;
	return err ?: n;
}

static int Write(struct pollDesc *pd, const void *b, size_t len)
{
	int n = -1, err = PrepareWrite(pd);

	while (!err && (n = send(pd->fd, b, len, MSG_NOSIGNAL)) < 0)
		err = errno == EAGAIN ? WaitWrite(pd) : -errno;
	return err ?: n;
}

static int Init(struct pollDesc *pd, int fd)
{
	*pd = (struct pollDesc) { .fd = fd, .rd = CANCELIO_NEVER, .wd = CANCELIO_NEVER };
	return cancelio_attach_fd(context, fd, &pd->conn);
}

static int Accept(struct pollDesc *l, struct pollDesc *pd)
{
	int n = -1, err = PrepareRead(l);

	while (!err && (n = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK)) < 0)
		err = errno == EAGAIN ? WaitRead(l) : errno == ECONNABORTED ? 0 : -errno;
	return err ?: Init(pd, n);
}

static void SetDeadline(struct pollDesc *pd, __s64 t)
{
	pd->rd = t;
	pd->wd = t;
	cancelio_move_deadline(context, pd->conn, CANCELIO_READ | CANCELIO_WRITE, t, t);
}

static void Close(struct pollDesc *pd)
{
	cancelio_detach(context, pd->conn);
	close(pd->fd);
}

/* From here on: a server whose clients are silent at first, and those clients. */
static struct pollDesc listener, served[4 + 1];

static void *serve(void *pd)
{
	char b[8];
	int n;

	check("WaitWrite, with nothing to wait for", !WaitWrite(pd), 0, 0);
	SetDeadline(pd, cancelio_after(50 * MS));
	n = Read(pd, b, sizeof(b));
	check("Read until its deadline", n == -ETIME && Write(pd, "?", 1) == -ETIME, 0, n);
	SetDeadline(pd, cancelio_after(3000 * MS));
	Write(pd, "late", 4);
	while ((n = Read(pd, b, sizeof(b))) > 0)
		Write(pd, b, n);
	Close(pd);
	return NULL;
}

static void *acceptloop(void *goroutine)
{
	int err, n = 0;

	while (!(err = Accept(&listener, &served[n])))
		pthread_create(goroutine, NULL, serve, &served[n++]);
	check("Accept until Close", err == -EBADF, 0, err);
	cancelio_shutdown_context(context);
	return NULL;
}

static void *schedule(void *arg)
{
	while (netpoll(true) != -ESHUTDOWN)
		continue;
	return arg;
}

int main(void)
{
	pthread_t scheduler, acceptor, goroutine;
	int i, peer[4];

	if (cancelio_open(&context, NULL) || Init(&listener, peer_listen(SOCK_NONBLOCK)) ||
	    pthread_create(&scheduler, NULL, schedule, NULL) ||
	    pthread_create(&acceptor, NULL, acceptloop, &goroutine))
		return 1;
	for (i = 0; i < 4; i++) {
		peer[i] = peer_dial(listener.fd);
		failures += !peer_hears(peer[i], "late");
		SetDeadline(&served[i], CANCELIO_NEVER);
	}
	usleep(3100000);
	for (i = 0; i < 4; i++) {
		peer_says(peer[i], "hello");
		check("Read beyond a deadline since moved", peer_hears(peer[i], "hello"), 5, 0);
		close(peer[i]);
	}
	Close(&listener);
	pthread_join(scheduler, NULL);
	return failures > 0;
}
